// SPDX-License-Identifier: GPL-2.0
/*
 * An enclave from open() to its last reference, and its pages between absent, resident and evicted.
 *
 * States of a page. A page is ABSENT, RESIDENT in the EPC, or EVICTED to the backing file. Who
 * holds the mutex of its chunk owns the page and may move it:
 *
 *   ABSENT -> RESIDENT    EADD while it is built, EAUG once it runs      sgx2_chunk_add()
 *   RESIDENT -> EVICTED   EBLOCK, ETRACK, EWB by the reclaimer           sgx2_chunk_moved()
 *   EVICTED -> RESIDENT   ELDU by a fault, a call, or a debugger         sgx2_chunk_moved()
 *   RESIDENT -> ABSENT    EREMOVE of an accepted TRIM page               sgx2_chunk_forget()
 *
 * and when the last reference is gone every page is EREMOVEd, whatever state it is in.
 *
 * PTEs. A PTE of an enclave page exists only while the page is RESIDENT, and is installed under the
 * chunk's mutex. So whoever holds that mutex and has zapped the page knows that no PTE of it exists
 * and that none will come. The other order, a zap without the mutex, would let a fault in between
 * install a PTE to a page that is about to become somebody else's. Zapping finds the PTEs through
 * the address space of the enclave's own inode, where each VMA is entered with its linear address
 * as offset; that holds after fork, split, and munmap of a part.
 *
 * Waiting. The mutex of a chunk is held over EWB and its reads and writes of the backing file, but
 * never while waiting for a free EPC page, for mmap_lock, or for user memory: a function that finds
 * no free page answers -EAGAIN, and its caller drops the mutex and calls sgx2_epc_wait(). A fault
 * that finds the mutex taken leaves mmap_lock or the VMA lock before it waits.
 *
 * Chunks. A chunk comes with its first page, so that what is refused costs no memory. Its maker
 * holds the making mutex until the page is added, and nobody else can make one meanwhile, so no
 * address is given to EAUG twice. Without it a chunk is either found, for good, or has no page.
 *
 * The SECS. Every leaf that adds or reloads a page needs it in the EPC. It is held there by pins,
 * one for each resident page, one until EINIT, and one for each call in flight. At 0 pins the
 * reclaimer may evict it. See track.c.
 *
 * The end. The file has a reference, and each VMA has the file. So when the last reference goes no
 * VMA is left, no thread can be inside, and EREMOVE of every page succeeds. Teardown allocates
 * nothing and cannot fail.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sgx2.h>
#include "augment.h"
#include "backing.h"
#include "enclave.h"
#include "encls.h"
#include "hw.h"
#include "ioctl.h"
#include "lru.h"
#include "mapping.h"
#include "stats.h"
#include "trace.h"
#include "va.h"

/*
 * Each enclave has an inode of its own, on a filesystem that nobody sees, for the address space in
 * it.
 */
static struct vfsmount *sgx2_mount;
static int sgx2_mount_count;

static int sgx2_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, 0x53475832) ? 0 : -ENOMEM;
}

static struct file_system_type sgx2_fs = {
	.name = "sgx2",
	.owner = THIS_MODULE,
	.init_fs_context = sgx2_init_fs_context,
	.kill_sb = kill_anon_super,
};

static struct inode *sgx2_inode_new(void)
{
	struct inode *inode;
	int ret;

	ret = simple_pin_fs(&sgx2_fs, &sgx2_mount, &sgx2_mount_count);
	if (ret)
		return ERR_PTR(ret);
	inode = alloc_anon_inode(sgx2_mount->mnt_sb);
	if (IS_ERR(inode))
		simple_release_fs(&sgx2_mount, &sgx2_mount_count);
	return inode;
}

static void sgx2_inode_free(struct inode *inode)
{
	iput(inode);
	simple_release_fs(&sgx2_mount, &sgx2_mount_count);
}

/* With no page, and on no list. */
static void sgx2_chunk_destroy(struct sgx2_chunk *chunk)
{
	free_page((unsigned long)chunk->page);
	mutex_destroy(&chunk->lock);
	kfree(chunk);
}

struct sgx2_chunk *sgx2_chunk_make(struct sgx2_enclave *enclave, unsigned long pgoff)
{
	struct sgx2_chunk *chunk;

	lockdep_assert_held(&enclave->making);
	chunk = kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return ERR_PTR(-ENOMEM);
	chunk->page = (struct sgx2_page *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!chunk->page) {
		kfree(chunk);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&chunk->lock);
	chunk->enclave = enclave;
	chunk->number = pgoff >> SGX2_CHUNK_ORDER;
	chunk->max = VM_ACCESS_FLAGS;
	chunk->fresh = true;
	INIT_LIST_HEAD(&chunk->lru);
	/* So that its coming cannot fail once a page is in it. */
	if (xa_reserve(&enclave->chunks, chunk->number, GFP_KERNEL_ACCOUNT)) {
		sgx2_chunk_destroy(chunk);
		return ERR_PTR(-ENOMEM);
	}
	return chunk;
}

void sgx2_chunk_settle(struct sgx2_chunk *chunk)
{
	struct sgx2_enclave *enclave = chunk->enclave;

	lockdep_assert_held(&enclave->making);
	if (!chunk->fresh)
		return;
	xa_release(&enclave->chunks, chunk->number);
	sgx2_chunk_destroy(chunk);
}

/* With its first page, which a reader that finds the chunk therefore sees. */
static void sgx2_chunk_publish(struct sgx2_chunk *chunk)
{
	struct sgx2_enclave *enclave = chunk->enclave;

	lockdep_assert_held(&enclave->making);
	chunk->fresh = false;
	WARN_ON_ONCE(xa_store(&enclave->chunks, chunk->number, chunk, GFP_NOWAIT));
}

void sgx2_chunk_add(struct sgx2_chunk *chunk, unsigned int index, sgx2_epc_t where, u8 type, u8 max,
		    u8 flags)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, index);

	if (WARN_ON_ONCE(page->state != SGX2_ABSENT))
		return;
	page->where = where;
	page->type = type;
	page->flags = flags;
	WRITE_ONCE(page->max, max);
	WRITE_ONCE(chunk->max, chunk->max & max);
	/* A reader without the mutex that sees the state sees what the page may be mapped with. */
	smp_store_release(&page->state, SGX2_RESIDENT);
	chunk->present++;
	atomic_inc(&chunk->enclave->pins);
	if (!chunk->resident++)
		sgx2_lru_add(chunk);
	if (unlikely(chunk->fresh))
		sgx2_chunk_publish(chunk);
}

unsigned int sgx2_chunk_forget(struct sgx2_chunk *chunk, unsigned int first, unsigned int count,
			       sgx2_epc_t *where)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, first);
	unsigned int i;

	for (i = 0; i < count; i++, page++) {
		if (WARN_ON_ONCE(page->state != SGX2_RESIDENT))
			break;
		where[i] = page->where;
		WRITE_ONCE(page->state, SGX2_ABSENT);
		page->where = 0;
	}
	chunk->present -= i;
	chunk->resident -= i;
	if (!chunk->resident)
		sgx2_lru_del(chunk);
	atomic_sub(i, &chunk->enclave->pins);
	return i;
}

void sgx2_chunk_widen(struct sgx2_chunk *chunk)
{
	u8 max = VM_ACCESS_FLAGS;
	unsigned int i;

	lockdep_assert_held(&chunk->lock);
	if (chunk->max == VM_ACCESS_FLAGS)
		return;
	for (i = 0; i < SGX2_CHUNK_PAGES; i++) {
		if (chunk->page[i].state != SGX2_ABSENT)
			max &= chunk->page[i].max;
	}
	WRITE_ONCE(chunk->max, max);
}

void sgx2_chunk_moved(struct sgx2_chunk *chunk, unsigned int index, enum sgx2_page_state state,
		      u32 where)
{
	struct sgx2_page *page = sgx2_chunk_page(chunk, index);

	if (WARN_ON_ONCE(page->state == SGX2_ABSENT || page->state == state))
		return;
	page->where = where;
	sgx2_page_set_credit(page, 0);
	WRITE_ONCE(page->state, state);
	if (state == SGX2_RESIDENT) {
		atomic_inc(&chunk->enclave->pins);
		if (!chunk->resident++)
			sgx2_lru_add(chunk);
	} else {
		if (!--chunk->resident)
			sgx2_lru_del(chunk);
		atomic_dec(&chunk->enclave->pins);
	}
}

void sgx2_enclave_zap(struct sgx2_enclave *enclave, unsigned long pgoff, unsigned long count)
{
	sgx2_enclave_count(enclave, SGX2_COUNT_ZAPS);
	unmap_mapping_range(enclave->inode->i_mapping, (loff_t)pgoff << PAGE_SHIFT,
			    (loff_t)count << PAGE_SHIFT, 1);
}

void sgx2_enclave_lost(struct sgx2_enclave *enclave)
{
	if (test_and_set_bit(SGX2_DEAD, &enclave->state))
		return;
	trace_sgx2_lost(enclave);
	/*
	 * What is mapped still would fault with the SGX bit at best. This way it is SIGBUS from now
	 * on.
	 */
	sgx2_enclave_zap(enclave, enclave->base >> PAGE_SHIFT, enclave->size >> PAGE_SHIFT);
}

/* Gives back the slots that the chunk's evicted pages have in VA pages of all enclaves. */
static void sgx2_chunk_drop_slots(struct sgx2_chunk *chunk)
{
	unsigned int i, evicted = chunk->present - chunk->resident;

	for (i = 0; evicted && i < SGX2_CHUNK_PAGES; i++) {
		if (chunk->page[i].state != SGX2_EVICTED)
			continue;
		evicted--;
		if (sgx2_va_slot_shared(chunk->page[i].where))
			sgx2_va_slot_drop(&chunk->enclave->va, chunk->page[i].where);
	}
}

static void sgx2_chunk_free(struct sgx2_chunk *chunk)
{
	sgx2_epc_t epc[SGX2_EPC_BATCH];
	unsigned int i, count = 0;

	sgx2_chunk_drop_slots(chunk);
	sgx2_lru_del(chunk);
	for (i = 0; chunk->resident && i < SGX2_CHUNK_PAGES; i++) {
		if (chunk->page[i].state != SGX2_RESIDENT)
			continue;
		epc[count++] = chunk->page[i].where;
		if (--chunk->resident && count < SGX2_EPC_BATCH)
			continue;
		sgx2_epc_remove_all(epc, count);
		count = 0;
	}
	WARN_ON_ONCE(chunk->resident);
	sgx2_chunk_destroy(chunk);
	cond_resched();
}

static void sgx2_enclave_free(struct sgx2_enclave *enclave)
{
	WARN_ON_ONCE(!list_empty(&enclave->mms));
	sgx2_va_user_exit(&enclave->va);
	if (enclave->backing)
		fput(enclave->backing);
	mem_cgroup_put(enclave->memcg);
	xa_destroy(&enclave->chunks);
	free_cpumask_var(enclave->cpus);
	mutex_destroy(&enclave->build);
	mutex_destroy(&enclave->making);
	mutex_destroy(&enclave->track);
	sgx2_inode_free(enclave->inode);
	if (sgx2_enclave_is(enclave, SGX2_CREATED))
		sgx2_hw_unuse();
	kfree(enclave);
}

static void sgx2_enclave_release(struct kref *ref)
{
	struct sgx2_enclave *enclave = container_of(ref, struct sgx2_enclave, ref);
	struct sgx2_chunk *chunk;
	unsigned long number;

	sgx2_lru_del_secs(enclave);
	/* Children first: EREMOVE of a SECS that has some is refused. */
	xa_for_each(&enclave->chunks, number, chunk)
		sgx2_chunk_free(chunk);
	if (enclave->secs != SGX2_EPC_NONE)
		sgx2_epc_remove(enclave->secs);
	else if (enclave->secs_slot != SGX2_VA_NONE && sgx2_va_slot_shared(enclave->secs_slot))
		sgx2_va_slot_drop(&enclave->va, enclave->secs_slot);
	sgx2_enclave_free(enclave);
}

void sgx2_enclave_put(struct sgx2_enclave *enclave)
{
	kref_put(&enclave->ref, sgx2_enclave_release);
}

static struct sgx2_enclave *sgx2_enclave_new(void)
{
	struct sgx2_enclave *enclave;
	struct inode *inode;

	enclave = kzalloc(sizeof(*enclave), GFP_KERNEL_ACCOUNT);
	if (!enclave)
		return ERR_PTR(-ENOMEM);
	if (!zalloc_cpumask_var(&enclave->cpus, GFP_KERNEL_ACCOUNT)) {
		kfree(enclave);
		return ERR_PTR(-ENOMEM);
	}
	inode = sgx2_inode_new();
	if (IS_ERR(inode)) {
		free_cpumask_var(enclave->cpus);
		kfree(enclave);
		return ERR_CAST(inode);
	}
	enclave->inode = inode;
	kref_init(&enclave->ref);
	mutex_init(&enclave->build);
	mutex_init(&enclave->making);
	mutex_init(&enclave->track);
	xa_init_flags(&enclave->chunks, XA_FLAGS_ACCOUNT);
	sgx2_va_user_init(&enclave->va);
	INIT_LIST_HEAD(&enclave->lru);
	spin_lock_init(&enclave->mms_lock);
	INIT_LIST_HEAD(&enclave->mms);
	enclave->secs = SGX2_EPC_NONE;
	enclave->secs_slot = SGX2_VA_NONE;
	enclave->evict_after = jiffies;
	enclave->allowed = SGX2_ATTR_FREE;
	enclave->fault_around = SGX_FAULT_AROUND_DEFAULT;
	return enclave;
}

static int sgx2_enclave_open(struct inode *inode, struct file *file)
{
	struct sgx2_enclave *enclave = sgx2_enclave_new();

	if (IS_ERR(enclave))
		return PTR_ERR(enclave);
	file->private_data = enclave;
	file->f_mapping = enclave->inode->i_mapping;
	return 0;
}

static int sgx2_enclave_close(struct inode *inode, struct file *file)
{
	sgx2_enclave_put(file->private_data);
	return 0;
}

const struct file_operations sgx2_enclave_fops = {
	.owner = THIS_MODULE,
	.open = sgx2_enclave_open,
	.release = sgx2_enclave_close,
	.get_unmapped_area = sgx2_get_unmapped_area,
	.mmap = sgx2_mmap,
	.unlocked_ioctl = sgx2_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = sgx2_show_fdinfo,
	.fadvise = sgx2_fadvise,
};
