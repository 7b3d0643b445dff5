// SPDX-License-Identifier: GPL-2.0
// Builds enclaves by single leaves, enters and exits them.

#include "enclave.h"

#include <cstring>
#include <stdexcept>

#include <sys/mman.h>

#include "test_bench.h"

namespace isa {

Enclave::Enclave(TestBench &bench, u64 at) : base(at), bench_(bench), k_(bench.k)
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
	// One page more than the enclave, because some rows map ordinary memory behind ELRANGE.
	k_.release(base, size + page_size);
	reserved_ = false;
}

void Enclave::remove_all()
{
	for (const auto &[offset, page] : pages_)
		require("EREMOVE", k_.encls(EREMOVE, 0, k_.linear(page)));
	require("EREMOVE", k_.encls(EREMOVE, 0, secs_linear()));
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
	auto &s = bench_.s;
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
	secs_ = bench_.page();
	measurement_ = {};
	pages_.clear();
	require("ECREATE", k_.encls(ECREATE, k_.at(&s.pageinfo), secs_linear()));
	measurement_.create(frame_pages, size);
	if (!reserved_)
		k_.reserve(base, size, PROT_READ | PROT_WRITE | PROT_EXEC);
	reserved_ = true;
}

u64 Enclave::add(u64 offset, u64 secinfo, const void *content, bool measure)
{
	auto &s = bench_.s;
	std::memset(s.source, 0, sizeof(s.source));
	if (content)
		std::memcpy(s.source, content, page_size);
	s.secinfo = {};
	s.secinfo.flags = secinfo;
	s.pageinfo = {at(offset), k_.at(s.source), k_.at(&s.secinfo), secs_linear()};
	const u64 page = bench_.page();
	require("EADD", k_.encls(EADD, k_.at(&s.pageinfo), k_.linear(page)));
	const bool tcs = (secinfo & PT(0xff)) == PT_TCS;
	measurement_.add(offset, tcs ? secinfo & ~(R | W | X) : secinfo);
	for (u64 chunk = 0; measure && chunk < page_size; chunk += 256) {
		require("EEXTEND", k_.encls(EEXTEND, secs_linear(), k_.linear(page) + chunk));
		measurement_.extend(offset + chunk, s.source + chunk);
	}
	pages_[offset] = page;
	map_page(offset, page);
	return page;
}

void Enclave::add_pages()
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
	auto &s = bench_.s;
	sign(&s.sig);
	s.token = {};
	require("EINIT", k_.encls(EINIT, k_.at(&s.sig), secs_linear(), k_.at(&s.token)));
}

void Enclave::build()
{
	create();
	add_pages();
	init();
	bench_.clear_shared();
}

u64 Enclave::aug(u64 offset)
{
	auto &s = bench_.s;
	s.pageinfo = {at(offset), 0, 0, secs_linear()};
	const u64 page = bench_.page();
	require("EAUG", k_.encls(EAUG, k_.at(&s.pageinfo), k_.linear(page)));
	pages_[offset] = page;
	map_page(offset, page);
	return page;
}

void Enclave::block(u64 offset)
{
	require("EBLOCK", k_.encls(EBLOCK, 0, linear(offset)));
}

void Enclave::track()
{
	require("ETRACK", k_.encls(ETRACK, 0, secs_linear()));
}

void Enclave::restrict(u64 offset, u64 permissions)
{
	bench_.s.secinfo = {};
	bench_.s.secinfo.flags = permissions;
	require("EMODPR", k_.encls(EMODPR, k_.at(&bench_.s.secinfo), linear(offset)));
}

void Enclave::retype(u64 offset, u64 type)
{
	bench_.s.secinfo = {};
	bench_.s.secinfo.flags = type;
	require("EMODT", k_.encls(EMODT, k_.at(&bench_.s.secinfo), linear(offset)));
}

void Enclave::remove(u64 offset)
{
	require("EREMOVE", k_.encls(EREMOVE, 0, linear(offset)));
	unmap_page(offset);
	forget_page(offset);
}

void Enclave::map_page(u64 offset, u64 page)
{
	k_.map(at(offset), page);
	// Create the page-table entry now, because a page fault inside would be an asynchronous
	// exit.
	(void)*reinterpret_cast<const volatile u8 *>(at(offset));
}

void Enclave::unmap_page(u64 offset)
{
	k_.unmap(at(offset));
}

u64 Enclave::peek(u64 offset) const
{
	const Result result = k_.encls(EDBGRD, 0, linear(offset));
	require("EDBGRD", result);
	return result.regs.rbx;
}

void Enclave::poke(u64 offset, u64 value) const
{
	require("EDBGWR", k_.encls(EDBGWR, value, linear(offset)));
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

Result Enclave::leaf(u32 number, u64 rbx, u64 rcx, u64 rdx, u64 rflags, u64 tcs) const
{
	const Regs block{number, rbx, rcx, rdx, rflags | rflags_user};
	Frame f;
	f.rsi = reinterpret_cast<u64>(&block);
	const Exit x = enter(inside_leaf, f, tcs);
	Result result;
	if (x.where == Exit::returned) {
		result.regs = {f.r8, f.r9, f.r10, f.r13, f.r12};
		return result;
	}
	result.vector = x.vector;
	result.error = x.error;
	result.cr2 = x.cr2;
	result.regs = {x.regs.rax, x.regs.rbx, x.regs.rcx, x.regs.rdx, x.regs.rflags};
	if (x.where == Exit::timed_out)
		throw std::runtime_error("the enclave does not exit");
	if (x.where != Exit::at_aep)
		fail("entering the enclave", result);
	if (attributes & ATTR_DEBUG) {
		const Gprsgx g = saved(tcs == TCS_A ? SSA_A : SSA_B, cssa(tcs) - 1);
		result.regs = {g.rax, g.rbx, g.rcx, g.rdx, g.rflags};
		result.rip_moved = g.rip != at(inside(inside_leaf_at));
	}
	return result;
}

Result Enclave::accept(u64 offset, u64 flags) const
{
	SecInfo secinfo{};
	secinfo.flags = flags;
	poke_bytes(PARAM, &secinfo, sizeof(secinfo));
	return leaf(EACCEPT, at(PARAM), at(offset));
}

Result Enclave::extend(u64 offset, u64 flags) const
{
	SecInfo secinfo{};
	secinfo.flags = flags;
	poke_bytes(PARAM, &secinfo, sizeof(secinfo));
	return leaf(EMODPE, at(PARAM), at(offset));
}

void Enclave::must_accept(u64 offset, u64 flags) const
{
	require("EACCEPT", accept(offset, flags));
}

void Enclave::must_extend(u64 offset, u64 flags) const
{
	const Result result = extend(offset, flags);
	if (result.faulted())
		fail("EMODPE", result);
}

} // namespace isa
