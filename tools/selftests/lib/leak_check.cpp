// SPDX-License-Identifier: GPL-2.0
// Reads the monitor of the machine, the driver's sysfs, and kmemleak.

#include "leak_check.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "../../../tests/isa/program/monitor.h"

namespace sgx {

namespace {

using namespace std::chrono_literals;

constexpr const char *leak_file = "/sys/kernel/debug/kmemleak";

std::optional<u64> driver_bytes(const std::string &what)
{
	std::ifstream file("/sys/class/misc/sgx_enclave/epc_" + what + "_bytes");
	u64 value = 0;
	if (file >> value)
		return value;
	return {};
}

void leak_command(const char *command)
{
	std::ofstream(leak_file) << command << std::flush;
}

} // namespace

LeakCheck LeakCheck::now()
{
	static const std::unique_ptr<isa::Monitor> machine = isa::Monitor::find();
	LeakCheck r;
	if (machine)
		r.valid = machine->valid();
	const auto total = driver_bytes("total"), unused = driver_bytes("free");
	r.leaked = driver_bytes("leaked");
	if (total && unused && r.leaked)
		r.used = *total - *unused - *r.leaked;
	return r;
}

LeakCheck LeakCheck::settled()
{
	LeakCheck r = now();
	for (int tries = 0; tries < 3000 && !r.clean(); tries++) {
		std::this_thread::sleep_for(20ms);
		r = now();
	}
	return r;
}

std::string LeakCheck::text() const
{
	const auto say = [](const std::optional<u64> &value) {
		return value ? std::to_string(*value) : "an unknown number of";
	};
	std::string text =
		say(valid) + " entries of the EPCM valid, " + say(used) + " bytes of EPC in use, " + say(leaked) + " leaked";
	return kernel.empty() ? text : text + ", and leaked memory:\n" + kernel;
}

std::string kmemleak()
{
	// kmemleak reports an object that two scans have found, and none that is younger than 5 seconds.
	if (!std::ifstream(leak_file))
		return {};
	std::this_thread::sleep_for(6s);
	leak_command("scan");
	leak_command("scan");
	std::ifstream file(leak_file);
	return {std::istreambuf_iterator<char>(file), {}};
}

void kmemleak_clear()
{
	leak_command("scan");
	leak_command("clear");
}

} // namespace sgx
