/* SPDX-License-Identifier: GPL-2.0 */
/* The embedded files; CMakeLists.txt passes their paths. */
.macro EMBED name, path
	.balign	4096
	.globl	embedded_\name\()_begin
embedded_\name\()_begin:
	.incbin	"\path"
	.globl	embedded_\name\()_end
embedded_\name\()_end:
.endm

	.section .rodata
	EMBED	worker, WORKER_FILE
	EMBED	crowd, CROWD_FILE
	EMBED	tiny, TINY_FILE
	EMBED	key, KEY_FILE

	.section .note.GNU-stack, "", @progbits
