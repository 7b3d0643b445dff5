/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SGX under TCG: operands in memory, and the EPCM check at a TLB fill. */
#include "qemu/osdep.h"
#include "qemu/rcu.h"
#include "cpu.h"
#include "exec/cpu-common.h"
#include "exec/exec-all.h"
#include "exec/page-protection.h"
#include "exec/ram_addr.h"
#include "sgx_internal.h"

/*
 * Record a write, whose TBs must be dropped before this CPU continues, but not
 * under a lock of the model: the translator of another CPU may hold the page's
 * lock while its own fetch waits for the model in sgx_check_fill().
 */
static void sgx_record_write(SgxCPU *s, ram_addr_t addr, uint64_t len)
{
    ram_addr_t page = addr & TARGET_PAGE_MASK;

    for (; page < addr + len; page += TARGET_PAGE_SIZE) {
        SgxWrite w = { .page = page };

        if (s->writes->len &&
            g_array_index(s->writes, SgxWrite, s->writes->len - 1).page ==
            page) {
            continue;
        }
        g_array_append_val(s->writes, w);
    }
}

void sgx_writes_done(SgxCPU *s)
{
    for (unsigned i = 0; i < s->writes->len; i++) {
        ram_addr_t page = g_array_index(s->writes, SgxWrite, i).page;

        /* A page without TBs counts as dirty. */
        if (!cpu_physical_memory_get_dirty_flag(page, DIRTY_MEMORY_CODE)) {
            tb_invalidate_phys_range(page, page + TARGET_PAGE_SIZE - 1);
        }
    }
    g_array_set_size(s->writes, 0);
}

static bool sgx_translate(SgxCPU *s, uint64_t linear, MMUAccessType access,
                          hwaddr *paddr, struct sgx2_fault *fault)
{
    SgxFault f;

    if (x86_translate_data(&s->cpu->env, linear, access, paddr, &f)) {
        return true;
    }
    *fault = (struct sgx2_fault) {
        .vector = f.vector,
        .has_error = true,
        .error_code = f.error_code,
        .cr2 = f.cr2,
    };
    return false;
}

bool sgx_op_translate(void *ctx, uint64_t linear, enum sgx2_access access,
                      uint64_t *physical, struct sgx2_fault *fault)
{
    MMUAccessType type = access & SGX2_WRITE ? MMU_DATA_STORE : MMU_DATA_LOAD;
    hwaddr paddr;

    if (!sgx_translate(ctx, linear, type, &paddr, fault)) {
        return false;
    }
    *physical = paddr;
    return true;
}

/*
 * Access RAM through the host's pointer. All other memory (devices, and EPC,
 * which is an abort region in system memory) reads as all ones and drops
 * writes, without a call of the device.
 */
static void sgx_physical_rw(SgxCPU *s, hwaddr paddr, uint8_t *buf, hwaddr len,
                            bool is_write)
{
    MemTxAttrs attrs = MEMTXATTRS_UNSPECIFIED;
    AddressSpace *as = cpu_get_address_space(CPU(s->cpu), 0);

    RCU_READ_LOCK_GUARD();
    while (len) {
        hwaddr xlat, l = len;
        MemoryRegion *mr = address_space_translate(as, paddr, &xlat, &l,
                                                   is_write, attrs);

        if (memory_access_is_direct(mr, is_write, attrs)) {
            uint8_t *host = memory_region_get_ram_ptr(mr);

            if (is_write) {
                memcpy(host + xlat, buf, l);
                sgx_record_write(s, memory_region_get_ram_addr(mr) + xlat, l);
            } else {
                memcpy(buf, host + xlat, l);
            }
        } else if (!is_write) {
            memset(buf, 0xff, l);
        }
        paddr += l;
        buf += l;
        len -= l;
    }
}

static bool sgx_linear_rw(SgxCPU *s, uint64_t linear, void *buf, size_t len,
                          bool is_write, struct sgx2_fault *fault)
{
    MMUAccessType access = is_write ? MMU_DATA_STORE : MMU_DATA_LOAD;
    hwaddr paddr[3];
    size_t pages = 0, done;

    assert(len && len <= TARGET_PAGE_SIZE * 2);
    for (done = 0; done < len; pages++) {
        size_t l = MIN(len - done, -((linear + done) | TARGET_PAGE_MASK));

        if (!sgx_translate(s, linear + done, access, &paddr[pages], fault)) {
            return false;
        }
        done += l;
    }
    for (done = 0, pages = 0; done < len; pages++) {
        size_t l = MIN(len - done, -((linear + done) | TARGET_PAGE_MASK));

        sgx_physical_rw(s, paddr[pages], (uint8_t *)buf + done, l, is_write);
        done += l;
    }
    return true;
}

bool sgx_op_read(void *ctx, uint64_t linear, void *buf, size_t len,
                 struct sgx2_fault *fault)
{
    return sgx_linear_rw(ctx, linear, buf, len, false, fault);
}

bool sgx_op_write(void *ctx, uint64_t linear, const void *buf, size_t len,
                  struct sgx2_fault *fault)
{
    return sgx_linear_rw(ctx, linear, (void *)buf, len, true, fault);
}

void sgx_op_epc_written(void *ctx, uint64_t physical, size_t len)
{
    const SgxSection *sec = sgx_section(physical);
    hwaddr offset;

    assert(sec);
    offset = physical - sec->base;
    sgx_record_write(ctx, memory_region_get_ram_addr(sec->ram) + offset,
                     MIN(len, sec->size - offset));
}

bool sgx_check_fill(CPUX86State *env, vaddr addr, MMUAccessType access,
                    bool probe, hwaddr paddr, int *prot, int *page_size,
                    MemTxAttrs *attrs, SgxFault *fault)
{
    static const enum sgx2_access accesses[] = {
        [MMU_DATA_LOAD] = SGX2_READ,
        [MMU_DATA_STORE] = SGX2_WRITE,
        [MMU_INST_FETCH] = SGX2_EXEC,
    };
    SgxCPU *s = sgx_cpu(env);
    struct sgx2_fault f;
    uint32_t rights = 0;

    /* Outside ELRANGE only fetches and EPC need the model. */
    if (addr - s->el_base >= s->el_size && access != MMU_INST_FETCH &&
        !sgx_section(paddr)) {
        *prot &= ~PAGE_EXEC;
        return true;
    }

    switch (sgx2_tlb_check(s->model, addr, paddr, accesses[access], !probe,
                           &rights, &f)) {
    case SGX2_TLB_NORMAL:
    case SGX2_TLB_ABORT:
        /* System memory has the abort region here. */
        *prot &= ~PAGE_EXEC;
        *page_size = TARGET_PAGE_SIZE;
        return true;
    case SGX2_TLB_EPC:
        *prot &= (rights & SGX2_READ ? PAGE_READ : 0) |
                 (rights & SGX2_WRITE ? PAGE_WRITE : 0) |
                 (rights & SGX2_EXEC ? PAGE_EXEC : 0);
        *page_size = TARGET_PAGE_SIZE;
        *attrs = (MemTxAttrs) { .sgx_epc = 1 };
        return true;
    case SGX2_TLB_FAULT:
        break;
    }
    *fault = (SgxFault) {
        .vector = f.vector,
        .error_code = f.has_error ? f.error_code : 0,
        .cr2 = f.vector == EXCP0E_PAGE ? f.cr2 : env->cr[2],
    };
    return false;
}

bool sgx_hides_breakpoint(CPUX86State *env, vaddr addr)
{
    SgxCPU *s = sgx_cpu(env);

    return (env->hflags & (HF_ENCLAVE_MASK | HF_ENCLAVE_DBG_MASK)) ==
           HF_ENCLAVE_MASK && addr - s->el_base < s->el_size;
}
