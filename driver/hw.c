// SPDX-License-Identifier: GPL-2.0
/*
 * SGX as CPUID and the MSRs describe it: features, EPC sections, and launch control.
 *
 * A kernel that was booted with nosgx, or built without its own driver, has cleared its feature
 * bits, so this file reads CPUID and the MSRs. If SGX cannot be used, one line in the log names the
 * reason and the remedy.
 */
#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/preempt.h>
#include <asm/cpufeature.h>
#include <asm/cpuid/api.h>
#include <asm/fpu/types.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/sgx.h>
#include "encls.h"
#include "hw.h"

/* CPUID leaf of SGX, and its first subleaf that describes an EPC section. */
#define SGX2_CPUID 0x12
#define SGX2_CPUID_EPC 2
/* CPUID.7.0:EBX and ECX */
#define SGX2_EBX_SGX BIT(2)
#define SGX2_ECX_LC BIT(30)
/* CPUID.12H.0:EAX */
#define SGX2_EAX_SGX1 BIT(0)
#define SGX2_EAX_SGX2 BIT(1)
#define SGX2_EAX_ENCLS_C BIT(6)
#define SGX2_EAX_UPDATESVN BIT(10)
/* Bits 3:0 of EAX of such a subleaf, and their value for an EPC section. */
#define SGX2_SECTION_TYPE 0xf
#define SGX2_SECTION_EPC 1
/* XFRM of an enclave on a CPU without XSAVE: x87 and SSE. */
#define SGX2_XFRM_LEGACY XFEATURE_MASK_FPSSE

struct sgx2_hw sgx2_hw;

enum sgx2_refusal sgx2_hw_refusal(const struct sgx2_hw_raw *raw)
{
	if (raw->max_leaf < SGX2_CPUID || !(raw->leaf7_ebx & SGX2_EBX_SGX))
		return SGX2_NO_SGX;
	if (raw->intree)
		return SGX2_INTREE;
	if (!raw->feat_ctl_valid || !(raw->feat_ctl & FEAT_CTL_LOCKED) ||
	    !(raw->feat_ctl & FEAT_CTL_SGX_ENABLED))
		return SGX2_DISABLED;
	if (!(raw->leaf7_ecx & SGX2_ECX_LC))
		return SGX2_NO_LC;
	if (!(raw->feat_ctl & FEAT_CTL_SGX_LC_ENABLED))
		return SGX2_LC_LOCKED;
	if (!(raw->leaf12_eax & SGX2_EAX_SGX1))
		return SGX2_NO_LEAVES;
	return raw->sections ? SGX2_USABLE : SGX2_NO_EPC;
}

/* One line each: the object, the problem, the remedy. */
static const char *const sgx2_refusals[] = {
	[SGX2_NO_SGX] =
		"this processor has no SGX, or the firmware hides it: look for SGX in the firmware's setup",
	[SGX2_INTREE] =
		"the kernel's own SGX driver has the EPC: boot with nosgx on the kernel command line",
	[SGX2_DISABLED] =
		"SGX is off until the next reset: the firmware has to lock FEAT_CTL with SGX and launch control on, see its setup",
	[SGX2_NO_LC] = "this processor has no flexible launch control, which sgx2 needs",
	[SGX2_LC_LOCKED] =
		"the firmware locked launch control: allow writable launch keys (Flexible Launch Control) in its setup",
	[SGX2_NO_LEAVES] =
		"the processor turned SGX off, as it does after a machine check: reset the machine",
	[SGX2_NO_EPC] =
		"there is no EPC: give SGX some memory (PRMRR size) in the firmware's setup",
};

/* Returns the address or size that a pair of registers of CPUID.12H describes. */
static u64 sgx2_hw_metric(u32 low, u32 high)
{
	return (low & GENMASK(31, 12)) | (u64)(high & GENMASK(19, 0)) << 32;
}

static void sgx2_hw_sections(void)
{
	u32 eax, ebx, ecx, edx;
	unsigned int i;

	for (i = 0;; i++) {
		cpuid_count(SGX2_CPUID, SGX2_CPUID_EPC + i, &eax, &ebx, &ecx, &edx);
		if ((eax & SGX2_SECTION_TYPE) != SGX2_SECTION_EPC)
			return;
		if (sgx2_hw.sections == SGX2_EPC_SECTIONS) {
			pr_info("more than %u EPC sections: the rest is not used\n",
				SGX2_EPC_SECTIONS);
			return;
		}
		sgx2_hw.section[sgx2_hw.sections].base = sgx2_hw_metric(eax, ebx);
		sgx2_hw.section[sgx2_hw.sections].size = sgx2_hw_metric(ecx, edx);
		sgx2_hw.sections++;
	}
}

/* Reads which features an enclave may have, without those that the driver does not know. */
static void sgx2_hw_masks(void)
{
	u32 eax, ebx, ecx, edx;

	cpuid_count(SGX2_CPUID, 0, &eax, &ebx, &ecx, &edx);
	sgx2_hw.sgx2 = eax & SGX2_EAX_SGX2;
	sgx2_hw.rdinfo = eax & SGX2_EAX_ENCLS_C;
	sgx2_hw.updatesvn = eax & SGX2_EAX_UPDATESVN;
	sgx2_hw.misc = ebx & SGX_MISC_EXINFO;
	cpuid_count(SGX2_CPUID, 1, &eax, &ebx, &ecx, &edx);
	sgx2_hw.attributes = (eax | (u64)ebx << 32) & SGX2_ATTR_KNOWN;
	sgx2_hw.xfrm = boot_cpu_has(X86_FEATURE_OSXSAVE) ? ecx | (u64)edx << 32 : SGX2_XFRM_LEGACY;
}

int sgx2_hw_probe(void)
{
	struct sgx2_hw_raw raw = {};
	enum sgx2_refusal refusal;
	u32 eax, edx, unused;

	cpuid(0, &raw.max_leaf, &unused, &unused, &unused);
	if (raw.max_leaf >= SGX2_CPUID) {
		cpuid_count(7, 0, &eax, &raw.leaf7_ebx, &raw.leaf7_ecx, &edx);
		cpuid_count(SGX2_CPUID, 0, &raw.leaf12_eax, &unused, &unused, &unused);
		sgx2_hw_sections();
	}
	raw.feat_ctl_valid = !rdmsrq_safe(MSR_IA32_FEAT_CTL, &raw.feat_ctl);
	raw.sections = sgx2_hw.sections;
	/* The boot option nosgx clears the bit, and then the kernel's driver is not active. */
	raw.intree = IS_ENABLED(CONFIG_X86_SGX) && boot_cpu_has(X86_FEATURE_SGX);
	refusal = sgx2_hw_refusal(&raw);
	if (refusal) {
		pr_err("%s\n", sgx2_refusals[refusal]);
		return refusal == SGX2_INTREE ? -EBUSY : -ENODEV;
	}
	sgx2_hw_masks();
	if (!sgx2_hw.sgx2)
		pr_info("this processor has SGX1 alone: enclaves cannot change once they run\n");
	return 0;
}

int sgx2_hw_einit(void *sigstruct, void *secs, void *token, const u64 signer[4])
{
	unsigned int i;
	int ret;

	preempt_disable();
	for (i = 0; i < 4; i++)
		wrmsrq(MSR_IA32_SGXLEPUBKEYHASH0 + i, signer[i]);
	ret = sgx2_einit(sigstruct, secs, token);
	preempt_enable();
	return ret;
}
