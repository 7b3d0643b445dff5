// SPDX-License-Identifier: GPL-2.0
// Complete enclaves with the layouts of runtimes; edmm.cpp has the sequences of their calls on a few pages.

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

// Gramine's default: ELRANGE is the first terabyte, which is mapped with all permissions, except for its start, before CREATE. The heap
// is not added before EINIT, and is used from its upper end.
TEST(Runtimes, GramineFromZeroToATerabyte)
{
	constexpr unsigned size_log2 = 40;
	if (Processor::size_log2_limit() < size_log2)
		GTEST_SKIP() << "needs a processor that allows enclaves of a terabyte";
	Options options;
	options.size = 1ULL << size_log2;
	options.from_zero = true;
	options.place = 64ULL << 30;
	options.before = PROT_READ | PROT_WRITE | PROT_EXEC;
	const Enclave enclave(options);
	const Device &d = enclave.device();
	EXPECT_EQ(enclave.at(0), 0U);
	EXPECT_EQ(enclave.ask(request(Op::nothing, 0)).status, Status::done);

	// EACCEPT of pages that are not added, without a system call.
	constexpr u64 length = 1024 * page;
	const u64 top = options.size - length;
	const auto all = [&](Op op, u64 secinfo = 0) {
		return enclave.ask(request(op, top, length, secinfo));
	};
	EXPECT_TRUE(whole(all(Op::accept, REG | RW | PENDING)));
	EXPECT_TRUE(whole(all(Op::fill)));
	EXPECT_EQ(all(Op::check).result, 0U);

	// Gramine's mprotect(): EMODPE, RESTRICT, EACCEPT, always all three; the mapping is unchanged.
	for (const u64 permissions : {R, 0UL, RW}) {
		EXPECT_TRUE(whole(all(Op::extend, REG | permissions)));
		EXPECT_EQ(d.restrict_permissions(top, length, permissions), (Progress{0, length, 0}));
		EXPECT_TRUE(whole(all(Op::accept, REG | permissions | PR))) << permissions;
	}
	EXPECT_EQ(all(Op::check).result, 0U);

	// Gramine's munmap(), and then the range is used again.
	EXPECT_EQ(d.modify_types(top, length, type_trim), (Progress{0, length, 0}));
	EXPECT_TRUE(whole(all(Op::accept, TRIM | MODIFIED)));
	EXPECT_EQ(d.remove_pages(top, length), (Progress{0, length, 0}));
	EXPECT_TRUE(whole(all(Op::accept, REG | RW | PENDING)));
	EXPECT_EQ(enclave.ask(request(Op::read, top)).result, 0U);
}

// Intel's SDK: an enclave of gigabytes with few pages, reserved twice as large for alignment; a call for each added page.
TEST(Runtimes, IntelGrowsDownwards)
{
	Options options;
	options.size = 8ULL << 30;
	const Enclave enclave(options);
	const u64 from = options.size - 512 * page;
	// Memory is committed in runs, each of which is mapped when it is committed.
	for (const u64 offset : {from + 256 * page, from}) {
		enclave.map(offset, 256 * page, PROT_READ | PROT_WRITE);
		Request r = request(Op::accept, enclave.at(offset), 256 * page, REG | RW | PENDING);
		r.descending = 1;
		EXPECT_TRUE(whole(enclave.ask(r)));
	}
	Request fill = request(Op::fill, enclave.at(from), 512 * page);
	EXPECT_TRUE(whole(enclave.ask(fill)));
	EXPECT_EQ(enclave.device().modify_types(from, 512 * page, type_trim), (Progress{0, 512 * page, 0}));
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, enclave.at(from), 512 * page, TRIM | MODIFIED))));
	EXPECT_EQ(enclave.device().remove_pages(from, 512 * page), (Progress{0, 512 * page, 0}));
	EXPECT_EQ(protect(enclave.at(from), 512 * page, PROT_NONE), 0);
}

} // namespace
