// SPDX-License-Identifier: GPL-2.0
// Files that are part of the program: the enclaves, and the key that signs them.
#pragma once

#include <span>

#include "arch.h"

namespace sgx {

/// Four threads, a heap, all operations of request.h.
std::span<const u8> embedded_worker();
/// The same with sixteen threads, and small otherwise.
std::span<const u8> embedded_crowd();
/// A few instructions and one thread.
std::span<const u8> embedded_tiny();
/// An RSA private key, DER.
std::span<const u8> embedded_key();

} // namespace sgx
