// SPDX-License-Identifier: GPL-2.0
// QEMU's "edu" PCI device, which copies data between its own buffer and physical memory, so that a
// program can start DMA.
#pragma once

#include <string>

#include "layout.h"

namespace isa {

class Edu {
public:
	/// Open the device. Throws Skip if there is none: start QEMU with -device
	/// edu,dma_mask=0xffffffffff.
	Edu();
	~Edu();
	Edu(const Edu &) = delete;
	Edu &operator=(const Edu &) = delete;

	/// Copy 8 bytes between physical memory and the device's buffer.
	void load(u64 phys) { move(phys, 0); }
	void store(u64 phys) { move(phys, 2); }

private:
	void move(u64 phys, u64 direction);

	volatile u64 *bar_ = nullptr;
};

} // namespace isa
