// SPDX-License-Identifier: GPL-2.0
// The fake computer: memory, paging, XSAVE, and the checks that run after every call of the model.

#include "machine.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>

namespace sgx {

sgx2_config default_config()
{
	sgx2_config c{};
	c.abi = SGX2_MODEL_ABI;
	c.sgx1 = c.sgx2 = c.encls_c = c.edeccssa = c.aexnotify = c.kss = c.eupdatesvn = true;
	c.miscselect_mask = 1;
	c.size_log2_32 = 31;
	c.size_log2_64 = 36;
	c.attributes_mask = A_DEBUG | A_MODE64 | A_PROVISION | A_TOKEN | A_KSS | A_AEXNOTIFY;
	c.xfrm_mask = 0x2e7;
	c.xcomp[2] = {576, 256};
	c.xcomp[3] = {960, 64};
	c.xcomp[4] = {1024, 64};
	c.xcomp[5] = {1088, 64};
	c.xcomp[6] = {1152, 512};
	c.xcomp[7] = {1664, 1024};
	c.xcomp[9] = {2688, 8};
	c.linear_bits = 48;
	c.seed = 20240229;
	return c;
}

Machine::Machine(const MachineOptions &o) : config_(o.config), section_pages_(o.sections)
{
	if (section_pages_.empty())
		section_pages_.push_back(o.epc_pages);
	for (std::size_t n : section_pages_)
		epc_pages_ += n;
	ram_.resize(o.ram_pages * kPage);
	epc_store_.resize((epc_pages_ + 1) * kPage);
	void *p = epc_store_.data();
	std::size_t room = epc_store_.size();
	auto *at = static_cast<u8 *>(std::align(kPage, epc_pages_ * kPage, p, room));
	m_ = sgx2_machine_create(&config_);
	if (!m_)
		std::abort();
	// Sections are 256 MiB apart in physical memory, but adjacent in host memory and in linear
	// addresses.
	u64 physical = kEpcPhysical;
	for (std::size_t i = 0, first = 0; i < section_pages_.size(); i++, physical += 0x10000000) {
		epc_mem_.push_back(at + first * kPage);
		if (sgx2_machine_add_section(m_, physical, section_pages_[i] * kPage, epc_mem_.back()) != 0)
			std::abort();
		for (std::size_t k = 0; k < section_pages_[i]; k++, first++)
			map(epc_linear(first), {physical + k * kPage, true, true, false});
	}
	for (std::size_t i = epc_pages_; i-- > 0;)
		free_.push_back(epc_linear(i));
	for (std::size_t i = 0; i < o.ram_pages; i++)
		map(kRamLinear + i * kPage, {kRamPhysical + i * kPage, true, true, false});
	map(kUserRam, {kRamPhysical, true, true, true});
	ram_next_ = 1;
}

Machine::~Machine()
{
	cpus_.clear();
	sgx2_machine_destroy(m_);
}

Cpu &Machine::cpu(std::size_t i)
{
	while (cpus_.size() <= i)
		cpus_.push_back(std::make_unique<Cpu>(*this));
	return *cpus_[i];
}

Buffer Machine::ram()
{
	if ((ram_next_ + 1) * kPage > ram_.size())
		std::abort();
	const std::size_t off = ram_next_++ * kPage;
	return {kRamLinear + off, ram_.data() + off};
}

u64 Machine::epc()
{
	if (free_.empty())
		std::abort();
	const u64 p = free_.back();
	free_.pop_back();
	return p;
}

u64 Machine::epc_physical(u64 linear) const
{
	const auto it = map_.find(linear & ~(kPage - 1));
	return it == map_.end() ? ~u64{0} : it->second.physical + (linear & (kPage - 1));
}

sgx2_epcm_entry Machine::entry(u64 epc_linear) const
{
	sgx2_epcm_entry e{};
	EXPECT_TRUE(sgx2_epcm_get(m_, epc_index(epc_linear), &e));
	return e;
}

std::vector<sgx2_epcm_entry> Machine::epcm() const
{
	std::vector<sgx2_epcm_entry> all(epc_pages_);
	for (std::size_t i = 0; i < epc_pages_; i++)
		sgx2_epcm_get(m_, i, &all[i]);
	return all;
}

Pte *Machine::pte(u64 linear)
{
	const auto it = map_.find(linear & ~(kPage - 1));
	return it == map_.end() ? nullptr : &it->second;
}

bool Machine::is_epc(u64 physical) const
{
	if (physical < kEpcPhysical)
		return false;
	const u64 section = (physical - kEpcPhysical) >> 28, off = (physical - kEpcPhysical) & 0xfffffff;
	return section < section_pages_.size() && off < section_pages_[section] * kPage;
}

u8 *Machine::ram_host(u64 physical)
{
	if (physical < kRamPhysical || physical - kRamPhysical >= ram_.size())
		return nullptr;
	return ram_.data() + (physical - kRamPhysical);
}

void Machine::place(u64 linear, const void *data, std::size_t n)
{
	for (std::size_t i = 0; i < n; i++)
		if (const Pte *p = pte(linear + i))
			if (u8 *at = ram_host(p->physical + (linear + i) % kPage))
				*at = static_cast<const u8 *>(data)[i];
}

std::vector<u8> Machine::epc_bytes() const
{
	return {epc_mem_[0], epc_mem_[0] + epc_pages_ * kPage};
}

sgx2_counters Machine::counters() const
{
	sgx2_counters c{};
	sgx2_machine_counters(m_, &c);
	return c;
}

const sgx2_host_ops Cpu::ops_ = {translate, read, write, xsave, xrstor, xinit, on_epc_written, on_trace};

Cpu::Cpu(Machine &m) : m_(m), cpu_(sgx2_cpu_create(m.get(), &ops_, this))
{
	regs.cr0 = 0x80050033;
	regs.cr4 = CR4_PAE | CR4_OSFXSR | 0x400 | CR4_OSXSAVE;
	regs.xcr0 = 0x2e7;
	regs.feat_ctl = FEAT_LOCK | FEAT_LC | FEAT_SGX;
	regs.mode64 = true;
	regs.rflags = 0x202;
	const u32 data = 0xc0f300, code = 0xa0fb00;
	regs.cs = {0, ~u32{0}, code, 0x33};
	regs.ds = regs.es = regs.ss = {0, ~u32{0}, data, 0x2b};
	regs.fs = {0x7f0011112000, ~u32{0}, data, 0};
	regs.gs = {0x7f0033334000, ~u32{0}, data, 0};
	regs.gpr[SGX2_RSP] = 0x7ffffffde000;
	regs.gpr[SGX2_RBP] = 0x7ffffffdf000;
	regs.rip = 0x401000;
	regs.next_rip = 0x401003;
}

Cpu::~Cpu()
{
	sgx2_cpu_destroy(cpu_);
}

bool Cpu::translate(void *ctx, u64 linear, sgx2_access access, u64 *physical, sgx2_fault *fault)
{
	auto *c = static_cast<Cpu *>(ctx);
	const u64 top = linear >> 47;
	if (top != 0 && top != 0x1ffff) {
		*fault = {GP, true, 0, 0};
		return false;
	}
	const bool user = c->regs.cpl == 3, write = (access & SGX2_WRITE) != 0, exec = (access & SGX2_EXEC) != 0;
	const auto it = c->m_.map_.find(linear & ~(kPage - 1));
	const bool present = it != c->m_.map_.end();
	if (!present || (user && !it->second.user) || (write && !it->second.w) || (exec && !it->second.x)) {
		*fault = {PF, true, u32{present} | (write ? 2U : 0U) | (user ? 4U : 0U) | (exec ? 0x10U : 0U), linear};
		return false;
	}
	*physical = it->second.physical + (linear & (kPage - 1));
	return true;
}

bool Cpu::read(void *ctx, u64 linear, void *buf, size_t len, sgx2_fault *fault)
{
	auto *c = static_cast<Cpu *>(ctx);
	auto *out = static_cast<u8 *>(buf);
	if (c->failing_read && --c->failing_read == 0) {
		*fault = {PF, true, 0, linear};
		return false;
	}
	while (len) {
		const std::size_t n = std::min<std::size_t>(len, kPage - (linear & (kPage - 1)));
		u64 pa = 0;
		if (!translate(ctx, linear, SGX2_READ, &pa, fault))
			return false;
		if (const u8 *p = c->m_.ram_host(pa))
			std::copy_n(p, n, out);
		else
			std::fill_n(out, n, u8{0xff});
		linear += n;
		out += n;
		len -= n;
	}
	return true;
}

bool Cpu::write(void *ctx, u64 linear, const void *buf, size_t len, sgx2_fault *fault)
{
	auto *c = static_cast<Cpu *>(ctx);
	const auto *in = static_cast<const u8 *>(buf);
	u64 pa = 0;
	if (c->failing_write && --c->failing_write == 0) {
		*fault = {PF, true, 2, linear};
		return false;
	}
	for (u64 a = linear; a < linear + len; a = (a & ~(kPage - 1)) + kPage)
		if (!translate(ctx, a, SGX2_WRITE, &pa, fault))
			return false;
	while (len) {
		const std::size_t n = std::min<std::size_t>(len, kPage - (linear & (kPage - 1)));
		translate(ctx, linear, SGX2_WRITE, &pa, fault);
		if (u8 *p = c->m_.ram_host(pa))
			std::copy_n(in, n, p);
		linear += n;
		in += n;
		len -= n;
	}
	return true;
}

void Cpu::xsave_image(u8 *area, std::size_t size, u8 tag)
{
	for (std::size_t i = 0; i < size; i++)
		area[i] = static_cast<u8>(tag + i * 7);
	const u32 mxcsr = 0x1f80U | (tag & 0x3fU);
	std::memcpy(area + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

void Cpu::xsave(void *ctx, u8 *area, u64 xfrm)
{
	auto *c = static_cast<Cpu *>(ctx);
	const u32 size = sgx2_xsave_size(c->m_.m_, xfrm);
	for (std::size_t i = 0; i < size; i++)
		if (area[i] != 0) {
			ADD_FAILURE() << "XSAVE area not zeroed at " << i;
			break;
		}
	if (c->check_invariants)
		c->xsaves.push_back(xfrm);
	xsave_image(area, size, c->xtag);
	// XSAVE leaves arbitrary bits in the header here, because the model must clear them.
	std::memset(area + XSAVE_HEADER, 0xff, 24);
	std::memset(area + XSAVE_HEADER + 24, 0, 40);
	std::memcpy(area + XSAVE_HEADER, &c->xsave_bv, 8);
}

bool Cpu::xrstor(void *ctx, const u8 *area, u64 xfrm, bool dry)
{
	auto *c = static_cast<Cpu *>(ctx);
	u32 mxcsr;
	std::memcpy(&mxcsr, area + XSAVE_MXCSR, 4);
	// The model must check the header; this XRSTOR does not.
	const bool good = !c->xrstor_fails && mxcsr <= 0xffff;
	if (dry)
		c->xrstor_dry++;
	else if (good && c->check_invariants)
		c->xrstors.emplace_back(area, area + sgx2_xsave_size(c->m_.m_, xfrm));
	return good;
}

void Cpu::xinit(void *ctx, u64 xfrm, u16 fcw, u16 fsw, u32 mxcsr)
{
	auto *c = static_cast<Cpu *>(ctx);
	if (c->check_invariants)
		c->xinits.push_back({xfrm, fcw, fsw, mxcsr});
}

void Cpu::on_epc_written(void *ctx, u64 physical, size_t len)
{
	auto *c = static_cast<Cpu *>(ctx);
	if (c->check_invariants)
		c->epc_written.push_back({physical, len});
}

void Cpu::on_trace(void *ctx, const sgx2_trace *t)
{
	auto *c = static_cast<Cpu *>(ctx);
	if (c->check_invariants && c->traces.size() < 4096)
		c->traces.push_back(*t);
}

void Cpu::randomize_registers(bool user)
{
	for (u64 &r : regs.gpr) {
		random_ = random_ * 6364136223846793005U + 1442695040888963407U;
		if (&r != &regs.gpr[SGX2_RSP] && &r != &regs.gpr[SGX2_RBP])
			r = random_ ^ (random_ >> 29);
	}
	serial_++;
	regs.rflags = (regs.rflags & ~F_ARITH) | (serial_ % 3 == 0 ? 0 : serial_ % 3 == 1 ? F_ARITH : F_CF | F_SF | F_PF);
	regs.cpl = user ? 3 : 0;
	if (!inside()) {
		regs.rip = 0x401000 + (serial_ % 64) * 16;
		regs.next_rip = regs.rip + 3;
	} else {
		regs.next_rip = regs.rip + 3;
	}
}

Result Cpu::encls(u32 leaf, u64 rbx, u64 rcx, u64 rdx)
{
	randomize_registers(false);
	regs.gpr[SGX2_RAX] = leaf;
	regs.gpr[SGX2_RBX] = rbx;
	regs.gpr[SGX2_RCX] = rcx;
	regs.gpr[SGX2_RDX] = rdx;
	return run(false);
}

Result Cpu::enclu(u32 leaf, u64 rbx, u64 rcx, u64 rdx)
{
	randomize_registers(true);
	regs.gpr[SGX2_RAX] = leaf;
	regs.gpr[SGX2_RBX] = rbx;
	regs.gpr[SGX2_RCX] = rcx;
	regs.gpr[SGX2_RDX] = rdx;
	return run(true);
}

Result Cpu::run(bool user)
{
	Result r;
	r.user = user;
	r.leaf = static_cast<u32>(regs.gpr[SGX2_RAX]);
	r.before = regs;
	epc_written.clear();
	Snapshot before;
	const bool was_inside = inside();
	if (check_invariants)
		before = Snapshot::of(m_, compare_memory);
	r.outcome = (user ? sgx2_enclu : sgx2_encls)(cpu_, &regs, &r.effects, &r.fault);
	r.after = regs;
	if (!check_invariants)
		return r;
	check_rules(r);
	if (r.outcome == SGX2_FAULT) {
		EXPECT_EQ(Snapshot::of(m_, compare_memory).diff(before), "") << "a fault changed memory or the EPCM";
		EXPECT_EQ(inside(), was_inside);
	} else if (compare_memory) {
		check_written(before.epc);
	}
	return r;
}

/// Check that each changed byte of EPC lies in a range that the model reported.
void Cpu::check_written(const std::vector<u8> &before)
{
	const u8 *now = m_.epc_mem_[0];
	if (before.empty() || std::memcmp(now, before.data(), before.size()) == 0)
		return;
	for (std::size_t i = 0; i < before.size(); i++) {
		if (now[i] == before[i])
			continue;
		const u64 pa = m_.epc_physical(m_.epc_linear(i / kPage)) + i % kPage;
		const bool reported = std::any_of(epc_written.begin(), epc_written.end(),
						  [&](const Written &w) { return pa >= w.physical && pa - w.physical < w.len; });
		if (!reported) {
			ADD_FAILURE() << "EPC byte " << std::hex << pa << " changed without epc_written()";
			return;
		}
	}
}

namespace {

bool same_segment(const sgx2_segment &a, const sgx2_segment &b)
{
	return a.base == b.base && a.limit == b.limit && a.attr == b.attr && a.selector == b.selector;
}

bool same_fixed(const sgx2_regs &a, const sgx2_regs &b)
{
	return a.cr0 == b.cr0 && a.cr4 == b.cr4 && a.feat_ctl == b.feat_ctl && a.cpl == b.cpl && a.mode64 == b.mode64 &&
	       a.vm86 == b.vm86 && a.smm == b.smm && a.event_pending == b.event_pending && a.next_rip == b.next_rip &&
	       std::equal(a.lepubkeyhash, a.lepubkeyhash + 4, b.lepubkeyhash) && same_segment(a.cs, b.cs) &&
	       same_segment(a.ds, b.ds) && same_segment(a.es, b.es) && same_segment(a.ss, b.ss);
}

bool same_varying(const sgx2_regs &a, const sgx2_regs &b)
{
	return std::equal(a.gpr, a.gpr + 16, b.gpr) && a.rip == b.rip && a.rflags == b.rflags && a.cr2 == b.cr2 &&
	       a.xcr0 == b.xcr0 && same_segment(a.fs, b.fs) && same_segment(a.gs, b.gs);
}

/// The registers, besides RIP, that a leaf may change, and whether it returns a code in RAX.
struct Outputs {
	u32 gprs;
	bool code;
};

constexpr u32 bit(sgx2_gpr r)
{
	return 1U << r;
}

Outputs outputs(bool user, u32 leaf)
{
	if (user) {
		switch (leaf) {
		case EGETKEY:
		case EACCEPT:
		case EACCEPTCOPY:
			return {bit(SGX2_RAX), true};
		case EENTER:
			return {bit(SGX2_RAX) | bit(SGX2_RCX), false};
		case ERESUME:
			return {0xffff, false};
		case EEXIT:
			return {bit(SGX2_RCX), false};
		default:
			return {0, false};
		}
	}
	switch (leaf) {
	case ECREATE:
	case EADD:
	case EEXTEND:
	case EAUG:
	case EPA:
		return {0, false};
	case EDBGRD:
		return {bit(SGX2_RAX) | bit(SGX2_RBX), true};
	default:
		return {bit(SGX2_RAX), true};
	}
}

} // namespace

void Cpu::check_rules(const Result &r)
{
	EXPECT_TRUE(same_fixed(r.before, r.after)) << "a leaf changed a register that it never changes";
	if (r.outcome == SGX2_FAULT) {
		EXPECT_TRUE(same_varying(r.before, r.after)) << "a fault changed a register";
		const u8 v = r.fault.vector;
		EXPECT_TRUE(v == UD || v == NM || v == GP || v == PF) << int{v};
		EXPECT_EQ(r.fault.has_error, v == GP || v == PF);
		if (v == GP) {
			EXPECT_EQ(r.fault.error_code, 0U);
		}
		return;
	}
	const Outputs out = outputs(r.user, r.leaf);
	for (unsigned i = 0; i < 16; i++)
		if (!(out.gprs >> i & 1)) {
			EXPECT_EQ(r.after.gpr[i], r.before.gpr[i]) << "register " << i << " of leaf " << r.leaf;
		}
	const bool crosses = r.user && (r.leaf == EENTER || r.leaf == ERESUME || r.leaf == EEXIT);
	if (crosses)
		return;
	EXPECT_EQ(r.after.rip, r.before.next_rip);
	EXPECT_EQ(r.after.cr2, r.before.cr2);
	EXPECT_EQ(r.after.xcr0, r.before.xcr0);
	EXPECT_TRUE(same_segment(r.after.fs, r.before.fs) && same_segment(r.after.gs, r.before.gs));
	EXPECT_EQ(r.effects & (SGX2_EFFECT_FLUSH | SGX2_EFFECT_MODE | SGX2_EFFECT_XCR0 | SGX2_EFFECT_SEGMENTS), 0U);
	if (!out.code) {
		EXPECT_EQ(r.after.rflags, r.before.rflags);
		return;
	}
	EXPECT_EQ(r.after.rflags & ~F_ARITH, r.before.rflags & ~F_ARITH);
	EXPECT_EQ(r.after.rflags & F_ARITH & ~(F_ZF | F_CF), 0U);
	EXPECT_EQ(r.rax() != 0, r.flag(F_ZF) != r.flag(F_CF)) << "RAX " << r.rax() << " rflags " << r.after.rflags;
}

u32 Cpu::aex(const sgx2_event &ev)
{
	const bool was = inside();
	const sgx2_regs before = regs;
	epc_written.clear();
	Snapshot snap;
	if (check_invariants && compare_memory)
		snap = Snapshot::of(m_);
	const u32 effects = sgx2_aex(cpu_, &regs, &ev);
	if (!check_invariants)
		return effects;
	EXPECT_FALSE(inside());
	if (!was) {
		EXPECT_EQ(effects, 0U);
		EXPECT_TRUE(same_varying(before, regs));
	}
	EXPECT_TRUE(same_fixed(before, regs));
	if (compare_memory)
		check_written(snap.epc);
	return effects;
}

u32 Cpu::aex_exception(u8 vector, u32 error, u64 cr2)
{
	regs.cr2 = cr2;
	return aex({SGX2_EV_EXCEPTION, vector, error, false, false, false});
}

Snapshot Snapshot::of(const Machine &m, bool memory)
{
	Snapshot s;
	if (memory) {
		s.ram = m.ram_bytes();
		s.epc = m.epc_bytes();
	}
	s.epcm = m.epcm();
	return s;
}

std::string describe(const sgx2_epcm_entry &e)
{
	std::ostringstream s;
	if (!e.valid)
		return "invalid";
	static const char *const names[] = {"SECS", "TCS", "REG", "VA", "TRIM"};
	s << (e.type < 5 ? names[e.type] : "?") << ' ' << (e.r ? 'r' : '-') << (e.w ? 'w' : '-') << (e.x ? 'x' : '-')
	  << (e.blocked ? " blocked" : "") << (e.pending ? " pending" : "") << (e.modified ? " modified" : "")
	  << (e.pr ? " pr" : "") << std::hex << " linear " << e.linear << " enclave " << e.enclave << " stamp " << e.stamp;
	return s.str();
}

bool same(const sgx2_epcm_entry &a, const sgx2_epcm_entry &b)
{
	if (!a.valid && !b.valid)
		return true;
	return a.valid == b.valid && a.linear == b.linear && a.enclave == b.enclave && a.stamp == b.stamp && a.type == b.type &&
	       a.r == b.r && a.w == b.w && a.x == b.x && a.blocked == b.blocked && a.pending == b.pending &&
	       a.modified == b.modified && a.pr == b.pr;
}

std::string Snapshot::diff(const Snapshot &o, bool with_ram) const
{
	std::ostringstream s;
	for (std::size_t i = 0; i < epcm.size(); i++)
		if (!same(epcm[i], o.epcm[i]))
			s << "page " << i << ": " << describe(epcm[i]) << " was " << describe(o.epcm[i]) << '\n';
	if (epc != o.epc) {
		const auto at = std::mismatch(epc.begin(), epc.end(), o.epc.begin()).first - epc.begin();
		s << "EPC page " << at / kPage << " at " << at % kPage << '\n';
	}
	if (with_ram && ram != o.ram) {
		const auto at = std::mismatch(ram.begin(), ram.end(), o.ram.begin()).first - ram.begin();
		s << "RAM page " << at / kPage << " at " << at % kPage << '\n';
	}
	return s.str();
}

} // namespace sgx
