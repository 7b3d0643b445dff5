// SPDX-License-Identifier: GPL-2.0
// Rows on EAUG, EMODPR and EMODT; the numbers are those of the checks in Documentation/isa.rst 6.

#include "tables.h"

namespace isa {

namespace {

using namespace expect;
using enum At;

// ------------------------------------------------------------------- EAUG

void prepare_eaug(TestBench &r)
{
	r.e.build();
	r.pageinfo(r.e.at(FREE), 0, 0, r.e.secs_linear());
	r.set_page(r.page());
}

// clang-format off
const Row eaug[] = {
	{"1 RBX misaligned, half of 32", GP, ROW(r.rbx += 16)},
	{"1 RBX not mapped", NP_R(rbx), ROW(r.rbx = r.k.unmapped())},
	{"2 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"3 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"3 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"4 SECS misaligned by 8", GP, ROW(r.s.pageinfo.secs += 8)},
	{"4 LINADDR misaligned by 8", GP, ROW(r.s.pageinfo.linaddr += 8)},
	{"5 SRCPGE not 0", GP, ROW(r.s.pageinfo.srcpge = r.k.at(r.s.source))},
	{"5 SECINFO misaligned, half of 64", GP, ROW(r.s.pageinfo.secinfo = r.k.at(&r.s.secinfo) + 32)},
	{"5 SECINFO not 0, without CET", GP,
	 ROW(r.s.secinfo.flags = PT(5) | R | W; r.s.pageinfo.secinfo = r.k.at(&r.s.secinfo))},
	{"6 SECS not EPC", PF(secs), ROW(r.s.pageinfo.secs = r.ordinary())},
	{"6 SECS not mapped", NP_W(secs), ROW(r.s.pageinfo.secs = r.k.unmapped())},
	{"7 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"8 page is a VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"8 page is REG", PF(rcx), ROW(r.set_page(r.e.page(DATA)))},
	{"8 before the check of SECINFO", PF(rcx),
	 ROW(r.set_page(r.e.page(DATA)); r.s.pageinfo.secinfo = r.k.at(&r.s.secinfo))},
	{"11 SECS invalid", PF(secs), ROW(r.s.pageinfo.secs = r.fresh())},
	{"11 SECS a VA", PF(secs), ROW(r.s.pageinfo.secs = r.k.linear(r.va()))},
	{"11 SECS a REG page", PF(secs), ROW(r.s.pageinfo.secs = r.e.linear(DATA))},
	{"12 enclave not initialized", GP,
	 ROW(r.other.create(); r.clear_shared(); r.pageinfo(r.other.at(FREE), 0, 0, r.other.secs_linear()))},
	{"13 LINADDR one page below ELRANGE", GP, ROW(r.s.pageinfo.linaddr = r.e.base - page_size)},
	{"13 LINADDR at the end of ELRANGE", GP, ROW(r.s.pageinfo.linaddr = r.e.base + r.e.size)},
	{"14 valid operands", OK, ROW(), "REG rw- PENDING",
	 ROW(if (r.monitor) r.check(r.monitor->entry(*r.target).linear == r.e.at(FREE), "another address"))},
	{"14 valid operands, first page of ELRANGE", OK, ROW(r.e.remove(CODE); r.s.pageinfo.linaddr = r.e.base), "REG rw- PENDING"},
	{"14 valid operands, last page of ELRANGE", OK,
	 ROW(r.s.pageinfo.linaddr = r.e.base + r.e.size - page_size), "REG rw- PENDING"},
	{"14 address of another page", OK, ROW(r.s.pageinfo.linaddr = r.e.at(DATA)), "REG rw- PENDING"},
	{"14 page had contents: accepted, it is zero", OK,
	 ROW(r.e.poke(DATA + 8, 0x99); r.set_page(r.e.page(DATA)); r.e.remove(DATA)), "REG rw- PENDING",
	 ROW(r.e.record_page(FREE, *r.target); r.e.map_page(FREE, *r.target); r.e.must_accept(FREE, PT_REG | R | W | PENDING);
	     r.check(r.e.peek(FREE + 8) == 0, "old contents are visible"))},
};
// clang-format on

// ----------------------------------------------------------------- EMODPR

void prepare_emodpr(TestBench &r)
{
	r.e.build();
	r.s.secinfo.flags = R;
	r.rbx = r.k.at(&r.s.secinfo);
	r.set_page(r.e.page(DATA));
}

/// Change the type of DATA, and keep the SECINFO for EMODPR or EMODT.
void retyped(TestBench &r, u64 type)
{
	const SecInfo secinfo = r.s.secinfo;
	r.e.retype(DATA, type);
	r.s.secinfo = secinfo;
}

void retyped_accepted(TestBench &r, u64 type)
{
	const SecInfo secinfo = r.s.secinfo;
	r.e.retype(DATA, type);
	r.e.track();
	r.e.must_accept(DATA, type | MODIFIED);
	r.s.secinfo = secinfo;
}

void at_pending(TestBench &r)
{
	r.set_page(r.e.aug(FREE));
}

void not_initialized(TestBench &r)
{
	const SecInfo secinfo = r.s.secinfo;
	r.other.create();
	r.set_page(r.other.add(FREE, PT_REG | R | W));
	r.s.secinfo = secinfo;
}

// clang-format off
const Row emodpr[] = {
	{"1 RBX misaligned, half of 64", GP, ROW(r.rbx += 32)},
	{"1 RBX not mapped", NP_R(rbx), ROW(r.rbx = r.k.unmapped())},
	{"2 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"3 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"3 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"4 SECINFO bit 6", GP, ROW(r.s.secinfo.flags |= 1 << 6)},
	{"4 SECINFO bit 16", GP, ROW(r.s.secinfo.flags |= 1 << 16)},
	{"4 SECINFO byte 8", GP, ROW(r.s.secinfo.reserved[0] = 1)},
	{"4 SECINFO byte 63", GP, ROW(r.s.secinfo.reserved[55] = 1)},
	{"4 W without R", GP, ROW(r.s.secinfo.flags = W)},
	{"4 SECINFO in EPC reads as ones", GP, ROW(r.rbx = r.fresh())},
	{"5 conflict with an SGX1 leaf", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"6 page is invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"7 conflict with an SGX2 leaf", E(7), ROW(r.inject(SGX2_DEV_INJ_EMODPR))},
	{"8 PENDING", E(20), ROW(at_pending(r))},
	{"8 page changed to TCS: MODIFIED, before 9", E(20), ROW(retyped(r, PT_TCS))},
	{"8 TRIM, not accepted: before 9", E(20), ROW(retyped(r, PT_TRIM))},
	{"9 TRIM, accepted", PF(rcx), ROW(retyped_accepted(r, PT_TRIM))},
	{"9 TCS", PF(rcx), ROW(r.set_page(r.e.page(TCS_A)))},
	{"9 SECS", PF(rcx), ROW(r.set_page(r.e.secs()))},
	{"9 VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"10 enclave not initialized", GP, ROW(not_initialized(r))},
	{"11 rw to r", OK, ROW(), "REG r-- PR"},
	{"11 rw to rw", OK, ROW(r.s.secinfo.flags = R | W), "REG rw- PR"},
	{"11 rw to none", OK, ROW(r.s.secinfo.flags = 0), "REG --- PR"},
	{"11 rx to rwx: EMODPR adds no right", OK, ROW(r.set_page(r.e.page(CODE)); r.s.secinfo.flags = R | W | X), "REG r-x PR"},
	{"11 rx to x", OK, ROW(r.set_page(r.e.page(CODE)); r.s.secinfo.flags = X), "REG --x PR"},
	{"11 PAGE_TYPE in SECINFO is ignored", OK, ROW(r.s.secinfo.flags = PT_TCS | R), "REG r-- PR"},
	{"11 PR already", OK, ROW(r.e.restrict(DATA, R | W); r.s.secinfo.flags = R), "REG r-- PR"},
	{"11 BLOCKED", OK, ROW(r.e.block(DATA)), "REG r-- BLOCKED PR"},
};
// clang-format on

// ------------------------------------------------------------------ EMODT

void prepare_emodt(TestBench &r)
{
	prepare_emodpr(r);
	r.s.secinfo.flags = PT_TRIM;
}

// clang-format off
const Row emodt[] = {
	{"1 RBX misaligned, half of 64", GP, ROW(r.rbx += 32)},
	{"1 RBX not mapped", NP_R(rbx), ROW(r.rbx = r.k.unmapped())},
	{"2 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"3 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"3 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"4 SECINFO bit 6", GP, ROW(r.s.secinfo.flags |= 1 << 6)},
	{"4 SECINFO bit 16", GP, ROW(r.s.secinfo.flags |= 1 << 16)},
	{"4 SECINFO byte 8", GP, ROW(r.s.secinfo.reserved[0] = 1)},
	{"4 SECINFO byte 63", GP, ROW(r.s.secinfo.reserved[55] = 1)},
	{"4 request REG", GP, ROW(r.s.secinfo.flags = PT_REG)},
	{"4 request SECS", GP, ROW(r.s.secinfo.flags = PT_SECS)},
	{"4 request VA", GP, ROW(r.s.secinfo.flags = PT_VA)},
	{"4 request type 5", GP, ROW(r.s.secinfo.flags = PT(5))},
	{"5 conflict", E(7), ROW(r.inject(SGX2_DEV_INJ_EMODT))},
	{"6 page is invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"7 TCS to TCS", PF(rcx), ROW(r.set_page(r.e.page(TCS_A)); r.s.secinfo.flags = PT_TCS)},
	{"7 SECS", PF(rcx), ROW(r.set_page(r.e.secs()))},
	{"7 VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"7 TRIM, accepted", PF(rcx), ROW(retyped_accepted(r, PT_TRIM))},
	{"7 TRIM, not accepted: before 8", PF(rcx), ROW(retyped(r, PT_TRIM))},
	{"8 page changed to TCS", E(20), ROW(retyped(r, PT_TCS))},
	{"8 PENDING", E(20), ROW(at_pending(r))},
	{"9 enclave not initialized", GP, ROW(not_initialized(r))},
	{"10 REG to TRIM", OK, ROW(), "TRIM --- MODIFIED"},
	{"10 REG to TCS", OK, ROW(r.s.secinfo.flags = PT_TCS), "TCS --- MODIFIED"},
	{"10 TCS to TRIM", OK, ROW(r.set_page(r.e.page(TCS_A))), "TRIM --- MODIFIED"},
	{"10 rights in the request are ignored", OK, ROW(r.s.secinfo.flags = PT_TRIM | R | W | X), "TRIM --- MODIFIED"},
	{"10 PR is cleared", OK, ROW(r.e.restrict(DATA, R); r.s.secinfo.flags = PT_TRIM), "TRIM --- MODIFIED"},
	{"10 BLOCKED", OK, ROW(r.e.block(DATA)), "TRIM --- BLOCKED MODIFIED"},
};
// clang-format on

const Group groups[] = {
	{"EAUG", EAUG, Place::kernel, prepare_eaug, eaug},
	{"EMODPR", EMODPR, Place::kernel, prepare_emodpr, emodpr},
	{"EMODT", EMODT, Place::kernel, prepare_emodt, emodt},
};

} // namespace

std::span<const Group> sgx2_groups()
{
	return groups;
}

} // namespace isa
