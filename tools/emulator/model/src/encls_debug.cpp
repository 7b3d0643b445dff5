// SPDX-License-Identifier: GPL-2.0
// Debug access to EPC pages, page information, and the update of the platform's SVN: EDBGRD,
// EDBGWR, ERDINFO, EUPDATESVN (Documentation/isa.rst 6).

#include <cstring>
#include <optional>

#include "leaf.h"

namespace sgx2 {

namespace {

/// Perform the checks that EDBGRD and EDBGWR share, up to that of the page type.
MaybeFault debug_operand(const Execution &x, sgx2_access access, Epc &page)
{
	const uint64_t rcx = x.rcx();

	if (!aligned(rcx, x.in.mode64 ? 8 : 4))
		return gp_fault();
	if (auto f = x.epc(rcx, access, page))
		return f;
	if (x.conflict())
		return gp_fault();
	if (!page.page->valid)
		return x.denied(rcx);
	return {};
}

size_t debug_width(const Execution &x)
{
	return x.in.mode64 ? 8 : 4;
}

/// Fill @info for ERDINFO, or return the code that ERDINFO returns instead.
std::optional<Outcome> fill_rdinfo(Execution &x, const Epc &page, RdInfo &info)
{
	constexpr uint64_t status_child_present = 1u << 0;
	constexpr uint64_t flags_blocked = uint64_t{1} << 63;
	const PageLock guard(x.cpu, page);

	if (x.conflict())
		return Outcome::error(Code::PageConflict);

	const Page &p = *page.page;
	if (!p.valid)
		return Outcome::notice(Code::PageInvalid);
	info.flags = p.rights | uint64_t{static_cast<uint8_t>(p.type)} << secinfo_flag::type_shift;
	if (p.pending)
		info.flags |= secinfo_flag::pending;
	if (p.modified)
		info.flags |= secinfo_flag::modified;
	if (p.pr)
		info.flags |= secinfo_flag::pr;
	if (p.blocked)
		info.flags |= flags_blocked;
	if (p.enclave != nullptr) {
		info.enclavecontext = p.enclave->hidden.context;
		if (p.type == PageType::Secs && p.enclave->children() != 0)
			info.status |= status_child_present;
	}
	return {};
}

} // namespace

Outcome edbgrd(Execution &x)
{
	Epc page;

	if (auto f = debug_operand(x, SGX2_READ, page))
		return *f;

	const Page &p = *page.page;
	const uint64_t offset = page_offset(page.physical);
	uint64_t value = 0;

	if (p.type != PageType::Reg && p.type != PageType::Tcs && p.type != PageType::Va)
		return x.denied(x.rcx());
	if (!p.accepted())
		return Outcome::error(Code::PageNotDebuggable);
	if (p.type == PageType::Va) {
		// EDBGRD shows whether a VA slot is in use, but not the version in the slot.
		std::memcpy(&value, page.data + offset / sizeof(value) * sizeof(value), sizeof(value));
		value = value != 0 ? ~uint64_t{0} : 0;
		if (!x.in.mode64)
			value &= 0xffffffff;
	} else {
		if (p.type == PageType::Tcs && offset >= sizeof(Tcs))
			return gp_fault();
		if (!p.enclave->has(attribute::debug))
			return gp_fault();
		std::memcpy(&value, page.at(), debug_width(x));
	}
	x.out.gpr[SGX2_RBX] = value;
	return Outcome::success();
}

Outcome edbgwr(Execution &x)
{
	Epc page;

	if (auto f = debug_operand(x, SGX2_WRITE, page))
		return *f;

	const Page &p = *page.page;
	const uint64_t value = x.in.gpr[SGX2_RBX];

	if (p.type != PageType::Reg && p.type != PageType::Tcs)
		return x.denied(x.rcx());
	if (!p.accepted())
		return Outcome::error(Code::PageNotDebuggable);
	if (p.type == PageType::Tcs && page_offset(page.physical) / sizeof(uint64_t) != offsetof(Tcs, flags) / sizeof(uint64_t))
		return gp_fault();
	if (!p.enclave->has(attribute::debug))
		return gp_fault();
	std::memcpy(page.at(), &value, debug_width(x));
	x.cpu.epc_written(page, debug_width(x));
	return Outcome::success();
}

Outcome erdinfo(Execution &x)
{
	const uint64_t rcx = x.rcx();
	RdInfo info{};
	uint64_t physical = 0;

	if (!aligned(x.rbx(), sizeof(RdInfo)) || !aligned(rcx, page_size))
		return gp_fault();
	// A page outside of the EPC gives a code here and a #PF in all other leaves.
	if (auto f = x.translate(rcx, SGX2_READ, physical))
		return *f;
	const Epc page = x.m.find(physical);
	if (!page)
		return Outcome::notice(Code::PageNonEpc);
	if (auto refusal = fill_rdinfo(x, page, info))
		return *refusal;
	if (auto f = x.write(x.rbx(), &info, sizeof(info)))
		return *f;
	return Outcome::success();
}

Outcome eupdatesvn(Execution &x)
{
	if (x.m.inject.entropy())
		return Outcome::error(Code::InsufficientEntropy);
	if (x.m.valid_pages() != 0)
		return Outcome::error(Code::EpcNotReady);
	if (!x.m.keys.update_svn())
		return Outcome::error(Code::NoUpdate);
	return Outcome::success();
}

} // namespace sgx2
