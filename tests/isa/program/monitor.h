// SPDX-License-Identifier: GPL-2.0
// The machine's monitor device: the EPCM and the counters as the model has them, which silicon shows to nobody.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../../../tools/emulator/include/sgx2_device.h"
#include "layout.h"

namespace isa {

struct EpcmEntry {
	u64 phys = 0, linear = 0, enclave = 0, stamp = 0, flags = 0;
	bool operator==(const EpcmEntry &) const = default;
	bool valid() const { return flags & 1; }
	/// "invalid", "SECS ---", "REG rw- PENDING": type, permissions, then what else is set.
	std::string text() const;
};

class Monitor {
public:
	/// Null when the machine has no such device, as silicon has none.
	static std::unique_ptr<Monitor> find();
	~Monitor();
	Monitor(const Monitor &) = delete;
	Monitor &operator=(const Monitor &) = delete;

	u64 pages() const { return read(SGX2_DEV_PAGES); }
	u64 valid() const { return read(SGX2_DEV_VALID); }
	EpcmEntry entry(u64 page) const;
	/// Of that entry alone, which is quicker.
	u64 flags(u64 page) const;

	/// Counter by an index macro of sgx2_device.h, now.
	u64 counter(unsigned index) const;
	/// All of them, at one moment.
	std::vector<u64> counters() const;
	/// Rates per million, by the offset of a SGX2_DEV_INJ_* register; calm() sets all to 0.
	void inject(unsigned reg, u64 rate) const;
	void calm() const;
	void lose_epc() const;
	/// How often this program has made it do so.
	static unsigned losses();

private:
	Monitor() = default;
	u64 read(unsigned offset) const { return bar_[offset / 8]; }
	void write(unsigned offset, u64 value) const { bar_[offset / 8] = value; }

	volatile u64 *bar_ = nullptr;
};

/// Folder in /sys/bus/pci/devices of the first device with these ids; empty when there is none.
std::string pci_find(unsigned vendor, unsigned device);
/// Lets the device decode its BARs and be bus master, and maps BAR 0. Null when that fails.
void *pci_map(const std::string &folder, u64 size);

} // namespace isa
