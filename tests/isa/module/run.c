// SPDX-License-Identifier: GPL-2.0
/* Executes one instruction with chosen registers and reports the result. */
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/desc.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include <asm/trapnr.h>

#include "internal.h"

#define ARITHMETIC_FLAGS (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			  X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* EX_TYPE_FAULT_SGX sets this bit in RAX, in addition to the vector. */
#define KERNEL_CAUGHT 0x40000000ULL

/* The handlers of the kernel's IDT for other faults; stub.S jumps to them. */
u64 sgx2_isa_chain_ud, sgx2_isa_chain_gp, sgx2_isa_chain_pf;

/* A copy of the kernel's IDT with three gates of this module; all CPUs use it. */
static gate_desc *test_idt;
static u16 test_idt_size;

static sgx2_isa_stub *const stubs[SGX2_ISA_INSNS] = {
	[SGX2_ISA_ENCLS] = sgx2_isa_encls,
	[SGX2_ISA_ENCLS_LOCK] = sgx2_isa_encls_lock,
	[SGX2_ISA_ENCLS_66] = sgx2_isa_encls_66,
	[SGX2_ISA_ENCLS_F2] = sgx2_isa_encls_f2,
	[SGX2_ISA_ENCLS_F3] = sgx2_isa_encls_f3,
	[SGX2_ISA_ENCLS_67] = sgx2_isa_encls_67,
	[SGX2_ISA_ENCLS_CS] = sgx2_isa_encls_cs,
	[SGX2_ISA_ENCLU] = sgx2_isa_enclu,
	[SGX2_ISA_ENCLV] = sgx2_isa_enclv,
	[SGX2_ISA_LOAD] = sgx2_isa_load,
	[SGX2_ISA_STORE] = sgx2_isa_store,
	[SGX2_ISA_RDMSR] = sgx2_isa_rdmsr,
	[SGX2_ISA_WRMSR] = sgx2_isa_wrmsr,
	[SGX2_ISA_INVD] = sgx2_isa_invd,
};

static void take_gate(unsigned int vector, void (*handler)(void), u64 *chain)
{
	gate_desc *stack = &test_idt[vector];
	u64 to = (u64)handler;

	*chain = gate_offset(stack);
	stack->offset_low = (u16)to;
	stack->offset_middle = (u16)(to >> 16);
	stack->offset_high = (u32)(to >> 32);
}

int sgx2_isa_run_init(void)
{
	struct desc_ptr idt;

	BUILD_BUG_ON(offsetof(struct sgx2_isa_frame, rflags) != FRAME_RFLAGS);
	BUILD_BUG_ON(offsetof(struct sgx2_isa_frame, resume) != FRAME_RESUME);

	store_idt(&idt);
	if (idt.size >= PAGE_SIZE)
		return -EINVAL;
	test_idt = (gate_desc *)get_zeroed_page(GFP_KERNEL);
	if (!test_idt)
		return -ENOMEM;
	memcpy(test_idt, (void *)idt.address, idt.size + 1);
	test_idt_size = idt.size;
	take_gate(X86_TRAP_UD, sgx2_isa_fault_ud, &sgx2_isa_chain_ud);
	take_gate(X86_TRAP_GP, sgx2_isa_fault_gp, &sgx2_isa_chain_gp);
	take_gate(X86_TRAP_PF, sgx2_isa_fault_pf, &sgx2_isa_chain_pf);
	return 0;
}

void sgx2_isa_run_exit(void)
{
	free_page((unsigned long)test_idt);
}

/* Interrupts are disabled, so only the instruction and NMIs use the copied IDT. */
static void run_with_test_idt(sgx2_isa_stub *stub, struct sgx2_isa_frame *frame)
{
	const struct desc_ptr own = { test_idt_size, (unsigned long)test_idt };
	struct desc_ptr kernels;

	store_idt(&kernels);
	native_load_idt(&own);
	stub(frame);
	native_load_idt(&kernels);
}

/*
 * Run with a copy of the top-level page table in which the entry for RCX points to the page @walk.
 * The kernel's half is unchanged, so the kernel stays mapped.
 */
static void run_walking(sgx2_isa_stub *stub, struct sgx2_isa_frame *frame,
			u64 *top, u64 walk)
{
	unsigned long cr3 = __read_cr3();

	memcpy(top, __va(cr3 & CR3_ADDR_MASK), PAGE_SIZE);
	top[pgd_index(frame->rcx)] = walk | _PAGE_TABLE_NOENC;
	native_write_cr3(__pa(top) | (cr3 & CR3_PCID_MASK));
	run_with_test_idt(stub, frame);
	native_write_cr3(cr3);
}

int sgx2_isa_run(struct sgx2_isa_run *run)
{
	struct sgx2_isa_frame frame = {
		.rax = run->rax,
		.rbx = run->rbx,
		.rcx = run->rcx,
		.rdx = run->rdx,
		.vector = SGX2_ISA_NO_FAULT,
	};
	unsigned long flags;
	sgx2_isa_stub *stub;
	u64 *top = NULL;

	if (run->insn >= SGX2_ISA_INSNS)
		return -EINVAL;
	if (run->how & SGX2_ISA_WALK) {
		/* RCX must be a user address, because the copy must keep the kernel mapped. */
		if (!sgx2_isa_epc_has(run->walk) || run->rcx >= TASK_SIZE_MAX)
			return -EINVAL;
		top = (u64 *)get_zeroed_page(GFP_KERNEL);
		if (!top)
			return -ENOMEM;
	}
	stub = stubs[run->insn];
	frame.rflags = X86_EFLAGS_FIXED | (run->rflags & ARITHMETIC_FLAGS);
	if (run->how & SGX2_ISA_STAC)
		frame.rflags |= X86_EFLAGS_AC;

	local_irq_save(flags);
	if (run->how & SGX2_ISA_WALK)
		run_walking(stub, &frame, top, run->walk);
	else if (run->how & SGX2_ISA_BY_KERNEL)
		stub(&frame);
	else
		run_with_test_idt(stub, &frame);
	if ((run->how & SGX2_ISA_BY_KERNEL) &&
	    (frame.rax & ~0xffULL) == KERNEL_CAUGHT) {
		frame.vector = frame.rax & 0xff;
		frame.rip = frame.at;
		frame.cr2 = read_cr2();
	}
	local_irq_restore(flags);
	free_page((unsigned long)top);

	run->rax = frame.rax;
	run->rbx = frame.rbx;
	run->rcx = frame.rcx;
	run->rdx = frame.rdx;
	run->rflags = frame.rflags;
	run->vector = frame.vector;
	run->error = frame.error;
	run->cr2 = frame.cr2;
	run->rip = frame.rip - frame.at;
	return 0;
}
