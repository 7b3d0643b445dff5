// SPDX-License-Identifier: GPL-2.0
// The pieces of work that are measured, on both drivers. If mainline lacks a call, the work uses an equivalent one.
#pragma once

#include "workload.h"

namespace sgx {

struct Bench {
	const Meter &meter;
	const Plan &plan;
	Results &results;
};

/// Growth, changes of permissions in each way, relaxation and removal, in one enclave.
void measure_life(Bench &bench);
/// Ways to grow other than ascending accesses, and the release of a grown enclave.
void measure_growth(Bench &bench);
/// Growth, reset and release of an enclave as large as the EPC allows.
void measure_large(Bench &bench);
/// CREATE, ADD_PAGES, first access, release; kernel memory.
void measure_build(Bench &bench);
/// Enclaves larger than the EPC.
void measure_paging(Bench &bench);
/// Threads that are added to a running enclave.
void measure_threads(Bench &bench);
/// The calls of three runtimes.
void measure_traces(Bench &bench);
/// Two and more threads at the same time, measured by the clock.
void measure_parallel(Bench &bench);
/// The time for which a call holds its CPU; with one CPU and -icount.
void measure_yield(Bench &bench);

} // namespace sgx
