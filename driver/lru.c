// SPDX-License-Identifier: GPL-2.0
/* The reclaimer's lists: chunks with resident pages, and enclaves whose SECS has no pins. */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include "enclave_types.h"
#include "lru.h"

/* Protects both lists. No lock is taken inside of it. */
static DEFINE_SPINLOCK(sgx2_lru_lock);
/* Chunks with resident pages, in the order in which the clock examines them. */
static LIST_HEAD(sgx2_lru);
/* Length of that list; written under sgx2_lru_lock, read without it as a hint. */
static unsigned long sgx2_lru_length;
/* Enclaves whose SECS lost its last pin, since they may have no chunk on the other list. */
static LIST_HEAD(sgx2_lru_secs);

void sgx2_lru_add(struct sgx2_chunk *chunk)
{
	guard(spinlock)(&sgx2_lru_lock);
	if (!list_empty(&chunk->lru))
		return;
	list_add_tail(&chunk->lru, &sgx2_lru);
	sgx2_lru_length++;
}

void sgx2_lru_del(struct sgx2_chunk *chunk)
{
	guard(spinlock)(&sgx2_lru_lock);
	if (list_empty(&chunk->lru))
		return;
	list_del_init(&chunk->lru);
	sgx2_lru_length--;
}

struct sgx2_chunk *sgx2_lru_take(unsigned long *length)
{
	struct sgx2_chunk *chunk;

	guard(spinlock)(&sgx2_lru_lock);
	*length = sgx2_lru_length;
	chunk = list_first_entry_or_null(&sgx2_lru, struct sgx2_chunk, lru);
	if (!chunk)
		return NULL;
	list_move_tail(&chunk->lru, &sgx2_lru);
	if (time_before(jiffies, READ_ONCE(chunk->enclave->evict_after)))
		return NULL;
	/* The task that frees the enclave removes the chunk from the list. */
	return kref_get_unless_zero(&chunk->enclave->ref) ? chunk : NULL;
}

void sgx2_lru_return(struct sgx2_chunk *chunk)
{
	guard(spinlock)(&sgx2_lru_lock);
	if (!list_empty(&chunk->lru))
		list_move(&chunk->lru, &sgx2_lru);
}

void sgx2_lru_add_secs(struct sgx2_enclave *enclave)
{
	guard(spinlock)(&sgx2_lru_lock);
	if (list_empty(&enclave->lru))
		list_add_tail(&enclave->lru, &sgx2_lru_secs);
}

void sgx2_lru_del_secs(struct sgx2_enclave *enclave)
{
	guard(spinlock)(&sgx2_lru_lock);
	list_del_init(&enclave->lru);
}

struct sgx2_enclave *sgx2_lru_take_secs(void)
{
	struct sgx2_enclave *enclave;

	guard(spinlock)(&sgx2_lru_lock);
	enclave = list_first_entry_or_null(&sgx2_lru_secs, struct sgx2_enclave, lru);
	if (!enclave)
		return NULL;
	list_del_init(&enclave->lru);
	return kref_get_unless_zero(&enclave->ref) ? enclave : NULL;
}

bool sgx2_lru_any(void)
{
	return READ_ONCE(sgx2_lru_length) || !list_empty_careful(&sgx2_lru_secs);
}
