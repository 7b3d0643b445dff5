/* SPDX-License-Identifier: GPL-2.0 */
/* The address spaces that map an enclave. */
#ifndef SGX2_MMS_H
#define SGX2_MMS_H

#include <linux/types.h>

struct cpumask;
struct mm_struct;
struct sgx2_chunk;
struct sgx2_enclave;

/**
 * sgx2_mms_add() - one more VMA of this address space maps the enclave
 *
 * Context: sleeps for memory; mmap_lock held for writing.
 * Return: 0 or -ENOMEM, which cannot happen for one that has a VMA already.
 * @enclave: whose
 * @mm: the address space
 */
int sgx2_mms_add(struct sgx2_enclave *enclave, struct mm_struct *mm);

/* One less; never sleeps. */
void sgx2_mms_del(struct sgx2_enclave *enclave, struct mm_struct *mm);

/*
 * The CPUs on which a thread may be inside go to @cpus. False if that is not known: then it may be
 * any.
 */
bool sgx2_mms_cpus(struct sgx2_enclave *enclave, struct cpumask *cpus);

/**
 * sgx2_mms_young() - find pages that were used since the last time, and forget that they were
 * @chunk: the chunk of the pages
 * @first: index of the first page
 * @count: number of pages
 * @young: @count bits, set for each page with an Accessed bit in any address space
 *
 * Context: under the chunk's mutex. Takes mmap_lock of each address space for reading, by trylock,
 * since the order is the other one.
 * Return: false if not all address spaces could be looked at.
 */
bool sgx2_mms_young(struct sgx2_chunk *chunk, unsigned int first, unsigned int count,
		    unsigned long *young);

#endif
