// SPDX-License-Identifier: GPL-2.0
// Entry without the vDSO, as older runtimes did it: a fault inside raises a signal.
#pragma once

#include "enclave.h"

namespace sgx {

/// The end of such an entry: EEXIT, or a signal with its details.
struct RawExit {
	int signal = 0;
	u64 trap = 0;
	/// The error code of the page fault, as the kernel passes it to a handler.
	u64 error = 0;
	u64 address = 0;
	/// RAX at the signal: EENTER if the entry itself faulted, ERESUME if an AEX left the enclave.
	u64 leaf = 0;

	bool normal() const { return signal == 0; }
};

/// Enters the enclave once. SIGSEGV and SIGBUS are handled meanwhile.
RawExit enter_raw(const Enclave &enclave, Request &request, unsigned thread = 0, u32 leaf = EENTER);

} // namespace sgx
