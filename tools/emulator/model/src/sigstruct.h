// SPDX-License-Identifier: GPL-2.0
// SIGSTRUCT: its fixed fields and its RSA-3072 signature.
#pragma once

#include "layout.h"

namespace sgx2 {

/// Headers, vendor, exponent and reserved space are as they must be.
bool sigstruct_well_formed(const Sigstruct &s);

/// Check the signature with the quotients that the signer supplied. Wrong
/// quotients fail it, as they do on silicon.
bool sigstruct_signature_valid(const Sigstruct &s);

} // namespace sgx2
