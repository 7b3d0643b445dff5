// SPDX-License-Identifier: GPL-2.0
/*
 * The calls that build an enclave: CREATE, ADD_PAGES, INIT, PROVISION, with mainline's results.
 *
 * A failed EADD changes nothing. A failed EEXTEND cannot be undone, since the measurement has
 * advanced: the page is removed, and EINIT of the enclave will fail.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <crypto/sha2.h>
#include <uapi/asm/sgx.h>
#include "backing.h"
#include "build.h"
#include "call.h"
#include "chunk.h"
#include "enclave.h"
#include "encls.h"
#include "hw.h"
#include "policy.h"
#include "reclaim.h"
#include "secs.h"
#include "svn.h"
#include "trace.h"

/* Bytes that one EEXTEND measures (SDM Vol. 3D, EEXTEND). */
#define SGX2_EEXTEND_BYTES 256
/* SIGSTRUCT.VENDOR of an enclave by Intel; 0 for all others (SDM Vol. 3D, SIGSTRUCT). */
#define SGX2_VENDOR_INTEL 0x8086

const struct file_operations sgx2_provision_fops = {
	.owner = THIS_MODULE,
};

/* Allocates 1 to @count EPC pages; waits for the first one. Returns -EINTR for a signal. */
static int sgx2_build_pages(sgx2_epc_t *epc, unsigned int count, unsigned int *allocated)
{
	int ret;

	do {
		*allocated = sgx2_epc_alloc(epc, count, SGX2_EPC_ORDINARY);
		ret = *allocated ? 0 : sgx2_reclaim_wait(1, true);
	} while (!ret && !*allocated);
	return ret;
}

int sgx2_create_ready(const struct sgx2_enclave *enclave)
{
	return sgx2_enclave_is(enclave, SGX2_CREATED) ? -EINVAL : 0;
}

int sgx2_build_ready(const struct sgx2_enclave *enclave)
{
	if (!sgx2_enclave_is(enclave, SGX2_CREATED) || sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return -EINVAL;
	return 0;
}

static int sgx2_create_secs(struct sgx2_enclave *enclave, struct sgx_secs *secs)
{
	struct sgx_secinfo secinfo = {};
	struct sgx_pageinfo info = {
		.contents = (unsigned long)secs,
		.metadata = (unsigned long)&secinfo,
	};
	struct file *backing;
	unsigned int allocated;
	sgx2_epc_t epc;
	int ret;

	/* ECREATE checks this, too, but the size of the backing file is computed before. */
	if (!is_power_of_2(secs->size))
		return -EINVAL;
	backing = sgx2_backing_file(secs->size);
	if (IS_ERR(backing))
		return PTR_ERR(backing);
	ret = sgx2_ioc_result(sgx2_build_pages(&epc, 1, &allocated), 0);
	if (ret) {
		fput(backing);
		return ret;
	}
	ret = sgx2_retry(sgx2_ecreate(&info, sgx2_epc_address(epc)));
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_ECREATE, 0, ret);
		sgx2_epc_free(epc);
		fput(backing);
		return -EIO;
	}
	enclave->backing = backing;
	enclave->memcg = get_mem_cgroup_from_mm(current->mm);
	enclave->base = secs->base;
	enclave->size = secs->size;
	enclave->attributes = secs->attributes;
	enclave->no_dynamic_code = !sgx2_policy_dynamic_code();
	enclave->secs = epc;
	/* The SECS has a pin of its own until EINIT, since it holds the measurement. */
	atomic_set(&enclave->pins, 1);
	if (secs->attributes & SGX_ATTR_DEBUG)
		sgx2_enclave_set(enclave, SGX2_DEBUG);
	sgx2_enclave_set(enclave, SGX2_CREATED);
	return 0;
}

/* Counts the enclave as one with EPC pages until it is freed, and creates it. */
static int sgx2_create_counted(struct sgx2_enclave *enclave, struct sgx_secs *secs)
{
	int ret;

	ret = sgx2_ioc_result(sgx2_svn_get(), 0);
	if (ret)
		return ret;
	ret = sgx2_create_secs(enclave, secs);
	if (ret)
		sgx2_svn_put();
	return ret;
}

int sgx2_ioc_create(struct sgx2_call *call)
{
	const struct sgx_enclave_create *param = call->param;
	struct sgx_secs *secs;
	int ret;

	/* kmalloc() aligns a page-sized buffer to a page, as ECREATE requires. */
	secs = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!secs)
		return -ENOMEM;
	if (copy_from_user(secs, (void __user *)param->src, PAGE_SIZE))
		ret = -EFAULT;
	else
		ret = sgx2_create_counted(call->enclave, secs);
	kfree(secs);
	return ret;
}

static bool sgx2_secinfo_valid(const struct sgx_secinfo *secinfo)
{
	u64 type = secinfo->flags & SGX_SECINFO_PAGE_TYPE_MASK;

	if (secinfo->flags & SGX_SECINFO_RESERVED_MASK)
		return false;
	if (memchr_inv(secinfo->reserved, 0, sizeof(secinfo->reserved)))
		return false;
	/* EADD clears the permissions of a TCS, so MRENCLAVE would not match the request. */
	if (type == SGX_SECINFO_TCS)
		return !(secinfo->flags & SGX_SECINFO_PERMISSION_MASK);
	if (type != SGX_SECINFO_REG)
		return false;
	return (secinfo->flags & (SGX_SECINFO_R | SGX_SECINFO_W)) != SGX_SECINFO_W;
}

/*
 * Gets up to @count source pages, which must lie in one mapping that may become executable. Returns
 * the number of pages in @page, or an error if the first page cannot be had.
 */
static long sgx2_sources_get(unsigned long src, unsigned int count, struct page **page)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	long got = -EFAULT;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, src);
	if (vma && !(vma->vm_flags & VM_MAYEXEC)) {
		got = -EACCES;
	} else if (vma) {
		count = min_t(unsigned long, count, (vma->vm_end - src) >> PAGE_SHIFT);
		got = get_user_pages_fast_only(src, count, 0, page);
		/* Faults in pages that are not present. */
		if (got <= 0)
			got = get_user_pages(src, count, 0, page);
	}
	mmap_read_unlock(mm);
	return got > 0 ? got : got == -EACCES ? got : -EFAULT;
}

static void sgx2_sources_put(struct page **page, unsigned int count)
{
	while (count)
		put_page(page[--count]);
}

static int sgx2_measure(struct sgx2_enclave *enclave, sgx2_epc_t epc)
{
	void *secs = sgx2_secs_address(enclave), *page = sgx2_epc_address(epc);
	unsigned int offset;
	int ret;

	for (offset = 0; offset < PAGE_SIZE; offset += SGX2_EEXTEND_BYTES) {
		ret = sgx2_retry(sgx2_eextend(secs, page + offset));
		if (ret) {
			trace_sgx2_encls(enclave, SGX2_LEAF_EEXTEND, 0, ret);
			return -EIO;
		}
	}
	return 0;
}

/**
 * struct sgx2_add - an ADD_PAGES call: the parameters of all pages, and the pages of one batch
 *
 * Belongs to the task that makes the call.
 */
struct sgx2_add {
	/** @enclave: the enclave. */
	struct sgx2_enclave *enclave;
	/** @secinfo: type and permissions of the pages. */
	struct sgx_secinfo secinfo;
	/** @type: the page type of @secinfo. */
	u8 type;
	/** @max_prot: sgx2_page::max_prot of the pages. */
	u8 max_prot;
	/** @measure: the pages are measured by EEXTEND. */
	bool measure;
	/** @count: number of pages of the batch. */
	unsigned int count;
	/** @done: number of pages of the batch that were added. */
	unsigned int done;
	/** @used: number of EPC pages that belong to the enclave, or are freed after an error. */
	unsigned int used;
	/** @epc: EPC pages of the batch. */
	sgx2_epc_t *epc;
	/** @source: source pages of the batch, with a reference to each. */
	struct page **source;
};

/* Adds the next page of the batch to a chunk. */
static int sgx2_add_page(struct sgx2_add *add, struct sgx2_chunk *chunk, unsigned long address)
	__must_hold(&chunk->lock)
{
	sgx2_epc_t epc = add->epc[add->done];
	struct sgx_pageinfo info = {
		.addr = address,
		.metadata = (unsigned long)&add->secinfo,
		.secs = (unsigned long)sgx2_secs_address(add->enclave),
	};
	int ret;

	info.contents = (unsigned long)kmap_local_page(add->source[add->done]);
	ret = sgx2_retry(sgx2_eadd(&info, sgx2_epc_address(epc)));
	kunmap_local((void *)(unsigned long)info.contents);
	if (ret) {
		trace_sgx2_encls(add->enclave, SGX2_LEAF_EADD, address, ret);
		return -EIO;
	}
	if (add->measure) {
		ret = sgx2_measure(add->enclave, epc);
		if (ret) {
			sgx2_epc_remove(epc);
			add->used++;
			return ret;
		}
	}
	sgx2_chunk_add_page(chunk, (address >> PAGE_SHIFT) % SGX2_CHUNK_PAGES, epc, add->type,
			    add->max_prot, 0);
	add->used++;
	add->done++;
	return 0;
}

/* Adds the pages of the batch to a chunk, until one fails. */
static int sgx2_add_to(struct sgx2_add *add, struct sgx2_chunk *chunk, unsigned long address)
{
	int ret = 0;

	guard(mutex)(&chunk->lock);
	while (!ret && add->done < add->count)
		ret = sgx2_add_page(add, chunk, address + add->done * PAGE_SIZE);
	return ret;
}

/* Creates a chunk, and adds the pages of the batch to it. */
static int sgx2_add_first(struct sgx2_add *add, unsigned long address)
{
	struct sgx2_enclave *enclave = add->enclave;
	struct sgx2_chunk *chunk;
	int ret;

	guard(mutex)(&enclave->chunk_create_lock);
	chunk = sgx2_chunk_create(enclave, address >> PAGE_SHIFT);
	if (IS_ERR(chunk))
		return PTR_ERR(chunk);
	ret = sgx2_add_to(add, chunk, address);
	sgx2_chunk_create_done(chunk);
	return ret;
}

/* Returns how many of @count pages from @address on are absent, and lie in one chunk. */
static unsigned int sgx2_add_absent(struct sgx2_chunk *chunk, unsigned long address,
				    unsigned int count)
{
	unsigned int first = (address >> PAGE_SHIFT) % SGX2_CHUNK_PAGES, i;

	count = min(count, SGX2_CHUNK_PAGES - first);
	/* Before EINIT only this call adds pages and chunks, and it is serialized by build_lock. */
	for (i = 0; chunk && i < count; i++) {
		if (READ_ONCE(chunk->page[first + i].state) != SGX2_ABSENT)
			return i;
	}
	return count;
}

/*
 * Adds up to @count pages, as many as one chunk, the free EPC pages and one mapping of the source
 * allow. The checks of the first page are made in the order of mainline. A later page that would
 * fail one of them ends the batch, and is the first one of the next batch.
 */
static noinline_for_stack int sgx2_add_batch(struct sgx2_add *add, unsigned long src,
					     unsigned long address, unsigned int count)
{
	struct sgx2_chunk *chunk = sgx2_chunk_find(add->enclave, address >> PAGE_SHIFT);
	struct page *source[SGX2_EPC_BATCH_PAGES];
	sgx2_epc_t epc[SGX2_EPC_BATCH_PAGES];
	unsigned int allocated;
	long got;
	int ret;

	add->done = 0;
	add->used = 0;
	count = sgx2_add_absent(chunk, address, min(count, SGX2_EPC_BATCH_PAGES));
	if (!count)
		return -EBUSY;
	ret = sgx2_build_pages(epc, count, &allocated);
	if (ret)
		return ret;
	got = sgx2_sources_get(src, allocated, source);
	if (got < 0) {
		ret = got;
	} else {
		add->epc = epc;
		add->source = source;
		add->count = got;
		ret = chunk ? sgx2_add_to(add, chunk, address) : sgx2_add_first(add, address);
		sgx2_sources_put(source, got);
	}
	sgx2_epc_free_all(epc + add->used, allocated - add->used);
	return ret;
}

int sgx2_ioc_add_pages(struct sgx2_call *call)
{
	struct sgx2_enclave *enclave = call->enclave;
	struct sgx_enclave_add_pages *param = call->param;
	struct sgx2_add add;
	unsigned long done;
	int ret = 0;

	if (!IS_ALIGNED(param->src, PAGE_SIZE) ||
	    !sgx2_enclave_range_valid(enclave, param->offset, param->length))
		return -EINVAL;
	if (copy_from_user(&add.secinfo, (void __user *)param->secinfo, sizeof(add.secinfo)))
		return -EFAULT;
	if (!sgx2_secinfo_valid(&add.secinfo))
		return -EINVAL;
	if (!sgx2_policy_may_add(enclave, add.secinfo.flags))
		return -EACCES;
	add.enclave = enclave;
	add.type = (add.secinfo.flags & SGX_SECINFO_PAGE_TYPE_MASK) >> SGX2_SECINFO_TYPE_SHIFT;
	add.max_prot = sgx2_policy_added_prot(add.secinfo.flags);
	add.measure = param->flags & SGX_PAGE_MEASURE;
	for (done = 0; !ret && done < param->length; done += add.done * PAGE_SIZE) {
		add.done = 0;
		if (signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
		ret = sgx2_add_batch(&add, param->src + done, enclave->base + param->offset + done,
				     min_t(u64, (param->length - done) >> PAGE_SHIFT, U32_MAX));
	}
	param->count = done;
	call->copy_back = true;
	return sgx2_ioc_result(ret, done);
}

/*
 * Returns whether the CPU has the features that SIGSTRUCT demands by its masks. A feature that the
 * masks leave open may be missing, so that an enclave that can do without it loads.
 */
static bool sgx2_sigstruct_possible(const struct sgx_sigstruct *sigstruct)
{
	const struct sgx_sigstruct_body *body = &sigstruct->body;

	return !(body->attributes & body->attributes_mask & ~sgx2_hw.attributes) &&
	       !(body->miscselect & body->misc_mask & ~sgx2_hw.misc) &&
	       !(body->xfrm & body->xfrm_mask & ~sgx2_hw.xfrm);
}

static int sgx2_einit_retry(struct sgx2_enclave *enclave, struct sgx_sigstruct *sigstruct,
			    void *token) __must_hold(&enclave->build_lock)
{
	void *secs = sgx2_secs_address(enclave);
	unsigned int spins, sleeps;
	u64 signer[4];
	int ret = 0;

	sha256(sigstruct->modulus, sizeof(sigstruct->modulus), (u8 *)signer);
	for (sleeps = 0; sleeps < SGX2_EINIT_SLEEPS; sleeps++) {
		for (spins = 0; spins < SGX2_EINIT_SPINS; spins++) {
			/* EINIT faults with #GP while the reclaimer runs ETRACK. */
			ret = sgx2_retry(sgx2_hw_einit(sigstruct, secs, token, signer));
			if (ret != SGX2_UNMASKED_EVENT)
				return ret;
		}
		msleep_interruptible(SGX2_EINIT_SLEEP_MS);
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
	return ret;
}

static int sgx2_einit_checked(struct sgx2_enclave *enclave, struct sgx_sigstruct *sigstruct,
			      void *token) __must_hold(&enclave->build_lock)
{
	int ret;

	if (sigstruct->header.vendor && sigstruct->header.vendor != SGX2_VENDOR_INTEL)
		return -EINVAL;
	if (enclave->attributes & ~enclave->allowed)
		return -EACCES;
	if (!sgx2_sigstruct_possible(sigstruct))
		return -EINVAL;
	ret = sgx2_einit_retry(enclave, sigstruct, token);
	if (ret < 0)
		return ret;
	if (ret) {
		trace_sgx2_encls(enclave, SGX2_LEAF_EINIT, 0, ret);
		return sgx2_encls_faulted(ret) ? -EIO : -EPERM;
	}
	sgx2_enclave_set(enclave, SGX2_INITIALIZED);
	sgx2_secs_unpin(enclave);
	return 0;
}

int sgx2_ioc_init(struct sgx2_call *call)
{
	const struct sgx_enclave_init *param = call->param;
	struct sgx_sigstruct *sigstruct;
	int ret;

	/*
	 * EINIT wants SIGSTRUCT aligned to a page and the token to 512 bytes: SIGSTRUCT is put into
	 * the first half of a page, and the second half is a token of zeros.
	 */
	BUILD_BUG_ON(sizeof(*sigstruct) > PAGE_SIZE / 2);
	sigstruct = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!sigstruct)
		return -ENOMEM;
	if (copy_from_user(sigstruct, (void __user *)param->sigstruct, sizeof(*sigstruct)))
		ret = -EFAULT;
	else
		ret = sgx2_einit_checked(call->enclave, sigstruct,
					 (void *)sigstruct + PAGE_SIZE / 2);
	kfree(sigstruct);
	return ret;
}

int sgx2_ioc_provision(struct sgx2_call *call)
{
	const struct sgx_enclave_provision *param = call->param;
	struct file *file = fget(param->fd);
	bool right;

	if (!file)
		return -EINVAL;
	right = file->f_op == &sgx2_provision_fops;
	fput(file);
	if (!right)
		return -EINVAL;
	lockdep_assert_held(&call->enclave->build_lock);
	call->enclave->allowed |= SGX_ATTR_PROVISIONKEY;
	return 0;
}
