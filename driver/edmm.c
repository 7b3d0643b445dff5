// SPDX-License-Identifier: GPL-2.0
/*
 * Change of pages of a running enclave, by range: permissions, types, removal.
 *
 * A range is worked on chunk by chunk. Under the chunk's mutex each page is loaded and changed;
 * then one ETRACK begins a cycle for all of them, a second one asks whether anybody who was inside
 * is left, and only then are CPUs interrupted. Pages are counted after that, so what is counted can
 * be accepted. What stops a range, a page that cannot be changed, no free EPC page, a signal, stops
 * it between two pages, and those before it are completed.
 *
 * A thread that touches a page meanwhile takes no harm: its PTE stays, and the processor faults
 * with the SGX bit where the EPCM forbids. Only removal takes PTEs away, in one zap for each run of
 * pages, before EREMOVE and under the same mutex, so no fault can bring a PTE back in between.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <uapi/asm/sgx.h>
#include <linux/sgx2.h>
#include "build.h"
#include "configure.h"
#include "edmm.h"
#include "enclave.h"
#include "encls.h"
#include "hw.h"
#include "ioctl.h"
#include "paging.h"
#include "trace.h"
#include "track.h"

/**
 * struct sgx2_range - a call on a range, and how far it has come
 *
 * Belongs to the task that makes the call.
 */
struct sgx2_range {
	/** @enclave: whose pages. */
	struct sgx2_enclave *enclave;
	/** @next: page number of the first that is not done. */
	unsigned long next;
	/** @end: page number after the last. */
	unsigned long end;
	/**
	 * @change: does it to pages [first, last) of the chunk, under its mutex, the SECS pinned;
	 * the page at which it stops with @stop set, or last.
	 */
	unsigned int (*change)(struct sgx2_range *range, struct sgx2_chunk *chunk,
			       unsigned int first, unsigned int last);
	/** @finish: completes pages [first, last) of the chunk. */
	int (*finish)(struct sgx2_range *range, struct sgx2_chunk *chunk, unsigned int first,
		      unsigned int last);
	/** @secinfo: operand of EMODPR or EMODT. */
	struct sgx_secinfo secinfo;
	/** @info: operand of ERDINFO. */
	struct sgx2_rdinfo info;
	/** @result: the processor's code, if it refused. */
	u64 result;
	/** @stop: the error that ends the range. */
	int stop;
	/** @changed: pages of the present chunk that want tracking. */
	unsigned int changed;
	/** @lenient: pass over what cannot be changed, and wait for nothing, as mprotect() does. */
	bool lenient;
	/** @tried: if so, page number for which room was made last. */
	unsigned long tried;
	/** @tries: how often for that page. */
	unsigned int tries;
};

/**
 * struct sgx2_change - what a call does to one page, in two steps
 */
struct sgx2_change {
	/** @may: whether the page is of a kind for it: 0, 1 to pass over it, or an error. */
	int (*may)(const struct sgx2_range *range, const struct sgx2_page *page);
	/** @one: does it, to a page that is resident. */
	int (*one)(struct sgx2_range *range, struct sgx2_chunk *chunk, unsigned int index,
		   struct sgx2_page *page);
};

/* A page that is absent, or has to come back from its file; 1 to pass over it. */
static noinline int sgx2_range_away(struct sgx2_range *range, struct sgx2_chunk *chunk,
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
 * The loop over pages, which is where the time goes: both steps of @change are inlined into it. A
 * leaf on a page that is resident takes a microsecond, so whether to yield, to end, or to give the
 * enclave up is asked for each chunk, and here only where a page comes back from its file.
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
			ret = sgx2_range_away(range, chunk, first, change);
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

/* An enclave's thread may be at the page with EACCEPT or EMODPE: it is done in a moment. */
#define sgx2_retry_busy(leaf)                                                     \
	({                                                                        \
		int __tries = SGX2_RETRIES, __answer;                             \
		while (unlikely((__answer = sgx2_retry(leaf)) != 0) &&            \
		       __answer == SGX2_PAGE_CONFLICT && --__tries)               \
			cpu_relax();                                              \
		__answer;                                                         \
	})

static int sgx2_range_refused(struct sgx2_range *range, struct sgx2_chunk *chunk,
			      unsigned int index, enum sgx2_leaf leaf, int answer)
{
	trace_sgx2_encls(range->enclave, leaf, sgx2_chunk_address(chunk, index), answer);
	if (!sgx2_encls_faulted(answer)) {
		range->result = answer;
		return -EFAULT;
	}
	/*
	 * A page that we know to be valid, and of a type that can be changed, and the processor
	 * does not.
	 */
	if (sgx2_encls_vector(answer) == X86_TRAP_PF) {
		sgx2_enclave_lost(range->enclave);
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

	ret = sgx2_retry_busy(sgx2_emodpr(&range->secinfo, sgx2_epc_address(page->where)));
	if (likely(!ret)) {
		range->changed++;
		return 0;
	}
	if (!range->lenient)
		return sgx2_range_refused(range, chunk, index, SGX2_LEAF_EMODPR, ret);
	/* It waits for EACCEPT. */
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

	ret = sgx2_retry_busy(sgx2_emodt(&range->secinfo, sgx2_epc_address(page->where)));
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
	/*
	 * A TCS that could not be mapped for the processor to read and write could not be entered.
	 */
	return ~page->max & (VM_READ | VM_WRITE) ? -EPERM : 0;
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
	guard(mutex)(&range->enclave->track);
	ret = sgx2_track_start(range->enclave);
	return ret ? ret : sgx2_track_finish(range->enclave);
}

static __always_inline int sgx2_remove_may(const struct sgx2_range *range,
					   const struct sgx2_page *page)
{
	return likely(page->type == SGX_PAGE_TYPE_TRIM) ? 0 : -EPERM;
}

/*
 * Whether the enclave has accepted that the page goes. EREMOVE does not tell: it takes a page that
 * was not accepted as well, if no thread happens to be inside. EMODPR does, and changes neither: it
 * answers 20 while MODIFIED is set, and faults because of the type once it is not. The fault takes
 * more time than all the rest of a removal.
 */
static __always_inline int sgx2_remove_probe(struct sgx2_range *range, struct sgx2_chunk *chunk,
					     unsigned int index, struct sgx2_page *page)
{
	void *address = sgx2_epc_address(page->where);
	int ret;

	/* By itself, since what is asked first elsewhere is no answer here. */
	ret = sgx2_emodpr(&range->secinfo, address);
	if (likely(ret == (SGX2_ENCLS_FAULT | X86_TRAP_PF)))
		return 0;
	ret = sgx2_retry_busy(sgx2_emodpr(&range->secinfo, address));
	return ret == (SGX2_ENCLS_FAULT | X86_TRAP_PF) ? 0 : -EPERM;
}

/* The same, of ERDINFO, which does not fault. */
static __always_inline int sgx2_remove_ask(struct sgx2_range *range, struct sgx2_chunk *chunk,
					   unsigned int index, struct sgx2_page *page)
{
	int ret;

	ret = sgx2_retry_busy(sgx2_erdinfo(&range->info, sgx2_epc_address(page->where)));
	if (ret == SGX2_PG_INVLD) {
		sgx2_enclave_lost(range->enclave);
		return -EIO;
	}
	return ret || range->info.flags & SGX2_SECINFO_MODIFIED ? -EPERM : 0;
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
	sgx2_epc_t epc[SGX2_EPC_BATCH];
	unsigned int count;

	sgx2_enclave_zap(range->enclave, chunk->number * SGX2_CHUNK_PAGES + first, last - first);
	for (; first < last; first += count) {
		count = min(last - first, SGX2_EPC_BATCH);
		sgx2_epc_remove_all(epc, sgx2_chunk_forget(chunk, first, count, epc));
	}
	sgx2_chunk_widen(chunk);
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

/* How often mprotect() makes room for one page that others take each time. */
#define SGX2_RANGE_TRIES 16

/*
 * No EPC page is free: a call waits. mprotect() does not, since it has mmap_lock for writing, for
 * which other tasks wait deaf to signals: it makes room itself, or gives up.
 */
static int sgx2_range_room(struct sgx2_range *range)
{
	if (!range->lenient)
		return sgx2_epc_wait(1, true);
	if (range->tried != range->next)
		range->tries = 0;
	range->tried = range->next;
	return range->tries++ < SGX2_RANGE_TRIES ? sgx2_epc_try(1) : -EAGAIN;
}

/*
 * The SECS stays in the EPC for the length of the call, so that ETRACK finds it whatever is
 * evicted.
 */
static int sgx2_range_pin(struct sgx2_range *range)
{
	int ret;

	while ((ret = sgx2_secs_pin(range->enclave)) == -EAGAIN) {
		ret = sgx2_range_room(range);
		if (ret)
			break;
	}
	return ret;
}

static struct sgx2_chunk *sgx2_range_find(struct sgx2_range *range)
{
	unsigned long number = range->next >> SGX2_CHUNK_ORDER;
	struct sgx2_chunk *chunk;

	if (!range->lenient)
		return xa_load(&range->enclave->chunks, number);
	/* Where no chunk is there is nothing to change. */
	chunk = xa_find(&range->enclave->chunks, &number, (range->end - 1) >> SGX2_CHUNK_ORDER,
			XA_PRESENT);
	if (!chunk)
		range->next = range->end;
	else if (number > range->next >> SGX2_CHUNK_ORDER)
		range->next = number << SGX2_CHUNK_ORDER;
	return chunk;
}

static int sgx2_range_run(struct sgx2_range *range)
{
	struct sgx2_chunk *chunk;
	int ret;

	ret = sgx2_range_pin(range);
	if (ret)
		return ret;
	while (range->next < range->end) {
		chunk = sgx2_range_find(range);
		ret = range->lenient ? 0 : -EFAULT;
		if (!chunk)
			break;
		ret = mutex_lock_killable(&chunk->lock);
		if (ret)
			break;
		ret = sgx2_range_chunk(range, chunk);
		mutex_unlock(&chunk->lock);
		if (ret == -EAGAIN)
			ret = sgx2_range_room(range);
		if (ret)
			break;
		cond_resched();
	}
	/* Its pages may have been dropped since it died, and this one not found for that. */
	if (ret && ret != -EINTR && sgx2_enclave_is(range->enclave, SGX2_DEAD))
		ret = -EIO;
	sgx2_secs_unpin(range->enclave);
	return ret;
}

/* What the three calls of mainline ask first, in its order. */
static int sgx2_edmm_ready(struct sgx2_enclave *enclave)
{
	if (!sgx2_hw.sgx2)
		return -ENODEV;
	return sgx2_enclave_is(enclave, SGX2_INITIALIZED) ? 0 : -EINVAL;
}

static void sgx2_range_init(struct sgx2_range *range, struct sgx2_enclave *enclave, u64 offset,
			    u64 length)
{
	range->enclave = enclave;
	range->next = (enclave->base + offset) >> PAGE_SHIFT;
	range->end = range->next + (length >> PAGE_SHIFT);
}

/* Runs it; @count gets the bytes that are done, after a signal too. */
static int sgx2_range_call(struct sgx2_range *range, u64 *count)
{
	unsigned long start = range->next;
	int ret;

	ret = sgx2_range_run(range);
	*count = (range->next - start) << PAGE_SHIFT;
	return sgx2_call_result(ret, *count);
}

long sgx2_restrict(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx_enclave_restrict_permissions param;
	struct sgx2_range range = {
		.change = sgx2_restrict_pages,
		.finish = sgx2_track_range,
	};
	int ret;

	ret = sgx2_edmm_ready(enclave);
	if (ret)
		return ret;
	if (copy_from_user(&param, arg, sizeof(param)))
		return -EFAULT;
	if (!sgx2_range_valid(enclave, param.offset, param.length))
		return -EINVAL;
	if (param.permissions & ~SGX_SECINFO_PERMISSION_MASK)
		return -EINVAL;
	if ((param.permissions & (SGX_SECINFO_R | SGX_SECINFO_W)) == SGX_SECINFO_W)
		return -EINVAL;
	if (param.result || param.count)
		return -EINVAL;
	sgx2_range_init(&range, enclave, param.offset, param.length);
	range.secinfo.flags = param.permissions;
	ret = sgx2_range_call(&range, &param.count);
	param.result = range.result;
	return copy_to_user(arg, &param, sizeof(param)) ? -EFAULT : ret;
}

long sgx2_modify(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx_enclave_modify_types param;
	struct sgx2_range range = {
		.finish = sgx2_track_range,
	};
	int ret;

	ret = sgx2_edmm_ready(enclave);
	if (ret)
		return ret;
	if (copy_from_user(&param, arg, sizeof(param)))
		return -EFAULT;
	if (!sgx2_range_valid(enclave, param.offset, param.length))
		return -EINVAL;
	if (param.page_type != SGX_PAGE_TYPE_TCS && param.page_type != SGX_PAGE_TYPE_TRIM)
		return -EINVAL;
	if (param.result || param.count)
		return -EINVAL;
	sgx2_range_init(&range, enclave, param.offset, param.length);
	range.change = param.page_type == SGX_PAGE_TYPE_TRIM ? sgx2_trim_pages : sgx2_tcs_pages;
	range.secinfo.flags = param.page_type << 8;
	ret = sgx2_range_call(&range, &param.count);
	param.result = range.result;
	return copy_to_user(arg, &param, sizeof(param)) ? -EFAULT : ret;
}

long sgx2_remove(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx_enclave_remove_pages param;
	struct sgx2_range range = {
		.change = sgx2_remove_checks,
		.finish = sgx2_remove_range,
		.secinfo.flags = SGX_SECINFO_R | SGX_SECINFO_W | SGX_SECINFO_X,
	};
	int ret;

	ret = sgx2_edmm_ready(enclave);
	if (ret)
		return ret;
	if (copy_from_user(&param, arg, sizeof(param)))
		return -EFAULT;
	if (!sgx2_range_valid(enclave, param.offset, param.length))
		return -EINVAL;
	if (param.count)
		return -EINVAL;
	sgx2_range_init(&range, enclave, param.offset, param.length);
	ret = sgx2_range_call(&range, &param.count);
	return copy_to_user(arg, &param, sizeof(param)) ? -EFAULT : ret;
}

long sgx2_reset(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx_enclave_reset_permissions param;
	struct sgx2_range range = {
		.change = sgx2_restrict_pages,
		.finish = sgx2_track_range,
	};
	int ret;

	ret = sgx2_edmm_ready(enclave);
	if (ret)
		return ret;
	ret = sgx2_copy_in(&param, sizeof(param), arg);
	if (ret)
		return ret;
	if (!sgx2_range_valid(enclave, param.offset, param.length))
		return -EINVAL;
	if (param.flags & ~SGX_RESET_KEEP_READ || param.result || param.count)
		return -EINVAL;
	sgx2_range_init(&range, enclave, param.offset, param.length);
	range.secinfo.flags = param.flags & SGX_RESET_KEEP_READ ? SGX_SECINFO_R : 0;
	ret = sgx2_range_call(&range, &param.count);
	param.result = range.result;
	return sgx2_copy_out(arg, &param, sizeof(param)) ? -EFAULT : ret;
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
	u64 *secinfo = &range.secinfo.flags;
	int ret;

	/* EACCEPT reads through the mapping, so what follows PROT_NONE could not be accepted. */
	if (!(flags & VM_ACCESS_FLAGS) || !sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return 0;
	switch (READ_ONCE(enclave->mprotect)) {
	case SGX_MPROTECT_RESET:
		break;
	case SGX_MPROTECT_RESET_KEEP_READ:
		*secinfo = SGX_SECINFO_R;
		break;
	case SGX_MPROTECT_RESTRICT:
		/* The processor knows no writing without reading. */
		*secinfo |= flags & (VM_READ | VM_WRITE) ? SGX_SECINFO_R : 0;
		*secinfo |= flags & VM_WRITE ? SGX_SECINFO_W : 0;
		*secinfo |= flags & VM_EXEC ? SGX_SECINFO_X : 0;
		break;
	default:
		return 0;
	}
	ret = sgx2_range_run(&range);
	atomic64_add(range.next - (start >> PAGE_SHIFT), &enclave->count[SGX2_COUNT_MPROTECT]);
	return ret;
}
