// SPDX-License-Identifier: GPL-2.0
// Rows on tracking (isa.md 8): what a thread that is inside on another CPU holds up, until it is interrupted.

#include <array>
#include <functional>

#include <unistd.h>

#include "spinner.h"
#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

constexpr unsigned tries = 200;

// Three threads more, at offsets that rows of other tables leave free.
constexpr u64 TCS_C = 0x8000, SSA_C = 0x9000, TCS_D = 0xa000, SSA_D = 0xb000;

void right(Rig &r)
{
	if (cpus() < 2)
		throw Skip{"one CPU: nobody can be inside meanwhile"};
	// Rows take one page a try, from FREE on.
	r.e.size = 0x200000;
	r.e.ready();
	r.mark = FREE;
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

// A VA slot that no try before has filled.
u64 next_slot(Rig &r, u64 va)
{
	return r.k.linear(va) + r.mark / page_size * 8;
}

// A page that has been accepted.
u64 next_page(Rig &r)
{
	const u64 offset = r.mark;
	r.mark += page_size;
	r.e.aug(offset);
	r.e.accepted(offset, PT_REG | R | W | PENDING);
	return offset;
}

bool code(const Got &g, unsigned n)
{
	return !g.faulted() && g.regs.rax == n;
}

/*
 * Has attempt() happen while the thread does not leave, not even for its timer: whoever sees the thread leave meanwhile knows
 * nothing, and begins anew. prepare() comes first each time, after the thread has come in again.
 */
Got undisturbed(Rig &r, const Spinner &s, const std::function<void()> &prepare, const std::function<Got()> &attempt)
{
	for (unsigned i = 0; i < tries; i++) {
		prepare();
		s.kick(r.k);
		const u64 before = s.aexs();
		const Got got = attempt();
		s.beats(10);
		if (s.ended())
			throw std::runtime_error("the thread inside ended with vector " + std::to_string(s.exit().vector));
		if (s.aexs() == before)
			return got;
	}
	throw std::runtime_error("the thread inside was interrupted each time");
}

Got ewb(Rig &r, u64 offset, u64 slot)
{
	r.pageinfo(0, r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), 0);
	return r.k.encls(EWB, r.rbx, r.e.linear(offset), slot);
}

Got etrack(Rig &r)
{
	return r.k.encls(ETRACK, 0, r.e.secs_linear());
}

void ewb_waits(Rig &r)
{
	Spinner s(r.e, TCS_B, 1);
	s.start();
	const u64 va = r.va();
	u64 page = 0;
	const Got got = undisturbed(
		r, s, [&] { page = next_page(r); },
		[&] {
			r.e.block(page);
			etrack(r);
			return ewb(r, page, next_slot(r, va));
		});
	r.check(code(got, 11), "EWB with a thread inside: " + got.text());
	s.kick(r.k);
	const Got after = ewb(r, page, next_slot(r, va));
	r.check(code(after, 0), "EWB after it was interrupted: " + after.text());
	r.check(s.stop(), "the thread faulted");
}

void eaccept_waits(Rig &r, void (*change)(Rig &, u64), u64 secinfo)
{
	Spinner s(r.e, TCS_B, 1);
	s.start();
	u64 page = 0;
	const Got got = undisturbed(
		r, s,
		[&] {
			page = next_page(r);
			say(r, secinfo);
		},
		[&] {
			change(r, page);
			etrack(r);
			return r.e.leaf(EACCEPT, r.e.at(PARAM), r.e.at(page));
		});
	r.check(code(got, 11), "EACCEPT with a thread inside: " + got.text());
	s.kick(r.k);
	const Got after = r.e.leaf(EACCEPT, r.e.at(PARAM), r.e.at(page));
	r.check(code(after, 0), "EACCEPT after it was interrupted: " + after.text());
	r.check(s.stop(), "the thread faulted");
}

void second_etrack(Rig &r)
{
	Spinner s(r.e, TCS_B, 1);
	s.start();
	Got first;
	const Got got = undisturbed(
		r, s, [] {},
		[&] {
			first = etrack(r);
			return etrack(r);
		});
	r.check(code(first, 0), "the first ETRACK: " + first.text());
	r.check(code(got, 17), "the second ETRACK: " + got.text());
	s.kick(r.k);
	const Got after = etrack(r);
	r.check(code(after, 0), "ETRACK after it was interrupted: " + after.text());
	r.check(s.stop(), "the thread faulted");
}

void two_generations(Rig &r)
{
	Spinner s(r.e, TCS_B, 1);
	s.start();
	Got second, third;
	undisturbed(
		r, s, [&] { etrack(r); },
		[&] {
			second = etrack(r);
			third = etrack(r);
			return third;
		});
	r.check(code(second, 0), "ETRACK of the generation that it came into: " + second.text());
	r.check(code(third, 17), "the next: " + third.text());
	r.check(s.stop(), "the thread faulted");
	const Got last = etrack(r);
	r.check(code(last, 0), "when nobody is inside: " + last.text());
}

void late_comer(Rig &r)
{
	const u64 va = r.va();
	for (unsigned i = 0; i < tries; i++) {
		const u64 page = next_page(r);
		r.e.block(page);
		r.e.track();
		Spinner s(r.e, TCS_B, 1);
		s.start();
		const u64 before = s.aexs();
		const Got got = ewb(r, page, next_slot(r, va));
		s.beats(10);
		const bool stayed = s.aexs() == before;
		r.check(s.stop(), "the thread faulted");
		r.check(code(got, 0), "EWB: " + got.text());
		if (stayed)
			return;
	}
	throw std::runtime_error("the thread inside was interrupted each time");
}

void other_enclave(Rig &r)
{
	const u64 va = r.va();
	r.other.ready();
	Spinner s(r.other, TCS_B, 1);
	s.start();
	u64 page = 0;
	const Got got = undisturbed(
		r, s, [&] { page = next_page(r); },
		[&] {
			r.e.block(page);
			etrack(r);
			return ewb(r, page, next_slot(r, va));
		});
	r.check(code(got, 0), "EWB: " + got.text());
	r.check(s.stop(), "the thread faulted");
}

// True when EWB was refused for the sake of one thread of three, and then not any more.
bool one_held_it_up(Rig &r, const std::array<const Spinner *, 3> &threads, u64 va)
{
	const u64 page = next_page(r);
	std::array<u64, 3> before;

	for (const Spinner *s : threads)
		s->kick(r.k);
	for (unsigned i = 0; i < 3; i++)
		before[i] = threads[i]->aexs();
	r.e.block(page);
	etrack(r);
	for (unsigned cpu = 1; cpu <= 2; cpu++) {
		r.k.kick(cpu);
		const Got got = ewb(r, page, next_slot(r, va));
		unsigned stayed = 0;
		for (unsigned i = 0; i < 3; i++) {
			threads[i]->beats(10);
			stayed += threads[i]->aexs() == before[i];
		}
		// Whoever has not been out until now was inside at EWB.
		if (stayed)
			r.check(code(got, 11), "EWB with a thread inside: " + got.text());
		if (code(got, 0))
			return false;
		if (stayed == 1) {
			for (const Spinner *s : threads)
				s->kick(r.k);
			const Got after = ewb(r, page, next_slot(r, va));
			r.check(code(after, 0), "EWB after all were interrupted: " + after.text());
			return true;
		}
	}
	return false;
}

void one_of_three(Rig &r)
{
	three_threads(r);
	const u64 va = r.va();
	Spinner a(r.e, TCS_B, 1), b(r.e, TCS_C, 2), c(r.e, TCS_D, 3);
	a.start();
	b.start();
	c.start();
	bool seen = false;
	for (unsigned i = 0; i < tries && !seen; i++)
		seen = one_held_it_up(r, {&a, &b, &c}, va);
	r.check(seen, "all of them were interrupted each time");
	r.check(a.stop() && b.stop() && c.stop(), "a thread faulted");
}

void eremove_waits(Rig &r)
{
	Spinner s(r.e, TCS_B, 1);
	s.start();
	u64 page = 0;
	const Got got = undisturbed(
		r, s, [&] { page = next_page(r); }, [&] { return r.k.encls(EREMOVE, 0, r.e.linear(page)); });
	r.check(code(got, 14), "EREMOVE with a thread inside: " + got.text());
	r.check(s.stop(), "the thread faulted");
	const Got after = r.k.encls(EREMOVE, 0, r.e.linear(page));
	r.check(code(after, 0), "EREMOVE when nobody is inside: " + after.text());
}

// Enters or resumes, on this CPU, the thread that is inside on the other.
void busy_thread(Rig &r, u32 leaf)
{
	for (unsigned i = 0; i < tries; i++) {
		if (i > 0) {
			r.e.discard();
			r.e.ready();
		}
		Spinner s(r.e, TCS_A, 1);
		s.start();
		s.kick(r.k);
		const u64 before = s.aexs();
		// In the moment of an interrupt ERESUME takes the thread over, and would go around here for ever.
		ualarm(200000, 0);
		Frame f;
		const Exit x = leaf == EENTER ? r.e.enter(inside_state, f) : r.e.resume(f);
		ualarm(0, 0);
		s.beats(10);
		const bool stayed = s.aexs() == before && !s.ended();
		s.stop();
		if (!stayed)
			continue;
		r.check(x.where == Exit::at_enclu && x.vector == VEC_GP && x.error == 0, "vector " + std::to_string(x.vector));
		return;
	}
	throw std::runtime_error("the thread inside was interrupted each time");
}

// The thread reads the page all the time, and has it in its TLB.
void stale_translation(Rig &r, void (*change)(Rig &))
{
	for (unsigned i = 0; i < tries; i++) {
		if (i > 0) {
			r.e.discard();
			r.e.ready();
		}
		Spinner s(r.e, TCS_B, 1, r.e.at(DATA));
		s.start();
		s.kick(r.k);
		const u64 before = s.aexs();
		change(r);
		s.beats(1000);
		if (s.aexs() != before) {
			s.stop();
			continue;
		}
		if (!s.ended())
			r.k.kick(1);
		else
			r.check(false, "it faulted without having left");
		while (!s.ended())
			s.beats(1);
		s.stop();
		r.check(s.exit().where == Exit::at_aep && s.exit().vector == VEC_PF &&
				s.exit().error == (PFEC_SGX | PFEC_U | PFEC_P),
			"after the interrupt: vector " + std::to_string(s.exit().vector));
		return;
	}
	throw std::runtime_error("the thread inside was interrupted each time");
}

// clang-format off
const Row rows[] = {
	{"EWB is 11 while a thread is inside since before ETRACK, 0 once it is interrupted", OK, ewb_waits},
	{"EACCEPT of PR is 11 meanwhile, then 0", OK,
	 ROW(eaccept_waits(r, [](Rig &q, u64 at) { q.e.restrict(at, R); }, PT_REG | R | PR))},
	{"EACCEPT of TRIM is 11 meanwhile, then 0", OK,
	 ROW(eaccept_waits(r, [](Rig &q, u64 at) { q.e.retype(at, PT_TRIM); }, PT_TRIM | MODIFIED))},
	{"a second ETRACK is 17 meanwhile, then 0", OK, second_etrack},
	{"who has come in again is of the next generation", OK, two_generations},
	{"who comes in after ETRACK holds nothing up", OK, late_comer},
	{"who is inside another enclave holds nothing up", OK, other_enclave},
	{"of three threads inside the last one counts", OK, one_of_three},
	{"EREMOVE is 14 while a thread is inside", OK, eremove_waits},
	{"EENTER by a thread that is inside: GP", OK, ROW(busy_thread(r, EENTER))},
	{"ERESUME of a thread that is inside: GP", OK, ROW(busy_thread(r, ERESUME))},
	{"a translation outlives EBLOCK until its thread leaves", OK, ROW(stale_translation(r, [](Rig &q) { q.e.block(DATA); }))},
	{"a translation outlives EMODT until its thread leaves", OK,
	 ROW(stale_translation(r, [](Rig &q) { q.e.retype(DATA, PT_TRIM); }))},
	{"a translation outlives EMODPR to none until its thread leaves", OK,
	 ROW(stale_translation(r, [](Rig &q) { q.e.restrict(DATA, 0); }))},
};
// clang-format on

const Group groups[] = {
	{"tracking", 0, Place::nowhere, right, rows, false},
};

} // namespace

std::span<const Group> tracking_groups()
{
	return groups;
}

} // namespace isa
