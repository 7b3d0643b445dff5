// SPDX-License-Identifier: GPL-2.0
// SIGKILL at any time: calls on ranges end soon with an exact count, and all resources of the process are freed.

#include <bit>
#include <chrono>
#include <csignal>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "leak_check.h"
#include "stress.h"

using namespace sgx;

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr u64 page = page_size;

/// Memory that a process shares with the one that kills it.
struct Shared {
	std::atomic<u64> ready;
	/// Structs of calls: the kernel writes its results to them, also after the process was killed.
	sgx_enclave_restrict_permissions restrict;
	sgx_enclave_modify_types modify;
	sgx_enclave_remove_pages remove;
	Reset reset;
	Augment augment;
};

class Kill : public testing::Test {
protected:
	Kill()
		: memory_(Mapping::adopt(mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
					 page_size)),
		  shared(*reinterpret_cast<Shared *>(memory_.data()))
	{
	}

	/// Starts a child that runs the function; an exception ends it.
	pid_t start(const std::function<void()> &body)
	{
		shared.ready = 0;
		const pid_t pid = fork();
		if (pid)
			return pid;
		try {
			body();
		} catch (const Failed &f) {
			std::fprintf(stderr, "# %s\n", f.what());
		}
		_exit(1);
	}
	void await_ready(pid_t pid) const
	{
		while (!shared.ready) {
			ASSERT_EQ(waitpid(pid, nullptr, WNOHANG), 0) << "the child ended too early";
			usleep(1000);
		}
	}
	static void end(pid_t pid)
	{
		int status = 0;
		kill(pid, SIGKILL);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
	}

private:
	Mapping memory_;

protected:
	Shared &shared;
};

/// Work that the process repeats with an enclave.
struct Operation {
	const char *name;
	void (*run)(const Enclave &);
	bool only_sgx2;
	/// Milliseconds until the work has begun.
	unsigned before = 0;
	friend std::ostream &operator<<(std::ostream &out, const Operation &operation) { return out << operation.name; }
};

Request at_end(const Enclave &enclave, Op op, u64 bytes, u64 secinfo, unsigned thread = 0)
{
	return enclave.ask(request(op, enclave.at(enclave.image().end), bytes, secinfo), thread);
}

constexpr u64 some = 256 * page;

void grow(const Enclave &enclave)
{
	enclave.map(enclave.image().end, some, PROT_READ | PROT_WRITE);
	at_end(enclave, Op::accept, some, REG | RW | PENDING);
}

void shrink(const Enclave &enclave)
{
	retry_until_done(enclave.image().end, some, [&](u64 o, u64 l) { return enclave.device().modify_types(o, l, type_trim); });
	at_end(enclave, Op::accept, some, TRIM | MODIFIED);
	retry_until_done(enclave.image().end, some, [&](u64 o, u64 l) { return enclave.device().remove_pages(o, l); });
}

const Operation operations[] = {
	{"CreateAddInit", [](const Enclave &) { const Enclave another; }, false},
	{"GrowAndShrink",
	 [](const Enclave &e) {
		 grow(e);
		 shrink(e);
	 },
	 false},
	{"Restrict",
	 [](const Enclave &e) {
		 grow(e);
		 for (;;)
			 e.device().restrict_permissions(e.image().end, some, R);
	 },
	 false},
	{"Reset",
	 [](const Enclave &e) {
		 grow(e);
		 for (;;)
			 e.device().reset_permissions(e.image().end, some);
	 },
	 true},
	{"ResetBesideAThread",
	 [](const Enclave &e) {
		 grow(e);
		 const Inside inside(e, 1);
		 for (;;)
			 e.device().reset_permissions(e.image().end, some);
	 },
	 true},
	{"Mprotect",
	 [](const Enclave &e) {
		 grow(e);
		 configure(e, configure_mprotect, mprotect_reset);
		 for (;;) {
			 protect(e.at(e.image().end), some, PROT_READ);
			 protect(e.at(e.image().end), some, PROT_READ | PROT_WRITE);
		 }
	 },
	 true},
	{"Augment",
	 [](const Enclave &e) {
		 for (u64 o = e.image().end; o + some <= e.image().size; o += some)
			 e.device().augment_pages(o, some);
	 },
	 true},
	{"WillNeed",
	 [](const Enclave &e) {
		 const u64 length = e.image().size - e.image().end;
		 e.map(e.image().end, length, PROT_READ | PROT_WRITE);
		 madvise(reinterpret_cast<void *>(e.at(e.image().end)), length, MADV_WILLNEED);
	 },
	 true},
	// The enclaves are three times as large as the EPC, so faults evict and load; with a thread inside, CPUs are interrupted.
	{"Paging",
	 [](const Enclave &) {
		 const EpcPressure one, two, three;
		 pause();
	 },
	 true, 200},
	// Faults on pages that are not added wait for a call on the same chunk.
	{"FaultsBesideCalls",
	 [](const Enclave &e) {
		 grow(e);
		 configure(e, configure_augment, augment_never);
		 const u64 nothing = e.image().end + some;
		 e.map(nothing, page, PROT_READ);
		 std::vector<std::thread> threads;
		 for (unsigned i = 0; i < 3; i++) {
			 threads.emplace_back([&] {
				 while (peek(e.at(nothing)) == EFAULT)
					 ;
			 });
		 }
		 for (;;)
			 e.device().reset_permissions(e.image().end, some);
	 },
	 true},
	{"ForkAndMunmap",
	 [](const Enclave &e) {
		 grow(e);
		 const pid_t pid = fork();
		 if (pid == 0) {
			 // The parent may be inside by the other thread.
			 at_end(e, Op::fill, some, 0, 1);
			 _exit(0);
		 }
		 at_end(e, Op::fill, some, 0);
		 munmap(reinterpret_cast<void *>(e.at(e.image().end)), some / 2);
		 waitpid(pid, nullptr, 0);
		 grow(e);
		 shrink(e);
	 },
	 false},
};

class KillDuringWork : public Kill, public testing::WithParamInterface<Operation> {};

TEST_P(KillDuringWork, LeaksNothing)
{
	if (GetParam().only_sgx2)
		ONLY_SGX2();
	// The children inherit the signatures.
	{
		const Enclave first;
	}
	std::minstd_rand random(std::random_device{}());
	for (unsigned round = 0; round < rounds(8); round++) {
		const pid_t pid = start([this] {
			setpgid(0, 0);
			const Enclave enclave;
			shared.ready = 1;
			for (;;)
				GetParam().run(enclave);
		});
		await_ready(pid);
		usleep(GetParam().before * 1000 + random() % 30000);
		// Kill a grandchild too, if one exists.
		kill(-pid, SIGKILL);
		end(pid);
	}
	const LeakCheck leaks = LeakCheck::settled();
	EXPECT_TRUE(leaks.clean()) << leaks.text();
}

INSTANTIATE_TEST_SUITE_P(Operations, KillDuringWork, testing::ValuesIn(operations),
			 [](const testing::TestParamInfo<Operation> &test) { return test.param.name; });

/// Shares an enclave with the process that is killed, so that the result can be checked.
class KillLongCall : public Kill {
protected:
	void SetUp() override
	{
		if (!Driver::is_sgx2())
			GTEST_SKIP() << "calls of the in-tree driver cannot be interrupted";
		enclave = std::make_unique<Enclave>(options());
		offset = enclave->image().end;
		at = enclave->at(offset);
		enclave->map(offset, length, PROT_READ | PROT_WRITE | PROT_EXEC);
		enclave->ask(request(Op::nothing, 0));
	}

	/// Returns the length of the range: three quarters of the EPC, at most 2^20 pages.
	static u64 room() { return std::min<u64>(Processor::epc_bytes() * 3 / 4 & ~(page - 1), page << 20); }
	static Options options()
	{
		Options o;
		o.size = std::max<u64>(1 << 27, std::bit_ceil(2 * room()));
		return o;
	}

	/// Runs a call in a child, and kills the child after a while. The call has ended when `over` returns true or the child has ended; that
	/// must not take long.
	template <typename Call, typename Over>
	void killed(Clock::duration after, Call call, Over over)
	{
		// On a single processor the killer must run before the child.
		const RealTime first;
		const pid_t pid = start([&] {
			shared.ready = 1;
			call();
			for (;;)
				pause();
		});
		while (!shared.ready)
			std::this_thread::sleep_for(100us);
		std::this_thread::sleep_for(after);
		const auto begin = Clock::now();
		kill(pid, SIGKILL);
		siginfo_t info = {};
		do {
			std::this_thread::sleep_for(100us);
			waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
		} while (!over() && !info.si_pid);
		const auto took = Clock::now() - begin;
		waitpid(pid, nullptr, 0);
		// Elsewhere the time depends on other processes; the runner's time limit finds a call that does not end.
		if (guest_time()) {
			EXPECT_LE(took, Clock::duration(100ms));
		}
		slowest = std::max(slowest, took);
	}

	/// Repeats a call that can be done once for each page until the range is done, and kills it each time. Its struct is in shared memory;
	/// `fill` prepares it for a range, and `verify(from, count)` returns whether the count is exact.
	template <typename Call, typename Fill, typename Verify>
	void to_the_end(Clock::duration after, unsigned long number, Call &call, Fill fill, Verify verify)
	{
		unsigned kills = 0, between = 0;
		Clock::duration wait = after;
		const auto done = [&call]() -> u64 {
			return *static_cast<volatile decltype(call.count) *>(&call.count);
		};
		for (u64 from = 0; from < length && !HasFailure(); kills++) {
			call = {};
			fill(from, length - from);
			killed(
				wait, [&] { enclave->device().call(number, &call); }, [&] { return done() != 0; });
			const u64 count = done();
			// Wait longer if the call did not even begin.
			wait = count ? after : wait + wait / 2 + 1us;
			ASSERT_EQ(count % page, 0U);
			ASSERT_LE(count, length - from);
			between += count && count < length - from;
			verify(from, count);
			from += count;
			ASSERT_LT(kills, 10000U);
		}
		if (guest_time()) {
			EXPECT_GT(between, 0U) << "no kill of " << kills << " arrived during the call";
		}
		say(kills);
	}
	void say(unsigned kills) const
	{
		std::printf("# %lu pages, %u kills, the slowest end %ld us after its kill\n",
			    static_cast<unsigned long>(length / page), kills,
			    static_cast<long>(std::chrono::duration_cast<std::chrono::microseconds>(slowest).count()));
	}
	long pages() const { return fdinfo(enclave->device(), "sgx2-pages"); }
	/// Returns how many bytes the enclave can accept from an offset on.
	u64 accepted(u64 from, u64 secinfo) const
	{
		return enclave->ask(request(Op::accept, at + from, length - from, secinfo)).done;
	}
	/// Returns a part of the duration of a call on the whole range: some 100 instructions per page.
	Clock::duration a_while() const { return (length / page) * 20ns; }

	const u64 length = room();
	std::unique_ptr<Enclave> enclave;
	u64 offset = 0, at = 0;
	Clock::duration slowest = {};
};

TEST_F(KillLongCall, GrowTrimRemove)
{
	long before = pages();
	const auto pages_differ_by = [&](long direction) {
		return [this, direction, &before](u64, u64 count) {
			EXPECT_EQ(pages(), before + direction * static_cast<long>(count / page));
			before = pages();
		};
	};
	const auto fill = [this](auto &call, u64 from, u64 rest) {
		call.offset = offset + from;
		call.length = rest;
	};
	to_the_end(
		a_while(), ioc_augment, shared.augment,
		[&](u64 from, u64 rest) {
			shared.augment.size = sizeof(Augment);
			fill(shared.augment, from, rest);
		},
		pages_differ_by(1));
	ASSERT_EQ(accepted(0, REG | RW | PENDING), length);
	to_the_end(
		a_while(), SGX_IOC_ENCLAVE_MODIFY_TYPES, shared.modify,
		[&](u64 from, u64 rest) {
			shared.modify.page_type = type_trim;
			fill(shared.modify, from, rest);
		},
		[&](u64 from, u64 count) { EXPECT_EQ(accepted(from, TRIM | MODIFIED), count); });
	to_the_end(
		a_while(), SGX_IOC_ENCLAVE_REMOVE_PAGES, shared.remove,
		[&](u64 from, u64 rest) { fill(shared.remove, from, rest); }, pages_differ_by(-1));
}

TEST_F(KillLongCall, ResetRestrictMprotect)
{
	const Device &d = enclave->device();
	ASSERT_EQ(d.augment_pages(offset, length), (Progress{0, length, 0}));
	ASSERT_EQ(accepted(0, REG | RW | PENDING), length);
	const auto after = a_while();
	unsigned between = 0;
	configure(*enclave, configure_mprotect, mprotect_reset);
	for (unsigned round = 0; round < 3 * rounds(3); round++) {
		u64 count = 0;
		switch (round % 3) {
		case 0:
			shared.reset = {
				.size = sizeof(Reset), .flags = 0, .offset = offset, .length = length, .result = 0, .count = 0};
			killed(
				after, [&] { d.call(ioc_reset, &shared.reset); }, [&] { return shared.reset.count != 0; });
			count = shared.reset.count;
			break;
		case 1:
			shared.restrict = {.offset = offset, .length = length, .permissions = 0, .result = 0, .count = 0};
			killed(
				after, [&] { d.call(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, &shared.restrict); },
				[&] { return shared.restrict.count != 0; });
			count = shared.restrict.count;
			break;
		default:
			const long before = fdinfo(d, "sgx2-mprotect-pages");
			const auto done = [&] {
				return static_cast<u64>(fdinfo(d, "sgx2-mprotect-pages") - before) * page;
			};
			killed(
				after, [&] { protect(at, length, PROT_READ); }, [&] { return done() != 0; });
			count = done();
			break;
		}
		// The next page still has its permissions, so the enclave cannot accept it.
		EXPECT_EQ(accepted(0, REG | PR), count);
		ASSERT_TRUE(whole(enclave->ask(request(Op::extend, at, length, REG | RW))));
		between += count && count < length;
	}
	if (guest_time()) {
		EXPECT_GT(between, 0U);
	}
	say(3 * rounds(3));
}

} // namespace
