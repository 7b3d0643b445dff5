// SPDX-License-Identifier: GPL-2.0
// Sealing of evicted pages: AES-128-GCM under a key that no reset survives,
// with the version that fills a VA slot as nonce. Versions are never given out
// twice, so neither is a nonce.
#pragma once

#include <cstdint>
#include <span>

#include <nettle/gcm.h>

#include "keys.h"
#include "layout.h"

namespace sgx2 {

/// What the MAC binds beside the contents.
struct PagingHeader {
	Secinfo secinfo;
	uint64_t linaddr;
	uint64_t eid;
	uint8_t rsvd[40]; ///< of the PCMD
	uint64_t version;
};
static_assert(sizeof(PagingHeader) == 128);

using PageBytes = std::span<uint8_t, page_size>;
using ConstPageBytes = std::span<const uint8_t, page_size>;
using Mac = std::span<uint8_t, 16>;
using ConstMac = std::span<const uint8_t, 16>;

class Pager {
public:
	void rekey(const Key128 &key);
	/// First version that will be handed out.
	void start_versions(uint64_t first) { next_version_ = first; }
	uint64_t new_version() { return next_version_++; }

	void seal(const PagingHeader &header, ConstPageBytes plain, PageBytes cipher, Mac mac);
	/// @return false if the MAC is not that of header and cipher text.
	bool open(const PagingHeader &header, ConstPageBytes cipher, ConstMac mac, PageBytes plain);

private:
	void begin(const PagingHeader &header);

	gcm_aes128_ctx gcm_;
	uint64_t next_version_ = 1;
};

} // namespace sgx2
