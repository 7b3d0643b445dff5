// SPDX-License-Identifier: GPL-2.0
// Who is inside an enclave, and since when (Documentation/isa.md 8).
//
// The enclave counts ETRACKs in an epoch. A CPU inside belongs to the epoch in
// which it entered; only two can be populated, the current and the one before
// it, because ETRACK refuses (code 17) to start a third. A page that loses a
// right is stamped with the epoch of that moment: every stale translation of it
// is held by a CPU that entered in that epoch or before. So the page is tracked
// once a later epoch has begun and the previous generation has drained.
#pragma once

#include <cstdint>

namespace sgx2 {

class Tracking {
public:
	/// Stamp of a page that nobody can hold a stale translation of.
	static constexpr uint64_t always_tracked = 0;

	uint64_t epoch() const { return epoch_; }
	/// A CPU comes in: the epoch that it must give back to leave().
	uint64_t enter();
	void leave(uint64_t entered);

	bool occupied() const { return current_ + previous_ != 0; }
	/// ETRACK; false while the previous generation has not drained.
	bool advance();
	bool tracked(uint64_t stamp) const;

private:
	uint64_t epoch_ = always_tracked + 1;
	uint64_t current_ = 0;
	uint64_t previous_ = 0;
};

} // namespace sgx2
