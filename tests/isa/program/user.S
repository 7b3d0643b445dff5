/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Execute ENCLU from outside of an enclave: load all registers from a frame, and store all
 * registers to it. The offsets are those of struct Frame in user.h.
 */
#define RAX 0
#define RBX 8
#define RCX 16
#define RDX 24
#define RSI 32
#define RDI 40
#define RBP 48
#define R8 56
#define R9 64
#define R10 72
#define R11 80
#define R12 88
#define R13 96
#define R14 104
#define R15 112
#define RFLAGS 120
#define RSP 128
#define STACK 136
#define AEXS 144

	.text

	.globl	isa_enclu
	.type	isa_enclu, @function
isa_enclu:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	movq	%rsp, RSP(%rdi)
	/*
	 * In the enclave RSP always has the same value, because an SSA frame may be resumed at
	 * another call depth. Enclave code keeps RSP, so the frame is found after ENCLU and at the
	 * AEP.
	 */
	movq	STACK(%rdi), %rsp
	movq	%rdi, (%rsp)
	pushq	RFLAGS(%rdi)
	movq	RAX(%rdi), %rax
	movq	RBX(%rdi), %rbx
	movq	RCX(%rdi), %rcx
	movq	RDX(%rdi), %rdx
	movq	RSI(%rdi), %rsi
	movq	RBP(%rdi), %rbp
	movq	R8(%rdi), %r8
	movq	R9(%rdi), %r9
	movq	R10(%rdi), %r10
	movq	R11(%rdi), %r11
	movq	R12(%rdi), %r12
	movq	R13(%rdi), %r13
	movq	R14(%rdi), %r14
	movq	R15(%rdi), %r15
	movq	RDI(%rdi), %rdi
	/* The last instruction before ENCLU: with TF set, the first trap is the one after ENCLU. */
	popfq
	.globl	isa_enclu_at
isa_enclu_at:
	enclu
	.globl	isa_enclu_next
isa_enclu_next:
	pushq	%rax
	pushfq
	movq	16(%rsp), %rax
	popq	RFLAGS(%rax)
	popq	RAX(%rax)
	movq	%rbx, RBX(%rax)
	movq	%rcx, RCX(%rax)
	movq	%rdx, RDX(%rax)
	movq	%rsi, RSI(%rax)
	movq	%rdi, RDI(%rax)
	movq	%rbp, RBP(%rax)
	movq	%r8, R8(%rax)
	movq	%r9, R9(%rax)
	movq	%r10, R10(%rax)
	movq	%r11, R11(%rax)
	movq	%r12, R12(%rax)
	movq	%r13, R13(%rax)
	movq	%r14, R14(%rax)
	movq	%r15, R15(%rax)
	movq	RSP(%rax), %rsp
	/* A fault handler continues the thread here, with the RSP of the frame. */
	.globl	isa_landing
isa_landing:
	popfq
	cld
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	isa_enclu, . - isa_enclu

/*
 * The AEP. The kernel has handled the interrupt: count the exit and resume. Push nothing, because
 * enclave code may have data below RSP. ERESUME restores RDX.
 */
	.globl	isa_aep
isa_aep:
	movq	(%rsp), %rdx
	incq	AEXS(%rdx)
	.globl	isa_aep_at
isa_aep_at:
	enclu
	ud2

/*
 * ENCLU and other instructions with prefixes, for the rows on #UD. An instruction that does not
 * fault is followed by the landing.
 */
.macro PREFIXED name, bytes:vararg
	.globl	isa_\name
isa_\name:
	.byte	\bytes
	ret
.endm

PREFIXED enclu_lock, 0xf0, 0x0f, 0x01, 0xd7
PREFIXED enclu_66, 0x66, 0x0f, 0x01, 0xd7
PREFIXED enclu_f2, 0xf2, 0x0f, 0x01, 0xd7
PREFIXED enclu_f3, 0xf3, 0x0f, 0x01, 0xd7
PREFIXED enclu_67, 0x67, 0x0f, 0x01, 0xd7
PREFIXED enclu_plain, 0x0f, 0x01, 0xd7
PREFIXED encls_plain, 0x0f, 0x01, 0xcf
PREFIXED enclv_plain, 0x0f, 0x01, 0xc0

/*
 * Call RBX with RAX, RCX and RDX of the frame: an instruction with a prefix, a load, a jump to EPC.
 */
	.globl	isa_other
	.type	isa_other, @function
isa_other:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushfq
	movq	%rsp, RSP(%rdi)
	pushq	%rdi
	movq	RAX(%rdi), %rax
	movq	RBX(%rdi), %rbx
	movq	RCX(%rdi), %rcx
	movq	RDX(%rdi), %rdx
	pushq	RFLAGS(%rdi)
	popfq
	callq	*%rbx
	popq	%rdi
	movq	%rax, RAX(%rdi)
	movq	%rcx, RCX(%rdi)
	movq	%rdx, RDX(%rdi)
	jmp	isa_landing
	.size	isa_other, . - isa_other

	.globl	isa_load
isa_load:
	movq	(%rcx), %rax
	ret

	.globl	isa_store
isa_store:
	movq	%rax, (%rcx)
	ret

	.section .note.GNU-stack, "", @progbits
