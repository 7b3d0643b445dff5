// SPDX-License-Identifier: GPL-2.0
// The numbers and layouts of the ISA, taken from Documentation/isa.rst and not from the model.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sgx {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 kPage = 4096;

enum Encls : u32 {
	ECREATE,
	EADD,
	EINIT,
	EREMOVE,
	EDBGRD,
	EDBGWR,
	EEXTEND,
	ELDB,
	ELDU,
	EBLOCK,
	EPA,
	EWB,
	ETRACK,
	EAUG,
	EMODPR,
	EMODT,
	ERDINFO,
	ETRACKC,
	ELDBC,
	ELDUC,
	EUPDATESVN = 0x18,
};

enum Enclu : u32 {
	EREPORT,
	EGETKEY,
	EENTER,
	ERESUME,
	EEXIT,
	EACCEPT,
	EMODPE,
	EACCEPTCOPY,
	EVERIFYREPORT2,
	EDECCSSA,
};

enum Vector : u8 { DE = 0, DB = 1, BP = 3, BR = 5, UD = 6, NM = 7, DF = 8, GP = 13, PF = 14, MF = 16, AC = 17, MC = 18, XM = 19 };

enum Code : u64 {
	INVALID_SIG_STRUCT = 1,
	INVALID_ATTRIBUTE = 2,
	BLKSTATE = 3,
	INVALID_MEASUREMENT = 4,
	NOTBLOCKABLE = 5,
	PG_INVLD = 6,
	EPC_PAGE_CONFLICT = 7,
	INVALID_SIGNATURE = 8,
	MAC_COMPARE_FAIL = 9,
	PAGE_NOT_BLOCKED = 10,
	NOT_TRACKED = 11,
	VA_SLOT_OCCUPIED = 12,
	CHILD_PRESENT = 13,
	ENCLAVE_ACT = 14,
	ENTRYEPOCH_LOCKED = 15,
	INVALID_EINITTOKEN = 16,
	PREV_TRK_INCMPL = 17,
	PG_IS_SECS = 18,
	PAGE_ATTRIBUTES_MISMATCH = 19,
	PAGE_NOT_MODIFIABLE = 20,
	PAGE_NOT_DEBUGGABLE = 21,
	PG_NONEPC = 26,
	TRACK_NOT_REQUIRED = 27,
	INSUFFICIENT_ENTROPY = 29,
	NO_UPDATE = 31,
	INVALID_CPUSVN = 32,
	INVALID_ISVSVN = 64,
	UNMASKED_EVENT = 128,
	INVALID_KEYNAME = 256,
};

enum PageType : u8 { PT_SECS, PT_TCS, PT_REG, PT_VA, PT_TRIM, PT_SS_FIRST, PT_SS_REST };

/// SECINFO.FLAGS
constexpr u64 R = 1, W = 2, X = 4, PENDING = 8, MODIFIED = 16, PR = 32;
constexpr unsigned SECINFO_TYPE_SHIFT = 8;
constexpr u64 type(PageType t)
{
	return static_cast<u64>(t) << SECINFO_TYPE_SHIFT;
}
constexpr u64 REG = type(PT_REG), TCS = type(PT_TCS), TRIM = type(PT_TRIM);

/// ATTRIBUTES.FLAGS
constexpr u64 A_INIT = 1, A_DEBUG = 2, A_MODE64 = 4, A_PROVISION = 16, A_TOKEN = 32, A_KSS = 128, A_AEXNOTIFY = 1024;

/// XFRM
constexpr u64 X_X87_SSE = 3, X_AVX = 4;

/// Offsets in an XSAVE area.
constexpr unsigned XSAVE_MXCSR = 24, XSAVE_HEADER = 512;

/// RFLAGS
constexpr u64 F_CF = 1, F_PF = 4, F_AF = 16, F_ZF = 64, F_SF = 128, F_TF = 256, F_IF = 512, F_DF = 1024, F_OF = 2048,
	      F_IOPL = 0x3000, F_NT = 0x4000, F_RF = 0x10000, F_VM = 0x20000, F_AC = 0x40000, F_VIF = 0x80000, F_VIP = 0x100000,
	      F_ID = 0x200000;
constexpr u64 F_ARITH = F_CF | F_PF | F_AF | F_ZF | F_SF | F_OF;

constexpr u64 CR0_PE = 1, CR0_TS = 8, CR0_NE = 0x20, CR0_PG = u64{1} << 31;
constexpr u64 CR4_PAE = 0x20, CR4_OSFXSR = 0x200, CR4_OSXSAVE = 0x40000;
constexpr u64 FEAT_LOCK = 1, FEAT_LC = u64{1} << 17, FEAT_SGX = u64{1} << 18;

/// A little-endian structure of N bytes whose fields are accessed by offset.
template <std::size_t N>
struct Blob {
	std::array<u8, N> b{};

	template <class T>
	T get(std::size_t off) const
	{
		T v;
		std::memcpy(&v, b.data() + off, sizeof(v));
		return v;
	}
	template <class T>
	Blob &set(std::size_t off, T v)
	{
		std::memcpy(b.data() + off, &v, sizeof(v));
		return *this;
	}
	template <std::size_t M>
	Blob &put(std::size_t off, const std::array<u8, M> &v)
	{
		std::memcpy(b.data() + off, v.data(), M);
		return *this;
	}
	template <std::size_t M>
	std::array<u8, M> take(std::size_t off) const
	{
		std::array<u8, M> v;
		std::memcpy(v.data(), b.data() + off, M);
		return v;
	}
	bool operator==(const Blob &) const = default;
};

using Page = Blob<4096>;
using Secinfo = Blob<64>;
using Pageinfo = Blob<32>;
using Pcmd = Blob<128>;
using Sigstruct = Blob<1808>;
using Token = Blob<304>;
using KeyRequest = Blob<512>;
using TargetInfo = Blob<512>;
using Report = Blob<432>;
using Digest = std::array<u8, 32>;
using Key = std::array<u8, 16>;

namespace secs {
constexpr unsigned SIZE = 0, BASE = 8, SSAFRAMESIZE = 16, MISCSELECT = 20, FLAGS = 48, XFRM = 56, MRENCLAVE = 64, MRSIGNER = 128,
		   CONFIGID = 192, ISVPRODID = 256, ISVSVN = 258, CONFIGSVN = 260;
}
namespace tcs {
constexpr unsigned STATE = 0, FLAGS = 8, OSSA = 16, CSSA = 24, NSSA = 28, OENTRY = 32, AEP = 40, OFSBASE = 48, OGSBASE = 56,
		   FSLIMIT = 64, GSLIMIT = 68, RSVD = 72;
}
namespace pageinfo {
constexpr unsigned LINADDR = 0, SRCPGE = 8, SECINFO = 16, SECS = 24;
}
namespace sig {
constexpr unsigned HEADER = 0, VENDOR = 16, DATE = 20, HEADER2 = 24, SWDEFINED = 40, RSVD1 = 44, MODULUS = 128, EXPONENT = 512,
		   SIGNATURE = 516, MISCSELECT = 900, MISCMASK = 904, RSVD2 = 908, FAMILYID = 912, ATTRIBUTES = 928,
		   ATTRIBUTEMASK = 944, ENCLAVEHASH = 960, RSVD3 = 992, EXTPRODID = 1008, PRODID = 1024, SVN = 1026, RSVD4 = 1028,
		   Q1 = 1040, Q2 = 1424;
}
namespace token {
constexpr unsigned VALID = 0, RSVD1 = 4, ATTRIBUTES = 48, MRENCLAVE = 64, RSVD2 = 96, MRSIGNER = 128, RSVD3 = 160, CPUSVN = 192,
		   PRODID = 208, SVN = 210, RSVD4 = 212, MISCSELECT = 236, MASKEDATTR = 240, KEYID = 256, MAC = 288;
}
namespace keyreq {
constexpr unsigned NAME = 0, POLICY = 2, SVN = 4, RSVD1 = 6, CPUSVN = 8, ATTRMASK = 24, KEYID = 40, MISCMASK = 72, CONFIGSVN = 76,
		   RSVD2 = 78;
}
namespace target {
constexpr unsigned MEASUREMENT = 0, ATTRIBUTES = 32, CONFIGSVN = 50, MISCSELECT = 52, RSVD1 = 56, CONFIGID = 64, RSVD2 = 128;
}
namespace report {
constexpr unsigned CPUSVN = 0, MISCSELECT = 16, EXTPRODID = 32, ATTRIBUTES = 48, MRENCLAVE = 64, MRSIGNER = 128, CONFIGID = 192,
		   PRODID = 256, SVN = 258, CONFIGSVN = 260, FAMILYID = 304, DATA = 320, KEYID = 384, MAC = 416;
}
namespace pcmd {
constexpr unsigned SECINFO = 0, ENCLAVEID = 64, RSVD = 72, MAC = 112;
}
/// Offsets in GPRSGX, which is the last 184 bytes of an SSA frame.
namespace gpr {
constexpr unsigned RAX = 0, RCX = 8, RDX = 16, RBX = 24, RSP = 32, RBP = 40, RSI = 48, RDI = 56, R8 = 64, RFLAGS = 128, RIP = 136,
		   URSP = 144, URBP = 152, EXITINFO = 160, AEXNOTIFY = 167, FSBASE = 168, GSBASE = 176, SIZE = 184;
}
enum KeyName : u16 { KEY_EINITTOKEN, KEY_PROVISION, KEY_PROVISION_SEAL, KEY_REPORT, KEY_SEAL };
enum KeyPolicy : u16 {
	POL_MRENCLAVE = 1,
	POL_MRSIGNER = 2,
	POL_NOISVPRODID = 4,
	POL_CONFIGID = 8,
	POL_FAMILYID = 16,
	POL_EXTPRODID = 32
};

} // namespace sgx
