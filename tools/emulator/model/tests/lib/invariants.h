// SPDX-License-Identifier: GPL-2.0
// Invariants of the EPCM, which hold after any sequence of calls.
#pragma once

#include <map>
#include <string>

#include "machine.h"

namespace sgx {

/// Return the invariants that do not hold, as text. @ranges has base and size of each known enclave
/// by EID.
inline std::string violated_invariants(const Machine &m, const std::map<u64, std::pair<u64, u64>> &ranges = {})
{
	std::string s;
	std::map<u64, int> owners;
	const auto all = m.epcm();
	u64 valid = 0;
	for (const auto &e : all) {
		valid += e.valid;
		if (e.valid && e.type == PT_SECS)
			owners[e.enclave]++;
	}
	if (valid != sgx2_epcm_valid(m.get()))
		s += "valid pages: " + std::to_string(valid) + " and " + std::to_string(sgx2_epcm_valid(m.get())) + '\n';
	for (std::size_t i = 0; i < all.size(); i++) {
		const auto &e = all[i];
		const auto rule = [&](bool holds, const char *what) {
			if (!holds)
				s += "page " + std::to_string(i) + ", " + describe(e) + ": " + what + '\n';
		};
		if (!e.valid)
			continue;
		rule(e.type <= PT_TRIM, "unknown type");
		rule(e.type == PT_REG || !(e.r || e.w || e.x), "only REG has rights");
		rule(!e.w || e.r, "W without R");
		rule(!e.pending || (e.type == PT_REG && e.r && e.w && !e.x), "PENDING is for REG RW");
		rule(!e.modified || e.type == PT_TCS || e.type == PT_TRIM, "MODIFIED is for TCS and TRIM");
		rule(!e.pr || e.type == PT_REG, "PR is for REG");
		rule(!e.pending || (!e.modified && !e.pr), "PENDING excludes MODIFIED and PR");
		rule(e.linear % kPage == 0 || e.type == PT_SECS, "linear address not of a page");
		if (e.type == PT_VA) {
			rule(e.enclave == 0 && !e.blocked && e.stamp == 0, "a VA page belongs to no enclave");
			continue;
		}
		rule(e.enclave != 0 && owners[e.enclave] == 1, "one SECS of its enclave in the EPC");
		if (e.type == PT_SECS) {
			rule(!e.blocked && e.stamp == 0, "a SECS is never blocked");
			continue;
		}
		const auto range = ranges.find(e.enclave);
		if (range != ranges.end())
			rule(e.linear >= range->second.first && e.linear - range->second.first < range->second.second,
			     "outside ELRANGE");
	}
	return s;
}

} // namespace sgx
