// SPDX-License-Identifier: GPL-2.0
// What a leaf did and what a row expects of it, in the notation of Documentation/isa.md: OK, E(n), GP, PF(rcx).
#pragma once

#include <string>

#include "layout.h"

namespace isa {

struct Regs {
	u64 rax = 0, rbx = 0, rcx = 0, rdx = 0, rflags = 0;
};

constexpr u64 no_fault = ~0ULL;

/// One executed leaf: registers afterwards, or as a fault found them.
struct Got {
	u64 vector = no_fault;
	u64 error = 0, cr2 = 0;
	Regs regs;
	bool rip_moved = false; ///< a fault whose saved RIP is not the instruction's
	bool has_error = true;	///< the vector is all that is known (a fault left to the kernel)

	bool faulted() const { return vector != no_fault; }
	std::string text() const;
};

/// What a #PF names. `secs`, `source` and `secinfo` are PAGEINFO's; `mark` is an address that the row gives itself.
enum class At { rbx, rcx, rdx, secs, source, secinfo, mark };

struct Expect {
	enum Kind { ok, code, info, fault, epcm, absent, exact } kind;
	unsigned number; ///< code, or vector of a fault
	At at;
	u64 error; ///< bits that the error code of an ordinary #PF must have, or all of it for `exact`

	std::string text() const;
};

namespace expect {
/// The leaf is done: RAX=0 and the six flags 0, or for a leaf that returns nothing, RAX and flags untouched.
constexpr Expect OK{Expect::ok, 0, At::rcx, 0};
/// RAX=n, ZF=1, the other five 0.
constexpr Expect E(unsigned n)
{
	return {Expect::code, n, At::rcx, 0};
}
/// RAX=n, CF=1, the other five 0: "informational".
constexpr Expect I(unsigned n)
{
	return {Expect::info, n, At::rcx, 0};
}
constexpr Expect UD{Expect::fault, VEC_UD, At::rcx, 0};
/// #GP with error code 0.
constexpr Expect GP{Expect::fault, VEC_GP, At::rcx, 0};
/// #PF on x with P and SGX set: the EPCM, or no EPC at all, stood against it.
constexpr Expect PF(At x)
{
	return {Expect::epcm, VEC_PF, x, 0};
}
/// An ordinary #PF on x with P clear, of a read or a write.
constexpr Expect NP_R(At x)
{
	return {Expect::absent, VEC_PF, x, 0};
}
constexpr Expect NP_W(At x)
{
	return {Expect::absent, VEC_PF, x, PFEC_W};
}
/// An ordinary #PF by a write to x, whose page-table entry does not let write.
constexpr Expect RO(At x)
{
	return {Expect::absent, VEC_PF, x, PFEC_P | PFEC_W};
}
/// A #PF with just this error code.
constexpr Expect PFEC(u64 error, At x = At::rcx)
{
	return {Expect::exact, VEC_PF, x, error};
}
constexpr Expect DE{Expect::fault, 0, At::rcx, 0};
constexpr Expect DB{Expect::fault, VEC_DB, At::rcx, 0};
constexpr Expect BP{Expect::fault, VEC_BP, At::rcx, 0};
} // namespace expect

/// True for the leaves that return neither code nor flags (Documentation/isa.md 5).
bool encls_is_silent(u32 leaf);
bool enclu_is_silent(u32 leaf);

const char *encls_name(u32 leaf);
const char *enclu_name(u32 leaf);

/// Empty when got is what was expected, else what differs. `address` is what expect.at stands for.
std::string judge(const Expect &expect, const Got &got, const Regs &in, bool silent, bool user, u64 address);

} // namespace isa
