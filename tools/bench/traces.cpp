// SPDX-License-Identifier: GPL-2.0
// The calls of three runtimes, unmodified on both drivers: they use no call that only sgx2 has.

#include "work.h"

#include <array>

namespace sgx {

namespace {

constexpr int rw = PROT_READ | PROT_WRITE, rx = PROT_READ | PROT_EXEC;

/// A block of the range, with the calls on it.
struct Block {
	const Workload &s;
	u64 offset, length;

	u64 at() const { return s.enclave->at(offset); }
	const Device &device() const { return s.enclave->device(); }

	void each(Op op, u64 secinfo, bool descending = false) const
	{
		Request r = request(op, at(), length, secinfo);
		r.descending = descending;
		if (op == Op::accept_copy)
			r.source = s.enclave->at(s.enclave->image().heap);
		whole(*s.enclave, r);
	}
	void restrict_to(u64 permissions) const
	{
		whole(retry_until_done(offset, length,
				       [&](u64 o, u64 l) { return device().restrict_permissions(o, l, permissions); }),
		      length, "RESTRICT_PERMISSIONS");
	}
	void trim() const
	{
		whole(retry_until_done(offset, length, [&](u64 o, u64 l) { return device().modify_types(o, l, type_trim); }),
		      length, "MODIFY_TYPES");
		each(Op::accept, TRIM | MODIFIED);
	}
	void remove() const
	{
		whole(retry_until_done(offset, length, [&](u64 o, u64 l) { return device().remove_pages(o, l); }), length,
		      "REMOVE_PAGES");
	}
	void protect(int prot) const { must(sgx::protect(at(), length, prot), "mprotect"); }
	void map(int prot) const { s.enclave->map(offset, length, prot); }
};

/// Sizes of the blocks that programs allocate, in pages: buffers, stacks, arenas.
constexpr std::array<u64, 8> sizes = {1, 16, 4, 64, 2, 256, 8, 161};

void blocks(const Workload &s, const std::function<void(const Block &)> &work)
{
	for (u64 done = 0, i = 0; done < s.length; i++) {
		const u64 length = std::min(sizes[i % sizes.size()] * page_size, s.length - done);
		work({s, s.offset + done, length});
		done += length;
	}
}

/// Gramine maps ELRANGE once and never calls mprotect(); a change of permissions is EMODPE, RESTRICT, EACCEPT, always all three.
void gramine_change(const Block &b, u64 permissions)
{
	b.each(Op::extend, REG | permissions);
	b.restrict_to(permissions);
	b.each(Op::accept, REG | permissions | PR);
}

void gramine(const Workload &s)
{
	blocks(s, [](const Block &b) {
		b.each(Op::accept, REG | RW | PENDING);
		gramine_change(b, R);
		gramine_change(b, RX);
		gramine_change(b, RW);
	});
	blocks(s, [](const Block &b) {
		b.trim();
		b.remove();
	});
}

/// Intel's allocator commits from high to low addresses, restricts, calls mprotect(), and keeps the address space of freed pages.
void intel(const Workload &s)
{
	blocks(s, [](const Block &b) {
		b.map(rw);
		b.each(Op::accept, REG | RW | PENDING, true);
	});
	blocks(s, [](const Block &b) {
		b.restrict_to(R);
		b.protect(PROT_READ);
		b.each(Op::accept, REG | R | PR);
		b.each(Op::extend, REG | RW);
		b.protect(rw);
	});
	blocks(s, [](const Block &b) {
		b.trim();
		b.remove();
		b.protect(PROT_NONE);
	});
}

/// Enarx accepts with the final permissions by copying zeroes, calls mprotect() before it restricts, and unmaps before it removes.
void enarx(const Workload &s)
{
	blocks(s, [](const Block &b) {
		b.map(rw);
		b.each(Op::accept_copy, REG | RW);
		b.protect(rx);
		b.restrict_to(R);
		b.each(Op::accept, REG | R | PR);
		b.each(Op::extend, REG | RX);
	});
	blocks(s, [](const Block &b) {
		b.trim();
		must(unmap(b.at(), b.length), "munmap");
		b.remove();
	});
}

void trace(Bench &bench, const char *name, void (*run)(const Workload &), int prot)
{
	constexpr u64 pages = 2048;
	for (const unsigned inside : bench.plan.inside) {
		const Workload s(bench.meter, pages, inside);
		s.enclave->map(s.offset, s.length, prot);
		bench.results.add(name, pages, inside, s.measure([&] { run(s); }));
	}
}

} // namespace

void measure_traces(Bench &bench)
{
	trace(bench, "trace-gramine", gramine, rw | PROT_EXEC);
	trace(bench, "trace-intel", intel, rw);
	trace(bench, "trace-enarx", enarx, rw);
}

} // namespace sgx
