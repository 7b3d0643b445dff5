// SPDX-License-Identifier: GPL-2.0
// Runs GoogleTest and prints KTAP: one line for each test, with the reason of a skip.

#include <cstdio>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "oracle.h"
#include "leak_check.h"

namespace {

class Ktap : public testing::EmptyTestEventListener {
	void OnTestIterationStart(const testing::UnitTest &all, int) override
	{
		std::printf("KTAP version 1\n1..%d\n", all.test_to_run_count());
		std::fflush(stdout);
	}

	void OnTestPartResult(const testing::TestPartResult &part) override
	{
		std::string text = part.message();
		if (part.skipped()) {
			why_ = text.substr(0, text.find('\n'));
			return;
		}
		for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3)
			text.replace(at, 1, "\n# ");
		std::printf("# %s:%d\n# %s\n", part.file_name() ? part.file_name() : "?", part.line_number(), text.c_str());
	}

	void OnTestEnd(const testing::TestInfo &test) override
	{
		const auto &result = *test.result();
		std::printf("%s %d %s.%s%s%s\n", result.Failed() ? "not ok" : "ok", ++number_, test.test_suite_name(),
			    test.name(), result.Skipped() ? " # SKIP " : "", result.Skipped() ? why_.c_str() : "");
		std::fflush(stdout);
	}

	void OnTestIterationEnd(const testing::UnitTest &all, int) override
	{
		std::printf("# Totals: pass:%d fail:%d skip:%d\n", all.successful_test_count(), all.failed_test_count(),
			    all.skipped_test_count());
	}

	int number_ = 0;
	std::string why_;
};

/// Checks after all tests that the kernel has leaked no memory, if it has kmemleak.
class Leaks : public testing::Environment {
	void SetUp() override { sgx::kmemleak_clear(); }
	void TearDown() override { EXPECT_EQ(sgx::kmemleak(), ""); }
};

/// Waits until ksgx2d has cleaned the EPC after the module was loaded, since tests count what it does.
class Clean : public testing::Environment {
	void SetUp() override
	{
		for (unsigned tries = 0; sgx::LeakCheck::now().leaked.value_or(0) && tries < 3000; tries++)
			usleep(20000);
	}
};

} // namespace

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	auto &listeners = testing::UnitTest::GetInstance()->listeners();
	delete listeners.Release(listeners.default_result_printer());
	listeners.Append(new Ktap); // NOLINT(cppcoreguidelines-owning-memory): GoogleTest owns it now
	// The oracle follows it, so that the oracle's failure at the end of a test precedes the line of the test.
	listeners.Append(new sgx::Oracle);	      // NOLINT(cppcoreguidelines-owning-memory): as above
	testing::AddGlobalTestEnvironment(new Clean); // NOLINT(cppcoreguidelines-owning-memory): as above
	testing::AddGlobalTestEnvironment(new Leaks); // NOLINT(cppcoreguidelines-owning-memory): as above
	return RUN_ALL_TESTS();
}
