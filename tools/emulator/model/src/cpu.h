// SPDX-License-Identifier: GPL-2.0
// One logical processor and its enclave-mode state.
#pragma once

#include <array>
#include <cstdint>

#include "machine.h"

namespace sgx2 {

/// An SSA frame as references to the EPC pages that EENTER or ERESUME checked. An AEX writes
/// through these references and therefore cannot fault, even if the page tables have changed. The
/// EPC pages cannot be evicted in the meantime, because their tracking waits for this CPU.
struct Frame {
	std::array<Epc, xsave_limit / page_size> span; ///< the XSAVE area
	Epc last;				       // MISC and GPRSGX
	uint32_t xsave_bytes;
};

/// The state that a CPU keeps from EENTER or ERESUME to the exit.
struct EnclaveMode {
	Enclave *enclave;
	uint64_t eid;
	uint64_t epoch;
	Epc tcs;
	uint64_t tcs_linear;
	uint64_t aep;
	uint64_t base, size; ///< ELRANGE
	Frame frame;
	bool optin;    ///< TCS.FLAGS.DBGOPTIN
	bool saved_tf; ///< valid unless @optin
	bool switched_xcr0;
	uint64_t saved_xcr0;
	uint64_t xfrm;
	uint64_t ursp, urbp; ///< U_RSP and U_RBP for an AEX after a loss of the EPC
	sgx2_segment fs, gs;

	/// Return false if the EPC was lost while the CPU was in enclave mode.
	bool alive() const { return enclave->hidden.eid == eid; }
	bool in_elrange(uint64_t linear) const { return linear - base < size; }
};

} // namespace sgx2

struct sgx2_cpu {
	sgx2_cpu(sgx2_machine &m, const sgx2_host_ops &o, void *c) : machine(m), ops(o), ctx(c), number(m.new_cpu()) {}

	/// Mark the TCS inactive, remove the CPU from its tracking epoch, and clear @inside.
	void leave_enclave_mode();

	void trace(const sgx2_trace &t) const
	{
		if (ops.trace != nullptr)
			ops.trace(ctx, &t);
	}
	/// Notify the embedder that @len bytes of EPC contents from @at on were written.
	void epc_written(const sgx2::Epc &at, size_t len) const
	{
		if (ops.epc_written != nullptr)
			ops.epc_written(ctx, at.physical, len);
	}

	sgx2_machine &machine;
	const sgx2_host_ops ops;
	void *const ctx;
	const size_t number; ///< selects the CPU's lock
	bool inside = false;
	sgx2::EnclaveMode mode{};
	/// A buffer between the SSA frame and the embedder's XSAVE state.
	alignas(64) std::array<uint8_t, sgx2::xsave_limit> xsave_area{};
};

namespace sgx2 {
using Cpu = ::sgx2_cpu;

/// Hold the lock of the CPU and the lock of one page, for a late-locking leaf or a TLB fill.
class PageLock {
public:
	PageLock(const Cpu &cpu, const Epc &page)
		: cpu_(cpu.machine.lock.cpu(cpu.number)), page_(cpu.machine.lock.page(page.physical / page_size))
	{
	}

private:
	const std::lock_guard<Mutex> cpu_, page_;
};

} // namespace sgx2
