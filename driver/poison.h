/* SPDX-License-Identifier: GPL-2.0 */
/* Machine checks that report damaged memory of the EPC. */
#ifndef SGX2_POISON_H
#define SGX2_POISON_H

struct mce;

#ifdef CONFIG_X86_MCE

/**
 * sgx2_poison_init() - register for machine checks
 *
 * Context: process. Module init, after sgx2_epc_init().
 */
void sgx2_poison_init(void);

/**
 * sgx2_poison_exit() - unregister; no report is being handled after this returns
 *
 * Context: process; sleeps. Module exit, before sgx2_epc_exit().
 */
void sgx2_poison_exit(void);

/**
 * sgx2_poison_report() - mark the EPC pages that a machine check reports as damaged
 * @mce: the record of the machine check
 *
 * Ignores corrected errors, errors that are not of memory, and records without a physical address.
 * Logs one line if a page is marked that was not marked before.
 *
 * Context: process; sleeps.
 */
void sgx2_poison_report(struct mce *mce);

#else

static inline void sgx2_poison_init(void)
{
}

static inline void sgx2_poison_exit(void)
{
}

#endif

#endif
