/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel's command line says of the module. */
#ifndef SGX2_CMDLINE_H
#define SGX2_CMDLINE_H

#include <linux/types.h>

/**
 * struct sgx2_cmdline - the words sgx2.dynamic_code=VALUE of a command line
 *
 * Of one task, on its stack.
 */
struct sgx2_cmdline {
	/** @allows: there is one that allows code after EINIT. */
	bool allows;
	/** @forbids: there is one that forbids it. */
	bool forbids;
	/** @unclear: there is one whose value is neither. */
	bool unclear;
};

/**
 * sgx2_cmdline_parse() - find the words in a text
 * @line: the text, which is changed
 * @found: what is in it
 *
 * Words are taken apart as the kernel does it, quotes included, and a dash in a name is an
 * underscore. The word "--" ends nothing: behind it a word of ours is meant for us as well.
 */
void sgx2_cmdline_parse(char *line, struct sgx2_cmdline *found);

/**
 * sgx2_cmdline_read() - find them in the kernel's own command line
 * @found: what is in it
 *
 * Context: process; sleeps.
 * Return: 0, or an error if the line cannot be read.
 */
int sgx2_cmdline_read(struct sgx2_cmdline *found);

#endif
