// SPDX-License-Identifier: GPL-2.0
/* The module of the KUnit suites. */
#include <linux/module.h>

MODULE_DESCRIPTION("KUnit suites of sgx2 that need no SGX");
MODULE_AUTHOR("The sgx2 developers");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
