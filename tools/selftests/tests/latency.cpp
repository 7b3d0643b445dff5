// SPDX-License-Identifier: GPL-2.0
// The time for which each call prevents other tasks from running: less than 10 ms for ranges of any length.

#include <bit>
#include <chrono>
#include <ctime>
#include <utility>

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr long nanoseconds = 1000000000;

long now()
{
	timespec t = {};
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * nanoseconds + t.tv_nsec;
}

/// A thread with real-time priority on the same processor, which wakes up periodically. Its largest delay is the longest time for which
/// the kernel did not reschedule.
class LatencyWatch {
public:
	LatencyWatch() : thread_([this] { run(); }) {}
	~LatencyWatch()
	{
		stop_ = true;
		thread_.join();
	}
	LatencyWatch(const LatencyWatch &) = delete;
	LatencyWatch &operator=(const LatencyWatch &) = delete;

	/// Returns the largest delay since the last call of this function.
	long latest()
	{
		timespec pause = {.tv_sec = 0, .tv_nsec = 3000000};
		nanosleep(&pause, nullptr);
		return late_.exchange(0);
	}

private:
	void run()
	{
		const RealTime first;
		for (long next = now(); !stop_; next = now()) {
			next += 50000;
			const timespec until = {.tv_sec = next / nanoseconds, .tv_nsec = next % nanoseconds};
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
			late_ = std::max<long>(late_, now() - next);
		}
	}

	std::atomic<bool> stop_ = false;
	std::atomic<long> late_ = 0;
	std::thread thread_;
};

class Latency : public testing::Test {
protected:
	static u64 room() { return std::min<u64>(Processor::epc_bytes() * 3 / 4 & ~(page - 1), page << 20); }
	static Options options()
	{
		Options o;
		o.size = std::max<u64>(1 << 27, std::bit_ceil(2 * room()));
		return o;
	}

	template <typename Call>
	void time(const char *what, Call call)
	{
		watch.latest();
		const long begin = now();
		call();
		const long took = now() - begin, late = watch.latest();
		std::printf("# %-28s %9ld us for %lu pages, %6ld us without rescheduling\n", what, took / 1000,
			    static_cast<unsigned long>(length / page), late / 1000);
		EXPECT_LT(late, 10000000) << what;
		// A call on few pages ends far below the limit, so this checks that the time does not grow with the number of pages.
		if (took > 200000) {
			EXPECT_LT(late, took / 4) << what;
		}
	}
	/// Measures close() without the oracle's comparison.
	void time_close(const char *what, std::unique_ptr<Enclave> &enclave)
	{
		const auto closing = std::exchange(Device::closing, nullptr);
		if (closing)
			closing(enclave->device().fd());
		time(what, [&] { enclave.reset(); });
		Device::closing = closing;
	}

	LatencyWatch watch;
	const u64 length = room();
};

TEST_F(Latency, EveryCallYieldsTheProcessor)
{
	ONLY_SGX2();
	if (!guest_time())
		GTEST_SKIP() << "needs a machine that counts instructions, with SGX2_GUEST_TIME";
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);

	auto enclave = std::make_unique<Enclave>(options());
	const Device &d = enclave->device();
	const u64 offset = enclave->image().end, at = enclave->at(offset);
	const Progress all = {0, length, 0};
	const auto accept = [&](u64 secinfo) {
		EXPECT_TRUE(whole(enclave->ask(request(Op::accept, at, length, secinfo))));
	};

	enclave->map(offset, length, PROT_READ | PROT_WRITE | PROT_EXEC);
	time("AUGMENT_PAGES", [&] { EXPECT_EQ(d.augment_pages(offset, length), all); });
	time("EACCEPT", [&] { accept(REG | RW | PENDING); });
	time("RESET_PERMISSIONS", [&] { EXPECT_EQ(d.reset_permissions(offset, length), all); });
	accept(REG | PR);
	time("RESTRICT_PERMISSIONS", [&] { EXPECT_EQ(d.restrict_permissions(offset, length, R), all); });
	accept(REG | PR);
	configure(*enclave, configure_mprotect, mprotect_reset);
	time("mprotect() with reset", [&] { EXPECT_EQ(protect(at, length, PROT_READ), 0); });
	accept(REG | PR);
	time("MODIFY_TYPES", [&] { EXPECT_EQ(d.modify_types(offset, length, type_trim), all); });
	accept(TRIM | MODIFIED);
	time("REMOVE_PAGES", [&] { EXPECT_EQ(d.remove_pages(offset, length), all); });
	time("MADV_WILLNEED", [&] { EXPECT_EQ(madvise(reinterpret_cast<void *>(at), length, MADV_WILLNEED), 0); });
	time("munmap()", [&] { EXPECT_EQ(unmap(at, length), 0); });
	time_close("close()", enclave);

	Options unfinished = options();
	unfinished.init = false;
	enclave = std::make_unique<Enclave>(unfinished);
	const Mapping source(length, PROT_READ);
	// At the first access the kernel zeroes a huge page, which takes a third of the time of the call.
	ASSERT_EQ(madvise(reinterpret_cast<void *>(source.address()), length, MADV_POPULATE_READ), 0);
	SecInfo info = {};
	info.flags = REG | RW;
	sgx_enclave_add_pages pages = {};
	pages.src = source.address();
	pages.offset = enclave->image().end;
	pages.length = length;
	pages.secinfo = reinterpret_cast<u64>(&info);
	time("ADD_PAGES", [&] { EXPECT_EQ(enclave->device().add_pages(pages), 0); });
	EXPECT_EQ(pages.count, length);
	time_close("close()", enclave);

	enclave = std::make_unique<Enclave>(options());
	ASSERT_EQ(enclave->device().augment_pages(enclave->image().end, length), all);
	enclave->map(enclave->image().end, length, PROT_READ | PROT_WRITE);
	time("eviction", [&] {
		const EpcPressure pressure;
		sleep(1);
	});
	isa::Monitor::find()->lose_epc();
	time("a call on a dead enclave",
	     [&] { EXPECT_EQ(enclave->device().reset_permissions(enclave->image().end, length).error, EIO); });
	time_close("close() of a dead enclave", enclave);
}

} // namespace
