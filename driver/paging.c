// SPDX-License-Identifier: GPL-2.0
/*
 * Eviction of pages to the backing file, and their return.
 *
 * A batch of pages of one chunk is evicted together: one zap for each run of neighbours, EBLOCK for
 * each page, one ETRACK, EWB for each page. EWB itself says whether a thread that was inside at
 * ETRACK is still there (11), so CPUs are interrupted only when it does, and once for the batch.
 * All that can fail for want of memory, the place in the file and the slot, is had before EBLOCK,
 * since a blocked page has no way back but through EWB.
 */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include "backing.h"
#include "enclave.h"
#include "encls.h"
#include "paging.h"
#include "trace.h"
#include "track.h"
#include "va.h"

/**
 * struct sgx2_victim - a page on its way out
 *
 * Belongs to the function that evicts the batch, as the batch does.
 */
struct sgx2_victim {
	/** @backing: its place in the file. */
	struct sgx2_backing backing;
	/** @slot: of a Version Array. */
	u32 slot;
	/** @index: in the chunk. */
	u16 index;
	/** @blocked: EBLOCK was done. */
	bool blocked;
};

/**
 * struct sgx2_batch - the pages of one chunk that are evicted together
 */
struct sgx2_batch {
	/** @count: of @victim. */
	unsigned int count;
	/** @interrupted: a round of interrupts has been made since ETRACK. */
	bool interrupted;
	/** @victim: in the order of the clock hand. */
	struct sgx2_victim victim[SGX2_BATCH];
};

int sgx2_page_ewb(sgx2_epc_t epc, struct sgx2_backing *backing, void *slot)
{
	struct sgx_pageinfo info = {};
	void *data, *pcmd;
	int ret;

	data = kmap_local_page(backing->data);
	pcmd = kmap_local_page(backing->pcmd);
	info.contents = (unsigned long)data;
	info.metadata = (unsigned long)pcmd + backing->offset;
	ret = sgx2_retry(sgx2_ewb(&info, sgx2_epc_address(epc), slot));
	kunmap_local(pcmd);
	kunmap_local(data);
	return ret;
}

int sgx2_page_eldu(sgx2_epc_t epc, struct sgx2_backing *backing, unsigned long address, void *secs,
		   void *slot)
{
	struct sgx_pageinfo info = {};
	void *data, *pcmd;
	int ret;

	data = kmap_local_page(backing->data);
	pcmd = kmap_local_page(backing->pcmd);
	info.addr = address;
	info.contents = (unsigned long)data;
	info.metadata = (unsigned long)pcmd + backing->offset;
	info.secs = (unsigned long)secs;
	ret = sgx2_retry(sgx2_eldu(&info, sgx2_epc_address(epc), slot));
	kunmap_local(pcmd);
	kunmap_local(data);
	return ret;
}

/*
 * With the SECS pinned and an EPC page to put it into, which is the page's own afterwards unless
 * this fails.
 */
static int sgx2_page_load_to(struct sgx2_chunk *chunk, unsigned int index, sgx2_epc_t epc)
	__must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	u32 slot = chunk->page[index].where;
	struct sgx2_backing backing;
	int ret;

	ret = sgx2_backing_get(enclave, chunk, index, &backing);
	if (ret)
		return ret;
	ret = sgx2_page_eldu(epc, &backing, sgx2_chunk_address(chunk, index),
			     sgx2_secs_address(enclave), sgx2_va_slot_address(slot));
	sgx2_backing_put(&backing, false);
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_ELDU, sgx2_chunk_address(chunk, index), ret);
		sgx2_enclave_lost(enclave);
		return -EIO;
	}
	sgx2_chunk_moved(chunk, index, SGX2_RESIDENT, epc);
	sgx2_va_slot_put(&enclave->va, slot);
	sgx2_backing_drop(enclave, chunk, index);
	sgx2_enclave_count(enclave, SGX2_COUNT_LOADS);
	return 0;
}

int sgx2_page_fetch(struct sgx2_chunk *chunk, unsigned int index)
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
		ret = sgx2_page_load_to(chunk, index, epc);
		if (ret)
			sgx2_epc_free(epc);
	}
	sgx2_secs_unpin(chunk->enclave);
	return ret;
}

/*
 * Gets all that may not be had later: first the place in the file, which the owner's cgroup may
 * refuse, then the slot. The other order would let enclaves that cannot be charged take one EPC
 * page after the other out of the reserve, for slots that they do not use.
 */
static void sgx2_batch_fill(struct sgx2_batch *batch, struct sgx2_chunk *chunk,
			    const unsigned long *victims, bool *refused) __must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	unsigned int index;

	for_each_set_bit(index, victims, SGX2_CHUNK_PAGES) {
		struct sgx2_victim *victim = &batch->victim[batch->count];

		if (batch->count == SGX2_BATCH)
			break;
		if (WARN_ON_ONCE(chunk->page[index].state != SGX2_RESIDENT))
			continue;
		/* EWB would read it, and the kernel survives no machine check there. */
		if (sgx2_epc_poisoned(chunk->page[index].where))
			continue;
		if (sgx2_backing_make(enclave, chunk, index, &victim->backing)) {
			*refused = true;
			break;
		}
		if (sgx2_va_slot_get(&enclave->va, &victim->slot)) {
			sgx2_backing_cancel(enclave, chunk, index, &victim->backing);
			break;
		}
		victim->index = index;
		victim->blocked = false;
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
		sgx2_enclave_zap(chunk->enclave,
				 chunk->number * SGX2_CHUNK_PAGES + batch->victim[first].index,
				 i - first + 1);
	}
}

/* EBLOCK of each and one ETRACK. What cannot be blocked now stays, and its next use is a fault. */
static int sgx2_batch_block(struct sgx2_batch *batch, struct sgx2_chunk *chunk)
	__must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	unsigned int i;
	int ret;

	guard(mutex)(&enclave->track);
	for (i = 0; i < batch->count; i++) {
		struct sgx2_victim *victim = &batch->victim[i];

		ret = sgx2_eblock(sgx2_epc_address(chunk->page[victim->index].where));
		/* Another leaf is at it: so it is in use, and stays. */
		if (ret == SGX2_PAGE_CONFLICT)
			continue;
		if (ret && ret != SGX2_BLKSTATE) {
			trace_sgx2_encls(enclave, SGX2_LEAF_EBLOCK,
					 sgx2_chunk_address(chunk, victim->index), ret);
			sgx2_enclave_lost(enclave);
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
	void *slot = sgx2_va_slot_address(victim->slot);
	int ret;

	ret = sgx2_page_ewb(epc, &victim->backing, slot);
	if (ret == SGX2_NOT_TRACKED && !batch->interrupted) {
		scoped_guard(mutex, &enclave->track) sgx2_track_interrupt(enclave);
		batch->interrupted = true;
		ret = sgx2_page_ewb(epc, &victim->backing, slot);
	}
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_EWB, sgx2_chunk_address(chunk, victim->index),
				 ret);
		sgx2_enclave_lost(enclave);
		return -EIO;
	}
	sgx2_chunk_moved(chunk, victim->index, SGX2_EVICTED, victim->slot);
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
		sgx2_backing_cancel(chunk->enclave, chunk, victim->index, &victim->backing);
		sgx2_va_slot_put(&chunk->enclave->va, victim->slot);
	}
	return done;
}

/*
 * Pages of a dead enclave are of no use to it, and its program may be in no hurry to close it.
 * After a loss of the EPC the processor lets all of them go; if it does not, they stay until the
 * end.
 */
static unsigned int sgx2_chunk_drop(struct sgx2_chunk *chunk) __must_hold(&chunk->lock)
{
	unsigned int index, done = 0;

	/* A fault that began before its death may have come after the zap of then. */
	sgx2_enclave_zap(chunk->enclave, chunk->number * SGX2_CHUNK_PAGES, SGX2_CHUNK_PAGES);
	for (index = 0; index < SGX2_CHUNK_PAGES; index++) {
		struct sgx2_page *page = sgx2_chunk_page(chunk, index);
		sgx2_epc_t epc = page->where;

		if (page->state != SGX2_RESIDENT || sgx2_retry(sgx2_eremove(sgx2_epc_address(epc))))
			continue;
		sgx2_chunk_forget(chunk, index, 1, &epc);
		sgx2_epc_free(epc);
		done++;
	}
	return done;
}

unsigned int sgx2_chunk_evict(struct sgx2_chunk *chunk, const unsigned long *victims,
			      bool *refused)
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
	/* EBLOCK may have been the first to find that there is nothing to evict any more. */
	if (sgx2_enclave_is(chunk->enclave, SGX2_DEAD))
		done += sgx2_chunk_drop(chunk);
	trace_sgx2_evict(chunk, batch->count, done);
	return done;
}
