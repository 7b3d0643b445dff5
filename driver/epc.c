// SPDX-License-Identifier: GPL-2.0
/*
 * EPC pages: sections, lists of free pages, and the removal of pages from before the module.
 *
 * Each section has a list of its free pages, by number, in 4 bytes a page. The number of free pages
 * of all sections is decremented before a page is taken from a list, and incremented after a page
 * is put there. So a task that has claimed a number of pages finds as many on the lists.
 *
 * A kernel or a driver that ran before may have left valid pages. ksgx2d removes them first; see
 * sgx2_epc_sanitize(). Until then they count as leaked.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/freezer.h>
#include <linux/io.h>
#include <linux/jump_label.h>
#include <linux/kthread.h>
#include <linux/numa.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include "encls.h"
#include "epc.h"
#include "hw.h"

/*
 * Values of sgx2_section::next that name no free page: the end of the list; a page in use; a page
 * that is not used because it may be valid, cannot be removed, or is poisoned.
 */
#define SGX2_NEXT_END ((u32)~0)
#define SGX2_NEXT_USED ((u32)~1)
#define SGX2_NEXT_LEAKED ((u32)~2)

/**
 * struct sgx2_section - one contiguous range of EPC
 */
struct sgx2_section {
	/** @lock: protects @head and @next; no lock is taken inside of it. */
	spinlock_t lock;
	/** @head: number of the first free page. */
	u32 head;
	/** @next: for each free page the number of the next one, else SGX2_NEXT_*. */
	u32 *next;
	/** @poison: a bit for each page with damaged memory; atomic, never cleared. */
	unsigned long *poison;
	/** @pages: number of pages; constant. */
	u32 pages;
	/** @node: NUMA node; constant. */
	int node;
} ____cacheline_aligned;

/* Constant after sgx2_epc_init(), but for what the locks protect. */
static struct sgx2_section sgx2_sections[SGX2_EPC_SECTIONS];
static unsigned int sgx2_section_count;
void *sgx2_epc_mapped[SGX2_EPC_SECTIONS];
unsigned long sgx2_epc_first_pfn[SGX2_EPC_SECTIONS];
/* For each node the sections, nearest first. */
static u8 (*sgx2_order)[SGX2_EPC_SECTIONS];

/* Pages in all, and the marks of free pages; constant after sgx2_epc_init(). */
static unsigned long sgx2_total, sgx2_reserve, sgx2_low, sgx2_high;
static atomic_long_t sgx2_free = ATOMIC_LONG_INIT(0);
static atomic_long_t sgx2_leaked = ATOMIC_LONG_INIT(0);
/* A bit of sgx2_section::poison is set; until then no allocation tests for such bits. */
static DEFINE_STATIC_KEY_FALSE(sgx2_poisoned);
/* sgx2_epc_sanitize() is done; written once, READ_ONCE. */
static bool sgx2_sanitized;

DECLARE_WAIT_QUEUE_HEAD(sgx2_epc_free_wait);
DECLARE_WAIT_QUEUE_HEAD(sgx2_epc_low_wait);

static struct sgx2_section *sgx2_epc_section(sgx2_epc_t page)
{
	return &sgx2_sections[page >> SGX2_EPC_BITS];
}

void sgx2_epc_counts(struct sgx2_epc_counts *counts)
{
	counts->total = sgx2_total;
	counts->free = atomic_long_read(&sgx2_free);
	counts->leaked = atomic_long_read(&sgx2_leaked);
}

bool sgx2_epc_has_room(void)
{
	return atomic_long_read(&sgx2_free) > sgx2_reserve;
}

bool sgx2_epc_is_low(void)
{
	return atomic_long_read(&sgx2_free) < sgx2_low;
}

bool sgx2_epc_is_plenty(void)
{
	return atomic_long_read(&sgx2_free) >= sgx2_high;
}

static bool sgx2_section_poisoned(struct sgx2_section *section, u32 number)
{
	return static_branch_unlikely(&sgx2_poisoned) && test_bit(number, section->poison);
}

bool sgx2_epc_poisoned(sgx2_epc_t page)
{
	return sgx2_section_poisoned(sgx2_epc_section(page), page & SGX2_EPC_MASK);
}

/* Marks the pages of a section whose page frames are in [first, last]; returns how many are new. */
static unsigned long sgx2_section_poison(struct sgx2_section *section, u64 first, u64 last)
{
	u64 base = sgx2_epc_first_pfn[section - sgx2_sections], pfn;
	unsigned long marked = 0;

	last = min(last, base + section->pages - 1);
	for (pfn = max(first, base); pfn <= last; pfn++) {
		marked += !test_and_set_bit(pfn - base, section->poison);
		cond_resched();
	}
	return marked;
}

unsigned long sgx2_epc_poison(u64 first, u64 last)
{
	unsigned long marked = 0;
	unsigned int i;

	for (i = 0; i < sgx2_section_count; i++)
		marked += sgx2_section_poison(&sgx2_sections[i], first >> PAGE_SHIFT,
					      last >> PAGE_SHIFT);
	if (marked)
		static_branch_enable(&sgx2_poisoned);
	return marked;
}

/* Takes up to @count pages from the list of a section; returns how many. */
static unsigned int sgx2_section_take(struct sgx2_section *section, sgx2_epc_t *page,
				      unsigned int count)
{
	u32 name = (section - sgx2_sections) << SGX2_EPC_BITS;
	unsigned int i;

	guard(spinlock)(&section->lock);
	for (i = 0; i < count && section->head != SGX2_NEXT_END; i++) {
		u32 number = section->head;

		section->head = section->next[number];
		section->next[number] = SGX2_NEXT_USED;
		page[i] = name | number;
	}
	return i;
}

/* Claims up to @count of the free pages that @class may take; returns how many. */
static unsigned int sgx2_epc_claim(unsigned int count, enum sgx2_epc_class class)
{
	long floor = class == SGX2_EPC_RECLAIM	? 0 :
		     class == SGX2_EPC_ORDINARY ? sgx2_reserve :
						  sgx2_high;
	long free = atomic_long_read(&sgx2_free);

	do {
		if (free <= floor)
			return 0;
		count = min_t(long, count, free - floor);
	} while (!atomic_long_try_cmpxchg(&sgx2_free, &free, free - count));
	if (free - count < sgx2_low && wq_has_sleeper(&sgx2_epc_low_wait))
		wake_up(&sgx2_epc_low_wait);
	return count;
}

/* Claims up to @count pages and takes them from the lists; returns how many. */
static __always_inline unsigned int sgx2_epc_take(sgx2_epc_t *page, unsigned int count,
						  enum sgx2_epc_class class)
{
	const u8 *order = sgx2_order[numa_node_id()];
	unsigned int pass, i, done = 0;

	count = sgx2_epc_claim(count, class);
	/*
	 * The claimed pages are on the lists. A page may be put on a list that was examined before,
	 * while another task takes one from a list that is examined next: then there is another
	 * pass.
	 */
	for (pass = 0; done < count && pass < SGX2_EPC_CLAIM_PASSES; pass++) {
		for (i = 0; i < sgx2_section_count && done < count; i++)
			done += sgx2_section_take(&sgx2_sections[order[i]], page + done,
						  count - done);
	}
	if (WARN_ON_ONCE(done < count))
		atomic_long_add(count - done, &sgx2_free);
	return done;
}

/* Takes a page of the caller's out of use until the module is loaded again. */
static void sgx2_epc_leak(sgx2_epc_t page)
{
	WRITE_ONCE(sgx2_epc_section(page)->next[page & SGX2_EPC_MASK], SGX2_NEXT_LEAKED);
	atomic_long_inc(&sgx2_leaked);
}

/* Leaks the poisoned ones of @count pages; returns how many pages are left in @page. */
static unsigned int sgx2_epc_leak_poisoned(sgx2_epc_t *page, unsigned int count)
{
	unsigned int i, left = 0;

	for (i = 0; i < count; i++) {
		if (sgx2_epc_poisoned(page[i]))
			sgx2_epc_leak(page[i]);
		else
			page[left++] = page[i];
	}
	return left;
}

/* Allocates pages that are not poisoned. Takes further ones in place of those that are. */
static noinline unsigned int sgx2_epc_alloc_good(sgx2_epc_t *page, unsigned int count,
						 enum sgx2_epc_class class)
{
	unsigned int done = 0, taken;

	do {
		taken = sgx2_epc_take(page + done, count - done, class);
		done += sgx2_epc_leak_poisoned(page + done, taken);
	} while (taken && done < count);
	return done;
}

unsigned int sgx2_epc_alloc(sgx2_epc_t *page, unsigned int count, enum sgx2_epc_class class)
{
	if (static_branch_unlikely(&sgx2_poisoned))
		return sgx2_epc_alloc_good(page, count, class);
	return sgx2_epc_take(page, count, class);
}

/**
 * struct sgx2_chain - pages of one section that are about to be free, linked as in its list
 *
 * Belongs to the task that frees the pages, so that it takes the lock of the list once for all.
 */
struct sgx2_chain {
	/** @section: number of the section; SGX2_NO_SECTION while there is no page. */
	u32 section;
	/** @first: number of the first page. */
	u32 first;
	/** @last: number of the last page. */
	u32 last;
	/** @count: number of pages. */
	unsigned int count;
	/** @next: sgx2_section::next of the section. */
	u32 *next;
};

#define SGX2_NO_SECTION ((u32)~0)

/*
 * Puts a chain on the list of its section. The chain is passed by value, so that the compiler keeps
 * it in registers in the loops that make one.
 */
static noinline void sgx2_chain_splice(struct sgx2_chain chain)
{
	struct sgx2_section *section = &sgx2_sections[chain.section];

	scoped_guard(spinlock, &section->lock) {
		chain.next[chain.last] = section->head;
		section->head = chain.first;
	}
	atomic_long_add(chain.count, &sgx2_free);
	if (wq_has_sleeper(&sgx2_epc_free_wait))
		wake_up(&sgx2_epc_free_wait);
}

static __always_inline void sgx2_chain_end(struct sgx2_chain *chain)
{
	if (chain->section != SGX2_NO_SECTION)
		sgx2_chain_splice(*chain);
	chain->section = SGX2_NO_SECTION;
}

/* Adds a page to a chain. Returns false, with a warning, if sgx2_section::next was not @was. */
static __always_inline bool sgx2_chain_add(struct sgx2_chain *chain, sgx2_epc_t page, u32 was)
{
	u32 section = page >> SGX2_EPC_BITS, number = page & SGX2_EPC_MASK;

	if (unlikely(chain->section != section)) {
		sgx2_chain_end(chain);
		chain->next = sgx2_sections[section].next;
	}
	if (WARN_ON_ONCE(chain->next[number] != was))
		return false;
	if (unlikely(chain->section != section)) {
		chain->section = section;
		chain->last = number;
		chain->count = 0;
	}
	chain->next[number] = chain->first;
	chain->first = number;
	chain->count++;
	return true;
}

void sgx2_epc_free(sgx2_epc_t page)
{
	sgx2_epc_free_all(&page, 1);
}

void sgx2_epc_free_all(const sgx2_epc_t *page, unsigned int count)
{
	struct sgx2_chain chain = { .section = SGX2_NO_SECTION };
	unsigned int i;

	for (i = 0; i < count; i++)
		sgx2_chain_add(&chain, page[i], SGX2_NEXT_USED);
	sgx2_chain_end(&chain);
}

/* Runs EREMOVE again after it failed. Returns false if the page is leaked. */
static noinline bool sgx2_epc_remove_again(sgx2_epc_t page)
{
	int ret = sgx2_retry(sgx2_eremove(sgx2_epc_address(page)));

	if (!WARN_ONCE(ret, "EREMOVE returned %#x: the page is leaked\n", ret))
		return true;
	sgx2_epc_leak(page);
	return false;
}

void sgx2_epc_remove_all(const sgx2_epc_t *page, unsigned int count)
{
	struct sgx2_chain chain = { .section = SGX2_NO_SECTION };
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (likely(!sgx2_eremove(sgx2_epc_address(page[i]))) ||
		    sgx2_epc_remove_again(page[i]))
			sgx2_chain_add(&chain, page[i], SGX2_NEXT_USED);
	}
	sgx2_chain_end(&chain);
}

void sgx2_epc_remove(sgx2_epc_t page)
{
	sgx2_epc_remove_all(&page, 1);
}

bool sgx2_epc_sanitized(void)
{
	return READ_ONCE(sgx2_sanitized);
}

int sgx2_epc_wait_clean(void)
{
	return wait_event_interruptible(sgx2_epc_free_wait, sgx2_epc_sanitized()) ? -EINTR : 0;
}

/* Runs EREMOVE of each page of a section that may be valid; returns how many cannot be removed. */
static u32 sgx2_sanitize_pass(struct sgx2_section *section)
{
	u32 name = (section - sgx2_sections) << SGX2_EPC_BITS, number, left = 0;
	struct sgx2_chain chain = { .section = SGX2_NO_SECTION };
	sgx2_epc_t page;

	for (number = 0; number < section->pages && !kthread_should_stop(); number++) {
		/* Other tasks use only pages that have been free. A poisoned page stays leaked. */
		if (READ_ONCE(section->next[number]) != SGX2_NEXT_LEAKED ||
		    sgx2_section_poisoned(section, number))
			continue;
		page = name | number;
		if (sgx2_retry(sgx2_eremove(sgx2_epc_address(page))))
			left++;
		else if (sgx2_chain_add(&chain, page, SGX2_NEXT_LEAKED))
			atomic_long_dec(&sgx2_leaked);
		sgx2_chain_end(&chain);
		try_to_freeze();
		cond_resched_tasks_rcu_qs();
	}
	return left;
}

void sgx2_epc_sanitize(void)
{
	unsigned int pass, i;
	u32 left = 0;

	/* A SECS can be removed only after its children, which may be in any section. */
	for (pass = 0; pass < 2; pass++) {
		left = 0;
		for (i = 0; i < sgx2_section_count; i++)
			left += sgx2_sanitize_pass(&sgx2_sections[i]);
		if (!left || kthread_should_stop())
			break;
	}
	if (left && !kthread_should_stop())
		pr_warn("%u EPC pages cannot be removed and are not used: reset the machine to get them back\n",
			left);
	WRITE_ONCE(sgx2_sanitized, true);
	wake_up_all(&sgx2_epc_free_wait);
}

static void sgx2_section_exit(unsigned int i)
{
	if (sgx2_epc_mapped[i])
		memunmap(sgx2_epc_mapped[i]);
	vfree(sgx2_sections[i].poison);
	vfree(sgx2_sections[i].next);
}

static int sgx2_section_init(unsigned int i)
{
	struct sgx2_section *section = &sgx2_sections[i];
	u64 base = sgx2_hw.section[i].base, size = sgx2_hw.section[i].size;
	u32 number;

	section->node = numa_map_to_online_node(phys_to_target_node(base));
	if (section->node == NUMA_NO_NODE)
		section->node = first_online_node;
	section->pages = min_t(u64, size >> PAGE_SHIFT, SGX2_EPC_MASK);
	sgx2_epc_first_pfn[i] = base >> PAGE_SHIFT;
	section->head = SGX2_NEXT_END;
	spin_lock_init(&section->lock);
	section->next = vmalloc_node(section->pages * sizeof(u32), section->node);
	section->poison = vzalloc_node(BITS_TO_LONGS(section->pages) * sizeof(long), section->node);
	sgx2_epc_mapped[i] = memremap(base, (u64)section->pages << PAGE_SHIFT, MEMREMAP_WB);
	if (!section->next || !section->poison || !sgx2_epc_mapped[i]) {
		sgx2_section_exit(i);
		return -ENOMEM;
	}
	for (number = 0; number < section->pages; number++)
		section->next[number] = SGX2_NEXT_LEAKED;
	pr_info("%u pages of EPC at %#llx, on node %d\n", section->pages, base, section->node);
	atomic_long_add(section->pages, &sgx2_leaked);
	sgx2_total += section->pages;
	sgx2_section_count++;
	return 0;
}

/* Sorts the sections by distance from a node: an insertion sort, since sections are few. */
static void sgx2_order_node(int node)
{
	unsigned int i, at;

	for (i = 0; i < sgx2_section_count; i++) {
		for (at = i; at; at--) {
			u8 before = sgx2_order[node][at - 1];

			if (node_distance(node, sgx2_sections[before].node) <=
			    node_distance(node, sgx2_sections[i].node))
				break;
			sgx2_order[node][at] = before;
		}
		sgx2_order[node][at] = i;
	}
}

static void sgx2_sections_exit(void)
{
	while (sgx2_section_count)
		sgx2_section_exit(--sgx2_section_count);
	static_branch_disable(&sgx2_poisoned);
	kfree(sgx2_order);
}

int sgx2_epc_init(void)
{
	unsigned int i;
	int node, ret;

	sgx2_total = 0;
	atomic_long_set(&sgx2_free, 0);
	atomic_long_set(&sgx2_leaked, 0);
	WRITE_ONCE(sgx2_sanitized, false);
	sgx2_order = kcalloc(nr_node_ids, sizeof(*sgx2_order), GFP_KERNEL);
	if (!sgx2_order)
		return -ENOMEM;
	for (i = 0; i < sgx2_hw.sections; i++) {
		ret = sgx2_section_init(i);
		if (ret) {
			sgx2_sections_exit();
			return ret;
		}
	}
	for_each_node(node)
		sgx2_order_node(node);
	sgx2_reserve =
		clamp(sgx2_total / 16, SGX2_EPC_RESERVE_MIN_PAGES, SGX2_EPC_RESERVE_MAX_PAGES);
	sgx2_low = sgx2_reserve + min(sgx2_total / 8, SGX2_EPC_LOW_MAX_PAGES);
	sgx2_high = sgx2_low + min(sgx2_total / 8, SGX2_EPC_LOW_MAX_PAGES);
	return 0;
}

void sgx2_epc_exit(void)
{
	/* A page in use belongs to an enclave, whose file holds a reference to the module. */
	WARN_ON(atomic_long_read(&sgx2_free) + atomic_long_read(&sgx2_leaked) != sgx2_total);
	sgx2_sections_exit();
}
