// SPDX-License-Identifier: GPL-2.0
/*
 * Version Arrays: EPC pages in which the CPU keeps the version of each evicted page, so that ELDU
 * accepts only the latest copy.
 *
 * A VA page has 512 slots, and any enclave's pages may use them. An enclave takes its first slots
 * from VA pages that all enclaves share: otherwise thousands of small enclaves would fill the EPC
 * with one VA page each, and none of them could run. Further slots are taken from VA pages of the
 * enclave's own.
 *
 * EWB fills a slot and ELDU empties it. A slot that is never read by ELDU stays occupied until its
 * VA page is removed. So when an enclave is freed, its slots in a shared page are useless as long
 * as another enclave has a slot there. SGX2_VA_SHARED_SLOTS bounds their number.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include "encls.h"
#include "epc.h"
#include "va.h"

/* Slots of 8 bytes in a VA page (SDM Vol. 3D, Version Array). */
#define SGX2_VA_PAGE_SLOTS 512U

/* Numbers of VA pages: those below SGX2_VA_OWN_MIN are shared. */
#define SGX2_VA_OWN_MIN 0x100000U
#define SGX2_VA_MAX (U32_MAX / SGX2_VA_PAGE_SLOTS)

/**
 * struct sgx2_va_page - one VA page
 *
 * All members that are not constant are under sgx2_va_lock.
 */
struct sgx2_va_page {
	/** @epc: the EPC page; constant. */
	sgx2_epc_t epc;
	/** @number: index in sgx2_va_pages; constant. */
	u32 number;
	/** @pool: the pool that the page belongs to; constant. */
	struct sgx2_va_pool *pool;
	/** @used: number of slots that belong to an enclave. */
	unsigned int used;
	/** @taken: number of bits set in @slots. */
	unsigned int taken;
	/** @free: entry in sgx2_va_pool::free while a slot is free. */
	struct list_head free;
	/** @node: entry in sgx2_va_pool::pages. */
	struct list_head node;
	/** @place: for each used slot the place in the backing file; of the slot's owner. */
	u32 *place;
	/** @slots: a bit for each slot that is used, or occupied although it was dropped. */
	DECLARE_BITMAP(slots, SGX2_VA_PAGE_SLOTS);
};

/* Protects the pools and the slots of the pages. No lock is taken inside of it. */
static DEFINE_SPINLOCK(sgx2_va_lock);

/* The pool that all enclaves share; under sgx2_va_lock. */
static struct sgx2_va_pool sgx2_va_shared = {
	.free = LIST_HEAD_INIT(sgx2_va_shared.free),
	.pages = LIST_HEAD_INIT(sgx2_va_shared.pages),
};

/* All VA pages by number; has its own lock, readers use RCU. */
static DEFINE_XARRAY_ALLOC(sgx2_va_pages);

void sgx2_va_user_init(struct sgx2_va_user *user)
{
	INIT_LIST_HEAD(&user->own.free);
	INIT_LIST_HEAD(&user->own.pages);
	user->shared = 0;
}

bool sgx2_va_slot_shared(u32 slot)
{
	return slot / SGX2_VA_PAGE_SLOTS < SGX2_VA_OWN_MIN;
}

static struct sgx2_va_pool *sgx2_va_pool_of(struct sgx2_va_user *user)
{
	return READ_ONCE(user->shared) < SGX2_VA_SHARED_SLOTS ? &sgx2_va_shared : &user->own;
}

/* Takes a free slot of a page that has one; returns its number. */
static u32 sgx2_va_page_take(struct sgx2_va_user *user, struct sgx2_va_page *page)
{
	unsigned int bit = find_first_zero_bit(page->slots, SGX2_VA_PAGE_SLOTS);

	lockdep_assert_held(&sgx2_va_lock);
	__set_bit(bit, page->slots);
	page->used++;
	if (++page->taken == SGX2_VA_PAGE_SLOTS)
		list_del_init(&page->free);
	if (page->pool == &sgx2_va_shared)
		user->shared++;
	return page->number * SGX2_VA_PAGE_SLOTS + bit;
}

/* Takes a free slot of the pool; returns false if there is none. */
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

/* Allocates a page that is not in a pool yet. */
static struct sgx2_va_page *sgx2_va_page_new(void)
{
	struct sgx2_va_page *page = kzalloc(sizeof(*page), GFP_KERNEL);

	if (!page)
		return NULL;
	page->place = kmalloc_array(SGX2_VA_PAGE_SLOTS, sizeof(*page->place), GFP_KERNEL);
	if (!page->place) {
		kfree(page);
		return NULL;
	}
	return page;
}

static void sgx2_va_page_destroy(struct sgx2_va_page *page)
{
	kfree(page->place);
	kfree(page);
}

static void sgx2_va_page_free(struct sgx2_va_page *page)
{
	xa_erase(&sgx2_va_pages, page->number);
	sgx2_epc_remove(page->epc);
	sgx2_va_page_destroy(page);
}

static int sgx2_va_page_epa(struct sgx2_va_page *page)
{
	return sgx2_retry(sgx2_epa(sgx2_epc_address(page->epc)));
}

/* Makes an EPC page a VA page. The caller keeps the EPC page if this fails. */
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
	if (sgx2_va_page_epa(page)) {
		xa_erase(&sgx2_va_pages, page->number);
		return -EIO;
	}
	return 0;
}

/*
 * Adds a page to the pool and takes its first slot. Another task cannot take all slots first, so
 * the page always has a used slot, and giving back the last one frees it.
 */
static int sgx2_va_pool_grow(struct sgx2_va_user *user, struct sgx2_va_pool *pool, u32 *slot)
{
	struct sgx2_va_page *page;
	int ret;

	page = sgx2_va_page_new();
	if (!page)
		return -ENOMEM;
	page->pool = pool;
	if (!sgx2_epc_alloc(&page->epc, 1, SGX2_EPC_RECLAIM)) {
		sgx2_va_page_destroy(page);
		return -EAGAIN;
	}
	ret = sgx2_va_page_make(page);
	if (ret) {
		sgx2_epc_free(page->epc);
		sgx2_va_page_destroy(page);
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

/* Removes a page without used slots from its pool; returns whether the caller has to free it. */
static bool sgx2_va_page_idle(struct sgx2_va_page *page)
{
	lockdep_assert_held(&sgx2_va_lock);
	if (page->used)
		return false;
	/*
	 * The only page with free slots stays, since the next eviction needs one at once. A shared
	 * page does not stay: the EPC has to be empty after the last enclave is freed.
	 */
	if (page->pool != &sgx2_va_shared && list_is_singular(&page->pool->free))
		return false;
	list_del(&page->free);
	list_del(&page->node);
	return true;
}

static void sgx2_va_slot_end(struct sgx2_va_user *user, u32 slot, bool empty)
{
	struct sgx2_va_page *page = xa_load(&sgx2_va_pages, slot / SGX2_VA_PAGE_SLOTS);
	unsigned int bit = slot % SGX2_VA_PAGE_SLOTS;

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
			if (page->taken-- == SGX2_VA_PAGE_SLOTS)
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

void sgx2_va_slot_set_place(u32 slot, u32 place)
{
	struct sgx2_va_page *page = xa_load(&sgx2_va_pages, slot / SGX2_VA_PAGE_SLOTS);

	if (!WARN_ON_ONCE(!page))
		page->place[slot % SGX2_VA_PAGE_SLOTS] = place;
}

u32 sgx2_va_slot_place(u32 slot)
{
	struct sgx2_va_page *page = xa_load(&sgx2_va_pages, slot / SGX2_VA_PAGE_SLOTS);

	return WARN_ON_ONCE(!page) ? 0 : page->place[slot % SGX2_VA_PAGE_SLOTS];
}

void *sgx2_va_slot_address(u32 slot)
{
	struct sgx2_va_page *page = xa_load(&sgx2_va_pages, slot / SGX2_VA_PAGE_SLOTS);

	if (WARN_ON_ONCE(!page))
		return NULL;
	return sgx2_epc_address(page->epc) + slot % SGX2_VA_PAGE_SLOTS * sizeof(u64);
}

void sgx2_va_slot_restore(u32 slot)
{
	struct sgx2_va_page *page = xa_load(&sgx2_va_pages, slot / SGX2_VA_PAGE_SLOTS);

	if (WARN_ON_ONCE(!page))
		return;
	/* Another task may have restored the page first; its EPA makes this one fault. */
	sgx2_va_page_epa(page);
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
