// SPDX-License-Identifier: GPL-2.0
// Files that are part of the program: the enclaves, and the key that signs them.
#pragma once

#include <span>

#include "arch.h"

namespace sgx {

/// Returns the enclave with four threads and a heap. It performs all operations of request.h.
std::span<const u8> embedded_worker();
/// Returns the enclave with sixteen threads and a smaller heap. It performs all operations of request.h.
std::span<const u8> embedded_crowd();
/// Returns the enclave with one thread and a few instructions.
std::span<const u8> embedded_tiny();
/// Returns an RSA private key, in DER.
std::span<const u8> embedded_key();

} // namespace sgx
