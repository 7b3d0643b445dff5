// SPDX-License-Identifier: GPL-2.0
// Calls the kernel module of the guest ISA test.

#include "kernel.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace isa {

namespace {

[[noreturn]] void fail(const std::string &what)
{
	throw std::runtime_error(what + ": " + std::strerror(errno));
}

} // namespace

Kernel::Kernel(const std::string &module)
{
	const int file = open(module.c_str(), O_RDONLY | O_CLOEXEC);
	if (file < 0)
		fail(module);
	loaded_ = syscall(SYS_finit_module, file, "", 0) == 0;
	if (!loaded_ && errno != EEXIST)
		fail("loading " + module);
	close(file);

	fd_ = open(SGX2_ISA_NODE, O_RDWR | O_CLOEXEC);
	if (fd_ < 0)
		fail(SGX2_ISA_NODE);
	if (ioctl(fd_, SGX2_ISA_INFO, &info_) != 0)
		fail("SGX2_ISA_INFO");
	for (u64 i = 0; i < info_.sections; i++)
		pages_ += info_.section[i].size / page_size;
	void *p = mmap(nullptr, SGX2_ISA_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, SGX2_ISA_SHARED_OFFSET);
	if (p == MAP_FAILED)
		fail("mapping the shared memory");
	shared_ = static_cast<Shared *>(p);
}

Kernel::~Kernel()
{
	if (shared_)
		munmap(shared_, SGX2_ISA_SHARED_SIZE);
	if (fd_ >= 0)
		close(fd_);
	if (loaded_)
		syscall(SYS_delete_module, "sgx2_isa", O_NONBLOCK);
}

Result Kernel::run(u32 insn, const Regs &regs, u32 how, u64 walk) const
{
	sgx2_isa_run run{};
	run.insn = insn;
	run.how = how;
	run.rax = regs.rax;
	run.rbx = regs.rbx;
	run.rcx = regs.rcx;
	run.rdx = regs.rdx;
	run.rflags = regs.rflags;
	run.walk = walk;
	if (ioctl(fd_, SGX2_ISA_RUN, &run) != 0)
		fail("SGX2_ISA_RUN");
	Result result;
	result.vector = run.vector;
	result.error = run.error;
	result.cr2 = run.cr2;
	result.regs = {run.rax, run.rbx, run.rcx, run.rdx, run.rflags};
	result.rip_moved = result.faulted() && run.rip != 0;
	result.has_error = !(how & SGX2_ISA_BY_KERNEL);
	return result;
}

Result Kernel::encls(u32 leaf, u64 rbx, u64 rcx, u64 rdx) const
{
	return run(SGX2_ISA_ENCLS, {leaf, rbx, rcx, rdx, 0});
}

u64 Kernel::linear(u64 page) const
{
	u64 offset = page * page_size;
	for (u64 i = 0; i < info_.sections; offset -= info_.section[i++].size)
		if (offset < info_.section[i].size)
			return info_.section[i].linear + offset;
	throw std::runtime_error("the EPC has no page " + std::to_string(page));
}

u64 Kernel::phys(u64 page) const
{
	u64 offset = page * page_size;
	for (u64 i = 0; i < info_.sections; offset -= info_.section[i++].size)
		if (offset < info_.section[i].size)
			return info_.section[i].phys + offset;
	throw std::runtime_error("the EPC has no page " + std::to_string(page));
}

u64 Kernel::at(const void *p) const
{
	return info_.shared + static_cast<u64>(static_cast<const u8 *>(p) - reinterpret_cast<const u8 *>(shared_));
}

u64 Kernel::rdmsr(u32 msr) const
{
	const Result result = run(SGX2_ISA_RDMSR, {0, 0, msr, 0, 0});
	if (result.faulted())
		throw std::runtime_error("RDMSR gave " + result.text());
	return result.regs.rdx << 32 | (result.regs.rax & 0xffffffff);
}

Result Kernel::wrmsr(u32 msr, u64 value) const
{
	return run(SGX2_ISA_WRMSR, {value & 0xffffffff, 0, msr, value >> 32, 0});
}

void Kernel::map(u64 address, u64 page) const
{
	sgx2_isa_map m{address, phys(page)};
	mapped_.insert(address);
	if (ioctl(fd_, SGX2_ISA_MAP, &m) != 0)
		fail("SGX2_ISA_MAP");
}

void Kernel::unmap(u64 address) const
{
	sgx2_isa_map m{address, 0};
	mapped_.erase(address);
	if (ioctl(fd_, SGX2_ISA_MAP, &m) != 0)
		fail("SGX2_ISA_MAP");
}

void Kernel::reserve(u64 address, u64 size, int protection) const
{
	void *at = reinterpret_cast<void *>(address);
	if (mmap(at, size, protection, MAP_SHARED | MAP_FIXED, fd_, static_cast<off_t>(address)) != at)
		fail("mapping EPC");
}

void Kernel::release(u64 address, u64 size) const
{
	for (auto at = mapped_.lower_bound(address); at != mapped_.end() && *at < address + size;)
		unmap(*at++);
	munmap(reinterpret_cast<void *>(address), size);
}

void Kernel::tell(unsigned long request, u32 value) const
{
	if (ioctl(fd_, request, &value) != 0)
		fail("ioctl " + std::to_string(_IOC_NR(request)) + " of the module");
}

void Kernel::interrupt(unsigned cpu) const
{
	tell(SGX2_ISA_IPI, cpu);
}

void Kernel::nmi(unsigned cpu) const
{
	tell(SGX2_ISA_NMI, cpu);
}

void Kernel::nmi_and_enable(unsigned cpu) const
{
	tell(SGX2_ISA_NMI_ENABLE, cpu);
}

void Kernel::disable_interrupts(bool on) const
{
	tell(SGX2_ISA_DISABLE_INTERRUPTS, on);
}

} // namespace isa
