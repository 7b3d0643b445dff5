// SPDX-License-Identifier: GPL-2.0
// Rows on tracking (Documentation/isa.rst 8): a thread inside on another CPU delays leaves until it
// is interrupted.

#include <unistd.h>

#include "enclave_thread.h"
#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

/// Two further threads, at offsets that other rows do not use.
constexpr u64 TCS_C = 0x8000, SSA_C = 0x9000, TCS_D = 0xa000, SSA_D = 0xb000;

/// Prepare the enclave; no thread is inside.
void prepare(TestBench &r)
{
	if (cpus() < 2)
		throw Skip{"one CPU: no thread can be inside at the same time"};
	r.e.build();
}

/// Return an accepted page. All mappings must exist before a thread is inside that takes no
/// interrupts.
u64 accepted_page(TestBench &r)
{
	r.e.aug(FREE);
	r.e.must_accept(FREE, PT_REG | R | W | PENDING);
	return FREE;
}

bool code(const Result &g, unsigned n)
{
	return !g.faulted() && g.regs.rax == n;
}

void expect_code(TestBench &r, const char *what, const Result &result, unsigned n)
{
	r.check(code(result, n), std::string(what) + ": " + result.text());
}

Result ewb(TestBench &r, u64 offset, u64 va)
{
	r.pageinfo(0, r.k.at(r.s.evicted), r.k.at(&r.s.pcmd), 0);
	return r.k.encls(EWB, r.rbx, r.e.linear(offset), r.k.linear(va));
}

Result etrack(TestBench &r)
{
	return r.k.encls(ETRACK, 0, r.e.secs_linear());
}

void ewb_waits(TestBench &r)
{
	const u64 va = r.va();
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "EBLOCK", r.k.encls(EBLOCK, 0, r.e.linear(DATA)), 0);
	expect_code(r, "EWB before ETRACK", ewb(r, DATA, va), 11);
	expect_code(r, "ETRACK", etrack(r), 0);
	expect_code(r, "EWB with a thread inside", ewb(r, DATA, va), 11);
	r.check(s.aexs() == 0, "the thread exited in the meantime");
	s.interrupt();
	expect_code(r, "EWB after it was interrupted", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

/// Send the IPI that a driver sends. A timer interrupt may precede it, so only the last result is
/// certain.
void ewb_after_ipi(TestBench &r)
{
	const u64 va = r.va();
	EnclaveThread s(r.k, r.e, TCS_B, 1, EnclaveThread::with_interrupts);
	s.start();
	r.e.block(DATA);
	etrack(r);
	r.k.interrupt(1);
	expect_code(r, "EWB after an interprocessor interrupt", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

void ewb_after_eexit(TestBench &r)
{
	const u64 va = r.va();
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	r.e.block(DATA);
	etrack(r);
	expect_code(r, "EWB with a thread inside", ewb(r, DATA, va), 11);
	r.check(s.stop(), "the thread faulted");
	expect_code(r, "EWB after it left by EEXIT", ewb(r, DATA, va), 0);
}

void eaccept_waits(TestBench &r, void (*change)(TestBench &, u64), u64 secinfo)
{
	const u64 page = accepted_page(r);
	const auto eaccept = [&r, page] {
		return r.e.leaf(EACCEPT, r.e.at(PARAM), r.e.at(page));
	};
	write_secinfo(r, secinfo);
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	change(r, page);
	expect_code(r, "EACCEPT before ETRACK", eaccept(), 11);
	expect_code(r, "ETRACK", etrack(r), 0);
	expect_code(r, "EACCEPT with a thread inside", eaccept(), 11);
	r.check(s.aexs() == 0, "the thread exited in the meantime");
	s.interrupt();
	expect_code(r, "EACCEPT after it was interrupted", eaccept(), 0);
	r.check(s.stop(), "the thread faulted");
}

void second_etrack(TestBench &r)
{
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "the first ETRACK", etrack(r), 0);
	expect_code(r, "the second ETRACK", etrack(r), 17);
	expect_code(r, "the third ETRACK", etrack(r), 17);
	r.check(s.aexs() == 0, "the thread exited in the meantime");
	s.interrupt();
	expect_code(r, "ETRACK after it was interrupted", etrack(r), 0);
	r.check(s.stop(), "the thread faulted");
}

void two_epochs(TestBench &r)
{
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "ETRACK", etrack(r), 0);
	s.interrupt();
	expect_code(r, "ETRACK of the epoch in which the thread resumed", etrack(r), 0);
	expect_code(r, "the next ETRACK", etrack(r), 17);
	r.check(s.stop(), "the thread faulted");
	expect_code(r, "ETRACK when no thread is inside", etrack(r), 0);
}

void entered_after_etrack(TestBench &r)
{
	const u64 va = r.va();
	r.e.block(DATA);
	r.e.track();
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "EWB", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

void other_enclave(TestBench &r)
{
	const u64 va = r.va();
	r.other.build();
	EnclaveThread s(r.k, r.other, TCS_B, 1);
	s.start();
	r.e.block(DATA);
	expect_code(r, "ETRACK", etrack(r), 0);
	expect_code(r, "EWB", ewb(r, DATA, va), 0);
	r.check(s.stop(), "the thread faulted");
}

void three_threads(TestBench &r)
{
	if (cpus() < 4)
		throw Skip{"less than four CPUs"};
	r.e.remove_all();
	r.e.create();
	r.e.add_pages();
	Tcs t = r.e.tcs_b;
	t.ossa = SSA_C;
	r.e.add(TCS_C, PT_TCS, &t);
	r.e.add(SSA_C, PT_REG | R | W);
	t.ossa = SSA_D;
	r.e.add(TCS_D, PT_TCS, &t);
	r.e.add(SSA_D, PT_REG | R | W);
	r.e.init();
}

void one_of_three(TestBench &r)
{
	three_threads(r);
	const u64 va = r.va();
	EnclaveThread a(r.k, r.e, TCS_B, 1), b(r.k, r.e, TCS_C, 2), c(r.k, r.e, TCS_D, 3);
	for (EnclaveThread *s : {&a, &b, &c})
		s->start();
	r.e.block(DATA);
	etrack(r);
	expect_code(r, "EWB with three inside", ewb(r, DATA, va), 11);
	a.interrupt();
	expect_code(r, "EWB with two inside", ewb(r, DATA, va), 11);
	c.interrupt();
	expect_code(r, "EWB with one inside", ewb(r, DATA, va), 11);
	a.interrupt();
	expect_code(r, "EWB after another was interrupted again", ewb(r, DATA, va), 11);
	b.interrupt();
	expect_code(r, "EWB after the last was interrupted", ewb(r, DATA, va), 0);
	for (EnclaveThread *s : {&a, &b, &c})
		s->release();
	r.check(a.stop() && b.stop() && c.stop(), "a thread faulted");
}

void eremove_waits(TestBench &r)
{
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	expect_code(r, "EREMOVE with a thread inside", r.k.encls(EREMOVE, 0, r.e.linear(DATA)), 14);
	expect_code(r, "EREMOVE of a TCS", r.k.encls(EREMOVE, 0, r.e.linear(TCS_A)), 14);
	r.check(s.stop(), "the thread faulted");
	expect_code(r, "EREMOVE when no thread is inside", r.k.encls(EREMOVE, 0, r.e.linear(DATA)), 0);
}

/// Enter or resume, on this CPU, the thread that is inside on the other CPU.
void active_tcs(TestBench &r, u32 leaf)
{
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	Frame f;
	const Exit x = leaf == EENTER ? r.e.enter(inside_state, f, TCS_B) : r.e.resume(f, TCS_B);
	r.check(x.where == Exit::at_enclu && x.vector == VEC_GP && x.error == 0, "vector " + std::to_string(x.vector));
	r.check(s.stop(), "the thread faulted");
}

/// Change a page that the thread reads in each iteration and has in its TLB.
void stale_translation(TestBench &r, void (*change)(TestBench &))
{
	EnclaveThread s(r.k, r.e, TCS_B, 1, EnclaveThread::without_interrupts, r.e.at(DATA));
	s.start();
	change(r);
	s.wait_iterations(1000);
	r.check(!s.ended() && s.aexs() == 0, "the thread was interrupted");
	s.interrupt();
	s.stop();
	r.check(s.exit().where == Exit::at_aep && s.exit().vector == VEC_PF && s.exit().error == (PFEC_SGX | PFEC_U | PFEC_P),
		"after the interrupt: vector " + std::to_string(s.exit().vector));
}

void nmis(TestBench &r)
{
	if (!r.monitor)
		throw Skip{"only the SGX2 machine counts exits"};
	EnclaveThread s(r.k, r.e, TCS_B, 1);
	s.start();
	const u64 before = r.monitor->counter(SGX2_DEV_CTR_AEX_NMI);
	for (int i = 0; i < 5; i++)
		s.interrupt();
	r.check(r.monitor->counter(SGX2_DEV_CTR_AEX_NMI) - before == 5, "the counter did not increase by 5");
	r.check(s.aexs() == 5, "exits of the thread: " + std::to_string(s.aexs()));
	r.check(s.stop(), "the thread faulted");
}

// clang-format off
const Row rows[] = {
	{"EWB returns 11 while a thread is inside since before ETRACK, 0 after an interrupt", OK, ewb_waits},
	{"EWB returns 0 after an IPI", OK, ewb_after_ipi},
	{"EWB returns 11 while a thread is inside, 0 after its EEXIT", OK, ewb_after_eexit},
	{"EACCEPT of PR returns 11 while a thread is inside, then 0", OK,
	 ROW(eaccept_waits(r, [](TestBench &q, u64 at) { q.e.restrict(at, R); }, PT_REG | R | PR))},
	{"EACCEPT of TRIM returns 11 while a thread is inside, then 0", OK,
	 ROW(eaccept_waits(r, [](TestBench &q, u64 at) { q.e.retype(at, PT_TRIM); }, PT_TRIM | MODIFIED))},
	{"a second ETRACK returns 17 while a thread is inside, then 0", OK, second_etrack},
	{"a thread that has entered again belongs to the next epoch", OK, two_epochs},
	{"a thread that enters after ETRACK delays no leaf", OK, entered_after_etrack},
	{"a thread inside another enclave delays no leaf", OK, other_enclave},
	{"each of three threads inside delays EWB until it is interrupted", OK, one_of_three},
	{"EREMOVE returns 14 while a thread is inside", OK, eremove_waits},
	{"EENTER by a thread that is inside: GP", OK, ROW(active_tcs(r, EENTER))},
	{"ERESUME of a thread that is inside: GP", OK, ROW(active_tcs(r, ERESUME))},
	{"a translation survives EBLOCK until its thread exits", OK, ROW(stale_translation(r, [](TestBench &q) { q.e.block(DATA); }))},
	{"a translation survives EMODT until its thread exits", OK,
	 ROW(stale_translation(r, [](TestBench &q) { q.e.retype(DATA, PT_TRIM); }))},
	{"a translation survives EMODPR to none until its thread exits", OK,
	 ROW(stale_translation(r, [](TestBench &q) { q.e.restrict(DATA, 0); }))},
	{"an NMI makes a thread without interrupts exit", OK, nmis},
};

const Group groups[] = {
	{"tracking", 0, Place::none, prepare, rows, false},
};
// clang-format on

} // namespace

std::span<const Group> tracking_groups()
{
	return groups;
}

} // namespace isa
