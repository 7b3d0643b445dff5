// SPDX-License-Identifier: GPL-2.0
// The output of the test: KTAP on stdout, one line per row.
#pragma once

#include <string>

namespace isa {

class Ktap {
public:
	void plan(unsigned rows);
	void pass(const std::string &name);
	void fail(const std::string &name, const std::string &why);
	void skip(const std::string &name, const std::string &why);
	void comment(const std::string &text);
	/// Print the totals. Return whether a row ran and no row failed.
	bool end();

private:
	unsigned planned_ = 0, passed_ = 0, failed_ = 0, skipped_ = 0;
};

} // namespace isa
