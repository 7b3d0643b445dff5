// SPDX-License-Identifier: GPL-2.0
// SIGSTRUCT: its fixed fields and its RSA-3072 signature.
#pragma once

#include "layout.h"

namespace sgx2 {

/// Return whether headers, vendor, exponent and reserved fields have valid values.
bool sigstruct_well_formed(const Sigstruct &s);

/// Check the signature with the quotients in SIGSTRUCT. The check fails for wrong quotients, as it
/// does on silicon.
bool sigstruct_signature_valid(const Sigstruct &s);

} // namespace sgx2
