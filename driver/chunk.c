// SPDX-License-Identifier: GPL-2.0
/*
 * A chunk from its creation to its end, and its pages between absent, resident and evicted.
 *
 * States of a page. A page is ABSENT, RESIDENT in the EPC, or EVICTED to the backing file. A task
 * that holds the mutex of the chunk may change the state:
 *
 *   ABSENT -> RESIDENT    EADD before EINIT, EAUG after it               sgx2_chunk_add_page()
 *   RESIDENT -> EVICTED   EBLOCK, ETRACK, EWB by the reclaimer           sgx2_chunk_set_state()
 *   EVICTED -> RESIDENT   ELDU by a fault, a call, or a debugger         sgx2_chunk_set_state()
 *   RESIDENT -> ABSENT    EREMOVE of an accepted TRIM page               sgx2_chunk_remove_pages()
 *
 * Every page is removed with the last reference to the enclave, whatever its state.
 *
 * PTEs. A PTE of a page exists only while the page is RESIDENT, and is installed under the chunk's
 * mutex. A task that holds the mutex and has zapped the page therefore knows that no PTE exists,
 * and that none can be installed. A zap without the mutex would allow a fault between the zap and
 * EREMOVE to install a PTE to an EPC page that is about to belong to another enclave. See pte.c.
 *
 * Waiting. The mutex is held over EWB and over reads and writes of the backing file. It is never
 * held while a task waits for a free EPC page, for mmap_lock, or for user memory: a function that
 * finds no free EPC page returns -EAGAIN, and its caller drops the mutex and calls
 * sgx2_reclaim_wait(). A fault that finds the mutex taken drops mmap_lock or the VMA lock before it
 * waits.
 *
 * Creation. A chunk is published with its first page, so a call that fails leaves no memory behind.
 * The task that creates a chunk holds sgx2_enclave::chunk_create_lock until the page is added. No
 * other task can create the same chunk meanwhile, so no address is passed to EAUG twice. A task
 * without that lock either finds the chunk, which then stays, or knows that it has no page.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include "chunk.h"
#include "lru.h"

/* Frees a chunk that has no page and is on no list. */
static void sgx2_chunk_destroy(struct sgx2_chunk *chunk)
{
	free_page((unsigned long)chunk->page);
	mutex_destroy(&chunk->lock);
	kfree(chunk);
}

struct sgx2_chunk *sgx2_chunk_create(struct sgx2_enclave *enclave, unsigned long pgoff)
{
	struct sgx2_chunk *chunk;

	lockdep_assert_held(&enclave->chunk_create_lock);
	chunk = kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return ERR_PTR(-ENOMEM);
	chunk->page = (struct sgx2_page *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!chunk->page) {
		kfree(chunk);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&chunk->lock);
	chunk->enclave = enclave;
	chunk->number = pgoff >> SGX2_CHUNK_ORDER;
	chunk->max_prot = VM_ACCESS_FLAGS;
	chunk->unpublished = true;
	INIT_LIST_HEAD(&chunk->lru);
	/* Publishing must not fail once a page has been added. */
	if (xa_reserve(&enclave->chunks, chunk->number, GFP_KERNEL_ACCOUNT)) {
		sgx2_chunk_destroy(chunk);
		return ERR_PTR(-ENOMEM);
	}
	return chunk;
}

void sgx2_chunk_create_done(struct sgx2_chunk *chunk)
{
	struct sgx2_enclave *enclave = chunk->enclave;

	lockdep_assert_held(&enclave->chunk_create_lock);
	if (!chunk->unpublished)
		return;
	xa_release(&enclave->chunks, chunk->number);
	sgx2_chunk_destroy(chunk);
}

/* Publishes a chunk after its first page, so a task that finds the chunk also sees the page. */
static void sgx2_chunk_publish(struct sgx2_chunk *chunk)
{
	struct sgx2_enclave *enclave = chunk->enclave;

	lockdep_assert_held(&enclave->chunk_create_lock);
	chunk->unpublished = false;
	WARN_ON_ONCE(xa_store(&enclave->chunks, chunk->number, chunk, GFP_NOWAIT));
}

void sgx2_chunk_add_page(struct sgx2_chunk *chunk, unsigned int index, sgx2_epc_t where, u8 type,
			 u8 max_prot, u8 flags)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, index);

	if (WARN_ON_ONCE(page->state != SGX2_ABSENT))
		return;
	page->where = where;
	page->type = type;
	page->flags = flags;
	WRITE_ONCE(page->max_prot, max_prot);
	WRITE_ONCE(chunk->max_prot, chunk->max_prot & max_prot);
	/* A reader that sees the state without the mutex sees max_prot, too. */
	smp_store_release(&page->state, SGX2_RESIDENT);
	chunk->present++;
	atomic_inc(&chunk->enclave->pins);
	if (!chunk->resident++)
		sgx2_lru_add(chunk);
	if (unlikely(chunk->unpublished))
		sgx2_chunk_publish(chunk);
}

unsigned int sgx2_chunk_remove_pages(struct sgx2_chunk *chunk, unsigned int first,
				     unsigned int count, sgx2_epc_t *where)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, first);
	unsigned int i;

	for (i = 0; i < count; i++, page++) {
		if (WARN_ON_ONCE(page->state != SGX2_RESIDENT))
			break;
		where[i] = page->where;
		WRITE_ONCE(page->state, SGX2_ABSENT);
		page->where = 0;
	}
	chunk->present -= i;
	chunk->resident -= i;
	if (!chunk->resident)
		sgx2_lru_del(chunk);
	atomic_sub(i, &chunk->enclave->pins);
	return i;
}

void sgx2_chunk_update_max_prot(struct sgx2_chunk *chunk)
{
	u8 max_prot = VM_ACCESS_FLAGS;
	unsigned int i;

	lockdep_assert_held(&chunk->lock);
	if (chunk->max_prot == VM_ACCESS_FLAGS)
		return;
	for (i = 0; i < SGX2_CHUNK_PAGES; i++) {
		if (chunk->page[i].state != SGX2_ABSENT)
			max_prot &= chunk->page[i].max_prot;
	}
	WRITE_ONCE(chunk->max_prot, max_prot);
}

void sgx2_chunk_set_state(struct sgx2_chunk *chunk, unsigned int index, enum sgx2_page_state state,
			  u32 where)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, index);

	if (WARN_ON_ONCE(page->state == SGX2_ABSENT || page->state == state))
		return;
	page->where = where;
	sgx2_page_set_credit(page, 0);
	WRITE_ONCE(page->state, state);
	if (state == SGX2_RESIDENT) {
		atomic_inc(&chunk->enclave->pins);
		if (!chunk->resident++)
			sgx2_lru_add(chunk);
	} else {
		if (!--chunk->resident)
			sgx2_lru_del(chunk);
		atomic_dec(&chunk->enclave->pins);
	}
}

/* Gives back the slots in shared Version Array pages that belong to evicted pages. */
static void sgx2_chunk_drop_slots(struct sgx2_chunk *chunk)
{
	unsigned int i, evicted = chunk->present - chunk->resident;

	for (i = 0; evicted && i < SGX2_CHUNK_PAGES; i++) {
		if (chunk->page[i].state != SGX2_EVICTED)
			continue;
		evicted--;
		if (sgx2_va_slot_shared(chunk->page[i].where))
			sgx2_va_slot_drop(&chunk->enclave->va, chunk->page[i].where);
	}
}

void sgx2_chunk_free(struct sgx2_chunk *chunk)
{
	sgx2_epc_t epc[SGX2_EPC_BATCH_PAGES];
	unsigned int i, count = 0;

	sgx2_chunk_drop_slots(chunk);
	sgx2_lru_del(chunk);
	for (i = 0; chunk->resident && i < SGX2_CHUNK_PAGES; i++) {
		if (chunk->page[i].state != SGX2_RESIDENT)
			continue;
		epc[count++] = chunk->page[i].where;
		if (--chunk->resident && count < SGX2_EPC_BATCH_PAGES)
			continue;
		sgx2_epc_remove_all(epc, count);
		count = 0;
	}
	WARN_ON_ONCE(chunk->resident);
	sgx2_chunk_destroy(chunk);
	cond_resched();
}
