// SPDX-License-Identifier: GPL-2.0
// Rows on EREPORT and EGETKEY; the steps are in the order of Documentation/isa.rst 7 and 18.

#include <cstring>

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;
using enum At;

/// Inputs lie in the page HOLD, the output in PARAM.
constexpr u64 HOLD = SSA_B;
constexpr u64 report_data = HOLD + 0x400;

Digest mrenclave(TestBench &r)
{
	Sigstruct sig;
	Digest d;
	r.e.sign(&sig);
	std::memcpy(d.data(), sig.enclave_hash, d.size());
	return d;
}

// ---------------------------------------------------------------- EREPORT

/// Prepare a report for the enclave itself.
void prepare_ereport(TestBench &r)
{
	r.e.build();
	TargetInfo target{};
	std::memcpy(target.measurement, mrenclave(r).data(), 32);
	target.attributes = r.e.attributes | ATTR_INIT;
	target.xfrm = r.e.xfrm;
	r.e.poke_bytes(HOLD, &target, sizeof(target));
	r.e.poke(report_data, 0x4444);
	r.rbx = r.e.at(HOLD);
	r.rcx = r.e.at(report_data);
	r.rdx = r.e.at(PARAM);
}

/// Return the key with which the target checks a report with this KEYID.
std::array<u8, 16> report_key(TestBench &r, const u8 *key_id)
{
	KeyRequest request{};
	request.name = 3;
	std::memcpy(request.key_id, key_id, sizeof(request.key_id));
	r.e.poke_bytes(DATA, &request, sizeof(request));
	require("EGETKEY", r.e.leaf(EGETKEY, r.e.at(DATA), r.e.at(DATA + 0x800)));
	std::array<u8, 16> key;
	r.e.peek_bytes(DATA + 0x800, key.data(), key.size());
	return key;
}

void reported(TestBench &r)
{
	Report report;
	r.e.peek_bytes(PARAM, &report, sizeof(report));
	r.check(report.attributes == (r.e.attributes | ATTR_INIT), "ATTRIBUTES");
	r.check(report.xfrm == r.e.xfrm, "XFRM");
	r.check(!std::memcmp(report.mrenclave, mrenclave(r).data(), 32), "MRENCLAVE");
	r.check(!std::memcmp(report.mrsigner, mrsigner().data(), 32), "MRSIGNER");
	r.check(report.miscselect == r.e.miscselect && report.isv_svn == 0 && report.isv_prod_id == 0, "versions");
	r.check(report.data[0] == 0x44 && report.data[1] == 0x44 && report.data[2] == 0, "REPORTDATA");
	const auto key = report_key(r, report.key_id);
	const auto mac = cmac(key.data(), reinterpret_cast<const u8 *>(&report), offsetof(Report, key_id));
	r.check(!std::memcmp(mac.data(), report.mac, mac.size()), "the MAC does not match the target's key");
}

// clang-format off
const Row ereport[] = {
	{"RBX misaligned, half of 512", GP, ROW(r.rbx += 256)},
	{"RBX outside ELRANGE", GP, ROW(r.rbx = ordinary_user())},
	{"RBX not mapped", NP_R(rbx), ROW(r.e.unmap_page(HOLD))},
	{"RBX not EPC", PF(rbx), ROW(map_ordinary(r, HOLD))},
	{"RBX BLOCKED", PF(rbx), ROW(r.e.block(HOLD))},
	{"RBX PENDING", PF(rbx), ROW(r.e.aug(FREE); r.rbx = r.e.at(FREE))},
	{"RBX is a TCS", PF(rbx), ROW(r.rbx = r.e.at(TCS_B))},
	{"RBX not readable", PF(rbx), ROW(r.e.restrict(HOLD, 0))},
	{"TARGETINFO byte 56", GP, ROW(r.e.poke(HOLD + 56, 1))},
	{"TARGETINFO byte 504", GP, ROW(r.e.poke(HOLD + 504, 1))},
	{"RCX misaligned, half of 128", GP, ROW(r.rcx += 64)},
	{"RCX outside ELRANGE", GP, ROW(r.rcx = ordinary_user())},
	{"RCX not mapped", NP_R(rcx), ROW(r.rcx = r.e.at(FREE))},
	{"RCX MODIFIED", PF(rcx), ROW(r.e.retype(DATA, PT_TRIM); r.rcx = r.e.at(DATA))},
	{"RCX not readable", PF(rcx), ROW(r.e.restrict(DATA, 0); r.rcx = r.e.at(DATA))},
	{"TARGETINFO before RCX", GP, ROW(r.e.poke(HOLD + 56, 1); r.rcx = r.e.at(TCS_B))},
	{"RDX misaligned, half of 512", GP, ROW(r.rdx += 256)},
	{"RDX outside ELRANGE", GP, ROW(r.rdx = ordinary_user())},
	{"RDX not mapped", NP_W(rdx), ROW(r.e.unmap_page(PARAM))},
	{"RDX mapped read-only", RO(rdx), ROW(read_only(r, PARAM))},
	{"RDX not writable", PF(rdx), ROW(r.rdx = r.e.at(CODE))},
	{"RDX BLOCKED", PF(rdx), ROW(r.e.block(PARAM))},
	{"valid operands", OK, ROW(), nullptr, ROW(reported(r))},
	{"valid operands, for another target", OK, ROW(r.e.poke(HOLD, 0x1234)), nullptr,
	 ROW(Report report; r.e.peek_bytes(PARAM, &report, sizeof(report)); const auto key = report_key(r, report.key_id);
	     const auto mac = cmac(key.data(), reinterpret_cast<const u8 *>(&report), offsetof(Report, key_id));
	     r.check(std::memcmp(mac.data(), report.mac, mac.size()) != 0, "the key does not depend on the target"))},
};
// clang-format on

// ---------------------------------------------------------------- EGETKEY

constexpr u16 key_token = 0, key_provision = 1, key_provision_seal = 2, key_report = 3, key_seal = 4;
constexpr u16 by_mrenclave = 1, by_mrsigner = 2;

void prepare_egetkey(TestBench &r)
{
	r.e.build();
	KeyRequest request{};
	request.name = key_seal;
	request.policy = by_mrsigner;
	r.e.poke_bytes(HOLD, &request, sizeof(request));
	r.rbx = r.e.at(HOLD);
	r.rcx = r.e.at(PARAM);
}

/// Change the request.
void change_request(TestBench &r, void (*change)(KeyRequest &))
{
	KeyRequest request;
	r.e.peek_bytes(HOLD, &request, sizeof(request));
	change(request);
	r.e.poke_bytes(HOLD, &request, sizeof(request));
}

void with_attributes(TestBench &r, u64 more)
{
	r.e.remove_all();
	r.e.attributes |= more;
	prepare_egetkey(r);
}

std::array<u8, 16> key(TestBench &r)
{
	std::array<u8, 16> k;
	r.e.peek_bytes(PARAM, k.data(), k.size());
	return k;
}

std::array<u8, 16> another_key(TestBench &r, void (*change)(KeyRequest &))
{
	change_request(r, change);
	require("EGETKEY", r.e.leaf(EGETKEY, r.rbx, r.rcx));
	return key(r);
}

/// Check that the key depends on each bit of a mask, even if the bit selects nothing.
void masks_affect_key(TestBench &r)
{
	const auto none = key(r);
	r.check(none != another_key(r, [](KeyRequest &q) { q.attribute_mask = ATTR_INIT | ATTR_DEBUG; }),
		"the key does not depend on the mask of INIT and DEBUG");
	r.check(none != another_key(r, [](KeyRequest &q) { q.attribute_mask = 1ULL << 40; }),
		"the key does not depend on the mask of an unused attribute");
	r.check(none != another_key(r, [](KeyRequest &q) { q.attribute_mask = 0, q.xfrm_mask = 1ULL << 50; }), "XFRM");
	r.check(none != another_key(r, [](KeyRequest &q) { q.xfrm_mask = 0, q.miscmask = 1U << 31; }), "MISCMASK");
	r.check(none == another_key(r, [](KeyRequest &q) { q.miscmask = 0; }), "one request gives two keys");
}

// clang-format off
const Row egetkey[] = {
	{"RBX misaligned, half of 512", GP, ROW(r.rbx += 256)},
	{"RBX outside ELRANGE", GP, ROW(r.rbx = ordinary_user())},
	{"RBX not mapped", NP_R(rbx), ROW(r.e.unmap_page(HOLD))},
	{"RBX not EPC", PF(rbx), ROW(map_ordinary(r, HOLD))},
	{"RBX BLOCKED", PF(rbx), ROW(r.e.block(HOLD))},
	{"RBX not readable", PF(rbx), ROW(r.e.restrict(HOLD, 0))},
	{"RCX misaligned, half of 16", GP, ROW(r.rcx += 8)},
	{"RCX outside ELRANGE", GP, ROW(r.rcx = ordinary_user())},
	{"RCX not mapped", NP_W(rcx), ROW(r.e.unmap_page(PARAM))},
	{"RCX not writable", PF(rcx), ROW(r.rcx = r.e.at(CODE))},
	{"RCX PENDING", PF(rcx), ROW(r.e.aug(FREE); r.rcx = r.e.at(FREE))},
	{"reserved byte 78", GP, ROW(change_request(r, [](KeyRequest &q) { q.reserved2[0] = 1; }))},
	{"reserved byte 511", GP, ROW(change_request(r, [](KeyRequest &q) { q.reserved2[433] = 1; }))},
	{"KEYPOLICY bit 6", GP, ROW(change_request(r, [](KeyRequest &q) { q.policy |= 1 << 6; }))},
	{"KEYPOLICY bit 15", GP, ROW(change_request(r, [](KeyRequest &q) { q.policy |= 1 << 15; }))},
	{"KEYPOLICY.NOISVPRODID without KSS", GP, ROW(change_request(r, [](KeyRequest &q) { q.policy |= 1 << 2; }))},
	{"KEYPOLICY.CONFIGID without KSS", GP, ROW(change_request(r, [](KeyRequest &q) { q.policy |= 1 << 3; }))},
	{"CONFIGSVN without KSS", GP, ROW(change_request(r, [](KeyRequest &q) { q.config_svn = 1; }))},
	{"KEYNAME 5", E(256), ROW(change_request(r, [](KeyRequest &q) { q.name = 5; }))},
	{"KEYNAME FFFFH", E(256), ROW(change_request(r, [](KeyRequest &q) { q.name = 0xffff; }))},
	{"EINITTOKEN without EINITTOKENKEY", E(2), ROW(change_request(r, [](KeyRequest &q) { q.name = key_token; }))},
	{"PROVISION without PROVISIONKEY", E(2), ROW(change_request(r, [](KeyRequest &q) { q.name = key_provision; }))},
	{"PROVISION_SEAL without PROVISIONKEY", E(2), ROW(change_request(r, [](KeyRequest &q) { q.name = key_provision_seal; }))},
	{"SEAL, newer CPUSVN", E(32), ROW(change_request(r, [](KeyRequest &q) { std::memset(q.cpusvn, 0xff, 16); }))},
	{"SEAL, newer ISVSVN", E(64), ROW(change_request(r, [](KeyRequest &q) { q.isv_svn = 1; }))},
	{"EINITTOKEN, newer ISVSVN", E(64),
	 ROW(with_attributes(r, ATTR_TOKEN); change_request(r, [](KeyRequest &q) { q.name = key_token; q.isv_svn = 1; }))},
	{"PROVISION, newer CPUSVN", E(32),
	 ROW(with_attributes(r, ATTR_PROVISION);
	     change_request(r, [](KeyRequest &q) { q.name = key_provision; std::memset(q.cpusvn, 0xff, 16); }))},
	{"SEAL, newer CONFIGSVN", E(64),
	 ROW(with_attributes(r, ATTR_KSS); change_request(r, [](KeyRequest &q) { q.config_svn = 1; }))},
	{"PROVISION_SEAL, newer CONFIGSVN", OK,
	 ROW(with_attributes(r, ATTR_KSS | ATTR_PROVISION);
	     change_request(r, [](KeyRequest &q) { q.name = key_provision_seal; q.config_svn = 1; }))},
	{"EINITTOKEN", OK, ROW(with_attributes(r, ATTR_TOKEN); change_request(r, [](KeyRequest &q) { q.name = key_token; }))},
	{"PROVISION", OK, ROW(with_attributes(r, ATTR_PROVISION); change_request(r, [](KeyRequest &q) { q.name = key_provision; }))},
	{"PROVISION_SEAL", OK,
	 ROW(with_attributes(r, ATTR_PROVISION); change_request(r, [](KeyRequest &q) { q.name = key_provision_seal; }))},
	{"REPORT", OK, ROW(change_request(r, [](KeyRequest &q) { q.name = key_report; q.policy = 0; }))},
	{"SEAL: the same request gives the same key", OK, ROW(), nullptr,
	 ROW(const auto k = key(r); r.check(k == another_key(r, [](KeyRequest &) {}), "two keys"))},
	{"SEAL: key depends on KEYID", OK, ROW(), nullptr,
	 ROW(const auto k = key(r); r.check(k != another_key(r, [](KeyRequest &q) { q.key_id[31] = 1; }), "one key"))},
	{"SEAL: key depends on KEYPOLICY", OK, ROW(), nullptr,
	 ROW(const auto k = key(r); r.check(k != another_key(r, [](KeyRequest &q) { q.policy = by_mrenclave; }), "one key"))},
	{"SEAL: key depends on the requested masks", OK, ROW(), nullptr, ROW(masks_affect_key(r))},
	{"PROVISION: key depends on the requested masks", OK,
	 ROW(with_attributes(r, ATTR_PROVISION); change_request(r, [](KeyRequest &q) { q.name = key_provision; })), nullptr,
	 ROW(masks_affect_key(r))},
	{"SEAL: MRSIGNER key is equal in another enclave of the signer, MRENCLAVE key differs", OK, ROW(), nullptr,
	 ROW(const auto signer = key(r); const auto own = another_key(r, [](KeyRequest &q) { q.policy = by_mrenclave; });
	     // With one more page the measurement differs.
	     r.e.remove_all(); r.e.create(); r.e.add_pages(); r.e.add(FREE, PT_REG | R); r.e.init();
	     KeyRequest request{}; request.name = key_seal; request.policy = by_mrsigner;
	     r.e.poke_bytes(HOLD, &request, sizeof(request));
	     r.check(another_key(r, [](KeyRequest &) {}) == signer, "the MRSIGNER key differs");
	     r.check(another_key(r, [](KeyRequest &q) { q.policy = by_mrenclave; }) != own, "the MRENCLAVE key is equal"))},
};
// clang-format on

const Group groups[] = {
	{"EREPORT", EREPORT, Place::inside, prepare_ereport, ereport},
	{"EGETKEY", EGETKEY, Place::inside, prepare_egetkey, egetkey},
};

} // namespace

std::span<const Group> key_groups()
{
	return groups;
}

} // namespace isa
