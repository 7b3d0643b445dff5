/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SGX under TCG: declarations for the files sgx_*.c only. */
#ifndef I386_TCG_SGX_INTERNAL_H
#define I386_TCG_SGX_INTERNAL_H

#include "exec/memory.h"
#include "sgx2_model.h"
#include "../sgx.h"

#define SGX_FEATURE_CONTROL \
    (FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_SGX | FEATURE_CONTROL_SGX_LC | \
     FEATURE_CONTROL_LMCE)

/* A host page written under a lock of the model; its TBs are dropped later. */
typedef struct SgxWrite {
    ram_addr_t page;
} SgxWrite;

typedef struct SgxCPU {
    X86CPU *cpu;
    sgx2_cpu *model;
    /* ELRANGE in enclave mode; otherwise the size is 0. */
    uint64_t el_base, el_size;
    GArray *writes;     /* of SgxWrite */
} SgxCPU;

typedef struct SgxSection {
    hwaddr base;
    uint64_t size;
    MemoryRegion *ram;
    MemoryRegion abort;
} SgxSection;

extern const struct sgx2_host_ops sgx_host_ops;

/*
 * Return the section that holds @paddr, or NULL. Sections do not change after
 * start.
 */
const SgxSection *sgx_section(hwaddr paddr);

static inline SgxCPU *sgx_cpu(CPUX86State *env)
{
    return env_archcpu(env)->sgx;
}

/* Operand callbacks in sgx_memory.c. The model calls them under its locks. */
bool sgx_op_translate(void *ctx, uint64_t linear, enum sgx2_access access,
                      uint64_t *physical, struct sgx2_fault *fault);
bool sgx_op_read(void *ctx, uint64_t linear, void *buf, size_t len,
                 struct sgx2_fault *fault);
bool sgx_op_write(void *ctx, uint64_t linear, const void *buf, size_t len,
                  struct sgx2_fault *fault);
void sgx_op_epc_written(void *ctx, uint64_t physical, size_t len);

/*
 * Drop the TBs of the pages that the model wrote. Call it after a call of the
 * model, without a lock of the model.
 */
void sgx_writes_done(SgxCPU *s);

#endif
