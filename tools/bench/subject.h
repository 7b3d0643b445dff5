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

/// What a run is about.
struct Plan {
	std::vector<u64> pages;
	/// How many threads stay inside.
	std::vector<unsigned> inside;
	/// A thread sleeps outside, on another CPU.
	bool idle = false;
	/// For paging: enclaves of so many EPCs.
	std::vector<u64> times;
	std::vector<std::string> works;
	/// Is sgx2 the driver?
	bool own = false;
};

/// The enclave under measurement. Work that fails throws.
class Subject {
public:
	/// A range of so many pages is mapped, reading and writing; none of them is there yet.
	explicit Subject(const Meter &meter, u64 pages, unsigned inside = 0, bool idle = false);
	~Subject();

	/// What it costs, without what the threads inside do of their own.
	Sample measure(const std::function<void()> &work) const;

	/// Leaves on each page of the range, by thread 0 or another.
	void accept(u64 secinfo, bool descending = false, unsigned thread = 0) const
	{
		each(Op::accept, secinfo, descending, thread);
	}
	void extend(u64 secinfo) const { each(Op::extend, secinfo, false, 0); }
	void touch(u64 value = 0) const;
	void each(Op op, u64 secinfo, bool descending, unsigned thread) const;
	/// All of the range by one call, which may have to be repeated.
	void restrict_to(u64 permissions) const;
	void reset() const;
	void augment() const;
	void trim() const;
	void remove() const;
	void protect(int prot) const;
	/// What mprotect() embeds; sgx2 only.
	void configure(u32 mprotect) const;
	void fault_around(u32 pages) const;

	const Meter &meter;
	std::optional<Enclave> enclave;
	u64 offset, length, at;

private:
	/// A thread that has been inside, on another CPU, and sleeps outside of it.
	void add_idle();

	std::vector<std::unique_ptr<Inside>> inside_;
	std::atomic<int> idle_ = 0;
	std::thread sleeper_;
};

/// The leaves of a request on all of its range have to succeed.
void whole(const Enclave &enclave, Request request, unsigned thread = 0);
/// A call on all of a range has to succeed.
void whole(const Progress &progress, u64 length, const char *what);

/// Goes on with a call on a range until it is done, as runtimes do: another thread's call makes mainline's fail with EBUSY, for as long as it
/// takes.
template <typename Call>
void insist(u64 offset, u64 length, const char *what, Call call)
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

/// The task that calls runs on this CPU from now on.
void pin(unsigned cpu);

/// How many instructions a turn of a thread inside takes; finds out the first time.
u64 turn_cost(const Meter &meter);

} // namespace sgx
