/* SPDX-License-Identifier: GPL-2.0 */
/* QUERY and CONFIGURE, and the copying of structs that begin with their size. */
#ifndef SGX2_CONFIGURE_H
#define SGX2_CONFIGURE_H

#include <linux/types.h>

struct sgx2_enclave;

/**
 * sgx2_copy_in() - the argument of a call of linux/sgx2.h
 * @param: goes there, zero where the program's is shorter
 * @size: what this kernel knows
 * @arg: the program's
 *
 * Return: 0; -EFAULT; -EINVAL if it is shorter than the first version; -E2BIG if it is longer than
 * what we know and the rest is not zero.
 */
int sgx2_copy_in(void *param, size_t size, void __user *arg);

/* As much of it as the program knows goes back; its first member is the size. 0 or -EFAULT. */
int sgx2_copy_out(void __user *arg, const void *param, size_t size);

long sgx2_query(struct sgx2_enclave *enclave, void __user *arg);
long sgx2_configure(struct sgx2_enclave *enclave, void __user *arg);

#endif
