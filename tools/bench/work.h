// SPDX-License-Identifier: GPL-2.0
// The pieces of work that are measured. Each is done on both drivers; where mainline lacks a call it does what comes to the same.
#pragma once

#include "subject.h"

namespace sgx {

struct Bench {
	const Meter &meter;
	const Plan &plan;
	Results &results;
};

/// Growth, changes of permissions in each way, relaxation, removal: one enclave through all of them.
void measure_life(Bench &bench);
/// Growth in other ways than walking up, and the end of an enclave that has grown.
void measure_growth(Bench &bench);
/// Growth, reset and the end of an enclave as large as the EPC allows.
void measure_large(Bench &bench);
/// CREATE, ADD_PAGES, first touch, the end; kernel memory.
void measure_build(Bench &bench);
/// Enclaves larger than the EPC.
void measure_paging(Bench &bench);
/// Threads that come to be.
void measure_threads(Bench &bench);
/// What three runtimes do.
void measure_traces(Bench &bench);
/// Two threads and more at the same time, by the clock.
void measure_parallel(Bench &bench);
/// How long a call holds its CPU; with one CPU and -icount.
void measure_yield(Bench &bench);

} // namespace sgx
