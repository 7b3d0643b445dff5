// SPDX-License-Identifier: GPL-2.0
// Derivation of the keys of a platform.

#include "keys.h"

#include <algorithm>
#include <cstring>

#include <nettle/cmac.h>

namespace sgx2 {

namespace {

template <size_t N>
void copy(uint8_t (&to)[N], std::span<const uint8_t, N> from)
{
	std::memcpy(to, from.data(), N);
}

} // namespace

Key128 cmac(const Key128 &key, std::span<const uint8_t> message)
{
	cmac_aes128_ctx ctx;
	Key128 out;

	cmac_aes128_set_key(&ctx, key.data());
	cmac_aes128_update(&ctx, message.size(), message.data());
	cmac_aes128_digest(&ctx, out.size(), out.data());
	return out;
}

Key128 Keys::secret(const char *label, uint64_t generation) const
{
	struct {
		char label[16];
		uint64_t seed;
		uint64_t generation;
	} input{};
	Key128 out;

	std::strncpy(input.label, label, sizeof(input.label) - 1);
	input.seed = seed_;
	input.generation = generation;
	const Digest d = sha256({reinterpret_cast<const uint8_t *>(&input), sizeof(input)});
	std::memcpy(out.data(), d.data(), out.size());
	return out;
}

void Keys::fuse(uint64_t seed)
{
	seed_ = seed;
	resets_ = 0;
	root_ = secret("root", 0);
	owner_epoch_ = secret("owner epoch", 0);
	fuses_ = secret("seal fuses", 0);
	cpusvn_ = {2, 2};
	svn_updated_ = false;
	renew();
}

void Keys::renew()
{
	resets_++;
	const Key128 half[2] = {secret("report id 0", resets_), secret("report id 1", resets_)};
	std::memcpy(report_keyid_.data(), half, sizeof(half));
	paging_key_ = secret("paging", resets_);
}

Key128 Keys::derive(const KeyDependencies &dependencies) const
{
	return cmac(root_, {reinterpret_cast<const uint8_t *>(&dependencies), sizeof(dependencies)});
}

Key128 Keys::report_key(const TargetInfo &target, std::span<const uint8_t, 32> keyid) const
{
	KeyDependencies d{};

	d.name = KeyName::Report;
	d.configsvn = target.configsvn;
	d.miscselect = target.miscselect;
	d.attributes = target.attributes;
	copy<16>(d.cpusvn, cpusvn_);
	copy<16>(d.owner_epoch, owner_epoch_);
	copy<16>(d.fuses, fuses_);
	copy<32>(d.mrenclave, target.measurement);
	copy<32>(d.keyid, keyid);
	copy<64>(d.configid, target.configid);
	return derive(d);
}

Key128 Keys::token_key(const EinitToken &token, std::span<const uint8_t, 32> signer) const
{
	KeyDependencies d{};

	d.name = KeyName::EinitToken;
	d.isvprodid = token.isvprodidle;
	d.isvsvn = token.isvsvnle;
	d.miscselect = token.maskedmiscselectle;
	d.attributes = token.maskedattributesle;
	copy<16>(d.cpusvn, token.cpusvnle);
	copy<16>(d.owner_epoch, owner_epoch_);
	copy<16>(d.fuses, fuses_);
	copy<32>(d.mrsigner, signer);
	copy<32>(d.keyid, token.keyid);
	return derive(d);
}

Key128 Keys::requested_key(const KeyRequest &request, const Enclave &enclave) const
{
	const SecsCore &secs = enclave.secs;
	const auto name = static_cast<KeyName>(request.keyname);
	const uint16_t policy = request.keypolicy;
	KeyDependencies d{};

	if (name == KeyName::Report) {
		TargetInfo self{};

		copy<32>(self.measurement, secs.mrenclave);
		self.attributes = secs.attributes;
		self.configsvn = secs.configsvn;
		self.miscselect = secs.miscselect;
		copy<64>(self.configid, secs.configid);
		return report_key(self, request.keyid);
	}

	// The request cannot mask out INIT and DEBUG, so a debug enclave gets different keys.
	const Attributes included = {
		request.attributemask.flags | attribute::init | attribute::debug,
		request.attributemask.xfrm,
	};
	d.name = name;
	d.isvsvn = request.isvsvn;
	d.attributes = secs.attributes & included;
	d.miscselect = secs.miscselect & request.miscmask;
	copy<16>(d.cpusvn, request.cpusvn);

	// A change of owner does not change the provisioning keys, and their requests have no
	// KEYID.
	const bool provisioning = name == KeyName::Provision || name == KeyName::ProvisionSeal;
	if (!provisioning) {
		copy<16>(d.owner_epoch, owner_epoch_);
		copy<32>(d.keyid, request.keyid);
	}
	if (name != KeyName::Provision)
		copy<16>(d.fuses, fuses_);

	// A key depends on the masks of its request, even where they select nothing; the key of
	// launch tokens does not.
	if (name != KeyName::EinitToken) {
		d.attributemask = request.attributemask;
		d.miscmask = ~request.miscmask;
	}
	const bool sealing = name == KeyName::Seal || name == KeyName::ProvisionSeal;
	if (sealing)
		d.policy = policy;

	if (name == KeyName::Seal && (policy & key_policy::mrenclave))
		copy<32>(d.mrenclave, secs.mrenclave);
	if (name != KeyName::Seal || (policy & key_policy::mrsigner))
		copy<32>(d.mrsigner, secs.mrsigner);
	if (!sealing || !(policy & key_policy::noisvprodid))
		d.isvprodid = secs.isvprodid;
	if (sealing && (policy & key_policy::configid)) {
		copy<64>(d.configid, secs.configid);
		d.configsvn = request.configsvn;
	}
	if (sealing && (policy & key_policy::isvfamilyid))
		copy<16>(d.isvfamilyid, enclave.hidden.isvfamilyid);
	if (sealing && (policy & key_policy::isvextprodid))
		copy<16>(d.isvextprodid, enclave.hidden.isvextprodid);
	return derive(d);
}

bool Keys::svn_is_newer(std::span<const uint8_t, 16> svn) const
{
	// The value is little endian: the last byte is the most significant.
	return std::lexicographical_compare(cpusvn_.rbegin(), cpusvn_.rend(), svn.rbegin(), svn.rend());
}

bool Keys::update_svn()
{
	if (svn_updated_)
		return false;
	svn_updated_ = true;
	cpusvn_[0]++;
	return true;
}

} // namespace sgx2
