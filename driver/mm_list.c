// SPDX-License-Identifier: GPL-2.0
/*
 * The list of address spaces that map an enclave. It provides the CPUs that an IPI broadcast has
 * to reach, and the page tables with the Accessed bits.
 *
 * An address space is on the list while it has a VMA of the enclave. A thread can be inside of the
 * enclave only that long: the last munmap() flushes the translations on all CPUs of the address
 * space, and the interrupt of that flush is an AEX. PTEs are zapped through the address space of
 * the enclave's inode, not through this list; see pte.c.
 */
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "enclave_types.h"
#include "mm_list.h"

/**
 * struct sgx2_mm - an address space that maps the enclave
 */
struct sgx2_mm {
	/** @node: entry in sgx2_enclave::mm_list; under sgx2_enclave::mm_list_lock. */
	struct list_head node;
	/** @mm: the address space, with a reference by mmgrab(); constant. */
	struct mm_struct *mm;
	/** @vmas: number of its VMAs that map the enclave; under sgx2_enclave::mm_list_lock. */
	unsigned long vmas;
};

static struct sgx2_mm *sgx2_mm_list_find(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	lockdep_assert_held(&enclave->mm_list_lock);
	list_for_each_entry(entry, &enclave->mm_list, node) {
		if (entry->mm == mm)
			return entry;
	}
	return NULL;
}

/* Counts a VMA of an address space that is on the list; returns whether it is. */
static bool sgx2_mm_list_count(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	guard(spinlock)(&enclave->mm_list_lock);
	entry = sgx2_mm_list_find(enclave, mm);
	if (entry)
		entry->vmas++;
	return entry;
}

int sgx2_mm_list_add(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	if (sgx2_mm_list_count(enclave, mm))
		return 0;
	/* A VMA is added under this lock only, so @mm cannot be added twice. */
	mmap_assert_write_locked(mm);
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	mmgrab(mm);
	entry->mm = mm;
	entry->vmas = 1;
	guard(spinlock)(&enclave->mm_list_lock);
	list_add(&entry->node, &enclave->mm_list);
	return 0;
}

void sgx2_mm_list_del(struct sgx2_enclave *enclave, struct mm_struct *mm)
{
	struct sgx2_mm *entry;

	scoped_guard(spinlock, &enclave->mm_list_lock) {
		entry = sgx2_mm_list_find(enclave, mm);
		if (!entry) {
			/* A fork() had no memory for the entry, and made the VMA nevertheless. */
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

bool sgx2_mm_list_cpus(struct sgx2_enclave *enclave, struct cpumask *cpus)
{
	struct sgx2_mm *entry;

	if (sgx2_enclave_is(enclave, SGX2_ALL_CPUS))
		return false;
	cpumask_clear(cpus);
	guard(spinlock)(&enclave->mm_list_lock);
	list_for_each_entry(entry, &enclave->mm_list, node)
		cpumask_or(cpus, cpus, mm_cpumask(entry->mm));
	return true;
}

/*
 * Returns whether a mask has a CPU other than @cpu. Reads each word once: CPUs set and clear their
 * bits meanwhile, and the weight of the mask, less the bit of @cpu that is read before or after,
 * could be 0 while another CPU's bit is set.
 */
static bool sgx2_mm_list_mask_has_other(const struct cpumask *cpus, unsigned int cpu)
{
	unsigned long word;
	unsigned int i;

	for (i = 0; i < BITS_TO_LONGS(nr_cpu_ids); i++) {
		word = READ_ONCE(cpumask_bits(cpus)[i]);
		if (i == BIT_WORD(cpu))
			word &= ~BIT_MASK(cpu);
		if (word)
			return true;
	}
	return false;
}

bool sgx2_mm_list_has_other_cpu(struct sgx2_enclave *enclave, unsigned int cpu)
{
	struct sgx2_mm *entry;

	if (sgx2_enclave_is(enclave, SGX2_ALL_CPUS))
		return true;
	guard(spinlock)(&enclave->mm_list_lock);
	list_for_each_entry(entry, &enclave->mm_list, node) {
		if (sgx2_mm_list_mask_has_other(mm_cpumask(entry->mm), cpu))
			return true;
	}
	return false;
}

unsigned int sgx2_mm_list_users(struct sgx2_enclave *enclave, struct mm_struct **mm)
{
	struct sgx2_mm *entry;
	unsigned int count = 0;

	guard(spinlock)(&enclave->mm_list_lock);
	list_for_each_entry(entry, &enclave->mm_list, node) {
		if (count == SGX2_AGE_MMS)
			break;
		if (mmget_not_zero(entry->mm))
			mm[count++] = entry->mm;
	}
	return count;
}
