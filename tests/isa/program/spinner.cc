// SPDX-License-Identifier: GPL-2.0
// Runs enclave code in a thread of its own, bound to a CPU.

#include "spinner.h"

#include <csignal>
#include <ctime>
#include <stdexcept>

#include <sched.h>
#include <unistd.h>

namespace isa {

void pin(unsigned cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		throw std::runtime_error("there is no CPU " + std::to_string(cpu));
}

unsigned cpus()
{
	const long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? static_cast<unsigned>(n) : 1;
}

Spinner::Spinner(const Enclave &e, u64 tcs, unsigned cpu, u64 address) : e_(e), tcs_(tcs), address_(address), cpu_(cpu) {}

Spinner::~Spinner()
{
	stop();
}

void Spinner::start()
{
	frame_.rsi = reinterpret_cast<u64>(&control_);
	frame_.rdx = address_;
	thread_ = std::thread([this] {
		sigset_t alarms;
		sigemptyset(&alarms);
		sigaddset(&alarms, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &alarms, nullptr);
		pin(cpu_);
		catch_faults();
		exit_ = e_.enter(address_ ? inside_watch : inside_spin, frame_, tcs_);
		ended_ = true;
	});
	while (!control_.entered && !ended_)
		usleep(100);
	beats(10);
}

void Spinner::beats(u64 n) const
{
	const u64 until = control_.beat + n;
	const std::time_t limit = std::time(nullptr) + 30;
	while (control_.beat < until && !ended_) {
		if (std::time(nullptr) > limit)
			throw std::runtime_error("a thread inside does not come on");
		usleep(50);
	}
}

bool Spinner::stop()
{
	if (!thread_.joinable())
		return ended_ && exit_.where == Exit::returned;
	control_.stop = 1;
	thread_.join();
	return exit_.where == Exit::returned;
}

void Spinner::kick(const Kernel &k) const
{
	const u64 before = aexs();
	k.kick(cpu_);
	// The exit is counted on the way back in.
	const std::time_t limit = std::time(nullptr) + 30;
	while (aexs() == before && !ended_) {
		if (std::time(nullptr) > limit)
			throw std::runtime_error("an interrupt did not bring a thread out");
		usleep(50);
	}
	beats(10);
}

} // namespace isa
