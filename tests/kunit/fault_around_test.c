// SPDX-License-Identifier: GPL-2.0
/* The pages that fault-around adds for ascending, descending, strided and random accesses. */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include "fault_around.h"

#define PAGES 512
#define LIMIT 64

/**
 * struct walk - a chunk, and the accesses to its pages
 */
struct walk {
	/** @fault_around: window of the chunk. */
	struct sgx2_fault_around fault_around;
	/** @present: pages that were added. */
	bool present[PAGES];
	/** @accessed: pages that were accessed. */
	bool accessed[PAGES];
	/** @faults: number of accesses to absent pages. */
	unsigned int faults;
	/** @added: number of added pages. */
	unsigned int added;
};

/* Access a page; a fault does what augment.c does. */
static void access_page(struct walk *walk, unsigned int index)
{
	bool up = !sgx2_fault_around_down(&walk->fault_around, index);
	unsigned int far, size, i, at;

	walk->accessed[index] = true;
	if (walk->present[index])
		return;
	walk->faults++;
	far = sgx2_fault_around_far(&walk->fault_around, up);
	size = sgx2_fault_around_size(&walk->fault_around, index,
				      far != SGX2_FAULT_AROUND_NONE && walk->accessed[far], LIMIT);
	for (i = 0; i < size; i++) {
		at = up ? index + i : index - i;
		if (at >= PAGES || walk->present[at])
			break;
		walk->present[at] = true;
		walk->added++;
	}
	walk->fault_around.first = up ? index : index - (i - 1);
	walk->fault_around.count = i;
}

static void walk_test(struct kunit *test)
{
	struct walk *walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, walk);
	for (i = 0; i < PAGES; i++)
		access_page(walk, i);
	KUNIT_EXPECT_LE(test, walk->faults, 16);
	KUNIT_EXPECT_EQ(test, walk->added, PAGES);

	memset(walk, 0, sizeof(*walk));
	for (i = PAGES; i--;)
		access_page(walk, i);
	KUNIT_EXPECT_LE(test, walk->faults, 16);
	KUNIT_EXPECT_EQ(test, walk->added, PAGES);
}

/* Accesses with any stride add at most as many pages again as are accessed. */
static void stride_test(struct kunit *test)
{
	struct walk *walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);
	unsigned int stride, i, steps;

	KUNIT_ASSERT_NOT_NULL(test, walk);
	for (stride = 2; stride < 100; stride++) {
		memset(walk, 0, sizeof(*walk));
		for (i = 0, steps = 0; i < PAGES; i += stride, steps++)
			access_page(walk, i);
		KUNIT_EXPECT_EQ(test, walk->added, steps);
	}
}

static void random_test(struct kunit *test)
{
	struct walk *walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);
	struct rnd_state rnd;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, walk);
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 64; i++)
		access_page(walk, prandom_u32_state(&rnd) % PAGES);
	KUNIT_EXPECT_LE(test, walk->added, 80);
}

static void limit_test(struct kunit *test)
{
	struct sgx2_fault_around around = { .first = 10, .count = 48 };

	KUNIT_EXPECT_EQ(test, sgx2_fault_around_size(&around, 58, true, 64), 64);
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_size(&around, 58, true, 512), 96);
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_size(&around, 58, true, 0), 1);
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_size(&around, 58, false, 64), 1);
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_size(&around, 59, true, 64), 1);
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_size(&around, 9, true, 64), 64);
	around.count = 0;
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_size(&around, 10, true, 64), 1);
}

/* A chunk without a window has no far end: an address computed from its zeroes is terabytes off. */
static void far_test(struct kunit *test)
{
	struct sgx2_fault_around around = {};

	KUNIT_EXPECT_EQ(test, sgx2_fault_around_far(&around, true), SGX2_FAULT_AROUND_NONE);
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_far(&around, false), SGX2_FAULT_AROUND_NONE);
	around.first = 3;
	around.count = 5;
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_far(&around, true), 7);
	KUNIT_EXPECT_EQ(test, sgx2_fault_around_far(&around, false), 3);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(far_test),	 KUNIT_CASE(walk_test),	 KUNIT_CASE(stride_test),
	KUNIT_CASE(random_test), KUNIT_CASE(limit_test), {},
};

static struct kunit_suite suite = { .name = "sgx2_fault_around", .test_cases = cases };
kunit_test_suite(suite);
