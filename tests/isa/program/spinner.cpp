// SPDX-License-Identifier: GPL-2.0
// Runs enclave code in a thread of its own, bound to a CPU.

#include "spinner.h"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <string>

#include <sched.h>
#include <unistd.h>

namespace isa {

namespace {

constexpr std::time_t patience = 30;
constexpr unsigned most_cpus = 8;

/// Stacks of our own: the C library gives memory of its stacks back when a thread ends, for which the kernel interrupts every CPU
/// that runs this program, and waits for those that take no interrupts.
alignas(page_size) u8 stacks[most_cpus][256 * 1024];

/// The shortest sleep, of five tries, in nanoseconds.
u64 shortest_sleep()
{
	u64 least = ~0ULL;
	for (int i = 0; i < 5; i++) {
		timespec from, to;
		clock_gettime(CLOCK_MONOTONIC, &from);
		usleep(50);
		clock_gettime(CLOCK_MONOTONIC, &to);
		least = std::min(least, static_cast<u64>((to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec - from.tv_nsec));
	}
	return least;
}

/// A sleep lets the other CPU run where the host has less of them; but without high-resolution timers it is long.
void wait_a_little()
{
	static const bool fine = shortest_sleep() < 1000000;
	if (fine)
		usleep(50);
	else
		sched_yield();
}

} // namespace

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

Spinner::Spinner(const Kernel &k, const Enclave &e, u64 tcs, unsigned cpu, Mode mode, u64 address)
	: k_(k), e_(e), tcs_(tcs), address_(address), cpu_(cpu), mode_(mode)
{
	if (cpu >= most_cpus)
		throw std::runtime_error("no stack for a thread on CPU " + std::to_string(cpu));
}

Spinner::~Spinner()
{
	stop();
}

void *Spinner::run(void *self)
{
	Spinner &s = *static_cast<Spinner *>(self);
	sigset_t alarms;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, nullptr);
	pin(s.cpu_);
	catch_faults();
	// Once in and out, and a look at the AEP: that brings in all pages that the thread will touch.
	Frame rehearsal;
	s.e_.enter(inside_state, rehearsal, s.tcs_);
	(void)*const_cast<const volatile u8 *>(isa_aep);
	s.k_.quiet(s.mode_ == quiet);
	s.exit_ = s.e_.enter(s.address_ ? inside_watch : inside_spin, s.frame_, s.tcs_);
	s.k_.quiet(false);
	s.ended_ = true;
	return nullptr;
}

void Spinner::start()
{
	frame_.rsi = reinterpret_cast<u64>(&control_);
	frame_.rdx = address_;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	running_ = pthread_attr_setstack(&attr, stacks[cpu_], sizeof(stacks[cpu_])) == 0 &&
		   pthread_create(&thread_, &attr, run, this) == 0;
	pthread_attr_destroy(&attr);
	if (!running_)
		throw std::runtime_error("a thread cannot be made");
	while (!control_.entered && !ended_)
		wait_a_little();
	beats(10);
}

void Spinner::beats(u64 n) const
{
	const u64 until = control_.beat + n;
	const std::time_t limit = std::time(nullptr) + patience;
	while (control_.beat < until && !ended_) {
		if (std::time(nullptr) > limit)
			throw std::runtime_error("a thread inside does not come on");
		wait_a_little();
	}
}

bool Spinner::stop()
{
	if (running_) {
		release();
		pthread_join(thread_, nullptr);
	}
	running_ = false;
	return ended_ && exit_.where == Exit::returned;
}

void Spinner::kick() const
{
	const u64 before = aexs();
	if (mode_ == ordinary)
		k_.kick(cpu_);
	else if (address_)
		k_.wake(cpu_);
	else
		k_.nmi(cpu_);
	// The exit is counted on the way back in.
	const std::time_t limit = std::time(nullptr) + patience;
	while (aexs() == before && !ended_) {
		if (std::time(nullptr) > limit)
			throw std::runtime_error("an interrupt did not bring a thread out");
		wait_a_little();
	}
	beats(10);
}

} // namespace isa
