/* SPDX-License-Identifier: GPL-2.0 */
/* Slots of Version Arrays: one for each evicted page of an enclave. */
#ifndef SGX2_VERSION_H
#define SGX2_VERSION_H

#include <linux/types.h>

struct sgx2_enclave;

/**
 * sgx2_version_get() - reserve a slot
 * @enclave: for a page of which
 * @slot: its number goes there
 *
 * Takes a page from the part of the EPC that is kept for the reclaimer when all arrays of the
 * enclave are full.
 *
 * Context: may sleep for memory; under a chunk's mutex or the track mutex.
 * Return: 0; -EAGAIN if no EPC page is free, -ENOMEM, -EIO if the processor would not make the
 * array.
 */
int sgx2_version_get(struct sgx2_enclave *enclave, u32 *slot);

/*
 * The slot is empty again; an array without used slots gives its EPC page back, unless it is the
 * only one with room.
 */
void sgx2_version_put(struct sgx2_enclave *enclave, u32 slot);

/* The kernel's address of a slot that is in use. */
void *sgx2_version_address(struct sgx2_enclave *enclave, u32 slot);

/* For teardown: all arrays go, with whatever is in them. */
void sgx2_version_free_all(struct sgx2_enclave *enclave);

#endif
