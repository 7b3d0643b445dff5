// SPDX-License-Identifier: GPL-2.0
// Runs the tables of rows, or prints them.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <getopt.h>
#include <malloc.h>
#include <unistd.h>

#include "ktap.h"
#include "enclave_thread.h"
#include "tables.h"

namespace isa {

bool strict_tcs;

namespace {

constexpr unsigned row_seconds = 60;

std::string row_name(const Group &group, const Row &row)
{
	std::string name = std::string(group.leaf) + ": " + row.what;
	if (group.place != Place::none)
		name += " -> " + row.expect.text();
	if (row.after)
		name += std::string(", ") + row.after;
	return name;
}

/// Return the index of the monitor's counter for this leaf and this result.
unsigned counter_of(const Group &group, const TestBench &r, const Expect &expect)
{
	unsigned result = SGX2_DEV_RESULT_FAULT;
	if (expect.kind == Expect::ok)
		result = 0;
	else if (expect.kind == Expect::code || expect.kind == Expect::info)
		result = expect.number < SGX2_DEV_RESULT_OTHER ? expect.number : SGX2_DEV_RESULT_OTHER;
	return group.place == Place::kernel ? SGX2_DEV_CTR_ENCLS(r.leaf, result) : SGX2_DEV_CTR_ENCLU(r.leaf, result);
}

bool changes_nothing(const Expect &expect)
{
	return expect.kind != Expect::ok && expect.kind != Expect::info;
}

void run_leaf(TestBench &r, const Group &group, const Row &row)
{
	const bool counted = group.counted && r.monitor;
	const unsigned index = counter_of(group, r, row.expect);
	const auto epcm = r.epcm();
	const u64 count = counted ? r.monitor->counter(index) : 0;

	r.execute();

	const bool entry = group.place == Place::outside && (r.leaf == EENTER || r.leaf == ERESUME);
	const bool free_form = group.place == Place::access || entry;
	if (row.expect.kind == Expect::ok && free_form)
		r.check(!r.result.faulted(), r.result.text());
	else
		r.check(true, "");
	if (row.expect.kind != Expect::ok || !free_form) {
		const std::string why = compare(row.expect, r.result, r.input(), r.no_code(), group.place != Place::kernel,
						r.address(row.expect.at));
		r.check(why.empty(), why);
	}
	if (counted) {
		// A timer may cause another exit, and the AEP resumes the thread; the frame counts
		// these exits.
		const u64 wanted = 1 + (r.leaf == ERESUME ? r.frame.aexs : 0), times = r.monitor->counter(index) - count;
		r.check(times == wanted, "counted " + std::to_string(times) + " times instead of " + std::to_string(wanted));
	}
	if (changes_nothing(row.expect))
		r.check(r.epcm() == epcm, "the EPCM changed");
	if (row.after && r.monitor && r.target)
		r.check(r.entry(*r.target) == row.after, "EPCM entry is " + r.entry(*r.target));
	if (row.then && !(row.expect.kind == Expect::ok && r.result.faulted()))
		row.then(r);
}

void run_row(Ktap &ktap, const Kernel &kernel, const Monitor *monitor, const Group &group, const Row &row)
{
	const std::string name = row_name(group, row);
	std::string problems;

	alarm(row_seconds);
	try {
		TestBench r(kernel, monitor);
		r.place = group.place;
		r.leaf = group.number;
		if (group.prepare)
			group.prepare(r);
		row.change(r);
		if (group.place != Place::none)
			run_leaf(r, group, row);
		r.check(r.clear(), "a page cannot be removed");
		if (monitor)
			r.check(monitor->valid() == 0, "the EPC is not empty");
		problems = r.problems();
	} catch (const Skip &skip) {
		ktap.skip(name, skip.why);
		return;
	} catch (const std::exception &e) {
		problems = e.what();
	}
	if (problems.empty())
		ktap.pass(name);
	else
		ktap.fail(name, problems);
}

std::vector<Group> all_groups()
{
	std::vector<Group> all;
	for (const auto groups : {prologue_groups(), build_groups(), einit_groups(), page_groups(), paging_groups(),
				  sgx2_groups(), entry_groups(), exit_groups(), accept_groups(), key_groups(), access_groups(),
				  tlb_groups(), instruction_groups(), tracking_groups(), optional_groups(), monitor_groups()})
		all.insert(all.end(), groups.begin(), groups.end());
	return all;
}

struct Choice {
	const Group *group;
	const Row *row;
};

std::vector<Choice> choose(const std::vector<Group> &groups, const std::string &filter)
{
	std::vector<Choice> chosen;
	for (const Group &group : groups)
		for (const Row &row : group.rows)
			if (row_name(group, row).find(filter) != std::string::npos)
				chosen.push_back({&group, &row});
	return chosen;
}

int run(const std::vector<Choice> &chosen, const std::string &module)
{
	// When the C library unmaps memory, the kernel waits for other CPUs, which may take no
	// interrupts while a row runs.
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	// Each CPU has its own launch key hash, and a row must see the one that it has set.
	pin(0);
	install_fault_handlers();

	const Kernel kernel(module);
	const auto monitor = Monitor::find();
	write_keyhash(kernel, mrsigner());

	Ktap ktap;
	ktap.plan(static_cast<unsigned>(chosen.size()));
	if (!monitor)
		ktap.comment("no monitor device: EPCM entries and counters are not checked");
	for (const Choice &c : chosen)
		run_row(ktap, kernel, monitor.get(), *c.group, *c.row);
	return ktap.end() ? 0 : 1;
}

void usage()
{
	std::printf("usage: isa [--module FILE] [--filter TEXT] [--strict-tcs] [--list]\n"
		    "  --module FILE  the module (default: sgx2_isa.ko beside this program)\n"
		    "  --filter TEXT  run only rows whose name contains TEXT\n"
		    "  --strict-tcs   the machine runs with sgx-epc.strict-tcs=on\n"
		    "  --list         print the names of the rows and execute no row\n");
}

std::string path_beside_program(const char *name)
{
	char path[4096];
	const ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
	const std::string self(path, n > 0 ? static_cast<size_t>(n) : 0);
	return self.substr(0, self.rfind('/') + 1) + name;
}

} // namespace

int main(int argc, char **argv)
{
	static const option options[] = {
		{"module", required_argument, nullptr, 'm'}, {"filter", required_argument, nullptr, 'f'},
		{"strict-tcs", no_argument, nullptr, 's'},   {"list", no_argument, nullptr, 'l'},
		{"help", no_argument, nullptr, 'h'},	     {nullptr, 0, nullptr, 0},
	};
	std::string module = path_beside_program("sgx2_isa.ko"), filter;
	bool list = false;
	for (int c; (c = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
		switch (c) {
		case 'm':
			module = optarg;
			break;
		case 'f':
			filter = optarg;
			break;
		case 's':
			strict_tcs = true;
			break;
		case 'l':
			list = true;
			break;
		case 'h':
			usage();
			return 0;
		default:
			usage();
			return 2;
		}
	}

	const auto groups = all_groups();
	const auto chosen = choose(groups, filter);
	if (chosen.empty()) {
		std::fprintf(stderr, "isa: no row contains \"%s\"\n", filter.c_str());
		return 1;
	}
	if (list) {
		for (const Choice &c : chosen)
			std::printf("%s\n", row_name(*c.group, *c.row).c_str());
		return 0;
	}
	try {
		return run(chosen, module);
	} catch (const std::exception &e) {
		std::printf("Bail out! %s\n", e.what());
		return 1;
	}
}

} // namespace isa

int main(int argc, char **argv)
{
	return isa::main(argc, argv);
}
