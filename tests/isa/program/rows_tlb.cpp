// SPDX-License-Identifier: GPL-2.0
// Rows on a page that code has just accessed, and that a cache of the processor may hold: after an
// exit and EENTER or ERESUME, no removed right is left.

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

constexpr u64 sgx_r = PFEC_SGX | PFEC_U | PFEC_P, sgx_w = sgx_r | PFEC_W, sgx_x = sgx_r | PFEC_I;
/// A word of the page without an instruction.
constexpr u64 WORD = FREE + page_size - 8;

void reads(TestBench &r)
{
	r.function = inside_read;
	r.stop = inside_read_at;
	r.rcx = r.e.at(WORD);
}

void writes(TestBench &r)
{
	r.function = inside_write;
	r.stop = inside_write_at;
	r.rcx = r.e.at(WORD);
}

void executes(TestBench &r)
{
	r.function = inside_jump;
	r.stop = nullptr;
	r.rcx = r.e.at(FREE + inside(inside_out));
}

/// Add a page at FREE with all rights that holds the code, and read, write and execute it several
/// times.
void access_page(TestBench &r)
{
	r.e.create();
	r.e.add_pages();
	r.e.add(FREE, PT_REG | R | W | X, enclave_code);
	r.e.init();
	r.clear_shared();
	for (unsigned i = 0; i < 3; i++) {
		for (void (*way)(TestBench &) : {reads, writes, executes}) {
			Frame f;
			way(r);
			f.rsi = r.rcx;
			if (r.e.enter(r.function, f).where != Exit::returned)
				throw std::runtime_error("the page cannot be accessed");
		}
	}
}

/// Remove the page and add another at its address.
void replace_page(TestBench &r)
{
	r.e.remove(FREE);
	r.e.aug(FREE);
}

/// Exit at an instruction in the page, make the change, and resume there.
void check_resume(TestBench &r, void (*change)(TestBench &), u64 vector, u64 error)
{
	Frame f;
	f.rsi = r.e.at(FREE + inside(insn_ud2));
	const Exit out = r.e.enter(inside_jump, f);
	if (out.where != Exit::at_aep || out.vector != VEC_UD)
		throw std::runtime_error("UD2 in the page did not cause an asynchronous exit");
	r.check(r.e.saved().rip == r.e.at(FREE + inside(insn_ud2_at)), "the exit is at another instruction");
	change(r);
	Frame again;
	const Exit x = r.e.resume(again);
	r.check(x.where == Exit::at_aep && x.vector == vector && x.error == error,
		"vector " + std::to_string(x.vector) + ", error code " + std::to_string(x.error));
	if (vector == VEC_PF)
		r.check(x.cr2 == r.e.at(FREE), "CR2 is another page");
}

// clang-format off
const Row rows[] = {
	{"no right removed: execute", OK, ROW(executes(r))},
	{"X removed, not accepted: execute", PFEC(sgx_x), ROW(r.e.restrict(FREE, R | W); executes(r))},
	{"X removed and accepted: execute", PFEC(sgx_x), ROW(restricted(r, FREE, R | W); executes(r))},
	{"X removed and accepted: read", OK, ROW(restricted(r, FREE, R | W); reads(r))},
	{"X removed and accepted: write", OK, ROW(restricted(r, FREE, R | W); writes(r))},
	{"X removed and added by EMODPE: execute", OK,
	 ROW(restricted(r, FREE, R | W); r.e.must_extend(FREE, PT_REG | R | X); executes(r))},
	{"W removed, not accepted: write", PFEC(sgx_w), ROW(r.e.restrict(FREE, R | X); writes(r))},
	{"W removed and accepted: write", PFEC(sgx_w), ROW(restricted(r, FREE, R | X); writes(r))},
	{"W removed and accepted: execute", OK, ROW(restricted(r, FREE, R | X); executes(r))},
	{"R and W removed, not accepted: read", PFEC(sgx_r), ROW(r.e.restrict(FREE, X); reads(r))},
	{"R and W removed and accepted: read", PFEC(sgx_r), ROW(restricted(r, FREE, X); reads(r))},
	{"R and W removed and accepted: write", PFEC(sgx_w), ROW(restricted(r, FREE, X); writes(r))},
	{"R and W removed and accepted: execute", OK, ROW(restricted(r, FREE, X); executes(r))},
	{"all rights removed: read", PFEC(sgx_r), ROW(restricted(r, FREE, 0); reads(r))},
	{"all rights removed: execute", PFEC(sgx_x), ROW(restricted(r, FREE, 0); executes(r))},
	{"TRIM, not accepted: read", PFEC(sgx_r), ROW(r.e.retype(FREE, PT_TRIM); reads(r))},
	{"TRIM, not accepted: write", PFEC(sgx_w), ROW(r.e.retype(FREE, PT_TRIM); writes(r))},
	{"TRIM, not accepted: execute", PFEC(sgx_x), ROW(r.e.retype(FREE, PT_TRIM); executes(r))},
	{"TRIM, accepted: execute", PFEC(sgx_x), ROW(trimmed(r, FREE); executes(r))},
	{"TCS, not accepted: read", PFEC(sgx_r), ROW(r.e.retype(FREE, PT_TCS); reads(r))},
	{"TCS, not accepted: execute", PFEC(sgx_x), ROW(r.e.retype(FREE, PT_TCS); executes(r))},
	{"BLOCKED: read", PFEC(sgx_r), ROW(r.e.block(FREE); reads(r))},
	{"BLOCKED: execute", PFEC(sgx_x), ROW(r.e.block(FREE); executes(r))},
	{"removed: read", PFEC(sgx_r), ROW(removed(r, FREE); reads(r))},
	{"removed: execute", PFEC(sgx_x), ROW(removed(r, FREE); executes(r))},
	{"removed, another is PENDING there: execute", PFEC(sgx_x), ROW(replace_page(r); executes(r))},
	{"removed, another is accepted there: execute", PFEC(sgx_x),
	 ROW(replace_page(r); r.e.must_accept(FREE, PT_REG | R | W | PENDING); executes(r))},
	{"removed, another is accepted there: read", OK,
	 ROW(replace_page(r); r.e.must_accept(FREE, PT_REG | R | W | PENDING); reads(r)), nullptr,
	 ROW(r.check(r.frame.r8 == 0, "the read returned the old contents"))},
	{"evicted: execute", PFEC(PFEC_U | PFEC_I), ROW(r.evict(FREE, r.va()); executes(r))},
};

const Row resume_rows[] = {
	{"no right removed: continues", OK, ROW(check_resume(r, ROW(), VEC_UD, 0))},
	{"X removed, not accepted: #PF", OK, ROW(check_resume(r, ROW(r.e.restrict(FREE, R | W)), VEC_PF, sgx_x))},
	{"X and R removed, not accepted: #PF", OK, ROW(check_resume(r, ROW(r.e.restrict(FREE, 0)), VEC_PF, sgx_x))},
	{"W removed, not accepted: continues", OK, ROW(check_resume(r, ROW(r.e.restrict(FREE, R | X)), VEC_UD, 0))},
	{"TRIM: #PF", OK, ROW(check_resume(r, ROW(r.e.retype(FREE, PT_TRIM)), VEC_PF, sgx_x))},
	{"TCS: #PF", OK, ROW(check_resume(r, ROW(r.e.retype(FREE, PT_TCS)), VEC_PF, sgx_x))},
	{"BLOCKED: #PF", OK, ROW(check_resume(r, ROW(r.e.block(FREE)), VEC_PF, sgx_x))},
	{"removed: #PF", OK, ROW(check_resume(r, ROW(removed(r, FREE)), VEC_PF, sgx_x))},
	{"removed, another is PENDING there: #PF", OK, ROW(check_resume(r, ROW(replace_page(r)), VEC_PF, sgx_x))},
};
// clang-format on

const Group groups[] = {
	{"page accessed before, entered again", 0, Place::access, access_page, rows, false},
	{"page accessed before, resumed", 0, Place::none, access_page, resume_rows, false},
};

} // namespace

std::span<const Group> tlb_groups()
{
	return groups;
}

} // namespace isa
