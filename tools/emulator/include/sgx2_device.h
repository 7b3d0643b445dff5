/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers of the "sgx2-monitor" PCI device, by which a guest asks the SGX2
 * machine what no silicon tells: counters, the EPCM, injected conflicts and
 * the loss of the EPC. Shared by the device and by guest programs, which map
 * BAR 0 (/sys/bus/pci/devices/.../resource0).
 *
 * All registers are little endian and 8 bytes wide; 4 and 8 byte accesses work.
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
#define SGX2_DEV_CMD_CLEAR	1	/* counters to zero */
#define SGX2_DEV_CMD_LOSE_EPC	2	/* as S3 or migration */
#define SGX2_DEV_CMD_SNAPSHOT	3	/* counters into the window at 0x1000 */
#define SGX2_DEV_CMD_INJECT	4	/* take SGX2_DEV_INJ_* into force */
#define SGX2_DEV_ENTRY_INDEX	0x0020	/* RW: EPCM entry that 0x0028-0x0048 show */
#define SGX2_DEV_ENTRY_PHYS	0x0028	/* RO */
#define SGX2_DEV_ENTRY_LINEAR	0x0030	/* RO */
#define SGX2_DEV_ENTRY_ENCLAVE	0x0038	/* RO */
#define SGX2_DEV_ENTRY_STAMP	0x0040	/* RO */
#define SGX2_DEV_ENTRY_FLAGS	0x0048	/* RO: VALID 0, R 1, W 2, X 3, BLOCKED 4, PENDING 5,
					 * MODIFIED 6, PR 7, PAGE_TYPE 15:8 */
#define SGX2_DEV_INJ_SEED	0x0080	/* RW; rates are per million */
#define SGX2_DEV_INJ_EBLOCK	0x0088
#define SGX2_DEV_INJ_EMODPR	0x0090
#define SGX2_DEV_INJ_EMODT	0x0098
#define SGX2_DEV_INJ_GP		0x00a0
#define SGX2_DEV_INJ_EINIT	0x00a8
#define SGX2_DEV_INJ_ENTROPY	0x00b0
/* Of one leaf: its own rate, if not 0, in place of SGX2_DEV_INJ_GP. */
#define SGX2_DEV_INJ_LEAVES	32
#define SGX2_DEV_INJ_ENCLS(leaf)	(0x0100 + (leaf) * 8)
#define SGX2_DEV_INJ_ENCLU(leaf)	(0x0200 + (leaf) * 8)

/*
 * Counter window, valid after SGX2_DEV_CMD_SNAPSHOT: struct sgx2_counters of
 * sgx2_model.h as an array of u64 in declaration order.
 */
#define SGX2_DEV_COUNTERS	0x1000

/* Indices into that window. RESULT: 0-31 the code, 32 other codes, 33 faulted. */
#define SGX2_DEV_CTR_ENCLS(leaf, result)	((leaf) * 34 + (result))
#define SGX2_DEV_CTR_ENCLU(leaf, result)	(32 * 34 + (leaf) * 34 + (result))
#define SGX2_DEV_CTR_AEX_EXCEPTION(vector)	(2 * 32 * 34 + (vector))
#define SGX2_DEV_CTR_AEX_INTERRUPT		(2 * 32 * 34 + 32)
#define SGX2_DEV_CTR_AEX_NMI			(2 * 32 * 34 + 33)
#define SGX2_DEV_CTR_AEX_SMI			(2 * 32 * 34 + 34)
#define SGX2_DEV_CTR_AEX_INIT			(2 * 32 * 34 + 35)
#define SGX2_DEV_CTR_AEX_MCE			(2 * 32 * 34 + 36)
#define SGX2_DEV_CTR_DENY_READ			(2 * 32 * 34 + 37)
#define SGX2_DEV_CTR_DENY_WRITE			(2 * 32 * 34 + 38)
#define SGX2_DEV_CTR_DENY_EXEC			(2 * 32 * 34 + 39)
#define SGX2_DEV_CTR_TLB_FILLS			(2 * 32 * 34 + 40)
#define SGX2_DEV_CTR_ABORTS			(2 * 32 * 34 + 41)
#define SGX2_DEV_CTR_INJECTED			(2 * 32 * 34 + 42)
#define SGX2_DEV_CTR_COUNT			(2 * 32 * 34 + 43)

#endif
