// SPDX-License-Identifier: GPL-2.0
// Random leaves and exits on several CPUs and enclaves. The oracle predicts each result, and the
// EPCM is compared after each call.

#include <algorithm>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "invariants.h"
#include "oracle.h"

using namespace sgx;

namespace {

constexpr std::size_t kCpus = 4, kEnclaves = 3, kPages = 44;
constexpr u64 kSize = 0x10000;

struct Stored {
	Oracle::Blob blob;
	Page content, plain;
	Pcmd tag;
	u64 linear = 0; // as EWB reported it
	std::size_t va = 0;
	unsigned slot = 0;
};

class RandomMachine {
public:
	explicit RandomMachine(u64 seed) : rng_(seed)
	{
		for (std::size_t i = 0; i <= kCpus; i++) {
			m.cpu(i).compare_memory = false;
		}
	}

	void step();
	void check()
	{
		ASSERT_EQ(o.compare(), "");
		std::map<u64, std::pair<u64, u64>> ranges;
		for (const auto &[id, e] : o.enclaves)
			if (e.exists)
				ranges[e.eid] = {e.base, e.size};
		ASSERT_EQ(violated_invariants(m, ranges), "");
		for (std::size_t c = 1; c <= kCpus; c++) {
			const auto &t = o.threads[c];
			u64 base = 0, size = 0;
			ASSERT_EQ(m.cpu(c).inside(), t.enclave >= 0);
			if (sgx2_elrange(m.cpu(c).get(), &base, &size)) {
				ASSERT_EQ(base, o.enclaves[t.enclave].base);
				ASSERT_GE(o.enclaves[t.enclave].secs, 0) << "a CPU is inside an enclave that has been removed";
			}
		}
	}
	void finish();

	Machine m{MachineOptions{.epc_pages = kPages}};
	Oracle o{m, kCpus + 1};
	std::map<std::string, u64> seen; // count of each result of each leaf

private:
	u64 random(u64 n) { return std::uniform_int_distribution<u64>(0, n - 1)(rng_); }
	bool chance(unsigned percent) { return random(100) < percent; }
	u64 lin(std::size_t p) const { return m.epc_linear(p); }
	std::size_t any_page() { return random(kPages); }
	std::size_t page_where(const std::function<bool(const Oracle::Page &)> &good)
	{
		std::vector<std::size_t> list;
		for (std::size_t i = 0; i < kPages; i++)
			if (good(o.pages[i]))
				list.push_back(i);
		return list.empty() || chance(3) ? any_page() : list[random(list.size())];
	}
	std::size_t of_type(u8 t)
	{
		return page_where([t](const auto &p) { return p.valid && p.type == t; });
	}
	std::size_t free_page()
	{
		return page_where([](const auto &p) { return !p.valid; });
	}
	/// Return a page of an enclave, most often of its heap, so that its threads survive.
	std::size_t child()
	{
		const bool heap = chance(94);
		return page_where([heap](const auto &p) {
			return p.valid && p.type != PT_SECS && p.type != PT_VA && (!heap || p.linear % kSize >= 6 * kPage);
		});
	}
	std::size_t count(u8 t) const
	{
		return static_cast<std::size_t>(
			std::count_if(o.pages.begin(), o.pages.end(), [t](const auto &p) { return p.valid && p.type == t; }));
	}
	/// Return an address of that CPU's enclave, one that has a page if there is any.
	u64 target_of(std::size_t cpu, std::size_t slot)
	{
		const int id = o.threads[cpu].enclave;
		const std::size_t p = page_where([id](const auto &g) {
			return g.valid && g.enclave == id && g.type != PT_SECS && g.linear % kSize >= 6 * kPage;
		});
		return id >= 0 && o.pages[p].enclave == id && o.pages[p].type != PT_SECS && chance(85) ? o.pages[p].linear :
													 address(slot);
	}
	u64 base(std::size_t slot) const { return 0x10000000 * (slot + 1); }
	u64 address(std::size_t slot) { return base(slot) + random(kSize / kPage + (chance(2) ? 2 : 0)) * kPage; }
	std::size_t slot_of(std::size_t cpu)
	{
		for (std::size_t i = 0; i < kEnclaves; i++)
			if (o.threads[cpu].enclave >= 0 && current_[i] == o.threads[cpu].enclave)
				return i;
		return random(kEnclaves);
	}
	void map(u64 linear, std::size_t p) { m.map(linear, {m.epc_physical(lin(p))}); }

	void same(const char *leaf, const Result &r, const Expected &a)
	{
		ASSERT_RESULT(r, a) << leaf;
		std::string what = leaf;
		if (a.kind == Expected::Fault)
			what += " fault " + std::to_string(a.vector);
		else
			what += ' ' + std::to_string(a.code);
		seen[what]++;
	}

	void build(std::size_t slot);
	void evict();
	void load();
	void kernel(unsigned which);
	void user(unsigned which, std::size_t cpu);
	void poke_secinfo(std::size_t cpu, u64 secinfo, u64 flags);
	Result add(std::size_t p, std::size_t secs, u64 linear, u64 flags, const Page &content);

	std::mt19937_64 rng_;
	int next_ = 0;
	std::array<int, kEnclaves> current_{-1, -1, -1};
	std::array<Measurement, kEnclaves> measures_;
	std::vector<Stored> stored_;
	Buffer info_ = m.ram(), secinfo_ = m.ram(), source_ = m.ram(), tag_ = m.ram(), sig_ = m.ram(), token_ = m.ram();
};

Result RandomMachine::add(std::size_t p, std::size_t secs, u64 linear, u64 flags, const Page &content)
{
	source_ = content;
	secinfo_ = Secinfo{}.set(0, flags);
	info_ = Pageinfo{}
			.set(pageinfo::LINADDR, linear)
			.set(pageinfo::SRCPGE, source_.linear)
			.set(pageinfo::SECINFO, secinfo_.linear)
			.set(pageinfo::SECS, lin(secs));
	return m.cpu(0).encls(EADD, info_.linear, lin(p));
}

/// Build a new enclave in a free slot, as far as there are pages.
void RandomMachine::build(std::size_t slot)
{
	const int id = next_;
	const std::size_t secs = free_page();
	source_ = Page{}.set(secs::SIZE, kSize)
			  .set(secs::BASE, base(slot))
			  .set<u32>(secs::SSAFRAMESIZE, 1)
			  .set(secs::FLAGS, A_MODE64 | A_DEBUG)
			  .set<u64>(secs::XFRM, X_X87_SSE);
	secinfo_ = Secinfo{};
	info_ = Pageinfo{}.set(pageinfo::SRCPGE, source_.linear).set(pageinfo::SECINFO, secinfo_.linear);
	const Expected a = o.ecreate(secs, id, base(slot), kSize);
	same("ECREATE", m.cpu(0).encls(ECREATE, info_.linear, lin(secs)), a);
	if (a.kind != Expected::Done || testing::Test::HasFailure())
		return;
	next_++;
	current_[slot] = id;
	o.enclaves[id].eid = m.entry(lin(secs)).enclave;
	measures_[slot] = {};
	measures_[slot].ecreate(1, kSize);
	struct Plan {
		u64 page, flags, ossa;
		u32 nssa;
	};
	const Plan plan[] = {{0, TCS, 0x2000, 2},    {1, TCS, 0x4000, 1},    {2, REG | R | W, 0, 0},	  {3, REG | R | W, 0, 0},
			     {4, REG | R | W, 0, 0}, {5, REG | R | W, 0, 0}, {6, REG | R | W, 0x4000, 1}, {7, REG | R | X, 0, 0}};
	for (const Plan &k : plan) {
		const std::size_t p = free_page();
		const u64 at_linear = base(slot) + k.page * kPage;
		Page content;
		if (k.nssa)
			content = tcs_page({.ossa = k.ossa, .nssa = k.nssa});
		const Expected added = o.eadd(p, secs, at_linear, k.flags, {0, k.nssa, k.ossa, false});
		same("EADD", add(p, secs, at_linear, k.flags, content), added);
		if (added.kind == Expected::Done) {
			measures_[slot].eadd(k.page * kPage, k.flags);
			map(at_linear, p);
		}
	}
}

void RandomMachine::evict()
{
	Stored s;
	const std::size_t p = chance(70) ? page_where([](const auto &g) { return g.valid && g.blocked; }) : any_page();
	s.va = of_type(PT_VA);
	s.slot = static_cast<unsigned>(random(6));
	info_ = Pageinfo{}.set(pageinfo::SRCPGE, source_.linear).set(pageinfo::SECINFO, tag_.linear);
	const bool was_regular = o.pages[p].type == PT_REG;
	const u64 before = o.pages[p].linear;
	std::memcpy(s.plain.b.data(), m.epc_host(lin(p)), kPage);
	const Expected a = o.ewb(p, s.va, s.slot, s.blob);
	same("EWB", m.cpu(0).encls(EWB, info_.linear, lin(p), lin(s.va) + s.slot * 8), a);
	if (a.kind != Expected::Done && a.kind != Expected::Info)
		return;
	s.linear = info_.get<u64>(pageinfo::LINADDR);
	if (was_regular) {
		ASSERT_EQ(s.linear, before);
	}
	source_.load(s.content);
	tag_.load(s.tag);
	if (stored_.size() < 16)
		stored_.push_back(s);
	else
		stored_[random(stored_.size())] = s;
}

void RandomMachine::load()
{
	if (stored_.empty())
		return;
	const std::size_t which = random(stored_.size());
	Stored s = stored_[which];
	const bool child = s.blob.page.type != PT_SECS && s.blob.page.type != PT_VA;
	std::size_t secs = of_type(PT_SECS);
	if (child && chance(85) && o.enclaves[s.blob.page.enclave].secs >= 0)
		secs = static_cast<std::size_t>(o.enclaves[s.blob.page.enclave].secs);
	if (chance(4))
		s.slot ^= 1;
	if (chance(3))
		s.va = any_page();
	bool intact = true;
	u64 linear = s.linear;
	if (chance(5)) {
		intact = false;
		if (chance(50))
			s.content.b[random(kPage)] ^= 1;
		else
			linear += kPage;
	}
	const std::size_t p = free_page();
	const bool block = chance(30);
	source_ = s.content;
	std::memcpy(tag_.host, s.tag.b.data(), 128);
	info_ = Pageinfo{}
			.set(pageinfo::LINADDR, linear)
			.set(pageinfo::SRCPGE, source_.linear)
			.set(pageinfo::SECINFO, tag_.linear)
			.set<u64>(pageinfo::SECS, child ? lin(secs) : 0);
	const Expected a = o.eld(block, p, s.va, s.slot, s.blob, secs, s.blob.page.linear, intact);
	const u32 leaf = (block ? ELDB : ELDU) + (chance(20) ? ELDBC - ELDB : 0);
	same("ELD", m.cpu(0).encls(leaf, info_.linear, lin(p), lin(s.va) + s.slot * 8), a);
	if (a.kind != Expected::Done)
		return;
	if (s.blob.page.type == PT_REG) {
		ASSERT_EQ(std::memcmp(s.plain.b.data(), m.epc_host(lin(p)), kPage), 0);
	}
	if (child)
		map(s.linear, p);
	if (chance(80))
		stored_.erase(stored_.begin() + static_cast<std::ptrdiff_t>(which)); // otherwise the page is kept, for a replay
}

void RandomMachine::kernel(unsigned which)
{
	Cpu &c = m.cpu(0);
	const std::size_t p = chance(85) ? child() : any_page();
	switch (which) {
	case 0: {
		const std::size_t slot = random(kEnclaves);
		if (current_[slot] < 0 || !o.enclaves[current_[slot]].exists ||
		    (o.enclaves[current_[slot]].secs < 0 && chance(10)))
			build(slot);
		break;
	}
	case 1: {
		// EINIT of the enclave as it was built; the test has measured it.
		const std::size_t slot = random(kEnclaves);
		if (current_[slot] < 0 || o.enclaves[current_[slot]].secs < 0)
			break;
		const auto secs = static_cast<std::size_t>(o.enclaves[current_[slot]].secs);
		Sigstruct s = sigstruct_template();
		s.put(sig::ENCLAVEHASH, measures_[slot].digest());
		sign(s);
		sig_ = s;
		token_ = Token{};
		const Digest d = mrsigner(Signer::One);
		std::memcpy(c.regs.lepubkeyhash, d.data(), d.size());
		same("EINIT", c.encls(EINIT, sig_.linear, lin(secs), token_.linear), o.einit(secs));
		break;
	}
	case 2: {
		const std::size_t slot = random(kEnclaves), secs = of_type(PT_SECS), to = free_page();
		u64 linear = address(slot);
		if (o.pages[secs].valid && o.pages[secs].type == PT_SECS && chance(95))
			linear = o.enclaves[o.pages[secs].enclave].base + (8 + random(8)) * kPage;
		info_ = Pageinfo{}.set(pageinfo::LINADDR, linear).set(pageinfo::SECS, lin(secs));
		const Expected a = o.eaug(to, secs, linear);
		same("EAUG", c.encls(EAUG, info_.linear, lin(to)), a);
		if (a.kind == Expected::Done)
			map(linear, to);
		break;
	}
	case 3: {
		const std::size_t to = free_page();
		if (count(PT_VA) < 3 || chance(5))
			same("EPA", c.encls(EPA, PT_VA, lin(to)), o.epa(to));
		break;
	}
	case 4: {
		// Rare, so that enclaves exist for a while.
		const std::size_t victim = chance(80) ? page_where([](const auto &g) { return g.valid && g.type == PT_TRIM; }) :
							any_page();
		if (chance(o.pages[victim].type == PT_TRIM || o.pages[victim].linear % kSize >= 6 * kPage ? 60 : 15))
			same("EREMOVE", c.encls(EREMOVE, 0, lin(victim)), o.eremove(victim));
		break;
	}
	case 5:
		same("EBLOCK", c.encls(EBLOCK, 0, lin(p)), o.eblock(p));
		break;
	case 6: {
		const std::size_t s = chance(95) ? of_type(PT_SECS) : any_page();
		const bool any = chance(30);
		const std::size_t target = any && chance(50) ? any_page() : s;
		same("ETRACK", c.encls(any ? ETRACKC : ETRACK, 0, lin(target)), o.etrack(target, any));
		break;
	}
	case 7: {
		const u64 rwx = random(8);
		secinfo_ = Secinfo{}.set(0, rwx | random(7) << SECINFO_TYPE_SHIFT);
		same("EMODPR", c.encls(EMODPR, secinfo_.linear, lin(p)), o.emodpr(p, rwx));
		break;
	}
	case 8: {
		const u64 t = chance(95) ? u64{chance(60) ? PT_TRIM : PT_TCS} : random(7);
		secinfo_ = Secinfo{}.set(0, t << SECINFO_TYPE_SHIFT | random(8));
		same("EMODT", c.encls(EMODT, secinfo_.linear, lin(p)), o.emodt(p, t));
		break;
	}
	case 9:
	case 10:
		evict();
		break;
	case 11:
	case 12:
		load();
		break;
	case 13: {
		const auto off = static_cast<unsigned>(random(20)) * 8;
		same("EDBGRD", c.encls(EDBGRD, 0, lin(p) + off), o.edbgrd(p, off));
		break;
	}
	case 14: {
		// A stale or wrong mapping.
		if (chance(8)) {
			const u64 linear = address(random(kEnclaves));
			if (chance(50))
				m.unmap(linear);
			else
				map(linear, any_page());
		} else { // Restore the mapping.
			for (std::size_t i = 0; i < kPages; i++)
				if (o.pages[i].valid && o.pages[i].type != PT_SECS && o.pages[i].type != PT_VA)
					map(o.pages[i].linear, i);
		}
		break;
	}
	default: {
		const std::size_t secs = of_type(PT_SECS), to = free_page();
		const u64 linear = address(random(kEnclaves));
		const u64 flags = REG | (chance(50) ? R | W : R);
		const Expected a = o.eadd(to, secs, linear, flags, {});
		same("EADD", add(to, secs, linear, flags, Page{}), a);
		if (a.kind == Expected::Done) {
			for (std::size_t i = 0; i < kEnclaves; i++)
				if (current_[i] == o.pages[to].enclave)
					measures_[i].eadd(linear - base(i), flags);
			map(linear, to);
		}
		break;
	}
	}
}

void RandomMachine::poke_secinfo(std::size_t cpu, u64 secinfo, u64 flags)
{
	if (!o.can_access(cpu, secinfo, R))
		return;
	u8 *at_host = m.epc_host(lin((m.pte(secinfo)->physical - kEpcPhysical) / kPage)) + secinfo % kPage;
	std::memset(at_host, 0, 64);
	std::memcpy(at_host, &flags, sizeof(flags));
}

void RandomMachine::user(unsigned which, std::size_t cpu)
{
	Cpu &c = m.cpu(cpu);
	const std::size_t slot = slot_of(cpu);
	const u64 tcs = chance(80) ? base(slot) + random(2) * kPage : chance(50) ? base(slot) + 6 * kPage : address(slot);
	const u64 secinfo = (chance(95) ? base(slot) + 5 * kPage : address(slot)) + 0x800;
	const u64 target = target_of(cpu, slot);
	switch (which) {
	case 0:
	case 1:
		same("EENTER", c.enclu(EENTER, tcs, 0x402000), o.eenter(cpu, tcs));
		break;
	case 2:
		same("ERESUME", c.enclu(ERESUME, tcs, 0x402000), o.eresume(cpu, tcs));
		break;
	case 3:
		same("EEXIT", c.enclu(EEXIT, 0x403000), o.eexit(cpu));
		break;
	case 4:
		c.aex_exception(static_cast<u8>(random(20)), 4, random(1U << 30));
		o.aex(cpu);
		break;
	case 5:
		same("EDECCSSA", c.enclu(EDECCSSA), o.edeccssa(cpu));
		break;
	case 6:
	case 7: {
		if (o.threads[cpu].enclave < 0 || target - base(slot) >= kSize)
			break;
		u64 flags = random(8) | (PENDING << random(3)) | REG;
		if (const Pte *pte = m.pte(target); pte && chance(80)) {
			const auto &g = o.pages[(pte->physical - kEpcPhysical) / kPage];
			flags = g.rwx | (g.pending ? PENDING : 0) | (g.modified ? MODIFIED : 0) | (g.pr ? PR : 0) |
				u64{g.type} << SECINFO_TYPE_SHIFT;
		}
		poke_secinfo(cpu, secinfo, flags);
		if (secinfo - 0x800 - base(slot) >= kSize)
			break;
		same("EACCEPT", c.enclu(EACCEPT, secinfo, target), o.eaccept(cpu, secinfo, flags, target));
		break;
	}
	case 8: {
		const u64 from = chance(80) ? base(slot) + 5 * kPage : address(slot), flags = REG | random(8);
		if (o.threads[cpu].enclave < 0 || target - base(slot) >= kSize || from - base(slot) >= kSize ||
		    secinfo - base(slot) >= kSize)
			break;
		poke_secinfo(cpu, secinfo, flags);
		same("EACCEPTCOPY", c.enclu(EACCEPTCOPY, secinfo, target, from),
		     o.eacceptcopy(cpu, secinfo, flags, target, from));
		break;
	}
	case 9: {
		const u64 flags = random(8);
		if (o.threads[cpu].enclave < 0 || target - base(slot) >= kSize || secinfo - base(slot) >= kSize)
			break;
		poke_secinfo(cpu, secinfo, flags);
		same("EMODPE", c.enclu(EMODPE, secinfo, target), o.emodpe(cpu, secinfo, flags, target));
		break;
	}
	default: {
		const std::size_t p = any_page();
		const u64 linear = chance(70) && o.pages[p].valid ? o.pages[p].linear : target;
		const auto a = static_cast<sgx2_access>(1U << random(3));
		u32 want = 0, got = 0;
		sgx2_fault f{};
		const auto verdict = o.tlb(cpu, linear, p, a, want);
		ASSERT_EQ(sgx2_tlb_check(c.get(), linear, m.epc_physical(lin(p)), a, true, &got, &f), verdict);
		if (verdict == SGX2_TLB_EPC) {
			ASSERT_EQ(got, want);
		}
		seen["TLB " + std::to_string(verdict)]++;
		break;
	}
	}
}

void RandomMachine::step()
{
	if (chance(50)) {
		kernel(static_cast<unsigned>(random(16)));
		return;
	}
	const std::size_t cpu = 1 + random(kCpus);
	const bool inside = o.threads[cpu].enclave >= 0;
	if (chance(10))
		user(static_cast<unsigned>(random(11)), cpu);
	else
		user(static_cast<unsigned>(inside ? 3 + random(8) : random(3)), cpu);
}

void RandomMachine::finish()
{
	for (std::size_t c = 1; c <= kCpus; c++) {
		m.cpu(c).aex_interrupt();
		o.aex(c);
	}
	for (int pass = 0; pass < 2; pass++)
		for (std::size_t p = 0; p < kPages; p++)
			same("EREMOVE", m.cpu(0).encls(EREMOVE, 0, lin(p)), o.eremove(p));
	EXPECT_EQ(sgx2_epcm_valid(m.get()), 0U);
}

class Random : public testing::TestWithParam<u64> {};

TEST_P(Random, LeavesReturnPredictedResults)
{
	RandomMachine w(GetParam());
	for (unsigned i = 0; i < 4000 && !HasFailure(); i++) {
		SCOPED_TRACE(i);
		w.step();
		w.check();
	}
	w.finish();
	w.check();
}

/// Return the number of seeds, which SGX2_SEEDS in the environment can raise.
u64 seeds()
{
	const char *n = std::getenv("SGX2_SEEDS"); // NOLINT(concurrency-mt-unsafe)
	return n ? std::strtoull(n, nullptr, 0) : 12;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Random, testing::Range<u64>(1, 1 + seeds()));

/// Check that the random sequences of LeavesReturnPredictedResults reach the rare results.
TEST(RandomWalk, CoversRareResults)
{
	std::map<std::string, u64> seen;
	for (u64 seed = 100; seed < 104; seed++) {
		RandomMachine w(seed);
		for (unsigned i = 0; i < 5000 && !HasFailure(); i++)
			w.step();
		for (const auto &[what, n] : w.seen)
			seen[what] += n;
	}
	for (const char *what : {"ECREATE 0",
				 "EADD 0",
				 "EADD fault 13",
				 "EINIT 0",
				 "EAUG 0",
				 "EPA 0",
				 "EREMOVE 0",
				 "EREMOVE 13",
				 "EREMOVE 14",
				 "EBLOCK 0",
				 "EBLOCK 3",
				 "ETRACK 0",
				 "ETRACK 17",
				 "EMODPR 0",
				 "EMODPR 20",
				 "EMODPR fault 14",
				 "EMODT 0",
				 "EMODT 20",
				 "EMODT fault 14",
				 "EWB 0",
				 "EWB 10",
				 "EWB 11",
				 "EWB 12",
				 "ELD 0",
				 "ELD 9",
				 "ELD fault 14",
				 "EENTER 0",
				 "EENTER fault 13",
				 "EENTER fault 14",
				 "ERESUME 0",
				 "EEXIT 0",
				 "EDECCSSA 0",
				 "EACCEPT 0",
				 "EACCEPT 11",
				 "EACCEPT 19",
				 "EACCEPT fault 13",
				 "EACCEPT fault 14",
				 "EACCEPTCOPY 0",
				 "EACCEPTCOPY 19",
				 "EMODPE 0",
				 "EMODPE fault 14",
				 "TLB 1",
				 "TLB 2",
				 "TLB 3"})
		EXPECT_GT(seen[what], 0U) << what;
	if (HasFailure()) {
		for (const auto &[what, n] : seen)
			std::printf("%8llu %s\n", static_cast<unsigned long long>(n), what.c_str());
	}
}

} // namespace
