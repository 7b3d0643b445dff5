// SPDX-License-Identifier: GPL-2.0
// The leaves by number. Each is one function, in the file of its theme, which
// runs the checks of Documentation/isa.md 6 and 7 in their order and then commits. It runs with
// the machine's lock held, or, if it is brief, takes it behind its last operand.
#pragma once

#include "codes.h"
#include "exec.h"

namespace sgx2 {

/// encls_build.cpp
Outcome ecreate(Exec &x);
Outcome eadd(Exec &x);
Outcome eextend(Exec &x);
Outcome einit(Exec &x);
Outcome eremove(Exec &x);

/// encls_debug.cpp
Outcome edbgrd(Exec &x);
Outcome edbgwr(Exec &x);
Outcome erdinfo(Exec &x);
Outcome eupdatesvn(Exec &x);

/// encls_paging.cpp
Outcome epa(Exec &x);
Outcome eblock(Exec &x);
Outcome etrack(Exec &x);
Outcome etrackc(Exec &x);
Outcome ewb(Exec &x);
Outcome eldb(Exec &x);
Outcome eldu(Exec &x);
Outcome eldbc(Exec &x);
Outcome elduc(Exec &x);

/// encls_edmm.cpp
Outcome eaug(Exec &x);
Outcome emodpr(Exec &x);
Outcome emodt(Exec &x);

/// enclu_entry.cpp
Outcome eenter(Exec &x);
Outcome eresume(Exec &x);
Outcome eexit(Exec &x);
Outcome edeccssa(Exec &x);

/// enclu_edmm.cpp
Outcome eaccept(Exec &x);
Outcome eacceptcopy(Exec &x);
Outcome emodpe(Exec &x);

/// enclu_attest.cpp
Outcome ereport(Exec &x);
Outcome egetkey(Exec &x);

/// Run ENCLS (@user false) or ENCLU from the prologue on, count and trace it.
sgx2_outcome execute(Cpu &cpu, bool user, sgx2_regs &regs, uint32_t &effects, Fault &fault);

/// Does the leaf call the host without the machine's lock?
bool is_brief(bool user, uint32_t number);

/// A leaf's name, or nullptr.
const char *leaf_name(bool user, uint32_t number);

} // namespace sgx2
