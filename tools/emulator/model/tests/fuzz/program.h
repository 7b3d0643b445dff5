// SPDX-License-Identifier: GPL-2.0
// The format of a fuzz input, a program: the operations and their arguments.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fuzz {

/// An operation is one byte, modulo Count, followed by the arguments given here.
enum class Op : std::uint8_t {
	Encls,	 // leaf, rbx, rcx, rdx: addresses
	Enclu,	 // cpu, leaf, rbx, rcx, rdx: addresses
	Build,	 // enclave slot, variant
	Create,	 // page, slot, flags byte
	Add,	 // page, slot, linear page, SECINFO flags u16
	Extend,	 // page, chunk
	Init,	 // slot, variant
	Aug,	 // page, slot, linear page
	Page,	 // page leaf (EPA, EREMOVE, EBLOCK, ETRACK, ETRACKC), page
	Modify,	 // 0 EMODPR or 1 EMODT, page, SECINFO flags u16
	Evict,	 // page, va page, va slot, store
	Load,	 // leaf selector, page, va page, va slot, store, slot of the SECS
	Enter,	 // cpu, slot, linear page
	Resume,	 // cpu, slot, linear page
	Exit,	 // cpu
	Aex,	 // cpu, kind, vector, error byte
	Accept,	 // cpu, leaf selector, SECINFO flags u16, linear page, source page
	Attest,	 // cpu, leaf selector, bytes for the request: count, then offset u8 and value u8 each
	Debug,	 // 0 EDBGRD or 1 EDBGWR, page, offset byte, value u64
	Tlb,	 // cpu, linear address, page, access
	Map,	 // linear address, page, rights
	Poke,	 // cpu, linear page, offset u16, value u64 (through the TLB check)
	Ram,	 // RAM page, offset u16, value u64
	State,	 // cpu, field, value u64
	Inject,	 // leaf or kind of conflict, rate selector, seed byte
	Machine, ///< 0 lose EPC, 1 reset, 2 CPU reset, 3 JSON, 4 counters
	Event,	 // cpu, EINIT's pending event
	Count,
};

constexpr unsigned kEpcPages = 28, kRamPages = 12, kSlots = 3, kCpus = 3;
constexpr unsigned kSlotPages = 16;

constexpr std::uint64_t slot_base(unsigned slot)
{
	return 0x10000000ULL * (slot + 1);
}

/// Writes programs for the seed corpus.
class Writer {
public:
	template <class... Args>
	Writer &op(Op o, Args... args)
	{
		bytes.push_back(static_cast<std::uint8_t>(o));
		(bytes.push_back(static_cast<std::uint8_t>(args)), ...);
		return *this;
	}
	Writer &u16(unsigned v)
	{
		bytes.push_back(static_cast<std::uint8_t>(v));
		bytes.push_back(static_cast<std::uint8_t>(v >> 8));
		return *this;
	}
	Writer &u64(std::uint64_t v)
	{
		for (int i = 0; i < 8; i++)
			bytes.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
		return *this;
	}

	std::vector<std::uint8_t> bytes{0}; ///< the first byte chooses the configuration
};

} // namespace fuzz
