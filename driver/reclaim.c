// SPDX-License-Identifier: GPL-2.0
/*
 * The choice of what is evicted when EPC pages run short: a clock over the chunks that have
 * resident pages.
 *
 * There is no list of pages, and no way from an EPC page back to its owner: both would cost memory
 * for every EPC page. The clock goes round the chunks, and in each round its pages; a page is
 * spared when a PTE of it has been used since the last round, as the Accessed bit tells. What
 * cannot be looked at, because somebody else holds the lock it takes, counts as used in the first
 * round and not in the second.
 */
#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include "enclave.h"
#include "mms.h"
#include "paging.h"
#include "reclaim.h"
#include "track.h"

/* A leaf lock: nothing is taken inside it. */
static DEFINE_SPINLOCK(sgx2_lru_lock);
/* Chunks with resident pages, the next to be looked at first; under sgx2_lru_lock. */
static LIST_HEAD(sgx2_lru);
/* How many they are; under the same. */
static unsigned long sgx2_lru_length;

void sgx2_reclaim_add(struct sgx2_chunk *chunk)
{
	guard(spinlock)(&sgx2_lru_lock);
	if (!list_empty(&chunk->lru))
		return;
	list_add_tail(&chunk->lru, &sgx2_lru);
	sgx2_lru_length++;
}

void sgx2_reclaim_del(struct sgx2_chunk *chunk)
{
	guard(spinlock)(&sgx2_lru_lock);
	if (list_empty(&chunk->lru))
		return;
	list_del_init(&chunk->lru);
	sgx2_lru_length--;
}

bool sgx2_reclaim_possible(void)
{
	return READ_ONCE(sgx2_lru_length);
}

/*
 * The next chunk, which goes to the end of the list, with a reference to its enclave; NULL if there
 * is none that lives.
 */
static struct sgx2_chunk *sgx2_lru_next(unsigned long *length)
{
	struct sgx2_chunk *chunk;
	unsigned long left;

	guard(spinlock)(&sgx2_lru_lock);
	*length = sgx2_lru_length;
	for (left = sgx2_lru_length; left; left--) {
		chunk = list_first_entry(&sgx2_lru, struct sgx2_chunk, lru);
		list_move_tail(&chunk->lru, &sgx2_lru);
		/* One whose enclave is being torn down leaves the list by itself. */
		if (kref_get_unless_zero(&chunk->enclave->ref))
			return chunk;
	}
	return NULL;
}

/* Evicts from one chunk, and its enclave's SECS if that was the last of it. */
static unsigned long sgx2_reclaim_chunk(struct sgx2_chunk *chunk, unsigned int want, bool spare)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	DECLARE_BITMAP(young, SGX2_CHUNK_PAGES);
	struct mem_cgroup *memcg, *old;
	unsigned long done = 0;

	if (spare)
		sgx2_mms_young(chunk, young);
	/*
	 * What the file takes is charged to who has the enclave, not to who happens to need room.
	 */
	memcg = sgx2_mms_memcg(enclave);
	old = set_active_memcg(memcg);
	if (mutex_trylock(&chunk->lock)) {
		done = sgx2_chunk_evict(chunk, want, spare ? young : NULL);
		mutex_unlock(&chunk->lock);
	}
	if (!atomic_read(&enclave->pins))
		done += sgx2_secs_evict(enclave);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	return done;
}

unsigned long sgx2_reclaim(unsigned int want)
{
	unsigned long done = 0, seen = 0, length;
	struct sgx2_chunk *chunk;
	unsigned long now;

	do {
		chunk = sgx2_lru_next(&length);
		if (!chunk)
			break;
		/*
		 * In a chunk that had something the clock goes on; want is not a limit to the
		 * batch, which costs the same.
		 */
		now = sgx2_reclaim_chunk(chunk, max_t(unsigned int, want - done, 16),
					 seen < length);
		sgx2_enclave_put(chunk->enclave);
		done += now;
		seen++;
		cond_resched();
	} while (done < want && seen < 2 * length);
	return done;
}
