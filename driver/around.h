/* SPDX-License-Identifier: GPL-2.0 */
/* How many pages to add around one that is touched for the first time. */
#ifndef SGX2_AROUND_H
#define SGX2_AROUND_H

#include <linux/types.h>

/**
 * struct sgx2_around - what was added last in a chunk
 *
 * Under the chunk's mutex. All zero to begin with.
 */
struct sgx2_around {
	/** @first: index of the first page of the last window. */
	u16 first;
	/** @count: of its pages, 0 if there was none. */
	u16 count;
};

/* Whether a fault at @index goes on where the last window ended, upwards or downwards. */
bool sgx2_around_up(const struct sgx2_around *around, unsigned int index);
bool sgx2_around_down(const struct sgx2_around *around, unsigned int index);

/* The end at which a walk leaves the last window, up or down; SGX2_AROUND_NONE without one. */
#define SGX2_AROUND_NONE (~0U)
unsigned int sgx2_around_far(const struct sgx2_around *around, bool up);

/**
 * sgx2_around_size() - how many pages to add for a fault at @index
 * @around: the last window
 * @index: of the page that is touched
 * @used: the far end of the last window was touched, so the walk came through it
 * @limit: the most that may be
 *
 * Return: twice the last window when the walk goes on from it, else 1.
 */
unsigned int sgx2_around_size(const struct sgx2_around *around, unsigned int index, bool used,
			      unsigned int limit);

#endif
