// SPDX-License-Identifier: GPL-2.0
// The checks of ENCLS and ENCLU that precede those of any leaf, and the leaves that CPUID
// enumerates.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

/// EPA of a free page from 64-bit code at CPL 0.
struct EnclsCall {
	MachineOptions options;
	std::unique_ptr<Machine> m = std::make_unique<Machine>(options);
	Cpu &c = m->cpu(0);

	EnclsCall()
	{
		c.regs.gpr[SGX2_RAX] = EPA;
		c.regs.gpr[SGX2_RBX] = PT_VA;
		c.regs.gpr[SGX2_RCX] = m->epc();
		c.regs.cpl = 0;
	}
	void reconfigure(const std::function<void(sgx2_config &)> &change)
	{
		change(options.config);
		sgx2_machine_configure(m->get(), &options.config);
	}
	Result call() { return c.run(false); }
};

struct EncluCall {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Cpu &c = m.cpu(1);

	EncluCall()
	{
		c.regs.gpr[SGX2_RAX] = EENTER;
		c.regs.gpr[SGX2_RBX] = e->lin(at::Tcs);
		c.regs.gpr[SGX2_RCX] = 0x402000;
		c.regs.cpl = 3;
	}
	Result call() { return c.run(true); }
};

template <class F>
std::unique_ptr<F> fresh()
{
	return std::make_unique<F>();
}
template <class F>
Expected is_ud(F &)
{
	return ud();
}
template <class F>
Expected is_gp(F &)
{
	return gp();
}
template <class F>
Expected is_nm(F &)
{
	return nm();
}

TEST(Prologue, EnclsChecksInOrder)
{
	using F = EnclsCall;
	walk_checks<F>(fresh<F>, {
					 {"CR0.PE=0", [](F &f) { f.c.regs.cr0 &= ~CR0_PE; }, is_ud<F>},
					 {"virtual 8086 mode", [](F &f) { f.c.regs.vm86 = true; }, is_ud<F>},
					 {"system management mode", [](F &f) { f.c.regs.smm = true; }, is_ud<F>},
					 {"no SGX1 in CPUID", [](F &f) { f.reconfigure([](sgx2_config &c) { c.sgx1 = false; }); },
					  is_ud<F>},
					 {"CPL 3", [](F &f) { f.c.regs.cpl = 3; }, is_ud<F>},
					 {"FEAT_CTL not locked", [](F &f) { f.c.regs.feat_ctl &= ~FEAT_LOCK; }, is_gp<F>},
					 {"FEAT_CTL without SGX", [](F &f) { f.c.regs.feat_ctl &= ~FEAT_SGX; }, is_gp<F>},
					 {"undefined leaf", [](F &f) { f.c.regs.gpr[SGX2_RAX] = 0x14; }, is_gp<F>},
					 {"CR0.PG=0", [](F &f) { f.c.regs.cr0 &= ~CR0_PG; }, is_gp<F>},
				 });
}

TEST(Prologue, EnclsNeedsCpl0)
{
	for (const u8 cpl : {1, 2, 3}) {
		EnclsCall f;
		f.c.regs.cpl = cpl;
		EXPECT_RESULT(f.call(), ud());
	}
}

TEST(Prologue, EncluChecksInOrder)
{
	using F = EncluCall;
	walk_checks<F>(fresh<F>, {
					 {"CR0.PE=0", [](F &f) { f.c.regs.cr0 &= ~CR0_PE; }, is_ud<F>},
					 {"virtual 8086 mode", [](F &f) { f.c.regs.vm86 = true; }, is_ud<F>},
					 {"system management mode", [](F &f) { f.c.regs.smm = true; }, is_ud<F>},
					 {"CR0.TS=1", [](F &f) { f.c.regs.cr0 |= CR0_TS; }, is_nm<F>},
					 {"CPL 0", [](F &f) { f.c.regs.cpl = 0; }, is_ud<F>},
					 {"FEAT_CTL not locked", [](F &f) { f.c.regs.feat_ctl &= ~FEAT_LOCK; }, is_gp<F>},
					 {"FEAT_CTL without SGX", [](F &f) { f.c.regs.feat_ctl &= ~FEAT_SGX; }, is_gp<F>},
					 {"undefined leaf", [](F &f) { f.c.regs.gpr[SGX2_RAX] = 0xa; }, is_gp<F>},
					 {"CR0.PG=0", [](F &f) { f.c.regs.cr0 &= ~CR0_PG; }, is_gp<F>},
					 {"CR0.NE=0", [](F &f) { f.c.regs.cr0 &= ~CR0_NE; }, is_gp<F>},
				 });
}

TEST(Prologue, EncluIsUdWithoutSgx1)
{
	MachineOptions o;
	o.config.sgx1 = false;
	Machine m(o);
	Cpu &c = m.cpu(0);
	for (u32 leaf = 0; leaf < 12; leaf++) {
		EXPECT_RESULT(c.enclu(leaf), ud());
		EXPECT_RESULT(c.encls(leaf), ud());
	}
	c.regs.cr0 |= CR0_TS;
	EXPECT_RESULT(c.enclu(EENTER), ud());
	EXPECT_RESULT(c.encls(EPA, PT_VA, m.epc()), ud());
}

TEST(Prologue, EnclsIgnoresTaskSwitchedFlag)
{
	EnclsCall f;
	f.c.regs.cr0 |= CR0_TS;
	f.c.regs.cr0 &= ~CR0_NE;
	EXPECT_RESULT(f.call(), done());
}

TEST(Prologue, EnclsTruncatesOperandsIn32BitMode)
{
	Machine m;
	Cpu &c = m.cpu(0);
	const u64 page = m.epc();
	m.map(0x80000000, {m.epc_physical(page), true, true, false});
	c.regs.mode64 = false;
	c.regs.cs = {0, ~u32{0}, 0xcf9b00, 8};
	c.regs.ds = {0x70000000, ~u32{0}, 0xcf9300, 0x10};
	// The upper halves of the registers are ignored, and the base of DS is added.
	{
		SCOPED_TRACE("expand-down DS");
		c.regs.ds.attr |= 0x400;
		EXPECT_RESULT(c.encls(EPA, PT_VA, 0x10000000), gp());
		c.regs.ds.attr &= ~0x400U;
	}
	EXPECT_RESULT(c.encls(EPA, 0x500000000 | PT_VA, 0x10000000 | u64{7} << 32), done());
	EXPECT_EQ(m.entry(page).type, PT_VA);
	c.regs.ds.base = 0xf0000000;
	EXPECT_RESULT(c.encls(EREMOVE, 0, 0x90000000), done());
	EXPECT_FALSE(m.entry(page).valid);
	{
		SCOPED_TRACE("a 64-bit DS has neither limit nor direction nor base");
		c.regs.mode64 = true;
		c.regs.ds.attr |= 0x400;
		EXPECT_RESULT(c.encls(EPA, PT_VA, page), done());
	}
}

TEST(Prologue, ChecksDataSegmentLimitIn32BitMode)
{
	Machine m;
	Cpu &c = m.cpu(0);
	const u64 page = m.epc();
	const Buffer b = m.ram();
	m.map(0x80000000, {m.epc_physical(page), true, true, false});
	m.map(0x80001000, {m.pte(b.linear)->physical, true, true, false});
	c.regs.mode64 = false;
	c.regs.ds = {0, 0x80000fff, 0xcf9300, 0x10};
	c.regs.ds.attr &= ~0x8000U;
	EXPECT_RESULT(c.encls(EPA, PT_VA, 0x80000000), gp()) << "DS is unusable";
	c.regs.ds.attr |= 0x8000U;
	EXPECT_RESULT(c.encls(EPA, PT_VA, 0x80000000), done());
	EXPECT_RESULT(c.encls(EMODPR, 0x80001000, 0x80000000), gp()) << "SECINFO beyond";
	c.regs.ds.limit = 0x8000103f;
	EXPECT_RESULT(c.encls(EMODPR, 0x80001000, 0x80000000), epcm(0x80000000)) << "the operand ends at the limit";
	EXPECT_RESULT(c.encls(ERDINFO, 0x80001040, 0x80000000), gp()) << "an output beyond the limit";
	c.regs.ds.limit = 0x7fffffff;
	EXPECT_RESULT(c.encls(EREMOVE, 0, 0x80000000), gp()) << "the EPC operand beyond the limit";
}

TEST(Prologue, EncluIsGpIn16BitCode)
{
	EncluCall f;
	f.c.regs.mode64 = false;
	f.c.regs.cs.attr = 0x00fb00; // D is 0
	EXPECT_RESULT(f.call(), gp());
}

TEST(Prologue, IgnoresUpperHalfOfRax)
{
	EnclsCall f;
	f.c.regs.gpr[SGX2_RAX] |= u64{0xdead} << 32;
	EXPECT_EQ(f.call().outcome, SGX2_DONE);
}

TEST(Prologue, ChecksEnclaveModeOfEachEncluLeaf)
{
	Machine m;
	auto e = standard(m);
	Cpu &c = m.cpu(1);
	for (const u32 leaf : {EREPORT, EGETKEY, EEXIT, EACCEPT, EMODPE, EACCEPTCOPY, EDECCSSA})
		EXPECT_RESULT(c.enclu(leaf, e->lin(at::Data), e->lin(at::Data2)), gp());
	ASSERT_RESULT(e->enter(1), done());
	EXPECT_RESULT(e->enter(1, at::Tcs2), gp());
	EXPECT_RESULT(e->resume(1, at::Tcs2), gp());
	EXPECT_TRUE(c.inside());
	EXPECT_RESULT(e->exit(1), done());
}

/// Execute a leaf of ENCLS with operands for which every supported leaf raises #PF.
Expected probe(u32 leaf)
{
	return leaf == EUPDATESVN ? done() : pf(kUnmapped, 0);
}

bool encls_exists(const sgx2_config &c, u32 leaf)
{
	if (leaf <= ETRACK)
		return true;
	if (leaf <= EMODT)
		return c.sgx2;
	if (leaf <= ELDUC)
		return c.encls_c;
	return leaf == EUPDATESVN && c.eupdatesvn;
}

void check_encls_leaves(const sgx2_config &config)
{
	MachineOptions o;
	o.config = config;
	Machine m(o);
	Cpu &c = m.cpu(0);
	const Buffer b = m.ram();
	for (u32 leaf = 0; leaf < 0x40; leaf++) {
		SCOPED_TRACE(leaf);
		const u64 rbx = leaf == EPA ? u64{PT_VA} : leaf == EEXTEND ? kUnmapped : b.linear;
		const Result r = c.encls(leaf, rbx, kUnmapped, b.linear);
		if (!encls_exists(config, leaf)) {
			EXPECT_RESULT(r, gp());
		} else if (leaf != EUPDATESVN) {
			Expected a = probe(leaf);
			a.error_mask = SGX2_PFEC_P | SGX2_PFEC_SGX;
			EXPECT_RESULT(r, a);
		} else {
			EXPECT_EQ(r.outcome, SGX2_DONE);
		}
	}
	EXPECT_RESULT(c.encls(0xffffffff), gp());
	EXPECT_RESULT(c.encls(0x80000000), gp());
}

TEST(Leaves, CpuidEnumeratesEnclsLeaves)
{
	check_encls_leaves(default_config());
	for (auto flag : {&sgx2_config::sgx2, &sgx2_config::encls_c, &sgx2_config::eupdatesvn}) {
		sgx2_config c = default_config();
		c.*flag = false;
		check_encls_leaves(c);
	}
	sgx2_config c = default_config();
	c.sgx2 = c.encls_c = c.eupdatesvn = c.edeccssa = c.aexnotify = c.kss = false;
	c.attributes_mask &= ~(A_KSS | A_AEXNOTIFY);
	check_encls_leaves(c);
}

TEST(Leaves, CpuidEnumeratesEncluLeaves)
{
	for (const bool on : {true, false}) {
		MachineOptions o;
		o.config.sgx2 = o.config.edeccssa = on;
		Machine m(o);
		auto e = standard(m);
		ASSERT_RESULT(e->enter(1), done());
		Cpu &c = m.cpu(1);
		c.aex_interrupt();
		ASSERT_RESULT(e->enter(1), done()); // now CSSA is 1
		for (const u32 leaf : {EACCEPT, EMODPE, EACCEPTCOPY})
			EXPECT_RESULT(c.enclu(leaf, e->lin(at::Tcs2), e->lin(at::Data), e->lin(at::Data2)),
				      on ? uepcm(e->lin(at::Tcs2)) : gp());
		EXPECT_RESULT(c.enclu(EDECCSSA), on ? done() : gp());
		for (const u32 leaf : {EREPORT, EGETKEY})
			EXPECT_RESULT(c.enclu(leaf, e->lin(at::Tcs2), e->lin(at::Data), e->lin(at::Data2)),
				      uepcm(e->lin(at::Tcs2)));
		for (const u32 leaf : {u32{EVERIFYREPORT2}, 10U, 11U, 31U, 32U, 0xffffffffU})
			EXPECT_RESULT(c.enclu(leaf, e->lin(at::Tcs2), e->lin(at::Data)), gp());
	}
}

TEST(Leaves, HaveNames)
{
	static const char *const encls[] = {"ECREATE", "EADD",	"EINIT",   "EREMOVE", "EDBGRD", "EDBGWR", "EEXTEND",
					    "ELDB",    "ELDU",	"EBLOCK",  "EPA",     "EWB",	"ETRACK", "EAUG",
					    "EMODPR",  "EMODT", "ERDINFO", "ETRACKC", "ELDBC",	"ELDUC"};
	static const char *const enclu[] = {"EREPORT", "EGETKEY", "EENTER", "ERESUME",
					    "EEXIT",   "EACCEPT", "EMODPE", "EACCEPTCOPY"};
	for (u32 i = 0; i < std::size(encls); i++)
		EXPECT_STREQ(sgx2_encls_name(i), encls[i]);
	for (u32 i = 0; i < std::size(enclu); i++)
		EXPECT_STREQ(sgx2_enclu_name(i), enclu[i]);
	EXPECT_STREQ(sgx2_encls_name(0x18), "EUPDATESVN");
	EXPECT_STREQ(sgx2_enclu_name(9), "EDECCSSA");
	for (const u32 n : {0x14U, 0x17U, 0x19U, 31U, 32U, 0xffffffffU})
		EXPECT_EQ(sgx2_encls_name(n), nullptr) << n;
	for (const u32 n : {10U, 31U, 32U, 0xffffffffU})
		EXPECT_EQ(sgx2_enclu_name(n), nullptr) << n;
}

} // namespace
