// SPDX-License-Identifier: GPL-2.0
/* The leaves of ENCLS, one function each. */
#include <linux/linkage.h>
#include <asm/asm.h>
#include "encls.h"

/*
 * The kernel's exception table handler for EX_TYPE_FAULT_SGX puts SGX2_ENCLS_FAULT and the vector
 * into EAX if the instruction faults. The memory clobber stands for the operands that a leaf reads
 * and writes through their addresses.
 */
#define SGX2_ENCLS                    \
	"1: .byte 0x0f, 0x01, 0xcf\n" \
	"2:\n" _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT_SGX)

/* Runs a leaf whose only operand is the page in RCX. */
static __always_inline u32 sgx2_encls_page(enum sgx2_leaf leaf, const void *rcx)
{
	u32 eax = leaf;

	asm volatile(SGX2_ENCLS : "+a"(eax) : "c"(rcx) : "memory", "cc");
	return eax;
}

/* Runs a leaf with operands in RBX and RCX. RBX is an output too, for EDBGRD. */
static __always_inline u32 sgx2_encls(enum sgx2_leaf leaf, unsigned long *rbx, const void *rcx)
{
	u32 eax = leaf;

	asm volatile(SGX2_ENCLS : "+a"(eax), "+b"(*rbx) : "c"(rcx) : "memory", "cc");
	return eax;
}

/* Runs a leaf that returns a code in EAX. */
static __always_inline int sgx2_encls_code(enum sgx2_leaf leaf, const void *rbx, const void *rcx)
{
	unsigned long b = (unsigned long)rbx;

	return sgx2_encls(leaf, &b, rcx);
}

/* Runs a leaf that returns a code in EAX and has a third operand in RDX. */
static __always_inline int sgx2_encls_code_rdx(enum sgx2_leaf leaf, const void *rbx,
					       const void *rcx, const void *rdx)
{
	unsigned long b = (unsigned long)rbx;
	u32 eax = leaf;

	asm volatile(SGX2_ENCLS : "+a"(eax), "+b"(b) : "c"(rcx), "d"(rdx) : "memory", "cc");
	return eax;
}

/* Runs a leaf that has no code: unless it faulted, EAX still holds the leaf's number. */
static __always_inline int sgx2_encls_void(enum sgx2_leaf leaf, unsigned long rbx, const void *rcx)
{
	u32 eax = sgx2_encls(leaf, &rbx, rcx);

	return eax & SGX2_ENCLS_FAULT ? eax : 0;
}

int sgx2_ecreate(struct sgx_pageinfo *info, void *secs)
{
	return sgx2_encls_void(SGX2_LEAF_ECREATE, (unsigned long)info, secs);
}

int sgx2_eadd(struct sgx_pageinfo *info, void *page)
{
	return sgx2_encls_void(SGX2_LEAF_EADD, (unsigned long)info, page);
}

int sgx2_eextend(void *secs, void *block)
{
	return sgx2_encls_void(SGX2_LEAF_EEXTEND, (unsigned long)secs, block);
}

int sgx2_einit(void *sigstruct, void *secs, void *token)
{
	return sgx2_encls_code_rdx(SGX2_LEAF_EINIT, sigstruct, secs, token);
}

int sgx2_eremove(void *page)
{
	return sgx2_encls_page(SGX2_LEAF_EREMOVE, page);
}

int sgx2_edbgrd(void *address, u64 *data)
{
	unsigned long b = 0;
	u32 eax = sgx2_encls(SGX2_LEAF_EDBGRD, &b, address);

	*data = b;
	return eax;
}

int sgx2_edbgwr(void *address, u64 data)
{
	unsigned long b = data;

	return sgx2_encls(SGX2_LEAF_EDBGWR, &b, address);
}

/*
 * Removal of pages relies on faults of EMODPR, so their cost matters. The kernel finds the entry of
 * a faulting instruction by binary search over addresses, and from the middle of this file the
 * search is shortest.
 */
int sgx2_emodpr(const struct sgx_secinfo *secinfo, void *page)
{
	return sgx2_encls_code(SGX2_LEAF_EMODPR, secinfo, page);
}

int sgx2_eldu(struct sgx_pageinfo *info, void *page, void *slot)
{
	return sgx2_encls_code_rdx(SGX2_LEAF_ELDU, info, page, slot);
}

int sgx2_eblock(void *page)
{
	return sgx2_encls_page(SGX2_LEAF_EBLOCK, page);
}

int sgx2_epa(void *page)
{
	return sgx2_encls_void(SGX2_LEAF_EPA, SGX_PAGE_TYPE_VA, page);
}

int sgx2_ewb(struct sgx_pageinfo *info, void *page, void *slot)
{
	return sgx2_encls_code_rdx(SGX2_LEAF_EWB, info, page, slot);
}

int sgx2_etrack(void *secs)
{
	return sgx2_encls_page(SGX2_LEAF_ETRACK, secs);
}

int sgx2_eaug(struct sgx_pageinfo *info, void *page)
{
	return sgx2_encls_void(SGX2_LEAF_EAUG, (unsigned long)info, page);
}

int sgx2_emodt(const struct sgx_secinfo *secinfo, void *page)
{
	return sgx2_encls_code(SGX2_LEAF_EMODT, secinfo, page);
}

int sgx2_erdinfo(struct sgx2_rdinfo *info, void *page)
{
	return sgx2_encls_code(SGX2_LEAF_ERDINFO, info, page);
}

int sgx2_eupdatesvn(void)
{
	return sgx2_encls_page(SGX2_LEAF_EUPDATESVN, NULL);
}
