// SPDX-License-Identifier: GPL-2.0
// Several host threads on one machine. The tracking protocol separates the stores of an enclave
// from the reads of EWB. The stores below are ordinary ones, so ThreadSanitizer checks the
// protocol, and it checks the locks of CPUs and pages.

#include <atomic>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "inside.h"
#include "invariants.h"

using namespace sgx;

namespace {

constexpr unsigned kThreads = 3, kRounds = 1500;
constexpr u64 kHeap = 0x40000, kHeapPages = 6;

struct Shared {
	Machine m{MachineOptions{.epc_pages = 96, .ram_pages = 60}};
	std::unique_ptr<Enclave> e;
	std::atomic<unsigned> running{kThreads};
	std::array<std::array<u64, kHeapPages>, kThreads> counts{};

	Shared()
	{
		for (unsigned i = 0; i < kThreads + 3; i++)
			m.cpu(i).check_invariants = false; // snapshots would read memory that other threads write
		e = standard(m, {}, false);
		for (unsigned i = 0; i < kThreads; i++) {
			const u64 off = 0x80000 + i * 0x8000;
			e->add_tcs(off, {.ossa = off + kPage, .nssa = 2});
			for (u64 k = 1; k < 4; k++)
				e->add(off + k * kPage, REG | R | W, Page{}, false);
		}
		e->init();
		for (u64 i = 0; i < kHeapPages; i++) {
			e->aug(kHeap + i * kPage);
			EXPECT_RESULT(e->enter(1), done());
			EXPECT_RESULT(e->eaccept(1, kHeap + i * kPage, REG | R | W | PENDING), done());
			EXPECT_RESULT(e->exit(1), done());
		}
	}
	static u64 tcs(unsigned i) { return 0x80000 + i * 0x8000; }
};

/// Act as code in the enclave: translate an address, then store to it until the thread exits.
void worker(Shared &s, unsigned id)
{
	Cpu &c = s.m.cpu(1 + id);
	std::mt19937 rng(id + 1);
	const u64 secinfo = Shared::tcs(id) + 3 * kPage;
	for (unsigned round = 0; round < kRounds; round++) {
		const Result in = c.enclu(EENTER, s.e->lin(Shared::tcs(id)), 0x402000);
		if (in.outcome == SGX2_FAULT) {
			// The TCS or the SSA is blocked or evicted.
			ASSERT_EQ(in.fault.vector, PF);
			std::this_thread::yield();
			continue;
		}
		for (unsigned k = 0; k < 3; k++) {
			const u64 page = rng() % kHeapPages, off = kHeap + page * kPage;
			u32 rights = 0;
			sgx2_fault fault{};
			if (sgx2_tlb_check(c.get(), s.e->lin(off), s.m.epc_physical(s.e->epc(off)), SGX2_WRITE, true, &rights,
					   &fault) != SGX2_TLB_EPC)
				continue;
			const u64 value = s.e->peek<u64>(off + id * 64) + 1;
			s.e->poke(off + id * 64, value);
			s.counts[id][page]++;
		}
		if (rng() % 4 == 0) {
			s.e->poke<u64>(secinfo, X);
			const Result r = c.enclu(EMODPE, s.e->lin(secinfo), s.e->lin(kHeap));
			ASSERT_TRUE(r.outcome == SGX2_DONE || r.fault.vector == PF);
		}
		if (rng() % 3 == 0) {
			c.aex_interrupt();
			Result back;
			do {
				back = c.enclu(ERESUME, s.e->lin(Shared::tcs(id)), 0x402000);
				std::this_thread::yield();
			} while (back.outcome == SGX2_FAULT && back.fault.vector == PF);
			ASSERT_RESULT(back, done());
		}
		ASSERT_RESULT(c.enclu(EEXIT, 0x403000), done());
	}
	s.running--;
}

/// Act as the kernel's reclaimer: evict a page and load it to the same EPC page, so that the page
/// tables do not change.
void reclaimer(Shared &s)
{
	Cpu &c = s.m.cpu(0);
	std::mt19937 rng(99);
	Pager pager(s.m);
	Evicted out = evicted_buffers(s.m);
	unsigned evictions = 0, waits = 0;
	while (s.running) {
		const u64 off = rng() % 3 ? kHeap + rng() % kHeapPages * kPage :
					    Shared::tcs(rng() % kThreads) + rng() % 2 * kPage;
		const u64 page = s.e->epc(off);
		ASSERT_RESULT(c.encls(EBLOCK, 0, page), done());
		while (c.encls(ETRACK, 0, s.e->secs).rax() == PREV_TRK_INCMPL)
			std::this_thread::yield();
		Result r;
		do {
			r = pager.evict(page, out, pager.slot(rng() % 8));
			waits++;
			std::this_thread::yield();
		} while (r.rax() == NOT_TRACKED);
		ASSERT_RESULT(r, done());
		evictions++;
		ASSERT_RESULT(pager.load(ELDU, page, out, s.e->lin(off), s.e->secs), done());
	}
	EXPECT_GT(evictions, 0U);
	EXPECT_GE(waits, evictions);
}

/// Build and destroy other enclaves, and read the counters and the EPCM.
void other_enclaves(Shared &s)
{
	Cpu &c = s.m.cpu(kThreads + 1);
	const Buffer source = s.m.ram(), secinfo = s.m.ram(), info = s.m.ram();
	const u64 pages[] = {s.m.epc(), s.m.epc(), s.m.epc()};
	while (s.running) {
		Buffer b = source;
		b = Page{}.set<u64>(secs::SIZE, 0x10000)
			    .set<u64>(secs::BASE, 0x710000000000)
			    .set<u32>(secs::SSAFRAMESIZE, 1)
			    .set(secs::FLAGS, A_MODE64)
			    .set<u64>(secs::XFRM, X_X87_SSE);
		b = secinfo;
		b = Secinfo{};
		b = info;
		b = Pageinfo{}.set(pageinfo::SRCPGE, source.linear).set(pageinfo::SECINFO, secinfo.linear);
		ASSERT_RESULT(c.encls(ECREATE, info.linear, pages[0]), done());
		b = secinfo;
		b = Secinfo{}.set(0, REG | R);
		for (u64 i = 1; i < 3; i++) {
			b = info;
			b = Pageinfo{}
				    .set(pageinfo::LINADDR, 0x710000000000 + i * kPage)
				    .set(pageinfo::SRCPGE, source.linear)
				    .set(pageinfo::SECINFO, secinfo.linear)
				    .set(pageinfo::SECS, pages[0]);
			ASSERT_RESULT(c.encls(EADD, info.linear, pages[i]), done());
			ASSERT_RESULT(c.encls(EEXTEND, pages[0], pages[i]), done());
		}
		for (const u64 p : {pages[2], pages[1], pages[0]})
			ASSERT_RESULT(c.encls(EREMOVE, 0, p), done());
		std::size_t length = 0;
		const auto count = [](void *opaque, const char *, size_t n) {
			*static_cast<std::size_t *>(opaque) += n;
		};
		sgx2_epcm_json(s.m.get(), count, &length);
		sgx2_counters_json(s.m.get(), count, &length);
		ASSERT_GT(length, 2U);
		std::this_thread::yield();
	}
}

TEST(Threads, EvictionLosesNoStore)
{
	Shared s;
	// Machine::ram() and Machine::epc() are not thread-safe.
	std::vector<std::thread> all;
	std::thread other(other_enclaves, std::ref(s));
	while (s.m.counters().encls[EREMOVE][0] == 0)
		std::this_thread::yield();
	std::thread kernel(reclaimer, std::ref(s));
	for (unsigned i = 0; i < kThreads; i++)
		all.emplace_back(worker, std::ref(s), i);
	for (auto &t : all)
		t.join();
	kernel.join();
	other.join();
	EXPECT_EQ(violated_invariants(s.m), "");
	u64 total = 0;
	for (unsigned id = 0; id < kThreads; id++)
		for (u64 page = 0; page < kHeapPages; page++) {
			EXPECT_EQ(s.e->peek<u64>(kHeap + page * kPage + id * 64), s.counts[id][page]);
			total += s.counts[id][page];
		}
	EXPECT_GT(total, 0U);
	s.e->destroy();
}

TEST(Threads, EachCpuEntersEachEnclave)
{
	Machine m(MachineOptions{.epc_pages = 96, .ram_pages = 60});
	for (unsigned i = 0; i < 6; i++)
		m.cpu(i).check_invariants = false;
	std::vector<std::unique_ptr<Enclave>> enclaves;
	for (u64 i = 0; i < 3; i++)
		enclaves.push_back(standard(m, {.base = 0x700000000000 + i * 0x10000000}));
	std::atomic<unsigned> entries{0};
	std::vector<std::thread> all;
	for (unsigned id = 1; id < 4; id++)
		all.emplace_back([&, id] {
			Cpu &c = m.cpu(id);
			std::mt19937 rng(id);
			for (unsigned round = 0; round < 500; round++) {
				Enclave &e = *enclaves[rng() % 3];
				const Result r = c.enclu(EENTER, e.lin(rng() % 2 ? at::Tcs : at::Tcs2), 0x402000);
				if (r.outcome == SGX2_FAULT) {
					ASSERT_EQ(r.fault.vector, GP); // the TCS is active
					continue;
				}
				entries++;
				ASSERT_EQ(r.rax(), 0U);
				if (rng() % 8 == 0)
					std::this_thread::yield();
				ASSERT_RESULT(c.enclu(EEXIT, 0x403000), done());
			}
		});
	all.emplace_back([&] {
		for (unsigned i = 0; i < 300; i++) {
			const u64 n = m.cpu(0).encls(ETRACK, 0, enclaves[i % 3]->secs).rax();
			ASSERT_TRUE(n == 0 || n == PREV_TRK_INCMPL);
		}
	});
	for (auto &t : all)
		t.join();
	EXPECT_GT(entries, 0U);
	for (auto &e : enclaves) {
		EXPECT_RESULT(e->etrack(), done());
		EXPECT_RESULT(e->etrack(), done());
		e->destroy();
	}
	EXPECT_EQ(sgx2_epcm_valid(m.get()), 0U);
}

/// Execute the late-locking leaves on a few pages of one enclave. In any order of locks, each page
/// is counted once as a child, and the child count of the SECS is right.
TEST(Threads, LateLockingLeavesShareLock)
{
	constexpr unsigned kCpus = 4;
	Machine m(MachineOptions{.epc_pages = 64, .ram_pages = 60});
	for (unsigned i = 0; i <= kCpus; i++)
		m.cpu(i).check_invariants = false;
	const std::unique_ptr<Enclave> e = standard(m);
	std::array<u64, 4> pages{};
	for (u64 &page : pages)
		page = m.epc();
	std::array<Buffer, kCpus> secinfo{m.ram(), m.ram(), m.ram(), m.ram()}, info{m.ram(), m.ram(), m.ram(), m.ram()};
	std::atomic<unsigned> added{0}, removed{0};
	std::vector<std::thread> all;
	for (unsigned id = 0; id < kCpus; id++)
		all.emplace_back([&, id] {
			Cpu &c = m.cpu(1 + id);
			std::mt19937 rng(id);
			for (unsigned round = 0; round < 4000; round++) {
				const u64 number = rng() % pages.size(), page = pages[number];
				switch (rng() % 6) {
				case 0:
				case 1:
					info[id] = Pageinfo{}
							   .set(pageinfo::LINADDR, e->lin(kHeap + number * kPage))
							   .set(pageinfo::SECS, e->secs);
					added += c.encls(EAUG, info[id].linear, page).outcome == SGX2_DONE;
					break;
				case 2: {
					const Result r = c.encls(EREMOVE, 0, page);
					ASSERT_RESULT(r, done());
					removed++;
					break;
				}
				case 3:
					secinfo[id] = Secinfo{}.set(0, R);
					c.encls(EMODPR, secinfo[id].linear, page);
					break;
				case 4:
					secinfo[id] = Secinfo{}.set(0, TRIM);
					c.encls(EMODT, secinfo[id].linear, page);
					break;
				default:
					c.encls(EBLOCK, 0, page);
					// EREMOVE checks the record, which stays.
					ASSERT_RESULT(c.encls(EREMOVE, 0, e->secs), code(CHILD_PRESENT));
				}
			}
		});
	for (auto &t : all)
		t.join();
	EXPECT_GT(added, 0U);
	EXPECT_GE(removed, added - pages.size());
	EXPECT_EQ(violated_invariants(m), "");
	for (const u64 page : pages)
		EXPECT_RESULT(m.cpu(0).encls(EREMOVE, 0, page), done());
	e->destroy();
	EXPECT_EQ(sgx2_epcm_valid(m.get()), 0U);
}

/// Execute the leaves of ENCLS and ENCLU for EDMM at once on a few pages: threads inside accept,
/// extend, copy and translate while the system changes the pages, changes the rates of conflicts,
/// and reads counters and EPCM.
TEST(Threads, EnclsAndEncluEdmmShareLock)
{
	constexpr unsigned kInside = 3, kHeld = 4, kRepeats = 1200;
	Machine m(MachineOptions{.epc_pages = 96, .ram_pages = 60});
	for (unsigned i = 0; i <= kInside; i++)
		m.cpu(i).check_invariants = false;
	const std::unique_ptr<Enclave> e = standard(m, {}, false);
	for (unsigned i = 0; i < kInside; i++) {
		const u64 off = Shared::tcs(i);
		e->add_tcs(off, {.ossa = off + kPage, .nssa = 2});
		for (u64 k = 1; k < 4; k++)
			e->add(off + k * kPage, REG | R | W, Page{}, false);
	}
	e->init();
	for (u64 i = 0; i < kHeld; i++)
		e->aug(kHeap + i * kPage);
	const Buffer info = m.ram();
	std::atomic<unsigned> running{kInside};
	std::atomic<u64> accepted{0}, changed{0};
	std::vector<std::thread> all;
	for (unsigned id = 0; id < kInside; id++)
		all.emplace_back([&, id] {
			Cpu &c = m.cpu(1 + id);
			std::mt19937 rng(id);
			const u64 tcs = e->lin(Shared::tcs(id)), own = Shared::tcs(id) + 3 * kPage;
			// The loop ends when both sides have succeeded, whatever the host's
			// scheduling.
			for (unsigned round = 0; round < kRepeats || accepted == 0 || changed == 0; round++) {
				ASSERT_RESULT(c.enclu(EENTER, tcs, 0x402000), done());
				for (unsigned k = 0; k < 4; k++) {
					const u64 off = kHeap + rng() % kHeld * kPage, page = e->lin(off);
					const u64 flags[] = {REG | R | W | PENDING, REG | R | PR, REG | PR, TRIM | MODIFIED};
					u32 rights = 0;
					sgx2_fault fault{};
					switch (rng() % 4) {
					case 0:
						e->poke<u64>(own, X);
						c.enclu(EMODPE, e->lin(own), page);
						break;
					case 1:
						e->poke<u64>(own, REG | R | X);
						c.enclu(EACCEPTCOPY, e->lin(own), page, e->lin(own));
						break;
					case 2:
						sgx2_tlb_check(c.get(), page, m.epc_physical(e->epc(off)), SGX2_READ, true,
							       &rights, &fault);
						break;
					default:
						e->poke<u64>(own, flags[rng() % std::size(flags)]);
						const Result r = c.enclu(EACCEPT, e->lin(own), page);
						accepted += r.outcome == SGX2_DONE && r.rax() == 0;
					}
				}
				if (round % 3 == 0) {
					c.aex_interrupt();
					ASSERT_RESULT(c.enclu(ERESUME, tcs, 0x402000), done());
				}
				ASSERT_RESULT(c.enclu(EEXIT, 0x403000), done());
			}
			running--;
		});
	all.emplace_back([&] {
		std::mt19937 rng(7);
		while (running) {
			const u64 off = kHeap + rng() % kHeld * kPage;
			switch (rng() % 6) {
			case 0:
			case 1:
				changed += e->emodpr(off, rng() % 2 ? R : 0).rax() == 0;
				break;
			case 2:
				changed += e->emodt(off, PT_TRIM).rax() == 0;
				break;
			case 3:
				e->etrack();
				break;
			case 4:
				// After the trim has been accepted, remove the page and add
				// another.
				if (e->entry(off).type == PT_TRIM && e->eremove(off).rax() == 0) {
					info.set(pageinfo::LINADDR, e->lin(off));
					info.set(pageinfo::SECS, e->secs);
					m.cpu(0).encls(EAUG, info.linear, e->epc(off));
				}
				break;
			default:
				e->edbgrd(off);
			}
			std::this_thread::yield();
		}
	});
	all.emplace_back([&] {
		sgx2_injection inj{};
		while (running) {
			inj.encls[EMODPR] = inj.encls[EMODPR] ? 0 : 300000;
			inj.enclu[EACCEPT] = inj.encls[EMODPR] / 3;
			sgx2_machine_inject(m.get(), &inj);
			sgx2_epcm_entry entry;
			for (u64 i = 0; sgx2_epcm_get(m.get(), i, &entry); i++)
				ASSERT_LE(entry.type, PT_TRIM);
			ASSERT_GE(m.counters().encls[EADD][0], 1U);
			ASSERT_LE(sgx2_epcm_valid(m.get()), 96U);
			std::this_thread::yield();
		}
	});
	for (auto &t : all)
		t.join();
	EXPECT_GT(accepted, 0U);
	EXPECT_GT(changed, 0U);
	EXPECT_EQ(violated_invariants(m), "");
	const sgx2_injection none{};
	sgx2_machine_inject(m.get(), &none);
	for (u64 i = 0; i < kHeld; i++)
		if (!m.entry(e->epc(kHeap + i * kPage)).valid)
			e->pages.erase(kHeap + i * kPage);
	e->destroy();
	EXPECT_EQ(sgx2_epcm_valid(m.get()), 0U);
}

} // namespace
