// SPDX-License-Identifier: GPL-2.0
/* The ioctls of /dev/sgx_enclave: which number is whose. */
#include <linux/fs.h>
#include <uapi/asm/sgx.h>
#include <linux/sgx2.h>
#include "augment.h"
#include "build.h"
#include "configure.h"
#include "edmm.h"
#include "enclave.h"
#include "ioctl.h"

/**
 * struct sgx2_call - an ioctl and who does it
 */
struct sgx2_call {
	/** @cmd: its number. */
	unsigned int cmd;
	/** @function: gets the argument as the program gave it. */
	long (*function)(struct sgx2_enclave *enclave, void __user *arg);
	/** @always: works on an enclave that has lost its EPC pages, too. */
	bool always;
};

static const struct sgx2_call sgx2_calls[] = {
	{ SGX_IOC_ENCLAVE_CREATE, sgx2_create },
	{ SGX_IOC_ENCLAVE_ADD_PAGES, sgx2_add_pages },
	{ SGX_IOC_ENCLAVE_INIT, sgx2_initialize },
	{ SGX_IOC_ENCLAVE_PROVISION, sgx2_provision },
	{ SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, sgx2_restrict },
	{ SGX_IOC_ENCLAVE_MODIFY_TYPES, sgx2_modify },
	{ SGX_IOC_ENCLAVE_REMOVE_PAGES, sgx2_remove },
	{ SGX_IOC_ENCLAVE_QUERY, sgx2_query, .always = true },
	{ SGX_IOC_ENCLAVE_CONFIGURE, sgx2_configure },
	{ SGX_IOC_ENCLAVE_RESET_PERMISSIONS, sgx2_reset },
	{ SGX_IOC_ENCLAVE_AUGMENT_PAGES, sgx2_augment },
};

long sgx2_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct sgx2_enclave *enclave = file->private_data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sgx2_calls); i++) {
		if (sgx2_calls[i].cmd != cmd)
			continue;
		if (!sgx2_calls[i].always && sgx2_enclave_is(enclave, SGX2_DEAD))
			return -EIO;
		return sgx2_calls[i].function(enclave, (void __user *)arg);
	}
	return -ENOTTY;
}
