/* SPDX-License-Identifier: GPL-2.0 */
/* The declarations that the files of the module share; stub.S uses the offsets in the frame. */
#ifndef SGX2_ISA_INTERNAL_H
#define SGX2_ISA_INTERNAL_H

#define FRAME_RAX	0
#define FRAME_RBX	8
#define FRAME_RCX	16
#define FRAME_RDX	24
#define FRAME_RFLAGS	32
#define FRAME_VECTOR	40
#define FRAME_ERROR	48
#define FRAME_CR2	56
#define FRAME_RIP	64
#define FRAME_AT	72
#define FRAME_RESUME	80

#ifndef __ASSEMBLY__

#include <linux/fs.h>
#include <linux/types.h>
#include <linux/version.h>
#include <linux/xarray.h>

#include "sgx2_isa.h"

/**
 * struct sgx2_isa_frame - registers of one executed instruction
 * @rax: in and out
 * @rbx: see @rax
 * @rcx: see @rax
 * @rdx: see @rax
 * @rflags: in: value to load; out: value after the instruction or at the fault
 * @vector: out: vector of the fault
 * @error: out: error code that the fault pushed
 * @cr2: out: CR2 at the fault
 * @rip: out: RIP that the fault pushed
 * @at: address of the instruction
 * @resume: address that a fault handler returns to
 */
struct sgx2_isa_frame {
	u64 rax, rbx, rcx, rdx, rflags;
	u64 vector, error, cr2, rip;
	u64 at, resume;
};

/* In stub.S. */
typedef void sgx2_isa_stub(struct sgx2_isa_frame *frame);
sgx2_isa_stub sgx2_isa_encls, sgx2_isa_encls_lock, sgx2_isa_encls_66;
sgx2_isa_stub sgx2_isa_encls_f2, sgx2_isa_encls_f3, sgx2_isa_encls_67;
sgx2_isa_stub sgx2_isa_encls_cs, sgx2_isa_enclu, sgx2_isa_enclv;
sgx2_isa_stub sgx2_isa_load, sgx2_isa_store, sgx2_isa_rdmsr;
sgx2_isa_stub sgx2_isa_wrmsr, sgx2_isa_invd;
void sgx2_isa_fault_ud(void);
void sgx2_isa_fault_gp(void);
void sgx2_isa_fault_pf(void);
extern u64 sgx2_isa_chain_ud, sgx2_isa_chain_gp, sgx2_isa_chain_pf;

/* In run.c. */
int sgx2_isa_run_init(void);
void sgx2_isa_run_exit(void);
int sgx2_isa_run(struct sgx2_isa_run *run);

/* In interrupt.c. */
int sgx2_isa_interrupt_init(void);
void sgx2_isa_interrupt_exit(void);
int sgx2_isa_ipi(u32 cpu);
int sgx2_isa_nmi(u32 cpu, bool nmi_and_enable);
int sgx2_isa_disable_interrupts(bool on);

/* In epc.c. */
int sgx2_isa_epc_init(void);
void sgx2_isa_epc_exit(void);
void sgx2_isa_epc_info(struct sgx2_isa_info *info);
bool sgx2_isa_epc_has(u64 phys);
int sgx2_isa_epc_mmap(struct vm_area_struct *vma);

/* A name that Linux 6.1 lacks. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#include <linux/mm.h>
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

#endif /* __ASSEMBLY__ */
#endif
