/* SPDX-License-Identifier: GPL-2.0 */
/* The state, counters and pages of an enclave in /proc/PID/fdinfo. */
#ifndef SGX2_STATS_H
#define SGX2_STATS_H

struct file;
struct seq_file;

/**
 * sgx2_show_fdinfo() - write the lines of an enclave, file_operations::show_fdinfo
 * @m: the file of procfs
 * @file: the file of the enclave
 *
 * Context: process.
 */
void sgx2_show_fdinfo(struct seq_file *m, struct file *file);

#endif
