// SPDX-License-Identifier: GPL-2.0
// A fault maps resident pages beside the one that is accessed, and a walk reloads evicted pages ahead of its accesses.

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// An enclave with pages that were added before EINIT and have no PTE yet.
class Around : public testing::Test {
protected:
	static constexpr u64 pages = 256, length = pages * page;

	static Options options()
	{
		Options o;
		o.heap_pages = pages;
		return o;
	}
	void SetUp() override
	{
		ONLY_SGX2();
		for (unsigned thread = 0; thread < 2; thread++)
			enclave.ask(request(Op::nothing, 0), thread);
	}

	/// Returns the number of faults of accesses to all pages.
	long access(u64 descending = 0, u64 random = 0) const
	{
		const long before = faults();
		Request r = request(Op::access, at, length);
		r.descending = descending;
		r.source = random;
		EXPECT_TRUE(whole(enclave.ask(r)));
		return faults() - before;
	}
	void read(u64 number) const { EXPECT_EQ(enclave.ask(request(Op::read, at + number * page)).status, Status::done); }
	Access write(u64 number) const
	{
		Request r = request(Op::write, at + number * page);
		return try_access(enclave, r, 1);
	}
	long faults() const { return fdinfo(enclave.device(), "sgx2-faults"); }
	long loads() const { return fdinfo(enclave.device(), "sgx2-loads"); }
	long evicted() const { return fdinfo(enclave.device(), "sgx2-pages") - fdinfo(enclave.device(), "sgx2-resident"); }
	/// Returns the state of each page of the heap, from fdinfo.
	std::map<u64, std::string> states() const
	{
		std::ifstream file("/proc/self/fdinfo/" + std::to_string(enclave.device().fd()));
		std::map<u64, std::string> found;
		for (std::string line; std::getline(file, line);) {
			if (!line.starts_with("sgx2-range:\t"))
				continue;
			std::istringstream words(line.substr(12));
			std::string range, type, state;
			words >> range >> type >> state;
			const u64 last = std::stoull(range.substr(range.find('-') + 1), nullptr, 16);
			for (u64 where = std::stoull(range, nullptr, 16); where < last; where += page) {
				if (where >= heap && where < heap + length)
					found[(where - heap) / page] = state;
			}
		}
		return found;
	}
	/// Adds pages of another enclave, as many as the EPC has times @p quarters / 4: the clock of the reclaimer passes most pages.
	static void press(u64 quarters)
	{
		const u64 epc = Processor::epc_bytes();
		Options o;
		for (o.size = 128 << 20; o.size < 4 * epc; o.size *= 2)
			;
		const Enclave other(o);
		must(other.device().augment_pages(other.image().end, epc / 4 * quarters).error, "AUGMENT");
	}

	const Enclave enclave{options()};
	const u64 heap = enclave.image().heap;
	const u64 at = enclave.at(heap);
};

TEST_F(Around, FirstAccessMapsNeighbors)
{
	EXPECT_LE(access(), static_cast<long>(pages / 16 + 1));
	EXPECT_EQ(access(), 0);
}

TEST_F(Around, FirstAccessDown)
{
	EXPECT_LE(access(1), static_cast<long>(pages / 16 + 1));
}

TEST_F(Around, FirstAccessInRandomOrder)
{
	EXPECT_LE(access(0, 1), static_cast<long>(pages / 16 + 1));
}

TEST_F(Around, LimitBoundsWindows)
{
	configure(enclave, configure_fault_around, 4);
	EXPECT_GE(access(), static_cast<long>(pages / 4));
	for (const u32 none : {0U, 1U}) {
		const Enclave other(options());
		other.ask(request(Op::nothing, 0));
		configure(other, configure_fault_around, none);
		const long before = fdinfo(other.device(), "sgx2-faults");
		EXPECT_TRUE(whole(other.ask(request(Op::access, other.at(heap), length))));
		EXPECT_EQ(fdinfo(other.device(), "sgx2-faults") - before, static_cast<long>(pages));
	}
}

// The pages are resident on both sides of each border, in VMAs with different permissions.
TEST_F(Around, StaysInsideMapping)
{
	ASSERT_EQ(protect(at + 64 * page, 64 * page, PROT_READ), 0);
	ASSERT_EQ(protect(at + 192 * page, 64 * page, PROT_NONE), 0);
	for (const u64 number : {63, 128, 191})
		EXPECT_EQ(write(number), Access::done) << number;
	for (const u64 number : {64, 127, 192})
		EXPECT_NE(write(number), Access::done) << number;
	for (const u64 number : {192, 207})
		EXPECT_EQ(peek(at + number * page), EFAULT) << number;
	read(64);
	read(127);
	EXPECT_EQ(write(63), Access::done);
	EXPECT_NE(write(64), Access::done);
}

// Each page that is accessed has neighbors that are mapped and not accessed. Where the clock has passed, these are evicted.
TEST_F(Around, NeighborsAreOld)
{
	if (Processor::epc_bytes() > 256UL << 20)
		GTEST_SKIP() << "needs an EPC of at most 256 MiB";
	for (u64 number = 5; number < pages; number += 16)
		read(number);
	press(6);
	std::string picture;
	for (const auto &[number, state] : states()) {
		const char there = number % 16 == 5 ? '#' : '+';
		picture += state == "resident" ? there : '.';
	}
	picture.erase(picture.rfind('.') + 1);
	const auto evicted = std::count(picture.begin(), picture.end(), '.');
	EXPECT_GE(evicted, 16) << picture;
	EXPECT_GE(std::count(picture.begin(), picture.end(), '#'), 1) << picture;
	EXPECT_LE(std::count(picture.begin(), picture.end(), '+'), evicted / 8) << picture;
}

/// The pages of the heap have content, and are evicted.
class AroundEvicted : public Around {
protected:
	void SetUp() override
	{
		Around::SetUp();
		if (IsSkipped())
			return;
		if (Processor::epc_bytes() > 256UL << 20)
			GTEST_SKIP() << "needs an EPC of at most 256 MiB";
		Request fill = request(Op::fill, at, length);
		fill.value = 3;
		ASSERT_TRUE(whole(enclave.ask(fill)));
		for (unsigned times = 0; times < 20 && gone() < pages; times++)
			press(12);
		ASSERT_EQ(gone(), pages);
		// The pages that each entry accesses are loaded before a test counts.
		for (unsigned thread = 0; thread < 2; thread++)
			enclave.ask(request(Op::nothing, 0), thread);
		await_room();
	}
	u64 gone() const
	{
		u64 sum = 0;
		for (const auto &[number, state] : states())
			sum += state == "evicted";
		return sum;
	}
	void check() const
	{
		Request r = request(Op::check, at, length);
		r.value = 3;
		EXPECT_EQ(enclave.ask(r).result, 0U);
	}
	/// Waits until the pages of the enclave that pressed are free.
	static void await_room()
	{
		Device device;
		must(device.open(), "opening");
		Query q = {};
		do {
			usleep(1000);
			q = {};
			q.size = sizeof(q);
			must(device.call(ioc_query, &q), "QUERY");
		} while (q.epc_free < q.epc_total / 2);
	}
};

TEST_F(AroundEvicted, WalkReloadsWindows)
{
	for (const u64 descending : {0, 1}) {
		const long before = loads();
		EXPECT_LE(access(descending), static_cast<long>(pages / 8)) << descending;
		EXPECT_GE(loads() - before, static_cast<long>(pages)) << descending;
		check();
		for (unsigned times = 0; times < 20 && gone() < pages; times++)
			press(12);
		ASSERT_EQ(gone(), pages);
		enclave.ask(request(Op::nothing, 0));
		await_room();
	}
}

TEST_F(AroundEvicted, OtherAccessesReloadOnePage)
{
	const long before = loads();
	long times = 0;
	// Upwards and downwards: no access is next to the one before.
	for (u64 number = 0; number < pages; number += 7, times++)
		read(number);
	for (u64 number = pages - 2; number > 7; number -= 7, times++)
		read(number);
	EXPECT_LE(loads() - before, times);
	check();
}

TEST_F(AroundEvicted, ZeroReloadsOnePage)
{
	configure(enclave, configure_fault_around, 0);
	const long before = loads();
	EXPECT_EQ(access(), static_cast<long>(pages));
	EXPECT_EQ(loads() - before, static_cast<long>(pages));
	check();
}

// The enclave may have no permission for the pages behind the border, and they stay where they are.
TEST_F(AroundEvicted, StaysInsideMapping)
{
	ASSERT_EQ(protect(at, 50 * page, PROT_NONE), 0);
	ASSERT_EQ(protect(at + 150 * page, 106 * page, PROT_NONE), 0);
	const long before = loads();
	EXPECT_TRUE(whole(enclave.ask(request(Op::access, at + 50 * page, 50 * page))));
	Request down = request(Op::access, at + 100 * page, 50 * page);
	down.descending = 1;
	EXPECT_TRUE(whole(enclave.ask(down)));
	EXPECT_EQ(loads() - before, 100);
	for (const auto &[number, state] : states())
		EXPECT_EQ(state, number >= 50 && number < 150 ? "resident" : "evicted") << number;
	ASSERT_EQ(protect(at, length, PROT_READ | PROT_WRITE), 0);
	check();
}

} // namespace
