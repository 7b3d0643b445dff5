// SPDX-License-Identifier: GPL-2.0
// The leaves by number. Each leaf is one function, which performs the checks of
// Documentation/isa.rst 6 and 7 in their order and then commits. It runs with the machine's lock
// held; a late-locking leaf takes the lock after it has read its last operand.
#pragma once

#include "codes.h"
#include "execution.h"

namespace sgx2 {

/// In encls_build.cpp.
Outcome ecreate(Execution &x);
Outcome eadd(Execution &x);
Outcome eextend(Execution &x);
Outcome einit(Execution &x);
Outcome eremove(Execution &x);

/// In encls_debug.cpp.
Outcome edbgrd(Execution &x);
Outcome edbgwr(Execution &x);
Outcome erdinfo(Execution &x);
Outcome eupdatesvn(Execution &x);

/// In encls_paging.cpp.
Outcome epa(Execution &x);
Outcome eblock(Execution &x);
Outcome etrack(Execution &x);
Outcome etrackc(Execution &x);
Outcome ewb(Execution &x);
Outcome eldb(Execution &x);
Outcome eldu(Execution &x);
Outcome eldbc(Execution &x);
Outcome elduc(Execution &x);

/// In encls_edmm.cpp.
Outcome eaug(Execution &x);
Outcome emodpr(Execution &x);
Outcome emodt(Execution &x);

/// In enclu_entry.cpp.
Outcome eenter(Execution &x);
Outcome eresume(Execution &x);
Outcome eexit(Execution &x);
Outcome edeccssa(Execution &x);

/// In enclu_edmm.cpp.
Outcome eaccept(Execution &x);
Outcome eacceptcopy(Execution &x);
Outcome emodpe(Execution &x);

/// In enclu_attest.cpp.
Outcome ereport(Execution &x);
Outcome egetkey(Execution &x);

/// Execute ENCLS (@user is false) or ENCLU from the prologue on, and count and trace the result.
sgx2_outcome execute(Cpu &cpu, bool user, sgx2_regs &regs, uint32_t &effects, Fault &fault);

/// Return whether the leaf calls the host before it takes a lock.
bool locks_late(bool user, uint32_t number);

/// Return the name of a leaf, or nullptr.
const char *leaf_name(bool user, uint32_t number);

} // namespace sgx2
