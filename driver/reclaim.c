// SPDX-License-Identifier: GPL-2.0
/*
 * The choice of what is evicted when EPC pages run short: a clock over the resident pages of all
 * chunks.
 *
 * The driver keeps no list of pages, and no way from an EPC page back to its owner: both would cost
 * memory for every EPC page. The hand of the clock goes through the pages of one chunk after the
 * other, in the order in which the chunks got their first page. Where it passes, and nowhere else,
 * the Accessed bits are read and cleared.
 *
 * A page has a credit. A page that has been used since the hand passed gets some; a page that has
 * not loses one; a page that has none left is evicted. A page that was used a second time while it
 * still had credit gets the most. So a page that is used again and again survives several rounds in
 * which the hand does not find it used, and a stream of pages that are each used once does not
 * drive it out, however fast the stream moves the hand.
 *
 * When a whole round has freed nothing, the next one takes twice as much credit from each page. The
 * last one spares no page, used or not.
 */
#include <linux/bitmap.h>
#include <linux/freezer.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include "enclave.h"
#include "lru.h"
#include "mms.h"
#include "paging.h"
#include "reclaim.h"
#include "track.h"

/* Credit of a page that was used once, and of one that was used again while it had some. */
#define SGX2_CREDIT_USED 4U
#define SGX2_CREDIT_HOT 15U
/* Rounds of the clock in one call: 1, 2, 4, 8, 16 credits are taken, then no page is spared. */
#define SGX2_ROUNDS 6U
/* The hand advances by so many pages at a time: the Accessed bits of a window are read together. */
#define SGX2_WINDOW 32U
/* How many SECSs without pins are written out before the clock is asked. */
#define SGX2_SECS_BATCH 16U

/* An enclave whose owner cannot pay is left alone for a time that doubles, in jiffies. */
#define SGX2_BACKOFF_MIN (HZ / 20)
#define SGX2_BACKOFF_MAX (2 * HZ)

/**
 * struct sgx2_visit - one stop of the clock at a chunk
 *
 * Belongs to the task that reclaims.
 */
struct sgx2_visit {
	/** @chunk: the chunk, whose mutex is held. */
	struct sgx2_chunk *chunk;
	/** @round: number of rounds that this call has made without freeing enough. */
	unsigned int round;
	/** @want: the most bits to set in @victims. */
	unsigned int want;
	/** @count: bits set in @victims. */
	unsigned int count;
	/** @victims: pages that are to be evicted. */
	DECLARE_BITMAP(victims, SGX2_CHUNK_PAGES);
};

/* Updates the credit of a page that the hand passes; returns whether the page is spared. */
static bool sgx2_page_spared(struct sgx2_page *page, bool used, unsigned int round)
{
	unsigned int credit = sgx2_page_credit(page), price = 1U << round;

	if (round == SGX2_ROUNDS - 1)
		return false;
	if (used) {
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
 * Accessed bits of the whole window are cleared by then, so a page behind that one still gets its
 * credit.
 */
static void sgx2_visit_window(struct sgx2_visit *visit) __must_hold(&visit->chunk->lock)
{
	struct sgx2_chunk *chunk = visit->chunk;
	unsigned int first = chunk->hand, last = min(first + SGX2_WINDOW, SGX2_CHUNK_PAGES), i;
	DECLARE_BITMAP(young, SGX2_WINDOW);
	bool looked = false, known = true;
	unsigned int stop = last;

	for (i = first; i < last; i++) {
		struct sgx2_page *page = &chunk->page[i];

		if (page->state != SGX2_RESIDENT)
			continue;
		if (!looked)
			known = sgx2_mms_young(chunk, first, last - first, young);
		looked = true;
		/* What cannot be looked at counts as used, but earns nothing. */
		if (!known && visit->round < SGX2_ROUNDS - 1)
			continue;
		if (stop < last && !test_bit(i - first, young))
			continue;
		if (sgx2_page_spared(page, test_bit(i - first, young), visit->round))
			continue;
		if (visit->count == visit->want) {
			stop = min(stop, i);
			continue;
		}
		__set_bit(i, visit->victims);
		visit->count++;
	}
	chunk->hand = stop;
}

/* The owner cannot pay now, or it can again. */
static void sgx2_enclave_refused(struct sgx2_enclave *enclave, bool refused)
{
	unsigned int backoff = READ_ONCE(enclave->backoff);

	if (!refused) {
		if (backoff)
			WRITE_ONCE(enclave->backoff, 0);
		return;
	}
	backoff = clamp_t(unsigned int, 2 * backoff, SGX2_BACKOFF_MIN, SGX2_BACKOFF_MAX);
	WRITE_ONCE(enclave->backoff, backoff);
	WRITE_ONCE(enclave->evict_after, jiffies + backoff);
}

/* Evicts from one chunk, and its enclave's SECS if that was the last of it. */
static unsigned long sgx2_reclaim_chunk(struct sgx2_chunk *chunk, unsigned int want,
					unsigned int round)
{
	struct sgx2_visit visit = { .chunk = chunk, .round = round, .want = want };
	struct sgx2_enclave *enclave = chunk->enclave;
	unsigned long done = 0;
	bool refused = false;

	if (mutex_trylock(&chunk->lock)) {
		while (visit.count < want && chunk->hand < SGX2_CHUNK_PAGES)
			sgx2_visit_window(&visit);
		if (chunk->hand == SGX2_CHUNK_PAGES)
			chunk->hand = 0;
		else
			sgx2_lru_return(chunk);
		if (visit.count) {
			done = sgx2_chunk_evict(chunk, visit.victims, &refused);
			sgx2_enclave_refused(enclave, refused);
		}
		mutex_unlock(&chunk->lock);
	}
	if (!atomic_read(&enclave->pins))
		done += sgx2_secs_evict(enclave);
	return done;
}

/* Evicts SECSs that lost their last pin when no page of theirs was evicted. */
static unsigned long sgx2_reclaim_secs(void)
{
	struct sgx2_enclave *enclave;
	unsigned long done = 0;
	unsigned int i;

	for (i = 0; i < SGX2_SECS_BATCH && (enclave = sgx2_lru_take_secs()); i++) {
		done += sgx2_secs_evict(enclave);
		sgx2_enclave_put(enclave);
	}
	return done;
}

unsigned long sgx2_reclaim(unsigned int want)
{
	unsigned long done = sgx2_reclaim_secs(), seen = 0, visited = 0, length, round;
	struct sgx2_chunk *chunk;

	while (done < want && !signal_pending(current) && !freezing(current)) {
		chunk = sgx2_lru_take(&length);
		if (!length)
			break;
		round = min(seen++ / length, SGX2_ROUNDS - 1UL);
		if (chunk) {
			/*
			 * No less than a few pages: to zap, track and write some together costs
			 * little more than one.
			 */
			done += sgx2_reclaim_chunk(chunk, clamp_t(unsigned int, want - done, 16,
								  SGX2_BATCH),
						   round);
			sgx2_enclave_put(chunk->enclave);
			visited++;
		}
		/* The last round is over, or all of the enclaves are to be left alone for now. */
		if (seen >= SGX2_ROUNDS * length || (seen >= length && !visited))
			break;
		cond_resched();
	}
	return done;
}
