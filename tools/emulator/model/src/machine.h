// SPDX-License-Identifier: GPL-2.0
// What the CPUs of a machine share: EPC sections, platform keys, CPUID's word
// on what is supported, injected conflicts and counters.
//
// Locking: @lock covers everything below it in the structure and all of the
// EPCM and the Enclave records. A brief leaf, and a TLB fill, has the lock of its
// CPU and of one page of an enclave instead (PageLock): it may change that page,
// and read what changes under @lock alone, as SECS pages, records and epochs do.
// Sections are immutable once leaves run, which is why the translation of an
// address needs no lock. What happens often is counted by CPU, under its lock, so
// that CPUs do not meet there; denials and aborts atomically, since
// sgx2_tlb_check() takes no lock for ordinary memory.
#pragma once

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "epcm.h"
#include "keys.h"
#include "locks.h"
#include "paging.h"
#include "random.h"
#include "sgx2_model.h"

namespace sgx2 {

/// Components beyond this end are not offered: a CPU keeps one area in itself.
constexpr uint32_t xsave_limit = 8 * page_size;

struct Free {
	void operator()(void *p) const { std::free(p); }
};

/// The arrays come from calloc: an invalid entry is all zero, and the memory of
/// a big section that is never used is never touched.
struct Section {
	uint64_t physical = 0;
	uint64_t size = 0;
	uint8_t *host = nullptr;
	std::unique_ptr<Page[], Free> pages;
	std::unique_ptr<Enclave[], Free> records;

	bool contains(uint64_t at) const { return at - physical < size; }
	uint64_t page_count() const { return size / page_size; }
	Epc at(uint64_t address) const
	{
		const uint64_t index = (address - physical) / page_size;

		return {&pages[index], &records[index], host + index * page_size, address};
	}
};

} // namespace sgx2

struct sgx2_machine {
	explicit sgx2_machine(const sgx2_config &c) { configure(c); }

	int add_section(uint64_t physical, uint64_t size, void *host);
	void configure(const sgx2_config &c);
	void reset();
	void lose_epc();

	/// Lock-free.
	bool is_epc(uint64_t physical) const { return static_cast<bool>(find(physical)); }
	sgx2::Epc find(uint64_t physical) const;
	/// The page of that index over all sections.
	sgx2::Epc page(uint64_t index) const;
	uint64_t page_count() const;
	/// Bytes of a standard-format area; components that are unknown take none.
	uint32_t xsave_size(uint64_t xfrm) const;

	size_t new_cpu() { return next_cpu++; }
	/// What this CPU has counted, and those that share its lock, which is held.
	sgx2_counters &counted(size_t cpu) { return counts[sgx2::Locks::slot(cpu)].counters; }

	/// With the lock held.
	uint64_t valid_pages() const;
	uint64_t new_eid() { return next_eid++; }
	void snapshot(sgx2_counters &out) const;
	void clear_counters();

	sgx2_config config{};

	mutable sgx2::Locks lock;
	sgx2::Keys keys;
	sgx2::Pager pager;
	sgx2::Injector inject;
	std::array<std::atomic<uint64_t>, 3> denied{}; ///< read, write, fetch
	std::atomic<uint64_t> aborts{0};

private:
	struct alignas(64) Counts {
		sgx2_counters counters{};
	};

	std::array<Counts, sgx2::Locks::slots> counts;
	std::array<sgx2::Section, SGX2_MAX_SECTIONS> sections;
	size_t section_count = 0;
	uint64_t next_eid = 1;
	std::atomic<size_t> next_cpu = 0;
};

namespace sgx2 {
using Machine = ::sgx2_machine;
} // namespace sgx2
