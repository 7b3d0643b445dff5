// SPDX-License-Identifier: GPL-2.0
// Growth: by a walk up or down, one page a fault, and ahead of any fault; and the end of what has grown.

#include "work.h"

namespace sgx {

namespace {

/// What mainline does for each of them: a fault a page.
void grow(Bench &bench, const char *name, u64 pages, const std::function<void(Subject &)> &ahead, bool descending = false)
{
	Subject s(bench.meter, pages);
	bench.results.add(name, pages, 0, s.measure([&] {
		if (bench.plan.own)
			ahead(s);
		s.accept(REG | RW | PENDING, descending);
	}));
}

void nothing(Subject & /*s*/) {}

} // namespace

void measure_growth(Bench &bench)
{
	for (const u64 pages : bench.plan.pages) {
		grow(bench, "grow-down", pages, nothing, true);
		grow(bench, "grow-single", pages, [](Subject &s) { s.fault_around(0); });
		grow(bench, "willneed", pages, [](Subject &s) {
			must(errno_of(madvise(reinterpret_cast<void *>(s.at), s.length, MADV_WILLNEED)), "madvise");
		});
		Subject s(bench.meter, pages);
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
		Subject s(bench.meter, pages);
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
