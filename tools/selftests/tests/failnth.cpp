// SPDX-License-Identifier: GPL-2.0
// Each allocation of each call fails in turn: the call returns ENOMEM or succeeds, nothing crashes, and no resource is leaked.
//
// The tests need CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC, as in tests/machine/kernel/gcov.config and debug.config.

#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size, size = 1024 * page;
/// A limit above the number of allocations of each call.
constexpr unsigned too_many = 400;

class FailNthTest : public testing::Test {
protected:
	void SetUp() override
	{
		if (!nth.there())
			GTEST_SKIP() << "this kernel cannot make allocations fail (CONFIG_FAULT_INJECTION)";
		info.flags = REG | RW;
	}

	/// Repeats the call until no allocation is left to fail; `call` receives the number. Returns how often the result was ENOMEM.
	template <typename Call>
	unsigned sweep(const char *what, Call call)
	{
		unsigned refused = 0;
		for (unsigned n = 1; n < too_many; n++) {
			const Errno e = call(n);
			EXPECT_TRUE(!e || e == ENOMEM) << what << ", allocation " << n << ": " << e;
			refused += e == ENOMEM;
			if (!fired)
				return refused;
		}
		ADD_FAILURE() << what << ": the limit of allocations is too small";
		return refused;
	}
	template <typename Act>
	auto failing(unsigned n, Act act)
	{
		nth.arm(n);
		auto result = act();
		fired = nth.fired();
		return result;
	}
	Device opened() const
	{
		Device device;
		must(device.open(), "opening");
		return device;
	}
	Device created() const
	{
		Device device = opened();
		must(device.create(secs), "CREATE");
		return device;
	}

	FailNth nth;
	bool fired = false;
	Mapping range = Mapping::reserve(size);
	Mapping source = Mapping(page);
	Secs secs = plain_secs(range.address(), size);
	SecInfo info = {};
};

TEST_F(FailNthTest, Open)
{
	// errno: open ENOMEM memory
	EXPECT_GT(sweep("open",
			[&](unsigned n) {
				Device device;
				return failing(n, [&] { return device.open(); });
			}),
		  2U);
}

TEST_F(FailNthTest, Build)
{
	// errno: CREATE ENOMEM memory
	EXPECT_GT(sweep("CREATE",
			[&](unsigned n) {
				const Device device = opened();
				Errno e = failing(n, [&] { return device.create(secs); });
				// errno: CREATE ENOSPC backing
				if (e == ENOSPC)
					e = ENOMEM;
				EXPECT_EQ(device.create(secs), e ? 0 : EINVAL) << "the file can be used after the failure";
				return e;
			}),
		  2U);
	// errno: ADD_PAGES ENOMEM memory
	EXPECT_GT(sweep("ADD_PAGES",
			[&](unsigned n) {
				const Device device = created();
				sgx_enclave_add_pages pages = {source.address(), 0, page, reinterpret_cast<u64>(&info), 1, 0};
				const Errno e = failing(n, [&] { return device.add_pages(pages); });
				EXPECT_EQ(pages.count, e ? 0 : page);
				pages.count = 0;
				EXPECT_EQ(device.add_pages(pages), e ? 0 : EBUSY);
				return e;
			}),
		  1U);
	Measurement m;
	m.create(1, size);
	Sigstruct s = sigstruct_for(secs, m.digest());
	sign(s);
	// errno: INIT ENOMEM memory
	EXPECT_GT(sweep("INIT",
			[&](unsigned n) {
				const Device device = created();
				const Errno e = failing(n, [&] { return device.init(s); });
				EXPECT_EQ(device.init(s), e ? 0 : EINVAL);
				return e;
			}),
		  0U);
}

TEST_F(FailNthTest, Map)
{
	const Device device = created();
	// errno: mmap ENOMEM memory
	EXPECT_GT(sweep("mmap",
			[&](unsigned n) {
				const Errno e = failing(
					n, [&] { return map_fixed(device.fd(), range.address(), page, PROT_READ | PROT_WRITE); });
				unmap(range.address(), page);
				return e;
			}),
		  2U);
}

/// A fork that cannot extend the list of address spaces still works, and IPI broadcasts reach the threads of the child.
///
/// A process of its own runs fork(): when it returns while an allocation must still fail, the kernel may have to copy the page of its
/// restartable sequences first, and raises SIGSEGV if it cannot.
TEST_F(FailNthTest, Fork)
{
	const Enclave enclave;
	enclave.ask(request(Op::nothing, 0));
	enum : int { good = 0, fired_bit = 1, refused = 2, bad = 4 };
	const auto forks = [&](unsigned n) -> int {
		const FailNth mine;
		mine.arm(n);
		const pid_t child = fork();
		const Errno e = errno_of(child);
		if (child == 0) {
			try {
				_exit(enclave.ask(request(Op::nothing, 0)).status == Status::done ? 0 : 1);
			} catch (const Failed &) {
				_exit(1);
			}
		}
		const int was = mine.fired() ? fired_bit : 0;
		int status = 0;
		if (child > 0)
			waitpid(child, &status, 0);
		// The kernel returns EAGAIN for some allocations.
		const bool memory = e == ENOMEM || e == EAGAIN;
		return was | (status || (e && !memory) ? bad : memory ? refused : good);
	};
	sweep("fork", [&](unsigned n) {
		int status = SIGSEGV;
		for (unsigned tries = 0; tries < 20 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV; tries++) {
			const pid_t pid = fork();
			if (pid == 0)
				_exit(forks(n));
			must(errno_of(pid), "fork");
			waitpid(pid, &status, 0);
		}
		EXPECT_TRUE(WIFEXITED(status) && !(WEXITSTATUS(status) & bad)) << status;
		fired = WEXITSTATUS(status) & fired_bit;
		return Errno{WEXITSTATUS(status) & refused ? ENOMEM : 0};
	});
	const u64 offset = enclave.image().heap;
	EXPECT_EQ(enclave.device().restrict_permissions(offset, page, R), (Progress{0, page, 0}));
}

TEST_F(FailNthTest, Augment)
{
	const Enclave enclave;
	const u64 offset = enclave.image().end, chunk = 512 * page;
	// Augmenting skips existing pages, so each call uses another chunk.
	// errno: AUGMENT ENOMEM memory
	EXPECT_GT(sweep("AUGMENT",
			[&](unsigned n) {
				const u64 where = offset + n % 48 * chunk;
				enclave.map(where, 4 * page, PROT_READ | PROT_WRITE);
				const Progress p = failing(n, [&] { return enclave.device().augment_pages(where, 4 * page); });
				EXPECT_EQ(p.count, p.error ? 0 : 4 * page);
				EXPECT_EQ(enclave.device().augment_pages(where, 4 * page), (Progress{0, 4 * page, 0}));
				EXPECT_TRUE(
					whole(enclave.ask(request(Op::accept, enclave.at(where), 4 * page, REG | RW | PENDING))));
				return p.error;
			}),
		  1U);
	// The hint returns nothing, and adds the pages that it can.
	unsigned next = 0;
	sweep("MADV_WILLNEED", [&](unsigned n) {
		const u64 where = offset + (next++ % 48) * chunk + 16 * page;
		enclave.map(where, 4 * page, PROT_READ | PROT_WRITE);
		return failing(n, [&] {
			return errno_of(madvise(reinterpret_cast<void *>(enclave.at(where)), 4 * page, MADV_WILLNEED));
		});
	});
}

TEST_F(FailNthTest, Fault)
{
	const Enclave enclave;
	const u64 offset = enclave.image().end, chunk = 512 * page;
	sweep("fault", [&](unsigned n) {
		const u64 where = offset + n % 48 * chunk;
		enclave.map(where, page, PROT_READ | PROT_WRITE);
		Request accept = request(Op::accept, enclave.at(where), page, REG | RW | PENDING);
		// The kernel repeats the fault after VM_FAULT_OOM.
		EXPECT_TRUE(failing(n, [&] { return enclave.enter(accept).normal(); }));
		EXPECT_TRUE(whole(accept));
		return Errno{};
	});
}

/// Loads the module: it must be complete, or nothing of it may remain.
TEST_F(FailNthTest, Module)
{
	ONLY_SGX2();
	const int file = open("/lib/modules/sgx2.ko", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		GTEST_SKIP() << "the module is not where tests/machine/run puts it";
	const auto load = [&](unsigned n) {
		EXPECT_EQ(errno_of(syscall(SYS_delete_module, "sgx2", O_NONBLOCK)), 0);
		const Errno e = failing(n, [&] { return errno_of(syscall(SYS_finit_module, file, "", 0)); });
		EXPECT_TRUE(!e || e == ENOMEM) << "allocation " << n << ": " << e;
		if (e) {
			EXPECT_NE(access("/dev/sgx_provision", F_OK), 0);
			EXPECT_EQ(errno_of(syscall(SYS_finit_module, file, "", 0)), 0);
		}
	};
	// The kernel's own allocations are first, are many, and some of its code warns. The driver's are the last.
	std::ofstream("/proc/sys/kernel/panic_on_warn") << "0" << std::flush;
	unsigned all = 1;
	do
		load(all *= 2);
	while (fired && all < 1U << 16);
	for (unsigned step = all / 2; step; step /= 2) {
		load(all - step);
		all -= fired ? 0 : step;
	}
	std::ofstream("/proc/sys/kernel/panic_on_warn") << "1" << std::flush;
	for (unsigned n = all > 60 ? all - 60 : 1; n <= all; n++)
		load(n);
	close(file);
}

/// Pages in the backing file: loading them needs memory.
class FailNthEvicted : public FailNthTest {
protected:
	static constexpr u64 count = too_many;

	void SetUp() override
	{
		FailNthTest::SetUp();
		if (IsSkipped() || !Driver::is_sgx2())
			return;
		enclave.map(offset, count * page, PROT_READ | PROT_WRITE);
		ASSERT_EQ(enclave.device().augment_pages(offset, count * page), (Progress{0, count * page, 0}));
		ASSERT_TRUE(whole(enclave.ask(request(Op::accept, enclave.at(offset), count * page, REG | RW | PENDING))));
	}
	/// Evicts most of the pages.
	void evict() const
	{
		sgx::evict(enclave, fdinfo(enclave.device(), "sgx2-pages") - 300);
		EXPECT_GT(fdinfo(enclave.device(), "sgx2-pages"), fdinfo(enclave.device(), "sgx2-resident") + 300);
	}

	const Enclave enclave;
	const u64 offset = enclave.image().end;
};

TEST_F(FailNthEvicted, Calls)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	const auto each = [&](const char *what, auto call) {
		evict();
		return sweep(what, [&](unsigned n) {
			const u64 where = offset + n * page;
			const Progress p = failing(n, [&] { return call(where); });
			EXPECT_EQ(p.count, p.error ? 0 : page) << what << " " << n;
			return p.error;
		});
	};
	// The backing file is in memory here, so few allocations are needed; those may fail.
	each("RESTRICT", [&](u64 where) { return d.restrict_permissions(where, page, RW); });
	each("RESET", [&](u64 where) { return d.reset_permissions(where, page, reset_keep_read); });
	each("MODIFY", [&](u64 where) { return d.modify_types(where, page, type_trim); });
	ASSERT_EQ(d.modify_types(offset + 64 * page, (count - 64) * page, type_trim).error, 0);
	ASSERT_TRUE(
		whole(enclave.ask(request(Op::accept, enclave.at(offset + 64 * page), (count - 64) * page, TRIM | MODIFIED))));
	each("REMOVE", [&](u64 where) { return d.remove_pages(where + 64 * page, page); });
}

// The third access of a walk reloads pages ahead: if that fails, the page that is accessed is there, and the walk continues.
TEST_F(FailNthEvicted, Walk)
{
	ONLY_SGX2();
	evict();
	sweep("walk", [&](unsigned n) {
		const u64 where = enclave.at(offset) + n % (count / 8) * 8 * page;
		EXPECT_TRUE(whole(enclave.ask(request(Op::access, where, 2 * page))));
		Request third = request(Op::access, where + 2 * page, page);
		// The kernel repeats the fault after VM_FAULT_OOM.
		EXPECT_TRUE(failing(n, [&] { return enclave.enter(third).normal(); }));
		EXPECT_TRUE(whole(third));
		EXPECT_TRUE(whole(enclave.ask(request(Op::access, where, 8 * page))));
		return Errno{};
	});
}

TEST_F(FailNthEvicted, Eviction)
{
	ONLY_SGX2();
	Options options;
	options.size = 1;
	while (options.size < 2 * Processor::epc_bytes() || options.size < 128 << 20)
		options.size *= 2;
	const Enclave other(options);
	const u64 at = other.image().end;
	ASSERT_EQ(other.device().augment_pages(at, Processor::epc_bytes()).error, 0);
	// Each batch of pages first evicts others, in this thread or in ksgx2d.
	const u64 more = at + Processor::epc_bytes();
	sweep("AUGMENT under pressure", [&](unsigned n) {
		return failing(n, [&] { return other.device().augment_pages(more + n * 16 * page, 16 * page).error; });
	});
	Request check = request(Op::read, enclave.at(offset));
	EXPECT_EQ(enclave.ask(check).status, Status::done);
}

} // namespace
