// SPDX-License-Identifier: GPL-2.0
// Rows on EWB, ELDB and ELDU; the numbers are those of the checks in Documentation/isa.rst 6.

#include "tables.h"

#include <cstring>

namespace isa {

namespace {

using namespace expect;
using enum At;

// -------------------------------------------------------------------- EWB

void prepare_ewb(TestBench &r)
{
	r.e.build();
	r.e.block(DATA);
	r.e.track();
	r.rdx = r.k.linear(r.va()) + 8;
	r.pageinfo(0, r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), 0);
	r.set_page(r.e.page(DATA));
}

/// Evict another page than DATA, blocked and tracked.
void evicting(TestBench &r, u64 offset)
{
	r.e.block(offset);
	r.e.track();
	r.set_page(r.e.page(offset));
}

/// Check the output of EWB in PCMD and in PAGEINFO.
void check_output(TestBench &r, u64 secinfo, u64 linear)
{
	static const u8 zero[56] = {};
	r.check(r.s.pcmd.secinfo.flags == secinfo, "PCMD.SECINFO is " + std::to_string(r.s.pcmd.secinfo.flags));
	r.check(r.s.pageinfo.linaddr == linear, "PAGEINFO.LINADDR is not the address of the page");
	r.check(!std::memcmp(r.s.pcmd.secinfo.reserved, zero, 56) && !std::memcmp(r.s.pcmd.reserved, zero, 40), "reserved not 0");
	if (r.monitor && linear)
		r.check(r.s.pcmd.enclave_id == r.monitor->entry(r.e.secs()).enclave, "PCMD.ENCLAVEID is not the id of the owner");
}

// clang-format off
const Row ewb[] = {
	{"1 RBX misaligned, half of 32", GP, ROW(r.rbx += 16)},
	{"1 RBX not mapped", NP_W(rbx), ROW(r.rbx = r.k.unmapped())},
	{"1 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 RDX misaligned by 4", GP, ROW(r.rdx += 4)},
	{"4 RDX not EPC", PF(rdx), ROW(r.rdx = r.ordinary())},
	{"4 RDX not mapped", NP_W(rdx), ROW(r.rdx = r.k.unmapped())},
	{"5 the VA page into itself", GP, ROW(const u64 va = r.va(); r.set_page(va); r.rdx = r.k.linear(va) + 16)},
	{"6 LINADDR not 0", GP, ROW(r.s.pageinfo.linaddr = r.e.at(DATA))},
	{"6 SECS not 0", GP, ROW(r.s.pageinfo.secs = r.e.secs_linear())},
	{"7 PCMD misaligned, half of 128", GP, ROW(r.s.pageinfo.secinfo += 64)},
	{"7 SRCPGE misaligned by 8", GP, ROW(r.s.pageinfo.srcpge += 8)},
	{"7 PCMD not mapped", NP_W(secinfo), ROW(r.s.pageinfo.secinfo = r.k.unmapped())},
	{"7 SRCPGE not mapped", NP_W(source), ROW(r.s.pageinfo.srcpge = r.k.unmapped())},
	{"8 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"9 page is invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"10 VA page invalid", PF(rdx), ROW(r.rdx = r.fresh() + 8)},
	{"10 VA page is REG", PF(rdx), ROW(r.rdx = r.e.linear(PARAM) + 8)},
	{"11 not blocked", E(10), ROW(r.set_page(r.e.page(PARAM)))},
	{"11 blocked since the last ETRACK", E(11), ROW(r.e.block(PARAM); r.set_page(r.e.page(PARAM)))},
	{"11 SECS with children", E(13), ROW(r.set_page(r.e.secs()))},
	{"14 slot in use", I(12), ROW(const u64 va = r.va(); r.evict(PARAM, va); r.s.pageinfo.linaddr = 0;
				      r.rdx = r.k.linear(va)), "invalid"},
	{"15 REG", OK, ROW(), "invalid",
	 ROW(check_output(r, PT_REG | R | W, r.e.at(DATA)); static const u8 zero[page_size] = {};
	     r.check(std::memcmp(r.s.evicted, zero, page_size) != 0, "the page was evicted without encryption"))},
	{"15 TCS", OK, ROW(evicting(r, TCS_B)), "invalid", ROW(check_output(r, PT_TCS, r.e.at(TCS_B)))},
	{"15 PENDING", OK, ROW(r.e.aug(FREE); evicting(r, FREE); r.pageinfo(0, r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), 0)),
	 "invalid", ROW(check_output(r, PT_REG | R | W | PENDING, r.e.at(FREE)))},
	{"15 PR", OK, ROW(r.e.restrict(PARAM, R); evicting(r, PARAM)), "invalid", ROW(check_output(r, PT_REG | R | PR, r.e.at(PARAM)))},
	{"15 TRIM, not accepted", OK, ROW(r.e.retype(PARAM, PT_TRIM); evicting(r, PARAM)), "invalid",
	 ROW(check_output(r, PT_TRIM | MODIFIED, r.e.at(PARAM)))},
	{"15 VA, neither blocked nor tracked", OK, ROW(r.set_page(r.va())), "invalid", ROW(check_output(r, PT_VA, 0))},
	{"15 SECS without children", OK, ROW(r.other.create(); r.clear_shared(); r.pageinfo(0, r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), 0);
					     r.set_page(r.other.secs())), "invalid", ROW(check_output(r, PT_SECS, 0))},
};
// clang-format on

// ----------------------------------------------------------- ELDB and ELDU

constexpr u64 contents = 0x1122334455667788;

/// DATA has been evicted; RCX is a free page to load it to.
void prepare_eld(TestBench &r)
{
	r.e.build();
	r.e.poke(DATA, contents);
	const u64 va = r.va();
	r.evict(DATA, va, 1);
	r.pageinfo(r.e.at(DATA), r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), r.e.secs_linear());
	r.rdx = r.k.linear(va) + 8;
	r.set_page(r.page());
}

/// Evict another page of the enclave in its present state and prepare to load it.
void reloading(TestBench &r, u64 offset)
{
	const u64 va = r.va();
	r.evict(offset, va, 1);
	r.pageinfo(r.e.at(offset), r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), r.e.secs_linear());
	r.rdx = r.k.linear(va) + 8;
}

/// Evict a page that needs no EBLOCK (a VA page, or a SECS without children) and prepare to load
/// it.
void reloading_unblocked(TestBench &r, u64 page)
{
	const u64 va = r.va();
	r.clear_shared();
	r.pageinfo(0, r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), 0);
	r.rdx = r.k.linear(va) + 8;
	require("EWB", r.k.encls(EWB, r.rbx, r.k.linear(page), r.rdx));
	r.s.pageinfo.linaddr = 0;
}

/// Keeps an evicted page and its operands while the row uses shared memory.
class SavedOperands {
public:
	explicit SavedOperands(const TestBench &r) : pageinfo_(r.s.pageinfo), pcmd_(r.s.pcmd)
	{
		std::memcpy(page_, r.s.evicted, page_size);
	}

	void back(TestBench &r) const
	{
		r.s.pageinfo = pageinfo_;
		r.s.pcmd = pcmd_;
		std::memcpy(r.s.evicted, page_, page_size);
	}

private:
	PageInfo pageinfo_;
	Pcmd pcmd_;
	u8 page_[page_size];
};

void slot_empty(TestBench &r)
{
	r.check(r.k.encls(EDBGRD, 0, r.rdx).regs.rbx == 0, "slot not empty");
	r.check(r.k.encls(EDBGRD, 0, r.rcx).regs.rbx == contents, "contents differ");
}

// clang-format off
const Row eld[] = {
	{"1 RBX misaligned, half of 32", GP, ROW(r.rbx += 16)},
	{"1 RBX not mapped", NP_R(rbx), ROW(r.rbx = r.k.unmapped())},
	{"1 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 RDX misaligned by 4", GP, ROW(r.rdx += 4)},
	{"4 RDX not EPC", PF(rdx), ROW(r.rdx = r.ordinary())},
	{"4 RDX not mapped", NP_W(rdx), ROW(r.rdx = r.k.unmapped())},
	{"5 PCMD misaligned, half of 128", GP, ROW(r.s.pageinfo.secinfo += 64)},
	{"5 SRCPGE misaligned by 8", GP, ROW(r.s.pageinfo.srcpge += 8)},
	{"5 PCMD not mapped", NP_R(secinfo), ROW(r.s.pageinfo.secinfo = r.k.unmapped())},
	{"5 SRCPGE not mapped", NP_R(source), ROW(r.s.pageinfo.srcpge = r.k.unmapped())},
	{"6 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"7 page is REG", PF(rcx), ROW(r.set_page(r.e.page(PARAM)))},
	{"8 VA page invalid", PF(rdx), ROW(r.rdx = r.fresh() + 8)},
	{"8 VA page is REG", PF(rdx), ROW(r.rdx = r.e.linear(PARAM) + 8)},
	{"9 SECS misaligned by 8", GP, ROW(r.s.pageinfo.secs += 8)},
	{"9 SECS not EPC", PF(secs), ROW(r.s.pageinfo.secs = r.ordinary())},
	{"9 SECS invalid", PF(secs), ROW(r.s.pageinfo.secs = r.fresh())},
	{"9 SECS a VA", PF(secs), ROW(r.s.pageinfo.secs = r.k.linear(r.va()))},
	{"9 SECS not 0 for a VA", GP, ROW(reloading_unblocked(r, r.va()); r.s.pageinfo.secs = r.e.secs_linear())},
	{"9 SECS not 0 for a SECS", GP,
	 ROW(r.other.create(); reloading_unblocked(r, r.other.secs()); r.s.pageinfo.secs = r.e.secs_linear())},
	{"10 a byte of the page", E(9), ROW(r.s.evicted[4095] ^= 1)},
	{"10 PCMD.MAC", E(9), ROW(r.s.pcmd.mac[0] ^= 1)},
	{"10 PCMD.SECINFO: X added", E(9), ROW(r.s.pcmd.secinfo.flags |= X)},
	{"10 PCMD.SECINFO: PENDING", E(9), ROW(r.s.pcmd.secinfo.flags |= PENDING)},
	{"10 PCMD.SECINFO: TCS", E(9), ROW(r.s.pcmd.secinfo.flags = PT_TCS)},
	{"10 PCMD byte 72", E(9), ROW(r.s.pcmd.reserved[0] = 1)},
	{"10 LINADDR", E(9), ROW(r.s.pageinfo.linaddr += page_size)},
	{"10 SECS of another enclave", E(9),
	 ROW(const SavedOperands kept(r); r.other.create(); kept.back(r); r.s.pageinfo.secs = r.other.secs_linear())},
	{"10 empty slot", E(9), ROW(r.rdx += 8)},
	{"10 slot of another page", E(9),
	 ROW(const SavedOperands kept(r); const u64 va = r.va(); r.evict(PARAM, va); kept.back(r); r.rdx = r.k.linear(va))},
	{"10 slot already used", E(9), ROW(require("ELDU", r.k.encls(ELDU, r.rbx, r.fresh(), r.rdx)))},
};
// clang-format on

// clang-format off
const Row eldu[] = {
	{"12 REG", OK, ROW(), "REG rw-", ROW(slot_empty(r))},
	{"12 ENCLAVEID in PCMD is ignored", OK, ROW(r.s.pcmd.enclave_id ^= 1), "REG rw-", ROW(slot_empty(r))},
	{"12 TCS", OK, ROW(reloading(r, TCS_B)), "TCS ---"},
	{"12 PENDING", OK, ROW(r.e.aug(FREE); reloading(r, FREE)), "REG rw- PENDING"},
	{"12 PR", OK, ROW(r.e.restrict(PARAM, R); reloading(r, PARAM)), "REG r-- PR"},
	{"12 TRIM, not accepted", OK, ROW(r.e.retype(PARAM, PT_TRIM); reloading(r, PARAM)), "TRIM --- MODIFIED"},
	{"12 VA", OK, ROW(reloading_unblocked(r, r.va())), "VA ---"},
	{"12 VA that holds a version, and then the page of that version", OK,
	 ROW(const u64 slot = r.rdx; const SavedOperands kept(r);
	     reloading_unblocked(r, (slot - r.k.linear(0)) / page_size);
	     require("ELDU", r.k.encls(ELDU, r.rbx, slot & ~(page_size - 1), r.rdx));
	     kept.back(r); r.rdx = slot), "REG rw-",
	 ROW(slot_empty(r))},
	{"12 SECS", OK, ROW(r.other.create(); reloading_unblocked(r, r.other.secs())), "SECS ---",
	 ROW(r.s.secinfo.flags = PT_REG | R; r.pageinfo(r.other.at(FREE), r.k.at(r.s.source), r.k.at(&r.s.secinfo), r.rcx);
	     const Result g = r.k.encls(EADD, r.rbx, r.fresh()); r.check(!g.faulted(), "EADD to it: " + g.text()))},
};
// clang-format on

// clang-format off
const Row eldb[] = {
	{"12 REG", OK, ROW(), "REG rw- BLOCKED", ROW(slot_empty(r))},
	{"12 TCS", OK, ROW(reloading(r, TCS_B)), "TCS --- BLOCKED"},
	{"12 VA is not blocked", OK, ROW(reloading_unblocked(r, r.va())), "VA ---"},
	{"12 SECS is not blocked", OK, ROW(r.other.create(); reloading_unblocked(r, r.other.secs())), "SECS ---"},
	{"12 REG, evicted again without EBLOCK or ETRACK", OK, ROW(), "REG rw- BLOCKED",
	 ROW(r.pageinfo(0, r.k.at(r.s.spare), r.k.at(&r.s.pcmd), 0); const Result g = r.k.encls(EWB, r.rbx, r.rcx, r.rdx);
	     r.check(!g.faulted() && g.regs.rax == 0, "EWB: " + g.text()))},
};
// clang-format on

const Group groups[] = {
	{"EWB", EWB, Place::kernel, prepare_ewb, ewb},	  {"ELDU", ELDU, Place::kernel, prepare_eld, eld},
	{"ELDU", ELDU, Place::kernel, prepare_eld, eldu}, {"ELDB", ELDB, Place::kernel, prepare_eld, eld},
	{"ELDB", ELDB, Place::kernel, prepare_eld, eldb},
};

} // namespace

std::span<const Group> paging_groups()
{
	return groups;
}

} // namespace isa
