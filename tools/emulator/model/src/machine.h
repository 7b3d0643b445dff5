// SPDX-License-Identifier: GPL-2.0
// The state that the CPUs of a machine share: EPC sections, platform keys, the contents of CPUID,
// injected conflicts and counters.
//
// Locking: @lock covers all members below it, the EPCM and the Enclave records. A late-locking leaf
// and a TLB fill hold the locks of their CPU and of one page instead (PageLock): they may change
// that page, and may read what changes only under @lock (SECS pages, records, epochs). Sections do
// not change after the first leaf has run, so the translation of an address needs no lock. Frequent
// events are counted by CPU, under the CPU's lock, so that CPUs do not contend; denials and aborts
// are counted atomically, because sgx2_tlb_check() takes no lock for ordinary memory.
#pragma once

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "epcm.h"
#include "keys.h"
#include "locks.h"
#include "pager.h"
#include "injector.h"
#include "sgx2_model.h"

namespace sgx2 {

/// A component that ends beyond this limit is not offered, because a CPU embeds one XSAVE area of
/// this size.
constexpr uint32_t xsave_limit = 8 * page_size;

struct Free {
	void operator()(void *p) const { std::free(p); }
};

/// An EPC section. calloc() allocates the arrays: an invalid entry is zero, and unused memory of a
/// big section stays unallocated.
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

	/// These functions take no lock.
	bool is_epc(uint64_t physical) const { return static_cast<bool>(find(physical)); }
	sgx2::Epc find(uint64_t physical) const;
	/// Return the page with the number @index, counted over all sections.
	sgx2::Epc page(uint64_t index) const;
	uint64_t page_count() const;
	/// Return the size in bytes of a standard-format XSAVE area; unknown components take no
	/// space.
	uint32_t xsave_size(uint64_t xfrm) const;

	size_t new_cpu() { return next_cpu++; }
	/// Return the counters of the CPUs that share the lock of @cpu; the caller holds that lock.
	sgx2_counters &counted(size_t cpu) { return counts[sgx2::Locks::slot(cpu)].counters; }

	/// The caller of these functions holds @lock.
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
