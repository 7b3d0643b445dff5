/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SGX1 and SGX2 under TCG: the interface to the rest of QEMU.
 *
 * The library sgx2model implements the processor (EPCM, enclaves, measurement,
 * keys); the files system/sgx_*.c lend it a CPUX86State. See sgx2_model.h for
 * the division of state.
 *
 * Locks: the BQL is taken before the locks of the model, which each call of
 * the model takes. A leaf runs under the BQL, except late-locking leaves
 * (sgx2_model.h), which are too frequent. An EPCM check at a TLB fill takes a
 * lock of the model and may hold page locks of the translator, so no callback
 * of the model may invalidate TBs: see sgx_writes_done().
 */
#ifndef I386_TCG_SGX_H
#define I386_TCG_SGX_H

#include "exec/hwaddr.h"
#include "exec/memattrs.h"
#include "exec/vaddr.h"

struct sgx2_machine;

/* -------------------- the machine, only with tcg_enabled(): sgx_machine.c */

/**
 * sgx_add_section: make host memory @ram an EPC section at @base
 *
 * The memory is visible in the address space of enclave accesses only.
 * Returns the region for system memory at @base, which reads as all ones and
 * drops writes, or NULL with @errp set.
 */
MemoryRegion *sgx_add_section(Object *owner, hwaddr base, MemoryRegion *ram,
                              uint64_t seed, bool strict_tcs, Error **errp);

/* Register the reset and block migration, after the last section was added. */
bool sgx_machine_complete(Error **errp);

/* Return the model, NULL on a machine without EPC. */
struct sgx2_machine *sgx_machine(void);

/* Lose the EPC contents and the EPCM, as after S3. The BQL is held. */
void sgx_lose_epc(void);

#if defined(CONFIG_TCG) && !defined(CONFIG_USER_ONLY)

/* An exception for the caller to raise; the callee makes no longjmp. */
typedef struct SgxFault {
    int vector;
    int error_code;
    vaddr cr2;
} SgxFault;

/* --------------------------------------------------- the CPU: sgx_machine.c */

/* Check expanded features before they are filtered: reject, warn, hide. */
bool sgx_cpu_expand(X86CPU *cpu, Error **errp);
/* Create the CPU's third address space and its part of the model. */
void sgx_cpu_realize(X86CPU *cpu);
void sgx_cpu_reset(X86CPU *cpu);
/* Return CPUID leaf 12H. */
void sgx_cpuid(CPUX86State *env, uint32_t count, uint32_t *eax,
               uint32_t *ebx, uint32_t *ecx, uint32_t *edx);
/* Read MSR 3AH, 8CH-8FH or 500H; any other MSR reads as 0. */
uint64_t sgx_rdmsr(CPUX86State *env, uint32_t index);
/* Write an MSR. Return false for #GP. Writes to other MSRs are ignored. */
bool sgx_wrmsr(CPUX86State *env, uint32_t index, uint64_t val);

/* ------------------------------------ exits from enclave mode: sgx_helper.c */

/*
 * Perform an asynchronous exit before an event is delivered. HF_ENCLAVE is
 * set, the BQL is held.
 */
void sgx_aex(CPUX86State *env, int vector, int error_code, bool is_hw);
void sgx_aex_smi(CPUX86State *env);
void sgx_aex_init(CPUX86State *env);

/* ------------------------------------------------------ memory: sgx_memory.c */

/*
 * Apply the EPCM check after paging, for an access of user privilege in
 * enclave mode. Return true if the TLB entry may be made, with *@prot,
 * *@page_size and *@attrs as changed by this function.
 */
bool sgx_check_fill(CPUX86State *env, vaddr addr, MMUAccessType access,
                    bool probe, hwaddr paddr, int *prot, int *page_size,
                    MemTxAttrs *attrs, SgxFault *fault);
/*
 * Return whether a DR0-DR3 match at @addr is hidden, because the enclave has
 * no debug opt-in.
 */
bool sgx_hides_breakpoint(CPUX86State *env, vaddr addr);

/*
 * In excp_helper.c: translate by paging alone, as a data access of the running
 * code.
 */
bool x86_translate_data(CPUX86State *env, vaddr addr, MMUAccessType access,
                        hwaddr *paddr, SgxFault *fault);

/* ------------------------------- fpu_helper.c includes sgx_xstate.c.inc */

void sgx_xsave(CPUX86State *env, void *area, uint32_t size, uint64_t xfrm);
bool sgx_xrstor(CPUX86State *env, const void *area, uint32_t size,
                uint64_t xfrm, bool dry);
void sgx_xinit(CPUX86State *env, uint64_t xfrm, uint16_t fcw, uint16_t fsw,
               uint32_t mxcsr);

#else

static inline bool sgx_cpu_expand(X86CPU *cpu, Error **errp)
{
    return true;
}

static inline void sgx_cpu_realize(X86CPU *cpu)
{
}

static inline void sgx_cpu_reset(X86CPU *cpu)
{
}

static inline void sgx_aex_init(CPUX86State *env)
{
}

static inline void sgx_cpuid(CPUX86State *env, uint32_t count, uint32_t *eax,
                             uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
    *eax = *ebx = *ecx = *edx = 0;
}

#endif
#endif
