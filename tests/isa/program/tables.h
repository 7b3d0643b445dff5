// SPDX-License-Identifier: GPL-2.0
// The tables of rows, in the order in which they run, and the contents of CPUID that some rows
// need.
#pragma once

#include "test_bench.h"

namespace isa {

std::span<const Group> prologue_groups();
std::span<const Group> build_groups();
std::span<const Group> einit_groups();
std::span<const Group> page_groups();
std::span<const Group> paging_groups();
std::span<const Group> sgx2_groups();
std::span<const Group> debug_groups();
std::span<const Group> entry_groups();
std::span<const Group> exit_groups();
std::span<const Group> accept_groups();
std::span<const Group> key_groups();
std::span<const Group> access_groups();
std::span<const Group> tlb_groups();
std::span<const Group> instruction_groups();
std::span<const Group> tracking_groups();
std::span<const Group> optional_groups();
std::span<const Group> monitor_groups();

struct Cpuid {
	u32 eax, ebx, ecx, edx;
};
Cpuid cpuid(u32 leaf, u32 subleaf = 0);
/// Return CPUID.12H.0:EAX, and the settable ATTRIBUTES and XFRM of CPUID.12H.1.
u32 cpuid_sgx();
u64 cpuid_attributes();
u64 cpuid_xfrm();

constexpr u32 CPUID_SGX1 = 1, CPUID_SGX2 = 2, CPUID_ENCLV = 1 << 5, CPUID_ENCLS_C = 1 << 6, CPUID_EVERIFYREPORT2 = 1 << 7,
	      CPUID_EUPDATESVN = 1 << 10, CPUID_EDECCSSA = 1 << 11;

/// True if the machine was started with sgx-epc.strict-tcs=on.
extern bool strict_tcs;

} // namespace isa
