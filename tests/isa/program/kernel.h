// SPDX-License-Identifier: GPL-2.0
// Ring 0, by way of the kernel module: privileged instructions, EPC pages and the memory shared with them.
#pragma once

#include <set>
#include <string>

#include "../module/sgx2_isa.h"
#include "outcome.h"

namespace isa {

/// The memory that operands of ENCLS lie in. A row finds it all zero.
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
	/// Loads the module, unless it is loaded, and opens its node. Throws with a message.
	explicit Kernel(const std::string &module);
	~Kernel();
	Kernel(const Kernel &) = delete;
	Kernel &operator=(const Kernel &) = delete;

	Got run(u32 insn, const Regs &regs, u32 how = 0, u64 walk = 0) const;
	Got encls(u32 leaf, u64 rbx, u64 rcx, u64 rdx = 0) const;

	/// EPC pages are numbered through all sections.
	u64 pages() const { return pages_; }
	u64 linear(u64 page) const;
	u64 phys(u64 page) const;

	/// The kernel's address of something in shared memory.
	u64 at(const void *p) const;
	u64 phys_of(const void *p) const { return at(p) - info_.shared + info_.shared_phys; }
	Shared &shared() const { return *shared_; }
	u64 hole() const { return info_.hole; }
	u64 cr4() const { return info_.cr4; }

	u64 rdmsr(u32 msr) const;
	Got wrmsr(u32 msr, u64 value) const;

	/// EPC page at a user address of a mapping made by reserve(); unmap() makes the address fault again.
	void map(u64 address, u64 page) const;
	void unmap(u64 address) const;
	void reserve(u64 address, u64 size, int protection) const;
	void release(u64 address, u64 size) const;

	/// An interrupt for that CPU; returns when it has come.
	void kick(unsigned cpu) const;
	void nmi(unsigned cpu) const;
	/// Whether the calling thread is to run without interrupts: only nmi() reaches it then. It must not be long, it must not meet a
	/// page fault, and nobody may wait for its CPU meanwhile, which munmap() in any thread does. wake() is nmi() and the end of this.
	void quiet(bool on) const;
	void wake(unsigned cpu) const;

private:
	void tell(unsigned long request, u32 value) const;

	int fd_ = -1;
	bool loaded_ = false;
	sgx2_isa_info info_{};
	u64 pages_ = 0;
	Shared *shared_ = nullptr;
	mutable std::set<u64> mapped_; ///< what release() has to unmap
};

} // namespace isa
