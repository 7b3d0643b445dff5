// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are added after EINIT: EAUG at an access, and ahead of it.
 *
 * A page that EAUG adds is PENDING: only EACCEPT and EACCEPTCOPY can use it, so a page that is
 * added needlessly does no harm to the enclave. Pages are added speculatively only inside the VMA
 * that is accessed, since a runtime may rely on a fault elsewhere, and only while EPC pages are
 * plenty.
 */
#include <linux/fadvise.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sgx2.h>
#include "augment.h"
#include "call.h"
#include "chunk.h"
#include "enclave.h"
#include "encls.h"
#include "fault_around.h"
#include "hw.h"
#include "policy.h"
#include "pte.h"
#include "reclaim.h"
#include "secs.h"
#include "trace.h"

bool sgx2_augment_wanted(struct sgx2_enclave *enclave, unsigned long pgoff)
{
	if (!sgx2_hw.sgx2 || !sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return false;
	if (READ_ONCE(enclave->augment) == SGX_AUGMENT_NEVER)
		return false;
	/* The difference wraps to a large value below ELRANGE. */
	return (pgoff << PAGE_SHIFT) - enclave->base < enclave->size;
}

/**
 * struct sgx2_epc_cache - EPC pages that were allocated ahead of need
 *
 * A task that needs many EPC pages allocates several at once, so that tasks contend less for the
 * lists of free pages. On the stack of one task.
 */
struct sgx2_epc_cache {
	/** @page: the EPC pages. */
	sgx2_epc_t page[SGX2_EPC_BATCH_PAGES];
	/** @count: number of EPC pages in @page. */
	unsigned int count;
};

/* Takes one of the @want pages that the caller needs; returns false if none is free for @class. */
static bool sgx2_epc_cache_take(struct sgx2_epc_cache *cache, sgx2_epc_t *epc, unsigned int want,
				enum sgx2_epc_class class)
{
	if (!cache->count)
		cache->count = sgx2_epc_alloc(cache->page, min(want, SGX2_EPC_BATCH_PAGES), class);
	if (!cache->count)
		return false;
	*epc = cache->page[--cache->count];
	return true;
}

static void sgx2_epc_cache_return(struct sgx2_epc_cache *cache)
{
	sgx2_epc_free_all(cache->page, cache->count);
	cache->count = 0;
}

/* Adds the first of @want pages. The SECS is pinned. */
static int sgx2_augment_page(struct sgx2_chunk *chunk, unsigned int index,
			     struct sgx2_epc_cache *cache, unsigned int want,
			     enum sgx2_epc_class class) __must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	struct sgx_pageinfo info = {
		.addr = sgx2_chunk_address(chunk, index),
		.secs = (unsigned long)sgx2_secs_address(enclave),
	};
	sgx2_epc_t epc;
	int ret;

	if (!sgx2_epc_cache_take(cache, &epc, want, class))
		return -EAGAIN;
	ret = sgx2_retry(sgx2_eaug(&info, sgx2_epc_address(epc)));
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_EAUG, info.addr, ret);
		sgx2_epc_free(epc);
		/* The EPC page is not valid, so #PF means that the SECS is not valid either. */
		if (sgx2_encls_vector(ret) == X86_TRAP_PF)
			sgx2_enclave_mark_dead(enclave);
		return -EIO;
	}
	sgx2_chunk_add_page(chunk, index, epc, SGX_PAGE_TYPE_REG, sgx2_policy_dynamic_prot(enclave),
			    SGX2_PAGE_DYNAMIC);
	return 0;
}

/*
 * Counts adjacent pages, from @index upwards or downwards, that are absent, in the VMA and in
 * ELRANGE; at most @count.
 */
static unsigned int sgx2_fault_around_fit(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
					  unsigned int index, unsigned int count, bool up)
	__must_hold(&chunk->lock)
{
	unsigned long address;
	unsigned int i, at;

	for (i = 1; i < count; i++) {
		at = up ? index + i : index - i;
		/* An index below 0 wraps to a large value. */
		if (at >= SGX2_CHUNK_PAGES || chunk->page[at].state != SGX2_ABSENT)
			break;
		address = sgx2_chunk_address(chunk, at);
		if (address < vma->vm_start || address >= vma->vm_end ||
		    address - chunk->enclave->base >= chunk->enclave->size)
			break;
	}
	return i;
}

int sgx2_augment_fault(struct sgx2_chunk *chunk, struct vm_fault *vmf)
{
	unsigned int limit = READ_ONCE(chunk->enclave->fault_around);
	unsigned int index = vmf->pgoff % SGX2_CHUNK_PAGES, count, done;
	bool up = !sgx2_fault_around_down(&chunk->fault_around, index), walk;
	struct sgx2_epc_cache cache;
	unsigned long far;
	int ret;

	lockdep_assert_held(&chunk->lock);
	cache.count = 0;
	walk = sgx2_pte_walked(chunk, vmf->vma, &chunk->fault_around, index);
	count = sgx2_fault_around_size(&chunk->fault_around, index, walk, limit);
	count = sgx2_fault_around_fit(chunk, vmf->vma, index, count, up);
	ret = sgx2_secs_pin(chunk->enclave);
	if (ret)
		return ret;
	ret = sgx2_augment_page(chunk, index, &cache, 1, SGX2_EPC_ORDINARY);
	for (done = 1; !ret && done < count; done++) {
		if (sgx2_augment_page(chunk, up ? index + done : index - done, &cache, count - done,
				      SGX2_EPC_SPARE))
			break;
	}
	sgx2_epc_cache_return(&cache);
	sgx2_secs_unpin(chunk->enclave);
	if (ret)
		return ret;
	chunk->fault_around.first = up ? index : index - (done - 1);
	chunk->fault_around.count = done;
	chunk->fault_around.size = done;
	if (done == 1)
		return 0;
	/* The next fault reads the Accessed bit of the far page, and of no other page. */
	far = sgx2_chunk_address(chunk, up ? index + done - 1 : chunk->fault_around.first);
	return sgx2_pte_install(chunk, vmf->vma, chunk->fault_around.first, done, far);
}

/**
 * struct sgx2_augment_range - a range to which pages are added, and the progress
 *
 * Belongs to the task that makes the call.
 */
struct sgx2_augment_range {
	/** @enclave: the enclave. */
	struct sgx2_enclave *enclave;
	/** @next: page number of the first page that is not done. */
	unsigned long next;
	/** @end: page number after the last page. */
	unsigned long end;
	/** @existing: number of pages that existed before. */
	unsigned long existing;
	/** @class: SGX2_EPC_SPARE if the pages are added speculatively. */
	enum sgx2_epc_class class;
};

/* Adds up to @most pages, from range->next to the end of the chunk or of the range. */
static int sgx2_augment_range_chunk(struct sgx2_augment_range *range, struct sgx2_chunk *chunk,
				    unsigned int most) __must_hold(&chunk->lock)
{
	unsigned int first = range->next % SGX2_CHUNK_PAGES, index;
	unsigned long left = min_t(unsigned long, range->end - range->next, most);
	unsigned int last = min_t(unsigned long, SGX2_CHUNK_PAGES, first + left);
	struct sgx2_epc_cache cache;
	int ret;

	cache.count = 0;
	ret = sgx2_secs_pin(range->enclave);
	if (ret)
		return ret;
	for (index = first; index < last; index++) {
		ret = fatal_signal_pending(current) ? -EINTR : 0;
		if (!ret && chunk->page[index].state != SGX2_ABSENT)
			range->existing++;
		else if (!ret)
			ret = sgx2_augment_page(chunk, index, &cache, last - index, range->class);
		if (ret)
			break;
		cond_resched();
	}
	sgx2_epc_cache_return(&cache);
	sgx2_secs_unpin(range->enclave);
	range->next += index - first;
	if (index > first)
		sgx2_pte_install_all(chunk, first, index);
	return ret;
}

/*
 * Creates a chunk and adds its first page only, so that other tasks can create chunks. Does nothing
 * if another task has created the chunk.
 */
static int sgx2_augment_range_first(struct sgx2_augment_range *range)
{
	struct sgx2_enclave *enclave = range->enclave;
	struct sgx2_chunk *chunk;
	int ret;

	if (mutex_lock_killable(&enclave->chunk_create_lock))
		return -EINTR;
	ret = 0;
	if (sgx2_chunk_find(enclave, range->next))
		goto out;
	chunk = sgx2_chunk_create(enclave, range->next);
	ret = PTR_ERR_OR_ZERO(chunk);
	if (ret)
		goto out;
	mutex_lock(&chunk->lock);
	ret = sgx2_augment_range_chunk(range, chunk, 1);
	mutex_unlock(&chunk->lock);
	sgx2_chunk_create_done(chunk);
out:
	mutex_unlock(&enclave->chunk_create_lock);
	return ret;
}

/* Adds pages of one chunk under mmap_lock, which protects the VMAs that get PTEs. */
static int sgx2_augment_range_step(struct sgx2_augment_range *range)
{
	struct sgx2_chunk *chunk = sgx2_chunk_find(range->enclave, range->next);
	struct mm_struct *mm = current->mm;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	ret = chunk ? mutex_lock_killable(&chunk->lock) : sgx2_augment_range_first(range);
	if (chunk && !ret) {
		ret = sgx2_augment_range_chunk(range, chunk, SGX2_CHUNK_PAGES);
		mutex_unlock(&chunk->lock);
	}
	mmap_read_unlock(mm);
	return ret;
}

/* Waits for a free EPC page, unless the pages are added speculatively. */
static int sgx2_augment_range_room(const struct sgx2_augment_range *range)
{
	if (range->class == SGX2_EPC_SPARE)
		return -EAGAIN;
	return sgx2_reclaim_wait(SGX2_CHUNK_PAGES, true);
}

static int sgx2_augment_range_run(struct sgx2_augment_range *range)
{
	int ret = 0;

	while (range->next < range->end && !ret) {
		ret = sgx2_with_room(sgx2_augment_range_step(range),
				     sgx2_augment_range_room(range));
		cond_resched();
	}
	return ret;
}

int sgx2_ioc_augment_pages(struct sgx2_call *call)
{
	struct sgx2_enclave *enclave = call->enclave;
	struct sgx2_augment_range range = { .enclave = enclave, .class = SGX2_EPC_ORDINARY };
	struct sgx_enclave_augment_pages *param = call->param;
	unsigned long start;
	int ret;

	if (!sgx2_enclave_range_valid(enclave, param->offset, param->length))
		return -EINVAL;
	if (param->flags || param->count || param->existing)
		return -EINVAL;
	start = (enclave->base + param->offset) >> PAGE_SHIFT;
	range.next = start;
	range.end = start + (param->length >> PAGE_SHIFT);
	ret = sgx2_augment_range_run(&range);
	param->count = (range.next - start) << PAGE_SHIFT;
	param->existing = range.existing << PAGE_SHIFT;
	call->copy_back = true;
	return sgx2_ioc_result(ret, param->count);
}

/*
 * Shrinks [start, end) to the part in the first VMA of the enclave there; returns false if there is
 * no such VMA.
 */
static bool sgx2_fadvise_part(struct sgx2_enclave *enclave, unsigned long *start,
			      unsigned long *end)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool found = false;

	if (mmap_read_lock_killable(mm))
		return false;
	for (vma = find_vma(mm, *start); vma && vma->vm_start < *end;
	     vma = find_vma(mm, vma->vm_end)) {
		if (!sgx2_vma_is(vma, enclave))
			continue;
		*start = max(*start, vma->vm_start);
		*end = min(*end, vma->vm_end);
		found = true;
		break;
	}
	mmap_read_unlock(mm);
	return found;
}

int sgx2_fadvise(struct file *file, loff_t offset, loff_t length, int advice)
{
	struct sgx2_augment_range range = { .enclave = file->private_data,
					    .class = SGX2_EPC_SPARE };
	struct sgx2_enclave *enclave = range.enclave;
	unsigned long start, end, limit;

	if (offset < 0 || length < 0)
		return -EINVAL;
	if (advice != POSIX_FADV_WILLNEED ||
	    !sgx2_augment_wanted(enclave, enclave->base >> PAGE_SHIFT))
		return 0;
	limit = enclave->base + enclave->size;
	if (!length || (unsigned long)offset + length > limit)
		length = max_t(loff_t, limit - offset, 0);
	start = max_t(unsigned long, offset, enclave->base);
	for (limit = offset + length; start < limit; start = end) {
		end = limit;
		if (!sgx2_fadvise_part(enclave, &start, &end))
			break;
		range.next = start >> PAGE_SHIFT;
		range.end = PAGE_ALIGN(end) >> PAGE_SHIFT;
		/* A later access reports the error, if it persists. */
		if (sgx2_augment_range_run(&range))
			break;
	}
	return 0;
}
