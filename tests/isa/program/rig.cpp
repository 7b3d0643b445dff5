// SPDX-License-Identifier: GPL-2.0
// Takes EPC pages, executes the leaf of a row, and leaves the EPC as empty as it was.

#include "rig.h"

#include <cstdio>
#include <cstring>
#include <exception>

namespace isa {

namespace {

/// Far from what the loader and the C library use, and both aligned to any size in use here.
constexpr u64 first_base = 0x100000000000, second_base = 0x110000000000;

/// What the leaves that return nothing must leave alone, and the others must clear: all six.
constexpr u64 flags_before = arithmetic;

} // namespace

void give_up(const std::string &what, const Got &got)
{
	throw std::runtime_error(what + " gave " + got.text());
}

void must(const char *what, const Got &got)
{
	// The leaves that return nothing leave RAX at their number, and one that returns a code has it 0.
	const bool silent = !std::strcmp(what, "ECREATE") || !std::strcmp(what, "EADD") || !std::strcmp(what, "EEXTEND") ||
			    !std::strcmp(what, "EAUG") || !std::strcmp(what, "EPA");
	if (got.faulted() || (!silent && got.regs.rax != 0))
		give_up(what, got);
}

Rig::Rig(const Kernel &kernel, const Monitor *m)
	: k(kernel), monitor(m), s(kernel.shared()), e(*this, first_base), other(*this, second_base)
{
	wipe();
}

Rig::~Rig()
{
	try {
		clear();
	} catch (const std::exception &e) {
		std::printf("# %s\n", e.what());
	}
}

u64 Rig::page()
{
	return taken_++;
}

u64 Rig::va()
{
	const u64 p = page();
	must("EPA", k.encls(EPA, PT_VA >> 8, k.linear(p)));
	return p;
}

void Rig::wipe()
{
	std::memset(static_cast<void *>(&s), 0, sizeof(s));
}

void Rig::pageinfo(u64 linaddr, u64 srcpge, u64 secinfo, u64 secs)
{
	s.pageinfo = {linaddr, srcpge, secinfo, secs};
	rbx = k.at(&s.pageinfo);
}

void Rig::on(u64 epc_page)
{
	target = epc_page;
	rcx = k.linear(epc_page);
}

void Rig::evict(u64 offset, u64 va_page, unsigned slot)
{
	e.block(offset);
	e.track();
	s.pageinfo = {0, k.at(s.evicted), k.at(&s.pcmd), 0};
	must("EWB", k.encls(EWB, k.at(&s.pageinfo), e.linear(offset), k.linear(va_page) + 8 * slot));
	e.hide(offset);
	e.forget(offset);
}

void Rig::inject(unsigned reg) const
{
	if (!monitor)
		throw Skip{"only the machine can be told to have a conflict"};
	monitor->inject(reg, 1000000);
}

void write_keyhash(const Kernel &kernel, const Digest &digest)
{
	for (u32 i = 0; i < 4; i++) {
		u64 part;
		std::memcpy(&part, digest.data() + 8 * i, 8);
		if (kernel.wrmsr(MSR_LEPUBKEYHASH0 + i, part).faulted())
			throw std::runtime_error("the launch key hash cannot be written");
	}
}

void Rig::keyhash(const Digest &digest)
{
	foreign_keyhash_ = true;
	write_keyhash(k, digest);
}

Regs Rig::input() const
{
	return {high << 32 | leaf, rbx, rcx, rdx, flags_before};
}

bool Rig::silent() const
{
	return place == Place::kernel ? encls_is_silent(leaf) : enclu_is_silent(leaf);
}

/// RCX is the address, RDX what is stored. Registers inside are the function's business.
void Rig::touch(const Regs &in)
{
	frame = {};
	frame.rsi = rcx;
	frame.rdx = rdx;
	exit = e.enter(function, frame, tcs);
	if (exit.where == Exit::returned)
		return;
	got.vector = exit.vector;
	got.error = exit.error;
	got.cr2 = exit.cr2;
	got.regs = in;
	if (exit.where == Exit::late)
		throw std::runtime_error("the enclave does not come back");
	if (exit.where != Exit::at_aep)
		give_up("entering the enclave", got);
	if (stop)
		got.rip_moved = e.saved(tcs == TCS_A ? SSA_A : SSA_B, e.cssa(tcs) - 1).rip != e.at(inside(stop));
}

void Rig::fire()
{
	const Regs in = input();

	switch (place) {
	case Place::nowhere:
		return;
	case Place::kernel:
		got = k.run(insn, in, how);
		return;
	case Place::within:
		got = e.leaf(leaf, rbx, rcx, rdx, flags_before, tcs);
		return;
	case Place::touch:
		touch(in);
		return;
	case Place::outside:
		break;
	}
	frame = {};
	frame.rax = in.rax;
	frame.rbx = rbx;
	frame.rcx = rcx;
	frame.rdx = rdx;
	frame.rflags = flags_before | 0x202;
	frame.rdi = inside(function);
	exit = enclu(frame);
	if (exit.where == Exit::returned) {
		got.regs = {frame.rax, frame.rbx, frame.rcx, frame.rdx, frame.rflags};
		return;
	}
	if (exit.where == Exit::late)
		throw std::runtime_error("the enclave does not come back");
	got.vector = exit.vector;
	got.error = exit.error;
	got.cr2 = exit.cr2;
	got.regs = {exit.regs.rax, exit.regs.rbx, exit.regs.rcx, exit.regs.rdx, exit.regs.rflags};
	got.rip_moved = exit.where != Exit::at_enclu;
}

u64 Rig::address(At at) const
{
	u64 a = 0;
	switch (at) {
	case At::rbx:
		a = rbx;
		break;
	case At::rcx:
		a = rcx;
		break;
	case At::rdx:
		a = rdx;
		break;
	case At::secs:
		a = s.pageinfo.secs;
		break;
	case At::source:
		a = s.pageinfo.srcpge;
		break;
	case At::secinfo:
		a = s.pageinfo.secinfo;
		break;
	case At::mark:
		a = mark;
		break;
	}
	// An AEX clears the low bits of CR2.
	return place == Place::within || place == Place::touch ? a & ~(page_size - 1) : a;
}

void Rig::check(bool ok, const std::string &what)
{
	if (!ok)
		problems_ += (problems_.empty() ? "" : "; ") + what;
}

std::string Rig::entry(u64 page) const
{
	if (!monitor)
		throw Skip{"only the machine shows its EPCM"};
	return monitor->entry(page).text();
}

std::vector<EpcmEntry> Rig::epcm() const
{
	std::vector<EpcmEntry> all;
	for (u64 p = 0; monitor && p < taken_; p++)
		all.push_back(monitor->entry(p));
	return all;
}

bool Rig::clear()
{
	if (monitor)
		monitor->calm();
	if (foreign_keyhash_)
		write_keyhash(k, mrsigner());
	foreign_keyhash_ = false;
	// A SECS goes only when its children have gone, so go over them twice.
	u64 left = 0;
	for (int pass = 0; pass < 2; pass++) {
		left = 0;
		for (u64 p = 0; p < taken_; p++) {
			const Got g = k.encls(EREMOVE, 0, k.linear(p));
			left += g.faulted() || g.regs.rax != 0;
		}
	}
	taken_ = 0;
	return left == 0;
}

} // namespace isa
