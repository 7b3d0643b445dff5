/* SPDX-License-Identifier: GPL-2.0 */
/* A chunk from its creation to its end, and its pages between absent, resident and evicted. */
#ifndef SGX2_CHUNK_H
#define SGX2_CHUNK_H

#include "enclave_types.h"

/**
 * sgx2_chunk_create() - allocate a chunk for a page that is about to be added
 * @enclave: the enclave
 * @pgoff: page number of that page
 *
 * No other task finds the chunk before sgx2_chunk_add_page() has added a page to it. The caller
 * ends the creation with sgx2_chunk_create_done(), with or without a page.
 *
 * Context: process; sleeps. Under sgx2_enclave::chunk_create_lock, after a lookup under that lock
 * that found no chunk.
 * Return:
 * * the chunk
 * * -ENOMEM - memory, or the memory cgroup, does not allow it
 */
struct sgx2_chunk *sgx2_chunk_create(struct sgx2_enclave *enclave, unsigned long pgoff);

/**
 * sgx2_chunk_create_done() - end the creation of a chunk
 * @chunk: from sgx2_chunk_create(); freed if no page has been added to it
 *
 * Context: process; under sgx2_enclave::chunk_create_lock, not under sgx2_chunk::lock.
 */
void sgx2_chunk_create_done(struct sgx2_chunk *chunk);

/**
 * sgx2_chunk_add_page() - record that an absent page is in the EPC now
 * @chunk: the chunk
 * @index: index of the page in the chunk
 * @where: its EPC page
 * @type: enum sgx_page_type
 * @max_prot: VM_READ, VM_WRITE and VM_EXEC that a mapping may have
 * @flags: 0 or SGX2_PAGE_DYNAMIC
 *
 * Updates the counters, the pins of the SECS, and the reclaimer's list. Publishes a chunk with its
 * first page.
 *
 * Context: process; under sgx2_chunk::lock.
 */
void sgx2_chunk_add_page(struct sgx2_chunk *chunk, unsigned int index, sgx2_epc_t where, u8 type,
			 u8 max_prot, u8 flags);

/**
 * sgx2_chunk_remove_pages() - record that resident pages are absent now
 * @chunk: the chunk
 * @first: index of the first page
 * @count: number of pages, all of them resident
 * @where: filled in with the EPC pages, which belong to the caller then
 *
 * The caller updates sgx2_chunk::max_prot by sgx2_chunk_update_max_prot() after its last call.
 *
 * Context: process; under sgx2_chunk::lock.
 * Return: the number of pages in @where.
 */
unsigned int sgx2_chunk_remove_pages(struct sgx2_chunk *chunk, unsigned int first,
				     unsigned int count, sgx2_epc_t *where);

/**
 * sgx2_chunk_update_max_prot() - compute sgx2_chunk::max_prot from the pages that are left
 * @chunk: the chunk
 *
 * Context: process; under sgx2_chunk::lock.
 */
void sgx2_chunk_update_max_prot(struct sgx2_chunk *chunk);

/**
 * sgx2_chunk_set_state() - record that a page was evicted or reloaded
 * @chunk: the chunk
 * @index: index of the page in the chunk
 * @state: SGX2_EVICTED or SGX2_RESIDENT
 * @where: the page's Version Array slot or EPC page
 *
 * Context: process; under sgx2_chunk::lock.
 */
void sgx2_chunk_set_state(struct sgx2_chunk *chunk, unsigned int index, enum sgx2_page_state state,
			  u32 where);

/**
 * sgx2_chunk_free() - remove the EPC pages of a chunk and free it
 * @chunk: a chunk of an enclave that has no reference left
 *
 * Context: process; sleeps. Allocates nothing and cannot fail.
 */
void sgx2_chunk_free(struct sgx2_chunk *chunk);

#endif
