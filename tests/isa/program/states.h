// SPDX-License-Identifier: GPL-2.0
// States of an enclave, its pages or its mapping that rows of several tables use.
#pragma once

#include "test_bench.h"

namespace isa {

/// Return the address of a user page that is not EPC, present and writable.
u64 ordinary_user();
/// Make the page-table entry of the page read-only; the EPCM still allows writes.
void read_only(TestBench &r, u64 offset);
/// Map ordinary memory at an offset in ELRANGE.
void map_ordinary(TestBench &r, u64 offset);
/// Remove the page from the EPC; it stays mapped.
void removed(TestBench &r, u64 offset);
/// Build the enclave again with other settings.
void rebuilt(TestBench &r, void (*change)(Enclave &));
/// Cause an asynchronous exit, so that the thread has one SSA frame in use.
void fault_inside(TestBench &r, u64 tcs = TCS_A);
/// Write a SECINFO to the page PARAM of the enclave.
void write_secinfo(TestBench &r, u64 flags);
/// Execute EMODPR or EMODT, ETRACK and EACCEPT.
void restricted(TestBench &r, u64 offset, u64 permissions);
void trimmed(TestBench &r, u64 offset);

} // namespace isa
