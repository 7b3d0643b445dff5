// SPDX-License-Identifier: GPL-2.0
// The result of a leaf: an exception, a code in RAX, or neither.
#pragma once

#include <cstdint>
#include <optional>

#include "sgx2_model.h"

namespace sgx2 {

/// Codes that a leaf returns in RAX (Documentation/isa.rst 5).
enum class Code : uint32_t {
	Success = 0,
	InvalidSigStruct = 1,
	InvalidAttribute = 2,
	BlockState = 3,
	InvalidMeasurement = 4,
	NotBlockable = 5,
	PageInvalid = 6,
	PageConflict = 7,
	InvalidSignature = 8,
	MacCompareFail = 9,
	PageNotBlocked = 10,
	NotTracked = 11,
	VaSlotOccupied = 12,
	ChildPresent = 13,
	EnclaveActive = 14,
	EntryEpochLocked = 15,
	InvalidEinitToken = 16,
	PreviousTrackingIncomplete = 17,
	PageIsSecs = 18,
	PageAttributesMismatch = 19,
	PageNotModifiable = 20,
	PageNotDebuggable = 21,
	PageNonEpc = 26,
	TrackNotRequired = 27,
	InsufficientEntropy = 29,
	EpcNotReady = 30,
	NoUpdate = 31,
	InvalidCpuSvn = 32,
	InvalidIsvSvn = 64,
	UnmaskedEvent = 128,
	InvalidKeyName = 256,
};

namespace vector {
constexpr uint8_t db = 1, bp = 3, ud = 6, nm = 7, gp = 13, pf = 14, mf = 16, xm = 19;
}

constexpr uint8_t user_cpl = 3;

namespace rflags {
constexpr uint64_t cf = 1u << 0, pf = 1u << 2, af = 1u << 4, zf = 1u << 6, sf = 1u << 7, tf = 1u << 8, if_ = 1u << 9,
		   df = 1u << 10, of = 1u << 11, iopl = 3u << 12, nt = 1u << 14, rf = 1u << 16, vm = 1u << 17, ac = 1u << 18,
		   id = 1u << 21;
constexpr uint64_t arithmetic = cf | pf | af | zf | sf | of;
} // namespace rflags

namespace cr0 {
constexpr uint64_t pe = 1u << 0, ts = 1u << 3, ne = 1u << 5, pg = 1u << 31;
}

namespace cr4 {
constexpr uint64_t osfxsr = 1u << 9, la57 = 1u << 12, osxsave = 1u << 18;
}

namespace feat_ctl {
constexpr uint64_t lock = 1u << 0, sgx_enable = 1u << 18;
}

/// Bits of the attr member of a segment, which has the layout of the upper half of a descriptor.
namespace segment {
constexpr uint32_t type_accessed_rw = 3u << 8, expand_down = 1u << 10, code = 1u << 11, user_type = 1u << 12, dpl3 = 3u << 13,
		   present = 1u << 15, big = 1u << 22, granular = 1u << 23;

/// Return whether the segment is usable; a segment with a null selector is not.
constexpr bool usable(const sgx2_segment &s)
{
	return s.attr & present;
}

constexpr bool expands_down(const sgx2_segment &s)
{
	return (s.attr & (user_type | code | expand_down)) == (user_type | expand_down);
}
} // namespace segment

using Fault = sgx2_fault;
using MaybeFault = std::optional<Fault>;

constexpr Fault ud_fault()
{
	return {vector::ud, false, 0, 0};
}
constexpr Fault nm_fault()
{
	return {vector::nm, false, 0, 0};
}
constexpr Fault gp_fault()
{
	return {vector::gp, true, 0, 0};
}

/// The result of a leaf. The implicit conversion from Fault lets a leaf that returns a code write
/// "return gp_fault();".
class [[nodiscard]] Outcome {
public:
	Outcome(const Fault &f) : kind_(Kind::Faulted), fault_(f) {}

	/// Success of a leaf that changes neither RAX nor the flags.
	static Outcome no_code() { return Outcome(Kind::NoCode, Code::Success); }
	static Outcome success() { return Outcome(Kind::Returned, Code::Success); }
	/// A failure: the code in RAX, with ZF set.
	static Outcome error(Code c) { return Outcome(Kind::Returned, c, rflags::zf); }
	/// A code that reports a state, not a failure: CF is set and ZF is clear.
	static Outcome notice(Code c) { return Outcome(Kind::Returned, c, rflags::cf); }

	bool faulted() const { return kind_ == Kind::Faulted; }
	bool returned() const { return kind_ == Kind::Returned; }
	const Fault &fault() const { return fault_; }
	uint32_t code() const { return static_cast<uint32_t>(code_); }
	uint64_t flags() const { return flags_; }

private:
	enum class Kind : uint8_t { NoCode, Returned, Faulted };

	Outcome(Kind kind, Code code, uint64_t flags = 0) : kind_(kind), code_(code), flags_(flags) {}

	Kind kind_;
	Code code_ = Code::Success;
	uint64_t flags_ = 0;
	Fault fault_{};
};

} // namespace sgx2
