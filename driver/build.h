/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that build an enclave: CREATE, ADD_PAGES, INIT, PROVISION. */
#ifndef SGX2_BUILD_H
#define SGX2_BUILD_H

#include <linux/fs.h>

struct sgx2_call;
struct sgx2_enclave;

/* File operations of /dev/sgx_provision; PROVISION recognizes the file by them. */
extern const struct file_operations sgx2_provision_fops;

/*
 * Each function below runs under sgx2_enclave::build_lock. uapi/asm/sgx.h has the argument of each
 * call.
 */

/**
 * sgx2_create_ready() - test whether an enclave can be created
 * @enclave: the enclave
 *
 * Return: 0, or -EINVAL if it is created already.
 */
int sgx2_create_ready(const struct sgx2_enclave *enclave);

/**
 * sgx2_build_ready() - test whether an enclave can be built
 * @enclave: the enclave
 *
 * Return: 0, or -EINVAL if it is not created, or is initialized.
 */
int sgx2_build_ready(const struct sgx2_enclave *enclave);

/**
 * sgx2_ioc_create() - carry out SGX_IOC_ENCLAVE_CREATE
 * @call: the call
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - the enclave is created
 * * -EAGAIN - EUPDATESVN has no entropy
 * * -EFAULT - the SECS cannot be read
 * * -EINVAL - SIZE is not a power of 2
 * * -EIO - ECREATE faulted or EUPDATESVN failed
 * * -ENOMEM - no memory, or no EPC page that could be evicted
 * * -ERESTARTSYS - a signal is pending
 */
int sgx2_ioc_create(struct sgx2_call *call);

/**
 * sgx2_ioc_add_pages() - carry out SGX_IOC_ENCLAVE_ADD_PAGES
 * @call: the call
 *
 * The count in the argument is the number of bytes that were added, also if the call fails after
 * the first checks.
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - all pages are added; after a signal, some
 * * -EACCES - the source is on a noexec mount, or dynamic_code=0 forbids the page
 * * -EBUSY - a page exists already
 * * -EFAULT - SECINFO or the source cannot be read
 * * -EINVAL - alignment, range or SECINFO
 * * -EIO - EADD or EEXTEND failed
 * * -ENOMEM - no memory, or no EPC page that could be evicted
 * * -ERESTARTSYS - a signal is pending, and no page was added
 */
int sgx2_ioc_add_pages(struct sgx2_call *call);

/**
 * sgx2_ioc_init() - carry out SGX_IOC_ENCLAVE_INIT
 * @call: the call
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - the enclave is initialized
 * * -EACCES - an attribute is not allowed
 * * -EFAULT - SIGSTRUCT cannot be read
 * * -EINVAL - SIGSTRUCT has another vendor, or demands what the CPU lacks
 * * -EIO - EINIT faulted
 * * -ENOMEM - no memory
 * * -EPERM - EINIT returned a code
 * * -ERESTARTSYS - a signal is pending
 */
int sgx2_ioc_init(struct sgx2_call *call);

/**
 * sgx2_ioc_provision() - carry out SGX_IOC_ENCLAVE_PROVISION
 * @call: the call
 *
 * Context: process.
 * Return:
 * * 0 - the enclave may have the attribute PROVISIONKEY
 * * -EINVAL - the file is not /dev/sgx_provision
 */
int sgx2_ioc_provision(struct sgx2_call *call);

#endif
