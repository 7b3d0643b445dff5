/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interface of the guest ISA test's kernel module: one privileged instruction with chosen
 * registers and its result, EPC pages at chosen user addresses, and shared memory. Operands of
 * ENCLS are linear addresses of the kernel. The program computes them from the bases that
 * SGX2_ISA_INFO returns, and the module passes them on without a check.
 */
#ifndef SGX2_ISA_H
#define SGX2_ISA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SGX2_ISA_NODE		"/dev/sgx2_isa"
#define SGX2_ISA_SECTIONS	8

/* The shared memory has this offset in the node; an EPC page has the offset of its user address. */
#define SGX2_ISA_SHARED_OFFSET	0
#define SGX2_ISA_SHARED_SIZE	(64 * 4096)

struct sgx2_isa_section {
	__u64 phys;
	__u64 size;
	__u64 linear;		/* in the kernel's write-back mapping */
};

struct sgx2_isa_info {
	struct sgx2_isa_section section[SGX2_ISA_SECTIONS];
	__u64 sections;
	__u64 shared;		/* linear address of the shared memory in the kernel */
	__u64 shared_phys;
	__u64 unmapped;		/* a linear address that is not mapped */
	__u64 cr4;
};

/* The instructions of SGX2_ISA_RUN. */
enum sgx2_isa_insn {
	SGX2_ISA_ENCLS,
	SGX2_ISA_ENCLS_LOCK,
	SGX2_ISA_ENCLS_66,
	SGX2_ISA_ENCLS_F2,
	SGX2_ISA_ENCLS_F3,
	SGX2_ISA_ENCLS_67,	/* address size prefix: ignored */
	SGX2_ISA_ENCLS_CS,	/* segment override: ignored */
	SGX2_ISA_ENCLU,
	SGX2_ISA_ENCLV,
	SGX2_ISA_LOAD,		/* RAX = 8 bytes at RCX */
	SGX2_ISA_STORE,		/* 8 bytes at RCX = RAX */
	SGX2_ISA_RDMSR,
	SGX2_ISA_WRMSR,
	SGX2_ISA_INVD,
	SGX2_ISA_INSNS,
};

/* Flags of SGX2_ISA_RUN. */
#define SGX2_ISA_BY_KERNEL	0x1	/* the kernel handles a fault: no error code */
#define SGX2_ISA_WALK		0x2	/* with the page `walk` as page table for the address RCX */
#define SGX2_ISA_STAC		0x4	/* with EFLAGS.AC set */

#define SGX2_ISA_NO_FAULT	(~0ULL)

struct sgx2_isa_run {
	__u32 insn;
	__u32 how;
	/* Registers before and after; of RFLAGS only CF PF AF ZF SF OF are loaded. */
	__u64 rax, rbx, rcx, rdx, rflags;
	/* Output: vector or SGX2_ISA_NO_FAULT, error code, CR2 of a #PF. */
	__u64 vector, error, cr2;
	/* Output: distance from the instruction to the RIP that the fault saved. */
	__u64 rip;
	__u64 walk;
};

struct sgx2_isa_map {
	__u64 address;		/* user address of the page */
	__u64 phys;		/* EPC page; 0: none */
};

#define SGX2_ISA_INFO	_IOR('I', 0, struct sgx2_isa_info)
#define SGX2_ISA_RUN	_IOWR('I', 1, struct sgx2_isa_run)
#define SGX2_ISA_MAP	_IOW('I', 2, struct sgx2_isa_map)
/* Interrupt a CPU, by an IPI or an NMI, and return when the CPU has taken it. */
#define SGX2_ISA_IPI	_IOW('I', 3, __u32)
#define SGX2_ISA_NMI	_IOW('I', 4, __u32)
/* As SGX2_ISA_NMI, and set IF in the program that the NMI interrupts. */
#define SGX2_ISA_NMI_ENABLE	_IOW('I', 5, __u32)
/*
 * 1: the calling thread runs in user mode with IF clear, so that only an NMI interrupts it; it must
 * not meet a page fault. 0: the thread runs with IF set.
 */
#define SGX2_ISA_DISABLE_INTERRUPTS	_IOW('I', 6, __u32)

#endif
