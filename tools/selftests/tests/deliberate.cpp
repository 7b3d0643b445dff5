// SPDX-License-Identifier: GPL-2.0
// Tests of the check runner: each ends in another way, and the runner must report it.

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
