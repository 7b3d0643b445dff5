/* SPDX-License-Identifier: GPL-2.0 */
/* The list of address spaces that map an enclave. */
#ifndef SGX2_MM_LIST_H
#define SGX2_MM_LIST_H

#include <linux/types.h>

struct cpumask;
struct mm_struct;
struct sgx2_enclave;

/**
 * sgx2_mm_list_add() - count one more VMA of an address space that maps the enclave
 * @enclave: the enclave
 * @mm: the address space
 *
 * Context: process; sleeps. mmap_lock of @mm is held for writing.
 * Return:
 * * 0 - the VMA is counted
 * * -ENOMEM - out of memory; never returned if @mm has another VMA of the enclave
 */
int sgx2_mm_list_add(struct sgx2_enclave *enclave, struct mm_struct *mm);

/**
 * sgx2_mm_list_del() - count one VMA less
 * @enclave: the enclave
 * @mm: the address space; leaves the list with its last VMA
 *
 * Context: any that may take a spinlock.
 */
void sgx2_mm_list_del(struct sgx2_enclave *enclave, struct mm_struct *mm);

/**
 * sgx2_mm_list_cpus() - compute the CPUs on which a thread may be inside of the enclave
 * @enclave: the enclave
 * @cpus: filled in
 *
 * Context: any that may take a spinlock.
 * Return: true; false if the list is incomplete, so that a thread may be on any CPU.
 */
bool sgx2_mm_list_cpus(struct sgx2_enclave *enclave, struct cpumask *cpus);

/**
 * sgx2_mm_list_has_other_cpu() - test whether a thread may be inside on another CPU
 * @enclave: the enclave
 * @cpu: the number of the CPU that does not count
 *
 * Context: any that may take a spinlock.
 * Return: true if the CPUs of sgx2_mm_list_cpus() include one other than @cpu.
 */
bool sgx2_mm_list_has_other_cpu(struct sgx2_enclave *enclave, unsigned int cpu);

/**
 * sgx2_mm_list_users() - get the address spaces that have users
 * @enclave: the enclave
 * @mm: filled in with at most SGX2_AGE_MMS address spaces, each with a reference by mmget()
 *
 * Context: any that may take a spinlock.
 * Return: the number of address spaces in @mm.
 */
unsigned int sgx2_mm_list_users(struct sgx2_enclave *enclave, struct mm_struct **mm);

#endif
