// SPDX-License-Identifier: GPL-2.0
// The enclave builder and the comparison of a result with the expected one.

#include "enclave.h"

#include <algorithm>
#include <sstream>

namespace sgx {

Expected done()
{
	return {};
}
Expected gp()
{
	return {Expected::Fault, GP};
}
Expected ud()
{
	return {Expected::Fault, UD};
}
Expected nm()
{
	return {Expected::Fault, NM};
}
Expected pf(u64 address, u32 error)
{
	return {Expected::Fault, PF, error, ~u32{0}, address};
}
Expected epcm(u64 address)
{
	return pf(address, SGX2_PFEC_SGX | SGX2_PFEC_P | SGX2_PFEC_W);
}
Expected uepcm(u64 address)
{
	Expected a = pf(address, SGX2_PFEC_SGX | SGX2_PFEC_P | SGX2_PFEC_U);
	a.error_mask = ~SGX2_PFEC_W;
	return a;
}
Expected in_page(Expected a)
{
	a.cr2_mask = ~(kPage - 1);
	return a;
}
Expected code(u64 n)
{
	return {Expected::Error, 0, 0, 0, 0, n};
}
Expected info(u64 n)
{
	return {Expected::Info, 0, 0, 0, 0, n};
}

namespace {

bool returns_code(const Result &r)
{
	if (r.user)
		return r.leaf == EGETKEY || r.leaf == EACCEPT || r.leaf == EACCEPTCOPY;
	return r.leaf != ECREATE && r.leaf != EADD && r.leaf != EEXTEND && r.leaf != EAUG && r.leaf != EPA;
}

std::string words(const Result &r)
{
	std::ostringstream s;
	s << std::hex;
	if (r.outcome == SGX2_FAULT)
		s << "fault " << std::dec << int{r.fault.vector} << std::hex << " error " << r.fault.error_code << " cr2 "
		  << r.fault.cr2;
	else if (returns_code(r))
		s << "RAX " << std::dec << r.rax() << " ZF " << r.flag(F_ZF) << " CF " << r.flag(F_CF);
	else
		s << "done";
	return s.str();
}

} // namespace

testing::AssertionResult result_is(const Result &r, const Expected &a)
{
	bool good = false;
	std::ostringstream want;
	want << std::hex;
	switch (a.kind) {
	case Expected::Fault:
		want << "fault " << std::dec << int{a.vector} << std::hex;
		good = r.outcome == SGX2_FAULT && r.fault.vector == a.vector;
		if (a.vector == PF) {
			want << " error " << a.error << (a.error_mask == ~u32{0} ? "" : " (W or not)") << " cr2 " << a.cr2;
			good = good && (r.fault.error_code & a.error_mask) == (a.error & a.error_mask) &&
			       (r.fault.cr2 & a.cr2_mask) == (a.cr2 & a.cr2_mask);
		}
		break;
	case Expected::Done:
		want << "success";
		good = r.outcome == SGX2_DONE && (!returns_code(r) || (r.rax() == 0 && !r.flag(F_ZF) && !r.flag(F_CF)));
		break;
	case Expected::Error:
	case Expected::Info:
		want << std::dec << "RAX " << a.code << (a.kind == Expected::Error ? " ZF 1 CF 0" : " ZF 0 CF 1");
		good = r.outcome == SGX2_DONE && r.rax() == a.code && r.flag(F_ZF) == (a.kind == Expected::Error) &&
		       r.flag(F_CF) == (a.kind == Expected::Info);
		break;
	}
	if (good)
		return testing::AssertionSuccess();
	return testing::AssertionFailure() << (r.user ? "ENCLU " : "ENCLS ") << r.leaf << ": " << words(r) << ", not "
					   << want.str();
}

Page tcs_page(const TcsSpec &t)
{
	Page p;
	p.set(tcs::FLAGS, t.flags)
		.set(tcs::OSSA, t.ossa)
		.set(tcs::CSSA, t.cssa)
		.set(tcs::NSSA, t.nssa)
		.set(tcs::OENTRY, t.oentry);
	p.set(tcs::OFSBASE, t.ofsbase).set(tcs::OGSBASE, t.ogsbase).set(tcs::FSLIMIT, t.fslimit).set(tcs::GSLIMIT, t.gslimit);
	return p;
}

Page pattern_page(u64 seed)
{
	Page p;
	for (std::size_t i = 0; i < kPage; i += 8) {
		seed = seed * 6364136223846793005U + 1442695040888963407U;
		p.set(i, seed ^ (seed >> 31));
	}
	return p;
}

Enclave::Enclave(Machine &machine, const EnclaveSpec &s)
	: m(machine), spec(s), info(machine.ram()), secinfo(machine.ram()), source(machine.ram()), sigbuf(machine.ram()),
	  tokbuf(machine.ram())
{
}

void Enclave::create()
{
	secs = m.epc();
	Page p;
	p.set(secs::SIZE, spec.size).set(secs::BASE, spec.base).set(secs::SSAFRAMESIZE, spec.ssaframesize);
	p.set(secs::MISCSELECT, spec.miscselect).set(secs::FLAGS, spec.attributes).set(secs::XFRM, spec.xfrm);
	p.put(secs::CONFIGID, spec.configid).set(secs::CONFIGSVN, spec.configsvn);
	source = p;
	secinfo = Secinfo{};
	info = Pageinfo{}.set(pageinfo::SRCPGE, source.linear).set(pageinfo::SECINFO, secinfo.linear);
	ASSERT_RESULT(cpu().encls(ECREATE, info.linear, secs), done());
	measure.ecreate(spec.ssaframesize, spec.size);
}

Result Enclave::try_add(u64 offset, u64 flags, const Page &content)
{
	if (!pages.count(offset))
		pages[offset] = m.epc();
	source = content;
	secinfo = Secinfo{}.set(0, flags);
	info = Pageinfo{}
		       .set(pageinfo::LINADDR, lin(offset))
		       .set(pageinfo::SRCPGE, source.linear)
		       .set(pageinfo::SECINFO, secinfo.linear)
		       .set(pageinfo::SECS, secs);
	return cpu().encls(EADD, info.linear, pages[offset]);
}

void Enclave::add(u64 offset, u64 flags, const Page &content, bool measured)
{
	ASSERT_RESULT(try_add(offset, flags, content), done());
	m.map(lin(offset), {m.epc_physical(pages[offset])});
	measure.eadd(offset, (flags & 0xff00) == TCS ? TCS : flags);
	for (u64 chunk = 0; measured && chunk < kPage; chunk += 256) {
		ASSERT_RESULT(cpu().encls(EEXTEND, secs, pages[offset] + chunk), done());
		measure.eextend(offset + chunk, content.b.data() + chunk);
	}
}

Sigstruct Enclave::sigstruct(Signer signer) const
{
	Sigstruct s = sigstruct_template();
	s.set(sig::ATTRIBUTES, spec.attributes).set(sig::ATTRIBUTES + 8, spec.xfrm).set(sig::MISCSELECT, spec.miscselect);
	s.set(sig::ATTRIBUTEMASK, ~u64{0} & ~A_INIT).set(sig::ATTRIBUTEMASK + 8, ~u64{0}).set(sig::MISCMASK, ~u32{0});
	s.put(sig::ENCLAVEHASH, measure.digest());
	sign(s, signer);
	return s;
}

Result Enclave::try_init(const Sigstruct &s, const Token &t)
{
	sigbuf = s;
	tokbuf = t;
	const sgx2_regs saved = cpu().regs;
	if (t.get<u32>(token::VALID) == 0) {
		const auto modulus = s.take<384>(sig::MODULUS);
		const Digest d = sha256(modulus.data(), modulus.size());
		std::memcpy(cpu().regs.lepubkeyhash, d.data(), d.size());
	}
	Result r = cpu().encls(EINIT, sigbuf.linear, secs, tokbuf.linear);
	std::copy_n(saved.lepubkeyhash, 4, cpu().regs.lepubkeyhash);
	return r;
}

void Enclave::init(const Sigstruct &s)
{
	ASSERT_RESULT(try_init(s), done());
}

Result Enclave::try_aug(u64 offset)
{
	if (!pages.count(offset))
		pages[offset] = m.epc();
	info = Pageinfo{}.set(pageinfo::LINADDR, lin(offset)).set(pageinfo::SECS, secs);
	return cpu().encls(EAUG, info.linear, pages[offset]);
}

void Enclave::aug(u64 offset)
{
	ASSERT_RESULT(try_aug(offset), done());
	m.map(lin(offset), {m.epc_physical(pages[offset])});
}

void Enclave::block(u64 offset)
{
	ASSERT_RESULT(eblock(offset), done());
	ASSERT_RESULT(etrack(), done());
}

void Enclave::remove(u64 offset)
{
	ASSERT_RESULT(eremove(offset), done());
	m.epc_free(pages.at(offset));
	m.unmap(lin(offset));
	pages.erase(offset);
}

void Enclave::destroy()
{
	while (!pages.empty())
		remove(pages.begin()->first);
	ASSERT_RESULT(cpu().encls(EREMOVE, 0, secs), done());
	m.epc_free(secs);
	secs = 0;
}

Result Enclave::emodpr(u64 offset, u64 rwx)
{
	secinfo = Secinfo{}.set(0, rwx);
	return cpu().encls(EMODPR, secinfo.linear, epc(offset));
}

Result Enclave::emodt(u64 offset, PageType t)
{
	secinfo = Secinfo{}.set(0, type(t));
	return cpu().encls(EMODT, secinfo.linear, epc(offset));
}

Result Enclave::enter(std::size_t cpu_index, u64 tcs_offset, u64 aep)
{
	return m.cpu(cpu_index).enclu(EENTER, lin(tcs_offset), aep);
}

Result Enclave::resume(std::size_t cpu_index, u64 tcs_offset, u64 aep)
{
	return m.cpu(cpu_index).enclu(ERESUME, lin(tcs_offset), aep);
}

Result Enclave::exit(std::size_t cpu_index, u64 where)
{
	return m.cpu(cpu_index).enclu(EEXIT, where);
}

Result Enclave::eaccept(std::size_t cpu_index, u64 offset, u64 flags)
{
	std::memset(mem(kSecinfo), 0, 64);
	poke(kSecinfo, flags);
	return m.cpu(cpu_index).enclu(EACCEPT, lin(kSecinfo), lin(offset));
}

Result Enclave::eacceptcopy(std::size_t cpu_index, u64 to, u64 from, u64 flags)
{
	std::memset(mem(kSecinfo), 0, 64);
	poke(kSecinfo, flags);
	return m.cpu(cpu_index).enclu(EACCEPTCOPY, lin(kSecinfo), lin(to), lin(from));
}

Result Enclave::emodpe(std::size_t cpu_index, u64 offset, u64 flags)
{
	std::memset(mem(kSecinfo), 0, 64);
	poke(kSecinfo, flags);
	return m.cpu(cpu_index).enclu(EMODPE, lin(kSecinfo), lin(offset));
}

u32 Enclave::cssa(u64 tcs_offset)
{
	const Result r = edbgrd(tcs_offset + tcs::CSSA);
	EXPECT_RESULT(r, done());
	return static_cast<u32>(r.after.gpr[SGX2_RBX]);
}

std::unique_ptr<Enclave> standard(Machine &m, const EnclaveSpec &s, bool init, const TcsSpec &t)
{
	auto e = std::make_unique<Enclave>(m, s);
	Cpu &c = e->cpu();
	const bool slow = c.compare_memory;
	c.compare_memory = false; // the tests of each leaf compare memory
	e->create();
	e->add_tcs(at::Tcs, t);
	for (u64 off = at::Ssa; off < at::Code; off += kPage)
		e->add(off, REG | R | W, Page{}, false);
	e->add(at::Code, REG | R | X, pattern_page(1));
	e->add(at::Data, REG | R | W, Page{}, false);
	e->add(at::Data2, REG | R | W, pattern_page(2), false);
	e->add(at::RoData, REG | R, pattern_page(3), false);
	TcsSpec second = t;
	second.ossa = at::Ssa2;
	second.nssa = 2;
	e->add_tcs(at::Tcs2, second);
	e->add(at::Ssa2, REG | R | W, Page{}, false);
	e->add(at::Ssa2 + kPage, REG | R | W, Page{}, false);
	if (init)
		e->init();
	c.compare_memory = slow;
	return e;
}

Evicted evicted_buffers(Machine &m)
{
	Evicted e;
	e.info = m.ram();
	e.content = m.ram();
	e.pcmd = m.ram();
	return e;
}

Pager::Pager(Machine &machine) : m(machine), va(machine.epc())
{
	EXPECT_RESULT(m.cpu(0).encls(EPA, PT_VA, va), done());
}

Result Pager::evict(u64 page, Evicted &out, u64 slot_linear)
{
	out.info = Pageinfo{}.set(pageinfo::SRCPGE, out.content.linear).set(pageinfo::SECINFO, out.pcmd.linear);
	out.slot = slot_linear;
	return m.cpu(0).encls(EWB, out.info.linear, page, slot_linear);
}

Result Pager::load(u32 leaf, u64 page, const Evicted &e, u64 linear, u64 secs)
{
	Buffer b = e.info;
	b = Pageinfo{}
		    .set(pageinfo::LINADDR, linear)
		    .set(pageinfo::SRCPGE, e.content.linear)
		    .set(pageinfo::SECINFO, e.pcmd.linear)
		    .set(pageinfo::SECS, secs);
	return m.cpu(0).encls(leaf, b.linear, page, e.slot);
}

} // namespace sgx
