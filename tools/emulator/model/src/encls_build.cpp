// SPDX-License-Identifier: GPL-2.0
// Construction of an enclave up to EINIT, and removal of pages: ECREATE, EADD, EEXTEND, EINIT,
// EREMOVE (Documentation/isa.rst 6).

#include <bit>
#include <cstring>

#include "leaf.h"
#include "sigstruct.h"

namespace sgx2 {

namespace {

// ------------------------------------------------------------- ECREATE

/// Return whether the components are a combination that XSETBV accepts.
bool xcr0_legal(uint64_t value)
{
	using namespace xfrm;
	const auto all_or_none = [value](uint64_t bits) {
		return (value & bits) == 0 || (value & bits) == bits;
	};

	return (value & x87_sse) == x87_sse && all_or_none(mpx) && all_or_none(avx512) && all_or_none(amx) &&
	       ((value & avx512) == 0 || (value & avx) != 0) && (value & xfrm::reserved) == 0;
}

uint64_t allowed_attributes(const sgx2_config &c)
{
	uint64_t known = attribute::debug | attribute::mode64 | attribute::provision_key | attribute::einit_token_key;

	if (c.kss)
		known |= attribute::kss;
	if (c.aexnotify)
		known |= attribute::aex_notify;
	return c.attributes_mask & known;
}

bool ssa_frame_suffices(const Machine &m, const SecsCore &secs)
{
	const uint64_t misc = secs.miscselect & miscselect::exinfo ? sizeof(Exinfo) : 0;

	return uint64_t{secs.ssa_frame_pages} * page_size >= m.xsave_size(secs.attributes.xfrm) + sizeof(Gprsgx) + misc;
}

bool elrange_valid(const Execution &x, const SecsCore &secs)
{
	const bool mode64 = secs.attributes.flags & attribute::mode64;
	const sgx2_config &c = x.m.config;
	const unsigned limit = mode64 ? c.size_log2_64 : c.size_log2_32;

	if (mode64 ? !is_canonical(x.m, x.in, secs.base) : secs.base >> 32 != 0)
		return false;
	if (limit < 64 && secs.size >> limit != 0)
		return false;
	return secs.size >= 2 * page_size && std::has_single_bit(secs.size) && aligned(secs.base, secs.size);
}

bool secs_acceptable(const Execution &x, const SecsPage &page)
{
	const SecsCore &secs = page.core;
	const sgx2_config &c = x.m.config;

	if (!xcr0_legal(secs.attributes.xfrm) || (secs.attributes.xfrm & ~c.xfrm_mask))
		return false;
	if (secs.miscselect & ~c.miscselect_mask)
		return false;
	if (!ssa_frame_suffices(x.m, secs) || !elrange_valid(x, secs))
		return false;
	if (secs.attributes.flags & ~allowed_attributes(c))
		return false;
	if (!all_zero(secs.rsvd0) || !all_zero(secs.rsvd1) || !all_zero(secs.rsvd2) || secs.rsvd3 != 0 || !all_zero(page.rsvd))
		return false;
	return (secs.attributes.flags & attribute::kss) || (all_zero(secs.configid) && secs.configsvn == 0);
}

// ---------------------------------------------------------------- EADD

/// Return whether EADD accepts the page as a TCS. EENTER checks TCS.FLAGS, EADD does not.
bool tcs_page_acceptable(const Enclave &enclave, std::span<const uint8_t, page_size> page)
{
	Tcs tcs;

	std::memcpy(&tcs, page.data(), sizeof(tcs));
	if (!all_zero(page.subspan(sizeof(tcs))))
		return false;
	return enclave.has(attribute::mode64) || (tcs.fslimit & tcs.gslimit & tcs_limit_low) == tcs_limit_low;
}

// --------------------------------------------------------------- EINIT

/// Check the token of a launch enclave. EINIT needs one if LEPUBKEYHASH is not the signer's hash.
std::optional<Code> check_token(const Execution &x, const Enclave &enclave, const Digest &mrenclave, const Digest &mrsigner,
				const EinitToken &token)
{
	const Keys &keys = x.m.keys;
	std::array<uint8_t, 32> launch_signer;

	std::memcpy(launch_signer.data(), x.in.lepubkeyhash, launch_signer.size());
	if ((token.maskedattributesle.flags & attribute::debug) && !enclave.has(attribute::debug))
		return Code::InvalidEinitToken;
	if ((token.valid & ~einit_token_valid) != 0 || !all_zero(token.rsvd0) || !all_zero(token.rsvd1) ||
	    !all_zero(token.rsvd2) || !all_zero(token.rsvd3))
		return Code::InvalidEinitToken;
	if (keys.svn_is_newer(token.cpusvnle))
		return Code::InvalidCpuSvn;

	const Key128 key = keys.token_key(token, launch_signer);
	const auto *raw = reinterpret_cast<const uint8_t *>(&token);
	const Key128 mac = cmac(key, {raw, einit_token_signed});
	if (std::memcmp(mac.data(), token.mac, mac.size()) != 0)
		return Code::InvalidEinitToken;

	if (std::memcmp(token.mrenclave, mrenclave.data(), mrenclave.size()) != 0 ||
	    std::memcmp(token.mrsigner, mrsigner.data(), mrsigner.size()) != 0)
		return Code::InvalidMeasurement;
	if (token.attributes != enclave.secs.attributes)
		return Code::InvalidAttribute;
	return {};
}

/// Perform the checks of EINIT that follow those of the SECS and return a code on failure.
std::optional<Code> check_launch(const Execution &x, const Enclave &enclave, const Sigstruct &sig, const EinitToken &token,
				 const Digest &mrsigner)
{
	const Digest mrenclave = enclave.hidden.measurement.digest();
	const SecsCore &secs = enclave.secs;
	const bool launch_signer = std::memcmp(mrsigner.data(), x.in.lepubkeyhash, mrsigner.size()) == 0;

	if (std::memcmp(mrenclave.data(), sig.enclavehash, mrenclave.size()) != 0)
		return Code::InvalidMeasurement;
	if (enclave.has(attribute::einit_token_key) && !launch_signer)
		return Code::InvalidAttribute;
	if ((secs.attributes & sig.attributemask) != (sig.attributes & sig.attributemask))
		return Code::InvalidAttribute;
	if ((secs.miscselect & sig.miscmask) != (sig.miscselect & sig.miscmask))
		return Code::InvalidAttribute;
	if (token.valid & einit_token_valid)
		return check_token(x, enclave, mrenclave, mrsigner, token);
	if (!launch_signer)
		return Code::InvalidEinitToken;
	return {};
}

void initialize(Enclave &enclave, const Sigstruct &sig, const Digest &mrsigner)
{
	const Digest mrenclave = enclave.hidden.measurement.digest();
	SecsCore &secs = enclave.secs;

	std::memcpy(secs.mrenclave, mrenclave.data(), mrenclave.size());
	std::memcpy(secs.mrsigner, mrsigner.data(), mrsigner.size());
	secs.isvprodid = sig.isvprodid;
	secs.isvsvn = sig.isvsvn;
	std::memcpy(enclave.hidden.isvfamilyid, sig.isvfamilyid, sizeof(sig.isvfamilyid));
	std::memcpy(enclave.hidden.isvextprodid, sig.isvextprodid, sizeof(sig.isvextprodid));
	secs.attributes.flags |= attribute::init;
}

} // namespace

Outcome ecreate(Execution &x)
{
	const uint64_t rbx = x.rbx();
	const uint64_t rcx = x.rcx();
	PageInfo info;
	Secinfo secinfo;
	SecsPage source;
	Epc page;

	if (!aligned(rbx, sizeof(PageInfo)))
		return gp_fault();
	if (auto f = x.page_operand(page))
		return *f;
	if (auto f = x.read(rbx, info))
		return *f;
	if (!aligned(x.linear(info.srcpge), page_size) || !aligned(x.linear(info.secinfo), sizeof(Secinfo)))
		return gp_fault();
	if (info.linaddr != 0 || info.secs != 0)
		return gp_fault();
	if (auto f = x.read(x.linear(info.secinfo), secinfo))
		return *f;
	if (!secinfo.reserved_clear(secinfo_flag::state) || !secinfo.is(PageType::Secs))
		return gp_fault();
	if (x.conflict())
		return gp_fault();
	if (page.page->valid)
		return x.denied(rcx);
	if (auto f = x.read(x.linear(info.srcpge), source))
		return *f;
	if (!secs_acceptable(x, source))
		return gp_fault();

	Enclave &enclave = *page.record;
	enclave = Enclave{};
	enclave.secs = source.core;
	enclave.secs.isvprodid = enclave.secs.isvsvn = 0;
	std::memset(enclave.secs.mrenclave, 0, sizeof(enclave.secs.mrenclave));
	std::memset(enclave.secs.mrsigner, 0, sizeof(enclave.secs.mrsigner));
	enclave.hidden.eid = x.m.new_eid();
	enclave.hidden.context = page.physical;
	enclave.hidden.measurement.ecreate(enclave.secs.ssa_frame_pages, enclave.secs.size);
	page.page->init_secs(enclave);
	std::memset(page.data, 0, page_size);
	x.cpu.epc_written(page, page_size);
	return Outcome::no_code();
}

Outcome eadd(Execution &x)
{
	const uint64_t rbx = x.rbx();
	const uint64_t rcx = x.rcx();
	PageInfo info;
	Secinfo secinfo;
	std::array<uint8_t, page_size> source;
	Epc page;
	Epc owner;

	if (!aligned(rbx, sizeof(PageInfo)))
		return gp_fault();
	if (auto f = x.page_operand(page))
		return *f;
	if (auto f = x.read(rbx, info))
		return *f;

	const uint64_t srcpge = x.linear(info.srcpge);
	const uint64_t secs = x.linear(info.secs);
	if (!aligned(srcpge, page_size) || !aligned(secs, page_size) || !aligned(x.linear(info.secinfo), sizeof(Secinfo)) ||
	    !aligned(info.linaddr, page_size))
		return gp_fault();
	if (auto f = x.epc(secs, SGX2_WRITE, owner))
		return *f;
	if (auto f = x.read(x.linear(info.secinfo), secinfo))
		return *f;
	const bool is_tcs = secinfo.is(PageType::Tcs);
	if (!secinfo.reserved_clear(secinfo_flag::state) || (!is_tcs && !secinfo.is(PageType::Reg)))
		return gp_fault();
	// One draw of the injector stands for a conflict on the page, on the SECS or on its
	// measurement.
	if (x.conflict())
		return gp_fault();
	if (page.page->valid)
		return x.denied(rcx);
	if (auto f = x.secs(owner, secs))
		return *f;

	Enclave &enclave = *owner.record;
	if (auto f = x.read(srcpge, source))
		return *f;
	if (is_tcs ? !tcs_page_acceptable(enclave, source) : secinfo.write_only())
		return gp_fault();
	if (!enclave.contains(info.linaddr))
		return gp_fault();
	if (enclave.initialized())
		return gp_fault();

	if (is_tcs) {
		Tcs tcs;

		secinfo.flags &= ~secinfo_flag::rwx;
		std::memcpy(&tcs, source.data(), sizeof(tcs));
		tcs.flags &= ~tcs_flag::dbgoptin;
		tcs.cssa = 0;
		tcs.aep = 0;
		tcs.state = tcs_inactive;
		std::memcpy(source.data(), &tcs, sizeof(tcs));
	}
	std::memcpy(page.data, source.data(), page_size);
	enclave.hidden.measurement.eadd(info.linaddr - enclave.secs.base, secinfo);
	page.page->init_child(enclave, info.linaddr, is_tcs ? PageType::Tcs : PageType::Reg, secinfo.rights());
	x.cpu.epc_written(page, page_size);
	return Outcome::no_code();
}

Outcome eextend(Execution &x)
{
	constexpr size_t chunk = Measurement::chunk;
	const uint64_t rbx = x.rbx();
	const uint64_t rcx = x.rcx();
	Epc owner;
	Epc page;

	if (!aligned(rbx, page_size))
		return gp_fault();
	if (auto f = x.epc(rbx, SGX2_WRITE, owner))
		return *f;
	if (!aligned(rcx, chunk))
		return gp_fault();
	if (auto f = x.epc(rcx, SGX2_READ, page))
		return *f;
	if (x.conflict())
		return gp_fault();
	if (!page.page->is_valid(PageType::Reg) && !page.page->is_valid(PageType::Tcs))
		return x.denied(rcx);
	if (page.page->enclave != owner.record)
		return gp_fault();

	Enclave &enclave = *page.page->enclave;
	if (enclave.initialized())
		return gp_fault();

	const uint64_t offset = page.page->linear - enclave.secs.base + page_offset(rcx);
	enclave.hidden.measurement.eextend(offset, std::span<const uint8_t, chunk>(page.at(), chunk));
	return Outcome::no_code();
}

Outcome einit(Execution &x)
{
	constexpr uint64_t token_align = 512;
	const uint64_t rcx = x.rcx();
	const uint64_t rdx = x.rdx();
	Sigstruct sig;
	EinitToken token;
	Epc page;

	if (!aligned(x.rbx(), page_size) || !aligned(rcx, page_size) || !aligned(rdx, token_align))
		return gp_fault();
	if (auto f = x.epc(rcx, SGX2_WRITE, page))
		return *f;
	if (auto f = x.read(x.rbx(), sig))
		return *f;
	if (auto f = x.read(rdx, token))
		return *f;
	if (!sigstruct_well_formed(sig))
		return Outcome::error(Code::InvalidSigStruct);
	if (x.in.event_pending || x.m.inject.einit_event())
		return Outcome::error(Code::UnmaskedEvent);
	if (!sigstruct_signature_valid(sig))
		return Outcome::error(Code::InvalidSignature);
	if (x.conflict())
		return gp_fault();
	if (auto f = x.secs(page, rcx))
		return *f;

	Enclave &enclave = *page.record;
	if (!enclave.has(attribute::kss) && (!all_zero(sig.isvfamilyid) || !all_zero(sig.isvextprodid)))
		return Outcome::error(Code::InvalidSigStruct);
	if (enclave.initialized())
		return gp_fault();

	const Digest mrsigner = sha256(sig.modulus);
	if (auto code = check_launch(x, enclave, sig, token, mrsigner))
		return Outcome::error(*code);
	initialize(enclave, sig, mrsigner);
	return Outcome::success();
}

namespace {

Outcome remove(const Epc &page)
{
	Page &p = *page.page;

	if (!p.valid)
		return Outcome::success();
	switch (p.type) {
	case PageType::Va:
		break;
	case PageType::Secs:
		if (p.enclave->children() != 0)
			return Outcome::error(Code::ChildPresent);
		*page.record = Enclave{};
		break;
	case PageType::Trim:
		// An accepted trim has been tracked, so no CPU holds a translation of the page.
		if (!p.modified)
			break;
		[[fallthrough]];
	case PageType::Reg:
	case PageType::Tcs:
		if (p.enclave->tracking.occupied())
			return Outcome::error(Code::EnclaveActive);
		break;
	}
	p.invalidate();
	return Outcome::success();
}

} // namespace

Outcome eremove(Execution &x)
{
	Epc page;

	if (auto f = x.page_operand(page))
		return *f;
	{
		const PageLock guard(x.cpu, page);

		if (x.conflict())
			return gp_fault();
		if (!page.page->is_valid(PageType::Secs))
			return remove(page);
	}
	// Removing a SECS clears its record, which leaves on other CPUs may be reading.
	const Lock guard(x.m.lock);
	return remove(page);
}

} // namespace sgx2
