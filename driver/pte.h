/* SPDX-License-Identifier: GPL-2.0 */
/* PTEs of enclave pages: zap, install, read and clear Accessed bits. */
#ifndef SGX2_PTE_H
#define SGX2_PTE_H

#include <linux/types.h>

struct sgx2_chunk;
struct sgx2_enclave;
struct sgx2_fault_around;
struct vm_area_struct;

/**
 * sgx2_pte_zap() - remove the PTEs of a range from every address space
 * @enclave: the enclave
 * @pgoff: page number of the first page
 * @count: number of pages
 *
 * Returns after the translations have been flushed from all CPUs.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock if no fault may install the PTEs again.
 */
void sgx2_pte_zap(struct sgx2_enclave *enclave, unsigned long pgoff, unsigned long count);

/**
 * sgx2_pte_install() - install PTEs for the resident pages of a range in a VMA
 * @chunk: the chunk of the pages
 * @vma: the VMA, which covers the range
 * @first: index of the first page
 * @count: number of pages
 * @old: address of a page among them whose PTE gets a clear Accessed bit, 0 for none
 *
 * Skips pages that have a PTE, and pages that the policy does not allow in this VMA.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock, and mmap_lock or the VMA's lock.
 * Return:
 * * 0 - each resident page that may have a PTE has one, or the enclave is dead
 * * -ENOMEM - no memory for a page table
 */
int sgx2_pte_install(struct sgx2_chunk *chunk, struct vm_area_struct *vma, unsigned int first,
		     unsigned int count, unsigned long old);

/**
 * sgx2_pte_install_around() - install PTEs for a page that is accessed and for its neighbors
 * @chunk: the chunk of the pages
 * @vma: the VMA, which covers the range
 * @first: index of the first page
 * @count: number of pages
 * @accessed: address of the page that is accessed; it is in the range
 *
 * As sgx2_pte_install(), but the PTEs of the neighbors get a clear Accessed bit: the reclaimer has
 * to see whether a neighbor is accessed.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock, and mmap_lock or the VMA's lock.
 * Return: as sgx2_pte_install().
 */
int sgx2_pte_install_around(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
			    unsigned int first, unsigned int count, unsigned long accessed);

/**
 * sgx2_pte_install_all() - install PTEs in all VMAs of the caller
 * @chunk: the chunk of the pages
 * @first: index of the first page
 * @last: index after the last page
 *
 * A PTE that cannot be installed is left to a fault.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock and mmap_lock of the caller.
 */
void sgx2_pte_install_all(struct sgx2_chunk *chunk, unsigned int first, unsigned int last);

/**
 * sgx2_pte_zap_if_dead() - zap PTEs that were installed while the enclave died
 * @chunk: the chunk of the pages
 * @first: index of the first page
 * @count: number of pages
 *
 * sgx2_enclave_mark_dead() may have zapped before the PTEs were installed.
 *
 * Context: process; sleeps. Under sgx2_chunk::lock.
 */
void sgx2_pte_zap_if_dead(struct sgx2_chunk *chunk, unsigned int first, unsigned int count);

/**
 * sgx2_pte_young() - read the Accessed bit of one page in one VMA
 * @vma: the VMA
 * @address: address of the page; false is returned if it is outside of the VMA
 *
 * Context: process; sleeps. Under mmap_lock or the VMA's lock.
 * Return: true if the page has a PTE with the bit set.
 */
bool sgx2_pte_young(struct vm_area_struct *vma, unsigned long address);

/**
 * sgx2_pte_walked() - test whether a fault continues a walk through the last window
 * @chunk: the chunk of the page that is accessed
 * @vma: the VMA that is accessed
 * @around: the last window, of @chunk
 * @index: index of the page that is accessed
 *
 * Context: process; sleeps. Under sgx2_chunk::lock, and mmap_lock or the VMA's lock.
 * Return: true if the page is next to the window, whose far page has been accessed in this VMA.
 */
bool sgx2_pte_walked(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
		     const struct sgx2_fault_around *around, unsigned int index);

/**
 * sgx2_pte_age() - read and clear the Accessed bits of a range in all address spaces
 * @chunk: the chunk of the pages
 * @first: index of the first page
 * @count: number of pages
 * @young: @count bits, set for each page with an Accessed bit in any address space
 *
 * Context: process; sleeps. Under sgx2_chunk::lock. Takes mmap_lock of each address space for
 * reading, by trylock, since mmap_lock is outside of a chunk's mutex.
 * Return: false if the page tables of some address space could not be read.
 */
bool sgx2_pte_age(struct sgx2_chunk *chunk, unsigned int first, unsigned int count,
		  unsigned long *young);

#endif
