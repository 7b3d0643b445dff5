// SPDX-License-Identifier: GPL-2.0
// Runs a command in the guest on one CPU together with the EPC reclaimer of the kernel, which gets real-time priority:
// beside-ksgxd COMMAND...
//
// Mainline's SGX2 ioctls return -EAGAIN if the free EPC pages run out before ksgxd has evicted others, or if they meet a page that ksgxd
// is about to evict; the kernel's own selftest counts that as a failure. The outcome of that race depends on the relative speed of two
// CPUs, which is not constant in an emulator on a busy host. On one CPU the reclaimer, once woken, is done before the test continues.

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace {

// Returns the process of that name, or 0: a guest without the in-tree driver has none.
pid_t process_named(std::string_view wanted)
{
	for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
		std::string name;

		if (std::ifstream(entry.path() / "comm") >> name && name == wanted)
			return std::atoi(entry.path().filename().c_str());
	}
	return 0;
}

// Pins a process to the last CPU; the first one has duties of its own.
void pin(pid_t pid)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(static_cast<size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &set);
	if (sched_setaffinity(pid, sizeof(set), &set) != 0)
		std::fprintf(stderr, "beside-ksgxd: affinity of %d: %s\n", pid, std::strerror(errno));
}

} // namespace

int main(int argc, char **argv)
{
	if (argc < 2) {
		std::fprintf(stderr, "usage: beside-ksgxd COMMAND...\n");
		return 2;
	}
	if (const pid_t ksgxd = process_named("ksgxd")) {
		const sched_param priority{.sched_priority = 1};

		pin(ksgxd);
		if (sched_setscheduler(ksgxd, SCHED_FIFO, &priority) != 0)
			std::fprintf(stderr, "beside-ksgxd: priority: %s\n", std::strerror(errno));
		pin(0);
	}
	execvp(argv[1], argv + 1);
	std::fprintf(stderr, "beside-ksgxd: %s: %s\n", argv[1], std::strerror(errno));
	return 127;
}
