/* SPDX-License-Identifier: GPL-2.0 */
/* Slots of Version Array pages: one for each evicted page of an enclave, and one for its SECS. */
#ifndef SGX2_VA_H
#define SGX2_VA_H

#include <linux/list.h>
#include <linux/types.h>

/* The number of no slot. */
#define SGX2_VA_NONE ((u32)~0)

/**
 * struct sgx2_va_pool - Version Array pages from which the same enclaves take their slots
 *
 * There is one pool for all enclaves and one for each enclave.
 */
struct sgx2_va_pool {
	/** @free: VA pages that have a free slot; under sgx2_va_lock. */
	struct list_head free;
	/** @pages: all VA pages of the pool; under sgx2_va_lock. */
	struct list_head pages;
};

/**
 * struct sgx2_va_user - what an enclave has of Version Arrays
 */
struct sgx2_va_user {
	/** @own: VA pages that no other enclave uses. */
	struct sgx2_va_pool own;
	/** @shared: slots that the enclave has in the pool of all enclaves; under sgx2_va_lock. */
	unsigned int shared;
};

/* Sets up what a new enclave has: nothing. */
void sgx2_va_user_init(struct sgx2_va_user *user);

/**
 * sgx2_va_slot_get() - reserve a slot
 * @user: the enclave's part
 * @slot: is set to the number of the slot
 *
 * The first SGX2_VA_SHARED slots of an enclave come from pages that all enclaves share, so that
 * many small enclaves do not cost an EPC page each; further ones come from pages of its own. When
 * the pool is full, a page is taken from the part of the EPC that is kept for reclaim.
 *
 * Context: may sleep for memory. May be called under a chunk's mutex or the track mutex.
 * Return: 0; -EAGAIN if no EPC page is free; -ENOMEM; -EIO if EPA failed.
 */
int sgx2_va_slot_get(struct sgx2_va_user *user, u32 *slot);

/**
 * sgx2_va_slot_put() - give back a slot that is empty
 * @user: the enclave's part
 * @slot: from sgx2_va_slot_get(), never written, or read by ELDU since
 *
 * A page without used slots is given back to the EPC, unless it is the only one with room of those
 * that no other enclave uses.
 *
 * Context: any that may take a spinlock and run EREMOVE.
 */
void sgx2_va_slot_put(struct sgx2_va_user *user, u32 slot);

/**
 * sgx2_va_slot_drop() - give back a slot with the version of a page that is never reloaded
 * @user: the enclave's part
 * @slot: written by EWB
 *
 * Only EREMOVE of the whole VA page empties such a slot, so the slot is not used again before that.
 *
 * Context: as sgx2_va_slot_put().
 */
void sgx2_va_slot_drop(struct sgx2_va_user *user, u32 slot);

/* Returns the kernel's address of a slot that is in use. */
void *sgx2_va_slot_address(u32 slot);

/**
 * sgx2_va_user_exit() - remove the VA pages that only this enclave uses
 * @user: of an enclave whose slots in shared pages were put or dropped
 *
 * Context: teardown; allocates nothing.
 */
void sgx2_va_user_exit(struct sgx2_va_user *user);

/* Returns whether the slot lies in a page that other enclaves use, too. */
bool sgx2_va_slot_shared(u32 slot);

/* Frees what is left when the module goes. No enclave may be left. */
void sgx2_va_exit(void);

#endif
