/* SPDX-License-Identifier: GPL-2.0 */
/* Fault-around: the number of pages that a fault on an absent page adds. */
#ifndef SGX2_FAULT_AROUND_H
#define SGX2_FAULT_AROUND_H

#include <linux/types.h>

/**
 * struct sgx2_fault_around - the window of pages that the last fault in a chunk added
 *
 * Under sgx2_chunk::lock. All members are zero at first.
 */
struct sgx2_fault_around {
	/** @first: index of the first page of the window. */
	u16 first;
	/** @count: number of pages of the window, 0 if there was none. */
	u16 count;
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

#endif
