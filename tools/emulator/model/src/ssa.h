// SPDX-License-Identifier: GPL-2.0
// State Save Area frames: found and checked on the way in, filled on the way
// out, loaded by ERESUME (Documentation/isa.md 3, 7, 11).
#pragma once

#include "exec.h"

namespace sgx2 {

/// Check frame @index of a thread for read and write, as the entry leaves must,
/// and remember its pages. A fault is paging's or the EPCM's, whichever a page
/// meets first, XSAVE area before GPRSGX.
MaybeFault map_frame(const Exec &x, const Enclave &enclave, const Tcs &tcs, uint32_t index, Frame &frame);

Gprsgx load_gprsgx(const Frame &frame);
/// Where the thread was outside: what an exit of the untrusted stack returns to.
void store_outside_stack(const Cpu &cpu, const Frame &frame, uint64_t rsp, uint64_t rbp);

/// Load the extended state of @frame, as XRSTOR would.
/// @return false if XRSTOR would fault; then nothing is loaded.
bool load_extended_state(Cpu &cpu, const Frame &frame, uint64_t xfrm);
void save_extended_state(Cpu &cpu, const Frame &frame, uint64_t xfrm);

/// What an AEX finds in the general registers; U_RSP, U_RBP and AEXNOTIFY stay.
void save_registers(const Cpu &cpu, const Frame &frame, const sgx2_regs &regs, uint64_t flags, uint32_t exit_info);
void save_exinfo(const Frame &frame, const Exinfo &info);

} // namespace sgx2
