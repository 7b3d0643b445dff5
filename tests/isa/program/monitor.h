// SPDX-License-Identifier: GPL-2.0
// The machine's monitor device, which shows the EPCM and the counters of the model. Silicon has no
// such device.
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
	/// Return type, permissions and state as text: "invalid", "SECS ---", "REG rw- PENDING".
	std::string text() const;
};

class Monitor {
public:
	/// Open the device. Return null if there is none, as on silicon.
	static std::unique_ptr<Monitor> find();
	~Monitor();
	Monitor(const Monitor &) = delete;
	Monitor &operator=(const Monitor &) = delete;

	u64 pages() const { return read(SGX2_DEV_PAGES); }
	u64 valid() const { return read(SGX2_DEV_VALID); }
	EpcmEntry entry(u64 page) const;
	/// Return the flags of an EPCM entry, which is faster than entry().
	u64 flags(u64 page) const;

	/// Return a counter; the index is a macro of sgx2_device.h.
	u64 counter(unsigned index) const;
	/// Return all counters of one snapshot.
	std::vector<u64> counters() const;
	/// Set a rate per million; the register is one of SGX2_DEV_INJ_*. clear_injection() sets
	/// all rates to 0.
	void inject(unsigned reg, u64 rate) const;
	void clear_injection() const;
	void lose_epc() const;
	/// Return how often this program has called lose_epc().
	static unsigned losses();

private:
	Monitor() = default;
	u64 read(unsigned offset) const { return bar_[offset / 8]; }
	void write(unsigned offset, u64 value) const { bar_[offset / 8] = value; }

	volatile u64 *bar_ = nullptr;
};

/// Return the folder in /sys/bus/pci/devices of the first device with these ids, or an empty
/// string.
std::string pci_find(unsigned vendor, unsigned device);
/// Enable memory space and bus mastering of the device and map BAR 0. Return null on failure.
void *pci_map(const std::string &folder, u64 size);

} // namespace isa
