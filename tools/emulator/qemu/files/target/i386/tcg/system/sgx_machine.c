/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SGX under TCG: EPC sections and their address space, CPUID and MSRs, reset,
 * and combinations of options that are rejected.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "cpu.h"
#include "exec/address-spaces.h"
#include "exec/cputlb.h"
#include "exec/exec-all.h"
#include "migration/blocker.h"
#include "system/reset.h"
#include "system/tcg.h"
#include "sgx_internal.h"

#define SGX_CPU_MODEL "sgx2"

/*
 * CPUID.12H.0:EDX: log2 of the largest SIZE of a 32-bit and a 64-bit enclave.
 */
#define SGX_SIZE_LOG2_32 31
#define SGX_SIZE_LOG2_64 56

/* CPUID.7.0:ECX and EDX. */
#define SGX_CET_SHSTK (1u << 7)
#define SGX_CET_IBT   (1u << 20)

#define SGX_12_0_EAX_SGX1       (1u << 0)
#define SGX_12_0_EAX_SGX2       (1u << 1)
#define SGX_12_0_EAX_ENCLS_C    (1u << 6)
#define SGX_12_0_EAX_EUPDATESVN (1u << 10)
#define SGX_12_0_EAX_EDECCSSA   (1u << 11)
#define SGX_12_1_EAX_KSS        (1u << 7)
#define SGX_12_1_EAX_AEXNOTIFY  (1u << 10)

#define MSR_IA32_SGX_SVN_STATUS 0x500

static struct SgxMachine {
    sgx2_machine *model;
    /* The memory of enclave accesses: the EPC on top of system memory. */
    MemoryRegion root, system;
    SgxSection section[SGX2_MAX_SECTIONS];
    unsigned sections;
    bool configured;
    struct sgx2_config config;
    Error *no_migration;
} sgx;

sgx2_machine *sgx_machine(void)
{
    return sgx.model;
}

const SgxSection *sgx_section(hwaddr paddr)
{
    for (unsigned i = 0; i < sgx.sections; i++) {
        if (paddr - sgx.section[i].base < sgx.section[i].size) {
            return &sgx.section[i];
        }
    }
    return NULL;
}

/* ------------------------------------------------------------- EPC sections */

static uint64_t sgx_abort_read(void *opaque, hwaddr addr, unsigned size)
{
    return ~0ull;
}

static void sgx_abort_write(void *opaque, hwaddr addr, uint64_t val,
                            unsigned size)
{
}

static const MemoryRegionOps sgx_abort_ops = {
    .read = sgx_abort_read,
    .write = sgx_abort_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

MemoryRegion *sgx_add_section(Object *owner, hwaddr base, MemoryRegion *ram,
                              uint64_t seed, bool strict_tcs, Error **errp)
{
    g_autofree char *name = NULL;
    uint64_t size = memory_region_size(ram);
    SgxSection *sec;
    int ret;

    if (sgx.sections == SGX2_MAX_SECTIONS) {
        error_setg(errp, "too many EPC sections: use at most %u",
                   SGX2_MAX_SECTIONS);
        return NULL;
    }
    if (!sgx.model) {
        sgx.config = (struct sgx2_config) {
            .abi = SGX2_MODEL_ABI,
            .seed = seed,
            .strict_tcs = strict_tcs,
        };
        sgx.model = sgx2_machine_create(&sgx.config);
        if (!sgx.model) {
            error_setg(errp, "the SGX2 processor model has another ABI "
                       "than this QEMU: rebuild QEMU");
            return NULL;
        }
        memory_region_init(&sgx.root, OBJECT(owner), "sgx-enclave", ~0ull);
        memory_region_init_alias(&sgx.system, OBJECT(owner), "sgx-system",
                                 get_system_memory(), 0, ~0ull);
        memory_region_add_subregion_overlap(&sgx.root, 0, &sgx.system, 0);
    }

    ret = sgx2_machine_add_section(sgx.model, base, size,
                                   memory_region_get_ram_ptr(ram));
    if (ret < 0) {
        error_setg_errno(errp, -ret, "EPC section of 0x%" PRIx64 " bytes at 0x%"
                         HWADDR_PRIx, size, base);
        return NULL;
    }

    sec = &sgx.section[sgx.sections];
    *sec = (SgxSection) { .base = base, .size = size, .ram = ram };
    name = g_strdup_printf("sgx-epc-abort.%u", sgx.sections);
    memory_region_init_io(&sec->abort, owner, &sgx_abort_ops, NULL, name, size);
    memory_region_add_subregion_overlap(&sgx.root, base, ram, 1);
    sgx.sections++;
    return &sec->abort;
}

/* The model has cleared the EPC, so drop all code translated from it. */
static void sgx_drop_code(void)
{
    for (unsigned i = 0; i < sgx.sections; i++) {
        ram_addr_t start = memory_region_get_ram_addr(sgx.section[i].ram);

        tb_invalidate_phys_range(start, start + sgx.section[i].size - 1);
    }
}

static void sgx_machine_reset(void *opaque)
{
    sgx2_machine_reset(sgx.model);
    sgx_drop_code();
}

static void sgx_flush_cpu(CPUState *cs, run_on_cpu_data data)
{
    tlb_flush(cs);
}

void sgx_lose_epc(void)
{
    CPUState *cs;

    assert(bql_locked());
    sgx2_machine_lose_epc(sgx.model);
    sgx_drop_code();
    /*
     * A CPU in enclave mode then faults at its next access instead of reading
     * zeros.
     */
    CPU_FOREACH(cs) {
        async_run_on_cpu(cs, sgx_flush_cpu, RUN_ON_CPU_NULL);
    }
}

bool sgx_machine_complete(Error **errp)
{
    qemu_register_reset(sgx_machine_reset, NULL);
    error_setg(&sgx.no_migration,
               "a machine with an emulated EPC cannot be migrated or saved");
    return migrate_add_blocker(&sgx.no_migration, errp) == 0;
}

/* -------------------------------------------------------------------- CPUID */

static void sgx_hide(CPUX86State *env)
{
    env->features[FEAT_7_0_EBX] &= ~CPUID_7_0_EBX_SGX;
    env->features[FEAT_7_0_ECX] &= ~CPUID_7_0_ECX_SGX_LC;
    env->features[FEAT_SGX_12_0_EAX] = 0;
    env->features[FEAT_SGX_12_0_EBX] = 0;
    env->features[FEAT_SGX_12_1_EAX] = 0;
}

bool sgx_cpu_expand(X86CPU *cpu, Error **errp)
{
    CPUX86State *env = &cpu->env;
    const char *type = object_get_typename(OBJECT(cpu));
    bool has_sgx = env->features[FEAT_7_0_EBX] & CPUID_7_0_EBX_SGX;

    bool is_sgx2 = g_str_has_prefix(type, SGX_CPU_MODEL "-");

    if (!tcg_enabled()) {
        if (is_sgx2) {
            error_setg(errp, "CPU model '" SGX_CPU_MODEL "' needs TCG: "
                       "use -accel tcg");
            return false;
        }
        return true;
    }

    /* A known TSC frequency saves the guest a calibration, which may fail. */
    if (is_sgx2 && !env->tsc_khz) {
        env->tsc_khz = 1000000;
    }

    if (!sgx.model) {
        if (has_sgx) {
            warn_report_once("SGX is hidden from the guest: the machine has no "
                "EPC: for 64 MiB of EPC add -object "
                "memory-backend-epc,id=epc0,size=64M "
                "-machine sgx-epc.0.memdev=epc0,sgx-epc.0.node=0");
        }
        sgx_hide(env);
        return true;
    }
    if (!has_sgx || !(env->features[FEAT_SGX_12_0_EAX] & SGX_12_0_EAX_SGX1)) {
        error_setg(errp, "the machine has an EPC and the CPU no SGX: "
                   "use -cpu " SGX_CPU_MODEL);
        return false;
    }

    /* The exits of enclave mode and of a nested guest would interfere. */
    if (env->features[FEAT_8000_0001_ECX] & CPUID_EXT3_SVM) {
        if (!cpu->max_features ||
            env->user_features[FEAT_8000_0001_ECX] & CPUID_EXT3_SVM) {
            error_setg(errp, "SGX and nested virtualization (svm) exclude "
                       "each other: use one of them");
            return false;
        }
        env->features[FEAT_8000_0001_ECX] &= ~CPUID_EXT3_SVM;
    }
    if (env->features[FEAT_1_ECX] & CPUID_EXT_VMX) {
        error_setg(errp, "SGX and nested virtualization (vmx) exclude "
                   "each other: use one of them");
        return false;
    }
    /* Entries would have to switch shadow stacks: CPUID.7:ECX[7], EDX[20]. */
    if (env->features[FEAT_7_0_ECX] & SGX_CET_SHSTK ||
        env->features[FEAT_7_0_EDX] & SGX_CET_IBT) {
        error_setg(errp, "SGX and CET (shstk, ibt) exclude each other: "
                   "use one of them");
        return false;
    }
    return true;
}

void sgx_cpuid(CPUX86State *env, uint32_t count, uint32_t *eax,
               uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
    const SgxSection *sec;

    *eax = *ebx = *ecx = *edx = 0;
    if (!(env->features[FEAT_7_0_EBX] & CPUID_7_0_EBX_SGX)) {
        return;
    }
    switch (count) {
    case 0:
        *eax = env->features[FEAT_SGX_12_0_EAX];
        *ebx = env->features[FEAT_SGX_12_0_EBX];
        *edx = SGX_SIZE_LOG2_64 << 8 | SGX_SIZE_LOG2_32;
        break;
    case 1:
        *eax = env->features[FEAT_SGX_12_1_EAX];
        *ecx = env->features[FEAT_XSAVE_XCR0_LO] |
               XSTATE_FP_MASK | XSTATE_SSE_MASK;
        *edx = env->features[FEAT_XSAVE_XCR0_HI];
        break;
    default:
        if (count - 2 >= sgx.sections) {
            break;
        }
        sec = &sgx.section[count - 2];
        *eax = (uint32_t)(sec->base & 0xfffff000) | 1;
        *ebx = sec->base >> 32;
        *ecx = (uint32_t)(sec->size & 0xfffff000) | 1;
        *edx = sec->size >> 32;
        break;
    }
}

static struct sgx2_config sgx_config(CPUX86State *env)
{
    uint32_t leaf0 = env->features[FEAT_SGX_12_0_EAX];
    uint32_t leaf1 = env->features[FEAT_SGX_12_1_EAX];
    struct sgx2_config c = {
        .abi = SGX2_MODEL_ABI,
        .sgx1 = leaf0 & SGX_12_0_EAX_SGX1,
        .sgx2 = leaf0 & SGX_12_0_EAX_SGX2,
        .encls_c = leaf0 & SGX_12_0_EAX_ENCLS_C,
        .edeccssa = leaf0 & SGX_12_0_EAX_EDECCSSA,
        .aexnotify = leaf1 & SGX_12_1_EAX_AEXNOTIFY,
        .kss = leaf1 & SGX_12_1_EAX_KSS,
        .eupdatesvn = leaf0 & SGX_12_0_EAX_EUPDATESVN,
        .miscselect_mask = env->features[FEAT_SGX_12_0_EBX],
        .size_log2_32 = SGX_SIZE_LOG2_32,
        .size_log2_64 = SGX_SIZE_LOG2_64,
        .attributes_mask = leaf1,
        .xfrm_mask = env->features[FEAT_XSAVE_XCR0_HI] << 32 |
                     env->features[FEAT_XSAVE_XCR0_LO] |
                     XSTATE_FP_MASK | XSTATE_SSE_MASK,
        .linear_bits =
            env->features[FEAT_7_0_ECX] & CPUID_7_0_ECX_LA57 ? 57 : 48,
        .seed = sgx.config.seed,
        .strict_tcs = sgx.config.strict_tcs,
    };

    for (int i = 2; i < XSAVE_STATE_AREA_COUNT; i++) {
        if (c.xfrm_mask & (1ull << i)) {
            c.xcomp[i].offset = x86_ext_save_areas[i].offset;
            c.xcomp[i].size = x86_ext_save_areas[i].size;
        }
    }
    return c;
}

/* ---------------------------------------------- creation and reset of a CPU */

void sgx_cpu_realize(X86CPU *cpu)
{
    CPUState *cs = CPU(cpu);
    SgxCPU *s;

    if (!sgx.model) {
        return;
    }
    if (!sgx.configured) {
        sgx.config = sgx_config(&cpu->env);
        sgx2_machine_configure(sgx.model, &sgx.config);
        sgx.configured = true;
    }
    s = g_new0(SgxCPU, 1);
    s->cpu = cpu;
    s->writes = g_array_new(false, false, sizeof(SgxWrite));
    s->model = sgx2_cpu_create(sgx.model, &sgx_host_ops, s);
    if (!s->model) {
        error_report("out of memory for the SGX state of a CPU");
        exit(EXIT_FAILURE);
    }
    cpu->sgx = s;
    cpu_address_space_init(cs, 2, "cpu-enclave", &sgx.root);
}

void sgx_cpu_reset(X86CPU *cpu)
{
    SgxCPU *s = cpu->sgx;

    if (s) {
        sgx2_cpu_reset(s->model);
        sgx_writes_done(s);
        s->el_base = s->el_size = 0;
    }
}

/* --------------------------------------------------------------------- MSRs */

uint64_t sgx_rdmsr(CPUX86State *env, uint32_t index)
{
    if (!(env->features[FEAT_7_0_EBX] & CPUID_7_0_EBX_SGX)) {
        return 0;
    }
    switch (index) {
    case MSR_IA32_FEATURE_CONTROL:
        return env->msr_ia32_feature_control;
    case MSR_IA32_SGXLEPUBKEYHASH0 ... MSR_IA32_SGXLEPUBKEYHASH3:
        return env->msr_ia32_sgxlepubkeyhash[index -
                                             MSR_IA32_SGXLEPUBKEYHASH0];
    default:
        return 0;
    }
}

bool sgx_wrmsr(CPUX86State *env, uint32_t index, uint64_t val)
{
    uint64_t writable = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_SGX_LC;
    uint64_t *feat_ctl = &env->msr_ia32_feature_control;

    if (!(env->features[FEAT_7_0_EBX] & CPUID_7_0_EBX_SGX)) {
        return true;
    }
    switch (index) {
    case MSR_IA32_FEATURE_CONTROL:
        if (*feat_ctl & FEATURE_CONTROL_LOCKED || val & ~SGX_FEATURE_CONTROL ||
            (val & FEATURE_CONTROL_SGX_LC &&
             !(env->features[FEAT_7_0_ECX] & CPUID_7_0_ECX_SGX_LC))) {
            return false;
        }
        *feat_ctl = val;
        return true;
    case MSR_IA32_SGXLEPUBKEYHASH0 ... MSR_IA32_SGXLEPUBKEYHASH3:
        if ((*feat_ctl & writable) != writable) {
            return false;
        }
        env->msr_ia32_sgxlepubkeyhash[index - MSR_IA32_SGXLEPUBKEYHASH0] = val;
        return true;
    case MSR_IA32_SGX_SVN_STATUS:
        return false;
    default:
        return true;
    }
}
