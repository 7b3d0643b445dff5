/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entry and exit of an enclave. EENTER continues here: CSSA in RAX, TCS in RBX, the address after EENTER in RCX, the request in RDI.
 *
 * An entry while no SSA frame is in use runs on the stack of the thread. An entry while a frame is in use handles an exception, and
 * runs on another stack. The page at GS has the addresses of both, relative to the TCS: see ThreadData in request.h.
 */
#define EEXIT		4
#define STACK		0x00
#define HANDLER_STACK	0x08
#define STACK_INSIDE	0x20
#define REQUEST		0x28

	.section .text.entry, "ax", @progbits
	.globl	enclave_entry
	.type	enclave_entry, @function
enclave_entry:
	cld
	movq	%rsp, %r10
	testl	%eax, %eax
	jnz	1f
	movq	%gs:STACK, %rsp
	movq	%rdi, %gs:REQUEST
	jmp	2f
1:	movq	%gs:HANDLER_STACK, %rsp
2:	addq	%rbx, %rsp
	pushq	%r10
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rcx
	pushq	%rbx
	testl	%eax, %eax
	jnz	3f
	movq	%rsp, %gs:STACK_INSIDE
3:	movq	%rbx, %rsi
	movl	%eax, %edx
	call	enclave_serve
leave:
	popq	%rax
	popq	%rbx
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rsp
	/* The general registers must not show data of the enclave outside. */
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%edi, %edi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	movl	$EEXIT, %eax
	enclu
	.size	enclave_entry, . - enclave_entry

/* The RIP that `abandon` sets: it leaves the enclave with the values that the entry pushed. */
	.globl	enclave_abandoned
enclave_abandoned:
	cld
	movq	%gs:STACK_INSIDE, %rsp
	jmp	leave

/*
 * u64 enclave_registers(Beat *beat): writes a pattern to each register, counts iterations until the program ends it, and returns how
 * many registers have changed. RBP has the address of the beat, RAX the counter; an AEX must preserve all the others.
 */
	.text
	.globl	enclave_registers
	.type	enclave_registers, @function
enclave_registers:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rdi, %rbp
.irp reg, 8, 9, 10, 11, 12, 13, 14, 15
	movabsq	$0x1122334455667700 + \reg, %r\reg
.endr
	movabsq	$0x0101010101010101, %rbx
	movabsq	$0x0202020202020202, %rcx
	movabsq	$0x0303030303030303, %rdx
	movabsq	$0x0404040404040404, %rsi
	movabsq	$0x0505050505050505, %rdi
.irp reg, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movq	%rbx, %xmm\reg
	pinsrw	$7, %ecx, %xmm\reg
	pinsrw	$4 + (\reg & 1), %edx, %xmm\reg
.endr
	movq	$1, 0(%rbp)
1:	incq	8(%rbp)
	/* The loop also preserves a flag: DF, which an AEX does not clear by itself. */
	std
	pause
	pushfq
	cld
	popq	%rax
	testl	$0x400, %eax
	jz	4f
	cmpq	$0, 16(%rbp)
	je	1b
	xorl	%eax, %eax
	jmp	5f
4:	movl	$1, %eax
5:	pushq	%rax
.irp reg, 8, 9, 10, 11, 12, 13, 14, 15
	movabsq	$0x1122334455667700 + \reg, %rax
	cmpq	%rax, %r\reg
	je	6f
	incq	(%rsp)
6:
.endr
.macro EXPECT reg, value
	movabsq	$\value, %rax
	cmpq	%rax, %\reg
	je	7f
	incq	(%rsp)
7:
.endm
	EXPECT	rbx, 0x0101010101010101
	EXPECT	rcx, 0x0202020202020202
	EXPECT	rdx, 0x0303030303030303
	EXPECT	rsi, 0x0404040404040404
	EXPECT	rdi, 0x0505050505050505
.irp reg, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movq	%xmm\reg, %rax
	cmpq	%rbx, %rax
	jne	8f
	pextrw	$7, %xmm\reg, %eax
	cmpw	%cx, %ax
	jne	8f
	pextrw	$4 + (\reg & 1), %xmm\reg, %eax
	cmpw	%dx, %ax
	je	9f
8:	incq	(%rsp)
9:
.endr
	popq	%rax
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret
	.size	enclave_registers, . - enclave_registers

	.section .note.GNU-stack, "", @progbits
