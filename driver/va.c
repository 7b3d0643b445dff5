// SPDX-License-Identifier: GPL-2.0
/*
 * Version Arrays: pages of the EPC in which the processor remembers which copy of an evicted page
 * is the last one.
 *
 * A VA page has 512 slots, and the processor does not care whose pages they are for. An enclave
 * takes its first slots from pages that all enclaves share: thousands of small enclaves would
 * otherwise fill the EPC with a VA page each, and none of them could run. Further slots come from
 * pages of the enclave's own. A slot that is written and never read by ELDU stays occupied until
 * its whole page is removed, so in a shared page the end of an enclave leaves slots that are of no
 * use as long as another enclave has a slot beside them; the limit bounds how many.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include "encls.h"
#include "epc.h"
#include "paging.h"
#include "va.h"

#define SGX2_VA_SLOTS 512U

/* The number of slots that an enclave has in shared pages at most. */
#define SGX2_VA_SHARED 64U

/* Shared pages have lower numbers than all others, so that a slot's number tells which it is. */
#define SGX2_VA_OWN_MIN 0x100000U
#define SGX2_VA_MAX (U32_MAX / SGX2_VA_SLOTS)

/**
 * struct sgx2_va_page - one page of slots
 *
 * All members but the constant ones are under sgx2_va_lock.
 */
struct sgx2_va_page {
	/** @epc: the page in the EPC; constant. */
	sgx2_epc_t epc;
	/** @number: index in sgx2_va_pages; constant. */
	u32 number;
	/** @pool: the pool that the page belongs to; constant. */
	struct sgx2_va_pool *pool;
	/** @used: slots that were got and not given back. */
	unsigned int used;
	/** @taken: bits set in @slots. */
	unsigned int taken;
	/** @free: node in sgx2_va_pool::free while a slot is free. */
	struct list_head free;
	/** @node: node in sgx2_va_pool::pages. */
	struct list_head node;
	/** @slots: a bit for each slot that is used, or occupied by what was dropped. */
	DECLARE_BITMAP(slots, SGX2_VA_SLOTS);
};

/* A leaf lock: protects the pools and the pages' slots. */
static DEFINE_SPINLOCK(sgx2_va_lock);

/* The pool of all enclaves; under sgx2_va_lock. */
static struct sgx2_va_pool sgx2_va_shared = {
	.free = LIST_HEAD_INIT(sgx2_va_shared.free),
	.pages = LIST_HEAD_INIT(sgx2_va_shared.pages),
};

/* All VA pages by number; the xarray has its own lock, and readers use RCU. */
static DEFINE_XARRAY_ALLOC(sgx2_va_pages);

void sgx2_va_user_init(struct sgx2_va_user *user)
{
	INIT_LIST_HEAD(&user->own.free);
	INIT_LIST_HEAD(&user->own.pages);
	user->shared = 0;
}

bool sgx2_va_slot_shared(u32 slot)
{
	return slot / SGX2_VA_SLOTS < SGX2_VA_OWN_MIN;
}

static struct sgx2_va_pool *sgx2_va_pool_of(struct sgx2_va_user *user)
{
	return READ_ONCE(user->shared) < SGX2_VA_SHARED ? &sgx2_va_shared : &user->own;
}

/* Takes a free slot of a page that has one; returns its number. */
static u32 sgx2_va_page_take(struct sgx2_va_user *user, struct sgx2_va_page *page)
{
	unsigned int bit = find_first_zero_bit(page->slots, SGX2_VA_SLOTS);

	lockdep_assert_held(&sgx2_va_lock);
	__set_bit(bit, page->slots);
	page->used++;
	if (++page->taken == SGX2_VA_SLOTS)
		list_del_init(&page->free);
	if (page->pool == &sgx2_va_shared)
		user->shared++;
	return page->number * SGX2_VA_SLOTS + bit;
}

/* Takes a free slot of the pool; false if there is none. */
static bool sgx2_va_take(struct sgx2_va_user *user, struct sgx2_va_pool *pool, u32 *slot)
{
	struct sgx2_va_page *page;

	guard(spinlock)(&sgx2_va_lock);
	page = list_first_entry_or_null(&pool->free, struct sgx2_va_page, free);
	if (!page)
		return false;
	*slot = sgx2_va_page_take(user, page);
	return true;
}

static void sgx2_va_page_free(struct sgx2_va_page *page)
{
	xa_erase(&sgx2_va_pages, page->number);
	sgx2_epc_remove(page->epc);
	kfree(page);
}

/* Makes an EPC page a VA page. The EPC page is the caller's again if this fails. */
static int sgx2_va_page_make(struct sgx2_va_page *page)
{
	bool shared = page->pool == &sgx2_va_shared;
	int ret;

	ret = xa_alloc(&sgx2_va_pages, &page->number, page,
		       XA_LIMIT(shared ? 0 : SGX2_VA_OWN_MIN,
				shared ? SGX2_VA_OWN_MIN - 1 : SGX2_VA_MAX),
		       GFP_KERNEL);
	if (ret)
		return ret == -EBUSY ? -ENOMEM : ret;
	if (sgx2_retry(sgx2_epa(sgx2_epc_address(page->epc)))) {
		xa_erase(&sgx2_va_pages, page->number);
		return -EIO;
	}
	return 0;
}

/*
 * Adds a page to the pool and takes its first slot. A page that is added without one could stay
 * unused, and no slot that is given back would ever free it.
 */
static int sgx2_va_pool_grow(struct sgx2_va_user *user, struct sgx2_va_pool *pool, u32 *slot)
{
	struct sgx2_va_page *page;
	int ret;

	page = kzalloc(sizeof(*page), GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	page->pool = pool;
	if (!sgx2_epc_alloc(&page->epc, 1, SGX2_EPC_RECLAIM)) {
		kfree(page);
		return -EAGAIN;
	}
	ret = sgx2_va_page_make(page);
	if (ret) {
		sgx2_epc_free(page->epc);
		kfree(page);
		return ret;
	}
	guard(spinlock)(&sgx2_va_lock);
	list_add(&page->free, &pool->free);
	list_add(&page->node, &pool->pages);
	*slot = sgx2_va_page_take(user, page);
	return 0;
}

int sgx2_va_slot_get(struct sgx2_va_user *user, u32 *slot)
{
	struct sgx2_va_pool *pool = sgx2_va_pool_of(user);

	return sgx2_va_take(user, pool, slot) ? 0 : sgx2_va_pool_grow(user, pool, slot);
}

/* Takes a page without used slots out of its pool; returns whether it has to be freed. */
static bool sgx2_va_page_idle(struct sgx2_va_page *page)
{
	lockdep_assert_held(&sgx2_va_lock);
	if (page->used)
		return false;
	/*
	 * The only page with room stays, since the next eviction would want it back at once; but no
	 * shared page does, or the EPC would not be empty when the last enclave is gone.
	 */
	if (page->pool != &sgx2_va_shared && list_is_singular(&page->pool->free))
		return false;
	list_del(&page->free);
	list_del(&page->node);
	return true;
}

static void sgx2_va_slot_end(struct sgx2_va_user *user, u32 slot, bool empty)
{
	struct sgx2_va_page *page = xa_load(&sgx2_va_pages, slot / SGX2_VA_SLOTS);
	unsigned int bit = slot % SGX2_VA_SLOTS;

	if (WARN_ON_ONCE(!page))
		return;
	scoped_guard(spinlock, &sgx2_va_lock) {
		if (WARN_ON_ONCE(!test_bit(bit, page->slots) || !page->used))
			return;
		page->used--;
		if (page->pool == &sgx2_va_shared)
			user->shared--;
		if (empty) {
			__clear_bit(bit, page->slots);
			if (page->taken-- == SGX2_VA_SLOTS)
				list_add_tail(&page->free, &page->pool->free);
		}
		if (!sgx2_va_page_idle(page))
			return;
	}
	sgx2_va_page_free(page);
}

void sgx2_va_slot_put(struct sgx2_va_user *user, u32 slot)
{
	sgx2_va_slot_end(user, slot, true);
}

void sgx2_va_slot_drop(struct sgx2_va_user *user, u32 slot)
{
	sgx2_va_slot_end(user, slot, false);
}

void *sgx2_va_slot_address(u32 slot)
{
	struct sgx2_va_page *page = xa_load(&sgx2_va_pages, slot / SGX2_VA_SLOTS);

	if (WARN_ON_ONCE(!page))
		return NULL;
	return sgx2_epc_address(page->epc) + slot % SGX2_VA_SLOTS * sizeof(u64);
}

static void sgx2_va_pool_exit(struct sgx2_va_pool *pool)
{
	struct sgx2_va_page *page, *next;

	list_for_each_entry_safe(page, next, &pool->pages, node)
		sgx2_va_page_free(page);
	INIT_LIST_HEAD(&pool->pages);
	INIT_LIST_HEAD(&pool->free);
}

void sgx2_va_user_exit(struct sgx2_va_user *user)
{
	WARN_ON_ONCE(user->shared);
	sgx2_va_pool_exit(&user->own);
}

void sgx2_va_exit(void)
{
	WARN_ON_ONCE(!list_empty(&sgx2_va_shared.pages));
	xa_destroy(&sgx2_va_pages);
}
