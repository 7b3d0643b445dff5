/* SPDX-License-Identifier: GPL-2.0 */
/* Changes of pages after EINIT, by range: permissions, types, removal. */
#ifndef SGX2_EDMM_H
#define SGX2_EDMM_H

struct sgx2_call;
struct sgx2_enclave;

/**
 * sgx2_edmm_ready() - test whether pages of an enclave can be added, changed and removed
 * @enclave: the enclave
 *
 * Return:
 * * 0 - they can
 * * -EINVAL - the enclave is not initialized
 * * -ENODEV - the CPU has SGX1 only
 */
int sgx2_edmm_ready(const struct sgx2_enclave *enclave);

/*
 * The calls below return mainline's values, but for those that Documentation/differences.rst lists.
 * After the first checks the argument counts the bytes that are done, whatever is returned.
 */

/**
 * sgx2_ioc_restrict_permissions() - carry out SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS
 * @call: the call
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - all pages are restricted; after a signal, some
 * * -EFAULT - a page is absent, or EMODPR returned the code in the argument
 * * -EINVAL - alignment, range, permissions, a result that is not zero, or a page of another type
 * * -EIO - the enclave is dead
 * * -ENOMEM - no memory, or no EPC page that could be evicted
 * * -ERESTARTSYS - a signal is pending, and no page was changed
 */
int sgx2_ioc_restrict_permissions(struct sgx2_call *call);

/**
 * sgx2_ioc_modify_types() - carry out SGX_IOC_ENCLAVE_MODIFY_TYPES
 * @call: the call
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - all pages have the type; after a signal, some
 * * -EFAULT - a page is absent, or EMODT returned the code in the argument
 * * -EINVAL - alignment, range, type, a result that is not zero, or a page of a wrong type
 * * -EIO - the enclave is dead
 * * -ENOMEM - no memory, or no EPC page that could be evicted
 * * -EPERM - a page that cannot be mapped for reading and writing is to be a TCS
 * * -ERESTARTSYS - a signal is pending, and no page was changed
 */
int sgx2_ioc_modify_types(struct sgx2_call *call);

/**
 * sgx2_ioc_remove_pages() - carry out SGX_IOC_ENCLAVE_REMOVE_PAGES
 * @call: the call
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - all pages are removed; after a signal, some
 * * -EFAULT - a page is absent
 * * -EINVAL - alignment, range, or a count that is not zero
 * * -EIO - the enclave is dead
 * * -ENOMEM - no memory, or no EPC page that could be evicted
 * * -EPERM - a page is not of type TRIM, or the enclave has not accepted the type
 * * -ERESTARTSYS - a signal is pending, and no page was removed
 */
int sgx2_ioc_remove_pages(struct sgx2_call *call);

/**
 * sgx2_ioc_reset_permissions() - carry out SGX_IOC_ENCLAVE_RESET_PERMISSIONS
 * @call: the call
 *
 * Context: process; sleeps.
 * Return: as sgx2_ioc_restrict_permissions(); -EINVAL also for unknown flags.
 */
int sgx2_ioc_reset_permissions(struct sgx2_call *call);

/**
 * sgx2_mprotect() - change EPCM permissions as CONFIGURE has embedded it into mprotect()
 * @enclave: the enclave
 * @start: first address of the piece of a VMA that changes
 * @end: address after it
 * @flags: the new VM_READ, VM_WRITE and VM_EXEC
 *
 * Skips pages that cannot be changed. A page that waits for EACCEPT already counts as changed.
 *
 * Context: process; sleeps. mmap_lock is held for writing.
 * Return:
 * * 0 - done, or nothing is embedded
 * * -EAGAIN - a page is evicted, and no EPC page is free at the moment
 * * -EBUSY - the enclave keeps a page busy
 * * -EINTR - a fatal signal is pending
 * * -EIO - the enclave is dead
 * * -ENOMEM - no memory
 */
int sgx2_mprotect(struct sgx2_enclave *enclave, unsigned long start, unsigned long end,
		  unsigned long flags);

#endif
