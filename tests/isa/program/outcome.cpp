// SPDX-License-Identifier: GPL-2.0
// Compares the result of a leaf with the expected one, and formats both.

#include "outcome.h"

#include <cstdarg>
#include <cstdio>

namespace isa {

namespace {

std::string format(const char *f, ...)
{
	char text[200];
	va_list args;
	va_start(args, f);
	std::vsnprintf(text, sizeof(text), f, args);
	va_end(args);
	return text;
}

const char *name(At at)
{
	switch (at) {
	case At::rbx:
		return "rbx";
	case At::rcx:
		return "rcx";
	case At::rdx:
		return "rdx";
	case At::secs:
		return "secs";
	case At::source:
		return "source";
	case At::secinfo:
		return "secinfo";
	case At::mark:
		return "there";
	}
	return "?";
}

const char *vector_name(u64 vector)
{
	switch (vector) {
	case 0:
		return "#DE";
	case VEC_DB:
		return "#DB";
	case VEC_BP:
		return "#BP";
	case VEC_UD:
		return "#UD";
	case VEC_GP:
		return "#GP";
	case VEC_PF:
		return "#PF";
	}
	return "exception";
}

std::string compare_fault(const Expect &expect, const Result &result, const Regs &in, bool user, u64 address)
{
	if (result.vector != expect.number)
		return result.text();
	if (result.rip_moved)
		return result.text() + " with RIP not on the instruction";
	if (result.regs.rax != in.rax && result.has_error)
		return result.text() + " with RAX changed";
	if (result.has_error && (result.regs.rbx != in.rbx || result.regs.rcx != in.rcx || result.regs.rdx != in.rdx))
		return result.text() + " with RBX, RCX or RDX changed";
	if (result.has_error && ((result.regs.rflags ^ in.rflags) & arithmetic))
		return result.text() + format(" with flags changed from %#lx", in.rflags);
	if (expect.kind == Expect::fault)
		return result.error ? result.text() : "";
	if (result.cr2 != address)
		return result.text() + format(", expected CR2 %#lx", address);
	if (!result.has_error)
		return "";
	u64 want = user ? PFEC_U : 0;
	u64 mask = ~0ULL;
	if (expect.kind == Expect::exact) {
		want = expect.error;
	} else if (expect.kind == Expect::epcm) {
		want |= PFEC_P | PFEC_SGX;
		// For ENCLS the error code has W for every access (Documentation/isa.rst 9). For
		// ENCLU the kind of access may or may not be in W.
		if (user)
			mask = ~PFEC_W;
		else
			want |= PFEC_W;
	} else {
		want |= expect.error;
	}
	if ((result.error ^ want) & mask)
		return result.text() + format(", expected error code %#lx", want);
	return "";
}

} // namespace

std::string Result::text() const
{
	if (!faulted())
		return format("RAX=%#lx flags=%#lx", regs.rax, (regs.rflags & arithmetic));
	if (vector == VEC_PF)
		return format("#PF error=%#lx CR2=%#lx", error, cr2);
	return format("%s (vector %lu) error=%#lx", vector_name(vector), vector, error);
}

std::string Expect::text() const
{
	switch (kind) {
	case ok:
		return "OK";
	case code:
		return format("E(%u)", number);
	case info:
		return format("I(%u)", number);
	case fault:
		return vector_name(number) + 1;
	case epcm:
		return format("PF(%s)", name(at));
	case absent:
		if (error & PFEC_P)
			return format("RO(%s)", name(at));
		return format("NP_%c(%s)", error & PFEC_W ? 'W' : 'R', name(at));
	case exact:
		return format("PF %#lx", error);
	}
	return "?";
}

bool encls_has_no_code(u32 leaf)
{
	return leaf == ECREATE || leaf == EADD || leaf == EEXTEND || leaf == EAUG || leaf == EPA;
}

bool enclu_has_no_code(u32 leaf)
{
	return leaf == EREPORT || leaf == EMODPE || leaf == EDECCSSA;
}

const char *encls_name(u32 leaf)
{
	static const char *const names[] = {
		"ECREATE", "EADD", "EINIT",  "EREMOVE", "EDBGRD", "EDBGWR", "EEXTEND", "ELDB",	  "ELDU",  "EBLOCK",
		"EPA",	   "EWB",  "ETRACK", "EAUG",	"EMODPR", "EMODT",  "ERDINFO", "ETRACKC", "ELDBC", "ELDUC",
	};
	return leaf < std::size(names) ? names[leaf] : "ENCLS";
}

const char *enclu_name(u32 leaf)
{
	static const char *const names[] = {
		"EREPORT", "EGETKEY", "EENTER",	     "ERESUME",	       "EEXIT",
		"EACCEPT", "EMODPE",  "EACCEPTCOPY", "EVERIFYREPORT2", "EDECCSSA",
	};
	return leaf < std::size(names) ? names[leaf] : "ENCLU";
}

std::string compare(const Expect &expect, const Result &result, const Regs &in, bool no_code, bool user, u64 address)
{
	if (expect.kind == Expect::fault || expect.kind == Expect::epcm || expect.kind == Expect::absent ||
	    expect.kind == Expect::exact)
		return compare_fault(expect, result, in, user, address);
	if (result.faulted())
		return result.text();
	const u64 flags = result.regs.rflags & arithmetic;
	if (no_code) {
		if (result.regs.rax != in.rax || flags != (in.rflags & arithmetic))
			return result.text() + " but the leaf returns neither code nor flags";
		return "";
	}
	const u64 want_rax = expect.kind == Expect::ok ? 0 : expect.number;
	const u64 want_flags = expect.kind == Expect::code ? ZF : expect.kind == Expect::info ? CF : 0;
	if (result.regs.rax != want_rax || flags != want_flags)
		return result.text() + format(", expected flags %#lx", want_flags);
	return "";
}

} // namespace isa
