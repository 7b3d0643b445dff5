// SPDX-License-Identifier: GPL-2.0
// Parts of the tests of races: iterations, accesses that may fail, and pressure on the EPC.
#pragma once

#include <atomic>
#include <random>
#include <thread>

#include "driver.h"
#include "inside.h"

namespace sgx {

/// Returns how often a race is repeated: the value of SGX2_ROUNDS, otherwise @p normal.
unsigned rounds(unsigned normal);

/// Returns true if SGX2_GUEST_TIME says that the machine counts instructions. Elsewhere time depends on the load of
/// the host.
bool guest_time();

/// The end of an access to a page that another thread may change.
enum class Access {
	done,
	refused, ///< a leaf returned an error code
	denied,	 ///< the processor raised a page fault with the SGX bit
	bus,	 ///< the driver or the kernel refused the page
};

/// Performs the operation, and abandons it if it faults, so that the thread can be used again.
Access try_access(const Enclave &enclave, Request &request, unsigned thread);

/// Reads memory of an enclave from outside by a system call: returns 0 for a page, and EFAULT where a read would raise a signal.
Errno peek(u64 at);

/// Sets one member by CONFIGURE, or throws Failed.
void configure(const Enclave &enclave, u32 set, u32 value);

/// Gives the calling thread, but not its children, real-time priority until the destructor runs. Without the permission for that
/// the priority does not change.
class RealTime {
public:
	RealTime();
	~RealTime();
	RealTime(const RealTime &) = delete;
	RealTime &operator=(const RealTime &) = delete;
};

/// Adds three times as many pages as the EPC has to another enclave, and repeats that until fewer than @p most pages of @p enclave are
/// resident, but not more than 32 times. One time may not suffice: the reclaimer spares pages that were accessed between its passes.
void evict(const Enclave &enclave, long most);

/// Runs another enclave, which accesses as many pages as the EPC has, one after the other, until the destructor runs. Pages of the
/// enclaves under test are therefore evicted repeatedly.
class EpcPressure {
public:
	EpcPressure();
	~EpcPressure();
	EpcPressure(const EpcPressure &) = delete;
	EpcPressure &operator=(const EpcPressure &) = delete;

private:
	static Options options();
	void run();

	Enclave enclave_;
	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

} // namespace sgx
