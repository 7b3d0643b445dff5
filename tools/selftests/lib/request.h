// SPDX-License-Identifier: GPL-2.0
// The request of a program to an enclave of this suite: a struct in ordinary memory, with its address in RDI at EENTER.
//
// The enclave does not check the request: it is a test program, and keeps no secret.
#pragma once

#include "arch.h"

namespace sgx {

enum class Op : u64 {
	nothing,
	read,	///< result = the u64 at address
	write,	///< the u64 at address = value
	copy,	///< length bytes from source to address; either may be outside of the enclave
	fill,	///< the range's pattern with seed value
	check,	///< result = number of words that differ from the pattern, extra = the address of the first
	clear,	///< writes zeroes to the range
	access, ///< reads a word of each page of the range, or writes value to it if value is not 0; if source is not 0, as many
		///< accesses are made to random pages of the range, and source is the seed
	run,	///< result = return value of the function at address for value
	leaf,	///< ENCLU with RAX, RBX, RCX, RDX = value, address, length, source; result = RAX
	accept, ///< EACCEPT of each page of the range with secinfo
	accept_copy, ///< EACCEPTCOPY of each page of the range from the page at source
	extend,	     ///< EMODPE of each page of the range
	report,	     ///< EREPORT for the enclave itself with value as data; the report goes to address
	make_tcs,    ///< writes a TCS into the page at address: its SSA is at source, length frames, its ThreadData at value
	make_thread, ///< writes ThreadData to address: stack, handler_stack, ssa are source, value, extra, relative to the TCS
	spin,	     ///< writes 1 to address, counts at address + 8 until the u64 at source is not 0
	registers,   ///< spin with a pattern in each register; result = number of registers that changed
	watch,	     ///< spin that reads the u64 at value in each iteration
	saved,	     ///< in a handler: copies the Gprs of the interrupted frame to address, its ExInfo to source
	skip,	     ///< in a handler: adds value to the RIP of the interrupted code
	redirect,    ///< in a handler: sets the RIP of the interrupted code to value
	abandon,     ///< in a handler: the interrupted operation ends, with Status::abandoned
	depth,	     ///< result = CSSA
	secret,	     ///< result = a word of the data segment, which is then set to value
};

enum class Status : u64 {
	none, ///< the enclave wrote no status
	done,
	refused, ///< a leaf returned a code: result
	unknown, ///< no such operation
	abandoned,
	misplaced, ///< an operation of handlers, outside of a handler
	too_deep,  ///< an exception in the handler
};

struct Request {
	Op op;
	u64 address;
	u64 length;
	u64 value;
	u64 source;
	/// SECINFO.FLAGS, for leaves that have a SECINFO.
	u64 secinfo;
	/// Not 0 if the operation runs from the end of the range to its start.
	u64 descending;

	Status status;
	/// The result of the operation, and RAX of the last leaf.
	u64 result;
	/// Number of bytes of the range that are done.
	u64 done;
	u64 extra;
};

/// Memory that `spin` and similar operations share with the program.
struct Beat {
	volatile u64 inside;
	volatile u64 count;
	volatile u64 stop;
};

/// The page at a thread's GS base. Its values are relative to the TCS, so the measurement does not depend on the base.
struct ThreadData {
	u64 stack;	   ///< top of the stack for a normal entry
	u64 handler_stack; ///< top of the stack for an entry while one SSA frame is in use
	u64 ssa;	   ///< the first SSA frame
	u64 frame_size;	   ///< in bytes
	u64 stack_inside;  ///< set by the runtime: the stack pointer that `abandon` restores
	u64 request;	   ///< set by the runtime: the request of the normal entry
};

/// Returns the word that `fill` writes at an offset in ELRANGE.
constexpr u64 pattern(u64 seed, u64 offset)
{
	u64 x = (offset + 1) * 0x9e3779b97f4a7c15ULL ^ seed;
	x ^= x >> 29;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

/// Section .sgx2.layout of an enclave: the pages that the loader places behind the segments.
struct Layout {
	u64 magic;
	u32 threads;
	/// Number of SSA frames of each thread.
	u32 frames;
	u32 stack_pages;
	u32 handler_stack_pages;
	/// Number of pages that are added with read and write permission.
	u32 heap_pages;
	/// Base-2 logarithm of the size of ELRANGE.
	u32 size_log2;
};
constexpr u64 layout_magic = 0x7475'6f79'616c'3278;

} // namespace sgx
