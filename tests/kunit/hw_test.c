// SPDX-License-Identifier: GPL-2.0
/* Messages of the module on a machine that it cannot use, and EUPDATESVN at the first open. */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/workqueue.h>
#include <asm/msr-index.h>
#include "enclave.h"
#include "hw.h"
#include "processor.h"
#include "svn.h"

#define ALL_ON (FEAT_CTL_LOCKED | FEAT_CTL_SGX_ENABLED | FEAT_CTL_SGX_LC_ENABLED)

/* A machine that the module accepts; each row changes one property. */
static const struct sgx2_hw_raw fine = {
	.max_leaf = 0x16,
	.leaf7_ebx = BIT(2),
	.leaf7_ecx = BIT(30),
	.leaf12_eax = BIT(0) | BIT(1),
	.sections = 1,
	.feat_ctl = ALL_ON,
	.feat_ctl_valid = true,
};

static void refusal_test(struct kunit *test)
{
	struct sgx2_hw_raw raw = fine;

	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_USABLE);
	raw.leaf12_eax = BIT(0);
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_USABLE);
	raw = fine;
	raw.max_leaf = 0x11;
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_NO_SGX);
	raw = fine;
	raw.leaf7_ebx = ~(u32)BIT(2);
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_NO_SGX);
	raw = fine;
	raw.intree = true;
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_INTREE);
	raw = fine;
	raw.feat_ctl_valid = false;
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_DISABLED);
	raw = fine;
	raw.feat_ctl &= ~FEAT_CTL_LOCKED;
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_DISABLED);
	raw = fine;
	raw.feat_ctl &= ~FEAT_CTL_SGX_ENABLED;
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_DISABLED);
	raw = fine;
	raw.leaf7_ecx = ~(u32)BIT(30);
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_NO_LC);
	raw = fine;
	raw.feat_ctl &= ~FEAT_CTL_SGX_LC_ENABLED;
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_LC_LOCKED);
	raw = fine;
	raw.leaf12_eax = BIT(1);
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_NO_LEAVES);
	raw = fine;
	raw.sections = 0;
	KUNIT_EXPECT_EQ(test, sgx2_hw_refusal(&raw), SGX2_NO_EPC);
}

static void inject(int code, unsigned int times)
{
	processor.inject_leaf = SGX2_LEAF_EUPDATESVN;
	processor.inject_code = code;
	processor.inject_times = times;
}

static void updatesvn_test(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	sgx2_hw.updatesvn = false;
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), 0);
	KUNIT_EXPECT_EQ(test, processor.calls[SGX2_LEAF_EUPDATESVN], 0);
	sgx2_svn_put();

	sgx2_hw.updatesvn = true;
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), 0);
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), 0);
	KUNIT_EXPECT_EQ(test, processor.calls[SGX2_LEAF_EUPDATESVN], 1);
	sgx2_svn_put();
	sgx2_svn_put();

	inject(SGX2_NO_UPDATE, 1);
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), 0);
	sgx2_svn_put();
	inject(SGX2_INSUFFICIENT_ENTROPY, 3);
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), 0);
	sgx2_svn_put();
	inject(SGX2_INSUFFICIENT_ENTROPY, 1000);
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), -EAGAIN);
	inject(SGX2_EPC_NOT_READY, 1);
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), -EIO);
	/* A failed attempt is not counted. */
	inject(0, 0);
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), 0);
	sgx2_svn_put();
	sgx2_hw.updatesvn = false;
	processor_stop();
}

static void release(struct work_struct *unused)
{
	WRITE_ONCE(processor.hold, false);
}

static DECLARE_DELAYED_WORK(release_work, release);

/*
 * Shortly after boot some pages are not cleaned yet: the first CREATE waits for them, but open()
 * does not.
 */
static void dirty_test(struct kunit *test)
{
	struct sgx2_enclave *enclave;

	KUNIT_ASSERT_EQ(test, processor_start_dirty(), 0);
	sgx2_hw.updatesvn = true;
	schedule_delayed_work(&release_work, HZ / 20);
	/* open() runs no EUPDATESVN, whether the work has run or not; CREATE waits for the work. */
	enclave = sgx2_enclave_new();
	KUNIT_ASSERT_FALSE(test, IS_ERR(enclave));
	KUNIT_EXPECT_EQ(test, processor.calls[SGX2_LEAF_EUPDATESVN], 0);
	sgx2_enclave_put(enclave);
	KUNIT_EXPECT_EQ(test, sgx2_svn_get(), 0);
	KUNIT_EXPECT_EQ(test, processor_valid(), 0);
	KUNIT_EXPECT_EQ(test, processor.calls[SGX2_LEAF_EUPDATESVN], 1);
	sgx2_svn_put();
	flush_delayed_work(&release_work);
	sgx2_hw.updatesvn = false;
	processor_stop();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(refusal_test),
	KUNIT_CASE(updatesvn_test),
	KUNIT_CASE(dirty_test),
	{},
};

/* Clean up after a test, also after an aborted one. */
static void suite_exit(struct kunit *test)
{
	flush_delayed_work(&release_work);
	sgx2_hw.updatesvn = false;
	processor_stop();
}

static struct kunit_suite suite = { .name = "sgx2_hw", .exit = suite_exit, .test_cases = cases };
kunit_test_suite(suite);
