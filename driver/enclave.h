/* SPDX-License-Identifier: GPL-2.0 */
/* An enclave from open() to its last reference. */
#ifndef SGX2_ENCLAVE_H
#define SGX2_ENCLAVE_H

#include "enclave_types.h"

/**
 * sgx2_enclave_new() - allocate what a newly opened file needs
 *
 * Context: process; sleeps.
 * Return:
 * * the enclave, with one reference that the file owns
 * * -ENOMEM, or another error of the pseudo filesystem
 */
struct sgx2_enclave *sgx2_enclave_new(void);

/**
 * sgx2_enclave_put() - drop a reference
 * @enclave: the enclave; freed with all of its EPC pages if this was the last reference
 *
 * Context: process; sleeps. No lock of the enclave may be held, nor the mutex of a chunk of another
 * enclave.
 */
void sgx2_enclave_put(struct sgx2_enclave *enclave);

/**
 * sgx2_enclave_mark_dead() - let every further call and access fail
 * @enclave: an enclave on which a leaf failed that cannot fail unless the EPC was lost
 *
 * All PTEs are zapped, so an access ends with SIGBUS. Only close() and QUERY still work.
 *
 * Context: process; sleeps. May be called under a chunk's mutex and under
 * sgx2_enclave::track_lock.
 */
void sgx2_enclave_mark_dead(struct sgx2_enclave *enclave);

#endif
