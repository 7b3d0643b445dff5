// SPDX-License-Identifier: GPL-2.0
/* Places in the backing file: no place has two users, and no group has memory without need. */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/prandom.h>
#include "place.h"

#define PLACES 1000U

/**
 * struct book - what the test knows of a backing file
 */
struct book {
	/** @places: the places that are tested. */
	struct sgx2_places places;
	/** @used: a bit for each place that is used. */
	DECLARE_BITMAP(used, 2 * PLACES);
	/** @count: number of places in @place. */
	unsigned int count;
	/** @place: the places that are used. */
	u32 place[PLACES];
};

static struct book book;

static void take(struct kunit *test)
{
	u32 place;

	KUNIT_ASSERT_EQ(test, sgx2_place_get(&book.places, &place, GFP_KERNEL), 0);
	KUNIT_ASSERT_LT(test, place, 2 * PLACES);
	KUNIT_EXPECT_FALSE(test, test_and_set_bit(place, book.used));
	book.place[book.count++] = place;
}

/* Give back a used place; it becomes a spare if there is room. */
static void give(struct kunit *test, unsigned int at)
{
	u32 place = book.place[at];

	book.place[at] = book.place[--book.count];
	clear_bit(place, book.used);
	if (sgx2_place_keep(&book.places, place))
		return;
	if (!sgx2_place_put(&book.places, place))
		sgx2_place_group_put(&book.places, place);
}

static unsigned int groups(void)
{
	unsigned long number;
	unsigned int count = 0;
	void *group;

	xa_for_each(&book.places.groups, number, group)
		count++;
	return count;
}

static void start(void)
{
	memset(&book, 0, sizeof(book));
	sgx2_places_init(&book.places);
}

static void random_test(struct kunit *test)
{
	struct rnd_state random;
	unsigned int i;

	start();
	prandom_seed_state(&random, 1);
	for (i = 0; i < 200 * PLACES; i++) {
		/* The number of used places rises and falls. */
		bool more = prandom_u32_state(&random) % 100 < (i / (10 * PLACES) % 2 ? 40 : 60);

		if (more && book.count < PLACES)
			take(test);
		else if (!more && book.count)
			give(test, prandom_u32_state(&random) % book.count);
	}
	while (book.count)
		give(test, 0);
	/* Each spare may be in a group of its own, and one group is open. */
	KUNIT_EXPECT_LE(test, groups(), SGX2_SPARE_PLACES + 1);
	sgx2_places_exit(&book.places);
}

/* The place that was given back last is used next, and the reserve is bounded. */
static void spare_test(struct kunit *test)
{
	unsigned int i, kept = 0;
	u32 place;

	start();
	for (i = 0; i < 2 * SGX2_SPARE_PLACES; i++)
		take(test);
	for (i = 0; i < 2 * SGX2_SPARE_PLACES; i++)
		kept += sgx2_place_keep(&book.places, book.place[i]);
	KUNIT_EXPECT_EQ(test, kept, SGX2_SPARE_PLACES);
	for (i = SGX2_SPARE_PLACES; i; i--) {
		KUNIT_EXPECT_EQ(test, sgx2_place_get(&book.places, &place, GFP_KERNEL), 0);
		KUNIT_EXPECT_EQ(test, place, book.place[i - 1]);
	}
	sgx2_places_exit(&book.places);
}

/* A group is free only when its last place is, and its places are used again. */
static void group_test(struct kunit *test)
{
	unsigned int i;
	u32 place;

	start();
	/* Three groups, the third of which is open. */
	for (i = 0; i < 2 * SGX2_PLACE_GROUP + 1; i++)
		take(test);
	KUNIT_EXPECT_EQ(test, groups(), 3);
	for (i = 1; i < SGX2_PLACE_GROUP; i++)
		KUNIT_EXPECT_TRUE(test, sgx2_place_put(&book.places, i));
	KUNIT_EXPECT_FALSE(test, sgx2_place_put(&book.places, 0));
	sgx2_place_group_put(&book.places, 0);
	KUNIT_EXPECT_EQ(test, groups(), 2);
	KUNIT_EXPECT_TRUE(test, sgx2_place_put(&book.places, SGX2_PLACE_GROUP + 7));
	for (i = 1; i < SGX2_PLACE_GROUP; i++) {
		KUNIT_EXPECT_EQ(test, sgx2_place_get(&book.places, &place, GFP_KERNEL), 0);
		KUNIT_EXPECT_EQ(test, place, 2 * SGX2_PLACE_GROUP + i);
	}
	KUNIT_EXPECT_EQ(test, sgx2_place_get(&book.places, &place, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, place, SGX2_PLACE_GROUP + 7);
	KUNIT_EXPECT_EQ(test, sgx2_place_get(&book.places, &place, GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, place, 0);
	sgx2_places_exit(&book.places);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(random_test),
	KUNIT_CASE(spare_test),
	KUNIT_CASE(group_test),
	{},
};

static struct kunit_suite suite = { .name = "sgx2_place", .test_cases = cases };
kunit_test_suite(suite);
