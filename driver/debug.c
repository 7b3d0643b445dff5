// SPDX-License-Identifier: GPL-2.0
/* Accesses of a debugger to a debug enclave: EDBGRD and EDBGWR. */
#include <linux/mm.h>
#include <linux/string.h>
#include "debug.h"
#include "enclave.h"
#include "encls.h"
#include "paging.h"
#include "policy.h"
#include "reclaim.h"

/* Reads or writes a part of an aligned word of 8 bytes, the unit of EDBGRD and EDBGWR. */
static int sgx2_debug_word(sgx2_epc_t epc, unsigned long address, void *buf, unsigned int len,
			   bool write)
{
	unsigned int offset = address % sizeof(u64);
	void *word = sgx2_epc_address(epc) + (address & ~PAGE_MASK) - offset;
	u64 data;

	if (sgx2_retry(sgx2_edbgrd(word, &data)))
		return -EIO;
	if (!write) {
		memcpy(buf, (u8 *)&data + offset, len);
		return 0;
	}
	memcpy((u8 *)&data + offset, buf, len);
	return sgx2_retry(sgx2_edbgwr(word, data)) ? -EIO : 0;
}

static int sgx2_debug_page(struct sgx2_chunk *chunk, struct vm_area_struct *vma,
			   unsigned long address, void *buf, unsigned int len, bool write)
{
	unsigned int index = (address >> PAGE_SHIFT) % SGX2_CHUNK_PAGES;
	struct sgx2_page *page;
	int ret;

	if (mutex_lock_killable(&chunk->lock))
		return -EINTR;
	page = sgx2_chunk_page(chunk, index);
	ret = sgx2_page_load(chunk, index);
	if (!ret && !sgx2_policy_may_install(page, vma->vm_flags))
		ret = -EFAULT;
	if (!ret && write && !sgx2_policy_may_debug_write(chunk->enclave, page))
		ret = -EFAULT;
	if (!ret)
		ret = sgx2_debug_word(page->where, address, buf, len, write);
	mutex_unlock(&chunk->lock);
	return ret;
}

/* Makes room under mmap_lock: runs the reclaimer, and waits only if that does not suffice. */
static int sgx2_debug_room(void)
{
	int ret = sgx2_reclaim_try(1);

	return ret == -EAGAIN ? sgx2_reclaim_wait(1, true) : ret;
}

int sgx2_access(struct vm_area_struct *vma, unsigned long address, void *buf, int len, int write)
{
	struct sgx2_enclave *enclave = vma->vm_private_data;
	struct sgx2_chunk *chunk;
	unsigned int now;
	int done, ret;

	if (!sgx2_enclave_is(enclave, SGX2_DEBUG))
		return -EFAULT;
	for (done = 0; done < len; done += now) {
		now = min_t(unsigned int, len - done, sizeof(u64) - (address + done) % sizeof(u64));
		chunk = sgx2_chunk_find(enclave, (address + done) >> PAGE_SHIFT);
		if (!chunk)
			return -EFAULT;
		ret = sgx2_with_room(sgx2_debug_page(chunk, vma, address + done, buf + done, now,
						     write),
				     sgx2_debug_room());
		if (ret)
			return ret;
	}
	return done;
}
