/* SPDX-License-Identifier: GPL-2.0 */
/* Walks over page-table entries that exist. */
#ifndef SGX2_PTE_H
#define SGX2_PTE_H

#include <linux/mm.h>

/**
 * sgx2_pte_walk() - call a function for each PTE of a range, if there is a page table
 * @mm: the address space
 * @start: address of the first page
 * @end: address after the last one, in the same 2 MiB
 * @function: is called with each entry, under the page table's lock
 * @data: for @function
 *
 * A range without a page table has no PTE that could be young or present, and a walk that made one
 * would cost a page of memory for each 2 MiB of ELRANGE.
 *
 * Context: mmap_lock is held, or the lock of a VMA that covers the range, so that the page table
 * stays. Sleeps.
 * Return: 0; the first nonzero value that @function returns, which ends the walk.
 */
int sgx2_pte_walk(struct mm_struct *mm, unsigned long start, unsigned long end, pte_fn_t function,
		  void *data);

#endif
