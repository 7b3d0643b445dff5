/* SPDX-License-Identifier: GPL-2.0 */
/* The module's own: its devices. */
#ifndef SGX2_MAIN_H
#define SGX2_MAIN_H

#include <linux/fs.h>

/* By it PROVISION knows /dev/sgx_provision. */
extern const struct file_operations sgx2_provision_fops;

#endif
