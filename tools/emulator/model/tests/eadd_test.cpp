// SPDX-License-Identifier: GPL-2.0
// EADD and EEXTEND: their checks in order, the initialization of a TCS, and the measurement against
// independent vectors.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

struct Add {
	Machine m;
	Enclave e{m};
	Cpu &c = m.cpu(0);
	Buffer info = m.ram(), secinfo = m.ram(), source = m.ram();
	Pageinfo pi;
	Secinfo si;
	Page page = pattern_page(5);
	u64 rbx = info.linear, rcx = m.epc();

	explicit Add(const EnclaveSpec &s = {}) : e(m, s)
	{
		e.create();
		pi.set(pageinfo::LINADDR, e.lin(0x3000))
			.set(pageinfo::SRCPGE, source.linear)
			.set(pageinfo::SECINFO, secinfo.linear);
		pi.set(pageinfo::SECS, e.secs);
		si.set(0, REG | R | W);
	}
	u64 va()
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
		return c.encls(EADD, rbx, rcx);
	}
};

Expected is_gp(Add &)
{
	return gp();
}
template <class F>
Expected epcm_rcx(F &f)
{
	return epcm(f.rcx);
}
Expected epcm_secs(Add &f)
{
	return epcm(f.pi.get<u64>(pageinfo::SECS));
}

TEST(Eadd, ChecksInOrder)
{
	using F = Add;
	walk_checks<F>([] { return std::make_unique<F>(); },
		       {
			       {"RBX misaligned", [](F &f) { f.rbx += 8; }, is_gp},
			       {"RCX misaligned", [](F &f) { f.rcx += 8; }, is_gp},
			       {"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
				[](F &) {
					return pf(kUnmapped, 2);
				}},
			       {"RCX is RAM", [](F &f) { f.rcx = f.info.linear; }, epcm_rcx<F>},
			       {"PAGEINFO not mapped", [](F &f) { f.rbx = kUnmapped; },
				[](F &) {
					return pf(kUnmapped, 0);
				}},
			       {"SRCPGE misaligned", [](F &f) { f.pi.set(pageinfo::SRCPGE, f.source.linear + 2048); }, is_gp},
			       {"SECS misaligned", [](F &f) { f.pi.set(pageinfo::SECS, f.e.secs + 2048); }, is_gp},
			       {"SECINFO misaligned", [](F &f) { f.pi.set(pageinfo::SECINFO, f.secinfo.linear + 32); }, is_gp},
			       {"LINADDR misaligned", [](F &f) { f.pi.set(pageinfo::LINADDR, f.e.lin(0x3800)); }, is_gp},
			       {"SECS not mapped", [](F &f) { f.pi.set(pageinfo::SECS, kUnmapped + kPage); },
				[](F &) {
					Expected a = pf(kUnmapped + kPage, 2);
					a.error_mask = ~2U;
					return a;
				}},
			       {"SECS is RAM", [](F &f) { f.pi.set(pageinfo::SECS, f.info.linear); }, epcm_secs},
			       {"SECINFO not mapped", [](F &f) { f.pi.set(pageinfo::SECINFO, kUnmapped + 2 * kPage); },
				[](F &) {
					return pf(kUnmapped + 2 * kPage, 0);
				}},
			       {"reserved SECINFO", [](F &f) { f.si.set<u8>(63, 1); }, is_gp},
			       {"SECINFO of a VA page", [](F &f) { f.si.set(0, type(PT_VA)); }, is_gp},
			       {"RCX valid", [](F &f) { f.rcx = f.va(); }, epcm_rcx<F>},
			       {"SECS invalid", [](F &f) { f.pi.set(pageinfo::SECS, f.m.epc()); }, epcm_secs},
			       {"SECS is a VA page", [](F &f) { f.pi.set(pageinfo::SECS, f.va()); }, epcm_secs},
			       {"SRCPGE not mapped", [](F &f) { f.pi.set(pageinfo::SRCPGE, kUnmapped + 3 * kPage); },
				[](F &) {
					return pf(kUnmapped + 3 * kPage, 0);
				}},
			       {"W without R", [](F &f) { f.si.set(0, REG | W); }, is_gp},
			       {"LINADDR below", [](F &f) { f.pi.set(pageinfo::LINADDR, f.e.lin(0) - kPage); }, is_gp},
			       {"LINADDR behind", [](F &f) { f.pi.set(pageinfo::LINADDR, f.e.lin(f.e.spec.size)); }, is_gp},
			       {"initialized", [](F &f) { f.e.init(); }, is_gp},
		       });
}

TEST(Eadd, RejectsInvalidSecinfo)
{
	for (const u64 flags :
	     {REG | R | PENDING, REG | R | MODIFIED, REG | R | PR, REG | R | 64, REG | R | 128, REG | R | u64{1} << 16,
	      REG | R | u64{1} << 63, u64{R | W}, type(PT_VA) | R, TRIM, type(PT_SS_FIRST) | R | W, type(PT_SS_REST) | R | W,
	      type(static_cast<PageType>(7)) | R, REG | W, REG | W | X}) {
		Add f;
		f.si.set(0, flags);
		EXPECT_RESULT(f.call(), gp()) << std::hex << flags;
	}
	for (unsigned off = 8; off < 64; off += 11) {
		Add f;
		f.si.set<u8>(off, 0x80);
		EXPECT_RESULT(f.call(), gp()) << off;
	}
}

TEST(Eadd, SetsRightsAndContents)
{
	for (const u64 rwx : {u64{0}, R, R | W, R | X, R | W | X, X}) {
		Add f;
		f.si.set(0, REG | rwx);
		ASSERT_RESULT(f.call(), done());
		const auto e = f.m.entry(f.rcx);
		EXPECT_TRUE(e.valid);
		EXPECT_EQ(e.type, PT_REG);
		EXPECT_EQ(e.r, (rwx & R) != 0);
		EXPECT_EQ(e.w, (rwx & W) != 0);
		EXPECT_EQ(e.x, (rwx & X) != 0);
		EXPECT_FALSE(e.blocked || e.pending || e.modified || e.pr);
		EXPECT_EQ(e.stamp, 0U);
		EXPECT_EQ(e.linear, f.e.lin(0x3000));
		EXPECT_EQ(e.enclave, f.e.eid());
		EXPECT_EQ(std::memcmp(f.m.epc_host(f.rcx), f.page.b.data(), kPage), 0);
	}
}

TEST(Eadd, AcceptsFirstAndLastPage)
{
	for (const u64 off : {u64{0}, u64{0xff000}}) {
		Add f;
		f.pi.set(pageinfo::LINADDR, f.e.lin(off));
		EXPECT_RESULT(f.call(), done());
	}
}

TEST(Eadd, SourceInEpcReadsAsOnes)
{
	Add f;
	f.pi.set(pageinfo::SRCPGE, f.va());
	ASSERT_RESULT(f.call(), done());
	EXPECT_EQ(f.m.epc_host(f.rcx)[0], 0xff);
	EXPECT_EQ(f.m.epc_host(f.rcx)[4095], 0xff);
}

TEST(Eadd, InitializesTcs)
{
	Add f;
	TcsSpec t;
	t.flags = 1 | 2;
	t.cssa = 7;
	f.page = tcs_page(t);
	f.page.set<u64>(tcs::STATE, 1).set<u64>(tcs::AEP, 0x1234);
	f.si.set(0, TCS | R | W | X);
	ASSERT_RESULT(f.call(), done());
	const auto e = f.m.entry(f.rcx);
	EXPECT_EQ(e.type, PT_TCS);
	EXPECT_FALSE(e.r || e.w || e.x);
	const std::map<unsigned, u64> fields = {
		{tcs::STATE, 0},	   {tcs::FLAGS, 2},	   {tcs::OSSA, 0x1000},
		{tcs::CSSA, u64{2} << 32}, {tcs::OENTRY, 0x4000},  {tcs::AEP, 0},
		{tcs::OFSBASE, 0x5000},	   {tcs::OGSBASE, 0x6000}, {tcs::FSLIMIT, 0xeffff000fffff}};
	for (const auto &[off, value] : fields) {
		const Result r = f.c.encls(EDBGRD, 0, f.rcx + off);
		EXPECT_RESULT(r, done());
		EXPECT_EQ(r.after.gpr[SGX2_RBX], value) << off;
	}
}

TEST(Eadd, RejectsReservedTcsBytes)
{
	for (const unsigned off : {72U, 79U, 100U, 4095U}) {
		Add f;
		f.page = tcs_page();
		f.page.set<u8>(off, 1);
		f.si.set(0, TCS);
		EXPECT_RESULT(f.call(), gp()) << off;
	}
}

TEST(Eadd, ChecksTcsLimitsIn32BitEnclave)
{
	EnclaveSpec s;
	s.base = 0x40000000;
	s.attributes = A_DEBUG;
	for (const auto &[fs, gs, good] : {std::tuple{0xfffU, 0xffffffffU, true}, {0xffeU, 0xfffU, false}, {0xfffU, 0U, false}}) {
		Add f(s);
		TcsSpec t;
		t.fslimit = fs;
		t.gslimit = gs;
		f.page = tcs_page(t);
		f.si.set(0, TCS);
		EXPECT_RESULT(f.call(), good ? done() : gp()) << fs << ' ' << gs;
	}
	Add f;
	TcsSpec t;
	t.fslimit = t.gslimit = 1;
	f.page = tcs_page(t);
	f.si.set(0, TCS);
	EXPECT_RESULT(f.call(), done());
}

TEST(Eadd, DoesNotMeasureOnFault)
{
	Add f;
	f.pi.set(pageinfo::LINADDR, f.e.lin(f.e.spec.size));
	EXPECT_RESULT(f.call(), gp());
	f.pi.set(pageinfo::LINADDR, f.e.lin(0x3000)).set(pageinfo::SRCPGE, kUnmapped);
	EXPECT_RESULT(f.call(), pf(kUnmapped, 0));
	f.e.add(0x4000, REG | R, pattern_page(9));
	f.e.init(); // MRENCLAVE does not include the failed calls
}

struct Extend {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m, {}, false);
	Cpu &c = m.cpu(0);
	u64 rbx = e->secs, rcx = e->epc(at::Data) + 0x300;

	Result call() { return c.encls(EEXTEND, rbx, rcx); }
	u64 va()
	{
		const u64 p = m.epc();
		EXPECT_RESULT(c.encls(EPA, PT_VA, p), done());
		return p + 0x100;
	}
};

TEST(Eextend, ChecksInOrder)
{
	using F = Extend;
	const auto gpf = [](F &) {
		return gp();
	};
	walk_checks<F>([] { return std::make_unique<F>(); },
		       {
			       {"RBX misaligned", [](F &f) { f.rbx += 256; }, gpf},
			       {"RBX not mapped", [](F &f) { f.rbx = kUnmapped; },
				[](F &) {
					Expected a = pf(kUnmapped, 0);
					a.error_mask = ~2U;
					return a;
				}},
			       {"RBX is RAM", [](F &f) { f.rbx = f.e->info.linear; },
				[](F &f) {
					return epcm(f.rbx);
				}},
			       {"RCX misaligned", [](F &f) { f.rcx += 128; }, gpf},
			       {"RCX not mapped", [](F &f) { f.rcx = kUnmapped + 256; },
				[](F &) {
					return pf(kUnmapped + 256, 0);
				}},
			       {"RCX is RAM", [](F &f) { f.rcx = f.e->info.linear; }, epcm_rcx<F>},
			       {"RCX invalid", [](F &f) { f.rcx = f.m.epc() + 512; }, epcm_rcx<F>},
			       {"RCX is a VA page", [](F &f) { f.rcx = f.va(); }, epcm_rcx<F>},
			       {"RCX is the SECS", [](F &f) { f.rcx = f.e->secs; }, epcm_rcx<F>},
			       {"another page's SECS",
				[](F &f) {
					Enclave other(f.m, {.base = 0x710000000000});
					other.create();
					f.rbx = other.secs;
				},
				gpf},
			       {"RBX not a SECS", [](F &f) { f.rbx = f.e->epc(at::Data2); }, gpf},
			       {"initialized", [](F &f) { f.e->init(); }, gpf},
		       });
}

TEST(Eextend, DoesNotMeasureOnFault)
{
	Extend f;
	f.rbx = f.e->epc(at::Data2);
	EXPECT_RESULT(f.call(), gp());
	f.e->init();
}

TEST(Measurement, MatchesKnownVector)
{
	// Computed with Python's hashlib from the description of the records.
	static constexpr Digest want = {0x29, 0xfe, 0x4a, 0x3c, 0xd9, 0x9e, 0x1c, 0xb4, 0x40, 0x92, 0x72,
					0x32, 0x81, 0xdf, 0x7c, 0x46, 0xa0, 0x9a, 0xa5, 0x83, 0x50, 0xe2,
					0x80, 0x7e, 0x10, 0xc9, 0xc3, 0xea, 0xc0, 0xa4, 0x68, 0x2f};
	Machine m;
	Enclave e(m);
	e.create();
	Page p;
	for (unsigned i = 0; i < kPage; i++)
		p.b[i] = static_cast<u8>(i * 13 + i / 256);
	e.add(0x3000, REG | R | W, p);
	EXPECT_EQ(e.measure.blocks(), 82U);
	EXPECT_EQ(e.measure.digest(), want);
	e.init();
}

TEST(Measurement, CoversEcreateAlone)
{
	static constexpr Digest want = {0x2e, 0x6a, 0x40, 0x60, 0xc5, 0x25, 0xbc, 0x09, 0xab, 0x04, 0x26,
					0xac, 0xa9, 0x2b, 0x2e, 0x91, 0x8b, 0x4c, 0x7f, 0x10, 0x09, 0x2b,
					0xfa, 0xe7, 0x31, 0x36, 0x5d, 0x3a, 0x72, 0x15, 0xbe, 0x7b};
	Machine m;
	Enclave e(m, {.base = 0x123400000000, .size = 0x200000, .ssaframesize = 2});
	e.create();
	EXPECT_EQ(e.measure.digest(), want);
	e.init();
}

TEST(Measurement, CoversContentsOfEpcPage)
{
	Machine m;
	Enclave e(m);
	e.create();
	TcsSpec t;
	t.flags = 1;
	t.cssa = 3;
	ASSERT_RESULT(e.try_add(0, TCS | R | X, tcs_page(t)), done());
	e.measure.eadd(0, TCS);
	// EEXTEND measures the page as EADD changed it, with DBGOPTIN and CSSA cleared.
	t.flags = 0;
	t.cssa = 0;
	const Page seen = tcs_page(t);
	ASSERT_RESULT(m.cpu(0).encls(EEXTEND, e.secs, e.epc(0)), done());
	e.measure.eextend(0, seen.b.data());
	e.init();
}

TEST(Measurement, DependsOnOrderAndRepetition)
{
	Machine m;
	Enclave e(m);
	e.create();
	const Page p = pattern_page(3);
	e.add(0x1000, REG | R, p, false);
	e.add(0x2000, REG | R | X, p, false);
	for (const u64 off : {0x2f00U, 0x1000U, 0x1100U, 0x1000U}) {
		ASSERT_RESULT(m.cpu(0).encls(EEXTEND, e.secs, e.epc(off)), done());
		e.measure.eextend(off, p.b.data() + off % kPage);
	}
	e.init();
}

TEST(Measurement, IgnoresBaseAttributesAndMiscselect)
{
	Machine m;
	Enclave a(m), b(m, {.base = 0x10000000, .attributes = A_MODE64 | A_KSS, .xfrm = 7, .miscselect = 1});
	for (Enclave *e : {&a, &b}) {
		e->create();
		e->add(0x5000, REG | R, pattern_page(1));
		e->init();
	}
	EXPECT_EQ(a.measure.digest(), b.measure.digest());
}

} // namespace
