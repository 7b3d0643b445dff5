// SPDX-License-Identifier: GPL-2.0
// Rows on the monitor device of the machine: counters, loss of the EPC, and the EPCM, which must be
// empty at the end.

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

void needs_monitor(TestBench &r)
{
	if (!r.monitor)
		throw Skip{"no monitor device: not the SGX2 machine"};
}

void check_counters(TestBench &r)
{
	r.e.build();
	r.e.aug(FREE);
	const u64 done = r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 0));
	const u64 refused = r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 20));
	const u64 faulted = r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, SGX2_DEV_RESULT_FAULT));
	const u64 entered = r.monitor->counter(SGX2_DEV_CTR_ENCLU(EENTER, 0));
	const u64 left = r.monitor->counter(SGX2_DEV_CTR_ENCLU(EEXIT, 0));
	r.clear_shared();
	r.s.secinfo.flags = R;
	for (unsigned i = 0; i < 5; i++)
		r.k.encls(EMODPR, r.k.at(&r.s.secinfo), r.e.linear(DATA));
	for (unsigned i = 0; i < 3; i++)
		r.k.encls(EMODPR, r.k.at(&r.s.secinfo), r.e.linear(FREE));
	for (unsigned i = 0; i < 2; i++)
		r.k.encls(EMODPR, r.k.at(&r.s.secinfo), r.e.linear(TCS_A));
	for (unsigned i = 0; i < 4; i++) {
		Frame f;
		r.e.enter(inside_state, f);
	}
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 0)) - done == 5, "EMODPR done");
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 20)) - refused == 3, "EMODPR with result 20");
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, SGX2_DEV_RESULT_FAULT)) - faulted == 2, "EMODPR faulted");
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLU(EENTER, 0)) - entered == 4, "EENTER");
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLU(EEXIT, 0)) - left == 4, "EEXIT");
}

void check_physical(TestBench &r)
{
	for (const u64 p : {0UL, 1UL, r.k.pages() / 2, r.k.pages() - 1})
		r.check(r.monitor->entry(p).phys == r.k.phys(p), "page " + std::to_string(p));
}

void check_owners(TestBench &r)
{
	r.e.build();
	const u64 id = r.monitor->entry(r.e.secs()).enclave;
	for (const u64 offset : {CODE, TCS_A, SSA_A, DATA}) {
		const EpcmEntry entry = r.monitor->entry(r.e.page(offset));
		r.check(entry.enclave == id && entry.linear == r.e.at(offset), "the page at " + std::to_string(offset));
	}
	r.check(r.monitor->entry(r.va()).enclave == 0, "a VA page has an owner");
}

void check_loss(TestBench &r)
{
	r.e.build();
	const u64 va = r.va();
	r.check(r.monitor->valid() == 10, "valid entries before: " + std::to_string(r.monitor->valid()));
	r.monitor->lose_epc();
	r.check(r.monitor->valid() == 0, "valid entries after: " + std::to_string(r.monitor->valid()));
	const Result block = r.k.encls(EBLOCK, 0, r.e.linear(DATA));
	r.check(!block.faulted() && block.regs.rax == 6, "EBLOCK: " + block.text());
	const Result track = r.k.encls(ETRACK, 0, r.e.secs_linear());
	r.check(track.vector == VEC_PF && track.error & PFEC_SGX, "ETRACK: " + track.text());
	const Result remove = r.k.encls(EREMOVE, 0, r.k.linear(va));
	r.check(!remove.faulted() && remove.regs.rax == 0, "EREMOVE: " + remove.text());
	Frame f;
	const Exit x = r.e.enter(inside_state, f);
	r.check(x.where == Exit::at_enclu && x.vector == VEC_PF && x.error & PFEC_SGX,
		"EENTER: vector " + std::to_string(x.vector));
}

/// With a rate for EEXTEND, EADD succeeds and EEXTEND does not; the leaf of ENCLU with the same
/// number is not affected.
void one_leaf(TestBench &r)
{
	r.e.create();
	r.inject(SGX2_DEV_INJ_ENCLS(EEXTEND));
	r.e.add(FREE, PT_REG | R);
	for (unsigned i = 0; i < 3; i++) {
		const Result result = r.k.encls(EEXTEND, r.e.secs_linear(), r.e.linear(FREE));
		r.check(result.vector == VEC_GP, "EEXTEND: " + result.text());
	}
	r.monitor->clear_injection();
	require("EEXTEND", r.k.encls(EEXTEND, r.e.secs_linear(), r.e.linear(FREE)));
}

/// Check that no page is valid.
void check_empty(TestBench &r)
{
	for (u64 p = 0; p < r.k.pages(); p++)
		r.check(!r.monitor->entry(p).valid(), "page " + std::to_string(p) + " is " + r.monitor->entry(p).text());
	r.check(r.monitor->valid() == 0, "valid entries: " + std::to_string(r.monitor->valid()));
}

// clang-format off
const Row rows[] = {
	{"counters match the executed leaves", OK, ROW(needs_monitor(r); check_counters(r))},
	{"entries are in the order of physical pages", OK, ROW(needs_monitor(r); check_physical(r))},
	{"entries have owner and address", OK, ROW(needs_monitor(r); check_owners(r))},
	{"conflicts of one leaf only", OK, ROW(needs_monitor(r); one_leaf(r))},
	{"lost EPC: no entry is valid, leaves and EENTER fail", OK, ROW(needs_monitor(r); check_loss(r))},
	{"the EPC works after a loss", OK, ROW(r.e.build(); fault_inside(r))},
	{"no EPCM entry is valid at the end", OK, ROW(needs_monitor(r); check_empty(r))},
};
// clang-format on

const Group groups[] = {
	{"machine", 0, Place::none, nullptr, rows, false},
};

} // namespace

std::span<const Group> monitor_groups()
{
	return groups;
}

} // namespace isa
