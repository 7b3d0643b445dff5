// SPDX-License-Identifier: GPL-2.0
// Writes an RSA-3072 key with exponent 3 during the build; the key signs the enclaves of the suite. Each build makes a new key, unless
// SOURCE_DATE_EPOCH is set: then the key is derived from that number, so that the same source gives the same programs. It is no secret.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace {

constexpr int key_bits = 3072;
constexpr std::size_t prime_bytes = key_bits / 16;

struct Free {
	void operator()(BIGNUM *number) const { BN_free(number); }
	void operator()(BN_CTX *context) const { BN_CTX_free(context); }
	void operator()(EVP_MD_CTX *context) const { EVP_MD_CTX_free(context); }
	void operator()(EVP_PKEY *key) const { EVP_PKEY_free(key); }
	void operator()(EVP_PKEY_CTX *context) const { EVP_PKEY_CTX_free(context); }
	void operator()(OSSL_PARAM *params) const { OSSL_PARAM_free(params); }
	void operator()(OSSL_PARAM_BLD *builder) const { OSSL_PARAM_BLD_free(builder); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<EVP_PKEY> random_key()
{
	EVP_PKEY *key = nullptr;
	const Owned<BIGNUM> three(BN_new());
	const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));

	if (!three || !context || !BN_set_word(three.get(), 3) || EVP_PKEY_keygen_init(context.get()) != 1 ||
	    EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), key_bits) != 1 ||
	    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), three.get()) != 1 || EVP_PKEY_generate(context.get(), &key) != 1)
		return nullptr;
	return Owned<EVP_PKEY>(key);
}

// Returns the first prime from the hash of the seed on that leaves 2 when it is divided by 3, so that the exponent 3 has an inverse.
Owned<BIGNUM> derived_prime(const std::string &seed, BN_CTX *context)
{
	std::array<unsigned char, prime_bytes> bytes{};
	const Owned<EVP_MD_CTX> hash(EVP_MD_CTX_new());

	if (!hash || EVP_DigestInit_ex(hash.get(), EVP_shake256(), nullptr) != 1 ||
	    EVP_DigestUpdate(hash.get(), seed.data(), seed.size()) != 1 ||
	    EVP_DigestFinalXOF(hash.get(), bytes.data(), bytes.size()) != 1)
		return nullptr;
	// The product of two such numbers has all of its bits; the room above them is enough for the search.
	bytes.front() = static_cast<unsigned char>((bytes.front() | 0xc0) & 0xfe);
	bytes.back() |= 1;
	Owned<BIGNUM> prime(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
	while (prime && (BN_mod_word(prime.get(), 3) != 2 || BN_check_prime(prime.get(), context, nullptr) != 1)) {
		if (!BN_add_word(prime.get(), 2))
			return nullptr;
	}
	return prime;
}

Owned<EVP_PKEY> derived_key(const std::string &seed)
{
	EVP_PKEY *key = nullptr;
	const Owned<BN_CTX> context(BN_CTX_new());
	const Owned<BIGNUM> p = derived_prime(seed + " p", context.get());
	const Owned<BIGNUM> q = derived_prime(seed + " q", context.get());
	const Owned<BIGNUM> n(BN_new()), e(BN_new()), d(BN_new()), p1(BN_new()), q1(BN_new()), phi(BN_new());
	const Owned<BIGNUM> dp(BN_new()), dq(BN_new()), inverse(BN_new());
	const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
	const Owned<EVP_PKEY_CTX> made(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));

	if (!context || !p || !q || !builder || !made || !BN_set_word(e.get(), 3) ||
	    !BN_mul(n.get(), p.get(), q.get(), context.get()) || !BN_copy(p1.get(), p.get()) || !BN_sub_word(p1.get(), 1) ||
	    !BN_copy(q1.get(), q.get()) || !BN_sub_word(q1.get(), 1) || !BN_mul(phi.get(), p1.get(), q1.get(), context.get()) ||
	    !BN_mod_inverse(d.get(), e.get(), phi.get(), context.get()) ||
	    !BN_nnmod(dp.get(), d.get(), p1.get(), context.get()) || !BN_nnmod(dq.get(), d.get(), q1.get(), context.get()) ||
	    !BN_mod_inverse(inverse.get(), q.get(), p.get(), context.get()))
		return nullptr;
	const std::array<std::pair<const char *, const BIGNUM *>, 8> numbers{{
		{OSSL_PKEY_PARAM_RSA_N, n.get()},
		{OSSL_PKEY_PARAM_RSA_E, e.get()},
		{OSSL_PKEY_PARAM_RSA_D, d.get()},
		{OSSL_PKEY_PARAM_RSA_FACTOR1, p.get()},
		{OSSL_PKEY_PARAM_RSA_FACTOR2, q.get()},
		{OSSL_PKEY_PARAM_RSA_EXPONENT1, dp.get()},
		{OSSL_PKEY_PARAM_RSA_EXPONENT2, dq.get()},
		{OSSL_PKEY_PARAM_RSA_COEFFICIENT1, inverse.get()},
	}};
	for (const auto &[name, number] : numbers) {
		if (!OSSL_PARAM_BLD_push_BN(builder.get(), name, number))
			return nullptr;
	}
	const Owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder.get()));
	if (!params || EVP_PKEY_fromdata_init(made.get()) != 1 ||
	    EVP_PKEY_fromdata(made.get(), &key, EVP_PKEY_KEYPAIR, params.get()) != 1)
		return nullptr;
	return Owned<EVP_PKEY>(key);
}

} // namespace

int main(int argc, char **argv)
{
	const char *epoch = std::getenv("SOURCE_DATE_EPOCH");
	const Owned<EVP_PKEY> key = epoch ? derived_key(std::string("sgx2 selftests ") + epoch) : random_key();
	unsigned char *der = nullptr;

	const int size = argc == 2 && key ? i2d_PrivateKey(key.get(), &der) : 0;
	std::FILE *file = size > 0 ? std::fopen(argv[1], "wb") : nullptr;
	if (!file || std::fwrite(der, 1, static_cast<std::size_t>(size), file) != static_cast<std::size_t>(size) ||
	    std::fclose(file)) {
		std::fputs("keygen: OpenSSL made no key\n", stderr);
		return 1;
	}
	OPENSSL_free(der);
	return 0;
}
