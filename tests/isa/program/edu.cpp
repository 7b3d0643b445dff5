// SPDX-License-Identifier: GPL-2.0
// Drives the DMA engine of QEMU's "edu" device through its BAR.

#include "edu.h"

#include <stdexcept>

#include <sys/mman.h>
#include <unistd.h>

#include "monitor.h"
#include "test_bench.h"

namespace isa {

namespace {

constexpr unsigned vendor = 0x1234, device = 0x11e8;
constexpr u64 bar_size = 1 << 20, buffer = 0x40000;
constexpr unsigned SOURCE = 0x80, DESTINATION = 0x88, COUNT = 0x90, COMMAND = 0x98;
constexpr u64 START = 1, TO_MEMORY = 2;

} // namespace

Edu::Edu()
{
	const std::string folder = pci_find(vendor, device);
	if (folder.empty())
		throw Skip{"no device whose DMA a program can start: QEMU has one, -device edu,dma_mask=0xffffffffff"};
	bar_ = static_cast<volatile u64 *>(pci_map(folder, bar_size));
	if (!bar_)
		throw std::runtime_error("the edu device cannot be mapped");
}

Edu::~Edu()
{
	munmap(const_cast<u64 *>(bar_), bar_size);
}

void Edu::move(u64 phys, u64 direction)
{
	bar_[SOURCE / 8] = direction & TO_MEMORY ? buffer : phys;
	bar_[DESTINATION / 8] = direction & TO_MEMORY ? phys : buffer;
	bar_[COUNT / 8] = 8;
	bar_[COMMAND / 8] = START | direction;
	// The device delays each transfer by a tenth of a second.
	for (int i = 0; bar_[COMMAND / 8] & START; i++) {
		if (i == 1000)
			throw std::runtime_error("the edu device does not end its DMA");
		usleep(10000);
	}
}

} // namespace isa
