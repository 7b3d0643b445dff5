// SPDX-License-Identifier: GPL-2.0
// Races. Each test fails on a driver without the guard against its race: first accesses, accesses against each change of a page,
// changes against eviction and against each other, fork() and munmap() during all of them.

#include <csignal>
#include <memory>
#include <mutex>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// Threads of the program that each run a function. The destructor stops them and waits for them.
class Threads {
public:
	Threads() = default;
	~Threads()
	{
		stop = true;
		join();
	}
	Threads(const Threads &) = delete;
	Threads &operator=(const Threads &) = delete;

	/// `body` may throw Failed, which fails the test; then `given_up` releases the threads that wait for this one.
	template <typename Body, typename GivenUp = void (*)()>
	void add(
		Body body, GivenUp given_up = [] {})
	{
		threads_.emplace_back([body, given_up] {
			try {
				body();
			} catch (const Failed &f) {
				ADD_FAILURE() << f.what();
				given_up();
			}
		});
	}
	void join()
	{
		for (std::thread &thread : threads_)
			thread.join();
		threads_.clear();
	}

	std::atomic<bool> stop = false;

private:
	std::vector<std::thread> threads_;
};

/// Releases threads at the same moment, as exactly as possible: they spin.
class Gate {
public:
	explicit Gate(unsigned threads) : threads_(threads) {}
	void pass()
	{
		const unsigned turn = turn_;
		if (++here_ == threads_) {
			here_ = 0;
			turn_++;
		}
		for (unsigned spins = 0; turn_ == turn && !open_; spins++) {
			if (spins > 5000)
				std::this_thread::yield();
		}
	}
	/// Opens the gate permanently, when a thread does not arrive any more.
	void open() { open_ = true; }

private:
	const unsigned threads_;
	std::atomic<unsigned> here_ = 0, turn_ = 0;
	std::atomic<bool> open_ = false;
};

/// Each element is true while a thread uses the page with its index.
using Owners = std::vector<std::atomic<bool>>;

/// Makes the reclaimer evict pages that are in use as readily as others: it looks for accessed PTEs in eight address spaces, beginning
/// with the latest, and these eight access no page.
class DecoyMms {
public:
	DecoyMms()
	{
		for (pid_t &pid : copies_) {
			pid = fork();
			if (pid == 0) {
				for (;;)
					pause();
			}
		}
	}
	~DecoyMms()
	{
		for (const pid_t pid : copies_) {
			kill(pid, SIGKILL);
			waitpid(pid, nullptr, 0);
		}
	}
	DecoyMms(const DecoyMms &) = delete;
	DecoyMms &operator=(const DecoyMms &) = delete;

private:
	pid_t copies_[8] = {};
};

/// Takes the place of a lock where none is needed.
struct Unlocked {
	void lock() {}
	void unlock() {}
};

/// An enclave of sixteen threads, and a range of it that is mapped with all permissions.
class Race : public testing::Test {
protected:
	static constexpr unsigned crowd = 16;

	static Options options()
	{
		Options o;
		o.crowd = true;
		return o;
	}
	void SetUp() override
	{
		if (!Driver::is_sgx2())
			GTEST_SKIP() << "the in-tree driver does not have these guards";
		enclave.map(offset, length, PROT_READ | PROT_WRITE | PROT_EXEC);
		configure(enclave, configure_fault_around, 0);
		before = fdinfo(enclave.device(), "sgx2-pages");
	}

	Request ask(Op op, u64 where, u64 bytes, unsigned thread, u64 secinfo = 0, u64 value = 0) const
	{
		Request r = request(op, where, bytes, secinfo);
		r.value = value;
		return enclave.ask(r, thread);
	}

	/// Accepts a page, which the access of a thread may have added just before. The page is new, so it is zero.
	void grow(u64 where, unsigned thread) const
	{
		const Request r = ask(Op::accept, where, page, thread, REG | RW | PENDING);
		EXPECT_TRUE(r.result == 0 || r.result == PAGE_ATTRIBUTES_MISMATCH) << r.result;
		EXPECT_EQ(ask(Op::read, where + page / 2, 0, thread).result, 0U) << "a new page is zero";
	}
	void use(u64 where, unsigned thread, u64 seed) const
	{
		ask(Op::fill, where, page, thread, 0, seed);
		EXPECT_EQ(ask(Op::check, where, page, thread, 0, seed).result, 0U);
	}
	/// Trims and removes a page, whether a thread is inside or not.
	void trim(u64 where, unsigned thread) const
	{
		EXPECT_EQ(enclave.device().modify_types(where - base, page, type_trim), (Progress{0, page, 0}));
		EXPECT_TRUE(whole(ask(Op::accept, where, page, thread, TRIM | MODIFIED)));
		EXPECT_EQ(enclave.device().remove_pages(where - base, page), (Progress{0, page, 0}));
	}
	/// Accesses a page by any thread at any time: the processor may refuse it, but a mapping must exist.
	void access_if_allowed(u64 where, unsigned thread, unsigned how) const
	{
		Request r = how % 2 ? request(Op::read, where) : request(Op::accept, where, page, REG | RW | PENDING);
		EXPECT_NE(try_access(enclave, r, thread), Access::bus);
	}
	/// Removes the pages that accesses have added, and checks that exactly these pages exist.
	void clear(u64 first, u64 count) const
	{
		for (u64 where = first; where < first + count * page; where += page) {
			grow_or_keep(where);
			trim(where, 0);
		}
		EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before);
	}

	/// Changes a range by each call of SGX2 once. `held` is locked while the enclave works on the range, since it must be mapped then;
	/// mprotect() requires the mapping all the time.
	template <typename Lock>
	void live(u64 where, u64 bytes, unsigned thread, u64 seed, bool with_mprotect, Lock &held) const
	{
		const Device &d = enclave.device();
		const Progress done = {0, bytes, 0};
		const auto inside = [&](Op op, u64 secinfo = 0) {
			const std::lock_guard guard(held);
			const Request r = ask(op, base + where, bytes, thread, secinfo, seed);
			EXPECT_TRUE(whole(r));
			return r.result;
		};
		EXPECT_EQ(d.augment_pages(where, bytes), done);
		inside(Op::accept, REG | RW | PENDING);
		inside(Op::fill);
		EXPECT_EQ(d.reset_permissions(where, bytes), done);
		inside(Op::accept, REG | PR);
		inside(Op::extend, REG | RW);
		EXPECT_EQ(d.restrict_permissions(where, bytes, R), done);
		// The pages exist; the call maps them again where they are not mapped.
		EXPECT_EQ(d.augment_pages(where, bytes), done);
		inside(Op::accept, REG | R | PR);
		if (with_mprotect) {
			EXPECT_EQ(protect(base + where, bytes, PROT_READ), 0);
			inside(Op::accept, REG | PR);
			EXPECT_EQ(protect(base + where, bytes, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
			inside(Op::accept, REG | PR);
		}
		inside(Op::extend, REG | RW);
		EXPECT_EQ(inside(Op::check), 0U);
		EXPECT_EQ(d.modify_types(where, bytes, type_trim), done);
		inside(Op::accept, TRIM | MODIFIED);
		EXPECT_EQ(d.remove_pages(where, bytes), done);
	}

	Enclave enclave = Enclave(options());
	const u64 offset = enclave.image().end, length = 512 * page;
	const u64 base = enclave.at(0), at = enclave.at(offset);
	long before = 0;

private:
	void grow_or_keep(u64 where) const
	{
		const Request r = ask(Op::accept, where, page, 0, REG | RW | PENDING);
		EXPECT_TRUE(r.result == 0 || r.result == PAGE_ATTRIBUTES_MISMATCH) << r.result;
	}
};

// One of the threads adds and accepts the page; no thread gets an error that the page does not exist.
TEST_F(Race, FirstAccess)
{
	constexpr unsigned some = 4;
	const unsigned count = std::min<unsigned>(rounds(200), 512);
	Gate start(some);
	std::atomic<unsigned> accepted = 0;
	Threads threads;
	const auto drop = [&start] {
		start.open();
	};
	for (unsigned thread = 0; thread < some; thread++) {
		threads.add(
			[&, thread] {
				for (unsigned round = 0; round < count; round++) {
					Request r = request(Op::accept, at + round * page, page, REG | RW | PENDING);
					start.pass();
					EXPECT_NE(try_access(enclave, r, thread), Access::bus);
					accepted += r.status == Status::done;
				}
			},
			drop);
	}
	threads.join();
	EXPECT_EQ(accepted, count);
	clear(at, count);
}

// The first page of many chunks, which faults and calls allocate at the same time.
TEST(RaceOnChunks, FirstAccess)
{
	const Enclave enclave;
	constexpr u64 chunk = 512 * page;
	constexpr unsigned some = 4;
	const u64 offset = enclave.image().end;
	const unsigned count = static_cast<unsigned>((enclave.image().size - offset) / chunk);
	for (unsigned thread = 0; thread < some; thread++)
		enclave.ask(request(Op::nothing, 0), thread);
	enclave.map(offset, count * chunk, PROT_READ | PROT_WRITE);
	const long before = fdinfo(enclave.device(), "sgx2-pages");
	Gate start(some);
	std::atomic<unsigned> accepted = 0;
	Threads threads;
	for (unsigned thread = 0; thread < some; thread++) {
		threads.add(
			[&, thread] {
				for (unsigned i = 0; i < count; i++) {
					Request r = request(Op::accept, enclave.at(offset + i * chunk), page, REG | RW | PENDING);
					start.pass();
					if (thread == 0 && Driver::is_sgx2()) {
						EXPECT_EQ(enclave.device().augment_pages(offset + i * chunk, page),
							  (Progress{0, page, 0}));
					}
					EXPECT_NE(try_access(enclave, r, thread), Access::bus);
					accepted += r.status == Status::done;
				}
			},
			[&start] { start.open(); });
	}
	threads.join();
	EXPECT_EQ(accepted, count);
	EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before + static_cast<long>(count));
}

// A fault that arrives while a page is removed must not map the old page again.
TEST_F(Race, AccessAgainstRemove)
{
	Threads threads;
	for (unsigned thread = 1; thread < 4; thread++) {
		threads.add([&, thread] {
			for (unsigned i = 0; !threads.stop; i++)
				access_if_allowed(at, thread, i + thread);
		});
	}
	for (unsigned round = 0; round < rounds(300); round++) {
		grow(at, 0);
		use(at, 0, round);
		trim(at, 0);
	}
	threads.stop = true;
	threads.join();
	clear(at, 1);
}

// Pages are trimmed and removed, and others are evicted, while threads walk over all of them: a fault of a walk maps resident pages and
// reloads evicted ones beside the page that it is for. No thread may find a page of another one, or one that was removed.
TEST_F(Race, WalkAgainstRemove)
{
	constexpr u64 some = 64 * page, hole = 32 * page;
	const Device &d = enclave.device();
	configure(enclave, configure_fault_around, 64);
	ASSERT_TRUE(whole(ask(Op::accept, at, some, 0, REG | RW | PENDING)));
	ask(Op::fill, at, some, 0, 0, 7);
	const DecoyMms decoys;
	const EpcPressure pressure;
	Threads threads;
	for (unsigned thread = 1; thread < 4; thread++) {
		threads.add([&, thread] {
			while (!threads.stop) {
				// The pages on both sides of those that are removed.
				EXPECT_EQ(ask(Op::check, at, hole, thread, 0, 7).result, 0U);
				EXPECT_EQ(ask(Op::check, at + hole + 4 * page, some - hole - 4 * page, thread, 0, 7).result, 0U);
			}
		});
	}
	const long first = fdinfo(d, "sgx2-evictions"), enough = 20L * rounds(20);
	for (unsigned round = 0; round < rounds(50) || (fdinfo(d, "sgx2-evictions") - first < enough && !HasFailure()); round++) {
		EXPECT_EQ(d.modify_types(offset + hole, 4 * page, type_trim), (Progress{0, 4 * page, 0}));
		EXPECT_TRUE(whole(ask(Op::accept, at + hole, 4 * page, 0, TRIM | MODIFIED)));
		EXPECT_EQ(d.remove_pages(offset + hole, 4 * page), (Progress{0, 4 * page, 0}));
		for (u64 where = at + hole; where < at + hole + 4 * page; where += page)
			grow(where, 0);
		use(at + hole, 0, round);
	}
}

// The mapping of pages loses permissions and gets them back while other threads fault on the pages beside them: when mprotect() has
// returned, no fault has given or gives a page more than its mapping has.
TEST_F(Race, FaultAroundAgainstMprotect)
{
	constexpr u64 some = 64 * page, half = 37 * page;
	configure(enclave, configure_fault_around, 64);
	ASSERT_TRUE(whole(ask(Op::accept, at, some, 0, REG | RW | PENDING)));
	Threads threads;
	for (unsigned thread = 1; thread < 4; thread++) {
		threads.add([&, thread] {
			while (!threads.stop)
				EXPECT_TRUE(whole(ask(Op::access, at, half, thread)));
		});
	}
	for (unsigned round = 0; round < rounds(200) && !HasFailure(); round++) {
		// A new mapping has no PTE: the threads fault on the pages of its lower part.
		enclave.map(offset, some, PROT_READ | PROT_WRITE);
		ASSERT_EQ(protect(at + half, some - half, round % 2 ? PROT_NONE : PROT_READ), 0);
		for (u64 where = at + half; where < at + half + 2 * page; where += page) {
			Request write = request(Op::write, where);
			EXPECT_NE(try_access(enclave, write, 0), Access::done) << "round " << round;
		}
	}
}

// A page becomes a TCS, is entered and removed, while other threads access it and pages are evicted.
TEST_F(Race, AccessAgainstModify)
{
	const DecoyMms decoys;
	const EpcPressure pressure;
	Threads threads;
	const u64 tcs = at + 8 * page;
	for (unsigned i = 0; i < 8; i++)
		grow(at + i * page, 0);
	Request data = request(Op::make_thread, at + 7 * page);
	data.source = static_cast<u64>(-6 * static_cast<long>(page));
	data.value = static_cast<u64>(-4 * static_cast<long>(page));
	data.extra = static_cast<u64>(-3 * static_cast<long>(page));
	enclave.ask(data);
	enclave.threads.push_back(tcs);
	for (unsigned thread = 1; thread < 4; thread++) {
		threads.add([&, thread] {
			for (unsigned i = 0; !threads.stop; i++)
				access_if_allowed(tcs, thread, i + thread);
		});
	}
	for (unsigned round = 0; round < rounds(25); round++) {
		grow(tcs, 0);
		Request make = request(Op::make_tcs, tcs, 2);
		make.source = at + 5 * page;
		make.value = at + 7 * page;
		enclave.ask(make);
		EXPECT_EQ(enclave.device().modify_types(tcs - base, page, type_tcs), (Progress{0, page, 0}));
		EXPECT_TRUE(whole(ask(Op::accept, tcs, page, 0, TCS | MODIFIED)));
		EXPECT_EQ(enclave.ask(request(Op::read, at), crowd).status, Status::done);
		trim(tcs, 0);
	}
	threads.stop = true;
	threads.join();
	clear(at, 9);
}

// Pages are evicted before and during the steps of a change, and keep their content.
TEST_F(Race, ChangeAgainstEviction)
{
	const u64 some = length;
	const Device &d = enclave.device();
	enclave.map(offset + some, some, PROT_READ | PROT_WRITE);
	const DecoyMms decoys;
	const EpcPressure pressure;
	ASSERT_TRUE(whole(ask(Op::accept, at, 2 * some, 0, REG | RW | PENDING)));
	configure(enclave, configure_mprotect, mprotect_reset_keep_read);
	Threads threads;
	threads.add([&] {
		while (!threads.stop)
			ASSERT_EQ(d.reset_permissions(offset + some, some), (Progress{0, some, 0}));
	});
	const long enough = 20L * rounds(20);
	unsigned round = 0;
	for (; round < rounds(20) || (fdinfo(d, "sgx2-evictions") < enough && round < 10000); round++) {
		ask(Op::fill, at, some, 0, 0, round);
		switch (round % 4) {
		case 0:
			ASSERT_EQ(d.reset_permissions(offset, some), (Progress{0, some, 0}));
			ASSERT_TRUE(whole(ask(Op::accept, at, some, 1, REG | PR)));
			break;
		case 1:
			ASSERT_EQ(d.restrict_permissions(offset, some, R), (Progress{0, some, 0}));
			ASSERT_TRUE(whole(ask(Op::accept, at, some, 1, REG | R | PR)));
			break;
		case 2:
			ASSERT_EQ(protect(at, some, PROT_READ), 0);
			ASSERT_EQ(protect(at, some, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
			ASSERT_TRUE(whole(ask(Op::accept, at, some, 1, REG | R | PR)));
			break;
		default:
			break;
		}
		ASSERT_TRUE(whole(ask(Op::extend, at, some, 1, REG | RW)));
		ASSERT_EQ(ask(Op::check, at, some, 2, 0, round).result, 0U) << "round " << round;
	}
	EXPECT_GE(fdinfo(d, "sgx2-evictions"), enough) << "too few pages were evicted";
	threads.stop = true;
	threads.join();
	EXPECT_EQ(d.modify_types(offset, some, type_trim), (Progress{0, some, 0}));
	EXPECT_TRUE(whole(ask(Op::accept, at, some, 0, TRIM | MODIFIED)));
	EXPECT_EQ(d.remove_pages(offset, some), (Progress{0, some, 0}));
}

// Pages are evicted while threads access them. A thread that accesses a page during its eviction waits, and finds its content.
TEST_F(Race, AccessAgainstEviction)
{
	constexpr u64 some = 256 * page;
	const Device &d = enclave.device();
	const DecoyMms decoys;
	const EpcPressure pressure;
	ASSERT_TRUE(whole(ask(Op::accept, at, some, 0, REG | RW | PENDING)));
	ask(Op::fill, at, some, 0, 0, 7);
	Threads threads;
	for (unsigned thread = 1; thread < 4; thread++) {
		threads.add([&, thread] {
			while (!threads.stop)
				EXPECT_EQ(ask(Op::check, at, some, thread, 0, 7).result, 0U);
		});
	}
	const long first = fdinfo(d, "sgx2-evictions"), enough = 20L * rounds(50);
	for (unsigned round = 0; fdinfo(d, "sgx2-evictions") - first < enough && !HasFailure(); round++)
		EXPECT_EQ(ask(Op::check, at, some, 0, 0, 7).result, 0U) << "round " << round;
}

// Calls and evictions of other pages track one enclave at the same time, while threads enter it, leave it and stay. The evicted pages
// are in chunks of their own, two in each, so that nearly each of them is tracked by itself.
TEST_F(Race, TrackAgainstEviction)
{
	constexpr u64 callers = 3, few = 2 * page;
	const Device &d = enclave.device();
	const u64 chunks = (enclave.image().size - offset) / length;
	enclave.map(offset, chunks * length, PROT_READ | PROT_WRITE | PROT_EXEC);
	const DecoyMms decoys;
	const EpcPressure pressure;
	const Inside one(enclave, 8), another(enclave, 9);
	const auto each = [&](Op op, u64 secinfo = 0) {
		for (u64 chunk = callers; chunk < chunks; chunk++) {
			const Request r = ask(op, at + chunk * length, few, 0, secinfo, 7);
			EXPECT_TRUE(whole(r) && (op != Op::check || r.result == 0)) << r.result;
		}
	};
	each(Op::accept, REG | RW | PENDING);
	each(Op::fill);
	Threads threads;
	for (unsigned thread = 0; thread < callers; thread++) {
		threads.add([&, thread] {
			const u64 mine = offset + thread * length;
			grow(base + mine, thread + 1);
			while (!threads.stop) {
				ASSERT_EQ(d.reset_permissions(mine, page), (Progress{0, page, 0}));
				ASSERT_TRUE(whole(ask(Op::accept, base + mine, page, thread + 1, REG | PR)));
			}
		});
	}
	const long first = fdinfo(d, "sgx2-evictions"), enough = 20L * rounds(30);
	while (fdinfo(d, "sgx2-evictions") - first < enough && !HasFailure())
		each(Op::check);
}

// Each thread has a range, with two ranges in each chunk, and all ranges share the SECS. Some threads stay inside all the time, so that
// each tracking needs an IPI broadcast.
TEST_F(Race, CallsOnSeparateRanges)
{
	constexpr u64 some = 8 * page, chunks = 4;
	enclave.map(offset, chunks * length, PROT_READ | PROT_WRITE | PROT_EXEC);
	configure(enclave, configure_mprotect, mprotect_reset);
	const Inside one(enclave, 8), another(enclave, 9);
	Threads threads;
	for (unsigned thread = 0; thread < 2 * chunks; thread++) {
		threads.add([&, thread] {
			Unlocked nothing;
			for (unsigned round = 0; round < rounds(15); round++)
				live(offset + thread % chunks * length + thread / chunks * some, some, thread, thread + round,
				     true, nothing);
		});
	}
	threads.join();
	EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before);
}

// All threads use one range: a call that can be repeated succeeds for each of them, any other call succeeds for one of them completely.
TEST_F(Race, CallsOnOneRange)
{
	constexpr unsigned some = 4;
	const Device &d = enclave.device();
	Gate start(some);
	std::atomic<unsigned> grown = 0, trimmed = 0, removed = 0;
	const unsigned count = rounds(20);
	const auto one_accepts = [this](unsigned thread, u64 secinfo) {
		if (thread == 0) {
			EXPECT_TRUE(whole(ask(Op::accept, at, length, thread, secinfo)));
		}
	};
	Threads threads;
	const auto drop = [&start] {
		start.open();
	};
	for (unsigned thread = 0; thread < some; thread++) {
		threads.add(
			[&, thread] {
				for (unsigned round = 0; round < count; round++) {
					start.pass();
					Augment a = {.size = sizeof(a),
						     .flags = 0,
						     .offset = offset,
						     .length = length,
						     .count = 0,
						     .existing = 0};
					EXPECT_EQ(d.call(ioc_augment, &a), 0);
					EXPECT_EQ(a.count, length);
					grown += static_cast<unsigned>((a.count - a.existing) / page);
					start.pass();
					one_accepts(thread, REG | RW | PENDING);
					start.pass();
					EXPECT_EQ(thread % 2 ? d.reset_permissions(offset, length) :
							       d.restrict_permissions(offset, length, R),
						  (Progress{0, length, 0}));
					start.pass();
					one_accepts(thread, REG | PR);
					start.pass();
					Progress p = d.modify_types(offset, length, type_trim);
					EXPECT_TRUE(p == (Progress{0, length, 0}) || p == (Progress{EINVAL, 0, 0})) << p;
					trimmed += p.count == length;
					start.pass();
					one_accepts(thread, TRIM | MODIFIED);
					start.pass();
					p = d.remove_pages(offset, length);
					EXPECT_TRUE(p == (Progress{0, length, 0}) || p == (Progress{EFAULT, 0, 0})) << p;
					removed += p.count == length;
				}
			},
			drop);
	}
	threads.join();
	EXPECT_EQ(grown, count * length / page);
	EXPECT_EQ(trimmed, count);
	EXPECT_EQ(removed, count);
	EXPECT_EQ(fdinfo(d, "sgx2-pages"), before);
}

// The test of 2024 that found two races in the kernel's driver. With SGX2_ROUNDS=5000 it has its original length.
TEST_F(Race, SixteenThreadsOnTenPages)
{
	Owners owned(10);
	Threads threads;
	for (unsigned thread = 0; thread < crowd; thread++) {
		threads.add([&, thread] {
			std::minstd_rand random(thread + 1);
			for (unsigned round = 0; round < rounds(40); round++) {
				const u64 i = random() % owned.size(), where = at + i * page;
				if (owned[i].exchange(true)) {
					access_if_allowed(where, thread, static_cast<unsigned>(random() >> 8));
					continue;
				}
				grow(where, thread);
				use(where, thread, round * crowd + thread);
				trim(where, thread);
				owned[i] = false;
			}
		});
	}
	threads.join();
	clear(at, owned.size());
}

// The address space is copied while calls and accesses are in progress, and all of them work. A thread of the copy is inside while the
// copy exists, so tracking must interrupt it there.
TEST_F(Race, Fork)
{
	constexpr u64 some = 32 * page;
	const Device &d = enclave.device();
	configure(enclave, configure_mprotect, mprotect_reset);
	Threads threads;
	threads.add([&] {
		Unlocked nothing;
		for (unsigned round = 0; !threads.stop; round++)
			live(offset + some, some, 1, round, true, nothing);
	});
	grow(at, 0);
	for (unsigned round = 0; round < rounds(20); round++) {
		const pid_t pid = fork();
		if (pid == 0) {
			bool good = false;
			try {
				const Inside inside(enclave, 3);
				good = ask(Op::check, at, page, 2, 0, round ? round - 1 : 0).result == 0 || round == 0;
				ask(Op::fill, at, page, 2, 0, round);
				for (unsigned i = 0; i < 10; i++) {
					good = good && d.restrict_permissions(offset, page, RW) == (Progress{0, page, 0});
					good = good && ask(Op::accept, at, page, 2, REG | RW | PR).result == 0;
				}
			} catch (const Failed &) {
				good = false;
			}
			_exit(good ? 0 : 1);
		}
		int status = -1;
		waitpid(pid, &status, 0);
		EXPECT_EQ(status, 0) << "round " << round;
		EXPECT_EQ(ask(Op::check, at, page, 0, 0, round).result, 0U) << "round " << round;
	}
	threads.stop = true;
	threads.join();
	clear(at, 1);
}

// Parts of a mapping are unmapped and mapped again while each call works on their pages: the calls succeed without the mapping, and
// leave no PTE where no mapping is.
TEST_F(Race, Munmap)
{
	constexpr u64 some = 64 * page, part = 4 * page;
	const u64 rest = length - some;
	const Device &d = enclave.device();
	ASSERT_EQ(d.augment_pages(offset + some, rest), (Progress{0, rest, 0}));
	std::mutex mapped;
	Threads threads;
	threads.add([&] {
		for (unsigned round = 0; !threads.stop; round++) {
			live(offset, some, 1, round, false, mapped);
			madvise(reinterpret_cast<void *>(at), some, MADV_WILLNEED);
		}
	});
	// Maps existing pages in a loop.
	threads.add([&] {
		while (!threads.stop)
			EXPECT_EQ(d.augment_pages(offset + some, rest), (Progress{0, rest, 0}));
	});
	for (unsigned round = 0; round < rounds(100) && !HasFailure(); round++) {
		const u64 from = round % 2 ? round * 7 % 60 * page : some + round * 13 % 444 * page;
		{
			const std::lock_guard guard(mapped);
			ASSERT_EQ(munmap(reinterpret_cast<void *>(at + from), part), 0);
			std::this_thread::yield();
			for (u64 where = from; where < from + part; where += page)
				EXPECT_EQ(peek(at + where), EFAULT) << "round " << round;
			enclave.map(offset + from, part, PROT_READ | PROT_WRITE | PROT_EXEC);
		}
		usleep(round % 8 * 50);
	}
	threads.stop = true;
	threads.join();
	clear(at, length / page);
}

} // namespace
