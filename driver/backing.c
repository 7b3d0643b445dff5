// SPDX-License-Identifier: GPL-2.0
/*
 * The backing file keeps the evicted pages of an enclave: EWB writes them, ELDU reads them. It is a
 * shmem file, so its pages can be swapped out and are charged to a memory cgroup.
 *
 * The file is divided into groups of 32 places: one page with 32 PCMDs, then 32 pages of
 * ciphertext. A page is assigned a place when it is evicted, and the Version Array slot of the page
 * records which; see place.c. The ciphertext of a place is accessed only by the task that holds the
 * mutex of the chunk, or the track mutex for the SECS. A page of PCMDs has memory as long as a
 * place of its group is used or kept.
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
#include "place.h"
#include "va.h"

/* Pages of the file for a group of places: one of PCMDs, and the ciphertext. */
#define SGX2_GROUP_PAGES (1 + SGX2_PLACE_GROUP)

static_assert(PAGE_SIZE / sizeof(struct sgx_pcmd) == SGX2_PLACE_GROUP);

struct file *sgx2_backing_file(unsigned long size)
{
	loff_t groups = size / PAGE_SIZE / SGX2_PLACE_GROUP;

	/* Groups that are partly used, at the same time, are far fewer than this. */
	groups = groups * 2 + SGX2_SPARE_PLACES;
	return shmem_file_setup("sgx2", groups * SGX2_GROUP_PAGES << PAGE_SHIFT,
				mk_vma_flags(VMA_NORESERVE_BIT));
}

/* Returns the page of the file that has the PCMD of a place; the ciphertext follows. */
static pgoff_t sgx2_backing_pcmd(u32 place)
{
	return (pgoff_t)(place / SGX2_PLACE_GROUP) * SGX2_GROUP_PAGES;
}

static pgoff_t sgx2_backing_data(u32 place)
{
	return sgx2_backing_pcmd(place) + 1 + place % SGX2_PLACE_GROUP;
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

/**
 * struct sgx2_payer - what charging the owner of an enclave changes in the current task
 */
struct sgx2_payer {
	/** @memcg: the memory cgroup that the task charged before. */
	struct mem_cgroup *memcg;
	/** @excess: the task's excess over memory.high before. */
	unsigned int excess;
};

/*
 * Charges what the task allocates to the enclave's owner. The kernel puts a task to sleep inside of
 * the charge if its excess over memory.high is large, and the task would sleep with the mutex of a
 * chunk. So the excess starts from 0 here.
 */
static struct sgx2_payer sgx2_backing_charge(struct sgx2_enclave *enclave)
{
	return (struct sgx2_payer){
		.memcg = set_active_memcg(enclave->memcg),
		.excess = sgx2_backing_excess(0),
	};
}

/* A task of the owner's cgroup keeps the excess and sleeps when it returns to user space. */
static void sgx2_backing_charged(struct sgx2_enclave *enclave, struct sgx2_payer before)
{
	unsigned int excess = sgx2_backing_excess(before.excess);

	if (excess && sgx2_backing_own(enclave))
		sgx2_backing_excess(before.excess + excess);
	set_active_memcg(before.memcg);
}

static void sgx2_backing_truncate(struct sgx2_enclave *enclave, pgoff_t index)
{
	loff_t start = (loff_t)index << PAGE_SHIFT;

	shmem_truncate_range(file_inode(enclave->backing), start, start + PAGE_SIZE - 1);
}

/* Frees a place that no page uses, and its memory. */
static void sgx2_backing_free(struct sgx2_enclave *enclave, u32 place)
{
	sgx2_backing_truncate(enclave, sgx2_backing_data(place));
	if (sgx2_place_put(&enclave->places, place))
		return;
	sgx2_backing_truncate(enclave, sgx2_backing_pcmd(place));
	sgx2_place_group_put(&enclave->places, place);
}

/* Gets or makes the pages of a place. @last is another one, which may have the same PCMDs. */
static int sgx2_backing_pages(struct sgx2_enclave *enclave, const struct sgx2_backing *last,
			      struct sgx2_backing *backing, gfp_t more)
{
	struct address_space *mapping = enclave->backing->f_mapping;
	gfp_t gfp = mapping_gfp_mask(mapping) | __GFP_NOWARN | more;
	struct page *page;

	page = shmem_read_mapping_page_gfp(mapping, sgx2_backing_data(backing->place), gfp);
	if (IS_ERR(page))
		return PTR_ERR(page);
	backing->data = page;
	if (last && last->place / SGX2_PLACE_GROUP == backing->place / SGX2_PLACE_GROUP) {
		page = last->pcmd;
		get_page(page);
	} else {
		page = shmem_read_mapping_page_gfp(mapping, sgx2_backing_pcmd(backing->place), gfp);
	}
	if (IS_ERR(page)) {
		put_page(backing->data);
		return PTR_ERR(page);
	}
	backing->pcmd = page;
	backing->offset = backing->place % SGX2_PLACE_GROUP * sizeof(struct sgx_pcmd);
	return 0;
}

int sgx2_backing_get(struct sgx2_enclave *enclave, u32 slot, struct sgx2_backing *backing)
{
	struct sgx2_payer before = sgx2_backing_charge(enclave);
	int ret;

	backing->place = sgx2_va_slot_place(slot);
	ret = sgx2_backing_pages(enclave, NULL, backing, 0);
	sgx2_backing_charged(enclave, before);
	return ret;
}

int sgx2_backing_make(struct sgx2_enclave *enclave, const struct sgx2_backing *last,
		      struct sgx2_backing *backing)
{
	struct sgx2_payer before = sgx2_backing_charge(enclave);
	gfp_t more = sgx2_backing_own(enclave) ? 0 : __GFP_NORETRY;
	int ret;

	ret = sgx2_place_get(&enclave->places, &backing->place, GFP_KERNEL | __GFP_NOWARN | more);
	if (!ret) {
		ret = sgx2_backing_pages(enclave, last, backing, more);
		/* The page of ciphertext may have been made, and the page of PCMDs not. */
		if (ret)
			sgx2_backing_free(enclave, backing->place);
	}
	sgx2_backing_charged(enclave, before);
	return ret;
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

void sgx2_backing_release(struct sgx2_enclave *enclave, struct sgx2_backing *backing)
{
	/*
	 * The ciphertext of a spare is useless: reclaim need not write it to a swap device. A large
	 * folio has one flag for all of its pages, and the others may be in use.
	 */
	if (!PageCompound(backing->data) && trylock_page(backing->data)) {
		ClearPageDirty(backing->data);
		unlock_page(backing->data);
	}
	sgx2_backing_put(backing, false);
	if (!sgx2_place_keep(&enclave->places, backing->place))
		sgx2_backing_free(enclave, backing->place);
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
