// SPDX-License-Identifier: GPL-2.0
// Rows on what only the machine has: its counters, the loss of the EPC, and an EPCM that is empty in the end.

#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

void needs_monitor(Rig &r)
{
	if (!r.monitor)
		throw Skip{"no monitor device: not our machine"};
}

void counts(Rig &r)
{
	r.e.ready();
	r.e.aug(FREE);
	const u64 done = r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 0));
	const u64 refused = r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 20));
	const u64 faulted = r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 33));
	const u64 entered = r.monitor->counter(SGX2_DEV_CTR_ENCLU(EENTER, 0));
	const u64 left = r.monitor->counter(SGX2_DEV_CTR_ENCLU(EEXIT, 0));
	r.wipe();
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
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLS(EMODPR, 33)) - faulted == 2, "EMODPR faulted");
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLU(EENTER, 0)) - entered == 4, "EENTER");
	r.check(r.monitor->counter(SGX2_DEV_CTR_ENCLU(EEXIT, 0)) - left == 4, "EEXIT");
}

void physical(Rig &r)
{
	for (const u64 p : {0UL, 1UL, r.k.pages() / 2, r.k.pages() - 1})
		r.check(r.monitor->entry(p).phys == r.k.phys(p), "page " + std::to_string(p));
}

void owners(Rig &r)
{
	r.e.ready();
	const u64 id = r.monitor->entry(r.e.secs()).enclave;
	for (const u64 offset : {CODE, TCS_A, SSA_A, DATA}) {
		const EpcmEntry entry = r.monitor->entry(r.e.page(offset));
		r.check(entry.enclave == id && entry.linear == r.e.at(offset), "the page at " + std::to_string(offset));
	}
	r.check(r.monitor->entry(r.va()).enclave == 0, "a VA has an owner");
}

void lost(Rig &r)
{
	r.e.ready();
	const u64 va = r.va();
	r.check(r.monitor->valid() == 10, "valid entries before: " + std::to_string(r.monitor->valid()));
	r.monitor->lose_epc();
	r.check(r.monitor->valid() == 0, "valid entries after: " + std::to_string(r.monitor->valid()));
	const Got block = r.k.encls(EBLOCK, 0, r.e.linear(DATA));
	r.check(!block.faulted() && block.regs.rax == 6, "EBLOCK: " + block.text());
	const Got track = r.k.encls(ETRACK, 0, r.e.secs_linear());
	r.check(track.vector == VEC_PF && track.error & PFEC_SGX, "ETRACK: " + track.text());
	const Got remove = r.k.encls(EREMOVE, 0, r.k.linear(va));
	r.check(!remove.faulted() && remove.regs.rax == 0, "EREMOVE: " + remove.text());
	Frame f;
	const Exit x = r.e.enter(inside_state, f);
	r.check(x.where == Exit::at_enclu && x.vector == VEC_PF && x.error & PFEC_SGX,
		"EENTER: vector " + std::to_string(x.vector));
}

/// EADD works and EEXTEND does not, as long as it is so; of ENCLU the leaf of that number is another.
void one_leaf(Rig &r)
{
	r.e.create();
	r.inject(SGX2_DEV_INJ_ENCLS(EEXTEND));
	r.e.add(FREE, PT_REG | R);
	for (unsigned i = 0; i < 3; i++) {
		const Got got = r.k.encls(EEXTEND, r.e.secs_linear(), r.e.linear(FREE));
		r.check(got.vector == VEC_GP, "EEXTEND: " + got.text());
	}
	r.monitor->calm();
	must("EEXTEND", r.k.encls(EEXTEND, r.e.secs_linear(), r.e.linear(FREE)));
}

/// Every page, whoever left it.
void empty(Rig &r)
{
	for (u64 p = 0; p < r.k.pages(); p++)
		r.check(!r.monitor->entry(p).valid(), "page " + std::to_string(p) + " is " + r.monitor->entry(p).text());
	r.check(r.monitor->valid() == 0, "valid entries: " + std::to_string(r.monitor->valid()));
}

/// clang-format off
const Row rows[] = {
	{"counters agree with what was executed", OK, ROW(needs_monitor(r); counts(r))},
	{"entries stand in the order of physical pages", OK, ROW(needs_monitor(r); physical(r))},
	{"entries tell owner and address", OK, ROW(needs_monitor(r); owners(r))},
	{"conflicts of one leaf alone", OK, ROW(needs_monitor(r); one_leaf(r))},
	{"the EPC is lost: nothing is valid, leaves and entry say so", OK, ROW(needs_monitor(r); lost(r))},
	{"the EPC works again after that", OK, ROW(r.e.ready(); fault_inside(r))},
	{"in the end no entry of the EPCM is valid", OK, ROW(needs_monitor(r); empty(r))},
};
/// clang-format on

const Group groups[] = {
	{"machine", 0, Place::nowhere, nullptr, rows, false},
};

} // namespace

std::span<const Group> monitor_groups()
{
	return groups;
}

} // namespace isa
