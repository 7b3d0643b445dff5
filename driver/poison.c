// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks that report damaged memory of the EPC.
 *
 * The kernel has a hook for poisoned EPC that no module can use, and no struct page for the EPC. It
 * calls its decode chain for each machine check, and for memory errors that the firmware reports.
 * The chain is called from a work item. By then a task that used the damaged memory may have been
 * killed, and the page may belong to another enclave, which keeps it.
 *
 * The driver does not learn of machine checks from before it was loaded.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/notifier.h>
#include <asm/mce.h>
#include <asm/processor.h>
#include "epc.h"
#include "poison.h"

#define SGX2_POISON_STATUS (MCI_STATUS_UC | MCI_STATUS_ADDRV | MCI_STATUS_MISCV)

/*
 * Returns whether a record reports damaged memory at a physical address. The kernel's
 * mce_usable_address() is not used, since it rejects a record that covers more than one page.
 */
static bool sgx2_poison_usable(struct mce *mce)
{
	return (mce->status & SGX2_POISON_STATUS) == SGX2_POISON_STATUS &&
	       MCI_MISC_ADDR_MODE(mce->misc) == MCI_MISC_ADDR_PHYS &&
	       MCI_MISC_ADDR_LSB(mce->misc) < boot_cpu_data.x86_phys_bits &&
	       mce_is_memory_error(mce);
}

void sgx2_poison_report(struct mce *mce)
{
	unsigned long marked;
	u64 first, size;

	if (!sgx2_poison_usable(mce))
		return;
	/* Lower bits of the address are not valid, so any byte of the range may be damaged. */
	size = BIT_ULL(MCI_MISC_ADDR_LSB(mce->misc));
	first = mce->addr & MCI_ADDR_PHYSADDR & ~(size - 1);
	marked = sgx2_epc_poison(first, first + size - 1);
	if (marked)
		pr_warn("EPC at %#llx-%#llx: uncorrected memory error: %lu page(s) are not given out again; an enclave that has one keeps it\n",
			first, first + size - 1, marked);
}

static int sgx2_poison_notify(struct notifier_block *block, unsigned long action, void *data)
{
	if (data)
		sgx2_poison_report(data);
	return NOTIFY_DONE;
}

/* The priority of the kernel's own handler of uncorrected errors. */
static struct notifier_block sgx2_poison_block = {
	.notifier_call = sgx2_poison_notify,
	.priority = MCE_PRIO_UC,
};

void sgx2_poison_init(void)
{
	mce_register_decode_chain(&sgx2_poison_block);
}

void sgx2_poison_exit(void)
{
	mce_unregister_decode_chain(&sgx2_poison_block);
}
