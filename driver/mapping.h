/* SPDX-License-Identifier: GPL-2.0 */
/* Mappings of an enclave: mmap(), mprotect(), faults, and what a debugger sees. */
#ifndef SGX2_MAPPING_H
#define SGX2_MAPPING_H

struct file;
struct vm_area_struct;

extern const struct vm_operations_struct sgx2_vm_ops;

/**
 * sgx2_mmap() - map a part of an enclave, or of what will be one
 *
 * The linear address says which page; the offset that the program gives is ignored, as mainline
 * does.
 *
 * Return: 0; -EINVAL for a private mapping; -EACCES outside of ELRANGE once the enclave is
 * initialized, with the personality READ_IMPLIES_EXEC, or where a page must not be mapped so;
 * -ENOMEM.
 * @file: the open file of the enclave
 * @vma: the new one
 */
int sgx2_mmap(struct file *file, struct vm_area_struct *vma);

/* Where mmap() puts it. A private one is refused here, before what lies there goes. */
unsigned long sgx2_get_unmapped_area(struct file *file, unsigned long address, unsigned long length,
				     unsigned long pgoff, unsigned long flags);

struct sgx2_chunk;

/**
 * sgx2_map_present() - PTEs for pages of a chunk that are in the EPC and in this VMA
 * @chunk: whose
 * @vma: that is locked against change, by mmap_lock or by itself
 * @first: index of the first page
 * @count: how many
 * @old: address of a page among them whose PTE is to have the Accessed bit clear, 0 for none
 *
 * What must not be mapped so, or has a PTE, is passed over.
 *
 * Context: under the chunk's mutex.
 * Return: 0 or -ENOMEM.
 */
int sgx2_map_present(struct sgx2_chunk *chunk, struct vm_area_struct *vma, unsigned int first,
		     unsigned int count, unsigned long old);

/* The same for pages [first, last) in all VMAs of the caller, who holds mmap_lock. */
void sgx2_map_chunk(struct sgx2_chunk *chunk, unsigned int first, unsigned int last);

#endif
