// SPDX-License-Identifier: GPL-2.0
// Access to CPL 0 through the kernel module: privileged instructions, EPC pages, and memory shared
// with the module.
#pragma once

#include <set>
#include <string>

#include "../module/sgx2_isa.h"
#include "outcome.h"

namespace isa {

/// The operands of ENCLS in shared memory. They are zero at the start of a row.
struct Shared {
	PageInfo pageinfo;
	SecInfo secinfo;
	Pcmd pcmd;
	alignas(32) u8 rdinfo[32];
	alignas(page_size) u8 source[page_size];
	alignas(page_size) Sigstruct sig;
	alignas(page_size) Token token;
	alignas(page_size) u8 evicted[page_size];
	alignas(page_size) u8 spare[page_size];
};
static_assert(sizeof(Shared) <= SGX2_ISA_SHARED_SIZE);

class Kernel {
public:
	/// Load the module unless it is loaded, and open its device node. Throws a message on
	/// failure.
	explicit Kernel(const std::string &module);
	~Kernel();
	Kernel(const Kernel &) = delete;
	Kernel &operator=(const Kernel &) = delete;

	Result run(u32 insn, const Regs &regs, u32 how = 0, u64 walk = 0) const;
	Result encls(u32 leaf, u64 rbx, u64 rcx, u64 rdx = 0) const;

	/// EPC pages are numbered over all sections.
	u64 pages() const { return pages_; }
	u64 linear(u64 page) const;
	u64 phys(u64 page) const;

	/// Return the kernel's linear address of an object in shared memory.
	u64 at(const void *p) const;
	u64 phys_of(const void *p) const { return at(p) - info_.shared + info_.shared_phys; }
	Shared &shared() const { return *shared_; }
	u64 unmapped() const { return info_.unmapped; }
	u64 cr4() const { return info_.cr4; }

	u64 rdmsr(u32 msr) const;
	Result wrmsr(u32 msr, u64 value) const;

	/// Map an EPC page at a user address in a range of reserve(); unmap() makes the address
	/// fault again.
	void map(u64 address, u64 page) const;
	void unmap(u64 address) const;
	void reserve(u64 address, u64 size, int protection) const;
	void release(u64 address, u64 size) const;

	/// Interrupt the CPU, and return when the CPU has taken the interrupt.
	void interrupt(unsigned cpu) const;
	void nmi(unsigned cpu) const;
	/// Run the calling thread without interrupts, so that only nmi() interrupts it. This period
	/// must be short, the thread must not meet a page fault, and no thread may wait for the CPU
	/// in the meantime, which munmap() in any thread does. nmi_and_enable() sends an NMI and
	/// ends the period.
	void disable_interrupts(bool on) const;
	void nmi_and_enable(unsigned cpu) const;

private:
	void tell(unsigned long request, u32 value) const;

	int fd_ = -1;
	bool loaded_ = false;
	sgx2_isa_info info_{};
	u64 pages_ = 0;
	Shared *shared_ = nullptr;
	mutable std::set<u64> mapped_; ///< mappings that release() has to unmap
};

} // namespace isa
