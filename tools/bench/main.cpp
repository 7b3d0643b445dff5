// SPDX-License-Identifier: GPL-2.0
// Measures the cost of work on an enclave, and prints a JSON object on each line; scripts/bench compares two drivers.

#include <algorithm>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "work.h"

using namespace sgx;

namespace {

struct Work {
	const char *name;
	void (*run)(Bench &bench);
};

constexpr Work works[] = {
	{"life", measure_life},	    {"large", measure_large},	    {"growth", measure_growth},
	{"build", measure_build},   {"paging", measure_paging},	    {"threads", measure_threads},
	{"traces", measure_traces}, {"parallel", measure_parallel}, {"yield", measure_yield},
};

} // namespace

int main(int argc, char **argv)
try {
	CLI::App app("Measure a driver of SGX on the SGX2 machine");
	Plan plan;
	std::vector<std::string> names;
	for (const Work &w : works)
		names.emplace_back(w.name);
	app.add_option("works", plan.works, "which: " + fmt::format("{}", fmt::join(names, ", ")))
		->required()
		->check(CLI::IsMember(names));
	app.add_option("--pages", plan.pages, "sizes of the ranges in pages, ascending")->delimiter(',');
	app.add_option("--inside", plan.inside, "numbers of threads that stay inside, 0 to 3 each")->delimiter(',');
	app.add_flag("--idle", plan.idle, "for life: a thread sleeps outside of the enclave, on another CPU");
	app.add_option("--times", plan.times, "for paging: sizes of the enclaves, in multiples of the EPC")->delimiter(',');
	CLI11_PARSE(app, argc, argv);
	if (plan.pages.empty())
		plan.pages = {4096};
	if (plan.inside.empty())
		plan.inside = {0};
	if (plan.times.empty())
		plan.times = {2};
	Results results;
	try {
		plan.own = Driver::is_sgx2();
		const Meter meter;
		meter.await_clean();
		Bench bench = {meter, plan, results};
		for (const Work &w : works) {
			if (std::find(plan.works.begin(), plan.works.end(), w.name) != plan.works.end())
				w.run(bench);
		}
	} catch (const Failed &) {
		results.print();
		throw;
	}
	results.print();
	return 0;
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s\n", e.what());
	return 1;
}
