// SPDX-License-Identifier: GPL-2.0
/*
 * What a page of an enclave may be mapped with, and whether code may come after EINIT.
 *
 * With dynamic_code=0 the set of executable pages of an enclave is what was added and declared
 * executable before EINIT, and none of these is writable. An enclave takes the word at CREATE and
 * keeps it; it is then called frozen.
 *
 * A page that is not code has no PTE in an executable mapping of a frozen enclave. To give it one
 * without execution would do only as long as nothing computes PTEs anew from the mapping without
 * asking, as userfaultfd did in some kernels; and a fetch could not be counted. A mapping of all
 * permissions from before CREATE loses execution when it is made.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <asm/sgx.h>
#include "cmdline.h"
#include "enclave.h"
#include "policy.h"
#include "trace.h"

/* Changed under the lock of the module's parameters. */
static bool sgx2_dynamic_code = true;
/* Whether the load asked for it in so many words, and whether the load is over; under that lock. */
static bool sgx2_dynamic_code_asked, sgx2_dynamic_code_settled;

/*
 * Take a word of whoever loads the module, either way; sgx2_policy_init() judges these together. At
 * run time it can be forbidden and not allowed again.
 */
static int sgx2_dynamic_code_set(const char *text, const struct kernel_param *param)
{
	bool value;
	int ret;

	ret = kstrtobool(text, &value);
	if (ret)
		return ret;
	if (!value)
		WRITE_ONCE(sgx2_dynamic_code, false);
	else if (!sgx2_dynamic_code_settled)
		sgx2_dynamic_code_asked = true;
	else if (!sgx2_dynamic_code)
		return -EPERM;
	return 0;
}

static const struct kernel_param_ops sgx2_dynamic_code_ops = {
	.set = sgx2_dynamic_code_set,
	.get = param_get_bool,
};

module_param_cb(dynamic_code, &sgx2_dynamic_code_ops, &sgx2_dynamic_code, 0644);
MODULE_PARM_DESC(dynamic_code, "let enclaves run code that comes after EINIT: 1, or 0 for good");

/*
 * Settle what holds. A word that forbids holds wherever it stands; a parameter that allows it all
 * the same is an error, unless it is the command line's own, which modprobe has handed on.
 */
static int sgx2_policy_settle(const struct sgx2_cmdline *line)
{
	bool forbidden = line->forbids || !sgx2_dynamic_code;

	if (line->unclear) {
		pr_err("sgx2.dynamic_code on the kernel command line is neither 0 nor 1: boot with one of them\n");
		return -EINVAL;
	}
	if (forbidden && sgx2_dynamic_code_asked && !line->allows) {
		pr_err("dynamic_code=1 is asked for, and %s says 0, which holds: take dynamic_code=1 away, here and in modprobe's configuration\n",
		       line->forbids ? "the kernel command line" : "another parameter");
		return -EPERM;
	}
	if (forbidden)
		WRITE_ONCE(sgx2_dynamic_code, false);
	sgx2_dynamic_code_settled = true;
	pr_info("dynamic_code=%d%s: code that comes after EINIT is %s\n", !forbidden,
		line->forbids ? ", by the kernel command line" : "",
		forbidden ? "forbidden" : "allowed");
	return 0;
}

int sgx2_policy_init(void)
{
	struct sgx2_cmdline line = {};
	int ret;

	ret = sgx2_cmdline_read(&line);
	if (ret) {
		pr_err("the kernel command line cannot be read (error %d), and it may say dynamic_code=0: sgx2 needs procfs\n",
		       -ret);
		return ret;
	}
	kernel_param_lock(THIS_MODULE);
	ret = sgx2_policy_settle(&line);
	kernel_param_unlock(THIS_MODULE);
	return ret;
}

bool sgx2_policy_dynamic_code(void)
{
	return READ_ONCE(sgx2_dynamic_code);
}

u8 sgx2_policy_added(u64 secinfo)
{
	u8 max = 0;

	/* Threads never touch a TCS as memory; the processor reads and writes it for them. */
	if ((secinfo & SGX_SECINFO_PAGE_TYPE_MASK) == SGX_SECINFO_TCS)
		return VM_READ | VM_WRITE;
	if (secinfo & SGX_SECINFO_R)
		max |= VM_READ;
	if (secinfo & SGX_SECINFO_W)
		max |= VM_WRITE;
	if (secinfo & SGX_SECINFO_X)
		max |= VM_EXEC;
	return max;
}

u8 sgx2_policy_dynamic(const struct sgx2_enclave *enclave)
{
	return enclave->frozen ? VM_READ | VM_WRITE : VM_ACCESS_FLAGS;
}

bool sgx2_policy_add(struct sgx2_enclave *enclave, u64 secinfo)
{
	u64 both = SGX_SECINFO_W | SGX_SECINFO_X;

	if (!enclave->frozen || (secinfo & both) != both)
		return true;
	sgx2_policy_refused(enclave, 0);
	return false;
}

bool sgx2_policy_may(u8 max, unsigned long flags)
{
	return !(flags & VM_ACCESS_FLAGS & ~(unsigned long)max);
}

bool sgx2_policy_needs_page(const struct sgx2_enclave *enclave, unsigned long flags)
{
	return flags & VM_EXEC && sgx2_enclave_is(enclave, SGX2_INITIALIZED) && enclave->frozen;
}

bool sgx2_policy_may_touch(const struct sgx2_page *page, unsigned long flags)
{
	/* No instruction gets at a TCS, so it may lie in an executable mapping. */
	if (page->type == SGX_PAGE_TYPE_TCS)
		flags &= ~VM_EXEC;
	return sgx2_policy_may(page->max, flags);
}

bool sgx2_policy_idle_exec(const struct sgx2_enclave *enclave, unsigned long flags)
{
	if ((flags & (VM_WRITE | VM_EXEC)) != (VM_WRITE | VM_EXEC))
		return false;
	return sgx2_enclave_is(enclave, SGX2_CREATED) ? enclave->frozen :
							!sgx2_policy_dynamic_code();
}

bool sgx2_policy_not_code(const struct sgx2_enclave *enclave, const struct sgx2_page *page,
			  unsigned long flags, bool fetch)
{
	if (!enclave->frozen || (!(flags & VM_EXEC) && !fetch))
		return false;
	/* What would be added is data. */
	if (page->state == SGX2_ABSENT)
		return true;
	return page->type != SGX_PAGE_TYPE_TCS && !(page->max & VM_EXEC);
}

bool sgx2_policy_may_patch(struct sgx2_enclave *enclave, const struct sgx2_page *page)
{
	if (!enclave->frozen || !(page->max & VM_EXEC))
		return true;
	sgx2_policy_refused(enclave, 0);
	return false;
}

void sgx2_policy_refused(struct sgx2_enclave *enclave, unsigned long address)
{
	sgx2_enclave_count(enclave, SGX2_COUNT_REFUSED);
	trace_sgx2_refused(enclave, address);
}
