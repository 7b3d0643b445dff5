/* SPDX-License-Identifier: GPL-2.0 */
/* Pages that are added after EINIT: EAUG at an access, and ahead of it. */
#ifndef SGX2_AUGMENT_H
#define SGX2_AUGMENT_H

#include <linux/types.h>

struct file;
struct sgx2_call;
struct sgx2_chunk;
struct sgx2_enclave;
struct vm_fault;

/**
 * sgx2_augment_wanted() - test whether an access to an absent page adds the page
 * @enclave: the enclave
 * @pgoff: page number of the page
 *
 * Context: any.
 * Return: true after EINIT for a page of ELRANGE, unless CONFIGURE has disabled it.
 */
bool sgx2_augment_wanted(struct sgx2_enclave *enclave, unsigned long pgoff);

/**
 * sgx2_augment_fault() - add the page that is accessed, and pages that are likely to be accessed
 * @chunk: the chunk of the page
 * @vmf: the fault; the page at vmf->pgoff is absent
 *
 * If several pages are added, each has a PTE afterwards. A page that is added alone has none.
 *
 * Context: a fault; sleeps. Under sgx2_chunk::lock.
 * Return:
 * * 0 - the page is resident
 * * -EAGAIN - no EPC page is free
 * * -EIO - EAUG failed, or the enclave is dead
 * * -ENOMEM, or another error of sgx2_secs_pin()
 */
int sgx2_augment_fault(struct sgx2_chunk *chunk, struct vm_fault *vmf);

/**
 * sgx2_ioc_augment_pages() - carry out SGX_IOC_ENCLAVE_AUGMENT_PAGES
 * @call: the call
 *
 * The argument counts the bytes that are done, also if the call fails after the first checks.
 *
 * Context: process; sleeps. Takes mmap_lock for reading.
 * Return:
 * * 0 - all absent pages are added; after a signal, some
 * * -EINVAL - alignment, range, flags, or a result that is not zero
 * * -EIO - EAUG failed, or the enclave is dead
 * * -ENOMEM - no memory, or no EPC page that could be evicted
 * * -ERESTARTSYS - a signal is pending, and no page was added
 */
int sgx2_ioc_augment_pages(struct sgx2_call *call);

/**
 * sgx2_fadvise() - add pages ahead of their access, file_operations::fadvise
 * @file: the file of the enclave
 * @offset: linear address
 * @length: in bytes; 0 for up to the end of ELRANGE
 * @advice: POSIX_FADV_WILLNEED adds absent pages that are mapped; other advice is ignored
 *
 * madvise() with MADV_WILLNEED calls this, too. Pages are added only while EPC pages are plenty.
 *
 * Context: process; sleeps. Takes mmap_lock for reading.
 * Return: 0, or -EINVAL if @offset or @length is negative.
 */
int sgx2_fadvise(struct file *file, loff_t offset, loff_t length, int advice);

#endif
