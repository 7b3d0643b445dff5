// SPDX-License-Identifier: GPL-2.0
// The EPC and the EPCM. Each EPC page has an EPCM entry (struct Page) and one Enclave record, which
// is in use while the page is a SECS.
//
// The record holds the SECS, the page does not. Software cannot read a SECS in any case, and a
// write to EPC memory through a stale translation (after a loss of the EPC, for example) cannot
// change a number that the model computes with. EWB writes the record into the evicted page, and
// ELDx restores it. A page refers to its owner by record and by EID. No EID is used twice, so a
// reference to an enclave that no longer exists is detected.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "layout.h"
#include "measurement.h"
#include "tracking.h"

namespace sgx2 {

/// The part of a SECS that is hidden from software.
struct SecsHidden {
	uint64_t eid;
	uint64_t context; ///< ENCLAVECONTEXT: physical address of the SECS
	uint8_t isvfamilyid[16];
	uint8_t isvextprodid[16];
	Measurement measurement;
};

struct Enclave {
	SecsCore secs;
	SecsHidden hidden;
	Tracking tracking;
	/// Atomic, because pages are added and removed under page locks; alone in its cache line,
	/// because the other members are read often.
	std::array<uint64_t, 8> before_child_count;
	uint64_t child_count;
	std::array<uint64_t, 8> after_child_count;

	bool has(uint64_t attributes) const { return (secs.attributes.flags & attributes) == attributes; }
	bool initialized() const { return has(attribute::init); }
	bool contains(uint64_t linear) const { return linear - secs.base < secs.size; }

	uint64_t children() { return std::atomic_ref(child_count).load(std::memory_order_relaxed); }
	void add_child() { std::atomic_ref(child_count).fetch_add(1, std::memory_order_relaxed); }
	void remove_child() { std::atomic_ref(child_count).fetch_sub(1, std::memory_order_relaxed); }
};

/// One EPCM entry. An entry of zeros is invalid.
struct Page {
	uint64_t linear; ///< ENCLAVEADDRESS
	uint64_t eid;	 // of the owner; 0 for a VA page
	uint64_t stamp;	 // tracking epoch in which the page last lost a right
	Enclave *enclave;
	PageType type;
	uint8_t rights; ///< enum sgx2_access
	bool valid, blocked, pending, modified, pr;
	bool used; ///< contents may have to be cleared

	bool is_valid(PageType t) const { return valid && type == t; }
	/// Return whether the page belongs to an enclave and can be blocked, evicted and removed.
	bool is_child() const { return type == PageType::Reg || type == PageType::Tcs || type == PageType::Trim; }
	bool accepted() const { return !pending && !modified; }
	bool owned_by(uint64_t id) const { return valid && is_child() && eid == id; }
	/// Return whether enclave @id may use the page at @at as a page of type @t; R, W and X are
	/// not checked.
	bool usable(uint64_t id, uint64_t at, PageType t) const
	{
		return owned_by(id) && type == t && !blocked && accepted() && linear == page_base(at);
	}
	bool tracked() const { return enclave->tracking.tracked(stamp); }
	/// Record the current tracking epoch: CPUs that are inside may hold stale translations of
	/// the page.
	void stamp_epoch() { stamp = enclave->tracking.epoch(); }
	void accept()
	{
		pending = modified = pr = false;
		stamp = Tracking::always_tracked;
	}

	void init_secs(Enclave &record);
	void init_va();
	/// Make the page a child of @owner with the rights @rwx and no state bits, and count it as
	/// a child.
	void init_child(Enclave &owner, uint64_t at, PageType t, uint8_t rwx);
	void invalidate();
};

/// The EPC page that an address leads to.
struct Epc {
	Page *page = nullptr;
	Enclave *record = nullptr; ///< of this page; in use if the page is a SECS
	uint8_t *data = nullptr;   ///< the page's contents
	uint64_t physical = 0;	   // includes the offset in the page

	explicit operator bool() const { return page != nullptr; }
	uint8_t *at() const { return data + page_offset(physical); }
	bool same_page(const Epc &other) const { return page == other.page; }
};

} // namespace sgx2
