// SPDX-License-Identifier: GPL-2.0
// ERESUME, AEX-Notify and EDECCSSA: checks in order, and the state that is restored.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

constexpr u64 kAep = 0x402000;

/// A thread that was interrupted once while it was inside.
struct Resume {
	Machine m;
	EnclaveSpec s;
	std::unique_ptr<Enclave> e;
	Cpu &c = m.cpu(1);
	u64 rbx, rcx = kAep;
	sgx2_regs in{};

	explicit Resume(const EnclaveSpec &spec = {.xfrm = 7}, u64 tcs_flags = 0, u64 rflags = 0x202)
		: s(spec), e(standard(m, s)), rbx(e->lin(at::Tcs))
	{
		if (tcs_flags) {
			EXPECT_RESULT(e->edbgwr(at::Tcs + tcs::FLAGS, tcs_flags), done());
		}
		c.regs.rflags = rflags;
		EXPECT_RESULT(e->enter(1, at::Tcs, kAep), done());
		for (unsigned i = 0; i < 16; i++)
			c.regs.gpr[i] = u64{0x0101010101010101} * (i + 0x20);
		c.regs.rip = e->lin(at::Code + 0x321);
		c.regs.fs.base = 0x700000005500;
		c.regs.gs.base = 0x700000006600;
		c.regs.rflags = 0x202 | F_CF;
		in = c.regs;
		c.aex_interrupt();
	}
	Result call() { return c.enclu(ERESUME, rbx, rcx); }
	template <class T>
	void frame(unsigned field, T value, u32 n = 0)
	{
		e->poke(e->gpr(n) + field, value);
	}
	u64 ssa() const { return e->lin(at::Ssa); }
};

using F = Resume;
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

TEST(Eresume, ChecksInOrder)
{
	walk_checks<F>([] { return std::make_unique<F>(); },
		       {
			       {"RBX misaligned", [](F &f) { f.rbx += 64; }, is_gp},
			       {"RBX not mapped", [](F &f) { f.rbx = kUserUnmapped; },
				[](F &) {
					return either(pf(kUserUnmapped, 4));
				}},
			       {"RBX is RAM", [](F &f) { f.rbx = kUserRam; }, epcm_rbx},
			       {"AEP not canonical", [](F &f) { f.rcx = kNonCanonical; }, is_gp},
			       {"TCS blocked",
				[](F &f) {
					EXPECT_RESULT(f.e->eblock(at::Tcs2), done());
					f.rbx = f.e->lin(at::Tcs2);
				},
				epcm_rbx},
			       {"RBX is a REG page", [](F &f) { f.rbx = f.e->lin(at::Data); }, epcm_rbx},
			       {"TCS.FLAGS", [](F &f) { EXPECT_RESULT(f.e->edbgwr(at::Tcs + tcs::FLAGS, 2), done()); }, is_gp},
			       {"CR4.OSFXSR=0", [](F &f) { f.c.regs.cr4 &= ~CR4_OSFXSR; }, is_gp},
			       {"XFRM beyond XCR0", [](F &f) { f.c.regs.xcr0 = 3; }, is_gp},
			       {"nothing to resume", [](F &f) { f.rbx = f.e->lin(at::Tcs2); }, is_gp},
			       {"SSA not mapped", [](F &f) { f.m.unmap(f.ssa()); },
				[](F &f) {
					return either(pf(f.ssa(), 4));
				}},
			       {"SSA mapped read-only", [](F &f) { f.m.pte(f.ssa())->w = false; },
				[](F &f) {
					return pf(f.ssa(), 7);
				}},
			       {"SSA blocked", [](F &f) { EXPECT_RESULT(f.e->eblock(at::Ssa), done()); }, epcm_ssa},
			       {"saved RIP not canonical", [](F &f) { f.frame(gpr::RIP, kNonCanonical); }, is_gp},
			       {"saved FSBASE not canonical", [](F &f) { f.frame(gpr::FSBASE, kNonCanonical); }, is_gp},
			       {"saved GSBASE not canonical", [](F &f) { f.frame(gpr::GSBASE, u64{1} << 63); }, is_gp},
			       {"XSTATE_BV beyond XFRM", [](F &f) { f.e->poke<u64>(at::Ssa + XSAVE_HEADER, 0x27); }, is_gp},
			       {"XCOMP_BV", [](F &f) { f.e->poke<u64>(at::Ssa + 520, 1); }, is_gp},
			       {"MXCSR reserved", [](F &f) { f.e->poke<u32>(at::Ssa + 24, 0x11f80); }, is_gp},
		       });
}

TEST(Eresume, RejectsActiveTcs)
{
	Resume f;
	ASSERT_RESULT(f.e->enter(2), done());
	EXPECT_RESULT(f.call(), gp());
	f.m.cpu(2).aex_interrupt();
	EXPECT_RESULT(f.call(), done());
}

TEST(Eresume, RestoresSavedState)
{
	Resume f;
	const sgx2_regs out = f.c.regs;
	std::vector<u8> image(f.e->mem(at::Ssa), f.e->mem(at::Ssa) + sgx2_xsave_size(f.m.get(), 7));
	const Result r = f.call();
	ASSERT_RESULT(r, done());
	for (unsigned i = 0; i < 16; i++)
		EXPECT_EQ(r.after.gpr[i], f.in.gpr[i]) << i;
	EXPECT_EQ(r.after.rip, f.in.rip);
	EXPECT_EQ(r.after.fs.base, f.in.fs.base);
	EXPECT_EQ(r.after.gs.base, f.in.gs.base);
	EXPECT_EQ(r.after.fs.selector, 0x0b);
	EXPECT_EQ(r.after.fs.limit, 0xfffffU);
	EXPECT_EQ(r.after.gs.limit, 0xeffffU);
	EXPECT_EQ(r.after.rflags, f.in.rflags);
	EXPECT_EQ(r.after.xcr0, 7U);
	EXPECT_EQ(r.effects, SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_XCR0 | SGX2_EFFECT_SEGMENTS);
	EXPECT_EQ(f.c.xrstors, std::vector<std::vector<u8>>{image});
	EXPECT_EQ(f.e->cssa(), 0U);
	EXPECT_TRUE(f.c.inside());
	// FS and GS of the outside are restored at the exit.
	const Result x = f.e->exit(1);
	EXPECT_EQ(x.after.fs.base, out.fs.base);
	EXPECT_EQ(x.after.gs.base, out.gs.base);
	EXPECT_EQ(x.after.xcr0, out.xcr0);
	EXPECT_EQ(x.after.gpr[SGX2_RCX], kAep);
}

TEST(Eresume, RestoresUserRflags)
{
	const u64 from_frame = F_CF | F_PF | F_AF | F_ZF | F_SF | F_DF | F_OF | F_NT | F_AC | F_ID | F_RF;
	const u64 never = F_VM | F_VIF | F_VIP | F_IOPL;
	for (const u64 iopl : {u64{0}, F_IOPL}) {
		for (const u64 frame : {u64{0}, ~u64{0}}) {
			for (const u64 cpu_if : {u64{0}, F_IF}) {
				Resume f;
				f.frame(gpr::RFLAGS, frame);
				f.c.regs.gpr[SGX2_RAX] = ERESUME;
				f.c.regs.gpr[SGX2_RBX] = f.rbx;
				f.c.regs.gpr[SGX2_RCX] = kAep;
				f.c.regs.rflags = 2 | iopl | cpu_if | F_VIF | F_ZF;
				const u64 before = f.c.regs.rflags;
				const Result r = f.c.run(true);
				ASSERT_RESULT(r, done());
				u64 want = (frame & from_frame) | (before & never & ~F_VM) | 2;
				want |= (iopl ? frame : before) & F_IF;
				EXPECT_EQ(r.after.rflags, want) << std::hex << iopl << ' ' << frame << ' ' << cpu_if;
			}
		}
	}
}

TEST(Eresume, RestoresTrapFlagOnlyWithOptIn)
{
	for (const u64 optin : {u64{0}, u64{1}}) {
		Resume f({}, optin, 0x302);
		f.c.regs.rflags |= F_TF;
		const Result r = f.call();
		ASSERT_RESULT(r, done());
		EXPECT_EQ(r.flag(F_TF), optin == 1);
		EXPECT_FALSE(r.effects & SGX2_EFFECT_PEND_DB) << "only EENTER pends #DB";
		EXPECT_EQ(sgx2_debug_optin(f.c.get()), optin == 1);
		const Result x = f.e->exit(1);
		EXPECT_TRUE(x.flag(F_TF));
	}
}

TEST(Eresume, DoesNotChangeSavedStackPointers)
{
	Resume f;
	f.frame<u64>(gpr::URSP, 0x1111);
	f.frame<u64>(gpr::URBP, 0x2222);
	ASSERT_RESULT(f.call(), done());
	EXPECT_EQ(f.e->peek<u64>(f.e->gpr(0) + gpr::URSP), 0x1111U);
	f.c.aex_interrupt();
	EXPECT_EQ(f.c.regs.gpr[SGX2_RSP], 0x1111U);
	EXPECT_EQ(f.c.regs.gpr[SGX2_RBP], 0x2222U);
}

TEST(Eresume, FailedXrstorLeavesTcsInactive)
{
	Resume f;
	f.c.xrstor_fails = true;
	EXPECT_RESULT(f.call(), gp());
	EXPECT_FALSE(f.c.inside());
	f.c.xrstor_fails = false;
	EXPECT_TRUE(f.c.xrstors.empty());
	EXPECT_RESULT(f.call(), done());
}

/// Bytes 8 to 23 of the header, which include XCOMP_BV, must be zero: an SSA frame never has the
/// compacted format, even if XRSTOR would accept it.
TEST(Eresume, ChecksXsaveHeader)
{
	struct Case {
		u64 xstate_bv, xcomp_bv;
		unsigned reserved; // the byte of the header that is set
		bool good;
	};
	const u64 compacted = u64{1} << 63;
	for (const Case &k : {Case{7, 0, 0, true},
			      {0, 0, 0, true},
			      {7, compacted | 7, 0, false},
			      {3, compacted | 7, 0, false},
			      {0, compacted, 0, false},
			      {7, 7, 0, false},
			      {0x27, 0, 0, false},
			      {7, 0, 527, false},
			      {7, 0, 528, false},
			      {7, 0, 535, false},
			      {7, 0, 536, true},
			      {7, 0, 575, true}}) {
		Resume f;
		f.e->poke(at::Ssa + XSAVE_HEADER, k.xstate_bv);
		f.e->poke(at::Ssa + 520, k.xcomp_bv);
		if (k.reserved)
			f.e->poke<u8>(at::Ssa + k.reserved, 1);
		EXPECT_RESULT(f.call(), k.good ? done() : gp())
			<< std::hex << k.xstate_bv << ' ' << k.xcomp_bv << ' ' << k.reserved;
		EXPECT_EQ(f.c.xrstors.size(), k.good ? 1U : 0U);
	}
}

TEST(Eresume, AcceptsOtherAep)
{
	Resume f;
	f.rcx = 0x555000;
	ASSERT_RESULT(f.call(), done());
	f.c.aex_interrupt();
	EXPECT_EQ(f.c.regs.rip, 0x555000U);
}

TEST(Eresume, ResumesNestedFrames)
{
	Resume f;
	ASSERT_RESULT(f.e->enter(1), done()); // the handler
	EXPECT_EQ(f.c.regs.gpr[SGX2_RAX], 1U);
	f.c.regs.gpr[SGX2_RSI] = 0x51;
	f.c.aex_interrupt();
	EXPECT_EQ(f.e->cssa(), 2U);
	ASSERT_RESULT(f.call(), done());
	EXPECT_EQ(f.c.regs.gpr[SGX2_RSI], 0x51U);
	ASSERT_RESULT(f.e->exit(1), done());
	ASSERT_RESULT(f.call(), done());
	EXPECT_EQ(f.c.regs.gpr[SGX2_RSI], f.in.gpr[SGX2_RSI]);
	EXPECT_EQ(f.e->cssa(), 0U);
	f.c.aex_interrupt();
	ASSERT_RESULT(f.call(), done());
	ASSERT_RESULT(f.e->exit(1), done());
	EXPECT_RESULT(f.call(), gp());
}

TEST(Eresume, AcceptsModifiedFrame)
{
	// The frame belongs to the enclave, which may resume at any address, even outside ELRANGE.
	Resume f;
	f.frame<u64>(gpr::RIP, 0x1234);
	f.frame<u64>(gpr::R8, 8);
	ASSERT_RESULT(f.call(), done());
	EXPECT_EQ(f.c.regs.rip, 0x1234U);
	EXPECT_EQ(f.c.regs.gpr[SGX2_R8], 8U);
}

constexpr EnclaveSpec kNotify{.attributes = A_DEBUG | A_MODE64 | A_AEXNOTIFY};

struct Notify : Resume {
	Notify() : Resume(kNotify, 2) { frame<u8>(gpr::AEXNOTIFY, 1); }
};

TEST(AexNotify, ResumeEntersAtOentry)
{
	Notify f;
	f.c.regs.rflags = 0x202;
	const Result r = f.call();
	ASSERT_RESULT(r, done());
	EXPECT_EQ(r.after.rip, f.e->lin(at::Code));
	EXPECT_EQ(r.rax(), 1U);
	EXPECT_EQ(r.after.gpr[SGX2_RCX], r.before.next_rip);
	EXPECT_EQ(r.after.gpr[SGX2_RBX], r.before.gpr[SGX2_RBX]);
	EXPECT_EQ(r.after.gpr[SGX2_R9], r.before.gpr[SGX2_R9]);
	EXPECT_EQ(r.after.fs.base, f.e->lin(0x5000)) << "from the TCS, not from the frame";
	EXPECT_EQ(r.after.gs.base, f.e->lin(0x6000));
	EXPECT_EQ(r.effects, SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_XCR0 | SGX2_EFFECT_SEGMENTS);
	EXPECT_EQ(f.e->peek<u64>(f.e->gpr(1) + gpr::URSP), r.before.gpr[SGX2_RSP]);
	EXPECT_EQ(f.e->peek<u64>(f.e->gpr(1) + gpr::URBP), r.before.gpr[SGX2_RBP]);
	EXPECT_TRUE(f.c.xrstors.empty());
	EXPECT_EQ(f.e->cssa(), 1U);
	f.c.regs.gpr[SGX2_R10] = 0x1010;
	f.c.aex_interrupt();
	EXPECT_EQ(f.e->cssa(), 2U);
	EXPECT_EQ(f.e->peek<u64>(f.e->gpr(1) + 80), 0x1010U);
}

TEST(AexNotify, NeedsFreeFrame)
{
	Notify f;
	ASSERT_RESULT(f.call(), done());
	f.c.aex_interrupt();
	f.frame<u8>(gpr::AEXNOTIFY, 1, 1);
	EXPECT_RESULT(f.call(), gp());
	f.frame<u8>(gpr::AEXNOTIFY, 0, 1);
	EXPECT_RESULT(f.call(), done()) << "an ordinary ERESUME";
	EXPECT_EQ(f.e->cssa(), 1U);
}

TEST(AexNotify, ChecksBothFrames)
{
	for (const u32 frame : {0U, 1U}) {
		Notify f;
		EXPECT_RESULT(f.e->eblock(at::Ssa + frame * kPage), done());
		EXPECT_RESULT(f.call(), uepcm(f.ssa() + frame * kPage));
	}
	Notify f;
	EXPECT_RESULT(f.e->eblock(at::Ssa), done());
	EXPECT_RESULT(f.e->eblock(at::Ssa + kPage), done());
	EXPECT_RESULT(f.call(), uepcm(f.ssa())) << "CSSA-1 first";
}

TEST(AexNotify, NeedsTcsFlagAndFrameBit)
{
	{
		SCOPED_TRACE("bit clear in the frame");
		Notify f;
		f.frame<u8>(gpr::AEXNOTIFY, 0xfe);
		ASSERT_RESULT(f.call(), done());
		EXPECT_EQ(f.c.regs.rip, f.in.rip);
	}
	{
		SCOPED_TRACE("no flag in the TCS");
		Resume f;
		f.frame<u8>(gpr::AEXNOTIFY, 1);
		ASSERT_RESULT(f.call(), done());
		EXPECT_EQ(f.c.regs.rip, f.in.rip);
	}
}

TEST(AexNotify, DoesNotCheckSavedState)
{
	Notify f;
	f.frame(gpr::RIP, kNonCanonical);
	f.frame(gpr::FSBASE, kNonCanonical);
	f.e->poke<u64>(at::Ssa + 520, 1);
	f.c.xrstor_fails = true;
	EXPECT_RESULT(f.call(), done());
}

TEST(AexNotify, AexKeepsFrameBit)
{
	Notify f;
	f.frame<u8>(gpr::AEXNOTIFY, 0);
	ASSERT_RESULT(f.call(), done());
	f.frame<u8>(gpr::AEXNOTIFY, 1); // the enclave sets the bit while it runs
	f.c.aex_interrupt();
	EXPECT_EQ(f.e->peek<u8>(f.e->gpr(0) + gpr::AEXNOTIFY), 1);
	const Result r = f.call();
	ASSERT_RESULT(r, done());
	EXPECT_EQ(r.after.rip, f.e->lin(at::Code));
}

TEST(AexNotify, OptInPendsDebugException)
{
	Resume f(kNotify, 3, 0x302);
	f.frame<u8>(gpr::AEXNOTIFY, 1);
	f.c.regs.rflags |= F_TF;
	const Result r = f.call();
	ASSERT_RESULT(r, done());
	EXPECT_TRUE(r.effects & SGX2_EFFECT_PEND_DB);
	EXPECT_TRUE(r.flag(F_TF));
}

TEST(Edeccssa, UsesPreviousFrame)
{
	Notify f;
	ASSERT_RESULT(f.call(), done());
	const Result r = f.c.enclu(EDECCSSA);
	ASSERT_RESULT(r, done());
	EXPECT_EQ(f.e->cssa(), 0U);
	EXPECT_RESULT(f.c.enclu(EDECCSSA), gp());
	// An AEX saves to the previous frame and takes the untrusted stack from it.
	const u64 ursp = f.e->peek<u64>(f.e->gpr(0) + gpr::URSP);
	f.e->poke<u64>(f.e->gpr(1) + gpr::URSP, 0xdead);
	f.c.regs.gpr[SGX2_R14] = 0x1414;
	f.c.aex_interrupt();
	EXPECT_EQ(f.e->peek<u64>(f.e->gpr(0) + 112), 0x1414U);
	EXPECT_EQ(f.c.regs.gpr[SGX2_RSP], ursp);
	EXPECT_EQ(f.e->cssa(), 1U);
}

TEST(Edeccssa, ChecksPreviousFrame)
{
	const std::vector<std::pair<const char *, std::function<Expected(Notify &)>>> cases = {
		{"blocked",
		 [](Notify &f) {
			 EXPECT_RESULT(f.e->eblock(at::Ssa), done());
			 return uepcm(f.ssa());
		 }},
		{"not writable",
		 [](Notify &f) {
			 EXPECT_RESULT(f.e->emodpr(at::Ssa, R), done());
			 return uepcm(f.ssa());
		 }},
		{"not mapped",
		 [](Notify &f) {
			 f.m.unmap(f.ssa());
			 return either(pf(f.ssa(), 4));
		 }},
		{"mapped read-only",
		 [](Notify &f) {
			 f.m.pte(f.ssa())->w = false;
			 return pf(f.ssa(), 7);
		 }},
		{"RAM",
		 [](Notify &f) {
			 f.m.map(f.ssa(), {kRamPhysical});
			 return uepcm(f.ssa());
		 }},
	};
	for (const auto &[name, invalidate] : cases) {
		SCOPED_TRACE(name);
		Notify f;
		ASSERT_RESULT(f.call(), done());
		const Expected a = invalidate(f);
		EXPECT_RESULT(f.c.enclu(EDECCSSA), a);
		EXPECT_EQ(f.e->cssa(), 1U);
		f.c.aex_interrupt(); // still into the later frame
		EXPECT_EQ(f.e->cssa(), 2U);
	}
}

TEST(Edeccssa, IsGpAtFirstFrame)
{
	Machine m;
	auto e = standard(m);
	ASSERT_RESULT(e->enter(1), done());
	EXPECT_RESULT(m.cpu(1).enclu(EDECCSSA), gp());
}

} // namespace
