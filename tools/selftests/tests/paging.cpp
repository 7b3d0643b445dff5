// SPDX-License-Identifier: GPL-2.0
// Pages that are evicted and loaded, and the driver's reports of its pages.

#include <fstream>
#include <sstream>

#include <unistd.h>

#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

class Paging : public Dynamic {
protected:
	static constexpr u64 some = 600 * page;

	void SetUp() override
	{
		ONLY_SGX2();
		if (Processor::epc_bytes() > 256UL << 20)
			GTEST_SKIP() << "needs an EPC of at most 256 MiB";
		Dynamic::SetUp();
		grow(some, PROT_READ | PROT_WRITE);
		Request fill = request(Op::fill, at, some);
		fill.value = 3;
		ASSERT_TRUE(whole(enclave.ask(fill)));
	}
	void check() const
	{
		Request r = request(Op::check, at, some);
		r.value = 3;
		EXPECT_EQ(enclave.ask(r).result, 0U);
	}
	/// Evicts half of the pages of the enclave, at least.
	void press() const { evict(enclave, all() / 2); }
	long resident() const { return fdinfo(enclave.device(), "sgx2-resident"); }
	long all() const { return fdinfo(enclave.device(), "sgx2-pages"); }
};

TEST_F(Paging, PagesKeepContent)
{
	const auto loads = [&] {
		return fdinfo(enclave.device(), "sgx2-loads");
	};
	const long before = all();
	press();
	EXPECT_EQ(all(), before);
	EXPECT_LT(resident(), before / 2);
	// Each evicted page was loaded once, and may have been evicted again: the reclaimer makes room meanwhile.
	const long loaded = loads(), stayed = resident();
	check();
	EXPECT_EQ(all(), before);
	EXPECT_GE(loads() - loaded, static_cast<long>(some / page) - stayed);
}

/// Returns the memory of all shmem files, in pages. The backing files of enclaves are such files.
long shmem_pages()
{
	std::ifstream file("/proc/meminfo");
	for (std::string line; std::getline(file, line);) {
		if (line.starts_with("Shmem:"))
			return std::stol(line.substr(6)) * 1024 / static_cast<long>(page);
	}
	return -1;
}

// The backing file has memory for the pages that are evicted, and a bounded reserve: the places of 64 reloaded pages, each with a page of
// metadata at most, and a page of metadata for a few places that are not used.
TEST_F(Paging, BackingIsBounded)
{
	constexpr long reserve = 2 * 64 + 4;
	const long start = shmem_pages();
	const auto within = [&](const char *when) {
		// ksgx2d may evict pages meanwhile, so read the number of evicted pages again.
		for (unsigned tries = 0;; tries++) {
			const long evicted = all() - resident(), used = shmem_pages() - start;
			if (used <= evicted + evicted / 16 + reserve)
				return;
			if (tries == 100) {
				ADD_FAILURE() << when << ": " << used << " pages of shmem for " << evicted << " evicted ones";
				return;
			}
			usleep(10000);
		}
	};
	for (unsigned round = 0; round < 3 && !HasFailure(); round++) {
		press();
		EXPECT_GE(shmem_pages() - start, (all() - resident()) / 2) << "the pages are in memory";
		within("evicted");
		check();
		within("reloaded");
	}
}

TEST_F(Paging, CleanPagesAreEvictedAgain)
{
	for (unsigned round = 0; round < 3; round++) {
		press();
		check();
	}
}

TEST_F(Paging, EvictionBesideThread)
{
	const Inside inside(enclave, 1);
	press();
	EXPECT_LT(resident(), all());
	check();
}

TEST_F(Paging, KeepsPermissions)
{
	ASSERT_EQ(enclave.device().restrict_permissions(offset, 8 * page, R), (Progress{0, 8 * page, 0}));
	ASSERT_TRUE(whole(accept(4 * page, REG | R | PR)));
	ASSERT_EQ(enclave.device().modify_types(offset + 8 * page, 4 * page, type_trim), (Progress{0, 4 * page, 0}));
	press();
	// An accepted page, and a pending one.
	Request write = request(Op::write, at);
	EXPECT_TRUE(enclave.enter(write, 1).fault(pf_present | pf_write | pf_user | pf_sgx));
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, at + 4 * page, 4 * page, REG | R | PR))));
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, at + 8 * page, 4 * page, TRIM | MODIFIED))));
	EXPECT_EQ(enclave.device().remove_pages(offset + 8 * page, 4 * page), (Progress{0, 4 * page, 0}));
}

TEST_F(Paging, CallsOnEvictedPages)
{
	press();
	EXPECT_EQ(enclave.device().reset_permissions(offset, 16 * page), (Progress{0, 16 * page, 0}));
	EXPECT_TRUE(whole(accept(16 * page, REG | PR)));
	press();
	EXPECT_EQ(enclave.device().modify_types(offset, 16 * page, type_trim), (Progress{0, 16 * page, 0}));
	EXPECT_TRUE(whole(accept(16 * page, TRIM | MODIFIED)));
	press();
	EXPECT_EQ(enclave.device().remove_pages(offset, 16 * page), (Progress{0, 16 * page, 0}));
	press();
	EXPECT_EQ(enclave.device().augment_pages(offset, 16 * page), (Progress{0, 16 * page, 0}));
}

/// Returns the lines of fdinfo with this key.
std::vector<std::string> lines(const Device &device, const std::string &key)
{
	std::ifstream file("/proc/self/fdinfo/" + std::to_string(device.fd()));
	std::vector<std::string> found;
	for (std::string line; std::getline(file, line);) {
		if (line.starts_with(key + ":\t"))
			found.push_back(line.substr(key.size() + 2));
	}
	return found;
}

class Fdinfo : public Dynamic {
protected:
	void SetUp() override
	{
		ONLY_SGX2();
		Dynamic::SetUp();
	}
	std::vector<std::string> dynamic() const
	{
		std::vector<std::string> found = lines(enclave.device(), "sgx2-range");
		std::erase_if(found, [](const std::string &line) { return !line.ends_with(" dynamic"); });
		return found;
	}
	std::string range(u64 first, u64 last, const std::string &rest) const
	{
		std::ostringstream text;
		text << std::hex << "0x" << offset + first * page << "-0x" << offset + last * page << " " << rest;
		return text.str();
	}
};

TEST_F(Fdinfo, ListsPages)
{
	const auto count = [&] {
		return fdinfo(enclave.device(), "sgx2-pages");
	};
	const long before = count();
	EXPECT_TRUE(dynamic().empty());
	grow(8 * page);
	EXPECT_EQ(count(), before + 8);
	EXPECT_EQ(dynamic(), std::vector{range(0, 8, "reg resident rwx dynamic")});
	ASSERT_EQ(enclave.device().modify_types(offset + 2 * page, page, type_trim), (Progress{0, page, 0}));
	EXPECT_EQ(dynamic(), (std::vector{range(0, 2, "reg resident rwx dynamic"), range(2, 3, "trim resident rwx dynamic"),
					  range(3, 8, "reg resident rwx dynamic")}));
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at + 2 * page, page, TRIM | MODIFIED))));
	ASSERT_EQ(enclave.device().remove_pages(offset + 2 * page, page), (Progress{0, page, 0}));
	EXPECT_EQ(count(), before + 7);
	EXPECT_EQ(dynamic().size(), 2U);
}

TEST_F(Fdinfo, TruncatesAtLimit)
{
	// Every second page is a range of its own.
	for (u64 i = 0; i < 1200; i += 2)
		ASSERT_EQ(enclave.device().augment_pages(offset + i * page, page), (Progress{0, page, 0}));
	const auto found = lines(enclave.device(), "sgx2-range");
	EXPECT_EQ(found.size(), 513U);
	EXPECT_EQ(found.back(), "more");
}

TEST_F(Dynamic, FaultAroundStaysInsideMapping)
{
	ONLY_SGX2();
	const long before = fdinfo(enclave.device(), "sgx2-pages");
	enclave.map(offset, 40 * page, PROT_READ | PROT_WRITE);
	ASSERT_TRUE(whole(accept(40 * page, REG | RW | PENDING)));
	EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before + 40);
	// The same number of pages is added for descending accesses.
	enclave.map(offset + 60 * page, 40 * page, PROT_READ | PROT_WRITE);
	Request down = request(Op::accept, at + 60 * page, 40 * page, REG | RW | PENDING);
	down.descending = 1;
	ASSERT_TRUE(whole(enclave.ask(down)));
	EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before + 80);
	for (const u64 outside : {40, 59, 100})
		EXPECT_EQ(peek(at + outside * page), EFAULT) << outside;
}

// AUGMENT_PAGES adds pages outside of mappings, but sets PTEs only in mappings.
TEST_F(Dynamic, AugmentSetsPtesInMappingsOnly)
{
	ONLY_SGX2();
	enclave.map(offset, 4 * page, PROT_READ | PROT_WRITE);
	enclave.map(offset + 8 * page, 4 * page, PROT_READ | PROT_WRITE);
	enclave.map(offset + 12 * page, 4 * page, PROT_NONE);
	ASSERT_EQ(enclave.device().augment_pages(offset, 20 * page), (Progress{0, 20 * page, 0}));
	const Count count(enclave);
	for (u64 i = 0; i < 20; i++) {
		const bool mapped = i < 4 || (i >= 8 && i < 12);
		EXPECT_EQ(peek(at + i * page), mapped ? 0 : EFAULT) << i;
	}
	EXPECT_EQ(count.faults(), 0) << "mapped pages have PTEs, and other addresses raise no fault in the driver";
}

// A thread that was inside before the call must have left when the call returns, before a tick would interrupt it.
TEST_F(Dynamic, TrackingIsCompleteAtReturn)
{
	ONLY_SGX2();
	grow(page);
	const Inside inside(enclave, 1);
	for (unsigned round = 0; round < 100; round++) {
		ASSERT_EQ(enclave.device().reset_permissions(offset, page), (Progress{0, page, 0}));
		ASSERT_TRUE(whole(accept(page, REG | PR))) << round;
	}
}

TEST_F(Dynamic, MprotectSkipsAbsentPages)
{
	ONLY_SGX2();
	constexpr u64 chunk = 512 * page;
	Configure c = {sizeof(c), configure_mprotect, mprotect_reset_keep_read, 0, 0, 0};
	ASSERT_EQ(enclave.device().call(ioc_configure, &c), 0);
	enclave.map(offset, 4 * chunk, PROT_READ | PROT_WRITE);
	ASSERT_EQ(enclave.device().augment_pages(offset + 2 * chunk, page), (Progress{0, page, 0}));
	const u64 there = at + 2 * chunk;
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, there, page, REG | RW | PENDING))));
	const Count count(enclave);
	EXPECT_EQ(protect(at, 4 * chunk, PROT_READ), 0);
	EXPECT_EQ(count.emodprs(), 1);
	EXPECT_EQ(protect(at + 3 * chunk, chunk, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(count.emodprs(), 1);
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, there, page, REG | R | PR))));
}

// The range contains a pending page, trimmed pages and a TCS; the call changes the pages beside them.
TEST_F(Dynamic, MprotectSkipsUnchangeablePages)
{
	ONLY_SGX2();
	grow(4 * page);
	enclave.map(offset + 4 * page, page, PROT_READ | PROT_WRITE | PROT_EXEC);
	ASSERT_EQ(enclave.device().augment_pages(offset + 4 * page, page), (Progress{0, page, 0}));
	ASSERT_EQ(enclave.device().modify_types(offset + page, 2 * page, type_trim), (Progress{0, 2 * page, 0}));
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at + page, page, TRIM | MODIFIED))));
	ASSERT_EQ(enclave.device().modify_types(offset + 3 * page, page, type_tcs), (Progress{0, page, 0}));
	configure(enclave, configure_mprotect, mprotect_reset);
	const Count count(enclave);
	EXPECT_EQ(protect(at + page, 3 * page, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(count.emodprs(), 0);
	EXPECT_EQ(count.etracks(), 0) << "no page was changed, so nothing is tracked";
	EXPECT_EQ(protect(at, 5 * page, PROT_READ), 0);
	EXPECT_EQ(count.emodprs(), 2);
	EXPECT_TRUE(whole(accept(page, REG | PR)));
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, at + 4 * page, page, REG | RW | PENDING))));
}

TEST_F(Dynamic, TwoThreadsAugmentOneRange)
{
	ONLY_SGX2();
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	Augment a[2] = {};
	std::vector<std::thread> threads;
	for (Augment &mine : a) {
		mine = {sizeof(mine), 0, offset, length, 0, 0};
		threads.emplace_back([&] { EXPECT_EQ(enclave.device().call(ioc_augment, &mine), 0); });
	}
	for (auto &thread : threads)
		thread.join();
	EXPECT_EQ(a[0].existing + a[1].existing, length) << "each page is added by one of the threads";
	EXPECT_TRUE(whole(accept(length, REG | RW | PENDING)));
}

} // namespace
