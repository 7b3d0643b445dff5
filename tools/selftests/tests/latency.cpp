// SPDX-License-Identifier: GPL-2.0
// How long each call keeps a processor from everybody else: less than 10 ms, however long its range.

#include <bit>
#include <chrono>
#include <ctime>
#include <utility>

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "strain.h"

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

/// A thread on the same processor that comes before all others and wants it again and again; how late it was at the most is how long the
/// kernel did not let go.
class Watch {
public:
	Watch() : thread_([this] { run(); }) {}
	~Watch()
	{
		stop_ = true;
		thread_.join();
	}
	Watch(const Watch &) = delete;
	Watch &operator=(const Watch &) = delete;

	/// Since it was asked the last time.
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
		std::printf("# %-28s %9ld us for %lu pages, %6ld us without letting go\n", what, took / 1000,
			    static_cast<unsigned long>(length / page), late / 1000);
		EXPECT_LT(late, 10000000) << what;
		// Few pages are soon done, far below that limit; but the time must not grow with their number.
		if (took > 200000) {
			EXPECT_LT(late, took / 4) << what;
		}
	}
	/// Without what the test itself looks at when an enclave goes.
	void time_close(const char *what, std::unique_ptr<Enclave> &enclave)
	{
		const auto closing = std::exchange(Device::closing, nullptr);
		if (closing)
			closing(enclave->device().fd());
		time(what, [&] { enclave.reset(); });
		Device::closing = closing;
	}

	Watch watch;
	const u64 length = room();
};

TEST_F(Latency, NoCallHoldsTheProcessor)
{
	ONLY_SGX2();
	if (!guest_time())
		GTEST_SKIP() << "time tells nothing here: SGX2_GUEST_TIME says that the machine counts instructions";
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
		const Squeeze squeeze;
		sleep(1);
	});
	isa::Monitor::find()->lose_epc();
	time("a call on what was lost",
	     [&] { EXPECT_EQ(enclave->device().reset_permissions(enclave->image().end, length).error, EIO); });
	time_close("close() of that", enclave);
}

} // namespace
