// SPDX-License-Identifier: GPL-2.0
/* The guess how many pages to add, on walks up, down, by strides and at random. */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include "fault_around.h"

#define PAGES 512
#define LIMIT 64

/**
 * struct walk - a chunk that pages come to
 */
struct walk {
	/** @fault_around: of the chunk. */
	struct sgx2_fault_around fault_around;
	/** @there: pages that were added. */
	bool there[PAGES];
	/** @touched: pages that were touched. */
	bool touched[PAGES];
	/** @faults: touches of pages that were not there. */
	unsigned int faults;
	/** @added: pages in all. */
	unsigned int added;
};

/* What a fault does, as augment.c does it. */
static void touch(struct walk *walk, unsigned int index)
{
	bool up = !sgx2_fault_around_down(&walk->fault_around, index);
	unsigned int far, size, i, at;

	walk->touched[index] = true;
	if (walk->there[index])
		return;
	walk->faults++;
	far = sgx2_fault_around_far(&walk->fault_around, up);
	size = sgx2_fault_around_size(&walk->fault_around, index,
				      far != SGX2_FAULT_AROUND_NONE && walk->touched[far], LIMIT);
	for (i = 0; i < size; i++) {
		at = up ? index + i : index - i;
		if (at >= PAGES || walk->there[at])
			break;
		walk->there[at] = true;
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
		touch(walk, i);
	KUNIT_EXPECT_LE(test, walk->faults, 16);
	KUNIT_EXPECT_EQ(test, walk->added, PAGES);

	memset(walk, 0, sizeof(*walk));
	for (i = PAGES; i--;)
		touch(walk, i);
	KUNIT_EXPECT_LE(test, walk->faults, 16);
	KUNIT_EXPECT_EQ(test, walk->added, PAGES);
}

/* Whoever steps over pages gets no more than he steps on, whatever the step. */
static void stride_test(struct kunit *test)
{
	struct walk *walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);
	unsigned int stride, i, steps;

	KUNIT_ASSERT_NOT_NULL(test, walk);
	for (stride = 2; stride < 100; stride++) {
		memset(walk, 0, sizeof(*walk));
		for (i = 0, steps = 0; i < PAGES; i += stride, steps++)
			touch(walk, i);
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
		touch(walk, prandom_u32_state(&rnd) % PAGES);
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

/* A chunk without a window has no far end: what is computed of its zeroes lies terabytes away. */
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
