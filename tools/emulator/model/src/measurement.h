// SPDX-License-Identifier: GPL-2.0
// MRENCLAVE during construction (Documentation/isa.rst 13): SHA-256 over blocks of 64 bytes, so that
// the state consists of a chaining value and a count of blocks.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "layout.h"

namespace sgx2 {

using Digest = std::array<uint8_t, 32>;

/// Return the SHA-256 of @bytes.
Digest sha256(std::span<const uint8_t> bytes);

class Measurement {
public:
	static constexpr size_t chunk = 256; ///< bytes that one EEXTEND measures

	void ecreate(uint32_t ssa_frame_pages, uint64_t size);
	void eadd(uint64_t offset, const Secinfo &secinfo);
	void eextend(uint64_t offset, std::span<const uint8_t, chunk> data);
	Digest digest() const;

private:
	void extend(std::span<const uint8_t> blocks);

	uint32_t chaining_[8];
	uint64_t blocks_;
};

} // namespace sgx2
