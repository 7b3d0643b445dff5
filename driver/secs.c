// SPDX-License-Identifier: GPL-2.0
/*
 * The SECS of an enclave: pinned in the EPC, evicted, reloaded.
 *
 * Each leaf that adds or reloads a page of the enclave needs the SECS in the EPC. It is kept there
 * by pins: one for each resident page, one until EINIT, and one for each removal, addition or
 * reload in flight. With 0 pins the reclaimer may evict the SECS.
 */
#include "backing.h"
#include "enclave.h"
#include "encls.h"
#include "lru.h"
#include "secs.h"
#include "trace.h"

static int sgx2_secs_load(struct sgx2_enclave *enclave) __must_hold(&enclave->track_lock)
{
	struct sgx2_backing backing;
	sgx2_epc_t epc;
	int ret;

	if (!sgx2_epc_alloc(&epc, 1, SGX2_EPC_ORDINARY))
		return -EAGAIN;
	ret = sgx2_backing_get(enclave, enclave->secs_slot, &backing);
	if (ret) {
		sgx2_epc_free(epc);
		return ret;
	}
	ret = sgx2_backing_eldu(epc, &backing, 0, NULL, sgx2_va_slot_address(enclave->secs_slot));
	if (ret) {
		sgx2_backing_put(&backing, false);
		trace_sgx2_encls(enclave, SGX2_LEAF_ELDU, 0, ret);
		sgx2_epc_free(epc);
		sgx2_enclave_mark_dead(enclave);
		return -EIO;
	}
	sgx2_va_slot_put(&enclave->va, enclave->secs_slot);
	enclave->secs_slot = SGX2_VA_NONE;
	sgx2_backing_release(enclave, &backing);
	enclave->secs = epc;
	return 0;
}

int sgx2_secs_pin(struct sgx2_enclave *enclave)
{
	int ret;

	if (sgx2_enclave_is(enclave, SGX2_DEAD))
		return -EIO;
	if (atomic_inc_not_zero(&enclave->pins))
		return 0;
	guard(mutex)(&enclave->track_lock);
	if (enclave->secs == SGX2_EPC_NONE) {
		/* If the enclave has died meanwhile, its SECS may have been removed. */
		if (sgx2_enclave_is(enclave, SGX2_DEAD))
			return -EIO;
		ret = sgx2_secs_load(enclave);
		if (ret)
			return ret;
	}
	atomic_inc(&enclave->pins);
	return 0;
}

void sgx2_secs_unpin(struct sgx2_enclave *enclave)
{
	int left = atomic_dec_return(&enclave->pins);

	WARN_ON_ONCE(left < 0);
	/* The enclave may have no chunk on the reclaimer's list. */
	if (!left)
		sgx2_lru_add_secs(enclave);
}

/* Removes the SECS of a dead enclave; see sgx2_chunk_drop() in paging.c. */
static bool sgx2_secs_drop(struct sgx2_enclave *enclave) __must_hold(&enclave->track_lock)
{
	if (sgx2_retry(sgx2_eremove(sgx2_epc_address(enclave->secs))))
		return false;
	sgx2_epc_free(enclave->secs);
	enclave->secs = SGX2_EPC_NONE;
	return true;
}

bool sgx2_secs_evict(struct sgx2_enclave *enclave)
{
	struct sgx2_backing backing;
	u32 slot;
	int ret;

	guard(mutex)(&enclave->track_lock);
	if (enclave->secs == SGX2_EPC_NONE || atomic_read(&enclave->pins))
		return false;
	if (sgx2_enclave_is(enclave, SGX2_DEAD))
		return sgx2_secs_drop(enclave);
	/* EWB would read a poisoned page; see sgx2_batch_fill() in paging.c. */
	if (sgx2_epc_poisoned(enclave->secs))
		return false;
	/* First the place in the file, then the slot; see there, too. */
	if (sgx2_backing_make(enclave, NULL, &backing))
		return false;
	if (sgx2_va_slot_get(&enclave->va, &slot)) {
		sgx2_backing_release(enclave, &backing);
		return false;
	}
	sgx2_va_slot_set_place(slot, backing.place);
	ret = sgx2_backing_ewb(enclave->secs, &backing, slot);
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_EWB, 0, ret);
		sgx2_backing_release(enclave, &backing);
		sgx2_va_slot_put(&enclave->va, slot);
		sgx2_enclave_mark_dead(enclave);
		return false;
	}
	sgx2_backing_put(&backing, true);
	sgx2_epc_free(enclave->secs);
	enclave->secs = SGX2_EPC_NONE;
	enclave->secs_slot = slot;
	return true;
}
