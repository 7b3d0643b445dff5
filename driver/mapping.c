// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of an enclave: mmap(), mprotect(), fork() and munmap().
 *
 * The offset of a VMA is its linear address, so the inode's address space finds PTEs by linear
 * address; mremap() is refused. VM_PFNMAP keeps the kernel from merging the VMAs, and keeps
 * get_user_pages() out.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/personality.h>
#include "debug.h"
#include "edmm.h"
#include "enclave.h"
#include "fault.h"
#include "mapping.h"
#include "mm_list.h"
#include "policy.h"

/*
 * Returns whether pages [first, last] of a chunk may be mapped with these flags. Reads the pages
 * without the mutex of the chunk: a page that is added or changed meanwhile is tested again by
 * sgx2_policy_may_install() when it gets a PTE.
 */
static bool sgx2_chunk_may_map(struct sgx2_chunk *chunk, unsigned int first, unsigned int last,
			       unsigned long flags)
{
	bool absent = !sgx2_policy_needs_page(chunk->enclave, flags);
	struct sgx2_page *page;
	unsigned int i;

	if (absent && sgx2_policy_may_map(READ_ONCE(chunk->max_prot), flags))
		return true;
	for (i = first; i <= last; i++) {
		page = &chunk->page[i];
		/* Pairs with sgx2_chunk_add_page(). */
		if (smp_load_acquire(&page->state) == SGX2_ABSENT) {
			if (!absent)
				return false;
		} else if (!sgx2_policy_may_map(READ_ONCE(page->max_prot), flags)) {
			return false;
		}
	}
	return true;
}

/* Returns whether each page number in [first, last] has a chunk. */
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
	/* The kernel would add VM_EXEC to a mapping that such a task makes without it. */
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

/* Calls sgx2_may_map(), and counts a refusal that dynamic_code=0 causes. */
static int sgx2_may_map_counted(struct sgx2_enclave *enclave, unsigned long start,
				unsigned long end, unsigned long flags)
{
	int ret = sgx2_may_map(enclave, start, end, flags);

	if (ret && sgx2_policy_needs_page(enclave, flags))
		sgx2_policy_count_refusal(enclave, start);
	return ret;
}

unsigned long sgx2_get_unmapped_area(struct file *file, unsigned long address, unsigned long length,
				     unsigned long pgoff, unsigned long flags)
{
	if ((flags & MAP_TYPE) == MAP_PRIVATE)
		return -EINVAL;
	return mm_get_unmapped_area(file, address, length, pgoff, flags);
}

static void sgx2_vma_open(struct vm_area_struct *vma)
{
	struct sgx2_enclave *enclave = vma->vm_private_data;

	/* This function cannot let the fork() or the split of a VMA fail. */
	if (sgx2_mm_list_add(enclave, vma->vm_mm))
		sgx2_enclave_set(enclave, SGX2_ALL_CPUS);
}

static void sgx2_vma_close(struct vm_area_struct *vma)
{
	sgx2_mm_list_del(vma->vm_private_data, vma->vm_mm);
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
	 * The kernel takes the VMA's lock for writing only after this function, when it changes the
	 * VMA. A fault that holds that lock for reading could install a PTE in between for a page
	 * that was not tested here. The lock is dropped together with mmap_lock.
	 */
	vma_start_write(vma);
	if (sgx2_policy_strips_exec(enclave, flags)) {
		sgx2_policy_count_refusal(enclave, start);
		return -EACCES;
	}
	ret = sgx2_may_map_counted(enclave, start, end, flags);
	return ret ? ret : sgx2_mprotect(enclave, start, end, flags);
}

/* Empty: the kernel handles faults under the VMA's lock only if this operation exists. */
static vm_fault_t sgx2_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return 0;
}

static const struct vm_operations_struct sgx2_vm_ops = {
	.open = sgx2_vma_open,
	.close = sgx2_vma_close,
	.mremap = sgx2_vma_mremap,
	.mprotect = sgx2_vma_mprotect,
	.fault = sgx2_fault,
	.map_pages = sgx2_map_pages,
	.access = sgx2_access,
};

int sgx2_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sgx2_enclave *enclave = file->private_data;
	int ret;

	/* The kernel clears VM_SHARED, and not this, if the file was opened for reading. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	ret = sgx2_may_map_counted(enclave, vma->vm_start, vma->vm_end, vma->vm_flags);
	if (ret)
		return ret;
	ret = sgx2_mm_list_add(enclave, vma->vm_mm);
	if (ret)
		return ret;
	vma->vm_ops = &sgx2_vm_ops;
	vma->vm_private_data = enclave;
	vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_IO);
	/* Runtimes reserve ELRANGE with all permissions, and use most of it for data. */
	if (sgx2_policy_strips_exec(enclave, vma->vm_flags)) {
		vm_flags_clear(vma, VM_EXEC);
		vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	}
	return 0;
}
