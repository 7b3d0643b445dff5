// SPDX-License-Identifier: GPL-2.0
/* Ranges of an enclave, at the edges and at random, compared with arithmetic of 128 bits. */
#include <kunit/test.h>
#include <linux/prandom.h>
#include "build.h"
#include "enclave.h"

/* As one would write it with numbers that do not end. */
static bool plain(u64 size, u64 offset, u64 length)
{
	unsigned __int128 end = (unsigned __int128)offset + length;

	return length && !(offset % PAGE_SIZE) && !(length % PAGE_SIZE) && end <= size;
}

static void edges_test(struct kunit *test)
{
	struct sgx2_enclave *enclave = kunit_kzalloc(test, sizeof(*enclave), GFP_KERNEL);
	static const u64 around[] = { 0, 1, 2, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1 };
	u64 base[4], offset, length;
	unsigned int size, i;

	KUNIT_ASSERT_NOT_NULL(test, enclave);
	for (size = 13; size < 48; size++) {
		enclave->size = BIT_ULL(size);
		base[0] = 0;
		base[1] = enclave->size;
		base[2] = 0 - enclave->size;
		base[3] = BIT_ULL(63);
		for (i = 0; i < 4 * 2 * 6 * 4 * 2 * 6; i++) {
			unsigned int a = i % 48, b = i / 48;

			offset = base[a / 12] + (a % 2 ? around[a / 2 % 6] : 0 - around[a / 2 % 6]);
			length = base[b / 12] + (b % 2 ? around[b / 2 % 6] : 0 - around[b / 2 % 6]);
			if (sgx2_enclave_range_valid(enclave, offset, length) ==
			    plain(enclave->size, offset, length))
				continue;
			KUNIT_FAIL(test, "size %llx offset %llx length %llx", (u64)enclave->size,
				   offset, length);
			return;
		}
	}
}

static void random_test(struct kunit *test)
{
	struct sgx2_enclave *enclave = kunit_kzalloc(test, sizeof(*enclave), GFP_KERNEL);
	unsigned int i, valid = 0;
	struct rnd_state state;
	u64 offset, length;

	KUNIT_ASSERT_NOT_NULL(test, enclave);
	prandom_seed_state(&state, 5);
	for (i = 0; i < 200000; i++) {
		enclave->size = BIT_ULL(13 + prandom_u32_state(&state) % 35);
		/* Bits from both ends, so that what wraps and what is aligned are not rare. */
		offset = (u64)prandom_u32_state(&state) << prandom_u32_state(&state) % 64;
		length = (u64)prandom_u32_state(&state) << prandom_u32_state(&state) % 64;
		if (i % 2) {
			offset &= PAGE_MASK;
			length &= PAGE_MASK;
		}
		if (i % 4 == 3) {
			offset %= enclave->size;
			length %= enclave->size;
		}
		valid += plain(enclave->size, offset, length);
		if (sgx2_enclave_range_valid(enclave, offset, length) !=
		    plain(enclave->size, offset, length))
			KUNIT_FAIL(test, "size %llx offset %llx length %llx", (u64)enclave->size,
				   offset, length);
	}
	KUNIT_EXPECT_GT(test, valid, 10000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(edges_test),
	KUNIT_CASE(random_test),
	{},
};

static struct kunit_suite suite = {
	.name = "sgx2_range",
	.test_cases = cases,
};

kunit_test_suite(suite);
