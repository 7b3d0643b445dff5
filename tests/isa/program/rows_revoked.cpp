// SPDX-License-Identifier: GPL-2.0
// Rows on a page that code has just used, by whatever cache a processor may have: what is taken away is gone once the thread has left
// and come in again, by EENTER or by ERESUME.

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

constexpr u64 sgx_r = PFEC_SGX | PFEC_U | PFEC_P, sgx_w = sgx_r | PFEC_W, sgx_x = sgx_r | PFEC_I;
/// A word of the page that no instruction is in.
constexpr u64 WORD = FREE + page_size - 8;

void reads(Rig &r)
{
	r.function = inside_read;
	r.stop = inside_read_at;
	r.rcx = r.e.at(WORD);
}

void writes(Rig &r)
{
	r.function = inside_write;
	r.stop = inside_write_at;
	r.rcx = r.e.at(WORD);
}

void runs(Rig &r)
{
	r.function = inside_jump;
	r.stop = nullptr;
	r.rcx = r.e.at(FREE + inside(inside_out));
}

/// The page at FREE, of all permissions, holds the code. It is read, written and run, a few times each.
void used(Rig &r)
{
	r.e.create();
	r.e.fill();
	r.e.add(FREE, PT_REG | R | W | X, enclave_code);
	r.e.init();
	r.wipe();
	for (unsigned i = 0; i < 3; i++) {
		for (void (*way)(Rig &) : {reads, writes, runs}) {
			Frame f;
			way(r);
			f.rsi = r.rcx;
			if (r.e.enter(r.function, f).where != Exit::returned)
				throw std::runtime_error("the page cannot be used");
		}
	}
}

/// EREMOVE, and another page at its place.
void replaced(Rig &r)
{
	r.e.remove(FREE);
	r.e.aug(FREE);
}

/// An exit at an instruction in the page; then the change, and the thread is resumed there.
void resumed(Rig &r, void (*change)(Rig &), u64 vector, u64 error)
{
	Frame f;
	f.rsi = r.e.at(FREE + inside(insn_ud2));
	const Exit out = r.e.enter(inside_jump, f);
	if (out.where != Exit::at_aep || out.vector != VEC_UD)
		throw std::runtime_error("UD2 in the page did not end in an asynchronous exit");
	r.check(r.e.saved().rip == r.e.at(FREE + inside(insn_ud2_at)), "it exited elsewhere");
	change(r);
	Frame again;
	const Exit x = r.e.resume(again);
	r.check(x.where == Exit::at_aep && x.vector == vector && x.error == error,
		"vector " + std::to_string(x.vector) + ", error code " + std::to_string(x.error));
	if (vector == VEC_PF)
		r.check(x.cr2 == r.e.at(FREE), "CR2 is another page");
}

/// clang-format off
const Row rows[] = {
	{"nothing taken away: run", OK, ROW(runs(r))},
	{"X taken away, not accepted: run", PFEC(sgx_x), ROW(r.e.restrict(FREE, R | W); runs(r))},
	{"X taken away and accepted: run", PFEC(sgx_x), ROW(restricted(r, FREE, R | W); runs(r))},
	{"X taken away and accepted: read", OK, ROW(restricted(r, FREE, R | W); reads(r))},
	{"X taken away and accepted: write", OK, ROW(restricted(r, FREE, R | W); writes(r))},
	{"X taken away and given back by EMODPE: run", OK,
	 ROW(restricted(r, FREE, R | W); r.e.extended(FREE, PT_REG | R | X); runs(r))},
	{"W taken away, not accepted: write", PFEC(sgx_w), ROW(r.e.restrict(FREE, R | X); writes(r))},
	{"W taken away and accepted: write", PFEC(sgx_w), ROW(restricted(r, FREE, R | X); writes(r))},
	{"W taken away and accepted: run", OK, ROW(restricted(r, FREE, R | X); runs(r))},
	{"R and W taken away, not accepted: read", PFEC(sgx_r), ROW(r.e.restrict(FREE, X); reads(r))},
	{"R and W taken away and accepted: read", PFEC(sgx_r), ROW(restricted(r, FREE, X); reads(r))},
	{"R and W taken away and accepted: write", PFEC(sgx_w), ROW(restricted(r, FREE, X); writes(r))},
	{"R and W taken away and accepted: run", OK, ROW(restricted(r, FREE, X); runs(r))},
	{"all taken away: read", PFEC(sgx_r), ROW(restricted(r, FREE, 0); reads(r))},
	{"all taken away: run", PFEC(sgx_x), ROW(restricted(r, FREE, 0); runs(r))},
	{"TRIM, not accepted: read", PFEC(sgx_r), ROW(r.e.retype(FREE, PT_TRIM); reads(r))},
	{"TRIM, not accepted: write", PFEC(sgx_w), ROW(r.e.retype(FREE, PT_TRIM); writes(r))},
	{"TRIM, not accepted: run", PFEC(sgx_x), ROW(r.e.retype(FREE, PT_TRIM); runs(r))},
	{"TRIM, accepted: run", PFEC(sgx_x), ROW(trimmed(r, FREE); runs(r))},
	{"TCS, not accepted: read", PFEC(sgx_r), ROW(r.e.retype(FREE, PT_TCS); reads(r))},
	{"TCS, not accepted: run", PFEC(sgx_x), ROW(r.e.retype(FREE, PT_TCS); runs(r))},
	{"BLOCKED: read", PFEC(sgx_r), ROW(r.e.block(FREE); reads(r))},
	{"BLOCKED: run", PFEC(sgx_x), ROW(r.e.block(FREE); runs(r))},
	{"removed: read", PFEC(sgx_r), ROW(removed(r, FREE); reads(r))},
	{"removed: run", PFEC(sgx_x), ROW(removed(r, FREE); runs(r))},
	{"removed, another is PENDING there: run", PFEC(sgx_x), ROW(replaced(r); runs(r))},
	{"removed, another is accepted there: run", PFEC(sgx_x),
	 ROW(replaced(r); r.e.accepted(FREE, PT_REG | R | W | PENDING); runs(r))},
	{"removed, another is accepted there: read", OK, ROW(replaced(r); r.e.accepted(FREE, PT_REG | R | W | PENDING); reads(r)),
	 nullptr, ROW(r.check(r.frame.r8 == 0, "it is the old one that was read"))},
	{"written out: run", PFEC(PFEC_U | PFEC_I), ROW(r.evict(FREE, r.va()); runs(r))},
};

const Row resume_rows[] = {
	{"nothing taken away: it goes on", OK, ROW(resumed(r, ROW(), VEC_UD, 0))},
	{"X taken away, not accepted: #PF", OK, ROW(resumed(r, ROW(r.e.restrict(FREE, R | W)), VEC_PF, sgx_x))},
	{"X and R taken away, not accepted: #PF", OK, ROW(resumed(r, ROW(r.e.restrict(FREE, 0)), VEC_PF, sgx_x))},
	{"W taken away, not accepted: it goes on", OK, ROW(resumed(r, ROW(r.e.restrict(FREE, R | X)), VEC_UD, 0))},
	{"TRIM: #PF", OK, ROW(resumed(r, ROW(r.e.retype(FREE, PT_TRIM)), VEC_PF, sgx_x))},
	{"TCS: #PF", OK, ROW(resumed(r, ROW(r.e.retype(FREE, PT_TCS)), VEC_PF, sgx_x))},
	{"BLOCKED: #PF", OK, ROW(resumed(r, ROW(r.e.block(FREE)), VEC_PF, sgx_x))},
	{"removed: #PF", OK, ROW(resumed(r, ROW(removed(r, FREE)), VEC_PF, sgx_x))},
	{"removed, another is PENDING there: #PF", OK, ROW(resumed(r, ROW(replaced(r)), VEC_PF, sgx_x))},
};
/// clang-format on

const Group groups[] = {
	{"used before, entered again", 0, Place::touch, used, rows, false},
	{"used before, resumed", 0, Place::nowhere, used, resume_rows, false},
};

} // namespace

std::span<const Group> revoked_groups()
{
	return groups;
}

} // namespace isa
