// SPDX-License-Identifier: GPL-2.0
// Many enclaves and sparse enclaves: more of them than the EPC has pages, and chunks without page tables.

#include <bit>
#include <fstream>
#include <memory>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

// The EPC pages of an enclave that does not run must leave room for one that runs.
TEST(FullEpc, HoldsMoreEnclavesThanPages)
{
	ONLY_SGX2();
	const u64 pages = Processor::epc_bytes() / page, count = pages * 3000 / 2048;
	if (pages > 2048)
		GTEST_SKIP() << "needs an EPC of at most 8 MiB";
	const rlimit files = {count + 100, count + 100};
	ASSERT_EQ(errno_of(setrlimit(RLIMIT_NOFILE, &files)), 0);
	Options options;
	options.tiny = true;
	std::vector<std::unique_ptr<Enclave>> all;
	for (u64 i = 0; i < count; i++) {
		try {
			all.push_back(std::make_unique<Enclave>(options));
		} catch (const Failed &f) {
			ADD_FAILURE() << f.what() << " after " << i << " enclaves";
			break;
		}
	}
	u64 ran = 0;
	for (unsigned times = 0; times < 2; times++) {
		for (const auto &enclave : all) {
			Request r = request(Op::nothing, 0);
			ran += enclave->enter(r).normal() && static_cast<u64>(r.op) == 1000;
		}
	}
	EXPECT_EQ(ran, 2 * all.size());
}

long page_tables()
{
	std::ifstream info("/proc/self/status");
	long value = -1;
	for (std::string key; info >> key;) {
		if (key == "VmPTE:")
			info >> value;
	}
	return value;
}

// One page in each 2 MiB is added and mapped, but never accessed.
TEST(SparseEnclave, AgingAllocatesNoPageTables)
{
	ONLY_SGX2();
	const u64 epc = Processor::epc_bytes() / page, chunks = 2 * epc;
	if (epc > 8192)
		GTEST_SKIP() << "needs an EPC of at most 32 MiB";
	const u64 size = std::bit_ceil(chunks << 21);
	Device device;
	ASSERT_EQ(device.open(), 0);
	const Mapping range = Mapping::reserve(size), source(page);
	ASSERT_EQ(device.create(plain_secs(range.address(), size)), 0);
	ASSERT_EQ(map_fixed(device.fd(), range.address(), size, PROT_READ), 0);
	SecInfo info = {};
	info.flags = REG | RW;
	const long before = page_tables();
	for (u64 i = 0; i < chunks; i++) {
		sgx_enclave_add_pages p = {source.address(), i << 21, page, reinterpret_cast<u64>(&info), 0, 0};
		ASSERT_EQ(device.add_pages(p), 0) << i;
	}
	EXPECT_GE(fdinfo(device, "sgx2-evictions"), static_cast<long>(epc / 2));
	const long grown = page_tables() - before;
	std::printf("# page tables grew by %ld KiB for %lu chunks\n", grown, static_cast<unsigned long>(chunks));
	EXPECT_LE(grown, 256);
}

} // namespace
