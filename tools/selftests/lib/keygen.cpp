// SPDX-License-Identifier: GPL-2.0
// Writes a new RSA-3072 key with exponent 3 during the build; the key signs the enclaves of the suite.

#include <cstdio>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

int main(int argc, char **argv)
{
	EVP_PKEY *key = nullptr;
	BIGNUM *three = BN_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
	unsigned char *der = nullptr;
	int size = 0;

	const bool made = argc == 2 && three && context && BN_set_word(three, 3) && EVP_PKEY_keygen_init(context) == 1 &&
			  EVP_PKEY_CTX_set_rsa_keygen_bits(context, 3072) == 1 &&
			  EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, three) == 1 && EVP_PKEY_generate(context, &key) == 1 &&
			  (size = i2d_PrivateKey(key, &der)) > 0;
	std::FILE *file = made ? std::fopen(argv[1], "wb") : nullptr;
	if (!file || std::fwrite(der, 1, static_cast<std::size_t>(size), file) != static_cast<std::size_t>(size) ||
	    std::fclose(file)) {
		std::fputs("keygen: OpenSSL made no key\n", stderr);
		return 1;
	}
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(context);
	BN_free(three);
	return 0;
}
