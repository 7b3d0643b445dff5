// SPDX-License-Identifier: GPL-2.0
// An errno as a value that prints its name, and the exception of this library.
#pragma once

#include <cerrno>
#include <ostream>
#include <stdexcept>
#include <string>

namespace sgx {

/// 0 or an errno. Compares with the constants of <cerrno>, and prints as their names.
struct Errno {
	int value = 0;

	constexpr Errno() = default;
	// NOLINTNEXTLINE(google-explicit-constructor): tests write EXPECT_EQ(call(), EINVAL).
	constexpr Errno(int v) : value(v) {}
	/// True if there is an error.
	explicit operator bool() const { return value != 0; }
	friend bool operator==(Errno a, Errno b) { return a.value == b.value; }
	friend bool operator==(Errno a, int b) { return a.value == b; }
	friend bool operator==(int a, Errno b) { return a == b.value; }
	/// Returns "EINVAL" and the like; "0" for no error.
	std::string name() const;
	friend std::ostream &operator<<(std::ostream &out, Errno e) { return out << e.name(); }
};

/// Returns errno if the result of a system call is an error, otherwise 0.
Errno errno_of(long result);

/// A step that a test relies on has failed.
class Failed : public std::runtime_error {
public:
	explicit Failed(const std::string &what, Errno error = {});
	Errno error;
};

/// Throws Failed with the text if there is an error.
void must(Errno error, const std::string &what);

} // namespace sgx
