// SPDX-License-Identifier: GPL-2.0
// Tracking epochs.

#include "tracking.h"

namespace sgx2 {

uint64_t Tracking::enter()
{
	current_++;
	return epoch_;
}

void Tracking::leave(uint64_t entered)
{
	uint64_t &generation = entered == epoch_ ? current_ : previous_;

	generation--;
}

bool Tracking::advance()
{
	if (previous_ != 0)
		return false;
	epoch_++;
	previous_ = current_;
	current_ = 0;
	return true;
}

bool Tracking::tracked(uint64_t stamp) const
{
	if (stamp == always_tracked || epoch_ > stamp + 1)
		return true;
	return epoch_ == stamp + 1 && previous_ == 0;
}

} // namespace sgx2
