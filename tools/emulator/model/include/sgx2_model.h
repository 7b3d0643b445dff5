/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C ABI of the SGX2 processor model: what a machine emulator (QEMU's TCG),
 * a unit test or a fuzzer needs to have ENCLS, ENCLU, asynchronous exits and
 * the EPCM check at TLB fill done for it.
 *
 * The model owns the EPCM, the hidden fields of SECS and TCS, tracking epochs,
 * measurement, keys and paging cryptography. The embedder owns registers,
 * page tables, ordinary memory, XSAVE state and event delivery, and lends them
 * through struct sgx2_regs and struct sgx2_host_ops.
 *
 * Calls on one sgx2_cpu must come from one thread at a time; calls on several
 * CPUs of one machine may run concurrently. The model serialises them with locks
 * of its own. Host callbacks run with these held, but for those of a leaf that
 * sgx2_encls_brief() or sgx2_enclu_brief() knows: they must not block on anything
 * that a thread waiting for a lock can hold, must not call back into the model,
 * and must return (no longjmp, no exception).
 */
#ifndef SGX2_MODEL_H
#define SGX2_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SGX2_MODEL_ABI 2
#define SGX2_PAGE 4096u
#define SGX2_MAX_SECTIONS 8
#define SGX2_LEAVES 32		/* leaf numbers that there may be, 00H-1FH */

typedef struct sgx2_machine sgx2_machine;
typedef struct sgx2_cpu sgx2_cpu;

/* General registers in the order of their encoding. */
enum sgx2_gpr {
	SGX2_RAX, SGX2_RCX, SGX2_RDX, SGX2_RBX,
	SGX2_RSP, SGX2_RBP, SGX2_RSI, SGX2_RDI,
	SGX2_R8, SGX2_R9, SGX2_R10, SGX2_R11,
	SGX2_R12, SGX2_R13, SGX2_R14, SGX2_R15,
};

/* A segment register with its hidden part; attr has the layout of a
 * descriptor's upper doubleword (type 11:8, S 12, DPL 14:13, P 15, G 23 ...). */
struct sgx2_segment {
	uint64_t base;
	uint32_t limit;
	uint32_t attr;
	uint16_t selector;
};

/*
 * The architectural state a leaf or an AEX reads and writes. The embedder fills
 * it in, calls, and on SGX2_DONE takes back: gpr, rip, rflags, cr2, xcr0, fs, gs.
 * On a fault nothing in it has changed.
 */
struct sgx2_regs {
	uint64_t gpr[16];
	uint64_t rip;		/* of the ENCLS/ENCLU; for an AEX: what SSA.RIP is to be */
	uint64_t next_rip;	/* of the instruction behind it (leaves only) */
	uint64_t rflags;	/* all bits, arithmetic flags included */
	uint64_t cr0, cr2, cr4;
	uint64_t xcr0;		/* meaningful when CR4.OSXSAVE */
	uint64_t feat_ctl;	/* IA32_FEATURE_CONTROL, MSR 3AH */
	uint64_t lepubkeyhash[4]; /* IA32_SGXLEPUBKEYHASH0-3, MSR 8CH-8FH */
	struct sgx2_segment cs, ds, es, ss, fs, gs;
	uint8_t cpl;
	bool mode64;		/* CS.L=1 in long mode */
	bool vm86;
	bool smm;
	bool event_pending;	/* an unmasked interrupt, NMI or SMI waits (EINIT's 128) */
};

enum sgx2_access { SGX2_READ = 1, SGX2_WRITE = 2, SGX2_EXEC = 4 };

/* An exception to raise. error_code is pushed only when has_error; cr2 counts for #PF. */
struct sgx2_fault {
	uint8_t vector;
	bool has_error;
	uint32_t error_code;
	uint64_t cr2;
};

#define SGX2_PFEC_P   0x0001u
#define SGX2_PFEC_W   0x0002u
#define SGX2_PFEC_U   0x0004u
#define SGX2_PFEC_I   0x0010u
#define SGX2_PFEC_SGX 0x8000u

/* Trace kinds for sgx2_host_ops.trace. */
enum sgx2_trace_kind { SGX2_TRACE_ENCLS, SGX2_TRACE_ENCLU, SGX2_TRACE_AEX, SGX2_TRACE_DENY };

struct sgx2_trace {
	enum sgx2_trace_kind kind;
	uint32_t leaf;		/* leaf; AEX: vector; DENY: enum sgx2_access */
	uint64_t rbx, rcx, rdx;	/* inputs; DENY: linear, physical, 0 */
	uint32_t faulted;	/* 0, or the vector raised plus 0x100 */
	uint64_t result;	/* RAX of a leaf that returns one; error code of a fault */
};

/*
 * What the embedder lends. ctx is the pointer given to sgx2_cpu_create().
 * Addresses are linear (segment base already added by the model). An access is
 * made with the privilege of the running code (regs.cpl; SMAP, SMEP, PKRU and
 * U/S as for a data access of that instruction), sets Accessed and Dirty bits,
 * and never goes through the embedder's TLB of enclave translations.
 */
struct sgx2_host_ops {
	/* Linear to physical, one byte; false: *fault is the ordinary #PF/#GP. */
	bool (*translate)(void *ctx, uint64_t linear, enum sgx2_access access,
			  uint64_t *physical, struct sgx2_fault *fault);
	/* Ordinary memory, may cross pages. EPC and anything that is not RAM
	 * reads as all ones and drops writes. A write that faults on its second
	 * page has written nothing. */
	bool (*read)(void *ctx, uint64_t linear, void *buf, size_t len, struct sgx2_fault *fault);
	bool (*write)(void *ctx, uint64_t linear, const void *buf, size_t len, struct sgx2_fault *fault);
	/* As XSAVE64 with EDX:EAX=xfrm and a standard-format area of
	 * sgx2_xsave_size() zeroed bytes. xfrm=3 when CR4.OSXSAVE=0. */
	void (*xsave)(void *ctx, uint8_t *area, uint64_t xfrm);
	/* As XRSTOR64 of the area under mask xfrm (XCR0 is xfrm already, as far as
	 * the checks go); false where XRSTOR would raise #GP, with nothing loaded.
	 * The model passes no compacted area. dry: only check. */
	bool (*xrstor)(void *ctx, const uint8_t *area, uint64_t xfrm, bool dry);
	/* Components in xfrm to their AEX values: INIT, FCW=fcw, FSW=fsw, MXCSR=mxcsr. */
	void (*xinit)(void *ctx, uint64_t xfrm, uint16_t fcw, uint16_t fsw, uint32_t mxcsr);
	/* EPC contents [physical, physical+len) were written; only record it: code
	 * translated from there must go before this CPU runs on. May be NULL. */
	void (*epc_written)(void *ctx, uint64_t physical, size_t len);
	/* One event for the log; may be NULL. */
	void (*trace)(void *ctx, const struct sgx2_trace *t);
};

/* What CPUID says, given by the embedder so that both agree. */
struct sgx2_config {
	uint32_t abi;			/* SGX2_MODEL_ABI */
	bool sgx1, sgx2, encls_c, edeccssa, aexnotify, kss, eupdatesvn;
	uint32_t miscselect_mask;	/* CPUID.12H.0:EBX */
	uint8_t size_log2_32, size_log2_64; /* CPUID.12H.0:EDX */
	uint64_t attributes_mask;	/* CPUID.12H.1:EBX:EAX, INIT excluded by the model */
	uint64_t xfrm_mask;		/* CPUID.12H.1:EDX:ECX */
	struct { uint32_t offset, size; } xcomp[64]; /* CPUID.0DH.i:EBX, EAX, i >= 2 */
	uint8_t linear_bits;		/* 48 or 57 */
	uint64_t seed;			/* of keys, versions and injected conflicts */
	/* EACCEPT refuses a TCS that is all zeroes, as the SDM prints it. */
	bool strict_tcs;
};

/* ------------------------------------------------------------ the machine */

/** Make a machine with no EPC. NULL: wrong abi, or no memory. */
sgx2_machine *sgx2_machine_create(const struct sgx2_config *config);
void sgx2_machine_destroy(sgx2_machine *m);

/** Add an EPC section of size bytes at physical, backed by host memory that the
 *  embedder keeps alive and never touches itself. Page aligned, disjoint.
 *  @return 0, or -EINVAL, -ENOSPC (more than SGX2_MAX_SECTIONS), -ENOMEM. */
int sgx2_machine_add_section(sgx2_machine *m, uint64_t physical, uint64_t size, void *host);

/** Change what CPUID says before the first leaf runs. */
void sgx2_machine_configure(sgx2_machine *m, const struct sgx2_config *config);

bool sgx2_is_epc(const sgx2_machine *m, uint64_t physical);

/** System reset, and loss of EPC as after S3 or live migration: every EPCM entry
 *  becomes invalid and contents are scrubbed. CPUs inside an enclave stay inside
 *  until their next AEX, which then saves nothing. reset also renews keys. */
void sgx2_machine_reset(sgx2_machine *m);
void sgx2_machine_lose_epc(sgx2_machine *m);

/** Bytes of a standard-format XSAVE area for xfrm (576 at least). */
uint32_t sgx2_xsave_size(const sgx2_machine *m, uint64_t xfrm);

/* ----------------------------------------------------------------- a CPU */

sgx2_cpu *sgx2_cpu_create(sgx2_machine *m, const struct sgx2_host_ops *ops, void *ctx);
void sgx2_cpu_destroy(sgx2_cpu *cpu);

/** Power-on state: leaves any enclave without saving anything. INIT is an AEX
 *  (sgx2_aex with SGX2_EV_INIT) before this. */
void sgx2_cpu_reset(sgx2_cpu *cpu);

bool sgx2_in_enclave(const sgx2_cpu *cpu);
/** Inside by a TCS with FLAGS.DBGOPTIN. */
bool sgx2_debug_optin(const sgx2_cpu *cpu);
/** Current ELRANGE; false when not in an enclave. */
bool sgx2_elrange(const sgx2_cpu *cpu, uint64_t *base, uint64_t *size);

enum sgx2_outcome {
	SGX2_DONE,		/* regs hold the new state */
	SGX2_FAULT,		/* raise *fault at regs.rip; nothing changed */
};

/* Set in *effects by a leaf or an AEX that is DONE. */
#define SGX2_EFFECT_FLUSH	0x1u	/* drop this CPU's whole TLB */
#define SGX2_EFFECT_MODE	0x2u	/* enclave mode, opt-in or ELRANGE changed */
#define SGX2_EFFECT_XCR0	0x4u	/* regs.xcr0 changed */
#define SGX2_EFFECT_SEGMENTS	0x8u	/* regs.fs and regs.gs changed */
#define SGX2_EFFECT_PEND_DB	0x10u	/* a single-step #DB is due behind this leaf */

/** ENCLS and ENCLU with the leaf in EAX, from the common prologue on. An opcode
 *  prefix that makes them #UD is the decoder's business. */
enum sgx2_outcome sgx2_encls(sgx2_cpu *cpu, struct sgx2_regs *regs, uint32_t *effects,
			     struct sgx2_fault *fault);
enum sgx2_outcome sgx2_enclu(sgx2_cpu *cpu, struct sgx2_regs *regs, uint32_t *effects,
			     struct sgx2_fault *fault);

enum sgx2_event_kind {
	SGX2_EV_EXCEPTION,	/* vector, error_code; regs.cr2 for #PF */
	SGX2_EV_INTERRUPT,	/* external, vector */
	SGX2_EV_NMI,
	SGX2_EV_SMI,
	SGX2_EV_INIT,
	SGX2_EV_MCE,
};

struct sgx2_event {
	enum sgx2_event_kind kind;
	uint8_t vector;
	uint32_t error_code;
	/* Exceptions only: trap (#DB of a data breakpoint or single step) rather than
	 * fault, and instruction breakpoint, for the RF that the frame gets. */
	bool is_trap;
	bool is_code_breakpoint;
	bool from_int3;		/* INT3 in an opted-in enclave: exit type software */
};

/** Asynchronous enclave exit, before the event is delivered. regs become the
 *  synthetic state, cr2 masked for #PF. Does nothing when not in an enclave.
 *  @return the effects. */
uint32_t sgx2_aex(sgx2_cpu *cpu, struct sgx2_regs *regs, const struct sgx2_event *ev);

enum sgx2_tlb_verdict {
	SGX2_TLB_NORMAL,	/* not EPC: as paging says */
	SGX2_TLB_EPC,		/* enclave memory: *rights bounds the entry */
	SGX2_TLB_ABORT,		/* abort page: all ones, writes dropped */
	SGX2_TLB_FAULT,		/* raise *fault */
};

/** The EPCM check of a data access or fetch made in enclave mode, behind paging.
 *  Outside enclaves there is nothing to ask: EPC is an abort page for everyone.
 *  @param count false for a speculative probe (kept out of counters and traces).
 *  @param rights OR of enum sgx2_access that the entry may allow. */
enum sgx2_tlb_verdict sgx2_tlb_check(sgx2_cpu *cpu, uint64_t linear, uint64_t physical,
				     enum sgx2_access access, bool count, uint32_t *rights,
				     struct sgx2_fault *fault);

/* ------------------------------------------- what only a model can do */

/* Conflicts to inject, each at a rate of so many in a million of the leaves
 * that could meet it (0: none). Drawn from the seed, so a run repeats. */
struct sgx2_injection {
	uint64_t seed;
	uint32_t eblock_conflict;	/* EBLOCK returns 7 */
	uint32_t emodpr_conflict;	/* EMODPR returns 7 */
	uint32_t emodt_conflict;	/* EMODT returns 7 */
	uint32_t gp_conflict;		/* #GP where the ISA answers a conflict so (Documentation/isa.md 12) */
	uint32_t einit_event;		/* EINIT returns 128 */
	uint32_t entropy;		/* EUPDATESVN returns 29 */
	/* Of one leaf, by its number: its own rate, if not 0, in place of gp_conflict. */
	uint32_t encls[SGX2_LEAVES], enclu[SGX2_LEAVES];
};
void sgx2_machine_inject(sgx2_machine *m, const struct sgx2_injection *inj);

#define SGX2_RESULTS 34		/* results 0..31 as they are, 32: other codes, 33: faulted */

struct sgx2_counters {
	uint64_t encls[SGX2_LEAVES][SGX2_RESULTS];
	uint64_t enclu[SGX2_LEAVES][SGX2_RESULTS];
	uint64_t aex_exception[32];	/* by vector */
	uint64_t aex_interrupt, aex_nmi, aex_smi, aex_init, aex_mce;
	uint64_t epcm_deny_read, epcm_deny_write, epcm_deny_exec;
	uint64_t tlb_fills;		/* sgx2_tlb_check() answered SGX2_TLB_EPC */
	uint64_t aborts;		/* answered SGX2_TLB_ABORT */
	uint64_t injected;
};
/** Snapshot, or zero. */
void sgx2_machine_counters(const sgx2_machine *m, struct sgx2_counters *out);
void sgx2_machine_counters_clear(sgx2_machine *m);

struct sgx2_epcm_entry {
	uint64_t physical;
	uint64_t linear;	/* ENCLAVEADDRESS */
	uint64_t enclave;	/* EID of the owner; own EID for a SECS; 0 for VA */
	uint64_t stamp;		/* tracking epoch, 0: tracked */
	uint8_t type;		/* PAGE_TYPE */
	bool valid, r, w, x, blocked, pending, modified, pr;
};
/** Number of EPC pages; entry index < that. @return false past the end. */
uint64_t sgx2_epcm_pages(const sgx2_machine *m);
bool sgx2_epcm_get(const sgx2_machine *m, uint64_t index, struct sgx2_epcm_entry *out);
uint64_t sgx2_epcm_valid(const sgx2_machine *m);

/** The whole EPCM (valid entries) as JSON, in pieces through put(). */
void sgx2_epcm_json(const sgx2_machine *m, void (*put)(void *opaque, const char *s, size_t n),
		    void *opaque);
/** Counters as JSON, zero rows left out. */
void sgx2_counters_json(const sgx2_machine *m, void (*put)(void *opaque, const char *s, size_t n),
			void *opaque);

/**
 * Does the leaf call the host's translate, read and write without the model's
 * locks? Then these may take locks of the host that are held around other calls.
 */
bool sgx2_encls_brief(uint32_t leaf);
bool sgx2_enclu_brief(uint32_t leaf);

/** "ECREATE", "EENTER"; NULL for a number that is no leaf. */
const char *sgx2_encls_name(uint32_t leaf);
const char *sgx2_enclu_name(uint32_t leaf);

#ifdef __cplusplus
}
#endif
#endif
