/* SPDX-License-Identifier: GPL-2.0 */
/* What the processor is and has, read from it and not from the kernel, which boots with nosgx. */
#ifndef SGX2_HW_H
#define SGX2_HW_H

#include <linux/bits.h>
#include <linux/types.h>
#include <asm/sgx.h>

/*
 * ATTRIBUTES of which asm/sgx.h has some names on some kernels: all that this driver knows, and who
 * may ask for which.
 */
#define SGX2_ATTR_KSS BIT_ULL(7)
#define SGX2_ATTR_AEXNOTIFY BIT_ULL(10)
#define SGX2_ATTR_FREE (SGX_ATTR_DEBUG | SGX_ATTR_MODE64BIT | SGX2_ATTR_KSS | SGX2_ATTR_AEXNOTIFY)
#define SGX2_ATTR_KNOWN \
	(SGX2_ATTR_FREE | SGX_ATTR_INIT | SGX_ATTR_PROVISIONKEY | SGX_ATTR_EINITTOKENKEY)

#define SGX2_MAX_SECTIONS 8

/**
 * struct sgx2_hw - what CPUID and the MSRs say
 *
 * Written once, by sgx2_hw_probe() before anything else of the module runs; read by all without a
 * lock.
 */
struct sgx2_hw {
	/** @sgx2: EAUG, EMODPR, EMODT are there. */
	bool sgx2;
	/** @rdinfo: ERDINFO is there, with the other leaves of its set. */
	bool rdinfo;
	/** @updatesvn: EUPDATESVN is there. */
	bool updatesvn;
	/** @misc: MISCSELECT bits that an enclave may have. */
	u32 misc;
	/** @attributes: ATTRIBUTES bits that an enclave may have. */
	u64 attributes;
	/** @xfrm: XFRM bits that an enclave may have. */
	u64 xfrm;
	/** @sections: how many EPC sections there are. */
	unsigned int sections;
	/** @section: physical address and size in bytes of each, whole pages. */
	struct {
		u64 base;
		u64 size;
	} section[SGX2_MAX_SECTIONS];
};

extern struct sgx2_hw sgx2_hw;

/* Why sgx2 does not load. */
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
 * struct sgx2_hw_raw - what that is decided by
 */
struct sgx2_hw_raw {
	/** @max_leaf: of CPUID. */
	u32 max_leaf;
	/** @leaf7_ebx: CPUID.7.0:EBX. */
	u32 leaf7_ebx;
	/** @leaf7_ecx: CPUID.7.0:ECX. */
	u32 leaf7_ecx;
	/** @leaf12_eax: CPUID.12H.0:EAX. */
	u32 leaf12_eax;
	/** @sections: EPC sections that CPUID tells of. */
	unsigned int sections;
	/** @feat_ctl: MSR 3AH. */
	u64 feat_ctl;
	/** @feat_ctl_valid: it could be read. */
	bool feat_ctl_valid;
	/** @intree: the kernel's own driver is active. */
	bool intree;
};

enum sgx2_refusal sgx2_hw_refusal(const struct sgx2_hw_raw *raw);

/**
 * sgx2_hw_probe() - find SGX, or tell the administrator why it cannot be used
 *
 * Context: module init.
 * Return: 0; -EBUSY if the kernel's own driver has the EPC, -ENODEV for all else, after one line in
 * the log that says what to do.
 */
int sgx2_hw_probe(void);

/**
 * sgx2_hw_einit() - EINIT with the launch-control MSRs holding the signer of this enclave
 * @sigstruct: SIGSTRUCT, page-aligned
 * @secs: the kernel's address of the SECS
 * @token: 304 bytes of zeros, aligned to 512
 * @signer: SHA-256 of the signer's modulus
 *
 * The MSRs are per CPU and not restored by a sleep state, so they are written each time, with
 * preemption off.
 *
 * Return: as a leaf of encls.h; 128 when an interrupt came in between.
 */
int sgx2_hw_einit(void *sigstruct, void *secs, void *token, const u64 signer[4]);

/**
 * sgx2_hw_use() - an enclave is about to get its first page
 *
 * The first of them asks for EUPDATESVN, which wants an EPC without a valid page, so it waits for
 * those from before the module; sgx2_hw_unuse() of the last, when its pages are gone, lets the next
 * try again. Not when the device is opened, since the kernel holds a lock of all misc devices then.
 *
 * Context: sleeps; only the caller waits.
 * Return: 0, -EAGAIN (no entropy), -EINTR for a signal meanwhile, or -EIO.
 */
int sgx2_hw_use(void);
void sgx2_hw_unuse(void);

#endif
