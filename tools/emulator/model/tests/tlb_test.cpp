// SPDX-License-Identifier: GPL-2.0
// The EPCM check at a TLB fill: the table of memory accesses, with error codes and rights.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

constexpr u32 kRead = SGX2_PFEC_SGX | SGX2_PFEC_P | SGX2_PFEC_U;
constexpr u32 kWrite = kRead | SGX2_PFEC_W, kExec = kRead | SGX2_PFEC_I;
constexpr sgx2_access kAccesses[] = {SGX2_READ, SGX2_WRITE, SGX2_EXEC};

struct Fill {
	sgx2_tlb_verdict verdict = SGX2_TLB_NORMAL;
	u32 rights = 0;
	sgx2_fault fault{};
};

struct Tlb {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Cpu &c = m.cpu(1);

	Tlb() { EXPECT_RESULT(e->enter(1), done()); }
	Fill at_physical(u64 linear, u64 physical, sgx2_access a, bool count = true)
	{
		Fill f;
		f.verdict = sgx2_tlb_check(c.get(), linear, physical, a, count, &f.rights, &f.fault);
		return f;
	}
	Fill at(u64 off, sgx2_access a) { return at_physical(e->lin(off) + 0x123, m.epc_physical(e->epc(off)) + 0x123, a); }
};

u32 error_for(sgx2_access a)
{
	return a == SGX2_READ ? kRead : a == SGX2_WRITE ? kWrite : kExec;
}

testing::AssertionResult denied(const Fill &f, u64 linear, sgx2_access a)
{
	if (f.verdict == SGX2_TLB_FAULT && f.fault.vector == PF && f.fault.has_error && f.fault.error_code == error_for(a) &&
	    f.fault.cr2 == linear)
		return testing::AssertionSuccess();
	return testing::AssertionFailure() << "verdict " << f.verdict << " vector " << int{f.fault.vector} << std::hex
					   << " error " << f.fault.error_code << " cr2 " << f.fault.cr2;
}

TEST(Tlb, AllowsRightsOfRegularPages)
{
	Tlb t;
	const std::map<u64, u32> rights = {
		{at::Data, SGX2_READ | SGX2_WRITE},
		{at::RoData, SGX2_READ},
		{at::Code, SGX2_READ | SGX2_EXEC},
		{at::Ssa, SGX2_READ | SGX2_WRITE},
	};
	for (const auto &[off, allowed] : rights) {
		for (const auto a : kAccesses) {
			const Fill f = t.at(off, a);
			if (allowed & a) {
				EXPECT_EQ(f.verdict, SGX2_TLB_EPC) << off << ' ' << a;
				EXPECT_EQ(f.rights, allowed);
			} else {
				EXPECT_TRUE(denied(f, t.e->lin(off) + 0x123, a)) << off << ' ' << a;
			}
		}
	}
}

TEST(Tlb, ChecksAllCombinationsOfRights)
{
	for (u64 rwx = 0; rwx < 8; rwx++) {
		if ((rwx & (R | W)) == W)
			continue;
		Machine m;
		auto e = standard(m, {}, false);
		e->add(0x30000, REG | rwx, Page{}, false);
		e->init();
		EXPECT_RESULT(e->enter(1), done());
		for (const auto a : kAccesses) {
			Fill f;
			f.verdict = sgx2_tlb_check(m.cpu(1).get(), e->lin(0x30000), m.epc_physical(e->epc(0x30000)), a, true,
						   &f.rights, &f.fault);
			EXPECT_EQ(f.verdict, (rwx & a) ? SGX2_TLB_EPC : SGX2_TLB_FAULT) << rwx << ' ' << a;
			if (rwx & a) {
				EXPECT_EQ(f.rights, rwx);
			}
		}
	}
}

TEST(Tlb, DeniesUnusablePages)
{
	struct Case {
		const char *name;
		std::function<std::pair<u64, u64>(Tlb &)> page; // linear address and EPC page
	};
	const auto own = [](u64 off, const std::function<void(Tlb &)> &invalidate) {
		return [off, invalidate](Tlb &t) {
			invalidate(t);
			return std::pair{t.e->lin(off), t.e->epc(off)};
		};
	};
	const auto placed = [](const std::function<u64(Tlb &)> &page) {
		return [page](Tlb &t) {
			return std::pair{t.e->lin(0x80000), page(t)};
		};
	};
	const Case cases[] = {
		{"TCS", own(at::Tcs, [](Tlb &) {})},
		{"blocked", own(at::Data, [](Tlb &t) { EXPECT_RESULT(t.e->eblock(at::Data), done()); })},
		{"pending",
		 [](Tlb &t) {
			 t.e->aug(at::Free);
			 return std::pair{t.e->lin(at::Free), t.e->epc(at::Free)};
		 }},
		{"modified TCS", own(at::Data2, [](Tlb &t) { EXPECT_RESULT(t.e->emodt(at::Data2, PT_TCS), done()); })},
		{"modified TRIM", own(at::Data2, [](Tlb &t) { EXPECT_RESULT(t.e->emodt(at::Data2, PT_TRIM), done()); })},
		{"no rights", own(at::Data2, [](Tlb &t) { EXPECT_RESULT(t.e->emodpr(at::Data2, 0), done()); })},
		{"SECS", placed([](Tlb &t) { return t.e->secs; })},
		{"invalid", placed([](Tlb &t) { return t.m.epc(); })},
		{"VA", placed([](Tlb &t) {
			 const u64 p = t.m.epc();
			 EXPECT_RESULT(t.m.cpu(0).encls(EPA, PT_VA, p), done());
			 return p;
		 })},
		{"another address of this enclave", placed([](Tlb &t) { return t.e->epc(at::Data); })},
		{"page of another enclave", placed([](Tlb &t) {
			 Enclave other(t.m, t.e->spec);
			 other.create();
			 EXPECT_RESULT(other.try_add(0x80000, REG | R | W | X, Page{}), done());
			 return other.pages.at(0x80000);
		 })},
	};
	for (const Case &k : cases) {
		SCOPED_TRACE(k.name);
		Tlb t;
		const auto [linear, page] = k.page(t);
		for (const auto a : kAccesses)
			EXPECT_TRUE(denied(t.at_physical(linear + 8, t.m.epc_physical(page) + 8, a), linear + 8, a)) << a;
	}
}

TEST(Tlb, DeniesAcceptedTrim)
{
	Tlb t;
	EXPECT_RESULT(t.e->emodt(at::Data2, PT_TRIM), done());
	EXPECT_RESULT(t.e->etrack(), done());
	EXPECT_RESULT(t.e->exit(1), done());
	EXPECT_RESULT(t.e->enter(1), done());
	EXPECT_RESULT(t.e->eaccept(1, at::Data2, TRIM | MODIFIED), done());
	EXPECT_TRUE(denied(t.at(at::Data2, SGX2_READ), t.e->lin(at::Data2) + 0x123, SGX2_READ));
}

TEST(Tlb, IgnoresPr)
{
	Tlb t;
	EXPECT_RESULT(t.e->emodpr(at::Data, R), done());
	const Fill f = t.at(at::Data, SGX2_READ);
	EXPECT_EQ(f.verdict, SGX2_TLB_EPC);
	EXPECT_EQ(f.rights, u32{SGX2_READ});
	EXPECT_TRUE(denied(t.at(at::Data, SGX2_WRITE), t.e->lin(at::Data) + 0x123, SGX2_WRITE));
}

TEST(Tlb, DeniesOrdinaryMemoryInElrange)
{
	Tlb t;
	for (const auto a : kAccesses)
		EXPECT_TRUE(denied(t.at_physical(t.e->lin(0x90000), kRamPhysical, a), t.e->lin(0x90000), a));
}

TEST(Tlb, FetchOutsideElrangeIsGp)
{
	Tlb t;
	for (const auto a : {SGX2_READ, SGX2_WRITE}) {
		EXPECT_EQ(t.at_physical(0x400000, kRamPhysical, a).verdict, SGX2_TLB_NORMAL);
		EXPECT_EQ(t.at_physical(0x400000, t.m.epc_physical(t.e->epc(at::Data)), a).verdict, SGX2_TLB_ABORT);
	}
	for (const u64 physical : {kRamPhysical, t.m.epc_physical(t.e->epc(at::Code))}) {
		for (const u64 linear : {u64{0x400000}, t.e->lin(0) - 1, t.e->lin(t.e->spec.size)}) {
			const Fill f = t.at_physical(linear, physical, SGX2_EXEC);
			EXPECT_EQ(f.verdict, SGX2_TLB_FAULT);
			EXPECT_EQ(f.fault.vector, GP);
			EXPECT_TRUE(f.fault.has_error);
			EXPECT_EQ(f.fault.error_code, 0U);
		}
	}
}

TEST(Tlb, EpcIsAbortPageOutsideOfEnclaveMode)
{
	Tlb t;
	EXPECT_RESULT(t.e->exit(1), done());
	for (const auto a : kAccesses) {
		EXPECT_EQ(t.at_physical(0x400000, kRamPhysical, a).verdict, SGX2_TLB_NORMAL);
		EXPECT_EQ(t.at_physical(t.e->lin(at::Data), t.m.epc_physical(t.e->epc(at::Data)), a).verdict, SGX2_TLB_ABORT);
		EXPECT_EQ(t.at_physical(t.e->lin(0x90000), kRamPhysical, a).verdict, SGX2_TLB_NORMAL)
			<< "ELRANGE has no effect outside of enclave mode";
	}
}

TEST(Tlb, ChecksEdgesOfElrange)
{
	Machine m;
	auto e = standard(m, {}, false);
	e->add(0xff000, REG | R, Page{}, false);
	e->init();
	EXPECT_RESULT(e->enter(1), done());
	Fill f;
	const u64 pa = m.epc_physical(e->epc(0xff000));
	EXPECT_EQ(sgx2_tlb_check(m.cpu(1).get(), e->lin(0xfffff), pa + 0xfff, SGX2_READ, true, &f.rights, &f.fault),
		  SGX2_TLB_EPC);
	EXPECT_EQ(sgx2_tlb_check(m.cpu(1).get(), e->lin(0x100000), pa, SGX2_READ, true, &f.rights, &f.fault), SGX2_TLB_ABORT);
}

TEST(Tlb, CountsVerdicts)
{
	Tlb t;
	sgx2_machine_counters_clear(t.m.get());
	EXPECT_EQ(t.at(at::Data, SGX2_READ).verdict, SGX2_TLB_EPC);
	EXPECT_EQ(t.at(at::Data, SGX2_WRITE).verdict, SGX2_TLB_EPC);
	t.at(at::RoData, SGX2_WRITE);
	t.at(at::RoData, SGX2_EXEC);
	t.at(at::Tcs, SGX2_READ);
	t.at_physical(0x400000, t.m.epc_physical(t.e->secs), SGX2_READ);
	const u64 pa = t.m.epc_physical(t.e->epc(at::Tcs));
	for (const auto a : kAccesses) {
		EXPECT_EQ(t.at_physical(t.e->lin(at::Tcs), pa, a, false).verdict, SGX2_TLB_FAULT);
		EXPECT_EQ(t.at_physical(0x400000, pa, SGX2_READ, false).verdict, SGX2_TLB_ABORT);
		EXPECT_EQ(t.at_physical(t.e->lin(at::Data), t.m.epc_physical(t.e->epc(at::Data)), SGX2_READ, false).verdict,
			  SGX2_TLB_EPC);
	}
	const auto n = t.m.counters();
	EXPECT_EQ(n.tlb_fills, 2U);
	EXPECT_EQ(n.epcm_deny_read, 1U);
	EXPECT_EQ(n.epcm_deny_write, 1U);
	EXPECT_EQ(n.epcm_deny_exec, 1U);
	EXPECT_EQ(n.aborts, 1U);
}

TEST(Tlb, TracesDenials)
{
	Tlb t;
	t.c.traces.clear();
	t.at(at::RoData, SGX2_WRITE);
	ASSERT_EQ(t.c.traces.size(), 1U);
	const sgx2_trace &x = t.c.traces[0];
	EXPECT_EQ(x.kind, SGX2_TRACE_DENY);
	EXPECT_EQ(x.leaf, u32{SGX2_WRITE});
	EXPECT_EQ(x.rbx, t.e->lin(at::RoData) + 0x123);
	EXPECT_EQ(x.rcx, t.m.epc_physical(t.e->epc(at::RoData)) + 0x123);
	EXPECT_EQ(x.rdx, 0U);
}

TEST(Tlb, RecognizesEpc)
{
	MachineOptions o;
	o.sections = {4, 60};
	Machine m(o);
	EXPECT_TRUE(sgx2_is_epc(m.get(), kEpcPhysical));
	EXPECT_TRUE(sgx2_is_epc(m.get(), kEpcPhysical + 4 * kPage - 1));
	EXPECT_FALSE(sgx2_is_epc(m.get(), kEpcPhysical + 4 * kPage));
	EXPECT_FALSE(sgx2_is_epc(m.get(), kEpcPhysical - 1));
	EXPECT_TRUE(sgx2_is_epc(m.get(), kEpcPhysical + 0x10000000));
	EXPECT_FALSE(sgx2_is_epc(m.get(), 0));
	EXPECT_FALSE(sgx2_is_epc(m.get(), ~u64{0}));
}

} // namespace
