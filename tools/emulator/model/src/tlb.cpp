// SPDX-License-Identifier: GPL-2.0
// The EPCM check at a TLB fill.

#include "tlb.h"

namespace sgx2 {

namespace {

constexpr uint32_t all_rights = SGX2_READ | SGX2_WRITE | SGX2_EXEC;

void increment(std::atomic<uint64_t> &counter)
{
	counter.fetch_add(1, std::memory_order_relaxed);
}

Fault epcm_fault(const TlbRequest &r)
{
	uint32_t code = SGX2_PFEC_P | SGX2_PFEC_U | SGX2_PFEC_SGX;

	if (r.access == SGX2_WRITE)
		code |= SGX2_PFEC_W;
	if (r.access == SGX2_EXEC)
		code |= SGX2_PFEC_I;
	return {vector::pf, true, code, r.linear};
}

void trace_denial(Cpu &cpu, const TlbRequest &r, const Fault &fault)
{
	sgx2_trace t{};

	t.kind = SGX2_TRACE_DENY;
	t.leaf = r.access;
	t.rbx = r.linear;
	t.rcx = r.physical;
	t.faulted = SGX2_TRACE_VECTOR + fault.vector;
	t.result = fault.error_code;
	cpu.trace(t);
}

sgx2_tlb_verdict deny(Cpu &cpu, const TlbRequest &r, Fault &fault)
{
	fault = epcm_fault(r);
	if (r.count) {
		const size_t kind = r.access == SGX2_EXEC ? 2 : r.access == SGX2_WRITE ? 1 : 0;

		increment(cpu.machine.denied[kind]);
		trace_denial(cpu, r, fault);
	}
	return SGX2_TLB_FAULT;
}

/// Return the verdict for an address outside of ELRANGE: ordinary memory, or an abort page if it is
/// EPC.
sgx2_tlb_verdict ordinary(const Cpu &cpu, const TlbRequest &r, uint32_t &rights)
{
	rights = all_rights;
	if (!cpu.machine.is_epc(r.physical))
		return SGX2_TLB_NORMAL;
	if (r.count)
		increment(cpu.machine.aborts);
	return SGX2_TLB_ABORT;
}

} // namespace

sgx2_tlb_verdict tlb_check(Cpu &cpu, const TlbRequest &r, uint32_t &rights, Fault &fault)
{
	Machine &m = cpu.machine;

	if (!cpu.inside)
		return ordinary(cpu, r, rights);
	if (!cpu.mode.in_elrange(r.linear)) {
		// Enclave code lies in ELRANGE, so a fetch from outside faults.
		if (r.access == SGX2_EXEC) {
			fault = gp_fault();
			return SGX2_TLB_FAULT;
		}
		return ordinary(cpu, r, rights);
	}

	const Epc at = m.find(r.physical);
	if (!at)
		return deny(cpu, r, fault);

	const PageLock guard(cpu, at);
	const Page &p = *at.page;
	if (!p.usable(cpu.mode.eid, r.linear, PageType::Reg) || (p.rights & static_cast<uint32_t>(r.access)) == 0)
		return deny(cpu, r, fault);
	rights = p.rights;
	if (r.count)
		m.counted(cpu.number).tlb_fills++;
	return SGX2_TLB_EPC;
}

} // namespace sgx2
