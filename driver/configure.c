// SPDX-License-Identifier: GPL-2.0
/* QUERY and CONFIGURE, and the copying of structs that begin with their size. */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/sgx2.h>
#include "configure.h"
#include "enclave.h"
#include "epc.h"
#include "hw.h"
#include "policy.h"

int sgx2_copy_in(void *param, size_t size, void __user *arg)
{
	u32 theirs;
	int ret;

	if (get_user(theirs, (u32 __user *)arg))
		return -EFAULT;
	/* All structs are of version 1 still, so none may be shorter. */
	if (theirs < size)
		return -EINVAL;
	if (theirs > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(param, size, arg, theirs);
	if (ret)
		return ret;
	/* Another thread may have changed it since; what goes back must fit what was said first. */
	*(u32 *)param = theirs;
	return 0;
}

int sgx2_copy_out(void __user *arg, const void *param, size_t size)
{
	return copy_to_user(arg, param, min_t(size_t, size, *(const u32 *)param)) ? -EFAULT : 0;
}

long sgx2_query(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx_enclave_query param, zero = {};
	struct sgx2_epc_counts epc;
	int ret;

	ret = sgx2_copy_in(&param, sizeof(param), arg);
	if (ret)
		return ret;
	zero.size = param.size;
	if (memcmp(&param, &zero, sizeof(param)))
		return -EINVAL;
	sgx2_epc_counts(&epc);
	param.abi = SGX2_ABI_VERSION;
	if (sgx2_hw.sgx2)
		param.features |= SGX_QUERY_SGX2;
	if (sgx2_policy_dynamic_code())
		param.features |= SGX_QUERY_DYNAMIC_CODE;
	param.epc_total = (u64)epc.total * PAGE_SIZE;
	param.epc_free = (u64)epc.free * PAGE_SIZE;
	param.chunk_size = SGX2_CHUNK_PAGES * PAGE_SIZE;
	return sgx2_copy_out(arg, &param, sizeof(param));
}

static bool sgx2_configure_valid(const struct sgx_enclave_configure *param)
{
	if (param->reserved)
		return false;
	if (param->set &
	    ~(SGX_CONFIGURE_MPROTECT | SGX_CONFIGURE_AUGMENT | SGX_CONFIGURE_FAULT_AROUND))
		return false;
	/* What is not set must not say anything, lest it be thought to count. */
	if (param->mprotect > (param->set & SGX_CONFIGURE_MPROTECT ? SGX_MPROTECT_RESTRICT : 0))
		return false;
	if (param->augment > (param->set & SGX_CONFIGURE_AUGMENT ? SGX_AUGMENT_NEVER : 0))
		return false;
	return param->fault_around <=
	       (param->set & SGX_CONFIGURE_FAULT_AROUND ? SGX_FAULT_AROUND_MAX : 0);
}

long sgx2_configure(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx_enclave_configure param;
	int ret;

	if (!sgx2_hw.sgx2)
		return -ENODEV;
	ret = sgx2_copy_in(&param, sizeof(param), arg);
	if (ret)
		return ret;
	if (!sgx2_configure_valid(&param))
		return -EINVAL;
	/* Each is read once by who acts on it, and none depends on another. */
	if (param.set & SGX_CONFIGURE_MPROTECT)
		WRITE_ONCE(enclave->mprotect, param.mprotect);
	if (param.set & SGX_CONFIGURE_AUGMENT)
		WRITE_ONCE(enclave->augment, param.augment);
	if (param.set & SGX_CONFIGURE_FAULT_AROUND)
		WRITE_ONCE(enclave->fault_around, param.fault_around);
	return 0;
}
