// SPDX-License-Identifier: GPL-2.0
// The table that describes to the loader the pages of an enclave beyond its segments; CMakeLists.txt has the numbers.

#include "../lib/request.h"

namespace {

[[gnu::section(".sgx2.layout"), gnu::used]] const sgx::Layout layout = {
	.magic = sgx::layout_magic,
	.threads = LAYOUT_THREADS,
	.frames = LAYOUT_FRAMES,
	.stack_pages = LAYOUT_STACK,
	.handler_stack_pages = LAYOUT_HANDLER_STACK,
	.heap_pages = LAYOUT_HEAP,
	.size_log2 = LAYOUT_SIZE_LOG2,
};

} // namespace
