// SPDX-License-Identifier: GPL-2.0
// The architectural structures in their memory layout (Documentation/isa.rst 3). Members that the
// architecture reserves are named rsvd*. Members that no leaf reads are present, because the
// offsets of later members depend on them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sgx2_model.h"

namespace sgx2 {

static_assert(std::endian::native == std::endian::little, "guest structures are read in place");

constexpr size_t page_size = SGX2_PAGE;
constexpr uint64_t page_offset_mask = page_size - 1;

constexpr uint64_t page_base(uint64_t address)
{
	return address & ~page_offset_mask;
}
constexpr uint64_t page_offset(uint64_t address)
{
	return address & page_offset_mask;
}
constexpr bool aligned(uint64_t address, uint64_t to)
{
	return (address & (to - 1)) == 0;
}

/// The bits of an address or a register that 32-bit code uses.
constexpr uint64_t low32 = 0xffffffff;

inline bool all_zero(std::span<const uint8_t> bytes)
{
	return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
}

enum class PageType : uint8_t { Secs = 0, Tcs = 1, Reg = 2, Va = 3, Trim = 4 };

/// ATTRIBUTES, with XFRM: 128 bits that are compared and masked together.
struct Attributes {
	uint64_t flags;
	uint64_t xfrm;

	friend bool operator==(const Attributes &, const Attributes &) = default;
	friend Attributes operator&(const Attributes &a, const Attributes &b) { return {a.flags & b.flags, a.xfrm & b.xfrm}; }
};

namespace attribute {
constexpr uint64_t init = 1u << 0, debug = 1u << 1, mode64 = 1u << 2, provision_key = 1u << 4, einit_token_key = 1u << 5,
		   kss = 1u << 7, aex_notify = 1u << 10;
}

/// Components of XCR0 and XFRM.
namespace xfrm {
constexpr uint64_t x87_sse = 3u << 0, avx = 1u << 2, mpx = 3u << 3, avx512 = 7u << 5, amx = 3u << 17;
constexpr uint64_t reserved = uint64_t{1} << 63;
/// The number of the first component behind the XSAVE header, and the number of components.
constexpr unsigned first_extended = 2, components = 64;
} // namespace xfrm

namespace miscselect {
constexpr uint32_t exinfo = 1u << 0;
}

/// The defined part of a SECS; the rest of the page is reserved to software.
struct SecsCore {
	uint64_t size;
	uint64_t base;
	uint32_t ssa_frame_pages;
	uint32_t miscselect;
	uint8_t rsvd0[24];
	Attributes attributes;
	uint8_t mrenclave[32];
	uint8_t rsvd1[32];
	uint8_t mrsigner[32];
	uint8_t rsvd2[32];
	uint8_t configid[64];
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint16_t configsvn;
	uint16_t rsvd3;
};
static_assert(offsetof(SecsCore, attributes) == 48);
static_assert(offsetof(SecsCore, mrenclave) == 64);
static_assert(offsetof(SecsCore, mrsigner) == 128);
static_assert(offsetof(SecsCore, configid) == 192);
static_assert(offsetof(SecsCore, configsvn) == 260);
static_assert(sizeof(SecsCore) == 264);

struct SecsPage {
	SecsCore core;
	uint8_t rsvd[page_size - sizeof(SecsCore)];
};
static_assert(sizeof(SecsPage) == page_size);

namespace tcs_flag {
constexpr uint64_t dbgoptin = 1u << 0, aex_notify = 1u << 1;
}

struct Tcs {
	uint64_t state;
	uint64_t flags;
	uint64_t ossa;
	uint32_t cssa;
	uint32_t nssa;
	uint64_t oentry;
	uint64_t aep;
	uint64_t ofsbase;
	uint64_t ogsbase;
	uint32_t fslimit;
	uint32_t gslimit;
};
static_assert(offsetof(Tcs, cssa) == 24);
static_assert(offsetof(Tcs, aep) == 40);
static_assert(sizeof(Tcs) == 72);

/// The low bits of FSLIMIT and GSLIMIT, which are all ones in a TCS of a 32-bit enclave.
constexpr uint32_t tcs_limit_low = page_offset_mask;
constexpr uint64_t tcs_inactive = 0;
constexpr uint64_t tcs_active = 1;

struct PageInfo {
	uint64_t linaddr;
	uint64_t srcpge;
	uint64_t secinfo; ///< the PCMD for EWB and ELDx
	uint64_t secs;
};
static_assert(sizeof(PageInfo) == 32);

namespace secinfo_flag {
constexpr uint64_t r = 1u << 0, w = 1u << 1, x = 1u << 2, pending = 1u << 3, modified = 1u << 4, pr = 1u << 5;
constexpr uint64_t rwx = r | w | x;
constexpr uint64_t state = pending | modified | pr;
constexpr unsigned type_shift = 8;
constexpr uint64_t type_mask = 0xffu << type_shift;
constexpr uint64_t reserved = ~(rwx | state | type_mask);
} // namespace secinfo_flag

struct Secinfo {
	uint64_t flags;
	uint8_t rsvd[56];

	uint64_t type() const { return (flags & secinfo_flag::type_mask) >> secinfo_flag::type_shift; }
	bool is(PageType t) const { return type() == static_cast<uint64_t>(t); }
	uint8_t rights() const { return static_cast<uint8_t>(flags & secinfo_flag::rwx); }
	/// Return whether the reserved bits and bytes, and the bits @also, are zero.
	bool reserved_clear(uint64_t also = 0) const { return (flags & (secinfo_flag::reserved | also)) == 0 && all_zero(rsvd); }
	/// Return whether the page is writable but not readable, which the EPCM cannot express.
	bool write_only() const { return (flags & (secinfo_flag::r | secinfo_flag::w)) == secinfo_flag::w; }
};
static_assert(sizeof(Secinfo) == 64);
static_assert(secinfo_flag::r == SGX2_READ && secinfo_flag::w == SGX2_WRITE && secinfo_flag::x == SGX2_EXEC);

struct Pcmd {
	Secinfo secinfo;
	uint64_t enclaveid;
	uint8_t rsvd[40];
	uint8_t mac[16];
};
static_assert(sizeof(Pcmd) == 128);

struct Sigstruct {
	uint8_t header[16];
	uint32_t vendor;
	uint32_t date;
	uint8_t header2[16];
	uint32_t swdefined;
	uint8_t rsvd0[84];
	uint8_t modulus[384];
	uint32_t exponent;
	uint8_t signature[384];
	uint32_t miscselect;
	uint32_t miscmask;
	uint8_t rsvd1[4];
	uint8_t isvfamilyid[16];
	Attributes attributes;
	Attributes attributemask;
	uint8_t enclavehash[32];
	uint8_t rsvd2[16];
	uint8_t isvextprodid[16];
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint8_t rsvd3[12];
	uint8_t q1[384];
	uint8_t q2[384];
};
static_assert(offsetof(Sigstruct, modulus) == 128);
static_assert(offsetof(Sigstruct, miscselect) == 900);
static_assert(offsetof(Sigstruct, attributes) == 928);
static_assert(offsetof(Sigstruct, isvprodid) == 1024);
static_assert(offsetof(Sigstruct, q1) == 1040);
static_assert(sizeof(Sigstruct) == 1808);

struct EinitToken {
	uint32_t valid;
	uint8_t rsvd0[44];
	Attributes attributes;
	uint8_t mrenclave[32];
	uint8_t rsvd1[32];
	uint8_t mrsigner[32];
	uint8_t rsvd2[32];
	uint8_t cpusvnle[16];
	uint16_t isvprodidle;
	uint16_t isvsvnle;
	uint8_t rsvd3[24];
	uint32_t maskedmiscselectle;
	Attributes maskedattributesle;
	uint8_t keyid[32];
	uint8_t mac[16];
};
static_assert(offsetof(EinitToken, cpusvnle) == 192);
static_assert(offsetof(EinitToken, maskedmiscselectle) == 236);
static_assert(sizeof(EinitToken) == 304);
/// Bit of EinitToken::valid; the other bits are reserved.
constexpr uint32_t einit_token_valid = 1u << 0;
/// Bytes of an EinitToken that its MAC covers.
constexpr size_t einit_token_signed = 192;

enum class KeyName : uint16_t {
	EinitToken = 0,
	Provision = 1,
	ProvisionSeal = 2,
	Report = 3,
	Seal = 4,
};

namespace key_policy {
constexpr uint16_t mrenclave = 1u << 0, mrsigner = 1u << 1, noisvprodid = 1u << 2, configid = 1u << 3, isvfamilyid = 1u << 4,
		   isvextprodid = 1u << 5;
constexpr uint16_t kss = noisvprodid | configid | isvfamilyid | isvextprodid;
constexpr uint16_t known = mrenclave | mrsigner | kss;
} // namespace key_policy

struct KeyRequest {
	uint16_t keyname;
	uint16_t keypolicy;
	uint16_t isvsvn;
	uint16_t rsvd0;
	uint8_t cpusvn[16];
	Attributes attributemask;
	uint8_t keyid[32];
	uint32_t miscmask;
	uint16_t configsvn;
	uint8_t rsvd1[434];
};
static_assert(offsetof(KeyRequest, attributemask) == 24);
static_assert(offsetof(KeyRequest, configsvn) == 76);
static_assert(sizeof(KeyRequest) == 512);

struct TargetInfo {
	uint8_t measurement[32];
	Attributes attributes;
	uint8_t rsvd0[2];
	uint16_t configsvn;
	uint32_t miscselect;
	uint8_t rsvd1[8];
	uint8_t configid[64];
	uint8_t rsvd2[384];
};
static_assert(offsetof(TargetInfo, configid) == 64);
static_assert(sizeof(TargetInfo) == 512);

struct Report {
	uint8_t cpusvn[16];
	uint32_t miscselect;
	uint8_t rsvd0[12];
	uint8_t isvextprodid[16];
	Attributes attributes;
	uint8_t mrenclave[32];
	uint8_t rsvd1[32];
	uint8_t mrsigner[32];
	uint8_t rsvd2[32];
	uint8_t configid[64];
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint16_t configsvn;
	uint8_t rsvd3[42];
	uint8_t isvfamilyid[16];
	uint8_t reportdata[64];
	uint8_t keyid[32];
	uint8_t mac[16];
};
static_assert(offsetof(Report, isvfamilyid) == 304);
static_assert(offsetof(Report, keyid) == 384);
static_assert(sizeof(Report) == 432);
/// Bytes of a Report that its MAC covers.
constexpr size_t report_signed = offsetof(Report, keyid);

struct RdInfo {
	uint64_t status;
	uint64_t flags;
	uint64_t enclavecontext;
	uint64_t rsvd;
};
static_assert(sizeof(RdInfo) == 32);

/// EXINFO, at the end of the MISC region, which ends where GPRSGX starts.
struct Exinfo {
	uint64_t maddr;
	uint32_t errcd;
	uint32_t rsvd;
};
static_assert(sizeof(Exinfo) == 16);

struct Gprsgx {
	uint64_t gpr[16]; ///< in the order of enum sgx2_gpr
	uint64_t rflags;
	uint64_t rip;
	uint64_t ursp;
	uint64_t urbp;
	uint32_t exitinfo;
	uint8_t rsvd[3];
	uint8_t aexnotify;
	uint64_t fsbase;
	uint64_t gsbase;
};
static_assert(offsetof(Gprsgx, ursp) == 144);
static_assert(offsetof(Gprsgx, aexnotify) == 167);
static_assert(sizeof(Gprsgx) == 184);

/// Bit of Gprsgx::aexnotify.
constexpr uint8_t aexnotify_enabled = 1u << 0;
constexpr size_t gprsgx_offset = page_size - sizeof(Gprsgx);
constexpr size_t exinfo_offset = gprsgx_offset - sizeof(Exinfo);

namespace exitinfo {
constexpr uint32_t hardware = 3u << 8, software = 6u << 8, valid = 1u << 31;
}

/// The XSAVE header, at xsave_header_offset in an XSAVE area.
struct XsaveHeader {
	uint64_t xstate_bv;
	uint64_t xcomp_bv;
	uint8_t rsvd[48];
};
static_assert(sizeof(XsaveHeader) == 64);
/// Bytes of XsaveHeader::rsvd that XRSTOR of a standard-format area checks.
constexpr size_t standard_xsave_reserved = 8;
constexpr size_t xsave_header_offset = 512; // after the legacy region
constexpr uint32_t xsave_minimum = xsave_header_offset + sizeof(XsaveHeader);

} // namespace sgx2
