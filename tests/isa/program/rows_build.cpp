// SPDX-License-Identifier: GPL-2.0
// Rows on ECREATE, EADD and EEXTEND; the numbers are those of the checks in
// Documentation/isa.rst 6.

#include "tables.h"

#include <cstring>

namespace isa {

namespace {

using namespace expect;
using enum At;

Secs &source_secs(TestBench &r)
{
	return *reinterpret_cast<Secs *>(r.s.source);
}

Tcs &source_tcs(TestBench &r)
{
	return *reinterpret_cast<Tcs *>(r.s.source);
}

// ---------------------------------------------------------------- ECREATE

void prepare_ecreate(TestBench &r)
{
	Secs &secs = source_secs(r);
	secs.size = 0x40000;
	secs.base = 0x100000000000;
	secs.ssa_frame_size = 1;
	secs.attributes = ATTR_DEBUG | ATTR_MODE64;
	secs.xfrm = 3;
	r.pageinfo(0, r.k.at(r.s.source), r.k.at(&r.s.secinfo), 0);
	r.set_page(r.page());
}

// clang-format off
const Row ecreate[] = {
	{"1 RBX misaligned, half of 32", GP, ROW(r.rbx += 16)},
	{"1 RBX not mapped", NP_R(rbx), ROW(r.rbx = r.k.unmapped())},
	{"1 RBX not canonical", GP, ROW(r.rbx = 1ULL << 63)},
	{"2 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RCX misaligned, half a page", GP, ROW(r.rcx += 2048)},
	{"2 RCX before the read of RBX: RCX misaligned by 8, RBX not mapped", GP, ROW(r.rcx += 8, r.rbx = r.k.unmapped())},
	{"3 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"3 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 RCX not canonical", GP, ROW(r.rcx = 1ULL << 63)},
	{"4 SRCPGE misaligned by 8", GP, ROW(r.s.pageinfo.srcpge += 8)},
	{"4 SECINFO misaligned, half of 64", GP, ROW(r.s.pageinfo.secinfo += 32)},
	{"4 SRCPGE not mapped", NP_R(source), ROW(r.s.pageinfo.srcpge = r.k.unmapped())},
	{"4 SECINFO not mapped", NP_R(secinfo), ROW(r.s.pageinfo.secinfo = r.k.unmapped())},
	{"4 PAGEINFO in EPC reads as ones", GP, ROW(r.rbx = r.fresh())},
	{"5 LINADDR not 0", GP, ROW(r.s.pageinfo.linaddr = 0x100000000000)},
	{"5 SECS not 0", GP, ROW(r.s.pageinfo.secs = r.fresh())},
	{"6 SECINFO bit 6", GP, ROW(r.s.secinfo.flags |= 1 << 6)},
	{"6 SECINFO bit 16", GP, ROW(r.s.secinfo.flags |= 1 << 16)},
	{"6 SECINFO byte 8", GP, ROW(r.s.secinfo.reserved[0] = 1)},
	{"6 SECINFO byte 63", GP, ROW(r.s.secinfo.reserved[55] = 1)},
	{"6 SECINFO in EPC reads as ones", GP, ROW(r.s.pageinfo.secinfo = r.fresh())},
	{"6 PAGE_TYPE TCS", GP, ROW(r.s.secinfo.flags = PT_TCS)},
	{"6 PAGE_TYPE REG", GP, ROW(r.s.secinfo.flags = PT_REG)},
	{"6 PAGE_TYPE VA", GP, ROW(r.s.secinfo.flags = PT_VA)},
	{"7 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"8 page is a VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"8 page is a SECS", PF(rcx), ROW(r.other.create(); prepare_ecreate(r); r.set_page(r.other.secs()))},
	{"9 SRCPGE in EPC reads as ones", GP, ROW(r.s.pageinfo.srcpge = r.fresh())},
	{"9 XFRM without SSE", GP, ROW(source_secs(r).xfrm = 1)},
	{"9 XFRM without x87", GP, ROW(source_secs(r).xfrm = 2)},
	{"9 XFRM 0", GP, ROW(source_secs(r).xfrm = 0)},
	{"9 XFRM bit 63", GP, ROW(source_secs(r).xfrm |= 1ULL << 63)},
	{"9 XFRM bit 62, unsupported", GP, ROW(source_secs(r).xfrm |= 1ULL << 62)},
	{"9 XFRM with one of the three AVX-512 bits", GP, ROW(source_secs(r).xfrm = 7 | 1 << 6)},
	{"9 MISCSELECT bit 31", GP, ROW(source_secs(r).miscselect = 1U << 31)},
	{"9 SSAFRAMESIZE 0", GP, ROW(source_secs(r).ssa_frame_size = 0)},
	{"9 BASEADDR not canonical", GP, ROW(source_secs(r).base = 1ULL << 62)},
	{"9 BASEADDR over 4 GiB for a 32-bit enclave", GP, ROW(source_secs(r).attributes = ATTR_DEBUG)},
	{"9 SIZE one page", GP, ROW(source_secs(r).size = 0x1000)},
	{"9 SIZE 0", GP, ROW(source_secs(r).size = 0)},
	{"9 SIZE three pages", GP, ROW(source_secs(r).size = 0x3000)},
	{"9 SIZE 2^63", GP, ROW(source_secs(r).size = 1ULL << 63; source_secs(r).base = 0)},
	{"9 BASEADDR not aligned to SIZE", GP, ROW(source_secs(r).base += 0x20000)},
	{"9 ATTRIBUTES.INIT", GP, ROW(source_secs(r).attributes |= ATTR_INIT)},
	{"9 ATTRIBUTES bit 3", GP, ROW(source_secs(r).attributes |= 8)},
	{"9 ATTRIBUTES bit 8", GP, ROW(source_secs(r).attributes |= 1 << 8)},
	{"9 ATTRIBUTES bit 63", GP, ROW(source_secs(r).attributes |= 1ULL << 63)},
	{"9 reserved byte 24", GP, ROW(source_secs(r).reserved1[0] = 1)},
	{"9 reserved byte 47", GP, ROW(source_secs(r).reserved1[23] = 1)},
	{"9 reserved byte 96", GP, ROW(source_secs(r).reserved2[0] = 1)},
	{"9 reserved byte 191", GP, ROW(source_secs(r).reserved3[31] = 1)},
	{"9 reserved byte 262", GP, ROW(source_secs(r).reserved4[0] = 1)},
	{"9 reserved byte 4095", GP, ROW(source_secs(r).reserved4[3833] = 1)},
	{"9 CONFIGID without KSS", GP, ROW(source_secs(r).config_id[63] = 1)},
	{"9 CONFIGSVN without KSS", GP, ROW(source_secs(r).config_svn = 1)},
	{"10 valid operands", OK, ROW(), "SECS ---"},
	{"10 valid operands, no debug", OK, ROW(source_secs(r).attributes = ATTR_MODE64), "SECS ---"},
	{"10 valid operands, 32-bit at 1 GiB", OK,
	 ROW(source_secs(r).attributes = ATTR_DEBUG; source_secs(r).base = 1 << 30), "SECS ---"},
	{"10 valid operands, two pages", OK, ROW(source_secs(r).size = 0x2000), "SECS ---"},
	{"10 valid operands, EXINFO", OK, ROW(source_secs(r).miscselect = 1), "SECS ---"},
	{"10 CONFIGID with KSS", OK,
	 ROW(if (!(cpuid_attributes() & ATTR_KSS)) throw Skip{"no KSS"};
	     source_secs(r).attributes |= ATTR_KSS; source_secs(r).config_id[0] = 1), "SECS ---"},
	{"10 two enclaves differ in their id", OK, ROW(r.other.create(); r.clear_shared(); prepare_ecreate(r)), "SECS ---",
	 ROW(if (r.monitor) r.check(r.monitor->entry(r.other.secs()).enclave != r.monitor->entry(*r.target).enclave,
				    "two enclaves have one id"))},
};
// clang-format on

// ------------------------------------------------------------------- EADD

void prepare_eadd(TestBench &r)
{
	r.e.create();
	r.clear_shared();
	r.s.secinfo.flags = PT_REG | R | W;
	r.pageinfo(r.e.at(FREE), r.k.at(r.s.source), r.k.at(&r.s.secinfo), r.e.secs_linear());
	r.set_page(r.page());
}

void prepare_tcs(TestBench &r)
{
	r.s.secinfo.flags = PT_TCS;
	Tcs &t = source_tcs(r);
	t.ossa = SSA_A;
	t.nssa = 2;
	t.fslimit = t.gslimit = ~0U;
}

/// Prepare EADD in a 32-bit enclave below 4 GiB.
void prepare_32(TestBench &r)
{
	r.other.base = 1 << 30;
	r.other.attributes = ATTR_DEBUG;
	r.other.create();
	r.clear_shared();
	prepare_tcs(r);
	r.pageinfo(r.other.at(FREE), r.k.at(r.s.source), r.k.at(&r.s.secinfo), r.other.secs_linear());
}

// clang-format off
const Row eadd[] = {
	{"1 RBX misaligned, half of 32", GP, ROW(r.rbx += 16)},
	{"1 RBX not mapped", NP_R(rbx), ROW(r.rbx = r.k.unmapped())},
	{"2 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"3 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"3 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"4 SRCPGE misaligned by 8", GP, ROW(r.s.pageinfo.srcpge += 8)},
	{"4 SECS misaligned by 8", GP, ROW(r.s.pageinfo.secs += 8)},
	{"4 SECINFO misaligned, half of 64", GP, ROW(r.s.pageinfo.secinfo += 32)},
	{"4 LINADDR misaligned by 8", GP, ROW(r.s.pageinfo.linaddr += 8)},
	{"4 SRCPGE not mapped", NP_R(source), ROW(r.s.pageinfo.srcpge = r.k.unmapped())},
	{"4 SECINFO not mapped", NP_R(secinfo), ROW(r.s.pageinfo.secinfo = r.k.unmapped())},
	{"5 SECS not EPC", PF(secs), ROW(r.s.pageinfo.secs = r.ordinary())},
	{"5 SECS not mapped", NP_W(secs), ROW(r.s.pageinfo.secs = r.k.unmapped())},
	{"6 SECINFO bit 6", GP, ROW(r.s.secinfo.flags |= 1 << 6)},
	{"6 SECINFO bit 16", GP, ROW(r.s.secinfo.flags |= 1 << 16)},
	{"6 SECINFO byte 8", GP, ROW(r.s.secinfo.reserved[0] = 1)},
	{"6 SECINFO byte 63", GP, ROW(r.s.secinfo.reserved[55] = 1)},
	{"6 SECINFO.PENDING", GP, ROW(r.s.secinfo.flags |= PENDING)},
	{"6 SECINFO.MODIFIED", GP, ROW(r.s.secinfo.flags |= MODIFIED)},
	{"6 SECINFO.PR", GP, ROW(r.s.secinfo.flags |= PR)},
	{"6 PAGE_TYPE SECS", GP, ROW(r.s.secinfo.flags = PT_SECS | R | W)},
	{"6 PAGE_TYPE VA", GP, ROW(r.s.secinfo.flags = PT_VA | R | W)},
	{"6 PAGE_TYPE TRIM", GP, ROW(r.s.secinfo.flags = PT_TRIM | R | W)},
	{"6 PAGE_TYPE 7", GP, ROW(r.s.secinfo.flags = PT(7) | R | W)},
	{"6 SECINFO in EPC reads as ones", GP, ROW(r.s.pageinfo.secinfo = r.fresh())},
	{"7 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"8 page is a VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"8 page is the SECS", PF(rcx), ROW(r.set_page(r.e.secs()))},
	{"10 SECS invalid", PF(secs), ROW(r.s.pageinfo.secs = r.fresh())},
	{"10 SECS a VA", PF(secs), ROW(r.s.pageinfo.secs = r.k.linear(r.va()))},
	{"10 SECS a REG page", PF(secs),
	 ROW(r.e.add(DATA, PT_REG | R | W); r.s.pageinfo.linaddr = r.e.at(FREE); r.s.pageinfo.secs = r.e.linear(DATA))},
	{"12 TCS byte 200", GP, ROW(prepare_tcs(r); source_tcs(r).reserved[128] = 1)},
	{"12 TCS byte 4095", GP, ROW(prepare_tcs(r); source_tcs(r).reserved[4023] = 1)},
	{"12 32-bit, FSLIMIT not of whole pages", GP, ROW(prepare_32(r); source_tcs(r).fslimit = 0xffff0000)},
	{"12 32-bit, GSLIMIT not of whole pages", GP, ROW(prepare_32(r); source_tcs(r).gslimit = 0x10)},
	{"12 REG with W and no R", GP, ROW(r.s.secinfo.flags = PT_REG | W)},
	{"13 LINADDR one page below ELRANGE", GP, ROW(r.s.pageinfo.linaddr = r.e.base - page_size)},
	{"13 LINADDR at the end of ELRANGE", GP, ROW(r.s.pageinfo.linaddr = r.e.base + r.e.size)},
	{"15 enclave is initialized", GP, ROW(r.other.build(); r.s.secinfo.flags = PT_REG | R | W;
					      r.pageinfo(r.other.at(FREE), r.k.at(r.s.source), r.k.at(&r.s.secinfo),
							 r.other.secs_linear()))},
	{"18 valid operands, REG rw", OK, ROW(), "REG rw-",
	 ROW(if (r.monitor) r.check(r.monitor->entry(*r.target).linear == r.e.at(FREE), "another address"))},
	{"18 valid operands, REG rx", OK, ROW(r.s.secinfo.flags = PT_REG | R | X), "REG r-x"},
	{"18 valid operands, REG without rights", OK, ROW(r.s.secinfo.flags = PT_REG), "REG ---"},
	{"18 valid operands, first page", OK, ROW(r.s.pageinfo.linaddr = r.e.base), "REG rw-"},
	{"18 valid operands, last page", OK, ROW(r.s.pageinfo.linaddr = r.e.base + r.e.size - page_size), "REG rw-"},
	{"18 valid operands, contents from SRCPGE", OK, ROW(std::memset(r.s.source, 0x5a, page_size)), "REG rw-",
	 ROW(const Result g = r.k.encls(EDBGRD, 0, r.rcx + 4088);
	     r.check(g.regs.rbx == 0x5a5a5a5a5a5a5a5a, "EDBGRD: " + g.text()))},
	{"18 valid operands, SRCPGE in EPC reads as ones", OK, ROW(r.s.pageinfo.srcpge = r.fresh()), "REG rw-",
	 ROW(const Result g = r.k.encls(EDBGRD, 0, r.rcx); r.check(g.regs.rbx == ~0ULL, "not ones"))},
	{"16 TCS: rights are dropped", OK, ROW(prepare_tcs(r); r.s.secinfo.flags |= R | W | X), "TCS ---"},
	{"16 TCS: CSSA, AEP, STATE, DBGOPTIN cleared", OK,
	 ROW(prepare_tcs(r); Tcs &t = source_tcs(r); t.cssa = 1; t.aep = 0x1000; t.state = 1; t.flags = TCS_DBGOPTIN), "TCS ---",
	 ROW(for (const u64 at : {0, 8, 40}) r.check(r.k.encls(EDBGRD, 0, r.rcx + at).regs.rbx == 0, "field not 0");
	     r.check(r.k.encls(EDBGRD, 0, r.rcx + 24).regs.rbx == 2ULL << 32, "CSSA not 0, or NSSA not 2"))},
	{"16 TCS in a 32-bit enclave", OK, ROW(prepare_32(r)), "TCS ---"},
};
// clang-format on

// ---------------------------------------------------------------- EEXTEND

void prepare_eextend(TestBench &r)
{
	r.e.create();
	r.e.add(CODE, PT_REG | R | X, enclave_code);
	r.clear_shared();
	r.rbx = r.e.secs_linear();
	r.set_page(r.e.page(CODE));
}

// clang-format off
const Row eextend[] = {
	{"1 RBX misaligned by 8", GP, ROW(r.rbx += 8)},
	{"2 RBX not EPC", PF(rbx), ROW(r.rbx = r.ordinary())},
	{"3 RCX misaligned, half of 256", GP, ROW(r.rcx += 128)},
	{"4 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"4 RCX not mapped", NP_R(rcx), ROW(r.rcx = r.k.unmapped())},
	{"5 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"6 page is invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"6 page is invalid, chunk in its middle", PF(rcx), ROW(r.set_page(r.page()); r.rcx += 0x800)},
	{"7 page is the SECS", PF(rcx), ROW(r.set_page(r.e.secs()))},
	{"7 page is a VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"8 RBX is the SECS of another enclave", GP, ROW(r.other.create(); r.rbx = r.other.secs_linear())},
	{"8 RBX is an invalid page", GP, ROW(r.rbx = r.fresh())},
	{"10 enclave is initialized", GP, ROW(r.other.build(); r.rbx = r.other.secs_linear(); r.set_page(r.other.page(CODE)))},
	{"11 valid operands", OK, ROW(), "REG r-x"},
	{"11 valid operands, last chunk", OK, ROW(r.rcx += 0xf00), "REG r-x"},
	{"11 valid operands, TCS", OK, ROW(r.e.add(TCS_A, PT_TCS); r.set_page(r.e.page(TCS_A))), "TCS ---"},
};
// clang-format on

const Group groups[] = {
	{"ECREATE", ECREATE, Place::kernel, prepare_ecreate, ecreate},
	{"EADD", EADD, Place::kernel, prepare_eadd, eadd},
	{"EEXTEND", EEXTEND, Place::kernel, prepare_eextend, eextend},
};

} // namespace

std::span<const Group> build_groups()
{
	return groups;
}

} // namespace isa
