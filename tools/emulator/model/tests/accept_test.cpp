// SPDX-License-Identifier: GPL-2.0
// The leaves of ENCLU for SGX2: EACCEPT, EACCEPTCOPY and EMODPE, with their checks in order.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

constexpr u64 kSec = at::Data, kFree2 = at::Free + kPage;

/// A thread inside on CPU 1, which executes leaf(SECINFO, RCX, RDX).
struct InsideCall {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Cpu &c = m.cpu(1);
	u32 leaf;
	Secinfo si;
	u64 rbx = e->lin(kSec), rcx = 0, rdx = 0;

	explicit InsideCall(u32 l) : leaf(l) { e->aug(at::Free); }
	void enter()
	{
		if (!c.inside()) {
			ASSERT_RESULT(e->enter(1), done());
		}
	}
	Result call()
	{
		enter();
		if ((rbx & ~(kPage - 1)) == e->lin(kSec))
			std::memcpy(e->mem(kSec) + rbx % kPage, si.b.data(), si.b.size());
		return c.enclu(leaf, rbx, rcx, rdx);
	}
	/// Map another EPC page at the enclave's offset @off. Return the linear address.
	u64 remap(u64 off, u64 epc_page)
	{
		m.map(e->lin(off), {m.epc_physical(epc_page)});
		return e->lin(off);
	}
	/// Return a page of a second enclave that has the same addresses.
	u64 foreign(u64 off)
	{
		Enclave other(m, e->spec);
		other.create();
		EXPECT_RESULT(other.try_add(off, REG | R | W, Page{}), done());
		return other.pages.at(off);
	}
};

using F = InsideCall;
Expected is_gp(F &)
{
	return gp();
}
Expected rbx_pf(F &f)
{
	return uepcm(f.rbx);
}
Expected rcx_pf(F &f)
{
	return uepcm(f.rcx);
}
Expected rdx_pf(F &f)
{
	return uepcm(f.rdx);
}
std::function<Expected(F &)> is(u64 n)
{
	return [n](F &) {
		return code(n);
	};
}

/// The checks of a SECINFO in the enclave, which are the same for the three leaves.
const std::vector<Step<F>> kSecinfo = {
	{"SECINFO's page is a TCS", [](F &f) { f.rbx = f.e->lin(at::Tcs2); }, rbx_pf},
	{"SECINFO's page is blocked",
	 [](F &f) {
		 f.rbx = f.e->lin(at::Data2);
		 EXPECT_RESULT(f.e->eblock(at::Data2), done());
	 },
	 rbx_pf},
	{"SECINFO's page is pending",
	 [](F &f) {
		 f.e->aug(at::Free + 2 * kPage);
		 f.rbx = f.e->lin(at::Free + 2 * kPage);
	 },
	 rbx_pf},
	{"SECINFO's page is modified",
	 [](F &f) {
		 EXPECT_RESULT(f.e->emodt(at::Ssa + kPage, PT_TRIM), done());
		 f.rbx = f.e->lin(at::Ssa + kPage);
	 },
	 rbx_pf},
	{"SECINFO's page is not readable",
	 [](F &f) {
		 EXPECT_RESULT(f.e->emodpr(at::Ssa + 2 * kPage, 0), done());
		 f.rbx = f.e->lin(at::Ssa + 2 * kPage);
	 },
	 rbx_pf},
	{"SECINFO's page is invalid", [](F &f) { f.rbx = f.remap(at::Free + 3 * kPage, f.m.epc()); }, rbx_pf},
	{"SECINFO's page has another address", [](F &f) { f.rbx = f.remap(at::Free + 4 * kPage, f.e->epc(at::Data2)); }, rbx_pf},
	{"SECINFO's page is another enclave's",
	 [](F &f) { f.rbx = f.remap(at::Free + 5 * kPage, f.foreign(at::Free + 5 * kPage)); }, rbx_pf},
};

std::vector<Step<F>> with_secinfo(std::vector<Step<F>> before, const std::vector<Step<F>> &behind)
{
	before.insert(before.end(), kSecinfo.begin(), kSecinfo.end());
	before.insert(before.end(), behind.begin(), behind.end());
	return before;
}

std::unique_ptr<F> accept()
{
	auto f = std::make_unique<F>(EACCEPT);
	f->si.set(0, REG | R | W | PENDING);
	f->rcx = f->e->lin(at::Free);
	return f;
}

TEST(Eaccept, ChecksInOrder)
{
	walk_checks<F>(
		accept,
		with_secinfo(
			{
				{"RBX misaligned", [](F &f) { f.rbx += 32; }, is_gp},
				{"RBX outside ELRANGE", [](F &f) { f.rbx = kUserRam; }, is_gp},
				{"RBX not mapped", [](F &f) { f.rbx = f.e->lin(0x80000); },
				 [](F &f) {
					 return pf(f.rbx, 4);
				 }},
				{"RBX is RAM",
				 [](F &f) {
					 f.rbx = f.e->lin(0x81000);
					 f.m.map(f.rbx, {kRamPhysical});
				 },
				 rbx_pf},
			},
			{
				{"reserved SECINFO", [](F &f) { f.si.set<u8>(60, 1); }, is_gp},
				{"RCX misaligned", [](F &f) { f.rcx += 2048; }, is_gp},
				{"RCX outside ELRANGE", [](F &f) { f.rcx = kUserRam; }, is_gp},
				{"RCX not mapped", [](F &f) { f.rcx = f.e->lin(0x82000); },
				 [](F &f) {
					 return pf(f.rcx, 4);
				 }},
				{"RCX is RAM",
				 [](F &f) {
					 f.rcx = f.e->lin(0x83000);
					 f.m.map(f.rcx, {kRamPhysical});
				 },
				 rcx_pf},
				{"illegal combination", [](F &f) { f.si.set(0, REG | R); }, is_gp},
				{"RCX invalid", [](F &f) { f.rcx = f.remap(0x84000, f.m.epc()); }, rcx_pf},
				{"RCX blocked",
				 [](F &f) {
					 f.e->aug(kFree2);
					 EXPECT_RESULT(f.e->eblock(kFree2), done());
					 f.rcx = f.e->lin(kFree2);
				 },
				 rcx_pf},
				{"RCX is a SECS", [](F &f) { f.rcx = f.remap(0x85000, f.e->secs); }, rcx_pf},
				{"RCX is another enclave's", [](F &f) { f.rcx = f.remap(0x86000, f.foreign(0x86000)); }, rcx_pf},
				{"RCX has another address",
				 [](F &f) {
					 f.e->aug(0x87000);
					 f.rcx = f.remap(0x88000, f.e->epc(0x87000));
				 },
				 is(PAGE_ATTRIBUTES_MISMATCH)},
				{"other rights", [](F &f) { f.si.set(0, REG | R | PENDING); }, is(PAGE_ATTRIBUTES_MISMATCH)},
				{"not tracked",
				 [](F &f) {
					 EXPECT_RESULT(f.e->emodpr(at::RoData, 0), done());
					 f.rcx = f.e->lin(at::RoData);
					 f.si.set(0, REG | PR);
				 },
				 is(NOT_TRACKED)},
			}));
}

TEST(Eaccept, AcceptsOnlyLegalSecinfo)
{
	for (u64 t = 0; t < 8; t++) {
		for (u64 state = 0; state < 8; state++) {
			const bool pending = (state & 1) != 0, modified = (state & 2) != 0, pr = (state & 4) != 0;
			const bool legal = (t == PT_REG && !modified && (pr || pending)) ||
					   ((t == PT_TCS || t == PT_TRIM) && !pr && !pending && modified);
			auto f = accept();
			f->si.set(0, t << SECINFO_TYPE_SHIFT | state << 3);
			// A legal SECINFO that does not describe the page gives
			// SGX_PAGE_ATTRIBUTES_MISMATCH (19).
			EXPECT_RESULT(f->call(), legal ? code(PAGE_ATTRIBUTES_MISMATCH) : gp()) << t << ' ' << state;
		}
	}
}

TEST(Eaccept, ReservedSecinfoIsGp)
{
	for (const unsigned bit : {6U, 7U, 16U, 40U, 63U, 64U, 300U, 511U}) {
		auto f = accept();
		f->si.b[bit / 8] = static_cast<u8>(f->si.b[bit / 8] | 1U << bit % 8);
		EXPECT_RESULT(f->call(), gp()) << bit;
	}
}

TEST(Eaccept, ClearsPending)
{
	auto f = accept();
	ASSERT_RESULT(f->call(), done());
	const auto p = f->e->entry(at::Free);
	EXPECT_TRUE(p.valid && p.r && p.w);
	EXPECT_FALSE(p.x || p.pending || p.modified || p.pr || p.blocked);
	EXPECT_EQ(p.stamp, 0U);
	EXPECT_RESULT(f->call(), code(PAGE_ATTRIBUTES_MISMATCH)) << "twice";
}

TEST(Eaccept, ComparesAllFlagsExceptPr)
{
	auto f = accept();
	EXPECT_RESULT(f->e->emodpr(at::Data2, R), done());
	EXPECT_RESULT(f->e->etrack(), done());
	for (const u64 flags : {REG | PR, REG | R | W | PR, REG | R | X | PR, REG | R | PENDING, REG | R | PENDING | PR})
		EXPECT_RESULT((f->enter(), f->e->eaccept(1, at::Data2, flags)), code(PAGE_ATTRIBUTES_MISMATCH)) << flags;
	for (const u64 flags : {TRIM | R | MODIFIED, TCS | R | MODIFIED})
		EXPECT_RESULT(f->e->eaccept(1, at::Data2, flags), code(PAGE_ATTRIBUTES_MISMATCH)) << flags;
	EXPECT_RESULT(f->e->eaccept(1, at::Data2, REG | R | PR), done());
	EXPECT_FALSE(f->e->entry(at::Data2).pr);
	EXPECT_RESULT(f->e->eaccept(1, at::Data2, REG | R | PR), done()) << "PR is not compared";
}

TEST(Eaccept, IgnoresPrOfPendingPage)
{
	auto f = accept();
	f->si.set(0, REG | R | W | PENDING | PR);
	EXPECT_RESULT(f->call(), done());
}

TEST(Eaccept, AcceptsTrimAfterTracking)
{
	auto f = accept();
	EXPECT_RESULT(f->e->emodt(at::Data2, PT_TRIM), done());
	f->enter();
	EXPECT_RESULT(f->e->eaccept(1, at::Data2, TRIM | MODIFIED), code(NOT_TRACKED));
	EXPECT_RESULT(f->e->eaccept(1, at::Data2, TRIM | R | MODIFIED), code(PAGE_ATTRIBUTES_MISMATCH))
		<< "PAGE_ATTRIBUTES_MISMATCH (19) precedes NOT_TRACKED (11)";
	EXPECT_RESULT(f->e->etrack(), done());
	EXPECT_RESULT(f->e->eaccept(1, at::Data2, TRIM | MODIFIED), code(NOT_TRACKED)) << "this thread entered before ETRACK";
	EXPECT_RESULT(f->e->exit(1), done());
	f->enter();
	EXPECT_RESULT(f->e->eaccept(1, at::Data2, TRIM | MODIFIED), done());
	const auto p = f->e->entry(at::Data2);
	EXPECT_TRUE(p.valid);
	EXPECT_FALSE(p.modified);
	EXPECT_EQ(p.type, PT_TRIM);
	EXPECT_RESULT(f->e->eaccept(1, at::Data2, TRIM | MODIFIED), code(PAGE_ATTRIBUTES_MISMATCH));
}

TEST(Eaccept, NeedsOnlyReadableMapping)
{
	auto f = accept();
	f->m.pte(f->rcx)->w = false;
	f->m.pte(f->rbx)->w = false;
	EXPECT_RESULT(f->call(), done());
}

struct TcsCase {
	const char *name;
	std::function<void(Page &)> change;
	bool good;
};

TEST(Eaccept, AcceptsOnlyValidTcs)
{
	const TcsCase cases[] = {
		{"valid TCS", [](Page &) {}, true},
		{"AEXNOTIFY", [](Page &p) { p.set<u64>(tcs::FLAGS, 2); }, true},
		{"reserved", [](Page &p) { p.set<u8>(72, 1); }, false},
		{"reserved, last", [](Page &p) { p.set<u8>(4095, 1); }, false},
		{"DBGOPTIN", [](Page &p) { p.set<u64>(tcs::FLAGS, 1); }, false},
		{"no frame", [](Page &p) { p.set<u32>(tcs::NSSA, 0); }, false},
		{"CSSA at NSSA", [](Page &p) { p.set<u32>(tcs::CSSA, 2); }, false},
		{"AEP", [](Page &p) { p.set<u64>(tcs::AEP, 0x1000); }, false},
		{"STATE", [](Page &p) { p.set<u64>(tcs::STATE, 1); }, false},
	};
	for (const auto &k : cases) {
		SCOPED_TRACE(k.name);
		auto f = accept();
		Page p = tcs_page();
		k.change(p);
		std::memcpy(f->e->mem(at::Data2), p.b.data(), kPage);
		EXPECT_RESULT(f->e->emodt(at::Data2, PT_TCS), done());
		f->enter();
		EXPECT_RESULT(f->e->eaccept(1, at::Data2, TCS | MODIFIED), code(NOT_TRACKED))
			<< "NOT_TRACKED (11) precedes the check of the contents";
		EXPECT_RESULT(f->e->exit(1), done());
		EXPECT_RESULT(f->e->etrack(), done());
		f->enter();
		EXPECT_RESULT(f->e->eaccept(1, at::Data2, TCS | MODIFIED), k.good ? done() : gp());
		EXPECT_EQ(f->e->entry(at::Data2).modified, !k.good);
		if (!k.good || f->e->peek<u64>(at::Data2 + tcs::FLAGS))
			continue;
		EXPECT_RESULT(f->e->exit(1), done());
		EXPECT_RESULT(f->e->enter(1, at::Data2), done()) << "the page is a TCS now";
		EXPECT_RESULT(f->e->exit(1), done());
		EXPECT_RESULT(f->e->emodt(at::Data2, PT_TRIM), done());
	}
}

/// A page of zeros has CSSA equal to NSSA. The SDM's listing rejects it; Intel's enclave memory
/// manager expects that EACCEPT accepts it.
TEST(Eaccept, AcceptsTcsOfZeros)
{
	for (const bool strict : {false, true}) {
		MachineOptions o;
		o.config.strict_tcs = strict;
		Machine m(o);
		auto e = standard(m);
		std::memset(e->mem(at::Data2), 0, kPage);
		EXPECT_RESULT(e->emodt(at::Data2, PT_TCS), done());
		EXPECT_RESULT(e->etrack(), done());
		ASSERT_RESULT(e->enter(1), done());
		EXPECT_RESULT(e->eaccept(1, at::Data2, TCS | MODIFIED), strict ? gp() : done());
		EXPECT_EQ(e->entry(at::Data2).modified, strict);
		ASSERT_RESULT(e->exit(1), done());
		if (!strict) {
			EXPECT_RESULT(e->enter(1, at::Data2), gp()) << "the TCS has no SSA frame";
		}
	}
}

/// The exception applies only if the whole page is zero.
TEST(Eaccept, RejectsTcsOfZerosExceptOneField)
{
	for (const u64 offset : {tcs::OSSA, tcs::OENTRY, tcs::OFSBASE, tcs::FSLIMIT}) {
		Machine m;
		auto e = standard(m);
		std::memset(e->mem(at::Data2), 0, kPage);
		e->poke<u16>(at::Data2 + offset, 0x1000);
		EXPECT_RESULT(e->emodt(at::Data2, PT_TCS), done());
		EXPECT_RESULT(e->etrack(), done());
		ASSERT_RESULT(e->enter(1), done());
		EXPECT_RESULT(e->eaccept(1, at::Data2, TCS | MODIFIED), gp()) << offset;
	}
}

TEST(Eaccept, ChecksTcsLimitsIn32BitEnclave)
{
	for (const u32 limit : {0xfffU, 0xffeU}) {
		Machine m;
		auto e = standard(m, {.base = 0x40000000, .attributes = A_DEBUG});
		Page p = tcs_page();
		p.set(tcs::FSLIMIT, limit);
		std::memcpy(e->mem(at::Data2), p.b.data(), kPage);
		EXPECT_RESULT(e->emodt(at::Data2, PT_TCS), done());
		EXPECT_RESULT(e->etrack(), done());
		Cpu &c = m.cpu(1);
		c.regs.mode64 = false;
		c.regs.cs = {0, ~u32{0}, 0xcffb00, 0x23};
		c.regs.ds = {0, ~u32{0}, 0xcff300, 0x2b};
		ASSERT_RESULT(e->enter(1), done());
		EXPECT_RESULT(e->eaccept(1, at::Data2, TCS | MODIFIED), limit == 0xfff ? done() : gp());
	}
}

TEST(Eaccept, TruncatesOperandsIn32BitMode)
{
	Machine m;
	auto e = standard(m, {.base = 0x40000000, .attributes = A_DEBUG});
	e->aug(at::Free);
	Cpu &c = m.cpu(1);
	c.regs.mode64 = false;
	c.regs.cs = {0, ~u32{0}, 0xcffb00, 0x23};
	c.regs.ds = {0, ~u32{0}, 0xcff300, 0x2b};
	ASSERT_RESULT(e->enter(1), done());
	e->poke<u64>(at::Data, REG | R | W | PENDING);
	const u64 high = u64{0xabc} << 32;
	EXPECT_RESULT(c.enclu(EACCEPT, high | e->lin(at::Data), high | e->lin(at::Free)), done());
	e->poke<u64>(at::Data, X);
	EXPECT_RESULT(c.enclu(EMODPE, high | e->lin(at::Data), high | e->lin(at::Free)), done());
	EXPECT_TRUE(e->entry(at::Free).x);
}

std::unique_ptr<F> copy()
{
	auto f = std::make_unique<F>(EACCEPTCOPY);
	f->si.set(0, REG | R | X);
	f->rcx = f->e->lin(at::Free);
	f->rdx = f->e->lin(at::Code);
	return f;
}

TEST(Eacceptcopy, ChecksInOrder)
{
	walk_checks<F>(copy,
		       with_secinfo(
			       {
				       {"RBX misaligned", [](F &f) { f.rbx += 32; }, is_gp},
				       {"RCX misaligned", [](F &f) { f.rcx += 64; }, is_gp},
				       {"RDX misaligned", [](F &f) { f.rdx += 64; }, is_gp},
				       {"RBX outside ELRANGE", [](F &f) { f.rbx = kUserRam; }, is_gp},
				       {"RCX outside ELRANGE", [](F &f) { f.rcx = kUserRam; }, is_gp},
				       {"RDX outside ELRANGE", [](F &f) { f.rdx = f.e->lin(f.e->spec.size); }, is_gp},
				       {"RBX not mapped", [](F &f) { f.rbx = f.e->lin(0x80000); },
					[](F &f) {
						return pf(f.rbx, 4);
					}},
				       {"RCX not mapped", [](F &f) { f.rcx = f.e->lin(0x82000); },
					[](F &f) {
						return pf(f.rcx, 6);
					}},
				       {"RCX mapped read-only", [](F &f) { f.m.pte(f.rcx = f.e->lin(at::Free))->w = false; },
					[](F &f) {
						return pf(f.rcx, 7);
					}},
				       {"RCX is RAM",
					[](F &f) {
						f.rcx = f.e->lin(0x83000);
						f.m.map(f.rcx, {kRamPhysical});
					},
					rcx_pf},
				       {"RDX not mapped", [](F &f) { f.rdx = f.e->lin(0x84000); },
					[](F &f) {
						return pf(f.rdx, 4);
					}},
				       {"RDX is RAM",
					[](F &f) {
						f.rdx = f.e->lin(0x85000);
						f.m.map(f.rdx, {kRamPhysical});
					},
					rdx_pf},
			       },
			       {
				       {"reserved SECINFO", [](F &f) { f.si.set<u8>(20, 1); }, is_gp},
				       {"W without R", [](F &f) { f.si.set(0, REG | W); }, is_gp},
				       {"not REG", [](F &f) { f.si.set(0, TCS | R); }, is_gp},
				       {"source is a TCS", [](F &f) { f.rdx = f.e->lin(at::Tcs2); }, rdx_pf},
				       {"source is pending",
					[](F &f) {
						f.e->aug(0x86000);
						f.rdx = f.e->lin(0x86000);
					},
					rdx_pf},
				       {"source is blocked",
					[](F &f) {
						EXPECT_RESULT(f.e->eblock(at::RoData), done());
						f.rdx = f.e->lin(at::RoData);
					},
					rdx_pf},
				       {"source is invalid", [](F &f) { f.rdx = f.remap(0x87000, f.m.epc()); }, rdx_pf},
				       {"source has another address", [](F &f) { f.rdx = f.remap(0x88000, f.e->epc(at::Data2)); },
					rdx_pf},
				       {"source is another enclave's", [](F &f) { f.rdx = f.remap(0x89000, f.foreign(0x89000)); },
					rdx_pf},
				       {"source is not readable",
					[](F &f) {
						EXPECT_RESULT(f.e->emodpr(at::Ssa2, 0), done());
						f.rdx = f.e->lin(at::Ssa2);
					},
					rdx_pf},
				       {"destination is invalid", [](F &f) { f.rcx = f.remap(0x8a000, f.m.epc()); },
					is(PAGE_ATTRIBUTES_MISMATCH)},
				       {"destination is not pending", [](F &f) { f.rcx = f.e->lin(at::Ssa2 + kPage); },
					is(PAGE_ATTRIBUTES_MISMATCH)},
				       {"destination is blocked",
					[](F &f) {
						f.e->aug(0x8b000);
						EXPECT_RESULT(f.e->eblock(0x8b000), done());
						f.rcx = f.e->lin(0x8b000);
					},
					is(PAGE_ATTRIBUTES_MISMATCH)},
				       {"destination is another enclave's",
					[](F &f) { f.rcx = f.remap(0x8c000, f.foreign(0x8c000)); }, is(PAGE_ATTRIBUTES_MISMATCH)},
				       {"destination is the SECS", [](F &f) { f.rcx = f.remap(0x8d000, f.e->secs); },
					is(PAGE_ATTRIBUTES_MISMATCH)},
				       {"destination has another address",
					[](F &f) {
						f.e->aug(0x8e000);
						f.rcx = f.remap(0x8f000, f.e->epc(0x8e000));
					},
					is(PAGE_ATTRIBUTES_MISMATCH)},
			       }));
}

TEST(Eacceptcopy, CopiesAndSetsRights)
{
	for (const u64 rwx : {u64{0}, R, R | W, R | X, R | W | X, X}) {
		auto f = copy();
		f->si.set(0, REG | rwx);
		ASSERT_RESULT(f->call(), done());
		const auto p = f->e->entry(at::Free);
		EXPECT_EQ((p.r ? R : 0) | (p.w ? W : 0) | (p.x ? X : 0), rwx);
		EXPECT_FALSE(p.pending || p.modified || p.pr || p.blocked);
		EXPECT_EQ(std::memcmp(f->e->mem(at::Free), f->e->mem(at::Code), kPage), 0);
		EXPECT_EQ(f->c.epc_written.size(), 1U);
		EXPECT_RESULT(f->call(), code(PAGE_ATTRIBUTES_MISMATCH)) << "the page is no longer pending";
	}
}

TEST(Eacceptcopy, EmodprRejectsPendingDestination)
{
	// A page of EAUG is RW until it is accepted. Only EMODPR could change its rights, and
	// EMODPR rejects a PENDING page.
	auto f = copy();
	EXPECT_RESULT(f->e->emodpr(at::Free, R), code(PAGE_NOT_MODIFIABLE));
	EXPECT_RESULT(f->call(), done());
}

TEST(Eacceptcopy, NeedsNoTracking)
{
	auto f = copy();
	f->enter();
	EXPECT_RESULT(f->e->etrack(), done());
	EXPECT_RESULT(f->call(), done());
}

std::unique_ptr<F> extend()
{
	auto f = std::make_unique<F>(EMODPE);
	f->si.set(0, X);
	f->rcx = f->e->lin(at::RoData);
	return f;
}

TEST(Emodpe, ChecksInOrder)
{
	walk_checks<F>(
		extend,
		with_secinfo(
			{
				{"RBX misaligned", [](F &f) { f.rbx += 32; }, is_gp},
				{"RCX misaligned", [](F &f) { f.rcx += 64; }, is_gp},
				{"RBX outside ELRANGE", [](F &f) { f.rbx = kUserRam; }, is_gp},
				{"RCX outside ELRANGE", [](F &f) { f.rcx = f.e->lin(0) - kPage; }, is_gp},
				{"RBX not mapped", [](F &f) { f.rbx = f.e->lin(0x80000); },
				 [](F &f) {
					 return pf(f.rbx, 4);
				 }},
				{"RBX is RAM",
				 [](F &f) {
					 f.rbx = f.e->lin(0x81000);
					 f.m.map(f.rbx, {kRamPhysical});
				 },
				 rbx_pf},
				{"RCX not mapped", [](F &f) { f.rcx = f.e->lin(0x82000); },
				 [](F &f) {
					 return pf(f.rcx, 4);
				 }},
				{"RCX is RAM",
				 [](F &f) {
					 f.rcx = f.e->lin(0x83000);
					 f.m.map(f.rcx, {kRamPhysical});
				 },
				 rcx_pf},
			},
			{
				{"reserved SECINFO", [](F &f) { f.si.set<u8>(20, 1); }, is_gp},
				{"RCX invalid", [](F &f) { f.rcx = f.remap(0x84000, f.m.epc()); }, rcx_pf},
				{"RCX pending", [](F &f) { f.rcx = f.e->lin(at::Free); }, rcx_pf},
				{"RCX modified",
				 [](F &f) {
					 EXPECT_RESULT(f.e->emodt(at::Ssa2, PT_TRIM), done());
					 f.rcx = f.e->lin(at::Ssa2);
				 },
				 rcx_pf},
				{"RCX blocked",
				 [](F &f) {
					 EXPECT_RESULT(f.e->eblock(at::Ssa2 + kPage), done());
					 f.rcx = f.e->lin(at::Ssa2 + kPage);
				 },
				 rcx_pf},
				{"RCX is a TCS", [](F &f) { f.rcx = f.e->lin(at::Tcs2); }, rcx_pf},
				{"RCX is another enclave's", [](F &f) { f.rcx = f.remap(0x86000, f.foreign(0x86000)); }, rcx_pf},
				{"RCX has another address", [](F &f) { f.rcx = f.remap(0x87000, f.e->epc(at::Code)); }, rcx_pf},
				{"W without R",
				 [](F &f) {
					 // EMODPE may add R to a page without it.
					 EXPECT_RESULT(f.e->emodpr(at::Code, 0), done());
					 f.rcx = f.e->lin(at::Code);
					 f.si.set(0, W);
				 },
				 is_gp},
			}));
}

TEST(Emodpe, AddsRights)
{
	for (u64 have = 0; have < 8; have++) {
		for (u64 ask = 0; ask < 8; ask++) {
			if ((have & (R | W)) == W)
				continue;
			auto f = extend();
			f->e->remove(at::RoData);
			// EACCEPTCOPY gives the page any rights.
			f->e->aug(at::RoData);
			f->enter();
			ASSERT_RESULT(f->e->eacceptcopy(1, at::RoData, at::Code, REG | have), done());
			f->si.set(0, ask);
			const bool bad = (ask & W) && !(ask & R) && !(have & R);
			EXPECT_RESULT(f->call(), bad ? gp() : done()) << have << ' ' << ask;
			const auto p = f->e->entry(at::RoData);
			EXPECT_EQ((p.r ? R : 0) | (p.w ? W : 0) | (p.x ? X : 0), bad ? have : have | ask);
		}
	}
}

TEST(Emodpe, KeepsPrAndTrackingEpoch)
{
	auto f = extend();
	EXPECT_RESULT(f->e->emodpr(at::RoData, 0), done());
	const auto before = f->e->entry(at::RoData);
	f->si.set(0, R | W);
	ASSERT_RESULT(f->call(), done());
	const auto now = f->e->entry(at::RoData);
	EXPECT_TRUE(now.pr && now.r && now.w);
	EXPECT_EQ(now.stamp, before.stamp);
	EXPECT_RESULT(f->e->eaccept(1, at::RoData, REG | R | W | PR), code(NOT_TRACKED));
}

} // namespace
