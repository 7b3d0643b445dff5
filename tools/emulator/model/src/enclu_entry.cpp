// SPDX-License-Identifier: GPL-2.0
// Entry and synchronous exit: EENTER, ERESUME, EEXIT, EDECCSSA (Documentation/isa.rst 7).

#include <algorithm>

#include "aex.h"
#include "leaf.h"
#include "ssa.h"

namespace sgx2 {

namespace {

/// The checks of an entry leaf store their results here before the leaf commits.
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

bool target_valid(const Execution &x, uint64_t at)
{
	return x.in.mode64 ? x.canonical(at) : at <= x.in.cs.limit;
}

/// Return whether the segments are flat, as a 32-bit enclave needs them. A null selector in ES or
/// SS is allowed.
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

/// Return whether the bases are valid. In 32-bit code FS and GS must lie within DS; a segment that
/// wraps around the end of the address space is allowed only if DS covers the whole space.
bool bases_valid(const Execution &x, const Thread &t, const Bases &b)
{
	if (x.in.mode64)
		return x.canonical(b.fs) && x.canonical(b.gs);

	const auto fits_ds = [&x](uint64_t base, uint32_t limit) {
		const uint64_t end = (base & low32) + limit;

		return end > low32 ? x.in.ds.limit == low32 : end <= x.in.ds.limit;
	};
	return fits_ds(b.fs, t.tcs.fslimit) && fits_ds(b.gs, t.tcs.gslimit);
}

bool flags_acceptable(const Execution &x, const Thread &t)
{
	uint64_t allowed = tcs_flag::dbgoptin;

	if (x.m.config.aexnotify)
		allowed |= tcs_flag::aex_notify;
	if (t.tcs.flags & ~allowed)
		return false;
	return t.optin() || static_cast<bool>(t.tcs.flags & tcs_flag::aex_notify) == t.enclave->has(attribute::aex_notify);
}

bool xfrm_usable(const sgx2_regs &r, uint64_t value)
{
	if (!(r.cr4 & cr4::osfxsr))
		return false;
	if (!(r.cr4 & cr4::osxsave))
		return value == xfrm::x87_sse;
	return (value & ~r.xcr0) == 0;
}

/// Perform the checks that EENTER and ERESUME share, up to those of the SSA frames.
MaybeFault check_thread(const Execution &x, Thread &t)
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
	if (!flags_acceptable(x, t) || !t.enclave->initialized())
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

/// Commit: put the CPU in enclave mode with @frame as its SSA frame and mark the TCS active.
void enter_enclave_mode(Execution &x, Thread &t, const Frame &frame, const Bases &b)
{
	EnclaveMode &s = x.cpu.mode;
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

/// Enter at OENTRY with the next SSA frame: EENTER, and ERESUME of a thread that uses AEX-Notify.
/// This function performs all checks from the frame on.
Outcome enter_at_oentry(Execution &x, Thread &t)
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

	enter_enclave_mode(x, t, frame, bases);
	x.cpu.mode.ursp = x.number(SGX2_RSP);
	x.cpu.mode.urbp = x.number(SGX2_RBP);
	store_untrusted_stack(x.cpu, frame, x.cpu.mode.ursp, x.cpu.mode.urbp);
	x.out.gpr[SGX2_RAX] = t.tcs.cssa;
	x.out.gpr[SGX2_RCX] = x.in.next_rip;
	x.out.rip = t.entry();
	if (t.optin() && (x.in.rflags & rflags::tf))
		x.effects |= SGX2_EFFECT_PEND_DB;
	return Outcome::no_code();
}

/// Return RFLAGS after ERESUME: the bits that user code may change come from the SSA frame.
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

void restore_registers(Execution &x, const Gprsgx &g)
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

Outcome eenter(Execution &x)
{
	Thread t{};

	if (auto f = check_thread(x, t))
		return *f;
	return enter_at_oentry(x, t);
}

Outcome eresume(Execution &x)
{
	Thread t{};
	Frame frame;

	if (auto f = check_thread(x, t))
		return *f;
	if (t.tcs.cssa == 0)
		return gp_fault();
	if (auto f = map_frame(x, *t.enclave, t.tcs, t.tcs.cssa - 1, frame))
		return *f;

	const Gprsgx g = load_gprsgx(frame);
	if ((t.tcs.flags & tcs_flag::aex_notify) && (g.aexnotify & aexnotify_enabled))
		return enter_at_oentry(x, t);

	// Only 64-bit code can change the bases while it is inside.
	const Bases bases = x.in.mode64 ? Bases{g.fsbase, g.gsbase} : tcs_bases(t);
	if (!target_valid(x, g.rip) || !bases_valid(x, t, bases))
		return gp_fault();
	if (t.tcs.state != tcs_inactive)
		return gp_fault();
	// This check must be the last, because it also loads the state.
	if (!load_extended_state(x.cpu, frame, t.secs().attributes.xfrm))
		return gp_fault();

	t.tcs.cssa--;
	enter_enclave_mode(x, t, frame, bases);
	x.cpu.mode.ursp = g.ursp;
	x.cpu.mode.urbp = g.urbp;
	restore_registers(x, g);
	x.out.rflags = resumed_flags(x.in.rflags, g.rflags, t.optin());
	return Outcome::no_code();
}

Outcome eexit(Execution &x)
{
	const uint64_t target = x.number(SGX2_RBX);

	if (!target_valid(x, target))
		return gp_fault();

	x.out.rip = target;
	x.out.gpr[SGX2_RCX] = x.cpu.mode.aep;
	x.effects |= leave_enclave(x.cpu, x.out);
	if (x.out.rflags & rflags::tf)
		x.effects |= SGX2_EFFECT_PEND_DB;
	return Outcome::no_code();
}

Outcome edeccssa(Execution &x)
{
	EnclaveMode &s = x.cpu.mode;
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
	return Outcome::no_code();
}

} // namespace sgx2
