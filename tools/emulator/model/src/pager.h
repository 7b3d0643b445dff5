// SPDX-License-Identifier: GPL-2.0
// Encryption of evicted pages: AES-128-GCM under a key that a reset replaces. The nonce is the
// version that EWB writes to the VA slot. No version, and therefore no nonce, is used twice.
#pragma once

#include <cstdint>
#include <span>

#include <nettle/gcm.h>

#include "keys.h"
#include "layout.h"

namespace sgx2 {

/// The data that the MAC covers in addition to the page contents.
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
	/// Set the first version that new_version() returns.
	void start_versions(uint64_t first) { next_version_ = first; }
	uint64_t new_version() { return next_version_++; }

	void seal(const PagingHeader &header, ConstPageBytes plain, PageBytes cipher, Mac mac);
	/// Decrypt a page.
	/// @return false if the MAC does not match the header and the encrypted page.
	bool open(const PagingHeader &header, ConstPageBytes cipher, ConstMac mac, PageBytes plain);

private:
	void begin(const PagingHeader &header);

	gcm_aes128_ctx gcm_;
	uint64_t next_version_ = 1;
};

} // namespace sgx2
