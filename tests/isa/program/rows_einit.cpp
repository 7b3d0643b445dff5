// SPDX-License-Identifier: GPL-2.0
// Rows on EINIT; the numbers are those of the checks in Documentation/isa.rst 6.

#include "tables.h"

#include <cstring>

namespace isa {

namespace {

using namespace expect;
using enum At;

void prepare_einit(TestBench &r)
{
	r.e.create();
	r.e.add_pages();
	r.clear_shared();
	r.e.sign(&r.s.sig);
	r.rbx = r.k.at(&r.s.sig);
	r.rdx = r.k.at(&r.s.token);
	r.set_page(r.e.secs());
}

/// Build the enclave again with other attributes.
void with_attributes(TestBench &r, u64 attributes)
{
	r.e.remove_all();
	r.e.attributes = attributes;
	prepare_einit(r);
}

void other_keyhash(TestBench &r)
{
	Digest d = mrsigner();
	d[0] ^= 1;
	r.keyhash(d);
}

/// The key of a launch enclave with the test's signer, with which EINIT checks tokens.
std::array<u8, 16> launch_key;

void mac_token(TestBench &r)
{
	const auto mac = cmac(launch_key.data(), reinterpret_cast<const u8 *>(&r.s.token), offsetof(Token, cpusvn));
	std::memcpy(r.s.token.mac, mac.data(), mac.size());
}

/// Make a valid token for the enclave of prepare_einit().
void prepare_token(TestBench &r)
{
	Enclave &le = r.other;
	le.attributes |= ATTR_TOKEN;
	le.build();
	KeyRequest request{};
	request.key_id[0] = 0x17;
	le.poke_bytes(DATA, &request, sizeof(request));
	require("EGETKEY", le.leaf(EGETKEY, le.at(DATA), le.at(PARAM)));
	le.peek_bytes(PARAM, launch_key.data(), launch_key.size());

	r.e.sign(&r.s.sig);
	Token &t = r.s.token;
	t.valid = 1;
	t.attributes = r.e.attributes;
	t.xfrm = r.e.xfrm;
	std::memcpy(t.mrenclave, r.s.sig.enclave_hash, sizeof(t.mrenclave));
	std::memcpy(t.mrsigner, mrsigner().data(), sizeof(t.mrsigner));
	t.masked_attributes = ATTR_INIT | ATTR_DEBUG;
	t.key_id[0] = 0x17;
	mac_token(r);
}

Sigstruct &sig(TestBench &r)
{
	return r.s.sig;
}

// clang-format off
const Row einit[] = {
	{"1 RBX misaligned by 8", GP, ROW(r.rbx += 8)},
	{"1 RBX not mapped", NP_R(rbx), ROW(r.rbx = r.k.unmapped())},
	{"1 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RDX misaligned, half of 512", GP, ROW(r.rdx += 256)},
	{"2 RDX not mapped", NP_R(rdx), ROW(r.rdx = r.k.unmapped())},
	{"3 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"3 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"4 SIGSTRUCT in EPC reads as ones", E(1), ROW(r.rbx = r.fresh())},
	{"5 HEADER byte 0", E(1), ROW(sig(r).header[0] ^= 1)},
	{"5 HEADER byte 15", E(1), ROW(sig(r).header[15] ^= 1)},
	{"5 HEADER2 byte 0", E(1), ROW(sig(r).header2[0] ^= 1)},
	{"5 HEADER2 byte 15", E(1), ROW(sig(r).header2[15] ^= 1)},
	{"5 VENDOR 1", E(1), ROW(sig(r).vendor = 1)},
	{"5 EXPONENT 5", E(1), ROW(sig(r).exponent = 5)},
	{"5 reserved byte 44", E(1), ROW(sig(r).reserved1[0] = 1)},
	{"5 reserved byte 127", E(1), ROW(sig(r).reserved1[83] = 1)},
	{"5 reserved byte 992", E(1), ROW(sig(r).reserved3[0] = 1)},
	{"5 reserved byte 1028", E(1), ROW(sig(r).reserved4[0] = 1)},
	{"5 reserved byte 1039", E(1), ROW(sig(r).reserved4[11] = 1)},
	{"5 before the check of the SECS", E(1), ROW(sig(r).exponent = 5; r.set_page(r.page()))},
	{"6 interrupt pending", E(128), ROW(r.inject(SGX2_DEV_INJ_EINIT))},
	{"7 SIGNATURE byte 0", E(8), ROW(sig(r).signature[0] ^= 1)},
	{"7 SIGNATURE byte 383", E(8), ROW(sig(r).signature[383] ^= 1)},
	{"7 MODULUS byte 5", E(8), ROW(sig(r).modulus[5] ^= 2)},
	{"7 MODULUS 0", E(8), ROW(std::memset(sig(r).modulus, 0, sizeof(sig(r).modulus)))},
	{"7 Q1 byte 0", E(8), ROW(sig(r).q1[0] ^= 1)},
	{"7 Q2 byte 0", E(8), ROW(sig(r).q2[0] ^= 1)},
	{"7 DATE changed after signing", E(8), ROW(sig(r).date ^= 1)},
	{"7 ISVSVN changed after signing", E(8), ROW(sig(r).isv_svn ^= 1)},
	{"7 before the check of the SECS", E(8), ROW(sig(r).date ^= 1; r.set_page(r.page()))},
	{"8 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"9 SECS invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"9 SECS a VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"9 SECS a TCS", PF(rcx), ROW(r.set_page(r.e.page(TCS_A)))},
	{"10 ISVFAMILYID without KSS", E(1), ROW(sig(r).family_id[0] = 1; sigstruct_sign(&sig(r)))},
	{"10 ISVEXTPRODID without KSS", E(1), ROW(sig(r).ext_prod_id[0] = 1; sigstruct_sign(&sig(r)))},
	{"10 ISVFAMILYID with KSS", OK,
	 ROW(if (!(cpuid_attributes() & ATTR_KSS)) throw Skip{"no KSS"};
	     with_attributes(r, ATTR_DEBUG | ATTR_MODE64 | ATTR_KSS); sig(r).family_id[0] = 1; sigstruct_sign(&sig(r)))},
	{"11 initialized already", GP, ROW(r.e.init(); r.clear_shared(); r.e.sign(&sig(r)))},
	{"12 ENCLAVEHASH", E(4), ROW(sig(r).enclave_hash[31] ^= 1; sigstruct_sign(&sig(r)))},
	{"12 one page more than was measured", E(4),
	 ROW(const Sigstruct copy = sig(r); r.e.add(FREE, PT_REG | R | W); r.clear_shared(); sig(r) = copy)},
	{"13 EINITTOKENKEY for another signer", E(2),
	 ROW(with_attributes(r, ATTR_DEBUG | ATTR_MODE64 | ATTR_TOKEN); other_keyhash(r))},
	{"14 ATTRIBUTES.DEBUG differs", E(2), ROW(sig(r).attributes ^= ATTR_DEBUG; sigstruct_sign(&sig(r)))},
	{"14 ATTRIBUTES.PROVISIONKEY differs", E(2), ROW(sig(r).attributes ^= ATTR_PROVISION; sigstruct_sign(&sig(r)))},
	{"14 XFRM differs", E(2), ROW(sig(r).xfrm ^= 4; sigstruct_sign(&sig(r)))},
	{"14 ATTRIBUTES differ outside the mask", OK,
	 ROW(sig(r).attributes = ~0ULL; sig(r).attribute_mask = 0; sigstruct_sign(&sig(r)))},
	{"14 XFRM differs outside the mask", OK, ROW(sig(r).xfrm = 0xe7; sig(r).xfrm_mask = 3; sigstruct_sign(&sig(r)))},
	{"15 MISCSELECT differs", E(2), ROW(sig(r).miscselect = 1; sigstruct_sign(&sig(r)))},
	{"15 MISCSELECT differs outside the mask", OK,
	 ROW(sig(r).miscselect = 1; sig(r).miscmask = ~1U; sigstruct_sign(&sig(r)))},
	{"16 no token, another signer", E(16), ROW(other_keyhash(r))},
	{"16 another signer, the wrong hash is reported first", E(4),
	 ROW(sig(r).enclave_hash[0] ^= 1; sigstruct_sign(&sig(r)); other_keyhash(r))},
	{"17 token", OK, ROW(prepare_token(r))},
	{"17 token, signer changed since", E(16), ROW(prepare_token(r); other_keyhash(r))},
	{"17 token of a debug launch enclave for an enclave without DEBUG", E(16),
	 ROW(with_attributes(r, ATTR_MODE64); prepare_token(r))},
	{"17 token byte 4", E(16), ROW(prepare_token(r); r.s.token.reserved1[0] = 1; mac_token(r))},
	{"17 token byte 96", E(16), ROW(prepare_token(r); r.s.token.reserved2[0] = 1; mac_token(r))},
	{"17 token byte 212", E(16), ROW(prepare_token(r); r.s.token.reserved4[0] = 1)},
	{"17 newer CPUSVNLE", E(32), ROW(prepare_token(r); std::memset(r.s.token.cpusvn, 0xff, 16))},
	{"17 token MAC", E(16), ROW(prepare_token(r); r.s.token.mac[0] ^= 1)},
	{"17 token KEYID", E(16), ROW(prepare_token(r); r.s.token.key_id[0] ^= 1)},
	{"17 token for another MRENCLAVE", E(4), ROW(prepare_token(r); r.s.token.mrenclave[0] ^= 1; mac_token(r))},
	{"17 token for another MRSIGNER", E(4), ROW(prepare_token(r); r.s.token.mrsigner[0] ^= 1; mac_token(r))},
	{"17 token for other ATTRIBUTES", E(2), ROW(prepare_token(r); r.s.token.attributes ^= ATTR_PROVISION; mac_token(r))},
	{"18 valid operands", OK, ROW(), "SECS ---"},
	{"18 valid operands, VENDOR 8086H", OK, ROW(sig(r).vendor = 0x8086; sigstruct_sign(&sig(r))), "SECS ---"},
	{"18 valid operands, no debug", OK, ROW(with_attributes(r, ATTR_MODE64)), "SECS ---"},
	{"18 valid operands, PROVISIONKEY needs no key hash", OK,
	 ROW(with_attributes(r, ATTR_DEBUG | ATTR_MODE64 | ATTR_PROVISION)), "SECS ---"},
	{"18 valid operands, EINITTOKENKEY", OK, ROW(with_attributes(r, ATTR_DEBUG | ATTR_MODE64 | ATTR_TOKEN)), "SECS ---"},
	{"18 BASEADDR is not measured", OK,
	 ROW(r.e.remove_all(); r.e.base += 1ULL << 30; prepare_einit(r)), "SECS ---"},
};
// clang-format on

const Group groups[] = {
	{"EINIT", EINIT, Place::kernel, prepare_einit, einit},
};

} // namespace

std::span<const Group> einit_groups()
{
	return groups;
}

} // namespace isa
