// SPDX-License-Identifier: GPL-2.0
// EREPORT and EGETKEY: checks in order, the contents of a report, and the dependencies of each key.

#include <set>

#include <gtest/gtest.h>

#include "enclave.h"
#include "inside.h"

using namespace sgx;

namespace {

constexpr u64 kAll = A_DEBUG | A_MODE64 | A_PROVISION | A_TOKEN | A_KSS;

/// The properties of an enclave that keys may depend on.
struct Identity {
	EnclaveSpec spec{.attributes = kAll};
	Signer signer = Signer::One;
	u16 prodid = 7, svn = 5;
	u8 family = 0, ext = 0, content = 1;
	sgx2_config config = default_config();
};

struct Keys {
	Machine m;
	std::unique_ptr<Enclave> e;
	Cpu &c = m.cpu(1);
	Inside in;

	explicit Keys(const Identity &id = {}) : m(MachineOptions{.config = id.config}), e(build(id)), in(*e, 1)
	{
		EXPECT_RESULT(e->enter(1), done());
	}
	std::unique_ptr<Enclave> build(const Identity &id)
	{
		auto enclave = standard(m, id.spec, false);
		enclave->add(0x50000, REG | R, pattern_page(id.content));
		Sigstruct s = enclave->sigstruct(id.signer);
		s.set(sig::PRODID, id.prodid).set(sig::SVN, id.svn).set(sig::FAMILYID, id.family).set(sig::EXTPRODID, id.ext);
		sign(s, id.signer);
		enclave->init(s);
		return enclave;
	}
	TargetInfo self()
	{
		const Report r = in.report(TargetInfo{}, {});
		TargetInfo t;
		t.put(target::MEASUREMENT, r.take<32>(report::MRENCLAVE)).put(target::ATTRIBUTES, r.take<16>(report::ATTRIBUTES));
		t.set(target::MISCSELECT, r.get<u32>(report::MISCSELECT)).put(target::CONFIGID, r.take<64>(report::CONFIGID));
		return t.set(target::CONFIGSVN, r.get<u16>(report::CONFIGSVN));
	}
	Key get(const KeyRequest &k)
	{
		Key key{};
		EXPECT_RESULT(in.getkey(k, key), done());
		return key;
	}
};

KeyRequest request(KeyName name, u16 policy = 0)
{
	KeyRequest k;
	k.set<u16>(keyreq::NAME, name).set(keyreq::POLICY, policy);
	k.set(keyreq::ATTRMASK, ~u64{0}).set(keyreq::ATTRMASK + 8, ~u64{0}).set(keyreq::MISCMASK, ~u32{0});
	return k;
}

Key key_of(const Identity &id, const KeyRequest &k)
{
	return Keys(id).get(k);
}

struct Attest {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Cpu &c = m.cpu(1);
	Inside in{*e, 1};
	u32 leaf;
	TargetInfo blob; // TARGETINFO or KEYREQUEST
	u64 rbx = e->lin(Inside::kIn), rcx, rdx = e->lin(Inside::kOut);

	explicit Attest(u32 l) : leaf(l), rcx(e->lin(l == EREPORT ? Inside::kData : Inside::kKey))
	{
		e->aug(at::Free);
		EXPECT_RESULT(e->enter(1), done());
		if (l == EGETKEY)
			blob = request(KEY_SEAL);
	}
	Result call()
	{
		if ((rbx & ~(kPage - 1)) == e->lin(Inside::kIn))
			in.put(at::Data2 + rbx % kPage, blob);
		return c.enclu(leaf, rbx, rcx, rdx);
	}
	u64 blocked(u64 off)
	{
		EXPECT_RESULT(e->eblock(off), done());
		return e->lin(off);
	}
	u64 restricted(u64 off, u64 rwx)
	{
		EXPECT_RESULT(e->emodpr(off, rwx), done());
		return e->lin(off);
	}
};

using F = Attest;
Expected is_gp(F &)
{
	return gp();
}
Expected rbx_pf(F &f)
{
	return uepcm(f.rbx);
}
Expected rcx_pf(F &f)
{
	return uepcm(f.rcx);
}

TEST(Ereport, ChecksInOrder)
{
	walk_checks<F>([] { return std::make_unique<F>(EREPORT); },
		       {
			       {"RBX misaligned", [](F &f) { f.rbx += 256; }, is_gp},
			       {"RBX outside ELRANGE", [](F &f) { f.rbx = kUserRam; }, is_gp},
			       {"RBX not mapped", [](F &f) { f.rbx = f.e->lin(0x80000); },
				[](F &f) {
					return pf(f.rbx, 4);
				}},
			       {"RBX in a TCS", [](F &f) { f.rbx = f.e->lin(at::Tcs2); }, rbx_pf},
			       {"RBX in a blocked page", [](F &f) { f.rbx = f.blocked(at::RoData); }, rbx_pf},
			       {"RBX in a pending page", [](F &f) { f.rbx = f.e->lin(at::Free); }, rbx_pf},
			       {"RBX not readable", [](F &f) { f.rbx = f.restricted(at::Code, X); }, rbx_pf},
			       {"reserved TARGETINFO", [](F &f) { f.blob.set<u8>(500, 1); }, is_gp},
			       {"RCX misaligned", [](F &f) { f.rcx += 64; }, is_gp},
			       {"RCX outside ELRANGE", [](F &f) { f.rcx = f.e->lin(f.e->spec.size); }, is_gp},
			       {"RCX not mapped", [](F &f) { f.rcx = f.e->lin(0x81000); },
				[](F &f) {
					return pf(f.rcx, 4);
				}},
			       {"RCX in a blocked page", [](F &f) { f.rcx = f.blocked(at::Ssa + kPage); }, rcx_pf},
			       {"RCX not readable", [](F &f) { f.rcx = f.restricted(at::Ssa + 2 * kPage, 0); }, rcx_pf},
			       {"RDX misaligned", [](F &f) { f.rdx += 128; }, is_gp},
			       {"RDX outside ELRANGE", [](F &f) { f.rdx = kUserRam + 512; }, is_gp},
			       {"RDX not mapped", [](F &f) { f.rdx = f.e->lin(0x82000); },
				[](F &f) {
					return pf(f.rdx, 6);
				}},
			       {"RDX mapped read-only", [](F &f) { f.m.pte(f.rdx = f.e->lin(at::Ssa2 + kPage))->w = false; },
				[](F &f) {
					return pf(f.rdx, 7);
				}},
			       {"RDX not writable", [](F &f) { f.rdx = f.restricted(at::Ssa2, R); },
				[](F &f) {
					return pf(f.rdx, SGX2_PFEC_SGX | 7);
				}},
		       });
}

TEST(Egetkey, ChecksInOrder)
{
	walk_checks<F>([] { return std::make_unique<F>(EGETKEY); },
		       {
			       {"RBX misaligned", [](F &f) { f.rbx += 256; }, is_gp},
			       {"RBX outside ELRANGE", [](F &f) { f.rbx = kUserRam; }, is_gp},
			       {"RBX not mapped", [](F &f) { f.rbx = f.e->lin(0x80000); },
				[](F &f) {
					return pf(f.rbx, 4);
				}},
			       {"RBX in a blocked page", [](F &f) { f.rbx = f.blocked(at::RoData); }, rbx_pf},
			       {"RBX not readable", [](F &f) { f.rbx = f.restricted(at::Code, X); }, rbx_pf},
			       {"RCX misaligned", [](F &f) { f.rcx += 8; }, is_gp},
			       {"RCX outside ELRANGE", [](F &f) { f.rcx = f.e->lin(0) - 16; }, is_gp},
			       {"RCX not mapped", [](F &f) { f.rcx = f.e->lin(0x81000); },
				[](F &f) {
					return pf(f.rcx, 6);
				}},
			       {"RCX mapped read-only", [](F &f) { f.m.pte(f.rcx = f.e->lin(at::Ssa2 + kPage))->w = false; },
				[](F &f) {
					return pf(f.rcx, 7);
				}},
			       {"RCX in a TCS", [](F &f) { f.rcx = f.e->lin(at::Tcs2 + 16); }, rcx_pf},
			       {"RCX not writable", [](F &f) { f.rcx = f.restricted(at::Ssa2, R); }, rcx_pf},
			       {"reserved KEYREQUEST", [](F &f) { f.blob.set<u8>(511, 1); }, is_gp},
			       {"reserved KEYPOLICY", [](F &f) { f.blob.set<u16>(keyreq::POLICY, 0x40); }, is_gp},
			       {"KSS policy without KSS", [](F &f) { f.blob.set<u16>(keyreq::POLICY, POL_CONFIGID); }, is_gp},
			       {"CONFIGSVN without KSS", [](F &f) { f.blob.set<u16>(keyreq::CONFIGSVN, 1); }, is_gp},
			       {"no such key", [](F &f) { f.blob.set<u16>(keyreq::NAME, 5); },
				[](F &) {
					return code(INVALID_KEYNAME);
				}},
		       });
}

TEST(Ereport, ReservedTargetinfoIsGp)
{
	for (const unsigned off : {48U, 49U, 56U, 63U, 128U, 300U, 511U}) {
		Attest f(EREPORT);
		f.blob.set<u8>(off, 1);
		EXPECT_RESULT(f.call(), gp()) << off;
	}
}

TEST(Ereport, WritesOnly432BytesOfSharedPage)
{
	Attest f(EREPORT);
	std::memset(f.e->mem(Inside::kOut), 0x5a, 512);
	ASSERT_RESULT(f.call(), done());
	EXPECT_EQ(f.e->mem(Inside::kOut)[431 + 1], 0x5a);
	EXPECT_EQ(f.e->mem(Inside::kOut)[511], 0x5a);
}

TEST(Ereport, ReportsEachField)
{
	Keys f;
	Blob<64> data;
	for (unsigned i = 0; i < 64; i++)
		data.b[i] = static_cast<u8>(i + 1);
	const Report r = f.in.report(TargetInfo{}, data);
	EXPECT_EQ(r.take<64>(report::DATA), data.b);
	EXPECT_EQ(r.take<32>(report::MRENCLAVE), f.e->measure.digest());
	EXPECT_EQ(r.take<32>(report::MRSIGNER), mrsigner(Signer::One));
	EXPECT_EQ(r.get<u64>(report::ATTRIBUTES), kAll | A_INIT);
	EXPECT_EQ(r.get<u16>(report::PRODID), 7);
	EXPECT_EQ(r.get<u16>(report::SVN), 5);
	for (const auto &[from, to] : {std::pair{20U, 32U}, {96U, 128U}, {160U, 192U}, {262U, 304U}})
		for (unsigned off = from; off < to; off++)
			EXPECT_EQ(r.b[off], 0) << off;
	EXPECT_NE(r.take<16>(report::CPUSVN), Key{});
}

TEST(Ereport, TargetVerifiesReport)
{
	Machine m;
	auto one = standard(m, {.attributes = A_DEBUG | A_MODE64});
	auto two = standard(m, {.base = 0x710000000000, .attributes = A_MODE64, .xfrm = 7, .miscselect = 1});
	ASSERT_RESULT(one->enter(1), done());
	ASSERT_RESULT(two->enter(2), done());
	Inside prover(*one, 1), target_side(*two, 2);
	TargetInfo t;
	t.put(target::MEASUREMENT, two->measure.digest())
		.set(target::ATTRIBUTES, A_MODE64 | A_INIT)
		.set<u64>(target::ATTRIBUTES + 8, 7);
	t.set<u32>(target::MISCSELECT, 1);
	Blob<64> data;
	data.set<u64>(0, 0x1234);
	const Report r = prover.report(t, data);
	KeyRequest k;
	k.set<u16>(keyreq::NAME, KEY_REPORT).put(keyreq::KEYID, r.take<32>(report::KEYID));
	Key key{}, own{};
	ASSERT_RESULT(target_side.getkey(k, key), done());
	EXPECT_EQ(aes_cmac(key, r.b.data(), 384), r.take<16>(report::MAC));
	ASSERT_RESULT(prover.getkey(k, own), done());
	EXPECT_NE(own, key) << "the reporting enclave cannot derive the key";
	{
		SCOPED_TRACE("REPORT ignores masks, CPUSVN and ISVSVN of the request");
		KeyRequest odd = k;
		odd.set(keyreq::ATTRMASK, ~u64{0}).set(keyreq::MISCMASK, ~u32{0}).set<u16>(keyreq::SVN, 0xffff);
		std::memset(odd.b.data() + keyreq::CPUSVN, 0xff, 16);
		Key same{};
		ASSERT_RESULT(target_side.getkey(odd, same), done());
		EXPECT_EQ(same, key);
	}
	k.b[keyreq::KEYID] ^= 1;
	ASSERT_RESULT(target_side.getkey(k, own), done());
	EXPECT_NE(own, key);
}

TEST(Ereport, KeyDependsOnEachFieldOfTargetinfo)
{
	Keys f({.spec = {.attributes = kAll, .configid = {1, 2, 3}, .configsvn = 9}});
	const TargetInfo self = f.self();
	const Report good = f.in.report(self, {});
	KeyRequest k;
	k.set<u16>(keyreq::NAME, KEY_REPORT).put(keyreq::KEYID, good.take<32>(report::KEYID));
	const Key key = f.get(k);
	EXPECT_EQ(aes_cmac(key, good.b.data(), 384), good.take<16>(report::MAC));
	for (const unsigned off : {0U, 31U, 32U, 40U, 47U, 50U, 52U, 64U, 127U}) {
		TargetInfo t = self;
		t.b[off] ^= 8;
		const Report r = f.in.report(t, {});
		EXPECT_NE(aes_cmac(key, r.b.data(), 384), r.take<16>(report::MAC)) << off;
	}
}

TEST(Egetkey, ReservedRequestIsGp)
{
	for (const unsigned off : {6U, 7U, 78U, 100U, 511U}) {
		Attest f(EGETKEY);
		f.blob.set<u8>(off, 1);
		EXPECT_RESULT(f.call(), gp()) << off;
	}
	for (unsigned bit = 6; bit < 16; bit++) {
		Keys f;
		Key key{};
		EXPECT_RESULT(f.in.getkey(request(KEY_SEAL, static_cast<u16>(1U << bit)), key), gp()) << bit;
	}
	for (unsigned bit = 2; bit < 6; bit++) {
		Attest f(EGETKEY);
		f.blob.set(keyreq::POLICY, static_cast<u16>(1U << bit));
		EXPECT_RESULT(f.call(), gp()) << bit;
	}
}

TEST(Egetkey, ChecksKeyName)
{
	Keys f;
	Key key{};
	for (const u16 name : {5, 6, 255, 65535})
		EXPECT_RESULT(f.in.getkey(request(static_cast<KeyName>(name)), key), code(INVALID_KEYNAME)) << name;
	std::set<Key> keys;
	for (const KeyName name : {KEY_EINITTOKEN, KEY_PROVISION, KEY_PROVISION_SEAL, KEY_REPORT, KEY_SEAL})
		keys.insert(f.get(request(name)));
	EXPECT_EQ(keys.size(), 5U);
}

TEST(Egetkey, ChecksKeyAttributes)
{
	const std::map<KeyName, u64> gates = {
		{KEY_EINITTOKEN, A_TOKEN},
		{KEY_PROVISION, A_PROVISION},
		{KEY_PROVISION_SEAL, A_PROVISION},
		{KEY_REPORT, 0},
		{KEY_SEAL, 0},
	};
	for (const auto &[name, gate] : gates) {
		Keys f({.spec = {.attributes = kAll & ~gate}});
		Key key{};
		EXPECT_RESULT(f.in.getkey(request(name), key), gate ? code(INVALID_ATTRIBUTE) : done()) << name;
	}
}

TEST(Egetkey, ChecksSecurityVersions)
{
	for (const KeyName name : {KEY_EINITTOKEN, KEY_PROVISION, KEY_PROVISION_SEAL, KEY_SEAL}) {
		Keys f({.spec = {.attributes = kAll, .configsvn = 4}});
		Key key{};
		KeyRequest k = request(name);
		k.set<u16>(keyreq::SVN, 5);
		EXPECT_RESULT(f.in.getkey(k, key), done()) << name;
		k.set<u16>(keyreq::SVN, 6);
		EXPECT_RESULT(f.in.getkey(k, key), code(INVALID_ISVSVN)) << name;
		std::memset(k.b.data() + keyreq::CPUSVN, 0xff, 16);
		EXPECT_RESULT(f.in.getkey(k, key), code(INVALID_CPUSVN)) << name;
	}
	// CONFIGSVN is checked for SEAL only.
	for (const KeyName name : {KEY_EINITTOKEN, KEY_PROVISION, KEY_PROVISION_SEAL, KEY_REPORT, KEY_SEAL}) {
		Keys f({.spec = {.attributes = kAll, .configsvn = 4}});
		Key key{};
		KeyRequest k = request(name);
		k.set<u16>(keyreq::CONFIGSVN, 4);
		EXPECT_RESULT(f.in.getkey(k, key), done()) << name;
		k.set<u16>(keyreq::CONFIGSVN, 5);
		EXPECT_RESULT(f.in.getkey(k, key), name == KEY_SEAL ? code(INVALID_ISVSVN) : done()) << name;
	}
}

/// A key depends on the requested masks, even where they select nothing: the request that unseals
/// must have the masks of the request that sealed.
TEST(Egetkey, KeyDependsOnRequestedMasks)
{
	const std::map<KeyName, bool> keys = {
		{KEY_EINITTOKEN, false}, {KEY_PROVISION, true}, {KEY_PROVISION_SEAL, true}, {KEY_REPORT, false}, {KEY_SEAL, true},
	};
	for (const auto &[name, bound] : keys) {
		Keys f;
		KeyRequest base = request(name);
		base.set<u64>(keyreq::ATTRMASK, 0).set<u64>(keyreq::ATTRMASK + 8, 0).set<u32>(keyreq::MISCMASK, 0);
		const Key none = f.get(base);
		KeyRequest k = base;
		k.set<u64>(keyreq::ATTRMASK, A_INIT | A_DEBUG);
		EXPECT_EQ(f.get(k) != none, bound) << name << ": an attribute that the key always includes";
		k = base;
		k.set(keyreq::ATTRMASK, u64{1} << 40);
		EXPECT_EQ(f.get(k) != none, bound) << name << ": an attribute that no enclave has";
		k = base;
		k.set(keyreq::ATTRMASK + 8, u64{1} << 50);
		EXPECT_EQ(f.get(k) != none, bound) << name << ": a component that no enclave has";
		k = base;
		k.set<u32>(keyreq::MISCMASK, 0x80000000);
		EXPECT_EQ(f.get(k) != none, bound) << name << ": MISCMASK";
	}
}

TEST(Egetkey, ProvisioningKeysDependOnSigner)
{
	for (const KeyName name : {KEY_PROVISION, KEY_PROVISION_SEAL}) {
		Keys f;
		const bool seal = name == KEY_PROVISION_SEAL;
		const Key key = f.get(request(name));
		KeyRequest k = request(name);
		k.set<u8>(keyreq::KEYID, 1);
		EXPECT_EQ(f.get(k), key) << name << " does not depend on KEYID";
		for (u16 policy = 1; policy < 64; policy <<= 1)
			EXPECT_EQ(f.get(request(name, policy)) != key, seal) << name << " policy " << policy;
		Identity other;
		other.signer = Signer::Two;
		EXPECT_NE(key_of(other, request(name)), key) << name << " depends on the signer";
		other = {};
		other.content = 2;
		EXPECT_EQ(key_of(other, request(name, POL_MRENCLAVE)), f.get(request(name, POL_MRENCLAVE)))
			<< name << " does not depend on the enclave";
		k = request(name, POL_CONFIGID);
		k.set<u16>(keyreq::CONFIGSVN, 1);
		EXPECT_EQ(f.get(k) != f.get(request(name, POL_CONFIGID)), seal) << name << " CONFIGSVN";
	}
}

TEST(Egetkey, FailureWritesNothing)
{
	Keys f;
	std::memset(f.e->mem(Inside::kKey), 0x66, 32);
	Key key{};
	EXPECT_RESULT(f.in.getkey(request(static_cast<KeyName>(9)), key), code(INVALID_KEYNAME));
	EXPECT_EQ(key, (Key{0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}));
	EXPECT_RESULT(f.in.getkey(request(KEY_SEAL), key), done());
	EXPECT_EQ(f.e->mem(Inside::kKey)[16], 0x66);
}

TEST(Seal, EqualIdentitiesGetEqualKeys)
{
	Identity moved;
	moved.spec.base = 0x720000000000; // the base is neither measured nor part of the key
	EXPECT_EQ(key_of({}, request(KEY_SEAL, POL_MRENCLAVE)), key_of(moved, request(KEY_SEAL, POL_MRENCLAVE)));
}

TEST(Seal, KeyDependsOnPolicyFields)
{
	struct Case {
		u16 bit;
		std::function<void(Identity &)> change;
		bool inverted = false;
	};
	const Case cases[] = {
		{POL_MRENCLAVE,
		 [](Identity &i) {
			 i.content = 2;
		 }},
		{POL_MRSIGNER,
		 [](Identity &i) {
			 i.signer = Signer::Two;
		 }},
		{POL_CONFIGID,
		 [](Identity &i) {
			 i.spec.configid[5] = 1;
		 }},
		{POL_FAMILYID,
		 [](Identity &i) {
			 i.family = 3;
		 }},
		{POL_EXTPRODID,
		 [](Identity &i) {
			 i.ext = 3;
		 }},
		{POL_NOISVPRODID, [](Identity &i) { i.prodid = 8; }, true},
	};
	for (const Case &k : cases) {
		Identity other;
		k.change(other);
		for (const u16 policy : {u16{0}, k.bit}) {
			const bool differs = key_of({}, request(KEY_SEAL, policy)) != key_of(other, request(KEY_SEAL, policy));
			EXPECT_EQ(differs, (policy != 0) != k.inverted) << k.bit << ' ' << policy;
		}
	}
}

TEST(Seal, EachPolicyHasOwnKey)
{
	Identity id;
	id.family = id.ext = 0; // identities of zeros: the policy alone must make the keys differ
	Keys f(id);
	std::set<Key> keys;
	for (u16 policy = 0; policy < 64; policy++)
		keys.insert(f.get(request(KEY_SEAL, policy)));
	EXPECT_EQ(keys.size(), 64U);
}

TEST(Seal, KeyDependsOnRequest)
{
	Keys f;
	const KeyRequest base = request(KEY_SEAL, POL_MRENCLAVE);
	const Key key = f.get(base);
	EXPECT_EQ(f.get(base), key) << "repeatable";
	for (const auto &[off, value] : {std::pair{keyreq::KEYID, 1U}, {keyreq::KEYID + 31, 1U}, {keyreq::SVN, 1U}}) {
		KeyRequest k = base;
		k.set(off, static_cast<u8>(value));
		EXPECT_NE(f.get(k), key) << off;
	}
	KeyRequest k = base;
	k.set<u64>(keyreq::ATTRMASK, 0);
	EXPECT_NE(f.get(k), key);
	k = base;
	k.set<u64>(keyreq::ATTRMASK + 8, 0);
	EXPECT_NE(f.get(k), key);
	k = base;
	k.set<u32>(keyreq::MISCMASK, 0);
	EXPECT_NE(f.get(k), key);
	const Report r = f.in.report(TargetInfo{}, {});
	k = base;
	k.put(keyreq::CPUSVN, r.take<16>(report::CPUSVN));
	EXPECT_NE(f.get(k), key) << "CPUSVN 0 against the current one";
}

TEST(Seal, KeyAlwaysDependsOnInitAndDebug)
{
	Identity debug, production;
	production.spec.attributes &= ~A_DEBUG;
	KeyRequest k = request(KEY_SEAL);
	k.set<u64>(keyreq::ATTRMASK, 0).set<u64>(keyreq::ATTRMASK + 8, 0);
	EXPECT_NE(key_of(debug, k), key_of(production, k)) << "no mask hides DEBUG";
	Identity provision;
	provision.spec.attributes &= ~A_PROVISION;
	EXPECT_EQ(key_of(debug, k), key_of(provision, k)) << "the mask hides the other attributes";
	k.set(keyreq::ATTRMASK, A_PROVISION);
	EXPECT_NE(key_of(debug, k), key_of(provision, k));
}

TEST(Seal, NewerVersionGetsOlderKeys)
{
	Identity newer;
	newer.svn = 6;
	KeyRequest k = request(KEY_SEAL, POL_MRSIGNER);
	k.set<u16>(keyreq::SVN, 5);
	EXPECT_EQ(key_of({}, k), key_of(newer, k)) << "a newer version gets the key of an older one";
}

TEST(Keys, DependOnSeed)
{
	Identity other;
	other.config.seed++;
	for (const KeyName name : {KEY_SEAL, KEY_REPORT, KEY_PROVISION, KEY_EINITTOKEN, KEY_PROVISION_SEAL}) {
		EXPECT_EQ(key_of({}, request(name)), key_of({}, request(name))) << name;
		EXPECT_NE(key_of({}, request(name)), key_of(other, request(name))) << name;
	}
}

TEST(Keys, ProvisionKeyDependsOnSigner)
{
	Identity content, signer, prodid;
	content.content = 2;
	signer.signer = Signer::Two;
	prodid.prodid = 8;
	for (const KeyName name : {KEY_PROVISION, KEY_PROVISION_SEAL, KEY_EINITTOKEN}) {
		EXPECT_EQ(key_of({}, request(name)), key_of(content, request(name))) << name;
		EXPECT_NE(key_of({}, request(name)), key_of(prodid, request(name))) << name;
		EXPECT_NE(key_of({}, request(name)), key_of(signer, request(name))) << name;
	}
}

TEST(Keys, ProvisionSealKeyDependsOnSomePolicies)
{
	Identity content, signer, config, family, ext, prodid;
	content.content = 2;
	signer.signer = Signer::Two;
	config.spec.configid[9] = 1;
	family.family = 4;
	ext.ext = 4;
	prodid.prodid = 8;
	const auto differs = [](const Identity &other, u16 policy) {
		return key_of({}, request(KEY_PROVISION_SEAL, policy)) != key_of(other, request(KEY_PROVISION_SEAL, policy));
	};
	EXPECT_FALSE(differs(content, POL_MRENCLAVE)) << "never bound to MRENCLAVE";
	EXPECT_TRUE(differs(signer, 0)) << "always bound to MRSIGNER";
	EXPECT_TRUE(differs(signer, POL_MRSIGNER));
	EXPECT_TRUE(differs(prodid, 0));
	EXPECT_FALSE(differs(prodid, POL_NOISVPRODID));
	EXPECT_FALSE(differs(config, 0) || differs(family, 0) || differs(ext, 0));
	EXPECT_TRUE(differs(config, POL_CONFIGID));
	EXPECT_TRUE(differs(family, POL_FAMILYID));
	EXPECT_TRUE(differs(ext, POL_EXTPRODID));
}

TEST(Keys, OtherKeysIgnorePolicy)
{
	Keys f;
	for (const KeyName name : {KEY_PROVISION, KEY_EINITTOKEN, KEY_REPORT})
		for (u16 bit = 1; bit < 64; bit = static_cast<u16>(bit * 2))
			EXPECT_EQ(f.get(request(name, bit)), f.get(request(name))) << name << ' ' << bit;
}

TEST(Keys, ProvisionKeysIgnoreKeyid)
{
	Keys f;
	for (const KeyName name : {KEY_PROVISION, KEY_PROVISION_SEAL}) {
		KeyRequest k = request(name);
		const Key key = f.get(k);
		k.set<u8>(keyreq::KEYID + 7, 1);
		EXPECT_EQ(f.get(k), key) << name;
	}
	KeyRequest k = request(KEY_EINITTOKEN);
	const Key key = f.get(k);
	k.set<u8>(keyreq::KEYID + 7, 1);
	EXPECT_NE(f.get(k), key);
}

} // namespace
