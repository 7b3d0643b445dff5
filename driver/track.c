// SPDX-License-Identifier: GPL-2.0
/*
 * Tracking: who may still have a stale translation, and whether the SECS is in the EPC.
 *
 * The processor counts the threads inside an enclave in two generations. ETRACK makes the present
 * one the previous one, and is refused with 17 while the generation before that still has a member.
 * A page that was blocked, or whose permissions or type were changed, can be written out or
 * accepted when the generation of that time is empty. A thread leaves by itself, or by any
 * interrupt.
 *
 * Two ETRACKs at once on one SECS fault, and EBLOCK beside one answers 15, so the track mutex is
 * held over both. It is not held over EWB: whoever wants its pages written waits for its own
 * generation only, and a later ETRACK of somebody else succeeds only when that one is empty.
 */
#include <linux/cpumask.h>
#include <linux/highmem.h>
#include <linux/smp.h>
#include "backing.h"
#include "enclave.h"
#include "encls.h"
#include "lru.h"
#include "mms.h"
#include "paging.h"
#include "trace.h"
#include "track.h"
#include "va.h"

void *sgx2_secs_address(struct sgx2_enclave *enclave)
{
	WARN_ON_ONCE(!atomic_read(&enclave->pins));
	return sgx2_epc_address(enclave->secs);
}

/* To get the interrupt is all: that is an AEX. */
static void sgx2_track_poke(void *unused)
{
}

void sgx2_track_interrupt(struct sgx2_enclave *enclave)
{
	lockdep_assert_held(&enclave->track);
	sgx2_enclave_count(enclave, SGX2_COUNT_ROUNDS);
	/*
	 * Who entered before ETRACK did so on a CPU whose bit was set before it: read the masks
	 * after.
	 */
	smp_mb();
	if (sgx2_mms_cpus(enclave, enclave->cpus))
		on_each_cpu_mask(enclave->cpus, sgx2_track_poke, NULL, true);
	else
		on_each_cpu(sgx2_track_poke, NULL, true);
}

static int sgx2_track_once(struct sgx2_enclave *enclave)
{
	sgx2_enclave_count(enclave, SGX2_COUNT_TRACKS);
	return sgx2_retry(sgx2_etrack(sgx2_secs_address(enclave)));
}

static int sgx2_track_result(struct sgx2_enclave *enclave, int ret)
{
	if (!ret)
		return 0;
	trace_sgx2_encls(enclave, SGX2_LEAF_ETRACK, 0, ret);
	sgx2_enclave_lost(enclave);
	return -EIO;
}

int sgx2_track_start(struct sgx2_enclave *enclave)
{
	int ret;

	lockdep_assert_held(&enclave->track);
	ret = sgx2_track_once(enclave);
	if (ret == SGX2_PREV_TRK_INCMPL) {
		sgx2_track_interrupt(enclave);
		ret = sgx2_track_once(enclave);
	}
	return sgx2_track_result(enclave, ret);
}

int sgx2_track_finish(struct sgx2_enclave *enclave)
{
	int ret;

	lockdep_assert_held(&enclave->track);
	ret = sgx2_track_once(enclave);
	if (ret == SGX2_PREV_TRK_INCMPL) {
		/* Nobody of that generation survives it, so there is nothing to ask again. */
		sgx2_track_interrupt(enclave);
		ret = 0;
	}
	return sgx2_track_result(enclave, ret);
}

static int sgx2_secs_load(struct sgx2_enclave *enclave) __must_hold(&enclave->track)
{
	struct sgx2_backing backing;
	sgx2_epc_t epc;
	int ret;

	if (!sgx2_epc_alloc(&epc, 1, SGX2_EPC_ORDINARY))
		return -EAGAIN;
	ret = sgx2_backing_get(enclave, NULL, 0, &backing);
	if (ret) {
		sgx2_epc_free(epc);
		return ret;
	}
	ret = sgx2_page_eldu(epc, &backing, 0, NULL, sgx2_va_slot_address(enclave->secs_slot));
	sgx2_backing_put(&backing, false);
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_ELDU, 0, ret);
		sgx2_epc_free(epc);
		sgx2_enclave_lost(enclave);
		return -EIO;
	}
	sgx2_va_slot_put(&enclave->va, enclave->secs_slot);
	enclave->secs_slot = SGX2_VA_NONE;
	sgx2_backing_drop(enclave, NULL, 0);
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
	guard(mutex)(&enclave->track);
	if (enclave->secs == SGX2_EPC_NONE) {
		/* One that died meanwhile, and whose SECS was dropped, has no copy of it. */
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
	/* The enclave may have no chunk on the reclaimer's list, so there is one for SECSs. */
	if (!left)
		sgx2_lru_add_secs(enclave);
}

/* That of a dead enclave; see sgx2_chunk_drop(). */
static bool sgx2_secs_drop(struct sgx2_enclave *enclave) __must_hold(&enclave->track)
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

	guard(mutex)(&enclave->track);
	if (enclave->secs == SGX2_EPC_NONE || atomic_read(&enclave->pins))
		return false;
	if (sgx2_enclave_is(enclave, SGX2_DEAD))
		return sgx2_secs_drop(enclave);
	/* As in sgx2_batch_fill(): EWB would read it. */
	if (sgx2_epc_poisoned(enclave->secs))
		return false;
	/* The place in the file first: see sgx2_batch_fill(). */
	if (sgx2_backing_make(enclave, NULL, 0, &backing))
		return false;
	if (sgx2_va_slot_get(&enclave->va, &slot)) {
		sgx2_backing_cancel(enclave, NULL, 0, &backing);
		return false;
	}
	ret = sgx2_page_ewb(enclave->secs, &backing, sgx2_va_slot_address(slot));
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_EWB, 0, ret);
		sgx2_backing_cancel(enclave, NULL, 0, &backing);
		sgx2_va_slot_put(&enclave->va, slot);
		sgx2_enclave_lost(enclave);
		return false;
	}
	sgx2_backing_put(&backing, true);
	sgx2_epc_free(enclave->secs);
	enclave->secs = SGX2_EPC_NONE;
	enclave->secs_slot = slot;
	return true;
}
