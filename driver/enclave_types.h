/* SPDX-License-Identifier: GPL-2.0 */
/* The data structures of an enclave: the enclave, its chunks, and the descriptors of its pages. */
#ifndef SGX2_ENCLAVE_TYPES_H
#define SGX2_ENCLAVE_TYPES_H

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include "epc.h"
#include "fault_around.h"
#include "place.h"
#include "va.h"

/* A chunk is as large as a page table covers, so one walk of PTEs stays in one page table. */
#define SGX2_CHUNK_ORDER 9
#define SGX2_CHUNK_PAGES 512U

/* A page has one of these states, which names the place of its content. */
enum sgx2_page_state {
	/* The enclave has no such page. */
	SGX2_ABSENT,
	/* The page is in the EPC; @where names its EPC page. */
	SGX2_RESIDENT,
	/* The page is in the backing file, encrypted; @where is its Version Array slot. */
	SGX2_EVICTED,
};

/**
 * struct sgx2_page - the descriptor of one page of an enclave
 *
 * Written under sgx2_chunk::lock. @state, @type and @max_prot may be read without it where a stale
 * value does no harm.
 */
struct sgx2_page {
	/** @where: an EPC page or a Version Array slot, depending on @state. */
	u32 where;
	/** @state: enum sgx2_page_state. */
	u8 state;
	/** @type: enum sgx_page_type: TCS, REG or TRIM. */
	u8 type;
	/** @max_prot: VM_READ, VM_WRITE and VM_EXEC that a mapping of the page may have. */
	u8 max_prot;
	/** @flags: SGX2_PAGE_DYNAMIC, and in the upper half the credit with the reclaimer. */
	u8 flags;
};

/* The page was added by EAUG after EINIT, not by EADD. */
#define SGX2_PAGE_DYNAMIC 0x01
/* Passes of the clock, 0 to 15, that a resident page survives without being accessed. */
#define SGX2_PAGE_CREDIT 0xf0
#define SGX2_PAGE_CREDIT_SHIFT 4

static inline unsigned int sgx2_page_credit(const struct sgx2_page *page)
{
	return page->flags >> SGX2_PAGE_CREDIT_SHIFT;
}

static inline void sgx2_page_set_credit(struct sgx2_page *page, unsigned int credit)
{
	WRITE_ONCE(page->flags,
		   (page->flags & ~SGX2_PAGE_CREDIT) | (credit << SGX2_PAGE_CREDIT_SHIFT));
}

static_assert(sizeof(struct sgx2_page) == 8);
static_assert(BIT(SGX2_CHUNK_ORDER) == SGX2_CHUNK_PAGES);

/**
 * struct sgx2_chunk - 512 pages of ELRANGE, aligned: the unit of locking, tracking and eviction
 *
 * A chunk is published in sgx2_enclave::chunks together with its first page, and stays there until
 * the enclave is freed.
 */
struct sgx2_chunk {
	/**
	 * @lock: protects @page and the counters below, and is held while an EPC page of the chunk
	 * is changed. Inside of mmap_lock.
	 */
	struct mutex lock;
	/** @enclave: the enclave of the chunk; constant. */
	struct sgx2_enclave *enclave;
	/** @number: linear address divided by 2 MiB; constant. */
	unsigned long number;
	/** @page: 512 descriptors in one page of memory; under @lock. */
	struct sgx2_page *page;
	/** @present: number of pages that are not absent; under @lock. */
	u16 present;
	/** @resident: number of pages in the EPC; under @lock. */
	u16 resident;
	/** @clock_hand: index of the page that the reclaimer examines next; under @lock. */
	u16 clock_hand;
	/**
	 * @max_prot: the permissions that @max_prot of all present pages have in common; under
	 * @lock, read without it as a hint.
	 */
	u8 max_prot;
	/** @unpublished: the chunk has no page yet; under sgx2_enclave::chunk_create_lock. */
	bool unpublished;
	/** @fault_around: the pages that the last fault on an absent page added; under @lock. */
	struct sgx2_fault_around fault_around;
	/** @map_around: the pages that the last fault on another page mapped; under @lock. */
	struct sgx2_fault_around map_around;
	/** @lru: entry in the reclaimer's list while @resident is not 0; under sgx2_lru_lock. */
	struct list_head lru;
};

/* Bits of sgx2_enclave::state; each is set once and never cleared. */
enum {
	SGX2_CREATED,
	SGX2_INITIALIZED,
	/* The EPC was lost, or a leaf failed on a page that was known to be valid. */
	SGX2_DEAD,
	SGX2_DEBUG,
	/* The list of address spaces is incomplete, since a fork had no memory for an entry. */
	SGX2_ALL_CPUS,
};

/* Counters in fdinfo; each is incremented without a lock. */
enum sgx2_count {
	SGX2_COUNT_FAULTS,
	SGX2_COUNT_LOADS,
	SGX2_COUNT_EVICTIONS,
	SGX2_COUNT_TRACKS,
	SGX2_COUNT_IPI_BROADCASTS,
	SGX2_COUNT_ZAPS,
	SGX2_COUNT_MPROTECT,
	SGX2_COUNT_REFUSALS,
	SGX2_COUNTS
};

/**
 * struct sgx2_enclave - an open file of /dev/sgx_enclave and the enclave that it becomes
 *
 * Lock order: @build_lock, mmap_lock or a VMA lock, @chunk_create_lock, one sgx2_chunk::lock,
 * @track_lock, @mm_list_lock. Documentation/locking.rst has the whole order.
 */
struct sgx2_enclave {
	/** @ref: held by the file, and by the reclaimer while it works on the enclave. */
	struct kref ref;
	/** @state: SGX2_CREATED and the other bits, by atomic bit operations. */
	unsigned long state;
	/** @inode: owner of the address space in which all mappings are found; constant. */
	struct inode *inode;

	/** @build_lock: serializes CREATE, ADD_PAGES, INIT and PROVISION. */
	struct mutex build_lock;
	/** @base: first address of ELRANGE; constant once SGX2_CREATED is set. */
	unsigned long base;
	/** @size: size of ELRANGE in bytes, a power of 2; constant once SGX2_CREATED is set. */
	unsigned long size;
	/** @attributes: ATTRIBUTES of the SECS; under @build_lock. */
	u64 attributes;
	/** @allowed: ATTRIBUTES bits that INIT accepts; under @build_lock. */
	u64 allowed;
	/** @backing: shmem file for evicted pages; constant once SGX2_CREATED is set. */
	struct file *backing;
	/**
	 * @memcg: memory cgroup of the task that created the enclave, to which @backing is charged,
	 * or NULL; constant once SGX2_CREATED is set.
	 */
	struct mem_cgroup *memcg;
	/** @evict_after: no page is evicted before this time in jiffies; READ_ONCE, WRITE_ONCE. */
	unsigned long evict_after;
	/** @backoff: length of the last such pause in jiffies; READ_ONCE, WRITE_ONCE. */
	unsigned int backoff;

	/** @no_dynamic_code: dynamic_code was 0 at CREATE; constant once SGX2_CREATED is set. */
	bool no_dynamic_code;
	/** @mprotect: SGX_MPROTECT_*; READ_ONCE, WRITE_ONCE. */
	u32 mprotect;
	/** @augment: SGX_AUGMENT_*; READ_ONCE, WRITE_ONCE. */
	u32 augment;
	/** @fault_around: number of pages that a fault adds at most; READ_ONCE, WRITE_ONCE. */
	u32 fault_around;

	/** @chunk_create_lock: serializes the creation of chunks until each has its first page. */
	struct mutex chunk_create_lock;
	/**
	 * @chunks: chunks by number. Entries are added under @chunk_create_lock and stay; readers
	 * use RCU.
	 */
	struct xarray chunks;
	/** @recent: the chunk that was found last, or NULL; read and written without a lock. */
	struct sgx2_chunk *recent;

	/** @track_lock: serializes ETRACK, EBLOCK, and eviction and reload of the SECS. */
	struct mutex track_lock;
	/**
	 * @pins: number of resident pages and calls in flight that need the SECS in the EPC. It
	 * leaves 0 only under @track_lock.
	 */
	atomic_t pins;
	/** @secs: the SECS, SGX2_EPC_NONE if evicted; under @track_lock, constant while pinned. */
	sgx2_epc_t secs;
	/** @lru: entry in the reclaimer's list of SECSs without pins; under sgx2_lru_lock. */
	struct list_head lru;
	/** @secs_slot: Version Array slot of the evicted SECS; under @track_lock. */
	u32 secs_slot;
	/** @cpus: scratch memory for an IPI broadcast; under @track_lock. */
	cpumask_var_t cpus;

	/** @va: Version Array slots of the enclave; has its own lock. */
	struct sgx2_va_user va;
	/** @places: places in @backing; has its own lock. */
	struct sgx2_places places;

	/** @mm_list_lock: protects @mm_list. Innermost, since VMAs are closed under mmap_lock. */
	spinlock_t mm_list_lock;
	/** @mm_list: address spaces that map the enclave, with the number of their VMAs. */
	struct list_head mm_list;

	/** @count: counters for fdinfo; atomic. */
	atomic64_t count[SGX2_COUNTS];
};

/* Returns whether a bit of the state is set, and with it everything that the bit promises. */
static inline bool sgx2_enclave_is(const struct sgx2_enclave *enclave, int bit)
{
	/* Pairs with the barrier in sgx2_enclave_set(). */
	return smp_load_acquire(&enclave->state) & BIT(bit);
}

/* Sets a bit of the state after everything that it promises has been written. */
static inline void sgx2_enclave_set(struct sgx2_enclave *enclave, int bit)
{
	/* Pairs with the acquire in sgx2_enclave_is(). */
	smp_mb__before_atomic();
	set_bit(bit, &enclave->state);
}

static inline void sgx2_enclave_count(struct sgx2_enclave *enclave, enum sgx2_count what)
{
	atomic64_inc(&enclave->count[what]);
}

/* Returns whether the range is not empty, page-aligned, and inside of a created enclave. */
static inline bool sgx2_enclave_range_valid(const struct sgx2_enclave *enclave, u64 offset,
					    u64 length)
{
	if (!IS_ALIGNED(offset, PAGE_SIZE) || !IS_ALIGNED(length, PAGE_SIZE) || !length)
		return false;
	return offset + length >= offset && offset + length - PAGE_SIZE < enclave->size;
}

/*
 * Returns whether a VMA maps the enclave. The file's address space is the enclave's own, so another
 * file cannot have it.
 */
static inline bool sgx2_vma_is(const struct vm_area_struct *vma, const struct sgx2_enclave *enclave)
{
	return vma->vm_file && vma->vm_file->f_mapping == enclave->inode->i_mapping;
}

/*
 * Returns the chunk of a page number (linear address divided by 4096), or NULL. The chunk stays as
 * long as the enclave.
 */
static inline struct sgx2_chunk *sgx2_chunk_find(struct sgx2_enclave *enclave, unsigned long pgoff)
{
	struct sgx2_chunk *chunk = READ_ONCE(enclave->recent);

	if (chunk && chunk->number == pgoff >> SGX2_CHUNK_ORDER)
		return chunk;
	chunk = xa_load(&enclave->chunks, pgoff >> SGX2_CHUNK_ORDER);
	if (!chunk)
		return NULL;
	/* A task that reads the pointer sees what this one has seen of the chunk. */
	smp_store_release(&enclave->recent, chunk);
	return chunk;
}

static inline struct sgx2_page *sgx2_chunk_page(struct sgx2_chunk *chunk, unsigned long pgoff)
{
	lockdep_assert_held(&chunk->lock);
	return &chunk->page[pgoff % SGX2_CHUNK_PAGES];
}

static inline unsigned long sgx2_chunk_address(const struct sgx2_chunk *chunk, unsigned int index)
{
	return (chunk->number * SGX2_CHUNK_PAGES + index) * PAGE_SIZE;
}

#endif
