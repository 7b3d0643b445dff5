// SPDX-License-Identifier: GPL-2.0
/* The pages that fault-around adds and maps for ascending, descending, strided, random accesses. */
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
	walk->fault_around.size = i;
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
	struct sgx2_fault_around around = { .first = 10, .count = 48, .size = 48 };

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

/* Returns the window of a fault in a VMA that covers [first, end) of the chunk. */
static struct sgx2_window window_in(const struct sgx2_fault_around *around, unsigned int index,
				    bool walk, unsigned int least, unsigned int limit,
				    unsigned int first, unsigned int end)
{
	struct sgx2_window window = { .first = first, .end = end };

	sgx2_fault_around_window(around, index, walk, least, limit, &window);
	return window;
}

static void expect_window(struct kunit *test, struct sgx2_window found, unsigned int first,
			  unsigned int end)
{
	KUNIT_EXPECT_EQ(test, found.first, first);
	KUNIT_EXPECT_EQ(test, found.end, end);
}

/* Without a walk the window is the aligned block around the page, or the page alone. */
static void block_test(struct kunit *test)
{
	struct sgx2_fault_around around = {};

	expect_window(test, window_in(&around, 0, false, 16, 64, 0, PAGES), 0, 16);
	expect_window(test, window_in(&around, 15, false, 16, 64, 0, PAGES), 0, 16);
	expect_window(test, window_in(&around, 511, false, 16, 64, 0, PAGES), 496, 512);
	expect_window(test, window_in(&around, 20, false, 1, 64, 0, PAGES), 20, 21);
	/* The mapping begins or ends in the block. */
	expect_window(test, window_in(&around, 20, false, 16, 64, 19, PAGES), 19, 32);
	expect_window(test, window_in(&around, 20, false, 16, 64, 0, 21), 16, 21);
	/* CONFIGURE allows fewer pages: the block is the largest one that is allowed. */
	expect_window(test, window_in(&around, 21, false, 16, 7, 0, PAGES), 20, 24);
	expect_window(test, window_in(&around, 21, false, 16, 1, 0, PAGES), 21, 22);
	expect_window(test, window_in(&around, 21, false, 16, 0, 0, PAGES), 21, 22);
}

/* A walk gets twice as many pages, in its direction, up to the limit. */
static void walk_window_test(struct kunit *test)
{
	struct sgx2_fault_around around = { .first = 100, .count = 16, .size = 16 };

	expect_window(test, window_in(&around, 116, true, 1, 64, 0, PAGES), 116, 148);
	expect_window(test, window_in(&around, 99, true, 1, 64, 0, PAGES), 68, 100);
	expect_window(test, window_in(&around, 116, true, 1, 20, 0, PAGES), 116, 136);
	expect_window(test, window_in(&around, 116, true, 16, 0, 0, PAGES), 116, 117);
	expect_window(test, window_in(&around, 116, true, 1, 64, 0, 120), 116, 120);
	expect_window(test, window_in(&around, 99, true, 1, 64, 90, PAGES), 90, 100);
	/* The window ended at once, since no EPC page was free; the walk keeps its size. */
	around = (struct sgx2_fault_around){ .first = 10, .count = 1, .size = 32 };
	expect_window(test, window_in(&around, 11, true, 1, 64, 0, PAGES), 11, 75);
	expect_window(test, window_in(&around, 9, true, 1, 64, 0, PAGES), 0, 10);
	around = (struct sgx2_fault_around){ .first = 500, .count = 1, .size = 32 };
	expect_window(test, window_in(&around, 501, true, 1, 64, 0, PAGES), 501, 512);
}

/* Record the pages that were reloaded, and the size that the walk has reached. */
static void record_test(struct kunit *test)
{
	struct sgx2_window window = { .first = 7, .end = 9, .size = 32 };
	struct sgx2_fault_around around = {};

	sgx2_fault_around_record(&around, &window);
	KUNIT_EXPECT_EQ(test, around.first, 7);
	KUNIT_EXPECT_EQ(test, around.count, 2);
	KUNIT_EXPECT_EQ(test, around.size, 32);
	KUNIT_EXPECT_TRUE(test, sgx2_fault_around_up(&around, 9));
	KUNIT_EXPECT_TRUE(test, sgx2_fault_around_down(&around, 6));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(far_test),	      KUNIT_CASE(walk_test),   KUNIT_CASE(stride_test),
	KUNIT_CASE(random_test),      KUNIT_CASE(limit_test),  KUNIT_CASE(block_test),
	KUNIT_CASE(walk_window_test), KUNIT_CASE(record_test), {},
};

static struct kunit_suite suite = { .name = "sgx2_fault_around", .test_cases = cases };
kunit_test_suite(suite);
