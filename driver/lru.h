/* SPDX-License-Identifier: GPL-2.0 */
/* The reclaimer's lists: chunks with resident pages, and enclaves whose SECS has no pins. */
#ifndef SGX2_LRU_H
#define SGX2_LRU_H

#include <linux/types.h>

struct sgx2_chunk;
struct sgx2_enclave;

/**
 * sgx2_lru_add() - enter a chunk that has its first resident page
 * @chunk: the chunk; a chunk that is on the list stays where it is
 *
 * Context: under sgx2_chunk::lock.
 */
void sgx2_lru_add(struct sgx2_chunk *chunk);

/**
 * sgx2_lru_del() - remove a chunk that has no resident page any more
 * @chunk: the chunk, on the list or not
 *
 * Context: under sgx2_chunk::lock, or when the enclave is freed.
 */
void sgx2_lru_del(struct sgx2_chunk *chunk);

/**
 * sgx2_lru_take() - get the chunk that the clock examines next, and move it to the end of the list
 * @length: set to the number of chunks on the list
 *
 * Context: any that may take a spinlock.
 * Return: the chunk, with a reference to its enclave; NULL if the list is empty, or if the chunk is
 * to be skipped because its enclave is being freed or is not to be evicted at the moment.
 */
struct sgx2_chunk *sgx2_lru_take(unsigned long *length);

/**
 * sgx2_lru_return() - move a chunk to the beginning, since the clock has not examined all its pages
 * @chunk: the chunk; one that is not on the list stays off it
 *
 * Context: any that may take a spinlock.
 */
void sgx2_lru_return(struct sgx2_chunk *chunk);

/**
 * sgx2_lru_add_secs() - enter an enclave whose SECS has lost its last pin
 * @enclave: the enclave; an enclave that is on the list stays where it is
 *
 * Context: any that may take a spinlock.
 */
void sgx2_lru_add_secs(struct sgx2_enclave *enclave);

/**
 * sgx2_lru_del_secs() - remove an enclave that is being freed
 * @enclave: the enclave, on the list or not
 *
 * Context: any that may take a spinlock.
 */
void sgx2_lru_del_secs(struct sgx2_enclave *enclave);

/**
 * sgx2_lru_take_secs() - remove the first enclave from the list
 *
 * Context: any that may take a spinlock.
 * Return: the enclave, with a reference; NULL if the list is empty or the enclave is being freed.
 */
struct sgx2_enclave *sgx2_lru_take_secs(void);

/**
 * sgx2_lru_any() - test whether there is anything that may be evicted
 *
 * Context: any; without a lock, so the result may be stale.
 * Return: true if one of the lists is not empty.
 */
bool sgx2_lru_any(void);

#endif
