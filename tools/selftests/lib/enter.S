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

	.section .note.GNU-stack, "", @progbits
