// SPDX-License-Identifier: GPL-2.0
/* The list of chunks that the clock goes round, and of SECSs that nothing pins. */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include "enclave.h"
#include "lru.h"

/* A leaf lock: nothing is taken inside it. */
static DEFINE_SPINLOCK(sgx2_lru_lock);
/* Chunks with resident pages, the next to be looked at first; under sgx2_lru_lock. */
static LIST_HEAD(sgx2_lru);
/* The length of that list; written under sgx2_lru_lock. */
static unsigned long sgx2_lru_length;
/* Enclaves whose SECS had its last pin removed outside of an eviction; under sgx2_lru_lock. */
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
	/* A chunk whose enclave is being torn down leaves the list by itself. */
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
