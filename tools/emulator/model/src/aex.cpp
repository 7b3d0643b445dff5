// SPDX-License-Identifier: GPL-2.0
// Asynchronous exits (Documentation/isa.rst 11). No function here can fault, because EENTER or
// ERESUME has checked the pages of the SSA frame and kept references to them.

#include <algorithm>
#include <cstring>

#include "codes.h"
#include "aex.h"
#include "ssa.h"

namespace sgx2 {

namespace {

constexpr uint64_t synthetic_rax = 3; // ERESUME, for the AEP to execute

bool is_exception(const sgx2_event &e, uint8_t vector)
{
	return e.kind == SGX2_EV_EXCEPTION && e.vector == vector;
}

/// Return whether MISCSELECT.EXINFO controls the report of the event: #GP, and #PF of user code.
bool is_exinfo_event(const sgx2_event &e)
{
	return is_exception(e, vector::gp) || (is_exception(e, vector::pf) && (e.error_code & SGX2_PFEC_U));
}

uint32_t exit_info(const sgx2_event &e, bool exinfo)
{
	// #DE #DB #BP #BR #UD #MF #AC #XM
	constexpr uint8_t reported[] = {0, 1, 3, 5, 6, 16, 17, 19};

	if (e.kind != SGX2_EV_EXCEPTION)
		return 0;
	if (std::find(std::begin(reported), std::end(reported), e.vector) == std::end(reported) &&
	    !(exinfo && is_exinfo_event(e)))
		return 0;
	const bool software = e.vector == vector::bp || e.from_int3;
	return exitinfo::valid | (software ? exitinfo::software : exitinfo::hardware) | e.vector;
}

/// Return the RFLAGS for SSA.RFLAGS. RF has the value that the event would push outside of an
/// enclave.
uint64_t saved_flags(const sgx2_regs &regs, const sgx2_event &e)
{
	uint64_t flags = regs.rflags & ~rflags::tf;

	if (e.kind == SGX2_EV_EXCEPTION && !e.is_trap && !e.is_code_breakpoint)
		flags |= rflags::rf;
	return flags;
}

void save_frame(Cpu &cpu, const sgx2_regs &regs, const sgx2_event &e)
{
	const EnclaveMode &s = cpu.mode;
	const bool exinfo = s.enclave->secs.miscselect & miscselect::exinfo;

	save_extended_state(cpu, s.frame, s.xfrm);
	save_registers(cpu, s.frame, regs, saved_flags(regs, e), exit_info(e, exinfo));
	if (exinfo && is_exinfo_event(e)) {
		Exinfo info{};

		info.maddr = e.vector == vector::pf ? regs.cr2 : 0;
		info.errcd = e.error_code;
		save_exinfo(s.frame, info);
	}
}

void load_synthetic_state(const Cpu &cpu, sgx2_regs &regs, const sgx2_event &e, uint64_t ursp, uint64_t urbp)
{
	constexpr uint16_t fcw = 0x037f, fcw_mf = 0x037e, fsw_mf = 0x8081;
	constexpr uint32_t mxcsr = 0x1fb0, mxcsr_xm = 0x1f01;
	const EnclaveMode &s = cpu.mode;
	const bool mf = is_exception(e, vector::mf);
	const bool xm = is_exception(e, vector::xm);

	std::fill(std::begin(regs.gpr), std::end(regs.gpr), 0);
	regs.gpr[SGX2_RAX] = synthetic_rax;
	regs.gpr[SGX2_RBX] = s.tcs_linear;
	regs.gpr[SGX2_RCX] = s.aep;
	regs.gpr[SGX2_RSP] = ursp;
	regs.gpr[SGX2_RBP] = urbp;
	regs.rip = s.aep;
	regs.rflags &= ~(rflags::arithmetic | rflags::rf);
	// The system needs the page number only; the offset in the page would be a side channel.
	if (is_exception(e, vector::pf))
		regs.cr2 = page_base(regs.cr2);
	cpu.ops.xinit(cpu.ctx, s.xfrm, mf ? fcw_mf : fcw, mf ? fsw_mf : uint16_t{0}, xm ? mxcsr_xm : mxcsr);
}

void count(sgx2_counters &c, const sgx2_event &e)
{
	switch (e.kind) {
	case SGX2_EV_EXCEPTION:
		if (e.vector < std::size(c.aex_exception))
			c.aex_exception[e.vector]++;
		break;
	case SGX2_EV_INTERRUPT:
		c.aex_interrupt++;
		break;
	case SGX2_EV_NMI:
		c.aex_nmi++;
		break;
	case SGX2_EV_SMI:
		c.aex_smi++;
		break;
	case SGX2_EV_INIT:
		c.aex_init++;
		break;
	case SGX2_EV_MCE:
		c.aex_mce++;
		break;
	}
}

void trace(const Cpu &cpu, const sgx2_regs &before, const sgx2_event &e)
{
	sgx2_trace t{};

	t.kind = SGX2_TRACE_AEX;
	t.leaf = e.vector;
	t.rbx = cpu.mode.tcs_linear;
	t.rcx = cpu.mode.aep;
	t.rdx = before.rip;
	t.result = e.error_code;
	cpu.trace(t);
}

} // namespace

Tcs load_tcs(const Epc &page)
{
	Tcs tcs;

	std::memcpy(&tcs, page.data, sizeof(tcs));
	return tcs;
}

void store_tcs(const Cpu &cpu, const Epc &page, const Tcs &tcs)
{
	std::memcpy(page.data, &tcs, sizeof(tcs));
	cpu.epc_written(page, sizeof(tcs));
}

uint32_t leave_enclave(Cpu &cpu, sgx2_regs &regs)
{
	const EnclaveMode &s = cpu.mode;
	uint32_t effects = SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_SEGMENTS;

	regs.fs = s.fs;
	regs.gs = s.gs;
	if (!s.optin)
		regs.rflags = (regs.rflags & ~rflags::tf) | (s.saved_tf ? rflags::tf : 0);
	if (s.switched_xcr0 && regs.xcr0 != s.saved_xcr0) {
		regs.xcr0 = s.saved_xcr0;
		effects |= SGX2_EFFECT_XCR0;
	}
	cpu.leave_enclave_mode();
	return effects;
}

uint32_t asynchronous_exit(Cpu &cpu, sgx2_regs &regs, const sgx2_event &event)
{
	// Most events arrive outside of enclave mode. Only the CPU's own thread writes @inside, so
	// no lock is needed.
	if (!cpu.inside)
		return 0;

	const EnclaveMode &s = cpu.mode;
	const Lock guard(cpu.machine.lock);
	uint64_t ursp = s.ursp;
	uint64_t urbp = s.urbp;
	count(cpu.machine.counted(cpu.number), event);
	trace(cpu, regs, event);
	if (s.alive()) {
		const Gprsgx g = load_gprsgx(s.frame);
		Tcs tcs = load_tcs(s.tcs);

		ursp = g.ursp;
		urbp = g.urbp;
		save_frame(cpu, regs, event);
		tcs.cssa++;
		store_tcs(cpu, s.tcs, tcs);
	}
	load_synthetic_state(cpu, regs, event, ursp, urbp);
	return leave_enclave(cpu, regs);
}

} // namespace sgx2

void sgx2_cpu::leave_enclave_mode()
{
	using namespace sgx2;

	if (mode.alive()) {
		Tcs tcs = load_tcs(mode.tcs);

		tcs.state = tcs_inactive;
		store_tcs(*this, mode.tcs, tcs);
		mode.enclave->tracking.leave(mode.epoch);
	}
	inside = false;
}
