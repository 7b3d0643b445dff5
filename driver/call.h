/* SPDX-License-Identifier: GPL-2.0 */
/* struct sgx2_call describes an ioctl to the function that executes it. */
#ifndef SGX2_CALL_H
#define SGX2_CALL_H

#include <linux/errno.h>
#include <linux/types.h>

struct sgx2_enclave;

/**
 * struct sgx2_call - an ioctl in flight
 *
 * Belongs to the task that makes the call.
 */
struct sgx2_call {
	/** @enclave: the enclave of the file. */
	struct sgx2_enclave *enclave;
	/** @param: kernel's copy of the argument, a struct of uapi/asm/sgx.h or linux/sgx2.h. */
	void *param;
	/** @copy_back: set by the function once @param holds results, also if the call fails. */
	bool copy_back;
};

/**
 * sgx2_ioc_result() - compute what a call returns that was interrupted, or was not
 * @ret: 0 or an error; -EINTR stands for a signal
 * @count: bytes that are done
 *
 * Intel's runtime takes EINTR for a failure, so no call returns it: the caller sees a short count,
 * or the kernel restarts the call.
 *
 * Return: 0 for a signal after progress, -ERESTARTSYS for a signal before it, else @ret.
 */
static inline int sgx2_ioc_result(int ret, u64 count)
{
	if (ret != -EINTR)
		return ret;
	return count ? 0 : -ERESTARTSYS;
}

#endif
