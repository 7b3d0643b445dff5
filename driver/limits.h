/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of the driver: batches, waits, windows, and how often something is tried, with units. */
#ifndef SGX2_LIMITS_H
#define SGX2_LIMITS_H

#include <linux/jiffies.h>

/*
 * Leaves
 */

/* Runs of a leaf that faults with #GP, because a leaf on another CPU uses the page or the SECS. */
#define SGX2_LEAF_TRIES 256
/* Runs of EUPDATESVN while the CPU lacks entropy. */
#define SGX2_SVN_TRIES 10
/*
 * EINIT gives way to interrupts. It is run again at once so many times, then after a sleep of so
 * many milliseconds, and so many times in all. Mainline has the same figures.
 */
#define SGX2_EINIT_SPINS 20
#define SGX2_EINIT_SLEEPS 50
#define SGX2_EINIT_SLEEP_MS 20

/*
 * EPC
 */

/* Sections of EPC that are used. An EPC page's name has 4 bits for the section. */
#define SGX2_EPC_SECTIONS 8
/* Pages that a caller of the allocator keeps on its stack. */
#define SGX2_EPC_BATCH_PAGES 32U
/* Pages that only eviction may take, since it needs Version Arrays: a part of the EPC, bounded. */
#define SGX2_EPC_RESERVE_MIN_PAGES 2UL
#define SGX2_EPC_RESERVE_MAX_PAGES 16UL
/*
 * ksgx2d begins to evict when fewer pages than the reserve and this many are free, and stops when
 * as many again are. Mainline stops at 64 pages, as this does.
 */
#define SGX2_EPC_LOW_MAX_PAGES 24UL
/* Iterations over the lists of free pages for pages that a caller has claimed. */
#define SGX2_EPC_CLAIM_PASSES 1000
/* Slots of shared Version Array pages that one enclave may have. */
#define SGX2_VA_SHARED_SLOTS 64U

/*
 * Eviction
 */

/* Pages that one call of the reclaimer frees for a task that waits, or for ksgx2d. */
#define SGX2_RECLAIM_PAGES 16U
/* Pages of one chunk that are evicted together: fewer cost almost as much, more take long. */
#define SGX2_EVICT_MIN_PAGES 16U
#define SGX2_EVICT_MAX_PAGES 64U
/* SECSs without pins that are evicted before the clock runs. */
#define SGX2_EVICT_SECS 16U
/* Pages over which the clock hand moves at a time: their Accessed bits are read together. */
#define SGX2_CLOCK_WINDOW_PAGES 32U
/* Passes of the clock in one call; the last one spares no page. */
#define SGX2_CLOCK_PASSES 6U
/*
 * Places in the backing file that an enclave keeps, with their memory, for the pages that are
 * evicted next: those of pages that were reloaded. As many as are evicted together.
 */
#define SGX2_SPARE_PLACES SGX2_EVICT_MAX_PAGES
/* Address spaces whose Accessed bits are read; the page tables of further ones are not. */
#define SGX2_AGE_MMS 8
/* Time without eviction for an enclave whose memory cgroup cannot be charged; doubled each time. */
#define SGX2_BACKOFF_MIN_JIFFIES (HZ / 20)
#define SGX2_BACKOFF_MAX_JIFFIES (2 * HZ)

/*
 * Faults
 */

/*
 * Pages that a fault on a resident page maps together, where no walk is seen; a power of 2. A page
 * costs some 70 instructions, and a fault with its exit and its resumption 2000. Linux maps as many
 * pages of the page cache.
 */
#define SGX2_MAP_AROUND_PAGES 16U
/* Pages that one fault of a walk reloads beside the one that is accessed, if they are free. */
#define SGX2_RELOAD_AROUND_PAGES SGX2_EPC_BATCH_PAGES

/*
 * Waiting for a free EPC page
 */

/* Sleep of a task that waits, before it runs the reclaimer again. */
#define SGX2_ROOM_WAIT_JIFFIES (HZ / 10)
/* Sleeps after which a task gives up, if no page at all can be evicted. */
#define SGX2_ROOM_WAITS 10
/* Runs of the reclaimer for a task that must not sleep for a free page. */
#define SGX2_ROOM_TRIES 8
/* Such attempts for one page of an mprotect() call. */
#define SGX2_MPROTECT_TRIES 16
/* Sleep of ksgx2d after a run that evicted nothing; doubled each time. */
#define SGX2_IDLE_MIN_JIFFIES (HZ / 50)
#define SGX2_IDLE_MAX_JIFFIES (HZ / 4)

/*
 * Text
 */

/* Ranges of pages that fdinfo lists. */
#define SGX2_FDINFO_RANGES 512
/* Bytes of the kernel command line; a bootconfig may add 32 KiB to COMMAND_LINE_SIZE. */
#define SGX2_CMDLINE_BYTES 65536UL

#endif
