// SPDX-License-Identifier: GPL-2.0
// Hashes, MACs and the signer of the tests: one-shot calls, nothing shared with the model.
#pragma once

#include <functional>
#include <vector>

#include "isa.h"

namespace sgx {

Digest sha256(const void *data, std::size_t n);
Key aes_cmac(const Key &key, const void *data, std::size_t n);

/// MRENCLAVE by the book: all records kept as bytes, hashed at the end in one go.
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

/// A SIGSTRUCT with the fixed headers, everything else zero.
Sigstruct sigstruct_template();
/// Fills in MODULUS, EXPONENT, SIGNATURE, Q1 and Q2. Results are remembered.
void sign(Sigstruct &s, Signer who = Signer::One);
/// As sign(), with the 384 bytes to be "encrypted" (big endian) changed first.
void sign_padded(Sigstruct &s, const std::function<void(std::array<u8, 384> &)> &spoil);
/// Q1 and Q2 of whatever signature and modulus are there.
void fill_hints(Sigstruct &s);
/// Q1 one smaller, with a Q2 that still leads to the right message: false if that does not fit in 384 bytes.
bool loosen_q1(Sigstruct &s);
/// Q2 one smaller, which makes the message larger than the modulus.
bool loosen_q2(Sigstruct &s);
Digest mrsigner(Signer who);

} // namespace sgx
