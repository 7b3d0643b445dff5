// SPDX-License-Identifier: GPL-2.0
/*
 * What an enclave tells of itself in /proc/PID/fdinfo: a key with the prefix sgx2-, a colon, a tab,
 * a value.
 *
 * Read without the chunks' mutexes, so that it can be read while one is held: while pages come and
 * go it is about right.
 */
#include <linux/seq_file.h>
#include "enclave.h"
#include "stats.h"

static const char *const sgx2_count_names[SGX2_COUNTS] = {
	[SGX2_COUNT_FAULTS] = "faults",		  [SGX2_COUNT_LOADS] = "loads",
	[SGX2_COUNT_EVICTIONS] = "evictions",	  [SGX2_COUNT_TRACKS] = "tracks",
	[SGX2_COUNT_ROUNDS] = "interrupt-rounds", [SGX2_COUNT_ZAPS] = "zaps",
	[SGX2_COUNT_MPROTECT] = "mprotect-pages", [SGX2_COUNT_REFUSED] = "code-refusals",
};

static const char *sgx2_state_name(const struct sgx2_enclave *enclave)
{
	if (sgx2_enclave_is(enclave, SGX2_DEAD))
		return "dead";
	if (sgx2_enclave_is(enclave, SGX2_INITIALIZED))
		return "initialized";
	return sgx2_enclave_is(enclave, SGX2_CREATED) ? "created" : "new";
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
}
