// SPDX-License-Identifier: GPL-2.0
// Loads, uses and unloads the module repeatedly. The kernel must refuse to unload it while it is in use, and it must leave nothing behind.

#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver.h"
#include "inside.h"
#include "leak_check.h"

using namespace sgx;

namespace {

struct Plan {
	std::string module = "/lib/modules/sgx2.ko";
	unsigned times = 100;
	bool leaks = false;
};

Errno load(const std::string &path)
{
	const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	const Errno error = errno_of(syscall(SYS_finit_module, fd, "", 0));
	close(fd);
	return error;
}

/// Unloads the module; EAGAIN (EWOULDBLOCK) while it is in use.
Errno unload()
{
	return errno_of(syscall(SYS_delete_module, "sgx2", O_NONBLOCK));
}

void must_refuse(const char *while_what)
{
	const Errno error = unload();
	if (error != EWOULDBLOCK)
		throw Failed(fmt::format("unloading while {} must fail with EAGAIN, but returned {}", while_what, error.name()));
}

/// Builds, grows and enters an enclave; the module must not be unloaded while any of these is in progress.
void use()
{
	Device open_file;
	must(open_file.open(), "opening /dev/sgx_enclave");
	must_refuse("the device is open");
	must(open_file.close(), "closing the device");

	Enclave enclave;
	must_refuse("an enclave exists");
	const u64 first = enclave.image().end, at = enclave.at(first), length = 64 * page_size;
	enclave.map(first, length, PROT_READ | PROT_WRITE);
	enclave.ask(request(Op::accept, at, length, REG | RW | PENDING));
	const Inside inside(enclave, 1);
	must_refuse("a thread is inside");
}

/// Checks that a mapping keeps the file, and the module, after close().
void use_mapping()
{
	const Mapping range = Mapping::reserve(64 * page_size);
	{
		Device device;
		must(device.open(), "opening /dev/sgx_enclave");
		must(map_fixed(device.fd(), range.address(), range.length(), PROT_READ), "mapping the device");
	}
	must_refuse("the device is mapped");
}

/// Unloads the module; kernel threads may drop the last references a little later.
void unload_soon()
{
	Errno error = EWOULDBLOCK;
	for (int tries = 0; tries < 6000 && error == EWOULDBLOCK; tries++) {
		error = unload();
		if (error)
			usleep(10000);
	}
	must(error, "unloading the module");
}

int run(const Plan &plan)
{
	if (plan.leaks)
		kmemleak_clear();
	for (unsigned i = 0; i < plan.times; i++) {
		use();
		use_mapping();
		const LeakCheck leaks = LeakCheck::settled();
		if (!leaks.clean())
			throw Failed(leaks.text());
		unload_soon();
		if (const LeakCheck left = LeakCheck::now(); left.valid.value_or(0))
			throw Failed("unloaded: " + left.text());
		if (access("/sys/devices/system/node/node0/x86/sgx_total_bytes", F_OK) == 0)
			throw Failed("the module is unloaded, but its file in the directory of the node exists");
		must(load(plan.module), "loading the module");
	}
	const std::string leaks = plan.leaks ? kmemleak() : "";
	fmt::print("used, unloaded and loaded {} times\n{}", plan.times, leaks);
	return leaks.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
try {
	CLI::App app("Load, use and unload sgx2, as root");
	Plan plan;
	app.add_option("--module", plan.module, "file of the module");
	app.add_option("--times", plan.times, "number of repetitions");
	app.add_flag("--leaks", plan.leaks, "print kmemleak's report at the end");
	CLI11_PARSE(app, argc, argv);
	return run(plan);
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s\n", e.what());
	return 1;
}
