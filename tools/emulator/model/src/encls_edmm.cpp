// SPDX-License-Identifier: GPL-2.0
// Changing an enclave that runs, the system's half: EAUG, EMODPR, EMODT
// (Documentation/isa.md 6). The enclave's half is in enclu_edmm.cpp.
#include <cstring>

#include "leaf.h"

namespace sgx2 {

namespace {

/// RBX: SECINFO, RCX: page. Aligned, in EPC, SECINFO read but not judged.
MaybeFault modify_operands(const Exec &x, Secinfo &secinfo, Epc &page)
{
	const uint64_t rbx = x.rbx();

	if (!aligned(rbx, sizeof(Secinfo)))
		return gp_fault();
	if (auto f = x.page_operand(page))
		return f;
	return x.read(rbx, secinfo);
}

} // namespace

Outcome eaug(Exec &x)
{
	const uint64_t rbx = x.rbx();
	const uint64_t rcx = x.rcx();
	PageInfo info;
	Epc page;
	Epc owner;

	if (!aligned(rbx, sizeof(PageInfo)))
		return gp_fault();
	if (auto f = x.page_operand(page))
		return *f;
	if (auto f = x.read(rbx, info))
		return *f;

	const uint64_t secs = x.linear(info.secs);
	if (!aligned(secs, page_size) || !aligned(info.linaddr, page_size))
		return gp_fault();
	if (info.srcpge != 0 || !aligned(info.secinfo, sizeof(Secinfo)))
		return gp_fault();
	if (auto f = x.epc(secs, SGX2_WRITE, owner))
		return *f;

	const PageLock guard(x.cpu, page);
	if (x.conflict())
		return gp_fault();
	if (page.page->valid)
		return x.denied(rcx);
	// Only CET gives EAUG a use for a SECINFO, and there is no CET.
	if (info.secinfo != 0)
		return gp_fault();
	if (auto f = x.secs(owner, secs))
		return *f;

	Enclave &enclave = *owner.record;
	if (!enclave.initialised() || !enclave.contains(info.linaddr))
		return gp_fault();

	std::memset(page.data, 0, page_size);
	page.page->become_child(enclave, info.linaddr, PageType::Reg, SGX2_READ | SGX2_WRITE);
	page.page->pending = true;
	x.cpu.wrote(page, page_size);
	return Outcome::silent();
}

/// 20 comes before the page type here, and behind it in EMODT. Drivers live on
/// it: EMODPR of a trimmed page tells whether the enclave has accepted the trim.
Outcome emodpr(Exec &x)
{
	const uint64_t rcx = x.rcx();
	Secinfo secinfo;
	Epc page;

	if (auto f = modify_operands(x, secinfo, page))
		return *f;
	if (!secinfo.reserved_clear() || secinfo.write_only())
		return gp_fault();

	const PageLock guard(x.cpu, page);
	if (x.conflict())
		return gp_fault();

	Page &p = *page.page;
	if (!p.valid)
		return x.denied(rcx);
	if (x.m.inject.emodpr_conflict())
		return Outcome::error(Code::PageConflict);
	if (!p.settled())
		return Outcome::error(Code::PageNotModifiable);
	if (p.type != PageType::Reg)
		return x.denied(rcx);
	if (!p.enclave->initialised())
		return gp_fault();

	p.pr = true;
	p.rights &= secinfo.rights();
	p.stamp_now();
	return Outcome::success();
}

Outcome emodt(Exec &x)
{
	const uint64_t rcx = x.rcx();
	Secinfo secinfo;
	Epc page;

	if (auto f = modify_operands(x, secinfo, page))
		return *f;
	const bool trim = secinfo.is(PageType::Trim);
	if (!secinfo.reserved_clear() || (!trim && !secinfo.is(PageType::Tcs)))
		return gp_fault();

	const PageLock guard(x.cpu, page);
	if (x.m.inject.emodt_conflict())
		return Outcome::error(Code::PageConflict);

	Page &p = *page.page;
	if (!p.is_valid(PageType::Reg) && !(trim && p.is_valid(PageType::Tcs)))
		return x.denied(rcx);
	if (!p.settled())
		return Outcome::error(Code::PageNotModifiable);
	if (!p.enclave->initialised())
		return gp_fault();

	p.pr = false;
	p.modified = true;
	p.rights = 0;
	p.type = trim ? PageType::Trim : PageType::Tcs;
	p.stamp_now();
	return Outcome::success();
}

} // namespace sgx2
