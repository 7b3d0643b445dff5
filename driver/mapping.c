// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of an enclave: mmap(), mprotect(), faults, and what a debugger sees.
 *
 * A VMA's offset is its linear address, so the inode's address space finds its PTEs by linear
 * address, and moving one is refused. VM_PFNMAP keeps the VMAs from being merged, and
 * get_user_pages() out.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/personality.h>
#include <linux/sched/signal.h>
#include "augment.h"
#include "edmm.h"
#include "enclave.h"
#include "encls.h"
#include "mapping.h"
#include "mms.h"
#include "paging.h"
#include "policy.h"
#include "trace.h"

/*
 * Whether pages [first, last] of a chunk may be mapped so. Without the chunk's mutex: a page that
 * comes, or changes, while we look is checked when it is touched.
 */
static bool sgx2_chunk_may_map(struct sgx2_chunk *chunk, unsigned int first, unsigned int last,
			       unsigned long flags)
{
	bool absent = !sgx2_policy_needs_page(chunk->enclave, flags);
	struct sgx2_page *page;
	unsigned int i;

	if (absent && sgx2_policy_may(READ_ONCE(chunk->max), flags))
		return true;
	for (i = first; i <= last; i++) {
		page = &chunk->page[i];
		/* Pairs with sgx2_chunk_add(). */
		if (smp_load_acquire(&page->state) == SGX2_ABSENT) {
			if (!absent)
				return false;
		} else if (!sgx2_policy_may(READ_ONCE(page->max), flags)) {
			return false;
		}
	}
	return true;
}

/* Whether each page number in [first, last] has a chunk. */
static bool sgx2_chunks_cover(struct sgx2_enclave *enclave, unsigned long first, unsigned long last)
{
	unsigned long number;

	for (number = first >> SGX2_CHUNK_ORDER; number <= last >> SGX2_CHUNK_ORDER; number++) {
		if (!xa_load(&enclave->chunks, number))
			return false;
	}
	return true;
}

static int sgx2_may_map(struct sgx2_enclave *enclave, unsigned long start, unsigned long end,
			unsigned long flags)
{
	unsigned long first = start >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT, number;
	unsigned int from, to;
	struct sgx2_chunk *chunk;

	if (sgx2_enclave_is(enclave, SGX2_INITIALIZED) &&
	    (start < enclave->base || end > enclave->base + enclave->size))
		return -EACCES;
	/* Such a task would get PROT_EXEC without having asked for it. */
	if (current->personality & READ_IMPLIES_EXEC)
		return -EACCES;
	if (sgx2_policy_needs_page(enclave, flags) && !sgx2_chunks_cover(enclave, first, last))
		return -EACCES;
	xa_for_each_range(&enclave->chunks, number, chunk, first >> SGX2_CHUNK_ORDER,
			  last >> SGX2_CHUNK_ORDER) {
		from = number == first >> SGX2_CHUNK_ORDER ? first % SGX2_CHUNK_PAGES : 0;
		to = number == last >> SGX2_CHUNK_ORDER ? last % SGX2_CHUNK_PAGES :
							  SGX2_CHUNK_PAGES - 1;
		if (!sgx2_chunk_may_map(chunk, from, to, flags))
			return -EACCES;
		cond_resched();
	}
	return 0;
}

/* The same, with a refusal for the sake of dynamic_code counted. */
static int sgx2_may_map_counted(struct sgx2_enclave *enclave, unsigned long start,
				unsigned long end, unsigned long flags)
{
	int ret = sgx2_may_map(enclave, start, end, flags);

	if (ret && sgx2_policy_needs_page(enclave, flags))
		sgx2_policy_refused(enclave, start);
	return ret;
}

unsigned long sgx2_get_unmapped_area(struct file *file, unsigned long address, unsigned long length,
				     unsigned long pgoff, unsigned long flags)
{
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return -EINVAL;
	return mm_get_unmapped_area(file, address, length, pgoff, flags);
}

int sgx2_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sgx2_enclave *enclave = file->private_data;
	int ret;

	/*
	 * Not VM_SHARED, which the kernel takes off a mapping of a file that was opened for
	 * reading.
	 */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	ret = sgx2_may_map_counted(enclave, vma->vm_start, vma->vm_end, vma->vm_flags);
	if (ret)
		return ret;
	ret = sgx2_mms_add(enclave, vma->vm_mm);
	if (ret)
		return ret;
	vma->vm_ops = &sgx2_vm_ops;
	vma->vm_private_data = enclave;
	vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_IO);
	/* Runtimes reserve all of ELRANGE so, and use it for data. */
	if (sgx2_policy_idle_exec(enclave, vma->vm_flags)) {
		vm_flags_clear(vma, VM_EXEC);
		vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	}
	return 0;
}

static void sgx2_vma_open(struct vm_area_struct *vma)
{
	struct sgx2_enclave *enclave = vma->vm_private_data;

	/* The fork, or split, goes on whatever we say. */
	if (sgx2_mms_add(enclave, vma->vm_mm))
		sgx2_enclave_set(enclave, SGX2_ALL_CPUS);
}

static void sgx2_vma_close(struct vm_area_struct *vma)
{
	sgx2_mms_del(vma->vm_private_data, vma->vm_mm);
}

static int sgx2_vma_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int sgx2_vma_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			     unsigned long flags)
{
	struct sgx2_enclave *enclave = vma->vm_private_data;
	int ret;

	/*
	 * The kernel takes the VMA's own lock only when it changes the VMA, after this, and a fault
	 * that holds that lock alone could install a PTE in between that was not asked about. The
	 * lock is dropped with mmap_lock.
	 */
	vma_start_write(vma);
	if (sgx2_policy_idle_exec(enclave, flags)) {
		sgx2_policy_refused(enclave, start);
		return -EACCES;
	}
	ret = sgx2_may_map_counted(enclave, start, end, flags);
	return ret ? ret : sgx2_mprotect(enclave, start, end, flags);
}

/**
 * struct sgx2_map - what the walk that installs PTEs is about
 */
struct sgx2_map {
	/** @chunk: whose pages. */
	struct sgx2_chunk *chunk;
	/** @vma: they are mapped in. */
	struct vm_area_struct *vma;
	/** @old: address of the page whose PTE is to tell when it is used first, 0 for none. */
	unsigned long old;
};

static int sgx2_map_pte(pte_t *pte, unsigned long address, void *data)
{
	struct sgx2_map *map = data;
	struct sgx2_page *page = sgx2_chunk_page(map->chunk, address >> PAGE_SHIFT);
	struct vm_area_struct *vma = map->vma;
	pte_t entry;

	if (page->state != SGX2_RESIDENT || !pte_none(*pte) ||
	    !sgx2_policy_may_touch(page, vma->vm_flags))
		return 0;
	entry = pfn_pte(sgx2_epc_pfn(page->where), vma->vm_page_prot);
	/* What protections are made of has the Accessed bit set. */
	if (address == map->old)
		entry = pte_mkold(entry);
	set_pte_at(vma->vm_mm, address, pte, pte_mkspecial(entry));
	return 0;
}

/*
 * After PTEs were made: if the enclave died meanwhile, the zap of then may have been here before
 * them.
 */
static void sgx2_map_dead(struct sgx2_chunk *chunk, unsigned int first, unsigned int count)
	__must_hold(&chunk->lock)
{
	if (unlikely(sgx2_enclave_is(chunk->enclave, SGX2_DEAD)))
		sgx2_enclave_zap(chunk->enclave, chunk->number * SGX2_CHUNK_PAGES + first, count);
}

int sgx2_map_present(struct sgx2_chunk *chunk, struct vm_area_struct *vma, unsigned int first,
		     unsigned int count, unsigned long old)
{
	struct sgx2_map map = { .chunk = chunk, .vma = vma, .old = old };
	int ret;

	lockdep_assert_held(&chunk->lock);
	ret = apply_to_page_range(vma->vm_mm, sgx2_chunk_address(chunk, first), count * PAGE_SIZE,
				  sgx2_map_pte, &map);
	sgx2_map_dead(chunk, first, count);
	return ret;
}

void sgx2_map_chunk(struct sgx2_chunk *chunk, unsigned int first, unsigned int last)
{
	unsigned long start = sgx2_chunk_address(chunk, first);
	unsigned long end = sgx2_chunk_address(chunk, last);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long from, to;

	mmap_assert_locked(mm);
	for (vma = find_vma(mm, start); vma && vma->vm_start < end;
	     vma = find_vma(mm, vma->vm_end)) {
		if (vma->vm_ops != &sgx2_vm_ops || vma->vm_private_data != chunk->enclave)
			continue;
		/* A mapping that nobody may read, as a reservation is, needs no PTEs. */
		if (!(vma->vm_flags & VM_ACCESS_FLAGS))
			continue;
		from = max(start, vma->vm_start);
		to = min(end, vma->vm_end);
		/* What fails is left to a fault. */
		sgx2_map_present(chunk, vma, (from >> PAGE_SHIFT) % SGX2_CHUNK_PAGES,
				 (to - from) >> PAGE_SHIFT, 0);
	}
}

/*
 * Whether a fault may leave the lock under which it came, wait, and be tried again from the start.
 */
static bool sgx2_fault_may_leave(struct vm_fault *vmf)
{
	return (vmf->flags & FAULT_FLAG_ALLOW_RETRY) && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT);
}

/*
 * Any signal ends the wait of a program that touches a page: it returns for it, and touches the
 * page again. The kernel in the middle of a call comes back at once, unless it is killed.
 */
static bool sgx2_fault_interruptible(struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_USER;
}

/*
 * The fault leaves its lock, and with it the VMA. The file keeps the enclave; its last reference is
 * dropped outside of the module.
 */
static struct file *sgx2_fault_leave(struct vm_fault *vmf)
{
	struct file *file = get_file(vmf->vma->vm_file);

	release_fault_lock(vmf);
	return file;
}

static int sgx2_fault_mutex(struct mutex *mutex, bool interruptible)
{
	return interruptible ? mutex_lock_interruptible(mutex) : mutex_lock_killable(mutex);
}

/*
 * Another thread has the mutex of the chunk: wait for it where that does not hold up the address
 * space. 0 if it is ours now.
 */
static vm_fault_t sgx2_fault_lock(struct mutex *mutex, struct vm_fault *vmf)
{
	bool interruptible = sgx2_fault_interruptible(vmf);
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (!sgx2_fault_may_leave(vmf))
		return sgx2_fault_mutex(mutex, interruptible) ? VM_FAULT_NOPAGE : 0;
	file = sgx2_fault_leave(vmf);
	if (!sgx2_fault_mutex(mutex, interruptible))
		mutex_unlock(mutex);
	fput(file);
	return VM_FAULT_RETRY;
}

/* No EPC page is free: the same. */
static vm_fault_t sgx2_fault_room(struct vm_fault *vmf)
{
	bool interruptible = sgx2_fault_interruptible(vmf);
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (!sgx2_fault_may_leave(vmf))
		return sgx2_epc_wait(1, interruptible) == -ENOMEM ? VM_FAULT_SIGBUS :
								     VM_FAULT_NOPAGE;
	file = sgx2_fault_leave(vmf);
	/*
	 * Nothing to be had now may be something the next time; a task with a signal does not come
	 * back before it.
	 */
	sgx2_epc_wait(1, interruptible);
	fput(file);
	return VM_FAULT_RETRY;
}

/* 0 if no EPC page is free. */
static vm_fault_t sgx2_fault_locked(struct sgx2_chunk *chunk, struct vm_fault *vmf)
	__must_hold(&chunk->lock)
{
	unsigned int index = vmf->pgoff % SGX2_CHUNK_PAGES;
	struct sgx2_page *page = sgx2_chunk_page(chunk, index);
	struct vm_area_struct *vma = vmf->vma;
	vm_fault_t fault;
	int ret;

	if (page->state == SGX2_ABSENT && !sgx2_augment_wanted(chunk->enclave, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	if (sgx2_policy_not_code(chunk->enclave, page, vma->vm_flags,
				 vmf->flags & FAULT_FLAG_INSTRUCTION)) {
		sgx2_policy_refused(chunk->enclave, vmf->address);
		return VM_FAULT_SIGSEGV;
	}
	if (page->state == SGX2_ABSENT) {
		ret = sgx2_augment_fault(chunk, vmf);
	} else {
		if (!sgx2_policy_may_touch(page, vma->vm_flags))
			return VM_FAULT_SIGBUS;
		ret = sgx2_page_load(chunk, index);
	}
	if (ret == -EAGAIN)
		return 0;
	if (ret)
		return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	fault = vmf_insert_pfn(vma, vmf->address, sgx2_epc_pfn(page->where));
	sgx2_map_dead(chunk, index, 1);
	return fault;
}

/* A page of a chunk that is there. 0 if no EPC page is free. */
static vm_fault_t sgx2_fault_chunk(struct sgx2_chunk *chunk, struct vm_fault *vmf)
{
	vm_fault_t ret;

	if (!mutex_trylock(&chunk->lock)) {
		ret = sgx2_fault_lock(&chunk->lock, vmf);
		if (ret)
			return ret;
	}
	ret = sgx2_fault_locked(chunk, vmf);
	mutex_unlock(&chunk->lock);
	return ret;
}

/* The first page of a chunk that is made for it. 0 if no EPC page is free. */
static vm_fault_t sgx2_fault_make(struct sgx2_enclave *enclave, struct vm_fault *vmf)
	__must_hold(&enclave->making)
{
	struct sgx2_chunk *chunk = sgx2_chunk_make(enclave, vmf->pgoff);
	vm_fault_t ret;

	if (IS_ERR(chunk))
		return VM_FAULT_OOM;
	mutex_lock(&chunk->lock);
	ret = sgx2_fault_locked(chunk, vmf);
	mutex_unlock(&chunk->lock);
	sgx2_chunk_settle(chunk);
	return ret;
}

/* A page of a chunk that was not there a moment ago. */
static vm_fault_t sgx2_fault_first(struct sgx2_enclave *enclave, struct vm_fault *vmf)
{
	struct sgx2_chunk *chunk;
	vm_fault_t ret = 0;

	if (!sgx2_augment_wanted(enclave, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	if (!mutex_trylock(&enclave->making)) {
		ret = sgx2_fault_lock(&enclave->making, vmf);
		if (ret)
			return ret;
	}
	chunk = sgx2_chunk_find(enclave, vmf->pgoff);
	if (!chunk)
		ret = sgx2_fault_make(enclave, vmf);
	mutex_unlock(&enclave->making);
	return chunk ? sgx2_fault_chunk(chunk, vmf) : ret;
}

static vm_fault_t sgx2_fault(struct vm_fault *vmf)
{
	struct sgx2_enclave *enclave = vmf->vma->vm_private_data;
	struct sgx2_chunk *chunk;
	vm_fault_t ret;

	sgx2_enclave_count(enclave, SGX2_COUNT_FAULTS);
	if (sgx2_enclave_is(enclave, SGX2_DEAD))
		return VM_FAULT_SIGBUS;
	chunk = sgx2_chunk_find(enclave, vmf->pgoff);
	ret = chunk ? sgx2_fault_chunk(chunk, vmf) : sgx2_fault_first(enclave, vmf);
	/* Whoever left the lock has nothing left to look at. */
	if (ret == VM_FAULT_RETRY)
		return ret;
	trace_sgx2_fault(enclave, vmf->pgoff << PAGE_SHIFT,
			 (__force unsigned int)(ret ?: VM_FAULT_RETRY));
	return ret ?: sgx2_fault_room(vmf);
}

/* Nothing: its being there lets faults run under the VMA lock alone. */
static vm_fault_t sgx2_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return 0;
}

/* Reads, and if @write changes, part of the 8 bytes at @address, in a page that is loaded. */
static int sgx2_debug_word(sgx2_epc_t epc, unsigned long address, void *buf, unsigned int len,
			   bool write)
{
	unsigned int offset = address % sizeof(u64);
	void *word = sgx2_epc_address(epc) + (address & ~PAGE_MASK) - offset;
	u64 data;

	if (sgx2_retry(sgx2_edbgrd(word, &data)))
		return -EIO;
	if (!write) {
		memcpy(buf, (u8 *)&data + offset, len);
		return 0;
	}
	memcpy((u8 *)&data + offset, buf, len);
	return sgx2_retry(sgx2_edbgwr(word, data)) ? -EIO : 0;
}

static int sgx2_debug_locked(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
			     unsigned long address, void *buf, unsigned int len, bool write)
{
	unsigned int index = (address >> PAGE_SHIFT) % SGX2_CHUNK_PAGES;
	struct sgx2_page *page;
	int ret;

	if (mutex_lock_killable(&chunk->lock))
		return -EINTR;
	page = sgx2_chunk_page(chunk, index);
	ret = sgx2_page_load(chunk, index);
	if (!ret && !sgx2_policy_may_touch(page, vma->vm_flags))
		ret = -EFAULT;
	if (!ret && write && !sgx2_policy_may_patch(chunk->enclave, page))
		ret = -EFAULT;
	if (!ret)
		ret = sgx2_debug_word(page->where, address, buf, len, write);
	mutex_unlock(&chunk->lock);
	return ret;
}

/* What ptrace() and /proc/PID/mem come to: of a debug enclave only, 8 bytes at a time. */
static int sgx2_access(struct vm_area_struct *vma, unsigned long address, void *buf, int len,
		       int write)
{
	struct sgx2_enclave *enclave = vma->vm_private_data;
	struct sgx2_chunk *chunk;
	unsigned int now;
	int done, ret;

	if (!sgx2_enclave_is(enclave, SGX2_DEBUG))
		return -EFAULT;
	for (done = 0; done < len; done += now) {
		now = min_t(unsigned int, len - done, sizeof(u64) - (address + done) % sizeof(u64));
		chunk = sgx2_chunk_find(enclave, (address + done) >> PAGE_SHIFT);
		if (!chunk)
			return -EFAULT;
		while ((ret = sgx2_debug_locked(chunk, vma, address + done, buf + done, now,
						write)) == -EAGAIN) {
			/* Under mmap_lock; a signal is no reason to fail if that can be helped. */
			ret = sgx2_epc_try(1);
			if (ret == -EAGAIN)
				ret = sgx2_epc_wait(1, true);
			if (ret)
				break;
		}
		if (ret)
			return ret;
	}
	return done;
}

const struct vm_operations_struct sgx2_vm_ops = {
	.open = sgx2_vma_open,
	.close = sgx2_vma_close,
	.mremap = sgx2_vma_mremap,
	.mprotect = sgx2_vma_mprotect,
	.fault = sgx2_fault,
	.map_pages = sgx2_map_pages,
	.access = sgx2_access,
};
