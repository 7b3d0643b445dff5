// SPDX-License-Identifier: GPL-2.0
/* QUERY reports the properties of the driver; CONFIGURE sets options of one enclave. */
#include <linux/string.h>
#include <linux/sgx2.h>
#include "call.h"
#include "configure.h"
#include "enclave_types.h"
#include "epc.h"
#include "hw.h"
#include "policy.h"

int sgx2_ioc_query(struct sgx2_call *call)
{
	struct sgx_enclave_query *param = call->param, zero = { .size = param->size };
	struct sgx2_epc_counts epc;

	if (memcmp(param, &zero, sizeof(zero)))
		return -EINVAL;
	sgx2_epc_counts(&epc);
	param->abi = SGX2_ABI_VERSION;
	if (sgx2_hw.sgx2)
		param->features |= SGX_QUERY_SGX2;
	if (sgx2_policy_dynamic_code())
		param->features |= SGX_QUERY_DYNAMIC_CODE;
	param->epc_total = (u64)epc.total * PAGE_SIZE;
	param->epc_free = (u64)epc.free * PAGE_SIZE;
	param->chunk_size = SGX2_CHUNK_PAGES * PAGE_SIZE;
	call->copy_back = true;
	return 0;
}

/* Returns whether all values are known, and those that are not to be set are zero. */
static bool sgx2_configure_valid(const struct sgx_enclave_configure *param)
{
	if (param->reserved)
		return false;
	if (param->set &
	    ~(SGX_CONFIGURE_MPROTECT | SGX_CONFIGURE_AUGMENT | SGX_CONFIGURE_FAULT_AROUND))
		return false;
	if (param->mprotect > (param->set & SGX_CONFIGURE_MPROTECT ? SGX_MPROTECT_RESTRICT : 0))
		return false;
	if (param->augment > (param->set & SGX_CONFIGURE_AUGMENT ? SGX_AUGMENT_NEVER : 0))
		return false;
	return param->fault_around <=
	       (param->set & SGX_CONFIGURE_FAULT_AROUND ? SGX_FAULT_AROUND_MAX : 0);
}

int sgx2_configure_ready(const struct sgx2_enclave *enclave)
{
	return sgx2_hw.sgx2 ? 0 : -ENODEV;
}

int sgx2_ioc_configure(struct sgx2_call *call)
{
	const struct sgx_enclave_configure *param = call->param;
	struct sgx2_enclave *enclave = call->enclave;

	if (!sgx2_configure_valid(param))
		return -EINVAL;
	/* Each value is read once by the function that acts on it, and none depends on another. */
	if (param->set & SGX_CONFIGURE_MPROTECT)
		WRITE_ONCE(enclave->mprotect, param->mprotect);
	if (param->set & SGX_CONFIGURE_AUGMENT)
		WRITE_ONCE(enclave->augment, param->augment);
	if (param->set & SGX_CONFIGURE_FAULT_AROUND)
		WRITE_ONCE(enclave->fault_around, param->fault_around);
	return 0;
}
