// SPDX-License-Identifier: GPL-2.0
// Code that was not in an enclave at EINIT, and the ways to run it: with dynamic_code=1 they work as on mainline, with 0 all of them fail.

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "raw.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr int prot_rw = PROT_READ | PROT_WRITE, prot_rx = PROT_READ | PROT_EXEC, prot_rwx = prot_rw | PROT_EXEC;

/// lea 1(%rdi), %rax; ret - and with 2 in place of 1.
constexpr u64 adds_one = 0xc301478d48, adds_two = 0xc302478d48;

/// Offset of a page of code that the tests add to the image.
constexpr u64 code_at = 96 << 20;

std::vector<Segment> page_of_code(u64 permissions)
{
	Segment segment = {code_at, REG | permissions, std::vector<u8>(page)};
	for (unsigned i = 0; i < 8; i++)
		segment.content[i] = static_cast<u8>(adds_one >> 8 * i);
	return {segment};
}

Options with(int before, u64 more = 0)
{
	Options options;
	options.before = before;
	if (more)
		options.more = page_of_code(more);
	return options;
}

/// An enclave in which tests try to run code.
class PolicyEnclave {
public:
	explicit PolicyEnclave(const Options &options = {}) : enclave(options) {}

	/// Runs the code at an address with the argument 40. A fault is abandoned.
	RawExit run(u64 where)
	{
		Request r = request(Op::run, where);
		r.value = 40;
		const RawExit exit = enter_raw(enclave, r);
		result = r.result;
		if (!exit.normal() && exit.leaf == ERESUME) {
			Request leave = request(Op::abandon, 0);
			EXPECT_TRUE(enclave.enter(leave).normal());
			EXPECT_TRUE(enter_raw(enclave, r, 0, ERESUME).normal()) << "the entry does not end";
		}
		return exit;
	}
	testing::AssertionResult adds(u64 what, u64 where)
	{
		const RawExit exit = run(where);
		if (exit.normal() && result == 40 + what)
			return testing::AssertionSuccess();
		return testing::AssertionFailure()
		       << "signal " << exit.signal << ", error " << exit.error << ", result " << result;
	}
	testing::AssertionResult ends_in(int signal, u64 where)
	{
		const RawExit exit = run(where);
		if (exit.signal == signal && exit.trap == vector_pf)
			return testing::AssertionSuccess();
		return testing::AssertionFailure()
		       << "signal " << exit.signal << ", error " << exit.error << ", result " << result;
	}
	/// Performs an operation on a page, which must succeed.
	void must_do(Op op, u64 where, u64 secinfo = 0, u64 value = 0)
	{
		Request r = request(op, where, page, secinfo);
		r.value = value;
		ASSERT_EQ(enclave.ask(r).status, Status::done);
	}
	/// Adds a page of data, writes code to it, and extends its EPCM permissions to execute.
	void plant(u64 where)
	{
		must_do(Op::accept, where, REG | RW | PENDING);
		must_do(Op::write, where, 0, adds_one);
		must_do(Op::extend, where, REG | RWX);
	}
	/// Returns the number of refusals that the driver has counted since the last call.
	long refusals()
	{
		const long all = fdinfo(enclave.device(), "sgx2-code-refusals");
		return all - std::exchange(seen_, all);
	}

	Enclave enclave;
	const u64 offset = enclave.image().end;
	const u64 at = enclave.at(offset);
	u64 result = 0;

private:
	long seen_ = fdinfo(enclave.device(), "sgx2-code-refusals");
};

class Policy : public testing::Test {
protected:
	/// The result of mmap() or mprotect() with PROT_EXEC on new code.
	Errno verdict() const { return frozen ? EACCES : 0; }
	/// Checks that the driver has counted each refusal.
	void counted(PolicyEnclave &g, long times) const
	{
		if (Driver::is_sgx2()) {
			EXPECT_EQ(g.refusals(), frozen ? times : 0);
		}
	}

	const bool frozen = !Driver::allows_dynamic_code();
};

TEST_F(Policy, QueryReportsPolicy)
{
	ONLY_SGX2();
	const PolicyEnclave g;
	Query query = {};
	query.size = sizeof(query);
	ASSERT_EQ(g.enclave.device().call(ioc_query, &query), 0);
	EXPECT_EQ(query.features & query_dynamic_code, frozen ? 0 : query_dynamic_code);
}

// A mapping that was made before the pages may have permissions that one of them lacks: only a page that has all of them is mapped.
TEST_F(Policy, NeighborsHavePermissions)
{
	const struct {
		int mapping;
		u64 accessed, neighbor;
	} cases[] = {{prot_rw, RW, R}, {prot_rx, RX, RW}};
	for (const auto &[mapping, accessed, neighbor] : cases) {
		constexpr u64 size = 16 * page;
		Device device;
		ASSERT_EQ(device.open(), 0);
		const Mapping range = Mapping::reserve(size), source(page);
		const Secs secs = plain_secs(range.address(), size);
		ASSERT_EQ(device.create(secs), 0);
		ASSERT_EQ(map_fixed(device.fd(), range.address(), size, mapping), 0);
		for (u64 number = 0; number < 4; number++) {
			SecInfo info = {};
			info.flags = REG | (number % 2 ? neighbor : accessed);
			sgx_enclave_add_pages one = {};
			one.src = source.address();
			one.offset = number * page;
			one.length = page;
			one.secinfo = reinterpret_cast<u64>(&info);
			ASSERT_EQ(device.add_pages(one), 0);
		}
		EXPECT_EQ(peek(range.address()), 0);
		EXPECT_EQ(peek(range.address() + page), EFAULT);
		EXPECT_EQ(peek(range.address() + 2 * page), 0);
		EXPECT_EQ(peek(range.address() + 3 * page), EFAULT);
	}
}

TEST_F(Policy, MmapExecOfDynamicPage)
{
	PolicyEnclave g;
	g.enclave.map(g.offset, page, prot_rw);
	g.plant(g.at);
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at, page, prot_rx), verdict());
	counted(g, 1);
	if (!frozen) {
		EXPECT_TRUE(g.adds(1, g.at));
		return;
	}
	// The older mapping is replaced, but the page is not.
	g.enclave.map(g.offset, page, prot_rw);
	EXPECT_EQ(g.enclave.ask(request(Op::read, g.at)).result, adds_one);
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at));
}

TEST_F(Policy, MprotectExecOfDynamicPage)
{
	PolicyEnclave g;
	g.enclave.map(g.offset, page, prot_rw);
	g.plant(g.at);
	EXPECT_EQ(protect(g.at, page, prot_rwx), verdict());
	EXPECT_EQ(protect(g.at, page, PROT_EXEC), verdict());
	EXPECT_EQ(protect(g.at, page, prot_rx), verdict());
	counted(g, 3);
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, g.at) : g.adds(1, g.at));
}

TEST_F(Policy, MmapExecOfAbsentPage)
{
	PolicyEnclave g;
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at, 4 * page, prot_rx), verdict());
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at, 1024 * page, prot_rwx), verdict()) << "the range has no chunks";
	counted(g, 2);
}

// A refused fault adds no page and allocates no memory.
TEST_F(Policy, RefusedFaultAllocatesNothing)
{
	ONLY_SGX2();
	PolicyEnclave g(with(prot_rwx));
	const auto chunks = [&g] {
		return fdinfo(g.enclave.device(), "sgx2-chunks");
	};
	const long before = chunks();
	for (u64 i = 0; frozen && i < 8; i++)
		EXPECT_TRUE(g.ends_in(SIGSEGV, g.at + i * 512 * page));
	EXPECT_EQ(chunks(), before);
	g.must_do(Op::accept, g.at, REG | RW | PENDING);
	EXPECT_EQ(chunks(), before + 1);
}

// Map all of ELRANGE before CREATE, as Gramine does.
TEST_F(Policy, MappingOlderThanEnclave)
{
	PolicyEnclave g(with(prot_rwx));
	g.plant(g.at);
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, g.at) : g.adds(1, g.at));
	g.refusals();
	EXPECT_EQ(protect(g.at, page, prot_rwx), verdict());
	EXPECT_EQ(protect(g.at, page, prot_rx), verdict());
	counted(g, 2);
	// Without a page, a fetch is refused before a page is added; if it is allowed, the new page is pending.
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at + page));
	counted(g, 1);
	// Data accesses still work.
	EXPECT_EQ(g.enclave.ask(request(Op::read, g.at)).result, adds_one);
}

// The mapping is executable and not writable: the page is added, and written, through the mapping of another process.
TEST_F(Policy, ExecutableMappingOlderThanEnclave)
{
	PolicyEnclave g(with(prot_rx));
	const pid_t child = fork();
	if (child == 0) {
		try {
			g.enclave.map(g.offset, page, prot_rw);
			g.plant(g.at);
			_exit(testing::Test::HasFailure() ? 1 : 0);
		} catch (const Failed &) {
			_exit(2);
		}
	}
	int status = 0;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
	g.refusals();
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, g.at) : g.adds(1, g.at));
	counted(g, 1);
	Request r = request(Op::read, g.at);
	EXPECT_EQ(g.enclave.enter(r, 1).normal(), !frozen) << "the page is not mapped there either";
	counted(g, 1);
}

// From Linux 6.7 on, userfaultfd accepted such mappings for some releases. It then computes PTEs itself, without the driver.
TEST_F(Policy, UserfaultfdAddsNoPermission)
{
	PolicyEnclave g(with(prot_rwx));
	const int fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
	if (fd < 0)
		GTEST_SKIP() << "needs CONFIG_USERFAULTFD";
	uffdio_api api = {};
	api.api = UFFD_API;
	// UFFD_FEATURE_WP_UNPOPULATED and UFFD_FEATURE_WP_ASYNC, which older headers and kernels do not have.
	api.features = 1 << 13 | 1 << 15;
	if (ioctl(fd, UFFDIO_API, &api) != 0) {
		api = {};
		api.api = UFFD_API;
		ASSERT_EQ(ioctl(fd, UFFDIO_API, &api), 0);
	}
	g.plant(g.at);
	uffdio_register range = {};
	range.range = {g.at, page};
	range.mode = UFFDIO_REGISTER_MODE_WP;
	if (ioctl(fd, UFFDIO_REGISTER, &range) == 0) {
		for (const u64 mode : {UFFDIO_WRITEPROTECT_MODE_WP, 0ULL}) {
			uffdio_writeprotect change = {{g.at, page}, mode};
			ASSERT_EQ(ioctl(fd, UFFDIO_WRITEPROTECT, &change), 0);
			EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, g.at) : g.adds(1, g.at)) << mode;
		}
	} else {
		EXPECT_EQ(errno, EINVAL) << "the kernel does not accept the mapping";
	}
	close(fd);
}

// A page must not be added with W and X: with both, an enclave could write its own code.
TEST_F(Policy, WritableAndExecutable)
{
	if (frozen) {
		Options options = with(PROT_NONE, RWX);
		try {
			const Enclave enclave(options);
			FAIL() << "the page was added";
		} catch (const Failed &failed) {
			EXPECT_EQ(failed.error, EACCES) << failed.what();
		}
		return;
	}
	PolicyEnclave g(with(PROT_NONE, RWX));
	const u64 at = g.enclave.at(code_at);
	EXPECT_TRUE(g.adds(1, at));
	g.must_do(Op::write, at, 0, adds_two);
	EXPECT_TRUE(g.adds(2, at));
}

// Also on mainline: a page that was declared as data is never executable.
TEST_F(Policy, AddedDataStaysData)
{
	PolicyEnclave g;
	const u64 heap = g.enclave.at(g.enclave.image().heap);
	g.must_do(Op::write, heap, 0, adds_one);
	g.must_do(Op::extend, heap, REG | RWX);
	EXPECT_EQ(protect(heap, page, prot_rx), EACCES);
	EXPECT_EQ(protect(heap, page, prot_rwx), EACCES);
	counted(g, 2);
	EXPECT_TRUE(g.ends_in(SIGSEGV, heap));
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), heap, page, prot_rx), EACCES);
	counted(g, 1);
}

// A page that was declared as code is never writable.
TEST_F(Policy, AddedCodeStaysReadOnly)
{
	PolicyEnclave g(with(PROT_NONE, RX));
	const u64 at = g.enclave.at(code_at);
	EXPECT_TRUE(g.adds(1, at));
	g.must_do(Op::extend, at, REG | RWX);
	EXPECT_EQ(protect(at, page, prot_rw), EACCES);
	EXPECT_EQ(protect(at, page, prot_rwx), EACCES);
	Request write = request(Op::write, at);
	EXPECT_FALSE(g.enclave.enter(write, 1).normal());
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), at, page, prot_rw), EACCES);
	g.enclave.map(code_at, page, prot_rx);
	EXPECT_TRUE(g.adds(1, at));
}

TEST_F(Policy, ExecuteOnlyMapping)
{
	PolicyEnclave g(with(PROT_NONE, X));
	EXPECT_TRUE(g.adds(1, g.enclave.at(code_at)));
	EXPECT_EQ(protect(g.enclave.at(code_at), page, prot_rx), EACCES);
}

TEST_F(Policy, RemovedCodeReturnsAsData)
{
	PolicyEnclave g(with(PROT_NONE, RX));
	const u64 at = g.enclave.at(code_at);
	EXPECT_TRUE(g.adds(1, at));
	EXPECT_EQ(g.enclave.device().modify_types(code_at, page, type_trim), (Progress{0, page, 0}));
	g.must_do(Op::accept, at, TRIM | MODIFIED);
	EXPECT_EQ(g.enclave.device().remove_pages(code_at, page), (Progress{0, page, 0}));
	g.refusals();
	// The mapping still exists. The page in it is no code now, and is not mapped.
	EXPECT_TRUE(g.ends_in(SIGSEGV, at));
	counted(g, 1);
	g.enclave.map(code_at, page, prot_rw);
	Request accept = request(Op::accept, at, page, REG | RW | PENDING);
	ASSERT_TRUE(whole(g.enclave.ask(accept)));
	g.must_do(Op::write, at, 0, adds_two);
	g.must_do(Op::extend, at, REG | RWX);
	EXPECT_EQ(protect(at, page, prot_rx), verdict());
	counted(g, 1);
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, at) : g.adds(2, at));
}

/// Writes a word as a debugger does.
bool patch(u64 at, u64 value)
{
	return debug_word(at, value, true) == 0;
}

TEST_F(Policy, DebuggerPatchesCode)
{
	PolicyEnclave g(with(PROT_NONE, RX));
	const u64 at = g.enclave.at(code_at);
	EXPECT_TRUE(patch(g.enclave.at(g.enclave.image().heap), 1)) << "data may be written";
	counted(g, 0);
	EXPECT_EQ(patch(at, adds_two), !frozen);
	counted(g, 1);
	EXPECT_TRUE(g.adds(frozen ? 1 : 2, at));
	// No other call writes like a debugger.
	u64 value = adds_one;
	const iovec from = {&value, sizeof(value)}, to = {reinterpret_cast<void *>(at), sizeof(value)};
	EXPECT_EQ(process_vm_writev(getpid(), &from, 1, &to, 1, 0), -1);
	EXPECT_TRUE(g.adds(frozen ? 1 : 2, at));
}

TEST_F(Policy, DebuggerPatchesBeforeInit)
{
	Options options = with(PROT_NONE, RX);
	options.init = options.map = false;
	PolicyEnclave g(options);
	g.enclave.map(code_at, page, prot_rx);
	EXPECT_EQ(patch(g.enclave.at(code_at), adds_two), !frozen) << "the code would differ from its measurement";
	counted(g, 1);
}

TEST_F(Policy, ForkedChildObeysPolicy)
{
	PolicyEnclave g(with(prot_rwx));
	g.plant(g.at);
	const pid_t child = fork();
	if (child == 0) {
		bool good = false;
		try {
			good = frozen ? g.ends_in(SIGSEGV, g.at) : g.adds(1, g.at);
			good = good && protect(g.at, page, prot_rx) == verdict();
			good = good && (map_fixed(g.enclave.device().fd(), g.at, page, prot_rx) == verdict());
			good = good && (frozen || g.adds(1, g.at));
		} catch (const Failed &) {
			good = false;
		}
		_exit(good ? 0 : 1);
	}
	int status = 0;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
}

TEST_F(Policy, MremapIsRefused)
{
	ONLY_SGX2();
	PolicyEnclave g(with(PROT_NONE, RX));
	g.enclave.map(g.offset, 2 * page, prot_rw);
	g.plant(g.at);
	// Move over the code, and to another address; then use remap_file_pages(), an older way to change the pages of a mapping.
	void *const data = reinterpret_cast<void *>(g.at), *const code = reinterpret_cast<void *>(g.enclave.at(code_at));
	const Mapping elsewhere(page);
	for (void *const target : {code, static_cast<void *>(elsewhere.data())})
		EXPECT_EQ(mremap(data, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, target), MAP_FAILED);
	EXPECT_EQ(syscall(SYS_remap_file_pages, data, page, 0, 7, 0), 0) << "the call succeeds without an effect";
	EXPECT_EQ(g.enclave.ask(request(Op::read, g.at)).result, adds_one);
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at));
}

TEST_F(Policy, PersonalityAddsNoExec)
{
	PolicyEnclave g;
	g.enclave.map(g.offset, page, prot_rw);
	g.plant(g.at);
	ASSERT_NE(personality(READ_IMPLIES_EXEC), -1);
	EXPECT_EQ(protect(g.at, page, PROT_READ), EACCES);
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at + page, page, PROT_READ), EACCES);
	personality(0);
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at));
}

// A TCS may be in a mapping with all permissions: it does not allow new code to run.
TEST_F(Policy, TcsInOlderMapping)
{
	ONLY_SGX2();
	PolicyEnclave g(with(prot_rwx));
	Request accept = request(Op::accept, g.at, 16 * page, REG | RW | PENDING);
	ASSERT_TRUE(whole(g.enclave.ask(accept)));
	Request thread = request(Op::make_thread, g.at + 10 * page);
	thread.source = static_cast<u64>(-7 * static_cast<long>(page));
	thread.value = static_cast<u64>(-5 * static_cast<long>(page));
	thread.extra = static_cast<u64>(-4 * static_cast<long>(page));
	EXPECT_EQ(g.enclave.ask(thread).status, Status::done);
	const u64 at = g.at + 11 * page;
	Request tcs = request(Op::make_tcs, at, 3);
	tcs.source = g.at + 7 * page;
	tcs.value = g.at + 10 * page;
	EXPECT_EQ(g.enclave.ask(tcs).status, Status::done);
	EXPECT_EQ(g.enclave.device().modify_types(g.offset + 11 * page, page, type_tcs), (Progress{0, page, 0}));
	g.must_do(Op::accept, at, TCS | MODIFIED);
	g.enclave.threads.push_back(at);
	EXPECT_EQ(g.enclave.ask(request(Op::read, g.at), 4).status, Status::done);
	EXPECT_TRUE(g.ends_in(SIGSEGV, at));
	// It can become a page of data only by removal, and then is data.
	EXPECT_EQ(g.enclave.device().modify_types(g.offset + 11 * page, page, type_trim), (Progress{0, page, 0}));
	g.must_do(Op::accept, at, TRIM | MODIFIED);
	EXPECT_EQ(g.enclave.device().remove_pages(g.offset + 11 * page, page), (Progress{0, page, 0}));
	g.plant(at);
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, at) : g.adds(1, at));
}

// Code cannot become a TCS, so the processor does not write to it either.
TEST_F(Policy, CodeCannotBecomeTcs)
{
	const PolicyEnclave g(with(PROT_NONE, RX));
	EXPECT_EQ(g.enclave.device().modify_types(code_at, page, type_tcs), (Progress{EPERM, 0, 0}));
}

// Data pages grow and shrink in a mapping such as Gramine's.
TEST_F(Policy, DataGrowsInOlderMapping)
{
	PolicyEnclave g(with(prot_rwx));
	constexpr u64 length = 600 * page;
	for (unsigned round = 0; round < 2; round++) {
		Request r = request(Op::accept, g.at, length, REG | RW | PENDING);
		ASSERT_TRUE(whole(g.enclave.ask(r)));
		r.op = Op::fill;
		EXPECT_TRUE(whole(g.enclave.ask(r)));
		r.op = Op::check;
		EXPECT_EQ(g.enclave.ask(r).result, 0U);
		EXPECT_EQ(g.enclave.device().modify_types(g.offset, length, type_trim), (Progress{0, length, 0}));
		r.op = Op::accept;
		r.secinfo = TRIM | MODIFIED;
		EXPECT_TRUE(whole(g.enclave.ask(r)));
		EXPECT_EQ(g.enclave.device().remove_pages(g.offset, length), (Progress{0, length, 0}));
	}
	counted(g, 0);
}

std::string read_all(const std::string &path)
{
	std::ifstream file(path);
	return {std::istreambuf_iterator<char>(file), {}};
}

/// Traces refusals until the destructor runs.
class RefusalTrace {
public:
	RefusalTrace()
	{
		std::ofstream(tracing + "trace") << "";
		std::ofstream(event) << "1";
	}
	~RefusalTrace() { std::ofstream(event) << "0"; }
	RefusalTrace(const RefusalTrace &) = delete;
	RefusalTrace &operator=(const RefusalTrace &) = delete;

	static bool possible() { return access(event.c_str(), W_OK) == 0; }
	/// Returns the number of refusals at this address of the enclave since the last call.
	static unsigned of(const Enclave &enclave, u64 address)
	{
		char line[100];
		std::snprintf(line, sizeof(line), "sgx2_refused: enclave=0x%lx address=0x%lx\n",
			      static_cast<unsigned long>(enclave.at(0)), static_cast<unsigned long>(address));
		const std::string seen = read_all(tracing + "trace");
		unsigned count = 0;
		for (size_t at = 0; (at = seen.find(line, at)) != std::string::npos; at++)
			count++;
		std::ofstream(tracing + "trace") << "";
		return count;
	}

private:
	static inline const std::string tracing = "/sys/kernel/tracing/", event = tracing + "events/sgx2/sgx2_refused/enable";
};

// The tracepoint fires once for each kind of refusal, with the address, and never without a refusal.
TEST_F(Policy, RefusalsAreTraced)
{
	ONLY_SGX2();
	if (!RefusalTrace::possible())
		GTEST_SKIP() << "needs tracefs";
	PolicyEnclave g(with(prot_rwx, RX));
	g.plant(g.at);
	const RefusalTrace trace;
	const auto traced = [&](u64 address) {
		return RefusalTrace::of(g.enclave, address) == (frozen ? 1U : 0U);
	};
	EXPECT_EQ(protect(g.at, page, prot_rx), verdict());
	EXPECT_TRUE(traced(g.at)) << "mprotect()";
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at + page, page, prot_rx), verdict());
	EXPECT_TRUE(traced(g.at + page)) << "mmap()";
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at + 8 * page));
	EXPECT_TRUE(traced(g.at + 8 * page)) << "a refused fetch";
	EXPECT_EQ(patch(g.enclave.at(code_at), adds_two), !frozen);
	EXPECT_TRUE(traced(0)) << "a refused write of a debugger, without an address";
}

// The parameter holds however the module is loaded: the runner uses finit_module(), which passes nothing of the command line.
TEST_F(Policy, CommandLineParameterHolds)
{
	ONLY_SGX2();
	if (read_all("/proc/cmdline").find(" sgx2.dynamic_code=0") == std::string::npos)
		GTEST_SKIP() << "needs sgx2.dynamic_code=0 on the kernel command line";
	EXPECT_TRUE(frozen);
}

// A change to 0 at run time is permanent, so the test runs only with --gtest_also_run_disabled_tests.
TEST_F(Policy, DISABLED_FreezeIsPermanent)
{
	ONLY_SGX2();
	ASSERT_FALSE(frozen);
	const char *const parameter = "/sys/module/sgx2/parameters/dynamic_code";
	const auto set = [&](const char *value) {
		const int fd = open(parameter, O_WRONLY | O_CLOEXEC);
		const Errno error = errno_of(write(fd, value, 1));
		close(fd);
		return error;
	};
	PolicyEnclave before;
	// The file is opened and mapped before the change; CREATE follows it.
	Device early;
	const Mapping range = Mapping::reserve(16 * page);
	ASSERT_EQ(early.open(), 0);
	ASSERT_EQ(map_fixed(early.fd(), range.address(), 16 * page, prot_rwx), 0);
	EXPECT_EQ(set("x"), EINVAL);
	EXPECT_EQ(set("1"), 0);
	EXPECT_EQ(set("0"), 0);
	EXPECT_EQ(set("0"), 0);
	EXPECT_EQ(set("1"), EPERM);
	EXPECT_EQ(set("Y"), EPERM);
	EXPECT_EQ(read_all(parameter), "N\n");
	// An older enclave keeps its permissions.
	before.enclave.map(before.offset, page, prot_rwx);
	before.plant(before.at);
	EXPECT_TRUE(before.adds(1, before.at));
	// A new enclave does not get them, even if its file was opened before.
	PolicyEnclave after;
	EXPECT_EQ(map_fixed(after.enclave.device().fd(), after.at, page, prot_rx), EACCES);
	EXPECT_EQ(after.refusals(), 1);
	Secs secs = plain_secs(range.address(), 16 * page);
	ASSERT_EQ(early.create(secs), 0);
	EXPECT_EQ(protect(range.address(), 16 * page, prot_rwx), EACCES);
	EXPECT_EQ(fdinfo(early, "sgx2-code-refusals"), 1);
}

} // namespace
