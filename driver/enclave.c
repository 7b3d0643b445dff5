// SPDX-License-Identifier: GPL-2.0
/*
 * An enclave from open() to its last reference.
 *
 * The file has a reference to the enclave, and each VMA has one to the file. When the last
 * reference is dropped, no VMA is left and no thread can be inside of the enclave, so EREMOVE of
 * every page succeeds. Teardown allocates nothing and cannot fail.
 */
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/sgx2.h>
#include "chunk.h"
#include "enclave.h"
#include "hw.h"
#include "lru.h"
#include "pte.h"
#include "svn.h"
#include "trace.h"

/* Magic number of the pseudo filesystem: "SGX2". */
#define SGX2_FS_MAGIC 0x53475832

/*
 * Each enclave has an inode on a filesystem that is mounted nowhere. Its address space is the one
 * in which all mappings of the enclave are found.
 */
static struct vfsmount *sgx2_mount;
static int sgx2_mount_count;

static int sgx2_init_fs_context(struct fs_context *fc)
{
	return init_pseudo(fc, SGX2_FS_MAGIC) ? 0 : -ENOMEM;
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

struct sgx2_enclave *sgx2_enclave_new(void)
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
	mutex_init(&enclave->build_lock);
	mutex_init(&enclave->chunk_create_lock);
	mutex_init(&enclave->track_lock);
	xa_init_flags(&enclave->chunks, XA_FLAGS_ACCOUNT);
	sgx2_va_user_init(&enclave->va);
	sgx2_places_init(&enclave->places);
	INIT_LIST_HEAD(&enclave->lru);
	spin_lock_init(&enclave->mm_list_lock);
	INIT_LIST_HEAD(&enclave->mm_list);
	enclave->secs = SGX2_EPC_NONE;
	enclave->secs_slot = SGX2_VA_NONE;
	enclave->evict_after = jiffies;
	enclave->allowed = SGX2_ATTR_FREE;
	enclave->fault_around = SGX_FAULT_AROUND_DEFAULT;
	return enclave;
}

void sgx2_enclave_mark_dead(struct sgx2_enclave *enclave)
{
	if (test_and_set_bit(SGX2_DEAD, &enclave->state))
		return;
	trace_sgx2_dead(enclave);
	/* Through a PTE an access would at best fault with the SGX bit; now it is SIGBUS. */
	sgx2_pte_zap(enclave, enclave->base >> PAGE_SHIFT, enclave->size >> PAGE_SHIFT);
}

static void sgx2_enclave_free(struct sgx2_enclave *enclave)
{
	WARN_ON_ONCE(!list_empty(&enclave->mm_list));
	sgx2_va_user_exit(&enclave->va);
	sgx2_places_exit(&enclave->places);
	if (enclave->backing)
		fput(enclave->backing);
	mem_cgroup_put(enclave->memcg);
	xa_destroy(&enclave->chunks);
	free_cpumask_var(enclave->cpus);
	mutex_destroy(&enclave->build_lock);
	mutex_destroy(&enclave->chunk_create_lock);
	mutex_destroy(&enclave->track_lock);
	sgx2_inode_free(enclave->inode);
	if (sgx2_enclave_is(enclave, SGX2_CREATED))
		sgx2_svn_put();
	kfree(enclave);
}

static void sgx2_enclave_release(struct kref *ref)
{
	struct sgx2_enclave *enclave = container_of(ref, struct sgx2_enclave, ref);
	struct sgx2_chunk *chunk;
	unsigned long number;

	sgx2_lru_del_secs(enclave);
	/* Children first: EREMOVE of a SECS that has children returns SGX_CHILD_PRESENT (13). */
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
