// SPDX-License-Identifier: GPL-2.0
// A libFuzzer target on the C interface: the input is a program that creates a machine and makes
// calls; each call is checked.

#include <cstdlib>

#include "../lib/enclave.h"
#include "../lib/invariants.h"
#include "program.h"

using namespace sgx;
using fuzz::Op;

namespace {

[[noreturn]] void broken(const std::string &what)
{
	std::fprintf(stderr, "rule violated: %s\n", what.c_str());
	std::abort();
}

void demand(bool holds, const char *what)
{
	if (!holds)
		broken(what);
}

class Input {
public:
	Input(const u8 *data, std::size_t size) : p_(data), n_(size) {}
	bool more() const { return n_ != 0; }
	u8 byte()
	{
		if (!n_)
			return 0;
		n_--;
		return *p_++;
	}
	u16 word() { return static_cast<u16>(byte() | byte() << 8); }
	u64 quad()
	{
		u64 v = 0;
		for (int i = 0; i < 8; i++)
			v |= u64{byte()} << (8 * i);
		return v;
	}

private:
	const u8 *p_;
	std::size_t n_;
};

sgx2_config config_of(u8 choice)
{
	sgx2_config c = default_config();
	if (choice & 1)
		c.sgx2 = false;
	if (choice & 2)
		c.encls_c = false;
	if (choice & 4)
		c.edeccssa = c.aexnotify = false;
	if (choice & 8)
		c.kss = false;
	if (choice & 16)
		c.miscselect_mask = 0;
	if (choice & 32)
		c.linear_bits = 57;
	if (choice & 64)
		c.sgx1 = (choice & 128) == 0;
	else
		c.strict_tcs = choice & 128;
	return c;
}

class Session {
public:
	Session(const u8 *data, std::size_t size)
		: in_(data, size),
		  m_({.config = config_of(in_.byte()), .epc_pages = fuzz::kEpcPages, .ram_pages = fuzz::kRamPages})
	{
		for (unsigned i = 0; i <= fuzz::kCpus; i++)
			m_.cpu(i).check_invariants = false;
		for (auto &b : ram_)
			b = m_.ram();
	}
	void run()
	{
		for (unsigned i = 0; i < 200 && in_.more(); i++) {
			step();
			if (i % 16 == 15)
				check();
		}
		check();
		for (unsigned i = 1; i <= fuzz::kCpus; i++)
			m_.cpu(i).aex_interrupt();
		sgx2_injection none{};
		sgx2_machine_inject(m_.get(), &none);
		if (m_.config().sgx1) {
			Cpu fresh(m_);
			fresh.check_invariants = false;
			for (int pass = 0; pass < 2; pass++)
				for (unsigned p = 0; p < fuzz::kEpcPages; p++)
					fresh.encls(EREMOVE, 0, m_.epc_linear(p));
		}
		demand(sgx2_epcm_valid(m_.get()) == 0, "a page is left although no CPU is inside");
	}

private:
	u64 page(u8 n) { return m_.epc_linear(n % fuzz::kEpcPages); }
	u64 linear(u8 slot, u8 n) { return fuzz::slot_base(slot % fuzz::kSlots) + (n & 31U) * kPage; }
	Cpu &user(u8 n) { return m_.cpu(1 + n % fuzz::kCpus); }
	u64 secs(u8 slot) { return secs_[slot % fuzz::kSlots]; }

	/// Return an address from the input, most often a valid one.
	u64 address()
	{
		const u8 k = in_.byte();
		if (k < 32)
			return page(k);
		if (k < 48)
			return ram_[k % ram_.size()].linear;
		if (k < 52)
			return std::array<u64, 4>{kUnmapped, kNonCanonical, kUserRam, 0}[k & 3];
		if (k < 128)
			return linear(k / 16, k & 15);
		if (k < 200) {
			const u64 base = k < 160 ? page(k) : k < 180 ? ram_[k % ram_.size()].linear : linear(k / 4, k & 15);
			return base + in_.word() % 8192;
		}
		return k < 230 ? in_.byte() : in_.quad();
	}

	Result call(Cpu &c, bool is_user, u32 leaf, u64 rbx, u64 rcx, u64 rdx)
	{
		const Epcm before = epcm();
		const bool inside = c.inside();
		const Result r = is_user ? c.enclu(leaf, rbx, rcx, rdx) : c.encls(leaf, rbx, rcx, rdx);
		if (r.outcome == SGX2_DONE)
			return r;
		const u8 v = r.fault.vector;
		demand(v == UD || v == NM || v == GP || v == PF, "vector");
		demand(v != GP || r.fault.error_code == 0, "error code of #GP");
		demand(c.inside() == inside, "a fault changed the mode");
		demand(std::memcmp(r.before.gpr, r.after.gpr, sizeof(r.before.gpr)) == 0 && r.before.rip == r.after.rip &&
			       r.before.rflags == r.after.rflags && r.before.xcr0 == r.after.xcr0 &&
			       r.before.fs.base == r.after.fs.base,
		       "a fault changed a register");
		const Epcm after = epcm();
		for (std::size_t i = 0; i < before.size(); i++)
			demand(same(before[i], after[i]), "a fault changed the EPCM");
		return r;
	}
	using Epcm = std::array<sgx2_epcm_entry, fuzz::kEpcPages>;
	Epcm epcm() const
	{
		Epcm all{};
		for (std::size_t i = 0; i < all.size(); i++)
			sgx2_epcm_get(m_.get(), i, &all[i]);
		return all;
	}
	Result kernel(u32 leaf, u64 rbx, u64 rcx, u64 rdx = 0) { return call(m_.cpu(0), false, leaf, rbx, rcx, rdx); }

	void check()
	{
		const std::string what = violated_invariants(m_);
		if (!what.empty())
			broken(what);
	}

	void step();
	void build(u8 slot, u8 variant);
	void create(u8 p, u8 slot, u8 flags);
	void add(u8 p, u8 slot, u8 n, u64 flags, const Page &content);
	void init(u8 slot, u8 variant);
	void page_leaf();
	void evict();
	void load();
	void accept();
	void attest();
	void state();
	void machine();
	/// Return the memory that a store by the enclave's code accesses, or nullptr.
	u8 *reach(Cpu &c, u64 at, sgx2_access a);

	Input in_;
	Machine m_;
	std::array<Buffer, 8> ram_{};
	std::array<u64, fuzz::kSlots> secs_{};
};

u8 *Session::reach(Cpu &c, u64 at, sgx2_access a)
{
	const Pte *pte = m_.pte(at);
	u32 rights = 0;
	sgx2_fault f{};
	if (!pte || !c.inside())
		return nullptr;
	const u64 pa = pte->physical + at % kPage;
	if (sgx2_tlb_check(c.get(), at, pa, a, true, &rights, &f) != SGX2_TLB_EPC)
		return nullptr;
	demand((rights & a) != 0, "the rights lack the requested access");
	return m_.epc_host(kEpcLinear + (pa - kEpcPhysical));
}

void Session::create(u8 p, u8 slot, u8 flags)
{
	ram_[0] = Page{}.set<u64>(secs::SIZE, (flags & 16) ? u64{flags} << 10 : fuzz::kSlotPages * kPage)
			  .set(secs::BASE, fuzz::slot_base(slot % fuzz::kSlots))
			  .set<u32>(secs::SSAFRAMESIZE, 1)
			  .set<u32>(secs::MISCSELECT, (flags >> 1) & 1)
			  .set(secs::FLAGS, ((flags & 4) ? 0 : A_MODE64) | A_DEBUG | ((flags & 8) ? A_AEXNOTIFY | A_KSS : 0))
			  .set<u64>(secs::XFRM, (flags & 1) ? 7 : 3);
	ram_[1] = Secinfo{};
	ram_[2] = Pageinfo{}.set(pageinfo::SRCPGE, ram_[0].linear).set(pageinfo::SECINFO, ram_[1].linear);
	if (kernel(ECREATE, ram_[2].linear, page(p)).outcome == SGX2_DONE)
		secs_[slot % fuzz::kSlots] = page(p);
}

void Session::add(u8 p, u8 slot, u8 n, u64 flags, const Page &content)
{
	ram_[0] = content;
	ram_[1] = Secinfo{}.set(0, flags);
	ram_[2] = Pageinfo{}
			  .set(pageinfo::LINADDR, linear(slot, n))
			  .set(pageinfo::SRCPGE, ram_[0].linear)
			  .set(pageinfo::SECINFO, ram_[1].linear)
			  .set(pageinfo::SECS, secs(slot));
	if (kernel(EADD, ram_[2].linear, page(p)).outcome == SGX2_DONE)
		m_.map(linear(slot, n), {m_.epc_physical(page(p))});
}

/// Build one of a few fixed enclaves, whose signatures are made once for all inputs.
void Session::init(u8 slot, u8 variant)
{
	Measurement x;
	x.ecreate(1, fuzz::kSlotPages * kPage);
	for (const u64 n : {0, 1})
		x.eadd(n * kPage, TCS);
	for (const u64 n : {2, 3, 4, 5})
		x.eadd(n * kPage, REG | R | W);
	x.eadd(6 * kPage, REG | R | X);
	Sigstruct s = sigstruct_template();
	s.put(sig::ENCLAVEHASH, x.digest());
	sign(s, (variant & 1) ? Signer::Two : Signer::One);
	if (variant & 0x80)
		s.b[in_.word() % s.b.size()] ^= in_.byte();
	ram_[0] = s;
	ram_[1] = Token{}.set<u32>(token::VALID, (variant & 0x40) ? 1 : 0);
	Cpu &c = m_.cpu(0);
	if (!(variant & 0x20)) {
		const Digest d = mrsigner((variant & 1) ? Signer::Two : Signer::One);
		std::memcpy(c.regs.lepubkeyhash, d.data(), d.size());
	}
	kernel(EINIT, ram_[0].linear, secs(slot), ram_[1].linear);
}

void Session::build(u8 slot, u8 variant)
{
	unsigned p = slot % fuzz::kSlots * 8;
	create(static_cast<u8>(p++), slot, variant & 0x0f);
	for (u8 n = 0; n < 7; n++) {
		Page content;
		if (n < 2)
			content = tcs_page({.flags = (variant & 8) ? 2U : 0U,
					    .ossa = (2 + n * 2U) * kPage,
					    .oentry = 6 * kPage,
					    .nssa = 2U - n});
		add(static_cast<u8>(p++), slot, n, n < 2 ? TCS : n == 6 ? REG | R | X : REG | R | W, content);
	}
	init(slot, variant & 0x10 ? 1 : 0);
}

void Session::page_leaf()
{
	static constexpr u32 leaves[] = {EPA, EREMOVE, EBLOCK, ETRACK, ETRACKC, EUPDATESVN};
	const u32 leaf = leaves[in_.byte() % std::size(leaves)];
	const u64 p = page(in_.byte());
	kernel(leaf, leaf == EPA ? u64{PT_VA} : 0, p);
}

void Session::evict()
{
	const u64 p = page(in_.byte()), va = page(in_.byte()) + (in_.byte() & 7U) * 8;
	const u8 store = in_.byte() & 1;
	ram_[0] = Pageinfo{}.set(pageinfo::SRCPGE, ram_[4 + store].linear).set(pageinfo::SECINFO, ram_[6].linear + store * 128);
	const Result r = kernel(EWB, ram_[0].linear, p, va);
	if (r.outcome == SGX2_DONE && (r.rax() == 0 || r.rax() == VA_SLOT_OCCUPIED))
		ram_[6].set(1024U + store * 8U, ram_[0].get<u64>(0));
}

void Session::load()
{
	static constexpr u32 leaves[] = {ELDU, ELDB, ELDUC, ELDBC};
	const u32 leaf = leaves[in_.byte() & 3];
	const u64 p = page(in_.byte()), va = page(in_.byte()) + (in_.byte() & 7U) * 8;
	const u8 store = in_.byte() & 1, slot = in_.byte();
	const u8 t = ram_[6].host[store * 128 + 1];
	const bool child = t != PT_SECS && t != PT_VA;
	ram_[0] = Pageinfo{}
			  .set(pageinfo::LINADDR, ram_[6].get<u64>(1024U + store * 8U))
			  .set(pageinfo::SRCPGE, ram_[4 + store].linear)
			  .set(pageinfo::SECINFO, ram_[6].linear + store * 128)
			  .set<u64>(pageinfo::SECS, child ? secs(slot) : 0);
	const Result r = kernel(leaf, ram_[0].linear, p, va);
	if (r.outcome == SGX2_FAULT || r.rax() != 0)
		return;
	if (child)
		m_.map(ram_[0].get<u64>(0), {m_.epc_physical(p)});
	else if (t == PT_SECS)
		secs_[slot % fuzz::kSlots] = p;
}

void Session::accept()
{
	static constexpr u32 leaves[] = {EACCEPT, EACCEPTCOPY, EMODPE, EDECCSSA};
	Cpu &c = user(in_.byte());
	const u32 leaf = leaves[in_.byte() & 3];
	const u64 flags = in_.word();
	u64 base = 0, size = 0;
	sgx2_elrange(c.get(), &base, &size);
	const u64 to = base + (in_.byte() & 31U) * kPage, from = base + (in_.byte() & 31U) * kPage, info = base + 5 * kPage;
	if (u8 *p = reach(c, info, SGX2_WRITE)) {
		std::memset(p, 0, 64);
		std::memcpy(p, &flags, 8);
	}
	call(c, true, leaf, info, to, from);
}

void Session::attest()
{
	Cpu &c = user(in_.byte());
	const bool report = in_.byte() & 1;
	u64 base = 0, size = 0;
	sgx2_elrange(c.get(), &base, &size);
	const u64 request = base + 5 * kPage;
	const unsigned n = in_.byte() & 15U;
	u8 *p = reach(c, request, SGX2_WRITE);
	if (p)
		std::memset(p, 0, 512);
	for (unsigned i = 0; i < n; i++) {
		const u8 off = in_.byte(), value = in_.byte();
		if (p)
			p[off] = value;
	}
	call(c, true, report ? EREPORT : EGETKEY, request, request + 512, request + 1024);
}

void Session::state()
{
	const u8 which = in_.byte();
	Cpu &c = m_.cpu(which % (fuzz::kCpus + 1));
	const u8 field = in_.byte();
	const u64 v = in_.quad();
	switch (field % 14) {
	case 0:
		c.regs.cr0 ^= v;
		break;
	case 1:
		c.regs.cr4 ^= v;
		break;
	case 2:
		c.regs.xcr0 = v | 3;
		break;
	case 3:
		c.regs.feat_ctl ^= v;
		break;
	case 4:
		c.regs.mode64 = v & 1;
		c.regs.cs.attr = (v & 1) ? 0xa0fb00 : 0xcffb00;
		break;
	case 5:
		c.regs.rflags = v | 2;
		break;
	case 6:
		c.regs.rip = v;
		break;
	case 7:
		c.regs.fs.base = v;
		break;
	case 8:
		c.regs.gpr[SGX2_RSP] = v;
		break;
	case 9:
		c.regs.ds.base = v & 0xffffffff;
		c.regs.ds.limit = static_cast<u32>(v >> 32);
		break;
	case 10:
		c.regs.ds.attr ^= static_cast<u32>(v);
		break;
	case 11:
		c.regs.vm86 = v & 1;
		c.regs.smm = v & 2;
		break;
	case 12:
		c.xrstor_fails = v & 1;
		c.xsave_bv = v;
		break;
	default:
		// Restore valid values.
		c.regs.cr0 = 0x80050033;
		c.regs.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE;
		c.regs.feat_ctl = FEAT_LOCK | FEAT_LC | FEAT_SGX;
		c.regs.vm86 = c.regs.smm = false;
		c.regs.mode64 = true;
		break;
	}
}

void Session::machine()
{
	const auto count = [](void *opaque, const char *s, size_t n) {
		demand(s != nullptr, "JSON");
		*static_cast<std::size_t *>(opaque) += n;
	};
	std::size_t length = 0;
	sgx2_counters counters{};
	switch (in_.byte() % 6) {
	case 0:
		sgx2_machine_lose_epc(m_.get());
		demand(sgx2_epcm_valid(m_.get()) == 0, "the EPC is lost");
		break;
	case 1:
		sgx2_machine_reset(m_.get());
		demand(sgx2_epcm_valid(m_.get()) == 0, "the EPC is reset");
		break;
	case 2:
		sgx2_cpu_reset(user(in_.byte()).get());
		break;
	case 3:
		sgx2_epcm_json(m_.get(), count, &length);
		sgx2_counters_json(m_.get(), count, &length);
		demand(length >= 4, "JSON is never empty");
		break;
	case 4:
		sgx2_machine_counters(m_.get(), &counters);
		break;
	default:
		sgx2_machine_counters_clear(m_.get());
		break;
	}
}

// NOLINTNEXTLINE(readability-function-size): one case for each call.
void Session::step()
{
	switch (static_cast<Op>(in_.byte() % static_cast<unsigned>(Op::Count))) {
	case Op::Encls: {
		const u8 leaf = in_.byte();
		const u64 rbx = address(), rcx = address(), rdx = address();
		kernel(leaf < 0x40 ? leaf & 0x1f : leaf, rbx, rcx, rdx);
		break;
	}
	case Op::Enclu: {
		Cpu &c = user(in_.byte());
		const u8 leaf = in_.byte();
		const u64 rbx = address(), rcx = address(), rdx = address();
		call(c, true, leaf < 0x40 ? leaf % 12 : leaf, rbx, rcx, rdx);
		break;
	}
	case Op::Build: {
		const u8 slot = in_.byte();
		build(slot, in_.byte());
		break;
	}
	case Op::Create: {
		const u8 p = in_.byte(), slot = in_.byte();
		create(p, slot, in_.byte());
		break;
	}
	case Op::Add: {
		const u8 p = in_.byte(), slot = in_.byte(), n = in_.byte();
		add(p, slot, n, in_.word(), tcs_page());
		break;
	}
	case Op::Extend: {
		const u8 p = in_.byte(), chunk = in_.byte();
		kernel(EEXTEND, secs(p), page(p) + (chunk & 15U) * 256);
		break;
	}
	case Op::Init: {
		const u8 slot = in_.byte();
		init(slot, in_.byte());
		break;
	}
	case Op::Aug: {
		const u8 p = in_.byte(), slot = in_.byte(), n = in_.byte();
		ram_[0] = Pageinfo{}.set(pageinfo::LINADDR, linear(slot, n)).set(pageinfo::SECS, secs(slot));
		if (kernel(EAUG, ram_[0].linear, page(p)).outcome == SGX2_DONE)
			m_.map(linear(slot, n), {m_.epc_physical(page(p))});
		break;
	}
	case Op::Page:
		page_leaf();
		break;
	case Op::Modify: {
		const bool type = in_.byte() & 1;
		const u64 p = page(in_.byte());
		ram_[0] = Secinfo{}.set<u64>(0, in_.word());
		kernel(type ? EMODT : EMODPR, ram_[0].linear, p);
		break;
	}
	case Op::Evict:
		evict();
		break;
	case Op::Load:
		load();
		break;
	case Op::Enter:
	case Op::Resume: {
		const bool enter = in_.byte() & 1;
		Cpu &c = user(in_.byte());
		const u8 slot = in_.byte();
		const u64 at = linear(slot, in_.byte());
		call(c, true, enter ? EENTER : ERESUME, at, 0x402000, 0);
		break;
	}
	case Op::Exit:
		call(user(in_.byte()), true, EEXIT, 0x403000, 0, 0);
		break;
	case Op::Aex: {
		Cpu &c = user(in_.byte());
		const u8 kind = in_.byte(), vector = in_.byte(), flags = in_.byte();
		c.regs.cr2 = fuzz::slot_base(0) + flags;
		c.aex({static_cast<sgx2_event_kind>(kind % 6), vector, flags, (flags & 1) != 0, (flags & 2) != 0,
		       (flags & 4) != 0});
		demand(!c.inside(), "inside after an AEX");
		break;
	}
	case Op::Accept:
		accept();
		break;
	case Op::Attest:
		attest();
		break;
	case Op::Debug: {
		const bool write = in_.byte() & 1;
		const u64 at = page(in_.byte()) + in_.byte() * 8U;
		kernel(write ? EDBGWR : EDBGRD, in_.quad(), at);
		break;
	}
	case Op::Tlb: {
		Cpu &c = user(in_.byte());
		const u64 at = address();
		const u64 pa = m_.epc_physical(page(in_.byte()));
		const auto a = static_cast<sgx2_access>(1U << in_.byte() % 3);
		u32 rights = 0;
		sgx2_fault f{};
		const auto verdict = sgx2_tlb_check(c.get(), at, pa, a, in_.byte() & 1, &rights, &f);
		demand(verdict != SGX2_TLB_EPC || (rights & a), "the rights lack the requested access");
		demand(verdict != SGX2_TLB_EPC || c.inside(), "EPC outside of enclave mode");
		demand(verdict != SGX2_TLB_NORMAL, "EPC is never normal memory");
		break;
	}
	case Op::Map: {
		const u64 at = address() & ~(kPage - 1);
		const u8 p = in_.byte(), rights = in_.byte();
		if (at >= kRamLinear)
			break;
		if (rights & 0x80)
			m_.unmap(at);
		else
			m_.map(at, {(rights & 0x40) ? kRamPhysical : m_.epc_physical(page(p)), (rights & 2) == 0,
				    (rights & 4) == 0, (rights & 8) == 0});
		break;
	}
	case Op::Poke: {
		Cpu &c = user(in_.byte());
		u64 base = 0, size = 0;
		sgx2_elrange(c.get(), &base, &size);
		const u64 at = base + (in_.byte() & 31U) * kPage + in_.word() % (kPage - 8), value = in_.quad();
		if (u8 *p = reach(c, at, SGX2_WRITE))
			std::memcpy(p, &value, 8);
		break;
	}
	case Op::Ram: {
		const Buffer &b = ram_[in_.byte() % ram_.size()];
		const std::size_t off = in_.word() % (kPage - 8);
		b.set(off, in_.quad());
		break;
	}
	case Op::State:
		state();
		break;
	case Op::Inject: {
		sgx2_injection inj{};
		static constexpr u32 sgx2_injection::*fields[] = {
			&sgx2_injection::eblock_conflict, &sgx2_injection::emodpr_conflict, &sgx2_injection::emodt_conflict,
			&sgx2_injection::gp_conflict,	  &sgx2_injection::einit_event,	    &sgx2_injection::entropy};
		const u8 choice = in_.byte();
		const u32 rate = std::array<u32, 4>{0, 100000, 500000, 1000000}[in_.byte() & 3];
		if (choice & 128)
			(choice & 64 ? inj.enclu : inj.encls)[choice % SGX2_LEAVES] = rate;
		else
			inj.*fields[choice % std::size(fields)] = rate;
		inj.seed = in_.byte();
		sgx2_machine_inject(m_.get(), &inj);
		break;
	}
	case Op::Machine:
		machine();
		break;
	case Op::Event:
		m_.cpu(in_.byte() % (fuzz::kCpus + 1)).regs.event_pending = in_.byte() & 1;
		break;
	case Op::Count:
		break;
	}
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size)
{
	if (size < 2)
		return 0;
	Session(data, size).run();
	return 0;
}
