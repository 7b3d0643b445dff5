// SPDX-License-Identifier: GPL-2.0
// The EPCM check at a TLB fill (Documentation/isa.rst 9).
#pragma once

#include "codes.h"
#include "cpu.h"

namespace sgx2 {

struct TlbRequest {
	uint64_t linear;
	uint64_t physical;
	sgx2_access access;
	bool count; ///< false for a probe
};

/// Check an access and return in @rights the accesses that the TLB entry may allow.
sgx2_tlb_verdict tlb_check(Cpu &cpu, const TlbRequest &request, uint32_t &rights, Fault &fault);

} // namespace sgx2
