// SPDX-License-Identifier: GPL-2.0
// Computes measurements, signatures and MACs with nettle and gmp, independently of the model.

#include "sign.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include <gmp.h>
#include <nettle/cmac.h>

namespace isa {

namespace {

/// The primes of a 3072-bit RSA key with exponent 3. The key is public: it is for tests and
/// protects nothing.
constexpr const char *prime_p =
	"f1a4e623ec19a9bb1704172fec0f42f5e559a7cda07b176665006651dcf593bb7d1bfdf084bfb1719d5f37fbeaacb429"
	"70b018b3cb2315c6c55e9f537538eff93fa3cf3bab12cd68eb5fa5cd911cd3b0caabbece5b521e547984d42537061294"
	"cbd4a9185047a984cc785d7fa41e637ff3bd4d3c8c7ff99aefa63d18117a72efc7944a35acf2118542e71729121b8509"
	"b1738c5e35a413dccd1b79721da2e20060ecca5da4119a57d7e60863450a1e99a95f10097f9dbb558239d813e641e455";
constexpr const char *prime_q =
	"d306db0d0647368ccdeb327513b4759098fdd8441646ae3d80ddfa0599ab5dae14167254c0ef9200b184e8562a38244b"
	"e0694fd219ad80f4b910ba99e8c92229dd635e05f5fa0259d08e13a328235b4f29fab9265234b64983075b2ca181dd14"
	"8cfa40c1e3636e108379169a908fba519f4b7f99c6c9e5bfb247d9d7193dce2346378e567346d1a0cb2ea0a9518798b6"
	"62190312eb102186b38879d14bf0e3fcd5f820cfb4db356a45279ef61d53838bf66e0cb39d74167dbcee08dbebd16bd9";

constexpr std::size_t rsa_bytes = 384;

class Number {
public:
	Number() { mpz_init(z_); }
	explicit Number(const char *hex) { mpz_init_set_str(z_, hex, 16); }
	Number(const u8 *little_endian, std::size_t size) : Number() { mpz_import(z_, size, -1, 1, 0, 0, little_endian); }
	~Number() { mpz_clear(z_); }
	Number(const Number &) = delete;
	Number &operator=(const Number &) = delete;
	operator mpz_ptr() { return z_; }

	void store(u8 *little_endian) const
	{
		std::memset(little_endian, 0, rsa_bytes);
		mpz_export(little_endian, nullptr, -1, 1, 0, 0, z_);
	}

private:
	mpz_t z_;
};

struct Key {
	Number p{prime_p}, q{prime_q}, n, dp, dq, q_inverse;

	Key()
	{
		Number three("3"), p1, q1;
		mpz_mul(n, p, q);
		mpz_sub_ui(p1, p, 1);
		mpz_sub_ui(q1, q, 1);
		mpz_invert(dp, three, p1);
		mpz_invert(dq, three, q1);
		mpz_invert(q_inverse, q, p);
	}

	/// Compute s = m^d mod n with the Chinese remainder theorem.
	void power(mpz_ptr s, mpz_srcptr m)
	{
		Number a, b;
		mpz_powm(a, m, dp, p);
		mpz_powm(b, m, dq, q);
		mpz_sub(a, a, b);
		mpz_mul(a, a, q_inverse);
		mpz_mod(a, a, p);
		mpz_mul(s, a, q);
		mpz_add(s, s, b);
	}
};

Key &key()
{
	static Key k;
	return k;
}

/// Return the EMSA-PKCS1-v1_5 encoding of a SHA-256 digest, in little endian.
std::array<u8, rsa_bytes> encode(const Digest &digest)
{
	static const u8 info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
				  0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	std::array<u8, rsa_bytes> big;
	big.fill(0xff);
	big[0] = 0;
	big[1] = 1;
	auto end = big.end();
	std::copy(digest.begin(), digest.end(), end - 32);
	std::copy(std::begin(info), std::end(info), end - 32 - sizeof(info));
	*(end - 32 - sizeof(info) - 1) = 0;
	std::reverse(big.begin(), big.end());
	return big;
}

void record(sha256_ctx *sha, const char *tag, u64 at8, u64 at16, const void *more, std::size_t size)
{
	u8 block[64] = {};
	std::memcpy(block, tag, 8);
	std::memcpy(block + 8, &at8, 8);
	std::memcpy(block + 16, &at16, 8);
	if (size)
		std::memcpy(block + 16, more, size);
	sha256_update(sha, sizeof(block), block);
}

} // namespace

void Measurement::create(u32 ssa_frame_size, u64 size)
{
	// SIZE starts at byte 12, behind the 4 bytes of SSAFRAMESIZE.
	record(&sha_, "ECREATE", ssa_frame_size | size << 32, size >> 32, nullptr, 0);
}

void Measurement::add(u64 offset, u64 secinfo_flags)
{
	u8 secinfo[48] = {};
	std::memcpy(secinfo, &secinfo_flags, 8);
	record(&sha_, "EADD\0\0\0", offset, 0, secinfo, sizeof(secinfo));
}

void Measurement::extend(u64 offset, const u8 *chunk)
{
	record(&sha_, "EEXTEND", offset, 0, nullptr, 0);
	sha256_update(&sha_, 256, chunk);
}

Digest Measurement::digest() const
{
	sha256_ctx copy = sha_;
	Digest d;
	sha256_digest(&copy, d.size(), d.data());
	return d;
}

void sigstruct_blank(Sigstruct *sig)
{
	static const u8 header[16] = {6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
	static const u8 header2[16] = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0};
	std::memset(sig, 0, sizeof(*sig));
	std::memcpy(sig->header, header, sizeof(header));
	std::memcpy(sig->header2, header2, sizeof(header2));
	sig->date = 0x20250101;
	sig->exponent = 3;
	key().n.store(sig->modulus);
}

void sigstruct_sign(Sigstruct *sig)
{
	struct Signed {
		u8 signature[rsa_bytes], q1[rsa_bytes], q2[rsa_bytes];
	};
	static std::map<Digest, Signed> done;

	const u8 *bytes = reinterpret_cast<const u8 *>(sig);
	sha256_ctx sha;
	Digest digest;
	sha256_init(&sha);
	sha256_update(&sha, 128, bytes);
	sha256_update(&sha, 128, bytes + 900);
	sha256_digest(&sha, digest.size(), digest.data());

	auto [it, is_new] = done.try_emplace(digest);
	if (is_new) {
		const auto message = encode(digest);
		Number m(message.data(), message.size()), s, square, q, rest;
		key().power(s, m);
		s.store(it->second.signature);
		mpz_mul(square, s, s);
		mpz_fdiv_qr(q, rest, square, key().n);
		q.store(it->second.q1);
		mpz_mul(square, s, rest);
		mpz_fdiv_q(q, square, key().n);
		q.store(it->second.q2);
	}
	std::memcpy(sig->signature, it->second.signature, rsa_bytes);
	std::memcpy(sig->q1, it->second.q1, rsa_bytes);
	std::memcpy(sig->q2, it->second.q2, rsa_bytes);
}

Digest mrsigner()
{
	u8 modulus[rsa_bytes];
	key().n.store(modulus);
	sha256_ctx sha;
	Digest d;
	sha256_init(&sha);
	sha256_update(&sha, sizeof(modulus), modulus);
	sha256_digest(&sha, d.size(), d.data());
	return d;
}

std::array<u8, 16> cmac(const u8 *key, const u8 *data, std::size_t size)
{
	cmac_aes128_ctx ctx;
	std::array<u8, 16> mac;
	cmac_aes128_set_key(&ctx, key);
	cmac_aes128_update(&ctx, size, data);
	cmac_aes128_digest(&ctx, mac.size(), mac.data());
	return mac;
}

} // namespace isa
