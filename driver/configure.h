/* SPDX-License-Identifier: GPL-2.0 */
/* QUERY reports the properties of the driver; CONFIGURE sets options of one enclave. */
#ifndef SGX2_CONFIGURE_H
#define SGX2_CONFIGURE_H

struct sgx2_call;
struct sgx2_enclave;

/**
 * sgx2_ioc_query() - carry out SGX_IOC_ENCLAVE_QUERY
 * @call: the call
 *
 * Works on a dead enclave, too.
 *
 * Context: process.
 * Return:
 * * 0 - the argument is filled in
 * * -EINVAL - a member but the size is not zero
 */
int sgx2_ioc_query(struct sgx2_call *call);

/**
 * sgx2_configure_ready() - test whether an enclave can be configured
 * @enclave: the enclave
 *
 * Return: 0, or -ENODEV if the CPU has SGX1 only.
 */
int sgx2_configure_ready(const struct sgx2_enclave *enclave);

/**
 * sgx2_ioc_configure() - carry out SGX_IOC_ENCLAVE_CONFIGURE
 * @call: the call
 *
 * Context: process.
 * Return:
 * * 0 - the enclave is configured
 * * -EINVAL - a value is not known, or a value that is not to be set is not zero
 */
int sgx2_ioc_configure(struct sgx2_call *call);

#endif
