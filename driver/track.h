/* SPDX-License-Identifier: GPL-2.0 */
/* Tracking: who may still have a stale translation, and whether the SECS is in the EPC. */
#ifndef SGX2_TRACK_H
#define SGX2_TRACK_H

struct sgx2_enclave;

/**
 * sgx2_secs_pin() - see to it that the SECS is in the EPC and stays there
 *
 * Context: sleeps; under a chunk's mutex or none, not under the track mutex.
 * Return: 0; -EAGAIN if it has to be reloaded and no EPC page is free; -EIO if the enclave is dead,
 * or is now.
 * @enclave: whose
 */
int sgx2_secs_pin(struct sgx2_enclave *enclave);
void sgx2_secs_unpin(struct sgx2_enclave *enclave);

/* The kernel's address of a pinned SECS. */
void *sgx2_secs_address(struct sgx2_enclave *enclave);

/* Writes the SECS out if nothing pins it; says whether its EPC page is free now. */
bool sgx2_secs_evict(struct sgx2_enclave *enclave);

/**
 * sgx2_track_start() - begin a cycle: ETRACK
 *
 * Pages blocked or changed before it are safe to write out, or to be accepted, once all threads
 * that are inside now have left. If the cycle before has not ended, a round of interrupts ends it.
 *
 * Context: under the track mutex, the SECS pinned.
 * Return: 0, or -EIO with the enclave dead.
 * @enclave: whose
 */
int sgx2_track_start(struct sgx2_enclave *enclave);

/**
 * sgx2_track_finish() - wait until the threads that were inside at sgx2_track_start() have left
 *
 * Asks the processor first, by a further ETRACK, and interrupts only if it says that somebody is
 * left.
 *
 * Context: as above.
 * Return: 0, or -EIO with the enclave dead.
 * @enclave: whose
 */
int sgx2_track_finish(struct sgx2_enclave *enclave);

/*
 * Brings every thread that is inside out once, by an interrupt to the CPUs that may run one. Under
 * the track mutex.
 */
void sgx2_track_interrupt(struct sgx2_enclave *enclave);

#endif
