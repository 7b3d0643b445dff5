// SPDX-License-Identifier: GPL-2.0
/* The module: load, the two devices, their attributes in sysfs, and unload. */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include "build.h"
#include "epc.h"
#include "file.h"
#include "hw.h"
#include "node.h"
#include "poison.h"
#include "policy.h"
#include "reclaim.h"
#include "va.h"
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

static ssize_t epc_leaked_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct sgx2_epc_counts counts;

	sgx2_epc_counts(&counts);
	return sysfs_emit(buf, "%lu\n", counts.leaked * PAGE_SIZE);
}
static DEVICE_ATTR_RO(epc_leaked_bytes);

static struct attribute *sgx2_attrs[] = { &dev_attr_epc_total_bytes.attr,
					  &dev_attr_epc_free_bytes.attr,
					  &dev_attr_epc_leaked_bytes.attr, NULL };
ATTRIBUTE_GROUPS(sgx2);

static struct miscdevice sgx2_provision_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sgx_provision",
	.nodename = "sgx_provision",
	.fops = &sgx2_provision_fops,
};

static struct miscdevice sgx2_enclave_device = {
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
	ret = sgx2_reclaim_init();
	if (ret)
		goto err_epc;
	sgx2_poison_init();
	ret = misc_register(&sgx2_provision_device);
	if (ret)
		goto err_reclaim;
	/* Last, since programs can open the device from now on. */
	ret = misc_register(&sgx2_enclave_device);
	if (ret)
		goto err_provision;
	sgx2_node_init(sgx2_enclave_device.this_device);
	return 0;

err_provision:
	misc_deregister(&sgx2_provision_device);
err_reclaim:
	sgx2_poison_exit();
	sgx2_reclaim_exit();
err_epc:
	sgx2_epc_exit();
	return ret;
}

static void __exit sgx2_exit(void)
{
	sgx2_node_exit();
	misc_deregister(&sgx2_enclave_device);
	misc_deregister(&sgx2_provision_device);
	sgx2_poison_exit();
	sgx2_reclaim_exit();
	sgx2_va_exit();
	sgx2_epc_exit();
}

module_init(sgx2_init);
module_exit(sgx2_exit);

/* The device by which firmware describes the EPC; udev loads the module where it is. */
MODULE_ALIAS("acpi*:INT0E0C:*");
MODULE_DESCRIPTION("Intel SGX2 driver: pages of running enclaves are added, changed, removed");
MODULE_AUTHOR("The sgx2 developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(SGX2_VERSION);
