// SPDX-License-Identifier: GPL-2.0
// The values that the processor computes and a test has to know: measurement, signature, MACs of
// tokens and reports.
#pragma once

#include <array>

#include <nettle/sha2.h>

#include "layout.h"

namespace isa {

using Digest = std::array<u8, 32>;

/// MRENCLAVE, record by record (Documentation/isa.rst 13).
class Measurement {
public:
	Measurement() { sha256_init(&sha_); }
	void create(u32 ssa_frame_size, u64 size);
	void add(u64 offset, u64 secinfo_flags);
	/// Add the 256 bytes at offset.
	void extend(u64 offset, const u8 *chunk);
	Digest digest() const;

private:
	sha256_ctx sha_;
};

/// Fill in all fixed fields, modulus and exponent, but not the signature.
void sigstruct_blank(Sigstruct *sig);
/// Sign. Signatures are cached, because RSA is slow on an emulated processor.
void sigstruct_sign(Sigstruct *sig);
/// Return the SHA-256 of the modulus.
Digest mrsigner();

std::array<u8, 16> cmac(const u8 *key, const u8 *data, std::size_t size);

} // namespace isa
