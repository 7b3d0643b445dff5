// SPDX-License-Identifier: GPL-2.0
// Prints KTAP and counts the results.

#include "ktap.h"

#include <cstdio>

namespace isa {

void Ktap::plan(unsigned rows)
{
	planned_ = rows;
	std::printf("KTAP version 1\n1..%u\n", rows);
	std::fflush(stdout);
}

void Ktap::pass(const std::string &name)
{
	passed_++;
	std::printf("ok %u %s\n", passed_ + failed_ + skipped_, name.c_str());
	std::fflush(stdout);
}

void Ktap::fail(const std::string &name, const std::string &why)
{
	failed_++;
	std::printf("# %s\nnot ok %u %s\n", why.c_str(), passed_ + failed_ + skipped_, name.c_str());
	std::fflush(stdout);
}

void Ktap::skip(const std::string &name, const std::string &why)
{
	skipped_++;
	std::printf("ok %u %s # SKIP %s\n", passed_ + failed_ + skipped_, name.c_str(), why.c_str());
	std::fflush(stdout);
}

void Ktap::comment(const std::string &text)
{
	std::printf("# %s\n", text.c_str());
	std::fflush(stdout);
}

bool Ktap::end()
{
	std::printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:%u\n", passed_, failed_, skipped_,
		    planned_ - passed_ - failed_ - skipped_);
	std::fflush(stdout);
	return passed_ > 0 && failed_ == 0 && passed_ + skipped_ == planned_;
}

} // namespace isa
