// SPDX-License-Identifier: GPL-2.0
// EPC sections, reset, loss of the EPC, and counters.

#include "machine.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <functional>

using namespace sgx2;

int sgx2_machine::add_section(uint64_t physical, uint64_t size, void *host)
{
	if (size == 0 || host == nullptr || !aligned(physical | size, page_size) || physical + size < physical)
		return -EINVAL;
	for (size_t i = 0; i < section_count; i++) {
		const Section &other = sections[i];

		if (physical < other.physical + other.size && other.physical < physical + size)
			return -EINVAL;
	}
	if (section_count == sections.size())
		return -ENOSPC;

	Section s;
	s.physical = physical;
	s.size = size;
	s.host = static_cast<uint8_t *>(host);
	s.pages.reset(static_cast<Page *>(std::calloc(s.page_count(), sizeof(Page))));
	s.records.reset(static_cast<Enclave *>(std::calloc(s.page_count(), sizeof(Enclave))));
	if (!s.pages || !s.records)
		return -ENOMEM;
	sections[section_count++] = std::move(s);
	return 0;
}

void sgx2_machine::configure(const sgx2_config &c)
{
	config = c;
	for (unsigned i = xfrm::first_extended; i < xfrm::components; i++) {
		auto &component = config.xcomp[i];
		const uint64_t end = uint64_t{component.offset} + component.size;

		if (end > xsave_limit) {
			component = {0, 0};
			config.xfrm_mask &= ~(uint64_t{1} << i);
		}
	}
	keys.fuse(config.seed);
	pager.rekey(keys.paging_key());
	pager.start_versions(1 + (Random(config.seed).next() >> 32));
	// Before sgx2_machine_inject() all rates are 0, and the generator has a defined state.
	sgx2_injection none{};
	none.seed = config.seed;
	inject.arm(none);
}

Epc sgx2_machine::find(uint64_t physical) const
{
	for (size_t i = 0; i < section_count; i++) {
		if (sections[i].contains(physical))
			return sections[i].at(physical);
	}
	return {};
}

Epc sgx2_machine::page(uint64_t index) const
{
	for (size_t i = 0; i < section_count; i++) {
		const Section &s = sections[i];

		if (index < s.page_count())
			return s.at(s.physical + index * page_size);
		index -= s.page_count();
	}
	return {};
}

uint64_t sgx2_machine::page_count() const
{
	uint64_t n = 0;

	for (size_t i = 0; i < section_count; i++)
		n += sections[i].page_count();
	return n;
}

uint32_t sgx2_machine::xsave_size(uint64_t xfrm) const
{
	uint32_t size = xsave_minimum;

	for (unsigned i = xfrm::first_extended; i < xfrm::components; i++) {
		const auto &component = config.xcomp[i];

		if (xfrm >> i & 1)
			size = std::max(size, component.offset + component.size);
	}
	return size;
}

uint64_t sgx2_machine::valid_pages() const
{
	uint64_t n = 0;

	for (size_t i = 0; i < section_count; i++) {
		const Section &s = sections[i];

		n += static_cast<uint64_t>(
			std::count_if(s.pages.get(), s.pages.get() + s.page_count(), [](const Page &p) { return p.valid; }));
	}
	return n;
}

/// Invalidate every EPCM entry and clear every record. A CPU that is inside then finds no enclave
/// with its EID, and its AEX saves nothing.
void sgx2_machine::lose_epc()
{
	for (size_t i = 0; i < section_count; i++) {
		Section &s = sections[i];

		for (uint64_t n = 0; n < s.page_count(); n++) {
			// Unused memory of a big section has not been allocated by the host; a
			// write would allocate it.
			if (!s.pages[n].used)
				continue;
			std::memset(s.host + n * page_size, 0, page_size);
			s.pages[n] = Page{};
			s.records[n] = Enclave{};
		}
	}
}

/// Reset the machine. EIDs and versions are not reset, so that no old reference or page is
/// accepted.
void sgx2_machine::reset()
{
	lose_epc();
	keys.renew();
	pager.rekey(keys.paging_key());
}

void sgx2_machine::snapshot(sgx2_counters &out) const
{
	using Words = std::array<uint64_t, sizeof(sgx2_counters) / sizeof(uint64_t)>;
	static_assert(sizeof(Words) == sizeof(sgx2_counters));
	Words sum{};

	for (const Counts &c : counts) {
		const auto words = std::bit_cast<Words>(c.counters);

		std::transform(sum.begin(), sum.end(), words.begin(), sum.begin(), std::plus<>());
	}
	out = std::bit_cast<sgx2_counters>(sum);
	out.epcm_deny_read = denied[0].load(std::memory_order_relaxed);
	out.epcm_deny_write = denied[1].load(std::memory_order_relaxed);
	out.epcm_deny_exec = denied[2].load(std::memory_order_relaxed);
	out.aborts = aborts.load(std::memory_order_relaxed);
	out.injected = inject.injected();
}

void sgx2_machine::clear_counters()
{
	counts = {};
	for (auto &d : denied)
		d.store(0, std::memory_order_relaxed);
	aborts.store(0, std::memory_order_relaxed);
	inject.clear();
}
