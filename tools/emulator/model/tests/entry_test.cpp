// SPDX-License-Identifier: GPL-2.0
// EENTER and EEXIT: the checks of an entry in order, and the state before and after.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

constexpr u64 kAep = 0x402000, kAlias = 0x500000;

/// EENTER on CPU 1. The enclave is built at the call, so that a step can change its contents.
struct Enter {
	Machine m;
	EnclaveSpec s;
	TcsSpec t;
	bool init = true;
	std::vector<std::function<void(Enter &)>> late;
	std::unique_ptr<Enclave> e;
	Cpu &c = m.cpu(1);
	u64 rbx = 0, rcx = kAep;

	Enter() = default;
	explicit Enter(const MachineOptions &o) : m(o) {}
	void build()
	{
		if (e)
			return;
		e = standard(m, s, init, t);
		rbx = e->lin(at::Tcs);
		for (const auto &f : late)
			f(*this);
	}
	Result call()
	{
		build();
		return c.enclu(EENTER, rbx, rcx);
	}
	u64 ssa() const { return e->lin(t.ossa); }
};

using F = Enter;
using Act = std::function<void(F &)>;

/// Change the enclave after it has been built.
Act after(const Act &act)
{
	return [act](F &f) {
		f.late.push_back(act);
	};
}
Expected is_gp(F &)
{
	return gp();
}
Expected epcm_rbx(F &f)
{
	return uepcm(f.rbx);
}
Expected epcm_ssa(F &f)
{
	return uepcm(f.ssa());
}
Expected either(Expected a)
{
	a.error_mask = ~2U;
	return a;
}

/// Map another page at frame 0 of the SSA.
void replace_ssa(F &f, u64 epc_page)
{
	f.m.map(f.ssa(), {f.m.epc_physical(epc_page)});
}

const std::vector<Step<F>> kSteps = {
	{"RBX misaligned", after([](F &f) { f.rbx += 2048; }), is_gp},
	{"RBX not mapped", after([](F &f) { f.rbx = kUserUnmapped; }),
	 [](F &) {
		 return either(pf(kUserUnmapped, 4));
	 }},
	{"RBX is RAM", after([](F &f) { f.rbx = kUserRam; }), epcm_rbx},
	{"AEP not canonical", after([](F &f) { f.rcx = kNonCanonical; }), is_gp},
	{"TCS invalid", after([](F &f) {
		 f.rbx = kAlias;
		 f.m.map(kAlias, {f.m.epc_physical(f.m.epc())});
	 }),
	 epcm_rbx},
	{"TCS blocked", after([](F &f) {
		 EXPECT_RESULT(f.e->eblock(at::Tcs2), done());
		 f.rbx = f.e->lin(at::Tcs2);
	 }),
	 epcm_rbx},
	{"TCS at another address", after([](F &f) {
		 f.rbx = kAlias + kPage;
		 f.m.map(f.rbx, {f.m.epc_physical(f.e->epc(at::Tcs))});
	 }),
	 epcm_rbx},
	{"RBX is a REG page", after([](F &f) { f.rbx = f.e->lin(at::Data); }), epcm_rbx},
	{"TCS not accepted", after([](F &f) {
		 f.rbx = f.e->lin(at::RoData);
		 if (f.init) {
			 EXPECT_RESULT(f.e->emodt(at::RoData, PT_TCS), done());
		 }
	 }),
	 epcm_rbx},
	{"OSSA misaligned", [](F &f) { f.t.ossa += 64; }, is_gp},
	{"OFSBASE misaligned", [](F &f) { f.t.ofsbase += 8; }, is_gp},
	{"OGSBASE misaligned", [](F &f) { f.t.ogsbase += 2048; }, is_gp},
	{"reserved TCS.FLAGS", after([](F &f) { EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, 4), done()); }), is_gp},
	{"TCS.FLAGS.AEXNOTIFY without the attribute", [](F &f) { f.t.flags |= 2; }, is_gp},
	{"not initialized", [](F &f) { f.init = false; }, is_gp},
	{"a 32-bit enclave",
	 [](F &f) {
		 f.s.attributes &= ~A_MODE64;
		 f.s.base = 0x40000000;
	 },
	 is_gp},
	{"CR4.OSFXSR=0", [](F &f) { f.c.regs.cr4 &= ~CR4_OSFXSR; }, is_gp},
	{"XFRM beyond XCR0",
	 [](F &f) {
		 f.s.xfrm = 7;
		 f.c.regs.xcr0 = 3;
	 },
	 is_gp},
	{"no free SSA frame", [](F &f) { f.t.nssa = 0; }, is_gp},
	{"SSA not mapped", after([](F &f) { f.m.unmap(f.ssa()); }),
	 [](F &f) {
		 return either(pf(f.ssa(), 4));
	 }},
	{"SSA mapped read-only", after([](F &f) { f.m.pte(f.ssa())->w = false; }),
	 [](F &f) {
		 return pf(f.ssa(), 7);
	 }},
	{"SSA is RAM", after([](F &f) { f.m.map(f.ssa(), {kRamPhysical}); }), epcm_ssa},
	{"SSA invalid", after([](F &f) { replace_ssa(f, f.m.epc()); }), epcm_ssa},
	{"SSA blocked", after([](F &f) { EXPECT_RESULT(f.e->eblock(f.t.ossa & ~(kPage - 1)), done()); }), epcm_ssa},
	{"OENTRY not canonical", [](F &f) { f.t.oentry = u64{1} << 62; }, is_gp},
	{"OFSBASE not canonical", [](F &f) { f.t.ofsbase = u64{1} << 55; }, is_gp},
	{"OGSBASE not canonical", [](F &f) { f.t.ogsbase = kNonCanonical; }, is_gp},
	{"a thread uses this TCS", after([](F &f) {
		 // Only if the earlier steps allow an entry.
		 f.m.cpu(2).enclu(EENTER, f.e->lin(at::Tcs), kAep);
	 }),
	 is_gp},
};

TEST(Eenter, ChecksInOrder)
{
	walk_checks<F>([] { return std::make_unique<F>(); }, kSteps);
}

TEST(Eenter, RejectsUnusableSsaPages)
{
	const std::map<std::string, Act> cases = {
		{"a TCS",
		 [](F &f) {
			 replace_ssa(f, f.e->epc(at::Tcs2));
		 }},
		{"the SECS",
		 [](F &f) {
			 replace_ssa(f, f.e->secs);
		 }},
		{"another page of this enclave",
		 [](F &f) {
			 replace_ssa(f, f.e->epc(at::Data));
		 }},
		{"page of another enclave",
		 [](F &f) {
			 Enclave other(f.m, f.s);
			 other.create();
			 ASSERT_RESULT(other.try_add(f.t.ossa, REG | R | W, Page{}), done());
			 replace_ssa(f, other.pages[f.t.ossa]);
		 }},
		{"not writable by the EPCM",
		 [](F &f) {
			 EXPECT_RESULT(f.e->emodpr(f.t.ossa, R), done());
		 }},
		{"not readable by the EPCM",
		 [](F &f) {
			 EXPECT_RESULT(f.e->emodpr(f.t.ossa, 0), done());
		 }},
		{"trimmed",
		 [](F &f) {
			 EXPECT_RESULT(f.e->emodt(f.t.ossa, PT_TRIM), done());
		 }},
		{"made a TCS",
		 [](F &f) {
			 EXPECT_RESULT(f.e->emodt(f.t.ossa, PT_TCS), done());
		 }},
		{"pending",
		 [](F &f) {
			 f.e->remove(f.t.ossa);
			 f.e->aug(f.t.ossa);
		 }},
	};
	for (const auto &[name, act] : cases) {
		SCOPED_TRACE(name);
		F f;
		f.build();
		act(f);
		EXPECT_RESULT(f.call(), epcm_ssa(f));
	}
	F f;
	f.build();
	EXPECT_RESULT(f.e->emodpr(f.t.ossa, R | W), done()); // PR has no effect
	EXPECT_RESULT(f.call(), done());
}

TEST(Eenter, ChecksEachPageOfLargeFrame)
{
	MachineOptions o;
	o.config.xcomp[9] = {5000, 8};
	for (u64 page = 0; page < 4; page++) {
		F f(o);
		f.s.xfrm = 0x203;
		f.s.ssaframesize = 4;
		f.t.ossa = 0x40000;
		f.t.nssa = 1;
		f.init = false;
		f.build();
		for (u64 i = 0; i < 4; i++)
			f.e->add(0x40000 + i * kPage, REG | R | W, Page{}, false);
		f.e->init();
		EXPECT_RESULT(f.e->eblock(0x40000 + page * kPage), done());
		// XSAVE uses the first two pages, GPRSGX the last; the third is unused.
		EXPECT_RESULT(f.call(), page == 2 ? done() : in_page(uepcm(f.e->lin(0x40000 + page * kPage)))) << page;
	}
}

TEST(Eenter, AcceptsAepInUpperHalf)
{
	F f;
	f.rcx = 0xffff800000000000;
	EXPECT_RESULT(f.call(), done());
}

TEST(Eenter, NeedsOnlyX87AndSseWithoutOsxsave)
{
	F f;
	f.c.regs.cr4 &= ~CR4_OSXSAVE;
	f.c.regs.xcr0 = 0;
	const Result r = f.call();
	EXPECT_RESULT(r, done());
	EXPECT_EQ(r.after.xcr0, 0U);
	EXPECT_EQ(r.effects & SGX2_EFFECT_XCR0, 0U);
	f.c.aex_interrupt();
	EXPECT_EQ(f.c.xsaves, std::vector<u64>{X_X87_SSE});
	F g;
	g.s.xfrm = 7;
	g.c.regs.cr4 &= ~CR4_OSXSAVE;
	EXPECT_RESULT(g.call(), gp());
}

TEST(Eenter, AexNotifyFlagMustMatchAttribute)
{
	// With the attribute, the flag must be set too, unless the thread opted in to debugging.
	for (const u64 attribute : {u64{0}, A_AEXNOTIFY}) {
		for (const u64 flags : {u64{0}, u64{2}, u64{1}, u64{3}}) {
			F f;
			f.s.attributes |= attribute;
			f.build();
			EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, flags), done());
			const bool good = (flags & 1) != 0 || (attribute != 0) == ((flags & 2) != 0);
			EXPECT_RESULT(f.call(), good ? done() : gp()) << attribute << ' ' << flags;
		}
	}
	MachineOptions o;
	o.config.aexnotify = false;
	o.config.attributes_mask &= ~A_AEXNOTIFY;
	F f(o);
	f.build();
	EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, 3), done());
	EXPECT_RESULT(f.call(), gp()) << "the flag is reserved without AEX-Notify";
}

TEST(Eenter, RejectsReservedTcsFlags)
{
	for (const unsigned bit : {2U, 3U, 31U, 32U, 63U}) {
		F f;
		f.build();
		EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, u64{1} << bit), done());
		EXPECT_RESULT(f.call(), gp()) << bit;
	}
}

void check_segment(const sgx2_segment &s, u64 base, u32 limit)
{
	EXPECT_EQ(s.base, base);
	EXPECT_EQ(s.limit, limit);
	EXPECT_EQ(s.selector, 0x0b);
	EXPECT_TRUE(s.attr & 0x8000) << "P";
	EXPECT_TRUE(s.attr & 0x1000) << "S";
	EXPECT_FALSE(s.attr & 0x800) << "data";
	EXPECT_TRUE(s.attr & 0x200) << "writable";
	EXPECT_FALSE(s.attr & 0x400) << "expand-up";
	EXPECT_TRUE(s.attr & 0x400000) << "B";
	EXPECT_TRUE(s.attr & 0x800000) << "G";
}

TEST(Eenter, SetsStateInside)
{
	F f;
	f.s.xfrm = 7;
	f.build();
	const u64 arith = F_CF | F_ZF | F_OF;
	f.c.regs.rflags = 0x202 | arith | F_DF | F_AC | F_ID | F_TF;
	f.c.regs.cpl = 3;
	for (unsigned i = 0; i < 16; i++)
		f.c.regs.gpr[i] = u64{0x1111111111111111} * i;
	f.c.regs.gpr[SGX2_RAX] = EENTER;
	f.c.regs.gpr[SGX2_RBX] = f.rbx;
	f.c.regs.gpr[SGX2_RCX] = kAep;
	f.c.regs.rip = 0x401234;
	f.c.regs.next_rip = 0x401237;
	const Result r = f.c.run(true);
	ASSERT_RESULT(r, done());
	EXPECT_EQ(r.after.rip, f.e->lin(at::Code));
	EXPECT_EQ(r.rax(), 0U) << "CSSA";
	EXPECT_EQ(r.after.gpr[SGX2_RCX], 0x401237U);
	EXPECT_EQ(r.after.gpr[SGX2_RBX], f.rbx);
	EXPECT_EQ(r.after.rflags, r.before.rflags & ~F_TF);
	EXPECT_EQ(r.after.xcr0, 7U);
	EXPECT_EQ(r.after.cr2, r.before.cr2);
	check_segment(r.after.fs, f.e->lin(f.t.ofsbase), f.t.fslimit);
	check_segment(r.after.gs, f.e->lin(f.t.ogsbase), f.t.gslimit);
	EXPECT_EQ(r.effects, SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_XCR0 | SGX2_EFFECT_SEGMENTS);
	EXPECT_EQ(f.e->peek<u64>(f.e->gpr(0) + gpr::URSP), r.before.gpr[SGX2_RSP]);
	EXPECT_EQ(f.e->peek<u64>(f.e->gpr(0) + gpr::URBP), r.before.gpr[SGX2_RBP]);
	EXPECT_TRUE(f.c.inside());
	EXPECT_FALSE(sgx2_debug_optin(f.c.get()));
	u64 base = 0, size = 0;
	EXPECT_TRUE(sgx2_elrange(f.c.get(), &base, &size));
	EXPECT_EQ(base, f.s.base);
	EXPECT_EQ(size, f.s.size);
	EXPECT_FALSE(sgx2_in_enclave(f.m.cpu(2).get()));
	EXPECT_FALSE(sgx2_elrange(f.m.cpu(2).get(), &base, &size));
	EXPECT_EQ(f.e->edbgrd(at::Tcs + tcs::AEP).after.gpr[SGX2_RBX], kAep);
	EXPECT_TRUE(f.c.xsaves.empty() && f.c.xinits.empty() && f.c.xrstors.empty());
}

TEST(Eenter, OptInKeepsTrapFlag)
{
	for (const bool tf : {false, true}) {
		F f;
		f.build();
		EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, 1), done());
		f.c.regs.rflags = 0x202 | (tf ? F_TF : 0);
		const Result r = f.call();
		ASSERT_RESULT(r, done());
		EXPECT_TRUE(sgx2_debug_optin(f.c.get()));
		EXPECT_EQ(r.flag(F_TF), tf);
		EXPECT_EQ((r.effects & SGX2_EFFECT_PEND_DB) != 0, tf);
		EXPECT_RESULT(f.e->exit(1), done());
		EXPECT_FALSE(sgx2_debug_optin(f.c.get()));
	}
}

TEST(Eenter, NestedEntryUsesNextFrame)
{
	F f;
	f.build();
	for (u32 depth = 0; depth < 2; depth++) {
		const Result r = f.call();
		ASSERT_RESULT(r, done());
		EXPECT_EQ(r.rax(), depth);
		EXPECT_EQ(f.e->peek<u64>(f.e->gpr(depth) + gpr::URSP), r.before.gpr[SGX2_RSP]);
		f.c.aex_interrupt();
		EXPECT_EQ(f.e->cssa(), depth + 1);
	}
	EXPECT_RESULT(f.call(), gp()) << "CSSA is NSSA";
	EXPECT_RESULT(f.e->resume(1), done());
	EXPECT_RESULT(f.e->exit(1), done());
	EXPECT_EQ(f.e->cssa(), 1U);
	const Result r = f.call();
	ASSERT_RESULT(r, done());
	EXPECT_EQ(r.rax(), 1U);
}

TEST(Eenter, TwoThreadsEnter)
{
	F f;
	f.build();
	ASSERT_RESULT(f.e->enter(1, at::Tcs), done());
	EXPECT_RESULT(f.e->enter(2, at::Tcs), gp());
	ASSERT_RESULT(f.e->enter(2, at::Tcs2), done());
	EXPECT_RESULT(f.e->exit(1), done());
	EXPECT_RESULT(f.e->enter(1, at::Tcs2), gp());
	EXPECT_RESULT(f.e->enter(1, at::Tcs), done());
}

TEST(Eenter, AcceptsCanonicalOentry)
{
	F f;
	f.t.oentry = 0xf00000; // outside ELRANGE: the fetch faults, EENTER does not
	EXPECT_RESULT(f.call(), done());
	EXPECT_EQ(f.c.regs.rip, f.e->lin(0xf00000));
}

TEST(Eexit, RestoresStateOutside)
{
	F f;
	f.s.xfrm = X_X87_SSE;
	f.build();
	f.c.regs.rflags = 0x202 | F_TF;
	const sgx2_segment fs = f.c.regs.fs, gs = f.c.regs.gs;
	const u64 xcr0 = f.c.regs.xcr0;
	ASSERT_RESULT(f.call(), done());
	f.c.regs.fs.base = 0x1111;
	f.c.regs.gs.base = 0x2222;
	f.c.regs.gpr[SGX2_RSP] = f.e->lin(at::Data);
	f.c.regs.gpr[SGX2_RBP] = f.e->lin(at::Data2);
	const Result r = f.e->exit(1, 0x403333);
	ASSERT_RESULT(r, done());
	EXPECT_EQ(r.after.rip, 0x403333U);
	EXPECT_EQ(r.after.gpr[SGX2_RCX], kAep);
	EXPECT_EQ(r.rax(), EEXIT);
	EXPECT_EQ(r.after.fs.base, fs.base);
	EXPECT_EQ(r.after.fs.selector, fs.selector);
	EXPECT_EQ(r.after.fs.limit, fs.limit);
	EXPECT_EQ(r.after.fs.attr, fs.attr);
	EXPECT_EQ(r.after.gs.base, gs.base);
	EXPECT_EQ(r.after.gs.selector, gs.selector);
	EXPECT_EQ(r.after.xcr0, xcr0);
	EXPECT_EQ(r.after.rflags, (r.before.rflags | F_TF)) << "TF as it was before the entry";
	EXPECT_EQ(r.effects,
		  SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_XCR0 | SGX2_EFFECT_SEGMENTS | SGX2_EFFECT_PEND_DB);
	EXPECT_FALSE(f.c.inside());
	EXPECT_TRUE(f.c.xsaves.empty() && f.c.xinits.empty() && f.c.xrstors.empty());
	EXPECT_EQ(f.e->cssa(), 0U);
}

TEST(Eexit, OptInKeepsTrapFlag)
{
	F f;
	f.build();
	EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, 1), done());
	f.c.regs.rflags = 0x202;
	ASSERT_RESULT(f.call(), done());
	f.c.regs.rflags |= F_TF;
	const Result r = f.e->exit(1);
	EXPECT_TRUE(r.flag(F_TF));
	EXPECT_TRUE(r.effects & SGX2_EFFECT_PEND_DB);
	ASSERT_RESULT(f.call(), done());
	f.c.regs.rflags &= ~F_TF;
	const Result q = f.e->exit(1);
	EXPECT_FALSE(q.flag(F_TF));
	EXPECT_FALSE(q.effects & SGX2_EFFECT_PEND_DB);
}

TEST(Eexit, TargetMustBeCanonical)
{
	F f;
	ASSERT_RESULT(f.call(), done());
	EXPECT_RESULT(f.e->exit(1, kNonCanonical), gp());
	EXPECT_TRUE(f.c.inside());
	EXPECT_RESULT(f.e->exit(1, f.e->lin(at::Code)), done()); // a target in ELRANGE is legal
	EXPECT_FALSE(f.c.inside());
}

TEST(Eexit, DoesNotAccessEpc)
{
	F f;
	ASSERT_RESULT(f.call(), done());
	EXPECT_RESULT(f.e->exit(1), done());
	ASSERT_RESULT(f.call(), done());
	EXPECT_RESULT(f.e->exit(1), done());
}

struct Enter32 : Enter {
	explicit Enter32(u64 beyond = 0, const TcsSpec &tcs = {})
	{
		s.attributes = A_DEBUG;
		s.base = 0x40000000;
		t = tcs;
		t.ossa += beyond;
		build();
		c.regs.mode64 = false;
		c.regs.cs = {0, 0x7fffffff, 0xcffb00, 0x23};
		c.regs.ds = {0, ~u32{0}, 0xcff300, 0x2b};
	}
};

TEST(Entry32, EntersExitsAndResumes)
{
	Enter32 f;
	const Result r = f.c.enclu(EENTER, f.rbx | u64{9} << 32, kAep);
	ASSERT_RESULT(r, done());
	EXPECT_EQ(static_cast<u32>(r.after.rip), f.e->lin(at::Code));
	EXPECT_EQ(static_cast<u32>(r.after.fs.base), f.e->lin(f.t.ofsbase));
	f.c.aex_exception(DE);
	EXPECT_EQ(static_cast<u32>(f.c.regs.gpr[SGX2_RBX]), f.rbx);
	EXPECT_RESULT(f.e->resume(1), done());
	EXPECT_RESULT(f.e->exit(1, 0x80000000), gp()) << "behind the limit of CS";
	EXPECT_RESULT(f.e->exit(1, 0x7ffffff0), done());
}

/// Linear addresses of a 32-bit enclave have 32 bits, even if OSSA is larger.
TEST(Entry32, SsaAddressWraps)
{
	Enter32 f(u64{1} << 32);
	ASSERT_RESULT(f.call(), done());
	f.c.aex_exception(DE);
	EXPECT_RESULT(f.e->resume(1), done());
	EXPECT_RESULT(f.e->exit(1), done());
}

TEST(Entry32, ModeMustMatch)
{
	F f;
	f.s.base = 0x40000000; // a 64-bit enclave at an address that 32-bit code can use
	f.build();
	f.c.regs.mode64 = false;
	f.c.regs.cs = {0, ~u32{0}, 0xcffb00, 0x23};
	f.c.regs.ds = {0, ~u32{0}, 0xcff300, 0x2b};
	EXPECT_RESULT(f.call(), gp());
}

TEST(Entry32, SegmentsMustBeFlat)
{
	for (auto seg : {&sgx2_regs::cs, &sgx2_regs::es, &sgx2_regs::ss}) {
		Enter32 f;
		(f.c.regs.*seg).base = 0x1000;
		(f.c.regs.*seg).attr = seg == &sgx2_regs::cs ? 0xcffb00 : 0xcff300;
		EXPECT_RESULT(f.call(), gp());
	}
	Enter32 f;
	f.c.regs.ss.attr = 0x8ff300; // B is 0
	EXPECT_RESULT(f.call(), gp());
	Enter32 g;
	g.c.regs.ds.attr = 0xcff700; // expand-down
	EXPECT_RESULT(g.call(), gp());
	Enter32 h;
	h.c.regs.ds.attr = 0xcf7300; // not present, like a null selector
	EXPECT_RESULT(h.call(), gp());
}

/// A null selector leaves ES or SS unusable; the rest of the descriptor is ignored.
TEST(Entry32, IgnoresUnusableSegments)
{
	for (auto seg : {&sgx2_regs::es, &sgx2_regs::ss}) {
		Enter32 f;
		f.c.regs.*seg = {0x1000, 0, 0, 0};
		ASSERT_RESULT(f.call(), done());
		f.c.aex_exception(DE);
		EXPECT_RESULT(f.e->resume(1), done());
	}
}

/// A segment that wraps around lies within a DS of 4 GiB: Intel's signing tool writes limits of
/// FFFFFFFFH.
TEST(Entry32, SegmentsMayWrapInFlatDs)
{
	for (auto limit : {&TcsSpec::fslimit, &TcsSpec::gslimit}) {
		TcsSpec t;
		t.*limit = ~u32{0};
		for (const u32 ds : {~u32{0}, ~u32{0} - 1, u32{0x7fffffff}}) {
			Enter32 f(0, t);
			f.c.regs.ds.limit = ds;
			EXPECT_RESULT(f.call(), ds == ~u32{0} ? done() : gp()) << std::hex << ds;
		}
		Enter32 f(0, t);
		ASSERT_RESULT(f.call(), done());
		f.c.aex_exception(DE);
		f.c.regs.ds.limit--;
		EXPECT_RESULT(f.e->resume(1), gp()) << "ERESUME checks the segment too";
		f.c.regs.ds.limit++;
		EXPECT_RESULT(f.e->resume(1), done());
	}
}

/// A segment that does not wrap must end at or before the limit of DS.
TEST(Entry32, SegmentsMustEndWithinDs)
{
	for (auto limit : {&TcsSpec::fslimit, &TcsSpec::gslimit}) {
		for (const u32 beyond : {0U, 1U}) {
			TcsSpec t{.ofsbase = 0x5000, .ogsbase = 0x5000, .fslimit = 0xffffff, .gslimit = 0xffffff};
			t.*limit += beyond * 0x1000;
			Enter32 f(0, t);
			f.c.regs.ds.limit = static_cast<u32>(f.s.base) + 0x5000 + 0xffffff;
			EXPECT_RESULT(f.call(), beyond ? gp() : done()) << beyond;
		}
	}
}

/// In 32-bit mode the bases come from the TCS, not from the frame.
TEST(Entry32, ResumeTakesBasesFromTcs)
{
	Enter32 f;
	ASSERT_RESULT(f.call(), done());
	f.c.aex_exception(DE);
	f.e->poke<u64>(f.e->gpr(0) + gpr::FSBASE, f.e->lin(0x9000));
	f.e->poke<u64>(f.e->gpr(0) + gpr::GSBASE, kNonCanonical);
	const Result r = f.e->resume(1);
	ASSERT_RESULT(r, done());
	EXPECT_EQ(static_cast<u32>(r.after.fs.base), f.e->lin(f.t.ofsbase));
	EXPECT_EQ(static_cast<u32>(r.after.gs.base), f.e->lin(f.t.ogsbase));
	EXPECT_EQ(r.after.fs.limit, f.t.fslimit);
}

/// The end of a frame's GPRSGX must lie within DS, for EENTER, ERESUME and EDECCSSA.
TEST(Entry32, FramesMustEndWithinDs)
{
	// Higher than FS and GS, which then pass their checks.
	const TcsSpec t{.ossa = 0x20000, .nssa = 2, .fslimit = 0xfff, .gslimit = 0xfff};
	Enter f;
	f.s.attributes = A_DEBUG;
	f.s.base = 0x40000000;
	f.t = t;
	f.init = false;
	f.build();
	for (u64 i = 0; i < 2; i++)
		f.e->add(0x20000 + i * kPage, REG | R | W, Page{}, false);
	f.e->init();
	f.c.regs.mode64 = false;
	f.c.regs.cs = {0, 0x7fffffff, 0xcffb00, 0x23};
	const u32 first = static_cast<u32>(f.e->lin(0x20000)) + 0xfff;
	f.c.regs.ds = {0, first - 1, 0xcff300, 0x2b};
	EXPECT_RESULT(f.call(), gp());
	f.c.regs.ds.limit = first;
	ASSERT_RESULT(f.call(), done());
	f.c.aex_exception(DE);
	f.c.regs.ds.limit = first - 1;
	EXPECT_RESULT(f.e->resume(1), gp());
	f.c.regs.ds.limit = ~u32{0};
	ASSERT_RESULT(f.call(), done());
	f.c.regs.ds.limit = first - 1;
	EXPECT_RESULT(f.c.enclu(EDECCSSA), gp());
	f.c.regs.ds.limit = first;
	EXPECT_RESULT(f.c.enclu(EDECCSSA), done());
}

} // namespace
