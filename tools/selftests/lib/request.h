// SPDX-License-Identifier: GPL-2.0
// How a program asks an enclave of this suite for something: one struct in ordinary memory, its address in RDI at EENTER.
//
// The enclave takes what it finds on trust. It is there to be told what to do, not to keep a secret.
#pragma once

#include "arch.h"

namespace sgx {

enum class Op : u64 {
	nothing,
	read,	     ///< result = the u64 at address
	write,	     ///< the u64 at address = value
	copy,	     ///< length bytes from source to address; either may lie outside
	fill,	     ///< the range's pattern with seed value
	check,	     ///< result = how many words of the range differ from that pattern, extra = the address of the first
	clear,	     ///< zeroes
	touch,	     ///< reads a word of each page of the range, or writes value there if that is not 0
	run,	     ///< result = what the function at address returns for value
	leaf,	     ///< ENCLU with RAX, RBX, RCX, RDX = value, address, length, source; result = RAX
	accept,	     ///< EACCEPT of each page of the range with secinfo
	accept_copy, ///< EACCEPTCOPY of each page of the range from the page at source
	extend,	     ///< EMODPE of each page of the range
	report,	     ///< EREPORT for the enclave itself with value as data; the report goes to address
	make_tcs,    ///< writes a TCS into the page at address: its SSA is at source, length frames, its ThreadData at value
	make_thread, ///< writes ThreadData to address: stack, handler_stack, ssa are source, value, extra, relative to the TCS
	spin,	     ///< says 1 at address, counts at address + 8, until the u64 at source is not zero
	registers,   ///< the same with patterns in all registers; result = how many were not kept
	watch,	     ///< as spin, and reads the u64 at value each time around
	saved,	     ///< in a handler: the Gprs of the interrupted frame go to address, its ExInfo to source
	skip,	     ///< in a handler: the interrupted code goes on value bytes later
	redirect,    ///< in a handler: the interrupted code's RIP is to be value
	abandon,     ///< in a handler: the interrupted operation ends, with Status::abandoned
	depth,	     ///< result = CSSA
	secret,	     ///< result = a word of the enclave's data segment, which is then value
};

enum class Status : u64 {
	none, ///< the enclave did not get as far
	done,
	refused, ///< a leaf returned a code: result
	unknown, ///< no such operation
	abandoned,
	misplaced, ///< a handler's operation outside of a handler
	too_deep,  ///< an exception in the handler
};

struct Request {
	Op op;
	u64 address;
	u64 length;
	u64 value;
	u64 source;
	/// SECINFO.FLAGS for leaves that take one.
	u64 secinfo;
	/// Work from the end of the range to its start.
	u64 descending;

	Status status;
	/// What the operation found, and RAX of the last leaf.
	u64 result;
	/// Bytes of the range that are done.
	u64 done;
	u64 extra;
};

/// What `spin` and its like share with the program.
struct Beat {
	volatile u64 inside;
	volatile u64 count;
	volatile u64 stop;
};

/// The page at a thread's GS base. All are relative to the TCS, so that they are measured, and the same wherever the enclave is.
struct ThreadData {
	u64 stack;	   ///< top of the stack of a normal entry
	u64 handler_stack; ///< top of that of an entry while one frame is in use
	u64 ssa;	   ///< the first frame
	u64 frame_size;	   ///< in bytes
	u64 stack_inside;  ///< kept by the runtime: where `abandon` goes back to
	u64 request;	   ///< kept by the runtime: the request of the normal entry
};

/// The word that `fill` writes at an offset in ELRANGE.
constexpr u64 pattern(u64 seed, u64 offset)
{
	u64 x = (offset + 1) * 0x9e3779b97f4a7c15ULL ^ seed;
	x ^= x >> 29;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

/// In section .sgx2.layout of an enclave: what the loader is to place behind the segments.
struct Layout {
	u64 magic;
	u32 threads;
	/// SSA frames of each thread.
	u32 frames;
	u32 stack_pages;
	u32 handler_stack_pages;
	/// Added pages that are read and written.
	u32 heap_pages;
	/// Bytes of ELRANGE are 2 to this.
	u32 size_log2;
};
constexpr u64 layout_magic = 0x7475'6f79'616c'3278;

} // namespace sgx
