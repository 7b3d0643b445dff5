// SPDX-License-Identifier: GPL-2.0
/*
 * The policy limits the permissions of mappings, and decides whether dynamic code is allowed.
 *
 * Dynamic code is code that was not in the enclave at EINIT. With dynamic_code=0 the executable
 * pages of an enclave are those that EADD added as executable, and none of them is writable. An
 * enclave copies the parameter at CREATE and keeps the copy.
 *
 * With dynamic_code=0 a page that is not code has no PTE in an executable mapping. A PTE without
 * execute permission would not do: the kernel may recompute PTEs from the VMA without asking the
 * driver, as userfaultfd did in some kernels, and a fetch could not be counted. A mapping that was
 * made before CREATE with all permissions loses VM_EXEC at once.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <asm/sgx.h>
#include "cmdline.h"
#include "enclave_types.h"
#include "policy.h"
#include "trace.h"

/* The parameter; written under kernel_param_lock(). */
static bool sgx2_dynamic_code = true;
/* The load passes dynamic_code=1 explicitly; the load is over. Under kernel_param_lock(). */
static bool sgx2_dynamic_code_asked, sgx2_dynamic_code_settled;

/*
 * Sets the parameter. During the load both values are noted, and sgx2_policy_init() decides. At run
 * time dynamic code can be forbidden, and not allowed again.
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
MODULE_PARM_DESC(dynamic_code, "1 (default) allows code that is added after EINIT, 0 forbids it");

/*
 * Decides which value holds. Value 0 holds wherever it is given. A parameter of 1 beside it is an
 * error, unless it is one that modprobe has copied from the command line.
 */
static int sgx2_policy_settle(const struct sgx2_cmdline *line)
{
	bool forbidden = line->forbids || !sgx2_dynamic_code;

	if (line->unclear) {
		pr_err("sgx2.dynamic_code on the kernel command line is neither 0 nor 1: boot with one of them\n");
		return -EINVAL;
	}
	if (forbidden && sgx2_dynamic_code_asked && !line->allows) {
		pr_err("dynamic_code=1 is requested, and %s has dynamic_code=0, which holds: remove dynamic_code=1 here and from modprobe's configuration\n",
		       line->forbids ? "the kernel command line" : "another parameter");
		return -EPERM;
	}
	if (forbidden)
		WRITE_ONCE(sgx2_dynamic_code, false);
	sgx2_dynamic_code_settled = true;
	pr_info("dynamic_code=%d%s: code that is added after EINIT is %s\n", !forbidden,
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
		pr_err("the kernel command line, which may have dynamic_code=0, cannot be read (error %d): sgx2 needs procfs\n",
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

u8 sgx2_policy_added_prot(u64 secinfo)
{
	u8 prot = 0;

	/* Only the CPU accesses a TCS, on behalf of a thread, and it reads and writes it. */
	if ((secinfo & SGX_SECINFO_PAGE_TYPE_MASK) == SGX_SECINFO_TCS)
		return VM_READ | VM_WRITE;
	if (secinfo & SGX_SECINFO_R)
		prot |= VM_READ;
	if (secinfo & SGX_SECINFO_W)
		prot |= VM_WRITE;
	if (secinfo & SGX_SECINFO_X)
		prot |= VM_EXEC;
	return prot;
}

u8 sgx2_policy_dynamic_prot(const struct sgx2_enclave *enclave)
{
	return enclave->no_dynamic_code ? VM_READ | VM_WRITE : VM_ACCESS_FLAGS;
}

bool sgx2_policy_may_add(struct sgx2_enclave *enclave, u64 secinfo)
{
	u64 both = SGX_SECINFO_W | SGX_SECINFO_X;

	if (!enclave->no_dynamic_code || (secinfo & both) != both)
		return true;
	sgx2_policy_count_refusal(enclave, 0);
	return false;
}

bool sgx2_policy_may_map(u8 max_prot, unsigned long flags)
{
	return !(flags & VM_ACCESS_FLAGS & ~(unsigned long)max_prot);
}

bool sgx2_policy_needs_page(const struct sgx2_enclave *enclave, unsigned long flags)
{
	return flags & VM_EXEC && sgx2_enclave_is(enclave, SGX2_INITIALIZED) &&
	       enclave->no_dynamic_code;
}

bool sgx2_policy_may_install(const struct sgx2_page *page, unsigned long flags)
{
	/* No instruction can be fetched from a TCS, so an executable mapping may cover it. */
	if (page->type == SGX_PAGE_TYPE_TCS)
		flags &= ~VM_EXEC;
	return sgx2_policy_may_map(page->max_prot, flags);
}

bool sgx2_policy_strips_exec(const struct sgx2_enclave *enclave, unsigned long flags)
{
	if ((flags & (VM_WRITE | VM_EXEC)) != (VM_WRITE | VM_EXEC))
		return false;
	return sgx2_enclave_is(enclave, SGX2_CREATED) ? enclave->no_dynamic_code :
							!sgx2_policy_dynamic_code();
}

bool sgx2_policy_denies_exec(const struct sgx2_enclave *enclave, const struct sgx2_page *page,
			     unsigned long flags, bool fetch)
{
	if (!enclave->no_dynamic_code || (!(flags & VM_EXEC) && !fetch))
		return false;
	/* The page that would be added is data. */
	if (page->state == SGX2_ABSENT)
		return true;
	return page->type != SGX_PAGE_TYPE_TCS && !(page->max_prot & VM_EXEC);
}

bool sgx2_policy_may_debug_write(struct sgx2_enclave *enclave, const struct sgx2_page *page)
{
	if (!enclave->no_dynamic_code || !(page->max_prot & VM_EXEC))
		return true;
	sgx2_policy_count_refusal(enclave, 0);
	return false;
}

void sgx2_policy_count_refusal(struct sgx2_enclave *enclave, unsigned long address)
{
	sgx2_enclave_count(enclave, SGX2_COUNT_REFUSALS);
	trace_sgx2_refused(enclave, address);
}
