// SPDX-License-Identifier: GPL-2.0
// Builds enclaves out of single leaves and goes in and out of them.

#include "enclave.h"

#include <cstring>
#include <stdexcept>

#include <sys/mman.h>

#include "rig.h"

namespace isa {

Enclave::Enclave(Rig &rig, u64 at) : base(at), rig_(rig), k_(rig.k)
{
	tcs_a.ossa = SSA_A;
	tcs_a.nssa = 2;
	tcs_b.ossa = SSA_B;
	tcs_b.nssa = 1;
	for (Tcs *t : {&tcs_a, &tcs_b}) {
		t->ofsbase = DATA;
		t->ogsbase = PARAM;
		t->fslimit = t->gslimit = ~0U;
	}
}

Enclave::~Enclave()
{
	unmap();
}

void Enclave::unmap()
{
	if (!reserved_)
		return;
	// One page more: rows put ordinary memory behind ELRANGE.
	k_.release(base, size + page_size);
	reserved_ = false;
}

void Enclave::discard()
{
	for (const auto &[offset, page] : pages_)
		must("EREMOVE", k_.encls(EREMOVE, 0, k_.linear(page)));
	must("EREMOVE", k_.encls(EREMOVE, 0, secs_linear()));
	unmap();
	pages_.clear();
	secs_ = no_page;
}

u64 Enclave::secs_linear() const
{
	return k_.linear(secs_);
}

u64 Enclave::linear(u64 offset) const
{
	return k_.linear(page(offset & ~(page_size - 1))) + offset % page_size;
}

void Enclave::create()
{
	auto &s = rig_.s;
	auto *secs = reinterpret_cast<Secs *>(s.source);
	*secs = {};
	secs->size = size;
	secs->base = base;
	secs->ssa_frame_size = frame_pages;
	secs->miscselect = miscselect;
	secs->attributes = attributes;
	secs->xfrm = xfrm;
	s.secinfo = {};
	s.pageinfo = {0, k_.at(s.source), k_.at(&s.secinfo), 0};
	secs_ = rig_.page();
	measurement_ = {};
	pages_.clear();
	must("ECREATE", k_.encls(ECREATE, k_.at(&s.pageinfo), secs_linear()));
	measurement_.create(frame_pages, size);
	if (!reserved_)
		k_.reserve(base, size, PROT_READ | PROT_WRITE | PROT_EXEC);
	reserved_ = true;
}

u64 Enclave::add(u64 offset, u64 secinfo, const void *content, bool measure)
{
	auto &s = rig_.s;
	std::memset(s.source, 0, sizeof(s.source));
	if (content)
		std::memcpy(s.source, content, page_size);
	s.secinfo = {};
	s.secinfo.flags = secinfo;
	s.pageinfo = {at(offset), k_.at(s.source), k_.at(&s.secinfo), secs_linear()};
	const u64 page = rig_.page();
	must("EADD", k_.encls(EADD, k_.at(&s.pageinfo), k_.linear(page)));
	const bool tcs = (secinfo & PT(0xff)) == PT_TCS;
	measurement_.add(offset, tcs ? secinfo & ~(R | W | X) : secinfo);
	for (u64 chunk = 0; measure && chunk < page_size; chunk += 256) {
		must("EEXTEND", k_.encls(EEXTEND, secs_linear(), k_.linear(page) + chunk));
		measurement_.extend(offset + chunk, s.source + chunk);
	}
	pages_[offset] = page;
	show(offset, page);
	return page;
}

void Enclave::fill()
{
	add(CODE, PT_REG | R | X, enclave_code, true);
	add(TCS_A, PT_TCS, &tcs_a);
	add(SSA_A, PT_REG | R | W);
	add(SSA_A + page_size, PT_REG | R | W);
	add(TCS_B, PT_TCS, &tcs_b);
	add(SSA_B, PT_REG | R | W);
	add(DATA, PT_REG | R | W);
	add(PARAM, PT_REG | R | W);
}

void Enclave::sign(Sigstruct *sig) const
{
	sigstruct_blank(sig);
	sig->attributes = attributes;
	sig->xfrm = xfrm;
	sig->attribute_mask = sig->xfrm_mask = ~0ULL;
	sig->miscselect = miscselect;
	sig->miscmask = ~0U;
	const Digest digest = measurement_.digest();
	std::memcpy(sig->enclave_hash, digest.data(), digest.size());
	sigstruct_sign(sig);
}

void Enclave::init()
{
	auto &s = rig_.s;
	sign(&s.sig);
	s.token = {};
	must("EINIT", k_.encls(EINIT, k_.at(&s.sig), secs_linear(), k_.at(&s.token)));
}

void Enclave::ready()
{
	create();
	fill();
	init();
	rig_.wipe();
}

u64 Enclave::aug(u64 offset)
{
	auto &s = rig_.s;
	s.pageinfo = {at(offset), 0, 0, secs_linear()};
	const u64 page = rig_.page();
	must("EAUG", k_.encls(EAUG, k_.at(&s.pageinfo), k_.linear(page)));
	pages_[offset] = page;
	show(offset, page);
	return page;
}

void Enclave::block(u64 offset)
{
	must("EBLOCK", k_.encls(EBLOCK, 0, linear(offset)));
}

void Enclave::track()
{
	must("ETRACK", k_.encls(ETRACK, 0, secs_linear()));
}

void Enclave::restrict(u64 offset, u64 permissions)
{
	rig_.s.secinfo = {};
	rig_.s.secinfo.flags = permissions;
	must("EMODPR", k_.encls(EMODPR, k_.at(&rig_.s.secinfo), linear(offset)));
}

void Enclave::retype(u64 offset, u64 type)
{
	rig_.s.secinfo = {};
	rig_.s.secinfo.flags = type;
	must("EMODT", k_.encls(EMODT, k_.at(&rig_.s.secinfo), linear(offset)));
}

void Enclave::remove(u64 offset)
{
	must("EREMOVE", k_.encls(EREMOVE, 0, linear(offset)));
	hide(offset);
	forget(offset);
}

void Enclave::show(u64 offset, u64 page)
{
	k_.map(at(offset), page);
	// Into the page tables at once: the fault that would do it later is an asynchronous exit.
	(void)*reinterpret_cast<const volatile u8 *>(at(offset));
}

void Enclave::hide(u64 offset)
{
	k_.unmap(at(offset));
}

u64 Enclave::peek(u64 offset) const
{
	const Got got = k_.encls(EDBGRD, 0, linear(offset));
	must("EDBGRD", got);
	return got.regs.rbx;
}

void Enclave::poke(u64 offset, u64 value) const
{
	must("EDBGWR", k_.encls(EDBGWR, value, linear(offset)));
}

void Enclave::peek_bytes(u64 offset, void *to, u64 size) const
{
	for (u64 i = 0; i < size; i += 8) {
		const u64 word = peek(offset + i);
		std::memcpy(static_cast<u8 *>(to) + i, &word, 8);
	}
}

void Enclave::poke_bytes(u64 offset, const void *from, u64 size) const
{
	for (u64 i = 0; i < size; i += 8) {
		u64 word;
		std::memcpy(&word, static_cast<const u8 *>(from) + i, 8);
		poke(offset + i, word);
	}
}

u32 Enclave::cssa(u64 tcs) const
{
	return static_cast<u32>(peek(tcs + offsetof(Tcs, cssa)));
}

u64 Enclave::saved_at(u64 ssa, u64 n, std::size_t field) const
{
	return ssa + (n + 1) * frame_pages * page_size - sizeof(Gprsgx) + field;
}

Gprsgx Enclave::saved(u64 ssa, u64 n) const
{
	Gprsgx g;
	peek_bytes(saved_at(ssa, n, 0), &g, sizeof(g));
	return g;
}

Exit Enclave::enter(const u8 *function, Frame &frame, u64 tcs) const
{
	frame.rax = EENTER;
	frame.rbx = at(tcs);
	frame.rcx = address_of(isa_aep);
	frame.rdi = inside(function);
	return enclu(frame);
}

Exit Enclave::resume(Frame &frame, u64 tcs) const
{
	frame.rax = ERESUME;
	frame.rbx = at(tcs);
	frame.rcx = address_of(isa_aep);
	return enclu(frame);
}

Got Enclave::leaf(u32 number, u64 rbx, u64 rcx, u64 rdx, u64 rflags, u64 tcs) const
{
	const Regs block{number, rbx, rcx, rdx, rflags | 0x202};
	Frame f;
	f.rsi = reinterpret_cast<u64>(&block);
	const Exit x = enter(inside_leaf, f, tcs);
	Got got;
	if (x.where == Exit::returned) {
		got.regs = {f.r8, f.r9, f.r10, f.r13, f.r12};
		return got;
	}
	got.vector = x.vector;
	got.error = x.error;
	got.cr2 = x.cr2;
	got.regs = {x.regs.rax, x.regs.rbx, x.regs.rcx, x.regs.rdx, x.regs.rflags};
	if (x.where == Exit::late)
		throw std::runtime_error("the enclave does not come back");
	if (x.where != Exit::at_aep)
		give_up("entering the enclave", got);
	if (attributes & ATTR_DEBUG) {
		const Gprsgx g = saved(tcs == TCS_A ? SSA_A : SSA_B, cssa(tcs) - 1);
		got.regs = {g.rax, g.rbx, g.rcx, g.rdx, g.rflags};
		got.rip_moved = g.rip != at(inside(inside_leaf_at));
	}
	return got;
}

Got Enclave::accept(u64 offset, u64 flags) const
{
	SecInfo secinfo{};
	secinfo.flags = flags;
	poke_bytes(PARAM, &secinfo, sizeof(secinfo));
	return leaf(EACCEPT, at(PARAM), at(offset));
}

Got Enclave::extend(u64 offset, u64 flags) const
{
	SecInfo secinfo{};
	secinfo.flags = flags;
	poke_bytes(PARAM, &secinfo, sizeof(secinfo));
	return leaf(EMODPE, at(PARAM), at(offset));
}

void Enclave::accepted(u64 offset, u64 flags) const
{
	must("EACCEPT", accept(offset, flags));
}

void Enclave::extended(u64 offset, u64 flags) const
{
	const Got got = extend(offset, flags);
	if (got.faulted())
		give_up("EMODPE", got);
}

} // namespace isa
