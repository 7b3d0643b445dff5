// SPDX-License-Identifier: GPL-2.0
// Threads that are added to a running enclave: four pages each, one of which becomes a TCS.

#include "work.h"

namespace sgx {

namespace {

enum Part : u64 { stack, frames, data, tcs, parts };

/// Adds a thread as runtimes do: the pages are added, the TCS is written, its type is changed, and it is accepted.
void make_thread(const Workload &s, u64 number)
{
	const Enclave &e = *s.enclave;
	const u64 first = s.at + number * parts * page_size;
	const auto page = [&](Part part) {
		return first + part * page_size;
	};

	whole(e, request(Op::accept, first, parts * page_size, REG | RW | PENDING));
	Request r = request(Op::make_thread, page(data));
	r.source = r.value = page(frames) - page(tcs);
	r.extra = page(frames) - page(tcs);
	e.ask(r);
	r = request(Op::make_tcs, page(tcs), 1);
	r.source = page(frames);
	r.value = page(data);
	e.ask(r);
	whole(e.device().modify_types(page(tcs) - e.at(0), page_size, type_tcs), page_size, "MODIFY_TYPES");
	whole(e, request(Op::accept, page(tcs), page_size, TCS | MODIFIED));
}

/// Measures calls on one page each. Mainline has no RESET, and restricts to no permission instead.
void one_page(Bench &bench, u64 count, unsigned inside)
{
	Workload s(bench.meter, count, inside);
	const Device &d = s.enclave->device();
	const auto row = [&](const char *name, const std::function<Progress(u64)> &call) {
		bench.results.add(name, count, inside, s.measure([&] {
			for (u64 i = 0; i < count; i++)
				whole(call(s.offset + i * page_size), page_size, name);
		}));
	};
	s.accept(REG | RW | PENDING);
	row("one-restrict", [&](u64 at) { return d.restrict_permissions(at, page_size, R); });
	s.accept(REG | R | PR);
	row("one-reset", [&](u64 at) {
		return bench.plan.own ? d.reset_permissions(at, page_size) : d.restrict_permissions(at, page_size, 0);
	});
	s.accept(REG | PR);
	row("one-type", [&](u64 at) { return d.modify_types(at, page_size, type_trim); });
}

} // namespace

void measure_threads(Bench &bench)
{
	constexpr u64 count = 64;
	for (const unsigned inside : bench.plan.inside) {
		one_page(bench, count, inside);
		Workload s(bench.meter, count * parts, inside);
		bench.results.add("thread", count, inside, s.measure([&] {
			for (u64 i = 0; i < count; i++)
				make_thread(s, i);
		}));
		// The new threads work: enter the last one.
		s.enclave->threads.push_back(s.at + (count * parts - 1) * page_size);
		s.enclave->ask(request(Op::nothing, 0), static_cast<unsigned>(s.enclave->threads.size() - 1));
	}
}

} // namespace sgx
