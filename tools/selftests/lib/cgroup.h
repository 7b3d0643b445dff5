// SPDX-License-Identifier: GPL-2.0
// Memory cgroups: the charge of each, and processes that run in one.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <sys/types.h>

#include "arch.h"
#include "errors.h"

namespace sgx {

/// A new memory cgroup, in a hierarchy that is mounted while a Cgroup exists. Only processes of start() are in the cgroup.
/// The destructor ends these processes and removes the cgroup.
class Cgroup {
public:
	/// Returns true if this kernel has memory cgroups and allows this process to make one.
	static bool possible();
	/// Returns a number of the root's memory.stat, which has what no other cgroup is charged for.
	static long root_stat(const std::string &key);

	/// Makes the cgroup, or throws Failed.
	explicit Cgroup(const std::string &name);
	~Cgroup();
	Cgroup(const Cgroup &) = delete;
	Cgroup &operator=(const Cgroup &) = delete;

	/// Writes a value to a file of the cgroup, such as memory.max.
	Errno set(const std::string &file, const std::string &value) const;
	/// Returns the number in a file of the cgroup.
	long get(const std::string &file) const;
	/// Returns the number after a key, in memory.stat or memory.events.
	long get(const std::string &file, const std::string &key) const;

	/// Starts a child that enters this cgroup, then runs the function, which may throw Failed. The child ends with 0 if it does not.
	pid_t start(const std::function<void()> &body) const;
	/// Kills the processes of the cgroup, and waits until none is left.
	void end() const;

	static const std::string root;

private:
	const std::string path_;
};

} // namespace sgx
