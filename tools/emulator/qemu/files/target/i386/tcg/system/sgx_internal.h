/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SGX under TCG: shared by the files sgx_*.c only. */
#ifndef I386_TCG_SGX_INTERNAL_H
#define I386_TCG_SGX_INTERNAL_H

#include "exec/memory.h"
#include "sgx2_model.h"
#include "../sgx.h"

#define SGX_FEATURE_CONTROL \
    (FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_SGX | FEATURE_CONTROL_SGX_LC | \
     FEATURE_CONTROL_LMCE)

/* A host page written under the model's lock: its TBs go afterwards. */
typedef struct SgxWrite {
    ram_addr_t page;
} SgxWrite;

typedef struct SgxCPU {
    X86CPU *cpu;
    sgx2_cpu *model;
    /* ELRANGE while inside, else size 0. */
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

/* The section that holds @paddr, or NULL. Sections never change after start. */
const SgxSection *sgx_section(hwaddr paddr);

static inline SgxCPU *sgx_cpu(CPUX86State *env)
{
    return env_archcpu(env)->sgx;
}

/* Operand callbacks, called by the model under its lock: sgx_memory.c */
bool sgx_op_translate(void *ctx, uint64_t linear, enum sgx2_access access,
                      uint64_t *physical, struct sgx2_fault *fault);
bool sgx_op_read(void *ctx, uint64_t linear, void *buf, size_t len,
                 struct sgx2_fault *fault);
bool sgx_op_write(void *ctx, uint64_t linear, const void *buf, size_t len,
                  struct sgx2_fault *fault);
void sgx_op_epc_written(void *ctx, uint64_t physical, size_t len);

/* Behind a call of the model, its lock free: TBs of what it wrote go. */
void sgx_writes_done(SgxCPU *s);

#endif
