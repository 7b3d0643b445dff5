// SPDX-License-Identifier: GPL-2.0
/*
 * The backing file keeps the evicted pages of an enclave: EWB writes them, ELDU reads them. It is a
 * shmem file, so its pages can be swapped out and are charged to a memory cgroup.
 *
 * Each chunk has 528 pages in the file: 512 of ciphertext, then 16 of 32 PCMDs each. Two pages for
 * the SECS follow the last chunk. The pages of a chunk are accessed only under the mutex of the
 * chunk, and those of the SECS only under the track mutex. Therefore no task truncates a page of
 * PCMDs while another one writes to it.
 */
#include <linux/highmem.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include "backing.h"
#include "enclave_types.h"
#include "encls.h"
#include "va.h"

/* PCMDs in a page, and pages of the file for a chunk and for the SECS. */
#define SGX2_PAGE_PCMDS (PAGE_SIZE / sizeof(struct sgx_pcmd))
#define SGX2_CHUNK_STRIDE (SGX2_CHUNK_PAGES + SGX2_CHUNK_PAGES / SGX2_PAGE_PCMDS)
#define SGX2_SECS_STRIDE 2

static unsigned long sgx2_backing_chunks(unsigned long base, unsigned long size)
{
	unsigned long last = (base + size - 1) >> (PAGE_SHIFT + SGX2_CHUNK_ORDER);

	return last - (base >> (PAGE_SHIFT + SGX2_CHUNK_ORDER)) + 1;
}

struct file *sgx2_backing_file(unsigned long base, unsigned long size)
{
	loff_t pages = sgx2_backing_chunks(base, size) * SGX2_CHUNK_STRIDE + SGX2_SECS_STRIDE;

	return shmem_file_setup("sgx2", pages << PAGE_SHIFT, mk_vma_flags(VMA_NORESERVE_BIT));
}

/* Returns the first page in the file of a chunk, or of the SECS if @chunk is NULL. */
static pgoff_t sgx2_backing_start(struct sgx2_enclave *enclave, struct sgx2_chunk *chunk)
{
	if (!chunk)
		return sgx2_backing_chunks(enclave->base, enclave->size) * SGX2_CHUNK_STRIDE;
	return (chunk->number - (enclave->base >> (PAGE_SHIFT + SGX2_CHUNK_ORDER))) *
	       SGX2_CHUNK_STRIDE;
}

/* Exchanges the number of pages that the task has charged beyond memory.high of any cgroup. */
static unsigned int sgx2_backing_excess(unsigned int pages)
{
#ifdef CONFIG_MEMCG
	swap(current->memcg_nr_pages_over_high, pages);
	return pages;
#else
	return 0;
#endif
}

/* Returns whether the current task belongs to the memory cgroup of the enclave's owner. */
static bool sgx2_backing_own(const struct sgx2_enclave *enclave)
{
	return !enclave->memcg || (current->mm && mm_match_cgroup(current->mm, enclave->memcg));
}

/*
 * Gets or makes a page of the file, charged to the enclave's owner. The kernel puts a task to sleep
 * inside of the charge if its excess over memory.high is large, and the task would sleep with the
 * mutex of a chunk. So the excess starts from 0 here. A task of the owner's cgroup keeps the excess
 * and sleeps when it returns to user space.
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
	pgoff_t pcmd = chunk ? SGX2_CHUNK_PAGES + index / SGX2_PAGE_PCMDS : 1;
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
	backing->offset = index % SGX2_PAGE_PCMDS * sizeof(struct sgx_pcmd);
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
	/* The page of ciphertext may have been made, and the page of PCMDs not. */
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
	/* Reclaim may drop a clean page, and what EWB wrote, once no reference is left. */
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
	first = round_down(index, SGX2_PAGE_PCMDS);
	for (i = first; i < first + SGX2_PAGE_PCMDS; i++) {
		if (sgx2_chunk_page(chunk, i)->state == SGX2_EVICTED)
			return;
	}
	sgx2_backing_truncate(enclave, start + SGX2_CHUNK_PAGES + index / SGX2_PAGE_PCMDS);
}

static int sgx2_backing_write(sgx2_epc_t epc, struct sgx2_backing *backing, void *slot)
{
	struct sgx_pageinfo info = {};
	void *data, *pcmd;
	int ret;

	data = kmap_local_page(backing->data);
	pcmd = kmap_local_page(backing->pcmd);
	info.contents = (unsigned long)data;
	info.metadata = (unsigned long)pcmd + backing->offset;
	ret = sgx2_retry(sgx2_ewb(&info, sgx2_epc_address(epc), slot));
	kunmap_local(pcmd);
	kunmap_local(data);
	return ret;
}

int sgx2_backing_ewb(sgx2_epc_t epc, struct sgx2_backing *backing, u32 slot)
{
	void *address = sgx2_va_slot_address(slot);
	int ret = sgx2_backing_write(epc, backing, address);

	if (ret != (SGX2_ENCLS_FAULT | X86_TRAP_PF) || !sgx2_va_slot_shared(slot))
		return ret;
	/* The EPC may have been lost after the VA page was made, and before the enclave was. */
	sgx2_va_slot_restore(slot);
	return sgx2_backing_write(epc, backing, address);
}

int sgx2_backing_eldu(sgx2_epc_t epc, struct sgx2_backing *backing, unsigned long address,
		      void *secs, void *slot)
{
	struct sgx_pageinfo info = {};
	void *data, *pcmd;
	int ret;

	data = kmap_local_page(backing->data);
	pcmd = kmap_local_page(backing->pcmd);
	info.addr = address;
	info.contents = (unsigned long)data;
	info.metadata = (unsigned long)pcmd + backing->offset;
	info.secs = (unsigned long)secs;
	ret = sgx2_retry(sgx2_eldu(&info, sgx2_epc_address(epc), slot));
	kunmap_local(pcmd);
	kunmap_local(data);
	return ret;
}
