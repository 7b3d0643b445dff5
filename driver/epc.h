/* SPDX-License-Identifier: GPL-2.0 */
/* Pages of the EPC: which are free, on which node, and who waits for one. */
#ifndef SGX2_EPC_H
#define SGX2_EPC_H

#include <linux/mm.h>
#include <linux/types.h>
#include "hw.h"

/*
 * A page of the EPC is named by 32 bits: 4 of its section, 28 of its place there. Nothing more is
 * kept of a page in use; a free one has the next free one in its 4 bytes.
 */
typedef u32 sgx2_epc_t;
#define SGX2_EPC_NONE ((sgx2_epc_t)~0)
#define SGX2_EPC_BITS 28
#define SGX2_EPC_MASK (BIT(SGX2_EPC_BITS) - 1)

/*
 * Who asks. The last pages are kept for the reclaimer, which needs a Version Array to free many
 * others. Who asks on suspicion gets one only while there are plenty.
 */
enum sgx2_epc_class { SGX2_EPC_SPARE, SGX2_EPC_ORDINARY, SGX2_EPC_RECLAIM };

int sgx2_epc_init(void);
/* Stops the kernel thread and unmaps the sections. Every page must have come back. */
void sgx2_epc_exit(void);

/**
 * sgx2_epc_alloc() - take free pages, without waiting
 * @page: where their names go
 * @count: how many are wanted
 * @class: who asks
 *
 * From the node of this CPU while it has some, else from the nearest. Wakes the kernel thread when
 * few are left. A poisoned page is not taken: it is lost when it is found on a list here.
 *
 * Context: any that may take a spinlock; never sleeps.
 * Return: how many were taken, 0 to @count.
 */
unsigned int sgx2_epc_alloc(sgx2_epc_t *page, unsigned int count, enum sgx2_epc_class class);

/**
 * sgx2_epc_wait() - make room, or wait until there is some
 * @count: how many pages the caller would like
 * @interruptible: any signal ends it, not only one that kills
 *
 * Reclaims on behalf of the caller, then waits. There being room when it returns does not mean that
 * the caller gets it. A stop, a debugger and the freezers come as signals.
 *
 * Context: sleeps, as long as it takes; no chunk mutex may be held, nor mmap_lock for writing.
 * Return: 0; -EINTR for a signal; -ENOMEM if nothing can be reclaimed at all.
 */
int sgx2_epc_wait(unsigned int count, bool interruptible);

/**
 * sgx2_epc_try() - make room, and do not wait if there is none
 * @count: how many pages the caller would like
 *
 * Context: sleeps while pages are written out, a few times; no chunk mutex may be held.
 * Return: 0 as of sgx2_epc_wait(); -EAGAIN if there is no room; -EINTR when the task is being
 * killed.
 */
int sgx2_epc_try(unsigned int count);

/* Waits until no page is left that was valid when the module came; -EINTR for a signal. */
int sgx2_epc_wait_clean(void);

/**
 * sgx2_epc_free() - give a page back whose EPCM entry is not valid
 *
 * After EWB, and after a leaf that was to make it valid and failed: such a leaf changes nothing.
 * @page: its name
 */
void sgx2_epc_free(sgx2_epc_t page);

/**
 * sgx2_epc_free_all() - the same for several pages, at less cost
 * @page: their names
 * @count: how many, or 0
 */
void sgx2_epc_free_all(const sgx2_epc_t *page, unsigned int count);

/**
 * sgx2_epc_remove() - EREMOVE a page and give it back
 *
 * A page that the processor does not let go is not used again and counted as lost, with a warning,
 * since it must not happen.
 * @page: its name
 */
void sgx2_epc_remove(sgx2_epc_t page);

/**
 * sgx2_epc_remove_all() - the same for several pages, at less cost
 * @page: their names
 * @count: how many
 */
void sgx2_epc_remove_all(const sgx2_epc_t *page, unsigned int count);

/**
 * sgx2_epc_poison() - mark the pages of an address range that has lost its contents
 * @first: physical address of the first byte
 * @last: of the last byte
 *
 * Nothing else happens to a page at once. sgx2_epc_alloc() drops it when it would be taken the next
 * time, and it counts as lost from then on. A page in use is freed before that.
 *
 * Context: process context; takes the locks of sections.
 * Return: the number of pages that were not marked before; 0 outside of the EPC.
 */
unsigned long sgx2_epc_poison(u64 first, u64 last);

/* Return whether the page is marked, at the cost of one branch while no page of its section is. */
bool sgx2_epc_poisoned(sgx2_epc_t page);

/* How many of them callers have on their stack. */
#define SGX2_EPC_BATCH 32U

/*
 * Where the kernel has each section mapped, and its first page frame; constant while any page is in
 * use.
 */
extern void *sgx2_epc_mapped[SGX2_MAX_SECTIONS];
extern unsigned long sgx2_epc_first_pfn[SGX2_MAX_SECTIONS];

/* The kernel's address of a page, and the page-frame number that goes into a PTE. */
static inline void *sgx2_epc_address(sgx2_epc_t page)
{
	return sgx2_epc_mapped[page >> SGX2_EPC_BITS] + (page & SGX2_EPC_MASK) * PAGE_SIZE;
}

static inline unsigned long sgx2_epc_pfn(sgx2_epc_t page)
{
	return sgx2_epc_first_pfn[page >> SGX2_EPC_BITS] + (page & SGX2_EPC_MASK);
}

/* Pages that exist, that are free, and that are lost; a snapshot. */
struct sgx2_epc_counts {
	unsigned long total, free, lost;
};

void sgx2_epc_counts(struct sgx2_epc_counts *counts);

#endif
