/* SPDX-License-Identifier: GPL-2.0 */
/* Tracking: ETRACK, and IPI broadcasts that end the tracking cycle of ETRACK. */
#ifndef SGX2_TRACK_H
#define SGX2_TRACK_H

struct sgx2_enclave;

/**
 * sgx2_track_start() - begin a tracking cycle by ETRACK
 * @enclave: the enclave, whose SECS is pinned
 *
 * If the cycle before is not complete, an IPI broadcast completes it.
 *
 * Context: process; sleeps. Under sgx2_enclave::track_lock.
 * Return:
 * * 0 - the cycle has begun
 * * -EIO - ETRACK failed, and the enclave is dead
 */
int sgx2_track_start(struct sgx2_enclave *enclave);

/**
 * sgx2_track_finish() - complete the tracking cycle
 * @enclave: the enclave, whose SECS is pinned
 *
 * If another CPU may have a thread inside, a further ETRACK finds out whether a thread from before
 * sgx2_track_start() is still inside. Only then CPUs are interrupted.
 *
 * Context: process; sleeps. Under sgx2_enclave::track_lock.
 * Return:
 * * 0 - each thread that was inside has left once
 * * -EIO - ETRACK failed, and the enclave is dead
 */
int sgx2_track_finish(struct sgx2_enclave *enclave);

/**
 * sgx2_track_broadcast_ipi() - interrupt every thread that is inside of the enclave
 * @enclave: the enclave
 *
 * Returns after each CPU that may run such a thread has taken the interrupt.
 *
 * Context: process; sleeps. Under sgx2_enclave::track_lock.
 */
void sgx2_track_broadcast_ipi(struct sgx2_enclave *enclave);

#endif
