/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A processor for the suites without hardware: the part of SGX2 that the driver's state machines
 * need, with controls that silicon does not have.
 */
#ifndef SGX2_KUNIT_PROCESSOR_H
#define SGX2_KUNIT_PROCESSOR_H

#include <linux/types.h>
#include "encls.h"

#define PROCESSOR_PAGES 512

/**
 * struct processor_page - an entry of the EPCM
 */
struct processor_page {
	/** @owner: page number of the SECS; for a SECS, its own page number */
	unsigned int owner;
	/** @address: linear address of the page. */
	u64 address;
	/** @flags: SECINFO flags: permissions, PENDING, MODIFIED, PR, type. */
	u64 flags;
	/** @epoch: epoch of the enclave in which the page was blocked or changed, 0 for none. */
	u64 epoch;
	/** @children: number of children of a SECS. */
	unsigned int children;
	/** @now: current epoch of a SECS; the first one is 1. */
	u64 now;
	/** @inside: number of threads that entered in this epoch. */
	unsigned int inside;
	/** @before: number of threads that entered in an earlier epoch. */
	unsigned int before;
	/** @valid: the entry is valid. */
	bool valid;
	/** @blocked: the page is blocked by EBLOCK. */
	bool blocked;
	/** @initialized: the enclave of a SECS is initialized. */
	bool initialized;
};

/**
 * struct processor - the state of the processor; one test at a time uses it
 */
struct processor {
	/** @memory: PROCESSOR_PAGES pages that take the place of the EPC. */
	void *memory;
	/** @page: the EPCM. */
	struct processor_page page[PROCESSOR_PAGES];
	/** @calls: number of executions of each leaf. */
	unsigned int calls[SGX2_LEAF_EUPDATESVN + 1];
	/** @inject_leaf: the leaf that returns @inject_code @inject_times times. */
	unsigned int inject_leaf;
	/** @inject_code: the code that the leaf returns. */
	int inject_code;
	/** @inject_times: remaining number of times. */
	unsigned int inject_times;
	/** @hold: EREMOVE waits until this is false. */
	bool hold;
	/** @at_eremove: EREMOVE calls it first, if it is set. */
	void (*at_eremove)(void);
	/** @version: latest version that was written to a Version Array. */
	u64 version;
};

extern struct processor processor;

/*
 * Start a machine with an EPC of its own, which sgx2_hw describes, and the EPC layer.
 */
int processor_start(void);
/* Start the machine with a page that an earlier kernel left valid, and with EREMOVE held. */
int processor_start_dirty(void);
/* Stop the machine; do nothing if it is not started. */
void processor_stop(void);
/* Stop and start only the EPC layer, to change sgx2_hw or the EPCM. */
void processor_halt(void);
int processor_restart(void);

/* Return the EPCM entry of an EPC page, and the number of valid entries. */
struct processor_page *processor_page(u32 epc);
unsigned int processor_valid(void);

#endif
