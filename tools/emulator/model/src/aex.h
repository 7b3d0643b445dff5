// SPDX-License-Identifier: GPL-2.0
// The end of enclave mode, by EEXIT or by an AEX.
#pragma once

#include "cpu.h"

namespace sgx2 {

Tcs load_tcs(const Epc &page);
void store_tcs(const Cpu &cpu, const Epc &page, const Tcs &tcs);

/// Leave enclave mode as EEXIT and an AEX do: restore FS, GS, XCR0 and TF, mark the TCS inactive,
/// and remove the CPU from its tracking epoch.
/// @return the effects, SGX2_EFFECT_*.
uint32_t leave_enclave(Cpu &cpu, sgx2_regs &regs);

/// Perform an asynchronous exit.
/// @return the effects, SGX2_EFFECT_*; 0 outside of enclave mode.
uint32_t asynchronous_exit(Cpu &cpu, sgx2_regs &regs, const sgx2_event &event);

} // namespace sgx2
