// SPDX-License-Identifier: GPL-2.0
// The leaves by which an enclave takes part in a change of its pages: EACCEPT, EACCEPTCOPY, EMODPE
// (Documentation/isa.rst 7). The architecture repeats some checks after it has locked the page; here
// they run once, because they run under the lock.

#include <cstring>

#include "aex.h"
#include "leaf.h"

namespace sgx2 {

namespace {

Secinfo load_secinfo(const Epc &at)
{
	Secinfo s;

	std::memcpy(&s, at.at(), sizeof(s));
	return s;
}

/// Copy the SECINFO at @at in the enclave, so that the lock of its page is released.
MaybeFault copy_secinfo(const Execution &x, const Epc &info, uint64_t at, Secinfo &to)
{
	const PageLock guard(x.cpu, info);

	if (auto f = x.check(info, at, SGX2_READ))
		return f;
	to = load_secinfo(info);
	return {};
}

/// Return whether SECINFO describes a change that an enclave can accept.
bool secinfo_acceptable(const Secinfo &s)
{
	const uint64_t state = s.flags & secinfo_flag::state;

	if (s.is(PageType::Reg))
		return !(state & secinfo_flag::modified) && (state & (secinfo_flag::pr | secinfo_flag::pending));
	return (s.is(PageType::Tcs) || s.is(PageType::Trim)) && state == secinfo_flag::modified;
}

/// Return whether the page is in the state that SECINFO gives. PR is not compared.
bool page_matches(const Page &p, const Secinfo &s, uint64_t linear)
{
	return p.linear == linear && s.is(p.type) && p.rights == s.rights() &&
	       p.pending == static_cast<bool>(s.flags & secinfo_flag::pending) &&
	       p.modified == static_cast<bool>(s.flags & secinfo_flag::modified);
}

/// Return whether EACCEPT accepts the page as a TCS. It must be a page that EADD could have made.
/// The SDM also demands a free SSA frame; enclaves expect that a page of zeros is accepted. An
/// enclave cannot be entered by such a page in either case.
bool tcs_acceptable(const Machine &m, const Enclave &enclave, const Epc &page)
{
	const Tcs tcs = load_tcs(page);

	if (!all_zero({page.data + sizeof(Tcs), page_size - sizeof(Tcs)}))
		return false;
	if ((tcs.flags & tcs_flag::dbgoptin) || tcs.aep != 0 || tcs.state != tcs_inactive)
		return false;
	if (tcs.cssa >= tcs.nssa && (m.config.strict_tcs || !all_zero({page.data, sizeof(Tcs)})))
		return false;
	return enclave.has(attribute::mode64) || (tcs.fslimit & tcs.gslimit & tcs_limit_low) == tcs_limit_low;
}

} // namespace

Outcome eaccept(Execution &x)
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
	if (!secinfo_acceptable(secinfo))
		return gp_fault();

	const PageLock guard(x.cpu, page);
	Page &p = *page.page;
	if (!p.owned_by(x.cpu.mode.eid) || p.blocked)
		return x.denied(rcx, SGX2_READ);
	if (x.conflict())
		return gp_fault();
	if (!page_matches(p, secinfo, rcx))
		return Outcome::error(Code::PageAttributesMismatch);
	if (!p.tracked())
		return Outcome::error(Code::NotTracked);
	if (p.type == PageType::Tcs && !tcs_acceptable(x.m, *p.enclave, page))
		return gp_fault();
	p.accept();
	return Outcome::success();
}

Outcome eacceptcopy(Execution &x)
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
	if (!p.owned_by(x.cpu.mode.eid) || p.type != PageType::Reg || p.blocked || !p.pending || p.modified)
		return Outcome::error(Code::PageAttributesMismatch);
	if (x.conflict())
		return gp_fault();
	if (p.rights != augmented || p.linear != rcx)
		return Outcome::error(Code::PageAttributesMismatch);

	std::memcpy(to.data, from.data, page_size);
	p.rights = secinfo.rights();
	p.pending = false;
	x.cpu.epc_written(to, page_size);
	return Outcome::success();
}

Outcome emodpe(Execution &x)
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
	if (!p.usable(x.cpu.mode.eid, p.linear, PageType::Reg))
		return x.denied(rcx, SGX2_READ);
	if (x.conflict())
		return gp_fault();
	if (p.linear != rcx)
		return x.denied(rcx, SGX2_READ);
	if (!(p.rights & SGX2_READ) && secinfo.write_only())
		return gp_fault();
	p.rights |= secinfo.rights();
	return Outcome::no_code();
}

} // namespace sgx2
