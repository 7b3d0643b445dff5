// SPDX-License-Identifier: GPL-2.0
// The secrets of a platform, and what EGETKEY, EREPORT and EINIT derive from
// them. The derivation function of silicon is not public; here a key is the
// AES-CMAC, under the root key, of its dependencies packed one after the other.
// What counts is that two leaves that should agree on a key do, and that any
// dependency that differs gives another key.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>

#include "epcm.h"
#include "layout.h"

namespace sgx2 {

using Key128 = std::array<uint8_t, 16>;

/// AES-128-CMAC of @message.
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
static_assert(std::has_unique_object_representations_v<KeyDependencies>, "padding would get into the keys");

class Keys {
public:
	using CpuSvn = std::array<uint8_t, 16>;

	/// Burn the fuses: everything that outlives a reset.
	void fuse(uint64_t seed);
	/// What a reset draws anew.
	void renew();

	/// Key of a report for @target, by EREPORT and by the target's EGETKEY.
	Key128 report_key(const TargetInfo &target, std::span<const uint8_t, 32> keyid) const;
	/// Key of a launch token that a launch enclave of signer @signer made.
	Key128 token_key(const EinitToken &token, std::span<const uint8_t, 32> signer) const;
	/// Key that @enclave's @request asks for; EGETKEY has checked it.
	Key128 requested_key(const KeyRequest &request, const Enclave &enclave) const;

	const CpuSvn &cpusvn() const { return cpusvn_; }
	/// Is @svn newer than this platform?
	bool beyond(std::span<const uint8_t, 16> svn) const;
	/// EUPDATESVN: a newer platform; false once there is no more to update.
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
