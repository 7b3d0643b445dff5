// SPDX-License-Identifier: GPL-2.0
/*
 * The calls that make an enclave: CREATE, ADD_PAGES, INIT, PROVISION, as mainline answers them.
 *
 * A failed EADD leaves nothing behind. A failed EEXTEND cannot be taken back, since the measurement
 * went on; the page is removed, and EINIT of the enclave will be refused.
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <crypto/sha2.h>
#include <uapi/asm/sgx.h>
#include "backing.h"
#include "build.h"
#include "enclave.h"
#include "encls.h"
#include "hw.h"
#include "ioctl.h"
#include "main.h"
#include "paging.h"
#include "policy.h"
#include "trace.h"
#include "track.h"

/*
 * EINIT gives way to interrupts (128). Try again at once so often, then sleep, and so often in all:
 * mainline's figures.
 */
#define SGX2_EINIT_SPINS 20
#define SGX2_EINIT_SLEEPS 50
#define SGX2_EINIT_SLEEP_MS 20

#define SGX2_BLOCK 256

static int sgx2_build_lock(struct sgx2_enclave *enclave)
{
	return mutex_lock_interruptible(&enclave->build) ? -ERESTARTSYS : 0;
}

/* An EPC page, waited for; -EINTR for a signal. */
static int sgx2_build_page(sgx2_epc_t *epc)
{
	int ret;

	while (!sgx2_epc_alloc(epc, 1, SGX2_EPC_ORDINARY)) {
		ret = sgx2_epc_wait(1, true);
		if (ret)
			return ret;
	}
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
	sgx2_epc_t epc;
	int ret;

	/*
	 * The processor would say so too, but what is computed from the size must not overflow
	 * before.
	 */
	if (!is_power_of_2(secs->size))
		return -EINVAL;
	backing = sgx2_backing_file(secs->base, secs->size);
	if (IS_ERR(backing))
		return PTR_ERR(backing);
	ret = sgx2_call_result(sgx2_build_page(&epc), 0);
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
	enclave->frozen = !sgx2_policy_dynamic_code();
	enclave->secs = epc;
	/* Its own pin until EINIT: the measurement is going on in it. */
	atomic_set(&enclave->pins, 1);
	if (secs->attributes & SGX_ATTR_DEBUG)
		sgx2_enclave_set(enclave, SGX2_DEBUG);
	sgx2_enclave_set(enclave, SGX2_CREATED);
	return 0;
}

/* Counted as one that has pages, until it is freed. */
static int sgx2_create_counted(struct sgx2_enclave *enclave, struct sgx_secs *secs)
{
	int ret;

	ret = sgx2_call_result(sgx2_hw_use(), 0);
	if (ret)
		return ret;
	ret = sgx2_create_secs(enclave, secs);
	if (ret)
		sgx2_hw_unuse();
	return ret;
}

static long sgx2_create_locked(struct sgx2_enclave *enclave, void __user *arg)
	__must_hold(&enclave->build)
{
	struct sgx_enclave_create create;
	struct sgx_secs *secs;
	int ret;

	if (sgx2_enclave_is(enclave, SGX2_CREATED))
		return -EINVAL;
	if (copy_from_user(&create, arg, sizeof(create)))
		return -EFAULT;
	/* kmalloc() aligns a whole page, as the leaf wants it. */
	secs = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!secs)
		return -ENOMEM;
	if (copy_from_user(secs, (void __user *)create.src, PAGE_SIZE))
		ret = -EFAULT;
	else
		ret = sgx2_create_counted(enclave, secs);
	kfree(secs);
	return ret;
}

long sgx2_create(struct sgx2_enclave *enclave, void __user *arg)
{
	long ret;

	ret = sgx2_build_lock(enclave);
	if (ret)
		return ret;
	ret = sgx2_create_locked(enclave, arg);
	mutex_unlock(&enclave->build);
	return ret;
}

static bool sgx2_secinfo_valid(const struct sgx_secinfo *secinfo)
{
	u64 type = secinfo->flags & SGX_SECINFO_PAGE_TYPE_MASK;

	if (secinfo->flags & SGX_SECINFO_RESERVED_MASK)
		return false;
	if (memchr_inv(secinfo->reserved, 0, sizeof(secinfo->reserved)))
		return false;
	/*
	 * The processor would clear permissions of a TCS in silence, and measure what was not asked
	 * for.
	 */
	if (type == SGX_SECINFO_TCS)
		return !(secinfo->flags & SGX_SECINFO_PERMISSION_MASK);
	if (type != SGX_SECINFO_REG)
		return false;
	return (secinfo->flags & (SGX_SECINFO_R | SGX_SECINFO_W)) != SGX_SECINFO_W;
}

/* The source page, pinned; it must lie where the program might execute it. */
static int sgx2_source_pin(unsigned long src, struct page **page)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int ret = -EFAULT;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, src);
	if (vma && !(vma->vm_flags & VM_MAYEXEC))
		ret = -EACCES;
	else if (vma && pin_user_pages(src, 1, 0, page) == 1)
		ret = 0;
	mmap_read_unlock(mm);
	return ret;
}

static int sgx2_measure(struct sgx2_enclave *enclave, sgx2_epc_t epc)
{
	void *secs = sgx2_secs_address(enclave), *page = sgx2_epc_address(epc);
	unsigned int offset;
	int ret;

	for (offset = 0; offset < PAGE_SIZE; offset += SGX2_BLOCK) {
		ret = sgx2_retry(sgx2_eextend(secs, page + offset));
		if (ret) {
			trace_sgx2_encls(enclave, SGX2_LEAF_EEXTEND, 0, ret);
			return -EIO;
		}
	}
	return 0;
}

/**
 * struct sgx2_add - what is the same for all pages of a call
 */
struct sgx2_add {
	/** @enclave: that they are added to. */
	struct sgx2_enclave *enclave;
	/** @secinfo: type and permissions, as the program gave it. */
	struct sgx_secinfo secinfo;
	/** @measure: EEXTEND each. */
	bool measure;
};

/* The EPC page is the enclave's afterwards, or free again. */
static int sgx2_add_to(struct sgx2_add *add, struct sgx2_chunk *chunk, unsigned long address,
		       sgx2_epc_t epc, struct page *source) __must_hold(&chunk->lock)
{
	struct sgx_pageinfo info = {
		.addr = address,
		.metadata = (unsigned long)&add->secinfo,
		.secs = (unsigned long)sgx2_secs_address(add->enclave),
	};
	u8 type = (add->secinfo.flags & SGX_SECINFO_PAGE_TYPE_MASK) >> 8;
	int ret;

	info.contents = (unsigned long)kmap_local_page(source);
	ret = sgx2_retry(sgx2_eadd(&info, sgx2_epc_address(epc)));
	kunmap_local((void *)(unsigned long)info.contents);
	if (ret) {
		trace_sgx2_encls(add->enclave, SGX2_LEAF_EADD, address, ret);
		sgx2_epc_free(epc);
		return -EIO;
	}
	if (add->measure) {
		ret = sgx2_measure(add->enclave, epc);
		if (ret) {
			sgx2_epc_remove(epc);
			return ret;
		}
	}
	sgx2_chunk_add(chunk, (address >> PAGE_SHIFT) % SGX2_CHUNK_PAGES, epc, type,
		       sgx2_policy_added(add->secinfo.flags), 0);
	return 0;
}

/* The same, to a chunk that is made for it. */
static int sgx2_add_first(struct sgx2_add *add, unsigned long address, sgx2_epc_t epc,
			  struct page *source)
{
	struct sgx2_enclave *enclave = add->enclave;
	struct sgx2_chunk *chunk;
	int ret;

	guard(mutex)(&enclave->making);
	chunk = sgx2_chunk_make(enclave, address >> PAGE_SHIFT);
	if (IS_ERR(chunk)) {
		sgx2_epc_free(epc);
		return PTR_ERR(chunk);
	}
	scoped_guard(mutex, &chunk->lock) ret = sgx2_add_to(add, chunk, address, epc, source);
	sgx2_chunk_settle(chunk);
	return ret;
}

static int sgx2_add_page(struct sgx2_add *add, unsigned long src, unsigned long address)
{
	struct sgx2_chunk *chunk = sgx2_chunk_find(add->enclave, address >> PAGE_SHIFT);
	struct page *source;
	sgx2_epc_t epc;
	int ret;

	/*
	 * Before EINIT pages, and chunks, come by this call alone, which is one at a time, so the
	 * answers stay true.
	 */
	if (chunk &&
	    READ_ONCE(chunk->page[(address >> PAGE_SHIFT) % SGX2_CHUNK_PAGES].state) != SGX2_ABSENT)
		return -EBUSY;
	ret = sgx2_build_page(&epc);
	if (ret)
		return ret;
	ret = sgx2_source_pin(src, &source);
	if (ret) {
		sgx2_epc_free(epc);
		return ret;
	}
	if (chunk) {
		mutex_lock(&chunk->lock);
		ret = sgx2_add_to(add, chunk, address, epc, source);
		mutex_unlock(&chunk->lock);
	} else {
		ret = sgx2_add_first(add, address, epc, source);
	}
	unpin_user_page(source);
	return ret;
}

bool sgx2_range_valid(struct sgx2_enclave *enclave, u64 offset, u64 length)
{
	if (!IS_ALIGNED(offset, PAGE_SIZE) || !IS_ALIGNED(length, PAGE_SIZE) || !length)
		return false;
	return offset + length >= offset && offset + length - PAGE_SIZE < enclave->size;
}

static long sgx2_add_locked(struct sgx2_enclave *enclave, void __user *arg)
	__must_hold(&enclave->build)
{
	struct sgx2_add add = { .enclave = enclave };
	struct sgx_enclave_add_pages param;
	unsigned long done;
	int ret = 0;

	if (!sgx2_enclave_is(enclave, SGX2_CREATED) || sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return -EINVAL;
	if (copy_from_user(&param, arg, sizeof(param)))
		return -EFAULT;
	if (!IS_ALIGNED(param.src, PAGE_SIZE) ||
	    !sgx2_range_valid(enclave, param.offset, param.length))
		return -EINVAL;
	if (copy_from_user(&add.secinfo, (void __user *)param.secinfo, sizeof(add.secinfo)))
		return -EFAULT;
	if (!sgx2_secinfo_valid(&add.secinfo))
		return -EINVAL;
	if (!sgx2_policy_add(enclave, add.secinfo.flags))
		return -EACCES;
	add.measure = param.flags & SGX_PAGE_MEASURE;
	for (done = 0; done < param.length; done += PAGE_SIZE) {
		ret = -EINTR;
		if (signal_pending(current))
			break;
		cond_resched();
		ret = sgx2_add_page(&add, param.src + done, enclave->base + param.offset + done);
		if (ret)
			break;
	}
	ret = sgx2_call_result(ret, done);
	param.count = done;
	if (copy_to_user(arg, &param, sizeof(param)))
		return -EFAULT;
	return ret;
}

long sgx2_add_pages(struct sgx2_enclave *enclave, void __user *arg)
{
	long ret;

	ret = sgx2_build_lock(enclave);
	if (ret)
		return ret;
	ret = sgx2_add_locked(enclave, arg);
	mutex_unlock(&enclave->build);
	return ret;
}

/*
 * What SIGSTRUCT insists on must be there. What it leaves open may be missing, so that an enclave
 * signed with a feature that it can do without loads on a processor without it.
 */
static bool sgx2_sigstruct_possible(const struct sgx_sigstruct *sigstruct)
{
	const struct sgx_sigstruct_body *body = &sigstruct->body;

	return !(body->attributes & body->attributes_mask & ~sgx2_hw.attributes) &&
	       !(body->miscselect & body->misc_mask & ~sgx2_hw.misc) &&
	       !(body->xfrm & body->xfrm_mask & ~sgx2_hw.xfrm);
}

static int sgx2_einit_retry(struct sgx2_enclave *enclave, struct sgx_sigstruct *sigstruct,
			    void *token) __must_hold(&enclave->build)
{
	void *secs = sgx2_secs_address(enclave);
	unsigned int spins, sleeps;
	u64 signer[4];
	int ret = 0;

	sha256(sigstruct->modulus, sizeof(sigstruct->modulus), (u8 *)signer);
	for (sleeps = 0; sleeps < SGX2_EINIT_SLEEPS; sleeps++) {
		for (spins = 0; spins < SGX2_EINIT_SPINS; spins++) {
			/* #GP: the reclaimer has the SECS for an ETRACK. */
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
			      void *token) __must_hold(&enclave->build)
{
	int ret;

	/* Only these two mean something to the processor: not Intel's, Intel's. */
	if (sigstruct->header.vendor && sigstruct->header.vendor != 0x8086)
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

static long sgx2_initialize_locked(struct sgx2_enclave *enclave, void __user *arg)
	__must_hold(&enclave->build)
{
	struct sgx_sigstruct *sigstruct;
	struct sgx_enclave_init init;
	int ret;

	if (!sgx2_enclave_is(enclave, SGX2_CREATED) || sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return -EINVAL;
	if (copy_from_user(&init, arg, sizeof(init)))
		return -EFAULT;
	/*
	 * SIGSTRUCT in the first half of a page and a token of zeros in the second have the
	 * alignment that EINIT wants.
	 */
	BUILD_BUG_ON(sizeof(*sigstruct) > PAGE_SIZE / 2);
	sigstruct = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!sigstruct)
		return -ENOMEM;
	if (copy_from_user(sigstruct, (void __user *)init.sigstruct, sizeof(*sigstruct)))
		ret = -EFAULT;
	else
		ret = sgx2_einit_checked(enclave, sigstruct, (void *)sigstruct + PAGE_SIZE / 2);
	kfree(sigstruct);
	return ret;
}

long sgx2_initialize(struct sgx2_enclave *enclave, void __user *arg)
{
	long ret;

	ret = sgx2_build_lock(enclave);
	if (ret)
		return ret;
	ret = sgx2_initialize_locked(enclave, arg);
	mutex_unlock(&enclave->build);
	return ret;
}

long sgx2_provision(struct sgx2_enclave *enclave, void __user *arg)
{
	struct sgx_enclave_provision param;
	struct file *file;
	bool right;
	int ret;

	if (copy_from_user(&param, arg, sizeof(param)))
		return -EFAULT;
	file = fget(param.fd);
	if (!file)
		return -EINVAL;
	right = file->f_op == &sgx2_provision_fops;
	fput(file);
	if (!right)
		return -EINVAL;
	ret = sgx2_build_lock(enclave);
	if (ret)
		return ret;
	enclave->allowed |= SGX_ATTR_PROVISIONKEY;
	mutex_unlock(&enclave->build);
	return 0;
}
