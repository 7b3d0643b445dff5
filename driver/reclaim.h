/* SPDX-License-Identifier: GPL-2.0 */
/* The choice of what is evicted when EPC pages run short. */
#ifndef SGX2_RECLAIM_H
#define SGX2_RECLAIM_H

#include <linux/types.h>

struct sgx2_chunk;

/*
 * A chunk has its first resident page, or no longer any. Under the chunk's mutex, or when the
 * enclave goes.
 */
void sgx2_reclaim_add(struct sgx2_chunk *chunk);
void sgx2_reclaim_del(struct sgx2_chunk *chunk);

/**
 * sgx2_reclaim() - evict pages
 * @want: how many EPC pages one would like to be free
 *
 * Spares pages used since its last look, until it has looked at all.
 *
 * Context: sleeps; no chunk mutex may be held. mmap_lock may be.
 * Return: how many came free.
 */
unsigned long sgx2_reclaim(unsigned int want);

/* Whether there is any page that could be evicted. */
bool sgx2_reclaim_possible(void);

#endif
