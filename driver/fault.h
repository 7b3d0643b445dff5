/* SPDX-License-Identifier: GPL-2.0 */
/* Page faults on mappings of an enclave. */
#ifndef SGX2_FAULT_H
#define SGX2_FAULT_H

#include <linux/mm_types.h>

/**
 * sgx2_fault() - handle a page fault, vm_operations_struct::fault
 * @vmf: the fault
 *
 * Context: process; sleeps. mmap_lock is held for reading, or the VMA's lock, and may be dropped.
 * Return:
 * * VM_FAULT_NOPAGE - the page has a PTE, or the thread has a signal and accesses the page again
 * * VM_FAULT_RETRY - the lock was dropped
 * * VM_FAULT_OOM - no memory
 * * VM_FAULT_SIGBUS - no such page, a forbidden access, or a dead enclave
 * * VM_FAULT_SIGSEGV - dynamic_code=0 forbids the access
 */
vm_fault_t sgx2_fault(struct vm_fault *vmf);

#endif
