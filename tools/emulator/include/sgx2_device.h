/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers of the "sgx2-monitor" PCI device, through which a guest uses what silicon does not
 * offer: counters, the EPCM, injected conflicts and the loss of the EPC. The device and guest
 * programs share this header; a program maps BAR 0 (/sys/bus/pci/devices/.../resource0).
 *
 * All registers are little endian and 8 bytes wide. Accesses of 4 and 8 bytes work.
 */
#ifndef SGX2_DEVICE_H
#define SGX2_DEVICE_H

#define SGX2_DEV_VENDOR		0x1234
#define SGX2_DEV_DEVICE		0x5347	/* "SG" */
#define SGX2_DEV_BAR_SIZE	0x10000

#define SGX2_DEV_MAGIC		0x0000	/* RO: "SGX2MON1" */
#define SGX2_DEV_MAGIC_VALUE	0x314e4f4d32584753ULL
#define SGX2_DEV_PAGES		0x0008	/* RO: EPC pages in all sections */
#define SGX2_DEV_VALID		0x0010	/* RO: valid EPCM entries, counted now */
#define SGX2_DEV_COMMAND	0x0018	/* WO: one of SGX2_DEV_CMD_* */
#define SGX2_DEV_CMD_CLEAR	1	/* set all counters to 0 */
#define SGX2_DEV_CMD_LOSE_EPC	2	/* lose the EPC, as S3 or a live migration does */
#define SGX2_DEV_CMD_SNAPSHOT	3	/* copy the counters to SGX2_DEV_COUNTERS */
#define SGX2_DEV_CMD_INJECT	4	/* apply SGX2_DEV_INJ_* */
#define SGX2_DEV_ENTRY_INDEX	0x0020	/* RW: EPCM entry that SGX2_DEV_ENTRY_* show */
#define SGX2_DEV_ENTRY_PHYS	0x0028	/* RO */
#define SGX2_DEV_ENTRY_LINEAR	0x0030	/* RO */
#define SGX2_DEV_ENTRY_ENCLAVE	0x0038	/* RO */
#define SGX2_DEV_ENTRY_STAMP	0x0040	/* RO */
#define SGX2_DEV_ENTRY_FLAGS	0x0048	/* RO: bits VALID 0, R 1, W 2, X 3, BLOCKED 4, PENDING 5,
					 * MODIFIED 6, PR 7, PAGE_TYPE 15:8 */
#define SGX2_DEV_INJ_SEED	0x0080	/* RW; the rates below are per million */
#define SGX2_DEV_INJ_EBLOCK	0x0088
#define SGX2_DEV_INJ_EMODPR	0x0090
#define SGX2_DEV_INJ_EMODT	0x0098
#define SGX2_DEV_INJ_GP		0x00a0
#define SGX2_DEV_INJ_EINIT	0x00a8
#define SGX2_DEV_INJ_ENTROPY	0x00b0
/* By leaf: a rate that replaces SGX2_DEV_INJ_GP for that leaf; 0: SGX2_DEV_INJ_GP applies. */
#define SGX2_DEV_INJ_ENCLS(leaf)	(0x0100 + (leaf) * 8)
#define SGX2_DEV_INJ_ENCLU(leaf)	(0x0200 + (leaf) * 8)

/*
 * Counter window, valid after SGX2_DEV_CMD_SNAPSHOT: struct sgx2_counters of sgx2_model.h as an
 * array of u64 in the order of declaration.
 */
#define SGX2_DEV_COUNTERS	0x1000

/* Indices into the counter window. result: return codes 0-31, then all other codes, then faults. */
#define SGX2_DEV_RESULT_OTHER			32
#define SGX2_DEV_RESULT_FAULT			33
#define SGX2_DEV_RESULTS			34
#define SGX2_DEV_LEAVES				32
#define SGX2_DEV_CTR_AFTER_LEAVES		(2 * SGX2_DEV_LEAVES * SGX2_DEV_RESULTS)
#define SGX2_DEV_CTR_ENCLS(leaf, result)	((leaf) * SGX2_DEV_RESULTS + (result))
#define SGX2_DEV_CTR_ENCLU(leaf, result)	((SGX2_DEV_LEAVES + (leaf)) * SGX2_DEV_RESULTS + (result))
#define SGX2_DEV_CTR_AEX_EXCEPTION(vector)	(SGX2_DEV_CTR_AFTER_LEAVES + (vector))
#define SGX2_DEV_CTR_AEX_INTERRUPT		(SGX2_DEV_CTR_AFTER_LEAVES + 32)
#define SGX2_DEV_CTR_AEX_NMI			(SGX2_DEV_CTR_AFTER_LEAVES + 33)
#define SGX2_DEV_CTR_AEX_SMI			(SGX2_DEV_CTR_AFTER_LEAVES + 34)
#define SGX2_DEV_CTR_AEX_INIT			(SGX2_DEV_CTR_AFTER_LEAVES + 35)
#define SGX2_DEV_CTR_AEX_MCE			(SGX2_DEV_CTR_AFTER_LEAVES + 36)
#define SGX2_DEV_CTR_DENY_READ			(SGX2_DEV_CTR_AFTER_LEAVES + 37)
#define SGX2_DEV_CTR_DENY_WRITE			(SGX2_DEV_CTR_AFTER_LEAVES + 38)
#define SGX2_DEV_CTR_DENY_EXEC			(SGX2_DEV_CTR_AFTER_LEAVES + 39)
#define SGX2_DEV_CTR_TLB_FILLS			(SGX2_DEV_CTR_AFTER_LEAVES + 40)
#define SGX2_DEV_CTR_ABORTS			(SGX2_DEV_CTR_AFTER_LEAVES + 41)
#define SGX2_DEV_CTR_INJECTED			(SGX2_DEV_CTR_AFTER_LEAVES + 42)
#define SGX2_DEV_CTR_COUNT			(SGX2_DEV_CTR_AFTER_LEAVES + 43)

#endif
