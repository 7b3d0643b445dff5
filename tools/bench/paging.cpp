// SPDX-License-Identifier: GPL-2.0
// Enclaves larger than the EPC: pages are evicted as the enclave grows; then each access evicts one page and loads another.

#include "work.h"

#include <fmt/format.h>

namespace sgx {

void measure_paging(Bench &bench)
{
	const u64 epc = Processor::epc_bytes() / page_size;
	for (const u64 times : bench.plan.times) {
		for (const unsigned inside : bench.plan.inside) {
			const long before = Meter::shared_memory();
			const Workload s(bench.meter, epc * times, inside);
			const auto row = [&](const char *name, const std::function<void()> &work) {
				bench.results.add(fmt::format("{}-{}x", name, times), epc * times, inside, s.measure(work));
			};
			row("evict", [&] { s.accept(REG | RW | PENDING); });
			row("reload", [&] { s.access(); });
			row("reload-written", [&] { s.access(1); });
			row("reload-down", [&] { s.access(0, true); });
			row("reload-random", [&] { s.access_random(); });
			// The memory of the evicted pages, and of the places that the driver keeps.
			Sample backing;
			backing["bytes"] = Meter::shared_memory() - before;
			bench.results.add(fmt::format("memory-backing-{}x", times), epc * times, inside, backing);
		}
	}
}

} // namespace sgx
