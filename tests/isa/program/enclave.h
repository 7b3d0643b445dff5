// SPDX-License-Identifier: GPL-2.0
// An enclave of the test's own making: built leaf by leaf, mapped page by page, entered by raw ENCLU.
#pragma once

#include <map>

#include "kernel.h"
#include "sign.h"
#include "user.h"

namespace isa {

class Rig;

/// Where things lie in every enclave, as offsets. inside.S knows DATA.
constexpr u64 CODE = 0, TCS_A = 0x1000, SSA_A = 0x2000, TCS_B = 0x4000, SSA_B = 0x5000, DATA = 0x6000, PARAM = 0x7000;
/// From here on nothing is added: rows EADD and EAUG here.
constexpr u64 FREE = 0x10000;

class Enclave {
public:
	Enclave(Rig &rig, u64 at);
	~Enclave();
	Enclave(const Enclave &) = delete;
	Enclave &operator=(const Enclave &) = delete;

	/// To be changed before create().
	u64 base, size = 0x40000;
	u64 attributes = ATTR_DEBUG | ATTR_MODE64, xfrm = 3;
	u32 miscselect = 0, frame_pages = 1;
	Tcs tcs_a{}, tcs_b{};

	/// The steps of building, each of which throws if its leaf does not succeed.
	void create();
	u64 add(u64 offset, u64 secinfo, const void *content = nullptr, bool measure = false);
	/// Code, two threads, data; everything but EINIT.
	void fill();
	/// SIGSTRUCT for what was built, into shared memory.
	void sign(Sigstruct *sig) const;
	void init();
	void ready();
	/// EREMOVEs all of it, so that it can be built anew with other settings.
	void discard();

	u64 at(u64 offset) const { return base + offset; }
	/// EPC page number of the SECS, and of the page at an offset.
	u64 secs() const { return secs_; }
	u64 page(u64 offset) const { return pages_.at(offset); }
	/// The kernel's address of the same.
	u64 secs_linear() const;
	u64 linear(u64 offset) const;

	/// Single leaves on the page at an offset.
	u64 aug(u64 offset);
	void block(u64 offset);
	void track();
	void restrict(u64 offset, u64 permissions);
	void retype(u64 offset, u64 type);
	void remove(u64 offset);
	/// The user's mapping only: shows EPC page number `page` at offset, or nothing.
	void show(u64 offset, u64 page);
	void hide(u64 offset);
	/// Forgets which EPC page lies there, as after EWB.
	void forget(u64 offset) { pages_.erase(offset); }
	void remember(u64 offset, u64 page) { pages_[offset] = page; }

	/// Debug accesses, 8 bytes each.
	u64 peek(u64 offset) const;
	void poke(u64 offset, u64 value) const;
	void peek_bytes(u64 offset, void *to, u64 size) const;
	void poke_bytes(u64 offset, const void *from, u64 size) const;
	/// Registers saved in SSA frame n of the thread whose SSA begins at ssa.
	Gprsgx saved(u64 ssa = SSA_A, u64 n = 0) const;
	u64 saved_at(u64 ssa, u64 n, std::size_t field) const;
	u32 cssa(u64 tcs = TCS_A) const;

	/// EENTER into a function of inside.S, and back out or to a fault.
	Exit enter(const u8 *function, Frame &frame, u64 tcs = TCS_A) const;
	Exit resume(Frame &frame, u64 tcs = TCS_A) const;
	/// A leaf of ENCLU inside. Throws if the thread cannot enter at all.
	Got leaf(u32 number, u64 rbx, u64 rcx, u64 rdx = 0, u64 rflags = 0, u64 tcs = TCS_A) const;
	/// EACCEPT and EMODPE with SECINFO flags, which they keep in the page PARAM.
	Got accept(u64 offset, u64 flags) const;
	Got extend(u64 offset, u64 flags) const;
	/// The same, and they must succeed.
	void accepted(u64 offset, u64 flags) const;
	void extended(u64 offset, u64 flags) const;

private:
	void unmap();

	Rig &rig_;
	const Kernel &k_;
	u64 secs_ = no_page;
	std::map<u64, u64> pages_;
	Measurement measurement_;
	bool reserved_ = false;

	static constexpr u64 no_page = ~0ULL;
};

} // namespace isa
