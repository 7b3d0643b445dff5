// SPDX-License-Identifier: GPL-2.0
// The end of a stay inside, wanted (EEXIT) or not (AEX).
#pragma once

#include "cpu.h"

namespace sgx2 {

Tcs load_tcs(const Epc &page);
void store_tcs(const Cpu &cpu, const Epc &page, const Tcs &tcs);

/// What both exits do: FS, GS, XCR0 and TF as they were outside, the thread's
/// TCS free, the CPU counted out of its epoch.
/// @return the effects.
uint32_t leave_enclave(Cpu &cpu, sgx2_regs &regs);

/// Asynchronous exit; @return the effects, none when not inside.
uint32_t asynchronous_exit(Cpu &cpu, sgx2_regs &regs, const sgx2_event &event);

} // namespace sgx2
