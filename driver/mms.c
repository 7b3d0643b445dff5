// SPDX-License-Identifier: GPL-2.0
/*
 * The address spaces that map an enclave: whose CPUs to interrupt, and whose PTEs to look at.
 *
 * An address space is here while it has a VMA of the enclave. A thread can be inside only while its
 * address space has one: the last munmap() flushes the translations on all CPUs of the mm, and that
 * interrupt is an exit. PTEs are not found through here but through the inode's address space; see
 * enclave.c.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "enclave.h"
#include "mapping.h"
#include "mms.h"
#include "pte.h"

/*
 * So many address spaces are looked at for use of a page; the pages of an enclave that has more are
 * never spared for it.
 */
#define SGX2_MMS_AGED 8

/**
 * struct sgx2_mm - an address space that maps the enclave
 */
struct sgx2_mm {
	/** @node: in sgx2_enclave::mms, under its lock. */
	struct list_head node;
	/** @mm: with a reference to the struct, not to its users; constant. */
	struct mm_struct *mm;
	/** @vmas: how many of its VMAs map the enclave; under sgx2_enclave::mms_lock. */
	unsigned long vmas;
};

static struct sgx2_mm *sgx2_mms_find(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	lockdep_assert_held(&enclave->mms_lock);
	list_for_each_entry(entry, &enclave->mms, node) {
		if (entry->mm == mm)
			return entry;
	}
	return NULL;
}

static bool sgx2_mms_known(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	guard(spinlock)(&enclave->mms_lock);
	entry = sgx2_mms_find(enclave, mm);
	if (entry)
		entry->vmas++;
	return entry;
}

int sgx2_mms_add(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	if (sgx2_mms_known(enclave, mm))
		return 0;
	/*
	 * Only a holder of mmap_lock for writing adds VMAs, so nobody else enters this mm
	 * meanwhile.
	 */
	mmap_assert_write_locked(mm);
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	mmgrab(mm);
	entry->mm = mm;
	entry->vmas = 1;
	guard(spinlock)(&enclave->mms_lock);
	list_add(&entry->node, &enclave->mms);
	return 0;
}

void sgx2_mms_del(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	scoped_guard(spinlock, &enclave->mms_lock)
	{
		entry = sgx2_mms_find(enclave, mm);
		if (!entry) {
			/* Its VMA was made by a fork() that had no memory for the entry. */
			WARN_ON_ONCE(!sgx2_enclave_is(enclave, SGX2_ALL_CPUS));
			return;
		}
		if (--entry->vmas)
			return;
		list_del(&entry->node);
	}
	mmdrop(entry->mm);
	kfree(entry);
}

bool sgx2_mms_cpus(struct sgx2_enclave *enclave, struct cpumask *cpus)
{
	struct sgx2_mm *entry;

	if (sgx2_enclave_is(enclave, SGX2_ALL_CPUS))
		return false;
	cpumask_clear(cpus);
	guard(spinlock)(&enclave->mms_lock);
	list_for_each_entry(entry, &enclave->mms, node)
		cpumask_or(cpus, cpus, mm_cpumask(entry->mm));
	return true;
}

/**
 * struct sgx2_age - the walk that reads Accessed bits
 */
struct sgx2_age {
	/** @start: address of the first page. */
	unsigned long start;
	/** @young: a bit for each page from there. */
	unsigned long *young;
};

/*
 * Clears the bit without a TLB flush: a translation that is cached still hides one use from the
 * next look, and that is all.
 */
static int sgx2_age_pte(pte_t *pte, unsigned long address, void *data)
{
	struct sgx2_age *age = data;

	if (pte_young(*pte) && test_and_clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)pte))
		__set_bit((address - age->start) >> PAGE_SHIFT, age->young);
	return 0;
}

static void sgx2_age_mm(struct sgx2_chunk *chunk, struct mm_struct *mm, struct sgx2_age *age,
			unsigned long end)
{
	struct vm_area_struct *vma;
	unsigned long from, to;

	mmap_assert_locked(mm);
	/*
	 * A fork() that failed half way leaves the VMAs of the parent behind in the tree of the
	 * child, until its last user is gone: that may be us.
	 */
	if (check_stable_address_space(mm))
		return;
	for (vma = find_vma(mm, age->start); vma && vma->vm_start < end;
	     vma = find_vma(mm, vma->vm_end)) {
		/*
		 * What else may lie there is not ours to touch, and may be mapped by a huge page.
		 */
		if (vma->vm_mm != mm || vma->vm_ops != &sgx2_vm_ops ||
		    vma->vm_private_data != chunk->enclave)
			continue;
		from = max(vma->vm_start, age->start);
		to = min(vma->vm_end, end);
		sgx2_pte_walk(mm, from, to, sgx2_age_pte, age);
	}
}

/*
 * Up to SGX2_MMS_AGED address spaces that have users, with a reference to these; more than that if
 * there are more.
 */
static unsigned int sgx2_mms_users(struct sgx2_enclave *enclave, struct mm_struct **mm)
{
	struct sgx2_mm *entry;
	unsigned int count = 0;

	guard(spinlock)(&enclave->mms_lock);
	list_for_each_entry(entry, &enclave->mms, node) {
		if (count == SGX2_MMS_AGED)
			break;
		if (mmget_not_zero(entry->mm))
			mm[count++] = entry->mm;
	}
	return count;
}

bool sgx2_mms_young(struct sgx2_chunk *chunk, unsigned int first, unsigned int count,
		    unsigned long *young)
{
	struct sgx2_age age = { .start = sgx2_chunk_address(chunk, first), .young = young };
	struct mm_struct *mm[SGX2_MMS_AGED];
	unsigned int users, i;
	bool known = true;

	lockdep_assert_held(&chunk->lock);
	bitmap_zero(young, count);
	users = sgx2_mms_users(chunk->enclave, mm);
	for (i = 0; i < users; i++) {
		if (mmap_read_trylock(mm[i])) {
			sgx2_age_mm(chunk, mm[i], &age, age.start + count * PAGE_SIZE);
			mmap_read_unlock(mm[i]);
		} else {
			known = false;
		}
		/* The last user may be us, and its exit wants locks that the caller may hold. */
		mmput_async(mm[i]);
	}
	return known;
}
