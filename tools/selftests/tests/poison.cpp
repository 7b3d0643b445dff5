// SPDX-License-Identifier: GPL-2.0
// A machine check reports damaged memory of an EPC page, which the driver must not use again. A module of the kernel makes the report,
// which the kernel handles like a real one; the memory is not damaged.

#include <fstream>

#include <fcntl.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// Returns the kernel's log.
std::string kernel_log()
{
	constexpr int read_all = 3, size = 10;
	std::string text(static_cast<size_t>(klogctl(size, nullptr, 0)), '\0');
	const int length = klogctl(read_all, text.data(), static_cast<int>(text.size()));
	must(errno_of(length), "klogctl");
	text.resize(static_cast<size_t>(length));
	return text;
}

std::string hex(u64 value)
{
	char text[20];
	std::snprintf(text, sizeof(text), "%#llx", static_cast<unsigned long long>(value));
	return text;
}

u64 leaked_bytes()
{
	u64 value = 0;
	std::ifstream("/sys/class/misc/sgx_enclave/epc_leaked_bytes") >> value;
	return value;
}

class Poison : public Dynamic {
protected:
	static constexpr u64 some = 64 * page;

	void SetUp() override
	{
		ONLY_SGX2();
		if (!machine)
			GTEST_SKIP() << "needs a machine that shows the EPCM";
		if (Processor::epc_bytes() > 256UL << 20)
			GTEST_SKIP() << "needs an EPC of at most 256 MiB";
		const int module = open("/lib/modules/mce_inject.ko", O_RDONLY | O_CLOEXEC);
		if (module >= 0) {
			syscall(SYS_finit_module, module, "", 0);
			close(module);
		}
		if (access((folder + "bank").c_str(), W_OK) != 0)
			GTEST_SKIP() << "needs the module mce-inject";
		Dynamic::SetUp();
		grow(some, PROT_READ | PROT_WRITE);
	}
	/// Returns the physical address of the page at this offset in the dynamic range; 0 if the page is not resident.
	u64 physical(u64 from) const
	{
		for (u64 i = 0; i < machine->pages(); i++) {
			const isa::EpcmEntry entry = machine->entry(i);
			if (entry.valid() && entry.linear == at + from)
				return entry.phys;
		}
		return 0;
	}
	bool used(u64 phys) const
	{
		for (u64 i = 0; i < machine->pages(); i++) {
			const isa::EpcmEntry entry = machine->entry(i);
			if (entry.valid() && entry.phys == phys)
				return true;
		}
		return false;
	}
	/// Reports an uncorrected error in a cache line, as the patrol scrubber does. The driver has handled the report when this returns.
	void report(u64 phys) const
	{
		constexpr u64 valid_uncorrected_address = 0xbc000000000000c0, physical_line = 0x86;
		const auto put = [this](const char *name, const std::string &value) {
			std::ofstream file(folder + name);
			file << value << '\n' << std::flush;
			must(file ? 0 : EIO, name);
		};
		put("flags", "sw");
		put("status", hex(valid_uncorrected_address));
		put("misc", hex(physical_line));
		put("addr", hex(phys));
		put("bank", "0");
		const std::string line = "EPC at " + hex(phys) + "-" + hex(phys + 63) + ": uncorrected memory error: 1 page(s)";
		for (unsigned tries = 0; tries < 3000; tries++, usleep(20000)) {
			if (kernel_log().find(line) != std::string::npos)
				return;
		}
		ADD_FAILURE() << "not in the kernel's log: " << line;
	}
	/// Calls the function while another enclave uses all pages of the EPC that it can get.
	template <typename Look>
	static void when_full(Look look)
	{
		const u64 epc = Processor::epc_bytes();
		Options options;
		for (options.size = 128 << 20; options.size < 4 * epc; options.size *= 2)
			;
		const Enclave other(options);
		must(other.device().augment_pages(other.image().end, 3 * epc).error, "AUGMENT");
		look();
	}
	/// Checks that a freed page is leaked when it would be used again, and not before.
	void expect_unused(u64 phys, u64 leaked)
	{
		EXPECT_FALSE(used(phys));
		EXPECT_EQ(leaked_bytes(), leaked);
		when_full([&] { EXPECT_FALSE(used(phys)); });
		EXPECT_EQ(leaked_bytes(), leaked + page);
	}

	const std::string folder = "/sys/kernel/debug/mce-inject/";
	const std::unique_ptr<isa::Monitor> machine = isa::Monitor::find();
};

TEST_F(Poison, FreePageIsNotReused)
{
	const u64 phys = physical(0), leaked = leaked_bytes();
	ASSERT_NE(phys, 0U);
	remove(some);
	report(phys + 0x40);
	expect_unused(phys, leaked);
}

TEST_F(Poison, UsedPageIsNotReused)
{
	const u64 phys = physical(3 * page), leaked = leaked_bytes();
	ASSERT_NE(phys, 0U);
	Request fill = request(Op::fill, at, some);
	fill.value = 5;
	ASSERT_TRUE(whole(enclave.ask(fill)));
	report(phys + 0xfc0);
	// EWB would read the page, so it is not evicted, while other pages of the enclave are.
	when_full([&] { EXPECT_EQ(physical(3 * page), phys); });
	EXPECT_EQ(leaked_bytes(), leaked);
	Request check = request(Op::check, at, some);
	check.value = 5;
	EXPECT_EQ(enclave.ask(check).result, 0U);
	remove(some);
	expect_unused(phys, leaked);
}

} // namespace
