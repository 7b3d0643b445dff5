/* SPDX-License-Identifier: GPL-2.0 */
/* The file of an enclave: /dev/sgx_enclave, and its ioctls. */
#ifndef SGX2_FILE_H
#define SGX2_FILE_H

#include <linux/fs.h>

extern const struct file_operations sgx2_enclave_fops;

#endif
