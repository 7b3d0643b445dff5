// SPDX-License-Identifier: GPL-2.0
// Tests that leaves meet injected conflicts at the right place in the order of checks, and that a
// seed repeats the conflicts.

#include <algorithm>

#include <gtest/gtest.h>

#include "enclave.h"
#include "inside.h"

using namespace sgx;

namespace {

constexpr u32 kAlways = 1000000;

struct Inject {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Cpu &c = m.cpu(0);
	Buffer buf = m.ram();
	sgx2_injection inj{};

	void set(u32 sgx2_injection::*rate, u32 value = kAlways, u64 seed = 1)
	{
		inj = {};
		inj.seed = seed;
		inj.*rate = value;
		sgx2_machine_inject(m.get(), &inj);
	}
	void clear()
	{
		inj = {};
		sgx2_machine_inject(m.get(), &inj);
	}
};

TEST(Inject, ReturnsConflictCodes)
{
	Inject f;
	f.set(&sgx2_injection::eblock_conflict);
	EXPECT_RESULT(f.e->eblock(at::Data), code(EPC_PAGE_CONFLICT));
	EXPECT_RESULT(f.e->emodpr(at::Code, R), done()) << "another leaf";
	EXPECT_FALSE(f.e->entry(at::Data).blocked);
	f.set(&sgx2_injection::emodpr_conflict);
	EXPECT_RESULT(f.e->emodpr(at::Data, R), code(EPC_PAGE_CONFLICT));
	EXPECT_FALSE(f.e->entry(at::Data).pr);
	f.set(&sgx2_injection::emodt_conflict);
	EXPECT_RESULT(f.e->emodt(at::Data, PT_TRIM), code(EPC_PAGE_CONFLICT));
	EXPECT_EQ(f.e->entry(at::Data).type, PT_REG);
	EXPECT_EQ(f.m.counters().injected, 3U);
	f.clear();
	EXPECT_RESULT(f.e->eblock(at::Data), done());
	EXPECT_RESULT(f.e->emodt(at::Data2, PT_TRIM), done());
	EXPECT_EQ(f.m.counters().injected, 3U);
}

TEST(Inject, ConflictComesInOrderOfChecks)
{
	Inject f;
	const u64 invalid = f.m.epc();
	f.set(&sgx2_injection::eblock_conflict);
	EXPECT_RESULT(f.c.encls(EBLOCK, 0, invalid), code(EPC_PAGE_CONFLICT)) << "before VALID";
	EXPECT_RESULT(f.c.encls(EBLOCK, 0, f.buf.linear), epcm(f.buf.linear)) << "behind EPC";
	f.set(&sgx2_injection::emodpr_conflict);
	f.buf = Secinfo{}.set(0, R);
	EXPECT_RESULT(f.c.encls(EMODPR, f.buf.linear, invalid), epcm(invalid)) << "behind VALID";
	EXPECT_RESULT(f.c.encls(EMODPR, f.buf.linear, f.e->epc(at::Tcs)), code(EPC_PAGE_CONFLICT))
		<< "the conflict precedes the check of the type";
	f.set(&sgx2_injection::emodt_conflict);
	f.buf = Secinfo{}.set(0, TRIM);
	EXPECT_RESULT(f.c.encls(EMODT, f.buf.linear, invalid), code(EPC_PAGE_CONFLICT)) << "before VALID";
	f.buf = Secinfo{}.set(0, REG);
	EXPECT_RESULT(f.c.encls(EMODT, f.buf.linear, invalid), gp()) << "behind SECINFO";
}

/// The leaves that raise #GP on a conflict, with operands that would give another result.
TEST(Inject, RaisesGpWhereSdmDoes)
{
	Inject f;
	Pager pager(f.m);
	Evicted out = evicted_buffers(f.m);
	const u64 invalid = f.m.epc();
	Enclave early(f.m, {.base = 0x710000000000});
	early.create();
	early.add(0, REG | R, Page{}, false);
	f.e->block(at::Data);
	ASSERT_RESULT(f.e->enter(1), done());
	f.m.cpu(1).aex_interrupt();
	f.set(&sgx2_injection::gp_conflict);

	Enclave fresh(f.m, {.base = 0x720000000000});
	fresh.source = Page{}.set<u64>(secs::SIZE, 0x100000)
			       .set<u64>(secs::BASE, 0x720000000000)
			       .set<u32>(secs::SSAFRAMESIZE, 1)
			       .set(secs::FLAGS, A_MODE64)
			       .set<u64>(secs::XFRM, X_X87_SSE);
	fresh.secinfo = Secinfo{};
	fresh.info = Pageinfo{}.set(pageinfo::SRCPGE, fresh.source.linear).set(pageinfo::SECINFO, fresh.secinfo.linear);
	EXPECT_RESULT(f.c.encls(ECREATE, fresh.info.linear, invalid), gp());
	EXPECT_RESULT(f.c.encls(ECREATE, fresh.info.linear, f.e->secs), gp()) << "before VALID";
	EXPECT_RESULT(f.c.encls(ECREATE, fresh.info.linear, f.buf.linear), epcm(f.buf.linear)) << "behind EPC";
	EXPECT_RESULT(early.try_add(0x1000, REG | R, Page{}), gp());
	EXPECT_RESULT(f.c.encls(EEXTEND, early.secs, early.epc(0)), gp());
	EXPECT_RESULT(early.try_init(early.sigstruct()), gp());
	EXPECT_RESULT(f.c.encls(EREMOVE, 0, invalid), gp()) << "before VALID";
	EXPECT_RESULT(f.e->edbgrd(at::Data), gp());
	EXPECT_RESULT(f.e->edbgwr(at::Data, 1), gp());
	EXPECT_RESULT(f.c.encls(EPA, PT_VA, f.e->secs), gp()) << "before VALID";
	EXPECT_RESULT(pager.evict(f.e->epc(at::Data), out, pager.slot(0)), gp());
	EXPECT_RESULT(f.e->etrack(), gp());
	EXPECT_RESULT(f.c.encls(ETRACK, 0, invalid), gp()) << "before VALID";
	EXPECT_RESULT(f.e->try_aug(at::Free), gp());
	EXPECT_RESULT(f.e->enter(1), gp());
	EXPECT_RESULT(f.e->resume(1), gp());
	f.clear();
	EXPECT_RESULT(early.try_add(0x1000, REG | R, Page{}), done());
	early.measure.eadd(0x1000, REG | R);
	early.init();
	ASSERT_RESULT(pager.evict(f.e->epc(at::Data), out, pager.slot(0)), done());
	f.set(&sgx2_injection::gp_conflict);
	EXPECT_RESULT(pager.load(ELDU, f.e->epc(at::Data), out, f.e->lin(at::Data), f.e->secs), gp());
	EXPECT_RESULT(pager.load(ELDB, f.e->epc(at::Data), out, f.e->lin(at::Data), f.e->secs), gp());
	for (const u32 leaf : {ELDBC, ELDUC})
		EXPECT_RESULT(pager.load(leaf, f.e->epc(at::Data), out, f.e->lin(at::Data), f.e->secs), code(EPC_PAGE_CONFLICT));
	EXPECT_RESULT(f.c.encls(ERDINFO, f.buf.linear, f.e->epc(at::Code)), code(EPC_PAGE_CONFLICT));
	EXPECT_RESULT(f.c.encls(ETRACKC, 0, f.e->epc(at::Code)), code(EPC_PAGE_CONFLICT));
	EXPECT_RESULT(f.e->emodpr(at::Code, R), gp()) << "#GP conflict, not EPC_PAGE_CONFLICT (7)";
	f.clear();
	EXPECT_RESULT(pager.load(ELDU, f.e->epc(at::Data), out, f.e->lin(at::Data), f.e->secs), done());
	EXPECT_RESULT(f.e->resume(1), done()) << "the TCS is still inactive";
}

/// The rate of a leaf applies to that leaf only, instead of the general rate.
TEST(Inject, RateAppliesToOneLeaf)
{
	Inject f;
	Enclave early(f.m, {.base = 0x710000000000});
	early.create();
	const auto rates = [&](u32 all, std::initializer_list<std::pair<u32, u32>> encls,
			       std::initializer_list<std::pair<u32, u32>> enclu) {
		f.inj = {};
		f.inj.gp_conflict = all;
		for (const auto &[leaf, rate] : encls)
			f.inj.encls[leaf] = rate;
		for (const auto &[leaf, rate] : enclu)
			f.inj.enclu[leaf] = rate;
		sgx2_machine_inject(f.m.get(), &f.inj);
	};

	rates(0, {{EEXTEND, kAlways}}, {});
	early.add(0, REG | R, Page{}, false);
	EXPECT_RESULT(f.c.encls(EEXTEND, early.secs, early.epc(0)), gp());
	EXPECT_RESULT(f.c.encls(EEXTEND, early.secs, early.epc(0) + 256), gp());
	EXPECT_EQ(f.m.counters().injected, 2U);
	ASSERT_RESULT(f.e->enter(1), done());
	ASSERT_RESULT(f.e->exit(1), done());

	// ENCLS and ENCLU have separate rates: EADD is 1, EEXTEND 6, EMODPE 6.
	rates(0, {}, {{EMODPE, kAlways}});
	EXPECT_RESULT(f.c.encls(EEXTEND, early.secs, early.epc(0)), done());
	ASSERT_RESULT(f.e->enter(1), done());
	EXPECT_RESULT(f.e->emodpe(1, at::Data, REG | R), gp());
	ASSERT_RESULT(f.e->exit(1), done());

	// EENTER alone, then all leaves except one.
	rates(0, {}, {{EENTER, kAlways}});
	EXPECT_RESULT(f.e->enter(1), gp());
	rates(kAlways, {{EEXTEND, kAlways}}, {});
	EXPECT_RESULT(f.c.encls(EEXTEND, early.secs, early.epc(0)), gp());
	EXPECT_RESULT(f.e->enter(1), gp());

	// If a conflict has a code, the rate of the leaf produces that code.
	rates(0, {{ERDINFO, kAlways}, {ELDUC, kAlways}}, {});
	EXPECT_RESULT(f.c.encls(ERDINFO, f.buf.linear, f.e->epc(at::Code)), code(EPC_PAGE_CONFLICT));
	EXPECT_RESULT(f.c.encls(ETRACKC, 0, f.e->epc(at::Code)), done());

	f.clear();
	EXPECT_RESULT(f.c.encls(EEXTEND, early.secs, early.epc(0)), done());
	EXPECT_RESULT(f.e->enter(1), done());
}

TEST(Inject, RateOfOneLeafIsRandom)
{
	Inject f;
	f.c.compare_memory = false;
	const auto hits = [&f](u32 own, u32 all) {
		unsigned n = 0;
		f.inj = {};
		f.inj.seed = 5;
		f.inj.gp_conflict = all;
		f.inj.encls[EMODPR] = own;
		sgx2_machine_inject(f.m.get(), &f.inj);
		for (unsigned i = 0; i < 1000; i++)
			n += f.e->emodpr(at::Data, R | W).outcome == SGX2_FAULT;
		return n;
	};
	const unsigned some = hits(300000, 0);
	EXPECT_GT(some, 220U);
	EXPECT_LT(some, 380U);
	EXPECT_EQ(hits(300000, kAlways), some) << "the rate of the leaf, not the general one";
	EXPECT_EQ(hits(0, kAlways), 1000U);
}

TEST(Inject, RaisesGpInsideEnclave)
{
	Inject f;
	f.e->aug(at::Free);
	f.e->aug(at::Free + kPage);
	EXPECT_RESULT(f.e->enter(1), done());
	f.set(&sgx2_injection::gp_conflict);
	EXPECT_RESULT(f.e->eaccept(1, at::Free, REG | R | W | PENDING), gp());
	EXPECT_RESULT(f.e->eaccept(1, at::Free, REG | R | PENDING), gp()) << "before 19";
	EXPECT_RESULT(f.e->eacceptcopy(1, at::Free + kPage, at::Code, REG | R), gp());
	EXPECT_RESULT(f.e->emodpe(1, at::RoData, X), gp());
	{
		SCOPED_TRACE("leaves without a conflict");
		Key key{};
		Inside in(*f.e, 1);
		KeyRequest k;
		k.set<u16>(keyreq::NAME, KEY_SEAL);
		EXPECT_RESULT(in.getkey(k, key), done());
		EXPECT_RESULT(in.try_report({}, {}), done());
		EXPECT_RESULT(f.e->exit(1), done());
	}
	f.clear();
	EXPECT_RESULT(f.e->enter(1), done());
	EXPECT_RESULT(f.e->eaccept(1, at::Free, REG | R | W | PENDING), done());
}

TEST(Inject, EinitReturnsUnmaskedEvent)
{
	Machine m;
	auto e = standard(m, {}, false);
	sgx2_injection inj{};
	inj.einit_event = kAlways;
	sgx2_machine_inject(m.get(), &inj);
	for (int i = 0; i < 3; i++)
		EXPECT_RESULT(e->try_init(e->sigstruct()), code(UNMASKED_EVENT));
	Sigstruct bad = e->sigstruct();
	bad.b[0] ^= 1;
	EXPECT_RESULT(e->try_init(bad), code(INVALID_SIG_STRUCT)) << "an earlier check";
	EXPECT_GE(m.counters().injected, 3U);
	inj.einit_event = 0;
	sgx2_machine_inject(m.get(), &inj);
	EXPECT_RESULT(e->try_init(e->sigstruct()), done());
}

TEST(Inject, EupdatesvnReturnsInsufficientEntropy)
{
	Machine m;
	sgx2_injection inj{};
	inj.entropy = kAlways;
	sgx2_machine_inject(m.get(), &inj);
	EXPECT_RESULT(m.cpu(0).encls(EUPDATESVN), code(INSUFFICIENT_ENTROPY));
	EXPECT_EQ(m.counters().injected, 1U);
	inj.entropy = 0;
	sgx2_machine_inject(m.get(), &inj);
	EXPECT_NE(m.cpu(0).encls(EUPDATESVN).rax(), u64{INSUFFICIENT_ENTROPY});
}

/// Return which of n EMODPRs met a conflict.
std::vector<bool> series(u32 rate, u64 seed, unsigned n)
{
	Inject f;
	f.c.compare_memory = false;
	f.set(&sgx2_injection::emodpr_conflict, rate, seed);
	std::vector<bool> hits;
	for (unsigned i = 0; i < n; i++)
		hits.push_back(f.e->emodpr(at::Data, R | W).rax() == EPC_PAGE_CONFLICT);
	const auto count = static_cast<u64>(std::count(hits.begin(), hits.end(), true));
	EXPECT_EQ(f.m.counters().injected, count);
	return hits;
}

TEST(Inject, FollowsRateAndSeed)
{
	const auto a = series(300000, 7, 1000), b = series(300000, 7, 1000), other = series(300000, 8, 1000);
	EXPECT_EQ(a, b);
	EXPECT_NE(a, other);
	const auto hits = std::count(a.begin(), a.end(), true);
	EXPECT_GT(hits, 220);
	EXPECT_LT(hits, 380);
	const auto none = series(0, 7, 100), all = series(kAlways, 7, 100);
	EXPECT_EQ(std::count(none.begin(), none.end(), true), 0);
	EXPECT_EQ(std::count(all.begin(), all.end(), true), 100);
	const auto rare = series(1, 7, 300);
	EXPECT_LE(std::count(rare.begin(), rare.end(), true), 2);
}

TEST(Inject, SetRatesRestartsDraws)
{
	Inject f;
	std::vector<u64> first, second;
	for (auto *list : {&first, &second}) {
		f.set(&sgx2_injection::emodpr_conflict, 500000, 99);
		for (int i = 0; i < 64; i++)
			list->push_back(f.e->emodpr(at::Data, R | W).rax());
	}
	EXPECT_EQ(first, second);
}

} // namespace
