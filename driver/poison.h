/* SPDX-License-Identifier: GPL-2.0 */
/* Machine checks that name a page of the EPC. */
#ifndef SGX2_POISON_H
#define SGX2_POISON_H

struct mce;

#ifdef CONFIG_X86_MCE

/* Begin to listen to machine checks; the EPC must be there until sgx2_poison_exit(). */
void sgx2_poison_init(void);
/* Stop to listen. No report is being handled when this returns. */
void sgx2_poison_exit(void);

/**
 * sgx2_poison_report() - mark the EPC pages that a machine check has found damaged
 * @mce: the record of the machine check
 *
 * Ignore a corrected error, an error that is not one of memory, and a record without a physical
 * address. Print one line if a page is marked that was not marked before.
 *
 * Context: process context; takes the locks of sections.
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
