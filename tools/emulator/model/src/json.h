// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "machine.h"

namespace sgx2 {

using Put = void (*)(void *opaque, const char *s, size_t n);

/// Valid EPCM entries; the lock is taken entry by entry, never around @put.
void epcm_json(const Machine &m, Put put, void *opaque);
/// Counters by the names of leaves, without what is zero.
void counters_json(const sgx2_counters &c, Put put, void *opaque);

/// What sgx2_epcm_get() answers; takes the lock.
bool epcm_entry(const Machine &m, uint64_t index, sgx2_epcm_entry &out);

} // namespace sgx2
