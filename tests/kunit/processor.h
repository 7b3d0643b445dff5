/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A processor for the pure suites: enough of SGX2 for the driver's state machines, and knobs that
 * silicon has not.
 */
#ifndef SGX2_KUNIT_PROCESSOR_H
#define SGX2_KUNIT_PROCESSOR_H

#include <linux/types.h>
#include "encls.h"

#define PROCESSOR_PAGES 512

/**
 * struct processor_page - an entry of its EPCM
 */
struct processor_page {
	/** @owner: page number of the SECS, or its own for a SECS. */
	unsigned int owner;
	/** @address: linear address. */
	u64 address;
	/** @flags: SECINFO flags: permissions, PENDING, MODIFIED, PR, type. */
	u64 flags;
	/** @epoch: of the enclave when it was blocked or changed, 0 for none. */
	u64 epoch;
	/** @children: of a SECS. */
	unsigned int children;
	/** @now: epoch of a SECS; starts at 1. */
	u64 now;
	/** @inside: threads that came in during this epoch. */
	unsigned int inside;
	/** @before: threads that came in before it. */
	unsigned int before;
	/** @valid: there is such a page. */
	bool valid;
	/** @blocked: EBLOCK. */
	bool blocked;
	/** @initialized: of a SECS. */
	bool initialized;
};

/**
 * struct processor - all of its state; one test at a time uses it
 */
struct processor {
	/** @memory: PROCESSOR_PAGES pages that play the EPC. */
	void *memory;
	/** @page: their EPCM. */
	struct processor_page page[PROCESSOR_PAGES];
	/** @calls: how often each leaf ran. */
	unsigned int calls[SGX2_LEAF_EUPDATESVN + 1];
	/** @inject_leaf: the leaf that answers @inject_answer instead, @inject_times times. */
	unsigned int inject_leaf;
	/** @inject_answer: what it answers then. */
	int inject_answer;
	/** @inject_times: how often that is still to happen. */
	unsigned int inject_times;
	/** @hold: EREMOVE waits until it is not set any more. */
	bool hold;
	/** @version: the last one written to a Version Array. */
	u64 version;
};

extern struct processor processor;

/*
 * A machine with EPC of its own, as sgx2_hw tells, and all of the EPC layer started; and its end.
 */
int processor_start(void);
/* The same with a page that a kernel before has left valid, and EREMOVE held. */
int processor_start_dirty(void);
/* Stops all of this; does nothing if it is not started. */
void processor_stop(void);
/* Stop and start the EPC layer alone, with another sgx2_hw or EPCM. */
void processor_halt(void);
int processor_restart(void);

/* The EPCM entry of an EPC page, by its name, and how many are valid. */
struct processor_page *processor_page(u32 epc);
unsigned int processor_valid(void);

#endif
