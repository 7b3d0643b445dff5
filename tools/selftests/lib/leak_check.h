// SPDX-License-Identifier: GPL-2.0
// Resources that are still in use when no enclave is open.
#pragma once

#include <optional>
#include <string>

#include "arch.h"

namespace sgx {

/// Counts of the machine, the driver and the kernel. A count that none of them reports has no value.
struct LeakCheck {
	/// Valid entries of the EPCM.
	std::optional<u64> valid;
	/// Bytes of EPC that the driver counts as used, and as leaked. Only sgx2 reports them.
	std::optional<u64> used, leaked;
	/// The report of kmemleak, where the kernel has it.
	std::string kernel;

	/// Returns the counts of this moment.
	static LeakCheck now();
	/// Returns the counts as soon as they are clean, or after a minute: a kernel thread may drop the last reference to a file
	/// shortly after its process has ended.
	static LeakCheck settled();

	bool clean() const { return !valid.value_or(0) && !used.value_or(0) && !leaked.value_or(0) && kernel.empty(); }
	std::string text() const;
};

/// Returns kmemleak's report after a scan, which takes seconds; an empty string where the kernel has no kmemleak.
std::string kmemleak();
/// Discards what kmemleak would report at this point.
void kmemleak_clear();

} // namespace sgx
