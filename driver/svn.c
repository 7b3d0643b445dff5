// SPDX-License-Identifier: GPL-2.0
/* EUPDATESVN: the update of the CPU's security version while no enclave has EPC pages. */
#include <linux/mutex.h>
#include "encls.h"
#include "epc.h"
#include "hw.h"
#include "svn.h"

/* Protects sgx2_svn_users. Held over EUPDATESVN, so that a second CREATE waits for the first. */
static DEFINE_MUTEX(sgx2_svn_lock);
/* Enclaves that have EPC pages, or are about to have some; under sgx2_svn_lock. */
static unsigned long sgx2_svn_users;

static int sgx2_svn_update(void)
{
	unsigned int tries;
	int ret;

	if (!sgx2_hw.updatesvn)
		return 0;
	ret = sgx2_epc_wait_clean();
	if (ret)
		return ret;
	for (tries = 0; tries < SGX2_SVN_TRIES; tries++) {
		ret = sgx2_eupdatesvn();
		if (!ret || ret == SGX2_NO_UPDATE)
			return 0;
		if (ret != SGX2_INSUFFICIENT_ENTROPY)
			return -EIO;
	}
	return -EAGAIN;
}

int sgx2_svn_get(void)
{
	int ret = 0;

	if (mutex_lock_interruptible(&sgx2_svn_lock))
		return -EINTR;
	if (!sgx2_svn_users)
		ret = sgx2_svn_update();
	if (!ret)
		sgx2_svn_users++;
	mutex_unlock(&sgx2_svn_lock);
	return ret;
}

void sgx2_svn_put(void)
{
	guard(mutex)(&sgx2_svn_lock);
	sgx2_svn_users--;
}
