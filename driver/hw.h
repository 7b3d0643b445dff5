/* SPDX-License-Identifier: GPL-2.0 */
/* SGX as CPUID and the MSRs describe it: features, EPC sections, and launch control. */
#ifndef SGX2_HW_H
#define SGX2_HW_H

#include <linux/bits.h>
#include <linux/types.h>
#include <asm/sgx.h>
#include "limits.h"

/* ATTRIBUTES bits that asm/sgx.h lacks on some kernels. */
#define SGX2_ATTR_KSS BIT_ULL(7)
#define SGX2_ATTR_AEXNOTIFY BIT_ULL(10)
/* ATTRIBUTES bits that any enclave may have, and all bits that the driver knows. */
#define SGX2_ATTR_FREE (SGX_ATTR_DEBUG | SGX_ATTR_MODE64BIT | SGX2_ATTR_KSS | SGX2_ATTR_AEXNOTIFY)
#define SGX2_ATTR_KNOWN \
	(SGX2_ATTR_FREE | SGX_ATTR_INIT | SGX_ATTR_PROVISIONKEY | SGX_ATTR_EINITTOKENKEY)

/**
 * struct sgx2_hw - the features of the CPU and the sections of the EPC
 *
 * Written once, by sgx2_hw_probe() before anything else of the module runs; read without a lock.
 */
struct sgx2_hw {
	/** @sgx2: EAUG, EMODPR and EMODT exist. */
	bool sgx2;
	/** @rdinfo: ERDINFO exists, with the other leaves of its set. */
	bool rdinfo;
	/** @updatesvn: EUPDATESVN exists. */
	bool updatesvn;
	/** @misc: MISCSELECT bits that an enclave may have. */
	u32 misc;
	/** @attributes: ATTRIBUTES bits that an enclave may have. */
	u64 attributes;
	/** @xfrm: XFRM bits that an enclave may have. */
	u64 xfrm;
	/** @sections: number of EPC sections. */
	unsigned int sections;
	/** @section: physical address and size in bytes of each section, whole pages. */
	struct {
		u64 base;
		u64 size;
	} section[SGX2_EPC_SECTIONS];
};

extern struct sgx2_hw sgx2_hw;

/* Reasons for which the module does not load. */
enum sgx2_refusal {
	SGX2_USABLE,
	SGX2_NO_SGX,
	SGX2_INTREE,
	SGX2_DISABLED,
	SGX2_NO_LC,
	SGX2_LC_LOCKED,
	SGX2_NO_LEAVES,
	SGX2_NO_EPC,
};

/**
 * struct sgx2_hw_raw - the registers from which the reason is computed
 *
 * Belongs to the task that probes.
 */
struct sgx2_hw_raw {
	/** @max_leaf: the highest basic leaf of CPUID. */
	u32 max_leaf;
	/** @leaf7_ebx: CPUID.7.0:EBX. */
	u32 leaf7_ebx;
	/** @leaf7_ecx: CPUID.7.0:ECX. */
	u32 leaf7_ecx;
	/** @leaf12_eax: CPUID.12H.0:EAX. */
	u32 leaf12_eax;
	/** @sections: number of EPC sections that CPUID.12H enumerates. */
	unsigned int sections;
	/** @feat_ctl: IA32_FEATURE_CONTROL, MSR 3AH. */
	u64 feat_ctl;
	/** @feat_ctl_valid: @feat_ctl could be read. */
	bool feat_ctl_valid;
	/** @intree: the kernel's own driver is active. */
	bool intree;
};

/**
 * sgx2_hw_refusal() - find the reason for which SGX cannot be used
 * @raw: the registers
 *
 * Context: any.
 * Return: the first reason that applies, SGX2_USABLE (0) for none.
 */
enum sgx2_refusal sgx2_hw_refusal(const struct sgx2_hw_raw *raw);

/**
 * sgx2_hw_probe() - fill in sgx2_hw, or log why SGX cannot be used
 *
 * The log line says what the administrator can do.
 *
 * Context: module init.
 * Return:
 * * 0 - SGX can be used
 * * -EBUSY - the kernel's own driver uses the EPC
 * * -ENODEV - any other reason
 */
int sgx2_hw_probe(void);

/**
 * sgx2_hw_einit() - run EINIT with the launch-control MSRs set to a signer
 * @sigstruct: SIGSTRUCT, page-aligned
 * @secs: kernel address of the SECS
 * @token: 304 bytes of zeros, aligned to 512 bytes
 * @signer: SHA-256 of the signer's modulus
 *
 * The MSRs are per CPU, and a sleep state does not restore them, so they are written each time.
 *
 * Context: any; disables preemption meanwhile.
 * Return: the value of the leaf, see encls.h; SGX_UNMASKED_EVENT (128) after an interrupt.
 */
int sgx2_hw_einit(void *sigstruct, void *secs, void *token, const u64 signer[4]);

#endif
