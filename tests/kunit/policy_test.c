// SPDX-License-Identifier: GPL-2.0
/*
 * Permissions of mappings, for each type of page, each declaration and each mapping, with
 * dynamic_code and without.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <asm/sgx.h>
#include "build.h"
#include "cmdline.h"
#include "enclave.h"
#include "policy.h"

static struct sgx2_enclave *enclave_of(struct kunit *test, bool frozen)
{
	struct sgx2_enclave *enclave = kunit_kzalloc(test, sizeof(*enclave), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, enclave);
	enclave->no_dynamic_code = frozen;
	enclave->state = BIT(SGX2_CREATED) | BIT(SGX2_INITIALIZED);
	enclave->size = 1 << 20;
	return enclave;
}

static void added_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sgx2_policy_added_prot(SGX_SECINFO_REG), 0);
	KUNIT_EXPECT_EQ(test, sgx2_policy_added_prot(SGX_SECINFO_REG | SGX_SECINFO_R), VM_READ);
	KUNIT_EXPECT_EQ(test,
			sgx2_policy_added_prot(SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_X),
			VM_READ | VM_EXEC);
	KUNIT_EXPECT_EQ(test, sgx2_policy_added_prot(SGX_SECINFO_REG | 7), VM_ACCESS_FLAGS);
	KUNIT_EXPECT_EQ(test, sgx2_policy_added_prot(SGX_SECINFO_TCS), VM_READ | VM_WRITE);
	KUNIT_EXPECT_EQ(test, sgx2_policy_dynamic_prot(enclave_of(test, false)), VM_ACCESS_FLAGS);
	KUNIT_EXPECT_EQ(test, sgx2_policy_dynamic_prot(enclave_of(test, true)), VM_READ | VM_WRITE);
}

/* All 64 pairs of declared and requested permissions. */
static void may_test(struct kunit *test)
{
	unsigned long max, flags;

	for (max = 0; max < 8; max++) {
		for (flags = 0; flags < 8; flags++)
			KUNIT_EXPECT_EQ(test,
					sgx2_policy_may_map(max, flags | VM_SHARED | VM_PFNMAP),
					(flags & max) == flags);
	}
}

static void access_test(struct kunit *test)
{
	struct sgx2_page page = { .state = SGX2_RESIDENT,
				  .type = SGX_PAGE_TYPE_TCS,
				  .max_prot = VM_READ | VM_WRITE };

	/* A TCS in a mapping with all permissions. */
	KUNIT_EXPECT_TRUE(test, sgx2_policy_may_install(&page, VM_ACCESS_FLAGS));
	page.type = SGX_PAGE_TYPE_REG;
	KUNIT_EXPECT_FALSE(test, sgx2_policy_may_install(&page, VM_ACCESS_FLAGS));
	KUNIT_EXPECT_TRUE(test, sgx2_policy_may_install(&page, VM_READ | VM_WRITE));
	page.max_prot = VM_READ;
	KUNIT_EXPECT_FALSE(test, sgx2_policy_may_install(&page, VM_WRITE));
}

/* The result of a fetch and of other accesses on data, code, a TCS and an absent page. */
static void not_code_test(struct kunit *test)
{
	struct sgx2_page absent = { .state = SGX2_ABSENT, .max_prot = VM_ACCESS_FLAGS },
			 data = { .state = SGX2_RESIDENT,
				  .type = SGX_PAGE_TYPE_REG,
				  .max_prot = VM_READ | VM_WRITE },
			 code = { .state = SGX2_EVICTED,
				  .type = SGX_PAGE_TYPE_REG,
				  .max_prot = VM_READ | VM_EXEC },
			 tcs = { .state = SGX2_RESIDENT,
				 .type = SGX_PAGE_TYPE_TCS,
				 .max_prot = VM_READ | VM_WRITE };
	const struct {
		struct sgx2_page *page;
		bool refused;
	} rows[] = { { &absent, true }, { &data, true }, { &code, false }, { &tcs, false } };
	struct sgx2_enclave *enclave = enclave_of(test, false), *frozen = enclave_of(test, true);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sgx2_page *page = rows[i].page;
		bool refused = rows[i].refused;

		KUNIT_EXPECT_FALSE(test, sgx2_policy_denies_exec(frozen, page, VM_WRITE, false));
		KUNIT_EXPECT_EQ(test, sgx2_policy_denies_exec(frozen, page, VM_EXEC, false),
				refused);
		KUNIT_EXPECT_EQ(test, sgx2_policy_denies_exec(frozen, page, VM_READ, true),
				refused);
		KUNIT_EXPECT_FALSE(test, sgx2_policy_denies_exec(enclave, page, VM_EXEC, true));
	}
}

static void idle_exec_test(struct kunit *test)
{
	struct sgx2_enclave *enclave = enclave_of(test, false), *frozen = enclave_of(test, true);
	unsigned long flags;

	for (flags = 0; flags < 8; flags++) {
		bool both = (flags & (VM_WRITE | VM_EXEC)) == (VM_WRITE | VM_EXEC);

		KUNIT_EXPECT_EQ(test, sgx2_policy_strips_exec(frozen, flags | VM_SHARED), both);
		KUNIT_EXPECT_FALSE(test, sgx2_policy_strips_exec(enclave, flags | VM_SHARED));
	}
	/* Before CREATE the value of the module counts, which allows the mapping. */
	frozen->state = 0;
	KUNIT_EXPECT_FALSE(test, sgx2_policy_strips_exec(frozen, VM_ACCESS_FLAGS));
}

static void frozen_test(struct kunit *test)
{
	struct sgx2_enclave *enclave = enclave_of(test, false), *frozen = enclave_of(test, true);
	struct sgx2_page code = { .max_prot = VM_READ | VM_EXEC }, data = { .max_prot = VM_READ };

	KUNIT_EXPECT_TRUE(test, sgx2_policy_may_add(enclave, SGX_SECINFO_REG | 7));
	KUNIT_EXPECT_TRUE(test, sgx2_policy_may_add(frozen, SGX_SECINFO_REG | 5));
	KUNIT_EXPECT_TRUE(test, sgx2_policy_may_add(frozen, SGX_SECINFO_REG | 3));
	KUNIT_EXPECT_FALSE(test, sgx2_policy_may_add(frozen, SGX_SECINFO_REG | 7));
	KUNIT_EXPECT_TRUE(test, sgx2_policy_needs_page(frozen, VM_EXEC));
	KUNIT_EXPECT_FALSE(test, sgx2_policy_needs_page(frozen, VM_READ | VM_WRITE));
	KUNIT_EXPECT_FALSE(test, sgx2_policy_needs_page(enclave, VM_EXEC));
	KUNIT_EXPECT_TRUE(test, sgx2_policy_may_debug_write(enclave, &code));
	KUNIT_EXPECT_TRUE(test, sgx2_policy_may_debug_write(frozen, &data));
	KUNIT_EXPECT_FALSE(test, sgx2_policy_may_debug_write(frozen, &code));
	KUNIT_EXPECT_EQ(test, atomic64_read(&frozen->count[SGX2_COUNT_REFUSALS]), 2);
	/* Before EINIT the later pages are not known: Gramine maps all of ELRANGE then. */
	frozen->state = BIT(SGX2_CREATED);
	KUNIT_EXPECT_FALSE(test, sgx2_policy_needs_page(frozen, VM_EXEC));
}

static void range_test(struct kunit *test)
{
	static const struct {
		u64 offset, length;
		bool valid;
	} rows[] = {
		{ 0, 0x1000, true },	       { 0, 0x100000, true },
		{ 0xff000, 0x1000, true },     { 0, 0, false },
		{ 1, 0x1000, false },	       { 0, 1, false },
		{ 0, 0x1001, false },	       { 0, 0x101000, false },
		{ 0x100000, 0x1000, false },   { 0xff000, 0x2000, false },
		{ -0x1000ULL, 0x1000, false }, { -0x1000ULL, 0x2000, false },
		{ 0x1000, -0x1000ULL, false }, { 0x800, 0x1000, false },
	};
	struct sgx2_enclave *enclave = enclave_of(test, false);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		bool valid = sgx2_enclave_range_valid(enclave, rows[i].offset, rows[i].length);

		KUNIT_EXPECT_EQ_MSG(test, valid, rows[i].valid, "row %u", i);
	}
}

/* Parameters of a kernel command line, as an administrator may write them. */
static void cmdline_test(struct kunit *test)
{
	static const struct {
		const char *line;
		bool allows, forbids, unclear;
	} rows[] = {
		{ "" },
		{ "  quiet root=/dev/sda1 " },
		{ "sgx2.dynamic_code=0", false, true },
		{ "a sgx2.dynamic_code=n b", false, true },
		{ "sgx2.dynamic_code=off", false, true },
		{ "sgx2.dynamic-code=0", false, true },
		{ "\"sgx2.dynamic_code=0\"", false, true },
		{ "\tsgx2.dynamic_code=\"0\"\n", false, true },
		{ "x -- sgx2.dynamic_code=N", false, true },
		{ "sgx2.dynamic_code=1", true },
		{ "sgx2.dynamic_code=y", true },
		{ "sgx2.dynamic_code=0 sgx2.dynamic_code=1", true, true },
		{ "sgx2.dynamic_code=1 sgx2.dynamic-code=0", true, true },
		{ "sgx2.dynamic_code", false, false, true },
		{ "sgx2.dynamic_code=", false, false, true },
		{ "sgx2.dynamic_code=maybe", false, false, true },
		{ "sgx2.dynamic_code=0 sgx2.dynamic_code=x", false, true, true },
		{ "a=\"b sgx2.dynamic_code=0 c\"" },
		{ "sgx2.dynamic_cod=0" },
		{ "sgx2.dynamic_codes=0" },
		{ "sgx2_dynamic_code=0" },
		{ "asgx2.dynamic_code=0" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sgx2_cmdline found = {};
		char *line = kunit_kzalloc(test, strlen(rows[i].line) + 1, GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, line);
		memcpy(line, rows[i].line, strlen(rows[i].line));
		sgx2_cmdline_parse(line, &found);
		KUNIT_EXPECT_EQ_MSG(test, found.allows, rows[i].allows, "%s", rows[i].line);
		KUNIT_EXPECT_EQ_MSG(test, found.forbids, rows[i].forbids, "%s", rows[i].line);
		KUNIT_EXPECT_EQ_MSG(test, found.unclear, rows[i].unclear, "%s", rows[i].line);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(added_test),	   KUNIT_CASE(may_test),       KUNIT_CASE(access_test),
	KUNIT_CASE(not_code_test), KUNIT_CASE(idle_exec_test), KUNIT_CASE(frozen_test),
	KUNIT_CASE(range_test),	   KUNIT_CASE(cmdline_test),   {},
};

static struct kunit_suite suite = { .name = "sgx2_policy", .test_cases = cases };
kunit_test_suite(suite);
