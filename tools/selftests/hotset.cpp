// SPDX-License-Identifier: GPL-2.0
// Shows which pages the reclaimer evicts: of a set that is accessed repeatedly beside an enclave that streams through twice the EPC, and
// of an idle enclave beside one that works. Prints a JSON object on each line; scripts/hotset compares two drivers.

#include <algorithm>
#include <atomic>
#include <bit>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tests/isa/program/monitor.h"
#include "driver.h"
#include "inside.h"

using namespace sgx;

namespace {

constexpr long millisecond = 1000000, second = 1000 * millisecond;
constexpr u64 piece = 64;

struct Plan {
	unsigned rounds = 40;
	/// Pages of the stream in a millisecond; 0 for no limit.
	unsigned pace = 10;
	std::vector<std::string> rows;
};

/// A hot set: its share of the EPC, as a divisor, and the period of its accesses in milliseconds.
struct Hot {
	const char *name;
	unsigned one_in, every;
};
constexpr Hot hot[] = {{"1/8 in 40 ms", 8, 40}, {"1/3 in 58 ms", 3, 58}, {"1/8 in 11 ms", 8, 11}};

/// Percent of the EPC that idles, and percent that is then used, either in each step or after the last page was added.
struct Idle {
	const char *name;
	unsigned idle, used;
	bool at_once;
};
constexpr Idle idle[] = {
	{"half idle", 50, 57, false},
	{"three quarters idle", 75, 32, false},
	{"half idle at once", 50, 57, true},
	{"three quarters idle at once", 75, 32, true},
};

/// State that the processes share.
struct SharedState {
	std::atomic<bool> ready, stop;
	std::atomic<u64> laps, streamed;
};

long now()
{
	timespec t = {};
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * second + t.tv_nsec;
}

void sleep_until(long when)
{
	const timespec t = {.tv_sec = when / second, .tv_nsec = when % second};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr);
}

u64 epc_pages()
{
	return Processor::epc_bytes() / page_size;
}

/// An enclave whose pages are not added yet.
class Set {
public:
	explicit Set(u64 pages) : enclave(options(pages)), pages_(pages), first_(enclave.at(enclave.image().end))
	{
		enclave.map(enclave.image().end, pages * page_size, PROT_READ | PROT_WRITE);
	}
	void build(u64 from, u64 to) const { each(Op::accept, from, to); }
	void access(u64 from, u64 to) const { each(Op::access, from, to); }
	u64 pages() const { return pages_; }
	u64 at(u64 page) const { return first_ + page * page_size; }

	const Enclave enclave;

private:
	static Options options(u64 pages)
	{
		Options o;
		o.size = std::max<u64>(std::bit_ceil((pages + 4096) * page_size), 16 << 20);
		return o;
	}
	void each(Op op, u64 from, u64 to) const
	{
		const Request r =
			enclave.ask(request(op, first_ + from * page_size, (to - from) * page_size, REG | RW | PENDING));
		if (r.status != Status::done)
			throw Failed(fmt::format("operation {} after {} bytes: {}", static_cast<u64>(op), r.done, r.result));
	}

	u64 pages_, first_;
};

/// A process that runs a function. The destructor kills it if it still runs.
class Process {
public:
	template <typename Body>
	explicit Process(Body body) : pid_(fork())
	{
		must(errno_of(pid_), "fork");
		if (pid_ != 0)
			return;
		int status = 1;
		try {
			body();
			status = 0;
		} catch (const std::exception &e) {
			fmt::print(stderr, "{}\n", e.what());
		}
		std::fflush(stdout);
		_exit(status);
	}
	~Process()
	{
		if (pid_ <= 0)
			return;
		kill(pid_, SIGKILL);
		waitpid(pid_, nullptr, 0);
	}
	Process(const Process &) = delete;
	Process &operator=(const Process &) = delete;

	void join()
	{
		int status = -1;
		waitpid(pid_, &status, 0);
		pid_ = -1;
		if (status)
			throw Failed(fmt::format("a process ended with status {:#x}", status));
	}

private:
	pid_t pid_;
};

/// Gives the driver's thread real-time priority, as if it had a CPU of its own. Otherwise mainline's faults repeat until the thread has
/// made room.
void advance_reclaimer()
{
	const sched_param first = {.sched_priority = 20};
	for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
		std::string name;
		if (std::ifstream(entry.path() / "comm") >> name && (name == "ksgxd" || name == "ksgx2d"))
			sched_setscheduler(std::stoi(entry.path().filename()), SCHED_FIFO, &first);
	}
}

/// Waits for a condition that another process sets, as long as the process runs.
template <typename Done>
void await(Done done)
{
	siginfo_t info = {};
	while (!done()) {
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
			throw Failed("a process ended too early");
		sleep_until(now() + millisecond);
	}
}

/// Accesses twice as many pages as the EPC has, one after the other, in a loop.
void stream(SharedState &state, unsigned pace)
{
	const Set set(2 * epc_pages());
	const long begin = now();
	for (u64 page = 0; !state.stop; page += piece) {
		const u64 at = page % set.pages();
		if (page < set.pages())
			set.build(at, at + piece);
		else
			set.access(at, at + piece);
		state.streamed += piece;
		state.laps = state.streamed / set.pages();
		if (pace)
			sleep_until(begin + static_cast<long>(state.streamed) * millisecond / pace);
	}
}

const isa::Monitor &machine()
{
	static const auto monitor = isa::Monitor::find();
	if (!monitor)
		throw Failed("the machine has no counters: use tests/machine/run");
	return *monitor;
}

/// Returns how often a leaf of ENCLS has succeeded.
long leaf(unsigned number)
{
	return static_cast<long>(machine().counter(SGX2_DEV_CTR_ENCLS(number, 0)));
}

/// The pages of a set that are resident, according to the machine, with either driver.
class Presence {
public:
	/// Begins when all pages are resident and no other enclave has pages at these addresses.
	explicit Presence(const Set &set) : set_(set)
	{
		for (u64 i = 0; i < machine().pages(); i++) {
			const isa::EpcmEntry e = machine().entry(i);
			if (e.valid() && e.linear == set.at(0))
				id_ = e.enclave;
		}
	}
	u64 missing() const
	{
		u64 there = 0;
		for (u64 i = 0; i < machine().pages(); i++) {
			const isa::EpcmEntry e = machine().entry(i);
			there += e.valid() && e.enclave == id_ && e.linear >= set_.at(0) && e.linear < set_.at(set_.pages());
		}
		return set_.pages() - there;
	}

private:
	const Set &set_;
	u64 id_ = 0;
};

long minor_faults()
{
	rusage usage = {};
	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/// Accesses the set periodically, and counts after the stream has accessed all of its pages once.
void keep(const Hot &what, const Plan &plan, SharedState &state)
{
	const Set set(epc_pages() / what.one_in);
	set.build(0, set.pages());
	const Presence presence(set);
	state.ready = true;
	unsigned counted = 0;
	u64 reloads = 0, streamed = 0;
	long faults = 0, loads = 0, begin = 0, next = now();
	const auto known = [&] {
		return fdinfo(set.enclave.device(), "sgx2-loads");
	};
	while (counted < plan.rounds) {
		if (!counted && state.laps >= 2) {
			begin = now();
			streamed = state.streamed;
			loads = known();
			faults = minor_faults();
		}
		if (begin) {
			reloads += presence.missing();
			counted++;
		}
		set.access(0, set.pages());
		// A late access delays those after it; none is skipped.
		next = std::max(next + what.every * millisecond, now());
		sleep_until(next);
	}
	const double took = static_cast<double>(now() - begin) / millisecond;
	fmt::print(
		"{{\"row\":\"{}\",\"touches\":{},\"reloads\":{},\"faults\":{},\"loads\":{},\"every\":{:.1f},\"streamed\":{:.1f}}}\n",
		what.name, plan.rounds * set.pages(), reloads, minor_faults() - faults, known() - loads, took / plan.rounds,
		static_cast<double>(state.streamed - streamed) / took);
}

void beside_stream(const Hot &what, const Plan &plan, SharedState &state)
{
	Process toucher([&] { keep(what, plan, state); });
	await([&] { return state.ready.load(); });
	Process streamer([&] { stream(state, plan.pace); });
	toucher.join();
	state.stop = true;
	streamer.join();
}

constexpr unsigned ewb = 0xb;

/// Adds pages, and accesses all of them in each step or after the last one.
void work(u64 pages, bool at_once)
{
	const Set set(pages / piece * piece);
	if (at_once)
		set.build(0, set.pages());
	for (u64 have = 0; have < set.pages() && !at_once; have += piece) {
		set.build(have, have + piece);
		set.access(0, have + piece);
		sleep_until(now() + millisecond);
	}
	for (unsigned i = 0; i < 20; i++) {
		set.access(0, set.pages());
		sleep_until(now() + 5 * millisecond);
	}
}

void beside_idle(const Idle &what, SharedState &state)
{
	Process idler([&] {
		const Set set(epc_pages() * what.idle / 100 / piece * piece);
		set.build(0, set.pages());
		set.access(0, set.pages());
		state.ready = true;
		for (;;)
			pause();
	});
	await([&] { return state.ready.load(); });
	sleep_until(now() + 20 * millisecond);
	const long before = leaf(ewb);
	Process worker([&] { work(epc_pages() * what.used / 100, what.at_once); });
	worker.join();
	fmt::print("{{\"row\":\"{}\",\"written\":{}}}\n", what.name, leaf(ewb) - before);
}

void run(const Plan &plan)
{
	const auto wanted = [&](const char *name) {
		return plan.rows.empty() || std::find(plan.rows.begin(), plan.rows.end(), name) != plan.rows.end();
	};
	const auto fresh = [] {
		return std::make_unique<Mapping>(Mapping::adopt(
			mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), page_size));
	};
	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		advance_reclaimer();
	// The children inherit the signature.
	{
		const Enclave first;
	}
	for (const Hot &what : hot) {
		const auto room = fresh();
		if (wanted(what.name))
			beside_stream(what, plan, *reinterpret_cast<SharedState *>(room->data()));
	}
	for (const Idle &what : idle) {
		const auto room = fresh();
		if (wanted(what.name))
			beside_idle(what, *reinterpret_cast<SharedState *>(room->data()));
	}
}

} // namespace

int main(int argc, char **argv)
try {
	CLI::App app("Show which pages a driver of SGX evicts");
	Plan plan;
	std::vector<std::string> names;
	for (const Hot &h : hot)
		names.emplace_back(h.name);
	for (const Idle &i : idle)
		names.emplace_back(i.name);
	app.add_option("--rounds", plan.rounds, "number of accesses to a hot set that count");
	app.add_option("--pace", plan.pace, "pages of the stream in a millisecond; 0 for no limit");
	app.add_option("--rows", plan.rows, "rows to run; all by default")->delimiter(',')->check(CLI::IsMember(names));
	CLI11_PARSE(app, argc, argv);
	std::setvbuf(stdout, nullptr, _IOLBF, 0);
	run(plan);
	return 0;
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s\n", e.what());
	return 1;
}
