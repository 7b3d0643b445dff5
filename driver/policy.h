/* SPDX-License-Identifier: GPL-2.0 */
/* What a page of an enclave may be mapped with, and whether code may come after EINIT. */
#ifndef SGX2_POLICY_H
#define SGX2_POLICY_H

#include <linux/mm_types.h>
#include <linux/types.h>

struct sgx2_enclave;
struct sgx2_page;

/**
 * sgx2_policy_init() - settle whether code may come after EINIT, and say so
 *
 * By the module's parameters and the kernel's command line, whatever has loaded the module.
 *
 * Context: process, once, before any enclave.
 * Return: 0; an error if what they say contradicts itself or cannot be known.
 */
int sgx2_policy_init(void);

/*
 * The module parameter of this name: whether an enclave that is created now may run code that comes
 * after EINIT.
 */
bool sgx2_policy_dynamic_code(void);

/*
 * VM_READ, VM_WRITE and VM_EXEC for a page added with these SECINFO flags; its source may be
 * executed.
 */
u8 sgx2_policy_added(u64 secinfo);

/* The same for one that EAUG adds: all, and only VMA and EPCM decide; or no VM_EXEC. */
u8 sgx2_policy_dynamic(const struct sgx2_enclave *enclave);

/*
 * Whether a page with these SECINFO flags may be added: a frozen enclave has none that is both
 * writable and executable.
 */
bool sgx2_policy_add(struct sgx2_enclave *enclave, u64 secinfo);

/**
 * sgx2_policy_may() - whether a mapping with these permissions may show a page
 * @max: what was declared for the page, or what all pages of a chunk have in common
 * @flags: VM_READ, VM_WRITE, VM_EXEC of the mapping; other bits do not matter
 *
 * What mmap() and mprotect() ask. sgx2_policy_may_touch() asks it as well.
 *
 * Return: whether it may.
 */
bool sgx2_policy_may(u8 max, unsigned long flags);

/*
 * Whether such a mapping needs a page everywhere: an executable one of a frozen enclave, once it
 * runs.
 */
bool sgx2_policy_needs_page(const struct sgx2_enclave *enclave, unsigned long flags);

/**
 * sgx2_policy_may_touch() - whether a PTE of this page may be in a mapping with these flags
 *
 * The one predicate of all that installs a PTE. The PTE has the permissions of the mapping, never
 * less: the kernel computes PTEs anew from the mapping when it likes, and would widen it.
 *
 * Context: under the chunk's mutex.
 * Return: whether it may.
 * @page: its name
 * @flags: VM_READ, VM_WRITE, VM_EXEC of the mapping
 */
bool sgx2_policy_may_touch(const struct sgx2_page *page, unsigned long flags);

/*
 * Whether code of such a mapping could never run, since the enclave is frozen, or will be if it is
 * created now, and has no page that is both writable and executable.
 */
bool sgx2_policy_idle_exec(const struct sgx2_enclave *enclave, unsigned long flags);

/*
 * Whether a touch of the page, which may be absent, is refused because the enclave is frozen and
 * the page is not code: it is a fetch, or the mapping is executable.
 */
bool sgx2_policy_not_code(const struct sgx2_enclave *enclave, const struct sgx2_page *page,
			  unsigned long flags, bool fetch);

/* Whether a debugger may write to it: not to the code of a frozen enclave. Counts a refusal. */
bool sgx2_policy_may_patch(struct sgx2_enclave *enclave, const struct sgx2_page *page);

/* Code was refused: count and trace it. */
void sgx2_policy_refused(struct sgx2_enclave *enclave, unsigned long address);

#endif
