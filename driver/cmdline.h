/* SPDX-License-Identifier: GPL-2.0 */
/* The module's parameters on the kernel command line. */
#ifndef SGX2_CMDLINE_H
#define SGX2_CMDLINE_H

#include <linux/types.h>

/**
 * struct sgx2_cmdline - the values of sgx2.dynamic_code on a command line
 *
 * Belongs to the task that reads the command line.
 */
struct sgx2_cmdline {
	/** @allows: a parameter allows dynamic code. */
	bool allows;
	/** @forbids: a parameter forbids dynamic code. */
	bool forbids;
	/** @unclear: a parameter has a value that is no boolean. */
	bool unclear;
};

/**
 * sgx2_cmdline_parse() - find the parameters in a text
 * @line: the text, which is modified
 * @found: updated
 *
 * The text is split as the kernel splits it, quotes included, and a dash in a name equals an
 * underscore. A parameter after "--" counts as well.
 *
 * Context: any.
 */
void sgx2_cmdline_parse(char *line, struct sgx2_cmdline *found);

/**
 * sgx2_cmdline_read() - find the parameters on the kernel command line
 * @found: updated
 *
 * Context: process; sleeps.
 * Return:
 * * 0 - the command line has been read
 * * -ENODEV - the kernel has no procfs
 * * -ENOMEM, -E2BIG, or another error of mounting procfs and reading its file
 */
int sgx2_cmdline_read(struct sgx2_cmdline *found);

#endif
