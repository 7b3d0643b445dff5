/* SPDX-License-Identifier: GPL-2.0 */
/* Paging: eviction of pages to the backing file, and their reload. */
#ifndef SGX2_PAGING_H
#define SGX2_PAGING_H

#include "enclave_types.h"

/**
 * sgx2_page_reload() - bring an evicted page back to the EPC
 * @chunk: the chunk of the page
 * @index: index of the page in the chunk
 *
 * sgx2_page_load() without its first checks.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock.
 * Return: as sgx2_page_load().
 */
int sgx2_page_reload(struct sgx2_chunk *chunk, unsigned int index);

/**
 * sgx2_window_reload() - bring the evicted pages of a window back, ahead of a walk
 * @chunk: the chunk of the window
 * @index: index of the page that is accessed, which is resident and the first or the last one
 * @window: the window; narrowed to the pages from @index on that are resident afterwards
 *
 * Uses EPC pages that are free, and evicts no page to get one: only the page that is accessed makes
 * the caller wait for room. The window ends at a page that cannot be reloaded, and at an absent
 * page.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock.
 */
void sgx2_window_reload(struct sgx2_chunk *chunk, unsigned int index, struct sgx2_window *window);

/**
 * sgx2_page_load() - bring a page to the EPC, if it is evicted
 * @chunk: the chunk of the page
 * @index: index of the page in the chunk
 *
 * Context: process; sleeps. Under sgx2_chunk::lock.
 * Return:
 * * 0 - the page is resident
 * * -EAGAIN - no EPC page is free; the caller drops the mutex and calls sgx2_reclaim_wait()
 * * -EFAULT - the page is absent
 * * -EIO - the enclave is dead
 * * -ENOMEM, or another error of sgx2_backing_get()
 */
static inline int sgx2_page_load(struct sgx2_chunk *chunk, unsigned int index)
{
	if (sgx2_enclave_is(chunk->enclave, SGX2_DEAD))
		return -EIO;
	if (sgx2_chunk_page(chunk, index)->state == SGX2_RESIDENT)
		return 0;
	return sgx2_page_reload(chunk, index);
}

/**
 * sgx2_chunk_evict() - evict pages of a chunk
 * @chunk: the chunk
 * @victims: a bit for each page to be evicted; at most SGX2_EVICT_MAX_PAGES, all of them resident
 * @refused: set to true if the enclave's owner cannot be charged for the backing memory
 *
 * All resident pages of a dead enclave are removed instead.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock.
 * Return: the number of EPC pages that became free.
 */
unsigned int sgx2_chunk_evict(struct sgx2_chunk *chunk, const unsigned long *victims,
			      bool *refused);

#endif
