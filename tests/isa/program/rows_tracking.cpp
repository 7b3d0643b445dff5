// SPDX-License-Identifier: GPL-2.0
// Rows on tracking (Documentation/isa.md 8): what a thread that is inside on another CPU holds up, until it is interrupted.

#include <unistd.h>

#include "spinner.h"
#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

/// Two threads more, at offsets that rows of other tables leave free.
constexpr u64 TCS_C = 0x8000, SSA_C = 0x9000, TCS_D = 0xa000, SSA_D = 0xb000;

/// Of the enclave, with nobody inside yet.
void right(Rig &r)
{
	if (cpus() < 2)
		throw Skip{"one CPU: nobody can be inside meanwhile"};
	r.e.ready();
}

/// Everything that needs a mapping is brought about before a thread is inside that takes no interrupts.
u64 accepted_page(Rig &r)
{
	r.e.aug(FREE);
	r.e.accepted(FREE, PT_REG | R | W | PENDING);
	return FREE;
}

bool code(const Got &g, unsigned n)
{
	return !g.faulted() && g.regs.rax == n;
}

void expect_code(Rig &r, const char *what, const Got &got, unsigned n)
{
	r.check(code(got, n), std::string(what) + ": " + got.text());
}

Got ewb(Rig &r, u64 offset, u64 va)
{
	r.pageinfo(0, r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), 0);
	return r.k.encls(EWB, r.rbx, r.e.linear(offset), r.k.linear(va));
}

Got etrack(Rig &r)
{
	return r.k.encls(ETRACK, 0, r.e.secs_linear());
}

void ewb_waits(Rig &r)
{
	const u64 va = r.va();
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "EBLOCK", r.k.encls(EBLOCK, 0, r.e.linear(DATA)), 0);
	expect_code(r, "EWB before ETRACK", ewb(r, DATA, va), 11);
	expect_code(r, "ETRACK", etrack(r), 0);
	expect_code(r, "EWB with a thread inside", ewb(r, DATA, va), 11);
	r.check(s.aexs() == 0, "the thread was not inside all the time");
	s.kick();
	expect_code(r, "EWB after it was interrupted", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

/// By the interrupt that a driver sends. A timer may have been faster, so only the end is certain.
void ewb_after_ipi(Rig &r)
{
	const u64 va = r.va();
	Spinner s(r.k, r.e, TCS_B, 1, Spinner::ordinary);
	s.start();
	r.e.block(DATA);
	etrack(r);
	r.k.kick(1);
	expect_code(r, "EWB after an interprocessor interrupt", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

void ewb_after_eexit(Rig &r)
{
	const u64 va = r.va();
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	r.e.block(DATA);
	etrack(r);
	expect_code(r, "EWB with a thread inside", ewb(r, DATA, va), 11);
	r.check(s.stop(), "the thread faulted");
	expect_code(r, "EWB after it left by EEXIT", ewb(r, DATA, va), 0);
}

void eaccept_waits(Rig &r, void (*change)(Rig &, u64), u64 secinfo)
{
	const u64 page = accepted_page(r);
	const auto eaccept = [&r, page] {
		return r.e.leaf(EACCEPT, r.e.at(PARAM), r.e.at(page));
	};
	say(r, secinfo);
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	change(r, page);
	expect_code(r, "EACCEPT before ETRACK", eaccept(), 11);
	expect_code(r, "ETRACK", etrack(r), 0);
	expect_code(r, "EACCEPT with a thread inside", eaccept(), 11);
	r.check(s.aexs() == 0, "the thread was not inside all the time");
	s.kick();
	expect_code(r, "EACCEPT after it was interrupted", eaccept(), 0);
	r.check(s.stop(), "the thread faulted");
}

void second_etrack(Rig &r)
{
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "the first ETRACK", etrack(r), 0);
	expect_code(r, "the second ETRACK", etrack(r), 17);
	expect_code(r, "the third ETRACK", etrack(r), 17);
	r.check(s.aexs() == 0, "the thread was not inside all the time");
	s.kick();
	expect_code(r, "ETRACK after it was interrupted", etrack(r), 0);
	r.check(s.stop(), "the thread faulted");
}

void two_generations(Rig &r)
{
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "ETRACK", etrack(r), 0);
	s.kick();
	expect_code(r, "ETRACK of the generation that it came back into", etrack(r), 0);
	expect_code(r, "the next ETRACK", etrack(r), 17);
	r.check(s.stop(), "the thread faulted");
	expect_code(r, "ETRACK when nobody is inside", etrack(r), 0);
}

void late_comer(Rig &r)
{
	const u64 va = r.va();
	r.e.block(DATA);
	r.e.track();
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "EWB", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

void other_enclave(Rig &r)
{
	const u64 va = r.va();
	r.other.ready();
	Spinner s(r.k, r.other, TCS_B, 1);
	s.start();
	r.e.block(DATA);
	expect_code(r, "ETRACK", etrack(r), 0);
	expect_code(r, "EWB", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

void three_threads(Rig &r)
{
	if (cpus() < 4)
		throw Skip{"less than four CPUs"};
	r.e.discard();
	r.e.create();
	r.e.fill();
	Tcs t = r.e.tcs_b;
	t.ossa = SSA_C;
	r.e.add(TCS_C, PT_TCS, &t);
	r.e.add(SSA_C, PT_REG | R | W);
	t.ossa = SSA_D;
	r.e.add(TCS_D, PT_TCS, &t);
	r.e.add(SSA_D, PT_REG | R | W);
	r.e.init();
}

void one_of_three(Rig &r)
{
	three_threads(r);
	const u64 va = r.va();
	Spinner a(r.k, r.e, TCS_B, 1), b(r.k, r.e, TCS_C, 2), c(r.k, r.e, TCS_D, 3);
	for (Spinner *s : {&a, &b, &c})
		s->start();
	r.e.block(DATA);
	etrack(r);
	expect_code(r, "EWB with three inside", ewb(r, DATA, va), 11);
	a.kick();
	expect_code(r, "EWB with two inside", ewb(r, DATA, va), 11);
	c.kick();
	expect_code(r, "EWB with one inside", ewb(r, DATA, va), 11);
	a.kick();
	expect_code(r, "EWB after another was interrupted again", ewb(r, DATA, va), 11);
	b.kick();
	expect_code(r, "EWB after the last was interrupted", ewb(r, DATA, va), 0);
	for (Spinner *s : {&a, &b, &c})
		s->release();
	r.check(a.stop() && b.stop() && c.stop(), "a thread faulted");
}

void eremove_waits(Rig &r)
{
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "EREMOVE with a thread inside", r.k.encls(EREMOVE, 0, r.e.linear(DATA)), 14);
	expect_code(r, "the same of a TCS", r.k.encls(EREMOVE, 0, r.e.linear(TCS_A)), 14);
	r.check(s.stop(), "the thread faulted");
	expect_code(r, "EREMOVE when nobody is inside", r.k.encls(EREMOVE, 0, r.e.linear(DATA)), 0);
}

/// Enters or resumes, on this CPU, the thread that is inside on the other.
void busy_thread(Rig &r, u32 leaf)
{
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	Frame f;
	const Exit x = leaf == EENTER ? r.e.enter(inside_state, f, TCS_B) : r.e.resume(f, TCS_B);
	r.check(x.where == Exit::at_enclu && x.vector == VEC_GP && x.error == 0, "vector " + std::to_string(x.vector));
	r.check(s.stop(), "the thread faulted");
}

/// The thread reads the page all the time, and has it in its TLB.
void stale_translation(Rig &r, void (*change)(Rig &))
{
	Spinner s(r.k, r.e, TCS_B, 1, Spinner::quiet, r.e.at(DATA));
	s.start();
	change(r);
	s.beats(1000);
	r.check(!s.ended() && s.aexs() == 0, "it did not go on undisturbed");
	s.kick();
	s.stop();
	r.check(s.exit().where == Exit::at_aep && s.exit().vector == VEC_PF && s.exit().error == (PFEC_SGX | PFEC_U | PFEC_P),
		"after the interrupt: vector " + std::to_string(s.exit().vector));
}

void nmis(Rig &r)
{
	if (!r.monitor)
		throw Skip{"only the machine counts"};
	Spinner s(r.k, r.e, TCS_B, 1);
	s.start();
	const u64 before = r.monitor->counter(SGX2_DEV_CTR_AEX_NMI);
	for (int i = 0; i < 5; i++)
		s.kick();
	r.check(r.monitor->counter(SGX2_DEV_CTR_AEX_NMI) - before == 5, "counted otherwise");
	r.check(s.aexs() == 5, "the thread saw " + std::to_string(s.aexs()));
	r.check(s.stop(), "the thread faulted");
}

/// clang-format off
const Row rows[] = {
	{"EWB is 11 while a thread is inside since before ETRACK, 0 once it is interrupted", OK, ewb_waits},
	{"EWB is 0 after an interprocessor interrupt", OK, ewb_after_ipi},
	{"EWB is 11 while a thread is inside, 0 once it has left by EEXIT", OK, ewb_after_eexit},
	{"EACCEPT of PR is 11 meanwhile, then 0", OK,
	 ROW(eaccept_waits(
		 r, [](Rig &q, u64 at) { q.e.restrict(at, R); }, PT_REG | R | PR))},
	{"EACCEPT of TRIM is 11 meanwhile, then 0", OK,
	 ROW(eaccept_waits(
		 r, [](Rig &q, u64 at) { q.e.retype(at, PT_TRIM); }, PT_TRIM | MODIFIED))},
	{"a second ETRACK is 17 meanwhile, then 0", OK, second_etrack},
	{"who has come in again is of the next generation", OK, two_generations},
	{"who comes in after ETRACK holds nothing up", OK, late_comer},
	{"who is inside another enclave holds nothing up", OK, other_enclave},
	{"of three threads inside each counts until it is interrupted", OK, one_of_three},
	{"EREMOVE is 14 while a thread is inside", OK, eremove_waits},
	{"EENTER by a thread that is inside: GP", OK, ROW(busy_thread(r, EENTER))},
	{"ERESUME of a thread that is inside: GP", OK, ROW(busy_thread(r, ERESUME))},
	{"a translation outlives EBLOCK until its thread leaves", OK, ROW(stale_translation(r, [](Rig &q) { q.e.block(DATA); }))},
	{"a translation outlives EMODT until its thread leaves", OK,
	 ROW(stale_translation(r, [](Rig &q) { q.e.retype(DATA, PT_TRIM); }))},
	{"a translation outlives EMODPR to none until its thread leaves", OK,
	 ROW(stale_translation(r, [](Rig &q) { q.e.restrict(DATA, 0); }))},
	{"an NMI brings a thread out that takes no interrupts", OK, nmis},
};

const Group groups[] = {
	{"tracking", 0, Place::nowhere, right, rows, false},
};
/// clang-format on

} // namespace

std::span<const Group> tracking_groups()
{
	return groups;
}

} // namespace isa
