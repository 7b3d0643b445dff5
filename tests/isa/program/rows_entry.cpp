// SPDX-License-Identifier: GPL-2.0
// Rows on EENTER and ERESUME; the numbers are those of the checks in Documentation/isa.rst 7.

#include <algorithm>
#include <thread>

#include <unistd.h>

#include "enclave_thread.h"
#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;
using enum At;

/// Return a non-canonical linear address as an offset in the enclave.
u64 noncanonical_offset(const Enclave &e)
{
	return noncanonical - e.base;
}

// ----------------------------------------------------------------- EENTER

void prepare_eenter(TestBench &r)
{
	r.e.build();
	r.rbx = r.e.at(TCS_A);
	r.rcx = address_of(isa_aep);
	r.rdx = 0xd0d0;
	r.mark = r.e.at(SSA_A);
	r.target = r.e.page(TCS_A);
}

void check_entry(TestBench &r, u64 cssa)
{
	r.check(r.frame.r8 == cssa, "RAX is not CSSA");
	r.check(r.frame.r9 == r.rbx, "RBX is not the TCS");
	r.check(r.frame.r10 == address_of(isa_enclu_next), "RCX is not the address after ENCLU");
	r.check((r.frame.r12 & arithmetic) == arithmetic, "EENTER changed the flags");
	r.check(r.frame.rdx == 0xd0d0, "RDX changed");
	r.check(r.frame.rcx == address_of(isa_aep), "RCX is not the AEP after EEXIT");
}

void two_page_frame(TestBench &r)
{
	rebuilt(r, [](Enclave &e) {
		e.frame_pages = 2;
		e.tcs_a.nssa = 1;
	});
	r.mark = r.e.at(SSA_A + page_size);
}

/// Use an XFRM that the processor supports and this kernel's XCR0 lacks.
void xfrm_beyond_xcr0(TestBench &r)
{
	u32 low, high;
	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	const u64 more = cpuid_xfrm() & ~(static_cast<u64>(high) << 32 | low);
	// Only PKRU does not depend on other components.
	if (!(more & XFRM_PKRU))
		throw Skip{"XCR0 has every component that XFRM can have"};
	r.e.remove_all();
	r.e.xfrm = XFRM_X87_SSE | XFRM_PKRU;
	r.e.build();
}

void needs_aexnotify()
{
	if (!(cpuid_attributes() & ATTR_AEXNOTIFY))
		throw Skip{"no AEX-Notify"};
}

// clang-format off
const Row eenter[] = {
	{"2 RBX misaligned by 8", GP, ROW(r.rbx += 8)},
	{"3 RBX not EPC", PF(rbx), ROW(r.rbx = ordinary_user())},
	{"3 RBX not mapped", NP_W(rbx), ROW(r.e.unmap_page(TCS_A))},
	{"3 RBX mapped read-only", RO(rbx), ROW(read_only(r, TCS_A))},
	{"3 RBX not canonical", GP, ROW(r.rbx = noncanonical)},
	{"4 AEP not canonical", GP, ROW(r.rcx = noncanonical)},
	{"5 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"6 page is invalid", PF(rbx), ROW(removed(r, TCS_A))},
	{"6 BLOCKED", PF(rbx), ROW(r.e.block(TCS_A))},
	{"6 TCS mapped at another address", PF(rbx),
	 ROW(r.e.map_page(FREE, r.e.page(TCS_A)); r.rbx = r.e.at(FREE))},
	{"6 REG", PF(rbx), ROW(r.rbx = r.e.at(DATA))},
	{"6 SECS", PF(rbx), ROW(r.e.map_page(FREE, r.e.secs()); r.rbx = r.e.at(FREE))},
	{"6 VA", PF(rbx), ROW(r.e.map_page(FREE, r.va()); r.rbx = r.e.at(FREE))},
	{"6 PENDING", PF(rbx), ROW(r.e.aug(FREE); r.rbx = r.e.at(FREE))},
	{"6 page changed to TCS: MODIFIED", PF(rbx), ROW(r.e.retype(DATA, PT_TCS); r.rbx = r.e.at(DATA))},
	{"6 TRIM", PF(rbx), ROW(r.e.retype(TCS_A, PT_TRIM))},
	{"7 OSSA misaligned by 8", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ossa += 8; }))},
	{"8 OFSBASE misaligned by 8", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ofsbase += 8; }))},
	{"8 OGSBASE misaligned by 8", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ogsbase += 8; }))},
	{"9 FS base not canonical", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ofsbase = noncanonical_offset(e); }))},
	{"9 GS base not canonical", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ogsbase = noncanonical_offset(e); }))},
	{"10 FLAGS bit 2", GP, ROW(r.e.poke(TCS_A + offsetof(Tcs, flags), 4))},
	{"10 FLAGS bit 63", GP, ROW(r.e.poke(TCS_A + offsetof(Tcs, flags), 1ULL << 63))},
	{"10 FLAGS.AEXNOTIFY without the attribute", GP, ROW(r.e.poke(TCS_A + offsetof(Tcs, flags), TCS_AEXNOTIFY))},
	{"10 attribute AEXNOTIFY without FLAGS.AEXNOTIFY", GP,
	 ROW(needs_aexnotify(); rebuilt(r, [](Enclave &e) { e.attributes |= ATTR_AEXNOTIFY; }))},
	{"11 enclave not initialized", GP, ROW(r.e.remove_all(); r.e.create(); r.e.add_pages())},
	{"12 32-bit enclave", GP,
	 ROW(r.other.base = 1 << 30; r.other.attributes = ATTR_DEBUG; r.other.build(); r.rbx = r.other.at(TCS_A))},
	{"14 XFRM beyond XCR0", GP, ROW(xfrm_beyond_xcr0(r))},
	{"15 NSSA 0", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.nssa = 0; }))},
	{"15 all frames in use", GP, ROW(fault_inside(r, TCS_B); r.rbx = r.e.at(TCS_B))},
	{"16 SSA not mapped", NP_W(mark), ROW(r.e.unmap_page(SSA_A))},
	{"16 SSA mapped read-only", RO(mark), ROW(read_only(r, SSA_A))},
	{"16 SSA not EPC", PF(mark), ROW(map_ordinary(r, SSA_A))},
	{"16 SSA invalid", PF(mark), ROW(removed(r, SSA_A))},
	{"16 SSA BLOCKED", PF(mark), ROW(r.e.block(SSA_A))},
	{"16 SSA PENDING", PF(mark), ROW(r.e.remove(SSA_A); r.e.aug(SSA_A))},
	{"16 SSA MODIFIED", PF(mark), ROW(r.e.retype(SSA_A, PT_TRIM))},
	{"16 SSA not writable", PF(mark), ROW(r.e.restrict(SSA_A, R))},
	{"16 SSA without rights", PF(mark), ROW(r.e.restrict(SSA_A, 0))},
	{"16 SSA is a TCS", PF(mark), ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ossa = TCS_B; }); r.mark = r.e.at(TCS_B))},
	{"16 SSA is another page of the enclave", PF(mark), ROW(r.e.map_page(SSA_A, r.e.page(DATA)))},
	{"16 SSA is a page of another enclave", PF(mark), ROW(r.other.build(); r.e.map_page(SSA_A, r.other.page(SSA_A)))},
	{"16 SSA outside ELRANGE", PF(mark),
	 ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.ossa = ordinary_user() - e.base; }); r.mark = ordinary_user())},
	{"17 page of GPRSGX not mapped", NP_W(mark), ROW(two_page_frame(r); r.e.unmap_page(SSA_A + page_size))},
	{"17 page of GPRSGX BLOCKED", PF(mark), ROW(two_page_frame(r); r.e.block(SSA_A + page_size))},
	{"17 page of GPRSGX not writable", PF(mark), ROW(two_page_frame(r); r.e.restrict(SSA_A + page_size, R))},
	{"18 OENTRY not canonical", GP, ROW(rebuilt(r, [](Enclave &e) { e.tcs_a.oentry = noncanonical_offset(e); }))},
	{"20 valid operands", OK, ROW(), "TCS ---", ROW(check_entry(r, 0))},
	{"20 valid operands, a frame of two pages", OK, ROW(two_page_frame(r)), nullptr, ROW(check_entry(r, 0))},
	{"20 valid operands, one frame in use", OK, ROW(fault_inside(r, TCS_A)), "TCS ---", ROW(check_entry(r, 1))},
	{"20 valid operands, another frame not mapped", OK, ROW(r.e.unmap_page(SSA_A + page_size)), "TCS ---",
	 ROW(check_entry(r, 0))},
	{"20 valid operands, no debug", OK, ROW(rebuilt(r, [](Enclave &e) { e.attributes = ATTR_MODE64; })), nullptr,
	 ROW(check_entry(r, 0))},
	{"20 valid operands, twice", OK, ROW(Frame f; r.e.enter(inside_state, f)), "TCS ---", ROW(check_entry(r, 0))},
	{"20 AEP is written to the TCS", OK, ROW(), "TCS ---",
	 ROW(r.check(r.e.peek(TCS_A + offsetof(Tcs, aep)) == r.rcx, "TCS.AEP differs"))},
	{"20 FS and GS lead into the enclave", OK,
	 ROW(if (!(r.k.cr4() & CR4_FSGSBASE)) throw Skip{"no FSGSBASE to read the bases"}; r.function = inside_bases), nullptr,
	 ROW(r.check(r.frame.r8 == r.e.at(DATA), "FS base"); r.check(r.frame.r9 == r.e.at(PARAM), "GS base"))},
	{"20 XCR0 is XFRM", OK,
	 ROW(if (!(r.k.cr4() & CR4_OSXSAVE)) throw Skip{"no OSXSAVE"}; r.function = inside_xgetbv), nullptr,
	 ROW(r.check(r.frame.r8 == XFRM_X87_SSE, "XCR0 inside is " + std::to_string(r.frame.r8)))},
};
// clang-format on

// ---------------------------------------------------------------- ERESUME

/// Fault at a UD2, and advance the saved RIP so that ERESUME skips it.
void fault_and_skip(TestBench &r, u64 tcs, u64 ssa)
{
	fault_inside(r, tcs);
	const u64 rip = r.e.saved_at(ssa, 0, offsetof(Gprsgx, rip));
	r.e.poke(rip, r.e.peek(rip) + 2);
}

void prepare_eresume(TestBench &r)
{
	r.e.build();
	r.rbx = r.e.at(TCS_A);
	r.rcx = address_of(isa_aep);
	r.mark = r.e.at(SSA_A);
	r.target = r.e.page(TCS_A);
	fault_and_skip(r, TCS_A, SSA_A);
}

void set_field(TestBench &r, std::size_t field, u64 value)
{
	r.e.poke(r.e.saved_at(SSA_A, 0, field), value);
}

void in_xsave(TestBench &r, u64 at, u64 bits)
{
	r.e.poke(SSA_A + at, r.e.peek(SSA_A + at) | bits);
}

void check_resume(TestBench &r)
{
	r.check(r.exit.where == Exit::returned, "did not return");
	r.check(r.frame.rcx == address_of(isa_aep), "RCX is not the AEP after EEXIT");
	r.check(r.e.cssa() == 0, "CSSA not 0");
}

/// Resume into a loop that ends after timers have caused several asynchronous exits.
void prepare_long_resume(TestBench &r)
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

/// Use AEX-Notify: one frame is in use, and ERESUME enters at OENTRY with the other.
void prepare_aexnotify(TestBench &r)
{
	needs_aexnotify();
	r.e.remove_all();
	r.e.attributes |= ATTR_AEXNOTIFY;
	r.e.tcs_a.flags = r.e.tcs_b.flags = TCS_AEXNOTIFY;
	r.e.build();
	fault_and_skip(r, TCS_A, SSA_A);
	const u64 word = r.e.saved_at(SSA_A, 0, offsetof(Gprsgx, exitinfo));
	r.e.poke(word, r.e.peek(word) | aexnotify_in_exitinfo);
}

// clang-format off
const Row eresume[] = {
	{"2 RBX misaligned by 8", GP, ROW(r.rbx += 8)},
	{"3 RBX not EPC", PF(rbx), ROW(r.rbx = ordinary_user())},
	{"3 RBX not mapped", NP_W(rbx), ROW(r.e.unmap_page(TCS_A))},
	{"4 AEP not canonical", GP, ROW(r.rcx = noncanonical)},
	{"5 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"6 page is invalid", PF(rbx), ROW(removed(r, TCS_A))},
	{"6 BLOCKED", PF(rbx), ROW(r.e.block(TCS_A))},
	{"6 TCS mapped at another address", PF(rbx),
	 ROW(r.e.map_page(FREE, r.e.page(TCS_A)); r.rbx = r.e.at(FREE))},
	{"6 REG", PF(rbx), ROW(r.rbx = r.e.at(DATA))},
	{"10 FLAGS bit 2", GP, ROW(r.e.poke(TCS_A + offsetof(Tcs, flags), 4))},
	{"15 no frame in use", GP, ROW(r.rbx = r.e.at(TCS_B))},
	{"16 SSA not mapped", NP_W(mark), ROW(r.e.unmap_page(SSA_A))},
	{"16 SSA mapped read-only", RO(mark), ROW(read_only(r, SSA_A))},
	{"16 SSA not EPC", PF(mark), ROW(map_ordinary(r, SSA_A))},
	{"16 SSA BLOCKED", PF(mark), ROW(r.e.block(SSA_A))},
	{"16 SSA MODIFIED", PF(mark), ROW(r.e.retype(SSA_A, PT_TRIM))},
	{"16 SSA not writable", PF(mark), ROW(r.e.restrict(SSA_A, R))},
	{"16 SSA is another page of the enclave", PF(mark), ROW(r.e.map_page(SSA_A, r.e.page(DATA)))},
	{"19 saved RIP not canonical", GP, ROW(set_field(r, offsetof(Gprsgx, rip), noncanonical))},
	{"19 saved FS base not canonical", GP, ROW(set_field(r, offsetof(Gprsgx, fsbase), noncanonical))},
	{"19 saved GS base not canonical", GP, ROW(set_field(r, offsetof(Gprsgx, gsbase), noncanonical))},
	{"19 XSTATE_BV beyond XFRM", GP, ROW(in_xsave(r, XSTATE_BV, 1ULL << 2))},
	{"19 XSTATE_BV bit 62", GP, ROW(in_xsave(r, XSTATE_BV, 1ULL << 62))},
	{"19 XCOMP_BV not 0 in standard format", GP, ROW(in_xsave(r, XCOMP_BV, 1))},
	{"19 XCOMP_BV of a compacted image", GP, ROW(in_xsave(r, XCOMP_BV, 1ULL << 63 | XFRM_X87_SSE))},
	{"19 XCOMP_BV of an empty compacted image", GP, ROW(in_xsave(r, XCOMP_BV, 1ULL << 63))},
	{"19 XSAVE header byte 16", GP, ROW(in_xsave(r, XSAVE_HEADER_RESERVED, 1))},
	{"19 MXCSR bit 16", GP, ROW(in_xsave(r, XSAVE_MXCSR, 1 << 16))},
	{"20 valid operands", OK, ROW(), "TCS ---", ROW(check_resume(r))},
	{"20 timers cause exits in the meantime", OK, ROW(prepare_long_resume(r)), "TCS ---", ROW(check_resume(r))},
	{"20 valid operands, all frames in use", OK, ROW(fault_and_skip(r, TCS_B, SSA_B); r.rbx = r.e.at(TCS_B)), "TCS ---",
	 ROW(r.check(r.exit.where == Exit::returned && r.e.cssa(TCS_B) == 0, "CSSA not 0"))},
	{"20 TF in the frame of an opt-out thread is dropped", OK, ROW(set_field(r, offsetof(Gprsgx, rflags), rflags_user | TF)), "TCS ---",
	 ROW(check_resume(r))},
	{"20 FS and GS base come from the frame", OK,
	 ROW(if (!(r.k.cr4() & CR4_FSGSBASE)) throw Skip{"no FSGSBASE to read the bases"};
	     set_field(r, offsetof(Gprsgx, rip), r.e.at(inside(inside_bases)));
	     set_field(r, offsetof(Gprsgx, rcx), address_of(isa_enclu_next));
	     set_field(r, offsetof(Gprsgx, fsbase), 0x123000); set_field(r, offsetof(Gprsgx, gsbase), 0x456008)), "TCS ---",
	 ROW(check_resume(r); r.check(r.frame.r8 == 0x123000 && r.frame.r9 == 0x456008, "FS or GS base differs"))},
	{"20 flags come from the frame", OK,
	 ROW(set_field(r, offsetof(Gprsgx, rip), r.e.at(inside(inside_state)));
	     set_field(r, offsetof(Gprsgx, rcx), address_of(isa_enclu_next));
	     set_field(r, offsetof(Gprsgx, rflags), rflags_user | CF | OF)), "TCS ---",
	 ROW(check_resume(r); r.check((r.frame.r12 & arithmetic) == (CF | OF), "flags differ"))},
	{"20 AEX-Notify: enters at OENTRY with the next frame", OK, ROW(prepare_aexnotify(r); r.rdx = 0xd0d0), nullptr,
	 ROW(check_entry(r, 1); r.check(r.e.cssa() == 1, "CSSA changed"))},
	{"20 AEX-Notify, next frame not mapped", NP_W(mark),
	 ROW(prepare_aexnotify(r); r.e.unmap_page(SSA_A + page_size); r.mark = r.e.at(SSA_A + page_size))},
	{"20 AEX-Notify, all frames in use", GP,
	 ROW(prepare_aexnotify(r); Frame f; r.e.enter(insn_ud2, f);
	     const u64 word = r.e.saved_at(SSA_A, 1, offsetof(Gprsgx, exitinfo)); r.e.poke(word, r.e.peek(word) | aexnotify_in_exitinfo))},
	{"20 AEX-Notify off in the frame: resumes", OK,
	 ROW(prepare_aexnotify(r); const u64 word = r.e.saved_at(SSA_A, 0, offsetof(Gprsgx, exitinfo));
	     r.e.poke(word, r.e.peek(word) & ~aexnotify_in_exitinfo)), nullptr, ROW(check_resume(r))},
};
// clang-format on

const Group groups[] = {
	{"EENTER", EENTER, Place::outside, prepare_eenter, eenter},
	{"ERESUME", ERESUME, Place::outside, prepare_eresume, eresume},
};

} // namespace

std::span<const Group> entry_groups()
{
	return groups;
}

} // namespace isa
