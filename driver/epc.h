/* SPDX-License-Identifier: GPL-2.0 */
/* EPC pages: sections, lists of free pages, and the removal of pages from before the module. */
#ifndef SGX2_EPC_H
#define SGX2_EPC_H

#include <linux/mm.h>
#include <linux/types.h>
#include <linux/wait.h>
#include "limits.h"

/*
 * The name of an EPC page has 4 bits for the section and 28 for the page in the section. The driver
 * keeps nothing else for a page in use. A free page has the number of the next free page in the 4
 * bytes of sgx2_section::next.
 */
typedef u32 sgx2_epc_t;
#define SGX2_EPC_NONE ((sgx2_epc_t)~0)
#define SGX2_EPC_BITS 28
#define SGX2_EPC_MASK (BIT(SGX2_EPC_BITS) - 1)

/*
 * The purpose of an allocation. A speculative one (SPARE) succeeds only while free pages are
 * plenty. The last free pages are kept for eviction (RECLAIM), which needs a Version Array page to
 * free many others.
 */
enum sgx2_epc_class { SGX2_EPC_SPARE, SGX2_EPC_ORDINARY, SGX2_EPC_RECLAIM };

/**
 * sgx2_epc_init() - map the sections and set up the lists
 *
 * No page is free before sgx2_epc_sanitize() has removed it.
 *
 * Context: process; sleeps. Module init, after sgx2_hw_probe().
 * Return: 0 or -ENOMEM.
 */
int sgx2_epc_init(void);

/**
 * sgx2_epc_exit() - unmap the sections
 *
 * Context: process; sleeps. Module exit, with no page in use.
 */
void sgx2_epc_exit(void);

/**
 * sgx2_epc_sanitize() - remove the pages that were valid before the module was loaded
 *
 * Each page is free as soon as it is removed, so the first enclaves do not wait for the last page.
 *
 * Context: ksgx2d; sleeps.
 */
void sgx2_epc_sanitize(void);

/**
 * sgx2_epc_sanitized() - test whether sgx2_epc_sanitize() is done
 *
 * Context: any.
 * Return: true if it is done.
 */
bool sgx2_epc_sanitized(void);

/**
 * sgx2_epc_wait_clean() - wait until sgx2_epc_sanitize() is done
 *
 * Context: process; sleeps.
 * Return: 0, or -EINTR for a signal.
 */
int sgx2_epc_wait_clean(void);

/**
 * sgx2_epc_alloc() - allocate free pages
 * @page: filled in with the names of the pages
 * @count: number of pages that are wanted
 * @class: the purpose
 *
 * Takes pages of this CPU's node first, then of the nearest node that has some. Wakes
 * sgx2_epc_low_wait if few pages are left. A poisoned page is leaked, not allocated.
 *
 * Context: any that may take a spinlock.
 * Return: the number of pages in @page, 0 to @count.
 */
unsigned int sgx2_epc_alloc(sgx2_epc_t *page, unsigned int count, enum sgx2_epc_class class);

/**
 * sgx2_epc_free() - free a page whose EPCM entry is not valid
 * @page: the page, after EWB, EREMOVE, or a failed leaf that was to make it valid
 *
 * Context: any that may take a spinlock.
 */
void sgx2_epc_free(sgx2_epc_t page);

/**
 * sgx2_epc_free_all() - free pages whose EPCM entries are not valid
 * @page: the pages
 * @count: number of pages
 *
 * Context: any that may take a spinlock.
 */
void sgx2_epc_free_all(const sgx2_epc_t *page, unsigned int count);

/**
 * sgx2_epc_remove() - run EREMOVE of a page and free the page
 * @page: the page
 *
 * A page that the CPU refuses to remove is leaked, with a warning, since this must not happen.
 *
 * Context: any that may take a spinlock.
 */
void sgx2_epc_remove(sgx2_epc_t page);

/**
 * sgx2_epc_remove_all() - run EREMOVE of pages and free the pages
 * @page: the pages
 * @count: number of pages
 *
 * Context: any that may take a spinlock.
 */
void sgx2_epc_remove_all(const sgx2_epc_t *page, unsigned int count);

/**
 * sgx2_epc_poison() - mark pages whose memory is damaged
 * @first: physical address of the first byte
 * @last: physical address of the last byte
 *
 * A free page is leaked when sgx2_epc_alloc() comes to it. An enclave keeps a page that it has; the
 * page is leaked after it is freed.
 *
 * Context: process; sleeps.
 * Return: the number of pages that were not marked before.
 */
unsigned long sgx2_epc_poison(u64 first, u64 last);

/**
 * sgx2_epc_poisoned() - test whether a page is marked
 * @page: the page
 *
 * Context: any. Costs nothing while no page is marked, by a static key.
 * Return: true if the memory of the page is damaged.
 */
bool sgx2_epc_poisoned(sgx2_epc_t page);

/**
 * sgx2_epc_has_room() - test whether SGX2_EPC_ORDINARY can be allocated
 *
 * Context: any.
 * Return: true if more pages are free than are kept for eviction.
 */
bool sgx2_epc_has_room(void);

/**
 * sgx2_epc_is_low() - test whether so few pages are free that ksgx2d has to begin
 *
 * Context: any.
 * Return: true below the lower mark.
 */
bool sgx2_epc_is_low(void);

/**
 * sgx2_epc_is_plenty() - test whether so many pages are free that ksgx2d can stop
 *
 * Context: any.
 * Return: true at or above the upper mark.
 */
bool sgx2_epc_is_plenty(void);

/* Woken when a page becomes free, or sgx2_epc_sanitize() is done. */
extern wait_queue_head_t sgx2_epc_free_wait;
/* Woken when few pages are left. */
extern wait_queue_head_t sgx2_epc_low_wait;

/*
 * The kernel address of each section, and its first page frame; constant while a page is in use.
 */
extern void *sgx2_epc_mapped[SGX2_EPC_SECTIONS];
extern unsigned long sgx2_epc_first_pfn[SGX2_EPC_SECTIONS];

/* Returns the kernel address of a page, the operand of leaves. */
static inline void *sgx2_epc_address(sgx2_epc_t page)
{
	return sgx2_epc_mapped[page >> SGX2_EPC_BITS] + (page & SGX2_EPC_MASK) * PAGE_SIZE;
}

/* Returns the page frame number of a page, for a PTE. */
static inline unsigned long sgx2_epc_pfn(sgx2_epc_t page)
{
	return sgx2_epc_first_pfn[page >> SGX2_EPC_BITS] + (page & SGX2_EPC_MASK);
}

/**
 * struct sgx2_epc_counts - a snapshot of the numbers of EPC pages
 */
struct sgx2_epc_counts {
	/** @total: pages of all sections. */
	unsigned long total;
	/** @free: pages that are free. */
	unsigned long free;
	/** @leaked: pages that are not used: not removed yet, not removable, or poisoned. */
	unsigned long leaked;
};

/**
 * sgx2_epc_counts() - count pages
 * @counts: filled in
 *
 * Context: any.
 */
void sgx2_epc_counts(struct sgx2_epc_counts *counts);

#endif
