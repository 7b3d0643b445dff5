// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel's command line says of the module.
 *
 * Only modprobe hands these words on; insmod does not, nor does a program with finit_module(). So
 * the module reads the line itself. The kernel does not export it, but procfs has it. A mount of
 * our own is asked, for the caller may see another file at /proc/cmdline, or none.
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

/* With a bootconfig the line may be longer than COMMAND_LINE_SIZE, by 32 KiB at most. */
#define SGX2_CMDLINE_MAX 65536UL

/* Compare a name with ours: the kernel takes dashes for underscores. */
static bool sgx2_cmdline_ours(const char *name)
{
	const char *ours = "sgx2.dynamic_code";

	while (*ours && (*name == '-' ? '_' : *name) == *ours) {
		name++;
		ours++;
	}
	return !*ours && !*name;
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

/* Read a file of procfs, from its start to its end; the length, or an error. */
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

	/* It is never a module, so there is no reference to give back. */
	if (!type)
		return -ENODEV;
	proc = kern_mount(type);
	if (IS_ERR(proc))
		return PTR_ERR(proc);
	line = kvzalloc(SGX2_CMDLINE_MAX, GFP_KERNEL);
	length = line ? sgx2_cmdline_file(proc, line, SGX2_CMDLINE_MAX - 1) : -ENOMEM;
	if (length >= 0)
		sgx2_cmdline_parse(line, found);
	kvfree(line);
	kern_unmount(proc);
	return length < 0 ? length : 0;
}
