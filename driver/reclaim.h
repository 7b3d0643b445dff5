/* SPDX-License-Identifier: GPL-2.0 */
/* The choice of what is evicted when EPC pages run short. */
#ifndef SGX2_RECLAIM_H
#define SGX2_RECLAIM_H

/**
 * sgx2_reclaim() - evict pages
 * @want: the number of EPC pages that should become free
 *
 * Goes on where the last call stopped. Pages that have been used lately are spared until all chunks
 * have been looked at several times. Ends early if a signal is pending or the task is to freeze.
 *
 * Context: sleeps. No chunk mutex may be held; mmap_lock may be.
 * Return: how many EPC pages became free.
 */
unsigned long sgx2_reclaim(unsigned int want);

#endif
