// SPDX-License-Identifier: GPL-2.0
// Runs enclave code in a thread that is bound to a CPU.

#include "enclave_thread.h"

#include <algorithm>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <string>

#include <sched.h>
#include <unistd.h>

namespace isa {

namespace {

constexpr std::time_t timeout_seconds = 30;
constexpr unsigned most_cpus = 8;

/// The threads have static stacks. The C library would unmap its stacks at the end of a thread; the
/// kernel then sends an IPI to every CPU that runs this program and waits for CPUs that take no
/// interrupts.
alignas(page_size) u8 stacks[most_cpus][256 * 1024];

/// Return the shortest of five sleeps, in nanoseconds.
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

/// Sleep, so that the other CPU runs on a host with fewer CPUs; without high-resolution timers a
/// sleep is long, so spin.
void short_wait()
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
		throw std::runtime_error("no CPU " + std::to_string(cpu));
}

unsigned cpus()
{
	const long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? static_cast<unsigned>(n) : 1;
}

EnclaveThread::EnclaveThread(const Kernel &k, const Enclave &e, u64 tcs, unsigned cpu, Mode mode, u64 address)
	: k_(k), e_(e), tcs_(tcs), address_(address), cpu_(cpu), mode_(mode)
{
	if (cpu >= most_cpus)
		throw std::runtime_error("no stack for a thread on CPU " + std::to_string(cpu));
}

EnclaveThread::~EnclaveThread()
{
	stop();
}

void *EnclaveThread::run(void *self)
{
	EnclaveThread &s = *static_cast<EnclaveThread *>(self);
	sigset_t alarms;
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, nullptr);
	pin(s.cpu_);
	install_fault_handlers();
	// Enter and exit once and read the code at the AEP, so that all pages of the thread are
	// mapped.
	Frame first_entry;
	s.e_.enter(inside_state, first_entry, s.tcs_);
	(void)*const_cast<const volatile u8 *>(isa_aep);
	s.k_.disable_interrupts(s.mode_ == without_interrupts);
	s.exit_ = s.e_.enter(s.address_ ? inside_watch : inside_spin, s.frame_, s.tcs_);
	s.k_.disable_interrupts(false);
	s.ended_ = true;
	return nullptr;
}

void EnclaveThread::start()
{
	frame_.rsi = reinterpret_cast<u64>(&control_);
	frame_.rdx = address_;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	running_ = pthread_attr_setstack(&attr, stacks[cpu_], sizeof(stacks[cpu_])) == 0 &&
		   pthread_create(&thread_, &attr, run, this) == 0;
	pthread_attr_destroy(&attr);
	if (!running_)
		throw std::runtime_error("a thread cannot be created");
	while (!control_.entered && !ended_)
		short_wait();
	wait_iterations(10);
}

void EnclaveThread::wait_iterations(u64 n) const
{
	const u64 until = control_.iterations + n;
	const std::time_t limit = std::time(nullptr) + timeout_seconds;
	while (control_.iterations < until && !ended_) {
		if (std::time(nullptr) > limit)
			throw std::runtime_error("a thread inside makes no progress");
		short_wait();
	}
}

bool EnclaveThread::stop()
{
	if (running_) {
		release();
		pthread_join(thread_, nullptr);
	}
	running_ = false;
	return ended_ && exit_.where == Exit::returned;
}

void EnclaveThread::interrupt() const
{
	const u64 before = aexs();
	if (mode_ == with_interrupts)
		k_.interrupt(cpu_);
	else if (address_)
		k_.nmi_and_enable(cpu_);
	else
		k_.nmi(cpu_);
	// The exit is counted when the thread resumes.
	const std::time_t limit = std::time(nullptr) + timeout_seconds;
	while (aexs() == before && !ended_) {
		if (std::time(nullptr) > limit)
			throw std::runtime_error("an interrupt did not make a thread exit");
		short_wait();
	}
	wait_iterations(10);
}

} // namespace isa
