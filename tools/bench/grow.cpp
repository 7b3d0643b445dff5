// SPDX-License-Identifier: GPL-2.0
// Growth: ascending, descending, one page per fault, and before any fault; and the release of grown enclaves.

#include "work.h"

namespace sgx {

namespace {

/// Measures a way to grow; mainline takes a fault for each page in all of them.
void grow(Bench &bench, const char *name, u64 pages, const std::function<void(Workload &)> &ahead, bool descending = false)
{
	Workload s(bench.meter, pages);
	bench.results.add(name, pages, 0, s.measure([&] {
		if (bench.plan.own)
			ahead(s);
		s.accept(REG | RW | PENDING, descending);
	}));
}

void nothing(Workload & /*s*/) {}

} // namespace

void measure_growth(Bench &bench)
{
	for (const u64 pages : bench.plan.pages) {
		grow(bench, "grow-down", pages, nothing, true);
		grow(bench, "grow-single", pages, [](Workload &s) { s.fault_around(0); });
		grow(bench, "willneed", pages, [](Workload &s) {
			must(errno_of(madvise(reinterpret_cast<void *>(s.at), s.length, MADV_WILLNEED)), "madvise");
		});
		Workload s(bench.meter, pages);
		bench.results.add("augment", pages, 0, s.measure([&] {
			if (bench.plan.own)
				s.augment();
			s.accept(REG | RW | PENDING);
		}));
		bench.results.add("teardown-grown", pages, 0, s.measure([&] { s.enclave.reset(); }));
	}
}

void measure_large(Bench &bench)
{
	for (const u64 pages : bench.plan.pages) {
		Workload s(bench.meter, pages);
		const auto row = [&](const char *name, const std::function<void()> &work) {
			bench.results.add(name, pages, 0, s.measure(work));
		};
		row("grow-up", [&] { s.accept(REG | RW | PENDING); });
		row("reset", [&] {
			if (bench.plan.own)
				s.reset();
			else
				s.restrict_to(0);
		});
		row("accept-reset", [&] { s.accept(REG | PR); });
		row("trim", [&] { s.trim(); });
		row("teardown-grown", [&] { s.enclave.reset(); });
	}
}

} // namespace sgx
