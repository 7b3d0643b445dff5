// SPDX-License-Identifier: GPL-2.0
// Rows on EEXIT and on asynchronous exits: the SSA frame as EDBGRD shows it, and the synthetic
// state (Documentation/isa.rst 11).

#include <cstring>

#include "enclave_thread.h"
#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

std::string hex(u64 value)
{
	char text[20];
	std::snprintf(text, sizeof(text), "%#lx", value);
	return text;
}

void check_equal(TestBench &r, const char *what, u64 result, u64 want)
{
	r.check(result == want, std::string(what) + " is " + hex(result) + ", expected " + hex(want));
}

void built(TestBench &r)
{
	r.e.build();
}

// ------------------------------------------------------------------ EEXIT

/// An interrupt inside restores TF, too, and the first trap is then at the AEP: retry.
void step_over(TestBench &r)
{
	for (int i = 0; i < 20; i++) {
		Frame f;
		f.rflags = rflags_user | TF;
		const Exit x = r.e.enter(inside_state, f);
		if (x.rip != address_of(isa_enclu_next) && r.e.cssa() == 1) {
			r.e.remove_all();
			r.e.build();
			continue;
		}
		check_equal(r, "vector", x.vector, VEC_DB);
		check_equal(r, "RIP", x.rip, address_of(isa_enclu_next));
		check_equal(r, "CSSA", r.e.cssa(), 0);
		return;
	}
	r.check(false, "a trap inside, or an interrupt in each attempt");
}

// clang-format off
const Row eexit[] = {
	{"RCX is the AEP; the other registers are unchanged", OK,
	 ROW(Frame f; f.rdx = 0xd1; f.rbp = 0xb1; f.r13 = 0x13; f.r14 = 0x14; f.rsi = address_of(isa_enclu_next);
	     const Exit x = r.e.enter(inside_exit, f); r.check(x.where == Exit::returned, "did not return");
	     check_equal(r, "RAX", f.rax, EEXIT); check_equal(r, "RBX", f.rbx, f.rsi);
	     check_equal(r, "RCX", f.rcx, address_of(isa_aep));
	     check_equal(r, "RDX", f.rdx, 0xd1); check_equal(r, "RBP", f.rbp, 0xb1); check_equal(r, "R13", f.r13, 0x13); check_equal(r, "R14", f.r14, 0x14))},
	{"flags are unchanged", OK,
	 ROW(Frame f; f.rsi = address_of(isa_enclu_next); f.rflags = rflags_user | arithmetic; r.e.enter(inside_exit, f);
	     check_equal(r, "flags", f.rflags & arithmetic, arithmetic))},
	{"into ELRANGE: the fetch from an abort page is #UD", OK,
	 ROW(Frame f; f.rsi = r.e.at(CODE); const Exit x = r.e.enter(inside_exit, f);
	     check_equal(r, "vector", x.vector, VEC_UD); check_equal(r, "RIP", x.rip, r.e.at(CODE)); check_equal(r, "CSSA", r.e.cssa(), 0))},
	{"the TCS is inactive again", OK,
	 ROW(for (int i = 0; i < 3; i++) { Frame f; r.check(r.e.enter(inside_state, f).where == Exit::returned, "busy"); })},
	{"opted out, TF set outside: no trap inside, one after", OK, step_over},
	{"opted in, TF set outside: trap after EENTER", OK,
	 ROW(r.e.poke(TCS_A + offsetof(Tcs, flags), TCS_DBGOPTIN); Frame f; f.rflags = rflags_user | TF; const Exit x = r.e.enter(inside_state, f);
	     check_equal(r, "vector", x.vector, VEC_DB); r.check(x.where == Exit::at_aep, "RIP is not the AEP");
	     check_equal(r, "RIP in the frame", r.e.saved().rip, r.e.at(CODE)))},
};
// clang-format on

// --------------------------------------------------------------- registers

/// Return the value of a register: RAX RCX RDX RBX (RSP) RBP RSI RDI R8-R15, in the order of
/// GPRSGX.
u64 pattern_of(unsigned i)
{
	return 0x1010101010101010ULL * (i % 15 + 1) + i;
}

constexpr u64 mxcsr_inside = 0x3f80, fpi_exponent = 0x4000;
constexpr u64 xmm_low = 0xa5a5a5a5a5a5a5a5, xmm_high = 0x5a5a5a5a5a5a5a5a;
constexpr unsigned slot_rsp = 4;

/// Run inside_patterns up to its UD2.
Exit patterns(TestBench &r, Frame &f)
{
	for (unsigned i = 0; i < 16; i++)
		r.e.poke(DATA + 8 * i, pattern_of(i));
	r.e.poke(DATA + 0x80, rflags_user | arithmetic);
	r.e.poke(DATA + 0x88, mxcsr_inside);
	r.e.poke(DATA + 0x90, xmm_low);
	r.e.poke(DATA + 0x98, xmm_high);
	f.rbp = 0xb0b0;
	f.rsi = 0x5151;
	return r.e.enter(inside_patterns, f);
}

void frame_holds(TestBench &r)
{
	Frame f;
	const Exit x = patterns(r, f);
	check_equal(r, "vector", x.vector, VEC_UD);
	const Gprsgx g = r.e.saved();
	const u64 regs[] = {g.rax, g.rcx, g.rdx, g.rbx, g.rsp, g.rbp, g.rsi, g.rdi,
			    g.r8,  g.r9,  g.r10, g.r11, g.r12, g.r13, g.r14, g.r15};
	for (unsigned i = 0; i < 16; i++)
		if (i != slot_rsp)
			check_equal(r, ("register " + std::to_string(i)).c_str(), regs[i], pattern_of(i));
	check_equal(r, "RSP", g.rsp, f.stack);
	check_equal(r, "URSP", g.ursp, f.stack);
	check_equal(r, "URBP", g.urbp, 0xb0b0);
	check_equal(r, "RIP", g.rip, r.e.at(inside(inside_patterns_at)));
	check_equal(r, "flags", g.rflags & arithmetic, arithmetic);
	check_equal(r, "RF", g.rflags >> 16 & 1, 1);
	check_equal(r, "TF", g.rflags & TF, 0);
	check_equal(r, "FSBASE", g.fsbase, r.e.at(DATA));
	check_equal(r, "GSBASE", g.gsbase, r.e.at(PARAM));
	check_equal(r, "EXITINFO", g.exitinfo, EXITINFO_VALID | exitinfo_hardware << exitinfo_type_shift | VEC_UD);
}

void xsave_holds(TestBench &r)
{
	Frame f;
	patterns(r, f);
	check_equal(r, "MXCSR", r.e.peek(SSA_A + XSAVE_MXCSR) & 0xffffffff, mxcsr_inside);
	check_equal(r, "XMM7 low", r.e.peek(SSA_A + 160 + 16 * 7), xmm_low);
	check_equal(r, "XMM7 high", r.e.peek(SSA_A + 160 + 16 * 7 + 8), xmm_high);
	check_equal(r, "exponent of ST0", r.e.peek(SSA_A + XSAVE_ST0 + 8) & 0xffff, fpi_exponent);
	check_equal(r, "XSTATE_BV outside XFRM", r.e.peek(SSA_A + XSTATE_BV) & ~r.e.xfrm, 0);
	check_equal(r, "XCOMP_BV", r.e.peek(SSA_A + XCOMP_BV), 0);
	check_equal(r, "header byte 16", r.e.peek(SSA_A + XSAVE_HEADER_RESERVED), 0);
}

void outside_is_synthetic(TestBench &r)
{
	Frame f;
	const Exit x = patterns(r, f);
	r.check(x.where == Exit::at_aep, "RIP is not the AEP");
	check_equal(r, "RAX", x.regs.rax, ERESUME);
	check_equal(r, "RBX", x.regs.rbx, r.e.at(TCS_A));
	check_equal(r, "RCX", x.regs.rcx, address_of(isa_aep));
	check_equal(r, "RSP", x.rsp, f.stack);
	check_equal(r, "RBP", x.regs.rbp, 0xb0b0);
	const u64 zeros[] = {x.regs.rdx, x.regs.rsi, x.regs.rdi, x.regs.r8,  x.regs.r9, x.regs.r10,
			     x.regs.r11, x.regs.r12, x.regs.r13, x.regs.r14, x.regs.r15};
	for (const u64 z : zeros)
		check_equal(r, "a register that must be 0", z, 0);
	check_equal(r, "flags", x.regs.rflags & arithmetic, 0);
	// RF is 0 as well, but the delivery of a fault pushes it as 1.
	check_equal(r, "FCW", x.fcw, 0x37f);
	check_equal(r, "FSW", x.fsw, 0);
	check_equal(r, "MXCSR", x.mxcsr, 0x1fb0);
	for (const u8 b : x.xmm7)
		check_equal(r, "a byte of XMM7", b, 0);
	check_equal(r, "CSSA", r.e.cssa(), 1);
}

void eresume_restores(TestBench &r)
{
	Frame f;
	patterns(r, f);
	r.e.poke(r.e.saved_at(SSA_A, 0, offsetof(Gprsgx, rip)), r.e.at(inside(inside_patterns_after)));
	Frame g;
	r.check(r.e.resume(g).where == Exit::returned, "did not return");
	for (unsigned i = 0; i < 16; i++)
		if (i != slot_rsp)
			check_equal(r, ("register " + std::to_string(i)).c_str(), r.e.peek(DATA + 0x100 + 8 * i), pattern_of(i));
	check_equal(r, "flags", r.e.peek(DATA + 0x180) & arithmetic, arithmetic);
	check_equal(r, "MXCSR", r.e.peek(DATA + 0x188) & 0xffffffff, mxcsr_inside);
	check_equal(r, "XMM7 low", r.e.peek(DATA + 0x190), xmm_low);
	check_equal(r, "XMM7 high", r.e.peek(DATA + 0x198), xmm_high);
	double pi;
	const u64 word = r.e.peek(DATA + 0x1a0);
	std::memcpy(&pi, &word, 8);
	r.check(pi > 3.14 && pi < 3.15, "ST0");
	check_equal(r, "CSSA", r.e.cssa(), 0);
}

// ---------------------------------------------------------- kinds of event

/// Read at address inside.
Exit read_at(TestBench &r, u64 address)
{
	Frame f;
	f.rsi = address;
	return r.e.enter(inside_read, f);
}

void with_exinfo(TestBench &r)
{
	u32 misc = cpuid(0x12).ebx;
	if (!(misc & 1))
		throw Skip{"no EXINFO"};
	r.e.remove_all();
	r.e.miscselect = 1;
	r.e.build();
}

struct Exinfo {
	u64 address;
	u32 error, reserved;
};

Exinfo exinfo(TestBench &r)
{
	Exinfo x;
	r.e.peek_bytes(r.e.saved_at(SSA_A, 0, 0) - sizeof(x), &x, sizeof(x));
	return x;
}

void check_counters(TestBench &r, unsigned index, void (*event)(TestBench &))
{
	if (!r.monitor)
		throw Skip{"only the SGX2 machine counts exits"};
	const u64 before = r.monitor->counter(index);
	event(r);
	check_equal(r, "counted", r.monitor->counter(index) - before, 1);
}

// clang-format off
const Row aex[] = {
	{"GPRSGX holds all registers, RIP, URSP, URBP, EXITINFO", OK, ROW(frame_holds(r))},
	{"the XSAVE area holds x87 and SSE state, in standard form", OK, ROW(xsave_holds(r))},
	{"outside: the synthetic state", OK, ROW(outside_is_synthetic(r))},
	{"ERESUME restores all registers", OK, ROW(eresume_restores(r))},
	{"#PF: CR2 without its low bits, EXITINFO 0 without EXINFO", OK,
	 ROW(const Exit x = read_at(r, r.e.at(FREE) + 0x123);
	     check_equal(r, "vector", x.vector, VEC_PF); check_equal(r, "CR2", x.cr2, r.e.at(FREE));
	     check_equal(r, "EXITINFO", r.e.saved().exitinfo, 0))},
	{"#PF outside ELRANGE: CR2 without its low bits", OK,
	 ROW(const Exit x = read_at(r, 0x12345); check_equal(r, "CR2", x.cr2, 0x12000))},
	{"#PF with EXINFO: full address and error code", OK,
	 ROW(with_exinfo(r); const Exit x = read_at(r, r.e.at(FREE) + 0x123); check_equal(r, "CR2", x.cr2, r.e.at(FREE));
	     check_equal(r, "EXITINFO", r.e.saved().exitinfo, EXITINFO_VALID | exitinfo_hardware << exitinfo_type_shift | VEC_PF);
	     check_equal(r, "MADDR", exinfo(r).address, r.e.at(FREE) + 0x123); check_equal(r, "ERRCD", exinfo(r).error, PFEC_U);
	     check_equal(r, "reserved", exinfo(r).reserved, 0))},
	{"#PF of the EPCM with EXINFO: SGX bit in ERRCD", OK,
	 ROW(with_exinfo(r); read_at(r, r.e.at(TCS_B) + 8); check_equal(r, "ERRCD", exinfo(r).error, PFEC_SGX | PFEC_U | PFEC_P))},
	{"#GP with EXINFO: MADDR 0", OK,
	 ROW(with_exinfo(r); const Exit x = read_at(r, noncanonical); check_equal(r, "vector", x.vector, VEC_GP);
	     check_equal(r, "EXITINFO", r.e.saved().exitinfo, EXITINFO_VALID | exitinfo_hardware << exitinfo_type_shift | VEC_GP); check_equal(r, "MADDR", exinfo(r).address, 0))},
	{"#UD with EXINFO: as without", OK,
	 ROW(with_exinfo(r); fault_inside(r); check_equal(r, "EXITINFO", r.e.saved().exitinfo, EXITINFO_VALID | exitinfo_hardware << exitinfo_type_shift | VEC_UD))},
	{"a second exit fills the second frame", OK,
	 ROW(fault_inside(r); Frame f; r.e.enter(insn_ud2, f); check_equal(r, "CSSA", r.e.cssa(), 2);
	     check_equal(r, "RIP", r.e.saved(SSA_A, 1).rip, r.e.at(inside(insn_ud2_at)));
	     check_equal(r, "URSP", r.e.saved(SSA_A, 1).ursp, f.stack))},
	{"AEXNOTIFY in the frame is 0", OK, ROW(fault_inside(r); check_equal(r, "AEXNOTIFY", r.e.saved().aexnotify, 0))},
	{"timer interrupts: the thread continues", OK,
	 ROW(EnclaveThread s(r.k, r.e, TCS_A, 0, EnclaveThread::with_interrupts); s.start(); while (s.aexs() < 3) s.wait_iterations(1000); r.check(s.stop(), "the thread faulted");
	     check_equal(r, "CSSA", r.e.cssa(), 0))},
	{"counted: one #UD", OK, ROW(check_counters(r, SGX2_DEV_CTR_AEX_EXCEPTION(VEC_UD), [](TestBench &q) { fault_inside(q); }))},
	{"counted: one #PF", OK, ROW(check_counters(r, SGX2_DEV_CTR_AEX_EXCEPTION(VEC_PF), [](TestBench &q) { read_at(q, q.e.at(FREE)); }))},
	{"counted: one denied read", OK, ROW(check_counters(r, SGX2_DEV_CTR_DENY_READ, [](TestBench &q) { read_at(q, q.e.at(TCS_B)); }))},
};
// clang-format on

const Group groups[] = {
	{"EEXIT", EEXIT, Place::none, built, eexit, false},
	{"AEX", 0, Place::none, built, aex, false},
};

} // namespace

std::span<const Group> exit_groups()
{
	return groups;
}

} // namespace isa
