// SPDX-License-Identifier: GPL-2.0
// Encryption of evicted pages.

#include "pager.h"

#include <cstring>

#include <nettle/memops.h>

namespace sgx2 {

void Pager::rekey(const Key128 &key)
{
	gcm_aes128_set_key(&gcm_, key.data());
}

void Pager::begin(const PagingHeader &header)
{
	uint8_t iv[GCM_IV_SIZE] = {};

	std::memcpy(iv, &header.version, sizeof(header.version));
	gcm_aes128_set_iv(&gcm_, sizeof(iv), iv);
	gcm_aes128_update(&gcm_, sizeof(header), reinterpret_cast<const uint8_t *>(&header));
}

void Pager::seal(const PagingHeader &header, ConstPageBytes plain, PageBytes cipher, Mac mac)
{
	begin(header);
	gcm_aes128_encrypt(&gcm_, plain.size(), cipher.data(), plain.data());
	gcm_aes128_digest(&gcm_, mac.size(), mac.data());
}

bool Pager::open(const PagingHeader &header, ConstPageBytes cipher, ConstMac mac, PageBytes plain)
{
	uint8_t computed[GCM_DIGEST_SIZE];

	begin(header);
	gcm_aes128_decrypt(&gcm_, cipher.size(), plain.data(), cipher.data());
	gcm_aes128_digest(&gcm_, sizeof(computed), computed);
	return memeql_sec(computed, mac.data(), mac.size()) != 0;
}

} // namespace sgx2
