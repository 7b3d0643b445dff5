// SPDX-License-Identifier: GPL-2.0
/*
 * The state, counters and pages of an enclave in /proc/PID/fdinfo. Each line has a key with the
 * prefix sgx2-, a colon, a tab and a value.
 *
 * The descriptors of pages are read without the mutexes of the chunks, so a reader does not wait
 * for a call that holds one. While pages are added and removed, the lines are approximate.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <asm/sgx.h>
#include "enclave_types.h"
#include "stats.h"

static const char *const sgx2_count_names[SGX2_COUNTS] = {
	[SGX2_COUNT_FAULTS] = "faults",
	[SGX2_COUNT_LOADS] = "loads",
	[SGX2_COUNT_EVICTIONS] = "evictions",
	[SGX2_COUNT_TRACKS] = "tracks",
	[SGX2_COUNT_IPI_BROADCASTS] = "ipi-broadcasts",
	[SGX2_COUNT_ZAPS] = "zaps",
	[SGX2_COUNT_MPROTECT] = "mprotect-pages",
	[SGX2_COUNT_REFUSALS] = "code-refusals",
};

static const char *sgx2_state_name(const struct sgx2_enclave *enclave)
{
	if (sgx2_enclave_is(enclave, SGX2_DEAD))
		return "dead";
	if (sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return "initialized";
	return sgx2_enclave_is(enclave, SGX2_CREATED) ? "created" : "new";
}

/**
 * struct sgx2_run - a run of adjacent pages with the same attributes
 *
 * Belongs to the task that reads.
 */
struct sgx2_run {
	/** @start: page number of the first page. */
	unsigned long start;
	/** @end: page number after the last page; equal to @start if the run is empty. */
	unsigned long end;
	/** @page: their attributes; @page.where is unused. */
	struct sgx2_page page;
	/** @lines: number of lines that were written. */
	unsigned int lines;
};

static const char *sgx2_type_name(u8 type)
{
	return type == SGX_PAGE_TYPE_TCS ? "tcs" : type == SGX_PAGE_TYPE_REG ? "reg" : "trim";
}

static void sgx2_run_show(struct seq_file *m, const struct sgx2_enclave *enclave,
			  struct sgx2_run *run)
{
	const struct sgx2_page *page = &run->page;

	if (run->start == run->end || run->lines++ >= SGX2_FDINFO_RANGES)
		return;
	seq_printf(m, "sgx2-range:\t0x%lx-0x%lx %s %s %c%c%c %s\n",
		   (run->start << PAGE_SHIFT) - enclave->base,
		   (run->end << PAGE_SHIFT) - enclave->base, sgx2_type_name(page->type),
		   page->state == SGX2_RESIDENT ? "resident" : "evicted",
		   page->max_prot & VM_READ ? 'r' : '-', page->max_prot & VM_WRITE ? 'w' : '-',
		   page->max_prot & VM_EXEC ? 'x' : '-',
		   page->flags & SGX2_PAGE_DYNAMIC ? "dynamic" : "added");
}

/* Returns whether the page at @pgoff continues the run. */
static bool sgx2_run_fits(const struct sgx2_run *run, unsigned long pgoff,
			  const struct sgx2_page *page)
{
	return run->end == pgoff && run->page.state == page->state &&
	       run->page.type == page->type && run->page.max_prot == page->max_prot &&
	       run->page.flags == page->flags;
}

static void sgx2_show_chunk(struct seq_file *m, const struct sgx2_chunk *chunk,
			    struct sgx2_run *run)
{
	unsigned long pgoff = chunk->number * SGX2_CHUNK_PAGES;
	struct sgx2_page page;
	unsigned int i;

	for (i = 0; i < SGX2_CHUNK_PAGES; i++, pgoff++) {
		/* Pairs with sgx2_chunk_add_page(): other members are as recent as the state. */
		page.state = smp_load_acquire(&chunk->page[i].state);
		if (page.state == SGX2_ABSENT)
			continue;
		page.type = READ_ONCE(chunk->page[i].type);
		page.max_prot = READ_ONCE(chunk->page[i].max_prot);
		page.flags = READ_ONCE(chunk->page[i].flags) & ~SGX2_PAGE_CREDIT;
		if (!sgx2_run_fits(run, pgoff, &page)) {
			sgx2_run_show(m, chunk->enclave, run);
			run->start = pgoff;
			run->page = page;
		}
		run->end = pgoff + 1;
	}
}

/* Writes the runs of pages by offset in ELRANGE, and a last line if there are more. */
static void sgx2_show_ranges(struct seq_file *m, struct sgx2_enclave *enclave)
{
	struct sgx2_run run = {};
	struct sgx2_chunk *chunk;
	unsigned long number;

	xa_for_each(&enclave->chunks, number, chunk) {
		sgx2_show_chunk(m, chunk, &run);
		cond_resched();
		if (run.lines > SGX2_FDINFO_RANGES || seq_has_overflowed(m))
			break;
	}
	sgx2_run_show(m, enclave, &run);
	if (run.lines > SGX2_FDINFO_RANGES)
		seq_puts(m, "sgx2-range:\tmore\n");
}

void sgx2_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct sgx2_enclave *enclave = file->private_data;
	unsigned long number, chunks = 0, present = 0, resident = 0;
	struct sgx2_chunk *chunk;
	unsigned int i;

	xa_for_each(&enclave->chunks, number, chunk) {
		chunks++;
		present += READ_ONCE(chunk->present);
		resident += READ_ONCE(chunk->resident);
	}
	seq_printf(m, "sgx2-state:\t%s\n", sgx2_state_name(enclave));
	if (sgx2_enclave_is(enclave, SGX2_CREATED)) {
		seq_printf(m, "sgx2-base:\t0x%lx\n", enclave->base);
		seq_printf(m, "sgx2-size:\t0x%lx\n", enclave->size);
	}
	seq_printf(m, "sgx2-chunks:\t%lu\n", chunks);
	seq_printf(m, "sgx2-pages:\t%lu\n", present);
	seq_printf(m, "sgx2-resident:\t%lu\n", resident);
	for (i = 0; i < SGX2_COUNTS; i++)
		seq_printf(m, "sgx2-%s:\t%lld\n", sgx2_count_names[i],
			   (s64)atomic64_read(&enclave->count[i]));
	sgx2_show_ranges(m, enclave);
}
