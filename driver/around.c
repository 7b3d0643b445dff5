// SPDX-License-Identifier: GPL-2.0
/*
 * How many pages to add around one that is touched for the first time.
 *
 * Runtimes accept new memory in order, some from low to high and some from high to low, one page at
 * a time, and each page that is not there is a fault and an exit. So a fault right after the end of
 * the last window, in the direction of the walk, adds twice as many as that window had. A fault
 * elsewhere, or after a window whose far end nobody touched, adds one page: who jumps about gets
 * what he touches and no more. A page that is added and never accepted is harmless, but is EPC.
 */
#include <linux/minmax.h>
#include "around.h"

bool sgx2_around_up(const struct sgx2_around *around, unsigned int index)
{
	return around->count && index == around->first + around->count;
}

bool sgx2_around_down(const struct sgx2_around *around, unsigned int index)
{
	return around->count && index + 1 == around->first;
}

unsigned int sgx2_around_far(const struct sgx2_around *around, bool up)
{
	if (!around->count)
		return SGX2_AROUND_NONE;
	return up ? around->first + around->count - 1 : around->first;
}

unsigned int sgx2_around_size(const struct sgx2_around *around, unsigned int index, bool used,
			      unsigned int limit)
{
	if (!used || (!sgx2_around_up(around, index) && !sgx2_around_down(around, index)))
		return 1;
	return clamp_t(unsigned int, 2 * around->count, 1, max(limit, 1U));
}
