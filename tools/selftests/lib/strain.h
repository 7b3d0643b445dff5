// SPDX-License-Identifier: GPL-2.0
// What tests of races are made of: rounds, touches that may meet anything, and pressure on the EPC.
#pragma once

#include <atomic>
#include <random>
#include <thread>

#include "driver.h"
#include "inside.h"

namespace sgx {

/// How often a race is run: as often as SGX2_ROUNDS says, or else this.
unsigned rounds(unsigned normal);

/// Whether the machine counts instructions, as SGX2_GUEST_TIME says: elsewhere time tells little, since others may have had the
/// processor.
bool guest_time();

/// How a touch ended for a thread that may meet a page which is not there to be used.
enum class Touch {
	done,
	refused, ///< by the code that a leaf returned
	denied,	 ///< by the processor: a page fault with the SGX bit
	bus,	 ///< by the driver, or the kernel: no such mapping
};

/// The operation, which is given up if it faults, so that the thread can be used again.
Touch touch(const Enclave &enclave, Request &request, unsigned thread);

/// Reads memory of an enclave from outside, which gives all ones where there is a page, and EFAULT where a touch is a signal.
Errno peek(u64 at);

/// CONFIGURE of one member. Throws Failed.
void configure(const Enclave &enclave, u32 set, u32 value);

/// While this lives, the thread that made it comes before all others; its children do not. Where that is not allowed it comes when it
/// comes.
class RealTime {
public:
	RealTime();
	~RealTime();
	RealTime(const RealTime &) = delete;
	RealTime &operator=(const RealTime &) = delete;
};

/// While this lives another enclave uses as many pages as there are in the EPC, one after the other, so that those of the enclaves
/// under test are evicted again and again.
class Squeeze {
public:
	Squeeze();
	~Squeeze();
	Squeeze(const Squeeze &) = delete;
	Squeeze &operator=(const Squeeze &) = delete;

private:
	static Options options();
	void run();

	Enclave enclave_;
	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

} // namespace sgx
