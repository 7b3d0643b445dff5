// SPDX-License-Identifier: GPL-2.0
// What the processor computes and a test has to know beforehand: measurement, signature, token and report MAC.
#pragma once

#include <array>

#include <nettle/sha2.h>

#include "layout.h"

namespace isa {

using Digest = std::array<u8, 32>;

/// MRENCLAVE, record by record (Documentation/isa.md 13).
class Measurement {
public:
	Measurement() { sha256_init(&sha_); }
	void create(u32 ssa_frame_size, u64 size);
	void add(u64 offset, u64 secinfo_flags);
	/// 256 bytes at offset.
	void extend(u64 offset, const u8 *chunk);
	Digest digest() const;

private:
	sha256_ctx sha_;
};

/// Everything but the signature, for an enclave of ours: the right header, modulus and exponent.
void sigstruct_blank(Sigstruct *sig);
/// Signs, remembering what it signed before: RSA is slow on an emulated processor.
void sigstruct_sign(Sigstruct *sig);
/// SHA-256 of our modulus.
Digest mrsigner();

std::array<u8, 16> cmac(const u8 *key, const u8 *data, std::size_t size);

} // namespace isa
