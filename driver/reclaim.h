/* SPDX-License-Identifier: GPL-2.0 */
/* Reclaim: the choice of pages to be evicted, ksgx2d, and waiting for a free EPC page. */
#ifndef SGX2_RECLAIM_H
#define SGX2_RECLAIM_H

#include <linux/errno.h>
#include <linux/types.h>

/**
 * sgx2_reclaim_init() - start ksgx2d
 *
 * Context: process; sleeps. Module init, after sgx2_epc_init().
 * Return: 0 or an error of kthread_run().
 */
int sgx2_reclaim_init(void);

/**
 * sgx2_reclaim_exit() - stop ksgx2d
 *
 * Context: process; sleeps. Module exit, before sgx2_epc_exit().
 */
void sgx2_reclaim_exit(void);

/**
 * sgx2_reclaim() - evict pages
 * @want: number of EPC pages that should become free
 *
 * Continues where the last call stopped. Pages that were accessed lately are spared until all
 * chunks have been examined several times. Ends early if a signal is pending or the task is being
 * frozen.
 *
 * Context: process; sleeps. No chunk mutex is held; mmap_lock may be.
 * Return: the number of EPC pages that became free.
 */
unsigned long sgx2_reclaim(unsigned int want);

/**
 * sgx2_reclaim_wait() - make room, or wait until there is room
 * @count: number of EPC pages that the caller wants
 * @interruptible: any signal ends the wait, not only a fatal one
 *
 * Another task may take the free pages before the caller does. Freezers, SIGSTOP and debuggers end
 * an interruptible wait, since they make a signal pending.
 *
 * Context: process; sleeps without a bound. No chunk mutex is held, and mmap_lock not for writing.
 * Return:
 * * 0 - sgx2_epc_has_room() was true
 * * -EINTR - a signal is pending
 * * -ENOMEM - no page at all can be evicted
 */
int sgx2_reclaim_wait(unsigned int count, bool interruptible);

/**
 * sgx2_reclaim_try() - make room without waiting
 * @count: number of EPC pages that the caller wants
 *
 * Context: process; sleeps while pages are evicted. No chunk mutex is held; mmap_lock may be.
 * Return:
 * * 0 - sgx2_epc_has_room() was true
 * * -EAGAIN - there is no room
 * * -EINTR - a fatal signal is pending
 */
int sgx2_reclaim_try(unsigned int count);

/*
 * Evaluate @attempt until it is not -EAGAIN, which means that no EPC page was free. In between
 * evaluate @room, which makes room or waits, and end with its value if that is not 0.
 */
#define sgx2_with_room(attempt, room)                       \
	({                                                  \
		int __result;                               \
		while ((__result = (attempt)) == -EAGAIN) { \
			__result = (room);                  \
			if (__result)                       \
				break;                      \
		}                                           \
		__result;                                   \
	})

#endif
