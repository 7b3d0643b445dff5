// SPDX-License-Identifier: GPL-2.0
// EWB and ELDB/ELDU: their checks in order, the inputs of the MAC, and the states of a page that
// survive eviction.

#include <gtest/gtest.h>

#include "enclave.h"
#include "inside.h"

using namespace sgx;

namespace {

constexpr u32 kLoads[] = {ELDB, ELDU, ELDBC, ELDUC};

Expected either(u64 address)
{
	Expected a = pf(address, 0);
	a.error_mask = ~2U;
	return a;
}

struct Paging {
	Machine m;
	std::unique_ptr<Enclave> e;
	Cpu &c = m.cpu(0);
	Pager pager{m};
	Evicted out = evicted_buffers(m);
	Pageinfo pi;
	u64 rbx = out.info.linear, rcx = 0, rdx = pager.slot(3);

	explicit Paging(const EnclaveSpec &s = {}) : e(standard(m, s)) {}
	u64 va()
	{
		const u64 p = m.epc();
		EXPECT_RESULT(c.encls(EPA, PT_VA, p), done());
		return p;
	}
	/// Make the page ready for EWB. Return its linear address.
	u64 ready(u64 off)
	{
		e->block(off);
		return e->epc(off);
	}
};

struct Ewb : Paging {
	Ewb()
	{
		rcx = ready(at::Data);
		pi.set(pageinfo::SRCPGE, out.content.linear).set(pageinfo::SECINFO, out.pcmd.linear);
	}
	Result call()
	{
		m.place(rbx, pi);
		out.slot = rdx;
		return c.encls(EWB, rbx, rcx, rdx);
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
template <class F>
Expected epcm_rdx(F &f)
{
	return epcm(f.rdx);
}
template <class F>
Expected no_slot(F &)
{
	return either(kUnmapped + 8);
}

TEST(Ewb, ChecksInOrder)
{
	using F = Ewb;
	walk_checks<F>(
		fresh<F>,
		{
			{"RBX misaligned", [](F &f) { f.rbx += 8; }, is_gp<F>},
			{"RCX misaligned", [](F &f) { f.rcx += 8; }, is_gp<F>},
			{"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
			 [](F &) {
				 return either(kUnmapped);
			 }},
			{"RCX is RAM", [](F &f) { f.rcx = f.out.content.linear; }, epcm_rcx<F>},
			{"RDX misaligned", [](F &f) { f.rdx += 4; }, is_gp<F>},
			{"RDX not mapped", [](F &f) { f.rdx = kUnmapped + 8; }, no_slot<F>},
			{"RDX is RAM", [](F &f) { f.rdx = f.out.content.linear + 16; }, epcm_rdx<F>},
			{"RDX in the page of RCX", [](F &f) { f.rdx = f.rcx + 64; }, is_gp<F>},
			{"PAGEINFO not mapped", [](F &f) { f.rbx = kUnmapped + kPage; },
			 [](F &) {
				 return either(kUnmapped + kPage);
			 }},
			{"LINADDR not zero", [](F &f) { f.pi.set<u64>(pageinfo::LINADDR, kPage); }, is_gp<F>},
			{"SECS not zero", [](F &f) { f.pi.set(pageinfo::SECS, f.e->secs); }, is_gp<F>},
			{"PCMD misaligned", [](F &f) { f.pi.set(pageinfo::SECINFO, f.out.pcmd.linear + 64); }, is_gp<F>},
			{"SRCPGE misaligned", [](F &f) { f.pi.set(pageinfo::SRCPGE, f.out.content.linear + 64); }, is_gp<F>},
			{"RCX invalid", [](F &f) { f.rcx = f.m.epc(); }, epcm_rcx<F>},
			{"RDX invalid", [](F &f) { f.rdx = f.m.epc() + 24; }, epcm_rdx<F>},
			{"RDX in a REG page", [](F &f) { f.rdx = f.e->epc(at::Data2 + 32); }, epcm_rdx<F>},
			{"not blocked",
			 [](F &f) {
				 EXPECT_RESULT(f.e->emodpr(at::RoData, 0), done()); // not tracked either
				 f.rcx = f.e->epc(at::RoData);
			 },
			 [](F &) {
				 return code(PAGE_NOT_BLOCKED);
			 }},
			{"not tracked",
			 [](F &f) {
				 EXPECT_RESULT(f.e->eblock(at::Code), done());
				 f.rcx = f.e->epc(at::Code);
			 },
			 [](F &) {
				 return code(NOT_TRACKED);
			 }},
			{"SECS with children", [](F &f) { f.rcx = f.e->secs; },
			 [](F &) {
				 return code(CHILD_PRESENT);
			 }},
		});
}

TEST(Ewb, DestinationsMustBeWritable)
{
	for (const int which : {0, 1, 2}) {
		SCOPED_TRACE(which);
		Ewb f;
		const Buffer b = which == 0 ? f.out.content : which == 1 ? f.out.pcmd : f.out.info;
		f.m.pte(b.linear)->w = false;
		EXPECT_RESULT(f.call(), pf(b.linear, 3));
		EXPECT_TRUE(f.m.entry(f.rcx).valid);
		EXPECT_EQ(f.c.encls(EDBGRD, 0, f.rdx).after.gpr[SGX2_RBX], 0U) << "slot still empty";
		f.m.pte(b.linear)->w = true;
		EXPECT_RESULT(f.call(), done());
	}
	for (const unsigned field : {pageinfo::SRCPGE, pageinfo::SECINFO}) {
		Ewb f;
		f.pi.set(field, kUnmapped + kPage);
		EXPECT_RESULT(f.call(), either(kUnmapped + kPage));
		EXPECT_TRUE(f.m.entry(f.rcx).valid);
	}
}

TEST(Ewb, FaultsCleanlyIfPageTablesChange)
{
	for (unsigned n = 1; n <= 4; n++) {
		Ewb f;
		f.c.compare_memory = false; // EWB has written a part of its output to the host's memory, which is allowed
		f.c.failing_write = n;
		const Result r = f.call();
		if (r.outcome == SGX2_DONE) {
			EXPECT_GT(n, 1U);
			EXPECT_EQ(r.rax(), 0U);
			continue;
		}
		EXPECT_EQ(r.fault.vector, PF);
		EXPECT_TRUE(f.m.entry(f.rcx).valid);
		EXPECT_EQ(f.c.encls(EDBGRD, 0, f.rdx).after.gpr[SGX2_RBX], 0U) << "slot still empty";
		f.c.failing_write = 0;
		EXPECT_RESULT(f.call(), done());
		EXPECT_RESULT(f.pager.load(ELDU, f.rcx, f.out, f.e->lin(at::Data), f.e->secs), done());
	}
	Ewb f;
	f.c.failing_read = 1;
	EXPECT_RESULT(f.call(), pf(f.rbx, 0));
	EXPECT_RESULT(f.call(), done());
}

TEST(Ewb, WritesPageAndPcmd)
{
	Ewb f;
	const auto before = f.m.entry(f.rcx);
	f.e->poke<u64>(at::Data, 0x1234567890abcdef);
	std::memset(f.out.pcmd.host, 0xee, 256);
	ASSERT_RESULT(f.call(), done());
	EXPECT_FALSE(f.m.entry(f.rcx).valid);
	EXPECT_EQ(f.out.info.get<u64>(pageinfo::LINADDR), f.e->lin(at::Data));
	EXPECT_EQ(f.out.info.get<u64>(pageinfo::SRCPGE), f.out.content.linear);
	EXPECT_EQ(f.out.info.get<u64>(pageinfo::SECINFO), f.out.pcmd.linear);
	EXPECT_EQ(f.out.info.get<u64>(pageinfo::SECS), 0U);
	EXPECT_EQ(f.out.pcmd.get<u64>(0), REG | R | W);
	for (unsigned off = 8; off < 112; off++)
		if (off < 64 || off >= 72) {
			EXPECT_EQ(f.out.pcmd.host[off], 0) << off;
		}
	EXPECT_EQ(f.out.pcmd.get<u64>(pcmd::ENCLAVEID), before.enclave);
	EXPECT_EQ(f.out.pcmd.host[128], 0xee);
	EXPECT_NE(f.out.content.get<u64>(0), 0x1234567890abcdef);
	EXPECT_NE(f.out.content.get<u64>(8), f.out.content.get<u64>(24)); // the plain text is all zeros
	EXPECT_RESULT(f.c.encls(EREMOVE, 0, f.rcx), done());
}

TEST(Ewb, EncryptsDifferentlyEachTime)
{
	Ewb f;
	ASSERT_RESULT(f.call(), done());
	Page first, second;
	f.out.content.load(first);
	ASSERT_RESULT(f.pager.load(ELDU, f.rcx, f.out, f.e->lin(at::Data), f.e->secs), done());
	f.ready(at::Data);
	ASSERT_RESULT(f.call(), done());
	f.out.content.load(second);
	EXPECT_FALSE(first == second);
}

TEST(Ewb, ReportsOccupiedSlot)
{
	Ewb f;
	ASSERT_RESULT(f.call(), done());
	Evicted other = evicted_buffers(f.m);
	const u64 second = f.ready(at::Data2);
	ASSERT_RESULT(f.pager.evict(second, other, f.rdx), info(VA_SLOT_OCCUPIED));
	EXPECT_FALSE(f.m.entry(second).valid);
	EXPECT_RESULT(f.pager.load(ELDU, f.rcx, f.out, f.e->lin(at::Data), f.e->secs),
		      code(MAC_COMPARE_FAIL)); // the version is not in the slot
	EXPECT_RESULT(f.pager.load(ELDU, f.rcx, other, f.e->lin(at::Data2), f.e->secs), done());
}

struct Eld : Paging {
	u32 leaf;

	explicit Eld(u32 l = ELDU) : leaf(l)
	{
		rcx = ready(at::Data);
		e->poke<u64>(at::Data + 0x80, 0xfeedfacecafebeef);
		EXPECT_RESULT(pager.evict(rcx, out, rdx), done());
		out.info.set<u64>(pageinfo::SECS, e->secs);
		out.info.load(pi);
	}
	Result call()
	{
		// Operands, aligned or not, point to valid contents.
		Page content;
		Pcmd tag;
		out.content.load(content);
		out.pcmd.load(tag);
		m.place(pi.get<u64>(pageinfo::SRCPGE), content);
		m.place(pi.get<u64>(pageinfo::SECINFO), tag);
		m.place(rbx, pi);
		return c.encls(leaf, rbx, rcx, rdx);
	}
};

Expected epcm_secs(Eld &f)
{
	return epcm(f.pi.get<u64>(pageinfo::SECS));
}

TEST(Eld, ChecksInOrder)
{
	using F = Eld;
	for (const u32 leaf : kLoads) {
		SCOPED_TRACE(sgx2_encls_name(leaf));
		walk_checks<F>(
			[leaf] { return std::make_unique<F>(leaf); },
			{
				{"RBX misaligned", [](F &f) { f.rbx += 8; }, is_gp<F>},
				{"RCX misaligned", [](F &f) { f.rcx += 8; }, is_gp<F>},
				{"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
				 [](F &) {
					 return either(kUnmapped);
				 }},
				{"RCX is RAM", [](F &f) { f.rcx = f.out.content.linear; }, epcm_rcx<F>},
				{"RDX misaligned", [](F &f) { f.rdx += 4; }, is_gp<F>},
				{"RDX not mapped", [](F &f) { f.rdx = kUnmapped + 8; }, no_slot<F>},
				{"RDX is RAM", [](F &f) { f.rdx = f.out.content.linear + 16; }, epcm_rdx<F>},
				{"PAGEINFO not mapped", [](F &f) { f.rbx = kUnmapped + kPage; },
				 [](F &) {
					 return pf(kUnmapped + kPage, 0);
				 }},
				{"PCMD misaligned", [](F &f) { f.pi.set(pageinfo::SECINFO, f.out.pcmd.linear + 64); }, is_gp<F>},
				{"SRCPGE misaligned", [](F &f) { f.pi.set(pageinfo::SRCPGE, f.out.content.linear + 64); },
				 is_gp<F>},
				{"RCX valid", [](F &f) { f.rcx = f.e->epc(at::Data2); }, epcm_rcx<F>},
				{"RDX invalid", [](F &f) { f.rdx = f.m.epc() + 24; }, epcm_rdx<F>},
				{"RDX in a REG page", [](F &f) { f.rdx = f.e->epc(at::Data2 + 32); }, epcm_rdx<F>},
				{"PCMD not mapped", [](F &f) { f.pi.set(pageinfo::SECINFO, kUnmapped + kPage); },
				 [](F &) {
					 return pf(kUnmapped + kPage, 0);
				 }},
				{"SECS misaligned", [](F &f) { f.pi.set(pageinfo::SECS, f.e->secs + 8); }, is_gp<F>},
				{"SECS not mapped", [](F &f) { f.pi.set(pageinfo::SECS, kUnmapped); },
				 [](F &) {
					 return either(kUnmapped);
				 }},
				{"SECS is RAM", [](F &f) { f.pi.set(pageinfo::SECS, f.out.content.linear); }, epcm_secs},
				{"SECS invalid", [](F &f) { f.pi.set(pageinfo::SECS, f.m.epc()); }, epcm_secs},
				{"SECS is a REG page", [](F &f) { f.pi.set(pageinfo::SECS, f.e->epc(at::Data2)); }, epcm_secs},
				{"SRCPGE not mapped", [](F &f) { f.pi.set(pageinfo::SRCPGE, kUnmapped + 2 * kPage); },
				 [](F &) {
					 return pf(kUnmapped + 2 * kPage, 0);
				 }},
				{"MAC", [](F &f) { f.out.pcmd.host[pcmd::MAC] ^= 1; },
				 [](F &) {
					 return code(MAC_COMPARE_FAIL);
				 }},
			});
	}
}

TEST(Eld, RestoresEvictedPage)
{
	for (const u32 leaf : kLoads) {
		SCOPED_TRACE(sgx2_encls_name(leaf));
		Eld f(leaf);
		const auto before = f.e->entry(at::Data2);
		f.rcx = f.m.epc(); // another page than the one that was evicted
		std::memset(f.m.epc_host(f.rcx), 0x99, kPage);
		ASSERT_RESULT(f.call(), done());
		const auto got = f.m.entry(f.rcx);
		EXPECT_TRUE(got.valid && got.r && got.w);
		EXPECT_FALSE(got.x || got.pending || got.modified || got.pr);
		EXPECT_EQ(got.blocked, leaf == ELDB || leaf == ELDBC);
		EXPECT_EQ(got.type, PT_REG);
		EXPECT_EQ(got.linear, f.e->lin(at::Data));
		EXPECT_EQ(got.enclave, before.enclave);
		EXPECT_EQ(got.stamp, 0U);
		u64 v = 0;
		std::memcpy(&v, f.m.epc_host(f.rcx) + 0x80, 8);
		EXPECT_EQ(v, 0xfeedfacecafebeef);
		EXPECT_EQ(f.m.epc_host(f.rcx)[0], 0);
		EXPECT_EQ(f.c.encls(EDBGRD, 0, f.rdx).after.gpr[SGX2_RBX], 0U) << "the slot is empty again";
		// Replay into a second page, from an empty slot.
		f.rcx = f.m.epc();
		EXPECT_RESULT(f.call(), code(MAC_COMPARE_FAIL));
		EXPECT_FALSE(f.m.entry(f.rcx).valid);
	}
}

TEST(Eld, FaultsCleanlyIfPageTablesChange)
{
	for (unsigned n = 1; n <= 6; n++) {
		Eld f;
		f.c.failing_read = n;
		const Result r = f.call();
		if (r.outcome == SGX2_DONE)
			continue;
		EXPECT_EQ(r.fault.vector, PF);
		EXPECT_FALSE(f.m.entry(f.rcx).valid);
		f.c.failing_read = 0;
		EXPECT_RESULT(f.call(), done());
	}
}

TEST(Eld, BlockedPageCanBeEvictedAtOnce)
{
	Eld f(ELDB);
	ASSERT_RESULT(f.call(), done());
	ASSERT_RESULT(f.pager.evict(f.rcx, f.out, f.rdx), done());
	f.pi.set(pageinfo::SECS, f.e->secs);
	f.leaf = ELDU;
	ASSERT_RESULT(f.call(), done());
	EXPECT_RESULT(f.pager.evict(f.rcx, f.out, f.rdx), code(PAGE_NOT_BLOCKED));
}

TEST(Eld, RejectsOldVersion)
{
	Eld f;
	Page old;
	Pcmd old_pcmd;
	f.out.content.load(old);
	f.out.pcmd.load(old_pcmd);
	ASSERT_RESULT(f.call(), done());
	f.e->poke<u64>(at::Data + 0x80, 1);
	f.ready(at::Data);
	ASSERT_RESULT(f.pager.evict(f.rcx, f.out, f.rdx), done());
	Page now;
	Pcmd now_pcmd;
	f.out.content.load(now);
	f.out.pcmd.load(now_pcmd);
	f.out.content = old;
	f.out.pcmd = old_pcmd;
	EXPECT_RESULT(f.call(), code(MAC_COMPARE_FAIL));
	f.out.content = now;
	EXPECT_RESULT(f.call(), code(MAC_COMPARE_FAIL));
	f.out.pcmd = now_pcmd;
	EXPECT_RESULT(f.call(), done());
	EXPECT_EQ(f.e->peek<u64>(at::Data + 0x80), 1U);
}

TEST(Eld, MacCoversEachInput)
{
	struct Case {
		std::string name;
		std::function<void(Eld &)> change;
	};
	std::vector<Case> cases;
	for (const u64 bit : {R, W, X, PENDING, MODIFIED, PR})
		cases.push_back({"SECINFO flag " + std::to_string(bit), [bit](Eld &f) {
					 f.out.pcmd.set(0, f.out.pcmd.get<u64>(0) ^ bit);
				 }});
	cases.push_back({"type TCS", [](Eld &f) {
				 f.out.pcmd.set(0, TCS | R | W);
			 }});
	cases.push_back({"type TRIM", [](Eld &f) {
				 f.out.pcmd.set(0, TRIM | R | W);
			 }});
	for (const unsigned off : {2U, 7U, 8U, 63U, 72U, 111U, 112U, 127U})
		cases.push_back({"PCMD byte " + std::to_string(off), [off](Eld &f) {
					 f.out.pcmd.host[off] ^= 0x20;
				 }});
	for (const unsigned off : {0U, 1U, 2000U, 4095U})
		cases.push_back({"content byte " + std::to_string(off), [off](Eld &f) {
					 f.out.content.host[off] ^= 1;
				 }});
	for (const u64 off : {at::Data2, at::Free, u64{0}})
		cases.push_back({"LINADDR " + std::to_string(off), [off](Eld &f) {
					 f.pi.set(pageinfo::LINADDR, f.e->lin(off));
				 }});
	cases.push_back({"another version", [](Eld &f) {
				 Evicted other = evicted_buffers(f.m);
				 EXPECT_RESULT(f.pager.evict(f.ready(at::Data2), other, f.pager.slot(9)), done());
				 f.rdx = f.pager.slot(9);
			 }});
	cases.push_back({"an empty slot", [](Eld &f) {
				 f.rdx = f.pager.slot(10);
			 }});
	cases.push_back({"another enclave", [](Eld &f) {
				 Enclave other(f.m, f.e->spec);
				 other.create();
				 other.init();
				 f.pi.set(pageinfo::SECS, other.secs);
			 }});
	for (const auto &k : cases) {
		SCOPED_TRACE(k.name);
		Eld f;
		const Pageinfo right = f.pi;
		const u64 slot = f.rdx;
		Page content;
		Pcmd tag;
		f.out.content.load(content);
		f.out.pcmd.load(tag);
		k.change(f);
		EXPECT_RESULT(f.call(), code(MAC_COMPARE_FAIL));
		EXPECT_FALSE(f.m.entry(f.rcx).valid);
		// The failed calls changed nothing.
		f.pi = right;
		f.rdx = slot;
		f.out.content = content;
		f.out.pcmd = tag;
		EXPECT_RESULT(f.call(), done());
	}
}

TEST(Eld, IgnoresEnclaveIdInPcmd)
{
	Eld f;
	f.out.pcmd.set(pcmd::ENCLAVEID, f.out.pcmd.get<u64>(pcmd::ENCLAVEID) + 1);
	EXPECT_RESULT(f.call(), done());
	EXPECT_EQ(f.m.entry(f.rcx).enclave, f.e->eid());
}

TEST(Eld, SecsFieldMustBeZeroForSecsAndVa)
{
	Paging f;
	const u64 victim = f.va();
	ASSERT_RESULT(f.pager.evict(victim, f.out, f.rdx), done());
	const u64 lin = f.out.info.get<u64>(pageinfo::LINADDR);
	EXPECT_RESULT(f.pager.load(ELDU, victim, f.out, lin, f.e->secs), gp());
	EXPECT_RESULT(f.pager.load(ELDU, victim, f.out, lin, kPage), gp());
	EXPECT_RESULT(f.pager.load(ELDU, victim, f.out, lin, 0), done());
}

TEST(Paging, KeepsStatesOfPage)
{
	const u64 trim = at::RoData, tcs = at::Data2, pending = at::Free, pr = at::Code;
	Paging f;
	f.e->aug(pending);
	EXPECT_RESULT(f.e->emodt(trim, PT_TRIM), done());
	EXPECT_RESULT(f.e->emodt(tcs, PT_TCS), done());
	EXPECT_RESULT(f.e->emodpr(pr, X), done());
	for (const u64 off : {trim, tcs, pending, pr, at::Tcs, at::Data}) {
		for (const u32 leaf : {ELDU, ELDB}) {
			auto want = f.e->entry(off);
			const u64 from = f.ready(off), to = f.m.epc();
			ASSERT_RESULT(f.pager.evict(from, f.out, f.rdx), done());
			const u64 flags = (want.r ? R : 0) | (want.w ? W : 0) | (want.x ? X : 0) | (want.pending ? PENDING : 0) |
					  (want.modified ? MODIFIED : 0) | (want.pr ? PR : 0) |
					  u64{want.type} << SECINFO_TYPE_SHIFT;
			EXPECT_EQ(f.out.pcmd.get<u64>(0), flags);
			EXPECT_EQ(f.out.info.get<u64>(pageinfo::LINADDR), want.linear);
			ASSERT_RESULT(f.pager.load(leaf, to, f.out, want.linear, f.e->secs), done());
			want.blocked = leaf == ELDB;
			want.stamp = 0;
			EXPECT_EQ(describe(f.m.entry(to)), describe(want));
			if (leaf == ELDB) { // again, for an unblocked page at the end
				ASSERT_RESULT(f.pager.evict(to, f.out, f.rdx), done());
				ASSERT_RESULT(f.pager.load(ELDU, to, f.out, want.linear, f.e->secs), done());
			}
			f.e->pages[off] = to;
			f.m.epc_free(from);
			f.m.map(f.e->lin(off), {f.m.epc_physical(to)});
		}
	}
	// The thread can still enter and accept.
	ASSERT_RESULT(f.e->enter(1), done());
	EXPECT_RESULT(f.e->eaccept(1, trim, TRIM | MODIFIED), done());
	EXPECT_RESULT(f.e->eaccept(1, pending, REG | R | W | PENDING), done());
	EXPECT_RESULT(f.e->eaccept(1, pr, REG | X | PR), done());
}

TEST(Paging, ResumesThreadAfterReload)
{
	Paging f;
	ASSERT_RESULT(f.e->enter(1, at::Tcs, 0x402000), done());
	f.m.cpu(1).regs.gpr[SGX2_R12] = 0x1212;
	f.m.cpu(1).aex_interrupt();
	for (const u64 off : {at::Tcs, at::Ssa}) {
		const u64 page = f.ready(off);
		ASSERT_RESULT(f.pager.evict(page, f.out, f.rdx), done());
		EXPECT_RESULT(f.e->resume(1), uepcm(off == at::Tcs ? f.e->lin(off) : f.e->lin(at::Ssa)));
		ASSERT_RESULT(f.pager.load(ELDU, page, f.out, f.e->lin(off), f.e->secs), done());
	}
	EXPECT_EQ(f.e->cssa(), 1U);
	ASSERT_RESULT(f.e->resume(1), done());
	EXPECT_EQ(f.m.cpu(1).regs.gpr[SGX2_R12], 0x1212U);
}

TEST(Paging, EvictsSecsLastAndLoadsItFirst)
{
	Paging f({.attributes = A_DEBUG | A_MODE64 | A_PROVISION, .miscselect = 1});
	ASSERT_RESULT(f.e->enter(1), done());
	const Report before = Inside(*f.e, 1).report(TargetInfo{}, {});
	ASSERT_RESULT(f.e->exit(1), done());
	const u64 eid = f.e->eid();
	std::map<u64, Page> contents, tags;
	unsigned slot = 16;
	EXPECT_RESULT(f.pager.evict(f.e->secs, f.out, f.rdx), code(CHILD_PRESENT));
	for (const auto &[off, page] : f.e->pages)
		ASSERT_RESULT(f.e->eblock(off), done());
	ASSERT_RESULT(f.e->etrack(), done());
	for (const auto &[off, page] : f.e->pages) {
		ASSERT_RESULT(f.pager.evict(page, f.out, f.pager.slot(slot++)), done());
		f.out.content.load(contents[off]);
		f.out.pcmd.load(tags[off]);
	}
	ASSERT_RESULT(f.pager.evict(f.e->secs, f.out, f.rdx), done());
	EXPECT_EQ(f.out.pcmd.get<u64>(pcmd::ENCLAVEID), eid);
	EXPECT_EQ(f.out.pcmd.get<u64>(0), 0U);
	EXPECT_RESULT(f.c.encls(EREMOVE, 0, f.e->secs), done()); // the driver does this
	EXPECT_EQ(sgx2_epcm_valid(f.m.get()), 1U);
	const u64 moved = f.m.epc(), lin = f.out.info.get<u64>(pageinfo::LINADDR);
	{
		SCOPED_TRACE("a modified SECS");
		f.out.content.host[100] ^= 1;
		EXPECT_RESULT(f.pager.load(ELDU, moved, f.out, lin, 0), code(MAC_COMPARE_FAIL));
		f.out.content.host[100] ^= 1;
	}
	ASSERT_RESULT(f.pager.load(ELDB, moved, f.out, lin, 0), done());
	EXPECT_FALSE(f.m.entry(moved).blocked);
	EXPECT_EQ(f.m.entry(moved).type, PT_SECS);
	EXPECT_EQ(f.m.entry(moved).enclave, eid);
	f.e->secs = moved;
	slot = 16;
	for (const auto &[off, page] : f.e->pages) {
		f.out.content = contents[off];
		std::memcpy(f.out.pcmd.host, tags[off].b.data(), 128);
		f.out.slot = f.pager.slot(slot++);
		ASSERT_RESULT(f.pager.load(ELDU, page, f.out, f.e->lin(off), f.e->secs), done());
	}
	const u64 page = f.e->epc(at::Data);
	EXPECT_RESULT(f.e->eblock(at::Data), done());
	EXPECT_RESULT(f.pager.evict(page, f.out, f.rdx), code(NOT_TRACKED)) << "tracking starts from the beginning";
	EXPECT_RESULT(f.e->etrack(), done());
	EXPECT_RESULT(f.pager.evict(page, f.out, f.rdx), done());
	ASSERT_RESULT(f.pager.load(ELDU, page, f.out, f.e->lin(at::Data), f.e->secs), done());
	ASSERT_RESULT(f.e->enter(1), done());
	const Report after = Inside(*f.e, 1).report(TargetInfo{}, {});
	EXPECT_EQ(std::memcmp(before.b.data(), after.b.data(), report::KEYID), 0);
	ASSERT_RESULT(f.e->exit(1), done());
	f.e->destroy();
}

TEST(Paging, KeepsMeasurementBeforeEinit)
{
	Machine m;
	Pager pager(m);
	Evicted out = evicted_buffers(m), page_out = evicted_buffers(m);
	Enclave e(m);
	e.create();
	e.add(0, REG | R, pattern_page(4));
	e.block(0);
	ASSERT_RESULT(pager.evict(e.epc(0), page_out, pager.slot(1)), done());
	ASSERT_RESULT(pager.evict(e.secs, out, pager.slot(0)), done());
	ASSERT_RESULT(pager.load(ELDU, e.secs, out, out.info.get<u64>(0), 0), done());
	ASSERT_RESULT(pager.load(ELDU, e.epc(0), page_out, e.lin(0), e.secs), done());
	e.add(0x1000, REG | R, pattern_page(6));
	e.init();
}

TEST(Paging, EvictsVersionArray)
{
	Paging f;
	const u64 inner = f.va();
	Evicted page = evicted_buffers(f.m);
	ASSERT_RESULT(f.pager.evict(f.ready(at::Data), page, inner + 8), done());
	ASSERT_RESULT(f.pager.evict(inner, f.out, f.rdx), done()); // neither blocked nor tracked
	EXPECT_EQ(f.out.pcmd.get<u64>(0), type(PT_VA));
	EXPECT_EQ(f.out.pcmd.get<u64>(pcmd::ENCLAVEID), 0U);
	EXPECT_RESULT(f.pager.load(ELDU, f.e->epc(at::Data), page, f.e->lin(at::Data), f.e->secs), epcm(inner + 8));
	const u64 moved = f.m.epc();
	ASSERT_RESULT(f.pager.load(ELDB, moved, f.out, f.out.info.get<u64>(0), 0), done());
	EXPECT_FALSE(f.m.entry(moved).blocked);
	EXPECT_EQ(f.m.entry(moved).type, PT_VA);
	page.slot = moved + 8;
	EXPECT_RESULT(f.pager.load(ELDU, f.e->epc(at::Data), page, f.e->lin(at::Data), f.e->secs), done());
}

TEST(Paging, UsesEverySlot)
{
	Paging f;
	u64 from = f.ready(at::Data);
	f.c.compare_memory = false;
	for (unsigned n = 0; n < 512; n++) {
		f.e->poke<u32>(at::Data, n);
		ASSERT_RESULT(f.pager.evict(from, f.out, f.pager.slot(n)), done());
		ASSERT_RESULT(f.pager.load(ELDB, from, f.out, f.e->lin(at::Data), f.e->secs), done());
		ASSERT_EQ(f.e->peek<u32>(at::Data), n);
	}
}

TEST(Paging, WorksAcrossSections)
{
	MachineOptions o;
	o.sections = {3, 60};
	Machine m(o);
	auto e = standard(m); // SECS in the first section, the other pages in both
	Pager pager(m);
	Evicted out = evicted_buffers(m);
	for (const u64 off : {at::Tcs, at::Data}) {
		e->block(off);
		ASSERT_RESULT(pager.evict(e->epc(off), out, pager.slot(0)), done());
		const u64 to = m.epc();
		ASSERT_RESULT(pager.load(ELDU, to, out, e->lin(off), e->secs), done());
		e->pages[off] = to;
		m.map(e->lin(off), {m.epc_physical(to)});
	}
	EXPECT_EQ(sgx2_epcm_pages(m.get()), 63U);
	EXPECT_RESULT(e->enter(1), done());
}

} // namespace
