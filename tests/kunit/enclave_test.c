// SPDX-License-Identifier: GPL-2.0
/*
 * Transitions of pages between absent, resident and evicted, compared with an array; VA pages;
 * the SECS; tracking; loss of the EPC.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/prandom.h>
#include <asm/trapnr.h>
#include <uapi/asm/sgx.h>
#include "backing.h"
#include "call.h"
#include "chunk.h"
#include "edmm.h"
#include "enclave.h"
#include "paging.h"
#include "processor.h"
#include "reclaim.h"
#include "secs.h"
#include "svn.h"
#include "track.h"

#define BASE 0x10000000UL
#define SIZE 0x1000000UL
#define PAGES (SIZE / PAGE_SIZE)

/**
 * struct fixture - an initialized enclave, and the expected content of its pages
 *
 * One test at a time uses it. It is not on the stack of a test, since a test that is aborted loses
 * its stack before the suite cleans up.
 */
struct fixture {
	/** @enclave: the enclave, NULL while there is none. */
	struct sgx2_enclave *enclave;
	/** @value: first word of each page, 0 for a page that is absent. */
	u64 *value;
};

static struct fixture fixture;

static void wait_clean(struct kunit *test)
{
	struct sgx2_epc_counts counts;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		sgx2_epc_counts(&counts);
		if (counts.free == PROCESSOR_PAGES)
			return;
		usleep_range(1000, 2000);
	}
	KUNIT_FAIL(test, "ksgx2d does not clean the EPC");
}

static void start(struct kunit *test, struct fixture *f)
{
	struct sgx_secinfo secinfo = {};
	struct sgx_pageinfo info = { .metadata = (unsigned long)&secinfo };
	void *secs;

	KUNIT_ASSERT_EQ(test, processor_start(), 0);
	wait_clean(test);
	f->value = kunit_kcalloc(test, PAGES, sizeof(u64), GFP_KERNEL);
	secs = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->value);
	KUNIT_ASSERT_NOT_NULL(test, secs);
	KUNIT_ASSERT_EQ(test, sgx2_svn_get(), 0);
	f->enclave = sgx2_enclave_new();
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->enclave));
	f->enclave->base = BASE;
	f->enclave->size = SIZE;
	f->enclave->backing = sgx2_backing_file(SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->enclave->backing));
	KUNIT_ASSERT_EQ(test, sgx2_epc_alloc(&f->enclave->secs, 1, SGX2_EPC_ORDINARY), 1);
	info.contents = (unsigned long)secs;
	KUNIT_ASSERT_EQ(test, sgx2_ecreate(&info, sgx2_epc_address(f->enclave->secs)), 0);
	sgx2_enclave_set(f->enclave, SGX2_CREATED);
	sgx2_enclave_set(f->enclave, SGX2_INITIALIZED);
}

/*
 * Drop the test's reference to the enclave. ksgx2d may hold the last reference for a moment; after
 * that every page is free.
 */
static void stop(struct kunit *test, struct fixture *f)
{
	sgx2_enclave_put(f->enclave);
	f->enclave = NULL;
	wait_clean(test);
	KUNIT_EXPECT_EQ(test, processor_valid(), 0);
	processor_stop();
}

static struct processor_page *secs_of(struct fixture *f)
{
	return processor_page(f->enclave->secs);
}

/* Add a page as a fault does by EAUG, and write to it as a program does. */
static int grow_in(struct fixture *f, struct sgx2_chunk *chunk, unsigned int number, u64 value)
{
	struct sgx_pageinfo info = {};
	sgx2_epc_t epc;
	int ret;

	guard(mutex)(&chunk->lock);
	ret = sgx2_secs_pin(f->enclave);
	if (ret)
		return ret;
	ret = -EAGAIN;
	if (sgx2_epc_alloc(&epc, 1, SGX2_EPC_ORDINARY)) {
		info.addr = BASE + number * PAGE_SIZE;
		info.secs = (unsigned long)sgx2_secs_address(f->enclave);
		ret = sgx2_eaug(&info, sgx2_epc_address(epc));
		*(u64 *)sgx2_epc_address(epc) = value;
		sgx2_chunk_add_page(chunk, number % SGX2_CHUNK_PAGES, epc, SGX_PAGE_TYPE_REG, 7, 0);
		f->value[number] = value;
	}
	sgx2_secs_unpin(f->enclave);
	return ret;
}

static int grow(struct fixture *f, unsigned int number, u64 value)
{
	struct sgx2_chunk *chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE + number);
	int ret;

	if (chunk)
		return grow_in(f, chunk, number, value);
	guard(mutex)(&f->enclave->chunk_create_lock);
	chunk = sgx2_chunk_create(f->enclave, BASE / PAGE_SIZE + number);
	if (IS_ERR(chunk))
		return PTR_ERR(chunk);
	ret = grow_in(f, chunk, number, value);
	sgx2_chunk_create_done(chunk);
	return ret;
}

static int check(struct kunit *test, struct fixture *f, unsigned int number)
{
	struct sgx2_chunk *chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE + number);
	struct sgx2_page *page;
	int ret;

	if (!chunk) {
		KUNIT_EXPECT_EQ(test, f->value[number], 0);
		return 0;
	}
	guard(mutex)(&chunk->lock);
	ret = sgx2_page_load(chunk, number % SGX2_CHUNK_PAGES);
	if (!f->value[number]) {
		KUNIT_EXPECT_EQ(test, ret, -EFAULT);
		return 0;
	}
	if (ret)
		return ret;
	page = sgx2_chunk_page(chunk, number % SGX2_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, page->state, SGX2_RESIDENT);
	KUNIT_EXPECT_EQ(test, *(u64 *)sgx2_epc_address(page->where), f->value[number]);
	KUNIT_EXPECT_EQ(test, processor_page(page->where)->address, BASE + number * PAGE_SIZE);
	return 0;
}

/* Remove a page as REMOVE_PAGES does. */
static int shrink(struct fixture *f, unsigned int number)
{
	struct sgx2_chunk *chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE + number);
	sgx2_epc_t epc;
	int ret;

	guard(mutex)(&chunk->lock);
	ret = sgx2_page_load(chunk, number % SGX2_CHUNK_PAGES);
	if (ret)
		return ret;
	epc = sgx2_chunk_page(chunk, number % SGX2_CHUNK_PAGES)->where;
	sgx2_chunk_remove_pages(chunk, number % SGX2_CHUNK_PAGES, 1, &epc);
	sgx2_epc_remove(epc);
	f->value[number] = 0;
	return 0;
}

/* Up to 1000 pages in an EPC of 512: after each random operation each page has its content. */
static void random_test(struct kunit *test)
{
	struct fixture *f = &fixture;
	struct rnd_state rnd;
	unsigned int i, number;
	int ret;

	start(test, f);
	prandom_seed_state(&rnd, 3);
	for (i = 0; i < 20000; i++) {
		number = prandom_u32_state(&rnd) % 1000;
		switch (prandom_u32_state(&rnd) % 8) {
		case 0 ... 2:
			ret = f->value[number] ? 0 : grow(f, number, 1 + prandom_u32_state(&rnd));
			break;
		case 3:
			ret = f->value[number] ? shrink(f, number) : 0;
			break;
		case 4:
			sgx2_reclaim(prandom_u32_state(&rnd) % 64);
			ret = 0;
			break;
		default:
			ret = check(test, f, number);
		}
		if (ret == -EAGAIN)
			ret = sgx2_reclaim_wait(1, false);
		KUNIT_ASSERT_EQ(test, ret, 0);
	}
	for (number = 0; number < PAGES; number++) {
		while ((ret = check(test, f, number)) == -EAGAIN)
			KUNIT_ASSERT_EQ(test, sgx2_reclaim_wait(1, false), 0);
		KUNIT_ASSERT_EQ(test, ret, 0);
	}
	KUNIT_EXPECT_GT(test, atomic64_read(&f->enclave->count[SGX2_COUNT_LOADS]), 500);
	stop(test, f);
}

/* Evict the first @want resident pages of a chunk; the caller holds its mutex. */
static unsigned int evict(struct sgx2_chunk *chunk, unsigned int want)
{
	DECLARE_BITMAP(victims, SGX2_CHUNK_PAGES) = {};
	bool refused = false;
	unsigned int i;

	for (i = 0; i < SGX2_CHUNK_PAGES && want; i++) {
		if (chunk->page[i].state != SGX2_RESIDENT)
			continue;
		__set_bit(i, victims);
		want--;
	}
	return sgx2_chunk_evict(chunk, victims, &refused);
}

/* No slot is in use twice, and few VA pages are full. */
static void va_test(struct kunit *test)
{
	struct fixture *f = &fixture;
	u32 *slot = kunit_kcalloc(test, 1500, sizeof(*slot), GFP_KERNEL);
	struct xarray used;
	unsigned int count = 0, i, at, most = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, slot);
	start(test, f);
	xa_init(&used);
	prandom_seed_state(&rnd, 4);
	for (i = 0; i < 20000; i++) {
		if (count < 1500 && prandom_u32_state(&rnd) % 5 < 3) {
			KUNIT_ASSERT_EQ(test, sgx2_va_slot_get(&f->enclave->va, &slot[count]), 0);
			KUNIT_ASSERT_EQ(test, xa_insert(&used, slot[count], f, GFP_KERNEL), 0);
			KUNIT_ASSERT_NOT_NULL(test, sgx2_va_slot_address(slot[count]));
			count++;
		} else if (count) {
			at = prandom_u32_state(&rnd) % count;
			xa_erase(&used, slot[at]);
			sgx2_va_slot_put(&f->enclave->va, slot[at]);
			slot[at] = slot[--count];
		}
		most = max(most, processor_valid() - 1);
	}
	/* 1500 slots need three pages; one more page is shared, and one may be allocated ahead. */
	KUNIT_EXPECT_LE(test, most, 5);
	while (count)
		sgx2_va_slot_put(&f->enclave->va, slot[--count]);
	KUNIT_EXPECT_LE(test, processor_valid(), 2);
	xa_destroy(&used);
	stop(test, f);
}

/* Small enclaves share a VA page; slots that one of them dropped stay in use until it is freed. */
static void va_shared_test(struct kunit *test)
{
	static struct sgx2_va_user user[20];
	struct fixture *f = &fixture;
	static u32 slot[20][25];
	unsigned int i, j;

	start(test, f);
	for (i = 0; i < 20; i++) {
		sgx2_va_user_init(&user[i]);
		for (j = 0; j < 25; j++) {
			KUNIT_ASSERT_EQ(test, sgx2_va_slot_get(&user[i], &slot[i][j]), 0);
			KUNIT_EXPECT_TRUE(test, sgx2_va_slot_shared(slot[i][j]));
		}
	}
	/* A VA page with 500 slots, and the SECS. */
	KUNIT_EXPECT_EQ(test, processor_valid(), 2);
	for (i = 0; i < 19; i++) {
		for (j = 0; j < 25; j++)
			sgx2_va_slot_drop(&user[i], slot[i][j]);
		sgx2_va_user_exit(&user[i]);
	}
	KUNIT_EXPECT_EQ(test, processor_valid(), 2);
	/* A dropped slot is not free: 12 slots are, and the next slot is in another page. */
	for (i = 0; i < 13; i++)
		KUNIT_ASSERT_EQ(test, sgx2_va_slot_get(&user[0], &slot[0][i]), 0);
	KUNIT_EXPECT_EQ(test, processor_valid(), 3);
	for (i = 0; i < 13; i++)
		sgx2_va_slot_put(&user[0], slot[0][i]);
	for (j = 0; j < 25; j++)
		sgx2_va_slot_drop(&user[19], slot[19][j]);
	/* The last slot in use kept the page. */
	KUNIT_EXPECT_EQ(test, processor_valid(), 1);
	sgx2_va_user_exit(&user[0]);
	sgx2_va_user_exit(&user[19]);
	stop(test, f);
}

/* The SECS is evicted after its last child, and loaded with its first one. */
static void secs_test(struct kunit *test)
{
	struct fixture *f = &fixture;

	start(test, f);
	KUNIT_ASSERT_EQ(test, grow(f, 5, 55), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->enclave->pins), 1);
	KUNIT_EXPECT_FALSE(test, sgx2_secs_evict(f->enclave));
	KUNIT_EXPECT_EQ(test, sgx2_reclaim(2), 2);
	KUNIT_EXPECT_EQ(test, f->enclave->secs, SGX2_EPC_NONE);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->enclave->pins), 0);
	/* Only the Version Array is resident. */
	KUNIT_EXPECT_EQ(test, processor_valid(), 1);
	KUNIT_EXPECT_FALSE(test, sgx2_secs_evict(f->enclave));
	KUNIT_EXPECT_EQ(test, check(test, f, 5), 0);
	KUNIT_EXPECT_NE(test, f->enclave->secs, SGX2_EPC_NONE);
	stop(test, f);
}

static void evict_secs(void)
{
	sgx2_secs_evict(fixture.enclave);
}

/* The reclaimer finds a SECS whose last page is being removed: EWB of the SECS would fail. */
static void remove_test(struct kunit *test)
{
	struct sgx_enclave_modify_types types = { .length = PAGE_SIZE,
						  .page_type = SGX_PAGE_TYPE_TRIM };
	struct sgx_enclave_remove_pages pages = { .length = PAGE_SIZE };
	struct fixture *f = &fixture;
	struct sgx2_call call;
	sgx2_epc_t epc;

	start(test, f);
	call = (struct sgx2_call){ .enclave = f->enclave, .param = &types };
	KUNIT_ASSERT_EQ(test, grow(f, 0, 1), 0);
	epc = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE)->page[0].where;
	/* As EACCEPT does, which clears PENDING, and then MODIFIED. */
	processor_page(epc)->flags = SGX_SECINFO_REG;
	KUNIT_ASSERT_EQ(test, sgx2_ioc_modify_types(&call), 0);
	processor_page(epc)->flags = SGX_SECINFO_TRIM;
	call.param = &pages;
	processor.at_eremove = evict_secs;
	KUNIT_EXPECT_EQ(test, sgx2_ioc_remove_pages(&call), 0);
	processor.at_eremove = NULL;
	KUNIT_EXPECT_EQ(test, pages.count, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	KUNIT_EXPECT_TRUE(test, sgx2_secs_evict(f->enclave));
	stop(test, f);
}

static void poison(sgx2_epc_t epc)
{
	u64 address = (u64)sgx2_epc_pfn(epc) * PAGE_SIZE;

	sgx2_epc_poison(address, address);
}

/* EWB would read a poisoned page, so a poisoned page or SECS is not evicted. */
static void poison_test(struct kunit *test)
{
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;
	unsigned int i;

	start(test, f);
	for (i = 0; i < 10; i++)
		KUNIT_ASSERT_EQ(test, grow(f, i, 100 + i), 0);
	chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
	mutex_lock(&chunk->lock);
	poison(chunk->page[3].where);
	KUNIT_EXPECT_EQ(test, evict(chunk, 10), 9);
	KUNIT_EXPECT_EQ(test, chunk->page[3].state, SGX2_RESIDENT);
	KUNIT_EXPECT_EQ(test, evict(chunk, 1), 0);
	mutex_unlock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, sgx2_reclaim(1), 0);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, check(test, f, i), 0);
	stop(test, f);

	start(test, f);
	poison(f->enclave->secs);
	KUNIT_ASSERT_EQ(test, grow(f, 5, 55), 0);
	KUNIT_EXPECT_EQ(test, sgx2_reclaim(2), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->enclave->pins), 0);
	KUNIT_EXPECT_FALSE(test, sgx2_secs_evict(f->enclave));
	KUNIT_EXPECT_NE(test, f->enclave->secs, SGX2_EPC_NONE);
	KUNIT_EXPECT_EQ(test, check(test, f, 5), 0);
	stop(test, f);
}

static void reset_counts(struct fixture *f)
{
	atomic64_set(&f->enclave->count[SGX2_COUNT_IPI_BROADCASTS], 0);
	processor.calls[SGX2_LEAF_ETRACK] = 0;
}

static void expect_counts(struct kunit *test, struct fixture *f, unsigned int etracks,
			  unsigned int rounds)
{
	KUNIT_EXPECT_EQ(test, processor.calls[SGX2_LEAF_ETRACK], etracks);
	KUNIT_EXPECT_EQ(test, atomic64_read(&f->enclave->count[SGX2_COUNT_IPI_BROADCASTS]), rounds);
	reset_counts(f);
}

static void track_test(struct kunit *test)
{
	struct fixture *f = &fixture;

	start(test, f);
	KUNIT_ASSERT_EQ(test, sgx2_secs_pin(f->enclave), 0);
	mutex_lock(&f->enclave->track_lock);
	reset_counts(f);
	/* No CPU can run a thread of the enclave: one ETRACK. */
	KUNIT_EXPECT_EQ(test, sgx2_track_start(f->enclave), 0);
	KUNIT_EXPECT_EQ(test, sgx2_track_finish(f->enclave), 0);
	expect_counts(test, f, 1, 0);
	/* Each CPU can, and no thread is inside: two ETRACKs and no IPI. */
	sgx2_enclave_set(f->enclave, SGX2_ALL_CPUS);
	KUNIT_EXPECT_EQ(test, sgx2_track_start(f->enclave), 0);
	KUNIT_EXPECT_EQ(test, sgx2_track_finish(f->enclave), 0);
	expect_counts(test, f, 2, 0);
	/* A thread stays inside: the second ETRACK finds it, and its CPU is interrupted. */
	secs_of(f)->inside = 1;
	KUNIT_EXPECT_EQ(test, sgx2_track_start(f->enclave), 0);
	expect_counts(test, f, 1, 0);
	KUNIT_EXPECT_EQ(test, sgx2_track_finish(f->enclave), 0);
	expect_counts(test, f, 1, 1);
	/*
	 * The previous cycle is not complete. A thread of this processor does not leave at an IPI,
	 * so the code is injected.
	 */
	processor.inject_leaf = SGX2_LEAF_ETRACK;
	processor.inject_code = SGX2_PREV_TRK_INCMPL;
	processor.inject_times = 1;
	secs_of(f)->before = 0;
	KUNIT_EXPECT_EQ(test, sgx2_track_start(f->enclave), 0);
	expect_counts(test, f, 2, 1);
	/* Another CPU executes ETRACK. */
	processor.inject_code = SGX2_ENCLS_FAULT | 13;
	processor.inject_times = 5;
	KUNIT_EXPECT_EQ(test, sgx2_track_finish(f->enclave), 0);
	KUNIT_EXPECT_FALSE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	/* The SECS is removed. */
	processor.inject_code = SGX2_ENCLS_FAULT | 14;
	processor.inject_times = 1;
	KUNIT_EXPECT_EQ(test, sgx2_track_start(f->enclave), -EIO);
	KUNIT_EXPECT_TRUE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	mutex_unlock(&f->enclave->track_lock);
	sgx2_secs_unpin(f->enclave);
	KUNIT_EXPECT_EQ(test, sgx2_secs_pin(f->enclave), -EIO);
	stop(test, f);
}

/* A batch is blocked, tracked once and written, with one IPI broadcast for a thread inside. */
static void batch_test(struct kunit *test)
{
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;
	unsigned int i;

	start(test, f);
	for (i = 0; i < 40; i++)
		KUNIT_ASSERT_EQ(test, grow(f, i, 100 + i), 0);
	reset_counts(f);
	chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
	mutex_lock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, evict(chunk, 10), 10);
	expect_counts(test, f, 1, 0);
	/* A page that another leaf accesses is not evicted. */
	processor.inject_leaf = SGX2_LEAF_EBLOCK;
	processor.inject_code = SGX2_PAGE_CONFLICT;
	processor.inject_times = 3;
	KUNIT_EXPECT_EQ(test, evict(chunk, 10), 7);
	KUNIT_EXPECT_EQ(test, chunk->resident, 23);
	reset_counts(f);
	/* EWB returns SGX_NOT_TRACKED (11) once, as for a thread inside. */
	processor.inject_leaf = SGX2_LEAF_EWB;
	processor.inject_code = SGX2_NOT_TRACKED;
	processor.inject_times = 1;
	KUNIT_EXPECT_EQ(test, evict(chunk, 10), 10);
	expect_counts(test, f, 1, 1);
	mutex_unlock(&chunk->lock);
	for (i = 0; i < 40; i++)
		KUNIT_EXPECT_EQ(test, check(test, f, i), 0);
	stop(test, f);
}

/*
 * A page survives as many passes of the clock as it has credit. After a pass without success the
 * next pass takes twice as much.
 */
static void credit_test(struct kunit *test)
{
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;
	unsigned int i;

	start(test, f);
	for (i = 0; i < 40; i++)
		KUNIT_ASSERT_EQ(test, grow(f, i, 100 + i), 0);
	chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
	scoped_guard(mutex, &chunk->lock) {
		for (i = 0; i < 40; i++)
			sgx2_page_set_credit(&chunk->page[i], i % 4 ? 3 : 0);
	}
	KUNIT_EXPECT_EQ(test, sgx2_reclaim(1), 10);
	for (i = 0; i < 40; i++) {
		KUNIT_EXPECT_EQ(test, chunk->page[i].state, i % 4 ? SGX2_RESIDENT : SGX2_EVICTED);
		KUNIT_EXPECT_EQ(test, sgx2_page_credit(&chunk->page[i]), i % 4 ? 2 : 0);
	}
	/* The first pass takes one credit, the second takes two and evicts what is wanted. */
	KUNIT_EXPECT_EQ(test, sgx2_reclaim(1), 16);
	KUNIT_EXPECT_EQ(test, sgx2_page_credit(&chunk->page[39]), 1);
	stop(test, f);
}

/* The EPC is lost: calls on the enclave fail, and its pages are freed. */
static void lost_test(struct kunit *test)
{
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;
	unsigned int i;

	start(test, f);
	for (i = 0; i < 40; i++)
		KUNIT_ASSERT_EQ(test, grow(f, i, 100 + i), 0);
	for (i = 0; i < PROCESSOR_PAGES; i++)
		processor.page[i].valid = false;
	chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
	mutex_lock(&chunk->lock);
	/* EBLOCK discovers the loss, and then all pages are dropped. */
	KUNIT_EXPECT_EQ(test, evict(chunk, 10), 40);
	KUNIT_EXPECT_TRUE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	KUNIT_EXPECT_EQ(test, chunk->resident, 0);
	KUNIT_EXPECT_EQ(test, sgx2_page_load(chunk, 1), -EIO);
	mutex_unlock(&chunk->lock);
	stop(test, f);
}

/* A VA page of the shared pool was lost, and an enclave that was not lost uses its slots. */
static void lost_va_test(struct kunit *test)
{
	struct fixture *f = &fixture;
	struct sgx2_chunk *chunk;
	unsigned int i, pages = 0;

	start(test, f);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_EQ(test, grow(f, i, 100 + i), 0);
	chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
	mutex_lock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	for (i = 0; i < PROCESSOR_PAGES; i++) {
		if (!processor.page[i].valid || processor.page[i].flags != SGX_SECINFO_VA)
			continue;
		processor.page[i].valid = false;
		pages++;
	}
	KUNIT_EXPECT_EQ(test, pages, 1);
	KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	KUNIT_EXPECT_FALSE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	/* The version of this page is in the page that was restored. */
	KUNIT_EXPECT_EQ(test, sgx2_page_load(chunk, 1), 0);
	/* The version of this page was lost. */
	KUNIT_EXPECT_EQ(test, sgx2_page_load(chunk, 0), -EIO);
	KUNIT_EXPECT_TRUE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	mutex_unlock(&chunk->lock);
	stop(test, f);
}

static void inject(enum sgx2_leaf leaf, int code)
{
	processor.inject_leaf = leaf;
	processor.inject_code = code;
	processor.inject_times = 1;
}

/* Make a chunk of two pages, the first of which is in the backing file. */
static struct sgx2_chunk *one_out(struct kunit *test, struct fixture *f)
{
	struct sgx2_chunk *chunk;

	start(test, f);
	KUNIT_ASSERT_EQ(test, grow(f, 0, 100), 0);
	KUNIT_ASSERT_EQ(test, grow(f, 1, 101), 0);
	chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
	guard(mutex)(&chunk->lock);
	KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	return chunk;
}

/* A page that EWB refuses, or that ELDU finds changed, makes the enclave dead. */
static void page_refused_test(struct kunit *test)
{
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;

	chunk = one_out(test, f);
	inject(SGX2_LEAF_ELDU, SGX2_MAC_COMPARE_FAIL);
	scoped_guard(mutex, &chunk->lock)
		KUNIT_EXPECT_EQ(test, sgx2_page_load(chunk, 0), -EIO);
	KUNIT_EXPECT_TRUE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	stop(test, f);

	chunk = one_out(test, f);
	inject(SGX2_LEAF_EWB, SGX2_VA_SLOT_OCCUPIED);
	/* A dead enclave does not need its page, so the page is freed. */
	scoped_guard(mutex, &chunk->lock)
		KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	KUNIT_EXPECT_TRUE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	stop(test, f);
}

/* A SECS that EWB refuses, or that ELDU finds changed, makes the enclave dead. */
static void secs_refused_test(struct kunit *test)
{
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;

	chunk = one_out(test, f);
	scoped_guard(mutex, &chunk->lock)
		KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	inject(SGX2_LEAF_EWB, SGX2_VA_SLOT_OCCUPIED);
	KUNIT_EXPECT_FALSE(test, sgx2_secs_evict(f->enclave));
	KUNIT_EXPECT_TRUE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	stop(test, f);

	chunk = one_out(test, f);
	scoped_guard(mutex, &chunk->lock)
		KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	KUNIT_EXPECT_TRUE(test, sgx2_secs_evict(f->enclave));
	inject(SGX2_LEAF_ELDU, SGX2_MAC_COMPARE_FAIL);
	KUNIT_EXPECT_EQ(test, sgx2_secs_pin(f->enclave), -EIO);
	KUNIT_EXPECT_TRUE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	stop(test, f);

	/* The SECS of a dead enclave is removed; if that fails, it stays until the release. */
	chunk = one_out(test, f);
	scoped_guard(mutex, &chunk->lock)
		KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	sgx2_enclave_mark_dead(f->enclave);
	inject(SGX2_LEAF_EREMOVE, SGX2_CHILD_PRESENT);
	KUNIT_EXPECT_FALSE(test, sgx2_secs_evict(f->enclave));
	KUNIT_EXPECT_TRUE(test, sgx2_secs_evict(f->enclave));
	KUNIT_EXPECT_EQ(test, f->enclave->secs, SGX2_EPC_NONE);
	KUNIT_EXPECT_FALSE(test, sgx2_secs_evict(f->enclave));
	stop(test, f);
}

/* Without a Version Array no page is evicted, and none is lost. */
static void va_refused_test(struct kunit *test)
{
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;

	start(test, f);
	KUNIT_ASSERT_EQ(test, grow(f, 0, 100), 0);
	chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
	inject(SGX2_LEAF_EPA, SGX2_ENCLS_FAULT | X86_TRAP_PF);
	mutex_lock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, evict(chunk, 1), 0);
	KUNIT_EXPECT_FALSE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
	KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
	mutex_unlock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, check(test, f, 0), 0);
	stop(test, f);
}

/* A sweep that evicts nothing keeps no reference to an enclave. */
static void fruitless_test(struct kunit *test)
{
	struct fixture *f = &fixture;

	start(test, f);
	KUNIT_ASSERT_EQ(test, grow(f, 0, 100), 0);
	inject(SGX2_LEAF_EPA, SGX2_ENCLS_FAULT | X86_TRAP_PF);
	processor.inject_times = 1000;
	KUNIT_EXPECT_EQ(test, sgx2_reclaim(1), 0);
	processor.inject_times = 0;
	KUNIT_EXPECT_EQ(test, kref_read(&f->enclave->ref), 1);
	stop(test, f);
}

#ifdef CONFIG_FAULT_INJECTION
/* Make the n-th allocation from now on fail, and return whether it did. */
static void arm(unsigned int n)
{
	current->fail_nth = n;
}

static bool fired(void)
{
	return !xchg(&current->fail_nth, 0);
}
#else
static void arm(unsigned int n)
{
}

static bool fired(void)
{
	return false;
}
#endif

/* More allocations than any function here makes. */
#define ALLOCATIONS 100

/* Expect that the function failed @refused times while the first @n allocations failed in turn. */
static void expect_refusals(struct kunit *test, unsigned int n, unsigned int refused)
{
	KUNIT_EXPECT_LT(test, n, ALLOCATIONS);
	if (n == 2)
		kunit_skip(test, "needs CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC");
	KUNIT_EXPECT_GT(test, refused, 0);
}

/* A page stays resident while there is no memory for its eviction. */
static void evict_memory_test(struct kunit *test)
{
	unsigned int n, done, refused = 0;
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;
	bool more = true;

	for (n = 1; more && n < ALLOCATIONS; n++) {
		start(test, f);
		KUNIT_ASSERT_EQ(test, grow(f, 5, 55), 0);
		chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
		scoped_guard(mutex, &chunk->lock) {
			arm(n);
			done = evict(chunk, 1);
			more = fired();
		}
		refused += !done;
		KUNIT_EXPECT_TRUE(test, done || more);
		KUNIT_EXPECT_FALSE(test, sgx2_enclave_is(f->enclave, SGX2_DEAD));
		KUNIT_EXPECT_EQ(test, check(test, f, 5), 0);
		stop(test, f);
	}
	expect_refusals(test, n, refused);
}

/* The slots that fill an enclave's VA pages: 64 in a shared page, and a page of its own. */
#define FULL (64 + 512)

/* The SECS stays resident while there is no memory for its eviction, here for another VA page. */
static void secs_memory_test(struct kunit *test)
{
	static u32 slot[FULL - 1];
	unsigned int n, i, refused = 0;
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;
	bool more = true, gone;

	for (n = 1; more && n < ALLOCATIONS; n++) {
		start(test, f);
		KUNIT_ASSERT_EQ(test, grow(f, 5, 55), 0);
		for (i = 0; i < FULL - 1; i++)
			KUNIT_ASSERT_EQ(test, sgx2_va_slot_get(&f->enclave->va, &slot[i]), 0);
		chunk = sgx2_chunk_find(f->enclave, BASE / PAGE_SIZE);
		scoped_guard(mutex, &chunk->lock)
			KUNIT_EXPECT_EQ(test, evict(chunk, 1), 1);
		arm(n);
		gone = sgx2_secs_evict(f->enclave);
		more = fired();
		refused += !gone;
		KUNIT_EXPECT_TRUE(test, gone || more);
		KUNIT_EXPECT_EQ(test, check(test, f, 5), 0);
		for (i = 0; i < FULL - 1; i++)
			sgx2_va_slot_put(&f->enclave->va, slot[i]);
		stop(test, f);
	}
	expect_refusals(test, n, refused);
}

/* No memory for another VA page; and no EPC page for one. */
static void va_memory_test(struct kunit *test)
{
	static sgx2_epc_t page[PROCESSOR_PAGES];
	static u32 slot[FULL + 1];
	unsigned int n, i, taken, refused = 0;
	struct fixture *f = &fixture;
	bool more = true;
	int ret;

	start(test, f);
	for (i = 0; i < FULL; i++)
		KUNIT_ASSERT_EQ(test, sgx2_va_slot_get(&f->enclave->va, &slot[i]), 0);
	taken = sgx2_epc_alloc(page, PROCESSOR_PAGES, SGX2_EPC_RECLAIM);
	KUNIT_EXPECT_EQ(test, sgx2_va_slot_get(&f->enclave->va, &slot[FULL]), -EAGAIN);
	for (i = 0; i < taken; i++)
		sgx2_epc_free(page[i]);
	for (n = 1; more && n < ALLOCATIONS; n++) {
		arm(n);
		ret = sgx2_va_slot_get(&f->enclave->va, &slot[FULL]);
		more = fired();
		refused += ret == -ENOMEM;
		KUNIT_EXPECT_TRUE(test, !ret || (more && ret == -ENOMEM));
		KUNIT_EXPECT_EQ(test, processor_valid(), ret ? 3 : 4);
		if (!ret)
			sgx2_va_slot_put(&f->enclave->va, slot[FULL]);
	}
	for (i = 0; i < FULL; i++)
		sgx2_va_slot_put(&f->enclave->va, slot[i]);
	stop(test, f);
	expect_refusals(test, n, refused);
}

/* A chunk exists from its first page to its last one. */
static void chunk_test(struct kunit *test)
{
	unsigned long at = BASE / PAGE_SIZE;
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;

	start(test, f);
	mutex_lock(&f->enclave->chunk_create_lock);
	chunk = sgx2_chunk_create(f->enclave, at);
	KUNIT_ASSERT_FALSE(test, IS_ERR(chunk));
	KUNIT_EXPECT_NULL(test, sgx2_chunk_find(f->enclave, at));
	sgx2_chunk_create_done(chunk);
	KUNIT_EXPECT_TRUE(test, xa_empty(&f->enclave->chunks));
	chunk = sgx2_chunk_create(f->enclave, at);
	KUNIT_ASSERT_FALSE(test, IS_ERR(chunk));
	KUNIT_EXPECT_EQ(test, grow_in(f, chunk, 7, 77), 0);
	KUNIT_EXPECT_PTR_EQ(test, sgx2_chunk_find(f->enclave, at), chunk);
	sgx2_chunk_create_done(chunk);
	mutex_unlock(&f->enclave->chunk_create_lock);
	KUNIT_EXPECT_PTR_EQ(test, sgx2_chunk_find(f->enclave, at), chunk);
	KUNIT_EXPECT_EQ(test, check(test, f, 7), 0);
	stop(test, f);
}

/* Chunks at distances that make the tree grow. */
static void chunk_memory_test(struct kunit *test)
{
	unsigned int n, refused = 0;
	struct sgx2_chunk *chunk;
	struct fixture *f = &fixture;
	bool more = true;

	start(test, f);
	KUNIT_ASSERT_EQ(test, grow(f, 5, 55), 0);
	for (n = 1; more && n < ALLOCATIONS; n++) {
		mutex_lock(&f->enclave->chunk_create_lock);
		arm(n);
		chunk = sgx2_chunk_create(f->enclave, (unsigned long)n << 30);
		more = fired();
		refused += IS_ERR(chunk);
		KUNIT_EXPECT_TRUE(test, !IS_ERR(chunk) || (more && PTR_ERR(chunk) == -ENOMEM));
		if (!IS_ERR(chunk))
			sgx2_chunk_create_done(chunk);
		mutex_unlock(&f->enclave->chunk_create_lock);
		KUNIT_EXPECT_NULL(test, sgx2_chunk_find(f->enclave, (unsigned long)n << 30));
	}
	stop(test, f);
	expect_refusals(test, n, refused);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(random_test),       KUNIT_CASE(va_test),	      KUNIT_CASE(va_shared_test),
	KUNIT_CASE(secs_test),	       KUNIT_CASE(poison_test),	      KUNIT_CASE(track_test),
	KUNIT_CASE(batch_test),	       KUNIT_CASE(credit_test),	      KUNIT_CASE(lost_test),
	KUNIT_CASE(lost_va_test),      KUNIT_CASE(page_refused_test), KUNIT_CASE(secs_refused_test),
	KUNIT_CASE(va_refused_test),   KUNIT_CASE(fruitless_test),    KUNIT_CASE(evict_memory_test),
	KUNIT_CASE(secs_memory_test),  KUNIT_CASE(va_memory_test),    KUNIT_CASE(chunk_test),
	KUNIT_CASE(chunk_memory_test), KUNIT_CASE(remove_test),	      {},
};

/* Clean up after a test, also after an aborted one. */
static void suite_exit(struct kunit *test)
{
	if (fixture.enclave)
		stop(test, &fixture);
	processor_stop();
}

static struct kunit_suite suite = { .name = "sgx2_enclave",
				    .exit = suite_exit,
				    .test_cases = cases };
kunit_test_suite(suite);
