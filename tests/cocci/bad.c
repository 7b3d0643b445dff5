// SPDX-License-Identifier: GPL-2.0
/* Code that the patches must find: a line with a patch's name at its end must be found by that patch, other lines by none. It is never compiled. */
#include "enclave.h"

static void results(void *page)
{
	sgx2_eblock(page); /* results */
}

static int gotos(struct sgx2_enclave *enclave, int ret)
{
	guard(mutex)(&enclave->track_lock);
	if (ret)
		goto out; /* gotos */
	ret = 1;
out:
	return ret;
}

static int userspace(struct sgx2_chunk *chunk, void *to, void *from)
{
	int ret;

	mutex_lock(&chunk->lock);
	ret = copy_from_user(to, from, 8); /* userspace */
	mutex_unlock(&chunk->lock);
	return ret;
}

static int userspace_guarded(struct sgx2_chunk *chunk)
{
	guard(mutex)(&chunk->lock);
	return sgx2_reclaim_wait(1, true); /* userspace */
}

static int epc(struct sgx_pageinfo *info)
{
	sgx2_epc_t epc;
	int ret;

	if (!sgx2_epc_alloc(&epc, 1, SGX2_EPC_ORDINARY))
		return -ENOMEM;
	ret = sgx2_eaug(info, sgx2_epc_address(epc));
	if (ret) {
		return -EIO; /* epc */
	}
	return 0;
}

static void zap_guarded(struct sgx2_enclave *enclave)
{
	guard(spinlock)(&enclave->mm_list_lock);
	sgx2_pte_zap(enclave, 0, 1); /* zap */
}

static void zap_tracked(struct sgx2_enclave *enclave)
{
	guard(mutex)(&enclave->track_lock);
	sgx2_pte_zap(enclave, 0, 1); /* zap */
}

static void zap_spinning(struct sgx2_enclave *enclave)
{
	spin_lock(&enclave->mm_list_lock);
	sgx2_pte_zap(enclave, 0, 1); /* zap */
	spin_unlock(&enclave->mm_list_lock);
}

static void zap_locked(struct sgx2_enclave *enclave)
{
	mutex_lock(&enclave->track_lock);
	sgx2_pte_zap(enclave, 0, 1); /* zap */
	mutex_unlock(&enclave->track_lock);
}
