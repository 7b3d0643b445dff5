/* SPDX-License-Identifier: GPL-2.0 */
/* The ioctls of /dev/sgx_enclave. */
#ifndef SGX2_IOCTL_H
#define SGX2_IOCTL_H

#include <linux/errno.h>
#include <linux/types.h>

struct file;

/*
 * What a call answers that came as far as @count and ended with @ret: after a signal it says what
 * is done, or is begun anew. Intel's runtime takes EINTR for the end.
 */
static inline int sgx2_call_result(int ret, u64 count)
{
	if (ret != -EINTR)
		return ret;
	return count ? 0 : -ERESTARTSYS;
}

/* Return: what the call does; -EIO for a dead enclave; -ENOTTY for a number that is none. */
long sgx2_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif
