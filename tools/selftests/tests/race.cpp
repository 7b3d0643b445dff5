// SPDX-License-Identifier: GPL-2.0
// Races, each as a test that a driver without the guard against it does not pass: first touches, touches against each change of a page,
// changes against eviction and against each other, fork and munmap in the middle.

#include <memory>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "strain.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// Threads of the program that each run one thing. They are told to stop, and waited for, at the end, however that comes.
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

	/// `body` may throw Failed, which fails the test; then `given_up` tells those who would wait for it.
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

/// Lets threads go at the same moment, as near as can be: they spin.
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
	/// For good: one of them does not come any more.
	void open() { open_ = true; }

private:
	const unsigned threads_;
	std::atomic<unsigned> here_ = 0, turn_ = 0;
	std::atomic<bool> open_ = false;
};

/// Whether a page is in use at the moment, and who has it.
using Owners = std::vector<std::atomic<bool>>;

/// An enclave of sixteen threads, and a range of it that is mapped for everything.
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
			GTEST_SKIP() << "the in-tree driver lacks these guards";
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

	/// A page is accepted, maybe by a thread that touched it just now. It is new, so it is zero.
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
	/// It goes, by a thread that is inside or not.
	void trim(u64 where, unsigned thread) const
	{
		EXPECT_EQ(enclave.device().modify_types(where - base, page, type_trim), (Progress{0, page, 0}));
		EXPECT_TRUE(whole(ask(Op::accept, where, page, thread, TRIM | MODIFIED)));
		EXPECT_EQ(enclave.device().remove_pages(where - base, page), (Progress{0, page, 0}));
	}
	/// Any thread at any time: what it meets is the processor's to refuse, and never a mapping that is not there.
	void poke(u64 where, unsigned thread, unsigned how) const
	{
		Request r = how % 2 ? request(Op::read, where) : request(Op::accept, where, page, REG | RW | PENDING);
		EXPECT_NE(touch(enclave, r, thread), Touch::bus);
	}
	/// What pokes have left behind is taken away, and no page too many is there, or too few.
	void clear(u64 first, u64 count) const
	{
		for (u64 where = first; where < first + count * page; where += page) {
			grow_or_keep(where);
			trim(where, 0);
		}
		EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before);
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

// One of them adds the page and accepts it; nobody is told that there is no such page.
TEST_F(Race, FirstTouch)
{
	constexpr unsigned some = 4;
	const unsigned count = std::min<unsigned>(rounds(512), 512);
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
					EXPECT_NE(touch(enclave, r, thread), Touch::bus);
					accepted += r.status == Status::done;
				}
			},
			drop);
	}
	threads.join();
	EXPECT_EQ(accepted, count);
	clear(at, count);
}

// A fault that came while a page was removed must not bring it back.
TEST_F(Race, TouchAgainstRemove)
{
	Threads threads;
	for (unsigned thread = 1; thread < 4; thread++) {
		threads.add([&, thread] {
			for (unsigned i = 0; !threads.stop; i++)
				poke(at, thread, i + thread);
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

// A page becomes a TCS, is entered, and goes, under the touches of others, while pages are evicted.
TEST_F(Race, TouchAgainstModify)
{
	const Squeeze squeeze;
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
				poke(tcs, thread, i + thread);
		});
	}
	for (unsigned round = 0; round < rounds(100); round++) {
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

// Pages are written out and come back between, and during, the steps of a change; what they hold stays.
TEST_F(Race, ChangeAgainstEviction)
{
	constexpr u64 some = 64 * page;
	const Device &d = enclave.device();
	const Squeeze squeeze;
	ASSERT_TRUE(whole(ask(Op::accept, at, some, 0, REG | RW | PENDING)));
	configure(enclave, configure_mprotect, mprotect_reset_keep_read);
	unsigned round = 0;
	for (; round < rounds(20) || (fdinfo(d, "sgx2-evictions") < 100 && round < 10000); round++) {
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
	EXPECT_GE(fdinfo(d, "sgx2-evictions"), 100) << "there was no pressure";
	EXPECT_EQ(d.modify_types(offset, some, type_trim), (Progress{0, some, 0}));
	EXPECT_TRUE(whole(ask(Op::accept, at, some, 0, TRIM | MODIFIED)));
	EXPECT_EQ(d.remove_pages(offset, some), (Progress{0, some, 0}));
}

// Each thread has a range; some share a chunk, and all share the SECS.
TEST_F(Race, CallsOnRangesOfTheirOwn)
{
	constexpr u64 some = 32 * page;
	const Device &d = enclave.device();
	Threads threads;
	for (unsigned thread = 0; thread < 8; thread++) {
		threads.add([&, thread] {
			const u64 mine = offset + thread * some;
			for (unsigned round = 0; round < rounds(10); round++) {
				EXPECT_EQ(d.augment_pages(mine, some), (Progress{0, some, 0}));
				EXPECT_TRUE(whole(ask(Op::accept, base + mine, some, thread, REG | RW | PENDING)));
				ask(Op::fill, base + mine, some, thread, 0, thread + round);
				EXPECT_EQ(d.reset_permissions(mine, some), (Progress{0, some, 0}));
				EXPECT_TRUE(whole(ask(Op::accept, base + mine, some, thread, REG | PR)));
				EXPECT_TRUE(whole(ask(Op::extend, base + mine, some, thread, REG | R)));
				EXPECT_EQ(ask(Op::check, base + mine, some, thread, 0, thread + round).result, 0U);
				EXPECT_EQ(d.modify_types(mine, some, type_trim), (Progress{0, some, 0}));
				EXPECT_TRUE(whole(ask(Op::accept, base + mine, some, thread, TRIM | MODIFIED)));
				EXPECT_EQ(d.remove_pages(mine, some), (Progress{0, some, 0}));
			}
		});
	}
	threads.join();
	EXPECT_EQ(fdinfo(d, "sgx2-pages"), before);
}

// All have the same range: what can be done twice is done for each, what can be done once is done for one of them, and all of it.
TEST_F(Race, CallsOnTheSameRange)
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

// The test of 2024 that found two races in the kernel's driver: SGX2_ROUNDS=5000 makes it as long.
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
					poke(where, thread, static_cast<unsigned>(random() >> 8));
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

// Copies of the address space come and go while calls and touches are under way, and each works.
TEST_F(Race, Fork)
{
	constexpr u64 some = 32 * page;
	const Device &d = enclave.device();
	Threads threads;
	threads.add([&] {
		for (unsigned round = 0; !threads.stop; round++) {
			const u64 mine = offset + some;
			EXPECT_TRUE(whole(ask(Op::accept, base + mine, some, 1, REG | RW | PENDING)));
			EXPECT_EQ(d.reset_permissions(mine, some), (Progress{0, some, 0}));
			EXPECT_TRUE(whole(ask(Op::accept, base + mine, some, 1, REG | PR)));
			EXPECT_EQ(d.modify_types(mine, some, type_trim), (Progress{0, some, 0}));
			EXPECT_TRUE(whole(ask(Op::accept, base + mine, some, 1, TRIM | MODIFIED)));
			EXPECT_EQ(d.remove_pages(mine, some), (Progress{0, some, 0}));
		}
	});
	grow(at, 0);
	for (unsigned round = 0; round < rounds(30); round++) {
		const pid_t pid = fork();
		if (pid == 0) {
			bool good = false;
			try {
				good = ask(Op::check, at, page, 2, 0, round ? round - 1 : 0).result == 0 || round == 0;
				ask(Op::fill, at, page, 2, 0, round);
				good = good && d.restrict_permissions(offset, page, RW) == (Progress{0, page, 0});
				good = good && ask(Op::accept, at, page, 2, REG | RW | PR).result == 0;
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

// A mapping goes while calls work on its pages: the calls do not need it, and it can come back.
TEST_F(Race, Munmap)
{
	const Device &d = enclave.device();
	constexpr u64 some = 64 * page;
	ASSERT_TRUE(whole(ask(Op::accept, at, some, 0, REG | RW | PENDING)));
	ask(Op::fill, at, some, 0, 0, 1);
	Threads threads;
	threads.add([&] {
		while (!threads.stop) {
			EXPECT_EQ(d.restrict_permissions(offset, some, RW), (Progress{0, some, 0}));
			EXPECT_EQ(d.augment_pages(offset, some + 8 * page), (Progress{0, some + 8 * page, 0}));
		}
	});
	for (unsigned round = 0; round < rounds(100); round++) {
		const u64 from = round % 60 * page;
		ASSERT_EQ(munmap(reinterpret_cast<void *>(at + from), 4 * page), 0);
		enclave.map(offset + from, 4 * page, PROT_READ | PROT_WRITE | PROT_EXEC);
		ASSERT_EQ(ask(Op::check, at, some, 0, 0, 1).result, 0U) << "round " << round;
	}
	threads.stop = true;
	threads.join();
}

} // namespace
