// SPDX-License-Identifier: GPL-2.0
// An enclave that a row builds leaf by leaf, maps page by page and enters by ENCLU.
#pragma once

#include <map>

#include "kernel.h"
#include "sign.h"
#include "user.h"

namespace isa {

class TestBench;

/// The layout of every enclave, as offsets. inside.S uses the value of DATA.
constexpr u64 CODE = 0, TCS_A = 0x1000, SSA_A = 0x2000, TCS_B = 0x4000, SSA_B = 0x5000, DATA = 0x6000, PARAM = 0x7000;
/// The enclave has no pages from here on; rows on EADD and EAUG add them here.
constexpr u64 FREE = 0x10000;

class Enclave {
public:
	Enclave(TestBench &bench, u64 at);
	~Enclave();
	Enclave(const Enclave &) = delete;
	Enclave &operator=(const Enclave &) = delete;

	/// The members up to tcs_b may be changed before create().
	u64 base, size = 0x40000;
	u64 attributes = ATTR_DEBUG | ATTR_MODE64, xfrm = XFRM_X87_SSE;
	u32 miscselect = 0, frame_pages = 1;
	Tcs tcs_a{}, tcs_b{};

	/// Execute one step of building the enclave. Throws if a leaf does not succeed.
	void create();
	u64 add(u64 offset, u64 secinfo, const void *content = nullptr, bool measure = false);
	/// Add code, two threads and data: all pages that the enclave has before EINIT.
	void add_pages();
	/// Write a SIGSTRUCT for the pages that have been added.
	void sign(Sigstruct *sig) const;
	void init();
	void build();
	/// Remove all pages, so that the enclave can be built again with other settings.
	void remove_all();

	u64 at(u64 offset) const { return base + offset; }
	/// Return the number of the EPC page of the SECS, or of the page at an offset.
	u64 secs() const { return secs_; }
	u64 page(u64 offset) const { return pages_.at(offset); }
	/// Return the kernel's linear address of the SECS, or of the page at an offset.
	u64 secs_linear() const;
	u64 linear(u64 offset) const;

	/// Execute one leaf on the page at an offset.
	u64 aug(u64 offset);
	void block(u64 offset);
	void track();
	void restrict(u64 offset, u64 permissions);
	void retype(u64 offset, u64 type);
	void remove(u64 offset);
	/// Change the user's mapping only: map EPC page number `page` at an offset, or no page.
	void map_page(u64 offset, u64 page);
	void unmap_page(u64 offset);
	/// Change the record of the EPC page at an offset, as after EWB.
	void forget_page(u64 offset) { pages_.erase(offset); }
	void record_page(u64 offset, u64 page) { pages_[offset] = page; }

	/// Access the enclave by EDBGRD and EDBGWR, 8 bytes each.
	u64 peek(u64 offset) const;
	void poke(u64 offset, u64 value) const;
	void peek_bytes(u64 offset, void *to, u64 size) const;
	void poke_bytes(u64 offset, const void *from, u64 size) const;
	/// Return the registers in SSA frame n of the thread whose SSA starts at ssa.
	Gprsgx saved(u64 ssa = SSA_A, u64 n = 0) const;
	u64 saved_at(u64 ssa, u64 n, std::size_t field) const;
	u32 cssa(u64 tcs = TCS_A) const;

	/// Enter a function of inside.S by EENTER. Return at its EEXIT or at a fault.
	Exit enter(const u8 *function, Frame &frame, u64 tcs = TCS_A) const;
	Exit resume(Frame &frame, u64 tcs = TCS_A) const;
	/// Execute a leaf of ENCLU inside the enclave. Throws if the thread cannot enter.
	Result leaf(u32 number, u64 rbx, u64 rcx, u64 rdx = 0, u64 rflags = 0, u64 tcs = TCS_A) const;
	/// Execute EACCEPT or EMODPE with these SECINFO flags; SECINFO lies in the page PARAM.
	Result accept(u64 offset, u64 flags) const;
	Result extend(u64 offset, u64 flags) const;
	/// Execute EACCEPT or EMODPE. Throws if the leaf does not succeed.
	void must_accept(u64 offset, u64 flags) const;
	void must_extend(u64 offset, u64 flags) const;

private:
	void unmap();

	TestBench &bench_;
	const Kernel &k_;
	u64 secs_ = no_page;
	std::map<u64, u64> pages_;
	Measurement measurement_;
	bool reserved_ = false;

	static constexpr u64 no_page = ~0ULL;
};

} // namespace isa
