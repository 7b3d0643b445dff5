// SPDX-License-Identifier: GPL-2.0
// Rows on EACCEPT, EMODPE, EACCEPTCOPY and EDECCSSA; the numbers are those of the checks in
// Documentation/isa.rst 7.

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;
using enum At;

/*
 * Conflicts are injected into the leaf only, because the EENTER before it would meet a general one
 * first.
 *
 * SECINFO lies in the page PARAM. The functions below make that page or its contents invalid, in
 * the same way for the three leaves.
 */
void secinfo_in(TestBench &r, u64 offset)
{
	r.rbx = r.e.at(offset);
}

void at_pending(TestBench &r)
{
	r.e.build();
	r.e.aug(FREE);
	write_secinfo(r, PT_REG | R | W | PENDING);
	r.rbx = r.e.at(PARAM);
	r.rcx = r.e.at(FREE);
	r.target = r.e.page(FREE);
}

/// Make the page at offset the operand and the target of the row.
void set_operand(TestBench &r, u64 offset, u64 flags)
{
	write_secinfo(r, flags);
	r.rcx = r.e.at(offset);
	r.target = r.e.page(offset);
}

void byte_of_secinfo(TestBench &r, u64 offset)
{
	r.e.poke(PARAM + offset, 1);
}

/// Change DATA to a TCS with `value` at offset `at` in it, and track it.
void to_tcs(TestBench &r, u64 at, u64 value)
{
	// Without the change it is a valid TCS, with a frame of SSA_A and the entry point at offset
	// 0.
	r.e.poke(DATA + offsetof(Tcs, ossa), SSA_A);
	r.e.poke(DATA + offsetof(Tcs, cssa), 2ULL << 32);
	r.e.poke(DATA + at, value);
	r.e.retype(DATA, PT_TCS);
	r.e.track();
	set_operand(r, DATA, PT_TCS | MODIFIED);
}

/// Change a page of zeros, as EAUG adds it, to a TCS, and track it. EACCEPT accepts it unless the
/// machine is strict.
void zeros_to_tcs(TestBench &r, bool strict)
{
	if (r.monitor && strict != strict_tcs)
		throw Skip{strict ? "the machine accepts a TCS of zeros" : "the machine rejects a TCS of zeros"};
	r.e.retype(DATA, PT_TCS);
	r.e.track();
	set_operand(r, DATA, PT_TCS | MODIFIED);
}

void map_page_of_other(TestBench &r, u64 offset)
{
	r.other.build();
	r.other.aug(FREE);
	r.e.map_page(offset, r.other.page(FREE));
}

// ---------------------------------------------------------------- EACCEPT

// clang-format off
const Row eaccept[] = {
	{"1 RBX misaligned, half of 64", GP, ROW(r.rbx += 32)},
	{"2 RBX outside ELRANGE", GP, ROW(r.rbx = ordinary_user())},
	{"2 RBX at the end of ELRANGE", GP, ROW(r.rbx = r.e.base + r.e.size)},
	{"3 RBX not mapped", NP_R(rbx), ROW(r.e.unmap_page(PARAM))},
	{"3 RBX not EPC", PF(rbx), ROW(map_ordinary(r, PARAM))},
	{"3 RBX invalid", PF(rbx), ROW(removed(r, PARAM))},
	{"3 RBX BLOCKED", PF(rbx), ROW(r.e.block(PARAM))},
	{"3 RBX PENDING", PF(rbx), ROW(secinfo_in(r, FREE))},
	{"3 RBX MODIFIED", PF(rbx), ROW(r.e.retype(PARAM, PT_TRIM))},
	{"3 RBX is a TCS", PF(rbx), ROW(secinfo_in(r, TCS_B))},
	{"3 RBX not readable", PF(rbx), ROW(r.e.restrict(PARAM, 0))},
	{"3 RBX is another page of the enclave", PF(rbx), ROW(r.e.map_page(PARAM, r.e.page(DATA)))},
	{"3 RBX is a page of another enclave", PF(rbx), ROW(r.other.build(); r.e.map_page(PARAM, r.other.page(PARAM)))},
	{"4 SECINFO bit 6", GP, ROW(write_secinfo(r, PT_REG | R | W | PENDING | 1 << 6))},
	{"4 SECINFO bit 16", GP, ROW(write_secinfo(r, PT_REG | R | W | PENDING | 1 << 16))},
	{"4 SECINFO byte 8", GP, ROW(byte_of_secinfo(r, 8))},
	{"4 SECINFO byte 56", GP, ROW(byte_of_secinfo(r, 56))},
	{"5 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"6 RCX outside ELRANGE", GP, ROW(r.rcx = ordinary_user())},
	{"6 RCX one page below ELRANGE", GP, ROW(r.rcx = r.e.base - page_size)},
	{"7 RCX not mapped", NP_R(rcx), ROW(r.e.unmap_page(FREE))},
	{"7 RCX not EPC", PF(rcx), ROW(map_ordinary(r, FREE))},
	{"8 REG, neither PENDING nor PR", GP, ROW(write_secinfo(r, PT_REG | R | W))},
	{"8 REG, MODIFIED", GP, ROW(write_secinfo(r, PT_REG | R | W | MODIFIED))},
	{"8 REG, PENDING and MODIFIED", GP, ROW(write_secinfo(r, PT_REG | R | W | PENDING | MODIFIED))},
	{"8 TCS, not MODIFIED", GP, ROW(write_secinfo(r, PT_TCS | PENDING))},
	{"8 TCS, PENDING and MODIFIED", GP, ROW(write_secinfo(r, PT_TCS | PENDING | MODIFIED))},
	{"8 TRIM, PR and MODIFIED", GP, ROW(write_secinfo(r, PT_TRIM | PR | MODIFIED))},
	{"8 TRIM, PR", GP, ROW(write_secinfo(r, PT_TRIM | PR))},
	{"8 SECS", GP, ROW(write_secinfo(r, PT_SECS | MODIFIED))},
	{"8 VA", GP, ROW(write_secinfo(r, PT_VA | MODIFIED))},
	{"8 before 9: page invalid", GP, ROW(write_secinfo(r, PT_REG | R | W); removed(r, FREE))},
	{"9 page invalid", PF(rcx), ROW(removed(r, FREE))},
	{"9 BLOCKED", PF(rcx), ROW(r.e.block(FREE))},
	{"9 SECS", PF(rcx), ROW(r.e.map_page(FREE, r.e.secs()))},
	{"9 VA", PF(rcx), ROW(r.e.map_page(FREE, r.va()))},
	{"9 page of another enclave", PF(rcx), ROW(map_page_of_other(r, FREE))},
	{"10 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_ENCLU(EACCEPT)))},
	{"12 page mapped at another address", E(19),
	 ROW(r.e.map_page(FREE + page_size, r.e.page(FREE)); r.rcx = r.e.at(FREE + page_size))},
	{"12 R differs", E(19), ROW(write_secinfo(r, PT_REG | W | PENDING))},
	{"12 W differs", E(19), ROW(write_secinfo(r, PT_REG | R | PENDING))},
	{"12 X differs", E(19), ROW(write_secinfo(r, PT_REG | R | W | X | PENDING))},
	{"12 PENDING, the page is not", E(19), ROW(set_operand(r, DATA, PT_REG | R | W | PENDING))},
	{"12 not PENDING, the page is", E(19), ROW(write_secinfo(r, PT_REG | R | W | PR))},
	{"12 MODIFIED, the page is not", E(19), ROW(set_operand(r, TCS_B, PT_TCS | MODIFIED))},
	{"12 not MODIFIED, the page is", E(19), ROW(r.e.retype(DATA, PT_TRIM); r.e.track(); set_operand(r, DATA, PT_REG | PR))},
	{"12 TCS, the page is TRIM", E(19), ROW(r.e.retype(DATA, PT_TRIM); r.e.track(); set_operand(r, DATA, PT_TCS | MODIFIED))},
	{"12 TRIM, the page is TCS", E(19), ROW(to_tcs(r, 128, 0); write_secinfo(r, PT_TRIM | MODIFIED))},
	{"12 accepted before", E(19), ROW(r.e.must_accept(FREE, PT_REG | R | W | PENDING); write_secinfo(r, PT_REG | R | W | PENDING))},
	{"12 before 13: R differs, not tracked", E(19), ROW(r.e.restrict(DATA, R); set_operand(r, DATA, PT_REG | PR))},
	{"13 PR, not tracked", E(11), ROW(r.e.restrict(DATA, R); set_operand(r, DATA, PT_REG | R | PR))},
	{"13 TRIM, not tracked", E(11), ROW(r.e.retype(DATA, PT_TRIM); set_operand(r, DATA, PT_TRIM | MODIFIED))},
	{"13 TCS, not tracked", E(11), ROW(r.e.retype(DATA, PT_TCS); set_operand(r, DATA, PT_TCS | MODIFIED))},
	{"13 PR twice, tracked in between only", E(11),
	 ROW(r.e.restrict(DATA, R); r.e.track(); r.e.restrict(DATA, R); set_operand(r, DATA, PT_REG | R | PR))},
	{"13 before 14: TCS with a reserved byte, not tracked", E(11),
	 ROW(r.e.poke(DATA + 200, 1); r.e.retype(DATA, PT_TCS); set_operand(r, DATA, PT_TCS | MODIFIED))},
	{"14 TCS byte 72", GP, ROW(to_tcs(r, 72, 1))},
	{"14 TCS byte 4088", GP, ROW(to_tcs(r, 4088, 1))},
	{"14 TCS with DBGOPTIN", GP, ROW(to_tcs(r, offsetof(Tcs, flags), TCS_DBGOPTIN))},
	{"14 TCS with CSSA 2 of 2", GP, ROW(to_tcs(r, offsetof(Tcs, cssa), 2ULL << 32 | 2))},
	{"14 TCS with NSSA 0", GP, ROW(to_tcs(r, offsetof(Tcs, cssa), 0))},
	{"14 TCS of zeros on a strict machine", GP, ROW(zeros_to_tcs(r, true))},
	{"14 TCS with AEP", GP, ROW(to_tcs(r, offsetof(Tcs, aep), 0x1000))},
	{"14 TCS with STATE", GP, ROW(to_tcs(r, offsetof(Tcs, state), 1))},
	{"15 PENDING", OK, ROW(), "REG rw-", ROW(r.check(r.e.peek(FREE) == 0, "contents not 0"))},
	{"15 PENDING, and PR in SECINFO, which is not compared", OK, ROW(write_secinfo(r, PT_REG | R | W | PENDING | PR)), "REG rw-"},
	{"15 PR in SECINFO of a page that has none", OK, ROW(set_operand(r, DATA, PT_REG | R | W | PR)), "REG rw-"},
	{"15 PR, tracked", OK, ROW(r.e.restrict(DATA, R); r.e.track(); set_operand(r, DATA, PT_REG | R | PR)), "REG r--"},
	{"15 PR to none, tracked", OK, ROW(r.e.restrict(DATA, 0); r.e.track(); set_operand(r, DATA, PT_REG | PR)), "REG ---"},
	{"15 TRIM, tracked", OK, ROW(r.e.retype(DATA, PT_TRIM); r.e.track(); set_operand(r, DATA, PT_TRIM | MODIFIED)), "TRIM ---"},
	{"15 TCS that becomes TRIM, tracked", OK,
	 ROW(r.e.retype(TCS_B, PT_TRIM); r.e.track(); set_operand(r, TCS_B, PT_TRIM | MODIFIED)), "TRIM ---"},
	{"15 TCS, tracked, which can be entered", OK, ROW(to_tcs(r, 128, 0)), "TCS ---",
	 ROW(Frame f; const Exit x = r.e.enter(inside_state, f, DATA);
	     r.check(x.where == Exit::returned && f.r9 == r.e.at(DATA), "EENTER did not work"))},
	{"15 TCS of zeros, which cannot be entered", OK, ROW(zeros_to_tcs(r, false)), "TCS ---",
	 ROW(Frame f; const Exit x = r.e.enter(inside_state, f, DATA);
	     r.check(x.where == Exit::at_enclu && x.vector == VEC_GP, "EENTER: vector " + std::to_string(x.vector)))},
	{"15 last page of ELRANGE", OK,
	 ROW(const u64 last = r.e.size - page_size; r.e.aug(last); set_operand(r, last, PT_REG | R | W | PENDING)), "REG rw-"},
	{"15 page tables show it read-only", OK, ROW(read_only(r, FREE)), "REG rw-"},
};
// clang-format on

// ----------------------------------------------------------------- EMODPE

/// DATA has been accepted as read-only; the enclave requests W again.
void at_restricted(TestBench &r)
{
	r.e.build();
	restricted(r, DATA, R);
	write_secinfo(r, PT_REG | R | W);
	r.rbx = r.e.at(PARAM);
	r.rcx = r.e.at(DATA);
	r.target = r.e.page(DATA);
}

// clang-format off
const Row emodpe[] = {
	{"1 RBX misaligned, half of 64", GP, ROW(r.rbx += 32)},
	{"2 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"3 RBX outside ELRANGE", GP, ROW(r.rbx = ordinary_user())},
	{"3 RCX outside ELRANGE", GP, ROW(r.rcx = ordinary_user())},
	{"4 RBX not mapped", NP_R(rbx), ROW(r.e.unmap_page(PARAM))},
	{"4 RCX not mapped", NP_R(rcx), ROW(r.e.unmap_page(DATA))},
	{"4 RBX not EPC", PF(rbx), ROW(map_ordinary(r, PARAM))},
	{"4 RCX not EPC", PF(rcx), ROW(map_ordinary(r, DATA))},
	{"5 RBX BLOCKED", PF(rbx), ROW(r.e.block(PARAM))},
	{"5 RBX PENDING", PF(rbx), ROW(r.e.aug(FREE); secinfo_in(r, FREE))},
	{"5 RBX MODIFIED", PF(rbx), ROW(r.e.retype(PARAM, PT_TRIM))},
	{"5 RBX is a TCS", PF(rbx), ROW(secinfo_in(r, TCS_B))},
	{"5 RBX not readable", PF(rbx), ROW(r.e.restrict(PARAM, 0))},
	{"6 SECINFO bit 6", GP, ROW(write_secinfo(r, PT_REG | R | W | 1 << 6))},
	{"6 SECINFO bit 16", GP, ROW(write_secinfo(r, PT_REG | R | W | 1 << 16))},
	{"6 SECINFO byte 8", GP, ROW(byte_of_secinfo(r, 8))},
	{"7 page invalid", PF(rcx), ROW(removed(r, DATA))},
	{"7 PENDING", PF(rcx), ROW(r.e.aug(FREE); r.rcx = r.e.at(FREE))},
	{"7 MODIFIED", PF(rcx), ROW(r.e.retype(DATA, PT_TRIM))},
	{"7 BLOCKED", PF(rcx), ROW(r.e.block(DATA))},
	{"7 TCS", PF(rcx), ROW(r.rcx = r.e.at(TCS_B))},
	{"7 SECS", PF(rcx), ROW(r.e.map_page(DATA, r.e.secs()))},
	{"7 page of another enclave", PF(rcx), ROW(r.other.build(); r.e.map_page(DATA, r.other.page(DATA)))},
	{"8 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_ENCLU(EMODPE)))},
	{"9 page mapped at another address", PF(rcx), ROW(r.e.map_page(DATA, r.e.page(SSA_B)))},
	{"10 W for a page without R", GP, ROW(restricted(r, DATA, 0); write_secinfo(r, PT_REG | W))},
	{"11 r to rw", OK, ROW(), "REG rw-"},
	{"11 r to rx", OK, ROW(write_secinfo(r, PT_REG | R | X)), "REG r-x"},
	{"11 r and W alone", OK, ROW(write_secinfo(r, PT_REG | W)), "REG rw-"},
	{"11 none to rwx", OK, ROW(restricted(r, DATA, 0); write_secinfo(r, PT_REG | R | W | X)), "REG rwx"},
	{"11 rw to r: EMODPE removes no right", OK, ROW(set_operand(r, SSA_B, PT_REG | R)), "REG rw-"},
	{"11 PR, not accepted", OK, ROW(r.e.restrict(DATA, 0); write_secinfo(r, PT_REG | R)), "REG r-- PR"},
	{"11 first page of ELRANGE", OK, ROW(set_operand(r, CODE, PT_REG | R | W)), "REG rwx"},
};
// clang-format on

// ------------------------------------------------------------ EACCEPTCOPY

constexpr u64 pattern = 0xfedcba9876543210;

void prepare_copy(TestBench &r)
{
	at_pending(r);
	write_secinfo(r, PT_REG | R | X);
	r.e.poke(SSA_B + 0x800, pattern);
	r.rdx = r.e.at(SSA_B);
}

void check_copy(TestBench &r)
{
	r.check(r.e.peek(FREE + 0x800) == pattern, "contents differ");
}

// clang-format off
const Row eacceptcopy[] = {
	{"1 RBX misaligned, half of 64", GP, ROW(r.rbx += 32)},
	{"2 RCX misaligned by 8", GP, ROW(r.rcx += 8)},
	{"2 RDX misaligned by 8", GP, ROW(r.rdx += 8)},
	{"3 RBX outside ELRANGE", GP, ROW(r.rbx = ordinary_user())},
	{"3 RCX outside ELRANGE", GP, ROW(r.rcx = ordinary_user())},
	{"3 RDX outside ELRANGE", GP, ROW(r.rdx = ordinary_user())},
	{"4 RBX not mapped", NP_R(rbx), ROW(r.e.unmap_page(PARAM))},
	{"4 RCX not mapped", NP_W(rcx), ROW(r.e.unmap_page(FREE))},
	{"4 RCX mapped read-only", RO(rcx), ROW(read_only(r, FREE))},
	{"4 RDX not mapped", NP_R(rdx), ROW(r.e.unmap_page(SSA_B))},
	{"4 RBX not EPC", PF(rbx), ROW(map_ordinary(r, PARAM))},
	{"4 RCX not EPC", PF(rcx), ROW(map_ordinary(r, FREE))},
	{"4 RDX not EPC", PF(rdx), ROW(map_ordinary(r, SSA_B))},
	{"5 RBX BLOCKED", PF(rbx), ROW(r.e.block(PARAM))},
	{"5 RBX PENDING", PF(rbx), ROW(secinfo_in(r, FREE))},
	{"5 RBX is a TCS", PF(rbx), ROW(secinfo_in(r, TCS_B))},
	{"6 SECINFO bit 6", GP, ROW(write_secinfo(r, PT_REG | R | X | 1 << 6))},
	{"6 SECINFO byte 8", GP, ROW(byte_of_secinfo(r, 8))},
	{"6 W without R", GP, ROW(write_secinfo(r, PT_REG | W))},
	{"6 PAGE_TYPE TCS", GP, ROW(write_secinfo(r, PT_TCS | R))},
	{"6 PAGE_TYPE TRIM", GP, ROW(write_secinfo(r, PT_TRIM))},
	{"7 source invalid", PF(rdx), ROW(removed(r, SSA_B))},
	{"7 source BLOCKED", PF(rdx), ROW(r.e.block(SSA_B))},
	{"7 source PENDING", PF(rdx), ROW(r.e.aug(FREE + page_size); r.rdx = r.e.at(FREE + page_size))},
	{"7 source MODIFIED", PF(rdx), ROW(r.e.retype(SSA_B, PT_TRIM))},
	{"7 source not readable", PF(rdx), ROW(r.e.restrict(SSA_B, 0))},
	{"7 source is a TCS", PF(rdx), ROW(r.rdx = r.e.at(TCS_B))},
	{"7 source is a page of another enclave", PF(rdx), ROW(r.other.build(); r.e.map_page(SSA_B, r.other.page(SSA_B)))},
	{"8 destination invalid", E(19), ROW(removed(r, FREE))},
	{"8 destination not PENDING", E(19), ROW(r.rcx = r.e.at(DATA))},
	{"8 destination BLOCKED", E(19), ROW(r.e.block(FREE))},
	{"8 destination MODIFIED", E(19), ROW(r.e.retype(DATA, PT_TRIM); r.rcx = r.e.at(DATA))},
	{"8 destination is a page of another enclave", E(19), ROW(map_page_of_other(r, FREE))},
	{"9 conflict", GP, ROW(r.inject(SGX2_DEV_INJ_ENCLU(EACCEPTCOPY)))},
	{"10 destination mapped at another address", E(19),
	 ROW(r.e.map_page(FREE + page_size, r.e.page(FREE)); r.rcx = r.e.at(FREE + page_size))},
	{"11 rx", OK, ROW(), "REG r-x", ROW(check_copy(r))},
	{"11 r", OK, ROW(write_secinfo(r, PT_REG | R)), "REG r--", ROW(check_copy(r))},
	{"11 rwx", OK, ROW(write_secinfo(r, PT_REG | R | W | X)), "REG rwx", ROW(check_copy(r))},
	{"11 none", OK, ROW(write_secinfo(r, PT_REG)), "REG ---", ROW(check_copy(r))},
	{"11 code, which can be executed", OK, ROW(r.rdx = r.e.at(CODE)), "REG r-x",
	 ROW(Frame f; f.rsi = r.e.at(FREE + inside(inside_out)); const Exit x = r.e.enter(inside_jump, f);
	     r.check(x.where == Exit::returned, "the copy did not run"))},
};
// clang-format on

// --------------------------------------------------------------- EDECCSSA

void prepare_edeccssa(TestBench &r)
{
	if (!(cpuid_sgx() & CPUID_EDECCSSA))
		throw Skip{"no EDECCSSA"};
	r.e.build();
	fault_inside(r);
	r.mark = r.e.at(SSA_A);
	r.target = r.e.page(TCS_A);
}

// clang-format off
const Row edeccssa[] = {
	{"CSSA 0", GP, ROW(r.tcs = TCS_B)},
	{"frame not mapped", NP_W(mark), ROW(r.e.unmap_page(SSA_A))},
	{"frame mapped read-only", RO(mark), ROW(read_only(r, SSA_A))},
	{"frame BLOCKED", PF(mark), ROW(r.e.block(SSA_A))},
	{"frame not writable", PF(mark), ROW(r.e.restrict(SSA_A, R))},
	{"frame is another page of the enclave", PF(mark), ROW(r.e.map_page(SSA_A, r.e.page(DATA)))},
	{"valid operands", OK, ROW(), "TCS ---", ROW(r.check(r.e.cssa() == 0, "CSSA not 0"))},
	{"valid operands, and the next exit uses the freed frame", OK, ROW(), "TCS ---",
	 ROW(r.e.poke(r.e.saved_at(SSA_A, 0, 0), 0x77); fault_inside(r); r.check(r.e.cssa() == 1, "CSSA not 1");
	     r.check(r.e.saved().rax != 0x77, "frame 0 not written"))},
};
// clang-format on

const Group groups[] = {
	{"EACCEPT", EACCEPT, Place::inside, at_pending, eaccept},
	{"EMODPE", EMODPE, Place::inside, at_restricted, emodpe},
	{"EACCEPTCOPY", EACCEPTCOPY, Place::inside, prepare_copy, eacceptcopy},
	{"EDECCSSA", EDECCSSA, Place::inside, prepare_edeccssa, edeccssa},
};

} // namespace

std::span<const Group> accept_groups()
{
	return groups;
}

} // namespace isa
