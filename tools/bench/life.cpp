// SPDX-License-Identifier: GPL-2.0
// A range from its first page to its last one: it grows, changes permissions in each way, and is removed.

#include "work.h"

namespace sgx {

namespace {

constexpr int rw = PROT_READ | PROT_WRITE;

/// Restricts to reading, by the ioctl and by mprotect(). On mainline mprotect() is a second call.
void restrict_ways(Workload &s, const std::function<void(const char *, const std::function<void()> &)> &row, bool own)
{
	row("restrict", [&] { s.restrict_to(R); });
	row("accept-restricted", [&] { s.accept(REG | R | PR); });
	row("extend", [&] { s.extend(REG | RW); });

	row("mprotect-restrict", [&] {
		if (own)
			s.configure(mprotect_restrict);
		else
			s.restrict_to(R);
		s.protect(PROT_READ);
		if (own)
			s.configure(mprotect_nothing);
	});
	s.accept(REG | R | PR);
	row("relax", [&] {
		s.protect(rw);
		s.extend(REG | RW);
	});
}

/// Resets. Mainline has no such call, and restricts to no permission instead.
void reset_ways(Workload &s, const std::function<void(const char *, const std::function<void()> &)> &row, bool own)
{
	row("reset", [&] {
		if (own)
			s.reset();
		else
			s.restrict_to(0);
	});
	row("accept-reset", [&] { s.accept(REG | PR); });
	s.extend(REG | RW);

	row("mprotect-reset", [&] {
		if (own)
			s.configure(mprotect_reset);
		else
			s.restrict_to(0);
		s.protect(PROT_READ);
		if (own)
			s.configure(mprotect_nothing);
	});
	s.accept(REG | PR);
	s.extend(REG | R);
}

void life(Bench &bench, u64 pages, unsigned inside)
{
	Workload s(bench.meter, pages, inside, bench.plan.idle);
	const std::string suffix = bench.plan.idle ? "-idle" : "";
	const auto row = [&](const char *name, const std::function<void()> &work) {
		bench.results.add(name + suffix, pages, inside, s.measure(work));
	};
	row("grow-up", [&] { s.accept(REG | RW | PENDING); });
	restrict_ways(s, row, bench.plan.own);
	reset_ways(s, row, bench.plan.own);
	Sample all;
	const auto part = [&](const char *name, const std::function<void()> &work) {
		const Sample one = s.measure(work);
		bench.results.add(name + suffix, pages, inside, one);
		all += one;
	};
	part("trim", [&] { s.trim(); });
	part("accept-trimmed", [&] { s.accept(TRIM | MODIFIED); });
	part("remove", [&] { s.remove(); });
	bench.results.add("trim-accept-remove" + suffix, pages, inside, all);
}

} // namespace

void measure_life(Bench &bench)
{
	for (const u64 pages : bench.plan.pages) {
		for (const unsigned inside : bench.plan.inside)
			life(bench, pages, inside);
	}
}

} // namespace sgx
