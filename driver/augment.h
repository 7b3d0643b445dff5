/* SPDX-License-Identifier: GPL-2.0 */
/* Pages that an enclave gets while it runs: EAUG on a touch, and ahead of it. */
#ifndef SGX2_AUGMENT_H
#define SGX2_AUGMENT_H

#include <linux/types.h>

struct file;
struct sgx2_chunk;
struct sgx2_enclave;
struct vm_fault;

/* Whether a touch of an absent page of this address adds one. */
bool sgx2_augment_wanted(struct sgx2_enclave *enclave, unsigned long pgoff);

/**
 * sgx2_augment_fault() - add the page that is touched, and those that are likely to be touched next
 *
 * Context: a fault, under the chunk's mutex; the page is absent.
 * Return: 0 with a page at vmf->pgoff, and PTEs for it and those around it if it is not alone; a
 * page that is alone has none; -EAGAIN if no EPC page is free; -EIO; -ENOMEM.
 * @chunk: in which the page is
 * @vmf: the fault
 */
int sgx2_augment_fault(struct sgx2_chunk *chunk, struct vm_fault *vmf);

/* SGX_IOC_ENCLAVE_AUGMENT_PAGES; errors as in linux/sgx2.h. */
long sgx2_augment(struct sgx2_enclave *enclave, void __user *arg);

/*
 * posix_fadvise() and, by linear address as offset, madvise(): MADV_WILLNEED is a hint to augment
 * what is mapped.
 */
int sgx2_fadvise(struct file *file, loff_t offset, loff_t length, int advice);

#endif
