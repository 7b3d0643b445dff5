// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that an enclave gets while it runs: EAUG on a touch, and ahead of it.
 *
 * A page that EAUG adds is PENDING: nothing but EACCEPT and EACCEPTCOPY can use it, so one that was
 * added for nothing harms nobody. On suspicion pages are added only inside the VMA that is touched,
 * since a runtime may rely on a fault elsewhere, and only while EPC is plenty.
 */
#include <linux/fadvise.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/sgx2.h>
#include "around.h"
#include "augment.h"
#include "build.h"
#include "configure.h"
#include "enclave.h"
#include "encls.h"
#include "hw.h"
#include "ioctl.h"
#include "mapping.h"
#include "paging.h"
#include "policy.h"
#include "trace.h"
#include "track.h"

bool sgx2_augment_wanted(struct sgx2_enclave *enclave, unsigned long pgoff)
{
	if (!sgx2_hw.sgx2 || !sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return false;
	if (READ_ONCE(enclave->augment) == SGX_AUGMENT_NEVER)
		return false;
	/* Unsigned: what lies below the base is far above the size. */
	return (pgoff << PAGE_SHIFT) - enclave->base < enclave->size;
}

/**
 * struct sgx2_supply - pages of the EPC that were taken ahead of need
 *
 * Threads that grow ranges of their own meet where the free pages are, so who wants many comes
 * there once for several. On the stack of one task.
 */
struct sgx2_supply {
	/** @page: their names. */
	sgx2_epc_t page[SGX2_EPC_BATCH];
	/** @count: how many are left. */
	unsigned int count;
};

/* A page for one who is about to ask for @want of them; false if there is none for his class. */
static bool sgx2_supply_take(struct sgx2_supply *supply, sgx2_epc_t *epc, unsigned int want,
			     enum sgx2_epc_class class)
{
	if (!supply->count)
		supply->count = sgx2_epc_alloc(supply->page, min(want, SGX2_EPC_BATCH), class);
	if (!supply->count)
		return false;
	*epc = supply->page[--supply->count];
	return true;
}

static void sgx2_supply_return(struct sgx2_supply *supply)
{
	sgx2_epc_free_all(supply->page, supply->count);
	supply->count = 0;
}

/* With the SECS pinned; the first of @want pages that are to come. */
static int sgx2_augment_page(struct sgx2_chunk *chunk, unsigned int index,
			     struct sgx2_supply *supply, unsigned int want,
			     enum sgx2_epc_class class) __must_hold(&chunk->lock)
{
	struct sgx2_enclave *enclave = chunk->enclave;
	struct sgx_pageinfo info = {
		.addr = sgx2_chunk_address(chunk, index),
		.secs = (unsigned long)sgx2_secs_address(enclave),
	};
	sgx2_epc_t epc;
	int ret;

	if (!sgx2_supply_take(supply, &epc, want, class))
		return -EAGAIN;
	ret = sgx2_retry(sgx2_eaug(&info, sgx2_epc_address(epc)));
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_EAUG, info.addr, ret);
		sgx2_epc_free(epc);
		/* Our page is not valid and our SECS is, so #PF means that it is not any more. */
		if (sgx2_encls_vector(ret) == X86_TRAP_PF)
			sgx2_enclave_lost(enclave);
		return -EIO;
	}
	sgx2_chunk_add(chunk, index, epc, SGX_PAGE_TYPE_REG, sgx2_policy_dynamic(enclave),
		       SGX2_PAGE_DYNAMIC);
	return 0;
}

static int sgx2_touched_pte(pte_t *pte, unsigned long address, void *data)
{
	*(bool *)data = pte_young(*pte);
	return 0;
}

/* Whether the far end of the last window was touched, which a program that walks has done. */
static bool sgx2_around_used(struct sgx2_chunk *chunk, struct vm_area_struct *vma, bool up)
	__must_hold(&chunk->lock)
{
	unsigned int index = sgx2_around_far(&chunk->around, up);
	unsigned long address = sgx2_chunk_address(chunk, index);
	bool touched = false;

	if (index == SGX2_AROUND_NONE)
		return false;
	/* Of the page tables only those of this VMA are sure to stay. */
	if (address < vma->vm_start || address >= vma->vm_end)
		return false;
	apply_to_page_range(vma->vm_mm, address, PAGE_SIZE, sgx2_touched_pte, &touched);
	return touched;
}

/*
 * Pages in a row from @index on that are absent and in the VMA, @count at most, upwards or
 * downwards.
 */
static unsigned int sgx2_around_fit(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
				    unsigned int index, unsigned int count, bool up)
	__must_hold(&chunk->lock)
{
	unsigned long address;
	unsigned int i, at;

	for (i = 1; i < count; i++) {
		at = up ? index + i : index - i;
		/* Below 0 is far above as well. */
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
	bool up = !sgx2_around_down(&chunk->around, index);
	struct sgx2_supply supply;
	unsigned long far;
	int ret;

	lockdep_assert_held(&chunk->lock);
	supply.count = 0;
	count = sgx2_around_size(&chunk->around, index, sgx2_around_used(chunk, vmf->vma, up),
				 limit);
	count = sgx2_around_fit(chunk, vmf->vma, index, count, up);
	ret = sgx2_secs_pin(chunk->enclave);
	if (ret)
		return ret;
	ret = sgx2_augment_page(chunk, index, &supply, 1, SGX2_EPC_ORDINARY);
	for (done = 1; !ret && done < count; done++) {
		if (sgx2_augment_page(chunk, up ? index + done : index - done, &supply,
				      count - done, SGX2_EPC_SPARE))
			break;
	}
	sgx2_supply_return(&supply);
	sgx2_secs_unpin(chunk->enclave);
	if (ret)
		return ret;
	chunk->around.first = up ? index : index - (done - 1);
	chunk->around.count = done;
	if (done == 1)
		return 0;
	/* The next fault wants to know of the far end, and of no other, whether it was touched. */
	far = sgx2_chunk_address(chunk, up ? index + done - 1 : chunk->around.first);
	return sgx2_map_present(chunk, vmf->vma, chunk->around.first, done, far);
}

/**
 * struct sgx2_growth - a range that is augmented, and how far it has come
 *
 * Belongs to the task that makes the call.
 */
struct sgx2_growth {
	/** @enclave: whose. */
	struct sgx2_enclave *enclave;
	/** @next: page number of the first that is not done. */
	unsigned long next;
	/** @end: page number after the last. */
	unsigned long end;
	/** @existing: pages that were there before. */
	unsigned long existing;
	/** @class: SGX2_EPC_SPARE for a hint. */
	enum sgx2_epc_class class;
};

/* From growth->next on to the end of the chunk or the range, @most pages. */
static int sgx2_growth_chunk(struct sgx2_growth *growth, struct sgx2_chunk *chunk,
			     unsigned int most) __must_hold(&chunk->lock)
{
	unsigned int first = growth->next % SGX2_CHUNK_PAGES, index;
	unsigned long left = min_t(unsigned long, growth->end - growth->next, most);
	unsigned int last = min_t(unsigned long, SGX2_CHUNK_PAGES, first + left);
	struct sgx2_supply supply;
	int ret;

	supply.count = 0;
	ret = sgx2_secs_pin(growth->enclave);
	if (ret)
		return ret;
	for (index = first; index < last; index++) {
		ret = fatal_signal_pending(current) ? -EINTR : 0;
		if (!ret && chunk->page[index].state != SGX2_ABSENT)
			growth->existing++;
		else if (!ret)
			ret = sgx2_augment_page(chunk, index, &supply, last - index, growth->class);
		if (ret)
			break;
		cond_resched();
	}
	sgx2_supply_return(&supply);
	sgx2_secs_unpin(growth->enclave);
	growth->next += index - first;
	if (index > first)
		sgx2_map_chunk(chunk, first, index);
	return ret;
}

/*
 * The first page of a chunk that is made for it, and no more, so that others can make theirs; or
 * none, if the chunk is there by now.
 */
static int sgx2_growth_first(struct sgx2_growth *growth)
{
	struct sgx2_enclave *enclave = growth->enclave;
	struct sgx2_chunk *chunk;
	int ret;

	if (mutex_lock_killable(&enclave->making))
		return -EINTR;
	ret = 0;
	if (sgx2_chunk_find(enclave, growth->next))
		goto out;
	chunk = sgx2_chunk_make(enclave, growth->next);
	ret = PTR_ERR_OR_ZERO(chunk);
	if (ret)
		goto out;
	mutex_lock(&chunk->lock);
	ret = sgx2_growth_chunk(growth, chunk, 1);
	mutex_unlock(&chunk->lock);
	sgx2_chunk_settle(chunk);
out:
	mutex_unlock(&enclave->making);
	return ret;
}

/* Under mmap_lock, for the PTEs; it is not held while an EPC page is waited for. */
static int sgx2_growth_step(struct sgx2_growth *growth)
{
	struct sgx2_chunk *chunk = sgx2_chunk_find(growth->enclave, growth->next);
	struct mm_struct *mm = current->mm;
	int ret;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	ret = chunk ? mutex_lock_killable(&chunk->lock) : sgx2_growth_first(growth);
	if (chunk && !ret) {
		ret = sgx2_growth_chunk(growth, chunk, SGX2_CHUNK_PAGES);
		mutex_unlock(&chunk->lock);
	}
	mmap_read_unlock(mm);
	return ret;
}

static int sgx2_growth_run(struct sgx2_growth *growth)
{
	int ret = 0;

	while (growth->next < growth->end && !ret) {
		ret = sgx2_growth_step(growth);
		if (ret == -EAGAIN && growth->class == SGX2_EPC_ORDINARY)
			ret = sgx2_epc_wait(SGX2_CHUNK_PAGES, true);
		cond_resched();
	}
	return ret;
}

long sgx2_augment(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx2_growth growth = { .enclave = enclave, .class = SGX2_EPC_ORDINARY };
	struct sgx_enclave_augment_pages param;
	unsigned long start;
	int ret;

	if (!sgx2_hw.sgx2)
		return -ENODEV;
	if (!sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return -EINVAL;
	ret = sgx2_copy_in(&param, sizeof(param), arg);
	if (ret)
		return ret;
	if (!sgx2_range_valid(enclave, param.offset, param.length))
		return -EINVAL;
	if (param.flags || param.count || param.existing)
		return -EINVAL;
	start = (enclave->base + param.offset) >> PAGE_SHIFT;
	growth.next = start;
	growth.end = start + (param.length >> PAGE_SHIFT);
	ret = sgx2_growth_run(&growth);
	param.count = (growth.next - start) << PAGE_SHIFT;
	param.existing = growth.existing << PAGE_SHIFT;
	ret = sgx2_call_result(ret, param.count);
	return sgx2_copy_out(arg, &param, sizeof(param)) ? -EFAULT : ret;
}

/*
 * The part of [start, end) that lies in the first VMA of the enclave there; false if there is none.
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
		if (vma->vm_ops != &sgx2_vm_ops || vma->vm_private_data != enclave)
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
	struct sgx2_growth growth = { .enclave = file->private_data, .class = SGX2_EPC_SPARE };
	struct sgx2_enclave *enclave = growth.enclave;
	unsigned long start, end, limit;

	if (offset < 0 || length < 0)
		return -EINVAL;
	/* Other advice has nothing to say here; and advice is not refused for that. */
	if (advice != POSIX_FADV_WILLNEED ||
	    !sgx2_augment_wanted(enclave, enclave->base >> PAGE_SHIFT))
		return 0;
	limit = enclave->base + enclave->size;
	/* A length of 0 means up to the end, as does one that runs over it. */
	if (!length || (unsigned long)offset + length > limit)
		length = max_t(loff_t, limit - offset, 0);
	start = max_t(unsigned long, offset, enclave->base);
	for (limit = offset + length; start < limit; start = end) {
		end = limit;
		if (!sgx2_fadvise_part(enclave, &start, &end))
			break;
		growth.next = start >> PAGE_SHIFT;
		growth.end = PAGE_ALIGN(end) >> PAGE_SHIFT;
		/* What cannot be had now is had by the fault, with its errors. */
		if (sgx2_growth_run(&growth))
			break;
	}
	return 0;
}
