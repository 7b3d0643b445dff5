// SPDX-License-Identifier: GPL-2.0
// One execution of one leaf: its CPU, the registers before (in) and after the leaf (out), and
// access to the operands. A leaf that returns a fault has changed nothing but out.
#pragma once

#include "codes.h"
#include "cpu.h"
#include "machine.h"

namespace sgx2 {

class Execution {
public:
	Execution(Cpu &c, bool user, const sgx2_regs &r, sgx2_regs &result)
		: cpu(c), m(c.machine), in(r), out(result), user_(user)
	{
	}

	/// Return the linear address of an operand whose effective address is @value.
	uint64_t linear(uint64_t value) const;
	bool canonical(uint64_t address) const;

	/// Return the #PF with PFEC.SGX for @at. ENCLS always reports a write (Documentation/isa.rst
	/// 9).
	Fault denied(uint64_t at, sgx2_access access = SGX2_WRITE) const;

	/// Access ordinary memory; EPC reads as all ones.
	MaybeFault read(uint64_t at, void *to, size_t len) const;
	MaybeFault write(uint64_t at, const void *from, size_t len) const;
	template <typename T>
	MaybeFault read(uint64_t at, T &to) const
	{
		return read(at, &to, sizeof(to));
	}
	/// Translate @at without a check of the EPCM. One byte stands for all of an aligned
	/// operand.
	MaybeFault translate(uint64_t at, sgx2_access access, uint64_t &physical) const;
	/// Return whether an access by 32-bit code lies within DS; true for 64-bit code.
	bool within_segment(uint64_t at, size_t len) const;
	/// Return the fault that write() would raise.
	MaybeFault probe_write(uint64_t at) const;

	/// Find the EPC page that @at translates to, or return the fault of paging or of the EPC
	/// check.
	MaybeFault epc(uint64_t at, sgx2_access access, Epc &to) const;
	/// Find the page that RCX of ENCLS names and that the leaf will change; @to must be
	/// page-aligned.
	MaybeFault page_operand(Epc &to) const;

	/// Return whether all of an aligned operand at @at lies in the ELRANGE of the running
	/// enclave.
	bool in_elrange(uint64_t at) const { return cpu.mode.in_elrange(at); }
	/// Check that the EPCM allows the running enclave to access its regular page @page at @at.
	MaybeFault check(const Epc &page, uint64_t at, sgx2_access access) const;
	/// Find the EPC page for @at, as epc() does, and check it, as check() does.
	MaybeFault enclave_operand(uint64_t at, sgx2_access access, Epc &to) const;

	/// Check that the page is a valid SECS.
	MaybeFault secs(const Epc &page, uint64_t at) const;

	/// Draw an injected conflict for this leaf. A leaf calls this where its SDM listing first
	/// tests for a conflict.
	bool conflict() const { return m.inject.conflict(user_, static_cast<uint32_t>(in.gpr[SGX2_RAX])); }

	/// Return a register as a number: the lower half in 32-bit code.
	uint64_t number(sgx2_gpr r) const { return in.mode64 ? in.gpr[r] : static_cast<uint32_t>(in.gpr[r]); }
	uint64_t rbx() const { return linear(in.gpr[SGX2_RBX]); }
	uint64_t rcx() const { return linear(in.gpr[SGX2_RCX]); }
	uint64_t rdx() const { return linear(in.gpr[SGX2_RDX]); }

	Cpu &cpu;
	Machine &m;
	const sgx2_regs &in;
	sgx2_regs &out;
	uint32_t effects = 0;

private:
	const bool user_;
};

/// Return whether the address is canonical for the page tables in use.
bool is_canonical(const Machine &m, const sgx2_regs &regs, uint64_t address);

} // namespace sgx2
