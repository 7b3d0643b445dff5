// SPDX-License-Identifier: GPL-2.0
// Tests of what reports tests: each ends in its own way, and only the step check-outcomes of scripts/check runs them, to see that it says so.

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace {

TEST(DISABLED_Deliberate, Passes) {}

TEST(DISABLED_Deliberate, Fails)
{
	ADD_FAILURE() << "on purpose";
}

TEST(DISABLED_Deliberate, Skips)
{
	GTEST_SKIP() << "on purpose";
}

TEST(DISABLED_Deliberate, Hangs)
{
	for (;;)
		pause();
}

TEST(DISABLED_Deliberate, Panics)
{
	std::ofstream("/proc/sysrq-trigger") << "c" << std::flush;
	pause();
}

} // namespace
