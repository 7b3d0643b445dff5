// SPDX-License-Identifier: GPL-2.0
// Eviction and reload: EPA, EBLOCK, ETRACK, EWB, ELDB, ELDU, and the variants that return a code on
// a conflict (Documentation/isa.rst 6).

#include <cstring>

#include "leaf.h"

namespace sgx2 {

namespace {

/// A SECS in an evicted page: the defined part, then the part that is hidden from software. In the
/// evicted page, only the encryption protects the hidden part.
struct SecsImage {
	SecsCore core;
	SecsHidden hidden;
	uint8_t zero[page_size - sizeof(SecsCore) - sizeof(SecsHidden)];
};
static_assert(sizeof(SecsImage) == page_size);
static_assert(std::is_trivially_copyable_v<SecsImage>);

void save_secs(const Enclave &enclave, PageBytes image)
{
	SecsImage i{};

	i.core = enclave.secs;
	i.hidden = enclave.hidden;
	std::memcpy(image.data(), &i, sizeof(i));
}

/// Restore the record of a SECS. No CPU was inside the enclave when the SECS was evicted, so the
/// tracking epochs may start from the beginning. The page may differ from the one that EWB evicted.
void restore_secs(const Epc &page, ConstPageBytes image)
{
	Enclave &enclave = *page.record;
	SecsImage i;

	std::memcpy(&i, image.data(), sizeof(i));
	enclave = Enclave{};
	enclave.secs = i.core;
	enclave.hidden = i.hidden;
	enclave.hidden.context = page.physical;
}

uint64_t load_slot(const Epc &slot)
{
	uint64_t version;

	std::memcpy(&version, slot.at(), sizeof(version));
	return version;
}

void store_slot(Execution &x, const Epc &slot, uint64_t version)
{
	std::memcpy(slot.at(), &version, sizeof(version));
	x.cpu.epc_written(slot, sizeof(version));
}

Secinfo secinfo_of(const Page &p)
{
	Secinfo s{};

	s.flags = p.rights | uint64_t{static_cast<uint8_t>(p.type)} << secinfo_flag::type_shift;
	if (p.pending)
		s.flags |= secinfo_flag::pending;
	if (p.modified)
		s.flags |= secinfo_flag::modified;
	if (p.pr)
		s.flags |= secinfo_flag::pr;
	return s;
}

/// Check the first operands of EWB and ELDx: PAGEINFO, the page, the VA slot.
MaybeFault paging_operands(const Execution &x, Epc &page, Epc &slot)
{
	const uint64_t rdx = x.rdx();

	if (!aligned(x.rbx(), sizeof(PageInfo)))
		return gp_fault();
	if (auto f = x.page_operand(page))
		return f;
	if (!aligned(rdx, sizeof(uint64_t)))
		return gp_fault();
	return x.epc(rdx, SGX2_WRITE, slot);
}

/// Return the code of EWB for a page that cannot be evicted yet.
std::optional<Code> check_evictable(const Page &p)
{
	if (p.is_child()) {
		if (!p.blocked)
			return Code::PageNotBlocked;
		if (!p.tracked())
			return Code::NotTracked;
	}
	if (p.type == PageType::Secs && p.enclave->children() != 0)
		return Code::ChildPresent;
	return {};
}

struct LoadVariant {
	bool block;    // ELDB: the page is loaded blocked
	bool conflict; // ELDxC: a conflict gives SGX_EPC_PAGE_CONFLICT (7)
};

Outcome load(Execution &x, LoadVariant variant)
{
	const uint64_t rcx = x.rcx();
	PageInfo info;
	Pcmd pcmd;
	Epc page;
	Epc slot;
	Epc owner;

	if (auto f = paging_operands(x, page, slot))
		return *f;
	if (auto f = x.read(x.rbx(), info))
		return *f;

	const uint64_t secs = x.linear(info.secs);
	if (!aligned(x.linear(info.secinfo), sizeof(Pcmd)) || !aligned(x.linear(info.srcpge), page_size))
		return gp_fault();
	if (x.conflict()) {
		if (variant.conflict)
			return Outcome::error(Code::PageConflict);
		return gp_fault();
	}
	if (page.page->valid)
		return x.denied(rcx);
	if (!slot.page->is_valid(PageType::Va))
		return x.denied(x.rdx());
	if (auto f = x.read(x.linear(info.secinfo), pcmd))
		return *f;

	const Secinfo &secinfo = pcmd.secinfo;
	const bool child = secinfo.is(PageType::Reg) || secinfo.is(PageType::Tcs) || secinfo.is(PageType::Trim);
	PagingHeader header{};
	if (child) {
		if (!aligned(secs, page_size))
			return gp_fault();
		if (auto f = x.epc(secs, SGX2_WRITE, owner))
			return *f;
		if (auto f = x.secs(owner, secs))
			return *f;
		header.eid = owner.record->hidden.eid;
	} else if (info.secs != 0) {
		return gp_fault();
	}
	header.secinfo = secinfo;
	header.linaddr = info.linaddr;
	std::memcpy(header.rsvd, pcmd.rsvd, sizeof(header.rsvd));
	header.version = load_slot(slot);

	std::array<uint8_t, page_size> cipher;
	std::array<uint8_t, page_size> plain;
	if (auto f = x.read(x.linear(info.srcpge), cipher))
		return *f;
	if (!x.m.pager.open(header, cipher, pcmd.mac, plain))
		return Outcome::error(Code::MacCompareFail);

	store_slot(x, slot, 0);
	if (child) {
		Page &p = *page.page;

		p.init_child(*owner.record, info.linaddr, static_cast<PageType>(secinfo.type()), secinfo.rights());
		p.pending = secinfo.flags & secinfo_flag::pending;
		p.modified = secinfo.flags & secinfo_flag::modified;
		p.pr = secinfo.flags & secinfo_flag::pr;
		p.blocked = variant.block;
	} else if (secinfo.is(PageType::Secs)) {
		restore_secs(page, plain);
		page.page->init_secs(*page.record);
		plain.fill(0); // the record holds the SECS
	} else {
		page.page->init_va();
	}
	std::memcpy(page.data, plain.data(), page_size);
	x.cpu.epc_written(page, page_size);
	return Outcome::success();
}

} // namespace

Outcome epa(Execution &x)
{
	const uint64_t rcx = x.rcx();
	Epc page;

	if (x.number(SGX2_RBX) != static_cast<uint64_t>(PageType::Va))
		return gp_fault();
	if (auto f = x.page_operand(page))
		return *f;
	if (x.conflict())
		return gp_fault();
	if (page.page->valid)
		return x.denied(rcx);

	std::memset(page.data, 0, page_size);
	page.page->init_va();
	x.cpu.epc_written(page, page_size);
	return Outcome::no_code();
}

Outcome eblock(Execution &x)
{
	Epc page;

	if (auto f = x.page_operand(page))
		return *f;

	const PageLock guard(x.cpu, page);
	if (x.m.inject.eblock_conflict())
		return Outcome::error(Code::PageConflict);

	Page &p = *page.page;
	if (!p.valid)
		return Outcome::error(Code::PageInvalid);
	if (p.type == PageType::Secs)
		return Outcome::notice(Code::PageIsSecs);
	if (!p.is_child())
		return Outcome::notice(Code::NotBlockable);
	if (p.blocked)
		return Outcome::notice(Code::BlockState);
	p.blocked = true;
	p.stamp_epoch();
	return Outcome::success();
}

Outcome etrack(Execution &x)
{
	const uint64_t rcx = x.rcx();
	Epc page;

	if (auto f = x.page_operand(page))
		return *f;

	const Lock guard(x.m.lock);
	if (x.conflict())
		return gp_fault();
	if (auto f = x.secs(page, rcx))
		return *f;
	if (!page.record->tracking.advance())
		return Outcome::error(Code::PreviousTrackingIncomplete);
	return Outcome::success();
}

Outcome etrackc(Execution &x)
{
	Epc page;

	if (auto f = x.page_operand(page))
		return *f;
	if (x.conflict())
		return Outcome::error(Code::PageConflict);
	if (!page.page->valid)
		return Outcome::error(Code::PageInvalid);
	if (page.page->enclave == nullptr)
		return Outcome::notice(Code::TrackNotRequired);
	if (!page.page->enclave->tracking.advance())
		return Outcome::error(Code::PreviousTrackingIncomplete);
	return Outcome::success();
}

Outcome ewb(Execution &x)
{
	const uint64_t rbx = x.rbx();
	PageInfo info;
	Epc page;
	Epc slot;

	if (auto f = paging_operands(x, page, slot))
		return *f;
	if (page.same_page(slot))
		return gp_fault();
	// EWB reads and writes PAGEINFO, so a PAGEINFO that is not writable raises the #PF of a
	// write.
	if (auto f = x.probe_write(rbx))
		return *f;
	if (auto f = x.read(rbx, info))
		return *f;
	if (info.linaddr != 0 || info.secs != 0)
		return gp_fault();

	const uint64_t pcmd_at = x.linear(info.secinfo);
	const uint64_t srcpge = x.linear(info.srcpge);
	if (!aligned(pcmd_at, sizeof(Pcmd)) || !aligned(srcpge, page_size))
		return gp_fault();
	if (x.conflict())
		return gp_fault();

	Page &p = *page.page;
	if (!p.valid)
		return x.denied(x.rcx());
	if (!slot.page->is_valid(PageType::Va))
		return x.denied(x.rdx());
	if (auto code = check_evictable(p))
		return Outcome::error(*code);
	// All outputs must be writable before EWB writes one of them.
	if (auto f = x.probe_write(srcpge))
		return *f;
	if (auto f = x.probe_write(pcmd_at))
		return *f;

	std::array<uint8_t, page_size> plain;
	std::array<uint8_t, page_size> cipher;
	std::memcpy(plain.data(), page.data, page_size);
	if (p.type == PageType::Secs)
		save_secs(*page.record, plain);

	PagingHeader header{};
	Pcmd pcmd{};
	header.secinfo = secinfo_of(p);
	header.linaddr = p.linear;
	header.eid = p.is_child() ? p.eid : 0;
	header.version = x.m.pager.new_version();
	pcmd.secinfo = header.secinfo;
	pcmd.enclaveid = p.eid;
	x.m.pager.seal(header, plain, cipher, pcmd.mac);

	if (auto f = x.write(srcpge, cipher.data(), cipher.size()))
		return *f;
	if (auto f = x.write(pcmd_at, &pcmd, sizeof(pcmd)))
		return *f;
	if (auto f = x.write(rbx + offsetof(PageInfo, linaddr), &p.linear, sizeof(p.linear)))
		return *f;

	const bool occupied = load_slot(slot) != 0;
	store_slot(x, slot, header.version);
	if (p.type == PageType::Secs)
		*page.record = Enclave{};
	p.invalidate();
	return occupied ? Outcome::notice(Code::VaSlotOccupied) : Outcome::success();
}

Outcome eldb(Execution &x)
{
	return load(x, {.block = true, .conflict = false});
}

Outcome eldu(Execution &x)
{
	return load(x, {.block = false, .conflict = false});
}

Outcome eldbc(Execution &x)
{
	return load(x, {.block = true, .conflict = true});
}

Outcome elduc(Execution &x)
{
	return load(x, {.block = false, .conflict = true});
}

} // namespace sgx2
