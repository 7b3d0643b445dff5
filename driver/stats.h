/* SPDX-License-Identifier: GPL-2.0 */
/* What an enclave tells of itself in /proc/PID/fdinfo. */
#ifndef SGX2_STATS_H
#define SGX2_STATS_H

struct file;
struct seq_file;

void sgx2_show_fdinfo(struct seq_file *m, struct file *file);

#endif
