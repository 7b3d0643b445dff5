/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The code page of every enclave. The entry point is at offset 0; RDI has the offset of the
 * function to call, and RCX, set by EENTER, the address for EEXIT. The code uses the stack of the
 * program. The page is copied to EPC, so it addresses its data page, which is DATA bytes higher,
 * relative to RIP.
 */
#define EEXIT 4
#define DATA 0x6000

	.section .enclave, "ax", @progbits
	.balign	4096
	.globl	enclave_code
enclave_code:
	leaq	enclave_code(%rip), %r11
	leaq	(%rdi, %r11), %rdi
	jmp	*%rdi

.macro INSIDE name
	.balign	16
	.globl	inside_\name
inside_\name:
.endm

/* Execute EEXIT to the address in R15. */
.macro OUT
	movq	%r15, %rbx
	movl	$EEXIT, %eax
	enclu
.endm

/* R8, R9, R10, R12: RAX, RBX, RCX and RFLAGS after EENTER. */
INSIDE state
	movq	%rcx, %r15
	movq	%rax, %r8
	movq	%rbx, %r9
	movq	%rcx, %r10
	pushfq
	popq	%r12
	OUT

/* R8, R9: bases of FS and GS. */
INSIDE bases
	movq	%rcx, %r15
	rdfsbase %r8
	rdgsbase %r9
	OUT

/* R8: XCR0. */
INSIDE xgetbv
	movq	%rcx, %r15
	xorl	%ecx, %ecx
	xgetbv
	shlq	$32, %rdx
	leaq	(%rax, %rdx), %r8
	OUT

/*
 * Execute ENCLU with RAX, RBX, RCX, RDX and RFLAGS from the five words at RSI. The results are in
 * R8, R9, R10, R13 and R12.
 */
INSIDE leaf
	movq	%rcx, %r15
	movq	8(%rsi), %rbx
	movq	16(%rsi), %rcx
	movq	24(%rsi), %rdx
	movq	0(%rsi), %rax
	pushq	32(%rsi)
	popfq
	.globl	inside_leaf_at
inside_leaf_at:
	enclu
	pushfq
	popq	%r12
	movq	%rax, %r8
	movq	%rbx, %r9
	movq	%rcx, %r10
	movq	%rdx, %r13
	OUT

/* Execute EEXIT to the address in RSI. */
INSIDE exit
	movq	%rsi, %rbx
	movl	$EEXIT, %eax
	.globl	inside_exit_at
inside_exit_at:
	enclu
	ud2

/* R8 = 8 bytes at RSI. */
INSIDE read
	movq	%rcx, %r15
	.globl	inside_read_at
inside_read_at:
	movq	(%rsi), %r8
	OUT

/* 8 bytes at RSI = RDX. */
INSIDE write
	movq	%rcx, %r15
	.globl	inside_write_at
inside_write_at:
	movq	%rdx, (%rsi)
	OUT

/* Jump to RSI. The code there finds the address for EEXIT in R15. */
INSIDE jump
	movq	%rcx, %r15
	jmp	*%rsi

/*
 * Only EEXIT: the target of a jump to another page of the enclave that holds a copy of this code.
 */
INSIDE out
	OUT

/* Set the word at RSI, then increment the quadword at RSI+8 until the word at RSI+4 is set. */
INSIDE spin
	movq	%rcx, %r15
	movl	$1, (%rsi)
1:	pause
	incq	8(%rsi)
	cmpl	$0, 4(%rsi)
	je	1b
	OUT

/* As spin, and read at RDX in each iteration. */
INSIDE watch
	movq	%rcx, %r15
	movl	$1, (%rsi)
1:	pause
	movq	(%rdx), %r8
	incq	8(%rsi)
	cmpl	$0, 4(%rsi)
	je	1b
	OUT

/*
 * Load all registers from the words at DATA, in the order of GPRSGX from RAX to R15, then raise
 * #UD. After a resume at inside_patterns_after, store all registers from DATA+0x100 on. DATA+0x80:
 * flags. DATA+0x88: MXCSR. DATA+0x90: 16 bytes for XMM7. DATA+0x1f8: the address for EEXIT.
 */
INSIDE patterns
	movq	%rcx, enclave_code + DATA + 0x1f8(%rip)
	ldmxcsr	enclave_code + DATA + 0x88(%rip)
	movdqu	enclave_code + DATA + 0x90(%rip), %xmm7
	fninit
	fldpi
	pushq	enclave_code + DATA + 0x80(%rip)
	popfq
	movq	enclave_code + DATA + 0x00(%rip), %rax
	movq	enclave_code + DATA + 0x08(%rip), %rcx
	movq	enclave_code + DATA + 0x10(%rip), %rdx
	movq	enclave_code + DATA + 0x18(%rip), %rbx
	movq	enclave_code + DATA + 0x28(%rip), %rbp
	movq	enclave_code + DATA + 0x30(%rip), %rsi
	movq	enclave_code + DATA + 0x38(%rip), %rdi
	movq	enclave_code + DATA + 0x40(%rip), %r8
	movq	enclave_code + DATA + 0x48(%rip), %r9
	movq	enclave_code + DATA + 0x50(%rip), %r10
	movq	enclave_code + DATA + 0x58(%rip), %r11
	movq	enclave_code + DATA + 0x60(%rip), %r12
	movq	enclave_code + DATA + 0x68(%rip), %r13
	movq	enclave_code + DATA + 0x70(%rip), %r14
	movq	enclave_code + DATA + 0x78(%rip), %r15
	.globl	inside_patterns_at
inside_patterns_at:
	ud2
	.globl	inside_patterns_after
inside_patterns_after:
	movq	%rax, enclave_code + DATA + 0x100(%rip)
	movq	%rcx, enclave_code + DATA + 0x108(%rip)
	movq	%rdx, enclave_code + DATA + 0x110(%rip)
	movq	%rbx, enclave_code + DATA + 0x118(%rip)
	movq	%rsp, enclave_code + DATA + 0x120(%rip)
	movq	%rbp, enclave_code + DATA + 0x128(%rip)
	movq	%rsi, enclave_code + DATA + 0x130(%rip)
	movq	%rdi, enclave_code + DATA + 0x138(%rip)
	movq	%r8, enclave_code + DATA + 0x140(%rip)
	movq	%r9, enclave_code + DATA + 0x148(%rip)
	movq	%r10, enclave_code + DATA + 0x150(%rip)
	movq	%r11, enclave_code + DATA + 0x158(%rip)
	movq	%r12, enclave_code + DATA + 0x160(%rip)
	movq	%r13, enclave_code + DATA + 0x168(%rip)
	movq	%r14, enclave_code + DATA + 0x170(%rip)
	movq	%r15, enclave_code + DATA + 0x178(%rip)
	pushfq
	popq	enclave_code + DATA + 0x180(%rip)
	stmxcsr	enclave_code + DATA + 0x188(%rip)
	movdqu	%xmm7, enclave_code + DATA + 0x190(%rip)
	fstpl	enclave_code + DATA + 0x1a0(%rip)
	cld
	movq	enclave_code + DATA + 0x1f8(%rip), %r15
	OUT

/* Set TF by POPF; after an opt-out entry TF stays 0. Read the flags back to R12. */
INSIDE popf
	movq	%rcx, %r15
	pushfq
	orq	$0x100, (%rsp)
	popfq
	nop
	pushfq
	popq	%r12
	OUT

/*
 * Execute one instruction of Documentation/isa.rst 10, then EEXIT. Operands in memory are the words
 * at RSI.
 */
.macro INSN name, insn:vararg
	.balign	16
	.globl	insn_\name
insn_\name:
	movq	%rcx, %r15
	.globl	insn_\name\()_at
insn_\name\()_at:
	\insn
	OUT
.endm

INSN cpuid, cpuid
INSN getsec, .byte 0x0f, 0x37
INSN rdpmc, rdpmc
INSN sgdt, sgdt (%rsi)
INSN sidt, sidt (%rsi)
INSN sldt, sldt (%rsi)
INSN str, str (%rsi)
INSN smsw, smsw %ax
INSN vmcall, vmcall
INSN vmfunc, vmfunc
INSN in, inb $0x80, %al
INSN out, outb %al, $0x80
INSN ins, insb
INSN outs, outsb
INSN lcall, lcall *(%rsi)
INSN ljmp, ljmp *(%rsi)
INSN lret, lretq
INSN int_n, int $0x80
INSN iret, iretq
INSN lss, lss (%rsi), %eax
INSN lfs, lfs (%rsi), %eax
INSN lgs, lgs (%rsi), %eax
INSN mov_ds, movl %eax, %ds
INSN mov_es, movl %eax, %es
INSN mov_ss, movl %eax, %ss
INSN mov_fs, movl %eax, %fs
INSN mov_gs, movl %eax, %gs
INSN pop_fs, popq %fs
INSN pop_gs, popq %gs
INSN syscall, syscall
INSN sysenter, sysenter
INSN int3, int3
INSN int1, .byte 0xf1
INSN ud2, ud2
INSN div0, divl (%rsi)
INSN hlt, hlt
INSN xsetbv, xsetbv
INSN mov_cr, movq %cr0, %rax
INSN cli, cli
INSN rdtsc, rdtsc
INSN rdtscp, rdtscp
INSN rdrand, rdrand %rax
INSN pause, pause
INSN wrfsbase, wrfsbase %rsi
INSN lsl, lsl %eax, %edx
INSN lar, lar %eax, %edx
INSN verr, verr %ax
INSN verw, verw %ax
INSN encls, encls
INSN enclv, .byte 0x0f, 0x01, 0xc0
INSN xsave, xsave (%rsi)
INSN avx, vzeroall

	.globl	enclave_code_end
enclave_code_end:
	.balign	4096

	.section .note.GNU-stack, "", @progbits
