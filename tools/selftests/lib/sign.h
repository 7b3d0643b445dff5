// SPDX-License-Identifier: GPL-2.0
// What EINIT asks of an enclave: its measurement, and a signature over it by the key of this build.
#pragma once

#include <array>
#include <memory>

#include "arch.h"

struct evp_md_ctx_st;

namespace sgx {

using Digest = std::array<u8, 32>;

/// MRENCLAVE as the processor computes it, one record for each leaf.
class Measurement {
public:
	Measurement();

	/// ECREATE starts over.
	void create(u32 frame_pages, u64 size);
	void add(u64 offset, u64 secinfo_flags);
	/// EEXTEND of 256 bytes.
	void extend(u64 offset, const u8 *chunk);
	/// EEXTEND of a whole page.
	void extend_page(u64 offset, const u8 *page);
	/// Of what was recorded so far; more may follow.
	Digest digest() const;

private:
	struct Free {
		void operator()(evp_md_ctx_st *context) const;
	};
	std::unique_ptr<evp_md_ctx_st, Free> sha_;
};

/// A SIGSTRUCT for this SECS and measurement that demands all attributes as they are, not yet signed.
Sigstruct sigstruct_for(const Secs &secs, const Digest &mrenclave);
/// Signs by RSA-3072 with exponent 3, and fills in what a verifier divides by. What was signed before costs nothing.
void sign(Sigstruct &sigstruct);
/// SHA-256 of the modulus: what MRSIGNER will be.
Digest mrsigner();

} // namespace sgx
