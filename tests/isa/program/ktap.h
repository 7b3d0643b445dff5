// SPDX-License-Identifier: GPL-2.0
// The output of the test: KTAP on stdout, one line a row.
#pragma once

#include <string>

namespace isa {

class Ktap {
public:
	void plan(unsigned rows);
	void pass(const std::string &name);
	void fail(const std::string &name, const std::string &why);
	void skip(const std::string &name, const std::string &why);
	void remark(const std::string &text);
	/// Prints the totals. True when something ran and nothing failed.
	bool end();

private:
	unsigned planned_ = 0, passed_ = 0, failed_ = 0, skipped_ = 0;
};

} // namespace isa
