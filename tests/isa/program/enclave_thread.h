// SPDX-License-Identifier: GPL-2.0
// A thread bound to a CPU that stays inside an enclave and counts its asynchronous exits.
#pragma once

#include <atomic>

#include <pthread.h>

#include "enclave.h"

namespace isa {

class EnclaveThread {
public:
	enum Mode {
		without_interrupts, // only interrupt() makes the thread exit
		with_interrupts,    ///< timers also make the thread exit
	};

	/// Prepare the thread. It reads at `address` in each iteration unless that is 0. Because
	/// the read may fault, interrupt() then ends the mode without_interrupts.
	EnclaveThread(const Kernel &k, const Enclave &e, u64 tcs, unsigned cpu, Mode mode = without_interrupts, u64 address = 0);
	~EnclaveThread();
	EnclaveThread(const EnclaveThread &) = delete;
	EnclaveThread &operator=(const EnclaveThread &) = delete;

	/// Start the thread and return when it is inside.
	void start();
	/// Return after n more iterations inside, or when the thread has ended. Throws after 30
	/// seconds.
	void wait_iterations(u64 n) const;
	/// Return the number of asynchronous exits after which the thread resumed.
	u64 aexs() const { return *static_cast<const volatile u64 *>(&frame_.aexs); }
	bool ended() const { return ended_; }
	/// Request the thread to exit, without waiting. With several threads, request all before
	/// stop().
	void release() { control_.stop = 1; }
	/// Request the thread to exit and wait for it. Return whether it exited by EEXIT.
	bool stop();
	/// Interrupt the thread's CPU, by an NMI if the thread runs without interrupts. Return when
	/// the thread is inside again or has ended.
	void interrupt() const;
	/// Return how the thread ended.
	const Exit &exit() const { return exit_; }

private:
	struct Control {
		volatile u32 entered = 0, stop = 0;
		volatile u64 iterations = 0;
	};

	static void *run(void *self);

	const Kernel &k_;
	const Enclave &e_;
	const u64 tcs_, address_;
	const unsigned cpu_;
	const Mode mode_;
	Control control_;
	Frame frame_;
	Exit exit_;
	std::atomic<bool> ended_ = false;
	bool running_ = false;
	pthread_t thread_{};
};

/// Bind the calling thread to one CPU; return the number of CPUs.
void pin(unsigned cpu);
unsigned cpus();

} // namespace isa
