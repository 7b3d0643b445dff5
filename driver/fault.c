// SPDX-License-Identifier: GPL-2.0
/*
 * Page faults on mappings of an enclave.
 *
 * A fault that has to wait drops mmap_lock or the VMA's lock first, if the kernel allows that, so
 * that other threads of the program can change mappings meanwhile. The kernel then retries the
 * access from the start.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include "augment.h"
#include "chunk.h"
#include "enclave.h"
#include "fault.h"
#include "paging.h"
#include "policy.h"
#include "pte.h"
#include "reclaim.h"
#include "trace.h"

/* Returns whether a fault may drop its lock, wait, and be retried. */
static bool sgx2_fault_may_drop_lock(struct vm_fault *vmf)
{
	return (vmf->flags & FAULT_FLAG_ALLOW_RETRY) && !(vmf->flags & FAULT_FLAG_RETRY_NOWAIT);
}

/*
 * Returns whether any signal ends the wait of a fault. A thread in user space handles the signal
 * and accesses the page again. The kernel, in a system call, retries the access at once and can
 * only be interrupted by a fatal signal.
 */
static bool sgx2_fault_interruptible(struct vm_fault *vmf)
{
	return vmf->flags & FAULT_FLAG_USER;
}

/*
 * Drops the lock of the fault, after which the VMA may be freed. Returns a reference to the file,
 * which keeps the enclave. The kernel frees a file after fput(), outside of the module.
 */
static struct file *sgx2_fault_drop_lock(struct vm_fault *vmf)
{
	struct file *file = get_file(vmf->vma->vm_file);

	release_fault_lock(vmf);
	return file;
}

static int sgx2_fault_mutex(struct mutex *mutex, bool interruptible)
{
	return interruptible ? mutex_lock_interruptible(mutex) : mutex_lock_killable(mutex);
}

/* Waits for a mutex that another task holds. Returns 0 if this task holds it now. */
static vm_fault_t sgx2_fault_lock(struct mutex *mutex, struct vm_fault *vmf)
{
	bool interruptible = sgx2_fault_interruptible(vmf);
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (!sgx2_fault_may_drop_lock(vmf))
		return sgx2_fault_mutex(mutex, interruptible) ? VM_FAULT_NOPAGE : 0;
	file = sgx2_fault_drop_lock(vmf);
	if (!sgx2_fault_mutex(mutex, interruptible))
		mutex_unlock(mutex);
	fput(file);
	return VM_FAULT_RETRY;
}

/* Waits until an EPC page is free. */
static vm_fault_t sgx2_fault_room(struct vm_fault *vmf)
{
	bool interruptible = sgx2_fault_interruptible(vmf);
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	if (!sgx2_fault_may_drop_lock(vmf))
		return sgx2_reclaim_wait(1, interruptible) == -ENOMEM ? VM_FAULT_SIGBUS :
									VM_FAULT_NOPAGE;
	file = sgx2_fault_drop_lock(vmf);
	/*
	 * The result is ignored: the retried fault finds out whether a page is free, and a task
	 * with a signal handles the signal first.
	 */
	sgx2_reclaim_wait(1, interruptible);
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * Computes the pages around one that is not absent which the fault maps, too: in the chunk, and so
 * in one page table, and in the VMA. Returns whether the fault continues a walk.
 */
static bool sgx2_fault_window(struct sgx2_chunk *chunk, struct vm_fault *vmf, bool resident,
			      struct sgx2_window *window) __must_hold(&chunk->lock)
{
	unsigned long start = sgx2_chunk_address(chunk, 0),
		      end = sgx2_chunk_address(chunk, SGX2_CHUNK_PAGES);
	unsigned int index = vmf->pgoff % SGX2_CHUNK_PAGES;
	struct vm_area_struct *vma = vmf->vma;
	bool walk = sgx2_pte_walked(chunk, vma, &chunk->map_around, index);

	window->first = (max(start, vma->vm_start) - start) >> PAGE_SHIFT;
	window->end = (min(end, vma->vm_end) - start) >> PAGE_SHIFT;
	sgx2_fault_around_window(&chunk->map_around, index, walk,
				 resident ? SGX2_MAP_AROUND_PAGES : 1,
				 READ_ONCE(chunk->enclave->fault_around), window);
	return walk;
}

/*
 * Maps a page that is not absent, and its neighbors that are resident. The function that installs
 * the PTEs tests each neighbor as a fault on that neighbor would. Returns 0, or an error as of
 * sgx2_page_load().
 */
static int sgx2_fault_present(struct sgx2_chunk *chunk, struct vm_fault *vmf)
	__must_hold(&chunk->lock)
{
	unsigned int index = vmf->pgoff % SGX2_CHUNK_PAGES;
	struct sgx2_window window;
	bool walk;
	int ret;

	walk = sgx2_fault_window(chunk, vmf, sgx2_chunk_page(chunk, index)->state == SGX2_RESIDENT,
				 &window);
	ret = sgx2_page_load(chunk, index);
	if (ret)
		return ret;
	if (walk)
		sgx2_window_reload(chunk, index, &window);
	sgx2_fault_around_record(&chunk->map_around, &window);
	return sgx2_pte_install_around(chunk, vmf->vma, window.first, window.end - window.first,
				       sgx2_chunk_address(chunk, index));
}

/* Handles a fault under the mutex of the chunk. Returns 0 if no EPC page is free. */
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
	if (sgx2_policy_denies_exec(chunk->enclave, page, vma->vm_flags,
				    vmf->flags & FAULT_FLAG_INSTRUCTION)) {
		sgx2_policy_count_refusal(chunk->enclave, vmf->address);
		return VM_FAULT_SIGSEGV;
	}
	if (page->state == SGX2_ABSENT) {
		ret = sgx2_augment_fault(chunk, vmf);
	} else {
		if (!sgx2_policy_may_install(page, vma->vm_flags))
			return VM_FAULT_SIGBUS;
		ret = sgx2_fault_present(chunk, vmf);
		if (!ret)
			return VM_FAULT_NOPAGE;
	}
	if (ret == -EAGAIN)
		return 0;
	if (ret)
		return ret == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	fault = vmf_insert_pfn(vma, vmf->address, sgx2_epc_pfn(page->where));
	sgx2_pte_zap_if_dead(chunk, index, 1);
	return fault;
}

/* Handles a fault on a page of an existing chunk. Returns 0 if no EPC page is free. */
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

/* Creates the chunk of the page that is accessed. Returns 0 if no EPC page is free. */
static vm_fault_t sgx2_fault_create(struct sgx2_enclave *enclave, struct vm_fault *vmf)
	__must_hold(&enclave->chunk_create_lock)
{
	struct sgx2_chunk *chunk = sgx2_chunk_create(enclave, vmf->pgoff);
	vm_fault_t ret;

	if (IS_ERR(chunk))
		return VM_FAULT_OOM;
	mutex_lock(&chunk->lock);
	ret = sgx2_fault_locked(chunk, vmf);
	mutex_unlock(&chunk->lock);
	sgx2_chunk_create_done(chunk);
	return ret;
}

/* Handles a fault on a page whose chunk did not exist a moment ago. */
static vm_fault_t sgx2_fault_first(struct sgx2_enclave *enclave, struct vm_fault *vmf)
{
	struct sgx2_chunk *chunk;
	vm_fault_t ret = 0;

	if (!sgx2_augment_wanted(enclave, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	if (!mutex_trylock(&enclave->chunk_create_lock)) {
		ret = sgx2_fault_lock(&enclave->chunk_create_lock, vmf);
		if (ret)
			return ret;
	}
	chunk = sgx2_chunk_find(enclave, vmf->pgoff);
	if (!chunk)
		ret = sgx2_fault_create(enclave, vmf);
	mutex_unlock(&enclave->chunk_create_lock);
	return chunk ? sgx2_fault_chunk(chunk, vmf) : ret;
}

vm_fault_t sgx2_fault(struct vm_fault *vmf)
{
	struct sgx2_enclave *enclave = vmf->vma->vm_private_data;
	struct sgx2_chunk *chunk;
	vm_fault_t ret;

	sgx2_enclave_count(enclave, SGX2_COUNT_FAULTS);
	if (sgx2_enclave_is(enclave, SGX2_DEAD))
		return VM_FAULT_SIGBUS;
	chunk = sgx2_chunk_find(enclave, vmf->pgoff);
	ret = chunk ? sgx2_fault_chunk(chunk, vmf) : sgx2_fault_first(enclave, vmf);
	/* The lock was dropped, and the VMA may be freed. */
	if (ret == VM_FAULT_RETRY)
		return ret;
	trace_sgx2_fault(enclave, vmf->pgoff << PAGE_SHIFT,
			 (__force unsigned int)(ret ?: VM_FAULT_RETRY));
	return ret ?: sgx2_fault_room(vmf);
}
