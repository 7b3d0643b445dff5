// SPDX-License-Identifier: GPL-2.0
// The second implementation: each leaf as its list of checks in Documentation/isa.rst.

#include "oracle.h"

#include <algorithm>

namespace sgx {

namespace {

bool is_done(const Expected &a)
{
	return a.kind == Expected::Done;
}

Expected unmapped(u64 linear, u32 error)
{
	Expected a = pf(linear, error);
	a.error_mask = ~2U;
	return a;
}

bool bad_rights(u64 flags)
{
	return (flags & (R | W)) == W;
}

bool child_type(u8 t)
{
	return t == PT_REG || t == PT_TCS || t == PT_TRIM;
}

} // namespace

int Oracle::resolve(u64 linear) const
{
	const Pte *pte = m_.pte(linear);
	if (!pte || pte->physical < kEpcPhysical)
		return -1;
	return static_cast<int>((pte->physical - kEpcPhysical) / kPage);
}

std::size_t Oracle::children(int enclave) const
{
	return static_cast<std::size_t>(std::count_if(
		pages.begin(), pages.end(), [&](const Page &p) { return p.valid && p.enclave == enclave && p.type != PT_SECS; }));
}

bool Oracle::tracked(const Page &p) const
{
	if (p.stamp == 0)
		return true;
	for (const Cycle &c : enclaves.at(p.enclave).cycles)
		if (c.when > p.stamp)
			return c.remaining.empty();
	return false;
}

bool Oracle::usable(const Page &p, int enclave, u64 linear) const
{
	return p.valid && !p.blocked && !p.pending && !p.modified && p.type == PT_REG && p.enclave == enclave &&
	       p.linear == linear;
}

/// Take the versions in the slots of a VA page, which move with the page.
std::map<unsigned, u64> Oracle::take_slots(std::size_t va)
{
	std::map<unsigned, u64> out;
	for (auto it = slots.begin(); it != slots.end();) {
		if (it->first.first == va) {
			out[it->first.second] = it->second;
			it = slots.erase(it);
		} else {
			++it;
		}
	}
	return out;
}

Expected Oracle::ecreate(std::size_t p, int enclave, u64 base, u64 size)
{
	if (pages[p].valid)
		return epcm(kernel(p));
	pages[p] = {.valid = true, .type = PT_SECS, .enclave = enclave};
	enclaves[enclave] = {.exists = true, .secs = static_cast<int>(p), .base = base, .size = size};
	return done();
}

Expected Oracle::eadd(std::size_t p, std::size_t secs, u64 linear, u64 flags, const Tcs &tcs)
{
	if (pages[p].valid)
		return epcm(kernel(p));
	const Page s = pages[secs];
	if (!s.valid || s.type != PT_SECS)
		return epcm(kernel(secs));
	const Owner &o = enclaves.at(s.enclave);
	if (linear < o.base || linear - o.base >= o.size || o.init)
		return gp();
	const u8 t = static_cast<u8>(flags >> 8);
	pages[p] = {
		.valid = true, .type = t, .rwx = t == PT_TCS ? 0 : flags & 7, .linear = linear, .enclave = s.enclave, .tcs = tcs};
	return done();
}

Expected Oracle::einit(std::size_t secs)
{
	const Page &s = pages[secs];
	if (!s.valid || s.type != PT_SECS)
		return epcm(kernel(secs));
	Owner &o = enclaves.at(s.enclave);
	if (o.init)
		return gp();
	o.init = true;
	return done();
}

Expected Oracle::eaug(std::size_t p, std::size_t secs, u64 linear)
{
	if (pages[p].valid)
		return epcm(kernel(p));
	const Page s = pages[secs];
	if (!s.valid || s.type != PT_SECS)
		return epcm(kernel(secs));
	const Owner &o = enclaves.at(s.enclave);
	if (!o.init || linear < o.base || linear - o.base >= o.size)
		return gp();
	pages[p] = {.valid = true, .pending = true, .type = PT_REG, .rwx = R | W, .linear = linear, .enclave = s.enclave};
	return done();
}

Expected Oracle::epa(std::size_t p)
{
	if (pages[p].valid)
		return epcm(kernel(p));
	pages[p] = {.valid = true, .type = PT_VA};
	return done();
}

Expected Oracle::eremove(std::size_t p)
{
	Page &g = pages[p];
	if (!g.valid)
		return done();
	if (g.type == PT_SECS) {
		if (children(g.enclave))
			return code(CHILD_PRESENT);
		enclaves.at(g.enclave).exists = false;
		enclaves.at(g.enclave).secs = -1;
	} else if (g.type != PT_VA && !(g.type == PT_TRIM && !g.modified) && !enclaves.at(g.enclave).inside.empty()) {
		return code(ENCLAVE_ACT);
	}
	take_slots(p);
	g = {};
	return done();
}

Expected Oracle::eblock(std::size_t p)
{
	Page &g = pages[p];
	if (!g.valid)
		return code(PG_INVLD);
	if (!child_type(g.type))
		return info(g.type == PT_SECS ? PG_IS_SECS : NOTBLOCKABLE);
	if (g.blocked)
		return info(BLKSTATE);
	g.blocked = true;
	g.stamp = ++clock_;
	return done();
}

Expected Oracle::etrack(std::size_t p, bool any_page)
{
	const Page &g = pages[p];
	if (!g.valid)
		return any_page ? code(PG_INVLD) : epcm(kernel(p));
	if (g.type == PT_VA && any_page)
		return info(TRACK_NOT_REQUIRED);
	if (g.type != PT_SECS && !any_page)
		return epcm(kernel(p));
	Owner &o = enclaves.at(g.enclave);
	if (!o.cycles.empty() && !o.cycles.back().remaining.empty())
		return code(PREV_TRK_INCMPL);
	o.cycles.push_back({++clock_, o.inside});
	return done();
}

Expected Oracle::emodpr(std::size_t p, u64 rwx)
{
	Page &g = pages[p];
	if (bad_rights(rwx))
		return gp();
	if (!g.valid)
		return epcm(kernel(p));
	if (g.pending || g.modified)
		return code(PAGE_NOT_MODIFIABLE);
	if (g.type != PT_REG)
		return epcm(kernel(p));
	if (!enclaves.at(g.enclave).init)
		return gp();
	g.pr = true;
	g.rwx &= rwx;
	g.stamp = ++clock_;
	return done();
}

Expected Oracle::emodt(std::size_t p, u64 t)
{
	Page &g = pages[p];
	if (t != PT_TCS && t != PT_TRIM)
		return gp();
	if (!g.valid || !(g.type == PT_REG || (g.type == PT_TCS && t == PT_TRIM)))
		return epcm(kernel(p));
	if (g.pending || g.modified)
		return code(PAGE_NOT_MODIFIABLE);
	if (!enclaves.at(g.enclave).init)
		return gp();
	g.pr = false;
	g.modified = true;
	g.rwx = 0;
	g.type = static_cast<u8>(t);
	g.stamp = ++clock_;
	return done();
}

Expected Oracle::ewb(std::size_t p, std::size_t va, unsigned slot, Blob &out)
{
	Page &g = pages[p];
	if (p == va)
		return gp();
	if (!g.valid)
		return epcm(kernel(p));
	if (!pages[va].valid || pages[va].type != PT_VA)
		return epcm(kernel(va) + slot * 8);
	if (child_type(g.type)) {
		if (!g.blocked)
			return code(PAGE_NOT_BLOCKED);
		if (!tracked(g))
			return code(NOT_TRACKED);
	} else if (g.type == PT_SECS) {
		if (children(g.enclave))
			return code(CHILD_PRESENT);
		enclaves.at(g.enclave).secs = -1;
	}
	const bool occupied = slots.count({va, slot}) != 0;
	out = {g, ++version_, take_slots(p)};
	slots[{va, slot}] = out.version;
	g = {};
	return occupied ? info(VA_SLOT_OCCUPIED) : done();
}

Expected Oracle::eld(bool block, std::size_t p, std::size_t va, unsigned slot, const Blob &b, std::size_t secs, u64 linear,
		     bool intact)
{
	if (pages[p].valid)
		return epcm(kernel(p));
	if (!pages[va].valid || pages[va].type != PT_VA)
		return epcm(kernel(va) + slot * 8);
	int enclave = b.page.enclave;
	if (child_type(b.page.type)) {
		const Page &s = pages[secs];
		if (!s.valid || s.type != PT_SECS)
			return epcm(kernel(secs));
		enclave = s.enclave;
	}
	const auto it = slots.find({va, slot});
	if (it == slots.end() || it->second != b.version || linear != b.page.linear || enclave != b.page.enclave || !intact)
		return code(MAC_COMPARE_FAIL);
	slots.erase(it);
	pages[p] = b.page;
	pages[p].stamp = 0;
	pages[p].blocked = block && child_type(b.page.type);
	for (const auto &[n, version] : b.slots)
		slots[{p, n}] = version;
	if (b.page.type == PT_SECS)
		enclaves.at(enclave).secs = static_cast<int>(p);
	return done();
}

Expected Oracle::edbgrd(std::size_t p, unsigned offset)
{
	const Page &g = pages[p];
	if (!g.valid || (g.type != PT_REG && g.type != PT_TCS && g.type != PT_VA))
		return epcm(kernel(p) + offset);
	if (g.pending || g.modified)
		return code(PAGE_NOT_DEBUGGABLE);
	return g.type == PT_TCS && offset >= 72 ? gp() : done();
}

Expected Oracle::frame(int enclave, const Tcs &t, u32 n) const
{
	const u64 linear = enclaves.at(enclave).base + t.ossa + u64{n} * kPage;
	const int p = resolve(linear);
	if (p < 0)
		return unmapped(linear, 4);
	const Page &g = pages[static_cast<std::size_t>(p)];
	return usable(g, enclave, linear) && (g.rwx & (R | W)) == (R | W) ? done() : uepcm(linear);
}

Expected Oracle::entry_page(u64 linear, std::size_t &p) const
{
	const int n = resolve(linear);
	if (n < 0)
		return unmapped(linear, 4);
	p = static_cast<std::size_t>(n);
	const Page &g = pages[p];
	if (!g.valid || g.blocked || g.pending || g.modified || g.type != PT_TCS || g.linear != linear)
		return uepcm(linear);
	return done();
}

void Oracle::enter(std::size_t cpu, std::size_t p)
{
	pages[p].tcs.active = true;
	threads[cpu] = {pages[p].enclave, p, ++clock_};
	enclaves.at(pages[p].enclave).inside.insert(clock_);
}

void Oracle::leave(std::size_t cpu)
{
	Thread &t = threads[cpu];
	pages[t.tcs].tcs.active = false;
	Owner &o = enclaves.at(t.enclave);
	o.inside.erase(t.entry);
	for (Cycle &c : o.cycles)
		c.remaining.erase(t.entry);
	t = {};
}

Expected Oracle::eenter(std::size_t cpu, u64 linear)
{
	std::size_t p = 0;
	if (threads[cpu].enclave >= 0)
		return gp();
	if (const Expected a = entry_page(linear, p); !is_done(a))
		return a;
	const Page &g = pages[p];
	if (!enclaves.at(g.enclave).init || g.tcs.cssa >= g.tcs.nssa)
		return gp();
	if (const Expected a = frame(g.enclave, g.tcs, g.tcs.cssa); !is_done(a))
		return a;
	if (g.tcs.active)
		return gp();
	enter(cpu, p);
	return done();
}

Expected Oracle::eresume(std::size_t cpu, u64 linear)
{
	std::size_t p = 0;
	if (threads[cpu].enclave >= 0)
		return gp();
	if (const Expected a = entry_page(linear, p); !is_done(a))
		return a;
	Page &g = pages[p];
	if (!enclaves.at(g.enclave).init || g.tcs.cssa == 0)
		return gp();
	if (const Expected a = frame(g.enclave, g.tcs, g.tcs.cssa - 1); !is_done(a))
		return a;
	if (g.tcs.active)
		return gp();
	enter(cpu, p);
	g.tcs.cssa--;
	return done();
}

Expected Oracle::eexit(std::size_t cpu)
{
	if (threads[cpu].enclave < 0)
		return gp();
	leave(cpu);
	return done();
}

void Oracle::aex(std::size_t cpu)
{
	if (threads[cpu].enclave < 0)
		return;
	pages[threads[cpu].tcs].tcs.cssa++;
	leave(cpu);
}

Expected Oracle::edeccssa(std::size_t cpu)
{
	if (threads[cpu].enclave < 0)
		return gp();
	Tcs &t = pages[threads[cpu].tcs].tcs;
	if (t.cssa == 0)
		return gp();
	const Expected a = frame(threads[cpu].enclave, t, t.cssa - 1);
	if (is_done(a))
		t.cssa--;
	return a;
}

Expected Oracle::operand(std::size_t cpu, u64 linear, u64 perm) const
{
	const u64 page = linear & ~(kPage - 1);
	const int p = resolve(page);
	if (p < 0)
		return unmapped(linear, 4);
	const Page &g = pages[static_cast<std::size_t>(p)];
	return usable(g, threads[cpu].enclave, page) && (g.rwx & perm) == perm ? done() : uepcm(linear);
}

bool Oracle::can_access(std::size_t cpu, u64 linear, u64 perm) const
{
	return threads[cpu].enclave >= 0 && is_done(operand(cpu, linear, perm));
}

Expected Oracle::eaccept(std::size_t cpu, u64 secinfo, u64 flags, u64 linear)
{
	if (threads[cpu].enclave < 0)
		return gp();
	if (const Expected a = operand(cpu, secinfo, R); !is_done(a))
		return a;
	const int n = resolve(linear);
	if (n < 0)
		return unmapped(linear, 4);
	Page &g = pages[static_cast<std::size_t>(n)];
	const u64 t = flags >> 8, state = flags & (PENDING | MODIFIED | PR);
	const bool reg = t == PT_REG && !(state & MODIFIED) && state != 0;
	const bool change = (t == PT_TCS || t == PT_TRIM) && state == MODIFIED;
	if (!reg && !change)
		return gp();
	if (!g.valid || g.blocked || !child_type(g.type) || g.enclave != threads[cpu].enclave)
		return uepcm(linear);
	if (g.linear != linear || g.pending != ((flags & PENDING) != 0) || g.modified != ((flags & MODIFIED) != 0) ||
	    g.rwx != (flags & 7) || g.type != t)
		return code(PAGE_ATTRIBUTES_MISMATCH);
	if ((g.modified || g.pr) && !tracked(g))
		return code(NOT_TRACKED);
	if (t == PT_TCS) {
		sgx::Page image;
		std::memcpy(image.b.data(), m_.epc_host(kernel(static_cast<std::size_t>(n))), kPage);
		Tcs tcs{image.get<u32>(tcs::CSSA), image.get<u32>(tcs::NSSA), image.get<u64>(tcs::OSSA), false};
		const bool zero = std::all_of(image.b.begin() + tcs::RSVD, image.b.end(), [](u8 b) { return b == 0; });
		const bool blank = !m_.config().strict_tcs && image.b == sgx::Page{}.b;
		if (!zero || (image.get<u64>(tcs::FLAGS) & 1) || (tcs.cssa >= tcs.nssa && !blank) || image.get<u64>(tcs::AEP) ||
		    image.get<u64>(tcs::STATE))
			return gp();
		g.tcs = tcs;
	}
	g.pending = g.modified = g.pr = false;
	g.stamp = 0;
	return done();
}

Expected Oracle::eacceptcopy(std::size_t cpu, u64 secinfo, u64 flags, u64 linear, u64 source)
{
	if (threads[cpu].enclave < 0)
		return gp();
	const int n = resolve(linear);
	for (const u64 a : {secinfo, linear, source})
		if (resolve(a) < 0)
			return unmapped(a, a == linear ? 6 : 4);
	if (const Expected a = operand(cpu, secinfo, R); !is_done(a))
		return a;
	if (bad_rights(flags) || flags >> 8 != PT_REG)
		return gp();
	if (const Expected a = operand(cpu, source, R); !is_done(a))
		return a;
	Page &g = pages[static_cast<std::size_t>(n)];
	if (!g.valid || !g.pending || g.modified || g.blocked || g.type != PT_REG || g.enclave != threads[cpu].enclave ||
	    g.rwx != (R | W) || g.linear != linear)
		return code(PAGE_ATTRIBUTES_MISMATCH);
	g.rwx = flags & 7;
	g.pending = false;
	return done();
}

Expected Oracle::emodpe(std::size_t cpu, u64 secinfo, u64 flags, u64 linear)
{
	if (threads[cpu].enclave < 0)
		return gp();
	for (const u64 a : {secinfo, linear})
		if (resolve(a) < 0)
			return unmapped(a, 4);
	if (const Expected a = operand(cpu, secinfo, R); !is_done(a))
		return a;
	Page &g = pages[static_cast<std::size_t>(resolve(linear))];
	if (!usable(g, threads[cpu].enclave, linear))
		return uepcm(linear);
	if (!(g.rwx & R) && bad_rights(flags))
		return gp();
	g.rwx |= flags & 7;
	return done();
}

sgx2_tlb_verdict Oracle::tlb(std::size_t cpu, u64 linear, std::size_t p, sgx2_access a, u32 &rights) const
{
	const int enclave = threads[cpu].enclave;
	if (enclave < 0)
		return SGX2_TLB_ABORT;
	const Owner &o = enclaves.at(enclave);
	if (linear < o.base || linear - o.base >= o.size)
		return a == SGX2_EXEC ? SGX2_TLB_FAULT : SGX2_TLB_ABORT;
	const Page &g = pages[p];
	if (!usable(g, enclave, linear & ~(kPage - 1)) || !(g.rwx & a))
		return SGX2_TLB_FAULT;
	rights = static_cast<u32>(g.rwx);
	return SGX2_TLB_EPC;
}

std::string Oracle::compare() const
{
	std::string s;
	for (std::size_t i = 0; i < pages.size(); i++) {
		sgx2_epcm_entry want{}, got{};
		const Page &p = pages[i];
		sgx2_epcm_get(m_.get(), i, &got);
		want.valid = p.valid;
		want.type = p.type;
		want.r = p.rwx & R;
		want.w = p.rwx & W;
		want.x = p.rwx & X;
		want.blocked = p.blocked;
		want.pending = p.pending;
		want.modified = p.modified;
		want.pr = p.pr;
		want.linear = p.linear;
		want.enclave = p.enclave < 0 ? 0 : enclaves.at(p.enclave).eid;
		if (p.type == PT_SECS || p.type == PT_VA)
			want.linear = got.linear;
		// Only whether there is a stamp is compared, not its value.
		want.stamp = p.stamp != 0;
		got.stamp = got.stamp != 0;
		if (!same(want, got))
			s += "page " + std::to_string(i) + " is " + describe(got) + ", expected " + describe(want) + '\n';
	}
	return s;
}

} // namespace sgx
