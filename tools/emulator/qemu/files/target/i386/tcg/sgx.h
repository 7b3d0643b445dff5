/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SGX1 and SGX2 under TCG: what the rest of QEMU calls.
 *
 * The processor itself (EPCM, enclaves, measurement, keys) is the library
 * sgx2model; the files system/sgx_*.c lend it a CPUX86State. See the header
 * sgx2_model.h for who owns what.
 *
 * Locks: the BQL comes before the model's own lock, which is taken inside each
 * call of the model. A leaf runs under the BQL, but for those that are brief
 * (sgx2_model.h) and so many that CPUs would queue. An EPCM check at TLB fill takes
 * the model's lock alone and may hold page locks of the translator, so nothing
 * called by the model may invalidate TBs: see sgx_writes_done().
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
 * The memory appears in the address space of enclave accesses only.
 * Returns the region that belongs into system memory in its place (reads all
 * ones, drops writes), or NULL with @errp set.
 */
MemoryRegion *sgx_add_section(Object *owner, hwaddr base, MemoryRegion *ram,
                              uint64_t seed, bool strict_tcs, Error **errp);

/* Behind the last section: reset, and refusal of migration. */
bool sgx_machine_complete(Error **errp);

/* The model, NULL on a machine without EPC. */
struct sgx2_machine *sgx_machine(void);

/* EPC contents and the EPCM are gone, as after S3. BQL held. */
void sgx_lose_epc(void);

#if defined(CONFIG_TCG) && !defined(CONFIG_USER_ONLY)

/* An exception that the caller raises: no longjmp from inside. */
typedef struct SgxFault {
    int vector;
    int error_code;
    vaddr cr2;
} SgxFault;

/* ---------------------------------------------------- the CPU: sgx_machine.c */

/* Features are expanded, not yet filtered: refuse, warn, hide. */
bool sgx_cpu_expand(X86CPU *cpu, Error **errp);
/* The CPU's third address space and its side of the model. */
void sgx_cpu_realize(X86CPU *cpu);
void sgx_cpu_reset(X86CPU *cpu);
/* CPUID leaf 12H. */
void sgx_cpuid(CPUX86State *env, uint32_t count, uint32_t *eax,
               uint32_t *ebx, uint32_t *ecx, uint32_t *edx);
/* MSRs 3AH, 8CH-8FH, 500H; 0 for any other. */
uint64_t sgx_rdmsr(CPUX86State *env, uint32_t index);
/* False: #GP. Any other MSR ignores the write. */
bool sgx_wrmsr(CPUX86State *env, uint32_t index, uint64_t val);

/* --------------------------------------------- leaving an enclave: sgx_helper.c */

/* Asynchronous exit before an event is delivered. HF_ENCLAVE is set, BQL held. */
void sgx_aex(CPUX86State *env, int vector, int error_code, bool is_hw);
void sgx_aex_smi(CPUX86State *env);
void sgx_aex_init(CPUX86State *env);

/* ------------------------------------------------------- memory: sgx_memory.c */

/*
 * The EPCM check behind paging, for an access of user privilege in an enclave.
 * True: the entry may be made with *@prot, *@page_size and *@attrs as they are now.
 */
bool sgx_check_fill(CPUX86State *env, vaddr addr, MMUAccessType access,
                    bool probe, hwaddr paddr, int *prot, int *page_size,
                    MemTxAttrs *attrs, SgxFault *fault);
/* DR0-DR3 matches at @addr that an enclave without debug opt-in does not see. */
bool sgx_hides_breakpoint(CPUX86State *env, vaddr addr);

/* excp_helper.c: paging alone, as a data access of the running code. */
bool x86_translate_data(CPUX86State *env, vaddr addr, MMUAccessType access,
                        hwaddr *paddr, SgxFault *fault);

/* ----------------------------- fpu_helper.c, by way of sgx_xstate.c.inc */

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
