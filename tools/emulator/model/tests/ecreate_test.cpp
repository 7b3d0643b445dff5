// SPDX-License-Identifier: GPL-2.0
// ECREATE: its checks in order, each rule for the SECS, and the initial state of a SECS.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

struct Create {
	Machine m;
	Cpu &c = m.cpu(0);
	Buffer info = m.ram(), secinfo = m.ram(), source = m.ram();
	Pageinfo pi;
	Secinfo si;
	Page page;
	u64 rbx = info.linear, rcx = m.epc();

	Create() : Create(MachineOptions{}) {}
	explicit Create(const MachineOptions &o) : m(o)
	{
		pi.set(pageinfo::SRCPGE, source.linear).set(pageinfo::SECINFO, secinfo.linear);
		page.set<u64>(secs::SIZE, 0x100000).set<u64>(secs::BASE, 0x700000000000).set<u32>(secs::SSAFRAMESIZE, 1);
		page.set(secs::FLAGS, A_MODE64).set<u64>(secs::XFRM, X_X87_SSE);
	}
	u64 valid_page()
	{
		const u64 p = m.epc();
		EXPECT_RESULT(c.encls(EPA, PT_VA, p), done());
		return p;
	}
	Result call()
	{
		m.place(pi.get<u64>(pageinfo::SRCPGE), page);
		m.place(pi.get<u64>(pageinfo::SECINFO), si);
		m.place(rbx, pi);
		return c.encls(ECREATE, rbx, rcx);
	}
};

using F = Create;
Expected is_gp(F &)
{
	return gp();
}
Expected epcm_rcx(F &f)
{
	return epcm(f.rcx);
}

TEST(Ecreate, ChecksInOrder)
{
	walk_checks<F>([] { return std::make_unique<F>(); },
		       {
			       {"RBX misaligned", [](F &f) { f.rbx += 16; }, is_gp},
			       {"RCX misaligned", [](F &f) { f.rcx += 8; }, is_gp},
			       {"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
				[](F &) {
					return pf(kUnmapped, 2);
				}},
			       {"RCX mapped read-only", [](F &f) { f.m.pte(f.rcx)->w = false; },
				[](F &f) {
					return pf(f.rcx, 3);
				}},
			       {"RCX is RAM", [](F &f) { f.rcx = f.info.linear; }, epcm_rcx},
			       {"PAGEINFO not mapped", [](F &f) { f.rbx = kUnmapped; },
				[](F &) {
					return pf(kUnmapped, 0);
				}},
			       {"SRCPGE misaligned", [](F &f) { f.pi.set(pageinfo::SRCPGE, f.source.linear + 64); }, is_gp},
			       {"SECINFO misaligned", [](F &f) { f.pi.set(pageinfo::SECINFO, f.secinfo.linear + 32); }, is_gp},
			       {"LINADDR not zero", [](F &f) { f.pi.set<u64>(pageinfo::LINADDR, kPage); }, is_gp},
			       {"SECS not zero", [](F &f) { f.pi.set<u64>(pageinfo::SECS, kPage); }, is_gp},
			       {"SECINFO not mapped", [](F &f) { f.pi.set(pageinfo::SECINFO, kUnmapped + kPage); },
				[](F &) {
					return pf(kUnmapped + kPage, 0);
				}},
			       {"reserved SECINFO", [](F &f) { f.si.set<u8>(8, 1); }, is_gp},
			       {"SECINFO of a REG page", [](F &f) { f.si.set(0, REG); }, is_gp},
			       {"RCX valid", [](F &f) { f.rcx = f.valid_page(); }, epcm_rcx},
			       {"SRCPGE not mapped", [](F &f) { f.pi.set(pageinfo::SRCPGE, kUnmapped + 2 * kPage); },
				[](F &) {
					return pf(kUnmapped + 2 * kPage, 0);
				}},
			       {"SECS refused", [](F &f) { f.page.set<u64>(secs::XFRM, 1); }, is_gp},
		       });
}

TEST(Ecreate, ReservedSecinfoIsGp)
{
	for (const unsigned off : {2U, 7U, 8U, 9U, 35U, 63U}) {
		Create f;
		f.si.set<u8>(off, 0x40);
		EXPECT_RESULT(f.call(), gp()) << off;
	}
	for (const u64 flags : {TCS, REG, type(PT_VA), TRIM, type(PT_SS_FIRST), u64{64}, u64{128}}) {
		Create f;
		f.si.set(0, flags);
		EXPECT_RESULT(f.call(), gp()) << flags;
	}
}

TEST(Ecreate, OperandsInEpcReadAsOnes)
{
	{
		Create f;
		f.rbx = f.valid_page();
		EXPECT_RESULT(f.call(), gp());
	}
	{
		Create f;
		f.pi.set(pageinfo::SECINFO, f.valid_page());
		EXPECT_RESULT(f.call(), gp());
	}
	{
		Create f;
		f.pi.set(pageinfo::SRCPGE, f.valid_page());
		EXPECT_RESULT(f.call(), gp());
	}
}

struct SecsCase {
	const char *name;
	std::function<void(Page &)> change;
};

const std::vector<SecsCase> kRefused = {
	{"XFRM without x87",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 2);
	 }},
	{"XFRM without SSE",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 5);
	 }},
	{"XFRM empty",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0);
	 }},
	{"XFRM not offered",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0x403);
	 }},
	{"XFRM bit 63",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, u64{1} << 63 | 3);
	 }},
	{"AVX-512 without AVX",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0xe3);
	 }},
	{"AVX-512 masks alone",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0x27);
	 }},
	{"AVX-512 without the upper registers",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0x67);
	 }},
	{"MISCSELECT not offered",
	 [](Page &p) {
		 p.set<u32>(secs::MISCSELECT, 2);
	 }},
	{"MISCSELECT bit 31",
	 [](Page &p) {
		 p.set(secs::MISCSELECT, u32{1} << 31);
	 }},
	{"no SSA frame",
	 [](Page &p) {
		 p.set<u32>(secs::SSAFRAMESIZE, 0);
	 }},
	{"base not canonical",
	 [](Page &p) {
		 p.set(secs::BASE, kNonCanonical);
	 }},
	{"base not canonical, high",
	 [](Page &p) {
		 p.set<u64>(secs::BASE, 0xff00000000000000);
	 }},
	{"32-bit base above 4 GiB",
	 [](Page &p) {
		 p.set<u64>(secs::FLAGS, 0);
	 }},
	{"32-bit size at the limit",
	 [](Page &p) {
		 p.set<u64>(secs::FLAGS, 0).set<u64>(secs::BASE, 0).set<u64>(secs::SIZE, u64{1} << 31);
	 }},
	{"64-bit size at the limit",
	 [](Page &p) {
		 p.set<u64>(secs::SIZE, u64{1} << 36);
	 }},
	{"size 2^63",
	 [](Page &p) {
		 p.set<u64>(secs::BASE, 0).set<u64>(secs::SIZE, u64{1} << 63);
	 }},
	{"size of one page",
	 [](Page &p) {
		 p.set<u64>(secs::SIZE, 4096);
	 }},
	{"size zero",
	 [](Page &p) {
		 p.set<u64>(secs::SIZE, 0);
	 }},
	{"size not a power of two",
	 [](Page &p) {
		 p.set<u64>(secs::SIZE, 0x3000).set<u64>(secs::BASE, 0x600000000000);
	 }},
	{"base not aligned to size",
	 [](Page &p) {
		 p.set<u64>(secs::BASE, 0x700000080000);
	 }},
	{"base not page aligned",
	 [](Page &p) {
		 p.set<u64>(secs::BASE, 0x700000000800).set<u64>(secs::SIZE, 8192);
	 }},
	{"INIT",
	 [](Page &p) {
		 p.set(secs::FLAGS, A_MODE64 | A_INIT);
	 }},
	{"ATTRIBUTES bit 3",
	 [](Page &p) {
		 p.set(secs::FLAGS, A_MODE64 | 8);
	 }},
	{"ATTRIBUTES bit 6, CET",
	 [](Page &p) {
		 p.set(secs::FLAGS, A_MODE64 | 64);
	 }},
	{"ATTRIBUTES bit 8",
	 [](Page &p) {
		 p.set(secs::FLAGS, A_MODE64 | 256);
	 }},
	{"ATTRIBUTES bit 63",
	 [](Page &p) {
		 p.set(secs::FLAGS, A_MODE64 | u64{1} << 63);
	 }},
	{"CONFIGID without KSS",
	 [](Page &p) {
		 p.set<u8>(secs::CONFIGID + 63, 1);
	 }},
	{"CONFIGSVN without KSS",
	 [](Page &p) {
		 p.set<u16>(secs::CONFIGSVN, 1);
	 }},
};

const std::vector<SecsCase> kAccepted = {
	{"AVX",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 7);
	 }},
	{"AVX-512",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0xe7);
	 }},
	{"AVX-512 and PKRU",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0x2e7);
	 }},
	{"PKRU alone",
	 [](Page &p) {
		 p.set<u64>(secs::XFRM, 0x203);
	 }},
	{"EXINFO",
	 [](Page &p) {
		 p.set<u32>(secs::MISCSELECT, 1);
	 }},
	{"many frames",
	 [](Page &p) {
		 p.set<u32>(secs::SSAFRAMESIZE, 200);
	 }},
	{"the smallest",
	 [](Page &p) {
		 p.set<u64>(secs::SIZE, 8192);
	 }},
	{"at zero",
	 [](Page &p) {
		 p.set<u64>(secs::BASE, 0);
	 }},
	{"in the upper half",
	 [](Page &p) {
		 p.set<u64>(secs::BASE, 0xffff800000000000);
	 }},
	{"the largest",
	 [](Page &p) {
		 p.set<u64>(secs::SIZE, u64{1} << 35);
	 }},
	{"32-bit",
	 [](Page &p) {
		 p.set<u64>(secs::FLAGS, 0).set<u64>(secs::BASE, 0x40000000);
	 }},
	{"the largest 32-bit",
	 [](Page &p) {
		 p.set<u64>(secs::FLAGS, 0).set<u64>(secs::BASE, 0).set<u64>(secs::SIZE, u64{1} << 30);
	 }},
	{"all attributes",
	 [](Page &p) {
		 p.set(secs::FLAGS, A_MODE64 | A_DEBUG | A_PROVISION | A_TOKEN | A_KSS | A_AEXNOTIFY);
	 }},
	{"KSS with CONFIGID and CONFIGSVN",
	 [](Page &p) {
		 p.set(secs::FLAGS, A_MODE64 | A_KSS).set<u8>(secs::CONFIGID, 1).set<u16>(secs::CONFIGSVN, 7);
	 }},
};

TEST(Ecreate, RejectsInvalidSecs)
{
	for (const auto &k : kRefused) {
		SCOPED_TRACE(k.name);
		Create f;
		k.change(f.page);
		EXPECT_RESULT(f.call(), gp());
		EXPECT_FALSE(f.m.entry(f.rcx).valid);
	}
}

TEST(Ecreate, RejectsReservedBytes)
{
	for (const unsigned off : {24U, 47U, 96U, 127U, 160U, 191U, 262U, 263U, 1000U, 2048U, 3836U, 4095U}) {
		Create f;
		f.page.set<u8>(off, 1);
		EXPECT_RESULT(f.call(), gp()) << off;
	}
}

TEST(Ecreate, AcceptsValidSecs)
{
	for (const auto &k : kAccepted) {
		SCOPED_TRACE(k.name);
		Create f;
		k.change(f.page);
		EXPECT_RESULT(f.call(), done());
	}
}

TEST(Ecreate, RejectsUnsupportedAttributes)
{
	for (const u64 a : {A_DEBUG, A_MODE64, A_PROVISION, A_TOKEN, A_KSS, A_AEXNOTIFY}) {
		MachineOptions o;
		o.config.attributes_mask &= ~a;
		o.config.kss = a != A_KSS;
		o.config.aexnotify = a != A_AEXNOTIFY;
		Create f(o);
		f.page.set(secs::FLAGS, a).set<u64>(secs::BASE, 0x40000000);
		EXPECT_RESULT(f.call(), gp()) << a;
	}
}

TEST(Ecreate, FrameMustHoldXsaveMiscAndGprsgx)
{
	MachineOptions o;
	o.config.xcomp[9] = {3904, 8}; // ends where GPRSGX of a one-page frame begins
	for (const auto &[xfrm, misc, pages, good] :
	     {std::tuple{0x203U, 0U, 1U, true}, {0x203U, 1U, 1U, false}, {0x203U, 1U, 2U, true}}) {
		Create f(o);
		f.page.set<u64>(secs::XFRM, xfrm).set<u32>(secs::MISCSELECT, misc).set<u32>(secs::SSAFRAMESIZE, pages);
		EXPECT_RESULT(f.call(), good ? done() : gp()) << misc << ' ' << pages;
	}
	o.config.xcomp[9] = {3905, 8};
	Create f(o);
	f.page.set<u64>(secs::XFRM, 0x203);
	EXPECT_RESULT(f.call(), gp());
}

TEST(Ecreate, IgnoresXsaveComponentsBeyondLimit)
{
	MachineOptions o;
	o.config.xcomp[9] = {0xfffffff0, 0x100};
	Create f(o);
	f.page.set<u64>(secs::XFRM, 0x203).set<u32>(secs::SSAFRAMESIZE, 100);
	EXPECT_RESULT(f.call(), gp());
	f.page.set<u64>(secs::XFRM, 7);
	EXPECT_RESULT(f.call(), done());
}

TEST(Ecreate, MpxComponentsNeedEachOther)
{
	MachineOptions o;
	o.config.xfrm_mask |= 0x18;
	for (const auto &[xfrm, good] : {std::pair{0x0bU, false}, {0x13U, false}, {0x1bU, true}}) {
		Create f(o);
		f.page.set<u64>(secs::XFRM, xfrm);
		EXPECT_RESULT(f.call(), good ? done() : gp()) << xfrm;
	}
}

TEST(Ecreate, Accepts57BitLinearAddresses)
{
	constexpr u64 la57 = 0x1000;
	for (const auto &[bits, cr4, base, good] : {std::tuple{57, la57, kNonCanonical, true},
						    {57, u64{0}, kNonCanonical, false},
						    {48, la57, kNonCanonical, false},
						    {57, la57, u64{1} << 56, false}}) {
		MachineOptions o;
		o.config.linear_bits = static_cast<u8>(bits);
		Create f(o);
		f.c.regs.cr4 |= cr4;
		f.page.set(secs::BASE, base);
		EXPECT_RESULT(f.call(), good ? done() : gp()) << bits << ' ' << cr4 << ' ' << base;
	}
}

TEST(Ecreate, InitializesSecs)
{
	Create f;
	ASSERT_RESULT(f.call(), done());
	const auto e = f.m.entry(f.rcx);
	EXPECT_TRUE(e.valid);
	EXPECT_EQ(e.type, PT_SECS);
	EXPECT_FALSE(e.r || e.w || e.x || e.blocked || e.pending || e.modified || e.pr);
	EXPECT_NE(e.enclave, 0U);
	EXPECT_EQ(e.stamp, 0U);
	EXPECT_EQ(e.physical, f.m.epc_physical(f.rcx));
	const u64 first = e.enclave;
	f.rcx = f.m.epc();
	ASSERT_RESULT(f.call(), done());
	EXPECT_GT(f.m.entry(f.rcx).enclave, first);
	EXPECT_EQ(sgx2_epcm_valid(f.m.get()), 2U);
}

} // namespace
