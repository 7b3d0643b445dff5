// SPDX-License-Identifier: GPL-2.0
// Queries of sysfs, the driver and CPUID.

#include "driver.h"

#include <fstream>

#include <cpuid.h>
#include <unistd.h>

#include "device.h"

namespace sgx {

namespace {

struct Leaf {
	u32 a = 0, b = 0, c = 0, d = 0;
};

constexpr u32 sgx_leaf = 0x12;

Leaf cpuid(u32 leaf, u32 subleaf)
{
	Leaf l;
	if (!__get_cpuid_count(leaf, subleaf, &l.a, &l.b, &l.c, &l.d))
		return {};
	return l;
}

u64 join(u32 high, u32 low)
{
	return static_cast<u64>(high) << 32 | low;
}

} // namespace

std::string Driver::name()
{
	return access("/sys/module/sgx2", F_OK) == 0 ? "sgx2" : "intree";
}

bool Driver::offers(unsigned long ioctl_number)
{
	Device device;
	return !device.open() && device.call(ioctl_number, nullptr) != ENOTTY;
}

bool Driver::allows_dynamic_code()
{
	std::ifstream file("/sys/module/sgx2/parameters/dynamic_code");
	// Only sgx2 can forbid it.
	return file.get() != 'N';
}

bool Processor::has_sgx2()
{
	return (cpuid(sgx_leaf, 0).a & 2) != 0;
}

bool Processor::has_updatesvn()
{
	return (cpuid(sgx_leaf, 0).a & 1 << 10) != 0;
}

bool Processor::has_rdinfo()
{
	return (cpuid(sgx_leaf, 0).a & 1 << 6) != 0;
}

std::vector<Processor::Section> Processor::epc_sections()
{
	constexpr u32 whole_pages = 0xfffff000, high_part = 0xfffff;
	std::vector<Section> sections;
	for (u32 i = 2; i < 10; i++) {
		const Leaf l = cpuid(sgx_leaf, i);
		if ((l.a & 0xf) != 1)
			break;
		sections.push_back({join(l.b & high_part, l.a & whole_pages), join(l.d & high_part, l.c & whole_pages)});
	}
	return sections;
}

u64 Processor::epc_bytes()
{
	u64 sum = 0;
	for (const Section &section : epc_sections())
		sum += section.size;
	return sum;
}

unsigned Processor::size_log2_limit()
{
	return cpuid(sgx_leaf, 0).d >> 8 & 0xff;
}

u32 Processor::misc_allowed()
{
	return cpuid(sgx_leaf, 0).b;
}

u64 Processor::attributes_allowed()
{
	const Leaf l = cpuid(sgx_leaf, 1);
	return join(l.b, l.a);
}

u64 Processor::xfrm_allowed()
{
	const Leaf l = cpuid(sgx_leaf, 1);
	return join(l.d, l.c);
}

} // namespace sgx
