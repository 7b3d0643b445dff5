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
 * sgx2_backing_get() - find the place of an evicted page
 * @enclave: the page's enclave
 * @chunk: the page's chunk, or NULL for the SECS
 * @index: place of the page in the chunk
 * @backing: is filled in
 *
 * What has to come back from swap is charged to the memory cgroup of the enclave's owner.
 *
 * Context: sleeps; under the chunk's mutex, or the track mutex for the SECS.
 * Return: 0; -ENOMEM; another error of shmem, such as -EIO from a swap device.
 */
int sgx2_backing_get(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index,
		     struct sgx2_backing *backing);

/**
 * sgx2_backing_make() - make the place of a page that is to be evicted
 * @enclave: the page's enclave
 * @chunk: the page's chunk, or NULL for the SECS
 * @index: place of the page in the chunk
 * @backing: is filled in
 *
 * New memory is charged to the memory cgroup of the enclave's owner, whichever task makes room in
 * the EPC. The OOM killer runs in that cgroup only for a task that belongs to it; for any other
 * task, and for ksgx2d, the charge fails instead. The caller is not put to sleep by memory.high.
 *
 * Context: sleeps; under the chunk's mutex, or the track mutex for the SECS.
 * Return: 0; -ENOMEM if memory or the cgroup's limit does not allow it; another error of shmem.
 */
int sgx2_backing_make(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index,
		      struct sgx2_backing *backing);

/*
 * Gives back a place that was made for a page which is not evicted after all. The page of PCMDs
 * stays, since other pages of the same batch may use it.
 */
void sgx2_backing_cancel(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index,
			 struct sgx2_backing *backing);

/* @dirty: it was written. */
void sgx2_backing_put(struct sgx2_backing *backing, bool dirty);

/*
 * The page is in the EPC again: give its memory back, and that of its PCMDs with the last of the
 * 32.
 */
void sgx2_backing_drop(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index);

#endif
