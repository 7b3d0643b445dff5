// SPDX-License-Identifier: GPL-2.0
/* The leaves of ENCLS, in C, in place of driver/encls.c. */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "epc.h"
#include "hw.h"
#include "processor.h"
#include "reclaim.h"

#define GP (SGX2_ENCLS_FAULT | X86_TRAP_GP)
#define PF (SGX2_ENCLS_FAULT | X86_TRAP_PF)
#define PENDING BIT_ULL(3)
#define MODIFIED BIT_ULL(4)
#define PR BIT_ULL(5)
#define TYPE(flags) (SGX_SECINFO_PAGE_TYPE_MASK & (flags))
#define BYTES (PAGE_SIZE * PROCESSOR_PAGES)
#define ORDER get_order(BYTES)

struct processor processor;

/* ksgx2d evicts while a test runs: the lock makes each leaf atomic, as it is on silicon. */
static DEFINE_SPINLOCK(processor_lock);

static void processor_free(void)
{
	free_pages((unsigned long)processor.memory, ORDER);
	processor.memory = NULL;
}

int processor_restart(void)
{
	int ret;

	ret = sgx2_epc_init();
	if (ret)
		return ret;
	ret = sgx2_reclaim_init();
	if (ret)
		sgx2_epc_exit();
	return ret;
}

void processor_halt(void)
{
	sgx2_reclaim_exit();
	sgx2_epc_exit();
}

static int start(bool dirty)
{
	int ret;

	memset(&processor, 0, sizeof(processor));
	if (dirty) {
		/* A SECS that belongs to no enclave. */
		processor.page[PROCESSOR_PAGES - 1].valid = true;
		processor.hold = true;
	}
	processor.memory = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, ORDER);
	if (!processor.memory)
		return -ENOMEM;
	memset(&sgx2_hw, 0, sizeof(sgx2_hw));
	sgx2_hw.sgx2 = true;
	sgx2_hw.sections = 1;
	sgx2_hw.section[0].base = virt_to_phys(processor.memory);
	sgx2_hw.section[0].size = PROCESSOR_PAGES * PAGE_SIZE;
	ret = processor_restart();
	if (ret)
		processor_free();
	return ret;
}

int processor_start(void)
{
	return start(false);
}

int processor_start_dirty(void)
{
	return start(true);
}

void processor_stop(void)
{
	if (!processor.memory)
		return;
	processor_halt();
	processor_free();
}

static unsigned int number_of(const void *address)
{
	return (address - processor.memory) / PAGE_SIZE;
}

static struct processor_page *page_of(const void *address)
{
	return &processor.page[number_of(address)];
}

struct processor_page *processor_page(u32 epc)
{
	return page_of(sgx2_epc_address(epc));
}

unsigned int processor_valid(void)
{
	unsigned int i, count = 0;

	for (i = 0; i < PROCESSOR_PAGES; i++)
		count += processor.page[i].valid;
	return count;
}

/* Count the call, and return true if the test has injected a code for it. */
static bool injected(enum sgx2_leaf leaf, int *code)
{
	processor.calls[leaf]++;
	if (!processor.inject_times || processor.inject_leaf != leaf)
		return false;
	processor.inject_times--;
	*code = processor.inject_code;
	return true;
}

static struct processor_page *secs_of(struct processor_page *page)
{
	return &processor.page[page->owner];
}

static bool tracked(struct processor_page *page)
{
	struct processor_page *secs = secs_of(page);

	return !page->epoch || secs->now > page->epoch + 1 ||
	       (secs->now == page->epoch + 1 && !secs->before);
}

static void fill(void *address, const void *secs, u64 linear, u64 flags)
{
	struct processor_page *page = page_of(address);

	memset(page, 0, sizeof(*page));
	page->valid = true;
	page->owner = number_of(secs);
	page->address = linear;
	page->flags = flags;
	if (secs != address)
		page_of(secs)->children++;
}

int sgx2_ecreate(struct sgx_pageinfo *info, void *secs)
{
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_ECREATE, &code))
		return code;
	if (page_of(secs)->valid)
		return PF;
	fill(secs, secs, 0, SGX_SECINFO_SECS);
	page_of(secs)->now = 1;
	memcpy(secs, (void *)(unsigned long)info->contents, PAGE_SIZE);
	return 0;
}

int sgx2_eadd(struct sgx_pageinfo *info, void *page)
{
	const struct sgx_secinfo *secinfo = (void *)(unsigned long)info->metadata;
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EADD, &code))
		return code;
	if (page_of(page)->valid)
		return PF;
	fill(page, (void *)(unsigned long)info->secs, info->addr, secinfo->flags);
	memcpy(page, (void *)(unsigned long)info->contents, PAGE_SIZE);
	return 0;
}

int sgx2_eextend(void *secs, void *block)
{
	int code;

	guard(spinlock)(&processor_lock);
	return injected(SGX2_LEAF_EEXTEND, &code) ? code : 0;
}

int sgx2_einit(void *sigstruct, void *secs, void *token)
{
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EINIT, &code))
		return code;
	page_of(secs)->initialized = true;
	return 0;
}

int sgx2_eremove(void *address)
{
	struct processor_page *page = page_of(address);
	int code;

	while (READ_ONCE(processor.hold))
		usleep_range(1000, 2000);
	if (processor.at_eremove)
		processor.at_eremove();
	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EREMOVE, &code))
		return code;
	if (!page->valid)
		return 0;
	if (TYPE(page->flags) == SGX_SECINFO_SECS && page->children)
		return SGX2_CHILD_PRESENT;
	page->valid = false;
	if (TYPE(page->flags) != SGX_SECINFO_SECS && TYPE(page->flags) != SGX_SECINFO_VA)
		secs_of(page)->children--;
	return 0;
}

int sgx2_edbgrd(void *address, u64 *data)
{
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EDBGRD, &code))
		return code;
	*data = *(u64 *)address;
	return 0;
}

int sgx2_edbgwr(void *address, u64 data)
{
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EDBGWR, &code))
		return code;
	*(u64 *)address = data;
	return 0;
}

int sgx2_epa(void *page)
{
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EPA, &code))
		return code;
	if (page_of(page)->valid)
		return PF;
	fill(page, page, 0, SGX_SECINFO_VA);
	memset(page, 0, PAGE_SIZE);
	return 0;
}

int sgx2_eblock(void *address)
{
	struct processor_page *page = page_of(address);
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EBLOCK, &code))
		return code;
	if (!page->valid)
		return SGX2_PG_INVLD;
	if (page->blocked)
		return SGX2_BLKSTATE;
	page->blocked = true;
	page->epoch = secs_of(page)->now;
	return 0;
}

int sgx2_ewb(struct sgx_pageinfo *info, void *address, void *slot)
{
	struct sgx_pcmd *pcmd = (void *)(unsigned long)info->metadata;
	struct processor_page *page = page_of(address);
	bool secs = TYPE(page->flags) == SGX_SECINFO_SECS;
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EWB, &code))
		return code;
	if (!page->valid || !page_of(slot)->valid)
		return PF;
	if (secs && page->children)
		return SGX2_CHILD_PRESENT;
	if (!secs && !page->blocked)
		return 10;
	if (!secs && !tracked(page))
		return SGX2_NOT_TRACKED;
	memset(pcmd, 0, sizeof(*pcmd));
	pcmd->secinfo.flags = page->flags;
	memcpy((void *)(unsigned long)info->contents, address, PAGE_SIZE);
	*(u64 *)slot = ++processor.version;
	memcpy(pcmd->mac, slot, sizeof(u64));
	memcpy(pcmd->mac + sizeof(u64), &page->address, sizeof(u64));
	/* The hidden state of a SECS survives its eviction. */
	pcmd->enclave_id = secs ? page->now : 0;
	page->valid = false;
	if (!secs)
		secs_of(page)->children--;
	return 0;
}

int sgx2_eldu(struct sgx_pageinfo *info, void *address, void *slot)
{
	struct sgx_pcmd *pcmd = (void *)(unsigned long)info->metadata;
	bool secs = TYPE(pcmd->secinfo.flags) == SGX_SECINFO_SECS;
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_ELDU, &code))
		return code;
	if (page_of(address)->valid || !page_of(slot)->valid)
		return PF;
	if (secs != !info->secs)
		return GP;
	if (memcmp(pcmd->mac, slot, sizeof(u64)) ||
	    memcmp(pcmd->mac + sizeof(u64), &info->addr, sizeof(u64)))
		return SGX2_MAC_COMPARE_FAIL;
	*(u64 *)slot = 0;
	fill(address, secs ? address : (void *)(unsigned long)info->secs, info->addr,
	     pcmd->secinfo.flags);
	if (secs)
		page_of(address)->now = pcmd->enclave_id;
	memcpy(address, (void *)(unsigned long)info->contents, PAGE_SIZE);
	return 0;
}

int sgx2_etrack(void *address)
{
	struct processor_page *secs = page_of(address);
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_ETRACK, &code))
		return code;
	if (!secs->valid)
		return PF;
	if (secs->before)
		return SGX2_PREV_TRK_INCMPL;
	secs->now++;
	secs->before = secs->inside;
	secs->inside = 0;
	return 0;
}

int sgx2_eaug(struct sgx_pageinfo *info, void *page)
{
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EAUG, &code))
		return code;
	if (page_of(page)->valid)
		return PF;
	fill(page, (void *)(unsigned long)info->secs, info->addr,
	     SGX_SECINFO_R | SGX_SECINFO_W | PENDING | SGX_SECINFO_REG);
	memset(page, 0, PAGE_SIZE);
	return 0;
}

int sgx2_emodpr(const struct sgx_secinfo *secinfo, void *address)
{
	struct processor_page *page = page_of(address);
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EMODPR, &code))
		return code;
	if (!page->valid)
		return PF;
	if (page->flags & (PENDING | MODIFIED))
		return SGX2_PAGE_NOT_MODIFIABLE;
	if (TYPE(page->flags) != SGX_SECINFO_REG)
		return PF;
	page->flags &= ~SGX_SECINFO_PERMISSION_MASK | secinfo->flags;
	page->flags |= PR;
	page->epoch = secs_of(page)->now;
	return 0;
}

int sgx2_emodt(const struct sgx_secinfo *secinfo, void *address)
{
	struct processor_page *page = page_of(address);
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EMODT, &code))
		return code;
	if (!page->valid)
		return PF;
	if (page->flags & (PENDING | MODIFIED))
		return SGX2_PAGE_NOT_MODIFIABLE;
	page->flags = MODIFIED | TYPE(secinfo->flags);
	page->epoch = secs_of(page)->now;
	return 0;
}

int sgx2_erdinfo(struct sgx2_rdinfo *info, void *address)
{
	struct processor_page *page = page_of(address);
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_ERDINFO, &code))
		return code;
	if (!page->valid)
		return SGX2_PG_INVLD;
	*info = (struct sgx2_rdinfo){ .flags = page->flags };
	return 0;
}

int sgx2_eupdatesvn(void)
{
	int code;

	guard(spinlock)(&processor_lock);
	if (injected(SGX2_LEAF_EUPDATESVN, &code))
		return code;
	return processor_valid() ? SGX2_EPC_NOT_READY : 0;
}
