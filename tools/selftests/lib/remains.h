// SPDX-License-Identifier: GPL-2.0
// What is left once no enclave is open any more, which is nothing if all is well.
#pragma once

#include <optional>
#include <string>

#include "arch.h"

namespace sgx {

/// As the machine, the driver and the kernel tell it; what none of them tells here is not there.
struct Remains {
	/// Entries of the EPCM that are valid, as the machine has them.
	std::optional<u64> valid;
	/// Bytes of EPC that the driver counts as in use, and those that it has leaked. Only sgx2 says so.
	std::optional<u64> used, leaked;
	/// What kmemleak reports, where the kernel has it.
	std::string leaks;

	/// Now.
	static Remains now();
	/// The same, once there are none or some seconds have gone: the last reference to a file may be dropped by a thread of the
	/// kernel, a little after the process is gone.
	static Remains settled();

	bool none() const { return !valid.value_or(0) && !used.value_or(0) && !leaked.value_or(0) && leaks.empty(); }
	std::string text() const;
};

/// Has the kernel look for leaks, which takes seconds, and returns its report; empty too where it does not know how.
std::string kmemleak();
/// What it would have reported until now is not asked for.
void kmemleak_clear();

} // namespace sgx
