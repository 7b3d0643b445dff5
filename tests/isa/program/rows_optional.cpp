// SPDX-License-Identifier: GPL-2.0
// Rows on leaves that few processors support: ETRACKC, ERDINFO, ELDBC, ELDUC and EUPDATESVN
// (Documentation/isa.rst 6 and 18).

#include <cstring>

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;
using enum At;

void needs(u32 bit, const char *what)
{
	if (!(cpuid_sgx() & bit))
		throw Skip{std::string("no ") + what};
}

// ---------------------------------------------------------------- ETRACKC

void prepare_etrackc(TestBench &r)
{
	needs(CPUID_ENCLS_C, "ENCLS_C");
	r.e.build();
	r.set_page(r.e.page(DATA));
}

// clang-format off
const Row etrackc[] = {
	{"RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"conflict", E(7), ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"page is invalid", E(6), ROW(r.set_page(r.page()))},
	{"VA", I(27), ROW(r.set_page(r.va())), "VA ---"},
	{"REG", OK, ROW(), "REG rw-"},
	{"SECS", OK, ROW(r.set_page(r.e.secs())), "SECS ---"},
};
// clang-format on

// ---------------------------------------------------------------- ERDINFO

struct RdInfo {
	u64 status, flags, context, reserved;
};

void prepare_erdinfo(TestBench &r)
{
	prepare_etrackc(r);
	r.rbx = r.k.at(r.s.rdinfo);
}

void check_output(TestBench &r, u64 status, u64 flags)
{
	RdInfo info;
	std::memcpy(&info, r.s.rdinfo, sizeof(info));
	r.check(info.status == status, "STATUS is " + std::to_string(info.status));
	r.check(info.flags == flags, "FLAGS are " + std::to_string(info.flags));
}

void context(TestBench &r)
{
	RdInfo info;
	std::memcpy(&info, r.s.rdinfo, sizeof(info));
	r.check(info.context == r.k.phys(r.e.secs()), "ENCLAVECONTEXT is not the physical address of the SECS");
}

// clang-format off
const Row erdinfo[] = {
	{"RBX misaligned, half of 32", GP, ROW(r.rbx += 16)},
	{"RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"RCX not EPC", I(26), ROW(r.rcx = r.ordinary())},
	{"conflict", E(7), ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"page is invalid", I(6), ROW(r.set_page(r.page()))},
	{"REG", OK, ROW(), "REG rw-", ROW(check_output(r, 0, PT_REG | R | W); context(r))},
	{"PENDING", OK, ROW(r.set_page(r.e.aug(FREE))), nullptr, ROW(check_output(r, 0, PT_REG | R | W | PENDING))},
	{"SECS with children", OK, ROW(r.set_page(r.e.secs())), nullptr, ROW(check_output(r, 1, PT_SECS); context(r))},
};
// clang-format on

// --------------------------------------------------------- ELDBC and ELDUC

void prepare_eldc(TestBench &r)
{
	needs(CPUID_ENCLS_C, "ENCLS_C");
	r.e.build();
	const u64 va = r.va();
	r.evict(DATA, va);
	r.pageinfo(r.e.at(DATA), r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), r.e.secs_linear());
	r.rdx = r.k.linear(va);
	r.set_page(r.page());
}

// clang-format off
const Row elduc[] = {
	{"conflict: E and not GP", E(7), ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"a byte of the page", E(9), ROW(r.s.evicted[0] ^= 1)},
	{"REG", OK, ROW(), "REG rw-"},
};

const Row eldbc[] = {
	{"conflict: E and not GP", E(7), ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"REG", OK, ROW(), "REG rw- BLOCKED"},
};
// clang-format on

// ------------------------------------------------------------- EUPDATESVN

void prepare_eupdatesvn(TestBench &r)
{
	(void)r;
	needs(CPUID_EUPDATESVN, "EUPDATESVN");
}

/// Accept that there is an update or that there is none.
void updates(TestBench &r)
{
	const Result result = r.k.encls(EUPDATESVN, 0, 0);
	const Result again = r.k.encls(EUPDATESVN, 0, 0);
	r.check(!result.faulted() && (result.regs.rax == 0 || result.regs.rax == 31), result.text());
	r.check(!again.faulted() && again.regs.rax == 31, "the second time: " + again.text());
}

// clang-format off
const Row eupdatesvn[] = {
	{"not enough entropy", E(29), ROW(r.inject(SGX2_DEV_INJ_ENTROPY))},
	{"a page is in use", E(30), ROW(r.va())},
};

const Row eupdatesvn_free[] = {
	{"returns 0 or 31 (no update), then 31", OK, updates},
};

const Group groups[] = {
	{"ETRACKC", ETRACKC, Place::kernel, prepare_etrackc, etrackc},
	{"ERDINFO", ERDINFO, Place::kernel, prepare_erdinfo, erdinfo},
	{"ELDUC", ELDUC, Place::kernel, prepare_eldc, elduc},
	{"ELDBC", ELDBC, Place::kernel, prepare_eldc, eldbc},
	{"EUPDATESVN", EUPDATESVN, Place::kernel, prepare_eupdatesvn, eupdatesvn},
	{"EUPDATESVN", EUPDATESVN, Place::none, prepare_eupdatesvn, eupdatesvn_free},
};
// clang-format on

} // namespace

std::span<const Group> optional_groups()
{
	return groups;
}

} // namespace isa
