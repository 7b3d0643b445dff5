// SPDX-License-Identifier: GPL-2.0
// What runs here: which driver, and what the processor and the EPC are like.
#pragma once

#include <string>
#include <vector>

#include "arch.h"

namespace sgx {

/// The driver that owns /dev/sgx_enclave.
struct Driver {
	/// "sgx2" or "intree".
	static std::string name();
	static bool is_sgx2() { return name() == "sgx2"; }
	/// Whether it knows a call: an unknown one is ENOTTY.
	static bool offers(unsigned long ioctl_number);
	/// Whether an enclave that is created now may run code that comes after EINIT.
	static bool allows_dynamic_code();
};

/// By CPUID.
struct Processor {
	static bool has_sgx2();
	static bool has_updatesvn();
	static bool has_rdinfo();
	/// A contiguous piece of EPC, by physical address.
	struct Section {
		u64 base, size;
	};
	static std::vector<Section> epc_sections();
	/// All sections together.
	static u64 epc_bytes();
	/// SECS.SIZE must be below 2 to this.
	static unsigned size_log2_limit();
	static u32 misc_allowed();
	static u64 attributes_allowed();
	static u64 xfrm_allowed();
};

} // namespace sgx
