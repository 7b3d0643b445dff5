// SPDX-License-Identifier: GPL-2.0
// Sets up the states that rows of several tables use.

#include "states.h"

#include <stdexcept>

#include <sys/mman.h>

namespace isa {

u64 ordinary_user()
{
	alignas(page_size) static volatile u8 page[page_size];
	page[0] = 0;
	return reinterpret_cast<u64>(page);
}

void read_only(TestBench &r, u64 offset)
{
	auto *page = reinterpret_cast<volatile u8 *>(r.e.at(offset));
	mprotect(const_cast<u8 *>(page), page_size, PROT_READ | PROT_EXEC);
	// Create the page-table entry; without one the fault would be different.
	(void)page[0];
}

void map_ordinary(TestBench &r, u64 offset)
{
	void *there = reinterpret_cast<void *>(r.e.at(offset));
	if (mmap(there, page_size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1,
		 0) != there)
		throw std::runtime_error("ordinary memory cannot be mapped in ELRANGE");
}

void removed(TestBench &r, u64 offset)
{
	require("EREMOVE", r.k.encls(EREMOVE, 0, r.e.linear(offset)));
}

void rebuilt(TestBench &r, void (*change)(Enclave &))
{
	r.e.remove_all();
	change(r.e);
	r.e.build();
}

void fault_inside(TestBench &r, u64 tcs)
{
	Frame f;
	const Exit x = r.e.enter(insn_ud2, f, tcs);
	if (x.where != Exit::at_aep || x.vector != VEC_UD)
		throw std::runtime_error("UD2 in the enclave did not cause an asynchronous exit");
}

void write_secinfo(TestBench &r, u64 flags)
{
	SecInfo secinfo{};
	secinfo.flags = flags;
	r.e.poke_bytes(PARAM, &secinfo, sizeof(secinfo));
}

void restricted(TestBench &r, u64 offset, u64 permissions)
{
	r.e.restrict(offset, permissions);
	r.e.track();
	r.e.must_accept(offset, PT_REG | PR | permissions);
}

void trimmed(TestBench &r, u64 offset)
{
	r.e.retype(offset, PT_TRIM);
	r.e.track();
	r.e.must_accept(offset, PT_TRIM | MODIFIED);
}

} // namespace isa
