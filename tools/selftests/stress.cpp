// SPDX-License-Identifier: GPL-2.0
// Runs many enclaves, together larger than the EPC, whose threads write and check patterns while random processes are killed.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <random>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "enclave.h"
#include "leak_check.h"

using namespace sgx;

namespace {

using Clock = std::chrono::steady_clock;

struct Plan {
	unsigned enclaves = 16;
	unsigned times = 4;
	unsigned threads = 2;
	double seconds = 10;
	bool kill = false;
	bool leaks = false;
};

/// Counts that the processes share.
struct Tally {
	/// Numbers of enclaves, of checked pieces of data, and of wrong pieces.
	std::atomic<u64> built, checked, wrong;
	/// The time at which the work ends; it is set after all enclaves are built.
	std::atomic<Clock::rep> end;
};

bool time_is_up(const Tally &tally)
{
	const Clock::rep end = tally.end;
	return end && Clock::now().time_since_epoch().count() > end;
}

/// Writes and checks pieces of the enclave's pages. Each thread has pieces of its own, and knows their patterns.
void work(const Enclave &enclave, u64 pages, unsigned thread, unsigned threads, unsigned seed, Tally &tally)
{
	std::minstd_rand random(seed * 131 + thread + 1);
	const u64 mine = pages / threads, first = enclave.at(enclave.image().end) + thread * mine * page_size;
	constexpr u64 piece = 8;
	std::vector<u64> written(mine / piece);
	do {
		const u64 i = random() % written.size();
		Request r = {};
		r.address = first + i * piece * page_size;
		r.length = piece * page_size;
		r.op = Op::check;
		r.value = written[i];
		if (written[i]) {
			tally.wrong += enclave.ask(r, thread).result != 0;
			tally.checked++;
		} else {
			r.op = Op::accept;
			r.secinfo = REG | RW | PENDING;
			const Request done = enclave.ask(r, thread);
			tally.wrong += done.done != r.length;
		}
		written[i] = random() | 1;
		r.op = Op::fill;
		r.value = written[i];
		enclave.ask(r, thread);
	} while (!time_is_up(tally));
	for (u64 i = 0; i < written.size(); i++) {
		Request r = {};
		r.op = Op::check;
		r.address = first + i * piece * page_size;
		r.length = piece * page_size;
		r.value = written[i];
		if (!written[i])
			continue;
		tally.wrong += enclave.ask(r, thread).result != 0;
		tally.checked++;
	}
}

int child(const Plan &plan, u64 pages, unsigned seed, Tally &tally)
{
	try {
		const Enclave enclave;
		tally.built++;
		enclave.map(enclave.image().end, pages * page_size, PROT_READ | PROT_WRITE);
		// Wait until all enclaves are built: under pressure from running ones that would take very long.
		while (!tally.end)
			usleep(10000);
		std::vector<std::thread> threads;
		std::atomic<bool> failed = false;
		for (unsigned i = 0; i < plan.threads; i++) {
			threads.emplace_back([&, i] {
				try {
					work(enclave, pages, i, plan.threads, seed, tally);
				} catch (const Failed &f) {
					fmt::print(stderr, "enclave {}: {}\n", seed, f.what());
					failed = true;
				}
			});
		}
		for (auto &thread : threads)
			thread.join();
		return failed ? 1 : 0;
	} catch (const Failed &f) {
		fmt::print(stderr, "enclave {}: {}\n", seed, f.what());
		return 1;
	}
}

/// The processes, and how many of them ended without being killed.
class ProcessPool {
public:
	ProcessPool(const Plan &plan, u64 pages, Tally &tally) : plan_(plan), pages_(pages), tally_(tally), pids_(plan.enclaves)
	{
		// All enclaves are equal, and the children inherit the signature.
		const Enclave first;
		std::generate(pids_.begin(), pids_.end(), [this] { return start(); });
	}

	void kill_one()
	{
		pid_t &pid = pids_[random_() % pids_.size()];
		kill(pid, SIGKILL);
		const int status = wait(pid);
		failed_ += !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
		killed_++;
		pid = start();
	}
	void wait_all()
	{
		for (const pid_t pid : pids_)
			failed_ += wait(pid) != 0;
	}
	bool any_gone() const
	{
		siginfo_t info = {};
		return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
	}
	unsigned killed() const { return killed_; }
	unsigned failed() const { return failed_; }

private:
	pid_t start()
	{
		const pid_t pid = fork();
		if (pid == 0)
			_exit(child(plan_, pages_, seed_, tally_));
		seed_++;
		return pid;
	}
	static int wait(pid_t pid)
	{
		int status = -1;
		waitpid(pid, &status, 0);
		return status;
	}

	const Plan &plan_;
	u64 pages_;
	Tally &tally_;
	std::vector<pid_t> pids_;
	std::minstd_rand random_ = std::minstd_rand(7);
	unsigned killed_ = 0, failed_ = 0, seed_ = 0;
};

int run(const Plan &plan)
{
	const u64 epc = Processor::epc_bytes() / page_size, pages = epc * plan.times / plan.enclaves / 16 * 16;
	auto &tally = *static_cast<Tally *>(mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	if (plan.leaks)
		kmemleak_clear();
	fmt::print("{} enclaves that grow by {} pages each, {} times the EPC of {} pages, {} threads each, for {} s\n",
		   plan.enclaves, pages, plan.times, epc, plan.threads, plan.seconds);
	std::fflush(stdout);
	ProcessPool pool(plan, pages, tally);
	while (tally.built < plan.enclaves && !pool.any_gone())
		usleep(10000);
	const auto length = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(plan.seconds));
	tally.end = (Clock::now() + length).time_since_epoch().count();
	while (plan.kill && !time_is_up(tally)) {
		usleep(20000);
		pool.kill_one();
	}
	pool.wait_all();
	fmt::print("{} enclaves built, {} processes killed, {} failed, {} pieces checked, {} wrong\n", tally.built.load(),
		   pool.killed(), pool.failed(), tally.checked.load(), tally.wrong.load());
	LeakCheck leaks = LeakCheck::settled();
	if (plan.leaks)
		leaks.kernel = kmemleak();
	fmt::print("afterwards: {}\n", leaks.text());
	return pool.failed() || tally.wrong || !tally.checked || !leaks.clean() ? 1 : 0;
}

} // namespace

int main(int argc, char **argv)
try {
	CLI::App app("Stress a driver of SGX: enclaves larger than the EPC, and killed processes");
	Plan plan;
	app.add_option("--enclaves", plan.enclaves, "number of processes, with an enclave each");
	app.add_option("--times", plan.times, "size of all enclaves together, in multiples of the EPC");
	app.add_option("--threads", plan.threads, "threads in each enclave, up to 4")->check(CLI::Range(1, 4));
	app.add_option("--seconds", plan.seconds, "duration after all enclaves are built");
	app.add_flag("--kill", plan.kill, "kill random processes, and start others");
	app.add_flag("--leaks", plan.leaks, "print kmemleak's report at the end");
	CLI11_PARSE(app, argc, argv);
	return run(plan);
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s\n", e.what());
	return 1;
}
