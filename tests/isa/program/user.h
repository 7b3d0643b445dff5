// SPDX-License-Identifier: GPL-2.0
// Ring 3: ENCLU with chosen registers, and what a signal tells of the fault that ended it.
#pragma once

#include "layout.h"

namespace isa {

/// Registers into and out of ENCLU; user.S knows the offsets.
struct Frame {
	u64 rax = 0, rbx = 0, rcx = 0, rdx = 0, rsi = 0, rdi = 0, rbp = 0;
	u64 r8 = 0, r9 = 0, r10 = 0, r11 = 0, r12 = 0, r13 = 0, r14 = 0, r15 = 0;
	u64 rflags = 0x202;
	u64 rsp = 0;  ///< of the program while in the enclave
	u64 gate = 0; ///< RSP inside; set by enclu()
	u64 aexs = 0; ///< asynchronous exits after which the thread went back in
};
static_assert(offsetof(Frame, r15) == 112 && offsetof(Frame, aexs) == 144);

struct Exit {
	enum Where {
		returned,  ///< by EEXIT, to behind ENCLU
		at_enclu,  ///< a fault on ENCLU itself
		at_aep,	   // a fault inside, seen from outside
		at_resume, ///< a fault on the ENCLU at the AEP
		late,	   // SIGALRM found it inside
		elsewhere,
	} where = returned;
	int signal = 0;
	u64 vector = 0, error = 0, cr2 = 0, rip = 0, rsp = 0;
	/// As the fault left them, for any `where` but returned.
	Frame regs;
	/// x87 and SSE state that the signal frame has.
	u16 fcw = 0, fsw = 0;
	u32 mxcsr = 0;
	u8 xmm7[16] = {};
};

/// Handlers for the calling thread; each thread that calls enclu() needs this once. An alarm() that finds the thread inside an
/// enclave brings it out; a thread that is to stay there blocks the signal.
void catch_faults();

/// Runs the leaf in frame.rax. The frame has the registers afterwards when it returned.
Exit enclu(Frame &frame);
/// Calls function with RAX, RCX, RDX and RFLAGS of the frame: anything that may fault and is not plain ENCLU.
Exit call(u64 function, Frame &frame);

} // namespace isa

extern "C" {
extern const isa::u8 isa_enclu_at[], isa_enclu_next[], isa_landing[], isa_aep[], isa_aep_at[];
extern const isa::u8 isa_enclu_lock[], isa_enclu_66[], isa_enclu_f2[], isa_enclu_f3[], isa_enclu_67[];
extern const isa::u8 isa_enclu_plain[], isa_encls_plain[], isa_enclv_plain[], isa_load[], isa_store[];
extern const isa::u8 enclave_code[], enclave_code_end[];
extern const isa::u8 inside_state[], inside_bases[], inside_xgetbv[], inside_leaf[], inside_leaf_at[];
extern const isa::u8 inside_exit[], inside_exit_at[], inside_read[], inside_read_at[], inside_write[], inside_write_at[];
extern const isa::u8 insn_ud2[], insn_ud2_at[];
extern const isa::u8 inside_jump[], inside_out[], inside_spin[], inside_watch[], inside_popf[];
extern const isa::u8 inside_patterns[], inside_patterns_at[], inside_patterns_after[];
}

namespace isa {

inline u64 address_of(const u8 *symbol)
{
	return reinterpret_cast<u64>(symbol);
}
/// Offset in the enclave of something in its code page.
inline u64 inside(const u8 *symbol)
{
	return static_cast<u64>(symbol - enclave_code);
}

} // namespace isa
