// SPDX-License-Identifier: GPL-2.0
/*
 * The character device through which the user program of the guest ISA test executes privileged
 * instructions. It gives full control of the machine to the process that opens it, so it must only
 * be loaded in a test guest.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/special_insns.h>

#include "internal.h"

static void *shared;
static void *unmapped;	/* a page in front of an unmapped guard page */

static int do_info(void __user *arg)
{
	struct sgx2_isa_info info = {
		.shared = (unsigned long)shared,
		.shared_phys = virt_to_phys(shared),
		.unmapped = (unsigned long)unmapped + PAGE_SIZE,
		.cr4 = native_read_cr4(),
	};

	sgx2_isa_epc_info(&info);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static int do_run(void __user *arg)
{
	struct sgx2_isa_run run;
	int ret;

	if (copy_from_user(&run, arg, sizeof(run)))
		return -EFAULT;
	ret = sgx2_isa_run(&run);
	if (ret)
		return ret;
	return copy_to_user(arg, &run, sizeof(run)) ? -EFAULT : 0;
}

static int do_map(struct file *file, void __user *arg)
{
	struct xarray *map = file->private_data;
	struct sgx2_isa_map m;
	void *old;

	if (copy_from_user(&m, arg, sizeof(m)))
		return -EFAULT;
	if (!PAGE_ALIGNED(m.address) || m.address < SGX2_ISA_SHARED_SIZE ||
	    m.address >= TASK_SIZE_MAX)
		return -EINVAL;
	if (m.phys && !sgx2_isa_epc_has(m.phys))
		return -EINVAL;

	if (m.phys)
		old = xa_store(map, m.address >> PAGE_SHIFT,
			       xa_mk_value(m.phys >> PAGE_SHIFT), GFP_KERNEL);
	else
		old = xa_erase(map, m.address >> PAGE_SHIFT);
	if (xa_is_err(old))
		return xa_err(old);
	unmap_mapping_range(file->f_mapping, m.address, PAGE_SIZE, 1);
	return 0;
}

static int do_interrupt(unsigned int cmd, void __user *arg)
{
	u32 value;

	if (copy_from_user(&value, arg, sizeof(value)))
		return -EFAULT;
	switch (cmd) {
	case SGX2_ISA_IPI:
		return sgx2_isa_ipi(value);
	case SGX2_ISA_NMI:
	case SGX2_ISA_NMI_ENABLE:
		return sgx2_isa_nmi(value, cmd == SGX2_ISA_NMI_ENABLE);
	default:
		return sgx2_isa_disable_interrupts(value);
	}
}

static long isa_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;

	switch (cmd) {
	case SGX2_ISA_INFO:
		return do_info(p);
	case SGX2_ISA_RUN:
		return do_run(p);
	case SGX2_ISA_MAP:
		return do_map(file, p);
	case SGX2_ISA_IPI:
	case SGX2_ISA_NMI:
	case SGX2_ISA_NMI_ENABLE:
	case SGX2_ISA_DISABLE_INTERRUPTS:
		return do_interrupt(cmd, p);
	}
	return -ENOTTY;
}

static int isa_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;

	if (vma->vm_pgoff != SGX2_ISA_SHARED_OFFSET)
		return sgx2_isa_epc_mmap(vma);
	if (size > SGX2_ISA_SHARED_SIZE)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start,
			       virt_to_phys(shared) >> PAGE_SHIFT, size,
			       vma->vm_page_prot);
}

static int isa_open(struct inode *inode, struct file *file)
{
	struct xarray *map;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	map = kmalloc(sizeof(*map), GFP_KERNEL);
	if (!map)
		return -ENOMEM;
	xa_init(map);
	file->private_data = map;
	return 0;
}

static int isa_release(struct inode *inode, struct file *file)
{
	xa_destroy(file->private_data);
	kfree(file->private_data);
	return 0;
}

static const struct file_operations isa_fops = {
	.owner = THIS_MODULE,
	.open = isa_open,
	.release = isa_release,
	.unlocked_ioctl = isa_ioctl,
	.mmap = isa_mmap,
};

static struct miscdevice isa_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sgx2_isa",
	.fops = &isa_fops,
	.mode = 0600,
};

static int __init isa_init(void)
{
	int ret;

	shared = alloc_pages_exact(SGX2_ISA_SHARED_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!shared)
		return -ENOMEM;
	ret = -ENOMEM;
	unmapped = vmalloc(PAGE_SIZE);
	if (!unmapped)
		goto err_shared;
	ret = sgx2_isa_run_init();
	if (ret)
		goto err_hole;
	ret = sgx2_isa_epc_init();
	if (ret)
		goto err_run;
	ret = sgx2_isa_interrupt_init();
	if (ret)
		goto err_epc;
	ret = misc_register(&isa_device);
	if (ret)
		goto err_interrupt;
	return 0;

err_interrupt:
	sgx2_isa_interrupt_exit();
err_epc:
	sgx2_isa_epc_exit();
err_run:
	sgx2_isa_run_exit();
err_hole:
	vfree(unmapped);
err_shared:
	free_pages_exact(shared, SGX2_ISA_SHARED_SIZE);
	return ret;
}

static void __exit isa_exit(void)
{
	misc_deregister(&isa_device);
	sgx2_isa_interrupt_exit();
	sgx2_isa_epc_exit();
	sgx2_isa_run_exit();
	vfree(unmapped);
	free_pages_exact(shared, SGX2_ISA_SHARED_SIZE);
}

module_init(isa_init);
module_exit(isa_exit);

MODULE_DESCRIPTION("Guest ISA test of the SGX2 machine: privileged half");
MODULE_AUTHOR("The sgx2 project");
MODULE_LICENSE("GPL");
MODULE_INFO(test, "Y");
