// SPDX-License-Identifier: GPL-2.0
// Finds PCI devices of the machine through sysfs and reads the registers of the monitor.

#include "monitor.h"

#include <cstdio>
#include <fstream>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace isa {

namespace {

unsigned lost;

constexpr const char *pci_root = "/sys/bus/pci/devices/";

unsigned read_id(const std::string &file)
{
	unsigned id = 0;
	std::ifstream in(file);
	in >> std::hex >> id;
	return id;
}

} // namespace

std::string pci_find(unsigned vendor, unsigned device)
{
	std::string found;
	DIR *dir = opendir(pci_root);
	if (!dir)
		return found;
	while (const dirent *e = readdir(dir)) {
		const std::string folder = pci_root + std::string(e->d_name);
		if (e->d_name[0] != '.' && read_id(folder + "/vendor") == vendor && read_id(folder + "/device") == device) {
			found = folder;
			break;
		}
	}
	closedir(dir);
	return found;
}

void *pci_map(const std::string &folder, u64 size)
{
	// Write the command register: no driver has enabled memory space and bus mastering.
	int fd = open((folder + "/config").c_str(), O_RDWR | O_CLOEXEC);
	u16 command = 0;
	const bool set = fd >= 0 && pread(fd, &command, sizeof(command), 4) == sizeof(command) &&
			 (command |= 0x6, pwrite(fd, &command, sizeof(command), 4)) == sizeof(command);
	if (fd >= 0)
		close(fd);
	if (!set)
		return nullptr;

	fd = open((folder + "/resource0").c_str(), O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return nullptr;
	void *p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? nullptr : p;
}

std::unique_ptr<Monitor> Monitor::find()
{
	const std::string folder = pci_find(SGX2_DEV_VENDOR, SGX2_DEV_DEVICE);
	if (folder.empty())
		return nullptr;
	void *bar = pci_map(folder, SGX2_DEV_BAR_SIZE);
	if (!bar)
		return nullptr;
	std::unique_ptr<Monitor> monitor(new Monitor);
	monitor->bar_ = static_cast<volatile u64 *>(bar);
	if (monitor->read(SGX2_DEV_MAGIC) != SGX2_DEV_MAGIC_VALUE)
		return nullptr;
	return monitor;
}

Monitor::~Monitor()
{
	if (bar_)
		munmap(const_cast<u64 *>(bar_), SGX2_DEV_BAR_SIZE);
}

EpcmEntry Monitor::entry(u64 page) const
{
	write(SGX2_DEV_ENTRY_INDEX, page);
	return {read(SGX2_DEV_ENTRY_PHYS), read(SGX2_DEV_ENTRY_LINEAR), read(SGX2_DEV_ENTRY_ENCLAVE), read(SGX2_DEV_ENTRY_STAMP),
		read(SGX2_DEV_ENTRY_FLAGS)};
}

u64 Monitor::flags(u64 page) const
{
	write(SGX2_DEV_ENTRY_INDEX, page);
	return read(SGX2_DEV_ENTRY_FLAGS);
}

void Monitor::lose_epc() const
{
	lost++;
	write(SGX2_DEV_COMMAND, SGX2_DEV_CMD_LOSE_EPC);
}

unsigned Monitor::losses()
{
	return lost;
}

u64 Monitor::counter(unsigned index) const
{
	write(SGX2_DEV_COMMAND, SGX2_DEV_CMD_SNAPSHOT);
	return read(SGX2_DEV_COUNTERS + 8 * index);
}

std::vector<u64> Monitor::counters() const
{
	std::vector<u64> all(SGX2_DEV_CTR_COUNT);
	write(SGX2_DEV_COMMAND, SGX2_DEV_CMD_SNAPSHOT);
	for (unsigned i = 0; i < all.size(); i++)
		all[i] = read(SGX2_DEV_COUNTERS + 8 * i);
	return all;
}

void Monitor::inject(unsigned reg, u64 rate) const
{
	write(SGX2_DEV_INJ_SEED, 1);
	write(reg, rate);
	write(SGX2_DEV_COMMAND, SGX2_DEV_CMD_INJECT);
}

void Monitor::clear_injection() const
{
	for (unsigned reg = SGX2_DEV_INJ_EBLOCK; reg <= SGX2_DEV_INJ_ENTROPY; reg += 8)
		write(reg, 0);
	for (unsigned leaf = 0; leaf < SGX2_DEV_LEAVES; leaf++) {
		write(SGX2_DEV_INJ_ENCLS(leaf), 0);
		write(SGX2_DEV_INJ_ENCLU(leaf), 0);
	}
	write(SGX2_DEV_COMMAND, SGX2_DEV_CMD_INJECT);
}

std::string EpcmEntry::text() const
{
	if (!valid())
		return "invalid";
	static const char *const types[] = {"SECS", "TCS", "REG", "VA", "TRIM"};
	const u64 type = flags >> 8 & 0xff;
	std::string s = type < std::size(types) ? types[type] : "type " + std::to_string(type);
	s += flags & 2 ? " r" : " -";
	s += flags & 4 ? "w" : "-";
	s += flags & 8 ? "x" : "-";
	static const char *const more[] = {" BLOCKED", " PENDING", " MODIFIED", " PR"};
	for (unsigned i = 0; i < std::size(more); i++)
		if (flags & 16 << i)
			s += more[i];
	return s;
}

} // namespace isa
