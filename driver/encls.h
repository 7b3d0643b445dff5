/* SPDX-License-Identifier: GPL-2.0 */
/* The leaves of ENCLS, one function each, and the values that they return. */
#ifndef SGX2_ENCLS_H
#define SGX2_ENCLS_H

#include <linux/bits.h>
#include <linux/processor.h>
#include <linux/types.h>
#include <asm/sgx.h>
#include <asm/trapnr.h>
#include "limits.h"

/* Numbers of the leaves, EAX of ENCLS (SDM Vol. 3D); asm/sgx.h has only some of them. */
enum sgx2_leaf {
	SGX2_LEAF_ECREATE = 0x00,
	SGX2_LEAF_EADD = 0x01,
	SGX2_LEAF_EINIT = 0x02,
	SGX2_LEAF_EREMOVE = 0x03,
	SGX2_LEAF_EDBGRD = 0x04,
	SGX2_LEAF_EDBGWR = 0x05,
	SGX2_LEAF_EEXTEND = 0x06,
	SGX2_LEAF_ELDU = 0x08,
	SGX2_LEAF_EBLOCK = 0x09,
	SGX2_LEAF_EPA = 0x0a,
	SGX2_LEAF_EWB = 0x0b,
	SGX2_LEAF_ETRACK = 0x0c,
	SGX2_LEAF_EAUG = 0x0d,
	SGX2_LEAF_EMODPR = 0x0e,
	SGX2_LEAF_EMODT = 0x0f,
	SGX2_LEAF_ERDINFO = 0x10,
	SGX2_LEAF_EUPDATESVN = 0x18,
};

/*
 * A leaf returns 0; one of the codes of the SDM (Vol. 3D, table of ENCLS error codes), as in EAX;
 * or, if the instruction faulted, SGX2_ENCLS_FAULT with the vector in the low byte. Each caller
 * checks the value.
 *
 * The leaves are functions and not inlines, so that tests/kunit can link a software processor in
 * their place.
 */
#define SGX2_ENCLS_FAULT BIT(30)
#define SGX2_ENCLS_VECTOR 0xff

/* Codes that the driver distinguishes; asm/sgx.h has only some, and not on each kernel. */
#define SGX2_BLKSTATE 3
#define SGX2_PG_INVLD 6
#define SGX2_PAGE_CONFLICT 7
#define SGX2_MAC_COMPARE_FAIL 9
#define SGX2_NOT_TRACKED 11
#define SGX2_VA_SLOT_OCCUPIED 12
#define SGX2_CHILD_PRESENT 13
#define SGX2_ENCLAVE_ACT 14
#define SGX2_PREV_TRK_INCMPL 17
#define SGX2_PAGE_NOT_MODIFIABLE 20
#define SGX2_INSUFFICIENT_ENTROPY 29
#define SGX2_EPC_NOT_READY 30
#define SGX2_NO_UPDATE 31
#define SGX2_UNMASKED_EVENT 128

static inline bool sgx2_encls_faulted(int ret)
{
	return ret & SGX2_ENCLS_FAULT;
}

static inline int sgx2_encls_vector(int ret)
{
	return ret & SGX2_ENCLS_VECTOR;
}

/*
 * Run a leaf until it does not fault with #GP. A leaf that finds a page or a SECS in use by a leaf
 * on another CPU faults with #GP instead of waiting. The other leaf takes a microsecond, so the
 * leaf is run again for a while before it counts as failed. Success is tested first.
 */
#define sgx2_retry(leaf)                                                      \
	({                                                                    \
		int __left = SGX2_LEAF_TRIES, __ret;                          \
		while (unlikely((__ret = (leaf)) != 0) &&                     \
		       __ret == (SGX2_ENCLS_FAULT | X86_TRAP_GP) && --__left) \
			cpu_relax();                                          \
		__ret;                                                        \
	})

/* SECINFO.FLAGS: the page type lies in bits 15:8 (SDM Vol. 3D, SECINFO). */
#define SGX2_SECINFO_TYPE_SHIFT 8
/* SECINFO.FLAGS, and sgx2_rdinfo::flags: a bit that asm/sgx.h does not have. */
#define SGX2_SECINFO_MODIFIED BIT(4)

/**
 * struct sgx2_rdinfo - the result of ERDINFO for an EPC page (SDM Vol. 3D, RDINFO)
 *
 * Belongs to the task that runs the leaf.
 */
struct sgx2_rdinfo {
	/** @status: for a SECS, whether it has children. */
	u64 status;
	/** @flags: as in SECINFO.FLAGS; bit 63 is set for a blocked page. */
	u64 flags;
	/** @context: identifies the enclave of the page. */
	u64 context;
	/** @reserved: zero. */
	u64 reserved;
} __aligned(32);

/*
 * Run one leaf each. Addresses of EPC pages are kernel addresses from sgx2_epc_address(). Operands
 * have the alignment that the SDM asks for. Any context; they do not sleep.
 */
int sgx2_ecreate(struct sgx_pageinfo *info, void *secs);
int sgx2_eadd(struct sgx_pageinfo *info, void *page);
int sgx2_eextend(void *secs, void *block);
int sgx2_einit(void *sigstruct, void *secs, void *token);
int sgx2_eremove(void *page);
int sgx2_edbgrd(void *address, u64 *data);
int sgx2_edbgwr(void *address, u64 data);
int sgx2_eldu(struct sgx_pageinfo *info, void *page, void *slot);
int sgx2_eblock(void *page);
int sgx2_epa(void *page);
int sgx2_ewb(struct sgx_pageinfo *info, void *page, void *slot);
int sgx2_etrack(void *secs);
int sgx2_eaug(struct sgx_pageinfo *info, void *page);
int sgx2_emodpr(const struct sgx_secinfo *secinfo, void *page);
int sgx2_emodt(const struct sgx_secinfo *secinfo, void *page);
int sgx2_erdinfo(struct sgx2_rdinfo *info, void *page);
int sgx2_eupdatesvn(void);

#endif
