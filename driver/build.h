/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that make an enclave: CREATE, ADD_PAGES, INIT, PROVISION. */
#ifndef SGX2_BUILD_H
#define SGX2_BUILD_H

#include <linux/types.h>

struct sgx2_enclave;

/* Whole pages, at least one, inside of an enclave that is created. */
bool sgx2_range_valid(struct sgx2_enclave *enclave, u64 offset, u64 length);

/*
 * Each holds sgx2_enclave::build, for which it waits until a signal comes (-ERESTARTSYS).
 * uapi/asm/sgx.h has the argument of each.
 */

/**
 * sgx2_create() - SGX_IOC_ENCLAVE_CREATE
 * Return: 0; -EINVAL if it was done before or SIZE is not a power of 2; -EFAULT; -ENOMEM; -EIO if
 * ECREATE faults or EUPDATESVN fails; -EAGAIN if that has no entropy; -ERESTARTSYS.
 * @enclave: whose
 * @arg: the program's argument
 */
long sgx2_create(struct sgx2_enclave *enclave, void __user *arg);

/**
 * sgx2_add_pages() - SGX_IOC_ENCLAVE_ADD_PAGES
 *
 * Return: 0, and a count short of the length only after a signal; -EINVAL if the enclave is not
 * created, or is initialized, or for what cannot be (alignment, range, SECINFO); -EFAULT; -EACCES
 * if the source may not be executed; -EBUSY if the page exists; -ENOMEM; -ERESTARTSYS for a signal
 * before the first page; -EIO if EADD or EEXTEND fails. The count tells how many bytes were added
 * in each case but -EINVAL and -EFAULT of the argument itself.
 * @enclave: whose
 * @arg: the program's argument
 */
long sgx2_add_pages(struct sgx2_enclave *enclave, void __user *arg);

/**
 * sgx2_initialize() - SGX_IOC_ENCLAVE_INIT
 *
 * Return: 0; -EINVAL if the enclave is not created, or is initialized, or asks for what the
 * processor has not; -EFAULT; -ENOMEM; -EACCES for an attribute that was not allowed; -EPERM if
 * EINIT refuses SIGSTRUCT; -ERESTARTSYS; -EIO if EINIT faults.
 * @enclave: whose
 * @arg: the program's argument
 */
long sgx2_initialize(struct sgx2_enclave *enclave, void __user *arg);

/**
 * sgx2_provision() - SGX_IOC_ENCLAVE_PROVISION
 * Return: 0; -EFAULT; -EINVAL if the file is not /dev/sgx_provision.
 * @enclave: whose
 * @arg: the program's argument
 */
long sgx2_provision(struct sgx2_enclave *enclave, void __user *arg);

#endif
