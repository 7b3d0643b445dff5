// SPDX-License-Identifier: GPL-2.0
// An errno as a value that knows its name, and the one exception of this library.
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
	// NOLINTNEXTLINE(google-explicit-constructor): EXPECT_EQ(call(), EINVAL) is the point of it.
	constexpr Errno(int v) : value(v) {}
	/// True if there is an error.
	explicit operator bool() const { return value != 0; }
	friend bool operator==(Errno a, Errno b) { return a.value == b.value; }
	friend bool operator==(Errno a, int b) { return a.value == b; }
	friend bool operator==(int a, Errno b) { return a == b.value; }
	/// EINVAL and the like; 0 for no error.
	std::string name() const;
	friend std::ostream &operator<<(std::ostream &out, Errno e) { return out << e.name(); }
};

/// What a system call that returned `result` says by errno, or 0.
Errno errno_of(long result);

/// A step that a test takes for granted did not work.
class Failed : public std::runtime_error {
public:
	explicit Failed(const std::string &what, Errno error = {});
	Errno error;
};

/// Throws Failed with the text if there is an error.
void must(Errno error, const std::string &what);

} // namespace sgx
