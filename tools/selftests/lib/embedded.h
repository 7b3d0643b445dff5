// SPDX-License-Identifier: GPL-2.0
// Files that are part of the program: the enclaves, and the key that signs them.
#pragma once

#include <span>

#include "arch.h"

namespace sgx {

/// Two threads, a heap, all operations of request.h.
std::span<const u8> embedded_worker();
/// A few instructions and one thread.
std::span<const u8> embedded_tiny();
/// An RSA private key, DER.
std::span<const u8> embedded_key();

} // namespace sgx
