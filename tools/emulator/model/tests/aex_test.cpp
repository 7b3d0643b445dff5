// SPDX-License-Identifier: GPL-2.0
// Asynchronous exits: the SSA frame, EXITINFO and EXINFO, and the synthetic state.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

constexpr u64 kAep = 0x402000;

/// A thread inside with a distinct value in each register.
struct Thread {
	Machine m;
	std::unique_ptr<Enclave> e;
	Cpu &c = m.cpu(1);
	sgx2_regs outside{};

	explicit Thread(const EnclaveSpec &s = {}, u64 tcs_flags = 0, u64 rflags = 0x202) : e(standard(m, s))
	{
		if (tcs_flags) {
			EXPECT_RESULT(e->edbgwr(at::Tcs + tcs::FLAGS, tcs_flags), done());
		}
		c.regs.rflags = rflags;
		outside = c.regs;
		EXPECT_RESULT(e->enter(1, at::Tcs, kAep), done());
		outside.gpr[SGX2_RSP] = c.regs.gpr[SGX2_RSP];
		outside.gpr[SGX2_RBP] = c.regs.gpr[SGX2_RBP];
		for (unsigned i = 0; i < 16; i++)
			c.regs.gpr[i] = u64{0x0101010101010101} * (i + 0x10);
		c.regs.rip = e->lin(at::Code + 0x123);
		c.regs.rflags = 0x246;
		c.regs.fs.base = 0x700000005500;
		c.regs.gs.base = 0x700000006600;
	}
	template <class T>
	T frame(unsigned field, u32 n = 0)
	{
		return e->peek<T>(e->gpr(n) + field);
	}
	u32 exitinfo(u32 n = 0) { return frame<u32>(gpr::EXITINFO, n); }
};

TEST(Aex, SavesGprArea)
{
	Thread t;
	const sgx2_regs in = t.c.regs;
	t.c.aex_exception(DE);
	static constexpr std::pair<sgx2_gpr, unsigned> order[] = {
		{SGX2_RAX, 0},	{SGX2_RCX, 8},	 {SGX2_RDX, 16},  {SGX2_RBX, 24},  {SGX2_RSP, 32}, {SGX2_RBP, 40},
		{SGX2_RSI, 48}, {SGX2_RDI, 56},	 {SGX2_R8, 64},	  {SGX2_R9, 72},   {SGX2_R10, 80}, {SGX2_R11, 88},
		{SGX2_R12, 96}, {SGX2_R13, 104}, {SGX2_R14, 112}, {SGX2_R15, 120},
	};
	for (const auto &[reg, off] : order)
		EXPECT_EQ(t.frame<u64>(off), in.gpr[reg]) << off;
	EXPECT_EQ(t.frame<u64>(128), in.rflags | F_RF);
	EXPECT_EQ(t.frame<u64>(136), in.rip);
	EXPECT_EQ(t.frame<u64>(144), t.outside.gpr[SGX2_RSP]);
	EXPECT_EQ(t.frame<u64>(152), t.outside.gpr[SGX2_RBP]);
	EXPECT_EQ(t.frame<u32>(160), 0x80000300U);
	EXPECT_EQ(t.frame<u32>(164), 0U);
	EXPECT_EQ(t.frame<u64>(168), in.fs.base);
	EXPECT_EQ(t.frame<u64>(176), in.gs.base);
	EXPECT_EQ(t.e->gpr(0) + 184, at::Ssa + kPage);
}

TEST(Aex, LoadsSyntheticState)
{
	Thread t({.xfrm = 7}, 0, 0x202);
	t.c.regs.rflags = 0x202 | F_ARITH | F_DF | F_AC | F_ID | F_RF;
	const u64 cr2 = 0x1234567890;
	t.c.regs.cr2 = cr2;
	const u32 effects = t.c.aex_interrupt();
	EXPECT_EQ(effects, SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_XCR0 | SGX2_EFFECT_SEGMENTS);
	const sgx2_regs &r = t.c.regs;
	EXPECT_EQ(r.gpr[SGX2_RAX], ERESUME);
	EXPECT_EQ(r.gpr[SGX2_RBX], t.e->lin(at::Tcs));
	EXPECT_EQ(r.gpr[SGX2_RCX], kAep);
	EXPECT_EQ(r.rip, kAep);
	EXPECT_EQ(r.gpr[SGX2_RSP], t.outside.gpr[SGX2_RSP]);
	EXPECT_EQ(r.gpr[SGX2_RBP], t.outside.gpr[SGX2_RBP]);
	for (const unsigned i : {SGX2_RDX, SGX2_RSI, SGX2_RDI})
		EXPECT_EQ(r.gpr[i], 0U);
	for (unsigned i = SGX2_R8; i <= SGX2_R15; i++)
		EXPECT_EQ(r.gpr[i], 0U);
	EXPECT_EQ(r.rflags, 0x202 | F_DF | F_AC | F_ID);
	EXPECT_EQ(r.fs.base, t.outside.fs.base);
	EXPECT_EQ(r.fs.selector, t.outside.fs.selector);
	EXPECT_EQ(r.fs.attr, t.outside.fs.attr);
	EXPECT_EQ(r.gs.base, t.outside.gs.base);
	EXPECT_EQ(r.gs.limit, t.outside.gs.limit);
	EXPECT_EQ(r.xcr0, t.outside.xcr0);
	EXPECT_EQ(r.cr2, cr2);
	EXPECT_EQ(t.c.xinits, (std::vector<Xinit>{{7, 0x37f, 0, 0x1fb0}}));
	EXPECT_EQ(t.e->cssa(), 1U);
	EXPECT_EQ(t.e->edbgrd(at::Tcs + tcs::STATE).after.gpr[SGX2_RBX], 0U);
}

TEST(Aex, HasNoEffectOutsideOfEnclaveMode)
{
	Machine m;
	Cpu &c = m.cpu(1);
	c.aex_exception(PF, 7, 0x123456);
	EXPECT_EQ(c.regs.cr2, 0x123456U);
	EXPECT_EQ(m.counters().aex_exception[PF], 0U);
	c.aex_interrupt();
	EXPECT_TRUE(c.xsaves.empty() && c.xinits.empty());
}

TEST(Aex, SavesRflags)
{
	const u64 flags = 0x202 | F_ARITH | F_DF | F_AC | F_ID;
	struct Case {
		const char *name;
		sgx2_event ev;
		u64 before, saved;
	};
	const Case cases[] = {
		{"a fault sets RF", {SGX2_EV_EXCEPTION, PF, 4, false, false, false}, flags, flags | F_RF},
		{"a trap leaves RF clear", {SGX2_EV_EXCEPTION, DB, 0, true, false, false}, flags, flags},
		{"an interrupt leaves RF clear", {SGX2_EV_INTERRUPT, 0x30, 0, false, false, false}, flags, flags},
		{"an interrupt leaves RF set", {SGX2_EV_INTERRUPT, 0x30, 0, false, false, false}, flags | F_RF, flags | F_RF},
		{"an instruction breakpoint leaves RF clear", {SGX2_EV_EXCEPTION, DB, 0, false, true, false}, flags, flags},
		{"an instruction breakpoint leaves RF set",
		 {SGX2_EV_EXCEPTION, DB, 0, false, true, false},
		 flags | F_RF,
		 flags | F_RF},
		{"NMI", {SGX2_EV_NMI, 2, 0, false, false, false}, flags, flags},
		{"TF is never saved", {SGX2_EV_INTERRUPT, 0x30, 0, false, false, false}, flags | F_TF, flags},
	};
	for (const Case &k : cases) {
		SCOPED_TRACE(k.name);
		Thread t({}, 1);
		t.c.regs.rflags = k.before;
		t.c.aex(k.ev);
		EXPECT_EQ(t.frame<u64>(gpr::RFLAGS), k.saved);
	}
}

TEST(Aex, RestoresTrapFlag)
{
	for (const bool tf : {false, true}) {
		Thread t({}, 0, tf ? 0x302 : 0x202); // opt-out: TF is as before the entry
		EXPECT_FALSE(t.c.regs.rflags & F_TF);
		t.c.aex_interrupt();
		EXPECT_EQ((t.c.regs.rflags & F_TF) != 0, tf);
		EXPECT_RESULT(t.e->resume(1), done());
		EXPECT_FALSE(t.c.regs.rflags & F_TF);
		t.c.aex_interrupt();
		EXPECT_EQ((t.c.regs.rflags & F_TF) != 0, tf);
	}
}

TEST(Aex, ReportsExitInfo)
{
	for (const u32 misc : {0U, 1U}) {
		for (unsigned v = 0; v < 32; v++) {
			Thread t({.miscselect = misc});
			t.e->poke<u32>(t.e->gpr(0) + gpr::EXITINFO, 0x12345678); // left by an earlier exit
			t.c.aex({SGX2_EV_EXCEPTION, static_cast<u8>(v), 0x15, false, false, v == BP});
			u32 want = 0;
			if (v == DE || v == DB || v == BR || v == UD || v == MF || v == AC || v == XM)
				want = 0x80000300 | v;
			if (v == BP)
				want = 0x80000600 | v;
			if (misc && (v == GP || v == PF))
				want = 0x80000300 | v;
			EXPECT_EQ(t.exitinfo(), want) << v << " MISCSELECT " << misc;
		}
	}
}

TEST(Aex, DoesNotReportOtherEvents)
{
	for (const auto kind : {SGX2_EV_INTERRUPT, SGX2_EV_NMI, SGX2_EV_SMI, SGX2_EV_INIT, SGX2_EV_MCE}) {
		for (const u8 vector : {0, 6, 14}) {
			Thread t({.miscselect = 1});
			t.c.regs.cr2 = 0x123456;
			t.c.aex({kind, vector, 0, false, false, false});
			EXPECT_EQ(t.exitinfo(), 0U) << kind << ' ' << int{vector};
			EXPECT_EQ(t.c.regs.cr2, 0x123456U);
			EXPECT_EQ(t.c.regs.gpr[SGX2_RAX], ERESUME);
		}
	}
}

TEST(Aex, ReportsExinfoOfPageFault)
{
	Thread t({.miscselect = 1});
	const u64 at = t.e->gpr(0) - 16;
	std::memset(t.e->mem(at), 0xee, 16);
	t.c.aex_exception(PF, 0x8007, 0x700000005678);
	EXPECT_EQ(t.e->peek<u64>(at), 0x700000005678U);
	EXPECT_EQ(t.e->peek<u32>(at + 8), 0x8007U);
	EXPECT_EQ(t.e->peek<u32>(at + 12), 0U);
	EXPECT_EQ(t.c.regs.cr2, 0x700000005000U);
}

TEST(Aex, ReportsExinfoOfGeneralProtection)
{
	Thread t({.miscselect = 1});
	const u64 at = t.e->gpr(0) - 16;
	std::memset(t.e->mem(at), 0xee, 16);
	t.c.aex_exception(GP, 0, 0x123456);
	EXPECT_EQ(t.e->peek<u64>(at), 0U);
	EXPECT_EQ(t.e->peek<u32>(at + 8), 0U);
	EXPECT_EQ(t.c.regs.cr2, 0x123456U);
}

TEST(Aex, ReportsExinfoOnlyWithMiscselect)
{
	Thread t;
	const u64 at = t.e->gpr(0) - 16;
	std::memset(t.e->mem(at), 0xee, 16);
	t.c.aex_exception(PF, 0x8007, 0x700000005678);
	EXPECT_EQ(t.e->peek<u64>(at), 0xeeeeeeeeeeeeeeee);
	EXPECT_EQ(t.c.regs.cr2, 0x700000005000U) << "CR2 is masked";
}

TEST(Aex, DoesNotReportSupervisorPageFault)
{
	Thread t({.miscselect = 1});
	t.c.aex_exception(PF, 0x3, 0x700000005678);
	EXPECT_EQ(t.exitinfo(), 0U);
}

TEST(Aex, SetsFloatingPointStateByException)
{
	Thread t;
	t.c.aex_exception(MF);
	EXPECT_EQ(t.c.xinits.back(), (Xinit{3, 0x37e, 0x8081, 0x1fb0}));
	Thread u;
	u.c.aex_exception(XM);
	EXPECT_EQ(u.c.xinits.back(), (Xinit{3, 0x37f, 0, 0x1f01}));
}

TEST(Aex, SavesXsaveArea)
{
	for (const u64 xfrm : {u64{3}, u64{7}, u64{0xe7}, u64{0x2e7}}) {
		Thread t({.xfrm = xfrm});
		const u32 size = sgx2_xsave_size(t.m.get(), xfrm);
		t.c.xtag = 0x33;
		std::memset(t.e->mem(at::Ssa), 0xcc, kPage - gpr::SIZE);
		t.c.aex_interrupt();
		EXPECT_EQ(t.c.xsaves, std::vector<u64>{xfrm});
		std::vector<u8> want(size);
		Cpu::xsave_image(want.data(), size, 0x33);
		std::memset(want.data() + XSAVE_HEADER, 0, 64);
		std::memcpy(want.data() + XSAVE_HEADER, &xfrm, 8); // XSTATE_BV, masked with XFRM
		EXPECT_EQ(std::memcmp(t.e->mem(at::Ssa), want.data(), size), 0) << xfrm;
		EXPECT_EQ(t.e->peek<u8>(at::Ssa + size), 0xcc) << "byte behind the area";
		EXPECT_EQ(t.c.xinits.back().xfrm, xfrm);
	}
}

TEST(Aex, MasksXstateBvWithXfrm)
{
	Thread t({.xfrm = 7});
	t.c.xsave_bv = 0xa;
	t.c.aex_interrupt();
	EXPECT_EQ(t.e->peek<u64>(at::Ssa + XSAVE_HEADER), 2U);
}

TEST(Aex, SavesAreaOfEachSize)
{
	Machine m;
	EXPECT_EQ(sgx2_xsave_size(m.get(), 3), 576U);
	EXPECT_EQ(sgx2_xsave_size(m.get(), 7), 832U);
	EXPECT_EQ(sgx2_xsave_size(m.get(), 0xe7), 2688U);
	EXPECT_EQ(sgx2_xsave_size(m.get(), 0x203), 2696U);
	EXPECT_EQ(sgx2_xsave_size(m.get(), 0), 576U);
}

TEST(Aex, SavesFramesOfSeveralPages)
{
	Machine m;
	TcsSpec s;
	s.ossa = 0x40000;
	s.nssa = 2;
	auto e = standard(m, {.miscselect = 1, .ssaframesize = 3}, false, s);
	for (u64 i = 0; i < 6; i++)
		e->add(0x40000 + i * kPage, REG | R | W, Page{}, false);
	e->init();
	Cpu &c = m.cpu(1);
	for (u32 n = 0; n < 2; n++) {
		ASSERT_RESULT(e->enter(1), done());
		c.regs.gpr[SGX2_R15] = 0xf00 + n;
		c.aex_exception(PF, 0x8005, 0x700000001001 + n);
		const u64 end = 0x40000 + (n + 1) * 3 * kPage;
		EXPECT_EQ(e->peek<u64>(end - 184 + 120), 0xf00 + n);
		EXPECT_EQ(e->peek<u64>(end - 200), 0x700000001001 + n);
		EXPECT_NE(e->peek<u64>(0x40000 + n * 3 * kPage), 0U) << "XSAVE area at the start of the frame";
	}
	EXPECT_EQ(c.regs.gpr[SGX2_RSP], e->peek<u64>(0x40000 + 6 * kPage - 184 + gpr::URSP));
	ASSERT_RESULT(e->resume(1), done());
	EXPECT_EQ(c.regs.gpr[SGX2_R15], 0xf01U);
}

TEST(Aex, TakesUntrustedStackFromFrame)
{
	// U_RSP and U_RBP lie in the enclave's memory, so its code can change the stack that the
	// untrusted runtime gets.
	Thread t;
	t.e->poke<u64>(t.e->gpr(0) + gpr::URSP, 0x11110000);
	t.e->poke<u64>(t.e->gpr(0) + gpr::URBP, 0x22220000);
	t.c.aex_interrupt();
	EXPECT_EQ(t.c.regs.gpr[SGX2_RSP], 0x11110000U);
	EXPECT_EQ(t.c.regs.gpr[SGX2_RBP], 0x22220000U);
}

TEST(Aex, DoesNotFaultAfterMappingIsRemoved)
{
	// The frame was checked at entry. An unmapped page or EBLOCK has no effect on the AEX.
	Thread t;
	t.m.unmap(t.e->lin(at::Ssa));
	t.m.unmap(t.e->lin(at::Tcs));
	EXPECT_RESULT(t.e->eblock(at::Ssa), done());
	EXPECT_RESULT(t.e->eblock(at::Tcs), done());
	EXPECT_RESULT(t.e->emodpr(at::Ssa, 0), done());
	t.c.aex_interrupt();
	EXPECT_EQ(t.frame<u64>(gpr::RAX), 0x1010101010101010U);
	EXPECT_EQ(t.e->cssa(), 1U);
}

TEST(Aex, CpuResetExitsWithoutSaving)
{
	Thread t;
	t.e->poke<u64>(t.e->gpr(0) + gpr::RAX, 0x77);
	sgx2_cpu_reset(t.c.get());
	EXPECT_FALSE(t.c.inside());
	EXPECT_EQ(t.frame<u64>(gpr::RAX), 0x77U);
	EXPECT_RESULT(t.e->eremove(at::Data2), done()) << "no thread is inside";
	EXPECT_RESULT(t.e->etrack(), done());
	EXPECT_RESULT(t.e->etrack(), done());
}

TEST(Aex, DestroyedCpuLeavesEnclave)
{
	Machine m;
	auto e = standard(m);
	{
		Cpu gone(m);
		EXPECT_RESULT(gone.enclu(EENTER, e->lin(at::Tcs), kAep), done());
		EXPECT_RESULT(e->eremove(at::Data2), code(ENCLAVE_ACT));
	}
	EXPECT_RESULT(e->eremove(at::Data2), done());
}

} // namespace
