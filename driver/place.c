// SPDX-License-Identifier: GPL-2.0
/*
 * The places in the backing file of an enclave: which are used, and which are kept for the next
 * page.
 *
 * A page takes a place when it is evicted, and gives it back when it is reloaded. If the file had a
 * fixed place for each page, each eviction would allocate and zero memory, and each reload would
 * free it. So the place of a page that was reloaded is kept, with its memory, as a spare for the
 * page that is evicted next. The number of spares is bounded, and free places have no memory.
 */
#include <linux/bitops.h>
#include "place.h"

/* A group in which a place is free. */
#define SGX2_GROUP_ROOM XA_MARK_1
/* All places of a group. */
#define SGX2_GROUP_ALL GENMASK(SGX2_PLACE_GROUP - 1, 0)
/* Numbers of groups: a place has 32 bits. */
#define SGX2_GROUP_LIMIT XA_LIMIT(0, U32_MAX / SGX2_PLACE_GROUP - 1)

void sgx2_places_init(struct sgx2_places *places)
{
	xa_init_flags(&places->groups, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	places->spares = 0;
	places->open = 0;
}

void sgx2_places_exit(struct sgx2_places *places)
{
	xa_destroy(&places->groups);
}

/* Takes a spare, or a place of the open group; returns false if there is none. */
static bool sgx2_place_take(struct sgx2_places *places, u32 *place)
{
	lockdep_assert_held(&places->groups.xa_lock);
	if (places->spares) {
		*place = places->spare[--places->spares];
		return true;
	}
	if (!places->open)
		return false;
	*place = places->open_number * SGX2_PLACE_GROUP + __ffs(places->open);
	places->open &= places->open - 1;
	return true;
}

/* Opens a group that has free places; returns false if there is none. */
static bool sgx2_place_open(struct sgx2_places *places)
{
	XA_STATE(xas, &places->groups, 0);
	unsigned long number;
	void *group;

	lockdep_assert_held(&places->groups.xa_lock);
	group = xas_find_marked(&xas, ULONG_MAX, SGX2_GROUP_ROOM);
	if (!group)
		return false;
	number = xas.xa_index;
	places->open_number = number;
	places->open = ~xa_to_value(group) & SGX2_GROUP_ALL;
	/* The entry exists, so this allocates nothing. */
	__xa_store(&places->groups, number, xa_mk_value(SGX2_GROUP_ALL), 0);
	__xa_clear_mark(&places->groups, number, SGX2_GROUP_ROOM);
	return true;
}

/* Makes places of a group free that the caller has taken, but not the last ones of the group. */
static void sgx2_place_clear(struct sgx2_places *places, unsigned long number, unsigned long bits)
{
	unsigned long used = xa_to_value(xa_load(&places->groups, number));

	lockdep_assert_held(&places->groups.xa_lock);
	__xa_store(&places->groups, number, xa_mk_value(used & ~bits), 0);
	__xa_set_mark(&places->groups, number, SGX2_GROUP_ROOM);
}

int sgx2_place_get(struct sgx2_places *places, u32 *place, gfp_t gfp)
{
	bool taken;
	u32 number;

	xa_lock(&places->groups);
	taken = sgx2_place_take(places, place) ||
		(sgx2_place_open(places) && sgx2_place_take(places, place));
	xa_unlock(&places->groups);
	if (taken)
		return 0;
	if (xa_alloc(&places->groups, &number, xa_mk_value(SGX2_GROUP_ALL), SGX2_GROUP_LIMIT, gfp))
		return -ENOMEM;
	*place = number * SGX2_PLACE_GROUP;
	xa_lock(&places->groups);
	if (places->open) {
		/* Another task has opened a group meanwhile. */
		sgx2_place_clear(places, number, SGX2_GROUP_ALL & ~BIT(0));
	} else {
		places->open_number = number;
		places->open = SGX2_GROUP_ALL & ~BIT(0);
	}
	xa_unlock(&places->groups);
	return 0;
}

bool sgx2_place_keep(struct sgx2_places *places, u32 place)
{
	bool kept;

	xa_lock(&places->groups);
	kept = places->spares < SGX2_SPARE_PLACES;
	if (kept)
		places->spare[places->spares++] = place;
	xa_unlock(&places->groups);
	return kept;
}

bool sgx2_place_put(struct sgx2_places *places, u32 place)
{
	unsigned long number = place / SGX2_PLACE_GROUP, bit = BIT(place % SGX2_PLACE_GROUP), used;

	xa_lock(&places->groups);
	used = xa_to_value(xa_load(&places->groups, number));
	WARN_ON_ONCE(!(used & bit));
	if (used == bit) {
		/* Without the mark, no other task takes a place of the group. */
		__xa_clear_mark(&places->groups, number, SGX2_GROUP_ROOM);
	} else {
		sgx2_place_clear(places, number, bit);
	}
	xa_unlock(&places->groups);
	return used != bit;
}

void sgx2_place_group_put(struct sgx2_places *places, u32 place)
{
	xa_erase(&places->groups, place / SGX2_PLACE_GROUP);
}
