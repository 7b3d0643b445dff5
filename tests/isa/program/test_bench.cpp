// SPDX-License-Identifier: GPL-2.0
// Takes EPC pages, executes the leaf of a row, and removes the pages.

#include "test_bench.h"

#include <cstdio>
#include <cstring>
#include <exception>

namespace isa {

namespace {

/// Far from the mappings of the loader and the C library, and aligned to each size in use.
constexpr u64 first_base = 0x100000000000, second_base = 0x110000000000;

/// The six arithmetic flags: leaves without a code must keep them, the others must clear them.
constexpr u64 flags_before = arithmetic;

/// A rate per million.
constexpr u64 always = 1000000;

} // namespace

void fail(const std::string &what, const Result &result)
{
	throw std::runtime_error(what + " gave " + result.text());
}

void require(const char *what, const Result &result)
{
	// A leaf without a code leaves its number in RAX; a leaf that returns a code has set RAX to
	// 0.
	const bool no_code = !std::strcmp(what, "ECREATE") || !std::strcmp(what, "EADD") || !std::strcmp(what, "EEXTEND") ||
			     !std::strcmp(what, "EAUG") || !std::strcmp(what, "EPA");
	if (result.faulted() || (!no_code && result.regs.rax != 0))
		fail(what, result);
}

TestBench::TestBench(const Kernel &kernel, const Monitor *m)
	: k(kernel), monitor(m), s(kernel.shared()), e(*this, first_base), other(*this, second_base)
{
	clear_shared();
}

TestBench::~TestBench()
{
	try {
		clear();
	} catch (const std::exception &e) {
		std::printf("# %s\n", e.what());
	}
}

u64 TestBench::page()
{
	return taken_++;
}

u64 TestBench::va()
{
	const u64 p = page();
	require("EPA", k.encls(EPA, PT_VA >> page_type_shift, k.linear(p)));
	return p;
}

void TestBench::clear_shared()
{
	std::memset(static_cast<void *>(&s), 0, sizeof(s));
}

void TestBench::pageinfo(u64 linaddr, u64 srcpge, u64 secinfo, u64 secs)
{
	s.pageinfo = {linaddr, srcpge, secinfo, secs};
	rbx = k.at(&s.pageinfo);
}

void TestBench::set_page(u64 epc_page)
{
	target = epc_page;
	rcx = k.linear(epc_page);
}

void TestBench::evict(u64 offset, u64 va_page, unsigned slot)
{
	e.block(offset);
	e.track();
	s.pageinfo = {0, k.at(s.evicted), k.at(&s.pcmd), 0};
	require("EWB", k.encls(EWB, k.at(&s.pageinfo), e.linear(offset), k.linear(va_page) + 8 * slot));
	e.unmap_page(offset);
	e.forget_page(offset);
}

void TestBench::inject(unsigned reg) const
{
	if (!monitor)
		throw Skip{"conflicts can be injected on the SGX2 machine only"};
	monitor->inject(reg, always);
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

void TestBench::keyhash(const Digest &digest)
{
	keyhash_changed_ = true;
	write_keyhash(k, digest);
}

Regs TestBench::input() const
{
	return {high << 32 | leaf, rbx, rcx, rdx, flags_before};
}

bool TestBench::no_code() const
{
	return place == Place::kernel ? encls_has_no_code(leaf) : enclu_has_no_code(leaf);
}

/// RCX is the address and RDX the value to store. The function inside sets the other registers.
void TestBench::access(const Regs &in)
{
	frame = {};
	frame.rsi = rcx;
	frame.rdx = rdx;
	exit = e.enter(function, frame, tcs);
	if (exit.where == Exit::returned)
		return;
	result.vector = exit.vector;
	result.error = exit.error;
	result.cr2 = exit.cr2;
	result.regs = in;
	if (exit.where == Exit::timed_out)
		throw std::runtime_error("the enclave does not exit");
	if (exit.where != Exit::at_aep)
		fail("entering the enclave", result);
	if (stop)
		result.rip_moved = e.saved(tcs == TCS_A ? SSA_A : SSA_B, e.cssa(tcs) - 1).rip != e.at(inside(stop));
}

void TestBench::execute()
{
	const Regs in = input();

	switch (place) {
	case Place::none:
		return;
	case Place::kernel:
		result = k.run(insn, in, how);
		return;
	case Place::inside:
		result = e.leaf(leaf, rbx, rcx, rdx, flags_before, tcs);
		return;
	case Place::access:
		access(in);
		return;
	case Place::outside:
		break;
	}
	frame = {};
	frame.rax = in.rax;
	frame.rbx = rbx;
	frame.rcx = rcx;
	frame.rdx = rdx;
	frame.rflags = flags_before | rflags_user;
	frame.rdi = inside(function);
	exit = enclu(frame);
	if (exit.where == Exit::returned) {
		result.regs = {frame.rax, frame.rbx, frame.rcx, frame.rdx, frame.rflags};
		return;
	}
	if (exit.where == Exit::timed_out)
		throw std::runtime_error("the enclave does not exit");
	result.vector = exit.vector;
	result.error = exit.error;
	result.cr2 = exit.cr2;
	result.regs = {exit.regs.rax, exit.regs.rbx, exit.regs.rcx, exit.regs.rdx, exit.regs.rflags};
	result.rip_moved = exit.where != Exit::at_enclu;
}

u64 TestBench::address(At at) const
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
	// An AEX clears the lower 12 bits of CR2.
	return place == Place::inside || place == Place::access ? a & ~(page_size - 1) : a;
}

void TestBench::check(bool ok, const std::string &what)
{
	if (!ok)
		problems_ += (problems_.empty() ? "" : "; ") + what;
}

std::string TestBench::entry(u64 page) const
{
	if (!monitor)
		throw Skip{"only the SGX2 machine shows the EPCM"};
	return monitor->entry(page).text();
}

std::vector<EpcmEntry> TestBench::epcm() const
{
	std::vector<EpcmEntry> all;
	for (u64 p = 0; monitor && p < taken_; p++)
		all.push_back(monitor->entry(p));
	return all;
}

bool TestBench::clear()
{
	if (monitor)
		monitor->clear_injection();
	if (keyhash_changed_)
		write_keyhash(k, mrsigner());
	keyhash_changed_ = false;
	// A SECS can be removed only after its children, so walk the pages twice.
	u64 left = 0;
	for (int pass = 0; pass < 2; pass++) {
		left = 0;
		for (u64 p = 0; p < taken_; p++) {
			const Result g = k.encls(EREMOVE, 0, k.linear(p));
			left += g.faulted() || g.regs.rax != 0;
		}
	}
	taken_ = 0;
	return left == 0;
}

} // namespace isa
