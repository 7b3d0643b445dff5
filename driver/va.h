/* SPDX-License-Identifier: GPL-2.0 */
/* Version Array slots: one for each evicted page of an enclave, and one for its evicted SECS. */
#ifndef SGX2_VA_H
#define SGX2_VA_H

#include <linux/list.h>
#include <linux/types.h>

/* Stands for no slot. */
#define SGX2_VA_NONE ((u32)~0)

/**
 * struct sgx2_va_pool - a set of Version Array pages
 *
 * One pool is shared by all enclaves, and each enclave has one of its own.
 */
struct sgx2_va_pool {
	/** @free: VA pages that have a free slot; under sgx2_va_lock. */
	struct list_head free;
	/** @pages: all VA pages of the pool; under sgx2_va_lock. */
	struct list_head pages;
};

/**
 * struct sgx2_va_user - the Version Array slots of an enclave
 */
struct sgx2_va_user {
	/** @own: pool of VA pages that no other enclave uses. */
	struct sgx2_va_pool own;
	/** @shared: number of slots in the shared pool; under sgx2_va_lock. */
	unsigned int shared;
};

/**
 * sgx2_va_user_init() - initialize the slots of a new enclave: none
 * @user: the slots of the enclave
 */
void sgx2_va_user_init(struct sgx2_va_user *user);

/**
 * sgx2_va_slot_get() - take a slot
 * @user: the slots of the enclave
 * @slot: set to the number of the slot
 *
 * The first SGX2_VA_SHARED_SLOTS slots of an enclave are in the shared pool, further ones in its
 * own. If the pool has no free slot, a page is added, from the EPC pages that are kept for
 * eviction.
 *
 * Context: process; sleeps. May be called under a chunk's mutex or the track mutex.
 * Return:
 * * 0 - @slot belongs to the enclave
 * * -EAGAIN - no EPC page is free
 * * -ENOMEM - no memory, or no number, for a Version Array page
 * * -EIO - EPA failed
 */
int sgx2_va_slot_get(struct sgx2_va_user *user, u32 *slot);

/**
 * sgx2_va_slot_put() - give back a slot that is empty
 * @user: the slots of the enclave
 * @slot: from sgx2_va_slot_get(); either never written by EWB, or emptied by ELDU
 *
 * A Version Array page without used slots is removed, unless it is the enclave's own and the only
 * one there with free slots.
 *
 * Context: any that may take a spinlock.
 */
void sgx2_va_slot_put(struct sgx2_va_user *user, u32 slot);

/**
 * sgx2_va_slot_drop() - abandon the slot of an evicted page that is never reloaded
 * @user: the slots of the enclave
 * @slot: from sgx2_va_slot_get(), written by EWB
 *
 * Only ELDU empties a slot, so the slot is not used again until its Version Array page is removed.
 *
 * Context: as sgx2_va_slot_put().
 */
void sgx2_va_slot_drop(struct sgx2_va_user *user, u32 slot);

/**
 * sgx2_va_slot_set_place() - record the place of the page whose version a slot holds
 * @slot: from sgx2_va_slot_get(), not given back
 * @place: its place in the backing file of the enclave
 *
 * Context: any; under the mutex that protects the page.
 */
void sgx2_va_slot_set_place(u32 slot, u32 place);

/**
 * sgx2_va_slot_place() - get the place of the page whose version a slot holds
 * @slot: a slot for which sgx2_va_slot_set_place() was called
 *
 * Context: any; under the mutex that protects the page.
 * Return: the place.
 */
u32 sgx2_va_slot_place(u32 slot);

/**
 * sgx2_va_slot_address() - get the kernel address of a slot
 * @slot: from sgx2_va_slot_get(), not given back
 *
 * Context: any.
 * Return: the address, an operand of EWB and ELDU.
 */
void *sgx2_va_slot_address(u32 slot);

/**
 * sgx2_va_slot_restore() - make the EPC page of a slot a Version Array page again
 * @slot: from sgx2_va_slot_get(), not given back
 *
 * S3, S4 and the migration of a virtual machine empty the EPC, and the shared pool outlives that.
 * EPA makes a page that was lost a Version Array page with empty slots, and faults on a page that
 * was not lost. Only dead enclaves have versions in a page that was lost, and ELDU refuses them.
 *
 * Context: process.
 */
void sgx2_va_slot_restore(u32 slot);

/**
 * sgx2_va_user_exit() - remove the Version Array pages of an enclave's own
 * @user: the slots of an enclave that has given back all slots in the shared pool
 *
 * Context: process; when the enclave is freed. Allocates nothing.
 */
void sgx2_va_user_exit(struct sgx2_va_user *user);

/**
 * sgx2_va_slot_shared() - test whether a slot is in the shared pool
 * @slot: from sgx2_va_slot_get()
 *
 * Context: any.
 * Return: true if other enclaves may have slots in the same Version Array page.
 */
bool sgx2_va_slot_shared(u32 slot);

/**
 * sgx2_va_exit() - free the table of Version Array pages
 *
 * Context: process; module exit, with no enclave left.
 */
void sgx2_va_exit(void);

#endif
