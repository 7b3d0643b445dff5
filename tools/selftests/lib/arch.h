// SPDX-License-Identifier: GPL-2.0
// The definitions of the processor: structures in memory, leaf numbers, bits. Programs and enclaves use them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sgx {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 page_size = 4096;
/// The number of bytes that one EEXTEND measures.
constexpr u64 chunk_size = 256;

/// Returns the number of bytes rounded up to whole pages.
constexpr u64 page_up(u64 bytes)
{
	return (bytes + page_size - 1) / page_size * page_size;
}

/// Leaves of ENCLU: EENTER and ERESUME for the program, the others for code in the enclave.
enum Enclu : u32 {
	EREPORT = 0,
	EGETKEY = 1,
	EENTER = 2,
	ERESUME = 3,
	EEXIT = 4,
	EACCEPT = 5,
	EMODPE = 6,
	EACCEPTCOPY = 7,
};

/// SECINFO.FLAGS: permissions, states, types.
constexpr u64 R = 1, W = 2, X = 4, RW = R | W, RX = R | X, RWX = R | W | X;
constexpr u64 PENDING = 1 << 3, MODIFIED = 1 << 4, PR = 1 << 5;
constexpr u64 type_bits(u64 type)
{
	return type << 8;
}
/// Numbers of page types, for MODIFY_TYPES and for SECINFO.FLAGS.
constexpr u64 type_secs = 0, type_tcs = 1, type_reg = 2, type_va = 3, type_trim = 4;
constexpr u64 TCS = type_bits(type_tcs), REG = type_bits(type_reg), TRIM = type_bits(type_trim);

/// SECS.ATTRIBUTES.
constexpr u64 attr_init = 1 << 0, attr_debug = 1 << 1, attr_mode64 = 1 << 2, attr_provision = 1 << 4, attr_token = 1 << 5;
constexpr u64 attr_kss = 1 << 7, attr_aexnotify = 1 << 10;
/// SECS.MISCSELECT: the processor stores the address and the error code of #PF and #GP in the SSA.
constexpr u32 misc_exinfo = 1;
/// XFRM with x87 and SSE, which each enclave needs.
constexpr u64 xfrm_legacy = 3;

/// Codes that leaves return in RAX.
enum Code : u64 {
	EPC_PAGE_CONFLICT = 7,
	NOT_TRACKED = 11,
	PAGE_ATTRIBUTES_MISMATCH = 19,
	PAGE_NOT_MODIFIABLE = 20,
};

/// Exception vectors, and the bits of a page fault's error code.
constexpr u16 vector_ud = 6, vector_gp = 13, vector_pf = 14;
constexpr u16 pf_present = 1, pf_write = 2, pf_user = 4, pf_fetch = 16, pf_sgx = 0x8000;

struct alignas(64) SecInfo {
	u64 flags;
	u8 reserved[56];
};
static_assert(sizeof(SecInfo) == 64);

struct alignas(4096) Secs {
	u64 size;
	u64 base;
	u32 frame_pages;
	u32 miscselect;
	u8 reserved1[24];
	u64 attributes;
	u64 xfrm;
	u8 mrenclave[32];
	u8 reserved2[32];
	u8 mrsigner[32];
	u8 reserved3[32];
	u8 config_id[64];
	u16 isv_prod_id;
	u16 isv_svn;
	u16 config_svn;
	u8 reserved4[3834];
};
static_assert(sizeof(Secs) == 4096 && offsetof(Secs, config_id) == 192);

/// Returns a SECS of that base and size with attributes that each processor supports.
inline Secs plain_secs(u64 base, u64 size)
{
	Secs secs = {};
	secs.size = size;
	secs.base = base;
	secs.frame_pages = 1;
	secs.attributes = attr_mode64 | attr_debug;
	secs.xfrm = xfrm_legacy;
	return secs;
}

struct alignas(4096) Tcs {
	u64 state;
	u64 flags;
	u64 ssa;
	u32 cssa;
	u32 nssa;
	u64 entry;
	u64 aep;
	u64 fs_base;
	u64 gs_base;
	u32 fs_limit;
	u32 gs_limit;
	u8 reserved[4024];
};
static_assert(sizeof(Tcs) == 4096 && offsetof(Tcs, reserved) == 72);

/// TCS.FLAGS.
constexpr u64 tcs_dbgoptin = 1, tcs_aexnotify = 2;

constexpr std::size_t rsa_bytes = 384;

struct Sigstruct {
	u8 header[16];
	u32 vendor;
	u32 date;
	u8 header2[16];
	u32 swdefined;
	u8 reserved1[84];
	u8 modulus[rsa_bytes];
	u32 exponent;
	u8 signature[rsa_bytes];
	u32 miscselect;
	u32 misc_mask;
	u8 reserved2[4];
	u8 family_id[16];
	u64 attributes;
	u64 xfrm;
	u64 attributes_mask;
	u64 xfrm_mask;
	u8 mrenclave[32];
	u8 reserved3[16];
	u8 ext_prod_id[16];
	u16 isv_prod_id;
	u16 isv_svn;
	u8 reserved4[12];
	u8 q1[rsa_bytes];
	u8 q2[rsa_bytes];
};
static_assert(sizeof(Sigstruct) == 1808 && offsetof(Sigstruct, miscselect) == 900 && offsetof(Sigstruct, q1) == 1040);

struct alignas(512) TargetInfo {
	u8 mrenclave[32];
	u64 attributes;
	u64 xfrm;
	u8 reserved1[2];
	u16 config_svn;
	u32 miscselect;
	u8 reserved2[8];
	u8 config_id[64];
	u8 reserved3[384];
};
static_assert(sizeof(TargetInfo) == 512);

struct Report {
	u8 cpu_svn[16];
	u32 miscselect;
	u8 reserved1[12];
	u8 ext_prod_id[16];
	u64 attributes;
	u64 xfrm;
	u8 mrenclave[32];
	u8 reserved2[32];
	u8 mrsigner[32];
	u8 reserved3[32];
	u8 config_id[64];
	u16 isv_prod_id;
	u16 isv_svn;
	u16 config_svn;
	u8 reserved4[42];
	u8 family_id[16];
	u8 data[64];
	u8 key_id[32];
	u8 mac[16];
};
static_assert(sizeof(Report) == 432 && offsetof(Report, data) == 320);

/// The general registers, at the end of an SSA frame.
struct Gprs {
	u64 rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u64 rflags, rip, ursp, urbp;
	u32 exit_info;
	u8 reserved[3];
	u8 aex_notify;
	u64 fs_base, gs_base;
};
static_assert(sizeof(Gprs) == 184);

/// Exception data, just below the general registers if SECS.MISCSELECT has misc_exinfo.
struct ExInfo {
	u64 address;
	u32 error;
	u32 reserved;
};
static_assert(sizeof(ExInfo) == 16);

/// Bits of Gprs::exit_info: one is set if an exception caused the exit, others hold the vector of the exception.
constexpr u32 exit_info_valid = 1U << 31;
constexpr u32 exit_vector(u32 exit_info)
{
	return exit_info & 0xff;
}

} // namespace sgx
