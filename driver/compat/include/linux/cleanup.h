/* SPDX-License-Identifier: GPL-2.0 */
/*
 * guard(), scoped_guard() and __free() for kernels without a header of this name (before 6.5, unless
 * they have it by backport): for those locks, and that memory, which the driver uses them for.
 *
 * Found only where the kernel's own folders have none, which come first.
 */
#ifndef SGX2_COMPAT_CLEANUP_H
#define SGX2_COMPAT_CLEANUP_H

#include <linux/compiler.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#define SGX2_COMPAT_AT_END(function) __attribute__((__cleanup__(function)))

/* A kind of lock: take it and say which it was; and let go of it at the end of the variable. */
#define SGX2_COMPAT_LOCK(kind, type, take, drop)                               \
	typedef type sgx2_compat_guard_##kind;                                 \
	static inline type *sgx2_compat_take_##kind(type *lock)                \
	{                                                                      \
		take(lock);                                                    \
		return lock;                                                   \
	}                                                                      \
	static inline void sgx2_compat_drop_##kind(type **lock)                \
	{                                                                      \
		drop(*lock);                                                   \
	}

SGX2_COMPAT_LOCK(mutex, struct mutex, mutex_lock, mutex_unlock)
SGX2_COMPAT_LOCK(spinlock, spinlock_t, spin_lock, spin_unlock)

/* guard(kind)(lock): to the end of the block. */
#define guard(kind)                                                            \
	sgx2_compat_guard_##kind *__UNIQUE_ID(guard)                           \
		SGX2_COMPAT_AT_END(sgx2_compat_drop_##kind) = sgx2_compat_take_##kind

/* For the statement that follows, which runs once. */
#define scoped_guard(kind, lock)                                               \
	for (sgx2_compat_guard_##kind *held                                    \
		     SGX2_COMPAT_AT_END(sgx2_compat_drop_##kind) =             \
			     sgx2_compat_take_##kind(lock),                    \
		     *once = held;                                             \
	     once; once = NULL)

static inline void sgx2_compat_free_kfree(void *variable)
{
	kfree(*(void **)variable);
}

#define __free(function) SGX2_COMPAT_AT_END(sgx2_compat_free_##function)

#endif
