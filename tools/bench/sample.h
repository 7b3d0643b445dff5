// SPDX-License-Identifier: GPL-2.0
// What one piece of work costs: guest instructions, leaves, interrupts, faults, memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../../tests/isa/program/monitor.h"
#include "enclave.h"

namespace sgx {

/// Counts by name. A count that is zero may be missing.
using Sample = std::map<std::string, long>;

Sample &operator+=(Sample &a, const Sample &b);

/// Reads all that is counted: by the machine, by the kernel, and by sgx2 in its fdinfo.
class Meter {
public:
	Meter();

	/// What the work costs. Under -icount the processor's TSC counts the instructions of all CPUs; else it is time. Before it begins all has to
	/// be quiet, which settle() waits for.
	template <typename Settle, typename Work>
	Sample measure(const Device *device, Settle &&settle, Work &&work) const
	{
		const Sample before = read(device);
		await_tick();
		settle();
		const u64 start = stamp();
		work();
		const u64 end = stamp();
		return difference(before, read(device), end - start);
	}
	template <typename Work>
	Sample measure(const Device *device, Work &&work) const
	{
		return measure(device, [] {}, work);
	}

	/// The time by the TSC.
	static u64 stamp();
	/// A driver that has just come cleans the EPC behind the back of the first enclaves: waits until it has.
	void await_clean() const;
	/// Kernel memory in use, in bytes: what is not free, without page tables, which belong to mappings.
	static long memory();
	/// Bytes that the driver keeps for all of the EPC, in use or not.
	static long epc_memory();

private:
	/// Returns right after a tick of the timer, so that the next one is far: a tick costs as much as a hundred pages.
	static void await_tick();
	Sample read(const Device *device) const;
	static Sample difference(const Sample &before, const Sample &after, u64 ticks);

	std::unique_ptr<isa::Monitor> monitor_;
};

/// All samples of a run. They are printed at its end, since output disturbs what comes after it.
class Results {
public:
	void add(const std::string &work, u64 pages, unsigned inside, const Sample &sample);
	void print() const;

private:
	std::vector<std::string> lines_;
};

} // namespace sgx
