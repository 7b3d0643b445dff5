/* SPDX-License-Identifier: GPL-2.0 */
/* EUPDATESVN: the update of the CPU's security version while no enclave has EPC pages. */
#ifndef SGX2_SVN_H
#define SGX2_SVN_H

/**
 * sgx2_svn_get() - count an enclave that is about to get its first EPC page
 *
 * The first enclave runs EUPDATESVN (SDM Vol. 3D, EUPDATESVN), which needs an EPC without valid
 * pages, so it waits until ksgx2d has removed the pages from before the module. This is not done
 * when the device is opened, since the kernel holds a lock of all misc devices then.
 *
 * Context: process; sleeps. Takes sgx2_svn_lock, inside of sgx2_enclave::build_lock.
 * Return:
 * * 0 - the enclave is counted
 * * -EAGAIN - the CPU has no entropy at the moment
 * * -EINTR - a signal is pending
 * * -EIO - EUPDATESVN failed
 */
int sgx2_svn_get(void);

/**
 * sgx2_svn_put() - stop counting an enclave whose EPC pages have been removed
 *
 * After the last enclave has been freed, the next one runs EUPDATESVN again.
 *
 * Context: process; takes sgx2_svn_lock with no other lock held.
 */
void sgx2_svn_put(void);

#endif
