// SPDX-License-Identifier: GPL-2.0
/* Address spaces whose page tables the reclaimer does not read. */
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/oom.h>
#include <linux/uaccess.h>
#include "backing.h"
#include "enclave.h"
#include "enclave_types.h"
#include "mm_list.h"
#include "pte.h"

#define BASE 0x10000000UL

/**
 * struct scene - an enclave with one mapping in the address space of the test
 */
struct scene {
	/** @enclave: the enclave, whose inode is that of @file during the test. */
	struct sgx2_enclave *enclave;
	/** @inode: the inode of the enclave. */
	struct inode *inode;
	/** @file: the file that is mapped, in place of the enclave's. */
	struct file *file;
	/** @chunk: a chunk that no enclave has. */
	struct sgx2_chunk *chunk;
	/** @vma: the mapping of the first page of the chunk. */
	struct vm_area_struct *vma;
};

/* Return whether sgx2_pte_age() finds that the page was accessed. */
static bool accessed(struct kunit *test, struct scene *scene)
{
	DECLARE_BITMAP(young, 1);

	guard(mutex)(&scene->chunk->lock);
	KUNIT_EXPECT_TRUE(test, sgx2_pte_age(scene->chunk, 0, 1, young));
	return test_bit(0, young);
}

static void scene_map(struct kunit *test, struct scene *scene)
{
	scene->file = sgx2_backing_file(BASE, SGX2_CHUNK_PAGES * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(scene->file));
	KUNIT_ASSERT_EQ(test, BASE,
			kunit_vm_mmap(test, scene->file, BASE, PAGE_SIZE, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, 0));
	KUNIT_ASSERT_EQ(test, 0, put_user(1, (int __user *)BASE));
	mmap_write_lock(current->mm);
	scene->vma = find_vma(current->mm, BASE);
	KUNIT_EXPECT_EQ(test, 0, sgx2_mm_list_add(scene->enclave, current->mm));
	mmap_write_unlock(current->mm);
}

static struct scene *scene_start(struct kunit *test)
{
	struct scene *scene = kunit_kzalloc(test, sizeof(*scene), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, scene);
	scene->chunk = kunit_kzalloc(test, sizeof(*scene->chunk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, scene->chunk);
	scene->enclave = sgx2_enclave_new();
	KUNIT_ASSERT_FALSE(test, IS_ERR(scene->enclave));
	mutex_init(&scene->chunk->lock);
	scene->chunk->enclave = scene->enclave;
	scene->chunk->number = BASE / PAGE_SIZE / SGX2_CHUNK_PAGES;
	scene_map(test, scene);
	scene->inode = scene->enclave->inode;
	scene->enclave->inode = file_inode(scene->file);
	return scene;
}

static void scene_stop(struct scene *scene)
{
	sgx2_mm_list_del(scene->enclave, current->mm);
	scene->enclave->inode = scene->inode;
	fput(scene->file);
	sgx2_enclave_put(scene->enclave);
}

/*
 * A fork() that failed half way leaves an address space with this flag. The Accessed bit is not
 * cleared meanwhile, as the last call finds.
 */
static void failed_fork_test(struct kunit *test)
{
	struct scene *scene = scene_start(test);

	set_bit(MMF_UNSTABLE, &current->mm->flags);
	KUNIT_EXPECT_FALSE(test, accessed(test, scene));
	clear_bit(MMF_UNSTABLE, &current->mm->flags);
	KUNIT_EXPECT_TRUE(test, accessed(test, scene));
	scene_stop(scene);
}

/* Such an address space has VMAs of the parent in its tree. */
static void foreign_vma_test(struct kunit *test)
{
	struct scene *scene = scene_start(test);

	scene->vma->vm_mm = NULL;
	KUNIT_EXPECT_FALSE(test, accessed(test, scene));
	scene->vma->vm_mm = current->mm;
	KUNIT_EXPECT_TRUE(test, accessed(test, scene));
	scene_stop(scene);
}

static struct kunit_case cases[] = { KUNIT_CASE(failed_fork_test),
				     KUNIT_CASE(foreign_vma_test),
				     {} };

static struct kunit_suite suite = { .name = "sgx2_pte", .test_cases = cases };
kunit_test_suite(suite);
