// SPDX-License-Identifier: GPL-2.0
// Threads that work on separate ranges at the same time: their total time, and whether a call lets other tasks run.

#include "work.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <sched.h>

namespace sgx {

namespace {

/// Starts all threads at once, each on its own CPU, and returns the time until the last one has ended. The threads read the clock, since
/// the task that waits for them may be woken late.
long together(unsigned threads, const std::function<void(unsigned)> &work)
{
	using Clock = std::chrono::steady_clock;
	std::atomic<unsigned> ready = 0;
	std::atomic<bool> go = false, failed = false;
	Clock::time_point start;
	std::vector<Clock::time_point> ends(threads);
	std::vector<std::thread> all;
	for (unsigned i = 0; i < threads; i++) {
		all.emplace_back([&, i] {
			try {
				pin(i);
				if (++ready == threads) {
					start = Clock::now();
					go = true;
				}
				while (!go) {
				}
				work(i);
				ends[i] = Clock::now();
			} catch (const Failed &f) {
				fmt::print(stderr, "{}\n", f.what());
				failed = true;
				go = true;
			}
		});
	}
	for (auto &thread : all)
		thread.join();
	if (failed)
		throw Failed("a thread failed");
	return std::chrono::duration_cast<std::chrono::nanoseconds>(*std::max_element(ends.begin(), ends.end()) - start).count();
}

using Times = std::map<std::string, std::vector<long>>;

/// Runs the steps of a range one after the other; each thread has the same number of pages.
void steps(Bench &bench, u64 pages, unsigned threads, Times &times)
{
	const Workload s(bench.meter, pages * threads);
	const Enclave &e = *s.enclave;
	const u64 length = pages * page_size;
	const auto row = [&](const char *name, const std::function<void(unsigned thread, u64 offset)> &work) {
		times[fmt::format("parallel-{}-{}", name, threads)].push_back(
			together(threads, [&](unsigned i) { work(i, s.offset + i * length); }));
	};
	const auto leaf = [&](Op op, unsigned thread, u64 offset, u64 secinfo) {
		whole(e, request(op, e.at(offset), length, secinfo), thread);
	};

	row("grow", [&](unsigned i, u64 o) { leaf(Op::accept, i, o, REG | RW | PENDING); });
	// This step uses no driver: it shows the throughput of the host's CPUs.
	row("fill", [&](unsigned i, u64 o) { leaf(Op::fill, i, o, 0); });
	row("change", [&](unsigned i, u64 o) {
		retry_until_done(o, length, "RESTRICT_PERMISSIONS",
				 [&](u64 at, u64 left) { return e.device().restrict_permissions(at, left, R); });
		leaf(Op::accept, i, o, REG | R | PR);
		leaf(Op::extend, i, o, REG | RW);
	});
	row("shrink", [&](unsigned i, u64 o) {
		retry_until_done(o, length, "MODIFY_TYPES",
				 [&](u64 at, u64 left) { return e.device().modify_types(at, left, type_trim); });
		leaf(Op::accept, i, o, TRIM | MODIFIED);
		retry_until_done(o, length, "REMOVE_PAGES", [&](u64 at, u64 left) { return e.device().remove_pages(at, left); });
	});
	row("augment", [&](unsigned i, u64 o) {
		if (bench.plan.own)
			whole(e.device().augment_pages(o, length), length, "AUGMENT_PAGES");
		leaf(Op::accept, i, o, REG | RW | PENDING);
	});
}

/// A thread of higher priority on the same CPU, which wakes up each millisecond, and the longest delay of its wake-ups.
class LatencyProbe {
public:
	LatencyProbe()
	{
		pin(0);
		thread_ = std::thread([this] { run(); });
		while (!running_)
			std::this_thread::yield();
	}
	~LatencyProbe()
	{
		stop_ = true;
		thread_.join();
	}
	LatencyProbe(const LatencyProbe &) = delete;
	LatencyProbe &operator=(const LatencyProbe &) = delete;

	long longest() const { return longest_; }

private:
	static constexpr long millisecond = 1000000;

	void run()
	{
		const sched_param parameter = {.sched_priority = 50};
		must(errno_of(sched_setscheduler(0, SCHED_FIFO, &parameter)), "sched_setscheduler");
		running_ = true;
		while (!stop_) {
			const u64 start = Meter::stamp();
			std::this_thread::sleep_for(std::chrono::nanoseconds(millisecond));
			longest_ = std::max(longest_.load(), static_cast<long>(Meter::stamp() - start) - millisecond);
		}
	}

	std::atomic<long> longest_ = 0;
	std::atomic<bool> running_ = false, stop_ = false;
	std::thread thread_;
};

} // namespace

void measure_parallel(Bench &bench)
{
	constexpr unsigned rounds = 15;
	for (const u64 pages : bench.plan.pages) {
		Times times;
		// The numbers of threads alternate, so that other load of the host affects all of them.
		for (unsigned round = 0; round < rounds; round++) {
			for (unsigned threads = 1; threads <= std::thread::hardware_concurrency() && threads <= 4; threads *= 2)
				steps(bench, pages, threads, times);
		}
		for (auto &[name, all] : times) {
			std::nth_element(all.begin(), all.begin() + rounds / 2, all.end());
			bench.results.add(name, pages, 0, {{"nanoseconds", all[rounds / 2]}});
		}
	}
}

void measure_yield(Bench &bench)
{
	for (const u64 pages : bench.plan.pages) {
		Workload s(bench.meter, pages);
		const auto row = [&](const char *name, const std::function<void()> &work) {
			Sample sample;
			{
				const LatencyProbe probe;
				work();
				sample["longest"] = probe.longest();
			}
			bench.results.add(fmt::format("yield-{}", name), pages, 0, sample);
		};
		row("grow", [&] {
			if (bench.plan.own)
				s.augment();
			s.accept(REG | RW | PENDING);
		});
		row("restrict", [&] { s.restrict_to(R); });
		s.accept(REG | R | PR);
		row("trim", [&] { s.trim(); });
		s.accept(TRIM | MODIFIED);
		row("remove", [&] { s.remove(); });
		s.accept(REG | RW | PENDING);
		row("close", [&] { s.enclave.reset(); });
	}
}

} // namespace sgx
