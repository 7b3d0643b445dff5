// SPDX-License-Identifier: GPL-2.0
// The cost of a piece of work: guest instructions, leaves, interrupts, faults, memory.
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

/// Reads the counters of the machine, of the kernel, and of sgx2 in fdinfo.
class Meter {
public:
	Meter();

	/// Returns the cost of the work. Under -icount the TSC counts the instructions of all CPUs; otherwise it is a clock. settle() waits
	/// until the guest is quiet, before the work begins.
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
		return measure(
			device, [] {}, work);
	}

	/// Returns the TSC.
	static u64 stamp();
	/// Waits until the driver has cleaned the EPC: after it was loaded it does so while the first enclaves run.
	void await_clean() const;
	/// Returns the kernel memory in use, in bytes: all that is not free, except page tables, which belong to mappings.
	static long memory();
	/// Returns the memory of all shmem files, in bytes; the backing files of enclaves are such files.
	static long shared_memory();
	/// Returns the bytes that the driver uses for the descriptors of all EPC pages, used or not.
	static long epc_memory();

private:
	/// Returns right after a timer tick, so that the next tick is far: a tick costs as much as a hundred pages.
	static void await_tick();
	Sample read(const Device *device) const;
	static Sample difference(const Sample &before, const Sample &after, u64 ticks);

	std::unique_ptr<isa::Monitor> monitor_;
};

/// All samples of a run. They are printed at its end, since output disturbs later measurements.
class Results {
public:
	void add(const std::string &work, u64 pages, unsigned inside, const Sample &sample);
	void print() const;

private:
	std::vector<std::string> lines_;
};

} // namespace sgx
