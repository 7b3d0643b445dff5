/* SPDX-License-Identifier: GPL-2.0 */
/* Accesses of a debugger to a debug enclave: EDBGRD and EDBGWR. */
#ifndef SGX2_DEBUG_H
#define SGX2_DEBUG_H

struct vm_area_struct;

/**
 * sgx2_access() - read or write memory for ptrace() and /proc/PID/mem, vm_operations_struct::access
 * @vma: the VMA
 * @address: first address
 * @buf: kernel buffer
 * @len: in bytes
 * @write: write to the enclave
 *
 * Context: process; sleeps. mmap_lock is held for reading.
 * Return: @len, or:
 * * -EFAULT - no debug enclave, no such page, or a forbidden access
 * * -EINTR - a signal is pending
 * * -EIO - a leaf failed, or the enclave is dead
 * * -ENOMEM - no memory, or no EPC page that could be evicted
 */
int sgx2_access(struct vm_area_struct *vma, unsigned long address, void *buf, int len, int write);

#endif
