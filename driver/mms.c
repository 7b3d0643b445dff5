// SPDX-License-Identifier: GPL-2.0
/*
 * The address spaces that map an enclave: whose CPUs to interrupt, whose PTEs to look at, whose
 * memory cgroup to charge.
 *
 * An address space is here while it has a VMA of the enclave. A thread can be inside only while its
 * address space has one: the last munmap() flushes the translations on all CPUs of the mm, and that
 * interrupt is an exit. PTEs are not found through here but through the inode's address space; see
 * enclave.c.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "enclave.h"
#include "mapping.h"
#include "mms.h"

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
 * struct sgx2_age - what the walk over PTEs is about
 */
struct sgx2_age {
	/** @start: address of the chunk. */
	unsigned long start;
	/** @young: a bit for each of its pages. */
	unsigned long *young;
};

/*
 * No TLB flush: a translation that is cached still hides one use from the next look, and that is
 * all. The walk makes page tables where there are none, which is next to nowhere, since the chunk
 * has pages in the EPC; the walk that makes none is not for modules since 7.3.
 */
static int sgx2_age_pte(pte_t *pte, unsigned long address, void *data)
{
	struct sgx2_age *age = data;

	if (pte_young(*pte) && test_and_clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)pte))
		__set_bit((address - age->start) >> PAGE_SHIFT, age->young);
	return 0;
}

static void sgx2_age_mm(struct sgx2_chunk *chunk, struct mm_struct *mm, unsigned long *young)
{
	struct sgx2_age age = { .start = sgx2_chunk_address(chunk, 0), .young = young };
	unsigned long end = age.start + SGX2_CHUNK_PAGES * PAGE_SIZE;
	struct vm_area_struct *vma;
	unsigned long from, to;

	mmap_assert_locked(mm);
	for (vma = find_vma(mm, age.start); vma && vma->vm_start < end;
	     vma = find_vma(mm, vma->vm_end)) {
		/*
		 * What else may lie in these 2 MiB is not ours to touch, and may be mapped by a
		 * huge page.
		 */
		if (vma->vm_ops != &sgx2_vm_ops || vma->vm_private_data != chunk->enclave)
			continue;
		from = max(vma->vm_start, age.start);
		to = min(vma->vm_end, end);
		apply_to_page_range(mm, from, to - from, sgx2_age_pte, &age);
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

void sgx2_mms_young(struct sgx2_chunk *chunk, unsigned long *young)
{
	struct mm_struct *mm[SGX2_MMS_AGED];
	unsigned int count, i;

	bitmap_zero(young, SGX2_CHUNK_PAGES);
	count = sgx2_mms_users(chunk->enclave, mm);
	for (i = 0; i < count; i++) {
		if (mmap_read_trylock(mm[i])) {
			sgx2_age_mm(chunk, mm[i], young);
			mmap_read_unlock(mm[i]);
		} else {
			bitmap_fill(young, SGX2_CHUNK_PAGES);
		}
		/* The last user may be us, and its exit wants locks that the caller may hold. */
		mmput_async(mm[i]);
	}
}

struct mem_cgroup *sgx2_mms_memcg(struct sgx2_enclave *enclave)
{
	struct sgx2_mm *entry;

	guard(spinlock)(&enclave->mms_lock);
	entry = list_first_entry_or_null(&enclave->mms, struct sgx2_mm, node);
	return entry ? get_mem_cgroup_from_mm(entry->mm) : NULL;
}
