// SPDX-License-Identifier: GPL-2.0
// Code that was not in an enclave at EINIT: each way to run it. With dynamic_code=1 they work as on mainline, with 0 none does.

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

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr int prot_rw = PROT_READ | PROT_WRITE, prot_rx = PROT_READ | PROT_EXEC, prot_rwx = prot_rw | PROT_EXEC;

/// lea 1(%rdi), %rax; ret - and the same with 2.
constexpr u64 adds_one = 0xc301478d48, adds_two = 0xc302478d48;

/// Where the tests have a page of code that the image has not.
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

/// An enclave, and the ways to try code in it.
class Ground {
public:
	explicit Ground(const Options &options = {}) : enclave(options) {}

	/// Runs what lies there with 40. What it faults at is left behind.
	RawExit run(u64 where)
	{
		Request r = request(Op::run, where);
		r.value = 40;
		const RawExit exit = enter_raw(enclave, r);
		result = r.result;
		if (!exit.normal() && exit.leaf == ERESUME) {
			Request leave = request(Op::abandon, 0);
			EXPECT_TRUE(enclave.enter(leave).normal());
			EXPECT_TRUE(enter_raw(enclave, r, 0, ERESUME).normal()) << "out the way it came";
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
	/// One operation on a page that has to be done.
	void must_do(Op op, u64 where, u64 secinfo = 0, u64 value = 0)
	{
		Request r = request(op, where, page, secinfo);
		r.value = value;
		ASSERT_EQ(enclave.ask(r).status, Status::done);
	}
	/// A new page of data with code in it, which the EPCM lets run.
	void plant(u64 where)
	{
		must_do(Op::accept, where, REG | RW | PENDING);
		must_do(Op::write, where, 0, adds_one);
		must_do(Op::extend, where, REG | RWX);
	}
	/// How many refusals the driver has counted since the last time.
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
	/// What mmap() or mprotect() has to say to code that is new.
	Errno verdict() const { return frozen ? EACCES : 0; }
	/// Each refusal is counted, where there is one.
	void counted(Ground &g, long times) const
	{
		if (Driver::is_sgx2()) {
			EXPECT_EQ(g.refusals(), frozen ? times : 0);
		}
	}

	const bool frozen = !Driver::allows_dynamic_code();
};

TEST_F(Policy, QueryTells)
{
	ONLY_SGX2();
	const Ground g;
	Query query = {};
	query.size = sizeof(query);
	ASSERT_EQ(g.enclave.device().call(ioc_query, &query), 0);
	EXPECT_EQ(query.features & query_dynamic_code, frozen ? 0 : query_dynamic_code);
}

TEST_F(Policy, GrownPageIsMappedExecutable)
{
	Ground g;
	g.enclave.map(g.offset, page, prot_rw);
	g.plant(g.at);
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at, page, prot_rx), verdict());
	counted(g, 1);
	if (!frozen) {
		EXPECT_TRUE(g.adds(1, g.at));
		return;
	}
	// What was mapped there before is gone, and the page is not.
	g.enclave.map(g.offset, page, prot_rw);
	EXPECT_EQ(g.enclave.ask(request(Op::read, g.at)).result, adds_one);
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at));
}

TEST_F(Policy, GrownPageIsMadeExecutable)
{
	Ground g;
	g.enclave.map(g.offset, page, prot_rw);
	g.plant(g.at);
	EXPECT_EQ(protect(g.at, page, prot_rwx), verdict());
	EXPECT_EQ(protect(g.at, page, PROT_EXEC), verdict());
	EXPECT_EQ(protect(g.at, page, prot_rx), verdict());
	counted(g, 3);
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, g.at) : g.adds(1, g.at));
}

TEST_F(Policy, NothingIsMappedExecutable)
{
	Ground g;
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at, 4 * page, prot_rx), verdict());
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at, 1024 * page, prot_rwx), verdict()) << "over chunks that are not there";
	counted(g, 2);
}

// No page, no memory: what is refused leaves nothing of the driver's own.
TEST_F(Policy, RefusedTouchLeavesNothing)
{
	ONLY_SGX2();
	Ground g(with(prot_rwx));
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

// Gramine's: all of it, before there is an enclave.
TEST_F(Policy, OlderMappingOfEverything)
{
	Ground g(with(prot_rwx));
	g.plant(g.at);
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, g.at) : g.adds(1, g.at));
	g.refusals();
	EXPECT_EQ(protect(g.at, page, prot_rwx), verdict());
	EXPECT_EQ(protect(g.at, page, prot_rx), verdict());
	counted(g, 2);
	// Where there is nothing a fetch is refused before anything is added; else the new page waits for EACCEPT.
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at + page));
	counted(g, 1);
	// Data lives on.
	EXPECT_EQ(g.enclave.ask(request(Op::read, g.at)).result, adds_one);
}

// One that may be executed and not written: the page comes, and is written, through another process's mapping.
TEST_F(Policy, OlderExecutableMapping)
{
	Ground g(with(prot_rx));
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
	EXPECT_EQ(g.enclave.enter(r, 1).normal(), !frozen) << "nor is it shown there";
	counted(g, 1);
}

// Where it works on such mappings, as it did from Linux 6.7 on for a while, it computes PTEs anew and asks no driver.
TEST_F(Policy, UserfaultfdWidensNothing)
{
	Ground g(with(prot_rwx));
	const int fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
	if (fd < 0)
		GTEST_SKIP() << "this kernel has no userfaultfd";
	uffdio_api api = {};
	api.api = UFFD_API;
	// UFFD_FEATURE_WP_UNPOPULATED and UFFD_FEATURE_WP_ASYNC, which some headers are too old for, and some kernels.
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
		EXPECT_EQ(errno, EINVAL) << "the kernel keeps it away";
	}
	close(fd);
}

// Both at once cannot be declared; with it, an enclave may write its own code.
TEST_F(Policy, WritableAndExecutable)
{
	if (frozen) {
		Options options = with(PROT_NONE, RWX);
		try {
			const Enclave enclave(options);
			FAIL() << "it was added";
		} catch (const Failed &failed) {
			EXPECT_EQ(failed.error, EACCES) << failed.what();
		}
		return;
	}
	Ground g(with(PROT_NONE, RWX));
	const u64 at = g.enclave.at(code_at);
	EXPECT_TRUE(g.adds(1, at));
	g.must_do(Op::write, at, 0, adds_two);
	EXPECT_TRUE(g.adds(2, at));
}

// On mainline as well: what was declared to be data stays data.
TEST_F(Policy, AddedDataStaysData)
{
	Ground g;
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

// And what was declared to be code is not written.
TEST_F(Policy, AddedCodeIsNotWritten)
{
	Ground g(with(PROT_NONE, RX));
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

TEST_F(Policy, ExecutableAlone)
{
	Ground g(with(PROT_NONE, X));
	EXPECT_TRUE(g.adds(1, g.enclave.at(code_at)));
	EXPECT_EQ(protect(g.enclave.at(code_at), page, prot_rx), EACCES);
}

TEST_F(Policy, RemovedCodeGrowsAgainAsData)
{
	Ground g(with(PROT_NONE, RX));
	const u64 at = g.enclave.at(code_at);
	EXPECT_TRUE(g.adds(1, at));
	EXPECT_EQ(g.enclave.device().modify_types(code_at, page, type_trim), (Progress{0, page, 0}));
	g.must_do(Op::accept, at, TRIM | MODIFIED);
	EXPECT_EQ(g.enclave.device().remove_pages(code_at, page), (Progress{0, page, 0}));
	g.refusals();
	// Its mapping is still there. What is in it now is not code any more, and is not shown.
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

/// One word through /proc/self/mem.
bool patch(u64 at, u64 value)
{
	const int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	const ssize_t got = pwrite(fd, &value, sizeof(value), static_cast<off_t>(at));
	close(fd);
	return got == sizeof(value);
}

TEST_F(Policy, DebuggerPatchesCode)
{
	Ground g(with(PROT_NONE, RX));
	const u64 at = g.enclave.at(code_at);
	EXPECT_TRUE(patch(g.enclave.at(g.enclave.image().heap), 1)) << "data may be";
	counted(g, 0);
	EXPECT_EQ(patch(at, adds_two), !frozen);
	counted(g, 1);
	EXPECT_TRUE(g.adds(frozen ? 1 : 2, at));
	// No other way leads to a debugger's write.
	u64 value = adds_one;
	const iovec from = {&value, sizeof(value)}, to = {reinterpret_cast<void *>(at), sizeof(value)};
	EXPECT_EQ(process_vm_writev(getpid(), &from, 1, &to, 1, 0), -1);
	EXPECT_TRUE(g.adds(frozen ? 1 : 2, at));
}

TEST_F(Policy, DebuggerPatchesBeforeInit)
{
	Options options = with(PROT_NONE, RX);
	options.init = options.map = false;
	Ground g(options);
	g.enclave.map(code_at, page, prot_rx);
	EXPECT_EQ(patch(g.enclave.at(code_at), adds_two), !frozen) << "it would not be what was measured";
	counted(g, 1);
}

TEST_F(Policy, ChildTriesInItsParentsPlace)
{
	Ground g(with(prot_rwx));
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

TEST_F(Policy, NoMappingMoves)
{
	ONLY_SGX2();
	Ground g(with(PROT_NONE, RX));
	g.enclave.map(g.offset, 2 * page, prot_rw);
	g.plant(g.at);
	// Over the code, and elsewhere; and the kernel's old way to change what a mapping shows.
	void *const data = reinterpret_cast<void *>(g.at), *const code = reinterpret_cast<void *>(g.enclave.at(code_at));
	const Mapping elsewhere(page);
	for (void *const target : {code, static_cast<void *>(elsewhere.data())})
		EXPECT_EQ(mremap(data, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, target), MAP_FAILED);
	EXPECT_EQ(syscall(SYS_remap_file_pages, data, page, 0, 7, 0), 0) << "which here changes nothing";
	EXPECT_EQ(g.enclave.ask(request(Op::read, g.at)).result, adds_one);
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at));
}

TEST_F(Policy, NoPersonalityAddsExecution)
{
	Ground g;
	g.enclave.map(g.offset, page, prot_rw);
	g.plant(g.at);
	ASSERT_NE(personality(READ_IMPLIES_EXEC), -1);
	EXPECT_EQ(protect(g.at, page, PROT_READ), EACCES);
	EXPECT_EQ(map_fixed(g.enclave.device().fd(), g.at + page, page, PROT_READ), EACCES);
	personality(0);
	EXPECT_TRUE(g.ends_in(SIGSEGV, g.at));
}

// A TCS may lie in a mapping of everything, and is not a way to code.
TEST_F(Policy, ThreadsInAnOlderMapping)
{
	ONLY_SGX2();
	Ground g(with(prot_rwx));
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
	// Back to a page of data it gets only through nothing, and then it is data.
	EXPECT_EQ(g.enclave.device().modify_types(g.offset + 11 * page, page, type_trim), (Progress{0, page, 0}));
	g.must_do(Op::accept, at, TRIM | MODIFIED);
	EXPECT_EQ(g.enclave.device().remove_pages(g.offset + 11 * page, page), (Progress{0, page, 0}));
	g.plant(at);
	EXPECT_TRUE(frozen ? g.ends_in(SIGSEGV, at) : g.adds(1, at));
}

// Code cannot become a thread, so it cannot be written by the processor either.
TEST_F(Policy, CodeBecomesNoThread)
{
	const Ground g(with(PROT_NONE, RX));
	EXPECT_EQ(g.enclave.device().modify_types(code_at, page, type_tcs), (Progress{EPERM, 0, 0}));
}

// What an enclave lives on goes on in the mapping that Gramine makes.
TEST_F(Policy, DataGrowsAndShrinksInAnOlderMapping)
{
	Ground g(with(prot_rwx));
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

/// What the driver traces of refusals while this lives.
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
	/// How many there were of the enclave at this address, since the last time.
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

// Each kind of refusal: where, and once each; nothing where nothing is refused.
TEST_F(Policy, RefusalsAreTraced)
{
	ONLY_SGX2();
	if (!RefusalTrace::possible())
		GTEST_SKIP() << "this kernel has no tracefs";
	Ground g(with(prot_rwx, RX));
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
	EXPECT_TRUE(traced(g.at + 8 * page)) << "a fetch";
	EXPECT_EQ(patch(g.enclave.at(code_at), adds_two), !frozen);
	EXPECT_TRUE(traced(0)) << "a debugger's write, which says no address";
}

// Whatever loads the module: the runner does it as insmod does, which hands on nothing of the kernel's command line.
TEST_F(Policy, WordOfTheCommandLineHolds)
{
	ONLY_SGX2();
	if (read_all("/proc/cmdline").find(" sgx2.dynamic_code=0") == std::string::npos)
		GTEST_SKIP() << "the kernel's command line does not say sgx2.dynamic_code=0";
	EXPECT_TRUE(frozen);
}

// At run time, and for good: so it runs only when it is asked for by --gtest_also_run_disabled_tests.
TEST_F(Policy, DISABLED_SwitchIsForGood)
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
	Ground before;
	// An open file, and its mapping, from when it was allowed; CREATE comes after.
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
	// Who was there keeps what it was given.
	before.enclave.map(before.offset, page, prot_rwx);
	before.plant(before.at);
	EXPECT_TRUE(before.adds(1, before.at));
	// Who comes now does not get it, however early it was opened.
	Ground after;
	EXPECT_EQ(map_fixed(after.enclave.device().fd(), after.at, page, prot_rx), EACCES);
	EXPECT_EQ(after.refusals(), 1);
	Secs secs = plain_secs(range.address(), 16 * page);
	ASSERT_EQ(early.create(secs), 0);
	EXPECT_EQ(protect(range.address(), 16 * page, prot_rwx), EACCES);
	EXPECT_EQ(fdinfo(early, "sgx2-code-refusals"), 1);
}

} // namespace
