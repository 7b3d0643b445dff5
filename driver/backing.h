/* SPDX-License-Identifier: GPL-2.0 */
/* The backing file keeps the evicted pages of an enclave: EWB writes them, ELDU reads them. */
#ifndef SGX2_BACKING_H
#define SGX2_BACKING_H

#include <linux/types.h>
#include "epc.h"

struct page;
struct sgx2_enclave;

/**
 * struct sgx2_backing - the place of one evicted page: its ciphertext and its PCMD
 *
 * Belongs to the task that got it, which holds a reference to both pages.
 */
struct sgx2_backing {
	/** @place: its number; see place.h. */
	u32 place;
	/** @data: page with 4096 bytes of ciphertext. */
	struct page *data;
	/** @pcmd: page with 32 PCMDs. */
	struct page *pcmd;
	/** @offset: offset of this page's PCMD in @pcmd, in bytes. */
	unsigned int offset;
};

/**
 * sgx2_backing_file() - make the backing file of an enclave
 * @size: size of ELRANGE in bytes
 *
 * The file is large enough for the places of all pages and of the SECS. It uses memory only for
 * places that are used or kept.
 *
 * Context: process; sleeps.
 * Return: the file, or an error of shmem.
 */
struct file *sgx2_backing_file(unsigned long size);

/**
 * sgx2_backing_get() - find the place of an evicted page
 * @enclave: the enclave
 * @slot: the Version Array slot of the page or SECS
 * @backing: filled in
 *
 * Memory for a page that is read from swap is charged to the memory cgroup of the enclave's owner.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock, or sgx2_enclave::track_lock for the SECS.
 * Return:
 * * 0 - @backing is filled in
 * * -ENOMEM - memory, or the memory cgroup, does not allow it
 * * another error of shmem, such as -EIO of a swap device
 */
int sgx2_backing_get(struct sgx2_enclave *enclave, u32 slot, struct sgx2_backing *backing);

/**
 * sgx2_backing_make() - make a place for a page that is about to be evicted
 * @enclave: the enclave
 * @last: the place that was made before for the same batch, or NULL
 * @backing: filled in
 *
 * Takes a place that is kept, if there is one, and otherwise memory for a new one. After
 * sgx2_va_slot_get() the caller records the place by sgx2_va_slot_set_place().
 *
 * Memory is charged to the memory cgroup of the enclave's owner, whichever task evicts. The OOM
 * killer runs in that cgroup only for a task that belongs to it; for another task, and for ksgx2d,
 * the charge fails instead. memory.high does not put the caller to sleep.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock, or sgx2_enclave::track_lock for the SECS.
 * Return: as sgx2_backing_get().
 */
int sgx2_backing_make(struct sgx2_enclave *enclave, const struct sgx2_backing *last,
		      struct sgx2_backing *backing);

/**
 * sgx2_backing_put() - drop the references to the place of a page that is evicted
 * @backing: from sgx2_backing_get() or sgx2_backing_make()
 * @dirty: EWB has written to it
 *
 * Context: any that may put a page.
 */
void sgx2_backing_put(struct sgx2_backing *backing, bool dirty);

/**
 * sgx2_backing_release() - give back the place of a page that is in the EPC
 * @enclave: the enclave
 * @backing: from sgx2_backing_get() of a page that was reloaded, or from sgx2_backing_make() of a
 *           page that is not evicted
 *
 * Drops the references. The place is kept with its memory for the page that is evicted next, unless
 * SGX2_SPARE_PLACES are kept already.
 *
 * Context: as sgx2_backing_get().
 */
void sgx2_backing_release(struct sgx2_enclave *enclave, struct sgx2_backing *backing);

/**
 * sgx2_backing_ewb() - write an EPC page to its place
 * @epc: the EPC page, blocked and tracked, or a SECS without children
 * @backing: its place
 * @slot: its Version Array slot, from sgx2_va_slot_get()
 *
 * If EWB with a slot in the shared pool faults with #PF, it is run again after
 * sgx2_va_slot_restore().
 *
 * Context: process.
 * Return: the value of EWB, see encls.h.
 */
int sgx2_backing_ewb(sgx2_epc_t epc, struct sgx2_backing *backing, u32 slot);

/**
 * sgx2_backing_eldu() - load a page from its place
 * @epc: a free EPC page
 * @backing: the place of the page
 * @address: linear address of the page, 0 for a SECS
 * @secs: kernel address of the SECS, NULL for a SECS
 * @slot: kernel address of its Version Array slot
 *
 * Context: process.
 * Return: the value of ELDU, see encls.h.
 */
int sgx2_backing_eldu(sgx2_epc_t epc, struct sgx2_backing *backing, unsigned long address,
		      void *secs, void *slot);

#endif
