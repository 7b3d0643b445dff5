/* SPDX-License-Identifier: GPL-2.0 */
/* The places in the backing file of an enclave: which are used, and which are kept. */
#ifndef SGX2_PLACE_H
#define SGX2_PLACE_H

#include <linux/types.h>
#include <linux/xarray.h>
#include "limits.h"

/* Places in a group: as many PCMDs of 128 bytes share a page of the file. */
#define SGX2_PLACE_GROUP 32U

/**
 * struct sgx2_places - the places in the backing file of one enclave
 *
 * A place is free, used by one page, or a spare. All members are under the lock of @groups.
 */
struct sgx2_places {
	/** @groups: for each group with a place that is not free, a value with a bit for each. */
	struct xarray groups;
	/** @open: a bit for each free place of the group from which places are taken. */
	unsigned long open;
	/** @open_number: number of that group, whose value in @groups has all bits set. */
	unsigned long open_number;
	/** @spares: number of places in @spare. */
	unsigned int spares;
	/** @spare: unused places whose memory is kept; the last one is used next. */
	u32 spare[SGX2_SPARE_PLACES];
};

/**
 * sgx2_places_init() - initialize the places of a new enclave: all are free
 * @places: the places of the enclave
 */
void sgx2_places_init(struct sgx2_places *places);

/**
 * sgx2_places_exit() - forget all places
 * @places: the places of an enclave that is being freed
 *
 * Context: process. Allocates nothing.
 */
void sgx2_places_exit(struct sgx2_places *places);

/**
 * sgx2_place_get() - take a place: the spare that was kept last, or a free one
 * @places: the places of the enclave
 * @place: set to the number of the place
 * @gfp: how the memory for the record of a new group is allocated
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - @place is used by the caller
 * * -ENOMEM - memory does not allow it
 */
int sgx2_place_get(struct sgx2_places *places, u32 *place, gfp_t gfp);

/**
 * sgx2_place_keep() - make a used place a spare
 * @places: the places of the enclave
 * @place: from sgx2_place_get()
 *
 * Context: any that may take a spinlock.
 * Return: false if there are SGX2_SPARE_PLACES spares; the place is used as before then.
 */
bool sgx2_place_keep(struct sgx2_places *places, u32 place);

/**
 * sgx2_place_put() - make a used place free, unless it is the last one of its group
 * @places: the places of the enclave
 * @place: from sgx2_place_get(); its ciphertext has no memory any more
 *
 * Context: any that may take a spinlock.
 * Return: false if all other places of the group are free. Then the place is used as before, and
 * the group belongs to the caller, which frees its page of PCMDs and calls sgx2_place_group_put().
 */
bool sgx2_place_put(struct sgx2_places *places, u32 place);

/**
 * sgx2_place_group_put() - make a group free
 * @places: the places of the enclave
 * @place: the last place of the group, for which sgx2_place_put() returned false
 *
 * Context: any that may take a spinlock.
 */
void sgx2_place_group_put(struct sgx2_places *places, u32 place);

#endif
