// SPDX-License-Identifier: GPL-2.0
// States that rows of several tables put an enclave, its pages or its mapping into.
#pragma once

#include "rig.h"

namespace isa {

/// A user page that is no EPC, present and writable.
u64 ordinary_user();
/// Lets the page tables, not the EPCM, stand against writing.
void read_only(Rig &r, u64 offset);
/// Ordinary memory in the middle of ELRANGE.
void plain_memory(Rig &r, u64 offset);
/// EREMOVE, but the page tables go on showing the page.
void removed(Rig &r, u64 offset);
/// The enclave anew, with other settings.
void rebuilt(Rig &r, void (*change)(Enclave &));
/// An asynchronous exit that stays: the thread has one frame in use.
void fault_inside(Rig &r, u64 tcs = TCS_A);
/// The SECINFO in the page PARAM of the enclave.
void say(Rig &r, u64 flags);
/// EMODPR or EMODT, ETRACK and EACCEPT.
void restricted(Rig &r, u64 offset, u64 permissions);
void trimmed(Rig &r, u64 offset);

} // namespace isa
