// SPDX-License-Identifier: GPL-2.0
// State Save Area frames: EENTER and ERESUME find and check them, an AEX fills them, ERESUME loads
// them (Documentation/isa.rst 3, 7, 11).
#pragma once

#include "execution.h"

namespace sgx2 {

/// Check frame @index of a thread for read and write access and keep references to its pages. Pages
/// are checked in order, the XSAVE area before GPRSGX; each page raises the fault of paging or of
/// the EPCM.
MaybeFault map_frame(const Execution &x, const Enclave &enclave, const Tcs &tcs, uint32_t index, Frame &frame);

Gprsgx load_gprsgx(const Frame &frame);
/// Store RSP and RBP of the untrusted stack, which an AEX restores.
void store_untrusted_stack(const Cpu &cpu, const Frame &frame, uint64_t rsp, uint64_t rbp);

/// Load the extended state of @frame as XRSTOR does.
/// @return false if XRSTOR would fault; nothing is loaded.
bool load_extended_state(Cpu &cpu, const Frame &frame, uint64_t xfrm);
void save_extended_state(Cpu &cpu, const Frame &frame, uint64_t xfrm);

/// Save the general registers for an AEX; U_RSP, U_RBP and AEXNOTIFY keep their values.
void save_registers(const Cpu &cpu, const Frame &frame, const sgx2_regs &regs, uint64_t flags, uint32_t exit_info);
void save_exinfo(const Frame &frame, const Exinfo &info);

} // namespace sgx2
