// SPDX-License-Identifier: GPL-2.0
/* The module: it comes, offers its two devices, and goes. */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include "enclave.h"
#include "epc.h"
#include "hw.h"
#include "main.h"
#include "node.h"
#include "poison.h"
#include "policy.h"
#include "version.h"

static ssize_t epc_total_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sgx2_epc_counts counts;

	sgx2_epc_counts(&counts);
	return sysfs_emit(buf, "%lu\n", counts.total * PAGE_SIZE);
}
static DEVICE_ATTR_RO(epc_total_bytes);

static ssize_t epc_free_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sgx2_epc_counts counts;

	sgx2_epc_counts(&counts);
	return sysfs_emit(buf, "%lu\n", counts.free * PAGE_SIZE);
}
static DEVICE_ATTR_RO(epc_free_bytes);

static ssize_t epc_lost_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sgx2_epc_counts counts;

	sgx2_epc_counts(&counts);
	return sysfs_emit(buf, "%lu\n", counts.lost * PAGE_SIZE);
}
static DEVICE_ATTR_RO(epc_lost_bytes);

static struct attribute *sgx2_attrs[] = { &dev_attr_epc_total_bytes.attr,
					  &dev_attr_epc_free_bytes.attr,
					  &dev_attr_epc_lost_bytes.attr, NULL };
ATTRIBUTE_GROUPS(sgx2);

const struct file_operations sgx2_provision_fops = {
	.owner = THIS_MODULE,
};

static struct miscdevice sgx2_provision = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sgx_provision",
	.nodename = "sgx_provision",
	.fops = &sgx2_provision_fops,
};

static struct miscdevice sgx2_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sgx_enclave",
	.nodename = "sgx_enclave",
	.fops = &sgx2_enclave_fops,
	.groups = sgx2_groups,
};

static int __init sgx2_init(void)
{
	int ret;

	ret = sgx2_hw_probe();
	if (ret)
		return ret;
	ret = sgx2_policy_init();
	if (ret)
		return ret;
	ret = sgx2_epc_init();
	if (ret)
		return ret;
	sgx2_poison_init();
	ret = misc_register(&sgx2_provision);
	if (ret)
		goto err_epc;
	/* Last: from now on programs come. */
	ret = misc_register(&sgx2_device);
	if (ret)
		goto err_provision;
	sgx2_node_init(sgx2_device.this_device);
	return 0;

err_provision:
	misc_deregister(&sgx2_provision);
err_epc:
	sgx2_poison_exit();
	sgx2_epc_exit();
	return ret;
}

static void __exit sgx2_exit(void)
{
	sgx2_node_exit();
	misc_deregister(&sgx2_device);
	misc_deregister(&sgx2_provision);
	sgx2_poison_exit();
	sgx2_epc_exit();
}

module_init(sgx2_init);
module_exit(sgx2_exit);

MODULE_DESCRIPTION("Intel SGX2 enclaves that grow, shrink and change while they run");
MODULE_AUTHOR("The sgx2 developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(SGX2_VERSION);
