/* SPDX-License-Identifier: GPL-2.0 */
/* Mappings of an enclave: mmap(), mprotect(), fork() and munmap(). */
#ifndef SGX2_MAPPING_H
#define SGX2_MAPPING_H

struct file;
struct vm_area_struct;

/**
 * sgx2_mmap() - map a part of an enclave, or of ELRANGE before CREATE; file_operations::mmap
 * @file: the file of the enclave
 * @vma: the new VMA, whose linear address determines the pages; the offset is ignored
 *
 * Context: process; sleeps. mmap_lock is held for writing.
 * Return:
 * * 0 - mapped
 * * -EACCES - outside of ELRANGE after EINIT; with the personality READ_IMPLIES_EXEC; or a page may
 *   not be mapped with these permissions
 * * -EINVAL - a private mapping
 * * -ENOMEM - no memory
 */
int sgx2_mmap(struct file *file, struct vm_area_struct *vma);

/**
 * sgx2_get_unmapped_area() - choose the address of a mapping, file_operations::get_unmapped_area
 * @file: the file of the enclave
 * @address: as the program requested it
 * @length: in bytes
 * @pgoff: ignored
 * @flags: of mmap()
 *
 * A private mapping is refused here, before the kernel unmaps what lies at its address.
 *
 * Context: process. mmap_lock is held for writing.
 * Return: the address, -EINVAL for a private mapping, or another error.
 */
unsigned long sgx2_get_unmapped_area(struct file *file, unsigned long address, unsigned long length,
				     unsigned long pgoff, unsigned long flags);

#endif
