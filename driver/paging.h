/* SPDX-License-Identifier: GPL-2.0 */
/* Eviction of pages to the backing file, and their return. */
#ifndef SGX2_PAGING_H
#define SGX2_PAGING_H

#include <linux/sched.h>
#include <asm/trapnr.h>
#include "enclave.h"
#include "encls.h"
#include "epc.h"

struct sgx2_backing;

/*
 * A leaf that finds a page or a SECS held by a leaf on another CPU faults with #GP instead of
 * waiting. That passes within that leaf's time, so the leaf is run again for a while before it
 * counts as failed.
 */
#define SGX2_RETRIES 256

/* The usual answer, 0, is asked for first. */
#define sgx2_retry(leaf)                                                          \
	({                                                                        \
		int __left = SGX2_RETRIES, __ret;                                 \
		while (unlikely((__ret = (leaf)) != 0) &&                         \
		       __ret == (SGX2_ENCLS_FAULT | X86_TRAP_GP) && --__left)     \
			cpu_relax();                                              \
		__ret;                                                            \
	})

/* EWB and ELDU of one page with its place in the backing file and its slot; the leaf's answer. */
int sgx2_page_ewb(sgx2_epc_t epc, struct sgx2_backing *backing, void *slot);
int sgx2_page_eldu(sgx2_epc_t epc, struct sgx2_backing *backing, unsigned long address, void *secs,
		   void *slot);

/* The part of sgx2_page_load() that is left when the page is not resident. */
int sgx2_page_fetch(struct sgx2_chunk *chunk, unsigned int index);

/**
 * sgx2_page_load() - bring a page back to the EPC, if it is not there
 * @chunk: its chunk
 * @index: its place there
 *
 * Context: under the chunk's mutex; sleeps.
 * Return: 0; -EAGAIN if no EPC page is free (leave the mutex, sgx2_epc_wait(), try again); -EFAULT
 * if there is no such page; -ENOMEM and the like if the backing file cannot be read; -EIO if the
 * enclave is dead, or is now.
 */
static inline int sgx2_page_load(struct sgx2_chunk *chunk, unsigned int index)
{
	if (sgx2_enclave_is(chunk->enclave, SGX2_DEAD))
		return -EIO;
	if (sgx2_chunk_page(chunk, index)->state == SGX2_RESIDENT)
		return 0;
	return sgx2_page_fetch(chunk, index);
}

/* The most pages that are evicted together. */
#define SGX2_BATCH 64U

/**
 * sgx2_chunk_evict() - write out pages of a chunk
 * @chunk: the chunk
 * @victims: a bit for each page to be written out, SGX2_BATCH at most, all of them resident
 * @refused: is set to true if the enclave's owner cannot pay for the backing memory
 *
 * All resident pages of a dead enclave are dropped instead.
 *
 * Context: under the chunk's mutex; sleeps.
 * Return: how many EPC pages became free.
 */
unsigned int sgx2_chunk_evict(struct sgx2_chunk *chunk, const unsigned long *victims,
			      bool *refused);

#endif
