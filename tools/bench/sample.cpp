// SPDX-License-Identifier: GPL-2.0
// Reads the counters of the machine, of the kernel and of sgx2.

#include "sample.h"

#include <cstdio>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sgx {

namespace {

constexpr unsigned results = 34;

const std::map<unsigned, const char *> encls_names = {
	{0x00, "ECREATE"}, {0x01, "EADD"}, {0x02, "EINIT"},  {0x03, "EREMOVE"}, {0x06, "EEXTEND"},
	{0x07, "ELDB"},	   {0x08, "ELDU"}, {0x09, "EBLOCK"}, {0x0a, "EPA"},	{0x0b, "EWB"},
	{0x0c, "ETRACK"},  {0x0d, "EAUG"}, {0x0e, "EMODPR"}, {0x0f, "EMODT"},	{0x10, "ERDINFO"},
};
const std::map<unsigned, const char *> enclu_names = {
	{EENTER, "EENTER"},   {ERESUME, "ERESUME"}, {EEXIT, "EEXIT"},
	{EACCEPT, "EACCEPT"}, {EMODPE, "EMODPE"},   {EACCEPTCOPY, "EACCEPTCOPY"},
};

/// Returns the sum over all CPUs of a line of /proc/interrupts.
long interrupts(const std::string &name)
{
	std::ifstream file("/proc/interrupts");
	for (std::string line; std::getline(file, line);) {
		std::istringstream words(line);
		std::string first;
		words >> first;
		if (first != name + ":")
			continue;
		long sum = 0;
		for (long n = 0; words >> n;)
			sum += n;
		return sum;
	}
	return 0;
}

long meminfo(const std::string &name)
{
	std::ifstream file("/proc/meminfo");
	for (std::string line; std::getline(file, line);) {
		if (line.starts_with(name + ":"))
			return std::stol(line.substr(name.size() + 1)) * 1024;
	}
	return 0;
}

} // namespace

Sample &operator+=(Sample &a, const Sample &b)
{
	for (const auto &[name, value] : b)
		a[name] += value;
	return a;
}

Meter::Meter() : monitor_(isa::Monitor::find())
{
	if (!monitor_)
		throw Failed("the machine has no counters: use tests/machine/run");
}

u64 Meter::stamp()
{
	u32 low = 0, high = 0;
	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return static_cast<u64>(high) << 32 | low;
}

void Meter::await_clean() const
{
	constexpr useconds_t look = 20000;
	for (u64 last = 0, now = 1; now != last;) {
		last = monitor_->counter(SGX2_DEV_CTR_ENCLS(0x03, 0));
		usleep(look);
		now = monitor_->counter(SGX2_DEV_CTR_ENCLS(0x03, 0));
	}
}

void Meter::await_tick()
{
	constexpr u64 tick = 1500, patience = 10'000'000;
	const u64 start = stamp();
	u64 last = start, now = start;
	while (now - last < tick && now - start < patience) {
		last = now;
		now = stamp();
	}
}

long Meter::memory()
{
	// This adds the counters of each CPU to the global ones. Pages on the free lists of CPUs are not in them.
	std::ofstream("/proc/sys/vm/stat_refresh") << 1;
	long kept = 0;
	std::ifstream file("/proc/zoneinfo");
	for (std::string line; std::getline(file, line);) {
		std::istringstream words(line);
		std::string name;
		long pages = 0;
		if (words >> name >> pages && name == "count:")
			kept += pages * static_cast<long>(page_size);
	}
	return meminfo("MemTotal") - meminfo("MemFree") - kept - meminfo("PageTables");
}

long Meter::shared_memory()
{
	return meminfo("Shmem");
}

long Meter::epc_memory()
{
	std::ifstream file("/proc/vmallocinfo");
	long sum = 0;
	for (std::string line; std::getline(file, line);) {
		// A mapping of the EPC itself has a physical address.
		if (line.find(" sgx") == std::string::npos || line.find("phys=") != std::string::npos)
			continue;
		std::istringstream words(line);
		std::string range;
		long size = 0;
		words >> range >> size;
		// The last page is a guard page without memory.
		sum += size - static_cast<long>(page_size);
	}
	return sum;
}

Sample Meter::read(const Device *device) const
{
	const std::vector<u64> all = monitor_->counters();
	const auto leaf = [&](unsigned first) {
		long sum = 0;
		for (unsigned result = 0; result < results; result++)
			sum += static_cast<long>(all.at(first + result));
		return sum;
	};
	Sample s;
	for (const auto &[number, name] : encls_names)
		s[name] = leaf(SGX2_DEV_CTR_ENCLS(number, 0));
	for (const auto &[number, name] : enclu_names)
		s[name] = leaf(SGX2_DEV_CTR_ENCLU(number, 0));
	s["ETRACK 17"] = static_cast<long>(all.at(SGX2_DEV_CTR_ENCLS(0x0c, 17)));
	s["EWB 11"] = static_cast<long>(all.at(SGX2_DEV_CTR_ENCLS(0x0b, 11)));
	s["exits by fault"] = static_cast<long>(all.at(SGX2_DEV_CTR_AEX_EXCEPTION(vector_pf)));
	s["exits by interrupt"] = static_cast<long>(all.at(SGX2_DEV_CTR_AEX_INTERRUPT));
	s["TLB fills"] = static_cast<long>(all.at(SGX2_DEV_CTR_TLB_FILLS));
	s["interrupts"] = interrupts("CAL");
	s["TLB interrupts"] = interrupts("TLB");
	rusage usage = {};
	getrusage(RUSAGE_SELF, &usage);
	s["faults"] = usage.ru_minflt + usage.ru_majflt;
	if (device) {
		const long broadcasts = fdinfo(*device, "sgx2-ipi-broadcasts");
		if (broadcasts >= 0)
			s["rounds"] = broadcasts;
	}
	return s;
}

Sample Meter::difference(const Sample &before, const Sample &after, u64 ticks)
{
	Sample s;
	for (const auto &[name, value] : after) {
		const auto was = before.find(name);
		if (const long d = value - (was == before.end() ? 0 : was->second))
			s[name] = d;
	}
	s["instructions"] = static_cast<long>(ticks);
	return s;
}

void Results::add(const std::string &work, u64 pages, unsigned inside, const Sample &sample)
{
	std::string line = fmt::format(R"({{"work": "{}", "pages": {}, "inside": {})", work, pages, inside);
	for (const auto &[name, value] : sample)
		line += fmt::format(R"(, "{}": {})", name, value);
	lines_.push_back(line + "}");
}

void Results::print() const
{
	for (const auto &line : lines_)
		fmt::print("{}\n", line);
	std::fflush(stdout);
}

} // namespace sgx
