// SPDX-License-Identifier: GPL-2.0
// Writes the seed corpus into a directory: short programs for the usual sequences of calls.

#include <cstdio>
#include <map>
#include <string>

#include "program.h"

using fuzz::Op;
using fuzz::Writer;

namespace {

constexpr unsigned REG = 0x200, TCS = 0x100, TRIM = 0x400, R = 1, W = 2, X = 4, PENDING = 8, MODIFIED = 16, PR = 32;
enum PageLeaf : unsigned { EPA, EREMOVE, EBLOCK, ETRACK, ETRACKC, EUPDATESVN };
enum AcceptLeaf : unsigned { EACCEPT, EACCEPTCOPY, EMODPE, EDECCSSA };
constexpr unsigned kVa = 27, kFree = 26, kSecs = 0,
		   kData = 6; // EPC pages of the enclave in slot 0: the SECS is page 0, linear page n is page n+1

/// Enter the enclave, or resume it if @how is 0.
Writer &enter(Writer &w, unsigned cpu, unsigned tcs, unsigned how = 1)
{
	return w.op(Op::Enter, how, cpu, 0, tcs);
}

Writer start()
{
	Writer w;
	w.op(Op::Build, 0, 0);
	return w;
}

std::map<std::string, Writer> programs()
{
	std::map<std::string, Writer> all;
	{
		Writer w = start();
		enter(w, 0, 0).op(Op::Aex, 0, 0, 14, 4);
		enter(w, 0, 0, 0).op(Op::Exit, 0);
		all["enter"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Aug, kFree, 0, 9);
		enter(w, 0, 0).op(Op::Accept, 0, EACCEPT).u16(REG | R | W | PENDING).op(static_cast<Op>(9), 0);
		all["augment"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Aug, kFree, 0, 9);
		enter(w, 0, 0).op(Op::Accept, 0, EACCEPTCOPY).u16(REG | R | X).op(static_cast<Op>(9), 6);
		all["copy"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Modify, 0, kData - 1).u16(R).op(Op::Page, ETRACK, kSecs);
		enter(w, 1, 0).op(Op::Accept, 1, EACCEPT).u16(REG | R | PR).op(static_cast<Op>(4), 0);
		w.op(Op::Accept, 1, EMODPE).u16(R | W).op(static_cast<Op>(4), 0);
		all["restrict"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Modify, 1, kData - 1).u16(TRIM).op(Op::Page, ETRACK, kSecs);
		enter(w, 1, 0).op(Op::Accept, 1, EACCEPT).u16(TRIM | MODIFIED).op(static_cast<Op>(4), 0);
		w.op(Op::Page, EREMOVE, kData - 1);
		all["trim"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Modify, 1, 7).u16(TCS).op(Op::Page, ETRACKC, 7);
		enter(w, 1, 0).op(Op::Accept, 1, EACCEPT).u16(TCS | MODIFIED).op(static_cast<Op>(6), 0);
		all["thread"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Page, EPA, kVa).op(Op::Page, EBLOCK, kData).op(Op::Page, ETRACK, kSecs).op(Op::Evict, kData, kVa, 1, 0);
		w.op(Op::Load, 0, kFree, kVa, 1, 0, 0).op(Op::Load, 1, kData, kVa, 1, 0, 0);
		all["page"] = w;
	}
	{
		Writer w;
		w.op(Op::Create, 0, 0, 0).op(Op::Page, EPA, kVa).op(Op::Evict, 0, kVa, 2, 1).op(Op::Load, 0, 5, kVa, 2, 1, 0);
		w.op(Op::Add, 1, 0, 3).u16(REG | R | W).op(Op::Extend, 1, 2);
		all["secs"] = w;
	}
	{
		Writer w = start();
		enter(w, 0, 0).op(Op::Attest, 0, 1, 0).op(Op::Attest, 0, 0, 2, 0, 4, 2, 1).op(Op::Attest, 0, 0, 1, 0, 3);
		all["attest"] = w;
	}
	{
		Writer w;
		w.op(Op::Build, 1, 0x0a);
		w.op(Op::Enter, 1, 0, 1, 0)
			.op(Op::Aex, 0, 0, 14, 7)
			.op(Op::Enter, 1, 1, 1, 0)
			.op(Op::Accept, 1, EDECCSSA)
			.u16(0)
			.op(static_cast<Op>(0), 0);
		all["notify"] = w;
	}
	{
		Writer w = start();
		enter(w, 0, 1)
			.op(Op::Machine, 0)
			.op(Op::Aex, 0, 1, 32, 0)
			.op(Op::Machine, 3)
			.op(Op::Build, 0, 0)
			.op(Op::Machine, 1);
		all["loss"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Inject, 1, 2, 7);
		for (int i = 0; i < 6; i++)
			w.op(Op::Modify, 0, kData).u16(R | W);
		w.op(Op::Inject, 3, 3, 7).op(Op::Page, EBLOCK, kData).op(Op::Page, EREMOVE, kData);
		all["inject"] = w;
	}
	{
		Writer w = start();
		enter(w, 0, 0).op(Op::Page, EBLOCK, kData).op(Op::Page, ETRACK, kSecs).op(Op::Page, ETRACK, kSecs);
		w.op(Op::Tlb, 0, 64 + 5, kData, 0, 1).op(Op::Poke, 0, 4).u16(16).u64(0x1234).op(Op::Exit, 0);
		all["track"] = w;
	}
	{
		Writer w = start();
		w.op(Op::Debug, 0, 1, 1).u64(0).op(Op::Debug, 1, 1, 1).u64(1).op(Op::State, 1, 5).u64(0x302);
		enter(w, 0, 0).op(Op::Encls, 0x10, 32, kData, 0).op(Op::Page, EUPDATESVN, 0);
		all["debug"] = w;
	}
	return all;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 2) {
		std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (const auto &[name, program] : programs()) {
		const std::string path = std::string(argv[1]) + "/" + name;
		std::FILE *f = std::fopen(path.c_str(), "wb");
		if (!f || std::fwrite(program.bytes.data(), 1, program.bytes.size(), f) != program.bytes.size() ||
		    std::fclose(f) != 0) {
			std::fprintf(stderr, "%s: cannot write\n", path.c_str());
			return 1;
		}
	}
	return 0;
}
