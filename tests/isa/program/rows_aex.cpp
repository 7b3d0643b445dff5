// SPDX-License-Identifier: GPL-2.0
// Rows on EEXIT and on asynchronous exits: the SSA frame as EDBGRD shows it, and the synthetic state outside (Documentation/isa.md 11).

#include <cstring>

#include "spinner.h"
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

void same(Rig &r, const char *what, u64 got, u64 want)
{
	r.check(got == want, std::string(what) + " is " + hex(got) + ", should be " + hex(want));
}

void built(Rig &r)
{
	r.e.ready();
}

// ------------------------------------------------------------------ EEXIT

/// An interrupt inside brings TF back too, and the first trap is at the AEP: then once more.
void step_over(Rig &r)
{
	for (int i = 0; i < 20; i++) {
		Frame f;
		f.rflags = 0x202 | TF;
		const Exit x = r.e.enter(inside_state, f);
		if (x.rip != address_of(isa_enclu_next) && r.e.cssa() == 1) {
			r.e.discard();
			r.e.ready();
			continue;
		}
		same(r, "vector", x.vector, VEC_DB);
		same(r, "RIP", x.rip, address_of(isa_enclu_next));
		same(r, "CSSA", r.e.cssa(), 0);
		return;
	}
	r.check(false, "a trap inside, or interrupted each time");
}

/// clang-format off
const Row eexit[] = {
	{"RCX is the AEP; the other registers stay", OK,
	 ROW(Frame f; f.rdx = 0xd1; f.rbp = 0xb1; f.r13 = 0x13; f.r14 = 0x14; f.rsi = address_of(isa_enclu_next);
	     const Exit x = r.e.enter(inside_exit, f); r.check(x.where == Exit::returned, "did not return");
	     same(r, "RAX", f.rax, EEXIT); same(r, "RBX", f.rbx, f.rsi); same(r, "RCX", f.rcx, address_of(isa_aep));
	     same(r, "RDX", f.rdx, 0xd1); same(r, "RBP", f.rbp, 0xb1); same(r, "R13", f.r13, 0x13); same(r, "R14", f.r14, 0x14))},
	{"flags stay", OK,
	 ROW(Frame f; f.rsi = address_of(isa_enclu_next); f.rflags = 0x202 | arithmetic; r.e.enter(inside_exit, f);
	     same(r, "flags", f.rflags &arithmetic, arithmetic))},
	{"into ELRANGE: the fetch is an abort page, UD", OK,
	 ROW(Frame f; f.rsi = r.e.at(CODE); const Exit x = r.e.enter(inside_exit, f); same(r, "vector", x.vector, VEC_UD);
	     same(r, "RIP", x.rip, r.e.at(CODE)); same(r, "CSSA", r.e.cssa(), 0))},
	{"the thread is free again", OK, ROW(for (int i = 0; i < 3; i++) {
		 Frame f;
		 r.check(r.e.enter(inside_state, f).where == Exit::returned, "busy");
	 })},
	{"opted out, TF set outside: no trap inside, one behind", OK, step_over},
	{"opted in, TF set outside: trap behind EENTER", OK,
	 ROW(r.e.poke(TCS_A + 8, TCS_DBGOPTIN); Frame f; f.rflags = 0x202 | TF; const Exit x = r.e.enter(inside_state, f);
	     same(r, "vector", x.vector, VEC_DB); r.check(x.where == Exit::at_aep, "RIP is not the AEP");
	     same(r, "RIP in the frame", r.e.saved().rip, r.e.at(CODE)))},
};
/// clang-format on

// --------------------------------------------------------------- registers

/// RAX RCX RDX RBX (RSP) RBP RSI RDI R8-R15, in the order of GPRSGX.
u64 filler(unsigned i)
{
	return 0x1010101010101010ULL * (i % 15 + 1) + i;
}

constexpr u64 mxcsr_inside = 0x3f80, fpi_exponent = 0x4000;
constexpr u64 xmm_low = 0xa5a5a5a5a5a5a5a5, xmm_high = 0x5a5a5a5a5a5a5a5a;
constexpr unsigned slot_rsp = 4;

/// Runs inside_patterns until its UD2.
Exit patterns(Rig &r, Frame &f)
{
	for (unsigned i = 0; i < 16; i++)
		r.e.poke(DATA + 8 * i, filler(i));
	r.e.poke(DATA + 0x80, 0x202 | arithmetic);
	r.e.poke(DATA + 0x88, mxcsr_inside);
	r.e.poke(DATA + 0x90, xmm_low);
	r.e.poke(DATA + 0x98, xmm_high);
	f.rbp = 0xb0b0;
	f.rsi = 0x5151;
	return r.e.enter(inside_patterns, f);
}

void frame_holds(Rig &r)
{
	Frame f;
	const Exit x = patterns(r, f);
	same(r, "vector", x.vector, VEC_UD);
	const Gprsgx g = r.e.saved();
	const u64 regs[] = {g.rax, g.rcx, g.rdx, g.rbx, g.rsp, g.rbp, g.rsi, g.rdi,
			    g.r8,  g.r9,  g.r10, g.r11, g.r12, g.r13, g.r14, g.r15};
	for (unsigned i = 0; i < 16; i++)
		if (i != slot_rsp)
			same(r, ("register " + std::to_string(i)).c_str(), regs[i], filler(i));
	same(r, "RSP", g.rsp, f.gate);
	same(r, "URSP", g.ursp, f.gate);
	same(r, "URBP", g.urbp, 0xb0b0);
	same(r, "RIP", g.rip, r.e.at(inside(inside_patterns_at)));
	same(r, "flags", g.rflags & arithmetic, arithmetic);
	same(r, "RF", g.rflags >> 16 & 1, 1);
	same(r, "TF", g.rflags & TF, 0);
	same(r, "FSBASE", g.fsbase, r.e.at(DATA));
	same(r, "GSBASE", g.gsbase, r.e.at(PARAM));
	same(r, "EXITINFO", g.exitinfo, 1U << 31 | 3 << 8 | VEC_UD);
}

void xsave_holds(Rig &r)
{
	Frame f;
	patterns(r, f);
	same(r, "MXCSR", r.e.peek(SSA_A + 24) & 0xffffffff, mxcsr_inside);
	same(r, "XMM7 low", r.e.peek(SSA_A + 160 + 16 * 7), xmm_low);
	same(r, "XMM7 high", r.e.peek(SSA_A + 160 + 16 * 7 + 8), xmm_high);
	same(r, "exponent of ST0", r.e.peek(SSA_A + 32 + 8) & 0xffff, fpi_exponent);
	same(r, "XSTATE_BV outside XFRM", r.e.peek(SSA_A + 512) & ~r.e.xfrm, 0);
	same(r, "XCOMP_BV", r.e.peek(SSA_A + 520), 0);
	same(r, "header byte 16", r.e.peek(SSA_A + 528), 0);
}

void outside_is_synthetic(Rig &r)
{
	Frame f;
	const Exit x = patterns(r, f);
	r.check(x.where == Exit::at_aep, "RIP is not the AEP");
	same(r, "RAX", x.regs.rax, ERESUME);
	same(r, "RBX", x.regs.rbx, r.e.at(TCS_A));
	same(r, "RCX", x.regs.rcx, address_of(isa_aep));
	same(r, "RSP", x.rsp, f.gate);
	same(r, "RBP", x.regs.rbp, 0xb0b0);
	const u64 zeros[] = {x.regs.rdx, x.regs.rsi, x.regs.rdi, x.regs.r8,  x.regs.r9, x.regs.r10,
			     x.regs.r11, x.regs.r12, x.regs.r13, x.regs.r14, x.regs.r15};
	for (const u64 z : zeros)
		same(r, "a register that should be 0", z, 0);
	same(r, "flags", x.regs.rflags & arithmetic, 0);
	// RF is 0 too, but for a fault the delivery that follows pushes it as 1.
	same(r, "FCW", x.fcw, 0x37f);
	same(r, "FSW", x.fsw, 0);
	same(r, "MXCSR", x.mxcsr, 0x1fb0);
	for (const u8 b : x.xmm7)
		same(r, "a byte of XMM7", b, 0);
	same(r, "CSSA", r.e.cssa(), 1);
}

void eresume_restores(Rig &r)
{
	Frame f;
	patterns(r, f);
	r.e.poke(r.e.saved_at(SSA_A, 0, offsetof(Gprsgx, rip)), r.e.at(inside(inside_patterns_after)));
	Frame g;
	r.check(r.e.resume(g).where == Exit::returned, "did not return");
	for (unsigned i = 0; i < 16; i++)
		if (i != slot_rsp)
			same(r, ("register " + std::to_string(i)).c_str(), r.e.peek(DATA + 0x100 + 8 * i), filler(i));
	same(r, "flags", r.e.peek(DATA + 0x180) & arithmetic, arithmetic);
	same(r, "MXCSR", r.e.peek(DATA + 0x188) & 0xffffffff, mxcsr_inside);
	same(r, "XMM7 low", r.e.peek(DATA + 0x190), xmm_low);
	same(r, "XMM7 high", r.e.peek(DATA + 0x198), xmm_high);
	double pi;
	const u64 word = r.e.peek(DATA + 0x1a0);
	std::memcpy(&pi, &word, 8);
	r.check(pi > 3.14 && pi < 3.15, "ST0");
	same(r, "CSSA", r.e.cssa(), 0);
}

// ---------------------------------------------------------- kinds of event

/// A read of address inside; RCX of the enclave is not of interest.
Exit read_at(Rig &r, u64 address)
{
	Frame f;
	f.rsi = address;
	return r.e.enter(inside_read, f);
}

void with_exinfo(Rig &r)
{
	u32 misc = cpuid(0x12).ebx;
	if (!(misc & 1))
		throw Skip{"no EXINFO"};
	r.e.discard();
	r.e.miscselect = 1;
	r.e.ready();
}

struct Exinfo {
	u64 address;
	u32 error, reserved;
};

Exinfo exinfo(Rig &r)
{
	Exinfo x;
	r.e.peek_bytes(r.e.saved_at(SSA_A, 0, 0) - sizeof(x), &x, sizeof(x));
	return x;
}

void counts(Rig &r, unsigned index, void (*event)(Rig &))
{
	if (!r.monitor)
		throw Skip{"only the machine counts"};
	const u64 before = r.monitor->counter(index);
	event(r);
	same(r, "counted", r.monitor->counter(index) - before, 1);
}

/// clang-format off
const Row aex[] = {
	{"GPRSGX holds all registers, RIP, URSP, URBP, EXITINFO", OK, ROW(frame_holds(r))},
	{"the XSAVE area holds x87 and SSE state, in standard form", OK, ROW(xsave_holds(r))},
	{"outside: the synthetic state", OK, ROW(outside_is_synthetic(r))},
	{"ERESUME brings all of it back", OK, ROW(eresume_restores(r))},
	{"#PF: CR2 without its low bits, EXITINFO 0 without EXINFO", OK,
	 ROW(const Exit x = read_at(r, r.e.at(FREE) + 0x123); same(r, "vector", x.vector, VEC_PF);
	     same(r, "CR2", x.cr2, r.e.at(FREE)); same(r, "EXITINFO", r.e.saved().exitinfo, 0))},
	{"#PF outside ELRANGE: CR2 without its low bits", OK,
	 ROW(const Exit x = read_at(r, 0x12345); same(r, "CR2", x.cr2, 0x12000))},
	{"#PF with EXINFO: full address and error code", OK,
	 ROW(with_exinfo(r); const Exit x = read_at(r, r.e.at(FREE) + 0x123); same(r, "CR2", x.cr2, r.e.at(FREE));
	     same(r, "EXITINFO", r.e.saved().exitinfo, 1U << 31 | 3 << 8 | VEC_PF);
	     same(r, "MADDR", exinfo(r).address, r.e.at(FREE) + 0x123); same(r, "ERRCD", exinfo(r).error, PFEC_U);
	     same(r, "reserved", exinfo(r).reserved, 0))},
	{"#PF of the EPCM with EXINFO: SGX bit in ERRCD", OK,
	 ROW(with_exinfo(r); read_at(r, r.e.at(TCS_B) + 8); same(r, "ERRCD", exinfo(r).error, PFEC_SGX | PFEC_U | PFEC_P))},
	{"#GP with EXINFO: MADDR 0", OK,
	 ROW(with_exinfo(r); const Exit x = read_at(r, 1ULL << 47); same(r, "vector", x.vector, VEC_GP);
	     same(r, "EXITINFO", r.e.saved().exitinfo, 1U << 31 | 3 << 8 | VEC_GP); same(r, "MADDR", exinfo(r).address, 0))},
	{"#UD with EXINFO: as without", OK,
	 ROW(with_exinfo(r); fault_inside(r); same(r, "EXITINFO", r.e.saved().exitinfo, 1U << 31 | 3 << 8 | VEC_UD))},
	{"a second exit fills the second frame", OK,
	 ROW(fault_inside(r); Frame f; r.e.enter(insn_ud2, f); same(r, "CSSA", r.e.cssa(), 2);
	     same(r, "RIP", r.e.saved(SSA_A, 1).rip, r.e.at(inside(insn_ud2_at)));
	     same(r, "URSP", r.e.saved(SSA_A, 1).ursp, f.gate))},
	{"AEXNOTIFY in the frame is 0", OK, ROW(fault_inside(r); same(r, "AEXNOTIFY", r.e.saved().aexnotify, 0))},
	{"timer interrupts: the thread goes on unharmed", OK,
	 ROW(Spinner s(r.k, r.e, TCS_A, 0, Spinner::ordinary); s.start(); while (s.aexs() < 3) s.beats(1000);
	     r.check(s.stop(), "the thread faulted"); same(r, "CSSA", r.e.cssa(), 0))},
	{"counted: one #UD", OK, ROW(counts(r, SGX2_DEV_CTR_AEX_EXCEPTION(VEC_UD), [](Rig &q) { fault_inside(q); }))},
	{"counted: one #PF", OK, ROW(counts(r, SGX2_DEV_CTR_AEX_EXCEPTION(VEC_PF), [](Rig &q) { read_at(q, q.e.at(FREE)); }))},
	{"counted: one denied read", OK, ROW(counts(r, SGX2_DEV_CTR_DENY_READ, [](Rig &q) { read_at(q, q.e.at(TCS_B)); }))},
};
/// clang-format on

const Group groups[] = {
	{"EEXIT", EEXIT, Place::nowhere, built, eexit, false},
	{"AEX", 0, Place::nowhere, built, aex, false},
};

} // namespace

std::span<const Group> exit_groups()
{
	return groups;
}

} // namespace isa
