// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command in the guest on one CPU together with the kernel's EPC
 * reclaimer, which gets real-time priority there: beside-ksgxd COMMAND...
 *
 * Mainline's SGX2 ioctls answer -EAGAIN when the free EPC runs out before ksgxd
 * has caught up, or when they meet a page that ksgxd is about to evict, and the
 * kernel's own selftest takes that for a failure. Who wins that race depends on
 * the relative speed of two CPUs, which an emulator on a busy host does not
 * keep. On one CPU the reclaimer, once woken, is done before the test goes on.
 */
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

/* The process of that name, or 0: a guest without the in-tree driver has none. */
pid_t process_named(std::string_view wanted)
{
	for (const auto &entry : std::filesystem::directory_iterator("/proc")) {
		std::string name;

		if (std::ifstream(entry.path() / "comm") >> name && name == wanted)
			return std::atoi(entry.path().filename().c_str());
	}
	return 0;
}

/* The last CPU, since the first one is special in many ways. */
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
