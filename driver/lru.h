/* SPDX-License-Identifier: GPL-2.0 */
/* The list of chunks that the clock goes round, and of SECSs that nothing pins. */
#ifndef SGX2_LRU_H
#define SGX2_LRU_H

#include <linux/types.h>

struct sgx2_chunk;
struct sgx2_enclave;

/*
 * Enter a chunk that has its first resident page, and remove one that has none any more. Under the
 * chunk's mutex, or when the enclave is torn down.
 */
void sgx2_lru_add(struct sgx2_chunk *chunk);
void sgx2_lru_del(struct sgx2_chunk *chunk);

/**
 * sgx2_lru_take() - get the chunk that is looked at next
 * @length: is set to the number of chunks on the list
 *
 * The chunk goes to the end of the list.
 *
 * Context: any that may take a spinlock.
 * Return: the chunk, with a reference to its enclave; NULL if the list is empty, or if the chunk is
 * to be skipped because its enclave is torn down or its owner could not pay a moment ago.
 */
struct sgx2_chunk *sgx2_lru_take(unsigned long *length);

/* Puts a chunk back to the beginning, since the clock has not gone through all of its pages. */
void sgx2_lru_return(struct sgx2_chunk *chunk);

/*
 * Enter an enclave whose SECS lost its last pin, and remove one that is torn down. An enclave that
 * is on the list already stays where it is.
 */
void sgx2_lru_add_secs(struct sgx2_enclave *enclave);
void sgx2_lru_del_secs(struct sgx2_enclave *enclave);

/* Takes the first enclave off that list; with a reference to it, or NULL. */
struct sgx2_enclave *sgx2_lru_take_secs(void);

/* Returns whether there is anything that might be evicted. */
bool sgx2_lru_any(void);

#endif
