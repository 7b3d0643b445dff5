// SPDX-License-Identifier: GPL-2.0
/*
 * Fault-around: the pages that a fault adds, reloads and maps beside the one that is accessed.
 *
 * Absent pages. Runtimes accept new memory in order, some upwards and some downwards, one page at a
 * time, and each absent page costs a fault and an AEX. So a fault right behind the last window, in
 * the direction of the walk, adds twice as many pages as that window had. A fault elsewhere, or
 * after a window whose far page was not accessed, adds one page: random accesses add only the pages
 * that are accessed. A page that is added and never accepted is harmless, but it uses an EPC page.
 *
 * Resident pages. A PTE costs little, and a fault much. So a fault maps the aligned block around
 * the page that is accessed, wherever the page is, and a walk is mapped in windows that double.
 *
 * Evicted pages. A page that is reloaded needlessly costs an ELDU, and later an EWB. So they are
 * reloaded as absent pages are added: one page for each fault, except in a walk.
 *
 * Resident and evicted pages have their windows in common, since a walk meets both.
 */
#include <linux/log2.h>
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
	return clamp(2U * around->size, 1U, max(limit, 1U));
}

void sgx2_fault_around_window(const struct sgx2_fault_around *around, unsigned int index, bool walk,
			      unsigned int least, unsigned int limit, struct sgx2_window *window)
{
	bool down = sgx2_fault_around_down(around, index);
	unsigned int first = index, end = index + 1, size;

	limit = max(limit, 1U);
	size = min(walk ? max(2U * around->size, least) : least, limit);
	if (!walk) {
		size = rounddown_pow_of_two(size);
		first = round_down(index, size);
		end = first + size;
	} else if (down) {
		first = end > size ? end - size : 0;
	} else {
		end = index + size;
	}
	window->first = max(window->first, first);
	window->end = min(window->end, end);
	window->size = size;
}

void sgx2_fault_around_record(struct sgx2_fault_around *around, const struct sgx2_window *window)
{
	around->first = window->first;
	around->count = window->end - window->first;
	around->size = window->size;
}
