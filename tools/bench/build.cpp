// SPDX-License-Identifier: GPL-2.0
// Building an enclave, the first access to its pages, its release; and the kernel memory that these need.

#include "work.h"

#include <bit>
#include <cstring>

namespace sgx {

namespace {

/// Measures CREATE and ADD_PAGES of an enclave without a thread, and its release.
void build(Bench &bench, u64 pages, bool measured)
{
	const u64 size = std::bit_ceil(pages * page_size), piece = std::min<u64>(pages, 4096) * page_size;
	const Mapping range = Mapping::reserve(size), source(piece);
	std::memset(source.data(), 1, piece);
	Secs secs = {};
	secs.size = size;
	secs.base = range.address();
	secs.frame_pages = 1;
	secs.attributes = attr_mode64 | attr_debug;
	secs.xfrm = xfrm_legacy;
	SecInfo info = {};
	info.flags = REG | RW;
	Device device;
	must(device.open(), "opening /dev/sgx_enclave");
	const Sample built = bench.meter.measure(&device, [&] {
		must(device.create(secs), "CREATE");
		for (u64 done = 0; done < pages * page_size; done += piece) {
			sgx_enclave_add_pages add = {};
			add.src = source.address();
			add.offset = done;
			add.length = piece;
			add.secinfo = reinterpret_cast<u64>(&info);
			add.flags = measured ? SGX_PAGE_MEASURE : 0;
			must(device.add_pages(add), "ADD_PAGES");
		}
	});
	bench.results.add(measured ? "build-measured" : "build", pages, 0, built);
	if (!measured)
		bench.results.add("teardown-built", pages, 0,
				  bench.meter.measure(nullptr, [&] { must(device.close(), "close"); }));
}

void first_access(Bench &bench, const char *name, u64 pages, Request how)
{
	Options options;
	options.heap_pages = pages;
	options.size = std::bit_ceil((pages + 1024) * page_size);
	const Enclave enclave(options);
	enclave.ask(request(Op::nothing, 0));
	how.op = Op::access;
	how.address = enclave.at(enclave.image().heap);
	how.length = pages * page_size;
	bench.results.add(name, pages, 0, bench.meter.measure(&enclave.device(), [&] { whole(enclave, how); }));
}

/// Measures the kernel memory for a page of a dense enclave, and for a page of the EPC, used or not.
void memory(Bench &bench, u64 pages)
{
	const Workload s(bench.meter, pages);
	const long before = Meter::memory();
	s.accept(REG | RW | PENDING);
	const long after = Meter::memory();
	Sample sample;
	sample["bytes"] = after - before;
	bench.results.add("memory-enclave", pages, 0, sample);
	sample["bytes"] = Meter::epc_memory();
	bench.results.add("memory-epc", Processor::epc_bytes() / page_size, 0, sample);
}

} // namespace

void measure_build(Bench &bench)
{
	// The source of the pages is in the guest's memory as well.
	constexpr u64 most = 1 << 15;
	for (const u64 pages : bench.plan.pages) {
		if (pages > most)
			break;
		build(bench, pages, false);
		build(bench, pages, true);
		first_access(bench, "first-touch", pages, {});
		Request how = {};
		how.descending = 1;
		first_access(bench, "first-touch-down", pages, how);
		how = {};
		how.source = seed;
		first_access(bench, "first-touch-random", pages, how);
	}
	memory(bench, bench.plan.pages.back());
}

} // namespace sgx
