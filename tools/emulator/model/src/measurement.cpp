// SPDX-License-Identifier: GPL-2.0
// The records of MRENCLAVE.

#include "measurement.h"

#include <cstring>

#include <nettle/sha2.h>

namespace sgx2 {

namespace {

constexpr size_t block_size = SHA256_BLOCK_SIZE;

/// The first block of a record, which starts with the name of the leaf in ASCII.
struct Record {
	uint8_t bytes[block_size] = {};

	template <typename T>
	void put(size_t at, const T &value)
	{
		std::memcpy(bytes + at, &value, sizeof(value));
	}
};

constexpr uint64_t tag_ecreate = 0x0045544145524345;
constexpr uint64_t tag_eadd = 0x0000000044444145;
constexpr uint64_t tag_eextend = 0x00444e4554584545;

} // namespace

Digest sha256(std::span<const uint8_t> bytes)
{
	sha256_ctx ctx;
	Digest out;

	sha256_init(&ctx);
	sha256_update(&ctx, bytes.size(), bytes.data());
	sha256_digest(&ctx, out.size(), out.data());
	return out;
}

void Measurement::ecreate(uint32_t ssa_frame_pages, uint64_t size)
{
	sha256_ctx fresh;
	Record r;

	sha256_init(&fresh);
	std::memcpy(chaining_, fresh.state, sizeof(chaining_));
	blocks_ = 0;

	r.put(0, tag_ecreate);
	r.put(8, ssa_frame_pages);
	r.put(12, size);
	extend(r.bytes);
}

void Measurement::eadd(uint64_t offset, const Secinfo &secinfo)
{
	constexpr size_t measured = 48; // bytes of the SECINFO
	Record r;

	r.put(0, tag_eadd);
	r.put(8, offset);
	std::memcpy(r.bytes + 16, &secinfo, measured);
	extend(r.bytes);
}

void Measurement::eextend(uint64_t offset, std::span<const uint8_t, chunk> data)
{
	Record r;

	r.put(0, tag_eextend);
	r.put(8, offset);
	extend(r.bytes);
	extend(data);
}

void Measurement::extend(std::span<const uint8_t> blocks)
{
	sha256_ctx ctx{};

	std::memcpy(ctx.state, chaining_, sizeof(chaining_));
	sha256_update(&ctx, blocks.size(), blocks.data());
	std::memcpy(chaining_, ctx.state, sizeof(chaining_));
	blocks_ += blocks.size() / block_size;
}

Digest Measurement::digest() const
{
	sha256_ctx ctx{};
	Digest out;

	std::memcpy(ctx.state, chaining_, sizeof(chaining_));
	ctx.count = blocks_;
	sha256_digest(&ctx, out.size(), out.data());
	return out;
}

} // namespace sgx2
