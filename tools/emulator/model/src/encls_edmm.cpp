// SPDX-License-Identifier: GPL-2.0
// The leaves by which the system changes an initialized enclave: EAUG, EMODPR, EMODT
// (Documentation/isa.rst 6). The leaves that the enclave executes for this are in enclu_edmm.cpp.

#include <cstring>

#include "leaf.h"

namespace sgx2 {

namespace {

/// Check the alignment of SECINFO (RBX) and of the page (RCX), find the page, and read SECINFO
/// without a check of its contents.
MaybeFault modify_operands(const Execution &x, Secinfo &secinfo, Epc &page)
{
	const uint64_t rbx = x.rbx();

	if (!aligned(rbx, sizeof(Secinfo)))
		return gp_fault();
	if (auto f = x.page_operand(page))
		return f;
	return x.read(rbx, secinfo);
}

} // namespace

Outcome eaug(Execution &x)
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
	// EAUG uses a SECINFO only with CET, which the model does not have.
	if (info.secinfo != 0)
		return gp_fault();
	if (auto f = x.secs(owner, secs))
		return *f;

	Enclave &enclave = *owner.record;
	if (!enclave.initialized() || !enclave.contains(info.linaddr))
		return gp_fault();

	std::memset(page.data, 0, page_size);
	page.page->init_child(enclave, info.linaddr, PageType::Reg, SGX2_READ | SGX2_WRITE);
	page.page->pending = true;
	x.cpu.epc_written(page, page_size);
	return Outcome::no_code();
}

/// EMODPR tests for SGX_PAGE_NOT_MODIFIABLE (20) before it tests the page type; EMODT tests in the
/// opposite order. Drivers depend on this: EMODPR of a trimmed page shows whether the enclave has
/// accepted the trim.
Outcome emodpr(Execution &x)
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
	if (!p.accepted())
		return Outcome::error(Code::PageNotModifiable);
	if (p.type != PageType::Reg)
		return x.denied(rcx);
	if (!p.enclave->initialized())
		return gp_fault();

	p.pr = true;
	p.rights &= secinfo.rights();
	p.stamp_epoch();
	return Outcome::success();
}

Outcome emodt(Execution &x)
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
	if (!p.accepted())
		return Outcome::error(Code::PageNotModifiable);
	if (!p.enclave->initialized())
		return gp_fault();

	p.pr = false;
	p.modified = true;
	p.rights = 0;
	p.type = trim ? PageType::Trim : PageType::Tcs;
	p.stamp_epoch();
	return Outcome::success();
}

} // namespace sgx2
