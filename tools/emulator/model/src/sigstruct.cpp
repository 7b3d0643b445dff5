// SPDX-License-Identifier: GPL-2.0
// Checks of SIGSTRUCT.

#include "sigstruct.h"

#include <array>
#include <cstring>

#include <gmp.h>

#include "measurement.h"

namespace sgx2 {

namespace {

constexpr size_t key_bytes = 384;
constexpr mp_size_t limbs = key_bytes / sizeof(mp_limb_t);
static_assert(GMP_NAIL_BITS == 0, "limbs are filled by memcpy");

/// Numbers of gmp's mpn layer, which have a fixed size and use no heap, because a leaf must not
/// allocate.
using Number = std::array<mp_limb_t, limbs>;
using Product = std::array<mp_limb_t, 2 * limbs>;

Number load(const uint8_t (&bytes)[key_bytes])
{
	Number n;

	std::memcpy(n.data(), bytes, key_bytes);
	return n;
}

/// Compute a * b - quotient * modulus.
/// @return false if the result is not in [0, modulus), which is the case for every wrong quotient.
bool reduce(const Number &a, const Number &b, const Number &quotient, const Number &modulus, Number &remainder)
{
	Product ab;
	Product qm;

	mpn_mul_n(ab.data(), a.data(), b.data(), limbs);
	mpn_mul_n(qm.data(), quotient.data(), modulus.data(), limbs);
	if (mpn_sub_n(ab.data(), ab.data(), qm.data(), 2 * limbs) != 0)
		return false;
	if (!mpn_zero_p(ab.data() + limbs, limbs))
		return false;
	if (mpn_cmp(ab.data(), modulus.data(), limbs) >= 0)
		return false;
	std::memcpy(remainder.data(), ab.data(), key_bytes);
	return true;
}

Digest message_digest(const Sigstruct &s)
{
	constexpr size_t head = offsetof(Sigstruct, modulus);
	constexpr size_t body = offsetof(Sigstruct, miscselect);
	constexpr size_t tail = offsetof(Sigstruct, rsvd3) - body;
	const auto *raw = reinterpret_cast<const uint8_t *>(&s);
	std::array<uint8_t, head + tail> message;

	std::memcpy(message.data(), raw, head);
	std::memcpy(message.data() + head, raw + body, tail);
	return sha256(message);
}

/// Return the EMSA-PKCS1-v1_5 encoding of a SHA-256 digest, most significant byte first.
std::array<uint8_t, key_bytes> encoded_message(const Digest &digest)
{
	constexpr uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	constexpr size_t info_at = key_bytes - sizeof(Digest) - sizeof(digest_info);
	std::array<uint8_t, key_bytes> em;

	em.fill(0xff);
	em[0] = 0x00;
	em[1] = 0x01;
	em[info_at - 1] = 0x00;
	std::memcpy(em.data() + info_at, digest_info, sizeof(digest_info));
	std::memcpy(em.data() + key_bytes - digest.size(), digest.data(), digest.size());
	return em;
}

} // namespace

bool sigstruct_well_formed(const Sigstruct &s)
{
	constexpr uint8_t header[16] = {6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1};
	constexpr uint8_t header2[16] = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1};
	constexpr uint32_t vendor_intel = 0x8086;
	constexpr uint32_t rsa_exponent = 3;

	return std::memcmp(s.header, header, sizeof(header)) == 0 && std::memcmp(s.header2, header2, sizeof(header2)) == 0 &&
	       (s.vendor == 0 || s.vendor == vendor_intel) && s.exponent == rsa_exponent && all_zero(s.rsvd0) &&
	       all_zero(s.rsvd1) && all_zero(s.rsvd2) && all_zero(s.rsvd3);
}

bool sigstruct_signature_valid(const Sigstruct &s)
{
	const Number modulus = load(s.modulus);
	const Number signature = load(s.signature);
	Number square;
	Number cube;

	if (!reduce(signature, signature, load(s.q1), modulus, square) || !reduce(signature, square, load(s.q2), modulus, cube))
		return false;

	auto em = encoded_message(message_digest(s));
	std::reverse(em.begin(), em.end());
	return std::memcmp(cube.data(), em.data(), em.size()) == 0;
}

} // namespace sgx2
