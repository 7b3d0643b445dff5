/* SPDX-License-Identifier: GPL-2.0 */
/**
 * @file
 * The C interface of the SGX2 processor model. A machine emulator (QEMU's TCG), a unit test or a
 * fuzzer uses it to execute ENCLS and ENCLU, to perform asynchronous enclave exits (AEX) and to
 * apply the EPCM check at a TLB fill. "SDM" is the Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 3D; its chapters are cited by title.
 *
 * The model owns the EPCM, the hidden fields of SECS and TCS, the tracking epochs, the measurement,
 * the keys and the cryptography of evicted pages. The embedder owns the registers, the page tables,
 * ordinary memory, the XSAVE state and the delivery of events, and lends them to the model through
 * struct sgx2_regs and struct sgx2_host_ops.
 *
 * Calls on one sgx2_cpu must come from one thread at a time. Calls on several CPUs of one machine
 * may run concurrently; the model serializes them with its own locks. Host callbacks run with these
 * locks held, except those of a late-locking leaf (sgx2_encls_locks_late(),
 * sgx2_enclu_locks_late()).
 * A callback must not block on anything that a thread which waits for a lock of the model can hold,
 * must not call the model, and must return (no longjmp, no exception).
 *
 * Unless stated otherwise, pointer parameters must not be NULL, addresses and sizes are in bytes,
 * and a function cannot fail.
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
#define SGX2_LEAVES 32		/* possible leaf numbers: 00H-1FH */

typedef struct sgx2_machine sgx2_machine;
typedef struct sgx2_cpu sgx2_cpu;

/** General registers in the order of their encoding. */
enum sgx2_gpr {
	SGX2_RAX, SGX2_RCX, SGX2_RDX, SGX2_RBX,
	SGX2_RSP, SGX2_RBP, SGX2_RSI, SGX2_RDI,
	SGX2_R8, SGX2_R9, SGX2_R10, SGX2_R11,
	SGX2_R12, SGX2_R13, SGX2_R14, SGX2_R15,
};

/**
 * A segment register with its hidden part. attr has the layout of the upper doubleword of a
 * descriptor (type 11:8, S 12, DPL 14:13, P 15, G 23 ...).
 */
struct sgx2_segment {
	uint64_t base;
	uint32_t limit;
	uint32_t attr;
	uint16_t selector;
};

/**
 * The architectural state that a leaf or an AEX reads and writes. The embedder fills it in, calls
 * the model, and on SGX2_DONE takes these members back: gpr, rip, rflags, cr2, xcr0, fs, gs. On a
 * fault the model has changed no member.
 */
struct sgx2_regs {
	uint64_t gpr[16];	/* indexed by enum sgx2_gpr */
	uint64_t rip;		/* of the ENCLS or ENCLU; for an AEX: the value for SSA.RIP */
	uint64_t next_rip;	/* of the next instruction (leaves only) */
	uint64_t rflags;	/* all bits, arithmetic flags included */
	uint64_t cr0, cr2, cr4;
	uint64_t xcr0;		/* valid if CR4.OSXSAVE is 1 */
	uint64_t feat_ctl;	/* IA32_FEATURE_CONTROL, MSR 3AH */
	uint64_t lepubkeyhash[4]; /* IA32_SGXLEPUBKEYHASH0-3, MSRs 8CH-8FH */
	struct sgx2_segment cs, ds, es, ss, fs, gs;
	uint8_t cpl;
	bool mode64;		/* CS.L is 1 in long mode */
	bool vm86;
	bool smm;
	bool event_pending;	/* an unmasked interrupt, NMI or SMI is pending: EINIT returns
				 * SGX_UNMASKED_EVENT (128) */
};

/** Kinds of access; the bits are those of R, W and X in SECINFO.FLAGS. */
enum sgx2_access { SGX2_READ = 1, SGX2_WRITE = 2, SGX2_EXEC = 4 };

/** An exception to raise. error_code is pushed only if has_error; cr2 is valid only for #PF. */
struct sgx2_fault {
	uint8_t vector;
	bool has_error;
	uint32_t error_code;
	uint64_t cr2;
};

/* Bits of the error code of #PF. */
#define SGX2_PFEC_P   0x0001u
#define SGX2_PFEC_W   0x0002u
#define SGX2_PFEC_U   0x0004u
#define SGX2_PFEC_I   0x0010u
#define SGX2_PFEC_SGX 0x8000u

/** Kinds of event for sgx2_host_ops.trace. */
enum sgx2_trace_kind { SGX2_TRACE_ENCLS, SGX2_TRACE_ENCLU, SGX2_TRACE_AEX, SGX2_TRACE_DENY };

#define SGX2_TRACE_VECTOR 0x100u	/* added to the vector in sgx2_trace.faulted */

/** One event for sgx2_host_ops.trace. */
struct sgx2_trace {
	enum sgx2_trace_kind kind;
	uint32_t leaf;		/* leaf; AEX: vector; DENY: enum sgx2_access */
	uint64_t rbx, rcx, rdx;	/* operands; DENY: linear address, physical address, 0 */
	uint32_t faulted;	/* 0, or SGX2_TRACE_VECTOR plus the vector raised */
	uint64_t result;	/* RAX of a leaf that returns a code; error code of a fault */
};

/**
 * Services of the embedder. ctx is the pointer that sgx2_cpu_create() received. Addresses are
 * linear; the model has added the segment base. The embedder makes each access with the privilege
 * of the running code (regs.cpl; SMAP, SMEP, PKRU and U/S apply as for a data access of the
 * instruction), sets Accessed and Dirty bits, and never uses its TLB of enclave translations.
 */
struct sgx2_host_ops {
	/** Translate the linear address of one byte to a physical address.
	 *  @return false: *fault is the ordinary #PF or #GP. */
	bool (*translate)(void *ctx, uint64_t linear, enum sgx2_access access,
			  uint64_t *physical, struct sgx2_fault *fault);
	/** Read len bytes of ordinary memory, which may cross pages. EPC, and anything else that is
	 *  not RAM, reads as all ones.
	 *  @return false: *fault is the ordinary #PF or #GP. */
	bool (*read)(void *ctx, uint64_t linear, void *buf, size_t len, struct sgx2_fault *fault);
	/** Write len bytes of ordinary memory, which may cross pages. A write to EPC, or to anything
	 *  else that is not RAM, is dropped. A write that faults on its second page has written nothing.
	 *  @return false: *fault is the ordinary #PF or #GP. */
	bool (*write)(void *ctx, uint64_t linear, const void *buf, size_t len, struct sgx2_fault *fault);
	/** Save state as XSAVE64 does with EDX:EAX=xfrm. area has the standard format and
	 *  sgx2_xsave_size() bytes, all zero, 64-byte aligned. xfrm is 3 (x87 and SSE) if
	 *  CR4.OSXSAVE is 0. */
	void (*xsave)(void *ctx, uint8_t *area, uint64_t xfrm);
	/** Load state from area as XRSTOR64 does with EDX:EAX=xfrm; the checks take xfrm for XCR0.
	 *  The model passes no area in compacted format. dry: only check.
	 *  @return false: XRSTOR would raise #GP; nothing is loaded. */
	bool (*xrstor)(void *ctx, const uint8_t *area, uint64_t xfrm, bool dry);
	/** Set the components in xfrm to their values after an AEX: the INIT state, then FCW=fcw,
	 *  FSW=fsw, MXCSR=mxcsr. */
	void (*xinit)(void *ctx, uint64_t xfrm, uint16_t fcw, uint16_t fsw, uint32_t mxcsr);
	/** Record that EPC contents [physical, physical+len) were written. The embedder must discard
	 *  code that it translated from there before this CPU executes again. May be NULL. */
	void (*epc_written)(void *ctx, uint64_t physical, size_t len);
	/** Log one event. May be NULL. */
	void (*trace)(void *ctx, const struct sgx2_trace *t);
};

/** The contents of CPUID, which the embedder passes so that CPUID and the model agree. */
struct sgx2_config {
	uint32_t abi;			/* SGX2_MODEL_ABI */
	bool sgx1, sgx2, encls_c, edeccssa, aexnotify, kss, eupdatesvn;
	uint32_t miscselect_mask;	/* CPUID.12H.0:EBX */
	uint8_t size_log2_32, size_log2_64; /* CPUID.12H.0:EDX */
	uint64_t attributes_mask;	/* CPUID.12H.1:EBX:EAX; the model excludes INIT */
	uint64_t xfrm_mask;		/* CPUID.12H.1:EDX:ECX */
	struct { uint32_t offset, size; } xcomp[64]; /* CPUID.0DH.i:EBX, EAX, i >= 2 */
	uint8_t linear_bits;		/* 48 or 57 */
	uint64_t seed;			/* of keys, versions and injected conflicts */
	bool strict_tcs;		/* EACCEPT rejects a TCS of zeros, as the SDM prints it */
};

/* ------------------------------------------------------------ the machine */

/**
 * Create a machine without EPC.
 * @return NULL if config is NULL, config->abi is not SGX2_MODEL_ABI, or memory is exhausted.
 */
sgx2_machine *sgx2_machine_create(const struct sgx2_config *config);

/** Free the machine m, which may be NULL. All of its CPUs must have been destroyed. */
void sgx2_machine_destroy(sgx2_machine *m);

/**
 * Add an EPC section of size bytes at physical. Call it before the first leaf runs.
 * @param physical, size multiples of 4096; the section must overlap no other.
 * @param host the section's memory, of size bytes; the embedder keeps it until the machine is
 *        destroyed and never accesses it.
 * @return 0; -EINVAL: an address or size is not aligned, size is 0, host is NULL, or the section
 *         overlaps another or wraps around; -ENOSPC: there are SGX2_MAX_SECTIONS already; -ENOMEM.
 */
int sgx2_machine_add_section(sgx2_machine *m, uint64_t physical, uint64_t size, void *host);

/** Replace the contents of CPUID and draw new keys. Call it before the first leaf runs. */
void sgx2_machine_configure(sgx2_machine *m, const struct sgx2_config *config);

/** Return whether the physical address lies in an EPC section. */
bool sgx2_is_epc(const sgx2_machine *m, uint64_t physical);

/**
 * Reset the system: lose the EPC as sgx2_machine_lose_epc() does, and draw new paging and report
 * keys (SDM, "Enclave Operation").
 */
void sgx2_machine_reset(sgx2_machine *m);

/**
 * Lose the EPC, as after S3 or a live migration: every EPCM entry becomes invalid and the contents
 * are cleared. A CPU in enclave mode stays in it until its next AEX, which then saves nothing.
 */
void sgx2_machine_lose_epc(sgx2_machine *m);

/** Return the size in bytes of a standard-format XSAVE area for xfrm, 576 at least. */
uint32_t sgx2_xsave_size(const sgx2_machine *m, uint64_t xfrm);

/* ----------------------------------------------------------------- a CPU */

/**
 * Create a CPU of machine m outside of enclave mode.
 * @param ops is copied.
 * @param ctx is passed to each callback of ops.
 * @return NULL if memory is exhausted.
 */
sgx2_cpu *sgx2_cpu_create(sgx2_machine *m, const struct sgx2_host_ops *ops, void *ctx);

/** Free the CPU, which may be NULL, after sgx2_cpu_reset(). */
void sgx2_cpu_destroy(sgx2_cpu *cpu);

/**
 * Put the CPU in its power-on state: it leaves enclave mode without saving anything. For INIT, call
 * sgx2_aex() with SGX2_EV_INIT first.
 */
void sgx2_cpu_reset(sgx2_cpu *cpu);

/** Return whether the CPU is in enclave mode. Takes no lock. */
bool sgx2_in_enclave(const sgx2_cpu *cpu);

/**
 * Return whether the CPU is in enclave mode by a TCS with FLAGS.DBGOPTIN (SDM, "Enclave Code Debug
 * and Profiling"). Takes no lock.
 */
bool sgx2_debug_optin(const sgx2_cpu *cpu);

/**
 * Get the current ELRANGE. Takes no lock.
 * @return false if the CPU is not in enclave mode; *base and *size are unchanged.
 */
bool sgx2_elrange(const sgx2_cpu *cpu, uint64_t *base, uint64_t *size);

enum sgx2_outcome {
	SGX2_DONE,		/* regs hold the new state */
	SGX2_FAULT,		/* raise *fault at regs.rip; nothing has changed */
};

/* Set in *effects by a leaf that is SGX2_DONE, and returned by an AEX. */
#define SGX2_EFFECT_FLUSH	0x1u	/* flush this CPU's whole TLB */
#define SGX2_EFFECT_MODE	0x2u	/* enclave mode, debug opt-in or ELRANGE changed */
#define SGX2_EFFECT_XCR0	0x4u	/* regs.xcr0 changed */
#define SGX2_EFFECT_SEGMENTS	0x8u	/* regs.fs and regs.gs changed */
#define SGX2_EFFECT_PEND_DB	0x10u	/* a single-step #DB is pending after this leaf */

/**
 * Execute ENCLS with the leaf number in EAX, from the prologue on (SDM, "SGX Instruction
 * References"). The decoder raises #UD for an opcode prefix that is not allowed.
 * @return SGX2_DONE: *regs and *effects are set; a leaf that has a return code has put it in RAX.
 *         SGX2_FAULT: *fault is set: #UD, #GP or #PF.
 */
enum sgx2_outcome sgx2_encls(sgx2_cpu *cpu, struct sgx2_regs *regs, uint32_t *effects,
			     struct sgx2_fault *fault);

/**
 * Execute ENCLU with the leaf number in EAX, from the prologue on, as sgx2_encls() does for ENCLS.
 * @return SGX2_DONE or SGX2_FAULT: #UD, #NM, #GP or #PF.
 */
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

/** An event that ends enclave mode. The three flags are valid for exceptions only. */
struct sgx2_event {
	enum sgx2_event_kind kind;
	uint8_t vector;
	uint32_t error_code;
	bool is_trap;		/* #DB of a data breakpoint or a single step; RF is not saved as 1 */
	bool is_code_breakpoint; /* #DB of an instruction breakpoint; RF is not saved as 1 */
	bool from_int3;		/* INT3 in an enclave with debug opt-in: exit type "software" */
};

/**
 * Perform an asynchronous enclave exit before the event is delivered (SDM, "Enclave Exiting
 * Events"). regs become the synthetic state; for #PF, regs.cr2 loses its lower 12 bits. The
 * function changes nothing if the CPU is not in enclave mode.
 * @return the effects, SGX2_EFFECT_*; 0 if the CPU is not in enclave mode.
 */
uint32_t sgx2_aex(sgx2_cpu *cpu, struct sgx2_regs *regs, const struct sgx2_event *ev);

enum sgx2_tlb_verdict {
	SGX2_TLB_NORMAL,	/* not EPC: paging decides */
	SGX2_TLB_EPC,		/* enclave memory: *rights limits the TLB entry */
	SGX2_TLB_ABORT,		/* abort page: reads return all ones, writes are dropped */
	SGX2_TLB_FAULT,		/* raise *fault */
};

/**
 * Apply the EPCM check to a data access or a fetch after paging has allowed it (SDM, "Enclave
 * Access Control and Data Structures"). Outside of enclave mode each EPC page is an abort page.
 * @param linear, physical the address before and after translation; any alignment.
 * @param count false for a speculative probe, which is neither counted nor traced.
 * @param rights receives the OR of enum sgx2_access that the TLB entry may allow; not set on
 *        SGX2_TLB_FAULT.
 * @param fault receives #PF with PFEC.SGX, or #GP for a fetch outside of ELRANGE; set on
 *        SGX2_TLB_FAULT only.
 */
enum sgx2_tlb_verdict sgx2_tlb_check(sgx2_cpu *cpu, uint64_t linear, uint64_t physical,
				     enum sgx2_access access, bool count, uint32_t *rights,
				     struct sgx2_fault *fault);

/* ------------------------------------- injection, counters, inspection */

/**
 * Rates of injected conflicts. Each rate is a number per million of the leaves that can meet the
 * conflict; 0: never. The seed determines the draws, so a run can be repeated.
 */
struct sgx2_injection {
	uint64_t seed;
	uint32_t eblock_conflict;	/* EBLOCK returns SGX_EPC_PAGE_CONFLICT (7) */
	uint32_t emodpr_conflict;	/* EMODPR returns SGX_EPC_PAGE_CONFLICT (7) */
	uint32_t emodt_conflict;	/* EMODT returns SGX_EPC_PAGE_CONFLICT (7) */
	uint32_t gp_conflict;		/* #GP for a conflict, where the SDM raises one */
	uint32_t einit_event;		/* EINIT returns SGX_UNMASKED_EVENT (128) */
	uint32_t entropy;		/* EUPDATESVN returns SGX_INSUFFICIENT_ENTROPY (29) */
	/* By leaf number: a rate that replaces gp_conflict for that leaf; 0: gp_conflict applies. */
	uint32_t encls[SGX2_LEAVES], enclu[SGX2_LEAVES];
};

/** Replace the rates of injected conflicts and start the draws from inj->seed. */
void sgx2_machine_inject(sgx2_machine *m, const struct sgx2_injection *inj);

/* Columns of the counters: return codes 0-31, then all other codes, then faults. */
#define SGX2_RESULT_OTHER	32
#define SGX2_RESULT_FAULT	33
#define SGX2_RESULTS		34

struct sgx2_counters {
	uint64_t encls[SGX2_LEAVES][SGX2_RESULTS];
	uint64_t enclu[SGX2_LEAVES][SGX2_RESULTS];
	uint64_t aex_exception[32];	/* by vector */
	uint64_t aex_interrupt, aex_nmi, aex_smi, aex_init, aex_mce;
	uint64_t epcm_deny_read, epcm_deny_write, epcm_deny_exec;
	uint64_t tlb_fills;		/* sgx2_tlb_check() returned SGX2_TLB_EPC */
	uint64_t aborts;		/* sgx2_tlb_check() returned SGX2_TLB_ABORT */
	uint64_t injected;
};

/** Copy the counters of all CPUs to *out. */
void sgx2_machine_counters(const sgx2_machine *m, struct sgx2_counters *out);

/** Set all counters to 0. */
void sgx2_machine_counters_clear(sgx2_machine *m);

struct sgx2_epcm_entry {
	uint64_t physical;
	uint64_t linear;	/* ENCLAVEADDRESS */
	uint64_t enclave;	/* EID of the owner; a SECS has its own EID; 0 for a VA page */
	uint64_t stamp;		/* tracking epoch; 0: the page is tracked */
	uint8_t type;		/* PAGE_TYPE */
	bool valid, r, w, x, blocked, pending, modified, pr;
};

/** Return the number of EPC pages in all sections. */
uint64_t sgx2_epcm_pages(const sgx2_machine *m);

/**
 * Copy the EPCM entry with the number index, counted over all sections, to *out.
 * @return false if index is not below sgx2_epcm_pages(); *out is unchanged.
 */
bool sgx2_epcm_get(const sgx2_machine *m, uint64_t index, struct sgx2_epcm_entry *out);

/** Return the number of valid EPCM entries. */
uint64_t sgx2_epcm_valid(const sgx2_machine *m);

/**
 * Write the valid EPCM entries as JSON. put() receives the text in pieces of n bytes without a
 * terminating zero; no lock is held around put().
 */
void sgx2_epcm_json(const sgx2_machine *m, void (*put)(void *opaque, const char *s, size_t n),
		    void *opaque);

/** Write the counters that are not 0 as JSON; put() is used as in sgx2_epcm_json(). */
void sgx2_counters_json(const sgx2_machine *m, void (*put)(void *opaque, const char *s, size_t n),
			void *opaque);

/**
 * Return whether the leaf of ENCLS locks late: it calls translate, read and write of the host
 * before it takes a lock of the model. These calls may then take locks of the host that are held
 * around other calls to the model. false for a number that is no leaf.
 */
bool sgx2_encls_locks_late(uint32_t leaf);

/** Return whether the leaf of ENCLU locks late, as sgx2_encls_locks_late() does for ENCLS. */
bool sgx2_enclu_locks_late(uint32_t leaf);

/** Return the name of a leaf of ENCLS, such as "ECREATE"; NULL for a number that is no leaf. */
const char *sgx2_encls_name(uint32_t leaf);

/** Return the name of a leaf of ENCLU, such as "EENTER"; NULL for a number that is no leaf. */
const char *sgx2_enclu_name(uint32_t leaf);

#ifdef __cplusplus
}
#endif
#endif
