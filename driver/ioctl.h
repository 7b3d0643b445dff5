/* SPDX-License-Identifier: GPL-2.0 */
/* The ioctls of /dev/sgx_enclave. */
#ifndef SGX2_IOCTL_H
#define SGX2_IOCTL_H

struct file;

/* Return: what the call does; -EIO for a dead enclave; -ENOTTY for a number that is none. */
long sgx2_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif
