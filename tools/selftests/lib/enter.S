/* SPDX-License-Identifier: GPL-2.0 */
/* Into an enclave by the vDSO's function. An exit leaves other values in registers that C keeps, so they are kept here. */
	.text
/* int sgx_enter(void *function, void *request, unsigned leaf, void *run) */
	.globl	sgx_enter
	.type	sgx_enter, @function
sgx_enter:
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	/* The seventh argument, on the stack, which is at 16 after this. */
	pushq	%rcx
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movl	%edx, %ecx
	xorl	%esi, %esi
	xorl	%edx, %edx
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	call	*%rax
	popq	%rcx
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	sgx_enter, . - sgx_enter

/*
 * int sgx_enter_raw(void *request, unsigned leaf, void *tcs): the same without the vDSO. 0 after EEXIT; 1 when the handler of a signal
 * went on at sgx_raw_left, with RIP at one of the two instructions before: where it came in, or where an AEX left it. An enclave that is
 * resumed leaves with the stack of the entry, so the stack of this call is kept here.
 */
	.section .tbss, "awT", @nobits
	.balign	8
raw_stack:
	.quad	0

	.text
	.globl	sgx_enter_raw, sgx_raw_enter, sgx_raw_resume, sgx_raw_left
	.type	sgx_enter_raw, @function
sgx_enter_raw:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %fs:raw_stack@tpoff
	movl	%esi, %eax
	movq	%rdx, %rbx
	leaq	sgx_raw_resume(%rip), %rcx
sgx_raw_enter:
	enclu
	xorl	%eax, %eax
	jmp	1f
sgx_raw_resume:
	enclu
	ud2
sgx_raw_left:
	movl	$1, %eax
1:	movq	%fs:raw_stack@tpoff, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size	sgx_enter_raw, . - sgx_enter_raw

	.section .note.GNU-stack, "", @progbits
