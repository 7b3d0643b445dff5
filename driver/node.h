/* SPDX-License-Identifier: GPL-2.0 */
/* What each NUMA node's folder in sysfs says of its EPC. */
#ifndef SGX2_NODE_H
#define SGX2_NODE_H

struct device;

/**
 * sgx2_node_init() - put x86/sgx_total_bytes into the folder of each node with EPC
 * @device: any device that is registered
 *
 * As the kernel's own driver does, for runtimes and schedulers that read it. Where a kernel has no
 * such folder there is no file either, and that is no error.
 *
 * Context: process, once the EPC is known.
 */
void sgx2_node_init(struct device *device);
/* Takes the files away. */
void sgx2_node_exit(void);

#endif
