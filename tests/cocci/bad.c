// SPDX-License-Identifier: GPL-2.0
/* What the patches here are to find: one thing each, and nothing else. It is never compiled. */
#include "enclave.h"

static void answers(void *page)
{
	sgx2_eblock(page);
}

static int gotos(struct sgx2_enclave *enclave, int ret)
{
	guard(mutex)(&enclave->track);
	if (ret)
		goto out;
	ret = 1;
out:
	return ret;
}

static int userspace(struct sgx2_chunk *chunk, void *to, void *from)
{
	int ret;

	mutex_lock(&chunk->lock);
	ret = copy_from_user(to, from, 8);
	mutex_unlock(&chunk->lock);
	return ret;
}

static int epc(struct sgx_pageinfo *info)
{
	sgx2_epc_t epc;
	int ret;

	if (!sgx2_epc_alloc(&epc, 1, SGX2_EPC_ORDINARY))
		return -ENOMEM;
	ret = sgx2_eaug(info, sgx2_epc_address(epc));
	if (ret) {
		return -EIO;
	}
	return 0;
}
