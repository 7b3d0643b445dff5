// SPDX-License-Identifier: GPL-2.0
/* The reclaimer does not read the page tables of an address space that a failed fork() left. */
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
 *
 * One test at a time uses it. It is not on the stack of a test, since a test that is aborted loses
 * its stack before the suite cleans up.
 */
static struct scene {
	/** @enclave: the enclave, or NULL; its inode is that of @file while @inode is set. */
	struct sgx2_enclave *enclave;
	/** @inode: the inode of the enclave. */
	struct inode *inode;
	/** @file: the file that is mapped, in place of the enclave's. */
	struct file *file;
	/** @chunk: a chunk that no enclave has. */
	struct sgx2_chunk chunk;
	/** @vma: the mapping of the first page of the chunk. */
	struct vm_area_struct *vma;
	/** @mm: the address space of @vma, if it is on the list of the enclave. */
	struct mm_struct *mm;
} scene;

/* Return whether sgx2_pte_age() finds that the page was accessed. */
static bool accessed(struct kunit *test)
{
	DECLARE_BITMAP(young, 1);

	guard(mutex)(&scene.chunk.lock);
	KUNIT_EXPECT_TRUE(test, sgx2_pte_age(&scene.chunk, 0, 1, young));
	return test_bit(0, young);
}

static void map_file(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, BASE,
			kunit_vm_mmap(test, scene.file, BASE, PAGE_SIZE, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, 0));
	KUNIT_ASSERT_EQ(test, 0, put_user(1, (int __user *)BASE));
	mmap_write_lock(current->mm);
	scene.vma = find_vma(current->mm, BASE);
	if (!sgx2_mm_list_add(scene.enclave, current->mm))
		scene.mm = current->mm;
	mmap_write_unlock(current->mm);
	KUNIT_ASSERT_NOT_NULL(test, scene.mm);
}

static void start(struct kunit *test)
{
	memset(&scene, 0, sizeof(scene));
	mutex_init(&scene.chunk.lock);
	scene.enclave = sgx2_enclave_new();
	KUNIT_ASSERT_FALSE(test, IS_ERR(scene.enclave));
	scene.chunk.enclave = scene.enclave;
	scene.chunk.number = BASE / PAGE_SIZE / SGX2_CHUNK_PAGES;
	scene.file = sgx2_backing_file(SGX2_CHUNK_PAGES * PAGE_SIZE);
	KUNIT_ASSERT_FALSE(test, IS_ERR(scene.file));
	map_file(test);
	scene.inode = scene.enclave->inode;
	scene.enclave->inode = file_inode(scene.file);
}

/* Clean up after a test, also after an aborted one. */
static void suite_exit(struct kunit *test)
{
	if (IS_ERR_OR_NULL(scene.enclave))
		return;
	if (scene.mm)
		sgx2_mm_list_del(scene.enclave, scene.mm);
	if (scene.inode)
		scene.enclave->inode = scene.inode;
	if (!IS_ERR_OR_NULL(scene.file))
		fput(scene.file);
	sgx2_enclave_put(scene.enclave);
	scene.enclave = NULL;
}

/*
 * A fork() that failed half way leaves an address space with MMF_UNSTABLE. The last call checks
 * that the page had an Accessed bit all the time.
 */
static void failed_fork_test(struct kunit *test)
{
	start(test);
	set_bit(MMF_UNSTABLE, &current->mm->flags);
	KUNIT_EXPECT_FALSE(test, accessed(test));
	clear_bit(MMF_UNSTABLE, &current->mm->flags);
	KUNIT_EXPECT_TRUE(test, accessed(test));
}

/* The tree of an address space that a failed fork() left has VMAs of the parent. */
static void parent_vma_test(struct kunit *test)
{
	start(test);
	scene.vma->vm_mm = NULL;
	KUNIT_EXPECT_FALSE(test, accessed(test));
	scene.vma->vm_mm = current->mm;
	KUNIT_EXPECT_TRUE(test, accessed(test));
}

static struct kunit_case cases[] = { KUNIT_CASE(failed_fork_test),
				     KUNIT_CASE(parent_vma_test),
				     {} };

static struct kunit_suite suite = { .name = "sgx2_pte", .exit = suite_exit, .test_cases = cases };
kunit_test_suite(suite);
