// SPDX-License-Identifier: GPL-2.0
/*
 * The module's parameters on the kernel command line.
 *
 * Only modprobe passes them to the module; insmod does not, and a program that calls finit_module()
 * need not. So the module reads the command line itself. The kernel does not export it, but procfs
 * has it. A private mount of procfs is read, since the caller may see another file, or none, at
 * /proc/cmdline.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "cmdline.h"
#include "limits.h"

/* Returns whether a name is sgx2.dynamic_code, with dashes or underscores. */
static bool sgx2_cmdline_ours(const char *name)
{
	const char *wanted = "sgx2.dynamic_code";

	while (*wanted && (*name == '-' ? '_' : *name) == *wanted) {
		name++;
		wanted++;
	}
	return !*wanted && !*name;
}

void sgx2_cmdline_parse(char *line, struct sgx2_cmdline *found)
{
	char *name, *value;
	bool allows;

	line = skip_spaces(line);
	while (*line) {
		line = next_arg(line, &name, &value);
		if (!sgx2_cmdline_ours(name))
			continue;
		if (!value || kstrtobool(value, &allows))
			found->unclear = true;
		else if (allows)
			found->allows = true;
		else
			found->forbids = true;
	}
}

/* Reads a file of procfs; returns its length, or an error. */
static ssize_t sgx2_cmdline_file(struct vfsmount *proc, char *buffer, size_t size)
{
	struct path root = { .mnt = proc, .dentry = proc->mnt_root };
	struct file *file = file_open_root(&root, "cmdline", O_RDONLY, 0);
	loff_t at = 0;
	ssize_t ret;

	if (IS_ERR(file))
		return PTR_ERR(file);
	do {
		ret = at < size ? kernel_read(file, buffer + at, size - at, &at) : -E2BIG;
	} while (ret > 0);
	fput(file);
	return ret ?: at;
}

int sgx2_cmdline_read(struct sgx2_cmdline *found)
{
	struct file_system_type *type = get_fs_type("proc");
	struct vfsmount *proc;
	ssize_t length;
	char *line;

	/* procfs is never a module, so no reference to its module has to be dropped. */
	if (!type)
		return -ENODEV;
	proc = kern_mount(type);
	if (IS_ERR(proc))
		return PTR_ERR(proc);
	line = kvzalloc(SGX2_CMDLINE_BYTES, GFP_KERNEL);
	length = line ? sgx2_cmdline_file(proc, line, SGX2_CMDLINE_BYTES - 1) : -ENOMEM;
	if (length >= 0)
		sgx2_cmdline_parse(line, found);
	kvfree(line);
	kern_unmount(proc);
	return length < 0 ? length : 0;
}
