/* SPDX-License-Identifier: GPL-2.0 */
/* Entry by the vDSO's function. An exit changes registers that C expects to be preserved, so they are saved here. */
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
	/* The seventh argument, on the stack, which is aligned to 16 after this push. */
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
 * int sgx_enter_raw(void *request, unsigned leaf, void *tcs): entry without the vDSO. Returns 0 after EEXIT, and 1 if the handler of a
 * signal continued at sgx_raw_left; RIP at the signal is then one of the two labels before: at EENTER, or where an AEX left. A resumed
 * enclave leaves with the stack pointer of its entry, so the stack pointer of this call is saved here.
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
