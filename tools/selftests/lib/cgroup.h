// SPDX-License-Identifier: GPL-2.0
// Memory cgroups: who is charged for what, and processes that live in one.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <sys/types.h>

#include "arch.h"
#include "errors.h"

namespace sgx {

/// A memory cgroup of its own, in a hierarchy that is mounted while there is one. Nobody is in it but the processes that are started there.
/// They are ended, and it goes, with this.
class Cgroup {
public:
	/// Whether this kernel has them, and lets us.
	static bool possible();
	/// Of what belongs to no group but the root.
	static long root_stat(const std::string &key);

	/// Throws Failed.
	explicit Cgroup(const std::string &name);
	~Cgroup();
	Cgroup(const Cgroup &) = delete;
	Cgroup &operator=(const Cgroup &) = delete;

	/// A file of it, as memory.max.
	Errno set(const std::string &file, const std::string &value) const;
	/// The number in such a file.
	long get(const std::string &file) const;
	/// The number after the key, in memory.stat or memory.events.
	long get(const std::string &file, const std::string &key) const;

	/// A child that is in this group before it does this, which may throw Failed; it ends with 0 if not.
	pid_t start(const std::function<void()> &body) const;
	/// Ends whoever is in it, and waits until it is gone.
	void end() const;

	static const std::string root;

private:
	const std::string path_;
};

} // namespace sgx
