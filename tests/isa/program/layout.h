// SPDX-License-Identifier: GPL-2.0
// The structures and numbers of the SGX ISA in memory layout, as in Documentation/isa.rst 1-5.
#pragma once

#include <cstddef>
#include <cstdint>

namespace isa {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 page_size = 4096;

enum Encls : u32 {
	ECREATE = 0x00,
	EADD = 0x01,
	EINIT = 0x02,
	EREMOVE = 0x03,
	EDBGRD = 0x04,
	EDBGWR = 0x05,
	EEXTEND = 0x06,
	ELDB = 0x07,
	ELDU = 0x08,
	EBLOCK = 0x09,
	EPA = 0x0a,
	EWB = 0x0b,
	ETRACK = 0x0c,
	EAUG = 0x0d,
	EMODPR = 0x0e,
	EMODT = 0x0f,
	ERDINFO = 0x10,
	ETRACKC = 0x11,
	ELDBC = 0x12,
	ELDUC = 0x13,
	EUPDATESVN = 0x18,
};

enum Enclu : u32 {
	EREPORT = 0x00,
	EGETKEY = 0x01,
	EENTER = 0x02,
	ERESUME = 0x03,
	EEXIT = 0x04,
	EACCEPT = 0x05,
	EMODPE = 0x06,
	EACCEPTCOPY = 0x07,
	EVERIFYREPORT2 = 0x08,
	EDECCSSA = 0x09,
};

/// Bits of SECINFO.FLAGS, and flags of an EPCM entry with the same names.
constexpr u64 R = 1, W = 2, X = 4, PENDING = 8, MODIFIED = 16, PR = 32;
constexpr unsigned page_type_shift = 8;
constexpr u64 PT(u64 type)
{
	return type << page_type_shift;
}
constexpr u64 PT_SECS = PT(0), PT_TCS = PT(1), PT_REG = PT(2), PT_VA = PT(3), PT_TRIM = PT(4);

/// Bits of ATTRIBUTES.
constexpr u64 ATTR_INIT = 1, ATTR_DEBUG = 2, ATTR_MODE64 = 4, ATTR_PROVISION = 0x10, ATTR_TOKEN = 0x20;
constexpr u64 ATTR_KSS = 0x80, ATTR_AEXNOTIFY = 0x400;

/// Components of XFRM.
constexpr u64 XFRM_X87_SSE = 3, XFRM_AVX = 4, XFRM_PKRU = 1 << 9;

/// Bits of TCS.FLAGS.
constexpr u64 TCS_DBGOPTIN = 1, TCS_AEXNOTIFY = 2;

/// Bits of RFLAGS: the six arithmetic flags, which leaves change, and two others.
constexpr u64 CF = 0x1, PF_FLAG = 0x4, AF = 0x10, ZF = 0x40, SF = 0x80, TF = 0x100, OF = 0x800;
/// RFLAGS of a program: IF and the bit that is always 1.
constexpr u64 rflags_user = 0x202;
constexpr u64 arithmetic = CF | PF_FLAG | AF | ZF | SF | OF;

constexpr u64 CR4_FSGSBASE = 1 << 16, CR4_OSXSAVE = 1 << 18, CR4_SMAP = 1 << 21;
/// The lowest linear address that is not canonical with 48 bits.
constexpr u64 noncanonical = 1ULL << 47;

/// Offsets in an XSAVE area.
constexpr u64 XSAVE_MXCSR = 24, XSAVE_ST0 = 32, XSTATE_BV = 512, XCOMP_BV = 520, XSAVE_HEADER_RESERVED = 528;

/// EXITINFO of GPRSGX, and the bit of AEXNOTIFY in the quadword that starts with EXITINFO.
constexpr u32 EXITINFO_VALID = 1U << 31, exitinfo_hardware = 3, exitinfo_software = 6, exitinfo_type_shift = 8;
constexpr u64 aexnotify_in_exitinfo = 1ULL << 56;

constexpr u64 MSR_FEAT_CTL = 0x3a, MSR_LEPUBKEYHASH0 = 0x8c;
constexpr u64 FEAT_LOCK = 1, FEAT_SGX_LC = 1 << 17, FEAT_SGX = 1 << 18;

/// Bits of the error code of #PF.
constexpr u64 PFEC_P = 1, PFEC_W = 2, PFEC_U = 4, PFEC_RSVD = 8, PFEC_I = 16, PFEC_PK = 32, PFEC_SGX = 0x8000;

constexpr unsigned VEC_DB = 1, VEC_BP = 3, VEC_UD = 6, VEC_GP = 13, VEC_PF = 14;

struct alignas(32) PageInfo {
	u64 linaddr, srcpge, secinfo, secs;
};

struct alignas(64) SecInfo {
	u64 flags;
	u8 reserved[56];
};

struct alignas(128) Pcmd {
	SecInfo secinfo;
	u64 enclave_id;
	u8 reserved[40];
	u8 mac[16];
};

struct Secs {
	u64 size, base;
	u32 ssa_frame_size, miscselect;
	u8 reserved1[24];
	u64 attributes, xfrm;
	u8 mrenclave[32], reserved2[32], mrsigner[32], reserved3[32];
	u8 config_id[64];
	u16 isv_prod_id, isv_svn, config_svn;
	u8 reserved4[3834];
};

struct Tcs {
	u64 state, flags, ossa;
	u32 cssa, nssa;
	u64 oentry, aep, ofsbase, ogsbase;
	u32 fslimit, gslimit;
	u8 reserved[4024];
};

struct Sigstruct {
	u8 header[16];
	u32 vendor, date;
	u8 header2[16];
	u32 swdefined;
	u8 reserved1[84];
	u8 modulus[384];
	u32 exponent;
	u8 signature[384];
	u32 miscselect, miscmask;
	u8 reserved2[4];
	u8 family_id[16];
	u64 attributes, xfrm, attribute_mask, xfrm_mask;
	u8 enclave_hash[32];
	u8 reserved3[16];
	u8 ext_prod_id[16];
	u16 isv_prod_id, isv_svn;
	u8 reserved4[12];
	u8 q1[384], q2[384];
};

struct Token {
	u32 valid;
	u8 reserved1[44];
	u64 attributes, xfrm;
	u8 mrenclave[32], reserved2[32], mrsigner[32], reserved3[32];
	u8 cpusvn[16];
	u16 isv_prod_id, isv_svn;
	u8 reserved4[24];
	u32 masked_miscselect;
	u64 masked_attributes, masked_xfrm;
	u8 key_id[32], mac[16];
};

struct KeyRequest {
	u16 name, policy, isv_svn, reserved1;
	u8 cpusvn[16];
	u64 attribute_mask, xfrm_mask;
	u8 key_id[32];
	u32 miscmask;
	u16 config_svn;
	u8 reserved2[434];
};

struct TargetInfo {
	u8 measurement[32];
	u64 attributes, xfrm;
	u16 reserved1, config_svn;
	u32 miscselect;
	u8 reserved2[8];
	u8 config_id[64];
	u8 reserved3[384];
};

struct Report {
	u8 cpusvn[16];
	u32 miscselect;
	u8 reserved1[12];
	u8 ext_prod_id[16];
	u64 attributes, xfrm;
	u8 mrenclave[32], reserved2[32], mrsigner[32], reserved3[32];
	u8 config_id[64];
	u16 isv_prod_id, isv_svn, config_svn;
	u8 reserved4[42];
	u8 family_id[16];
	u8 data[64];
	u8 key_id[32], mac[16];
};

/// GPRSGX: the registers at the end of an SSA frame.
struct Gprsgx {
	u64 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	u64 rflags, rip, ursp, urbp;
	u32 exitinfo;
	u8 reserved[3], aexnotify;
	u64 fsbase, gsbase;
};

static_assert(sizeof(PageInfo) == 32 && sizeof(SecInfo) == 64 && sizeof(Pcmd) == 128);
static_assert(sizeof(Secs) == page_size && offsetof(Secs, config_id) == 192 && offsetof(Secs, reserved4) == 262);
static_assert(sizeof(Tcs) == page_size && offsetof(Tcs, ofsbase) == 48 && offsetof(Tcs, reserved) == 72);
static_assert(sizeof(Sigstruct) == 1808 && offsetof(Sigstruct, exponent) == 512 && offsetof(Sigstruct, miscselect) == 900);
static_assert(offsetof(Sigstruct, enclave_hash) == 960 && offsetof(Sigstruct, q1) == 1040);
static_assert(sizeof(Token) == 304 && offsetof(Token, masked_miscselect) == 236 && offsetof(Token, mac) == 288);
static_assert(sizeof(KeyRequest) == 512 && sizeof(TargetInfo) == 512 && sizeof(Report) == 432);
static_assert(offsetof(Report, family_id) == 304 && offsetof(Report, mac) == 416);
static_assert(sizeof(Gprsgx) == 184 && offsetof(Gprsgx, exitinfo) == 160);

} // namespace isa
