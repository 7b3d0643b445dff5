// SPDX-License-Identifier: GPL-2.0
// Access to the operands of a leaf.

#include "execution.h"

namespace sgx2 {

bool is_canonical(const Machine &m, const sgx2_regs &regs, uint64_t address)
{
	constexpr unsigned la48_bits = 48, la57_bits = 57, address_bits = 64;
	const bool la57 = m.config.linear_bits > la48_bits && (regs.cr4 & cr4::la57);
	const unsigned unused = address_bits - (la57 ? la57_bits : la48_bits);
	const auto extended = static_cast<int64_t>(address << unused) >> unused;

	return static_cast<uint64_t>(extended) == address;
}

uint64_t Execution::linear(uint64_t value) const
{
	if (in.mode64)
		return value;
	return (in.ds.base + value) & low32;
}

bool Execution::canonical(uint64_t address) const
{
	return !in.mode64 || is_canonical(m, in, address);
}

bool Execution::within_segment(uint64_t at, size_t len) const
{
	if (in.mode64)
		return true;

	const uint64_t offset = (at - in.ds.base) & low32;
	return segment::usable(in.ds) && offset + len - 1 <= in.ds.limit;
}

Fault Execution::denied(uint64_t at, sgx2_access access) const
{
	uint32_t code = SGX2_PFEC_P | SGX2_PFEC_SGX;

	if (!user_ || access == SGX2_WRITE)
		code |= SGX2_PFEC_W;
	if (in.cpl == user_cpl)
		code |= SGX2_PFEC_U;
	return {vector::pf, true, code, at};
}

MaybeFault Execution::read(uint64_t at, void *to, size_t len) const
{
	Fault fault{};

	if (!within_segment(at, len))
		return gp_fault();
	if (!cpu.ops.read(cpu.ctx, at, to, len, &fault))
		return fault;
	return {};
}

MaybeFault Execution::write(uint64_t at, const void *from, size_t len) const
{
	Fault fault{};

	if (!within_segment(at, len))
		return gp_fault();
	if (!cpu.ops.write(cpu.ctx, at, from, len, &fault))
		return fault;
	return {};
}

MaybeFault Execution::translate(uint64_t at, sgx2_access access, uint64_t &physical) const
{
	Fault fault{};

	if (!within_segment(at, 1))
		return gp_fault();
	if (!cpu.ops.translate(cpu.ctx, at, access, &physical, &fault))
		return fault;
	return {};
}

MaybeFault Execution::probe_write(uint64_t at) const
{
	uint64_t physical = 0;

	return translate(at, SGX2_WRITE, physical);
}

MaybeFault Execution::epc(uint64_t at, sgx2_access access, Epc &to) const
{
	uint64_t physical = 0;

	if (auto f = translate(at, access, physical))
		return f;
	to = m.find(physical);
	if (!to)
		return denied(at, access);
	return {};
}

MaybeFault Execution::page_operand(Epc &to) const
{
	if (!aligned(rcx(), page_size))
		return gp_fault();
	return epc(rcx(), SGX2_WRITE, to);
}

MaybeFault Execution::check(const Epc &page, uint64_t at, sgx2_access access) const
{
	const auto wanted = static_cast<uint8_t>(access);

	if (!page.page->usable(cpu.mode.eid, at, PageType::Reg) || (page.page->rights & wanted) == 0)
		return denied(at, access);
	return {};
}

MaybeFault Execution::enclave_operand(uint64_t at, sgx2_access access, Epc &to) const
{
	if (auto f = epc(at, access, to))
		return f;
	return check(to, at, access);
}

MaybeFault Execution::secs(const Epc &page, uint64_t at) const
{
	if (!page.page->is_valid(PageType::Secs))
		return denied(at);
	return {};
}

} // namespace sgx2
