// SPDX-License-Identifier: GPL-2.0
// The machine: sections, configuration, loss of the EPC, counters, traces and JSON.

#include <algorithm>
#include <cerrno>

#include <gtest/gtest.h>

#include "enclave.h"
#include "inside.h"
#include "json.h"

using namespace sgx;

namespace {

struct Bare {
	sgx2_config config = default_config();
	sgx2_machine *m = sgx2_machine_create(&config);
	std::vector<u8> store = std::vector<u8>(64 * kPage);
	u8 *host = store.data() + (kPage - reinterpret_cast<std::uintptr_t>(store.data()) % kPage) % kPage;

	Bare() = default;
	Bare(const Bare &) = delete;
	Bare &operator=(const Bare &) = delete;
	~Bare() { sgx2_machine_destroy(m); }
};

TEST(Sections, RejectsInvalidSections)
{
	Bare b;
	EXPECT_EQ(sgx2_epcm_pages(b.m), 0U);
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x1000000, 4 * kPage, b.host), 0);
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x2000800, kPage, b.host + 4 * kPage), -EINVAL) << "misaligned";
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x2000000, 2048, b.host + 4 * kPage), -EINVAL)
		<< "not a multiple of the page size";
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x2000000, 0, b.host + 4 * kPage), -EINVAL) << "empty";
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x2000000, kPage, nullptr), -EINVAL) << "no host memory";
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x1000000, kPage, b.host + 4 * kPage), -EINVAL) << "overlap";
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x1003000, 2 * kPage, b.host + 4 * kPage), -EINVAL) << "overlap at the end";
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0xfff000, 2 * kPage, b.host + 4 * kPage), -EINVAL) << "overlap at the start";
	EXPECT_EQ(sgx2_machine_add_section(b.m, ~u64{0} - 0xfff, 2 * kPage, b.host + 4 * kPage), -EINVAL) << "wraps";
	EXPECT_EQ(sgx2_epcm_pages(b.m), 4U);
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x1004000, kPage, b.host + 4 * kPage), 0) << "adjacent";
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0xfff000, kPage, b.host + 5 * kPage), 0) << "below the others";
	for (u64 i = 3; i < SGX2_MAX_SECTIONS; i++)
		EXPECT_EQ(sgx2_machine_add_section(b.m, 0x2000000 + i * kPage, kPage, b.host + (i + 3) * kPage), 0);
	EXPECT_EQ(sgx2_machine_add_section(b.m, 0x9000000, kPage, b.host + 20 * kPage), -ENOSPC);
	EXPECT_EQ(sgx2_epcm_pages(b.m), 11U);
	EXPECT_TRUE(sgx2_is_epc(b.m, 0x1003fff));
	EXPECT_TRUE(sgx2_is_epc(b.m, 0xfff000));
	EXPECT_FALSE(sgx2_is_epc(b.m, 0x1005000));
}

TEST(Sections, EpcmHasEachPageOnce)
{
	MachineOptions o;
	o.sections = {2, 3, 4};
	Machine m(o);
	std::map<u64, int> seen;
	sgx2_epcm_entry e{};
	for (u64 i = 0; i < 9; i++) {
		ASSERT_TRUE(sgx2_epcm_get(m.get(), i, &e));
		EXPECT_FALSE(e.valid);
		EXPECT_TRUE(sgx2_is_epc(m.get(), e.physical));
		seen[e.physical]++;
	}
	EXPECT_EQ(seen.size(), 9U);
	EXPECT_FALSE(sgx2_epcm_get(m.get(), 9, &e));
	EXPECT_FALSE(sgx2_epcm_get(m.get(), ~u64{0}, &e));
	EXPECT_EQ(sgx2_epcm_valid(m.get()), 0U);
}

TEST(Configuration, RejectsWrongAbi)
{
	sgx2_config c = default_config();
	c.abi = SGX2_MODEL_ABI + 1;
	EXPECT_EQ(sgx2_machine_create(&c), nullptr);
	c.abi = 0;
	EXPECT_EQ(sgx2_machine_create(&c), nullptr);
}

TEST(Configuration, ChangesBeforeFirstLeaf)
{
	Machine m;
	sgx2_config c = default_config();
	c.xcomp[2] = {600, 100};
	c.sgx2 = false;
	sgx2_machine_configure(m.get(), &c);
	EXPECT_EQ(sgx2_xsave_size(m.get(), 7), 700U);
	EXPECT_RESULT(m.cpu(0).encls(EAUG, m.ram().linear, kUnmapped), gp());
}

/// Check the results of leaves after a loss of the EPC.
void check_lost(void (*lose)(sgx2_machine *))
{
	Machine m;
	auto e = standard(m, {.miscselect = 1});
	Pager pager(m);
	Evicted out = evicted_buffers(m);
	e->block(at::Data2);
	ASSERT_RESULT(pager.evict(e->epc(at::Data2), out, pager.slot(0)), done());
	Cpu &c = m.cpu(1);
	ASSERT_RESULT(e->enter(1), done());
	c.regs.gpr[SGX2_R13] = 0x1313131313131313;

	lose(m.get());
	EXPECT_EQ(sgx2_epcm_valid(m.get()), 0U);
	const std::vector<u8> bytes = m.epc_bytes();
	EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](u8 b) { return b == 0; })) << "scrubbed";
	EXPECT_TRUE(c.inside());
	u32 rights = 0;
	sgx2_fault fault{};
	EXPECT_EQ(sgx2_tlb_check(c.get(), e->lin(at::Data), m.epc_physical(e->epc(at::Data)), SGX2_READ, true, &rights, &fault),
		  SGX2_TLB_FAULT);
	EXPECT_EQ(fault.error_code, 0x8005U);
	EXPECT_RESULT(c.enclu(EACCEPT, e->lin(at::Data), e->lin(at::Code)), uepcm(e->lin(at::Data)));
	EXPECT_RESULT(c.enclu(EMODPE, e->lin(at::Data), e->lin(at::Code)), uepcm(e->lin(at::Data)));
	EXPECT_RESULT(c.enclu(EACCEPTCOPY, e->lin(at::Data), e->lin(at::Code), e->lin(at::Code)), uepcm(e->lin(at::Data)));
	EXPECT_RESULT(c.enclu(EREPORT, e->lin(at::Data), e->lin(at::Data), e->lin(at::Data)), uepcm(e->lin(at::Data)));
	EXPECT_RESULT(c.enclu(EGETKEY, e->lin(at::Data), e->lin(at::Data)), uepcm(e->lin(at::Data)));
	EXPECT_EQ(c.enclu(EDECCSSA).outcome, SGX2_FAULT);

	// The page under the thread becomes a VA page before the AEX, which must not write to it.
	ASSERT_RESULT(m.cpu(0).encls(EPA, PT_VA, e->epc(at::Ssa)), done());
	ASSERT_RESULT(m.cpu(0).encls(EPA, PT_VA, e->epc(at::Tcs)), done());
	c.aex_exception(PF, 0x8005, e->lin(at::Data) + 5);
	EXPECT_FALSE(c.inside());
	EXPECT_EQ(m.epc_bytes(), bytes) << "an AEX saved something";
	EXPECT_EQ(c.regs.gpr[SGX2_RAX], ERESUME);
	EXPECT_EQ(c.regs.gpr[SGX2_RBX], e->lin(at::Tcs));
	EXPECT_EQ(c.regs.rip, 0x402000U);
	EXPECT_EQ(c.regs.gpr[SGX2_R13], 0U);
	EXPECT_EQ(c.regs.cr2, e->lin(at::Data));
	EXPECT_RESULT(e->resume(1), uepcm(e->lin(at::Tcs)));
	EXPECT_RESULT(m.cpu(0).encls(EREMOVE, 0, e->epc(at::Ssa)), done());
	EXPECT_RESULT(m.cpu(0).encls(EREMOVE, 0, e->epc(at::Tcs)), done());
	for (std::size_t i = 0; i < m.epc_pages(); i++)
		EXPECT_RESULT(m.cpu(0).encls(EREMOVE, 0, m.epc_linear(i)), done());
	// An evicted page cannot be loaded either.
	EXPECT_NE(pager.load(ELDU, e->epc(at::Data2), out, e->lin(at::Data2), e->secs).outcome, SGX2_DONE);
	auto again = standard(m, {.base = 0x730000000000}); // and the machine still works
	EXPECT_RESULT(again->enter(1), done());
	EXPECT_RESULT(again->exit(1), done());
}

TEST(Loss, LoseEpcInvalidatesAllPages)
{
	check_lost(sgx2_machine_lose_epc);
}

TEST(Loss, ResetInvalidatesAllPages)
{
	check_lost(sgx2_machine_reset);
}

TEST(Loss, AexAfterLossSavesNothing)
{
	Machine m;
	auto e = standard(m);
	ASSERT_RESULT(e->enter(1), done());
	const sgx2_segment fs = m.cpu(2).regs.fs;
	sgx2_machine_lose_epc(m.get());
	const Result r = e->exit(1);
	if (r.outcome == SGX2_DONE) {
		EXPECT_FALSE(m.cpu(1).inside());
		EXPECT_EQ(r.after.fs.base, fs.base);
	} else {
		m.cpu(1).aex_interrupt();
	}
	EXPECT_FALSE(m.cpu(1).inside());
}

TEST(Loss, CpuInsideDoesNotDelayLaterEnclave)
{
	Machine m;
	auto e = standard(m);
	ASSERT_RESULT(e->enter(1), done());
	sgx2_machine_lose_epc(m.get());
	for (std::size_t i = 0; i < 20; i++)
		m.epc_free(m.epc_linear(19 - i)); // the same pages
	auto again = standard(m);
	EXPECT_EQ(again->secs, e->secs);
	EXPECT_RESULT(again->etrack(), done());
	EXPECT_RESULT(again->etrack(), done());
	m.cpu(1).aex_interrupt();
	EXPECT_RESULT(again->etrack(), done());
	ASSERT_RESULT(again->enter(2), done());
	EXPECT_RESULT(again->etrack(), done());
	EXPECT_RESULT(again->etrack(), code(PREV_TRK_INCMPL));
	EXPECT_RESULT(again->exit(2), done());
	EXPECT_RESULT(again->eremove(at::Data), done());
}

/// Return a SEAL key and the KEYID of a report from a new enclave.
std::pair<Key, Digest> secrets(Machine &m, u64 base)
{
	auto e = standard(m, {.base = base});
	EXPECT_RESULT(e->enter(1), done());
	KeyRequest k;
	k.set<u16>(keyreq::NAME, KEY_SEAL);
	Key key{};
	Inside in(*e, 1);
	EXPECT_RESULT(in.getkey(k, key), done());
	const Report r = in.report({}, {});
	EXPECT_RESULT(e->exit(1), done());
	return {key, r.take<32>(report::KEYID)};
}

TEST(Reset, KeepsSealKeysAndRenewsReportKeyid)
{
	Machine m;
	const auto before = secrets(m, 0x700000000000);
	sgx2_machine_lose_epc(m.get());
	EXPECT_EQ(secrets(m, 0x710000000000).first, before.first);
	sgx2_machine_reset(m.get());
	const auto after = secrets(m, 0x720000000000);
	EXPECT_EQ(after.first, before.first) << "the SEAL key survives a reset";
	EXPECT_NE(after.second, before.second) << "a reset changes CR_REPORT_KEYID";
}

TEST(Counters, CountByLeafAndResult)
{
	Machine m;
	auto e = standard(m);
	sgx2_machine_counters_clear(m.get());
	Cpu &c = m.cpu(0);
	EXPECT_RESULT(e->eblock(at::Data), done());
	EXPECT_RESULT(e->eblock(at::Data), info(BLKSTATE));
	EXPECT_RESULT(c.encls(EREMOVE, 0, e->secs), code(CHILD_PRESENT));
	EXPECT_RESULT(c.encls(EREMOVE, 0, 8), gp());
	EXPECT_RESULT(c.encls(EPA, PT_VA, m.epc()), done());
	EXPECT_RESULT(c.encls(0x17), gp());
	EXPECT_RESULT(c.encls(0x12345), gp());
	EXPECT_RESULT(e->enter(1), done());
	Inside in(*e, 1);
	Key key{};
	KeyRequest k;
	k.set<u16>(keyreq::NAME, 99);
	EXPECT_RESULT(in.getkey(k, key), code(INVALID_KEYNAME)); // INVALID_KEYNAME is 256, beyond the table
	m.cpu(1).aex_exception(UD);
	EXPECT_RESULT(e->resume(1), done());
	m.cpu(1).aex_exception(PF, 4, 0x1000);
	EXPECT_RESULT(e->resume(1), done());
	m.cpu(1).aex_interrupt();
	EXPECT_RESULT(e->resume(1), done());
	m.cpu(1).aex({SGX2_EV_NMI, 2, 0, false, false, false});
	EXPECT_RESULT(e->resume(1), done());
	m.cpu(1).aex({SGX2_EV_SMI, 0, 0, false, false, false});
	EXPECT_RESULT(e->resume(1), done());
	m.cpu(1).aex({SGX2_EV_MCE, MC, 0, false, false, false});
	EXPECT_RESULT(e->resume(1), done());
	m.cpu(1).aex({SGX2_EV_INIT, 0, 0, false, false, false});
	EXPECT_RESULT(e->resume(1), done());
	EXPECT_RESULT(e->exit(1), done());
	const auto n = m.counters();
	EXPECT_EQ(n.encls[EBLOCK][0], 1U);
	EXPECT_EQ(n.encls[EBLOCK][BLKSTATE], 1U);
	EXPECT_EQ(n.encls[EREMOVE][CHILD_PRESENT], 1U);
	EXPECT_EQ(n.encls[EREMOVE][33], 1U);
	EXPECT_EQ(n.encls[EPA][0], 1U);
	EXPECT_EQ(n.encls[0x17][33], 1U);
	EXPECT_EQ(n.enclu[EENTER][0], 1U);
	EXPECT_EQ(n.enclu[EGETKEY][32], 1U);
	EXPECT_EQ(n.enclu[ERESUME][0], 7U);
	EXPECT_EQ(n.enclu[EEXIT][0], 1U);
	EXPECT_EQ(n.aex_exception[UD], 1U);
	EXPECT_EQ(n.aex_exception[PF], 1U);
	EXPECT_EQ(n.aex_interrupt, 1U);
	EXPECT_EQ(n.aex_nmi, 1U);
	EXPECT_EQ(n.aex_smi, 1U);
	EXPECT_EQ(n.aex_mce, 1U);
	EXPECT_EQ(n.aex_init, 1U);
	EXPECT_EQ(n.injected, 0U);
	u64 all = 0;
	for (const auto &row : n.encls)
		for (const u64 v : row)
			all += v;
	EXPECT_LE(all, 7U);
	sgx2_machine_counters_clear(m.get());
	const auto zero = m.counters();
	const sgx2_counters none{};
	EXPECT_EQ(std::memcmp(&zero, &none, sizeof(none)), 0);
}

TEST(Counters, IgnoreVectorsBeyondTable)
{
	Machine m;
	auto e = standard(m);
	ASSERT_RESULT(e->enter(1), done());
	m.cpu(1).aex_exception(200);
	EXPECT_FALSE(m.cpu(1).inside());
}

TEST(Trace, RecordsLeavesAndExits)
{
	Machine m;
	auto e = standard(m);
	Cpu &c = m.cpu(0), &u = m.cpu(1);
	c.traces.clear();
	EXPECT_RESULT(c.encls(EREMOVE, 0x11, e->secs, 0x22), code(CHILD_PRESENT));
	EXPECT_RESULT(c.encls(EREMOVE, 0x11, kUnmapped), pf(kUnmapped, 2));
	ASSERT_EQ(c.traces.size(), 2U);
	EXPECT_EQ(c.traces[0].kind, SGX2_TRACE_ENCLS);
	EXPECT_EQ(c.traces[0].leaf, u32{EREMOVE});
	EXPECT_EQ(c.traces[0].rbx, 0x11U);
	EXPECT_EQ(c.traces[0].rcx, e->secs);
	EXPECT_EQ(c.traces[0].rdx, 0x22U);
	EXPECT_EQ(c.traces[0].faulted, 0U);
	EXPECT_EQ(c.traces[0].result, u64{CHILD_PRESENT});
	EXPECT_EQ(c.traces[1].faulted, 0x100U + PF);
	EXPECT_EQ(c.traces[1].result, 2U);
	ASSERT_RESULT(e->enter(1), done());
	u.aex_exception(UD);
	ASSERT_EQ(u.traces.size(), 2U);
	EXPECT_EQ(u.traces[0].kind, SGX2_TRACE_ENCLU);
	EXPECT_EQ(u.traces[0].leaf, u32{EENTER});
	EXPECT_EQ(u.traces[0].rbx, e->lin(at::Tcs));
	EXPECT_EQ(u.traces[0].rcx, 0x402000U) << "the operand, not the result";
	EXPECT_EQ(u.traces[1].kind, SGX2_TRACE_AEX);
	EXPECT_EQ(u.traces[1].leaf, u32{UD});
}

std::string collect(void (*print)(const sgx2_machine *, void (*)(void *, const char *, size_t), void *), const Machine &m)
{
	std::string s;
	print(
		m.get(), [](void *opaque, const char *p, size_t n) { static_cast<std::string *>(opaque)->append(p, n); }, &s);
	return s;
}

/// Return the first array of objects in a value, at any depth.
const json::Value *rows(const json::Value &v) // NOLINT(misc-no-recursion)
{
	if (v.kind == json::Value::Array)
		return &v;
	for (const auto &item : v.items)
		if (const auto *found = rows(item))
			return found;
	return nullptr;
}

TEST(Json, ParserIsStrict)
{
	for (const char *good : {"{}", "[]", "[1,2.5,-3e4,0]", R"({"a":[true,false,null],"b":"\u0041\n"})", "\"x\"", " 1 "})
		EXPECT_TRUE(json::parse(good)) << good;
	for (const char *bad :
	     {"", "{", "[1,]", "{\"a\":1,}", "{a:1}", "01", "1 2", "[1 2]", "nul", "\"\t\"", "{\"a\":1,\"a\":2}", "0x10", "[-]"})
		EXPECT_FALSE(json::parse(bad)) << bad;
}

TEST(Json, PrintsEpcm)
{
	Machine empty;
	ASSERT_TRUE(json::parse(collect(sgx2_epcm_json, empty)));
	Machine m;
	auto e = standard(m);
	e->aug(at::Free);
	EXPECT_RESULT(e->eblock(at::Data), done());
	EXPECT_RESULT(e->emodpr(at::Code, R), done());
	EXPECT_RESULT(e->emodt(at::Data2, PT_TRIM), done());
	EXPECT_RESULT(m.cpu(0).encls(EPA, PT_VA, m.epc()), done());
	const std::string text = collect(sgx2_epcm_json, m);
	const auto v = json::parse(text);
	ASSERT_TRUE(v) << text;
	const auto *list = rows(*v);
	ASSERT_TRUE(list) << text;
	EXPECT_EQ(list->items.size(), sgx2_epcm_valid(m.get()));
	for (const auto &item : list->items)
		EXPECT_EQ(item.kind, json::Value::Object);
}

TEST(Json, PrintsCounters)
{
	Machine m;
	const auto none = json::parse(collect(sgx2_counters_json, m));
	ASSERT_TRUE(none);
	auto e = standard(m);
	EXPECT_RESULT(e->enter(1), done());
	m.cpu(1).aex_exception(PF, 4, 0);
	EXPECT_RESULT(m.cpu(0).encls(0x17), gp());
	EXPECT_RESULT(e->resume(1), done());
	Key key{};
	KeyRequest k;
	k.set<u16>(keyreq::NAME, 99);
	EXPECT_RESULT(Inside(*e, 1).getkey(k, key), code(INVALID_KEYNAME));
	m.cpu(1).aex({SGX2_EV_SMI, 0, 0, false, false, false});
	const std::string text = collect(sgx2_counters_json, m);
	ASSERT_TRUE(json::parse(text)) << text;
	for (const char *word : {"EENTER", "EADD", "EGETKEY"})
		EXPECT_NE(text.find(word), std::string::npos) << word << " in " << text;
	EXPECT_EQ(text.find("EACCEPTCOPY"), std::string::npos) << "rows of zeros are omitted";
}

} // namespace
