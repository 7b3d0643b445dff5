// SPDX-License-Identifier: GPL-2.0
// One logical processor: whom it serves, and its stay inside an enclave.
#pragma once

#include <array>
#include <cstdint>

#include "machine.h"

namespace sgx2 {

/// An SSA frame by the pages that were checked when the CPU went in. An AEX
/// writes through these and so cannot fault, whatever has become of the page
/// tables meanwhile; the EPC pages cannot go away, since the tracking of their
/// eviction waits for this CPU.
struct Frame {
	std::array<Epc, xsave_limit / page_size> span; ///< the XSAVE area
	Epc last;				       // MISC and GPRSGX
	uint32_t xsave_bytes;
};

/// What a CPU holds from EENTER or ERESUME to the exit.
struct Stay {
	Enclave *enclave;
	uint64_t eid;
	uint64_t epoch;
	Epc tcs;
	uint64_t tcs_linear;
	uint64_t aep;
	uint64_t base, size; ///< ELRANGE
	Frame frame;
	bool optin;    ///< TCS.FLAGS.DBGOPTIN
	bool saved_tf; ///< meaningful unless opted in
	bool switched_xcr0;
	uint64_t saved_xcr0;
	uint64_t xfrm;
	uint64_t ursp, urbp; ///< for an AEX out of an enclave that is gone
	sgx2_segment fs, gs;

	/// False once the EPC was lost under the CPU.
	bool alive() const { return enclave->hidden.eid == eid; }
	bool in_elrange(uint64_t linear) const { return linear - base < size; }
};

} // namespace sgx2

struct sgx2_cpu {
	sgx2_cpu(sgx2_machine &m, const sgx2_host_ops &o, void *c) : machine(m), ops(o), ctx(c), number(m.new_cpu()) {}

	/// Leave the enclave as far as the model's own state goes.
	void go_outside();

	void trace(const sgx2_trace &t) const
	{
		if (ops.trace != nullptr)
			ops.trace(ctx, &t);
	}
	/// EPC contents from @at on were written.
	void wrote(const sgx2::Epc &at, size_t len) const
	{
		if (ops.epc_written != nullptr)
			ops.epc_written(ctx, at.physical, len);
	}

	sgx2_machine &machine;
	const sgx2_host_ops ops;
	void *const ctx;
	const size_t number; ///< which lock is its own
	bool inside = false;
	sgx2::Stay stay{};
	/// The area between the SSA and the embedder's XSAVE state.
	alignas(64) std::array<uint8_t, sgx2::xsave_limit> xsave_area{};
};

namespace sgx2 {
using Cpu = ::sgx2_cpu;

/// For a brief leaf, or a TLB fill: this CPU's lock and a page's.
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
