// SPDX-License-Identifier: GPL-2.0
// The driver that is loaded, the processor, and the EPC.
#pragma once

#include <string>
#include <vector>

#include "arch.h"

namespace sgx {

/// The driver that owns /dev/sgx_enclave.
struct Driver {
	/// Returns "sgx2" or "intree".
	static std::string name();
	static bool is_sgx2() { return name() == "sgx2"; }
	/// Returns true if the driver knows the ioctl; it returns ENOTTY for an unknown one.
	static bool offers(unsigned long ioctl_number);
	/// Returns true if an enclave that is created now may run code that is added after EINIT.
	static bool allows_dynamic_code();
};

/// The processor, as CPUID describes it.
struct Processor {
	static bool has_sgx2();
	static bool has_updatesvn();
	static bool has_rdinfo();
	/// A contiguous part of the EPC, by physical address.
	struct Section {
		u64 base, size;
	};
	static std::vector<Section> epc_sections();
	/// Returns the size of all sections together.
	static u64 epc_bytes();
	/// Returns the exponent of 2 that limits SECS.SIZE.
	static unsigned size_log2_limit();
	static u32 misc_allowed();
	static u64 attributes_allowed();
	static u64 xfrm_allowed();
};

} // namespace sgx
