// SPDX-License-Identifier: GPL-2.0
// A thread on a CPU of its own that stays inside an enclave, and tells how often it had to leave.
#pragma once

#include <atomic>

#include <pthread.h>

#include "enclave.h"

namespace isa {

class Spinner {
public:
	enum Mode {
		quiet,	  // no interrupt but kick() brings it out
		ordinary, ///< timers do, too
	};

	/// Reads at `address` all the time, unless that is 0. That may come to fault, so kick() ends its quiet.
	Spinner(const Kernel &k, const Enclave &e, u64 tcs, unsigned cpu, Mode mode = quiet, u64 address = 0);
	~Spinner();
	Spinner(const Spinner &) = delete;
	Spinner &operator=(const Spinner &) = delete;

	/// Returns when the thread is inside.
	void start();
	/// Returns when it has gone around n times more inside, or has ended. Throws after half a minute.
	void beats(u64 n) const;
	/// Asynchronous exits after which it went back in.
	u64 aexs() const { return *static_cast<const volatile u64 *>(&frame_.aexs); }
	bool ended() const { return ended_; }
	/// Tells it to come out. To be said to all before one is waited for.
	void release() { control_.stop = 1; }
	/// Lets it come out, and waits for it. True when it did so by EEXIT.
	bool stop();
	/// An interrupt for its CPU: an NMI if it is quiet. Returns when the thread is inside again, or has ended.
	void kick() const;
	/// How it ended.
	const Exit &exit() const { return exit_; }

private:
	struct Control {
		volatile u32 entered = 0, stop = 0;
		volatile u64 beat = 0;
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

/// Binds the calling thread to one CPU; the number of CPUs there are.
void pin(unsigned cpu);
unsigned cpus();

} // namespace isa
