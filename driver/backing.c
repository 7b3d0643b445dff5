// SPDX-License-Identifier: GPL-2.0
/*
 * The file to which the pages of an enclave are evicted: a shmem file, so that it can be swapped
 * and is charged.
 *
 * Each chunk has 528 pages in it: 512 of ciphertext, then 16 with 32 PCMDs each. After the last
 * chunk come two for the SECS. A chunk's part is touched only under the chunk's mutex, the SECS's
 * only under the track mutex, which is why a page of PCMDs cannot be truncated by one while another
 * writes into it.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include "backing.h"
#include "enclave.h"
#include "encls.h"

#define SGX2_PCMDS (PAGE_SIZE / sizeof(struct sgx_pcmd))
#define SGX2_STRIDE (SGX2_CHUNK_PAGES + SGX2_CHUNK_PAGES / SGX2_PCMDS)

static unsigned long sgx2_backing_chunks(unsigned long base, unsigned long size)
{
	unsigned long last = (base + size - 1) >> (PAGE_SHIFT + SGX2_CHUNK_ORDER);

	return last - (base >> (PAGE_SHIFT + SGX2_CHUNK_ORDER)) + 1;
}

struct file *sgx2_backing_file(unsigned long base, unsigned long size)
{
	loff_t pages = sgx2_backing_chunks(base, size) * SGX2_STRIDE + 2;

	return shmem_file_setup("sgx2", pages << PAGE_SHIFT, mk_vma_flags(VMA_NORESERVE_BIT));
}

/* Page of the file at which a chunk's part begins; that of the SECS for NULL. */
static pgoff_t sgx2_backing_start(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk)
{
	if (!chunk)
		return sgx2_backing_chunks(enclave->base, enclave->size) * SGX2_STRIDE;
	return (chunk->number - (enclave->base >> (PAGE_SHIFT + SGX2_CHUNK_ORDER))) * SGX2_STRIDE;
}

/* Sets how much the task has charged beyond memory.high of any cgroup, and returns what it was. */
static unsigned int sgx2_backing_excess(unsigned int pages)
{
#ifdef CONFIG_MEMCG
	swap(current->memcg_nr_pages_over_high, pages);
	return pages;
#else
	return 0;
#endif
}

/* Returns whether the task that runs belongs to the cgroup that pays for the enclave. */
static bool sgx2_backing_own(const struct sgx2_enclave *enclave)
{
	return !enclave->memcg || (current->mm && mm_match_cgroup(current->mm, enclave->memcg));
}

/*
 * Gets, or makes, a page of the file at the expense of the enclave's owner. A charge that makes the
 * excess of the task large puts it to sleep for a while, chunk mutex and all, so the excess starts
 * from 0. A task of the owner's cgroup is left with it, and pays when it returns to user space.
 */
static struct page *sgx2_backing_page(struct sgx2_enclave *enclave, pgoff_t index, gfp_t more)
{
	struct address_space *mapping = enclave->backing->f_mapping;
	struct mem_cgroup *old = set_active_memcg(enclave->memcg);
	unsigned int before = sgx2_backing_excess(0), excess;
	struct page *page;

	page = shmem_read_mapping_page_gfp(mapping, index,
					   mapping_gfp_mask(mapping) | __GFP_NOWARN | more);
	excess = sgx2_backing_excess(before);
	if (excess && sgx2_backing_own(enclave))
		sgx2_backing_excess(before + excess);
	set_active_memcg(old);
	return page;
}

static void sgx2_backing_truncate(struct sgx2_enclave *enclave, pgoff_t index)
{
	loff_t start = (loff_t)index << PAGE_SHIFT;

	shmem_truncate_range(file_inode(enclave->backing), start, start + PAGE_SIZE - 1);
}

static int sgx2_backing_pages(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk,
			      unsigned int index, struct sgx2_backing *backing, gfp_t more)
{
	pgoff_t start = sgx2_backing_start(enclave, chunk);
	pgoff_t pcmd = chunk ? SGX2_CHUNK_PAGES + index / SGX2_PCMDS : 1;
	struct page *page;

	page = sgx2_backing_page(enclave, start + index, more);
	if (IS_ERR(page))
		return PTR_ERR(page);
	backing->data = page;
	page = sgx2_backing_page(enclave, start + pcmd, more);
	if (IS_ERR(page)) {
		put_page(backing->data);
		return PTR_ERR(page);
	}
	backing->pcmd = page;
	backing->offset = index % SGX2_PCMDS * sizeof(struct sgx_pcmd);
	return 0;
}

int sgx2_backing_get(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index,
		     struct sgx2_backing *backing)
{
	return sgx2_backing_pages(enclave, chunk, index, backing, 0);
}

int sgx2_backing_make(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index,
		      struct sgx2_backing *backing)
{
	gfp_t more = sgx2_backing_own(enclave) ? 0 : __GFP_NORETRY;
	int ret;

	ret = sgx2_backing_pages(enclave, chunk, index, backing, more);
	/* The ciphertext's page may be there without the page of its PCMD. */
	if (ret)
		sgx2_backing_truncate(enclave, sgx2_backing_start(enclave, chunk) + index);
	return ret;
}

void sgx2_backing_cancel(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index,
			 struct sgx2_backing *backing)
{
	sgx2_backing_put(backing, false);
	sgx2_backing_truncate(enclave, sgx2_backing_start(enclave, chunk) + index);
}

void sgx2_backing_put(struct sgx2_backing *backing, bool dirty)
{
	/*
	 * Before the reference goes: a clean page without one may be dropped, and what EWB wrote
	 * with it.
	 */
	if (dirty) {
		set_page_dirty(backing->data);
		set_page_dirty(backing->pcmd);
	}
	put_page(backing->pcmd);
	put_page(backing->data);
}

void sgx2_backing_drop(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk, unsigned int index)
{
	pgoff_t start = sgx2_backing_start(enclave, chunk);
	unsigned int first, i;

	sgx2_backing_truncate(enclave, start + index);
	if (!chunk) {
		sgx2_backing_truncate(enclave, start + 1);
		return;
	}
	first = round_down(index, SGX2_PCMDS);
	for (i = first; i < first + SGX2_PCMDS; i++) {
		if (sgx2_chunk_page(chunk, i)->state == SGX2_EVICTED)
			return;
	}
	sgx2_backing_truncate(enclave, start + SGX2_CHUNK_PAGES + index / SGX2_PCMDS);
}
