// SPDX-License-Identifier: GPL-2.0
// A machine check reports damaged memory of an EPC page: the page is not given out again. The kernel's own module makes up the
// report, which takes the way of a real one from there on; the memory is as good as before.

#include <fstream>

#include <fcntl.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// The kernel's log, as far as it goes back.
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
			GTEST_SKIP() << "only the SGX2 machine tells where a page is";
		if (Processor::epc_bytes() > 256UL << 20)
			GTEST_SKIP() << "it would take too long to fill more than 256 MiB of EPC";
		const int module = open("/lib/modules/mce_inject.ko", O_RDONLY | O_CLOEXEC);
		if (module >= 0) {
			syscall(SYS_finit_module, module, "", 0);
			close(module);
		}
		if (access((folder + "bank").c_str(), W_OK) != 0)
			GTEST_SKIP() << "this kernel has no module that makes up machine checks";
		Dynamic::SetUp();
		grow(some, PROT_READ | PROT_WRITE);
	}
	/// The physical address of the enclave's page at this offset in the dynamic range, 0 if the page is not in the EPC.
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
	/// The patrol scrubber has met an uncorrected error in this cache line; the driver has heard of it when this returns.
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
		ADD_FAILURE() << "never logged: " << line;
	}
	/// Looks while another enclave has as much of the EPC as it can get.
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
	/// A freed page is leaked as soon as it would be used again, and only then.
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

TEST_F(Poison, FreePage)
{
	const u64 phys = physical(0), leaked = leaked_bytes();
	ASSERT_NE(phys, 0U);
	remove(some);
	report(phys + 0x40);
	expect_unused(phys, leaked);
}

TEST_F(Poison, PageInUse)
{
	const u64 phys = physical(3 * page), leaked = leaked_bytes();
	ASSERT_NE(phys, 0U);
	Request fill = request(Op::fill, at, some);
	fill.value = 5;
	ASSERT_TRUE(whole(enclave.ask(fill)));
	report(phys + 0xfc0);
	// To write it out would read it, so it stays, whatever else of this enclave is evicted.
	when_full([&] { EXPECT_EQ(physical(3 * page), phys); });
	EXPECT_EQ(leaked_bytes(), leaked);
	Request check = request(Op::check, at, some);
	check.value = 5;
	EXPECT_EQ(enclave.ask(check).result, 0U);
	remove(some);
	expect_unused(phys, leaked);
}

} // namespace
