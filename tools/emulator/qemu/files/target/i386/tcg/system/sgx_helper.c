/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SGX under TCG: ENCLS, ENCLU and asynchronous exits. This file passes the
 * registers to the model and back, and applies the model's effects on TLB,
 * mode and XCR0.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "exec/exec-all.h"
#include "exec/helper-proto.h"
#include "tcg/helper-tcg.h"
#include "target/i386/trace.h"
#include "sgx_internal.h"

#define CC_BITS (CC_O | CC_S | CC_Z | CC_A | CC_P | CC_C)

/* The attribute bits of a descriptor's upper doubleword. */
#define SEG_ATTR 0x00f0ff00u

#define SGX_ERESUME 0x03

static const int sgx_gpr[16] = {
    [SGX2_RAX] = R_EAX, [SGX2_RCX] = R_ECX, [SGX2_RDX] = R_EDX,
    [SGX2_RBX] = R_EBX, [SGX2_RSP] = R_ESP, [SGX2_RBP] = R_EBP,
    [SGX2_RSI] = R_ESI, [SGX2_RDI] = R_EDI, [SGX2_R8] = R_R8,
    [SGX2_R9] = R_R9, [SGX2_R10] = R_R10, [SGX2_R11] = R_R11,
    [SGX2_R12] = R_R12, [SGX2_R13] = R_R13, [SGX2_R14] = R_R14,
    [SGX2_R15] = R_R15,
};

static void sgx_get_segment(struct sgx2_segment *to, const SegmentCache *from)
{
    *to = (struct sgx2_segment) {
        .base = from->base,
        .limit = from->limit,
        .attr = from->flags & SEG_ATTR,
        .selector = from->selector,
    };
}

static void sgx_put_segment(CPUX86State *env, X86Seg reg,
                            const struct sgx2_segment *from)
{
    cpu_x86_load_seg_cache(env, reg, from->selector, from->base, from->limit,
                           from->attr);
}

/* Return whether the CPU would take an event at the next instruction. */
static bool sgx_event_pending(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);

    switch (x86_cpu_pending_interrupt(cs, qatomic_read(&cs->interrupt_request)
                                      & ~CPU_INTERRUPT_POLL)) {
    case CPU_INTERRUPT_SMI:
    case CPU_INTERRUPT_NMI:
    case CPU_INTERRUPT_HARD:
        return true;
    default:
        return false;
    }
}

static void sgx_get_regs(CPUX86State *env, struct sgx2_regs *r)
{
    memset(r, 0, sizeof(*r));
    for (int i = 0; i < CPU_NB_REGS; i++) {
        r->gpr[i] = env->regs[sgx_gpr[i]];
    }
    r->rip = env->eip;
    r->next_rip = env->eip;
    r->rflags = cpu_compute_eflags(env);
    r->cr0 = env->cr[0];
    r->cr2 = env->cr[2];
    r->cr4 = env->cr[4];
    r->xcr0 = env->xcr0;
    r->feat_ctl = env->msr_ia32_feature_control;
    for (int i = 0; i < ARRAY_SIZE(r->lepubkeyhash); i++) {
        r->lepubkeyhash[i] = env->msr_ia32_sgxlepubkeyhash[i];
    }
    sgx_get_segment(&r->cs, &env->segs[R_CS]);
    sgx_get_segment(&r->ds, &env->segs[R_DS]);
    sgx_get_segment(&r->es, &env->segs[R_ES]);
    sgx_get_segment(&r->ss, &env->segs[R_SS]);
    sgx_get_segment(&r->fs, &env->segs[R_FS]);
    sgx_get_segment(&r->gs, &env->segs[R_GS]);
    r->cpl = env->hflags & HF_CPL_MASK;
    r->mode64 = env->hflags & HF_CS64_MASK;
    r->vm86 = env->eflags & VM_MASK;
    r->smm = env->hflags & HF_SMM_MASK;
    r->event_pending = sgx_event_pending(env);
}

/* Load the registers after SGX2_DONE and apply the effects. */
static void sgx_put_regs(CPUX86State *env, const struct sgx2_regs *r,
                         uint32_t effects)
{
    SgxCPU *s = sgx_cpu(env);

    for (int i = 0; i < CPU_NB_REGS; i++) {
        env->regs[sgx_gpr[i]] = r->gpr[i];
    }
    env->eip = r->rip;
    env->cr[2] = r->cr2;
    cpu_load_eflags(env, r->rflags, ~(CC_BITS | DF_MASK));
    if (effects & SGX2_EFFECT_XCR0) {
        env->xcr0 = r->xcr0;
        cpu_sync_bndcs_hflags(env);
        cpu_sync_avx_hflag(env);
    }
    if (effects & SGX2_EFFECT_SEGMENTS) {
        sgx_put_segment(env, R_FS, &r->fs);
        sgx_put_segment(env, R_GS, &r->gs);
    }
    if (effects & SGX2_EFFECT_MODE) {
        env->hflags &= ~(HF_ENCLAVE_MASK | HF_ENCLAVE_DBG_MASK);
        if (sgx2_in_enclave(s->model)) {
            env->hflags |= HF_ENCLAVE_MASK;
            if (sgx2_debug_optin(s->model)) {
                env->hflags |= HF_ENCLAVE_DBG_MASK;
            }
        }
        if (!sgx2_elrange(s->model, &s->el_base, &s->el_size)) {
            s->el_base = s->el_size = 0;
        }
    }
    if (effects & SGX2_EFFECT_FLUSH) {
        tlb_flush(env_cpu(env));
    }
    sgx_writes_done(s);
}

typedef enum sgx2_outcome SgxLeaf(sgx2_cpu *cpu, struct sgx2_regs *regs,
                                  uint32_t *effects, struct sgx2_fault *fault);

/*
 * Execute a leaf. The page walk of an operand may reach I/O memory, which
 * takes the BQL, so the BQL is taken first. A late-locking leaf does its page
 * walks before it takes a lock of the model, and needs no BQL.
 */
static enum sgx2_outcome sgx_run(CPUX86State *env, SgxLeaf *leaf,
                                 bool locks_late, int len, struct sgx2_regs *r,
                                 uint32_t *effects, struct sgx2_fault *fault)
{
    SgxCPU *s = sgx_cpu(env);
    enum sgx2_outcome outcome;
    bool lock = !locks_late && !bql_locked();

    if (lock) {
        bql_lock();
    }
    sgx_get_regs(env, r);
    r->next_rip = env->eip + len;
    if (!r->mode64) {
        r->next_rip = (uint32_t)r->next_rip;
    }
    r->rflags &= ~RF_MASK;      /* a leaf that completes clears RF */
    outcome = leaf(s->model, r, effects, fault);
    if (outcome == SGX2_DONE) {
        sgx_put_regs(env, r, *effects);
    } else {
        sgx_writes_done(s);
    }
    if (lock) {
        bql_unlock();
    }
    return outcome;
}

static G_NORETURN void sgx_raise(CPUX86State *env, struct sgx2_fault *fault,
                                 uintptr_t ra)
{
    if (fault->vector == EXCP0E_PAGE) {
        env->cr[2] = fault->cr2;
    }
    raise_exception_err_ra(env, fault->vector,
                           fault->has_error ? fault->error_code : 0, ra);
}

static G_NORETURN void sgx_single_step(CPUX86State *env)
{
    env->dr[6] |= DR6_BS;
    raise_exception(env, EXCP01_DB);
}

/*
 * Both helpers end the block: gen_eob() would use state from the time of the
 * translation, so its work is done here.
 */
void helper_encls(CPUX86State *env, uint32_t len)
{
    struct sgx2_regs r;
    struct sgx2_fault fault;
    uint32_t effects = 0;
    bool locks_late = sgx2_encls_locks_late(env->regs[R_EAX]);

    if (sgx_run(env, sgx2_encls, locks_late, len, &r, &effects, &fault) ==
        SGX2_FAULT) {
        sgx_raise(env, &fault, GETPC());
    }
    do_end_instruction(env);
    if (env->eflags & TF_MASK) {
        sgx_single_step(env);
    }
}

void helper_enclu(CPUX86State *env, uint32_t len)
{
    struct sgx2_regs r;
    struct sgx2_fault fault;
    uint32_t effects = 0;
    bool locks_late = sgx2_enclu_locks_late(env->regs[R_EAX]);
    bool resume = (uint32_t)env->regs[R_EAX] == SGX_ERESUME;

    if (sgx_run(env, sgx2_enclu, locks_late, len, &r, &effects, &fault) ==
        SGX2_FAULT) {
        sgx_raise(env, &fault, GETPC());
    }
    env->hflags &= ~HF_INHIBIT_IRQ_MASK;
    /*
     * After ERESUME, TF from the frame takes effect after the resumed
     * instruction, like RF; the model reports when the leaf itself is
     * single-stepped.
     */
    if (effects & SGX2_EFFECT_PEND_DB ||
        (!resume && env->eflags & TF_MASK)) {
        sgx_single_step(env);
    }
}

static void sgx_exit(CPUX86State *env, const struct sgx2_event *ev)
{
    SgxCPU *s = sgx_cpu(env);
    struct sgx2_regs r;

    sgx_get_regs(env, &r);
    sgx_put_regs(env, &r, sgx2_aex(s->model, &r, ev));
}

/* Return whether DR6 reports an instruction breakpoint on this instruction. */
static bool sgx_code_breakpoint(CPUX86State *env)
{
    for (int i = 0; i < DR7_MAX_BP; i++) {
        if (env->dr[6] & (1 << i) && env->dr[i] == env->eip &&
            ((env->dr[7] >> (DR7_TYPE_SHIFT + i * 4)) & 3) ==
            DR7_TYPE_BP_INST) {
            return true;
        }
    }
    return false;
}

void sgx_aex(CPUX86State *env, int vector, int error_code, bool is_hw)
{
    struct sgx2_event ev = {
        .kind = SGX2_EV_EXCEPTION,
        .vector = vector,
        .error_code = error_code,
    };

    if (vector == EXCP12_MCHK) {
        ev.kind = SGX2_EV_MCE;
    } else if (is_hw) {
        ev.kind = vector == EXCP02_NMI ? SGX2_EV_NMI : SGX2_EV_INTERRUPT;
    } else if (vector == EXCP01_DB) {
        ev.is_code_breakpoint = sgx_code_breakpoint(env);
        ev.is_trap = !ev.is_code_breakpoint;
    } else if (vector == EXCP03_INT3) {
        ev.from_int3 = true;
    }
    sgx_exit(env, &ev);
}

void sgx_aex_smi(CPUX86State *env)
{
    static const struct sgx2_event ev = { .kind = SGX2_EV_SMI };

    sgx_exit(env, &ev);
}

void sgx_aex_init(CPUX86State *env)
{
    static const struct sgx2_event ev = { .kind = SGX2_EV_INIT };

    if (env->hflags & HF_ENCLAVE_MASK) {
        sgx_exit(env, &ev);
    }
}

static void sgx_op_xsave(void *ctx, uint8_t *area, uint64_t xfrm)
{
    SgxCPU *s = ctx;

    sgx_xsave(&s->cpu->env, area, xsave_area_size(xfrm, false), xfrm);
}

static bool sgx_op_xrstor(void *ctx, const uint8_t *area, uint64_t xfrm,
                          bool dry)
{
    SgxCPU *s = ctx;

    return sgx_xrstor(&s->cpu->env, area, xsave_area_size(xfrm, false), xfrm,
                      dry);
}

static void sgx_op_xinit(void *ctx, uint64_t xfrm, uint16_t fcw, uint16_t fsw,
                         uint32_t mxcsr)
{
    SgxCPU *s = ctx;

    sgx_xinit(&s->cpu->env, xfrm, fcw, fsw, mxcsr);
}

static void sgx_op_trace(void *ctx, const struct sgx2_trace *t)
{
    SgxCPU *s = ctx;
    int cpu = CPU(s->cpu)->cpu_index;
    const char *name;

    switch (t->kind) {
    case SGX2_TRACE_ENCLS:
        name = sgx2_encls_name(t->leaf);
        trace_sgx2_encls(cpu, name ? name : "?", t->leaf, t->rbx, t->rcx,
                         t->rdx, t->faulted & 0xff, t->result);
        break;
    case SGX2_TRACE_ENCLU:
        name = sgx2_enclu_name(t->leaf);
        trace_sgx2_enclu(cpu, name ? name : "?", t->leaf, t->rbx, t->rcx,
                         t->rdx, t->faulted & 0xff, t->result);
        break;
    case SGX2_TRACE_AEX:
        trace_sgx2_aex(cpu, t->leaf, t->result);
        break;
    case SGX2_TRACE_DENY:
        trace_sgx2_deny(cpu, t->leaf & SGX2_EXEC ? "exec" :
                        t->leaf & SGX2_WRITE ? "write" : "read",
                        t->rbx, t->rcx, t->result);
        break;
    }
}

const struct sgx2_host_ops sgx_host_ops = {
    .translate = sgx_op_translate,
    .read = sgx_op_read,
    .write = sgx_op_write,
    .xsave = sgx_op_xsave,
    .xrstor = sgx_op_xrstor,
    .xinit = sgx_op_xinit,
    .epc_written = sgx_op_epc_written,
    .trace = sgx_op_trace,
};
