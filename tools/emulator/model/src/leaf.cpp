// SPDX-License-Identifier: GPL-2.0
// The tables of leaves and the prologue of ENCLS and ENCLU.

#include "leaf.h"

#include <array>

namespace sgx2 {

namespace {

enum class Feature : uint8_t { Sgx1, Sgx2, EnclsC, Edeccssa, Eupdatesvn, Never };

/// A leaf of ENCLU runs anywhere, only in enclave mode, or only outside of it.
enum class Place : uint8_t { Anywhere, Inside, Outside };

struct Leaf {
	uint32_t number = 0;
	const char *name = nullptr;
	Feature feature = Feature::Never;
	Outcome (*run)(Execution &) = nullptr;
	Place place = Place::Anywhere;
	/// The leaf reads all of its operands before it accesses the EPCM, and takes the lock for
	/// the access only. The leaves that programs execute often lock late, so that CPUs do not
	/// wait for the page walks of other CPUs.
	bool late_lock = false;
};

constexpr bool late_lock = true;

using Table = std::array<Leaf, SGX2_LEAVES>;

template <size_t N>
constexpr Table by_number(const Leaf (&leaves)[N])
{
	Table t{};

	for (const Leaf &l : leaves)
		t[l.number] = l;
	return t;
}

constexpr Table encls_leaves = by_number({
	{0x00, "ECREATE", Feature::Sgx1, ecreate},
	{0x01, "EADD", Feature::Sgx1, eadd},
	{0x02, "EINIT", Feature::Sgx1, einit},
	{0x03, "EREMOVE", Feature::Sgx1, eremove, Place::Anywhere, late_lock},
	{0x04, "EDBGRD", Feature::Sgx1, edbgrd},
	{0x05, "EDBGWR", Feature::Sgx1, edbgwr},
	{0x06, "EEXTEND", Feature::Sgx1, eextend},
	{0x07, "ELDB", Feature::Sgx1, eldb},
	{0x08, "ELDU", Feature::Sgx1, eldu},
	{0x09, "EBLOCK", Feature::Sgx1, eblock, Place::Anywhere, late_lock},
	{0x0a, "EPA", Feature::Sgx1, epa},
	{0x0b, "EWB", Feature::Sgx1, ewb},
	{0x0c, "ETRACK", Feature::Sgx1, etrack, Place::Anywhere, late_lock},
	{0x0d, "EAUG", Feature::Sgx2, eaug, Place::Anywhere, late_lock},
	{0x0e, "EMODPR", Feature::Sgx2, emodpr, Place::Anywhere, late_lock},
	{0x0f, "EMODT", Feature::Sgx2, emodt, Place::Anywhere, late_lock},
	{0x10, "ERDINFO", Feature::EnclsC, erdinfo, Place::Anywhere, late_lock},
	{0x11, "ETRACKC", Feature::EnclsC, etrackc},
	{0x12, "ELDBC", Feature::EnclsC, eldbc},
	{0x13, "ELDUC", Feature::EnclsC, elduc},
	{0x18, "EUPDATESVN", Feature::Eupdatesvn, eupdatesvn},
});

constexpr Table enclu_leaves = by_number({
	{0x00, "EREPORT", Feature::Sgx1, ereport, Place::Inside},
	{0x01, "EGETKEY", Feature::Sgx1, egetkey, Place::Inside},
	{0x02, "EENTER", Feature::Sgx1, eenter, Place::Outside},
	{0x03, "ERESUME", Feature::Sgx1, eresume, Place::Outside},
	{0x04, "EEXIT", Feature::Sgx1, eexit, Place::Inside},
	{0x05, "EACCEPT", Feature::Sgx2, eaccept, Place::Inside, late_lock},
	{0x06, "EMODPE", Feature::Sgx2, emodpe, Place::Inside, late_lock},
	{0x07, "EACCEPTCOPY", Feature::Sgx2, eacceptcopy, Place::Inside, late_lock},
	{0x08, "EVERIFYREPORT2", Feature::Never, nullptr, Place::Inside},
	{0x09, "EDECCSSA", Feature::Edeccssa, edeccssa, Place::Inside},
});

bool enumerated(const sgx2_config &c, Feature f)
{
	switch (f) {
	case Feature::Sgx1:
		return c.sgx1;
	case Feature::Sgx2:
		return c.sgx2;
	case Feature::EnclsC:
		return c.encls_c;
	case Feature::Edeccssa:
		return c.edeccssa;
	case Feature::Eupdatesvn:
		return c.eupdatesvn;
	case Feature::Never:
		break;
	}
	return false;
}

const Leaf *find_leaf(bool user, uint32_t number)
{
	const Table &t = user ? enclu_leaves : encls_leaves;

	if (number >= t.size() || t[number].name == nullptr)
		return nullptr;
	return &t[number];
}

bool opted_in(const sgx2_regs &r)
{
	constexpr uint64_t needed = feat_ctl::lock | feat_ctl::sgx_enable;

	return (r.feat_ctl & needed) == needed;
}

/// Perform the checks that precede those of the leaf, in the order of Documentation/isa.rst 1.
MaybeFault prologue(const Cpu &cpu, bool user, const Leaf *leaf, const sgx2_regs &r)
{
	const sgx2_config &config = cpu.machine.config;

	if (!(r.cr0 & cr0::pe) || r.vm86 || r.smm || !config.sgx1)
		return ud_fault();
	if (user && (r.cr0 & cr0::ts))
		return nm_fault();
	if (r.cpl != (user ? user_cpl : 0))
		return ud_fault();
	if (!opted_in(r))
		return gp_fault();
	if (leaf == nullptr || !enumerated(config, leaf->feature))
		return gp_fault();
	if (!(r.cr0 & cr0::pg))
		return gp_fault();
	if (!user)
		return !r.mode64 && segment::expands_down(r.ds) ? MaybeFault(gp_fault()) : std::nullopt;

	if (!(r.cr0 & cr0::ne))
		return gp_fault();
	if (!r.mode64 && !(r.cs.attr & segment::big))
		return gp_fault();
	if (leaf->place == (cpu.inside ? Place::Outside : Place::Inside))
		return gp_fault();
	return {};
}

Outcome run(Execution &x, bool user, uint32_t number)
{
	const Leaf *leaf = find_leaf(user, number);

	if (auto f = prologue(x.cpu, user, leaf, x.in))
		return *f;
	if (leaf->late_lock)
		return leaf->run(x);

	const Lock guard(x.m.lock);
	return leaf->run(x);
}

/// Return the column of the counters for a result.
uint32_t result_slot(const Outcome &o)
{
	if (o.faulted())
		return SGX2_RESULT_FAULT;
	return o.code() < SGX2_RESULT_OTHER ? o.code() : SGX2_RESULT_OTHER;
}

void count(const Cpu &cpu, bool user, uint32_t number, const Outcome &o)
{
	const std::lock_guard own(cpu.machine.lock.cpu(cpu.number));
	sgx2_counters &c = cpu.machine.counted(cpu.number);

	if (number < SGX2_LEAVES)
		(user ? c.enclu : c.encls)[number][result_slot(o)]++;
}

void trace(const Cpu &cpu, bool user, const sgx2_regs &in, const Outcome &o)
{
	sgx2_trace t{};

	t.kind = user ? SGX2_TRACE_ENCLU : SGX2_TRACE_ENCLS;
	t.leaf = static_cast<uint32_t>(in.gpr[SGX2_RAX]);
	t.rbx = in.gpr[SGX2_RBX];
	t.rcx = in.gpr[SGX2_RCX];
	t.rdx = in.gpr[SGX2_RDX];
	t.faulted = o.faulted() ? SGX2_TRACE_VECTOR + o.fault().vector : 0;
	t.result = o.faulted() ? o.fault().error_code : o.code();
	cpu.trace(t);
}

} // namespace

sgx2_outcome execute(Cpu &cpu, bool user, sgx2_regs &regs, uint32_t &effects, Fault &fault)
{
	const auto number = static_cast<uint32_t>(regs.gpr[SGX2_RAX]);
	sgx2_regs out = regs;

	out.rip = regs.next_rip;
	Execution x(cpu, user, regs, out);
	const Outcome o = run(x, user, number);

	count(cpu, user, number, o);
	trace(cpu, user, regs, o);
	if (o.faulted()) {
		fault = o.fault();
		return SGX2_FAULT;
	}
	if (o.returned()) {
		out.gpr[SGX2_RAX] = o.code();
		out.rflags = (out.rflags & ~rflags::arithmetic) | o.flags();
	}
	regs = out;
	effects = x.effects;
	return SGX2_DONE;
}

bool locks_late(bool user, uint32_t number)
{
	const Leaf *leaf = find_leaf(user, number);

	return leaf != nullptr && leaf->late_lock;
}

const char *leaf_name(bool user, uint32_t number)
{
	const Leaf *leaf = find_leaf(user, number);

	return leaf ? leaf->name : nullptr;
}

} // namespace sgx2
