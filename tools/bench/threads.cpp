// SPDX-License-Identifier: GPL-2.0
// Threads that an enclave gets while it runs: four pages each, one of which becomes a TCS.

#include "work.h"

namespace sgx {

namespace {

enum Part : u64 { stack, frames, data, tcs, parts };

/// As runtimes do it: memory first, then the TCS is written, made one, and accepted.
void make_thread(const Subject &s, u64 number)
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

} // namespace

void measure_threads(Bench &bench)
{
	constexpr u64 count = 64;
	for (const unsigned inside : bench.plan.inside) {
		Subject s(bench.meter, count * parts, inside);
		bench.results.add("thread", count, inside, s.measure([&] {
			for (u64 i = 0; i < count; i++)
				make_thread(s, i);
		}));
		// They are threads: the last one runs.
		s.enclave->threads.push_back(s.at + (count * parts - 1) * page_size);
		s.enclave->ask(request(Op::nothing, 0), static_cast<unsigned>(s.enclave->threads.size() - 1));
	}
}

} // namespace sgx
