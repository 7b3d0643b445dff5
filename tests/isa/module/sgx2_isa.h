/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest ISA test's kernel module offers to its user program: one
 * privileged instruction with chosen registers and all that came of it, EPC
 * pages at chosen user addresses, and memory that both sides see.
 *
 * Operands of ENCLS are kernel linear addresses: the program computes them from
 * the bases that SGX2_ISA_INFO gives, and the module passes them on unread.
 */
#ifndef SGX2_ISA_H
#define SGX2_ISA_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SGX2_ISA_NODE		"/dev/sgx2_isa"
#define SGX2_ISA_SECTIONS	8

/* The shared memory lies at this offset of the node; EPC lies at offset = user address. */
#define SGX2_ISA_SHARED_OFFSET	0
#define SGX2_ISA_SHARED_SIZE	(64 * 4096)

struct sgx2_isa_section {
	__u64 phys;
	__u64 size;
	__u64 linear;		/* of the kernel's write-back mapping */
};

struct sgx2_isa_info {
	struct sgx2_isa_section section[SGX2_ISA_SECTIONS];
	__u64 sections;
	__u64 shared;		/* kernel linear address of the shared memory */
	__u64 shared_phys;
	__u64 hole;		/* a kernel page that is mapped nowhere */
	__u64 cr4;
};

/* What SGX2_ISA_RUN executes. */
enum sgx2_isa_insn {
	SGX2_ISA_ENCLS,
	SGX2_ISA_ENCLS_LOCK,
	SGX2_ISA_ENCLS_66,
	SGX2_ISA_ENCLS_F2,
	SGX2_ISA_ENCLS_F3,
	SGX2_ISA_ENCLS_67,	/* address size: ignored */
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

/* How it does so. */
#define SGX2_ISA_BY_KERNEL	0x1	/* a fault is left to the kernel: no error code */
#define SGX2_ISA_WALK		0x2	/* with page `walk` as page table of address RCX */
#define SGX2_ISA_STAC		0x4	/* with EFLAGS.AC set */

#define SGX2_ISA_NO_FAULT	(~0ULL)

struct sgx2_isa_run {
	__u32 insn;
	__u32 how;
	/* Registers before and after; of RFLAGS only CF PF AF ZF SF OF go in. */
	__u64 rax, rbx, rcx, rdx, rflags;
	/* Only out: vector or SGX2_ISA_NO_FAULT, error code, CR2 of a #PF. */
	__u64 vector, error, cr2;
	/* Only out: distance from the instruction to the RIP that the fault saved. */
	__u64 rip;
	__u64 walk;
};

struct sgx2_isa_map {
	__u64 address;		/* user page */
	__u64 phys;		/* EPC page, 0: none */
};

#define SGX2_ISA_INFO	_IOR('I', 0, struct sgx2_isa_info)
#define SGX2_ISA_RUN	_IOWR('I', 1, struct sgx2_isa_run)
#define SGX2_ISA_MAP	_IOW('I', 2, struct sgx2_isa_map)
/* Interrupts that CPU, by an IPI or an NMI, and returns when it has come. */
#define SGX2_ISA_KICK	_IOW('I', 3, __u32)
#define SGX2_ISA_NMI	_IOW('I', 4, __u32)
/* The same NMI, and the program that it meets there runs with IF set from then on. */
#define SGX2_ISA_WAKE	_IOW('I', 5, __u32)
/*
 * 1: from here on the calling thread runs in user mode with IF clear, so that
 * only an NMI interrupts it; it must not meet a page fault. 0: as before.
 */
#define SGX2_ISA_QUIET	_IOW('I', 6, __u32)

#endif
