// SPDX-License-Identifier: GPL-2.0
// Into an enclave without the vDSO, as runtimes did before there was one: a fault inside is a signal, and its handler looks.
#pragma once

#include "enclave.h"

namespace sgx {

/// How such an entry ended: by EEXIT, or by the signal and what it told.
struct RawExit {
	int signal = 0;
	u64 trap = 0;
	/// The page fault's error code, as the kernel gives it to a handler.
	u64 error = 0;
	u64 address = 0;
	/// RAX at the signal: EENTER if it never came in, ERESUME if it left by an AEX.
	u64 leaf = 0;

	bool normal() const { return signal == 0; }
};

/// One entry; SIGSEGV and SIGBUS are caught meanwhile.
RawExit enter_raw(const Enclave &enclave, Request &request, unsigned thread = 0, u32 leaf = EENTER);

} // namespace sgx
