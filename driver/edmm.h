/* SPDX-License-Identifier: GPL-2.0 */
/* Change of pages of a running enclave: permissions, types, removal. */
#ifndef SGX2_EDMM_H
#define SGX2_EDMM_H

struct sgx2_enclave;

/*
 * The three of uapi/asm/sgx.h, as mainline answers them but for what Documentation/ lists, and
 * linux/sgx2.h's.
 */
long sgx2_restrict(struct sgx2_enclave *enclave, void __user *arg);
long sgx2_modify(struct sgx2_enclave *enclave, void __user *arg);
long sgx2_remove(struct sgx2_enclave *enclave, void __user *arg);
long sgx2_reset(struct sgx2_enclave *enclave, void __user *arg);

/**
 * sgx2_mprotect() - what mprotect() does to EPCM permissions, if the enclave asked for it
 * @enclave: that is mapped
 * @start: of the piece of a VMA whose protection changes
 * @end: of it
 * @flags: the new VM_READ, VM_WRITE, VM_EXEC
 *
 * Context: mmap_lock held for writing.
 * Return: 0; -EINTR if the task is being killed; -EBUSY if the enclave keeps a page busy; -EAGAIN
 * if a page is not in the EPC and there is no room for it at the moment; -ENOMEM; -EIO.
 */
int sgx2_mprotect(struct sgx2_enclave *enclave, unsigned long start, unsigned long end,
		  unsigned long flags);

#endif
