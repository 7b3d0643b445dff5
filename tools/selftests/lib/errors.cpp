// SPDX-License-Identifier: GPL-2.0
// Names of errnos.

#include "errors.h"

#include <cstring>

namespace sgx {

std::string Errno::name() const
{
	if (value == 0)
		return "0";
	const char *known = strerrorname_np(value);
	return known ? known : std::to_string(value);
}

Errno errno_of(long result)
{
	return result < 0 ? Errno{errno} : Errno{};
}

Failed::Failed(const std::string &what, Errno e) : std::runtime_error(e ? what + ": " + e.name() : what), error(e) {}

void must(Errno error, const std::string &what)
{
	if (error)
		throw Failed(what, error);
}

} // namespace sgx
