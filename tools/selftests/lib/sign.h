// SPDX-License-Identifier: GPL-2.0
// The input of EINIT: the measurement of an enclave, and a signature by the key of this build.
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

	/// Records ECREATE, as the first leaf.
	void create(u32 frame_pages, u64 size);
	void add(u64 offset, u64 secinfo_flags);
	/// Records EEXTEND of 256 bytes.
	void extend(u64 offset, const u8 *chunk);
	/// Records EEXTEND of a whole page.
	void extend_page(u64 offset, const u8 *page);
	/// Returns the digest of the records until now; more may follow.
	Digest digest() const;

private:
	struct Free {
		void operator()(evp_md_ctx_st *context) const;
	};
	std::unique_ptr<evp_md_ctx_st, Free> sha_;
};

/// Returns an unsigned SIGSTRUCT for this SECS and measurement, which requires each attribute as it is in the SECS.
Sigstruct sigstruct_for(const Secs &secs, const Digest &mrenclave);
/// Signs with RSA-3072 and exponent 3, and computes Q1 and Q2. A cache holds the signatures of this process.
void sign(Sigstruct &sigstruct);
/// Returns SHA-256 of the modulus, which is MRSIGNER.
Digest mrsigner();

} // namespace sgx
