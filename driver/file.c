// SPDX-License-Identifier: GPL-2.0
/*
 * The file of an enclave: /dev/sgx_enclave, and its ioctls.
 *
 * A table describes the ioctls. For each call this file tests whether the enclave is ready for it,
 * copies the argument in, runs the function of the table, and copies results out. The order of
 * these checks is mainline's.
 */
#include <linux/fs.h>
#include <linux/uaccess.h>
#include <uapi/asm/sgx.h>
#include <linux/sgx2.h>
#include "augment.h"
#include "build.h"
#include "call.h"
#include "configure.h"
#include "edmm.h"
#include "enclave.h"
#include "file.h"
#include "mapping.h"
#include "stats.h"

/* The argument of any ioctl. */
union sgx2_param {
	struct sgx_enclave_create create;
	struct sgx_enclave_add_pages add_pages;
	struct sgx_enclave_init init;
	struct sgx_enclave_provision provision;
	struct sgx_enclave_restrict_permissions restrict_permissions;
	struct sgx_enclave_modify_types modify_types;
	struct sgx_enclave_remove_pages remove_pages;
	struct sgx_enclave_query query;
	struct sgx_enclave_configure configure;
	struct sgx_enclave_reset_permissions reset_permissions;
	struct sgx_enclave_augment_pages augment_pages;
	/* The size of an argument of linux/sgx2.h, as the program gave it. */
	u32 size;
};

/**
 * struct sgx2_ioctl - an ioctl and the function that carries it out
 */
struct sgx2_ioctl {
	/** @cmd: number of the ioctl. */
	unsigned int cmd;
	/** @size: size of the argument in bytes. */
	unsigned int size;
	/** @run: carries the call out. */
	int (*run)(struct sgx2_call *call);
	/** @ready: returns the error of an enclave that is not ready for the call, or 0. */
	int (*ready)(const struct sgx2_enclave *enclave);
	/** @build: @ready and @run are called under sgx2_enclave::build_lock. */
	bool build;
	/** @sized: the argument begins with its size, which newer programs may set above @size. */
	bool sized;
	/** @dead: the call works on a dead enclave, too. */
	bool dead;
};

/* The calls on single pages come first, since the table is searched in order. */
static const struct sgx2_ioctl sgx2_ioctls[] = {
	{ SGX_IOC_ENCLAVE_RESET_PERMISSIONS, sizeof(struct sgx_enclave_reset_permissions),
	  sgx2_ioc_reset_permissions, sgx2_edmm_ready, .sized = true },
	{ SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, sizeof(struct sgx_enclave_restrict_permissions),
	  sgx2_ioc_restrict_permissions, sgx2_edmm_ready },
	{ SGX_IOC_ENCLAVE_MODIFY_TYPES, sizeof(struct sgx_enclave_modify_types),
	  sgx2_ioc_modify_types, sgx2_edmm_ready },
	{ SGX_IOC_ENCLAVE_REMOVE_PAGES, sizeof(struct sgx_enclave_remove_pages),
	  sgx2_ioc_remove_pages, sgx2_edmm_ready },
	{ SGX_IOC_ENCLAVE_AUGMENT_PAGES, sizeof(struct sgx_enclave_augment_pages),
	  sgx2_ioc_augment_pages, sgx2_edmm_ready, .sized = true },
	{ SGX_IOC_ENCLAVE_ADD_PAGES, sizeof(struct sgx_enclave_add_pages), sgx2_ioc_add_pages,
	  sgx2_build_ready, .build = true },
	{ SGX_IOC_ENCLAVE_CREATE, sizeof(struct sgx_enclave_create), sgx2_ioc_create,
	  sgx2_create_ready, .build = true },
	{ SGX_IOC_ENCLAVE_INIT, sizeof(struct sgx_enclave_init), sgx2_ioc_init, sgx2_build_ready,
	  .build = true },
	{ SGX_IOC_ENCLAVE_PROVISION, sizeof(struct sgx_enclave_provision), sgx2_ioc_provision,
	  .build = true },
	{ SGX_IOC_ENCLAVE_QUERY, sizeof(struct sgx_enclave_query), sgx2_ioc_query, .sized = true,
	  .dead = true },
	{ SGX_IOC_ENCLAVE_CONFIGURE, sizeof(struct sgx_enclave_configure), sgx2_ioc_configure,
	  sgx2_configure_ready, .sized = true },
};

/* Copies an argument that begins with its size; members beyond that size are zero. */
static int sgx2_copy_in_sized(union sgx2_param *param, size_t size, void __user *arg)
{
	u32 theirs;
	int ret;

	/* Most programs know this version. Otherwise the rest finds out why. */
	if (!copy_from_user(param, arg, size) && param->size == size)
		return 0;
	if (get_user(theirs, (u32 __user *)arg))
		return -EFAULT;
	/* All structs are of version 1, so none may be shorter. */
	if (theirs < size)
		return -EINVAL;
	if (theirs > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(param, size, arg, theirs);
	if (ret)
		return ret;
	/* Another thread may have changed the size in between. */
	param->size = theirs;
	return 0;
}

static __always_inline int sgx2_ioctl_run(const struct sgx2_ioctl *ioctl,
					  struct sgx2_enclave *enclave, void __user *arg)
{
	union sgx2_param param;
	struct sgx2_call call = { .enclave = enclave, .param = &param };
	int ret;

	ret = ioctl->ready ? ioctl->ready(enclave) : 0;
	if (ret)
		return ret;
	if (ioctl->sized)
		ret = sgx2_copy_in_sized(&param, ioctl->size, arg);
	else if (copy_from_user(&param, arg, ioctl->size))
		ret = -EFAULT;
	if (ret)
		return ret;
	ret = ioctl->run(&call);
	if (call.copy_back && copy_to_user(arg, &param, ioctl->size))
		return -EFAULT;
	return ret;
}

static long sgx2_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct sgx2_enclave *enclave = file->private_data;
	const struct sgx2_ioctl *ioctl = sgx2_ioctls;
	long ret;

	while (ioctl->cmd != cmd) {
		if (++ioctl == sgx2_ioctls + ARRAY_SIZE(sgx2_ioctls))
			return -ENOTTY;
	}
	if (!ioctl->dead && sgx2_enclave_is(enclave, SGX2_DEAD))
		return -EIO;
	if (ioctl->build && mutex_lock_interruptible(&enclave->build_lock))
		return -ERESTARTSYS;
	ret = sgx2_ioctl_run(ioctl, enclave, (void __user *)arg);
	if (ioctl->build)
		mutex_unlock(&enclave->build_lock);
	return ret;
}

static int sgx2_open(struct inode *inode, struct file *file)
{
	struct sgx2_enclave *enclave = sgx2_enclave_new();

	if (IS_ERR(enclave))
		return PTR_ERR(enclave);
	file->private_data = enclave;
	file->f_mapping = enclave->inode->i_mapping;
	return 0;
}

static int sgx2_release(struct inode *inode, struct file *file)
{
	sgx2_enclave_put(file->private_data);
	return 0;
}

const struct file_operations sgx2_enclave_fops = {
	.owner = THIS_MODULE,
	.open = sgx2_open,
	.release = sgx2_release,
	.get_unmapped_area = sgx2_get_unmapped_area,
	.mmap = sgx2_mmap,
	.unlocked_ioctl = sgx2_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = sgx2_show_fdinfo,
	.fadvise = sgx2_fadvise,
};
