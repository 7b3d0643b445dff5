/* SPDX-License-Identifier: GPL-2.0 */
/* An enclave, its chunks and the descriptors of its pages; enclave.c tells how they live. */
#ifndef SGX2_ENCLAVE_H
#define SGX2_ENCLAVE_H

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>
#include "around.h"
#include "epc.h"
#include "va.h"

#define SGX2_CHUNK_ORDER 9
#define SGX2_CHUNK_PAGES 512U

/* Where the content of a page is. */
enum sgx2_page_state {
	/* Nowhere: the enclave has no such page. */
	SGX2_ABSENT,
	/* In the EPC; @where names the page there. */
	SGX2_RESIDENT,
	/* In the backing file, encrypted; @where is its slot in a Version Array. */
	SGX2_EVICTED,
};

/**
 * struct sgx2_page - the descriptor of one page of an enclave
 *
 * Written under the chunk's mutex. @state, @type and @max may be read without it where a stale
 * answer does no harm.
 */
struct sgx2_page {
	/** @where: an EPC page or a Version Array slot, as @state says. */
	u32 where;
	/** @state: enum sgx2_page_state. */
	u8 state;
	/** @type: enum sgx_page_type: TCS, REG or TRIM. */
	u8 type;
	/** @max: VM_READ, VM_WRITE and VM_EXEC that a mapping of it may have. */
	u8 max;
	/** @flags: SGX2_PAGE_*, and the credit that it has with the reclaimer. */
	u8 flags;
};

/* Added by EAUG to the running enclave, not by EADD. */
#define SGX2_PAGE_DYNAMIC 0x01
/* Rounds of the reclaimer's clock that a resident page survives without being used, 0 to 15. */
#define SGX2_PAGE_CREDIT 0xf0
#define SGX2_PAGE_CREDIT_SHIFT 4

static inline unsigned int sgx2_page_credit(const struct sgx2_page *page)
{
	return page->flags >> SGX2_PAGE_CREDIT_SHIFT;
}

static inline void sgx2_page_set_credit(struct sgx2_page *page, unsigned int credit)
{
	WRITE_ONCE(page->flags, (page->flags & ~SGX2_PAGE_CREDIT) |
					(credit << SGX2_PAGE_CREDIT_SHIFT));
}

static_assert(sizeof(struct sgx2_page) == 8);
static_assert(BIT(SGX2_CHUNK_ORDER) == SGX2_CHUNK_PAGES);

/**
 * struct sgx2_chunk - 512 pages of ELRANGE, aligned: the unit of locking, of tracking and of
 * eviction
 *
 * A chunk is found from its first page on, and stays until the enclave goes.
 */
struct sgx2_chunk {
	/**
	 * @lock: for @page and what counts them, and for each change of the EPC pages they name.
	 * Inside mmap_lock.
	 */
	struct mutex lock;
	/** @enclave: whose it is; constant. */
	struct sgx2_enclave *enclave;
	/** @number: linear address divided by 2 MiB; constant. */
	unsigned long number;
	/** @page: 512 descriptors, a page of memory; under @lock. */
	struct sgx2_page *page;
	/** @present: pages that are not absent; under @lock. */
	u16 present;
	/** @resident: pages in the EPC; under @lock. */
	u16 resident;
	/** @hand: the page that the reclaimer looks at next, 0 to 511; under @lock. */
	u16 hand;
	/**
	 * @max: what all pages of the chunk may be mapped with; under @lock, read without it as a
	 * hint.
	 */
	u8 max;
	/** @fresh: it has had no page yet; under sgx2_enclave::making, false once it is found. */
	bool fresh;
	/** @around: what faults added last; under @lock. */
	struct sgx2_around around;
	/** @lru: on the reclaimer's list while @resident is not 0; under that list's lock. */
	struct list_head lru;
};

/* Bits of sgx2_enclave::state; each is set once and never cleared. */
enum {
	SGX2_CREATED,
	SGX2_INITIALIZED,
	/*
	 * Its EPC pages were lost, or the processor would not let one go: no call but close() works
	 * any more.
	 */
	SGX2_DEAD,
	SGX2_DEBUG,
	/* The list of address spaces is not complete, since memory was short in a fork. */
	SGX2_ALL_CPUS,
};

/* What fdinfo tells; each counts up without a lock. */
enum sgx2_count {
	SGX2_COUNT_FAULTS,
	SGX2_COUNT_LOADS,
	SGX2_COUNT_EVICTIONS,
	SGX2_COUNT_TRACKS,
	SGX2_COUNT_ROUNDS,
	SGX2_COUNT_ZAPS,
	SGX2_COUNT_MPROTECT,
	SGX2_COUNT_REFUSED,
	SGX2_COUNTS
};

/**
 * struct sgx2_enclave - an open file of /dev/sgx_enclave and what has become of it
 *
 * Order of its locks: @build, mmap_lock or VMA lock, @making, one chunk's mutex, @track, then
 * @mms_lock.
 */
struct sgx2_enclave {
	/** @ref: of the file, and for a moment of the reclaimer. */
	struct kref ref;
	/** @state: SGX2_CREATED and the like, by atomic bit operations. */
	unsigned long state;
	/**
	 * @inode: has the address space in which all mappings of the enclave are found; constant.
	 */
	struct inode *inode;

	/** @build: CREATE, ADD_PAGES, INIT and PROVISION, one at a time. */
	struct mutex build;
	/** @base: of ELRANGE; constant once SGX2_CREATED is set, as is @size. */
	unsigned long base;
	/** @size: of ELRANGE in bytes, a power of 2. */
	unsigned long size;
	/** @attributes: as it was created with; under @build. */
	u64 attributes;
	/** @allowed: attributes that INIT lets pass; under @build. */
	u64 allowed;
	/** @backing: shmem file for evicted pages; constant once SGX2_CREATED is set. */
	struct file *backing;
	/**
	 * @memcg: memory cgroup of the task that created it, which pays for @backing, or NULL;
	 * constant once SGX2_CREATED is set.
	 */
	struct mem_cgroup *memcg;
	/** @evict_after: in jiffies, when eviction is tried again; read and written at once. */
	unsigned long evict_after;
	/** @backoff: how long it was last left alone, in jiffies; the same. */
	unsigned int backoff;

	/** @frozen: dynamic_code was 0 at CREATE; constant once SGX2_CREATED is set. */
	bool frozen;
	/** @mprotect: SGX_MPROTECT_*; read and written at once. */
	u32 mprotect;
	/** @augment: SGX_AUGMENT_*; the same. */
	u32 augment;
	/** @fault_around: the most pages that a fault adds; the same. */
	u32 fault_around;

	/** @making: the making of chunks, one at a time, until each has its first page. */
	struct mutex making;
	/**
	 * @chunks: by number, none before its first page. Entries stay; the xarray has its own
	 * lock, readers use RCU.
	 */
	struct xarray chunks;

	/** @track: for ETRACK, EBLOCK and the coming and going of the SECS. */
	struct mutex track;
	/**
	 * @pins: reasons for the SECS to stay: its resident pages and calls in flight. 0 to 1 only
	 * under @track.
	 */
	atomic_t pins;
	/** @secs: the SECS, SGX2_EPC_NONE while evicted; under @track, constant while pinned. */
	sgx2_epc_t secs;
	/** @lru: on the reclaimer's list of SECSs without pins; under that list's lock. */
	struct list_head lru;
	/** @secs_slot: Version Array slot of the evicted SECS; under @track. */
	u32 secs_slot;
	/** @cpus: scratch for a round of interrupts; under @track. */
	cpumask_var_t cpus;

	/** @va: Version Array slots; has its own lock. */
	struct sgx2_va_user va;

	/** @mms_lock: for @mms, a leaf, since VMAs may be closed under mmap_lock for reading. */
	spinlock_t mms_lock;
	/** @mms: address spaces that map the enclave, with the number of their VMAs. */
	struct list_head mms;

	/** @count: for people to read. */
	atomic64_t count[SGX2_COUNTS];
};

extern const struct file_operations sgx2_enclave_fops;

/* The last one tears the enclave down, so no lock of it may be held, nor a chunk's of another. */
void sgx2_enclave_put(struct sgx2_enclave *enclave);

/*
 * Calls but close() fail from now on; mappings are gone. Safe under a chunk's mutex and the track
 * mutex.
 */
void sgx2_enclave_lost(struct sgx2_enclave *enclave);

static inline bool sgx2_enclave_is(const struct sgx2_enclave *enclave, int bit)
{
	/* Pairs with the release in sgx2_enclave_set(): what the bit promises is there. */
	return smp_load_acquire(&enclave->state) & BIT(bit);
}

static inline void sgx2_enclave_set(struct sgx2_enclave *enclave, int bit)
{
	/* What the bit promises is written before it; pairs with sgx2_enclave_is(). */
	smp_mb__before_atomic();
	set_bit(bit, &enclave->state);
}

static inline void sgx2_enclave_count(struct sgx2_enclave *enclave, enum sgx2_count what)
{
	atomic64_inc(&enclave->count[what]);
}

/*
 * The chunk of a page number (linear address divided by 4096), or NULL. It stays as long as the
 * enclave.
 */
static inline struct sgx2_chunk *sgx2_chunk_find(struct sgx2_enclave *enclave, unsigned long pgoff)
{
	return xa_load(&enclave->chunks, pgoff >> SGX2_CHUNK_ORDER);
}

/**
 * sgx2_chunk_make() - a chunk that is to have a first page
 * @enclave: whose
 * @pgoff: page number of that page
 *
 * Nobody finds it before sgx2_chunk_add() has added a page to it. sgx2_chunk_settle() comes after
 * that, or in its place.
 *
 * Context: under sgx2_enclave::making, and after a look under it that there is no such chunk.
 * Return: the chunk, or -ENOMEM.
 */
struct sgx2_chunk *sgx2_chunk_make(struct sgx2_enclave *enclave, unsigned long pgoff);

/* Frees it if it has got no page. Under sgx2_enclave::making, its own mutex not held. */
void sgx2_chunk_settle(struct sgx2_chunk *chunk);

static inline struct sgx2_page *sgx2_chunk_page(struct sgx2_chunk *chunk, unsigned long pgoff)
{
	lockdep_assert_held(&chunk->lock);
	return &chunk->page[pgoff % SGX2_CHUNK_PAGES];
}

static inline unsigned long sgx2_chunk_address(const struct sgx2_chunk *chunk, unsigned int index)
{
	return (chunk->number * SGX2_CHUNK_PAGES + index) * PAGE_SIZE;
}

/*
 * A page comes to be, in the EPC page @where; and the reverse, for @count of them, which tells how
 * many it were and names their EPC pages in @where. They keep the counts, the pins and the
 * reclaimer's list.
 */
void sgx2_chunk_add(struct sgx2_chunk *chunk, unsigned int index, sgx2_epc_t where, u8 type, u8 max,
		    u8 flags);
unsigned int sgx2_chunk_forget(struct sgx2_chunk *chunk, unsigned int first, unsigned int count,
			       sgx2_epc_t *where);

/* After pages were forgotten: what all that are left may be mapped with, anew. */
void sgx2_chunk_widen(struct sgx2_chunk *chunk);

/* A page goes from the EPC to Version Array slot @where, or comes back to EPC page @where. */
void sgx2_chunk_moved(struct sgx2_chunk *chunk, unsigned int index, enum sgx2_page_state state,
		      u32 where);

/* Takes the PTEs of @count pages from page number @pgoff on out of every address space. */
void sgx2_enclave_zap(struct sgx2_enclave *enclave, unsigned long pgoff, unsigned long count);

#endif
