// SPDX-License-Identifier: GPL-2.0
/*
 * Version Arrays: pages of the EPC in which the processor remembers which copy of an evicted page
 * is the last one.
 *
 * Slots come from a pool of the enclave, not of the chunk. An array of its own for each chunk would
 * be simpler to number, but a chunk of which a few pages are evicted would then cost a whole EPC
 * page, and eviction from many sparse chunks gain nothing. The pool takes an array for each 512
 * evicted pages, and gives it back when the last of them is reloaded.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include "enclave.h"
#include "encls.h"
#include "paging.h"
#include "version.h"

#define SGX2_SLOTS 512

/**
 * struct sgx2_version - one Version Array
 *
 * All but the constants under sgx2_enclave::versions_lock.
 */
struct sgx2_version {
	/** @page: in the EPC; constant. */
	sgx2_epc_t page;
	/** @number: in sgx2_enclave::versions; constant. */
	u32 number;
	/** @used: slots in use. */
	unsigned int used;
	/** @node: in sgx2_enclave::versions_free while a slot is free. */
	struct list_head node;
	/** @slots: those in use. */
	DECLARE_BITMAP(slots, SGX2_SLOTS);
};

static bool sgx2_version_take(struct sgx2_enclave *enclave, u32 *slot)
{
	struct sgx2_version *version;
	unsigned int bit;

	guard(spinlock)(&enclave->versions_lock);
	version = list_first_entry_or_null(&enclave->versions_free, struct sgx2_version, node);
	if (!version)
		return false;
	bit = find_first_zero_bit(version->slots, SGX2_SLOTS);
	__set_bit(bit, version->slots);
	if (++version->used == SGX2_SLOTS)
		list_del_init(&version->node);
	*slot = version->number * SGX2_SLOTS + bit;
	return true;
}

static void sgx2_version_free(struct sgx2_version *version)
{
	sgx2_epc_remove(version->page);
	kfree(version);
}

static int sgx2_version_grow(struct sgx2_enclave *enclave)
{
	struct sgx2_version *version;
	int ret;

	version = kzalloc(sizeof(*version), GFP_KERNEL);
	if (!version)
		return -ENOMEM;
	if (!sgx2_epc_alloc(&version->page, 1, SGX2_EPC_RECLAIM)) {
		kfree(version);
		return -EAGAIN;
	}
	ret = sgx2_retry(sgx2_epa(sgx2_epc_address(version->page)));
	if (ret) {
		sgx2_epc_free(version->page);
		kfree(version);
		return -EIO;
	}
	ret = xa_alloc(&enclave->versions, &version->number, version,
		       XA_LIMIT(0, U32_MAX / SGX2_SLOTS), GFP_KERNEL);
	if (ret) {
		sgx2_version_free(version);
		return ret;
	}
	guard(spinlock)(&enclave->versions_lock);
	list_add(&version->node, &enclave->versions_free);
	return 0;
}

int sgx2_version_get(struct sgx2_enclave *enclave, u32 *slot)
{
	int ret;

	/* Another chunk may take the slots of the array that we have made, so look again. */
	while (!sgx2_version_take(enclave, slot)) {
		ret = sgx2_version_grow(enclave);
		if (ret)
			return ret;
	}
	return 0;
}

void sgx2_version_put(struct sgx2_enclave *enclave, u32 slot)
{
	struct sgx2_version *version = xa_load(&enclave->versions, slot / SGX2_SLOTS);

	if (WARN_ON_ONCE(!version))
		return;
	scoped_guard(spinlock, &enclave->versions_lock)
	{
		if (WARN_ON_ONCE(!__test_and_clear_bit(slot % SGX2_SLOTS, version->slots)))
			return;
		if (version->used-- == SGX2_SLOTS)
			list_add_tail(&version->node, &enclave->versions_free);
		/* The only one with room stays: the next eviction would want it back at once. */
		if (version->used || list_is_singular(&enclave->versions_free))
			return;
		list_del(&version->node);
	}
	xa_erase(&enclave->versions, version->number);
	sgx2_version_free(version);
}

void *sgx2_version_address(struct sgx2_enclave *enclave, u32 slot)
{
	struct sgx2_version *version = xa_load(&enclave->versions, slot / SGX2_SLOTS);

	if (WARN_ON_ONCE(!version))
		return NULL;
	return sgx2_epc_address(version->page) + slot % SGX2_SLOTS * sizeof(u64);
}

void sgx2_version_free_all(struct sgx2_enclave *enclave)
{
	struct sgx2_version *version;
	unsigned long number;

	xa_for_each(&enclave->versions, number, version) {
		xa_erase(&enclave->versions, number);
		sgx2_version_free(version);
	}
}
