// SPDX-License-Identifier: GPL-2.0
// Access to SSA frames.

#include "ssa.h"

#include <algorithm>
#include <cstring>

namespace sgx2 {

namespace {

MaybeFault map_page(const Execution &x, const Enclave &enclave, uint64_t at, Epc &page)
{
	constexpr uint8_t needed = SGX2_READ | SGX2_WRITE;

	if (!x.in.mode64)
		at &= low32;
	if (auto f = x.epc(at, SGX2_WRITE, page))
		return f;
	if (!page.page->usable(enclave.hidden.eid, at, PageType::Reg) || (page.page->rights & needed) != needed)
		return x.denied(at);
	return {};
}

/// Call @part(page, offset in the area, bytes) for each page of the XSAVE area.
template <typename Part>
void for_each_part(const Frame &frame, Part part)
{
	for (uint32_t done = 0; done < frame.xsave_bytes; done += page_size) {
		const size_t n = std::min<size_t>(frame.xsave_bytes - done, page_size);

		part(frame.span[done / page_size], done, n);
	}
}

/// Return whether XRSTOR accepts the header of a standard-format area. An SSA frame must not hold
/// any other format.
bool header_acceptable(const XsaveHeader &header, uint64_t xfrm)
{
	return header.xcomp_bv == 0 && (header.xstate_bv & ~xfrm) == 0 &&
	       all_zero(std::span(header.rsvd).first<standard_xsave_reserved>());
}

} // namespace

MaybeFault map_frame(const Execution &x, const Enclave &enclave, const Tcs &tcs, uint32_t index, Frame &frame)
{
	const SecsCore &secs = enclave.secs;
	const uint64_t frame_bytes = uint64_t{secs.ssa_frame_pages} * page_size;
	const uint64_t start = secs.base + tcs.ossa + index * frame_bytes;

	frame.xsave_bytes = x.m.xsave_size(secs.attributes.xfrm);
	for (uint32_t done = 0; done < frame.xsave_bytes; done += page_size) {
		if (auto f = map_page(x, enclave, start + done, frame.span[done / page_size]))
			return f;
	}
	const uint64_t last = start + frame_bytes - page_size;
	if (auto f = map_page(x, enclave, last, frame.last))
		return f;
	// Paging was checked for the first byte of the page; the segment limit applies to GPRSGX.
	if (!x.within_segment(last + gprsgx_offset, sizeof(Gprsgx)))
		return gp_fault();
	return {};
}

Gprsgx load_gprsgx(const Frame &frame)
{
	Gprsgx g;

	std::memcpy(&g, frame.last.data + gprsgx_offset, sizeof(g));
	return g;
}

void store_untrusted_stack(const Cpu &cpu, const Frame &frame, uint64_t rsp, uint64_t rbp)
{
	const uint64_t stack[2] = {rsp, rbp};

	std::memcpy(frame.last.data + gprsgx_offset + offsetof(Gprsgx, ursp), stack, sizeof(stack));
	cpu.epc_written(frame.last, page_size);
}

bool load_extended_state(Cpu &cpu, const Frame &frame, uint64_t xfrm)
{
	uint8_t *area = cpu.xsave_area.data();
	XsaveHeader header;

	for_each_part(frame, [area](const Epc &page, size_t offset, size_t n) { std::memcpy(area + offset, page.data, n); });
	std::memcpy(&header, area + xsave_header_offset, sizeof(header));
	return header_acceptable(header, xfrm) && cpu.ops.xrstor(cpu.ctx, area, xfrm, false);
}

void save_extended_state(Cpu &cpu, const Frame &frame, uint64_t xfrm)
{
	uint8_t *area = cpu.xsave_area.data();
	XsaveHeader header;

	std::memset(area, 0, frame.xsave_bytes);
	cpu.ops.xsave(cpu.ctx, area, xfrm);
	std::memcpy(&header, area + xsave_header_offset, sizeof(header));
	header.xstate_bv &= xfrm;
	header.xcomp_bv = 0;
	std::memset(header.rsvd, 0, sizeof(header.rsvd));
	std::memcpy(area + xsave_header_offset, &header, sizeof(header));
	for_each_part(frame, [&cpu, area](const Epc &page, size_t offset, size_t n) {
		std::memcpy(page.data, area + offset, n);
		cpu.epc_written(page, n);
	});
}

void save_registers(const Cpu &cpu, const Frame &frame, const sgx2_regs &regs, uint64_t flags, uint32_t exit_info)
{
	uint8_t *at = frame.last.data + gprsgx_offset;
	const uint64_t state[2] = {flags, regs.rip};
	const uint64_t bases[2] = {regs.fs.base, regs.gs.base};

	std::memcpy(at + offsetof(Gprsgx, gpr), regs.gpr, sizeof(regs.gpr));
	std::memcpy(at + offsetof(Gprsgx, rflags), state, sizeof(state));
	std::memcpy(at + offsetof(Gprsgx, exitinfo), &exit_info, sizeof(exit_info));
	std::memcpy(at + offsetof(Gprsgx, fsbase), bases, sizeof(bases));
	cpu.epc_written(frame.last, page_size);
}

void save_exinfo(const Frame &frame, const Exinfo &info)
{
	std::memcpy(frame.last.data + exinfo_offset, &info, sizeof(info));
}

} // namespace sgx2
