/* SPDX-License-Identifier: GPL-2.0 */
/* The attribute x86/sgx_total_bytes of NUMA nodes in sysfs. */
#ifndef SGX2_NODE_H
#define SGX2_NODE_H

struct device;

/**
 * sgx2_node_init() - add the attribute to each node with EPC
 * @device: any registered device
 *
 * The kernel's own driver has the same attribute, and runtimes and schedulers read it. On a kernel
 * without such nodes in sysfs nothing is added, which is no error.
 *
 * Context: process; sleeps. Module init, after sgx2_hw_probe().
 */
void sgx2_node_init(struct device *device);

/**
 * sgx2_node_exit() - remove the attributes
 *
 * Context: process; sleeps. Module exit.
 */
void sgx2_node_exit(void);

#endif
