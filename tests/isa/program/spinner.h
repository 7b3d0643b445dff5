// SPDX-License-Identifier: GPL-2.0
// A thread on a CPU of its own that stays inside an enclave, and tells how often it had to leave.
#pragma once

#include <atomic>
#include <thread>

#include "enclave.h"

namespace isa {

class Spinner {
public:
	// Reads at `address` all the time, unless that is 0.
	Spinner(const Enclave &e, u64 tcs, unsigned cpu, u64 address = 0);
	~Spinner();
	Spinner(const Spinner &) = delete;
	Spinner &operator=(const Spinner &) = delete;

	// Returns when the thread is inside.
	void start();
	// Returns when it has gone around n times more inside, or has ended. Throws after half a minute.
	void beats(u64 n) const;
	// Asynchronous exits after which it went back in.
	u64 aexs() const { return *static_cast<const volatile u64 *>(&frame_.aexs); }
	bool ended() const { return ended_; }
	// Lets it come out. True when it did so by EEXIT.
	bool stop();
	// An interrupt for its CPU; returns when the thread is inside again, or has ended.
	void kick(const Kernel &k) const;
	// How it ended.
	const Exit &exit() const { return exit_; }

private:
	struct Control {
		volatile u32 entered = 0, stop = 0;
		volatile u64 beat = 0;
	};

	const Enclave &e_;
	const u64 tcs_, address_;
	const unsigned cpu_;
	Control control_;
	Frame frame_;
	Exit exit_;
	std::atomic<bool> ended_ = false;
	std::thread thread_;
};

// Binds the calling thread to one CPU; the number of CPUs there are.
void pin(unsigned cpu);
unsigned cpus();

} // namespace isa
