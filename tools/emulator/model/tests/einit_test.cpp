// SPDX-License-Identifier: GPL-2.0
// EINIT: its checks in order, the signature, the masks and the launch token.

#include <gtest/gtest.h>

#include "enclave.h"
#include "inside.h"

using namespace sgx;

namespace {

/// EINIT of an enclave whose signer is the one in SGXLEPUBKEYHASH, without a token.
struct Init {
	Machine m;
	std::unique_ptr<Enclave> e;
	Cpu &c = m.cpu(0);
	Buffer sigbuf = m.ram(), tokbuf = m.ram();
	Sigstruct sig;
	Token token;
	u64 rbx = sigbuf.linear, rcx, rdx = tokbuf.linear;
	Signer signer = Signer::One;
	std::vector<std::function<void(Sigstruct &)>> after_signing;

	explicit Init(const EnclaveSpec &s = {.attributes = A_DEBUG | A_MODE64 | A_TOKEN})
		: e(standard(m, s, false)), sig(e->sigstruct()), rcx(e->secs)
	{
		allow(Signer::One);
	}
	void allow(Signer allowed)
	{
		const Digest d = mrsigner(allowed);
		std::memcpy(c.regs.lepubkeyhash, d.data(), d.size());
	}
	Result call()
	{
		sign(sig, signer);
		for (const auto &f : after_signing)
			f(sig);
		m.place(rbx, sig);
		m.place(rdx, token);
		return c.encls(EINIT, rbx, rcx, rdx);
	}
};

template <class F>
std::unique_ptr<F> fresh()
{
	return std::make_unique<F>();
}
Expected is_gp(Init &)
{
	return gp();
}
std::function<Expected(Init &)> is(u64 n)
{
	return [n](Init &) {
		return code(n);
	};
}
Expected epcm_rcx(Init &f)
{
	return epcm(f.rcx);
}

TEST(Einit, ChecksInOrder)
{
	using F = Init;
	walk_checks<F>(
		fresh<F>,
		{
			{"RBX misaligned", [](F &f) { f.rbx += 512; }, is_gp},
			{"RCX misaligned", [](F &f) { f.rcx += 512; }, is_gp},
			{"RDX misaligned", [](F &f) { f.rdx += 256; }, is_gp},
			{"RCX not mapped", [](F &f) { f.rcx = kUnmapped; },
			 [](F &) {
				 Expected a = pf(kUnmapped, 2);
				 a.error_mask = ~2U;
				 return a;
			 }},
			{"RCX is RAM", [](F &f) { f.rcx = f.sigbuf.linear; }, epcm_rcx},
			{"SIGSTRUCT not mapped", [](F &f) { f.rbx = kUnmapped + kPage; },
			 [](F &) {
				 return pf(kUnmapped + kPage, 0);
			 }},
			{"token not mapped", [](F &f) { f.rdx = kUnmapped + 2 * kPage; },
			 [](F &) {
				 return pf(kUnmapped + 2 * kPage, 0);
			 }},
			{"header", [](F &f) { f.sig.set<u8>(sig::HEADER, 7); }, is(INVALID_SIG_STRUCT)},
			{"an event is pending", [](F &f) { f.c.regs.event_pending = true; }, is(UNMASKED_EVENT)},
			{"signature", [](F &f) { f.after_signing.emplace_back([](Sigstruct &s) { s.b[sig::SIGNATURE] ^= 1; }); },
			 is(INVALID_SIGNATURE)},
			{"SECS invalid", [](F &f) { f.rcx = f.m.epc(); }, epcm_rcx},
			{"not a SECS", [](F &f) { f.rcx = f.e->epc(at::Data); }, epcm_rcx},
			{"ISVFAMILYID without KSS", [](F &f) { f.sig.set<u8>(sig::FAMILYID, 1); }, is(INVALID_SIG_STRUCT)},
			{"initialized", [](F &f) { f.e->init(); }, is_gp},
			{"measurement", [](F &f) { f.sig.b[sig::ENCLAVEHASH] ^= 1; }, is(INVALID_MEASUREMENT)},
			{"launch key for another signer", [](F &f) { f.allow(Signer::Two); }, is(INVALID_ATTRIBUTE)},
			{"attributes", [](F &f) { f.sig.b[sig::ATTRIBUTES] ^= A_PROVISION; }, is(INVALID_ATTRIBUTE)},
			{"MISCSELECT", [](F &f) { f.sig.b[sig::MISCSELECT] ^= 1; }, is(INVALID_ATTRIBUTE)},
		});
}

TEST(Einit, OtherSignerNeedsToken)
{
	Init f(EnclaveSpec{});
	f.allow(Signer::Two);
	EXPECT_RESULT(f.call(), code(INVALID_EINITTOKEN));
	f.sig.b[sig::MISCSELECT] ^= 1; // an earlier check
	EXPECT_RESULT(f.call(), code(INVALID_ATTRIBUTE));
	f.sig.b[sig::MISCSELECT] ^= 1;
	f.signer = Signer::Two;
	EXPECT_RESULT(f.call(), done());
}

TEST(Einit, RejectsWrongFixedFields)
{
	for (const unsigned off : {0U,	4U,  8U,   10U,	 15U,  16U,  19U,  24U,	 25U,  28U,   32U,   36U,
				   39U, 44U, 100U, 127U, 512U, 515U, 908U, 911U, 992U, 1007U, 1028U, 1039U}) {
		SCOPED_TRACE(off);
		Init f;
		// The SIGSTRUCT is signed after the change where possible, so that only the check
		// under test can fail.
		f.sig.b[off] ^= 0x10;
		f.after_signing.emplace_back([off, value = f.sig.b[off]](Sigstruct &s) { s.b[off] = value; });
		EXPECT_RESULT(f.call(), code(INVALID_SIG_STRUCT));
	}
}

TEST(Einit, AcceptsAnyValueOfFreeFields)
{
	for (const unsigned off : {20U, 23U, 40U, 43U}) {
		Init f;
		f.sig.b[off] ^= 0xff;
		EXPECT_RESULT(f.call(), done()) << off;
	}
	for (const u32 vendor : {0U, 0x8086U}) {
		Init f;
		f.sig.set(sig::VENDOR, vendor);
		EXPECT_RESULT(f.call(), done()) << vendor;
	}
}

TEST(Einit, SignatureCoversEachField)
{
	// The fields are changed after signing. If an earlier check applies, its code is expected.
	for (const unsigned off : {20U, 40U, 900U, 904U, 912U, 928U, 940U, 950U, 960U, 991U, 1008U, 1024U, 1026U, 1027U}) {
		Init f;
		f.after_signing.emplace_back([off](Sigstruct &s) { s.b[off] ^= 0x80; });
		EXPECT_RESULT(f.call(), code(INVALID_SIGNATURE)) << off;
	}
}

TEST(Einit, ChecksEachPartOfSignature)
{
	for (const unsigned off : {128U, 300U, 511U, 516U, 700U, 899U, 1040U, 1200U, 1423U, 1424U, 1600U, 1807U}) {
		Init f;
		f.after_signing.emplace_back([off](Sigstruct &s) { s.b[off] ^= 4; });
		EXPECT_RESULT(f.call(), code(INVALID_SIGNATURE)) << off;
	}
	for (const unsigned field : {sig::MODULUS, sig::SIGNATURE, sig::Q1, sig::Q2}) {
		for (const u8 value : {0, 255}) {
			Init f;
			f.after_signing.emplace_back([=](Sigstruct &s) { std::memset(s.b.data() + field, value, 384); });
			EXPECT_RESULT(f.call(), code(INVALID_SIGNATURE)) << field << ' ' << int{value};
		}
	}
}

TEST(Einit, OtherModulusNeedsItsSignature)
{
	Init f;
	f.after_signing.emplace_back([](Sigstruct &s) {
		s.b[sig::MODULUS] ^= 2; // the modulus is still odd and of full size, and Q1 and Q2 match it
		fill_hints(s);
	});
	EXPECT_RESULT(f.call(), code(INVALID_SIGNATURE));
}

TEST(Einit, RejectsQ1BelowQuotient)
{
	// S*S = Q1*M + R1 also holds for a smaller Q1, but then R1 is not below M.
	Init f;
	bool made = false;
	f.after_signing.emplace_back([&](Sigstruct &s) { made = decrement_q1(s); });
	const Result r = f.call();
	if (!made)
		GTEST_SKIP() << "Q2 does not fit in 384 bytes";
	EXPECT_RESULT(r, code(INVALID_SIGNATURE));
}

TEST(Einit, RejectsQ2BelowQuotient)
{
	Init f;
	bool made = false;
	f.after_signing.emplace_back([&](Sigstruct &s) { made = decrement_q2(s); });
	const Result r = f.call();
	ASSERT_TRUE(made);
	EXPECT_RESULT(r, code(INVALID_SIGNATURE));
}

TEST(Einit, ChecksPkcs1Padding)
{
	for (const unsigned byte : {1U, 2U, 100U, 331U, 332U, 333U, 340U, 351U, 352U, 383U}) {
		Init f;
		f.after_signing.emplace_back([byte](Sigstruct &s) { sign_padded(s, [byte](auto &em) { em[byte] ^= 1; }); });
		EXPECT_RESULT(f.call(), code(INVALID_SIGNATURE)) << byte;
	}
	Init f;
	f.after_signing.emplace_back([](Sigstruct &s) { sign_padded(s, [](auto &) {}); });
	EXPECT_RESULT(f.call(), done());
}

TEST(Einit, SigstructInEpcReadsAsOnes)
{
	Init f;
	f.call();
	f.rbx = f.e->epc(at::Data);
	EXPECT_RESULT(f.call(), code(INVALID_SIG_STRUCT));
}

TEST(Einit, FailureChangesNothing)
{
	Init f;
	f.sig.b[sig::ENCLAVEHASH] ^= 1;
	EXPECT_RESULT(f.call(), code(INVALID_MEASUREMENT));
	EXPECT_RESULT(f.e->enter(1), gp());
	f.c.regs.event_pending = true;
	EXPECT_RESULT(f.call(), code(UNMASKED_EVENT));
	f.c.regs.event_pending = false;
	f.e->add(0x30000, REG | R | W, pattern_page(30)); // pages can still be added and measured
	f.sig = f.e->sigstruct();
	EXPECT_RESULT(f.call(), done());
	EXPECT_RESULT(f.e->enter(1), done());
}

TEST(Einit, AppliesMasks)
{
	{
		SCOPED_TRACE("an all-zero mask allows any attributes");
		Init f;
		f.sig.set<u64>(sig::ATTRIBUTES, ~u64{0}).set<u64>(sig::ATTRIBUTES + 8, ~u64{0}).set(sig::MISCSELECT, ~u32{0});
		f.sig.set<u64>(sig::ATTRIBUTEMASK, 0).set<u64>(sig::ATTRIBUTEMASK + 8, 0).set<u32>(sig::MISCMASK, 0);
		EXPECT_RESULT(f.call(), done());
	}
	{
		SCOPED_TRACE("the mask covers XFRM");
		Init f;
		f.sig.set<u64>(sig::ATTRIBUTES + 8, 7);
		EXPECT_RESULT(f.call(), code(INVALID_ATTRIBUTE));
		f.sig.set<u64>(sig::ATTRIBUTEMASK + 8, 3);
		EXPECT_RESULT(f.call(), done());
	}
	{
		SCOPED_TRACE("the 64th attribute");
		Init f;
		f.sig.set(sig::ATTRIBUTES, f.sig.get<u64>(sig::ATTRIBUTES) | u64{1} << 63);
		EXPECT_RESULT(f.call(), code(INVALID_ATTRIBUTE));
	}
	{
		SCOPED_TRACE("MISCSELECT of the enclave without its bit in SIGSTRUCT");
		Init f(EnclaveSpec{.miscselect = 1});
		f.sig.set<u32>(sig::MISCSELECT, 0);
		EXPECT_RESULT(f.call(), code(INVALID_ATTRIBUTE));
		f.sig.set(sig::MISCMASK, ~u32{1});
		EXPECT_RESULT(f.call(), done());
	}
}

TEST(Einit, FamilyIdNeedsKss)
{
	for (const unsigned field : {sig::FAMILYID, sig::FAMILYID + 15, sig::EXTPRODID, sig::EXTPRODID + 15}) {
		Init f;
		f.sig.set<u8>(field, 9);
		EXPECT_RESULT(f.call(), code(INVALID_SIG_STRUCT)) << field;
		Init g(EnclaveSpec{.attributes = A_DEBUG | A_MODE64 | A_KSS});
		g.sig.set<u8>(field, 9);
		EXPECT_RESULT(g.call(), done()) << field;
	}
}

TEST(Einit, SetsIdentityInSecs)
{
	EnclaveSpec s{.attributes = A_DEBUG | A_MODE64 | A_KSS | A_PROVISION, .xfrm = 7, .miscselect = 1, .configsvn = 0x77};
	s.configid.fill(0xc1);
	Init f(s);
	std::array<u8, 16> family, ext;
	family.fill(0xfa);
	ext.fill(0xe7);
	f.sig.put(sig::FAMILYID, family).put(sig::EXTPRODID, ext).set<u16>(sig::PRODID, 0x1122).set<u16>(sig::SVN, 0x3344);
	ASSERT_RESULT(f.call(), done());
	ASSERT_RESULT(f.e->enter(1), done());
	const Report r = Inside(*f.e, 1).report(TargetInfo{}, {});
	EXPECT_EQ(r.take<32>(report::MRENCLAVE), f.e->measure.digest());
	EXPECT_EQ(r.take<32>(report::MRSIGNER), mrsigner(Signer::One));
	EXPECT_EQ(r.get<u16>(report::PRODID), 0x1122);
	EXPECT_EQ(r.get<u16>(report::SVN), 0x3344);
	EXPECT_EQ(r.take<16>(report::FAMILYID), family);
	EXPECT_EQ(r.take<16>(report::EXTPRODID), ext);
	EXPECT_EQ(r.get<u64>(report::ATTRIBUTES), s.attributes | A_INIT);
	EXPECT_EQ(r.get<u64>(report::ATTRIBUTES + 8), 7U);
	EXPECT_EQ(r.get<u32>(report::MISCSELECT), 1U);
	EXPECT_EQ(r.take<64>(report::CONFIGID), s.configid);
	EXPECT_EQ(r.get<u16>(report::CONFIGSVN), 0x77);
}

/// A launch enclave makes a token for an enclave of a signer that SGXLEPUBKEYHASH does not allow.
struct Launch {
	Machine m;
	std::unique_ptr<Enclave> launcher = standard(m, {.base = 0x710000000000, .attributes = A_MODE64 | A_TOKEN});
	std::unique_ptr<Enclave> e;
	Token token;
	Key key{};
	Report le{};
	bool stale = false; // the MAC precedes the last change
	Sigstruct sig;

	explicit Launch(u64 attributes = A_MODE64)
		: e(standard(m, {.attributes = attributes}, false)), sig(e->sigstruct(Signer::Two))
	{
		EXPECT_RESULT(launcher->enter(1, at::Tcs), done());
		Inside in(*launcher, 1);
		le = in.report(TargetInfo{}, {});
		KeyRequest k;
		k.set<u16>(keyreq::NAME, KEY_EINITTOKEN)
			.set<u64>(keyreq::ATTRMASK, ~u64{0})
			.set<u64>(keyreq::ATTRMASK + 8, ~u64{0});
		k.set(keyreq::MISCMASK, ~u32{0}).put(keyreq::CPUSVN, le.take<16>(report::CPUSVN)).set<u8>(keyreq::KEYID, 0x42);
		EXPECT_RESULT(in.getkey(k, key), done());
		token.set<u32>(token::VALID, 1)
			.set(token::ATTRIBUTES, e->spec.attributes)
			.set(token::ATTRIBUTES + 8, e->spec.xfrm);
		token.put(token::MRENCLAVE, e->measure.digest()).put(token::MRSIGNER, mrsigner(Signer::Two));
		token.put(token::CPUSVN, le.take<16>(report::CPUSVN)).set<u8>(token::KEYID, 0x42);
		token.put(token::MASKEDATTR, le.take<16>(report::ATTRIBUTES))
			.set(token::MISCSELECT, le.get<u32>(report::MISCSELECT));
	}
	Result call()
	{
		if (!stale)
			token.put(token::MAC, aes_cmac(key, token.b.data(), 192));
		// The key depends on the hash of the launch enclave's signer.
		const Digest d = mrsigner(Signer::One);
		std::memcpy(m.cpu(0).regs.lepubkeyhash, d.data(), d.size());
		return e->try_init(sig, token);
	}
};

TEST(EinitToken, AllowsOtherSigner)
{
	Launch f;
	ASSERT_RESULT(f.call(), done());
	EXPECT_RESULT(f.e->enter(2), done());
}

TEST(EinitToken, DoesNotAllowEinitTokenKeyAttribute)
{
	Launch f(A_MODE64 | A_TOKEN);
	EXPECT_RESULT(f.call(), code(INVALID_ATTRIBUTE));
}

TEST(EinitToken, FromDebugLaunchEnclaveNeedsDebug)
{
	Launch f;
	f.token.set(token::MASKEDATTR, f.token.get<u64>(token::MASKEDATTR) | A_DEBUG);
	EXPECT_RESULT(f.call(), code(INVALID_EINITTOKEN));
}

TEST(EinitToken, RejectsReservedBytes)
{
	for (const unsigned off : {4U, 47U, 96U, 127U, 160U, 191U, 212U, 235U}) {
		Launch f;
		f.token.set<u8>(off, 1);
		EXPECT_RESULT(f.call(), code(INVALID_EINITTOKEN)) << off;
	}
}

TEST(EinitToken, RejectsNewerCpusvn)
{
	Launch f;
	std::memset(f.token.b.data() + token::CPUSVN, 0xff, 16);
	EXPECT_RESULT(f.call(), code(INVALID_CPUSVN));
	f.token.set<u8>(token::RSVD4, 1); // reserved fields are checked first
	EXPECT_RESULT(f.call(), code(INVALID_EINITTOKEN));
}

TEST(EinitToken, MacCoversFirst192Bytes)
{
	for (const unsigned off : {48U, 56U, 64U, 95U, 128U, 159U, 288U, 303U}) {
		Launch f;
		EXPECT_RESULT((f.sig.b[sig::ENCLAVEHASH] ^= 1, f.call()), code(INVALID_SIGNATURE));
		f.sig.b[sig::ENCLAVEHASH] ^= 1;
		f.stale = true;
		f.token.b[off] ^= 1;
		EXPECT_RESULT(f.call(), code(INVALID_EINITTOKEN)) << off;
	}
}

TEST(EinitToken, KeyDependsOnLaunchEnclave)
{
	for (const unsigned off : {token::PRODID, token::SVN, token::KEYID, token::KEYID + 31, token::MISCSELECT,
				   token::MASKEDATTR + 2, token::MASKEDATTR + 8}) {
		Launch f;
		f.token.b[off] ^= 0x10;
		EXPECT_RESULT(f.call(), code(INVALID_EINITTOKEN)) << off;
	}
}

TEST(EinitToken, MustMatchMeasurementAndAttributes)
{
	for (const unsigned off : {token::MRENCLAVE, token::MRSIGNER + 31}) {
		Launch f;
		f.token.b[off] ^= 1;
		EXPECT_RESULT(f.call(), code(INVALID_MEASUREMENT)) << off;
	}
	for (const unsigned off : {token::ATTRIBUTES, token::ATTRIBUTES + 8}) {
		Launch f;
		f.token.b[off] ^= 4;
		EXPECT_RESULT(f.call(), code(INVALID_ATTRIBUTE)) << off;
	}
}

} // namespace
