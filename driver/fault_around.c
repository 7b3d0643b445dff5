// SPDX-License-Identifier: GPL-2.0
/*
 * Fault-around: the number of pages that a fault on an absent page adds.
 *
 * Runtimes accept new memory in order, some upwards and some downwards, one page at a time, and
 * each absent page costs a fault and an AEX. So a fault right behind the last window, in the
 * direction of the walk, adds twice as many pages as that window had. A fault elsewhere, or after a
 * window whose far page was not accessed, adds one page: random accesses add only the pages that
 * are accessed. A page that is added and never accepted is harmless, but it uses an EPC page.
 */
#include <linux/minmax.h>
#include "fault_around.h"

bool sgx2_fault_around_up(const struct sgx2_fault_around *around, unsigned int index)
{
	return around->count && index == around->first + around->count;
}

bool sgx2_fault_around_down(const struct sgx2_fault_around *around, unsigned int index)
{
	return around->count && index + 1 == around->first;
}

unsigned int sgx2_fault_around_far(const struct sgx2_fault_around *around, bool up)
{
	if (!around->count)
		return SGX2_FAULT_AROUND_NONE;
	return up ? around->first + around->count - 1 : around->first;
}

unsigned int sgx2_fault_around_size(const struct sgx2_fault_around *around, unsigned int index,
				    bool used, unsigned int limit)
{
	if (!used ||
	    (!sgx2_fault_around_up(around, index) && !sgx2_fault_around_down(around, index)))
		return 1;
	return clamp_t(unsigned int, 2 * around->count, 1, max(limit, 1U));
}
