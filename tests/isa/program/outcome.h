// SPDX-License-Identifier: GPL-2.0
// The result of a leaf and the result that a row expects, in the notation of Documentation/isa.rst:
// OK, E(n), GP, PF(rcx).
#pragma once

#include <string>

#include "layout.h"

namespace isa {

struct Regs {
	u64 rax = 0, rbx = 0, rcx = 0, rdx = 0, rflags = 0;
};

constexpr u64 no_fault = ~0ULL;

/// The result of one leaf: the registers after it, or at the fault.
struct Result {
	u64 vector = no_fault;
	u64 error = 0, cr2 = 0;
	Regs regs;
	bool rip_moved = false; ///< the RIP that the fault saved is not that of the instruction
	bool has_error = true;	///< false if the kernel handled the fault, and only the vector is known

	bool faulted() const { return vector != no_fault; }
	std::string text() const;
};

/// The address of a #PF. `secs`, `source` and `secinfo` are those of PAGEINFO; `mark` is an address
/// that the row sets.
enum class At { rbx, rcx, rdx, secs, source, secinfo, mark };

struct Expect {
	enum Kind { ok, code, info, fault, epcm, absent, exact } kind;
	unsigned number; ///< code, or vector of a fault
	At at;
	u64 error; ///< bits that the error code of an ordinary #PF must have, or the whole error code for `exact`

	std::string text() const;
};

namespace expect {
/// The leaf succeeds: RAX and the six flags are 0, or unchanged for a leaf without a code.
constexpr Expect OK{Expect::ok, 0, At::rcx, 0};
/// RAX=n, ZF=1, the other five flags 0.
constexpr Expect E(unsigned n)
{
	return {Expect::code, n, At::rcx, 0};
}
/// RAX=n, CF=1, the other five flags 0: an informational code.
constexpr Expect I(unsigned n)
{
	return {Expect::info, n, At::rcx, 0};
}
constexpr Expect UD{Expect::fault, VEC_UD, At::rcx, 0};
/// #GP with error code 0.
constexpr Expect GP{Expect::fault, VEC_GP, At::rcx, 0};
/// #PF on x with P and SGX set: x is not EPC, or the EPCM forbids the access.
constexpr Expect PF(At x)
{
	return {Expect::epcm, VEC_PF, x, 0};
}
/// An ordinary #PF on x with P clear, by a read or a write.
constexpr Expect NP_R(At x)
{
	return {Expect::absent, VEC_PF, x, 0};
}
constexpr Expect NP_W(At x)
{
	return {Expect::absent, VEC_PF, x, PFEC_W};
}
/// An ordinary #PF on x by a write that the page-table entry forbids.
constexpr Expect RO(At x)
{
	return {Expect::absent, VEC_PF, x, PFEC_P | PFEC_W};
}
/// A #PF with exactly this error code.
constexpr Expect PFEC(u64 error, At x = At::rcx)
{
	return {Expect::exact, VEC_PF, x, error};
}
constexpr Expect DE{Expect::fault, 0, At::rcx, 0};
constexpr Expect DB{Expect::fault, VEC_DB, At::rcx, 0};
constexpr Expect BP{Expect::fault, VEC_BP, At::rcx, 0};
} // namespace expect

/// Return whether the leaf returns neither code nor flags (Documentation/isa.rst 5).
bool encls_has_no_code(u32 leaf);
bool enclu_has_no_code(u32 leaf);

const char *encls_name(u32 leaf);
const char *enclu_name(u32 leaf);

/// Return the differences from the expected result as text, empty if there are none. `address` is
/// the address of expect.at.
std::string compare(const Expect &expect, const Result &result, const Regs &in, bool no_code, bool user, u64 address);

} // namespace isa
