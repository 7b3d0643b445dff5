/* SPDX-License-Identifier: GPL-2.0 */
/* The file to which the pages of an enclave are evicted. */
#ifndef SGX2_BACKING_H
#define SGX2_BACKING_H

#include <linux/types.h>

struct mem_cgroup;
struct page;
struct sgx2_chunk;
struct sgx2_enclave;

/**
 * struct sgx2_backing - the place of one evicted page: its ciphertext and its PCMD
 *
 * Belongs to who got it.
 */
struct sgx2_backing {
	/** @data: 4096 bytes of ciphertext. */
	struct page *data;
	/** @pcmd: a page of 32 PCMDs. */
	struct page *pcmd;
	/** @offset: of this page's PCMD, in bytes. */
	unsigned int offset;
};

/*
 * The file for an ELRANGE; in size the ciphertext and PCMDs of all of it and of the SECS, in memory
 * only what is evicted.
 */
struct file *sgx2_backing_file(unsigned long base, unsigned long size);

/**
 * sgx2_backing_get() - find, or make, the place of a page
 * @enclave: whose
 * @chunk: the page's chunk, or NULL for the SECS
 * @index: in the chunk
 * @backing: goes there
 *
 * New memory is charged to the memory cgroup that is active in the caller.
 *
 * Context: sleeps; under the chunk's mutex, or the track mutex for the SECS.
 * Return: 0, or -ENOMEM and the like from shmem.
 */
int sgx2_backing_get(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index,
		     struct sgx2_backing *backing);

/* @dirty: it was written. */
void sgx2_backing_put(struct sgx2_backing *backing, bool dirty);

/*
 * The page is in the EPC again: give its memory back, and that of its PCMDs with the last of the
 * 32.
 */
void sgx2_backing_drop(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index);

#endif
