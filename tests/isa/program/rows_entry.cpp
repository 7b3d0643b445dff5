// SPDX-License-Identifier: GPL-2.0
// Rows on EENTER and ERESUME; the numbers in front are those of Documentation/isa.md 7.

#include <algorithm>
#include <thread>

#include <unistd.h>

#include "spinner.h"
#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;
using enum At;

/// A noncanonical linear address, as an offset into the enclave.
u64 beyond(const Enclave &e)
{
	return (1ULL << 47) - e.base;
}

// ----------------------------------------------------------------- EENTER

void right_eenter(Rig &r)
{
	r.e.ready();
	r.rbx = r.e.at(TCS_A);
	r.rcx = address_of(isa_aep);
	r.rdx = 0xd0d0;
	r.mark = r.e.at(SSA_A);
	r.target = r.e.page(TCS_A);
}

void entered(Rig &r, u64 cssa)
{
	r.check(r.frame.r8 == cssa, "RAX is not CSSA");
	r.check(r.frame.r9 == r.rbx, "RBX is not the TCS");
	r.check(r.frame.r10 == address_of(isa_enclu_next), "RCX is not the address behind ENCLU");
	r.check((r.frame.r12 & arithmetic) == arithmetic, "flags changed on the way in");
	r.check(r.frame.rdx == 0xd0d0, "RDX changed");
	r.check(r.frame.rcx == address_of(isa_aep), "RCX is not the AEP after EEXIT");
}

void two_page_frame(Rig &r)
{
	rebuilt(r, [](Enclave &e) {
		e.frame_pages = 2;
		e.tcs_a.nssa = 1;
	});
	r.mark = r.e.at(SSA_A + page_size);
}

/// An XFRM that the processor has and this kernel's XCR0 has not.
void foreign_xfrm(Rig &r)
{
	u32 low, high;
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	const u64 more = cpuid_xfrm() & ~(static_cast<u64>(high) << 32 | low);
	// Only PKRU stands alone: the others come in groups.
	if (!(more & 1 << 9))
		throw Skip{"XCR0 has all that XFRM could have"};
	r.e.discard();
	r.e.xfrm = 3 | 1 << 9;
	r.e.ready();
}

void needs_aexnotify()
{
	if (!(cpuid_attributes() & ATTR_AEXNOTIFY))
		throw Skip{"no AEX-Notify"};
}

/// clang-format off
const Row eenter[] = {
	{"2 RBX at 8", GP, ROW(r.rbx += 8)},
	{"3 RBX not EPC", PF(rbx), ROW(r.rbx = ordinary_user())},
	{"3 RBX not mapped", NP_W(rbx), ROW(r.e.hide(TCS_A))},
	{"3 RBX mapped read-only", RO(rbx), ROW(read_only(r, TCS_A))},
	{"3 RBX not canonical", GP, ROW(r.rbx = 1ULL << 47)},
	{"4 AEP not canonical", GP, ROW(r.rcx = 1ULL << 47)},
	{"5 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"6 page is free", PF(rbx), ROW(removed(r, TCS_A))},
	{"6 BLOCKED", PF(rbx), ROW(r.e.block(TCS_A))},
	{"6 TCS at an address that is not its own", PF(rbx), ROW(r.e.show(FREE, r.e.page(TCS_A)); r.rbx = r.e.at(FREE))},
	{"6 REG", PF(rbx), ROW(r.rbx = r.e.at(DATA))},
	{"6 SECS", PF(rbx), ROW(r.e.show(FREE, r.e.secs()); r.rbx = r.e.at(FREE))},
	{"6 VA", PF(rbx), ROW(r.e.show(FREE, r.va()); r.rbx = r.e.at(FREE))},
	{"6 PENDING", PF(rbx), ROW(r.e.aug(FREE); r.rbx = r.e.at(FREE))},
	{"6 TCS on its way: MODIFIED", PF(rbx), ROW(r.e.retype(DATA, PT_TCS); r.rbx = r.e.at(DATA))},
	{"6 TRIM", PF(rbx), ROW(r.e.retype(TCS_A, PT_TRIM))},
	{"7 OSSA at 8", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ossa += 8; }))},
	{"8 OFSBASE at 8", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ofsbase += 8; }))},
	{"8 OGSBASE at 8", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ogsbase += 8; }))},
	{"9 FS base not canonical", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ofsbase = beyond(e); }))},
	{"9 GS base not canonical", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ogsbase = beyond(e); }))},
	{"10 FLAGS bit 2", GP, ROW(r.e.poke(TCS_A + 8, 4))},
	{"10 FLAGS bit 63", GP, ROW(r.e.poke(TCS_A + 8, 1ULL << 63))},
	{"10 FLAGS.AEXNOTIFY, the enclave has not", GP, ROW(r.e.poke(TCS_A + 8, TCS_AEXNOTIFY))},
	{"10 the enclave has AEXNOTIFY, FLAGS has not", GP,
	 ROW(needs_aexnotify(); rebuilt(r, [](Enclave &e) { e.attributes |= ATTR_AEXNOTIFY; }))},
	{"11 enclave not initialized", GP, ROW(r.e.discard(); r.e.create(); r.e.fill())},
	{"12 32-bit enclave", GP,
	 ROW(r.other.base = 1 << 30; r.other.attributes = ATTR_DEBUG; r.other.ready(); r.rbx = r.other.at(TCS_A))},
	{"14 XFRM beyond XCR0", GP, ROW(foreign_xfrm(r))},
	{"15 NSSA 0", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.nssa = 0; }))},
	{"15 all frames in use", GP, ROW(fault_inside(r, TCS_B); r.rbx = r.e.at(TCS_B))},
	{"16 SSA not mapped", NP_W(mark), ROW(r.e.hide(SSA_A))},
	{"16 SSA mapped read-only", RO(mark), ROW(read_only(r, SSA_A))},
	{"16 SSA not EPC", PF(mark), ROW(plain_memory(r, SSA_A))},
	{"16 SSA free", PF(mark), ROW(removed(r, SSA_A))},
	{"16 SSA BLOCKED", PF(mark), ROW(r.e.block(SSA_A))},
	{"16 SSA PENDING", PF(mark), ROW(r.e.remove(SSA_A); r.e.aug(SSA_A))},
	{"16 SSA MODIFIED", PF(mark), ROW(r.e.retype(SSA_A, PT_TRIM))},
	{"16 SSA not to be written", PF(mark), ROW(r.e.restrict(SSA_A, R))},
	{"16 SSA without rights", PF(mark), ROW(r.e.restrict(SSA_A, 0))},
	{"16 SSA is a TCS", PF(mark), ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ossa = TCS_B; }); r.mark = r.e.at(TCS_B))},
	{"16 SSA is another page of the enclave", PF(mark), ROW(r.e.show(SSA_A, r.e.page(DATA)))},
	{"16 SSA is another enclave's", PF(mark), ROW(r.other.ready(); r.e.show(SSA_A, r.other.page(SSA_A)))},
	{"16 SSA outside ELRANGE", PF(mark),
	 ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ossa = ordinary_user() - e.base; }); r.mark = ordinary_user())},
	{"17 page of GPRSGX not mapped", NP_W(mark), ROW(two_page_frame(r); r.e.hide(SSA_A + page_size))},
	{"17 page of GPRSGX BLOCKED", PF(mark), ROW(two_page_frame(r); r.e.block(SSA_A + page_size))},
	{"17 page of GPRSGX not to be written", PF(mark), ROW(two_page_frame(r); r.e.restrict(SSA_A + page_size, R))},
	{"18 OENTRY not canonical", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.oentry = beyond(e); }))},
	{"20 nothing", OK, ROW(), "TCS ---", ROW(entered(r, 0))},
	{"20 nothing, a frame of two pages", OK, ROW(two_page_frame(r)), nullptr, ROW(entered(r, 0))},
	{"20 nothing, one frame in use", OK, ROW(fault_inside(r, TCS_A)), "TCS ---", ROW(entered(r, 1))},
	{"20 nothing, a frame that is not next does not matter", OK, ROW(r.e.hide(SSA_A + page_size)), "TCS ---",
	 ROW(entered(r, 0))},
	{"20 nothing, no debug", OK, ROW(rebuilt(r, [](Enclave &e) { e.attributes = ATTR_MODE64; })), nullptr,
	 ROW(entered(r, 0))},
	{"20 nothing, twice", OK, ROW(Frame f; r.e.enter(inside_state, f)), "TCS ---", ROW(entered(r, 0))},
	{"20 AEP goes into the TCS", OK, ROW(), "TCS ---",
	 ROW(r.check(r.e.peek(TCS_A + offsetof(Tcs, aep)) == r.rcx, "TCS.AEP differs"))},
	{"20 FS and GS lead into the enclave", OK,
	 ROW(if (!(r.k.cr4() & 1 << 16)) throw Skip{"no FSGSBASE to see them by"}; r.function = inside_bases), nullptr,
	 ROW(r.check(r.frame.r8 == r.e.at(DATA), "FS base"); r.check(r.frame.r9 == r.e.at(PARAM), "GS base"))},
	{"20 XCR0 is XFRM", OK, ROW(if (!(r.k.cr4() & 1 << 18)) throw Skip{"no OSXSAVE"}; r.function = inside_xgetbv), nullptr,
	 ROW(r.check(r.frame.r8 == 3, "XCR0 inside is " + std::to_string(r.frame.r8)))},
};
/// clang-format on

// ---------------------------------------------------------------- ERESUME

/// Stopped at an UD2, which ERESUME is to pass over.
void stopped(Rig &r, u64 tcs, u64 ssa)
{
	fault_inside(r, tcs);
	const u64 rip = r.e.saved_at(ssa, 0, offsetof(Gprsgx, rip));
	r.e.poke(rip, r.e.peek(rip) + 2);
}

void right_eresume(Rig &r)
{
	r.e.ready();
	r.rbx = r.e.at(TCS_A);
	r.rcx = address_of(isa_aep);
	r.mark = r.e.at(SSA_A);
	r.target = r.e.page(TCS_A);
	stopped(r, TCS_A, SSA_A);
}

void set_field(Rig &r, std::size_t field, u64 value)
{
	r.e.poke(r.e.saved_at(SSA_A, 0, field), value);
}

void in_xsave(Rig &r, u64 at, u64 bits)
{
	r.e.poke(SSA_A + at, r.e.peek(SSA_A + at) | bits);
}

void resumed(Rig &r)
{
	r.check(r.exit.where == Exit::returned, "did not come back");
	r.check(r.frame.rcx == address_of(isa_aep), "RCX is not the AEP after EEXIT");
	r.check(r.e.cssa() == 0, "CSSA not 0");
}

/// Resumed into a loop that lasts until timers have brought it out, and the AEP back in, a few times.
void resumed_for_long(Rig &r)
{
	static volatile u32 control[4];
	std::fill(std::begin(control), std::end(control), 0);
	set_field(r, offsetof(Gprsgx, rip), r.e.at(inside(inside_spin)));
	set_field(r, offsetof(Gprsgx, rcx), address_of(isa_enclu_next));
	set_field(r, offsetof(Gprsgx, rsi), reinterpret_cast<u64>(control));
	std::thread([&r] {
		pin(cpus() - 1);
		while (!control[0] || *static_cast<const volatile u64 *>(&r.frame.aexs) < 3)
			usleep(1000);
		control[1] = 1;
	}).detach();
}

/// Opted in to AEX-Notify: one frame in use, ERESUME is to enter at OENTRY with the other.
void notified(Rig &r)
{
	needs_aexnotify();
	r.e.discard();
	r.e.attributes |= ATTR_AEXNOTIFY;
	r.e.tcs_a.flags = r.e.tcs_b.flags = TCS_AEXNOTIFY;
	r.e.ready();
	stopped(r, TCS_A, SSA_A);
	const u64 word = r.e.saved_at(SSA_A, 0, offsetof(Gprsgx, exitinfo));
	r.e.poke(word, r.e.peek(word) | 1ULL << 56);
}

/// clang-format off
const Row eresume[] = {
	{"2 RBX at 8", GP, ROW(r.rbx += 8)},
	{"3 RBX not EPC", PF(rbx), ROW(r.rbx = ordinary_user())},
	{"3 RBX not mapped", NP_W(rbx), ROW(r.e.hide(TCS_A))},
	{"4 AEP not canonical", GP, ROW(r.rcx = 1ULL << 47)},
	{"5 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"6 page is free", PF(rbx), ROW(removed(r, TCS_A))},
	{"6 BLOCKED", PF(rbx), ROW(r.e.block(TCS_A))},
	{"6 TCS at an address that is not its own", PF(rbx), ROW(r.e.show(FREE, r.e.page(TCS_A)); r.rbx = r.e.at(FREE))},
	{"6 REG", PF(rbx), ROW(r.rbx = r.e.at(DATA))},
	{"10 FLAGS bit 2", GP, ROW(r.e.poke(TCS_A + 8, 4))},
	{"15 no frame in use", GP, ROW(r.rbx = r.e.at(TCS_B))},
	{"16 SSA not mapped", NP_W(mark), ROW(r.e.hide(SSA_A))},
	{"16 SSA mapped read-only", RO(mark), ROW(read_only(r, SSA_A))},
	{"16 SSA not EPC", PF(mark), ROW(plain_memory(r, SSA_A))},
	{"16 SSA BLOCKED", PF(mark), ROW(r.e.block(SSA_A))},
	{"16 SSA MODIFIED", PF(mark), ROW(r.e.retype(SSA_A, PT_TRIM))},
	{"16 SSA not to be written", PF(mark), ROW(r.e.restrict(SSA_A, R))},
	{"16 SSA is another page of the enclave", PF(mark), ROW(r.e.show(SSA_A, r.e.page(DATA)))},
	{"19 saved RIP not canonical", GP, ROW(set_field(r, offsetof(Gprsgx, rip), 1ULL << 47))},
	{"19 saved FS base not canonical", GP, ROW(set_field(r, offsetof(Gprsgx, fsbase), 1ULL << 47))},
	{"19 saved GS base not canonical", GP, ROW(set_field(r, offsetof(Gprsgx, gsbase), 1ULL << 47))},
	{"19 XSTATE_BV beyond XFRM", GP, ROW(in_xsave(r, 512, 1ULL << 2))},
	{"19 XSTATE_BV bit 62", GP, ROW(in_xsave(r, 512, 1ULL << 62))},
	{"19 XCOMP_BV not 0 in standard format", GP, ROW(in_xsave(r, 520, 1))},
	{"19 XCOMP_BV of a compacted image", GP, ROW(in_xsave(r, 520, 1ULL << 63 | 3))},
	{"19 XCOMP_BV of an empty compacted image", GP, ROW(in_xsave(r, 520, 1ULL << 63))},
	{"19 XSAVE header byte 16", GP, ROW(in_xsave(r, 528, 1))},
	{"19 MXCSR bit 16", GP, ROW(in_xsave(r, 24, 1 << 16))},
	{"20 nothing", OK, ROW(), "TCS ---", ROW(resumed(r))},
	{"20 timers bring it out meanwhile", OK, ROW(resumed_for_long(r)), "TCS ---", ROW(resumed(r))},
	{"20 nothing, all frames in use", OK, ROW(stopped(r, TCS_B, SSA_B); r.rbx = r.e.at(TCS_B)), "TCS ---",
	 ROW(r.check(r.exit.where == Exit::returned && r.e.cssa(TCS_B) == 0, "CSSA not 0"))},
	{"20 TF in the frame of an opt-out thread is dropped", OK, ROW(set_field(r, offsetof(Gprsgx, rflags), 0x302)), "TCS ---",
	 ROW(resumed(r))},
	{"20 FS and GS base come from the frame", OK,
	 ROW(if (!(r.k.cr4() & 1 << 16)) throw Skip{"no FSGSBASE to see them by"};
	     set_field(r, offsetof(Gprsgx, rip), r.e.at(inside(inside_bases)));
	     set_field(r, offsetof(Gprsgx, rcx), address_of(isa_enclu_next)); set_field(r, offsetof(Gprsgx, fsbase), 0x123000);
	     set_field(r, offsetof(Gprsgx, gsbase), 0x456008)),
	 "TCS ---", ROW(resumed(r); r.check(r.frame.r8 == 0x123000 && r.frame.r9 == 0x456008, "FS or GS base differs"))},
	{"20 flags come from the frame", OK,
	 ROW(set_field(r, offsetof(Gprsgx, rip), r.e.at(inside(inside_state)));
	     set_field(r, offsetof(Gprsgx, rcx), address_of(isa_enclu_next));
	     set_field(r, offsetof(Gprsgx, rflags), 0x202 | CF | OF)),
	 "TCS ---", ROW(resumed(r); r.check((r.frame.r12 & arithmetic) == (CF | OF), "flags differ"))},
	{"20 AEX-Notify: enters at OENTRY with the next frame", OK, ROW(notified(r); r.rdx = 0xd0d0), nullptr,
	 ROW(entered(r, 1); r.check(r.e.cssa() == 1, "CSSA changed"))},
	{"20 AEX-Notify, next frame not mapped", NP_W(mark),
	 ROW(notified(r); r.e.hide(SSA_A + page_size); r.mark = r.e.at(SSA_A + page_size))},
	{"20 AEX-Notify, all frames in use", GP,
	 ROW(notified(r); Frame f; r.e.enter(insn_ud2, f); const u64 word = r.e.saved_at(SSA_A, 1, offsetof(Gprsgx, exitinfo));
	     r.e.poke(word, r.e.peek(word) | 1ULL << 56))},
	{"20 AEX-Notify, but not in the frame: resumes", OK,
	 ROW(notified(r); const u64 word = r.e.saved_at(SSA_A, 0, offsetof(Gprsgx, exitinfo));
	     r.e.poke(word, r.e.peek(word) & ~(1ULL << 56))),
	 nullptr, ROW(resumed(r))},
};
/// clang-format on

const Group groups[] = {
	{"EENTER", EENTER, Place::outside, right_eenter, eenter},
	{"ERESUME", ERESUME, Place::outside, right_eresume, eresume},
};

} // namespace

std::span<const Group> entry_groups()
{
	return groups;
}

} // namespace isa
