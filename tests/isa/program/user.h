// SPDX-License-Identifier: GPL-2.0
// Execution at CPL 3: ENCLU with chosen registers, and the fault that ended it, from its signal.
#pragma once

#include "layout.h"

namespace isa {

/// Registers before and after ENCLU. user.S uses the offsets.
struct Frame {
	u64 rax = 0, rbx = 0, rcx = 0, rdx = 0, rsi = 0, rdi = 0, rbp = 0;
	u64 r8 = 0, r9 = 0, r10 = 0, r11 = 0, r12 = 0, r13 = 0, r14 = 0, r15 = 0;
	u64 rflags = rflags_user;
	u64 rsp = 0;   ///< stack pointer of the program while the thread is inside
	u64 stack = 0; ///< RSP inside; set by enclu()
	u64 aexs = 0;  ///< asynchronous exits after which the thread resumed
};
static_assert(offsetof(Frame, r15) == 112 && offsetof(Frame, aexs) == 144);

struct Exit {
	enum Where {
		returned,  ///< by EEXIT, to the instruction after ENCLU
		at_enclu,  ///< a fault on ENCLU itself
		at_aep,	   // a fault inside, reported at the AEP
		at_resume, ///< a fault on the ENCLU at the AEP
		timed_out, // SIGALRM interrupted the thread inside
		elsewhere,
	} where = returned;
	int signal = 0;
	u64 vector = 0, error = 0, cr2 = 0, rip = 0, rsp = 0;
	/// The registers at the fault, unless `where` is returned.
	Frame regs;
	/// x87 and SSE state in the signal frame.
	u16 fcw = 0, fsw = 0;
	u32 mxcsr = 0;
	u8 xmm7[16] = {};
};

/// Install the signal handlers for the calling thread; each thread that calls enclu() needs this
/// once. An alarm() makes a thread exit the enclave; a thread that is to stay inside blocks the
/// signal.
void install_fault_handlers();

/// Execute the leaf in frame.rax. After a return, the frame has the registers.
Exit enclu(Frame &frame);
/// Call a function with RAX, RCX, RDX and RFLAGS of the frame. The function may fault and contains
/// no plain ENCLU.
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
/// Return the offset in the enclave of a symbol in its code page.
inline u64 inside(const u8 *symbol)
{
	return static_cast<u64>(symbol - enclave_code);
}

} // namespace isa
