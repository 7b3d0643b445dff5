// SPDX-License-Identifier: GPL-2.0
// Rows on enumeration, MSRs, and the checks that precede any leaf: prefixes, privilege, leaf
// numbers (Documentation/isa.rst 1 and 2).

#include <cpuid.h>

#include "sign.h"
#include "states.h"
#include "tables.h"

namespace isa {

Cpuid cpuid(u32 leaf, u32 subleaf)
{
	Cpuid c;
	__cpuid_count(leaf, subleaf, c.eax, c.ebx, c.ecx, c.edx);
	return c;
}

u32 cpuid_sgx()
{
	return cpuid(0x12).eax;
}

u64 cpuid_attributes()
{
	const Cpuid c = cpuid(0x12, 1);
	return static_cast<u64>(c.ebx) << 32 | c.eax;
}

u64 cpuid_xfrm()
{
	const Cpuid c = cpuid(0x12, 1);
	return static_cast<u64>(c.edx) << 32 | c.ecx;
}

namespace {

using namespace expect;

// -------------------------------------------------------- CPUID and MSRs

constexpr u64 LE_MSR = MSR_LEPUBKEYHASH0;

u64 epc_size()
{
	u64 size = 0;
	for (u32 i = 2; i < 10; i++) {
		const Cpuid c = cpuid(0x12, i);
		if ((c.eax & 0xf) != 1)
			break;
		size += static_cast<u64>(c.edx & 0xfffff) << 32 | (c.ecx & 0xfffff000);
	}
	return size;
}

void after_the_last_section(TestBench &r)
{
	u32 i = 2;
	while ((cpuid(0x12, i).eax & 0xf) == 1)
		i++;
	const Cpuid c = cpuid(0x12, i);
	r.check(!(c.eax | c.ebx | c.ecx | c.edx), "not all 0");
}

/// Write and read back each MSR of the launch key hash.
void rewrites_hash(TestBench &r)
{
	for (u32 i = 0; i < 4; i++) {
		const u64 old = r.k.rdmsr(LE_MSR + i), value = 0x0123456789abcdef + i;
		const Result g = r.k.wrmsr(LE_MSR + i, value);
		r.check(!g.faulted(), g.text());
		r.check(r.k.rdmsr(LE_MSR + i) == value, "the MSR has another value");
		r.k.wrmsr(LE_MSR + i, old);
	}
}

// clang-format off
const Row enumeration[] = {
	{"the largest leaf is 12H or more", OK, ROW(r.check(cpuid(0).eax >= 0x12, "it is less"))},
	{"7.0:EBX[2], SGX", OK, ROW(r.check(cpuid(7).ebx & 1 << 2, "not set"))},
	{"7.0:ECX[30], SGX_LC", OK, ROW(r.check(cpuid(7).ecx & 1 << 30, "not set"))},
	{"7.0: no shadow stacks, no IBT", OK,
	 ROW(r.check(!(cpuid(7).ecx & 1 << 7) && !(cpuid(7).edx & 1 << 20), "CET is enumerated"))},
	{"12H.0:EAX, SGX1 and SGX2", OK, ROW(r.check((cpuid_sgx() & 3) == 3, "not both"))},
	{"12H.0:EDX, sizes: 2^31 at most for 32 bits, more for 64", OK,
	 ROW(const u32 d = cpuid(0x12).edx; r.check((d & 0xff) <= 0x1f && (d >> 8 & 0xff) > 0x1f, "sizes"))},
	{"12H.1: DEBUG, MODE64BIT, PROVISIONKEY and EINITTOKENKEY may be set", OK,
	 ROW(const u64 all = ATTR_DEBUG | ATTR_MODE64 | ATTR_PROVISION | ATTR_TOKEN;
	     r.check((cpuid_attributes() & all) == all, "an attribute is missing"))},
	{"12H.1: x87 and SSE may be in XFRM", OK, ROW(r.check((cpuid_xfrm() & 3) == 3, "not both"))},
	{"12H.2: the sections have the size that the monitor reports", OK,
	 ROW(if (!r.monitor) throw Skip{"only the SGX2 machine reports its size"};
	     r.check(epc_size() == r.monitor->pages() * page_size, "sizes differ"))},
	{"12H.2: ECX[3:0] is 1", OK, ROW(r.check((cpuid(0x12, 2).ecx & 0xf) == 1, "a bit is clear"))},
	{"12H: subleaves after the last section are 0", OK, after_the_last_section},
	{"MSR 3AH is locked, with SGX and launch control", OK,
	 ROW(const u64 all = FEAT_LOCK | FEAT_SGX | FEAT_SGX_LC; r.check((r.k.rdmsr(MSR_FEAT_CTL) & all) == all, "a bit is clear"))},
	{"MSR 3AH, WRMSR while locked", OK,
	 ROW(const Result g = r.k.wrmsr(MSR_FEAT_CTL, r.k.rdmsr(MSR_FEAT_CTL));
	     r.check(g.vector == VEC_GP && g.error == 0, g.text()))},
	{"MSRs 8CH to 8FH keep the written value", OK, rewrites_hash},
	{"INVD is GP", OK, ROW(const Result g = r.k.run(SGX2_ISA_INVD, {}); r.check(g.vector == VEC_GP && g.error == 0, g.text()))},
};
// clang-format on

// ------------------------------------------------------------------ ENCLS

/// EREMOVE of a free page, the leaf with the fewest requirements.
void prepare_encls(TestBench &r)
{
	r.set_page(r.page());
}

void optional(u32 bit)
{
	if (cpuid_sgx() & bit)
		throw Skip{"enumerated"};
}

// clang-format off
const Row encls[] = {
	{"valid operands", OK, ROW()},
	{"upper half of RAX is ignored", OK, ROW(r.high = 0xdeadbeef)},
	{"67H is ignored", OK, ROW(r.insn = SGX2_ISA_ENCLS_67)},
	{"segment override is ignored", OK, ROW(r.insn = SGX2_ISA_ENCLS_CS)},
	{"LOCK", UD, ROW(r.insn = SGX2_ISA_ENCLS_LOCK)},
	{"66H", UD, ROW(r.insn = SGX2_ISA_ENCLS_66)},
	{"F2H", UD, ROW(r.insn = SGX2_ISA_ENCLS_F2)},
	{"F3H", UD, ROW(r.insn = SGX2_ISA_ENCLS_F3)},
	{"ENCLU at CPL 0", UD, ROW(r.insn = SGX2_ISA_ENCLU)},
	{"ENCLV, not enumerated", UD, ROW(optional(CPUID_ENCLV); r.insn = SGX2_ISA_ENCLV)},
	{"leaf 14H", GP, ROW(r.leaf = 0x14)},
	{"leaf 17H", GP, ROW(r.leaf = 0x17)},
	{"leaf 1FH", GP, ROW(r.leaf = 0x1f)},
	{"leaf 103H", GP, ROW(r.leaf = 0x103)},
	{"leaf 80000003H", GP, ROW(r.leaf = 0x80000003)},
	{"leaf FFFFFFFFH", GP, ROW(r.leaf = 0xffffffff)},
	{"ERDINFO, not enumerated", GP, ROW(optional(CPUID_ENCLS_C); r.leaf = ERDINFO)},
	{"ETRACKC, not enumerated", GP, ROW(optional(CPUID_ENCLS_C); r.leaf = ETRACKC)},
	{"ELDBC, not enumerated", GP, ROW(optional(CPUID_ENCLS_C); r.leaf = ELDBC)},
	{"ELDUC, not enumerated", GP, ROW(optional(CPUID_ENCLS_C); r.leaf = ELDUC)},
	{"EUPDATESVN, not enumerated", GP, ROW(optional(CPUID_EUPDATESVN); r.leaf = EUPDATESVN)},
	{"the kernel's exception table reports #GP", GP, ROW(r.how = SGX2_ISA_BY_KERNEL; r.rcx += 8)},
	{"the kernel's exception table reports #PF of the EPCM", PF(At::rcx),
	 ROW(r.how = SGX2_ISA_BY_KERNEL; r.rcx = r.ordinary())},
};
// clang-format on

// EMODPR with its SECINFO in user memory: SMAP applies to explicit operands that are not EPC.

alignas(64) SecInfo user_secinfo;

void prepare_smap(TestBench &r)
{
	if (!(r.k.cr4() & CR4_SMAP))
		throw Skip{"no SMAP"};
	r.e.build();
	user_secinfo = {};
	user_secinfo.flags = R;
	r.rbx = reinterpret_cast<u64>(&user_secinfo);
	r.set_page(r.e.page(DATA));
}

// clang-format off
const Row smap[] = {
	{"EFLAGS.AC clear", PFEC(PFEC_P, At::rbx), ROW()},
	{"EFLAGS.AC set", OK, ROW(r.how = SGX2_ISA_STAC), "REG r-- PR"},
};
// clang-format on

// ------------------------------------------------------------------ ENCLU

void prepare_enclu(TestBench &r)
{
	r.rbx = r.e.at(TCS_A);
	r.rcx = address_of(isa_aep);
}

// clang-format off
const Row enclu_leaf[] = {
	{"EREPORT outside", GP, ROW(r.leaf = EREPORT)},
	{"EGETKEY outside", GP, ROW(r.leaf = EGETKEY)},
	{"EEXIT outside", GP, ROW(r.leaf = EEXIT)},
	{"EACCEPT outside", GP, ROW(r.leaf = EACCEPT)},
	{"EMODPE outside", GP, ROW(r.leaf = EMODPE)},
	{"EACCEPTCOPY outside", GP, ROW(r.leaf = EACCEPTCOPY)},
	{"EVERIFYREPORT2, not enumerated", GP, ROW(optional(CPUID_EVERIFYREPORT2); r.leaf = EVERIFYREPORT2)},
	{"EDECCSSA outside", GP, ROW(r.leaf = EDECCSSA)},
	{"leaf 0AH", GP, ROW(r.leaf = 0xa)},
	{"leaf 1FH", GP, ROW(r.leaf = 0x1f)},
	{"leaf 102H", GP, ROW(r.leaf = 0x102)},
	{"leaf FFFFFFFFH", GP, ROW(r.leaf = 0xffffffff)},
};
// clang-format on

/// Execute an instruction of user.S at CPL 3.
void execute_user(TestBench &r, const u8 *function, unsigned vector)
{
	Frame f;
	f.rax = EENTER;
	const Exit x = call(address_of(function), f);
	r.check(x.where != Exit::returned && x.vector == vector && x.error == 0 && x.rip == address_of(function),
		"vector " + std::to_string(x.vector) + ", error " + std::to_string(x.error));
	r.check(x.regs.rax == EENTER, "RAX changed");
}

// clang-format off
const Row user_mode[] = {
	{"ENCLS at CPL 3: UD", OK, ROW(execute_user(r, isa_encls_plain, VEC_UD))},
	{"ENCLV at CPL 3: UD", OK, ROW(execute_user(r, isa_enclv_plain, VEC_UD))},
	{"ENCLU with LOCK: UD", OK, ROW(execute_user(r, isa_enclu_lock, VEC_UD))},
	{"ENCLU with 66H: UD", OK, ROW(execute_user(r, isa_enclu_66, VEC_UD))},
	{"ENCLU with F2H: UD", OK, ROW(execute_user(r, isa_enclu_f2, VEC_UD))},
	{"ENCLU with F3H: UD", OK, ROW(execute_user(r, isa_enclu_f3, VEC_UD))},
	{"ENCLU with 67H: as without, GP for this TCS", OK, ROW(execute_user(r, isa_enclu_67, VEC_GP))},
	{"ENCLU plain: GP for this TCS", OK, ROW(execute_user(r, isa_enclu_plain, VEC_GP))},
};
// clang-format on

const Group groups[] = {
	{"CPUID", 0, Place::none, nullptr, enumeration, false},
	{"ENCLS", EREMOVE, Place::kernel, prepare_encls, encls, false},
	{"SMAP", EMODPR, Place::kernel, prepare_smap, smap, false},
	{"ENCLU", EENTER, Place::outside, prepare_enclu, enclu_leaf, false},
	{"ENCLU", 0, Place::none, nullptr, user_mode, false},
};

} // namespace

std::span<const Group> prologue_groups()
{
	return groups;
}

} // namespace isa
