/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The leaves by number. Each is one function, in the file of its theme, which
 * runs the checks of isa.md 6 and 7 in their order and then commits. It runs with
 * the machine's lock held, or, if it is brief, takes it behind its last operand.
 */
#ifndef SGX2_LEAF_H
#define SGX2_LEAF_H

#include "codes.h"
#include "exec.h"

namespace sgx2 {

/* encls_build.cc */
Outcome ecreate(Exec &x);
Outcome eadd(Exec &x);
Outcome eextend(Exec &x);
Outcome einit(Exec &x);
Outcome eremove(Exec &x);

/* encls_debug.cc */
Outcome edbgrd(Exec &x);
Outcome edbgwr(Exec &x);
Outcome erdinfo(Exec &x);
Outcome eupdatesvn(Exec &x);

/* encls_paging.cc */
Outcome epa(Exec &x);
Outcome eblock(Exec &x);
Outcome etrack(Exec &x);
Outcome etrackc(Exec &x);
Outcome ewb(Exec &x);
Outcome eldb(Exec &x);
Outcome eldu(Exec &x);
Outcome eldbc(Exec &x);
Outcome elduc(Exec &x);

/* encls_edmm.cc */
Outcome eaug(Exec &x);
Outcome emodpr(Exec &x);
Outcome emodt(Exec &x);

/* enclu_entry.cc */
Outcome eenter(Exec &x);
Outcome eresume(Exec &x);
Outcome eexit(Exec &x);
Outcome edeccssa(Exec &x);

/* enclu_edmm.cc */
Outcome eaccept(Exec &x);
Outcome eacceptcopy(Exec &x);
Outcome emodpe(Exec &x);

/* enclu_attest.cc */
Outcome ereport(Exec &x);
Outcome egetkey(Exec &x);

/** Run ENCLS (@user false) or ENCLU from the prologue on, count and trace it. */
sgx2_outcome execute(Cpu &cpu, bool user, sgx2_regs &regs, uint32_t &effects, Fault &fault);

/** Does the leaf call the host without the machine's lock? */
bool is_brief(bool user, uint32_t number);

/** A leaf's name, or nullptr. */
const char *leaf_name(bool user, uint32_t number);

} // namespace sgx2

#endif
