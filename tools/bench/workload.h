// SPDX-License-Identifier: GPL-2.0
// An enclave with a range that grows, shrinks and changes, and threads that stay inside meanwhile.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "driver.h"
#include "inside.h"
#include "sample.h"

namespace sgx {

/// The seed of random accesses: equal on both drivers.
constexpr u64 seed = 1;

/// The parameters of a run.
struct Plan {
	std::vector<u64> pages;
	/// Numbers of threads that stay inside.
	std::vector<unsigned> inside;
	/// True if a thread sleeps outside of the enclave, on another CPU.
	bool idle = false;
	/// For paging: sizes of the enclaves, in multiples of the EPC.
	std::vector<u64> times;
	std::vector<std::string> works;
	/// True if the driver is sgx2.
	bool own = false;
};

/// The enclave that is measured. Its functions throw Failed if the work fails.
class Workload {
public:
	/// Maps a range of so many pages, readable and writable, and adds no page.
	explicit Workload(const Meter &meter, u64 pages, unsigned inside = 0, bool idle = false);
	~Workload();

	/// Returns the cost of the work, without the instructions of the threads inside.
	Sample measure(const std::function<void()> &work) const;

	/// Executes a leaf on each page of the range, by thread 0 or another one.
	void accept(u64 secinfo, bool descending = false, unsigned thread = 0) const
	{
		each(Op::accept, secinfo, descending, thread);
	}
	void extend(u64 secinfo) const { each(Op::extend, secinfo, false, 0); }
	void access(u64 value = 0, bool descending = false) const;
	/// Reads as many pages as the range has, at random.
	void access_random() const;
	void each(Op op, u64 secinfo, bool descending, unsigned thread) const;
	/// Runs a call on all of the range, and repeats it if necessary.
	void restrict_to(u64 permissions) const;
	void reset() const;
	void augment() const;
	void trim() const;
	void remove() const;
	void protect(int prot) const;
	/// Sets what mprotect() does to the pages; sgx2 only.
	void configure(u32 mprotect) const;
	void fault_around(u32 pages) const;

	const Meter &meter;
	std::optional<Enclave> enclave;
	u64 offset, length, at;

private:
	/// Starts a thread that has been inside, on another CPU, and sleeps outside.
	void add_idle();

	std::vector<std::unique_ptr<Inside>> inside_;
	std::atomic<int> idle_ = 0;
	std::thread sleeper_;
};

/// Executes the leaves of a request on all of its range, or throws Failed.
void whole(const Enclave &enclave, Request request, unsigned thread = 0);
/// Throws Failed unless a call has done all of a range.
void whole(const Progress &progress, u64 length, const char *what);

/// Repeats a call on a range until all of it is done, as runtimes do: on mainline it fails with EBUSY during the call of another
/// thread.
template <typename Call>
void retry_until_done(u64 offset, u64 length, const char *what, Call call)
{
	Progress all;
	do {
		const Progress p = call(offset + all.count, length - all.count);
		all.count += p.count;
		all.error = p.error;
		if (p.error == EBUSY || p.error == EAGAIN)
			std::this_thread::yield();
	} while (all.count < length && (!all.error || all.error == EBUSY || all.error == EAGAIN));
	whole(all, length, what);
}

/// Pins the calling task to this CPU.
void pin(unsigned cpu);

/// Returns the number of instructions of an iteration of a thread inside; measures it at the first call.
u64 turn_cost(const Meter &meter);

} // namespace sgx
