// SPDX-License-Identifier: GPL-2.0
// Reports and keys: EREPORT, EGETKEY (Documentation/isa.rst 7).

#include <cstring>

#include "leaf.h"

namespace sgx2 {

namespace {

/// Check an operand in the enclave: alignment, ELRANGE, and the EPCM's permission for the access.
MaybeFault operand(const Execution &x, uint64_t at, uint64_t alignment, sgx2_access access, Epc &to)
{
	if (!aligned(at, alignment) || !x.in_elrange(at))
		return gp_fault();
	return x.enclave_operand(at, access, to);
}

Report build_report(const Keys &keys, const Enclave &enclave, const uint8_t *data)
{
	const SecsCore &secs = enclave.secs;
	Report r{};

	std::memcpy(r.cpusvn, keys.cpusvn().data(), sizeof(r.cpusvn));
	r.miscselect = secs.miscselect;
	std::memcpy(r.isvextprodid, enclave.hidden.isvextprodid, sizeof(r.isvextprodid));
	r.attributes = secs.attributes;
	std::memcpy(r.mrenclave, secs.mrenclave, sizeof(r.mrenclave));
	std::memcpy(r.mrsigner, secs.mrsigner, sizeof(r.mrsigner));
	std::memcpy(r.configid, secs.configid, sizeof(r.configid));
	r.isvprodid = secs.isvprodid;
	r.isvsvn = secs.isvsvn;
	r.configsvn = secs.configsvn;
	std::memcpy(r.isvfamilyid, enclave.hidden.isvfamilyid, sizeof(r.isvfamilyid));
	std::memcpy(r.reportdata, data, sizeof(r.reportdata));
	std::memcpy(r.keyid, keys.report_keyid().data(), sizeof(r.keyid));
	return r;
}

/// The enclaves that may request a key, and the versions that the request may name.
struct KeyRule {
	KeyName name;
	uint64_t attribute; // attribute that the enclave needs, or 0
	bool svn_bound;
	bool configsvn_bound;
};

constexpr KeyRule key_rules[] = {
	{KeyName::EinitToken, attribute::einit_token_key, true, false},
	{KeyName::Provision, attribute::provision_key, true, false},
	{KeyName::ProvisionSeal, attribute::provision_key, true, false},
	{KeyName::Report, 0, false, false},
	{KeyName::Seal, 0, true, true},
};

std::optional<Code> check_key_request(const Keys &keys, const Enclave &enclave, const KeyRequest &request)
{
	for (const KeyRule &rule : key_rules) {
		if (static_cast<uint16_t>(rule.name) != request.keyname)
			continue;
		if (!enclave.has(rule.attribute))
			return Code::InvalidAttribute;
		if (!rule.svn_bound)
			return {};
		if (keys.svn_is_newer(request.cpusvn))
			return Code::InvalidCpuSvn;
		if (request.isvsvn > enclave.secs.isvsvn)
			return Code::InvalidIsvSvn;
		if (rule.configsvn_bound && request.configsvn > enclave.secs.configsvn)
			return Code::InvalidIsvSvn;
		return {};
	}
	return Code::InvalidKeyName;
}

bool request_well_formed(const Enclave &enclave, const KeyRequest &request)
{
	if (request.rsvd0 != 0 || !all_zero(request.rsvd1) || (request.keypolicy & ~key_policy::known) != 0)
		return false;
	return enclave.has(attribute::kss) || ((request.keypolicy & key_policy::kss) == 0 && request.configsvn == 0);
}

} // namespace

Outcome ereport(Execution &x)
{
	constexpr uint64_t data_align = 128;
	Epc target_page;
	Epc data;
	Epc to;
	TargetInfo target;

	if (auto f = operand(x, x.rbx(), sizeof(TargetInfo), SGX2_READ, target_page))
		return *f;
	std::memcpy(&target, target_page.at(), sizeof(target));
	if (!all_zero(target.rsvd0) || !all_zero(target.rsvd1) || !all_zero(target.rsvd2))
		return gp_fault();
	if (auto f = operand(x, x.rcx(), data_align, SGX2_READ, data))
		return *f;
	if (auto f = operand(x, x.rdx(), sizeof(TargetInfo), SGX2_WRITE, to))
		return *f;

	const Keys &keys = x.m.keys;
	Report report = build_report(keys, *x.cpu.mode.enclave, data.at());
	const Key128 key = keys.report_key(target, keys.report_keyid());
	const auto *raw = reinterpret_cast<const uint8_t *>(&report);
	const Key128 mac = cmac(key, {raw, report_signed});
	std::memcpy(report.mac, mac.data(), mac.size());
	std::memcpy(to.at(), &report, sizeof(report));
	x.cpu.epc_written(to, sizeof(report));
	return Outcome::no_code();
}

Outcome egetkey(Execution &x)
{
	Epc request_page;
	Epc to;
	KeyRequest request;

	if (auto f = operand(x, x.rbx(), sizeof(KeyRequest), SGX2_READ, request_page))
		return *f;
	if (auto f = operand(x, x.rcx(), sizeof(Key128), SGX2_WRITE, to))
		return *f;
	std::memcpy(&request, request_page.at(), sizeof(request));

	const Enclave &enclave = *x.cpu.mode.enclave;
	if (!request_well_formed(enclave, request))
		return gp_fault();
	if (auto code = check_key_request(x.m.keys, enclave, request))
		return Outcome::error(*code);

	const Key128 key = x.m.keys.requested_key(request, enclave);
	std::memcpy(to.at(), key.data(), key.size());
	x.cpu.epc_written(to, key.size());
	return Outcome::success();
}

} // namespace sgx2
