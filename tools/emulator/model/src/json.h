// SPDX-License-Identifier: GPL-2.0
// EPCM and counters as JSON.
#pragma once

#include "machine.h"

namespace sgx2 {

using Put = void (*)(void *opaque, const char *s, size_t n);

/// Write the valid EPCM entries. The lock is taken for each entry and is not held around @put.
void epcm_json(const Machine &m, Put put, void *opaque);
/// Write the counters that are not 0 under the names of the leaves.
void counters_json(const sgx2_counters &c, Put put, void *opaque);

/// Copy one EPCM entry, as sgx2_epcm_get() does; takes the lock.
bool epcm_entry(const Machine &m, uint64_t index, sgx2_epcm_entry &out);

} // namespace sgx2
