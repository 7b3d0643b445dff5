// SPDX-License-Identifier: GPL-2.0
// Changing an enclave that runs, the enclave's half: EACCEPT, EACCEPTCOPY,
// EMODPE (Documentation/isa.md 7). What is checked under the lock need not be checked again,
// as the architecture prescribes it behind the page's lock.
#include <cstring>

#include "exits.h"
#include "leaf.h"

namespace sgx2 {

namespace {

Secinfo load_secinfo(const Epc &at)
{
	Secinfo s;

	std::memcpy(&s, at.at(), sizeof(s));
	return s;
}

/// The SECINFO that is at @at in the enclave, copied, so that its page's lock is free again.
MaybeFault copy_secinfo(const Exec &x, const Epc &info, uint64_t at, Secinfo &to)
{
	const PageLock guard(x.cpu, info);

	if (auto f = x.check(info, at, SGX2_READ))
		return f;
	to = load_secinfo(info);
	return {};
}

/// The changes that an enclave can be asked to accept.
bool acceptable_change(const Secinfo &s)
{
	const uint64_t state = s.flags & secinfo_flag::state;

	if (s.is(PageType::Reg))
		return !(state & secinfo_flag::modified) && (state & (secinfo_flag::pr | secinfo_flag::pending));
	return (s.is(PageType::Tcs) || s.is(PageType::Trim)) && state == secinfo_flag::modified;
}

/// Is the page what the enclave thinks it is? PR is not compared.
bool matches(const Page &p, const Secinfo &s, uint64_t linear)
{
	return p.linear == linear && s.is(p.type) && p.rights == s.rights() &&
	       p.pending == static_cast<bool>(s.flags & secinfo_flag::pending) &&
	       p.modified == static_cast<bool>(s.flags & secinfo_flag::modified);
}

/// A regular page that has become a TCS must be one that EADD could have made. The SDM
/// demands a frame to enter with, too; of a page of zeroes enclaves expect that it
/// passes. Nobody can enter by it either way.
bool fresh_tcs(const Machine &m, const Enclave &enclave, const Epc &page)
{
	constexpr uint32_t page_granular = 0xfff;
	const Tcs tcs = load_tcs(page);

	if (!all_zero({page.data + sizeof(Tcs), page_size - sizeof(Tcs)}))
		return false;
	if ((tcs.flags & tcs_flag::dbgoptin) || tcs.aep != 0 || tcs.state != tcs_inactive)
		return false;
	if (tcs.cssa >= tcs.nssa && (m.config.strict_tcs || !all_zero({page.data, sizeof(Tcs)})))
		return false;
	return enclave.has(attribute::mode64) || (tcs.fslimit & tcs.gslimit & page_granular) == page_granular;
}

} // namespace

Outcome eaccept(Exec &x)
{
	const uint64_t rbx = x.rbx();
	const uint64_t rcx = x.rcx();
	Secinfo secinfo;
	Epc info;
	Epc page;

	if (!aligned(rbx, sizeof(Secinfo)) || !x.in_elrange(rbx))
		return gp_fault();
	if (auto f = x.epc(rbx, SGX2_READ, info))
		return *f;
	if (auto f = copy_secinfo(x, info, rbx, secinfo))
		return *f;
	if (!secinfo.reserved_clear())
		return gp_fault();
	if (!aligned(rcx, page_size) || !x.in_elrange(rcx))
		return gp_fault();
	if (auto f = x.epc(rcx, SGX2_READ, page))
		return *f;
	if (!acceptable_change(secinfo))
		return gp_fault();

	const PageLock guard(x.cpu, page);
	Page &p = *page.page;
	if (!p.owned_by(x.cpu.stay.eid) || p.blocked)
		return x.denied(rcx, SGX2_READ);
	if (x.conflict())
		return gp_fault();
	if (!matches(p, secinfo, rcx))
		return Outcome::error(Code::PageAttributesMismatch);
	if (!p.tracked())
		return Outcome::error(Code::NotTracked);
	if (p.type == PageType::Tcs && !fresh_tcs(x.m, *p.enclave, page))
		return gp_fault();
	p.settle();
	return Outcome::success();
}

Outcome eacceptcopy(Exec &x)
{
	constexpr uint8_t augmented = SGX2_READ | SGX2_WRITE;
	const uint64_t rbx = x.rbx();
	const uint64_t rcx = x.rcx();
	const uint64_t rdx = x.rdx();
	Epc info;
	Epc to;
	Epc from;

	if (!aligned(rbx, sizeof(Secinfo)) || !aligned(rcx, page_size) || !aligned(rdx, page_size))
		return gp_fault();
	if (!x.in_elrange(rbx) || !x.in_elrange(rcx) || !x.in_elrange(rdx))
		return gp_fault();
	if (auto f = x.epc(rbx, SGX2_READ, info))
		return *f;
	if (auto f = x.epc(rcx, SGX2_WRITE, to))
		return *f;
	if (auto f = x.epc(rdx, SGX2_READ, from))
		return *f;

	const Lock guard(x.m.lock);
	if (auto f = x.check(info, rbx, SGX2_READ))
		return *f;
	const Secinfo secinfo = load_secinfo(info);
	if (!secinfo.reserved_clear() || secinfo.write_only() || !secinfo.is(PageType::Reg))
		return gp_fault();
	if (auto f = x.check(from, rdx, SGX2_READ))
		return *f;

	Page &p = *to.page;
	if (!p.owned_by(x.cpu.stay.eid) || p.type != PageType::Reg || p.blocked || !p.pending || p.modified)
		return Outcome::error(Code::PageAttributesMismatch);
	if (x.conflict())
		return gp_fault();
	if (p.rights != augmented || p.linear != rcx)
		return Outcome::error(Code::PageAttributesMismatch);

	std::memcpy(to.data, from.data, page_size);
	p.rights = secinfo.rights();
	p.pending = false;
	x.cpu.wrote(to, page_size);
	return Outcome::success();
}

Outcome emodpe(Exec &x)
{
	const uint64_t rbx = x.rbx();
	const uint64_t rcx = x.rcx();
	Secinfo secinfo;
	Epc info;
	Epc page;

	if (!aligned(rbx, sizeof(Secinfo)) || !aligned(rcx, page_size))
		return gp_fault();
	if (!x.in_elrange(rbx) || !x.in_elrange(rcx))
		return gp_fault();
	if (auto f = x.epc(rbx, SGX2_READ, info))
		return *f;
	if (auto f = x.epc(rcx, SGX2_READ, page))
		return *f;
	if (auto f = copy_secinfo(x, info, rbx, secinfo))
		return *f;
	if (!secinfo.reserved_clear())
		return gp_fault();

	const PageLock guard(x.cpu, page);
	Page &p = *page.page;
	if (!p.usable(x.cpu.stay.eid, p.linear, PageType::Reg))
		return x.denied(rcx, SGX2_READ);
	if (x.conflict())
		return gp_fault();
	if (p.linear != rcx)
		return x.denied(rcx, SGX2_READ);
	if (!(p.rights & SGX2_READ) && secinfo.write_only())
		return gp_fault();
	p.rights |= secinfo.rights();
	return Outcome::silent();
}

} // namespace sgx2
