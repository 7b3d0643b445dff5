// SPDX-License-Identifier: GPL-2.0
// Ways in and the wanted way out: EENTER, ERESUME, EEXIT, EDECCSSA (Documentation/isa.md 7).
#include <algorithm>

#include "exits.h"
#include "leaf.h"
#include "ssa.h"

namespace sgx2 {

namespace {

constexpr uint64_t low32 = 0xffffffff;

/// What an entry leaf has found out about the thread before it commits.
struct Thread {
	Epc page;
	uint64_t linear;
	Tcs tcs;
	Enclave *enclave;

	const SecsCore &secs() const { return enclave->secs; }
	bool optin() const { return tcs.flags & tcs_flag::dbgoptin; }
	uint64_t entry() const { return secs().base + tcs.oentry; }
};

struct Bases {
	uint64_t fs, gs;
};

Bases tcs_bases(const Thread &t)
{
	return {t.secs().base + t.tcs.ofsbase, t.secs().base + t.tcs.ogsbase};
}

bool target_valid(const Exec &x, uint64_t at)
{
	return x.in.mode64 ? x.canonical(at) : at <= x.in.cs.limit;
}

/// Flat segments, as 32-bit enclaves need them. A null selector in ES or SS is none of the enclave's business.
bool segments_acceptable(const sgx2_regs &r)
{
	if (r.mode64)
		return true;
	if (!segment::usable(r.ds) || segment::expands_down(r.ds) || r.cs.base != 0 || r.ds.base != 0)
		return false;
	if (segment::usable(r.es) && r.es.base != 0)
		return false;
	return !segment::usable(r.ss) || (r.ss.base == 0 && (r.ss.attr & segment::big));
}

/// In 32-bit code FS and GS have to be parts of DS. Around the end of the addresses goes only what is a part of all of them.
bool bases_valid(const Exec &x, const Thread &t, const Bases &b)
{
	if (x.in.mode64)
		return x.canonical(b.fs) && x.canonical(b.gs);

	const auto within_ds = [&x](uint64_t base, uint32_t limit) {
		const uint64_t end = (base & low32) + limit;

		return end > low32 ? x.in.ds.limit == low32 : end <= x.in.ds.limit;
	};
	return within_ds(b.fs, t.tcs.fslimit) && within_ds(b.gs, t.tcs.gslimit);
}

bool flags_acceptable(const Exec &x, const Thread &t)
{
	uint64_t allowed = tcs_flag::dbgoptin;

	if (x.m.config.aexnotify)
		allowed |= tcs_flag::aex_notify;
	if (t.tcs.flags & ~allowed)
		return false;
	return t.optin() || static_cast<bool>(t.tcs.flags & tcs_flag::aex_notify) == t.enclave->has(attribute::aex_notify);
}

bool xfrm_usable(const sgx2_regs &r, uint64_t xfrm)
{
	constexpr uint64_t x87_sse = 3;

	if (!(r.cr4 & cr4::osfxsr))
		return false;
	if (!(r.cr4 & cr4::osxsave))
		return xfrm == x87_sse;
	return (xfrm & ~r.xcr0) == 0;
}

/// What EENTER and ERESUME test alike, before they look at frames.
MaybeFault find_thread(const Exec &x, Thread &t)
{
	const uint64_t rbx = x.rbx();

	if (!segments_acceptable(x.in) || !aligned(rbx, page_size))
		return gp_fault();
	if (auto f = x.epc(rbx, SGX2_WRITE, t.page))
		return f;
	if (!x.canonical(x.number(SGX2_RCX)))
		return gp_fault();
	if (x.conflict())
		return gp_fault();

	const Page &p = *t.page.page;
	if (!p.usable(p.eid, rbx, PageType::Tcs))
		return x.denied(rbx);
	t.linear = rbx;
	t.tcs = load_tcs(t.page);
	t.enclave = p.enclave;

	if (!aligned(t.tcs.ossa | t.tcs.ofsbase | t.tcs.ogsbase, page_size))
		return gp_fault();
	if (!flags_acceptable(x, t) || !t.enclave->initialised())
		return gp_fault();
	if (x.in.mode64 != t.enclave->has(attribute::mode64))
		return gp_fault();
	if (!xfrm_usable(x.in, t.secs().attributes.xfrm))
		return gp_fault();
	return {};
}

sgx2_segment thread_segment(uint64_t base, uint32_t limit)
{
	constexpr uint16_t selector = 0x0b;
	constexpr uint32_t attr = segment::type_accessed_rw | segment::user_type | segment::dpl3 | segment::present |
				  segment::big | segment::granular;

	return {base, limit, attr, selector};
}

/// Commit: from here on the CPU is inside, in @frame, and the thread is busy.
void go_inside(Exec &x, Thread &t, const Frame &frame, const Bases &b)
{
	Stay &s = x.cpu.stay;
	const uint64_t base_mask = x.in.mode64 ? ~uint64_t{0} : low32;

	s.enclave = t.enclave;
	s.eid = t.enclave->hidden.eid;
	s.epoch = t.enclave->tracking.enter();
	s.tcs = t.page;
	s.tcs_linear = t.linear;
	s.aep = x.number(SGX2_RCX);
	s.base = t.secs().base;
	s.size = t.secs().size;
	s.frame = frame;
	s.optin = t.optin();
	s.saved_tf = x.in.rflags & rflags::tf;
	s.switched_xcr0 = x.in.cr4 & cr4::osxsave;
	s.saved_xcr0 = x.in.xcr0;
	s.xfrm = t.secs().attributes.xfrm;
	s.fs = x.in.fs;
	s.gs = x.in.gs;
	x.cpu.inside = true;

	t.tcs.state = tcs_active;
	t.tcs.aep = s.aep;
	store_tcs(x.cpu, t.page, t.tcs);

	x.out.fs = thread_segment(b.fs & base_mask, t.tcs.fslimit);
	x.out.gs = thread_segment(b.gs & base_mask, t.tcs.gslimit);
	if (!s.optin)
		x.out.rflags &= ~rflags::tf;
	x.effects |= SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_SEGMENTS;
	if (s.switched_xcr0 && x.in.xcr0 != s.xfrm) {
		x.out.xcr0 = s.xfrm;
		x.effects |= SGX2_EFFECT_XCR0;
	}
}

/// Arrive at OENTRY with a fresh frame: EENTER, and ERESUME of a thread that
/// wants to hear of asynchronous exits. All checks from the frame on.
Outcome enter_at_oentry(Exec &x, Thread &t)
{
	const Bases bases = tcs_bases(t);
	Frame frame;

	if (t.tcs.cssa >= t.tcs.nssa)
		return gp_fault();
	if (auto f = map_frame(x, *t.enclave, t.tcs, t.tcs.cssa, frame))
		return *f;
	if (!target_valid(x, t.entry()) || !bases_valid(x, t, bases))
		return gp_fault();
	if (t.tcs.state != tcs_inactive)
		return gp_fault();

	go_inside(x, t, frame, bases);
	x.cpu.stay.ursp = x.number(SGX2_RSP);
	x.cpu.stay.urbp = x.number(SGX2_RBP);
	store_outside_stack(x.cpu, frame, x.cpu.stay.ursp, x.cpu.stay.urbp);
	x.out.gpr[SGX2_RAX] = t.tcs.cssa;
	x.out.gpr[SGX2_RCX] = x.in.next_rip;
	x.out.rip = t.entry();
	if (t.optin() && (x.in.rflags & rflags::tf))
		x.effects |= SGX2_EFFECT_PEND_DB;
	return Outcome::silent();
}

/// RFLAGS of a resumed thread: what user code may change comes from the frame.
uint64_t resumed_flags(uint64_t current, uint64_t saved, bool optin)
{
	uint64_t from_frame = rflags::arithmetic | rflags::df | rflags::nt | rflags::ac | rflags::id | rflags::rf;

	if ((current & rflags::iopl) == rflags::iopl)
		from_frame |= rflags::if_;
	uint64_t flags = (current & ~from_frame) | (saved & from_frame);
	flags &= ~rflags::vm;
	if (!optin)
		flags &= ~rflags::tf;
	return flags;
}

void restore_registers(Exec &x, const Gprsgx &g)
{
	constexpr unsigned legacy = 8;

	if (x.in.mode64) {
		std::copy(std::begin(g.gpr), std::end(g.gpr), std::begin(x.out.gpr));
		x.out.rip = g.rip;
		return;
	}
	for (unsigned i = 0; i < legacy; i++)
		x.out.gpr[i] = g.gpr[i] & low32;
	x.out.rip = g.rip & low32;
}

} // namespace

Outcome eenter(Exec &x)
{
	Thread t{};

	if (auto f = find_thread(x, t))
		return *f;
	return enter_at_oentry(x, t);
}

Outcome eresume(Exec &x)
{
	Thread t{};
	Frame frame;

	if (auto f = find_thread(x, t))
		return *f;
	if (t.tcs.cssa == 0)
		return gp_fault();
	if (auto f = map_frame(x, *t.enclave, t.tcs, t.tcs.cssa - 1, frame))
		return *f;

	const Gprsgx g = load_gprsgx(frame);
	if ((t.tcs.flags & tcs_flag::aex_notify) && (g.aexnotify & 1))
		return enter_at_oentry(x, t);

	// Only 64-bit code can move them inside.
	const Bases bases = x.in.mode64 ? Bases{g.fsbase, g.gsbase} : tcs_bases(t);
	if (!target_valid(x, g.rip) || !bases_valid(x, t, bases))
		return gp_fault();
	if (t.tcs.state != tcs_inactive)
		return gp_fault();
	// Last, since it is the one check that also commits.
	if (!load_extended_state(x.cpu, frame, t.secs().attributes.xfrm))
		return gp_fault();

	t.tcs.cssa--;
	go_inside(x, t, frame, bases);
	x.cpu.stay.ursp = g.ursp;
	x.cpu.stay.urbp = g.urbp;
	restore_registers(x, g);
	x.out.rflags = resumed_flags(x.in.rflags, g.rflags, t.optin());
	return Outcome::silent();
}

Outcome eexit(Exec &x)
{
	const uint64_t target = x.number(SGX2_RBX);

	if (!target_valid(x, target))
		return gp_fault();

	x.out.rip = target;
	x.out.gpr[SGX2_RCX] = x.cpu.stay.aep;
	x.effects |= leave_enclave(x.cpu, x.out);
	if (x.out.rflags & rflags::tf)
		x.effects |= SGX2_EFFECT_PEND_DB;
	return Outcome::silent();
}

Outcome edeccssa(Exec &x)
{
	Stay &s = x.cpu.stay;
	Frame frame;

	if (!s.alive())
		return gp_fault();

	Tcs tcs = load_tcs(s.tcs);
	if (tcs.cssa == 0)
		return gp_fault();
	if (auto f = map_frame(x, *s.enclave, tcs, tcs.cssa - 1, frame))
		return *f;
	tcs.cssa--;
	store_tcs(x.cpu, s.tcs, tcs);
	s.frame = frame;
	return Outcome::silent();
}

} // namespace sgx2
