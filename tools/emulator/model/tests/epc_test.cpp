// SPDX-License-Identifier: GPL-2.0
// The leaves for the management of EPC pages: EREMOVE, EPA, EBLOCK, ETRACK, EDBGRD, EDBGWR,
// ERDINFO, ETRACKC, EUPDATESVN.

#include <gtest/gtest.h>

#include "enclave.h"
#include "inside.h"

using namespace sgx;

namespace {

struct Leaf {
	Machine m;
	std::unique_ptr<Enclave> e;
	Cpu &c = m.cpu(0);
	Buffer buf = m.ram();
	u32 leaf = EREMOVE;
	u64 rbx = 0, rcx = 0, rdx = 0;

	explicit Leaf(u32 l = EREMOVE, const EnclaveSpec &s = {}) : e(standard(m, s)), leaf(l) { rcx = e->epc(at::Data); }
	Result call() { return c.encls(leaf, rbx, rcx, rdx); }
	u64 va()
	{
		const u64 p = m.epc();
		EXPECT_RESULT(c.encls(EPA, PT_VA, p), done());
		return p;
	}
};

std::function<std::unique_ptr<Leaf>()> leaf(u32 l)
{
	return [l] {
		return std::make_unique<Leaf>(l);
	};
}
Expected is_gp(Leaf &)
{
	return gp();
}
Expected epcm_rcx(Leaf &f)
{
	return epcm(f.rcx);
}
std::function<Expected(Leaf &)> is(u64 n)
{
	return [n](Leaf &) {
		return code(n);
	};
}

/// The three checks that every leaf on one page begins with.
const Step<Leaf> kAligned{"RCX misaligned", [](Leaf &f) { f.rcx += 1024; }, is_gp};
const Step<Leaf> kMapped{"RCX not mapped", [](Leaf &f) { f.rcx = kUnmapped; },
			 [](Leaf &) {
				 return pf(kUnmapped, 2);
			 }};
const Step<Leaf> kEpc{"RCX is RAM", [](Leaf &f) { f.rcx = f.buf.linear; }, epcm_rcx};

TEST(Eremove, ChecksInOrder)
{
	walk_checks<Leaf>(leaf(EREMOVE),
			  {
				  kAligned,
				  kMapped,
				  kEpc,
				  {"SECS with children", [](Leaf &f) { f.rcx = f.e->secs; }, is(CHILD_PRESENT)},
				  {"a thread is inside", [](Leaf &f) { EXPECT_RESULT(f.e->enter(1), done()); }, is(ENCLAVE_ACT)},
			  });
}

TEST(Eremove, SucceedsOnInvalidPage)
{
	Leaf f;
	f.rcx = f.m.epc();
	EXPECT_RESULT(f.call(), done());
	EXPECT_RESULT(f.call(), done());
}

TEST(Eremove, RemovesEachType)
{
	Leaf f;
	const std::size_t all = f.m.epc_pages();
	f.e->aug(at::Free);
	f.e->aug(at::Free + kPage);
	EXPECT_RESULT(f.e->emodt(at::Data2, PT_TRIM), done());
	EXPECT_RESULT(f.e->eblock(at::RoData), done());
	EXPECT_RESULT(f.e->emodpr(at::Code, R), done());
	const u64 va = f.va();
	EXPECT_RESULT(f.c.encls(EREMOVE, 0, va), done());
	f.e->destroy(); // including PENDING, MODIFIED, BLOCKED and PR pages
	EXPECT_EQ(sgx2_epcm_valid(f.m.get()), 0U);
	EXPECT_EQ(sgx2_epcm_pages(f.m.get()), all);
}

TEST(Eremove, SecsMustHaveNoChildren)
{
	Machine m;
	Enclave e(m);
	e.create();
	e.add(0, REG | R, Page{}, false);
	EXPECT_RESULT(m.cpu(0).encls(EREMOVE, 0, e.secs), code(CHILD_PRESENT));
	EXPECT_RESULT(e.eremove(0), done());
	EXPECT_RESULT(m.cpu(0).encls(EREMOVE, 0, e.secs), done());
	EXPECT_FALSE(m.entry(e.secs).valid);
}

TEST(Eremove, FailsWhileThreadIsInside)
{
	Leaf f;
	f.e->aug(at::Free);
	f.e->aug(at::Free + kPage);
	EXPECT_RESULT(f.e->emodt(at::Data2, PT_TRIM), done());
	EXPECT_RESULT(f.e->emodt(at::RoData, PT_TRIM), done());
	EXPECT_RESULT(f.e->etrack(), done());
	const u64 va = f.va();
	ASSERT_RESULT(f.e->enter(1), done());
	EXPECT_RESULT(f.e->eaccept(1, at::RoData, TRIM | MODIFIED), done());
	for (const u64 off : {at::Tcs, at::Tcs2, at::Data, at::Code, at::Free, at::Data2})
		EXPECT_RESULT(f.e->eremove(off), code(ENCLAVE_ACT)) << off;
	EXPECT_RESULT(f.e->eremove(at::RoData), done()); // accepted TRIM
	EXPECT_RESULT(f.c.encls(EREMOVE, 0, f.e->secs), code(CHILD_PRESENT));
	EXPECT_RESULT(f.c.encls(EREMOVE, 0, va), done());
	{
		SCOPED_TRACE("another enclave is not affected");
		Enclave other(f.m, {.base = 0x710000000000});
		other.create();
		other.add(0, REG | R, Page{}, false);
		EXPECT_RESULT(other.eremove(0), done());
	}
	ASSERT_RESULT(f.e->exit(1), done());
	EXPECT_RESULT(f.e->eremove(at::Data), done());
}

TEST(Eremove, SucceedsAfterAex)
{
	Leaf f;
	ASSERT_RESULT(f.e->enter(1), done());
	EXPECT_RESULT(f.call(), code(ENCLAVE_ACT));
	f.m.cpu(1).aex_interrupt();
	EXPECT_RESULT(f.call(), done());
}

TEST(Epa, ChecksInOrder)
{
	walk_checks<Leaf>(
		[] {
			auto f = std::make_unique<Leaf>(EPA);
			f->rbx = PT_VA;
			f->rcx = f->m.epc();
			return f;
		},
		{
			{"RBX not PT_VA", [](Leaf &f) { f.rbx = PT_REG; }, is_gp},
			kAligned,
			kMapped,
			kEpc,
			{"RCX valid", [](Leaf &f) { f.rcx = f.e->epc(at::Data); }, epcm_rcx},
		});
}

TEST(Epa, ChecksAllBitsOfRbx)
{
	Leaf f(EPA);
	f.rcx = f.m.epc();
	for (const u64 rbx : {u64{0x300}, u64{1} << 32 | 3, u64{0}, ~u64{0}}) {
		f.rbx = rbx;
		EXPECT_RESULT(f.call(), gp()) << rbx;
	}
}

TEST(Epa, InitializesVaPage)
{
	Leaf f;
	EXPECT_RESULT(f.call(), done()); // EREMOVE keeps the contents, which must not become visible
	EXPECT_RESULT(f.c.encls(EPA, PT_VA, f.rcx), done());
	const auto e = f.m.entry(f.rcx);
	EXPECT_TRUE(e.valid);
	EXPECT_EQ(e.type, PT_VA);
	EXPECT_FALSE(e.r || e.w || e.x || e.blocked || e.pending || e.modified || e.pr);
	EXPECT_EQ(e.enclave, 0U);
	for (u64 off = 0; off < kPage; off += 8)
		EXPECT_EQ(f.c.encls(EDBGRD, 0, f.rcx + off).after.gpr[SGX2_RBX], 0U);
}

TEST(Eblock, ChecksInOrder)
{
	walk_checks<Leaf>(leaf(EBLOCK), {
						kAligned,
						kMapped,
						kEpc,
						{"RCX invalid", [](Leaf &f) { f.rcx = f.m.epc(); }, is(PG_INVLD)},
						{"RCX is a SECS", [](Leaf &f) { f.rcx = f.e->secs; },
						 [](Leaf &) {
							 return info(PG_IS_SECS);
						 }},
						{"RCX is a VA page", [](Leaf &f) { f.rcx = f.va(); },
						 [](Leaf &) {
							 return info(NOTBLOCKABLE);
						 }},
						{"blocked before",
						 [](Leaf &f) {
							 f.rcx = f.e->epc(at::Data2);
							 EXPECT_RESULT(f.e->eblock(at::Data2), done());
						 },
						 [](Leaf &) {
							 return info(BLKSTATE);
						 }},
					});
}

TEST(Eblock, ChangesOnlyBlockedAndTrackingEpoch)
{
	Leaf f(EBLOCK);
	f.e->aug(at::Free);
	EXPECT_RESULT(f.e->emodt(at::Data2, PT_TRIM), done());
	EXPECT_RESULT(f.e->emodpr(at::Code, R), done());
	for (const u64 off : {at::Tcs, at::Data, at::Free, at::Data2, at::Code}) {
		auto want = f.e->entry(off);
		ASSERT_RESULT(f.e->eblock(off), done());
		const auto got = f.e->entry(off);
		want.blocked = true;
		want.stamp = got.stamp;
		EXPECT_EQ(describe(got), describe(want));
		EXPECT_NE(got.stamp, 0U);
	}
}

TEST(Eblock, PageStaysBlockedAfterEtrack)
{
	Leaf f(EBLOCK);
	ASSERT_RESULT(f.call(), done());
	EXPECT_RESULT(f.call(), info(BLKSTATE));
	EXPECT_RESULT(f.e->etrack(), done());
	EXPECT_RESULT(f.call(), info(BLKSTATE));
}

TEST(Etrack, ChecksInOrder)
{
	walk_checks<Leaf>(
		[] {
			auto f = std::make_unique<Leaf>(ETRACK);
			f->rcx = f->e->secs;
			return f;
		},
		{
			kAligned,
			kMapped,
			kEpc,
			{"RCX invalid", [](Leaf &f) { f.rcx = f.m.epc(); }, epcm_rcx},
			{"RCX is a REG page", [](Leaf &f) { f.rcx = f.e->epc(at::Data); }, epcm_rcx},
			{"RCX is a VA page", [](Leaf &f) { f.rcx = f.va(); }, epcm_rcx},
			{"a thread has been inside since before the last ETRACK",
			 [](Leaf &f) {
				 EXPECT_RESULT(f.e->enter(1), done());
				 EXPECT_RESULT(f.e->etrack(), done());
			 },
			 is(PREV_TRK_INCMPL)},
		});
}

TEST(Etrack, SucceedsBeforeEinit)
{
	Machine m;
	Enclave e(m);
	e.create();
	EXPECT_RESULT(e.etrack(), done());
	EXPECT_RESULT(e.etrack(), done());
}

TEST(Edbgrd, ChecksInOrder)
{
	walk_checks<Leaf>(leaf(EDBGRD),
			  {
				  {"RCX misaligned", [](Leaf &f) { f.rcx += 4; }, is_gp},
				  {"RCX not mapped", [](Leaf &f) { f.rcx = kUnmapped + 8; },
				   [](Leaf &) {
					   return pf(kUnmapped + 8, 0);
				   }},
				  {"RCX is RAM", [](Leaf &f) { f.rcx = f.buf.linear + 16; }, epcm_rcx},
				  {"RCX invalid", [](Leaf &f) { f.rcx = f.m.epc() + 24; }, epcm_rcx},
				  {"RCX is a SECS", [](Leaf &f) { f.rcx = f.e->secs; }, epcm_rcx},
				  {"RCX is a TRIM page",
				   [](Leaf &f) {
					   f.rcx = f.e->epc(at::Data2);
					   EXPECT_RESULT(f.e->emodt(at::Data2, PT_TRIM), done());
				   },
				   epcm_rcx},
				  {"RCX pending",
				   [](Leaf &f) {
					   f.e->aug(at::Free);
					   f.rcx = f.e->epc(at::Free);
				   },
				   is(PAGE_NOT_DEBUGGABLE)},
				  {"RCX modified",
				   [](Leaf &f) {
					   EXPECT_RESULT(f.e->emodt(at::RoData, PT_TCS), done());
					   f.rcx = f.e->epc(at::RoData);
				   },
				   is(PAGE_NOT_DEBUGGABLE)},
				  {"behind the fields of a TCS", [](Leaf &f) { f.rcx = f.e->epc(at::Tcs2 + 72); }, is_gp},
			  });
}

TEST(Edbgwr, ChecksInOrder)
{
	walk_checks<Leaf>(leaf(EDBGWR),
			  {
				  {"RCX misaligned", [](Leaf &f) { f.rcx += 4; }, is_gp},
				  {"RCX not mapped", [](Leaf &f) { f.rcx = kUnmapped + 8; },
				   [](Leaf &) {
					   return pf(kUnmapped + 8, 2);
				   }},
				  {"RCX is RAM", [](Leaf &f) { f.rcx = f.buf.linear + 16; }, epcm_rcx},
				  {"RCX invalid", [](Leaf &f) { f.rcx = f.m.epc() + 24; }, epcm_rcx},
				  {"RCX is a SECS", [](Leaf &f) { f.rcx = f.e->secs; }, epcm_rcx},
				  {"RCX is a VA page", [](Leaf &f) { f.rcx = f.va() + 8; }, epcm_rcx},
				  {"RCX pending",
				   [](Leaf &f) {
					   f.e->aug(at::Free);
					   f.rcx = f.e->epc(at::Free);
				   },
				   is(PAGE_NOT_DEBUGGABLE)},
				  {"RCX modified",
				   [](Leaf &f) {
					   EXPECT_RESULT(f.e->emodt(at::RoData, PT_TCS), done());
					   f.rcx = f.e->epc(at::RoData);
				   },
				   is(PAGE_NOT_DEBUGGABLE)},
				  {"another field of a TCS", [](Leaf &f) { f.rcx = f.e->epc(at::Tcs2 + tcs::OSSA); }, is_gp},
			  });
}

TEST(Edbg, NeedsDebugEnclave)
{
	Leaf f(EDBGRD, {.attributes = A_MODE64});
	EXPECT_RESULT(f.call(), gp());
	f.leaf = EDBGWR;
	EXPECT_RESULT(f.call(), gp());
	f.rcx = f.e->epc(at::Tcs + tcs::FLAGS);
	EXPECT_RESULT(f.call(), gp());
	f.leaf = EDBGRD;
	EXPECT_RESULT(f.call(), gp());
	{
		SCOPED_TRACE("PAGE_NOT_DEBUGGABLE (21) precedes");
		f.e->aug(at::Free);
		f.rcx = f.e->epc(at::Free);
		EXPECT_RESULT(f.call(), code(PAGE_NOT_DEBUGGABLE));
	}
	f.rcx = f.va();
	EXPECT_RESULT(f.call(), done());
}

TEST(Edbg, IgnoresRightsAndBlocked)
{
	Leaf f(EDBGWR);
	for (const u64 off : {at::RoData, at::Code, at::Data}) {
		EXPECT_RESULT(f.e->emodpr(off, 0), done());
		EXPECT_RESULT(f.e->eblock(off), done());
		const u64 value = 0x1122334455667788 + off;
		EXPECT_RESULT(f.e->edbgwr(off + 0x18, value), done());
		EXPECT_EQ(f.e->peek<u64>(off + 0x18), value);
		const Result r = f.e->edbgrd(off + 0x18);
		EXPECT_RESULT(r, done());
		EXPECT_EQ(r.after.gpr[SGX2_RBX], value);
	}
}

TEST(Edbg, ReadsTcsFieldsAndWritesFlags)
{
	Leaf f;
	for (unsigned off = 0; off < 72; off += 8)
		EXPECT_RESULT(f.e->edbgrd(at::Tcs + off), done()) << off;
	EXPECT_RESULT(f.e->edbgrd(at::Tcs + 72), gp());
	for (unsigned off = 0; off < kPage; off += off < 80 ? 8 : 800)
		EXPECT_RESULT(f.e->edbgwr(at::Tcs + off, 0), off == tcs::FLAGS ? done() : gp()) << off;
	EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, 1), done());
	EXPECT_EQ(f.e->edbgrd(at::Tcs + tcs::FLAGS).after.gpr[SGX2_RBX], 1U);
	EXPECT_RESULT(f.e->enter(1), done());
	EXPECT_TRUE(sgx2_debug_optin(f.m.cpu(1).get()));
}

TEST(Edbg, ShowsUsedSlotsOfVaPage)
{
	Leaf f;
	Pager pager(f.m);
	Evicted out = evicted_buffers(f.m);
	f.e->block(at::Data);
	ASSERT_RESULT(pager.evict(f.rcx, out, pager.slot(5)), done());
	for (unsigned i = 0; i < 512; i++)
		EXPECT_EQ(f.c.encls(EDBGRD, 0, pager.slot(i)).after.gpr[SGX2_RBX], i == 5 ? ~u64{0} : 0) << i;
}

TEST(Edbg, AccessesDwordsIn32BitMode)
{
	Leaf f(EDBGRD);
	f.m.map(0x80000000, {f.m.epc_physical(f.rcx), true, true, false});
	f.e->poke<u64>(at::Data, 0x8877665544332211);
	f.c.regs.mode64 = false;
	f.c.regs.ds = {0, ~u32{0}, 0xcf9300, 0x10};
	f.rcx = 0x80000004;
	Result r = f.call();
	EXPECT_RESULT(r, done());
	EXPECT_EQ(static_cast<u32>(r.after.gpr[SGX2_RBX]), 0x88776655U);
	f.rcx = 0x80000002;
	EXPECT_RESULT(f.call(), gp());
	f.leaf = EDBGWR;
	f.rcx = 0x80000004;
	f.rbx = 0xaabbccdd;
	EXPECT_RESULT(f.call(), done());
	EXPECT_EQ(f.e->peek<u64>(at::Data), 0xaabbccdd44332211);
}

TEST(Edbg, ShowsHalfSlotsIn32BitMode)
{
	Leaf f;
	Pager pager(f.m);
	Evicted out = evicted_buffers(f.m);
	f.e->block(at::Data);
	ASSERT_RESULT(pager.evict(f.rcx, out, pager.slot(2)), done());
	f.m.map(0x80000000, {f.m.epc_physical(pager.va), true, true, false});
	f.c.regs.mode64 = false;
	f.c.regs.ds = {0, ~u32{0}, 0xcf9300, 0x10};
	for (const auto &[off, value] : {std::pair{16U, 0xffffffffU}, {20U, 0xffffffffU}, {24U, 0U}, {12U, 0U}})
		EXPECT_EQ(f.c.encls(EDBGRD, 0, 0x80000000 + off).after.gpr[SGX2_RBX], value) << off;
}

struct Rdinfo : Leaf {
	Rdinfo() : Leaf(ERDINFO) { rbx = buf.linear; }
};

TEST(Erdinfo, ChecksInOrder)
{
	walk_checks<Leaf>([]() -> std::unique_ptr<Leaf> { return std::make_unique<Rdinfo>(); },
			  {
				  {"RBX misaligned", [](Leaf &f) { f.rbx += 16; }, is_gp},
				  kAligned,
				  {"RCX not mapped", [](Leaf &f) { f.rcx = kUnmapped; },
				   [](Leaf &) {
					   return pf(kUnmapped, 0);
				   }},
				  {"RCX is RAM", [](Leaf &f) { f.rcx = f.buf.linear; },
				   [](Leaf &) {
					   return info(PG_NONEPC);
				   }},
				  {"RCX invalid", [](Leaf &f) { f.rcx = f.m.epc(); },
				   [](Leaf &) {
					   return info(PG_INVLD);
				   }},
				  {"RDINFO read-only", [](Leaf &f) { f.m.pte(f.buf.linear)->w = false; },
				   [](Leaf &f) {
					   return pf(f.buf.linear, 3);
				   }},
			  });
}

TEST(Erdinfo, ReturnsEpcmEntry)
{
	Rdinfo f;
	const auto flags = [&](u64 page) {
		f.rcx = page;
		EXPECT_RESULT(f.call(), done());
		return f.buf.get<u64>(8) & ~(u64{1} << 63);
	};
	EXPECT_EQ(flags(f.e->epc(at::Data)), REG | R | W);
	EXPECT_EQ(f.buf.get<u64>(0), 0U);
	EXPECT_EQ(flags(f.e->epc(at::Code)), REG | R | X);
	EXPECT_EQ(flags(f.e->epc(at::Tcs)), TCS);
	EXPECT_EQ(flags(f.va()), type(PT_VA));
	f.e->aug(at::Free);
	EXPECT_EQ(flags(f.e->epc(at::Free)), REG | R | W | PENDING);
	EXPECT_RESULT(f.e->emodpr(at::Data, R), done());
	EXPECT_EQ(flags(f.e->epc(at::Data)), REG | R | PR);
	EXPECT_RESULT(f.e->emodt(at::Data, PT_TRIM), done());
	EXPECT_EQ(flags(f.e->epc(at::Data)), TRIM | MODIFIED);
	EXPECT_RESULT(f.e->eblock(at::Data), done());
	EXPECT_EQ(flags(f.e->epc(at::Data)), TRIM | MODIFIED);
	EXPECT_EQ(f.buf.get<u64>(8) >> 63, 1U) << "BLOCKED";
	EXPECT_EQ(flags(f.e->secs), 0U);
	EXPECT_EQ(f.buf.get<u64>(0), 1U) << "CHILDPRESENT";
	Enclave childless(f.m, {.base = 0x710000000000});
	childless.create();
	EXPECT_EQ(flags(childless.secs), 0U);
	EXPECT_EQ(f.buf.get<u64>(0), 0U);
	EXPECT_EQ(f.buf.get<u64>(24), 0U);
}

/// ENCLAVECONTEXT is the current physical address of the SECS, for the SECS and for all of its
/// pages.
TEST(Erdinfo, EnclavecontextIsAddressOfSecs)
{
	Rdinfo f;
	const auto context = [&](u64 page) {
		f.rcx = page;
		EXPECT_RESULT(f.call(), done());
		return f.buf.get<u64>(16);
	};
	Pager pager(f.m);
	Evicted child = evicted_buffers(f.m), secs = evicted_buffers(f.m);
	Enclave e(f.m, {.base = 0x720000000000});
	e.create();
	e.add(0, REG | R, Page{}, false);
	EXPECT_EQ(context(e.secs), f.m.epc_physical(e.secs));
	EXPECT_EQ(context(e.epc(0)), f.m.epc_physical(e.secs));
	EXPECT_EQ(context(f.e->epc(at::Data)), f.m.epc_physical(f.e->secs)) << "page of another enclave";
	EXPECT_EQ(context(pager.va), 0U);

	e.block(0);
	ASSERT_RESULT(pager.evict(e.epc(0), child, pager.slot(0)), done());
	ASSERT_RESULT(pager.evict(e.secs, secs, pager.slot(1)), done());
	const u64 elsewhere = f.m.epc();
	ASSERT_NE(f.m.epc_physical(elsewhere), f.m.epc_physical(e.secs));
	ASSERT_RESULT(pager.load(ELDU, elsewhere, secs, 0, 0), done());
	ASSERT_RESULT(pager.load(ELDU, e.epc(0), child, e.lin(0), elsewhere), done());
	EXPECT_EQ(context(elsewhere), f.m.epc_physical(elsewhere));
	EXPECT_EQ(context(e.epc(0)), f.m.epc_physical(elsewhere));
	for (const u64 page : {e.epc(0), elsewhere})
		EXPECT_RESULT(f.c.encls(EREMOVE, 0, page), done());
}

TEST(Etrackc, ChecksInOrder)
{
	walk_checks<Leaf>(leaf(ETRACKC), {
						 kAligned,
						 kMapped,
						 kEpc,
						 {"RCX invalid", [](Leaf &f) { f.rcx = f.m.epc(); }, is(PG_INVLD)},
						 {"RCX is a VA page", [](Leaf &f) { f.rcx = f.va(); },
						  [](Leaf &) {
							  return info(TRACK_NOT_REQUIRED);
						  }},
						 {"a thread has been inside since before the last ETRACK",
						  [](Leaf &f) {
							  EXPECT_RESULT(f.e->enter(1), done());
							  EXPECT_RESULT(f.e->etrack(), done());
						  },
						  is(PREV_TRK_INCMPL)},
					 });
}

TEST(Etrackc, TracksEnclaveOfPage)
{
	Leaf f(ETRACKC);
	EXPECT_RESULT(f.e->emodt(at::RoData, PT_TRIM), done());
	for (const u64 page : {f.e->secs, f.e->epc(at::Data), f.e->epc(at::Tcs), f.e->epc(at::RoData)}) {
		ASSERT_RESULT(f.e->enter(1), done());
		f.rcx = page;
		EXPECT_RESULT(f.call(), done());
		EXPECT_RESULT(f.e->etrack(), code(PREV_TRK_INCMPL));
		EXPECT_RESULT(f.call(), code(PREV_TRK_INCMPL));
		ASSERT_RESULT(f.e->exit(1), done());
	}
}

TEST(Eupdatesvn, ReturnsCodesThatLinuxExpects)
{
	Machine m;
	EXPECT_RESULT(m.cpu(0).encls(EPA, PT_VA, m.epc_linear(0)), done());
	EXPECT_RESULT(m.cpu(0).encls(EUPDATESVN), code(30)); // the EPC is in use
	EXPECT_RESULT(m.cpu(0).encls(EREMOVE, 0, m.epc_linear(0)), done());
	const Result r = m.cpu(0).encls(EUPDATESVN);
	ASSERT_EQ(r.outcome, SGX2_DONE);
	EXPECT_TRUE(r.rax() == 0 || r.rax() == NO_UPDATE) << r.rax();
	EXPECT_RESULT(m.cpu(0).encls(EUPDATESVN), code(NO_UPDATE));
}

/// Return the CPUSVN in the report of a new enclave, and its SEAL key for @cpusvn.
std::pair<Key, Key> seal(Machine &m, const Key *cpusvn)
{
	auto e = standard(m);
	EXPECT_RESULT(e->enter(1), done());
	Inside in(*e, 1);
	const Key now = in.report({}, {}).take<16>(report::CPUSVN);
	KeyRequest k;
	k.set<u16>(keyreq::NAME, KEY_SEAL).put(keyreq::CPUSVN, cpusvn ? *cpusvn : now);
	Key key{};
	EXPECT_RESULT(in.getkey(k, key), done());
	EXPECT_RESULT(e->exit(1), done());
	for (const auto &[off, page] : e->pages)
		m.epc_free(page);
	m.epc_free(e->secs);
	e->destroy();
	return {now, key};
}

TEST(Eupdatesvn, KeepsKeysOfOldCpusvn)
{
	Machine m(MachineOptions{.epc_pages = 40, .ram_pages = 60});
	const auto before = seal(m, nullptr);
	ASSERT_RESULT(m.cpu(0).encls(EUPDATESVN), done());
	const auto after = seal(m, nullptr);
	EXPECT_NE(after.first, before.first) << "CPUSVN";
	EXPECT_NE(after.second, before.second);
	EXPECT_EQ(seal(m, &before.first).second, before.second);
}

} // namespace
