// SPDX-License-Identifier: GPL-2.0
// The secrets of a platform, and the keys that EGETKEY, EREPORT and EINIT derive from them. Intel
// has not published the derivation function of silicon. Here a key is the AES-CMAC of its packed
// dependencies under the root key. The model guarantees that two leaves derive equal keys from
// equal dependencies, and different keys from different ones.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>

#include "epcm.h"
#include "layout.h"

namespace sgx2 {

using Key128 = std::array<uint8_t, 16>;

/// Return the AES-128-CMAC of @message.
Key128 cmac(const Key128 &key, std::span<const uint8_t> message);

struct KeyDependencies {
	KeyName name;
	uint16_t policy;
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint16_t configsvn;
	uint16_t zero;
	uint32_t miscselect;
	uint32_t miscmask;
	uint32_t zero2;
	Attributes attributes;
	Attributes attributemask;
	uint8_t cpusvn[16];
	uint8_t owner_epoch[16];
	uint8_t fuses[16];
	uint8_t mrenclave[32];
	uint8_t mrsigner[32];
	uint8_t keyid[32];
	uint8_t configid[64];
	uint8_t isvfamilyid[16];
	uint8_t isvextprodid[16];
};
static_assert(std::has_unique_object_representations_v<KeyDependencies>, "keys must not depend on padding");

class Keys {
public:
	using CpuSvn = std::array<uint8_t, 16>;

	/// Derive all secrets that survive a reset from @seed.
	void fuse(uint64_t seed);
	/// Draw the secrets that a reset replaces.
	void renew();

	/// Return the key of a report for @target, as EREPORT and EGETKEY of the target derive it.
	Key128 report_key(const TargetInfo &target, std::span<const uint8_t, 32> keyid) const;
	/// Return the key of the launch tokens of a launch enclave whose signer is @signer.
	Key128 token_key(const EinitToken &token, std::span<const uint8_t, 32> signer) const;
	/// Return the key for @request of @enclave; the caller has checked the request.
	Key128 requested_key(const KeyRequest &request, const Enclave &enclave) const;

	const CpuSvn &cpusvn() const { return cpusvn_; }
	/// Return whether @svn is greater than the platform's CPUSVN.
	bool svn_is_newer(std::span<const uint8_t, 16> svn) const;
	/// Increase the CPUSVN, as EUPDATESVN does.
	/// @return false if there is no further update.
	bool update_svn();

	std::span<const uint8_t, 32> report_keyid() const { return report_keyid_; }
	const Key128 &paging_key() const { return paging_key_; }

private:
	Key128 secret(const char *label, uint64_t generation) const;
	Key128 derive(const KeyDependencies &dependencies) const;

	uint64_t seed_ = 0;
	uint64_t resets_ = 0;
	Key128 root_{};
	Key128 owner_epoch_{};
	Key128 fuses_{};
	CpuSvn cpusvn_{};
	bool svn_updated_ = false;
	std::array<uint8_t, 32> report_keyid_{};
	Key128 paging_key_{};
};

} // namespace sgx2
