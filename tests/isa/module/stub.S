/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One function per instruction under test, and fault handlers that save the state before any kernel
 * code changes it. The kernel's own mechanism, an exception-table entry of type SGX, returns a
 * vector but no error code. Therefore run.c loads a copy of the IDT in which #UD, #GP and #PF lead
 * to these handlers. A handler passes a fault of any other instruction to the handler of the
 * kernel's IDT.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>
#include "internal.h"

	.text

/*
 * %rdi holds the frame: no leaf changes it, so the handlers can use it if RIP lies between the
 * first function, encls, and the last, invd.
 */
.macro STUB name, insn:vararg
SYM_FUNC_START(sgx2_isa_\name)
	ENDBR
	pushq	%rbx
	pushfq
	leaq	.Lat_\name(%rip), %rax
	movq	%rax, FRAME_AT(%rdi)
	leaq	.Lresume_\name(%rip), %rax
	movq	%rax, FRAME_RESUME(%rdi)
	movq	FRAME_RAX(%rdi), %rax
	movq	FRAME_RBX(%rdi), %rbx
	movq	FRAME_RCX(%rdi), %rcx
	movq	FRAME_RDX(%rdi), %rdx
	pushq	FRAME_RFLAGS(%rdi)
	popfq
.Lat_\name:
	ANNOTATE_NOENDBR
	\insn
.Lafter_\name:
	_ASM_EXTABLE_TYPE(.Lat_\name, .Lafter_\name, EX_TYPE_FAULT_SGX)
	movq	%rax, FRAME_RAX(%rdi)
	movq	%rbx, FRAME_RBX(%rdi)
	movq	%rcx, FRAME_RCX(%rdi)
	movq	%rdx, FRAME_RDX(%rdi)
	pushfq
	popq	FRAME_RFLAGS(%rdi)
.Lresume_\name:
	ANNOTATE_NOENDBR
	popfq
	popq	%rbx
	RET
SYM_FUNC_END(sgx2_isa_\name)
.endm

STUB encls, encls
STUB encls_lock, .byte 0xf0, 0x0f, 0x01, 0xcf
STUB encls_66, .byte 0x66, 0x0f, 0x01, 0xcf
STUB encls_f2, .byte 0xf2, 0x0f, 0x01, 0xcf
STUB encls_f3, .byte 0xf3, 0x0f, 0x01, 0xcf
STUB encls_67, .byte 0x67, 0x0f, 0x01, 0xcf
STUB encls_cs, .byte 0x2e, 0x0f, 0x01, 0xcf
STUB enclu, enclu
STUB enclv, .byte 0x0f, 0x01, 0xc0
STUB load, movq (%rcx), %rax
STUB store, movq %rax, (%rcx)
STUB rdmsr, rdmsr
STUB wrmsr, wrmsr
STUB invd, invd

/* Offsets from %rsp with %rax saved on top of an exception frame with an error code. */
#define SAVED_ERROR	8
#define SAVED_RIP	16
#define SAVED_RFLAGS	32

.macro HANDLER name, vector, has_error
SYM_CODE_START(sgx2_isa_fault_\name)
	.if \has_error
	UNWIND_HINT_IRET_REGS offset=8
	ENDBR
	.else
	UNWIND_HINT_IRET_REGS
	ENDBR
	pushq	$0
	.endif
	cld
	pushq	%rax
	leaq	sgx2_isa_encls(%rip), %rax
	cmpq	%rax, SAVED_RIP(%rsp)
	jb	.Lchain_\name
	leaq	.Lresume_invd(%rip), %rax
	cmpq	%rax, SAVED_RIP(%rsp)
	ja	.Lchain_\name

	popq	FRAME_RAX(%rdi)
	pushq	%rax
	movq	%rbx, FRAME_RBX(%rdi)
	movq	%rcx, FRAME_RCX(%rdi)
	movq	%rdx, FRAME_RDX(%rdi)
	movq	$\vector, FRAME_VECTOR(%rdi)
	movq	%cr2, %rax
	movq	%rax, FRAME_CR2(%rdi)
	movq	SAVED_ERROR(%rsp), %rax
	movq	%rax, FRAME_ERROR(%rdi)
	movq	SAVED_RIP(%rsp), %rax
	movq	%rax, FRAME_RIP(%rdi)
	movq	SAVED_RFLAGS(%rsp), %rax
	movq	%rax, FRAME_RFLAGS(%rdi)
	movq	FRAME_RESUME(%rdi), %rax
	movq	%rax, SAVED_RIP(%rsp)
	addq	$16, %rsp
	UNWIND_HINT_IRET_REGS
	iretq

.Lchain_\name:
	UNWIND_HINT_IRET_REGS offset=16
	popq	%rax
	.if !\has_error
	addq	$8, %rsp
	.endif
	ANNOTATE_RETPOLINE_SAFE
	jmpq	*sgx2_isa_chain_\name(%rip)
SYM_CODE_END(sgx2_isa_fault_\name)
.endm

HANDLER ud, 6, 0
HANDLER gp, 13, 1
HANDLER pf, 14, 1
