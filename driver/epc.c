// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of the EPC: which are free, on which node, and who waits for one.
 *
 * Each section has a list of its free pages, by number, in 4 bytes a page. How many are free in all
 * is counted before a page is taken and after it is put back, so whoever has been given a count
 * finds as many on the lists.
 *
 * A kernel thread, ksgx2d, first makes every page invalid, since a kernel before this one, or the
 * driver before, may have left valid ones. Pages are free as soon as they are clean, so the first
 * enclaves do not wait for the last page. Then it keeps a few pages free, by eviction.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/freezer.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include "encls.h"
#include "epc.h"
#include "hw.h"
#include "lru.h"
#include "paging.h"
#include "reclaim.h"

/* In place of the next free page: the list ends, the page is in use, the page is lost. */
#define SGX2_NEXT_END ((u32)~0)
#define SGX2_NEXT_USED ((u32)~1)
#define SGX2_NEXT_LOST ((u32)~2)

/*
 * Pages that ksgx2d tries to have free, at least and once it has begun; and those kept for eviction
 * itself.
 */
#define SGX2_LOW_MAX 24UL
#define SGX2_RESERVE_MAX 16UL
#define SGX2_RESERVE_MIN 2UL

/*
 * How many pages are evicted at once, how long a waiter sleeps before it looks again, and how often
 * it does with no hope.
 */
#define SGX2_WANT 16
#define SGX2_WAIT (HZ / 10)
#define SGX2_HOPELESS 10
/* How long ksgx2d sleeps when nothing could be evicted: doubled from the one to the other. */
#define SGX2_IDLE_MIN (HZ / 50)
#define SGX2_IDLE_MAX (HZ / 4)
/* How often room is made for a caller that does not wait. */
#define SGX2_TRIES 8
/* How often the lists are gone round for pages that must be on them. */
#define SGX2_PASSES 1000

/**
 * struct sgx2_section - one contiguous piece of EPC
 */
struct sgx2_section {
	/** @lock: for @next, @head, @poison and @poisoned, a leaf. */
	spinlock_t lock;
	/** @head: first free page. */
	u32 head;
	/** @next: for each free page the next one; what SGX2_NEXT_* say for others. */
	u32 *next;
	/**
	 * @poison: a bit for each page, set if memory of the page is damaged. Written under @lock,
	 * and never cleared.
	 */
	unsigned long *poison;
	/** @poisoned: whether a bit of @poison is set; written under @lock. */
	bool poisoned;
	/** @pages: how many there are; constant. */
	u32 pages;
	/** @node: of NUMA; constant. */
	int node;
} ____cacheline_aligned;

/* Constant once sgx2_epc_init() is done, but for what the locks in them protect. */
static struct sgx2_section sgx2_sections[SGX2_MAX_SECTIONS];
static unsigned int sgx2_section_count;
void *sgx2_epc_mapped[SGX2_MAX_SECTIONS];
unsigned long sgx2_epc_first_pfn[SGX2_MAX_SECTIONS];
/* For each node the sections, nearest first. */
static u8 (*sgx2_order)[SGX2_MAX_SECTIONS];

static unsigned long sgx2_total, sgx2_reserve, sgx2_low, sgx2_high;
static atomic_long_t sgx2_free = ATOMIC_LONG_INIT(0);
static atomic_long_t sgx2_lost = ATOMIC_LONG_INIT(0);

static struct task_struct *sgx2_thread;
static bool sgx2_sanitized;
static DECLARE_WAIT_QUEUE_HEAD(sgx2_thread_wait);
static DECLARE_WAIT_QUEUE_HEAD(sgx2_page_wait);

static struct sgx2_section *sgx2_epc_section(sgx2_epc_t page)
{
	return &sgx2_sections[page >> SGX2_EPC_BITS];
}

void sgx2_epc_counts(struct sgx2_epc_counts *counts)
{
	counts->total = sgx2_total;
	counts->free = atomic_long_read(&sgx2_free);
	counts->lost = atomic_long_read(&sgx2_lost);
}

static bool sgx2_section_poisoned(struct sgx2_section *section, u32 number)
{
	return unlikely(READ_ONCE(section->poisoned)) && test_bit(number, section->poison);
}

bool sgx2_epc_poisoned(sgx2_epc_t page)
{
	return sgx2_section_poisoned(sgx2_epc_section(page), page & SGX2_EPC_MASK);
}

/* Mark one page; return whether the page was not marked before. */
static bool sgx2_page_poison(struct sgx2_section *section, u32 number)
{
	guard(spinlock)(&section->lock);
	WRITE_ONCE(section->poisoned, true);
	return !test_and_set_bit(number, section->poison);
}

/* Mark the pages of one section that have a page frame from @first to @last. */
static unsigned long sgx2_section_poison(struct sgx2_section *section, u64 first, u64 last)
{
	u64 base = sgx2_epc_first_pfn[section - sgx2_sections], pfn;
	unsigned long marked = 0;

	last = min(last, base + section->pages - 1);
	for (pfn = max(first, base); pfn <= last; pfn++) {
		marked += sgx2_page_poison(section, pfn - base);
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
	return marked;
}

/*
 * Take at most @count pages off the section's list. Poisoned ones are lost from then on, and are
 * counted in @lost; return the number of the others, which go to @page.
 */
static unsigned int sgx2_section_take(struct sgx2_section *section, sgx2_epc_t *page,
				      unsigned int count, unsigned int *lost)
{
	u32 name = (section - sgx2_sections) << SGX2_EPC_BITS;
	unsigned int taken = 0;

	guard(spinlock)(&section->lock);
	for (; count && section->head != SGX2_NEXT_END; count--) {
		u32 number = section->head;

		section->head = section->next[number];
		if (sgx2_section_poisoned(section, number)) {
			WRITE_ONCE(section->next[number], SGX2_NEXT_LOST);
			++*lost;
			continue;
		}
		section->next[number] = SGX2_NEXT_USED;
		page[taken++] = name | number;
	}
	return taken;
}

/*
 * So many pages become ours to take from the lists; 0 if the class has to leave those that there
 * are.
 */
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
	if (free - count < sgx2_low && wq_has_sleeper(&sgx2_thread_wait))
		wake_up(&sgx2_thread_wait);
	return count;
}

/*
 * Take @count pages that were claimed off the lists. Poisoned ones are lost, and are counted in
 * @lost; return the number of the others.
 */
static unsigned int sgx2_epc_take(sgx2_epc_t *page, unsigned int count, unsigned int *lost)
{
	const u8 *order = sgx2_order[numa_node_id()];
	unsigned int pass, i, done = 0;

	/*
	 * What was claimed is on the lists, but maybe on one that we had been at when it came
	 * there, while somebody else took from the one that we go to: then we go round again.
	 */
	for (pass = 0; done + *lost < count && pass < SGX2_PASSES; pass++) {
		for (i = 0; i < sgx2_section_count && done + *lost < count; i++)
			done += sgx2_section_take(&sgx2_sections[order[i]], page + done,
						  count - done - *lost, lost);
	}
	if (WARN_ON_ONCE(done + *lost < count))
		atomic_long_add(count - done - *lost, &sgx2_free);
	return done;
}

unsigned int sgx2_epc_alloc(sgx2_epc_t *page, unsigned int count, enum sgx2_epc_class class)
{
	unsigned int lost, done = 0;

	/* Pages that turned out to be poisoned are replaced, as far as there are others. */
	do {
		lost = 0;
		done += sgx2_epc_take(page + done, sgx2_epc_claim(count - done, class), &lost);
		if (unlikely(lost))
			atomic_long_add(lost, &sgx2_lost);
	} while (unlikely(lost));
	return done;
}

/**
 * struct sgx2_chain - pages of one section that are about to be free, linked as its list is
 *
 * On the stack of one task, whose pages they are, so that the list's lock is taken once for all.
 */
struct sgx2_chain {
	/** @section: its number; SGX2_NO_SECTION while there is no page. */
	u32 section;
	/** @first: of the pages. */
	u32 first;
	/** @last: of them. */
	u32 last;
	/** @count: how many there are. */
	unsigned int count;
	/** @next: sgx2_section::next of that section. */
	u32 *next;
};

#define SGX2_NO_SECTION ((u32)~0)

/* They go to the section's list. By value: the loops that make a chain have it in registers. */
static noinline void sgx2_chain_splice(struct sgx2_chain chain)
{
	struct sgx2_section *section = &sgx2_sections[chain.section];

	scoped_guard(spinlock, &section->lock) {
		chain.next[chain.last] = section->head;
		section->head = chain.first;
	}
	atomic_long_add(chain.count, &sgx2_free);
	if (wq_has_sleeper(&sgx2_page_wait))
		wake_up(&sgx2_page_wait);
}

static __always_inline void sgx2_chain_end(struct sgx2_chain *chain)
{
	if (chain->section != SGX2_NO_SECTION)
		sgx2_chain_splice(*chain);
	chain->section = SGX2_NO_SECTION;
}

/* One more, which must be marked as @was; whether it is. */
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

/* EREMOVE of a page that was not let go the first time; whether it is now, or else it is lost. */
static noinline bool sgx2_epc_remove_again(sgx2_epc_t page)
{
	int ret = sgx2_retry(sgx2_eremove(sgx2_epc_address(page)));

	if (!WARN_ONCE(ret, "EREMOVE answers %#x: the page is lost\n", ret))
		return true;
	sgx2_epc_section(page)->next[page & SGX2_EPC_MASK] = SGX2_NEXT_LOST;
	atomic_long_inc(&sgx2_lost);
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

static bool sgx2_epc_short(void)
{
	return atomic_long_read(&sgx2_free) < sgx2_low && sgx2_lru_any();
}

static bool sgx2_epc_room(void)
{
	return atomic_long_read(&sgx2_free) > sgx2_reserve;
}

/* For a while; what is left of the time, 0, or an error for a signal. */
static long sgx2_epc_sleep(bool interruptible)
{
	if (interruptible)
		return wait_event_interruptible_timeout(sgx2_page_wait, sgx2_epc_room(), SGX2_WAIT);
	return wait_event_killable_timeout(sgx2_page_wait, sgx2_epc_room(), SGX2_WAIT);
}

int sgx2_epc_wait(unsigned int count, bool interruptible)
{
	unsigned int state = interruptible ? TASK_INTERRUPTIBLE : TASK_KILLABLE, hopeless = 0;
	long ret;

	while (!sgx2_epc_room()) {
		if (signal_pending_state(state, current))
			return -EINTR;
		if (sgx2_reclaim(min_t(unsigned int, count, SGX2_WANT)))
			continue;
		wake_up(&sgx2_thread_wait);
		ret = sgx2_epc_sleep(interruptible);
		if (ret < 0)
			return -EINTR;
		/*
		 * What is left is in enclaves that are being built, of which nothing can be
		 * evicted.
		 */
		if (!ret && READ_ONCE(sgx2_sanitized) && !sgx2_lru_any() &&
		    ++hopeless == SGX2_HOPELESS)
			return -ENOMEM;
	}
	return 0;
}

int sgx2_epc_try(unsigned int count)
{
	unsigned int tries;

	for (tries = 0; tries < SGX2_TRIES && !sgx2_epc_room(); tries++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		wake_up(&sgx2_thread_wait);
		sgx2_reclaim(min_t(unsigned int, count, SGX2_WANT));
	}
	return sgx2_epc_room() ? 0 : -EAGAIN;
}

int sgx2_epc_wait_clean(void)
{
	return wait_event_interruptible(sgx2_page_wait, READ_ONCE(sgx2_sanitized)) ? -EINTR : 0;
}

/*
 * One pass over a section: EREMOVE of each page that is not known to be clean. How many are left.
 */
static u32 sgx2_sanitize_pass(struct sgx2_section *section)
{
	u32 name = (section - sgx2_sections) << SGX2_EPC_BITS, number, left = 0;
	struct sgx2_chain chain = { .section = SGX2_NO_SECTION };
	sgx2_epc_t page;

	for (number = 0; number < section->pages && !kthread_should_stop(); number++) {
		/*
		 * Nobody but us touches a page that has never been free. A poisoned one stays lost,
		 * also if it was clean and has been found on the list meanwhile.
		 */
		if (READ_ONCE(section->next[number]) != SGX2_NEXT_LOST ||
		    sgx2_section_poisoned(section, number))
			continue;
		page = name | number;
		if (sgx2_retry(sgx2_eremove(sgx2_epc_address(page))))
			left++;
		else if (sgx2_chain_add(&chain, page, SGX2_NEXT_LOST))
			atomic_long_dec(&sgx2_lost);
		sgx2_chain_end(&chain);
		try_to_freeze();
		cond_resched_tasks_rcu_qs();
	}
	return left;
}

/*
 * A SECS goes only after its children, which may be in any section, so there are two passes over
 * all.
 */
static void sgx2_sanitize(void)
{
	unsigned int pass, i;
	u32 left = 0;

	for (pass = 0; pass < 2; pass++) {
		left = 0;
		for (i = 0; i < sgx2_section_count; i++)
			left += sgx2_sanitize_pass(&sgx2_sections[i]);
		if (!left || kthread_should_stop())
			break;
	}
	if (left && !kthread_should_stop())
		pr_warn("%u EPC pages cannot be cleaned and are not used\n", left);
	WRITE_ONCE(sgx2_sanitized, true);
	wake_up_all(&sgx2_page_wait);
}

/* Sleeps, since all that could go is in use or its owner cannot pay; returns how long. */
static int sgx2_epc_idle(int last)
{
	int idle = clamp(2 * last, SGX2_IDLE_MIN, SGX2_IDLE_MAX);

	wait_event_freezable_timeout(sgx2_thread_wait, kthread_should_stop(), idle);
	return idle;
}

static int sgx2_epc_thread(void *unused)
{
	int idle = 0;

	set_freezable();
	sgx2_sanitize();
	while (!kthread_should_stop()) {
		wait_event_freezable(sgx2_thread_wait, kthread_should_stop() || sgx2_epc_short());
		while (!kthread_should_stop() && sgx2_lru_any() &&
		       atomic_long_read(&sgx2_free) < sgx2_high) {
			if (sgx2_reclaim(SGX2_WANT))
				idle = 0;
			else
				idle = sgx2_epc_idle(idle);
			try_to_freeze();
			cond_resched();
		}
	}
	return 0;
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
	section->poisoned = false;
	section->next = vmalloc_node(section->pages * sizeof(u32), section->node);
	section->poison = vzalloc_node(BITS_TO_LONGS(section->pages) * sizeof(long), section->node);
	sgx2_epc_mapped[i] = memremap(base, (u64)section->pages << PAGE_SHIFT, MEMREMAP_WB);
	if (!section->next || !section->poison || !sgx2_epc_mapped[i]) {
		sgx2_section_exit(i);
		return -ENOMEM;
	}
	for (number = 0; number < section->pages; number++)
		section->next[number] = SGX2_NEXT_LOST;
	pr_info("%u pages of EPC at %#llx, on node %d\n", section->pages, base, section->node);
	atomic_long_add(section->pages, &sgx2_lost);
	sgx2_total += section->pages;
	sgx2_section_count++;
	return 0;
}

/* Insertion by distance: sections are few. */
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
	kfree(sgx2_order);
}

static int sgx2_sections_init(void)
{
	unsigned int i;
	int node, ret;

	sgx2_total = 0;
	atomic_long_set(&sgx2_free, 0);
	atomic_long_set(&sgx2_lost, 0);
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
	sgx2_reserve = clamp(sgx2_total / 16, SGX2_RESERVE_MIN, SGX2_RESERVE_MAX);
	sgx2_low = sgx2_reserve + min(sgx2_total / 8, SGX2_LOW_MAX);
	sgx2_high = sgx2_low + min(sgx2_total / 8, SGX2_LOW_MAX);
	return 0;
}

int sgx2_epc_init(void)
{
	int ret;

	ret = sgx2_sections_init();
	if (ret)
		return ret;
	sgx2_thread = kthread_run(sgx2_epc_thread, NULL, "ksgx2d");
	if (IS_ERR(sgx2_thread)) {
		sgx2_sections_exit();
		return PTR_ERR(sgx2_thread);
	}
	return 0;
}

void sgx2_epc_exit(void)
{
	kthread_stop(sgx2_thread);
	/* A page that is in use belongs to an enclave, and that keeps the module. */
	WARN_ON(atomic_long_read(&sgx2_free) + atomic_long_read(&sgx2_lost) != sgx2_total);
	sgx2_sections_exit();
}
