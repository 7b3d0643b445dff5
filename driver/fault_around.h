/* SPDX-License-Identifier: GPL-2.0 */
/* Fault-around: the pages that a fault adds, reloads and maps beside the one that is accessed. */
#ifndef SGX2_FAULT_AROUND_H
#define SGX2_FAULT_AROUND_H

#include <linux/types.h>

/**
 * struct sgx2_fault_around - the pages that the last fault in a chunk added, or mapped
 *
 * Under sgx2_chunk::lock. All members are zero at first.
 */
struct sgx2_fault_around {
	/** @first: index of the first page of the window. */
	u16 first;
	/** @count: number of pages of the window, 0 if there was none. */
	u16 count;
	/** @size: number of pages that the window was to have; the next one of a walk has twice. */
	u16 size;
};

/**
 * struct sgx2_window - the pages that a fault may make accessible
 *
 * Belongs to the task that handles the fault.
 */
struct sgx2_window {
	/** @first: index of the first page. */
	unsigned int first;
	/** @end: index after the last page. */
	unsigned int end;
	/** @size: number of pages that the window would have without the bounds of its VMA. */
	unsigned int size;
};

/**
 * sgx2_fault_around_up() - test whether a fault continues the last window upwards
 * @around: the last window
 * @index: index of the page that is accessed
 *
 * Context: any.
 * Return: true if the page follows the window.
 */
bool sgx2_fault_around_up(const struct sgx2_fault_around *around, unsigned int index);

/**
 * sgx2_fault_around_down() - test whether a fault continues the last window downwards
 * @around: the last window
 * @index: index of the page that is accessed
 *
 * Context: any.
 * Return: true if the page precedes the window.
 */
bool sgx2_fault_around_down(const struct sgx2_fault_around *around, unsigned int index);

/* Stands for no page. */
#define SGX2_FAULT_AROUND_NONE (~0U)

/**
 * sgx2_fault_around_far() - find the page that a sequential walk accesses last in the window
 * @around: the last window
 * @up: the walk goes up
 *
 * Context: any.
 * Return: index of the page, SGX2_FAULT_AROUND_NONE if there was no window.
 */
unsigned int sgx2_fault_around_far(const struct sgx2_fault_around *around, bool up);

/**
 * sgx2_fault_around_size() - compute the number of pages to add
 * @around: the last window
 * @index: index of the page that is accessed
 * @used: the far page of the last window was accessed
 * @limit: maximum number of pages
 *
 * Context: any.
 * Return: twice the size of the last window if a walk continues it, else 1.
 */
unsigned int sgx2_fault_around_size(const struct sgx2_fault_around *around, unsigned int index,
				    bool used, unsigned int limit);

/**
 * sgx2_fault_around_window() - compute the window of a fault on a page that is not absent
 * @around: the last window
 * @index: index of the page that is accessed
 * @walk: the fault continues a walk through the last window
 * @least: number of pages without a walk, at least 1
 * @limit: maximum number of pages; 0 and 1 have the same effect
 * @window: on entry the pages of the chunk that are in the VMA, and narrowed; @index is in it
 *
 * A walk gets twice as many pages as its last window, from @index on. Without a walk the window is
 * an aligned block, so that accesses in any order to a range of N pages need about N / @least
 * faults.
 *
 * Context: any.
 */
void sgx2_fault_around_window(const struct sgx2_fault_around *around, unsigned int index, bool walk,
			      unsigned int least, unsigned int limit, struct sgx2_window *window);

/**
 * sgx2_fault_around_record() - record what a fault has made accessible
 * @around: the last window, overwritten
 * @window: from sgx2_fault_around_window()
 *
 * Context: under sgx2_chunk::lock of the window.
 */
void sgx2_fault_around_record(struct sgx2_fault_around *around, const struct sgx2_window *window);

#endif
