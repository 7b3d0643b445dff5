// SPDX-License-Identifier: GPL-2.0
/*
 * Paging: eviction of pages to the backing file, and their reload.
 *
 * A batch of pages of one chunk is evicted together: one zap for each run of pages, EBLOCK of
 * each page, one ETRACK, EWB of each page. EWB returns SGX_NOT_TRACKED (11) if a thread that was
 * inside at ETRACK is still inside. Only then CPUs are interrupted, and once for the batch.
 *
 * A blocked page can only be written by EWB. So everything that may be refused, the place in the
 * file and the Version Array slot, is allocated before EBLOCK.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include "backing.h"
#include "chunk.h"
#include "enclave.h"
#include "encls.h"
#include "paging.h"
#include "pte.h"
#include "secs.h"
#include "trace.h"
#include "track.h"
#include "va.h"

/**
 * struct sgx2_victim - a page that is being evicted
 *
 * Belongs to the task that evicts the batch.
 */
struct sgx2_victim {
	/** @backing: its place in the file. */
	struct sgx2_backing backing;
	/** @slot: its Version Array slot. */
	u32 slot;
	/** @index: its index in the chunk. */
	u16 index;
	/** @blocked: EBLOCK has succeeded. */
	bool blocked;
};

/**
 * struct sgx2_batch - the pages of one chunk that are evicted together
 *
 * Belongs to the task that evicts it.
 */
struct sgx2_batch {
	/** @count: number of pages in @victim. */
	unsigned int count;
	/** @interrupted: an IPI broadcast has been made since ETRACK. */
	bool interrupted;
	/** @victim: the pages, by ascending index. */
	struct sgx2_victim victim[SGX2_EVICT_MAX_PAGES];
};

/* Reloads a page into an EPC page, which the caller keeps if this fails. The SECS is pinned. */
static int sgx2_page_reload_to(struct sgx2_chunk *chunk, unsigned int index, sgx2_epc_t epc)
	__must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	u32 slot = chunk->page[index].where;
	struct sgx2_backing backing;
	int ret;

	ret = sgx2_backing_get(enclave, slot, &backing);
	if (ret)
		return ret;
	ret = sgx2_backing_eldu(epc, &backing, sgx2_chunk_address(chunk, index),
				sgx2_secs_address(enclave), sgx2_va_slot_address(slot));
	if (ret) {
		sgx2_backing_put(&backing, false);
		trace_sgx2_encls(enclave, SGX2_LEAF_ELDU, sgx2_chunk_address(chunk, index), ret);
		sgx2_enclave_mark_dead(enclave);
		return -EIO;
	}
	sgx2_chunk_set_state(chunk, index, SGX2_RESIDENT, epc);
	sgx2_va_slot_put(&enclave->va, slot);
	sgx2_backing_release(enclave, &backing);
	sgx2_enclave_count(enclave, SGX2_COUNT_LOADS);
	return 0;
}

/* Counts the evicted pages of a window. */
static unsigned int sgx2_window_evicted(struct sgx2_chunk *chunk, const struct sgx2_window *window)
	__must_hold(&chunk->lock)
{
	unsigned int index, count = 0;

	for (index = window->first; index < window->end; index++)
		count += chunk->page[index].state == SGX2_EVICTED;
	return count;
}

void sgx2_window_reload(struct sgx2_chunk *chunk, unsigned int index, struct sgx2_window *window)
{
	bool up = index == window->first;
	sgx2_epc_t epc[SGX2_RELOAD_AROUND_PAGES];
	unsigned int want, left, at = index;

	lockdep_assert_held(&chunk->lock);
	want = min(sgx2_window_evicted(chunk, window), SGX2_RELOAD_AROUND_PAGES);
	if (!want || sgx2_secs_pin(chunk->enclave))
		return;
	left = sgx2_epc_alloc(epc, want, SGX2_EPC_ORDINARY);
	for (; at >= window->first && at < window->end; at += up ? 1 : -1) {
		enum sgx2_page_state state = chunk->page[at].state;

		if (state == SGX2_RESIDENT)
			continue;
		if (state == SGX2_ABSENT || !left || sgx2_page_reload_to(chunk, at, epc[left - 1]))
			break;
		left--;
	}
	sgx2_epc_free_all(epc, left);
	sgx2_secs_unpin(chunk->enclave);
	/* An index below 0 has wrapped to a large value. */
	if (up)
		window->end = at;
	else
		window->first = at + 1;
}

int sgx2_page_reload(struct sgx2_chunk *chunk, unsigned int index)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, index);
	sgx2_epc_t epc;
	int ret;

	if (page->state == SGX2_ABSENT)
		return -EFAULT;
	ret = sgx2_secs_pin(chunk->enclave);
	if (ret)
		return ret;
	ret = -EAGAIN;
	if (sgx2_epc_alloc(&epc, 1, SGX2_EPC_ORDINARY)) {
		ret = sgx2_page_reload_to(chunk, index, epc);
		if (ret)
			sgx2_epc_free(epc);
	}
	sgx2_secs_unpin(chunk->enclave);
	return ret;
}

/*
 * Allocates the places and slots for a batch. The place is made first, since the memory cgroup of
 * the owner may refuse it. In the other order, enclaves that cannot be charged would take one EPC
 * page after the other from the reserve, for slots that they do not use.
 */
static void sgx2_batch_fill(struct sgx2_batch *batch, struct sgx2_chunk *chunk,
			    const unsigned long *victims, bool *refused) __must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	const struct sgx2_backing *last = NULL;
	unsigned int index;

	for_each_set_bit(index, victims, SGX2_CHUNK_PAGES) {
		struct sgx2_victim *victim = &batch->victim[batch->count];

		if (batch->count == SGX2_EVICT_MAX_PAGES)
			break;
		if (WARN_ON_ONCE(chunk->page[index].state != SGX2_RESIDENT))
			continue;
		/* EWB would read it, and the kernel survives no machine check there. */
		if (sgx2_epc_poisoned(chunk->page[index].where))
			continue;
		if (sgx2_backing_make(enclave, last, &victim->backing)) {
			*refused = true;
			break;
		}
		if (sgx2_va_slot_get(&enclave->va, &victim->slot)) {
			sgx2_backing_release(enclave, &victim->backing);
			break;
		}
		sgx2_va_slot_set_place(victim->slot, victim->backing.place);
		victim->index = index;
		victim->blocked = false;
		last = &victim->backing;
		batch->count++;
	}
}

static void sgx2_batch_zap(struct sgx2_batch *batch, struct sgx2_chunk *chunk)
	__must_hold(&chunk->lock)
{
	unsigned int i, first;

	for (i = 0; i < batch->count; i++) {
		first = i;
		while (i + 1 < batch->count &&
		       batch->victim[i + 1].index == batch->victim[i].index + 1)
			i++;
		sgx2_pte_zap(chunk->enclave,
			     chunk->number * SGX2_CHUNK_PAGES + batch->victim[first].index,
			     i - first + 1);
	}
}

/* Runs EBLOCK of each page and one ETRACK. A page that cannot be blocked stays resident. */
static int sgx2_batch_block(struct sgx2_batch *batch, struct sgx2_chunk *chunk)
	__must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	unsigned int i;
	int ret;

	guard(mutex)(&enclave->track_lock);
	for (i = 0; i < batch->count; i++) {
		struct sgx2_victim *victim = &batch->victim[i];

		ret = sgx2_eblock(sgx2_epc_address(chunk->page[victim->index].where));
		/* A leaf on another CPU uses the page. */
		if (ret == SGX2_PAGE_CONFLICT)
			continue;
		if (ret && ret != SGX2_BLKSTATE) {
			trace_sgx2_encls(enclave, SGX2_LEAF_EBLOCK,
					 sgx2_chunk_address(chunk, victim->index), ret);
			sgx2_enclave_mark_dead(enclave);
			return -EIO;
		}
		victim->blocked = true;
	}
	return sgx2_track_start(enclave);
}

static int sgx2_victim_write(struct sgx2_batch *batch, struct sgx2_victim *victim,
			     struct sgx2_chunk *chunk) __must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	sgx2_epc_t epc = chunk->page[victim->index].where;
	int ret;

	ret = sgx2_backing_ewb(epc, &victim->backing, victim->slot);
	if (ret == SGX2_NOT_TRACKED && !batch->interrupted) {
		scoped_guard(mutex, &enclave->track_lock)
			sgx2_track_broadcast_ipi(enclave);
		batch->interrupted = true;
		ret = sgx2_backing_ewb(epc, &victim->backing, victim->slot);
	}
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_EWB, sgx2_chunk_address(chunk, victim->index),
				 ret);
		sgx2_enclave_mark_dead(enclave);
		return -EIO;
	}
	sgx2_chunk_set_state(chunk, victim->index, SGX2_EVICTED, victim->slot);
	sgx2_epc_free(epc);
	sgx2_enclave_count(enclave, SGX2_COUNT_EVICTIONS);
	return 0;
}

static unsigned int sgx2_batch_write(struct sgx2_batch *batch, struct sgx2_chunk *chunk)
	__must_hold(&chunk->lock)
{
	unsigned int i, done = 0;
	bool written, dead;

	sgx2_batch_zap(batch, chunk);
	dead = sgx2_batch_block(batch, chunk);
	for (i = 0; i < batch->count; i++) {
		struct sgx2_victim *victim = &batch->victim[i];

		written = false;
		if (!dead && victim->blocked) {
			dead = sgx2_victim_write(batch, victim, chunk);
			written = !dead;
		}
		if (written) {
			sgx2_backing_put(&victim->backing, true);
			done++;
			continue;
		}
		sgx2_backing_release(chunk->enclave, &victim->backing);
		sgx2_va_slot_put(&chunk->enclave->va, victim->slot);
	}
	return done;
}

/*
 * Removes the resident pages of a dead enclave: they are useless, and its program may keep the file
 * open for long. After a loss of the EPC, EREMOVE of each succeeds. A page whose EREMOVE fails
 * stays until the enclave is freed.
 */
static unsigned int sgx2_chunk_drop(struct sgx2_chunk *chunk) __must_hold(&chunk->lock)
{
	unsigned int index, done = 0;

	/* A fault may have installed a PTE after sgx2_enclave_mark_dead() zapped. */
	sgx2_pte_zap(chunk->enclave, chunk->number * SGX2_CHUNK_PAGES, SGX2_CHUNK_PAGES);
	for (index = 0; index < SGX2_CHUNK_PAGES; index++) {
		struct sgx2_page *page = sgx2_chunk_page(chunk, index);
		sgx2_epc_t epc = page->where;

		if (page->state != SGX2_RESIDENT || sgx2_retry(sgx2_eremove(sgx2_epc_address(epc))))
			continue;
		sgx2_chunk_remove_pages(chunk, index, 1, &epc);
		sgx2_epc_free(epc);
		done++;
	}
	return done;
}

unsigned int sgx2_chunk_evict(struct sgx2_chunk *chunk, const unsigned long *victims, bool *refused)
{
	unsigned int done = 0;

	lockdep_assert_held(&chunk->lock);
	if (!chunk->resident)
		return 0;
	if (sgx2_enclave_is(chunk->enclave, SGX2_DEAD))
		return sgx2_chunk_drop(chunk);
	struct sgx2_batch *batch __free(kfree) = kmalloc(sizeof(*batch), GFP_KERNEL);

	if (!batch)
		return 0;
	batch->count = 0;
	batch->interrupted = false;
	sgx2_batch_fill(batch, chunk, victims, refused);
	if (batch->count)
		done = sgx2_batch_write(batch, chunk);
	/* EBLOCK may have been the first leaf to find that the EPC was lost. */
	if (sgx2_enclave_is(chunk->enclave, SGX2_DEAD))
		done += sgx2_chunk_drop(chunk);
	trace_sgx2_evict(chunk, batch->count, done);
	return done;
}
