// SPDX-License-Identifier: GPL-2.0
// Rows on the instructions of Documentation/isa.rst 10, executed inside an enclave.

#include "tables.h"

#include <cpuid.h>

/// Select a function of inside.S and the instruction in it that is expected to fault.
#define INSN(name)                         \
	[](TestBench &r) {                 \
		r.function = insn_##name;  \
		r.stop = insn_##name##_at; \
	}

#define DECLARE(name) extern const isa::u8 insn_##name[], insn_##name##_at[];

extern "C" {
DECLARE(cpuid)
DECLARE(getsec)
DECLARE(rdpmc)
DECLARE(sgdt)
DECLARE(sidt)
DECLARE(sldt)
DECLARE(str)
DECLARE(smsw)
DECLARE(vmcall)
DECLARE(vmfunc)
DECLARE(in)
DECLARE(out)
DECLARE(ins)
DECLARE(outs)
DECLARE(lcall)
DECLARE(ljmp)
DECLARE(lret)
DECLARE(int_n)
DECLARE(iret)
DECLARE(lss)
DECLARE(lfs)
DECLARE(lgs)
DECLARE(mov_ds)
DECLARE(mov_es)
DECLARE(mov_ss)
DECLARE(mov_fs)
DECLARE(mov_gs)
DECLARE(pop_fs)
DECLARE(pop_gs)
DECLARE(syscall)
DECLARE(sysenter)
DECLARE(int3)
DECLARE(int1)
DECLARE(div0)
DECLARE(hlt)
DECLARE(xsetbv)
DECLARE(mov_cr)
DECLARE(cli)
DECLARE(rdtsc)
DECLARE(rdtscp)
DECLARE(rdrand)
DECLARE(pause)
DECLARE(wrfsbase)
DECLARE(lsl)
DECLARE(lar)
DECLARE(verr)
DECLARE(verw)
DECLARE(encls)
DECLARE(enclv)
DECLARE(xsave)
DECLARE(avx)
}

namespace isa {

namespace {

using namespace expect;

/// Operands in memory: ordinary memory outside ELRANGE, large enough for XSAVE.
alignas(64) u8 operands[8192];

void prepare(TestBench &r)
{
	r.e.build();
	r.rcx = reinterpret_cast<u64>(operands);
}

/// Check EXITINFO after a fault; the type has the numbers of Documentation/isa.rst 11.
void check_exitinfo(TestBench &r, u32 vector, u32 type)
{
	r.check(r.e.saved().exitinfo == (EXITINFO_VALID | type << exitinfo_type_shift | vector),
		"EXITINFO is " + std::to_string(r.e.saved().exitinfo));
}

void check_no_exitinfo(TestBench &r)
{
	r.check(r.e.saved().exitinfo == 0, "EXITINFO is " + std::to_string(r.e.saved().exitinfo));
}

#define EXITINFO_UD ROW(check_exitinfo(r, VEC_UD, exitinfo_hardware))

// clang-format off
const Row rows[] = {
	{"CPUID", UD, INSN(cpuid), nullptr, EXITINFO_UD},
	{"GETSEC", UD, INSN(getsec), nullptr, EXITINFO_UD},
	{"RDPMC", UD, INSN(rdpmc), nullptr, EXITINFO_UD},
	{"SGDT", UD, INSN(sgdt), nullptr, EXITINFO_UD},
	{"SIDT", UD, INSN(sidt), nullptr, EXITINFO_UD},
	{"SLDT", UD, INSN(sldt), nullptr, EXITINFO_UD},
	{"STR", UD, INSN(str), nullptr, EXITINFO_UD},
	{"SMSW", UD, INSN(smsw), nullptr, EXITINFO_UD},
	{"VMCALL", UD, INSN(vmcall), nullptr, EXITINFO_UD},
	{"VMFUNC", UD, INSN(vmfunc), nullptr, EXITINFO_UD},
	{"IN, before the check of IOPL", UD, INSN(in), nullptr, EXITINFO_UD},
	{"OUT", UD, INSN(out), nullptr, EXITINFO_UD},
	{"INS", UD, INSN(ins), nullptr, EXITINFO_UD},
	{"OUTS", UD, INSN(outs), nullptr, EXITINFO_UD},
	{"far CALL", UD, INSN(lcall), nullptr, EXITINFO_UD},
	{"far JMP", UD, INSN(ljmp), nullptr, EXITINFO_UD},
	{"far RET", UD, INSN(lret), nullptr, EXITINFO_UD},
	{"INT n", UD, INSN(int_n), nullptr, EXITINFO_UD},
	{"IRET", UD, INSN(iret), nullptr, EXITINFO_UD},
	{"LSS", UD, INSN(lss), nullptr, EXITINFO_UD},
	{"LFS", UD, INSN(lfs), nullptr, EXITINFO_UD},
	{"LGS", UD, INSN(lgs), nullptr, EXITINFO_UD},
	{"MOV to DS", UD, INSN(mov_ds), nullptr, EXITINFO_UD},
	{"MOV to ES", UD, INSN(mov_es), nullptr, EXITINFO_UD},
	{"MOV to SS", UD, INSN(mov_ss), nullptr, EXITINFO_UD},
	{"MOV to FS", UD, INSN(mov_fs), nullptr, EXITINFO_UD},
	{"MOV to GS", UD, INSN(mov_gs), nullptr, EXITINFO_UD},
	{"POP FS", UD, INSN(pop_fs), nullptr, EXITINFO_UD},
	{"POP GS", UD, INSN(pop_gs), nullptr, EXITINFO_UD},
	{"SYSCALL", UD, INSN(syscall), nullptr, EXITINFO_UD},
	{"SYSENTER", UD, INSN(sysenter), nullptr, EXITINFO_UD},
	{"INT1", UD, INSN(int1), nullptr, EXITINFO_UD},
	{"UD2", UD, INSN(ud2), nullptr, EXITINFO_UD},
	{"ENCLS: CPL 3", UD, INSN(encls), nullptr, EXITINFO_UD},
	{"ENCLV, not enumerated", UD, INSN(enclv), nullptr, EXITINFO_UD},
	{"INT3, opted out", UD, INSN(int3), nullptr, EXITINFO_UD},
	{"INT3, opted in: a fault", BP, ROW(r.e.poke(TCS_A + offsetof(Tcs, flags), TCS_DBGOPTIN); INSN(int3)(r)), nullptr, ROW(check_exitinfo(r, VEC_BP, exitinfo_software))},
	{"DIV by 0", DE, INSN(div0), nullptr, ROW(check_exitinfo(r, 0, exitinfo_hardware))},
	{"HLT", GP, INSN(hlt), nullptr, ROW(check_no_exitinfo(r))},
	{"XSETBV", GP, INSN(xsetbv), nullptr, ROW(check_no_exitinfo(r))},
	{"MOV from CR0", GP, INSN(mov_cr), nullptr, ROW(check_no_exitinfo(r))},
	{"CLI", GP, INSN(cli), nullptr, ROW(check_no_exitinfo(r))},
	{"RDTSC, with SGX2", OK, INSN(rdtsc)},
	{"RDTSCP, with SGX2", OK, INSN(rdtscp)},
	{"RDRAND", OK, ROW(u32 a, b, c = 0, d; __get_cpuid(1, &a, &b, &c, &d); if (!(c & bit_RDRND)) throw Skip{"no RDRAND"};
			   INSN(rdrand)(r))},
	{"PAUSE", OK, INSN(pause)},
	{"WRFSBASE", OK, ROW(if (!(r.k.cr4() & CR4_FSGSBASE)) throw Skip{"no FSGSBASE"}; INSN(wrfsbase)(r))},
	{"LSL", OK, INSN(lsl)},
	{"LAR", OK, INSN(lar)},
	{"VERR", OK, INSN(verr)},
	{"VERW", OK, INSN(verw)},
	{"AVX without AVX in XFRM", UD, INSN(avx), nullptr, EXITINFO_UD},
	{"AVX with AVX in XFRM", OK, ROW(if (!(cpuid_xfrm() & XFRM_AVX)) throw Skip{"no AVX in XFRM"};
					 r.e.remove_all(); r.e.xfrm = XFRM_X87_SSE | XFRM_AVX; r.e.build(); INSN(avx)(r))},
	{"XSAVE", OK, ROW(if (!(r.k.cr4() & CR4_OSXSAVE)) throw Skip{"no OSXSAVE"}; INSN(xsave)(r))},
	{"POPF that sets TF, opted out: TF stays 0", OK, ROW(r.function = inside_popf), nullptr,
	 ROW(r.check(!(r.frame.r12 & TF), "TF is set"))},
	{"POPF that sets TF, opted in: single step", DB,
	 ROW(r.e.poke(TCS_A + offsetof(Tcs, flags), TCS_DBGOPTIN); r.function = inside_popf), nullptr, ROW(check_exitinfo(r, VEC_DB, exitinfo_hardware))},
};
// clang-format on

// The leaves of the prologue rows, executed inside.

void leaf_inside(TestBench &r)
{
	r.e.build();
	r.rbx = r.e.at(TCS_B);
	r.rcx = address_of(isa_aep);
}

// clang-format off
const Row leaves[] = {
	{"EENTER", GP, ROW(r.leaf = EENTER)},
	{"ERESUME", GP, ROW(r.leaf = ERESUME)},
	{"leaf 0AH", GP, ROW(r.leaf = 0xa)},
	{"leaf 1FH", GP, ROW(r.leaf = 0x1f)},
	{"leaf FFFFFFFFH", GP, ROW(r.leaf = 0xffffffff)},
	{"EVERIFYREPORT2, not enumerated", GP,
	 ROW(if (cpuid_sgx() & CPUID_EVERIFYREPORT2) throw Skip{"enumerated"}; r.leaf = EVERIFYREPORT2)},
	{"EDECCSSA with CSSA 0, enumerated or not", GP, ROW(r.leaf = EDECCSSA)},
	{"EEXIT, RBX not canonical", GP, ROW(r.leaf = EEXIT; r.rbx = noncanonical)},
};
// clang-format on

const Group groups[] = {
	{"inside", 0, Place::access, prepare, rows, false},
	{"inside", 0, Place::inside, leaf_inside, leaves, false},
};

} // namespace

std::span<const Group> instruction_groups()
{
	return groups;
}

} // namespace isa
