// SPDX-License-Identifier: GPL-2.0
// What the reclaimer takes when it has a choice: of a set that is touched again and again beside an enclave that is streamed through, and
// of an enclave that idles beside one that works. One JSON object a line; scripts/hotset compares two drivers.

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
	/// Of the stream, in a millisecond; 0 for as many as there can be.
	unsigned pace = 10;
	std::vector<std::string> rows;
};

/// A set of one page in so many of the EPC, touched every so many milliseconds.
struct Hot {
	const char *name;
	unsigned one_in, every;
};
constexpr Hot hot[] = {{"1/8 in 40 ms", 8, 40}, {"1/3 in 58 ms", 3, 58}, {"1/8 in 11 ms", 8, 11}};

/// So many percent of the EPC idle, and so many more are then used, as they come or once all are there.
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

/// What the processes tell each other; shared by them.
struct Board {
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

/// Pages of an enclave of their own, none of which is there yet.
class Set {
public:
	explicit Set(u64 pages) : enclave(options(pages)), pages_(pages), first_(enclave.at(enclave.image().end))
	{
		enclave.map(enclave.image().end, pages * page_size, PROT_READ | PROT_WRITE);
	}
	void build(u64 from, u64 to) const { each(Op::accept, from, to); }
	void touch(u64 from, u64 to) const { each(Op::touch, from, to); }
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

/// A process of its own that runs this, and is ended with this if it has not ended by then.
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

/// The driver's own thread comes before all others, as if it had a CPU of its own. Mainline's faults are taken again and again until it has
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

/// Waits for what another process has to say, unless there is none any more.
template <typename Done>
void await(Done done)
{
	siginfo_t info = {};
	while (!done()) {
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid)
			throw Failed("a process has ended early");
		sleep_until(now() + millisecond);
	}
}

/// Goes through twice the EPC over and over.
void stream(Board &board, unsigned pace)
{
	const Set set(2 * epc_pages());
	const long begin = now();
	for (u64 page = 0; !board.stop; page += piece) {
		const u64 at = page % set.pages();
		if (page < set.pages())
			set.build(at, at + piece);
		else
			set.touch(at, at + piece);
		board.streamed += piece;
		board.laps = board.streamed / set.pages();
		if (pace)
			sleep_until(begin + static_cast<long>(board.streamed) * millisecond / pace);
	}
}

const isa::Monitor &machine()
{
	static const auto monitor = isa::Monitor::find();
	if (!monitor)
		throw Failed("the machine does not tell what it counts");
	return *monitor;
}

/// How often a leaf of ENCLS has succeeded.
long leaf(unsigned number)
{
	return static_cast<long>(machine().counter(SGX2_DEV_CTR_ENCLS(number, 0)));
}

/// Which pages of a set are in the EPC, by the machine's own account, whatever the driver.
class Presence {
public:
	/// All are there now, and no other enclave's at the same addresses.
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

/// Touches the set on time, and counts once the stream has been all the way round.
void keep(const Hot &what, const Plan &plan, Board &board)
{
	const Set set(epc_pages() / what.one_in);
	set.build(0, set.pages());
	const Presence presence(set);
	board.ready = true;
	unsigned counted = 0;
	u64 reloads = 0, streamed = 0;
	long faults = 0, loads = 0, begin = 0, next = now();
	const auto known = [&] {
		return fdinfo(set.enclave.device(), "sgx2-loads");
	};
	while (counted < plan.rounds) {
		if (!counted && board.laps >= 2) {
			begin = now();
			streamed = board.streamed;
			loads = known();
			faults = minor_faults();
		}
		if (begin) {
			reloads += presence.missing();
			counted++;
		}
		set.touch(0, set.pages());
		// What is late stays late; nothing is made up for.
		next = std::max(next + what.every * millisecond, now());
		sleep_until(next);
	}
	const double took = static_cast<double>(now() - begin) / millisecond;
	fmt::print(
		"{{\"row\":\"{}\",\"touches\":{},\"reloads\":{},\"faults\":{},\"loads\":{},\"every\":{:.1f},\"streamed\":{:.1f}}}\n",
		what.name, plan.rounds * set.pages(), reloads, minor_faults() - faults, known() - loads, took / plan.rounds,
		static_cast<double>(board.streamed - streamed) / took);
}

void beside_stream(const Hot &what, const Plan &plan, Board &board)
{
	Process toucher([&] { keep(what, plan, board); });
	await([&] { return board.ready.load(); });
	Process streamer([&] { stream(board, plan.pace); });
	toucher.join();
	board.stop = true;
	streamer.join();
}

constexpr unsigned ewb = 0xb;

/// Grows, and uses all that there is, with each step or at the end.
void work(u64 pages, bool at_once)
{
	const Set set(pages / piece * piece);
	if (at_once)
		set.build(0, set.pages());
	for (u64 have = 0; have < set.pages() && !at_once; have += piece) {
		set.build(have, have + piece);
		set.touch(0, have + piece);
		sleep_until(now() + millisecond);
	}
	for (unsigned i = 0; i < 20; i++) {
		set.touch(0, set.pages());
		sleep_until(now() + 5 * millisecond);
	}
}

void beside_idle(const Idle &what, Board &board)
{
	Process idler([&] {
		const Set set(epc_pages() * what.idle / 100 / piece * piece);
		set.build(0, set.pages());
		set.touch(0, set.pages());
		board.ready = true;
		for (;;)
			pause();
	});
	await([&] { return board.ready.load(); });
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
	// Children inherit the signature.
	{
		const Enclave first;
	}
	for (const Hot &what : hot) {
		const auto room = fresh();
		if (wanted(what.name))
			beside_stream(what, plan, *reinterpret_cast<Board *>(room->data()));
	}
	for (const Idle &what : idle) {
		const auto room = fresh();
		if (wanted(what.name))
			beside_idle(what, *reinterpret_cast<Board *>(room->data()));
	}
}

} // namespace

int main(int argc, char **argv)
try {
	CLI::App app("Shows whom a driver of SGX takes EPC from");
	Plan plan;
	std::vector<std::string> names;
	for (const Hot &h : hot)
		names.emplace_back(h.name);
	for (const Idle &i : idle)
		names.emplace_back(i.name);
	app.add_option("--rounds", plan.rounds, "how often a hot set is touched while it counts");
	app.add_option("--pace", plan.pace, "pages of the stream in a millisecond; 0 for as many as there can be");
	app.add_option("--rows", plan.rows, "only these")->delimiter(',')->check(CLI::IsMember(names));
	CLI11_PARSE(app, argc, argv);
	std::setvbuf(stdout, nullptr, _IOLBF, 0);
	run(plan);
	return 0;
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s\n", e.what());
	return 1;
}
