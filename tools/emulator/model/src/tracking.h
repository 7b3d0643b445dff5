// SPDX-License-Identifier: GPL-2.0
// The CPUs inside an enclave by tracking epoch (Documentation/isa.rst 8).
//
// The epoch of an enclave is the number of its ETRACKs. A CPU belongs to the epoch in which it
// entered. Only the current epoch and the one before it can have CPUs, because ETRACK returns
// SGX_PREV_TRK_INCMPL (17) instead of starting a third. A page that loses a right is stamped with
// the current epoch: only CPUs that entered in that epoch or before can hold a stale translation of
// the page. The page is tracked when a later epoch has started and no CPU of the previous epoch is
// left.
#pragma once

#include <cstdint>

namespace sgx2 {

class Tracking {
public:
	/// The stamp of a page of which no CPU can hold a stale translation.
	static constexpr uint64_t always_tracked = 0;

	uint64_t epoch() const { return epoch_; }
	/// Add a CPU to the current epoch.
	/// @return the epoch to pass to leave().
	uint64_t enter();
	void leave(uint64_t entered);

	bool occupied() const { return current_ + previous_ != 0; }
	/// Start an epoch, as ETRACK does.
	/// @return false if a CPU of the previous epoch is left.
	bool advance();
	bool tracked(uint64_t stamp) const;

private:
	uint64_t epoch_ = always_tracked + 1;
	uint64_t current_ = 0;
	uint64_t previous_ = 0;
};

} // namespace sgx2
