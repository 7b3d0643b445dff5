// SPDX-License-Identifier: GPL-2.0
// Mounts the hierarchy, makes cgroups in it, and removes them.

#include "cgroup.h"

#include <csignal>
#include <cstdio>
#include <fstream>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sgx {

namespace {

unsigned users = 0;

Errno put(const std::string &file, const std::string &text)
{
	const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno_of(fd);
	const Errno e = errno_of(write(fd, text.data(), text.size()));
	close(fd);
	return e;
}

long number_after(const std::string &file, const std::string &key)
{
	std::ifstream in(file);
	long value = -1;
	for (std::string word; in >> word && in >> value;) {
		if (word == key)
			return value;
	}
	return -1;
}

Errno up()
{
	if (users)
		return {};
	mkdir(Cgroup::root.c_str(), 0700);
	if (const Errno e = errno_of(mount("none", Cgroup::root.c_str(), "cgroup2", 0, nullptr)); e)
		return e;
	const Errno e = put(Cgroup::root + "/cgroup.subtree_control", "+memory");
	if (e)
		umount(Cgroup::root.c_str());
	return e;
}

void down()
{
	if (users)
		return;
	put(Cgroup::root + "/cgroup.subtree_control", "-memory");
	umount(Cgroup::root.c_str());
	rmdir(Cgroup::root.c_str());
}

} // namespace

const std::string Cgroup::root = "/tmp/sgx2-cgroups";

bool Cgroup::possible()
{
	if (up())
		return false;
	down();
	return true;
}

long Cgroup::root_stat(const std::string &key)
{
	return number_after(root + "/memory.stat", key);
}

Cgroup::Cgroup(const std::string &name) : path_(root + "/" + name)
{
	must(up(), "mounting cgroup2 with memory");
	users++;
	must(errno_of(mkdir(path_.c_str(), 0700)), "making a cgroup");
}

Cgroup::~Cgroup()
{
	end();
	// The kernel may remove the last process from the cgroup shortly after wait() returns.
	for (unsigned tries = 0; rmdir(path_.c_str()) != 0 && errno == EBUSY && tries < 1000; tries++)
		usleep(10000);
	users--;
	down();
}

Errno Cgroup::set(const std::string &file, const std::string &value) const
{
	return put(path_ + "/" + file, value);
}

long Cgroup::get(const std::string &file) const
{
	long value = -1;
	std::ifstream(path_ + "/" + file) >> value;
	return value;
}

long Cgroup::get(const std::string &file, const std::string &key) const
{
	return number_after(path_ + "/" + file, key);
}

pid_t Cgroup::start(const std::function<void()> &body) const
{
	std::fflush(stdout);
	const pid_t pid = fork();
	must(errno_of(pid), "fork");
	if (pid)
		return pid;
	int status = 1;
	try {
		must(set("cgroup.procs", "0"), "entering a cgroup");
		body();
		status = 0;
	} catch (const Failed &f) {
		std::printf("# %s\n", f.what());
	}
	std::fflush(stdout);
	_exit(status);
}

void Cgroup::end() const
{
	std::ifstream procs(path_ + "/cgroup.procs");
	for (pid_t pid = 0; procs >> pid;) {
		kill(pid, SIGKILL);
		waitpid(pid, nullptr, 0);
	}
}

} // namespace sgx
