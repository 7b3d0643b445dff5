// SPDX-License-Identifier: GPL-2.0
// Hashes, MACs and the signer of the tests. The functions process all of their input in one call
// and share no code with the model.
#pragma once

#include <functional>
#include <vector>

#include "isa.h"

namespace sgx {

Digest sha256(const void *data, std::size_t n);
Key aes_cmac(const Key &key, const void *data, std::size_t n);

/// MRENCLAVE as the SDM defines it: all records are kept as bytes and hashed at the end.
class Measurement {
public:
	void ecreate(u32 ssaframesize, u64 size);
	void eadd(u64 offset, u64 secinfo_flags);
	void eextend(u64 offset, const u8 *chunk);
	Digest digest() const { return sha256(bytes_.data(), bytes_.size()); }
	std::size_t blocks() const { return bytes_.size() / 64; }

private:
	void record(const Blob<64> &r) { bytes_.insert(bytes_.end(), r.b.begin(), r.b.end()); }
	std::vector<u8> bytes_;
};

enum class Signer { One, Two };

/// Return a SIGSTRUCT with the fixed headers; everything else is zero.
Sigstruct sigstruct_template();
/// Fill in MODULUS, EXPONENT, SIGNATURE, Q1 and Q2. Results are cached.
void sign(Sigstruct &s, Signer signer = Signer::One);
/// Sign like sign(), after @change has changed the 384 bytes to be "encrypted" (big endian).
void sign_padded(Sigstruct &s, const std::function<void(std::array<u8, 384> &)> &change);
/// Compute Q1 and Q2 for the signature and the modulus in @s.
void fill_hints(Sigstruct &s);
/// Decrement Q1 and set a Q2 that still leads to the right message. Return false if Q2 does not fit
/// in 384 bytes.
bool decrement_q1(Sigstruct &s);
/// Decrement Q2, so that the message is larger than the modulus. Return false if Q2 is 0.
bool decrement_q2(Sigstruct &s);
Digest mrsigner(Signer signer);

} // namespace sgx
