// SPDX-License-Identifier: GPL-2.0
/*
 * Changes of pages after EINIT, by range: permissions, types, removal.
 *
 * A range is processed chunk by chunk. Under the mutex of the chunk each page is loaded and
 * changed. Then one ETRACK begins a tracking cycle for all of them. If another CPU may have a
 * thread inside, a second ETRACK finds out whether a thread that was inside is still inside, and
 * only then CPUs are interrupted. Pages are counted after that, so the enclave can accept what is
 * counted. An error, a lack of EPC pages and a signal end the work between two pages, and the pages
 * before are completed.
 *
 * A thread that accesses a page meanwhile is not disturbed: the PTE stays, and the CPU faults with
 * the SGX bit if the EPCM forbids the access. Only removal zaps PTEs, one zap for each run of
 * pages, before EREMOVE and under the same mutex, so no fault can install a PTE in between.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <uapi/asm/sgx.h>
#include <linux/sgx2.h>
#include "call.h"
#include "chunk.h"
#include "edmm.h"
#include "enclave.h"
#include "encls.h"
#include "hw.h"
#include "paging.h"
#include "pte.h"
#include "reclaim.h"
#include "secs.h"
#include "trace.h"
#include "track.h"

/**
 * struct sgx2_range - a range of pages that is changed, and the progress
 *
 * Belongs to the task that makes the call.
 */
struct sgx2_range {
	/** @enclave: the enclave. */
	struct sgx2_enclave *enclave;
	/** @next: page number of the first page that is not done. */
	unsigned long next;
	/** @end: page number after the last page. */
	unsigned long end;
	/**
	 * @change: changes pages [first, last) of the chunk under its mutex. Returns last, or the
	 * index of the page at which it stopped, with @stop set.
	 */
	unsigned int (*change)(struct sgx2_range *range, struct sgx2_chunk *chunk,
			       unsigned int first, unsigned int last);
	/** @finish: completes the change of pages [first, last). Returns 0 or an error. */
	int (*finish)(struct sgx2_range *range, struct sgx2_chunk *chunk, unsigned int first,
		      unsigned int last);
	/** @secinfo: operand of EMODPR or EMODT. */
	const struct sgx_secinfo *secinfo;
	/** @result: the code that a leaf returned, 0 for none. */
	u64 result;
	/** @stop: the error that ends the range. */
	int stop;
	/** @changed: number of pages of the current chunk that need tracking. */
	unsigned int changed;
	/** @lenient: for mprotect(): skip pages that cannot be changed, and do not wait. */
	bool lenient;
	/** @tried: if @lenient, page number for which the reclaimer was run last. */
	unsigned long tried;
	/** @tries: number of runs for that page. */
	unsigned int tries;
};

/*
 * The operands of EMODPR, by their permissions, and of EMODT. They are constant, since a call on
 * one page would take a tenth of its time to clear one on its stack.
 */
static const struct sgx_secinfo sgx2_secinfo_prot[SGX_SECINFO_PERMISSION_MASK + 1] = {
	{ .flags = 0 }, { .flags = 1 }, { .flags = 2 }, { .flags = 3 },
	{ .flags = 4 }, { .flags = 5 }, { .flags = 6 }, { .flags = 7 },
};

static const struct sgx_secinfo sgx2_secinfo_tcs = { .flags = SGX_SECINFO_TCS };
static const struct sgx_secinfo sgx2_secinfo_trim = { .flags = SGX_SECINFO_TRIM };

/**
 * struct sgx2_change - the change of one page, in two steps
 */
struct sgx2_change {
	/** @may: tests the page. Returns 0, 1 to skip the page, or an error. */
	int (*may)(const struct sgx2_range *range, const struct sgx2_page *page);
	/** @one: changes the page, which is resident. Returns 0 or an error. */
	int (*one)(struct sgx2_range *range, struct sgx2_chunk *chunk, unsigned int index,
		   struct sgx2_page *page);
};

/* Loads a page that is evicted. Returns 0, 1 to skip a page, or an error. */
static noinline int sgx2_range_fault_in(struct sgx2_range *range, struct sgx2_chunk *chunk,
					unsigned int index, const struct sgx2_change *change)
	__must_hold(&chunk->lock)
{
	const struct sgx2_page *page = sgx2_chunk_page(chunk, index);
	int ret;

	if (page->state == SGX2_ABSENT)
		return range->lenient ? 1 : -EFAULT;
	cond_resched();
	if (fatal_signal_pending(current))
		return -EINTR;
	ret = change->may(range, page);
	return ret ? ret : sgx2_page_load(chunk, index);
}

/*
 * The loop over pages, in which a call spends most of its time: both steps of @change are inlined.
 * A leaf on a resident page takes a microsecond, so signals, rescheduling and a dead enclave are
 * tested once for each chunk, and in the loop only when a page is loaded.
 */
static __always_inline unsigned int sgx2_range_each(struct sgx2_range *range,
						    struct sgx2_chunk *chunk, unsigned int first,
						    unsigned int last,
						    const struct sgx2_change *change)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, first);
	int ret = sgx2_enclave_is(range->enclave, SGX2_DEAD) ? -EIO : 0;

	for (; !ret && first < last; first++, page++) {
		if (unlikely(page->state != SGX2_RESIDENT))
			ret = sgx2_range_fault_in(range, chunk, first, change);
		if (likely(!ret))
			ret = change->may(range, page);
		if (likely(!ret))
			ret = change->one(range, chunk, first, page);
		if (unlikely(ret < 0))
			break;
		ret = 0;
	}
	range->stop = ret;
	return first;
}

/*
 * Run a leaf until it does not return SGX_PAGE_CONFLICT (7). A thread of the enclave may run
 * EACCEPT or EMODPE on the page, which takes a moment.
 */
#define sgx2_retry_busy(leaf)                                        \
	({                                                           \
		int __tries = SGX2_LEAF_TRIES, __code;               \
		while (unlikely((__code = sgx2_retry(leaf)) != 0) && \
		       __code == SGX2_PAGE_CONFLICT && --__tries)    \
			cpu_relax();                                 \
		__code;                                              \
	})

static int sgx2_range_refused(struct sgx2_range *range, struct sgx2_chunk *chunk,
			      unsigned int index, enum sgx2_leaf leaf, int code)
{
	trace_sgx2_encls(range->enclave, leaf, sgx2_chunk_address(chunk, index), code);
	if (!sgx2_encls_faulted(code)) {
		range->result = code;
		return -EFAULT;
	}
	/* The page was valid and of a type that can be changed: the EPC was lost. */
	if (sgx2_encls_vector(code) == X86_TRAP_PF) {
		sgx2_enclave_mark_dead(range->enclave);
		return -EIO;
	}
	return -EFAULT;
}

static __always_inline int sgx2_restrict_may(const struct sgx2_range *range,
					     const struct sgx2_page *page)
{
	if (likely(page->type == SGX_PAGE_TYPE_REG))
		return 0;
	return range->lenient ? 1 : -EINVAL;
}

static __always_inline int sgx2_restrict_one(struct sgx2_range *range, struct sgx2_chunk *chunk,
					     unsigned int index, struct sgx2_page *page)
{
	int ret;

	ret = sgx2_retry_busy(sgx2_emodpr(range->secinfo, sgx2_epc_address(page->where)));
	if (likely(!ret)) {
		range->changed++;
		return 0;
	}
	if (!range->lenient)
		return sgx2_range_refused(range, chunk, index, SGX2_LEAF_EMODPR, ret);
	/* The page already waits for EACCEPT. */
	if (ret == SGX2_PAGE_NOT_MODIFIABLE)
		return 0;
	ret = sgx2_range_refused(range, chunk, index, SGX2_LEAF_EMODPR, ret);
	return ret == -EFAULT ? -EBUSY : ret;
}

static unsigned int sgx2_restrict_pages(struct sgx2_range *range, struct sgx2_chunk *chunk,
					unsigned int first, unsigned int last)
{
	static const struct sgx2_change change = { sgx2_restrict_may, sgx2_restrict_one };

	return sgx2_range_each(range, chunk, first, last, &change);
}

static __always_inline int sgx2_retype(struct sgx2_range *range, struct sgx2_chunk *chunk,
				       unsigned int index, struct sgx2_page *page, u8 type)
{
	int ret;

	ret = sgx2_retry_busy(sgx2_emodt(range->secinfo, sgx2_epc_address(page->where)));
	if (unlikely(ret))
		return sgx2_range_refused(range, chunk, index, SGX2_LEAF_EMODT, ret);
	page->type = type;
	range->changed++;
	return 0;
}

static __always_inline int sgx2_trim_may(const struct sgx2_range *range,
					 const struct sgx2_page *page)
{
	return unlikely(page->type == SGX_PAGE_TYPE_TRIM) ? -EINVAL : 0;
}

static __always_inline int sgx2_trim_one(struct sgx2_range *range, struct sgx2_chunk *chunk,
					 unsigned int index, struct sgx2_page *page)
{
	return sgx2_retype(range, chunk, index, page, SGX_PAGE_TYPE_TRIM);
}

static unsigned int sgx2_trim_pages(struct sgx2_range *range, struct sgx2_chunk *chunk,
				    unsigned int first, unsigned int last)
{
	static const struct sgx2_change change = { sgx2_trim_may, sgx2_trim_one };

	return sgx2_range_each(range, chunk, first, last, &change);
}

static __always_inline int sgx2_tcs_may(const struct sgx2_range *range,
					const struct sgx2_page *page)
{
	if (page->type != SGX_PAGE_TYPE_REG)
		return -EINVAL;
	/* The CPU reads and writes a TCS through its mapping. */
	return ~page->max_prot & (VM_READ | VM_WRITE) ? -EPERM : 0;
}

static __always_inline int sgx2_tcs_one(struct sgx2_range *range, struct sgx2_chunk *chunk,
					unsigned int index, struct sgx2_page *page)
{
	return sgx2_retype(range, chunk, index, page, SGX_PAGE_TYPE_TCS);
}

static unsigned int sgx2_tcs_pages(struct sgx2_range *range, struct sgx2_chunk *chunk,
				   unsigned int first, unsigned int last)
{
	static const struct sgx2_change change = { sgx2_tcs_may, sgx2_tcs_one };

	return sgx2_range_each(range, chunk, first, last, &change);
}

static int sgx2_track_range(struct sgx2_range *range, struct sgx2_chunk *chunk, unsigned int first,
			    unsigned int last)
{
	int ret;

	if (!range->changed)
		return 0;
	range->changed = 0;
	guard(mutex)(&range->enclave->track_lock);
	ret = sgx2_track_start(range->enclave);
	return ret ? ret : sgx2_track_finish(range->enclave);
}

static __always_inline int sgx2_remove_may(const struct sgx2_range *range,
					   const struct sgx2_page *page)
{
	return likely(page->type == SGX_PAGE_TYPE_TRIM) ? 0 : -EPERM;
}

/*
 * Tests whether the enclave has accepted the type TRIM, by EMODPR, which changes nothing here: it
 * returns SGX_PAGE_NOT_MODIFIABLE (20) while MODIFIED is set, and faults with #PF because of the
 * type once it is clear. EREMOVE does not test this: if no thread is inside, it also removes a page
 * that was not accepted. The fault takes more time than the rest of a removal.
 */
static __always_inline int sgx2_remove_probe(struct sgx2_range *range, struct sgx2_chunk *chunk,
					     unsigned int index, struct sgx2_page *page)
{
	void *address = sgx2_epc_address(page->where);
	int ret;

	/* Not sgx2_retry(), since the expected value is a fault. */
	ret = sgx2_emodpr(range->secinfo, address);
	if (likely(ret == (SGX2_ENCLS_FAULT | X86_TRAP_PF)))
		return 0;
	ret = sgx2_retry_busy(sgx2_emodpr(range->secinfo, address));
	return ret == (SGX2_ENCLS_FAULT | X86_TRAP_PF) ? 0 : -EPERM;
}

/* Tests whether the enclave has accepted the type TRIM, by ERDINFO, which does not fault. */
static __always_inline int sgx2_remove_ask(struct sgx2_range *range, struct sgx2_chunk *chunk,
					   unsigned int index, struct sgx2_page *page)
{
	struct sgx2_rdinfo info;
	int ret;

	ret = sgx2_retry_busy(sgx2_erdinfo(&info, sgx2_epc_address(page->where)));
	if (ret == SGX2_PG_INVLD) {
		sgx2_enclave_mark_dead(range->enclave);
		return -EIO;
	}
	return ret || info.flags & SGX2_SECINFO_MODIFIED ? -EPERM : 0;
}

static unsigned int sgx2_remove_checks(struct sgx2_range *range, struct sgx2_chunk *chunk,
				       unsigned int first, unsigned int last)
{
	static const struct sgx2_change probe = { sgx2_remove_may, sgx2_remove_probe };
	static const struct sgx2_change ask = { sgx2_remove_may, sgx2_remove_ask };

	if (sgx2_hw.rdinfo)
		return sgx2_range_each(range, chunk, first, last, &ask);
	return sgx2_range_each(range, chunk, first, last, &probe);
}

static int sgx2_remove_range(struct sgx2_range *range, struct sgx2_chunk *chunk, unsigned int first,
			     unsigned int last)
{
	sgx2_epc_t epc[SGX2_EPC_BATCH_PAGES];
	unsigned int count;
	int ret;

	/* A page is no pin any more before EREMOVE, and a SECS that has a page is not evicted. */
	ret = sgx2_secs_pin(range->enclave);
	if (ret)
		return ret;
	sgx2_pte_zap(range->enclave, chunk->number * SGX2_CHUNK_PAGES + first, last - first);
	for (; first < last; first += count) {
		count = min(last - first, SGX2_EPC_BATCH_PAGES);
		sgx2_epc_remove_all(epc, sgx2_chunk_remove_pages(chunk, first, count, epc));
	}
	sgx2_chunk_update_max_prot(chunk);
	sgx2_secs_unpin(range->enclave);
	return 0;
}

static int sgx2_range_chunk(struct sgx2_range *range, struct sgx2_chunk *chunk)
	__must_hold(&chunk->lock)
{
	unsigned int first = range->next % SGX2_CHUNK_PAGES, index;
	unsigned long left = range->end - range->next;
	unsigned int last = min_t(unsigned long, SGX2_CHUNK_PAGES, first + left);
	int finished = 0;

	if (fatal_signal_pending(current))
		return -EINTR;
	index = range->change(range, chunk, first, last);
	if (index > first)
		finished = range->finish(range, chunk, first, index);
	if (finished)
		return finished;
	range->next += index - first;
	return range->stop;
}

/*
 * Makes room after no EPC page was free. A call waits. mprotect() holds mmap_lock for writing, and
 * other tasks wait for mmap_lock without reacting to signals; so mprotect() only runs the
 * reclaimer, a bounded number of times for each page.
 */
static int sgx2_range_room(struct sgx2_range *range)
{
	if (!range->lenient)
		return sgx2_reclaim_wait(1, true);
	if (range->tried != range->next)
		range->tries = 0;
	range->tried = range->next;
	return range->tries++ < SGX2_MPROTECT_TRIES ? sgx2_reclaim_try(1) : -EAGAIN;
}

/* Returns the next chunk of the range, or NULL. */
static struct sgx2_chunk *sgx2_range_find(struct sgx2_range *range)
{
	unsigned long number = range->next >> SGX2_CHUNK_ORDER;
	struct sgx2_chunk *chunk;

	if (!range->lenient)
		return sgx2_chunk_find(range->enclave, range->next);
	/* mprotect() skips addresses without a chunk. */
	chunk = xa_find(&range->enclave->chunks, &number, (range->end - 1) >> SGX2_CHUNK_ORDER,
			XA_PRESENT);
	if (!chunk)
		range->next = range->end;
	else if (number > range->next >> SGX2_CHUNK_ORDER)
		range->next = number << SGX2_CHUNK_ORDER;
	return chunk;
}

/* Processes one chunk; returns -EAGAIN if no EPC page is free for a page that is evicted. */
static int sgx2_range_step(struct sgx2_range *range)
{
	struct sgx2_chunk *chunk = sgx2_range_find(range);
	int ret;

	if (!chunk)
		return range->lenient ? 0 : -EFAULT;
	if (mutex_lock_killable(&chunk->lock))
		return -EINTR;
	ret = sgx2_range_chunk(range, chunk);
	mutex_unlock(&chunk->lock);
	return ret;
}

/*
 * Processes the range. No pin of the SECS is needed: leaves run on resident pages, each of which is
 * a pin, and ETRACK runs before the mutex of their chunk is dropped.
 */
static int sgx2_range_run(struct sgx2_range *range)
{
	int ret;

	/* mprotect() may find no chunk, and would test the enclave nowhere else. */
	if (sgx2_enclave_is(range->enclave, SGX2_DEAD))
		return -EIO;
	for (;;) {
		ret = sgx2_with_room(sgx2_range_step(range), sgx2_range_room(range));
		if (ret || range->next >= range->end)
			break;
		cond_resched();
	}
	/* A page may have been absent because the reclaimer has removed it from a dead enclave. */
	if (ret && ret != -EINTR && sgx2_enclave_is(range->enclave, SGX2_DEAD))
		ret = -EIO;
	return ret;
}

int sgx2_edmm_ready(const struct sgx2_enclave *enclave)
{
	if (!sgx2_hw.sgx2)
		return -ENODEV;
	return sgx2_enclave_is(enclave, SGX2_INITIALIZED) ? 0 : -EINVAL;
}

/* Processes the range of a call; @count is set to the bytes that are done. */
static int sgx2_range_call(struct sgx2_range *range, struct sgx2_call *call, u64 offset, u64 length,
			   u64 *count)
{
	unsigned long start = (call->enclave->base + offset) >> PAGE_SHIFT;
	int ret;

	range->enclave = call->enclave;
	range->next = start;
	range->end = start + (length >> PAGE_SHIFT);
	ret = sgx2_range_run(range);
	*count = (range->next - start) << PAGE_SHIFT;
	call->copy_back = true;
	return sgx2_ioc_result(ret, *count);
}

int sgx2_ioc_restrict_permissions(struct sgx2_call *call)
{
	struct sgx_enclave_restrict_permissions *param = call->param;
	struct sgx2_range range = {
		.change = sgx2_restrict_pages,
		.finish = sgx2_track_range,
	};
	int ret;

	if (!sgx2_enclave_range_valid(call->enclave, param->offset, param->length))
		return -EINVAL;
	if (param->permissions & ~SGX_SECINFO_PERMISSION_MASK)
		return -EINVAL;
	if ((param->permissions & (SGX_SECINFO_R | SGX_SECINFO_W)) == SGX_SECINFO_W)
		return -EINVAL;
	if (param->result || param->count)
		return -EINVAL;
	range.secinfo = &sgx2_secinfo_prot[param->permissions];
	ret = sgx2_range_call(&range, call, param->offset, param->length, &param->count);
	param->result = range.result;
	return ret;
}

int sgx2_ioc_modify_types(struct sgx2_call *call)
{
	struct sgx_enclave_modify_types *param = call->param;
	struct sgx2_range range = {
		.change = sgx2_trim_pages,
		.finish = sgx2_track_range,
		.secinfo = &sgx2_secinfo_trim,
	};
	int ret;

	if (!sgx2_enclave_range_valid(call->enclave, param->offset, param->length))
		return -EINVAL;
	if (param->page_type == SGX_PAGE_TYPE_TCS) {
		range.change = sgx2_tcs_pages;
		range.secinfo = &sgx2_secinfo_tcs;
	} else if (param->page_type != SGX_PAGE_TYPE_TRIM) {
		return -EINVAL;
	}
	if (param->result || param->count)
		return -EINVAL;
	ret = sgx2_range_call(&range, call, param->offset, param->length, &param->count);
	param->result = range.result;
	return ret;
}

int sgx2_ioc_remove_pages(struct sgx2_call *call)
{
	struct sgx_enclave_remove_pages *param = call->param;
	struct sgx2_range range = {
		.change = sgx2_remove_checks,
		.finish = sgx2_remove_range,
		.secinfo = &sgx2_secinfo_prot[SGX_SECINFO_PERMISSION_MASK],
	};

	if (!sgx2_enclave_range_valid(call->enclave, param->offset, param->length))
		return -EINVAL;
	if (param->count)
		return -EINVAL;
	return sgx2_range_call(&range, call, param->offset, param->length, &param->count);
}

int sgx2_ioc_reset_permissions(struct sgx2_call *call)
{
	struct sgx_enclave_reset_permissions *param = call->param;
	struct sgx2_range range = {
		.change = sgx2_restrict_pages,
		.finish = sgx2_track_range,
		.secinfo = sgx2_secinfo_prot,
	};
	int ret;

	if (!sgx2_enclave_range_valid(call->enclave, param->offset, param->length))
		return -EINVAL;
	if (param->flags & ~SGX_RESET_KEEP_READ || param->result || param->count)
		return -EINVAL;
	if (param->flags & SGX_RESET_KEEP_READ)
		range.secinfo += SGX_SECINFO_R;
	ret = sgx2_range_call(&range, call, param->offset, param->length, &param->count);
	param->result = range.result;
	return ret;
}

int sgx2_mprotect(struct sgx2_enclave *enclave, unsigned long start, unsigned long end,
		  unsigned long flags)
{
	struct sgx2_range range = {
		.enclave = enclave,
		.next = start >> PAGE_SHIFT,
		.end = end >> PAGE_SHIFT,
		.change = sgx2_restrict_pages,
		.finish = sgx2_track_range,
		.lenient = true,
	};
	unsigned int prot = 0;
	int ret;

	/* EACCEPT reads through the mapping, so with PROT_NONE the change could not be accepted. */
	if (!(flags & VM_ACCESS_FLAGS) || !sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return 0;
	switch (READ_ONCE(enclave->mprotect)) {
	case SGX_MPROTECT_RESET:
		break;
	case SGX_MPROTECT_RESET_KEEP_READ:
		prot = SGX_SECINFO_R;
		break;
	case SGX_MPROTECT_RESTRICT:
		/* EPCM.W requires EPCM.R. */
		prot |= flags & (VM_READ | VM_WRITE) ? SGX_SECINFO_R : 0;
		prot |= flags & VM_WRITE ? SGX_SECINFO_W : 0;
		prot |= flags & VM_EXEC ? SGX_SECINFO_X : 0;
		break;
	default:
		return 0;
	}
	range.secinfo = &sgx2_secinfo_prot[prot];
	ret = sgx2_range_run(&range);
	atomic64_add(range.next - (start >> PAGE_SHIFT), &enclave->count[SGX2_COUNT_MPROTECT]);
	return ret;
}
