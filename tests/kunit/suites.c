// SPDX-License-Identifier: GPL-2.0
/* The module of the pure suites, and what it stands in for of the driver's own. */
#include <kunit/test.h>
#include <linux/module.h>
#include "main.h"

/* Nothing opens it here; PROVISION only compares its address. */
const struct file_operations sgx2_provision_fops = {
	.owner = THIS_MODULE,
};

MODULE_DESCRIPTION("KUnit suites of sgx2 that need no SGX");
MODULE_AUTHOR("The sgx2 developers");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
