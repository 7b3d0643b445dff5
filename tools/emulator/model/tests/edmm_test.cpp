// SPDX-License-Identifier: GPL-2.0
// The leaves of ENCLS for SGX2: EAUG, EMODPR and EMODT, with their checks in order and the flags
// that they set.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

struct Aug {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Cpu &c = m.cpu(0);
	Buffer info = m.ram();
	Pageinfo pi;
	u64 rbx = info.linear, rcx = m.epc();

	Aug() { pi.set(pageinfo::LINADDR, e->lin(at::Free)).set(pageinfo::SECS, e->secs); }
	Result call()
	{
		m.place(rbx, pi);
		return c.encls(EAUG, rbx, rcx);
	}
	u64 va()
	{
		const u64 p = m.epc();
		EXPECT_RESULT(c.encls(EPA, PT_VA, p), done());
		return p;
	}
};

template <class F>
std::unique_ptr<F> fresh()
{
	return std::make_unique<F>();
}
template <class F>
Expected is_gp(F &)
{
	return gp();
}
template <class F>
Expected epcm_rcx(F &f)
{
	return epcm(f.rcx);
}
Expected epcm_secs(Aug &f)
{
	return epcm(f.pi.get<u64>(pageinfo::SECS));
}

TEST(Eaug, ChecksInOrder)
{
	using F = Aug;
	walk_checks<F>(
		fresh<F>,
		{
			{"RBX misaligned", [](F &f) { f.rbx += 16; }, is_gp<F>},
			{"RCX misaligned", [](F &f) { f.rcx += 16; }, is_gp<F>},
			{"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
			 [](F &) {
				 return pf(kUnmapped, 2);
			 }},
			{"RCX is RAM", [](F &f) { f.rcx = f.info.linear; }, epcm_rcx<F>},
			{"PAGEINFO not mapped", [](F &f) { f.rbx = kUnmapped; },
			 [](F &) {
				 return pf(kUnmapped, 0);
			 }},
			{"SECS misaligned", [](F &f) { f.pi.set(pageinfo::SECS, f.e->secs + 8); }, is_gp<F>},
			{"LINADDR misaligned", [](F &f) { f.pi.set(pageinfo::LINADDR, f.e->lin(at::Free + 8)); }, is_gp<F>},
			{"SRCPGE not zero", [](F &f) { f.pi.set<u64>(pageinfo::SRCPGE, kPage); }, is_gp<F>},
			{"SECINFO misaligned", [](F &f) { f.pi.set<u64>(pageinfo::SECINFO, 8); }, is_gp<F>},
			{"SECS not mapped", [](F &f) { f.pi.set(pageinfo::SECS, kUnmapped + kPage); },
			 [](F &) {
				 Expected a = pf(kUnmapped + kPage, 2);
				 a.error_mask = ~2U;
				 return a;
			 }},
			{"SECS is RAM", [](F &f) { f.pi.set(pageinfo::SECS, f.info.linear); }, epcm_secs},
			{"RCX valid", [](F &f) { f.rcx = f.va(); }, epcm_rcx<F>},
			{"SECINFO not zero", [](F &f) { f.pi.set(pageinfo::SECINFO, f.info.linear + 64); }, is_gp<F>},
			{"SECS invalid", [](F &f) { f.pi.set(pageinfo::SECS, f.m.epc()); }, epcm_secs},
			{"SECS is a REG page", [](F &f) { f.pi.set(pageinfo::SECS, f.e->epc(at::Data)); }, epcm_secs},
			{"not initialized",
			 [](F &f) {
				 Enclave other(f.m, {.base = f.e->spec.base});
				 other.create();
				 f.pi.set(pageinfo::SECS, other.secs);
			 },
			 is_gp<F>},
			{"LINADDR below", [](F &f) { f.pi.set(pageinfo::LINADDR, f.e->lin(0) - kPage); }, is_gp<F>},
			{"LINADDR behind", [](F &f) { f.pi.set(pageinfo::LINADDR, f.e->lin(f.e->spec.size)); }, is_gp<F>},
		});
}

TEST(Eaug, AddsPendingPageOfZeros)
{
	Aug f;
	std::memset(f.m.epc_host(f.rcx), 0x77, kPage); // old contents
	ASSERT_RESULT(f.call(), done());
	const auto e = f.m.entry(f.rcx);
	EXPECT_TRUE(e.valid && e.r && e.w && e.pending);
	EXPECT_FALSE(e.x || e.blocked || e.modified || e.pr);
	EXPECT_EQ(e.type, PT_REG);
	EXPECT_EQ(e.linear, f.e->lin(at::Free));
	EXPECT_EQ(e.enclave, f.e->eid());
	EXPECT_EQ(e.stamp, 0U);
	const Page zero;
	EXPECT_EQ(std::memcmp(f.m.epc_host(f.rcx), zero.b.data(), kPage), 0);
}

TEST(Eaug, AcceptsOneAddressTwice)
{
	Aug f;
	ASSERT_RESULT(f.call(), done());
	f.rcx = f.m.epc();
	ASSERT_RESULT(f.call(), done());
	f.pi.set(pageinfo::LINADDR, f.e->lin(at::Data));
	f.rcx = f.m.epc();
	EXPECT_RESULT(f.call(), done());
}

TEST(Eaug, AddsChildToSecs)
{
	Aug f;
	for (const u64 off : {at::Tcs, at::Ssa, at::Ssa + kPage, at::Ssa + 2 * kPage, at::Code, at::Data, at::Data2, at::RoData,
			      at::Tcs2, at::Ssa2, at::Ssa2 + kPage})
		f.e->remove(off);
	ASSERT_RESULT(f.call(), done());
	EXPECT_RESULT(f.c.encls(EREMOVE, 0, f.e->secs), code(CHILD_PRESENT));
}

/// EMODPR and EMODT of the data page.
struct Mod {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Cpu &c = m.cpu(0);
	Buffer secinfo = m.ram();
	Secinfo si;
	u32 leaf;
	u64 rbx = secinfo.linear, rcx = e->epc(at::Data);

	explicit Mod(u32 l) : leaf(l) { si.set(0, l == EMODT ? TRIM : R); }
	Result call()
	{
		m.place(rbx, si);
		return c.encls(leaf, rbx, rcx);
	}
	u64 va()
	{
		const u64 p = m.epc();
		EXPECT_RESULT(c.encls(EPA, PT_VA, p), done());
		return p;
	}
	/// Return a page of an enclave before EINIT.
	u64 early()
	{
		Enclave other(m, {.base = 0x710000000000});
		other.create();
		other.add(0, REG | R | W, Page{}, false);
		return other.epc(0);
	}
	u64 pending()
	{
		e->aug(at::Free);
		return e->epc(at::Free);
	}
	u64 modified(u64 off, PageType t)
	{
		EXPECT_RESULT(e->emodt(off, t), done());
		return e->epc(off);
	}
};

std::function<Expected(Mod &)> is(u64 n)
{
	return [n](Mod &) {
		return code(n);
	};
}

TEST(Emodpr, ChecksInOrder)
{
	using F = Mod;
	walk_checks<F>(
		[] { return std::make_unique<F>(EMODPR); },
		{
			{"RBX misaligned", [](F &f) { f.rbx += 32; }, is_gp<F>},
			{"RCX misaligned", [](F &f) { f.rcx += 64; }, is_gp<F>},
			{"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
			 [](F &) {
				 return pf(kUnmapped, 2);
			 }},
			{"RCX is RAM", [](F &f) { f.rcx = f.secinfo.linear; }, epcm_rcx<F>},
			{"SECINFO not mapped", [](F &f) { f.rbx = kUnmapped + 64; },
			 [](F &) {
				 return pf(kUnmapped + 64, 0);
			 }},
			{"reserved SECINFO", [](F &f) { f.si.set<u8>(8, 1); }, is_gp<F>},
			{"W without R", [](F &f) { f.si.set(0, W); }, is_gp<F>},
			{"RCX invalid", [](F &f) { f.rcx = f.m.epc(); }, epcm_rcx<F>},
			{"RCX pending", [](F &f) { f.rcx = f.pending(); }, is(PAGE_NOT_MODIFIABLE)},
			{"RCX modified TCS", [](F &f) { f.rcx = f.modified(at::Data2, PT_TCS); }, is(PAGE_NOT_MODIFIABLE)},
			{"RCX modified TRIM", [](F &f) { f.rcx = f.modified(at::RoData, PT_TRIM); }, is(PAGE_NOT_MODIFIABLE)},
			{"RCX is a TCS", [](F &f) { f.rcx = f.e->epc(at::Tcs); }, epcm_rcx<F>},
			{"RCX is a SECS", [](F &f) { f.rcx = f.e->secs; }, epcm_rcx<F>},
			{"RCX is a VA page", [](F &f) { f.rcx = f.va(); }, epcm_rcx<F>},
			{"not initialized", [](F &f) { f.rcx = f.early(); }, is_gp<F>},
		});
}

TEST(Emodt, ChecksInOrder)
{
	using F = Mod;
	walk_checks<F>([] { return std::make_unique<F>(EMODT); },
		       {
			       {"RBX misaligned", [](F &f) { f.rbx += 32; }, is_gp<F>},
			       {"RCX misaligned", [](F &f) { f.rcx += 64; }, is_gp<F>},
			       {"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
				[](F &) {
					return pf(kUnmapped, 2);
				}},
			       {"RCX is RAM", [](F &f) { f.rcx = f.secinfo.linear; }, epcm_rcx<F>},
			       {"SECINFO not mapped", [](F &f) { f.rbx = kUnmapped + 64; },
				[](F &) {
					return pf(kUnmapped + 64, 0);
				}},
			       {"reserved SECINFO", [](F &f) { f.si.set<u8>(8, 1); }, is_gp<F>},
			       {"to REG", [](F &f) { f.si.set(0, REG); }, is_gp<F>},
			       {"to VA", [](F &f) { f.si.set(0, type(PT_VA)); }, is_gp<F>},
			       {"to SECS", [](F &f) { f.si.set<u64>(0, 0); }, is_gp<F>},
			       {"RCX invalid", [](F &f) { f.rcx = f.m.epc(); }, epcm_rcx<F>},
			       {"RCX modified TRIM", [](F &f) { f.rcx = f.modified(at::RoData, PT_TRIM); }, epcm_rcx<F>},
			       {"RCX is a SECS", [](F &f) { f.rcx = f.e->secs; }, epcm_rcx<F>},
			       {"RCX is a VA page", [](F &f) { f.rcx = f.va(); }, epcm_rcx<F>},
			       {"TCS to TCS",
				[](F &f) {
					f.si.set(0, TCS);
					f.rcx = f.e->epc(at::Tcs);
				},
				epcm_rcx<F>},
			       {"RCX modified TCS",
				[](F &f) {
					f.si.set(0, TRIM);
					f.rcx = f.modified(at::Data2, PT_TCS);
				},
				is(PAGE_NOT_MODIFIABLE)},
			       {"RCX pending", [](F &f) { f.rcx = f.pending(); }, is(PAGE_NOT_MODIFIABLE)},
			       {"not initialized", [](F &f) { f.rcx = f.early(); }, is_gp<F>},
		       });
}

TEST(Emod, ReservedSecinfoIsGp)
{
	for (const u32 leaf : {EMODPR, EMODT}) {
		for (unsigned bit = 0; bit < 512; bit++) {
			if (bit < 6 || (bit >= 8 && bit < 16) || (bit > 64 && bit % 9))
				continue;
			Mod f(leaf);
			f.si.b[bit / 8] = static_cast<u8>(f.si.b[bit / 8] | 1U << bit % 8);
			EXPECT_RESULT(f.call(), gp()) << leaf << " bit " << bit;
		}
	}
}

TEST(Emodt, RejectsOtherTypes)
{
	for (const u64 t : {0U, 2U, 3U, 5U, 6U, 7U, 255U}) {
		Mod f(EMODT);
		f.si.set(0, t << SECINFO_TYPE_SHIFT);
		EXPECT_RESULT(f.call(), gp()) << t;
	}
}

TEST(Emodpr, OnlyRemovesRights)
{
	for (u64 have = 0; have < 8; have++) {
		if ((have & (R | W)) == W)
			continue;
		for (u64 ask = 0; ask < 8; ask++) {
			if ((ask & (R | W)) == W)
				continue;
			Machine m;
			Enclave e(m);
			e.create();
			e.add(0x3000, REG | have, Page{}, false);
			e.init();
			ASSERT_RESULT(e.emodpr(0x3000, ask), done());
			const auto p = e.entry(0x3000);
			EXPECT_EQ((p.r ? R : 0) | (p.w ? W : 0) | (p.x ? X : 0), have & ask) << have << ' ' << ask;
			EXPECT_TRUE(p.pr);
			EXPECT_FALSE(p.modified || p.pending || p.blocked);
			EXPECT_EQ(p.type, PT_REG);
			EXPECT_NE(p.stamp, 0U);
		}
	}
}

TEST(Emodpr, IgnoresTypeInSecinfo)
{
	for (const u64 t : {type(PT_SECS), REG, TCS, TRIM}) {
		Mod f(EMODPR);
		f.si.set(0, t | R);
		EXPECT_RESULT(f.call(), done()) << t;
	}
}

TEST(Emodpr, WorksTwiceAndOnBlockedPage)
{
	Mod f(EMODPR);
	ASSERT_RESULT(f.call(), done());
	ASSERT_RESULT(f.e->eblock(at::Data), done());
	f.si.set<u64>(0, 0);
	ASSERT_RESULT(f.call(), done());
	const auto e = f.e->entry(at::Data);
	EXPECT_TRUE(e.pr && e.blocked);
	EXPECT_FALSE(e.r || e.w || e.x);
}

TEST(Emodt, ChangesRegToTrimAndToTcs)
{
	for (const PageType t : {PT_TRIM, PT_TCS}) {
		Mod f(EMODT);
		EXPECT_RESULT(f.e->emodpr(at::Data2, R), done());
		f.rcx = f.e->epc(at::Data2);
		f.si.set(0, type(t) | R | W | X); // rights in SECINFO are ignored
		ASSERT_RESULT(f.call(), done());
		const auto e = f.e->entry(at::Data2);
		EXPECT_EQ(e.type, t);
		EXPECT_TRUE(e.valid && e.modified);
		EXPECT_FALSE(e.r || e.w || e.x || e.pr || e.pending || e.blocked);
		EXPECT_NE(e.stamp, 0U);
		EXPECT_EQ(e.linear, f.e->lin(at::Data2));
		const Page same = pattern_page(2);
		EXPECT_EQ(std::memcmp(f.e->mem(at::Data2), same.b.data(), kPage), 0);
	}
}

TEST(Emodt, ChangesTcsToTrim)
{
	Mod f(EMODT);
	f.rcx = f.e->epc(at::Tcs2);
	ASSERT_RESULT(f.call(), done());
	EXPECT_EQ(f.e->entry(at::Tcs2).type, PT_TRIM);
	EXPECT_RESULT(f.e->enter(1, at::Tcs2), uepcm(f.e->lin(at::Tcs2)));
}

TEST(Emod, AcceptedTrimPageIsPageFault)
{
	Mod f(EMODPR);
	EXPECT_RESULT(f.e->emodt(at::Data2, PT_TRIM), done());
	EXPECT_RESULT(f.e->emodpr(at::Data2, R), code(PAGE_NOT_MODIFIABLE)); // Linux: not accepted yet
	EXPECT_RESULT(f.e->etrack(), done());
	ASSERT_RESULT(f.e->enter(1), done());
	ASSERT_RESULT(f.e->eaccept(1, at::Data2, TRIM | MODIFIED), done());
	EXPECT_RESULT(f.e->emodpr(at::Data2, R), epcm(f.e->epc(at::Data2))); // Linux: accepted
	EXPECT_RESULT(f.e->emodt(at::Data2, PT_TRIM), epcm(f.e->epc(at::Data2)));
}

} // namespace
