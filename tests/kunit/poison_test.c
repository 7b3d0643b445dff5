// SPDX-License-Identifier: GPL-2.0
/* EPC pages whose memory a machine check reports as damaged are not used again. */
#include <kunit/test.h>
#include <linux/delay.h>
#include <asm/mce.h>
#include <asm/processor.h>
#include "epc.h"
#include "hw.h"
#include "poison.h"
#include "processor.h"

#define DAMAGED \
	(MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN | MCI_STATUS_ADDRV | MCI_STATUS_MISCV)
/* The patrol scrubber reports an error. */
#define SCRUB 0xc0
#define LINE_SHIFT 6

static struct sgx2_epc_counts counts_now(void)
{
	struct sgx2_epc_counts counts;

	sgx2_epc_counts(&counts);
	return counts;
}

/* Wait until ksgx2d has cleaned all that can be cleaned. */
static void cleaned(struct kunit *test, unsigned long wanted)
{
	unsigned int i;

	for (i = 0; i < 1000 && counts_now().free != wanted; i++)
		usleep_range(1000, 2000);
	KUNIT_ASSERT_EQ(test, counts_now().free, wanted);
}

static void expect_counts(struct kunit *test, unsigned long free, unsigned long leaked)
{
	struct sgx2_epc_counts counts = counts_now();

	KUNIT_EXPECT_EQ(test, counts.free, free);
	KUNIT_EXPECT_EQ(test, counts.leaked, leaked);
}

static struct mce record(u64 address, unsigned int shift)
{
	return (struct mce){ .cpuvendor = X86_VENDOR_INTEL,
			     .status = DAMAGED | SCRUB,
			     .addr = address,
			     .misc = MCI_MISC_ADDR_PHYS << 6 | shift };
}

static void report_record(struct mce mce)
{
	sgx2_poison_report(&mce);
}

/* Report a cache line of an EPC page. */
static void report(sgx2_epc_t page)
{
	report_record(record((u64)sgx2_epc_pfn(page) * PAGE_SIZE + 0x7c0, LINE_SHIFT));
}

/* Take all pages, expect @wanted pages without a mark, and free them. */
static void expect_usable(struct kunit *test, unsigned int wanted)
{
	sgx2_epc_t *page = kunit_kcalloc(test, PROCESSOR_PAGES, sizeof(*page), GFP_KERNEL);
	unsigned int count, i;

	KUNIT_ASSERT_NOT_NULL(test, page);
	count = sgx2_epc_alloc(page, PROCESSOR_PAGES, SGX2_EPC_RECLAIM);
	KUNIT_EXPECT_EQ(test, count, wanted);
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_FALSE(test, sgx2_epc_poisoned(page[i]));
	expect_counts(test, 0, PROCESSOR_PAGES - wanted);
	sgx2_epc_free_all(page, count);
	expect_counts(test, wanted, PROCESSOR_PAGES - wanted);
	kunit_kfree(test, page);
}

/* A caller gets the next pages in place of marked free pages. */
static void free_page_test(struct kunit *test)
{
	sgx2_epc_t page[8], again[8];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	KUNIT_ASSERT_EQ(test, sgx2_epc_alloc(page, 8, SGX2_EPC_ORDINARY), 8);
	sgx2_epc_free_all(page, 8);
	/* The list is last in, first out. */
	report(page[7]);
	report(page[6]);
	report(page[3]);
	report(page[3]);
	expect_counts(test, PROCESSOR_PAGES, 0);
	KUNIT_ASSERT_EQ(test, sgx2_epc_alloc(again, 8, SGX2_EPC_ORDINARY), 8);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_FALSE(test, sgx2_epc_poisoned(again[i]));
	expect_counts(test, PROCESSOR_PAGES - 11, 3);
	sgx2_epc_free_all(again, 8);
	expect_usable(test, PROCESSOR_PAGES - 3);
	processor_stop();
}

/* A marked page in use stays with its owner until it is freed, alone or with others. */
static void page_in_use_test(struct kunit *test)
{
	sgx2_epc_t page[4];

	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	KUNIT_ASSERT_EQ(test, sgx2_epc_alloc(page, 4, SGX2_EPC_ORDINARY), 4);
	report(page[1]);
	report(page[2]);
	KUNIT_EXPECT_TRUE(test, sgx2_epc_poisoned(page[1]));
	KUNIT_EXPECT_FALSE(test, sgx2_epc_poisoned(page[0]));
	expect_counts(test, PROCESSOR_PAGES - 4, 0);
	sgx2_epc_free(page[1]);
	sgx2_epc_free(page[0]);
	sgx2_epc_remove_all(page + 2, 2);
	expect_usable(test, PROCESSOR_PAGES - 2);
	/* The marked page is not used even as the last free one. */
	expect_usable(test, PROCESSOR_PAGES - 2);
	processor_stop();
}

static void report_without(u64 address, u64 status)
{
	struct mce mce = record(address, LINE_SHIFT);

	mce.status &= ~status;
	sgx2_poison_report(&mce);
}

/* A record with an address outside of the EPC, or of another kind of error, marks no page. */
static void others_test(struct kunit *test)
{
	u64 base, end;
	struct mce mce;

	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	base = sgx2_hw.section[0].base;
	end = base + sgx2_hw.section[0].size;
	report_record(record(0, PAGE_SHIFT));
	report_record(record(base - 1, LINE_SHIFT));
	report_record(record(end, LINE_SHIFT));
	report_without(base, MCI_STATUS_UC);
	report_without(base, MCI_STATUS_ADDRV);
	report_without(base, MCI_STATUS_MISCV);
	mce = record(base, LINE_SHIFT);
	mce.misc = MCI_MISC_ADDR_LINEAR << 6 | LINE_SHIFT;
	report_record(mce);
	/* An error of a bus. */
	mce = record(base, LINE_SHIFT);
	mce.status |= BIT(11);
	report_record(mce);
	/* No bit of the address is valid. */
	report_record(record(base, 63));
	expect_usable(test, PROCESSOR_PAGES);
	processor_stop();
}

/*
 * The record gives the lowest valid bit of the address; the highest one is that of physical
 * addresses. Of a range that ends outside of the EPC, the pages inside are marked.
 */
static void several_pages_test(struct kunit *test)
{
	struct mce mce;
	u64 base;

	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	cleaned(test, PROCESSOR_PAGES);
	base = sgx2_hw.section[0].base;
	/* The EPC of the test is as large as its alignment. */
	mce = record(base + 0x5678, 14);
	mce.addr |= ~MCI_ADDR_PHYSADDR;
	report_record(mce);
	KUNIT_EXPECT_FALSE(test, sgx2_epc_poisoned(3));
	KUNIT_EXPECT_TRUE(test, sgx2_epc_poisoned(4));
	KUNIT_EXPECT_TRUE(test, sgx2_epc_poisoned(7));
	KUNIT_EXPECT_FALSE(test, sgx2_epc_poisoned(8));
	expect_usable(test, PROCESSOR_PAGES - 4);
	KUNIT_EXPECT_EQ(test, sgx2_epc_poison(base - PAGE_SIZE, base + PAGE_SIZE), 2);
	KUNIT_EXPECT_EQ(test, sgx2_epc_poison(base, base + 5 * PAGE_SIZE), 2);
	expect_usable(test, PROCESSOR_PAGES - 8);
	processor_halt();
	/* The record covers the second section, which ends with the EPC. */
	sgx2_hw.sections = 2;
	sgx2_hw.section[0].size /= 2;
	sgx2_hw.section[1].base = base + sgx2_hw.section[0].size;
	sgx2_hw.section[1].size = sgx2_hw.section[0].size;
	KUNIT_ASSERT_EQ(test, processor_restart(), 0);
	cleaned(test, PROCESSOR_PAGES);
	KUNIT_EXPECT_EQ(test, sgx2_epc_poison(sgx2_hw.section[1].base, ~0ULL), PROCESSOR_PAGES / 2);
	expect_usable(test, PROCESSOR_PAGES / 2);
	processor_stop();
}

/* A page that is marked before ksgx2d has cleaned it stays leaked. */
static void not_clean_yet_test(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, processor_start_dirty(), 0);
	report(PROCESSOR_PAGES - 1);
	report(100);
	expect_counts(test, 0, PROCESSOR_PAGES);
	processor.hold = false;
	cleaned(test, PROCESSOR_PAGES - 2);
	KUNIT_EXPECT_EQ(test, sgx2_epc_wait_clean(), 0);
	KUNIT_EXPECT_EQ(test, processor.calls[SGX2_LEAF_EREMOVE], PROCESSOR_PAGES - 2);
	KUNIT_EXPECT_EQ(test, processor_valid(), 1);
	expect_usable(test, PROCESSOR_PAGES - 2);
	processor_stop();
}

static struct kunit_case cases[] = { KUNIT_CASE(free_page_test),     KUNIT_CASE(page_in_use_test),
				     KUNIT_CASE(others_test),	     KUNIT_CASE(several_pages_test),
				     KUNIT_CASE(not_clean_yet_test), {} };

/* Clean up after a test, also after an aborted one. */
static void suite_exit(struct kunit *test)
{
	processor_stop();
}

static struct kunit_suite suite = { .name = "sgx2_poison",
				    .exit = suite_exit,
				    .test_cases = cases };
kunit_test_suite(suite);
