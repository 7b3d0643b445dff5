// SPDX-License-Identifier: GPL-2.0
/*
 * Tracking: ETRACK, and IPI broadcasts that end the tracking cycle of ETRACK.
 *
 * The CPU counts the threads inside of an enclave in two epochs (SDM Vol. 3D, Enclave Epoch
 * Tracking). ETRACK makes the current epoch the previous one. It returns SGX_PREV_TRK_INCMPL (17)
 * while a thread of the epoch before that is still inside. A page that was blocked, or whose
 * permissions or type were changed, can be written out or accepted once the epoch of that time has
 * no thread left. A thread leaves by EEXIT or by any interrupt, which is an AEX.
 *
 * Two ETRACKs at once on one SECS fault, and EBLOCK beside ETRACK returns SGX_ENTRYEPOCH_LOCKED
 * (15), so the track mutex is held over both. It is not held over EWB: a page can be written out as
 * soon as its own epoch has no thread left, and a later ETRACK of another task succeeds only then.
 */
#include <linux/cpumask.h>
#include <linux/smp.h>
#include "enclave.h"
#include "encls.h"
#include "mm_list.h"
#include "secs.h"
#include "trace.h"
#include "track.h"

/* Empty: receiving the IPI forces an AEX. */
static void sgx2_track_ipi(void *unused)
{
}

void sgx2_track_broadcast_ipi(struct sgx2_enclave *enclave)
{
	lockdep_assert_held(&enclave->track_lock);
	sgx2_enclave_count(enclave, SGX2_COUNT_IPI_BROADCASTS);
	/* Read the masks after ETRACK: a thread that entered before it had set its CPU's bit. */
	smp_mb();
	if (sgx2_mm_list_cpus(enclave, enclave->cpus))
		on_each_cpu_mask(enclave->cpus, sgx2_track_ipi, NULL, true);
	else
		on_each_cpu(sgx2_track_ipi, NULL, true);
}

/*
 * Returns whether no other CPU can have a thread inside that was inside at ETRACK, without asking
 * the CPU by a second ETRACK.
 *
 * A thread is inside only while its CPU is in the mask of an address space that maps the enclave: a
 * CPU sets its bit before it runs a thread of the address space, and clears the bit after that
 * thread was interrupted, which is an AEX. The masks are read after ETRACK. So a CPU whose bit is
 * clear then had no thread inside at ETRACK that has not left since. The current CPU, whose bit may
 * be set, runs this function after ETRACK, and therefore no thread that was inside there at ETRACK
 * is still inside; if this task migrates afterwards, that stays true. Bits of CPUs that are idle,
 * or run a kernel thread with the address space (kthread_use_mm()), only cause the question.
 * Address spaces that are being destroyed stay on the list until their last VMA is closed.
 */
static bool sgx2_track_is_alone(struct sgx2_enclave *enclave)
{
	/* Read the CPU and the masks after ETRACK. */
	smp_mb();
	return !sgx2_mm_list_has_other_cpu(enclave, raw_smp_processor_id());
}

static __always_inline int sgx2_track_once(struct sgx2_enclave *enclave)
{
	sgx2_enclave_count(enclave, SGX2_COUNT_TRACKS);
	return sgx2_retry(sgx2_etrack(sgx2_secs_address(enclave)));
}

static noinline int sgx2_track_failed(struct sgx2_enclave *enclave, int ret)
{
	trace_sgx2_encls(enclave, SGX2_LEAF_ETRACK, 0, ret);
	sgx2_enclave_mark_dead(enclave);
	return -EIO;
}

int sgx2_track_start(struct sgx2_enclave *enclave)
{
	int ret;

	lockdep_assert_held(&enclave->track_lock);
	ret = sgx2_track_once(enclave);
	if (ret == SGX2_PREV_TRK_INCMPL) {
		sgx2_track_broadcast_ipi(enclave);
		ret = sgx2_track_once(enclave);
	}
	return likely(!ret) ? 0 : sgx2_track_failed(enclave, ret);
}

int sgx2_track_finish(struct sgx2_enclave *enclave)
{
	int ret;

	lockdep_assert_held(&enclave->track_lock);
	if (sgx2_track_is_alone(enclave))
		return 0;
	ret = sgx2_track_once(enclave);
	if (ret == SGX2_PREV_TRK_INCMPL) {
		/* No thread of that epoch is inside after it, so ETRACK is not run again. */
		sgx2_track_broadcast_ipi(enclave);
		ret = 0;
	}
	return likely(!ret) ? 0 : sgx2_track_failed(enclave, ret);
}
