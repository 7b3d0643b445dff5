// SPDX-License-Identifier: GPL-2.0
// Rows on EREMOVE, EBLOCK, EPA, ETRACK, EDBGRD and EDBGWR; the numbers are those of the checks in
// Documentation/isa.rst 6.

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;
using enum At;

/// Use a page of an initialized enclave.
void at_data(TestBench &r)
{
	r.e.build();
	r.set_page(r.e.page(DATA));
}

/// Use a page of EAUG; a page after EMODT to TCS; after EMODT to TRIM; an accepted TRIM page.
void at_pending(TestBench &r)
{
	r.set_page(r.e.aug(FREE));
}

void at_modified_tcs(TestBench &r)
{
	r.e.retype(DATA, PT_TCS);
}

void at_modified_trim(TestBench &r)
{
	r.e.retype(DATA, PT_TRIM);
}

void at_accepted_trim(TestBench &r)
{
	trimmed(r, DATA);
}

// ---------------------------------------------------------------- EREMOVE

// clang-format off
const Row eremove[] = {
	{"1 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"4 page is invalid", OK, ROW(r.set_page(r.page())), "invalid"},
	{"4 page was removed before", OK, ROW(require("EREMOVE", r.k.encls(EREMOVE, 0, r.rcx))), "invalid"},
	{"5 VA", OK, ROW(r.set_page(r.va())), "invalid"},
	{"5 TRIM, accepted", OK, ROW(at_accepted_trim(r)), "invalid"},
	{"6 SECS with children", E(13), ROW(r.set_page(r.e.secs())), "SECS ---"},
	{"6 SECS without children", OK, ROW(r.other.create(); r.set_page(r.other.secs())), "invalid"},
	{"6 SECS, after its last child", OK,
	 ROW(r.other.create(); const u64 p = r.other.add(FREE, PT_REG | R); require("EREMOVE", r.k.encls(EREMOVE, 0, r.k.linear(p)));
	     r.set_page(r.other.secs())), "invalid"},
	{"7 REG", OK, ROW(), "invalid"},
	{"7 TCS", OK, ROW(r.set_page(r.e.page(TCS_B))), "invalid"},
	{"7 TRIM, not accepted", OK, ROW(at_modified_trim(r)), "invalid"},
	{"7 PENDING", OK, ROW(at_pending(r)), "invalid"},
	{"7 BLOCKED", OK, ROW(r.e.block(DATA)), "invalid"},
	{"7 before EINIT", OK, ROW(r.other.create(); r.set_page(r.other.add(FREE, PT_REG | R))), "invalid"},
};
// clang-format on

// ----------------------------------------------------------------- EBLOCK

// clang-format off
const Row eblock[] = {
	{"1 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"4 conflict", E(7), ROW(r.inject(SGX2_DEV_INJ_EBLOCK))},
	{"5 page is invalid", E(6), ROW(r.set_page(r.page()))},
	{"6 SECS", I(18), ROW(r.set_page(r.e.secs())), "SECS ---"},
	{"6 VA", I(5), ROW(r.set_page(r.va())), "VA ---"},
	{"7 BLOCKED already", I(3), ROW(r.e.block(DATA)), "REG rw- BLOCKED"},
	{"7 REG", OK, ROW(), "REG rw- BLOCKED"},
	{"7 TCS", OK, ROW(r.set_page(r.e.page(TCS_A))), "TCS --- BLOCKED"},
	{"7 TRIM", OK, ROW(at_accepted_trim(r)), "TRIM --- BLOCKED"},
	{"7 PENDING", OK, ROW(at_pending(r)), "REG rw- BLOCKED PENDING"},
	{"7 MODIFIED", OK, ROW(at_modified_tcs(r)), "TCS --- BLOCKED MODIFIED"},
	{"7 PR", OK, ROW(r.e.restrict(DATA, R)), "REG r-- BLOCKED PR"},
	{"7 before EINIT", OK, ROW(r.other.create(); r.set_page(r.other.add(FREE, PT_REG | R))), "REG r-- BLOCKED"},
};
// clang-format on

// -------------------------------------------------------------------- EPA

void prepare_epa(TestBench &r)
{
	r.rbx = PT_VA >> 8;
	r.set_page(r.page());
}

// clang-format off
const Row epa[] = {
	{"1 RBX 0", GP, ROW(r.rbx = 0)},
	{"1 RBX 2", GP, ROW(r.rbx = 2)},
	{"1 RBX with a bit above", GP, ROW(r.rbx |= 1ULL << 32)},
	{"1 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"4 page is a VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"4 page is a REG page", PF(rcx), ROW(r.e.create(); r.set_page(r.e.add(FREE, PT_REG | R)))},
	{"5 valid operands", OK, ROW(), "VA ---",
	 ROW(for (const u64 at : {0, 2048, 4088}) r.check(r.k.encls(EDBGRD, 0, r.rcx + at).regs.rbx == 0, "slot not empty"))},
	{"5 valid operands, page had contents", OK,
	 ROW(r.e.create(); r.set_page(r.e.add(FREE, PT_REG | R, enclave_code)); r.e.remove(FREE)), "VA ---",
	 ROW(r.check(r.k.encls(EDBGRD, 0, r.rcx).regs.rbx == 0, "slot not empty"))},
};
// clang-format on

// ----------------------------------------------------------------- ETRACK

void prepare_etrack(TestBench &r)
{
	r.e.build();
	r.set_page(r.e.secs());
}

// clang-format off
const Row etrack[] = {
	{"1 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"4 page is invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"4 page is REG", PF(rcx), ROW(r.set_page(r.e.page(DATA)))},
	{"4 page is a VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"6 valid operands", OK, ROW(), "SECS ---"},
	{"6 valid operands, second ETRACK with no thread inside", OK, ROW(r.e.track()), "SECS ---"},
	{"6 valid operands, before EINIT", OK, ROW(r.other.create(); r.set_page(r.other.secs())), "SECS ---"},
};
// clang-format on

// ------------------------------------------------------- EDBGRD and EDBGWR

void prepare_debug(TestBench &r)
{
	at_data(r);
	r.rcx += 0x10;
	r.rbx = 0x0123456789abcdef;
}

/// Check the output of EDBGRD in RBX.
void check_rbx(TestBench &r, u64 value)
{
	r.check(r.result.regs.rbx == value, "RBX is not the contents");
}

void no_debug(TestBench &r)
{
	r.e.remove_all();
	r.e.attributes = ATTR_MODE64;
	r.e.build();
	r.set_page(r.e.page(DATA));
}

// clang-format off
const Row edbgrd[] = {
	{"1 RCX misaligned by 4", GP, ROW(r.rcx += 4)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_R(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"4 page is invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"4 page is invalid, address in its middle", PF(rcx), ROW(r.set_page(r.page()); r.rcx += 0x7f8)},
	{"5 SECS", PF(rcx), ROW(r.set_page(r.e.secs()))},
	{"5 TRIM", PF(rcx), ROW(at_accepted_trim(r))},
	{"6 PENDING", E(21), ROW(at_pending(r))},
	{"6 MODIFIED", E(21), ROW(at_modified_tcs(r))},
	{"7 TCS, offset 72", GP, ROW(r.set_page(r.e.page(TCS_A)); r.rcx += 72)},
	{"7 TCS, offset 4088", GP, ROW(r.set_page(r.e.page(TCS_A)); r.rcx += 4088)},
	{"8 enclave without DEBUG, REG", GP, ROW(no_debug(r))},
	{"8 enclave without DEBUG, TCS", GP, ROW(no_debug(r); r.set_page(r.e.page(TCS_A)))},
	{"9 REG", OK, ROW(r.e.poke(DATA + 0x10, 0x55)), "REG rw-", ROW(check_rbx(r, 0x55))},
	{"9 code", OK, ROW(r.set_page(r.e.page(CODE))), "REG r-x", ROW(check_rbx(r, *reinterpret_cast<const u64 *>(enclave_code)))},
	{"9 TCS, OSSA", OK, ROW(r.set_page(r.e.page(TCS_A)); r.rcx += 16), "TCS ---", ROW(check_rbx(r, SSA_A))},
	{"9 TCS, limits, offset 64", OK, ROW(r.set_page(r.e.page(TCS_A)); r.rcx += 64), "TCS ---", ROW(check_rbx(r, ~0ULL))},
	{"9 BLOCKED", OK, ROW(r.e.poke(DATA + 0x10, 0x56); r.e.block(DATA)), "REG rw- BLOCKED", ROW(check_rbx(r, 0x56))},
	{"9 page without rights", OK,
	 ROW(r.e.poke(DATA + 0x10, 0x57); r.e.restrict(DATA, 0)), "REG --- PR", ROW(check_rbx(r, 0x57))},
	{"9 VA, empty slot", OK, ROW(r.set_page(r.va())), "VA ---", ROW(check_rbx(r, 0))},
	{"9 VA, slot in use", OK, ROW(const u64 va = r.va(); r.evict(DATA, va); r.set_page(va)), "VA ---", ROW(check_rbx(r, ~0ULL))},
	{"9 before EINIT", OK, ROW(r.other.create(); r.set_page(r.other.add(FREE, PT_REG | R))), "REG r--", ROW(check_rbx(r, 0))},
};
// clang-format on

// clang-format off
const Row edbgwr[] = {
	{"1 RCX misaligned by 4", GP, ROW(r.rcx += 4)},
	{"2 RCX not EPC", PF(rcx), ROW(r.rcx = r.ordinary())},
	{"2 RCX not mapped", NP_W(rcx), ROW(r.rcx = r.k.unmapped())},
	{"3 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_GP))},
	{"4 page is invalid", PF(rcx), ROW(r.set_page(r.page()))},
	{"5 SECS", PF(rcx), ROW(r.set_page(r.e.secs()))},
	{"5 VA", PF(rcx), ROW(r.set_page(r.va()))},
	{"5 TRIM", PF(rcx), ROW(at_accepted_trim(r))},
	{"6 PENDING", E(21), ROW(at_pending(r))},
	{"6 MODIFIED", E(21), ROW(at_modified_tcs(r))},
	{"7 TCS, STATE, offset 0", GP, ROW(r.set_page(r.e.page(TCS_A)))},
	{"7 TCS, OSSA, offset 16", GP, ROW(r.set_page(r.e.page(TCS_A)); r.rcx += 16)},
	{"7 TCS, offset 72", GP, ROW(r.set_page(r.e.page(TCS_A)); r.rcx += 72)},
	{"8 enclave without DEBUG", GP, ROW(no_debug(r))},
	{"9 REG", OK, ROW(), "REG rw-", ROW(r.check(r.e.peek(DATA + 0x10) == r.rbx, "not written"))},
	{"9 code, not writable by the EPCM", OK, ROW(r.set_page(r.e.page(CODE)); r.rcx += 0xff8), "REG r-x",
	 ROW(r.check(r.e.peek(CODE + 0xff8) == r.rbx, "not written"))},
	{"9 TCS.FLAGS", OK, ROW(r.set_page(r.e.page(TCS_A)); r.rcx += 8; r.rbx = TCS_DBGOPTIN), "TCS ---",
	 ROW(r.check(r.e.peek(TCS_A + offsetof(Tcs, flags)) == TCS_DBGOPTIN, "not written"))},
	{"9 BLOCKED", OK, ROW(r.e.block(DATA)), "REG rw- BLOCKED", ROW(r.check(r.e.peek(DATA + 0x10) == r.rbx, "not written"))},
};
// clang-format on

const Group groups[] = {
	{"EREMOVE", EREMOVE, Place::kernel, at_data, eremove},
	{"EBLOCK", EBLOCK, Place::kernel, at_data, eblock},
	{"EPA", EPA, Place::kernel, prepare_epa, epa},
	{"ETRACK", ETRACK, Place::kernel, prepare_etrack, etrack},
	{"EDBGRD", EDBGRD, Place::kernel, prepare_debug, edbgrd},
	{"EDBGWR", EDBGWR, Place::kernel, prepare_debug, edbgwr},
};

} // namespace

std::span<const Group> page_groups()
{
	return groups;
}

} // namespace isa
