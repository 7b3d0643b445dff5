// SPDX-License-Identifier: GPL-2.0
/*
 * The free lists of the EPC, compared with an array; the classes of allocation; and the cleaning at
 * the start.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/prandom.h>
#include "epc.h"
#include "hw.h"
#include "processor.h"
#include "reclaim.h"

static unsigned long free_pages_now(void)
{
	struct sgx2_epc_counts counts;

	sgx2_epc_counts(&counts);
	return counts.free;
}

/* Wait until ksgx2d has cleaned all that can be cleaned. */
static void cleaned(struct kunit *test, unsigned long wanted)
{
	unsigned int i;

	for (i = 0; i < 1000 && free_pages_now() != wanted; i++)
		usleep_range(1000, 2000);
	KUNIT_ASSERT_EQ(test, free_pages_now(), wanted);
}

static void random_test(struct kunit *test)
{
	bool *used = kunit_kcalloc(test, PROCESSOR_PAGES, sizeof(bool), GFP_KERNEL);
	sgx2_epc_t *mine = kunit_kcalloc(test, PROCESSOR_PAGES, sizeof(*mine), GFP_KERNEL);
	unsigned int count = 0, i, got, at;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, used);
	KUNIT_ASSERT_NOT_NULL(test, mine);
	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	prandom_seed_state(&rnd, 2);
	for (i = 0; i < 20000; i++) {
		if (prandom_u32_state(&rnd) % 2) {
			got = sgx2_epc_alloc(mine + count,
					     min(prandom_u32_state(&rnd) % 16,
						 PROCESSOR_PAGES - count),
					     SGX2_EPC_RECLAIM);
			for (at = count; at < count + got; at++) {
				KUNIT_ASSERT_LT(test, mine[at], PROCESSOR_PAGES);
				KUNIT_ASSERT_FALSE(test, used[mine[at]]);
				used[mine[at]] = true;
				KUNIT_ASSERT_PTR_EQ(test, sgx2_epc_address(mine[at]),
						    processor.memory + mine[at] * PAGE_SIZE);
			}
			count += got;
		} else if (count) {
			at = prandom_u32_state(&rnd) % count;
			used[mine[at]] = false;
			sgx2_epc_free(mine[at]);
			mine[at] = mine[--count];
			got = prandom_u32_state(&rnd) % min(count + 1, 8U);
			count -= got;
			sgx2_epc_free_all(mine + count, got);
			for (at = count; at < count + got; at++)
				used[mine[at]] = false;
		}
		KUNIT_ASSERT_EQ(test, free_pages_now(), PROCESSOR_PAGES - count);
	}
	sgx2_epc_free_all(mine, count);
	KUNIT_EXPECT_EQ(test, free_pages_now(), PROCESSOR_PAGES);
	processor_stop();
}

/* Pages of two sections are freed in mixed order, and each of them can be allocated again. */
static void remove_test(struct kunit *test)
{
	bool *used = kunit_kcalloc(test, PROCESSOR_PAGES, sizeof(bool), GFP_KERNEL);
	sgx2_epc_t *mine = kunit_kcalloc(test, PROCESSOR_PAGES, sizeof(*mine), GFP_KERNEL);
	unsigned int i, round;

	KUNIT_ASSERT_NOT_NULL(test, used);
	KUNIT_ASSERT_NOT_NULL(test, mine);
	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	processor_halt();
	sgx2_hw.sections = 2;
	sgx2_hw.section[0].size /= 2;
	sgx2_hw.section[1].base = sgx2_hw.section[0].base + sgx2_hw.section[0].size;
	sgx2_hw.section[1].size = sgx2_hw.section[0].size;
	KUNIT_ASSERT_EQ(test, processor_restart(), 0);
	cleaned(test, PROCESSOR_PAGES);
	for (round = 0; round < 2; round++) {
		KUNIT_ASSERT_EQ(test, sgx2_epc_alloc(mine, PROCESSOR_PAGES, SGX2_EPC_RECLAIM),
				PROCESSOR_PAGES);
		for (i = 0; i < PROCESSOR_PAGES; i++) {
			unsigned int at =
				(sgx2_epc_address(mine[i]) - processor.memory) / PAGE_SIZE;

			KUNIT_ASSERT_EQ(test, used[at], round);
			used[at] = !round;
		}
		/* Alternate between the sections. */
		for (i = 0; i < PROCESSOR_PAGES / 2; i += 2)
			swap(mine[i], mine[PROCESSOR_PAGES - 1 - i]);
		for (i = 0; i < PROCESSOR_PAGES; i += SGX2_EPC_BATCH_PAGES)
			sgx2_epc_remove_all(mine + i, SGX2_EPC_BATCH_PAGES);
		KUNIT_EXPECT_EQ(test, free_pages_now(), PROCESSOR_PAGES);
		KUNIT_EXPECT_EQ(test, processor.calls[SGX2_LEAF_EREMOVE],
				(round + 3) * PROCESSOR_PAGES);
	}
	processor_stop();
}

/* Speculative allocation fails first, and eviction gets the last page. */
static void class_test(struct kunit *test)
{
	sgx2_epc_t *mine = kunit_kcalloc(test, PROCESSOR_PAGES, sizeof(*mine), GFP_KERNEL);
	unsigned int spare, ordinary, all;

	KUNIT_ASSERT_NOT_NULL(test, mine);
	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	spare = sgx2_epc_alloc(mine, PROCESSOR_PAGES, SGX2_EPC_SPARE);
	KUNIT_EXPECT_EQ(test, sgx2_epc_alloc(mine + spare, 1, SGX2_EPC_SPARE), 0);
	ordinary = spare + sgx2_epc_alloc(mine + spare, PROCESSOR_PAGES - spare, SGX2_EPC_ORDINARY);
	KUNIT_EXPECT_EQ(test, sgx2_epc_alloc(mine + ordinary, 1, SGX2_EPC_ORDINARY), 0);
	all = ordinary +
	      sgx2_epc_alloc(mine + ordinary, PROCESSOR_PAGES - ordinary, SGX2_EPC_RECLAIM);
	KUNIT_EXPECT_GT(test, ordinary, spare);
	KUNIT_EXPECT_GT(test, all, ordinary);
	KUNIT_EXPECT_EQ(test, all, PROCESSOR_PAGES);
	/* No page can be evicted, so the wait fails. */
	KUNIT_EXPECT_EQ(test, sgx2_reclaim_wait(1, false), -ENOMEM);
	while (all)
		sgx2_epc_free(mine[--all]);
	KUNIT_EXPECT_EQ(test, sgx2_reclaim_wait(1, false), 0);
	processor_stop();
}

/* A SECS that is met before its children, and a page whose EREMOVE always fails. */
static void clean_test(struct kunit *test)
{
	struct sgx2_epc_counts counts;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	processor_halt();
	processor.page[3] = (struct processor_page){ .valid = true,
						     .owner = 3,
						     .flags = SGX_SECINFO_SECS,
						     .children = 2 };
	processor.page[7] =
		(struct processor_page){ .valid = true, .owner = 3, .flags = SGX_SECINFO_REG };
	processor.page[9] =
		(struct processor_page){ .valid = true, .owner = 3, .flags = SGX_SECINFO_REG };
	processor.page[20] = (struct processor_page){ .valid = true,
						      .owner = 20,
						      .flags = SGX_SECINFO_SECS,
						      .children = 1 };
	KUNIT_ASSERT_EQ(test, processor_restart(), 0);
	cleaned(test, PROCESSOR_PAGES - 1);
	for (i = 0; i < 50; i++) {
		sgx2_epc_counts(&counts);
		usleep_range(1000, 2000);
	}
	KUNIT_EXPECT_EQ(test, counts.leaked, 1);
	KUNIT_EXPECT_EQ(test, counts.free, PROCESSOR_PAGES - 1);
	KUNIT_EXPECT_EQ(test, counts.total, PROCESSOR_PAGES);
	KUNIT_EXPECT_EQ(test, processor_valid(), 1);
	processor_stop();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(random_test),
	KUNIT_CASE(remove_test),
	KUNIT_CASE(class_test),
	KUNIT_CASE(clean_test),
	{},
};

/* Clean up after a test, also after an aborted one. */
static void suite_exit(struct kunit *test)
{
	processor_stop();
}

static struct kunit_suite suite = { .name = "sgx2_epc", .exit = suite_exit, .test_cases = cases };
kunit_test_suite(suite);
