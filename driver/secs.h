/* SPDX-License-Identifier: GPL-2.0 */
/* The SECS of an enclave: pinned in the EPC, evicted, reloaded. */
#ifndef SGX2_SECS_H
#define SGX2_SECS_H

#include "enclave_types.h"

/**
 * sgx2_secs_pin() - bring the SECS to the EPC, if it is evicted, and keep it there
 * @enclave: the enclave, which is created
 *
 * Context: process; sleeps. Under a chunk's mutex or no lock; takes sgx2_enclave::track_lock.
 * Return:
 * * 0 - the caller has a pin
 * * -EAGAIN - no EPC page is free for the SECS
 * * -EIO - the enclave is dead
 * * -ENOMEM, or another error of sgx2_backing_get()
 */
int sgx2_secs_pin(struct sgx2_enclave *enclave);

/**
 * sgx2_secs_unpin() - drop a pin
 * @enclave: the enclave
 *
 * Context: any that may take a spinlock.
 */
void sgx2_secs_unpin(struct sgx2_enclave *enclave);

/**
 * sgx2_secs_address() - get the kernel address of a SECS
 * @enclave: the enclave, whose SECS is pinned
 *
 * Context: any.
 * Return: the address, which is valid as long as the pin.
 */
static inline void *sgx2_secs_address(struct sgx2_enclave *enclave)
{
	WARN_ON_ONCE(!atomic_read(&enclave->pins));
	return sgx2_epc_address(enclave->secs);
}

/**
 * sgx2_secs_evict() - evict a SECS that has no pins
 * @enclave: the enclave
 *
 * The SECS of a dead enclave is removed instead.
 *
 * Context: process; sleeps. Takes sgx2_enclave::track_lock.
 * Return: true if the EPC page of the SECS is free now.
 */
bool sgx2_secs_evict(struct sgx2_enclave *enclave);

#endif
