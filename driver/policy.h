/* SPDX-License-Identifier: GPL-2.0 */
/* The policy limits the permissions of mappings, and decides whether dynamic code is allowed. */
#ifndef SGX2_POLICY_H
#define SGX2_POLICY_H

#include <linux/types.h>

struct sgx2_enclave;
struct sgx2_page;

/**
 * sgx2_policy_init() - decide whether dynamic code is allowed, and log the decision
 *
 * Reads the module parameter and the kernel command line, whichever way the module is loaded.
 *
 * Context: process; sleeps. Module init, before any enclave.
 * Return:
 * * 0 - decided
 * * -EINVAL - the command line's value is neither 0 nor 1
 * * -EPERM - the parameter allows what the command line forbids
 * * another error - the command line cannot be read
 */
int sgx2_policy_init(void);

/**
 * sgx2_policy_dynamic_code() - read the module parameter dynamic_code
 *
 * Context: any.
 * Return: true if an enclave that is created now may run code that is added after EINIT.
 */
bool sgx2_policy_dynamic_code(void);

/**
 * sgx2_policy_added_prot() - compute the permissions for mappings of a page that EADD adds
 * @secinfo: SECINFO.FLAGS of the page
 *
 * Context: any.
 * Return: VM_READ, VM_WRITE and VM_EXEC that a mapping may have.
 */
u8 sgx2_policy_added_prot(u64 secinfo);

/**
 * sgx2_policy_dynamic_prot() - compute the permissions for mappings of a page that EAUG adds
 * @enclave: the enclave, which is created
 *
 * Context: any.
 * Return: all permissions, so that VMA and EPCM decide; with dynamic_code=0 all but VM_EXEC.
 */
u8 sgx2_policy_dynamic_prot(const struct sgx2_enclave *enclave);

/**
 * sgx2_policy_may_add() - test whether EADD may add a page
 * @enclave: the enclave, which is created
 * @secinfo: SECINFO.FLAGS of the page
 *
 * Counts a refusal.
 *
 * Context: any.
 * Return: false with dynamic_code=0 for a page that is writable and executable.
 */
bool sgx2_policy_may_add(struct sgx2_enclave *enclave, u64 secinfo);

/**
 * sgx2_policy_may_map() - test whether a mapping may show a page
 * @max_prot: sgx2_page::max_prot or sgx2_chunk::max_prot
 * @flags: flags of the mapping, of which VM_READ, VM_WRITE and VM_EXEC matter
 *
 * Context: any.
 * Return: true if the mapping has no permission that @max_prot lacks.
 */
bool sgx2_policy_may_map(u8 max_prot, unsigned long flags);

/**
 * sgx2_policy_needs_page() - test whether a mapping must not cover absent pages
 * @enclave: the enclave
 * @flags: flags of the mapping
 *
 * Context: any.
 * Return: true with dynamic_code=0 for an executable mapping after EINIT.
 */
bool sgx2_policy_needs_page(const struct sgx2_enclave *enclave, unsigned long flags);

/**
 * sgx2_policy_may_install() - test whether a mapping may have a PTE of a page
 * @page: the page
 * @flags: flags of the mapping
 *
 * Each function that installs a PTE asks this.
 *
 * Context: under sgx2_chunk::lock of the page.
 * Return: true if the PTE may be installed.
 */
bool sgx2_policy_may_install(const struct sgx2_page *page, unsigned long flags);

/**
 * sgx2_policy_strips_exec() - test whether a mapping is writable and executable in vain
 * @enclave: the enclave
 * @flags: flags of the mapping
 *
 * Context: any.
 * Return: true with dynamic_code=0 if the mapping is writable and executable: no page of the
 * enclave is both.
 */
bool sgx2_policy_strips_exec(const struct sgx2_enclave *enclave, unsigned long flags);

/**
 * sgx2_policy_denies_exec() - test whether an access to a page is refused because it is not code
 * @enclave: the enclave
 * @page: the page, which may be absent
 * @flags: flags of the mapping
 * @fetch: the access is an instruction fetch
 *
 * Context: under sgx2_chunk::lock of the page.
 * Return: true with dynamic_code=0 for a fetch from, or an executable mapping of, a page that was
 * not added as code.
 */
bool sgx2_policy_denies_exec(const struct sgx2_enclave *enclave, const struct sgx2_page *page,
			     unsigned long flags, bool fetch);

/**
 * sgx2_policy_may_debug_write() - test whether a debugger may write to a page
 * @enclave: the enclave
 * @page: the page
 *
 * Counts a refusal.
 *
 * Context: under sgx2_chunk::lock of the page.
 * Return: false with dynamic_code=0 for a page of code.
 */
bool sgx2_policy_may_debug_write(struct sgx2_enclave *enclave, const struct sgx2_page *page);

/**
 * sgx2_policy_count_refusal() - count and trace a refusal that dynamic_code=0 causes
 * @enclave: the enclave
 * @address: linear address, or 0
 *
 * Context: any.
 */
void sgx2_policy_count_refusal(struct sgx2_enclave *enclave, unsigned long address);

#endif
