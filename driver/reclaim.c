// SPDX-License-Identifier: GPL-2.0
/*
 * The reclaimer chooses the pages to be evicted. This file also has its thread, ksgx2d, and the
 * functions that wait for a free EPC page.
 *
 * The choice is made by a clock over the resident pages of all chunks. The driver keeps no list of
 * pages, and no pointer from an EPC page to its owner: both would cost memory for every EPC page.
 * The clock hand moves over the pages of one chunk after the other, in the order in which the
 * chunks got their first page. Accessed bits are read and cleared where the hand moves, and nowhere
 * else.
 *
 * Each page has a credit: the number of passes of the hand that it survives without an access. If
 * the page was accessed since the last pass, its credit is set to SGX2_CREDIT_USED, or to the
 * larger SGX2_CREDIT_HOT if it still had credit. If the page was not accessed, it loses one unit,
 * and is evicted if it has none left. So a page that is accessed repeatedly survives several passes
 * without an access. A stream of pages that are accessed once each does not evict it, however fast
 * the stream moves the hand.
 *
 * If a whole pass has freed nothing, each page loses twice as much credit in the next pass. The
 * last pass spares no page.
 *
 * ksgx2d first removes the pages that were valid before the module was loaded. Then it keeps a few
 * EPC pages free.
 */
#include <linux/bitmap.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include "enclave.h"
#include "epc.h"
#include "lru.h"
#include "paging.h"
#include "pte.h"
#include "reclaim.h"
#include "secs.h"

/* Credit of a page that was accessed once, and of one that was accessed while it had credit. */
#define SGX2_CREDIT_USED 4U
#define SGX2_CREDIT_HOT 15U

static struct task_struct *sgx2_thread;

/**
 * struct sgx2_clock - the clock while it examines one chunk
 *
 * Belongs to the task that reclaims.
 */
struct sgx2_clock {
	/** @chunk: the chunk, whose mutex is held. */
	struct sgx2_chunk *chunk;
	/** @pass: number of passes that the call has made over all chunks. */
	unsigned int pass;
	/** @want: maximum number of bits to set in @victims. */
	unsigned int want;
	/** @count: number of bits set in @victims. */
	unsigned int count;
	/** @victims: a bit for each page that is to be evicted. */
	DECLARE_BITMAP(victims, SGX2_CHUNK_PAGES);
};

/* Updates the credit of a page that the hand passes. Returns whether the page is spared. */
static bool sgx2_clock_spares(struct sgx2_page *page, bool accessed, unsigned int pass)
{
	unsigned int credit = sgx2_page_credit(page), price = 1U << pass;

	if (pass == SGX2_CLOCK_PASSES - 1)
		return false;
	if (accessed) {
		sgx2_page_set_credit(page, credit ? SGX2_CREDIT_HOT : SGX2_CREDIT_USED);
		return true;
	}
	if (credit < price)
		return false;
	sgx2_page_set_credit(page, credit - price);
	return true;
}

/*
 * Moves the hand over a window of pages, or to the first page that would be a victim too many. The
 * Accessed bits of the whole window are cleared by then, so accessed pages behind that page still
 * get their credit.
 */
static void sgx2_clock_window(struct sgx2_clock *clock) __must_hold(&clock->chunk->lock)
{
	struct sgx2_chunk *chunk = clock->chunk;
	unsigned int first = chunk->clock_hand,
		     last = min(first + SGX2_CLOCK_WINDOW_PAGES, SGX2_CHUNK_PAGES), i;
	DECLARE_BITMAP(young, SGX2_CLOCK_WINDOW_PAGES);
	bool looked = false, known = true;
	unsigned int stop = last;

	for (i = first; i < last; i++) {
		struct sgx2_page *page = &chunk->page[i];

		if (page->state != SGX2_RESIDENT)
			continue;
		if (!looked)
			known = sgx2_pte_age(chunk, first, last - first, young);
		looked = true;
		/* If some page tables could not be read, the page is spared without a credit. */
		if (!known && clock->pass < SGX2_CLOCK_PASSES - 1)
			continue;
		if (stop < last && !test_bit(i - first, young))
			continue;
		if (sgx2_clock_spares(page, test_bit(i - first, young), clock->pass))
			continue;
		if (clock->count == clock->want) {
			stop = min(stop, i);
			continue;
		}
		__set_bit(i, clock->victims);
		clock->count++;
	}
	chunk->clock_hand = stop;
}

/* Begins, prolongs or ends the pause of an enclave whose owner cannot be charged. */
static void sgx2_reclaim_backoff(struct sgx2_enclave *enclave, bool refused)
{
	unsigned int backoff = READ_ONCE(enclave->backoff);

	if (!refused) {
		if (backoff)
			WRITE_ONCE(enclave->backoff, 0);
		return;
	}
	backoff = clamp_t(unsigned int, 2 * backoff, SGX2_BACKOFF_MIN_JIFFIES,
			  SGX2_BACKOFF_MAX_JIFFIES);
	WRITE_ONCE(enclave->backoff, backoff);
	WRITE_ONCE(enclave->evict_after, jiffies + backoff);
}

/* Evicts pages of one chunk, and the SECS if no page of the enclave is left in the EPC. */
static unsigned long sgx2_reclaim_chunk(struct sgx2_chunk *chunk, unsigned int want,
					unsigned int pass)
{
	struct sgx2_clock clock = { .chunk = chunk, .pass = pass, .want = want };
	struct sgx2_enclave *enclave = chunk->enclave;
	unsigned long done = 0;
	bool refused = false;

	if (mutex_trylock(&chunk->lock)) {
		while (clock.count < want && chunk->clock_hand < SGX2_CHUNK_PAGES)
			sgx2_clock_window(&clock);
		if (chunk->clock_hand == SGX2_CHUNK_PAGES)
			chunk->clock_hand = 0;
		else
			sgx2_lru_return(chunk);
		if (clock.count) {
			done = sgx2_chunk_evict(chunk, clock.victims, &refused);
			sgx2_reclaim_backoff(enclave, refused);
		}
		mutex_unlock(&chunk->lock);
	}
	if (!atomic_read(&enclave->pins))
		done += sgx2_secs_evict(enclave);
	return done;
}

/* Evicts SECSs without pins, some of which belong to enclaves without a chunk on the list. */
static unsigned long sgx2_reclaim_secs(void)
{
	struct sgx2_enclave *enclave;
	unsigned long done = 0;
	unsigned int i;

	for (i = 0; i < SGX2_EVICT_SECS && (enclave = sgx2_lru_take_secs()); i++) {
		done += sgx2_secs_evict(enclave);
		sgx2_enclave_put(enclave);
	}
	return done;
}

unsigned long sgx2_reclaim(unsigned int want)
{
	unsigned long done = sgx2_reclaim_secs(), seen = 0, visited = 0, length, pass;
	struct sgx2_chunk *chunk;

	while (done < want && !signal_pending(current) && !freezing(current)) {
		chunk = sgx2_lru_take(&length);
		if (!length)
			break;
		pass = min(seen++ / length, SGX2_CLOCK_PASSES - 1UL);
		if (chunk) {
			done += sgx2_reclaim_chunk(chunk,
						   clamp_t(unsigned int, want - done,
							   SGX2_EVICT_MIN_PAGES,
							   SGX2_EVICT_MAX_PAGES),
						   pass);
			sgx2_enclave_put(chunk->enclave);
			visited++;
		}
		/* The last pass is over, or all enclaves are in a pause. */
		if (seen >= SGX2_CLOCK_PASSES * length || (seen >= length && !visited))
			break;
		cond_resched();
	}
	return done;
}

/* Sleeps for a while; returns what is left of the time, 0, or an error for a signal. */
static long sgx2_reclaim_sleep(bool interruptible)
{
	if (interruptible)
		return wait_event_interruptible_timeout(sgx2_epc_free_wait, sgx2_epc_has_room(),
							SGX2_ROOM_WAIT_JIFFIES);
	return wait_event_killable_timeout(sgx2_epc_free_wait, sgx2_epc_has_room(),
					   SGX2_ROOM_WAIT_JIFFIES);
}

int sgx2_reclaim_wait(unsigned int count, bool interruptible)
{
	unsigned int state = interruptible ? TASK_INTERRUPTIBLE : TASK_KILLABLE, waits = 0;
	long ret;

	while (!sgx2_epc_has_room()) {
		if (signal_pending_state(state, current))
			return -EINTR;
		if (sgx2_reclaim(min(count, SGX2_RECLAIM_PAGES)))
			continue;
		wake_up(&sgx2_epc_low_wait);
		ret = sgx2_reclaim_sleep(interruptible);
		if (ret < 0)
			return -EINTR;
		/* All pages belong to enclaves before EINIT, of which none can be evicted. */
		if (!ret && sgx2_epc_sanitized() && !sgx2_lru_any() && ++waits == SGX2_ROOM_WAITS)
			return -ENOMEM;
	}
	return 0;
}

int sgx2_reclaim_try(unsigned int count)
{
	unsigned int tries;

	for (tries = 0; tries < SGX2_ROOM_TRIES && !sgx2_epc_has_room(); tries++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		wake_up(&sgx2_epc_low_wait);
		sgx2_reclaim(min(count, SGX2_RECLAIM_PAGES));
	}
	return sgx2_epc_has_room() ? 0 : -EAGAIN;
}

/* Sleeps after a run that evicted nothing, longer than the last time; returns for how long. */
static int sgx2_thread_idle(int last)
{
	int idle = clamp(2 * last, SGX2_IDLE_MIN_JIFFIES, SGX2_IDLE_MAX_JIFFIES);

	wait_event_freezable_timeout(sgx2_epc_low_wait, kthread_should_stop(), idle);
	return idle;
}

static int sgx2_thread_run(void *unused)
{
	int idle = 0;

	set_freezable();
	sgx2_epc_sanitize();
	while (!kthread_should_stop()) {
		wait_event_freezable(sgx2_epc_low_wait,
				     kthread_should_stop() ||
					     (sgx2_epc_is_low() && sgx2_lru_any()));
		while (!kthread_should_stop() && sgx2_lru_any() && !sgx2_epc_is_plenty()) {
			if (sgx2_reclaim(SGX2_RECLAIM_PAGES))
				idle = 0;
			else
				idle = sgx2_thread_idle(idle);
			try_to_freeze();
			cond_resched();
		}
	}
	return 0;
}

int sgx2_reclaim_init(void)
{
	sgx2_thread = kthread_run(sgx2_thread_run, NULL, "ksgx2d");
	return PTR_ERR_OR_ZERO(sgx2_thread);
}

void sgx2_reclaim_exit(void)
{
	kthread_stop(sgx2_thread);
}
