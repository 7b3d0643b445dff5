// SPDX-License-Identifier: GPL-2.0
// Measures and signs by libcrypto. The key is made when the suite is built, and protects nothing.

#include "sign.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "embedded.h"
#include "errors.h"

namespace sgx {

namespace {

void check(bool good, const char *what)
{
	if (!good)
		throw Failed(std::string("libcrypto: ") + what);
}

template <auto function>
struct With {
	template <typename T>
	void operator()(T *t) const
	{
		function(t);
	}
};
using Key = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, With<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, With<BN_free>>;
using Scratch = std::unique_ptr<BN_CTX, With<BN_CTX_free>>;

// Constant fields of each SIGSTRUCT (SDM Vol. 3D, "Enclave Signature Structure").
constexpr u8 header[16] = {0x06, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0};
constexpr u8 header2[16] = {0x01, 0x01, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 0x01, 0, 0, 0};

constexpr std::size_t signed_head = offsetof(Sigstruct, modulus);
constexpr std::size_t signed_body = offsetof(Sigstruct, miscselect), signed_body_end = offsetof(Sigstruct, reserved4);

EVP_PKEY *key()
{
	static const Key loaded = [] {
		const auto der = embedded_key();
		const u8 *at = der.data();
		return Key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())));
	}();
	check(loaded != nullptr, "the key does not load");
	return loaded.get();
}

const BIGNUM *modulus()
{
	static const Number n = [] {
		BIGNUM *value = nullptr;
		EVP_PKEY_get_bn_param(key(), OSSL_PKEY_PARAM_RSA_N, &value);
		return Number(value);
	}();
	check(n != nullptr, "the key has no modulus");
	return n.get();
}

void store(const BIGNUM *number, u8 *to)
{
	check(BN_bn2lebinpad(number, to, rsa_bytes) == static_cast<int>(rsa_bytes), "number too long");
}

Digest sha256(const u8 *data, std::size_t size)
{
	Digest d;
	check(EVP_Digest(data, size, d.data(), nullptr, EVP_sha256(), nullptr) == 1, "sha256");
	return d;
}

std::vector<u8> rsa(const std::vector<u8> &message)
{
	const Context context(EVP_MD_CTX_new());
	std::vector<u8> signature(rsa_bytes);
	std::size_t size = signature.size();
	check(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key()) == 1, "DigestSignInit");
	check(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1 && size == rsa_bytes,
	      "DigestSign");
	return signature;
}

// Hashes a block of 64 bytes: a name of eight bytes, and data.
void record(EVP_MD_CTX *sha, const char *name, const void *rest, std::size_t size)
{
	u8 block[64] = {};
	std::copy_n(name, std::strlen(name), block);
	std::memcpy(block + 8, rest, size);
	check(EVP_DigestUpdate(sha, block, sizeof(block)) == 1, "DigestUpdate");
}

} // namespace

void Measurement::Free::operator()(evp_md_ctx_st *context) const
{
	EVP_MD_CTX_free(context);
}

Measurement::Measurement() : sha_(EVP_MD_CTX_new())
{
	check(EVP_DigestInit_ex(sha_.get(), EVP_sha256(), nullptr) == 1, "DigestInit");
}

void Measurement::create(u32 frame_pages, u64 size)
{
	u8 rest[12];
	std::memcpy(rest, &frame_pages, 4);
	std::memcpy(rest + 4, &size, 8);
	check(EVP_DigestInit_ex(sha_.get(), EVP_sha256(), nullptr) == 1, "DigestInit");
	record(sha_.get(), "ECREATE", rest, sizeof(rest));
}

void Measurement::add(u64 offset, u64 secinfo_flags)
{
	const u64 rest[2] = {offset, secinfo_flags};
	record(sha_.get(), "EADD", rest, sizeof(rest));
}

void Measurement::extend(u64 offset, const u8 *chunk)
{
	record(sha_.get(), "EEXTEND", &offset, sizeof(offset));
	check(EVP_DigestUpdate(sha_.get(), chunk, chunk_size) == 1, "DigestUpdate");
}

void Measurement::extend_page(u64 offset, const u8 *page)
{
	for (u64 at = 0; at < page_size; at += chunk_size)
		extend(offset + at, page + at);
}

Digest Measurement::digest() const
{
	const Context copy(EVP_MD_CTX_new());
	Digest d;
	check(EVP_MD_CTX_copy_ex(copy.get(), sha_.get()) == 1, "MD_CTX_copy");
	check(EVP_DigestFinal_ex(copy.get(), d.data(), nullptr) == 1, "DigestFinal");
	return d;
}

Sigstruct sigstruct_for(const Secs &secs, const Digest &mrenclave)
{
	Sigstruct s = {};
	std::copy(std::begin(header), std::end(header), s.header);
	std::copy(std::begin(header2), std::end(header2), s.header2);
	s.date = 0x20250101;
	s.exponent = 3;
	store(modulus(), s.modulus);
	s.miscselect = secs.miscselect;
	s.misc_mask = ~0U;
	s.attributes = secs.attributes;
	s.xfrm = secs.xfrm;
	// EINIT sets INIT itself, so SIGSTRUCT must not require it.
	s.attributes_mask = ~attr_init;
	s.xfrm_mask = ~0ULL;
	std::copy(mrenclave.begin(), mrenclave.end(), s.mrenclave);
	return s;
}

void sign(Sigstruct &s)
{
	struct Done {
		std::array<u8, rsa_bytes> signature, q1, q2;
	};
	static std::map<Digest, Done> cache;
	static std::mutex lock;
	const std::lock_guard guard(lock);

	const u8 *bytes = reinterpret_cast<const u8 *>(&s);
	std::vector<u8> message(bytes, bytes + signed_head);
	message.insert(message.end(), bytes + signed_body, bytes + signed_body_end);

	const auto [at, is_new] = cache.try_emplace(sha256(message.data(), message.size()));
	Done &done = at->second;
	if (is_new) {
		const std::vector<u8> big = rsa(message);
		std::reverse_copy(big.begin(), big.end(), done.signature.begin());

		const Scratch scratch(BN_CTX_new());
		const Number signature(BN_bin2bn(big.data(), static_cast<int>(big.size()), nullptr));
		const Number product(BN_new()), quotient(BN_new()), rest(BN_new());
		bool good = BN_sqr(product.get(), signature.get(), scratch.get()) == 1 &&
			    BN_div(quotient.get(), rest.get(), product.get(), modulus(), scratch.get()) == 1;
		check(good, "q1");
		store(quotient.get(), done.q1.data());
		good = BN_mul(product.get(), rest.get(), signature.get(), scratch.get()) == 1 &&
		       BN_div(quotient.get(), nullptr, product.get(), modulus(), scratch.get()) == 1;
		check(good, "q2");
		store(quotient.get(), done.q2.data());
	}
	std::copy(done.signature.begin(), done.signature.end(), s.signature);
	std::copy(done.q1.begin(), done.q1.end(), s.q1);
	std::copy(done.q2.begin(), done.q2.end(), s.q2);
}

Digest mrsigner()
{
	u8 bytes[rsa_bytes];
	store(modulus(), bytes);
	return sha256(bytes, sizeof(bytes));
}

} // namespace sgx
