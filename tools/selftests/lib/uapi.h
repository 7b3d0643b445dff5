// SPDX-License-Identifier: GPL-2.0
// The ioctls of <asm/sgx.h>, and those that only sgx2 has.
#pragma once

#include <asm/sgx.h>

#include "arch.h"

namespace sgx {

/// Numbers of the ioctls that only sgx2 has. Their structs begin with their size.
constexpr unsigned long ioc_query = 0xA440, ioc_configure = 0xA441, ioc_reset = 0xA442, ioc_augment = 0xA443;

/// Query::features.
constexpr u64 query_sgx2 = 1, query_dynamic_code = 2;

struct Query {
	u32 size;
	u32 abi;
	u64 features;
	u64 errata;
	u64 epc_total;
	u64 epc_free;
	u32 chunk_size;
	u32 reserved;
};

struct Configure {
	u32 size;
	u32 set;
	u32 mprotect;
	u32 augment;
	u32 fault_around;
	u32 reserved;
};
constexpr u32 configure_mprotect = 1, configure_augment = 2, configure_fault_around = 4;
constexpr u32 mprotect_nothing = 0, mprotect_reset = 1, mprotect_reset_keep_read = 2, mprotect_restrict = 3;
constexpr u32 augment_on_fault = 0, augment_never = 1;

struct Reset {
	u32 size;
	u32 flags;
	u64 offset;
	u64 length;
	u64 result;
	u64 count;
};
constexpr u32 reset_keep_read = 1;

struct Augment {
	u32 size;
	u32 flags;
	u64 offset;
	u64 length;
	u64 count;
	u64 existing;
};

} // namespace sgx
