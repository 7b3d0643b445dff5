// SPDX-License-Identifier: GPL-2.0
// One execution of one leaf: its CPU, the registers as they were (in) and as
// they shall be (out), and the ways in which leaves get at their operands.
// A leaf that returns a fault must not have changed anything but out.
#pragma once

#include "codes.h"
#include "cpu.h"
#include "machine.h"

namespace sgx2 {

class Exec {
public:
	Exec(Cpu &c, bool user, const sgx2_regs &r, sgx2_regs &result) : cpu(c), m(c.machine), in(r), out(result), user_(user) {}

	/// Linear address of an operand whose effective address is @value.
	uint64_t linear(uint64_t value) const;
	bool canonical(uint64_t address) const;

	/// The #PF of SGX for @at. ENCLS always reports a write (Documentation/isa.md 9).
	Fault denied(uint64_t at, sgx2_access access = SGX2_WRITE) const;

	/// Ordinary memory; EPC reads as all ones there.
	MaybeFault read(uint64_t at, void *to, size_t len) const;
	MaybeFault write(uint64_t at, const void *from, size_t len) const;
	template <typename T>
	MaybeFault read(uint64_t at, T &to) const
	{
		return read(at, &to, sizeof(to));
	}
	/// Paging alone: may a byte, hence all of an aligned operand, be accessed?
	MaybeFault translate(uint64_t at, sgx2_access access, uint64_t &physical) const;
	/// In 32-bit code: does the access pass DS?
	bool segment_allows(uint64_t at, size_t len) const;
	/// Would write() work?
	MaybeFault probe_write(uint64_t at) const;

	/// The EPC page behind @at, or why there is none: paging's fault or SGX's.
	MaybeFault epc(uint64_t at, sgx2_access access, Epc &to) const;
	/// RCX of ENCLS: a whole page of the EPC that is to change.
	MaybeFault page_operand(Epc &to) const;

	/// Of the running enclave: is all of an aligned operand at @at in ELRANGE?
	bool in_elrange(uint64_t at) const { return cpu.stay.in_elrange(at); }
	/// May the running enclave read or write its regular page @page at @at?
	MaybeFault check(const Epc &page, uint64_t at, sgx2_access access) const;
	/// Both: translate, then check.
	MaybeFault enclave_operand(uint64_t at, sgx2_access access, Epc &to) const;

	/// Is there a valid SECS?
	MaybeFault secs(const Epc &page, uint64_t at) const;

	/// Does this leaf, at the first place that its listing tests for one, meet a conflict that was injected?
	bool conflict() const { return m.inject.conflict(user_, static_cast<uint32_t>(in.gpr[SGX2_RAX])); }

	/// A register as a number: 32-bit code has only the lower half.
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

/// Linear addresses that the page tables in use can hold.
bool is_canonical(const Machine &m, const sgx2_regs &regs, uint64_t address);

} // namespace sgx2
