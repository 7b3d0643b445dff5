// SPDX-License-Identifier: GPL-2.0
/*
 * PTEs of enclave pages: zap, install, read and clear Accessed bits.
 *
 * Zapping finds the PTEs through the address space of the enclave's inode, in which each VMA is
 * entered with its linear address as offset. That holds after fork(), after the split of a VMA, and
 * after munmap() of a part of it.
 *
 * A PTE has the permissions of its VMA, never fewer: the kernel may recompute PTEs from the VMA at
 * any time, and would widen such a PTE.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include "enclave_types.h"
#include "mm_list.h"
#include "policy.h"
#include "pte.h"

/*
 * Returns whether a page table covers the address. apply_to_existing_page_range() would do, but it
 * is not exported since Linux 7.3.
 */
static bool sgx2_pte_table_exists(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return false;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return false;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud) || pud_bad(*pud))
		return false;
	pmd = pmd_offset(pud, address);
	return !pmd_none(*pmd) && !pmd_bad(*pmd);
}

/*
 * Calls a function for each PTE of a range in one page table, under the lock of the page table. A
 * page table that does not exist is not allocated: it would cost a page of memory for each 2 MiB of
 * ELRANGE. The caller holds a lock that keeps the page table. Sleeps.
 */
static void sgx2_pte_walk(struct mm_struct *mm, unsigned long start, unsigned long end,
			  pte_fn_t function, void *data)
{
	if (WARN_ON_ONCE(start >> PMD_SHIFT != (end - 1) >> PMD_SHIFT))
		return;
	if (sgx2_pte_table_exists(mm, start))
		apply_to_page_range(mm, start, end - start, function, data);
}

void sgx2_pte_zap(struct sgx2_enclave *enclave, unsigned long pgoff, unsigned long count)
{
	sgx2_enclave_count(enclave, SGX2_COUNT_ZAPS);
	unmap_mapping_range(enclave->inode->i_mapping, (loff_t)pgoff << PAGE_SHIFT,
			    (loff_t)count << PAGE_SHIFT, 1);
}

void sgx2_pte_zap_if_dead(struct sgx2_chunk *chunk, unsigned int first, unsigned int count)
{
	lockdep_assert_held(&chunk->lock);
	if (unlikely(sgx2_enclave_is(chunk->enclave, SGX2_DEAD)))
		sgx2_pte_zap(chunk->enclave, chunk->number * SGX2_CHUNK_PAGES + first, count);
}

/**
 * struct sgx2_install - the walk that installs PTEs
 *
 * Belongs to the task that walks.
 */
struct sgx2_install {
	/** @chunk: the chunk of the pages, whose mutex is held. */
	struct sgx2_chunk *chunk;
	/** @vma: the VMA in which the pages are mapped. */
	struct vm_area_struct *vma;
	/** @one: address of one of the pages, or 0. */
	unsigned long one;
	/** @others_old: the Accessed bit is clear in all PTEs but that of @one, or only in that. */
	bool others_old;
};

static int sgx2_pte_install_one(pte_t *pte, unsigned long address, void *data)
{
	struct sgx2_install *install = data;
	struct sgx2_page *page = sgx2_chunk_page(install->chunk, address >> PAGE_SHIFT);
	struct vm_area_struct *vma = install->vma;
	pte_t entry;
	bool one;

	if (page->state != SGX2_RESIDENT || !pte_none(*pte) ||
	    !sgx2_policy_may_install(page, vma->vm_flags))
		return 0;
	/* vm_page_prot includes the Accessed bit. */
	entry = pfn_pte(sgx2_epc_pfn(page->where), vma->vm_page_prot);
	one = address == install->one;
	if (one != install->others_old)
		entry = pte_mkold(entry);
	set_pte_at(vma->vm_mm, address, pte, pte_mkspecial(entry));
	return 0;
}

static int sgx2_pte_install_range(struct sgx2_install *install, unsigned int first,
				  unsigned int count)
{
	struct sgx2_chunk *chunk = install->chunk;
	int ret;

	lockdep_assert_held(&chunk->lock);
	ret = apply_to_page_range(install->vma->vm_mm, sgx2_chunk_address(chunk, first),
				  count * PAGE_SIZE, sgx2_pte_install_one, install);
	sgx2_pte_zap_if_dead(chunk, first, count);
	return ret;
}

int sgx2_pte_install(struct sgx2_chunk *chunk, struct vm_area_struct *vma, unsigned int first,
		     unsigned int count, unsigned long old)
{
	struct sgx2_install install = { .chunk = chunk, .vma = vma, .one = old };

	return sgx2_pte_install_range(&install, first, count);
}

int sgx2_pte_install_around(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
			    unsigned int first, unsigned int count, unsigned long accessed)
{
	struct sgx2_install install = {
		.chunk = chunk,
		.vma = vma,
		.one = accessed,
		.others_old = true,
	};

	return sgx2_pte_install_range(&install, first, count);
}

void sgx2_pte_install_all(struct sgx2_chunk *chunk, unsigned int first, unsigned int last)
{
	unsigned long start = sgx2_chunk_address(chunk, first);
	unsigned long end = sgx2_chunk_address(chunk, last);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long from, to;

	mmap_assert_locked(mm);
	for (vma = find_vma(mm, start); vma && vma->vm_start < end;
	     vma = find_vma(mm, vma->vm_end)) {
		/* A VMA without permissions only reserves addresses, and needs no PTEs. */
		if (!sgx2_vma_is(vma, chunk->enclave) || !(vma->vm_flags & VM_ACCESS_FLAGS))
			continue;
		from = max(start, vma->vm_start);
		to = min(end, vma->vm_end);
		sgx2_pte_install(chunk, vma, (from >> PAGE_SHIFT) % SGX2_CHUNK_PAGES,
				 (to - from) >> PAGE_SHIFT, 0);
	}
}

static int sgx2_pte_young_one(pte_t *pte, unsigned long address, void *data)
{
	*(bool *)data = pte_young(*pte);
	return 0;
}

bool sgx2_pte_young(struct vm_area_struct *vma, unsigned long address)
{
	bool young = false;

	/* The lock keeps the page tables of this VMA, and not those of adjacent VMAs. */
	if (address >= vma->vm_start && address < vma->vm_end)
		apply_to_page_range(vma->vm_mm, address, PAGE_SIZE, sgx2_pte_young_one, &young);
	return young;
}

bool sgx2_pte_walked(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
		     const struct sgx2_fault_around *around, unsigned int index)
{
	bool up = sgx2_fault_around_up(around, index);

	lockdep_assert_held(&chunk->lock);
	if (!up && !sgx2_fault_around_down(around, index))
		return false;
	return sgx2_pte_young(vma, sgx2_chunk_address(chunk, sgx2_fault_around_far(around, up)));
}

/**
 * struct sgx2_age - the walk that reads and clears Accessed bits
 *
 * Belongs to the task that walks.
 */
struct sgx2_age {
	/** @start: address of the first page. */
	unsigned long start;
	/** @end: address after the last page. */
	unsigned long end;
	/** @young: a bit for each page from @start on. */
	unsigned long *young;
};

/*
 * Clears the bit without a TLB flush. A CPU that still caches the translation does not set the bit
 * at its next access, so one access may stay unnoticed, which does no harm.
 */
static int sgx2_pte_age_one(pte_t *pte, unsigned long address, void *data)
{
	struct sgx2_age *age = data;

	if (pte_young(*pte) && test_and_clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)pte))
		__set_bit((address - age->start) >> PAGE_SHIFT, age->young);
	return 0;
}

static void sgx2_pte_age_mm(struct sgx2_chunk *chunk, struct mm_struct *mm, struct sgx2_age *age)
{
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	/*
	 * A fork() that failed half way leaves VMAs of the parent in the tree of the child until
	 * the last user of the child exits, and that may be this task.
	 */
	if (check_stable_address_space(mm))
		return;
	for (vma = find_vma(mm, age->start); vma && vma->vm_start < age->end;
	     vma = find_vma(mm, vma->vm_end)) {
		/* A VMA of another file may lie here, and may have a huge page. */
		if (vma->vm_mm == mm && sgx2_vma_is(vma, chunk->enclave))
			sgx2_pte_walk(mm, max(vma->vm_start, age->start),
				      min(vma->vm_end, age->end), sgx2_pte_age_one, age);
	}
}

bool sgx2_pte_age(struct sgx2_chunk *chunk, unsigned int first, unsigned int count,
		  unsigned long *young)
{
	struct sgx2_age age = {
		.start = sgx2_chunk_address(chunk, first),
		.end = sgx2_chunk_address(chunk, first + count),
		.young = young,
	};
	struct mm_struct *mm[SGX2_AGE_MMS];
	unsigned int users, i;
	bool known = true;

	lockdep_assert_held(&chunk->lock);
	bitmap_zero(young, count);
	users = sgx2_mm_list_users(chunk->enclave, mm);
	for (i = 0; i < users; i++) {
		if (mmap_read_trylock(mm[i])) {
			sgx2_pte_age_mm(chunk, mm[i], &age);
			mmap_read_unlock(mm[i]);
		} else {
			known = false;
		}
		/* The exit of an address space takes locks that the caller may hold. */
		mmput_async(mm[i]);
	}
	return known;
}
