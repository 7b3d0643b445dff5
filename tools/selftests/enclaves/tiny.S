/* SPDX-License-Identifier: GPL-2.0 */
/* The smallest enclave: adds the u64 in its data to the u64 at RDI, outside, and exits. It needs no stack. */
#define EEXIT 4

	.section .text.entry, "ax", @progbits
	.globl	enclave_entry
	.type	enclave_entry, @function
enclave_entry:
	movq	addend(%rip), %rax
	addq	%rax, (%rdi)
	movq	%rcx, %rbx
	xorl	%ecx, %ecx
	movl	$EEXIT, %eax
	enclu
	.size	enclave_entry, . - enclave_entry

	.data
addend:
	.quad	1000

	.section .note.GNU-stack, "", @progbits
