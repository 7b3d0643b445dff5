// SPDX-License-Identifier: GPL-2.0
// The EPC and its map. Every EPC page has an EPCM entry (struct Page), and one
// Enclave record that comes to life while the page is a SECS.
//
// The record, not the page, holds the SECS: software can never read it anyway,
// and so nothing that scribbles over EPC memory through a stale translation
// (after loss of the EPC, say) can reach a number that the model computes with.
// EWB turns the record into a page image, ELDx turns it back. A page refers to
// its owner by record and by EID; EIDs are never given out twice, so a reference
// that outlived its enclave is recognised.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "layout.h"
#include "measure.h"
#include "tracking.h"

namespace sgx2 {

/// What the architecture keeps in the SECS beside the defined part.
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
	/// Atomic, since pages come and go under locks of their own; in a cache line of its own, since the rest is read all the time.
	std::array<uint64_t, 8> before_child_count;
	uint64_t child_count;
	std::array<uint64_t, 8> after_child_count;

	bool has(uint64_t attributes) const { return (secs.attributes.flags & attributes) == attributes; }
	bool initialised() const { return has(attribute::init); }
	bool contains(uint64_t linear) const { return linear - secs.base < secs.size; }

	uint64_t children() { return std::atomic_ref(child_count).load(std::memory_order_relaxed); }
	void gain_child() { std::atomic_ref(child_count).fetch_add(1, std::memory_order_relaxed); }
	void lose_child() { std::atomic_ref(child_count).fetch_sub(1, std::memory_order_relaxed); }
};

/// One EPCM entry. All zero is an invalid entry.
struct Page {
	uint64_t linear; ///< ENCLAVEADDRESS
	uint64_t eid;	 // of the owner; 0 for a VA page
	uint64_t stamp;	 // epoch in which a right was last taken away
	Enclave *enclave;
	PageType type;
	uint8_t rights; ///< enum sgx2_access
	bool valid, blocked, pending, modified, pr;
	bool used; ///< contents may have to be scrubbed

	bool is_valid(PageType t) const { return valid && type == t; }
	/// Belongs to an enclave and can be blocked, evicted, removed from it.
	bool is_child() const { return type == PageType::Reg || type == PageType::Tcs || type == PageType::Trim; }
	bool settled() const { return !pending && !modified; }
	bool owned_by(uint64_t id) const { return valid && is_child() && eid == id; }
	/// Usable at @at by enclave @id as a page of type @t: all but R, W and X.
	bool usable(uint64_t id, uint64_t at, PageType t) const
	{
		return owned_by(id) && type == t && !blocked && settled() && linear == page_base(at);
	}
	bool tracked() const { return enclave->tracking.tracked(stamp); }
	/// From here on translations are stale that a CPU inside may still hold.
	void stamp_now() { stamp = enclave->tracking.epoch(); }
	void settle()
	{
		pending = modified = pr = false;
		stamp = Tracking::always_tracked;
	}

	void become_secs(Enclave &record);
	void become_va();
	/// A child of @owner with no rights and no state; counted as its child.
	void become_child(Enclave &owner, uint64_t at, PageType t, uint8_t rwx);
	void invalidate();
};

/// Where an EPC address leads.
struct Epc {
	Page *page = nullptr;
	Enclave *record = nullptr; ///< of this page, live if it is a SECS
	uint8_t *data = nullptr;   ///< the page's contents
	uint64_t physical = 0;	   // with the offset in the page

	explicit operator bool() const { return page != nullptr; }
	uint8_t *at() const { return data + page_offset(physical); }
	bool same_page(const Epc &other) const { return page == other.page; }
};

} // namespace sgx2
