// SPDX-License-Identifier: GPL-2.0
// The tests' own cryptography: nettle's one-shot functions, and RSA written with gmp.

#include "crypto.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <gmp.h>
#include <nettle/cmac.h>
#include <nettle/sha2.h>

namespace sgx {

namespace {

struct PrimePair {
	const char *p, *q;
};

/// Two RSA-3072 keys with e=3, made for these tests. They protect nothing.
constexpr PrimePair kKeys[2] = {
	{"ccee718db7da0b36e2e9fed79bfcba98abffcf5728eff28d95420ec4c2f67c7eb566c5e3e8bbdd6abbb5e94eae348b93"
	 "776c721a2019307c24c3c22eb5fc7842f27a7dec7852ef9307d47e20945e21221f5c0309340daf53c2bf120355c4a2fa"
	 "df896bbc73dad857bcc6e53f7c6926fd9e3cec0989bb5aae1320089f9df50399cf301ea3b2476c96c1767a4a8d04d33f"
	 "6abc03efb0a072914cc421db217437e642289ec90273e0649c4cb72f3e4b8a1e7d61d0ca64af4fe978cee9c789335059",
	 "d637a0a9f2ac11f11b0f0f6d49e4c92bf1fdda9431683c2aef0c305f0cdd31ceed030e14cae07f6597aafa4fb7295eab"
	 "eac7fbf29185a3068993f579f805a470e52889835939596830625cb93e6e14f2bf01bfb6bb1f0f43a85cf88dda0127f3"
	 "0f0034c0895ce3df913752660ba2469c1c0dedd95c68c630522cf4b594d296294c8c136c0743f588dbea3f22fb7977ef"
	 "f77f114d847d5d36611c9800394296f6a3b2a1b284ee39bfc024cfeff48fd1241877499791b4279e639f16bcb8f302e1"},
	{"eeb2392aaf837acd6f9b853af8b5d62a35c204e05576c052ea84530d2c01472a7958e59295800a8d14a85ae414a5cf67"
	 "805d234644841517350f2a65df6a7fa81ccfdcfd8b68edb58007119f1adafacd73037c956986277122e2e88e11fe7f78"
	 "f51dc6194dc7c3f9e8faad8efe73069768bd7df62baebf44bd8201db133675744dae2b1fbab254d7f268af1f99654862"
	 "cc3a5e5f7ae49011fb225e5a07069b4fbc96cb259533f0f875c011d00057e0cd904fdf4cc36ece5452cd6e44bb0cb455",
	 "ce73096142ef8d1937e9fa1c2a6d06c4136554e9e11a31954e3070a3e176ac02bd611aa138cab87a98ca3a7f51f57a55"
	 "eae6acc514f7bca9d2a575843a4a4993ddb444b8de4787778420909e79e5b0738b521d9a9054592ef9d039d7b03998ad"
	 "562a5042fd7d8c61e7426123fb6a8b0c0772074a9309eff3bb5507d53d7e47fed500a09a640e2a4019b91babdaf56c60"
	 "8519dbf28bb0bc8618aa5291b4bf45643b8eac0c8db87b5f164f838be78a4f2e5e45cb14af6eac6f542fd3069a756313"},
};

class Int {
public:
	Int() { mpz_init(v_); }
	explicit Int(const char *hex) { mpz_init_set_str(v_, hex, 16); }
	Int(const Int &o) { mpz_init_set(v_, o.v_); }
	Int &operator=(const Int &) = delete;
	~Int() { mpz_clear(v_); }
	mpz_ptr get() { return v_; }
	mpz_srcptr get() const { return v_; }

	static Int little(const u8 *b, std::size_t n)
	{
		Int r;
		mpz_import(r.get(), n, -1, 1, 0, 0, b);
		return r;
	}
	static Int big(const u8 *b, std::size_t n)
	{
		Int r;
		mpz_import(r.get(), n, 1, 1, 0, 0, b);
		return r;
	}
	void store_little(u8 *b, std::size_t n) const
	{
		std::fill_n(b, n, u8{0});
		if (mpz_sizeinbase(v_, 256) <= n)
			mpz_export(b, nullptr, -1, 1, 0, 0, v_);
	}

private:
	mpz_t v_;
};

struct RsaKey {
	Int n, d;

	explicit RsaKey(const PrimePair &pair)
	{
		Int p(pair.p), q(pair.q), e("3"), phi;
		mpz_mul(n.get(), p.get(), q.get());
		mpz_sub_ui(p.get(), p.get(), 1);
		mpz_sub_ui(q.get(), q.get(), 1);
		mpz_mul(phi.get(), p.get(), q.get());
		mpz_invert(d.get(), e.get(), phi.get());
	}
};

const RsaKey &rsa_key(Signer signer)
{
	static const RsaKey keys[2] = {RsaKey(kKeys[0]), RsaKey(kKeys[1])};
	return keys[signer == Signer::Two];
}

std::array<u8, 256> signed_bytes(const Sigstruct &s)
{
	std::array<u8, 256> m;
	std::copy_n(s.b.begin(), 128, m.begin());
	std::copy_n(s.b.begin() + 900, 128, m.begin() + 128);
	return m;
}

std::array<u8, 384> pkcs1(const Digest &h)
{
	static constexpr std::array<u8, 19> info = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
						    0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	std::array<u8, 384> em;
	em.fill(0xff);
	em[0] = 0;
	em[1] = 1;
	em[332] = 0;
	std::copy(info.begin(), info.end(), em.begin() + 333);
	std::copy(h.begin(), h.end(), em.begin() + 352);
	return em;
}

void sign_em(Sigstruct &s, const std::array<u8, 384> &em, const RsaKey &key)
{
	key.n.store_little(s.b.data() + sig::MODULUS, 384);
	s.set<u32>(sig::EXPONENT, 3);
	Int m = Int::big(em.data(), em.size()), r;
	mpz_powm(r.get(), m.get(), key.d.get(), key.n.get());
	r.store_little(s.b.data() + sig::SIGNATURE, 384);
	fill_hints(s);
}

} // namespace

Digest sha256(const void *data, std::size_t n)
{
	sha256_ctx c;
	Digest d;
	sha256_init(&c);
	sha256_update(&c, n, static_cast<const u8 *>(data));
	sha256_digest(&c, d.size(), d.data());
	return d;
}

Key aes_cmac(const Key &key, const void *data, std::size_t n)
{
	cmac_aes128_ctx c;
	Key mac;
	cmac_aes128_set_key(&c, key.data());
	cmac_aes128_update(&c, n, static_cast<const u8 *>(data));
	cmac_aes128_digest(&c, mac.size(), mac.data());
	return mac;
}

void Measurement::ecreate(u32 ssaframesize, u64 size)
{
	Blob<64> r;
	std::memcpy(r.b.data(), "ECREATE", 8);
	record(r.set(8, ssaframesize).set(12, size));
}

void Measurement::eadd(u64 offset, u64 secinfo_flags)
{
	Blob<64> r;
	std::memcpy(r.b.data(), "EADD\0\0\0", 8);
	record(r.set(8, offset).set(16, secinfo_flags));
}

void Measurement::eextend(u64 offset, const u8 *chunk)
{
	Blob<64> r;
	std::memcpy(r.b.data(), "EEXTEND", 8);
	record(r.set(8, offset));
	bytes_.insert(bytes_.end(), chunk, chunk + 256);
}

Sigstruct sigstruct_template()
{
	static constexpr std::array<u8, 16> h1 = {6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
	static constexpr std::array<u8, 16> h2 = {1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0};
	Sigstruct s;
	s.put(sig::HEADER, h1).put(sig::HEADER2, h2).set<u32>(sig::DATE, 0x20240229);
	return s;
}

void fill_hints(Sigstruct &s)
{
	const Int n = Int::little(s.b.data() + sig::MODULUS, 384), sg = Int::little(s.b.data() + sig::SIGNATURE, 384);
	Int q1, r1, q2, t;
	if (mpz_sgn(n.get()) == 0)
		return;
	mpz_mul(t.get(), sg.get(), sg.get());
	mpz_fdiv_qr(q1.get(), r1.get(), t.get(), n.get());
	mpz_mul(t.get(), sg.get(), r1.get());
	mpz_fdiv_q(q2.get(), t.get(), n.get());
	q1.store_little(s.b.data() + sig::Q1, 384);
	q2.store_little(s.b.data() + sig::Q2, 384);
}

bool decrement_q1(Sigstruct &s)
{
	const Int n = Int::little(s.b.data() + sig::MODULUS, 384), sg = Int::little(s.b.data() + sig::SIGNATURE, 384);
	Int q1 = Int::little(s.b.data() + sig::Q1, 384), r1, q2, t;
	mpz_sub_ui(q1.get(), q1.get(), 1);
	mpz_mul(r1.get(), sg.get(), sg.get());
	mpz_mul(t.get(), q1.get(), n.get());
	mpz_sub(r1.get(), r1.get(), t.get());
	mpz_mul(t.get(), sg.get(), r1.get());
	mpz_fdiv_q(q2.get(), t.get(), n.get());
	if (mpz_sizeinbase(q2.get(), 2) > 3072)
		return false;
	q1.store_little(s.b.data() + sig::Q1, 384);
	q2.store_little(s.b.data() + sig::Q2, 384);
	return true;
}

bool decrement_q2(Sigstruct &s)
{
	Int q2 = Int::little(s.b.data() + sig::Q2, 384);
	if (mpz_sgn(q2.get()) == 0)
		return false;
	mpz_sub_ui(q2.get(), q2.get(), 1);
	q2.store_little(s.b.data() + sig::Q2, 384);
	return true;
}

void sign(Sigstruct &s, Signer signer)
{
	static std::mutex lock;
	static std::map<std::pair<int, Digest>, Sigstruct> known;
	const auto bytes = signed_bytes(s);
	const Digest h = sha256(bytes.data(), bytes.size());
	const std::scoped_lock guard(lock);
	auto it = known.find({static_cast<int>(signer), h});
	if (it == known.end()) {
		sign_em(s, pkcs1(h), rsa_key(signer));
		known.emplace(std::pair{static_cast<int>(signer), h}, s);
	} else {
		s = it->second;
	}
}

void sign_padded(Sigstruct &s, const std::function<void(std::array<u8, 384> &)> &change)
{
	const auto bytes = signed_bytes(s);
	auto em = pkcs1(sha256(bytes.data(), bytes.size()));
	change(em);
	sign_em(s, em, rsa_key(Signer::One));
}

Digest mrsigner(Signer signer)
{
	std::array<u8, 384> m;
	rsa_key(signer).n.store_little(m.data(), m.size());
	return sha256(m.data(), m.size());
}

} // namespace sgx
