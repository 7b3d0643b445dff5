/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SGX under TCG: inspection and injection by QMP. */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-sgx2-target.h"
#include "cpu.h"
#include "sgx_internal.h"

static sgx2_machine *sgx_machine_or_error(Error **errp)
{
    if (!sgx_machine()) {
        error_setg(errp, "the machine has no EPC");
    }
    return sgx_machine();
}

static void sgx_add_leaves(Sgx2LeafCountList **list, const char *instruction,
                           const char *(*name_of)(uint32_t leaf),
                           const uint64_t counts[SGX2_LEAVES][SGX2_RESULTS])
{
    for (int leaf = SGX2_LEAVES - 1; leaf >= 0; leaf--) {
        for (int result = SGX2_RESULTS - 1; result >= 0; result--) {
            Sgx2LeafCount *c;

            if (!counts[leaf][result]) {
                continue;
            }
            c = g_new0(Sgx2LeafCount, 1);
            c->instruction = g_strdup(instruction);
            c->leaf = leaf;
            c->name = g_strdup(name_of(leaf));
            c->result = result;
            c->count = counts[leaf][result];
            QAPI_LIST_PREPEND(*list, c);
        }
    }
}

Sgx2Counters *qmp_x_sgx2_query_counters(Error **errp)
{
    g_autofree struct sgx2_counters *c = g_new0(struct sgx2_counters, 1);
    sgx2_machine *m = sgx_machine_or_error(errp);
    Sgx2Counters *out;

    if (!m) {
        return NULL;
    }
    sgx2_machine_counters(m, c);
    out = g_new0(Sgx2Counters, 1);
    sgx_add_leaves(&out->leaves, "ENCLU", sgx2_enclu_name, c->enclu);
    sgx_add_leaves(&out->leaves, "ENCLS", sgx2_encls_name, c->encls);
    for (int v = ARRAY_SIZE(c->aex_exception) - 1; v >= 0; v--) {
        Sgx2ExceptionCount *e;

        if (!c->aex_exception[v]) {
            continue;
        }
        e = g_new0(Sgx2ExceptionCount, 1);
        e->vector = v;
        e->count = c->aex_exception[v];
        QAPI_LIST_PREPEND(out->aex_exceptions, e);
    }
    out->aex_interrupts = c->aex_interrupt;
    out->aex_nmi = c->aex_nmi;
    out->aex_smi = c->aex_smi;
    out->aex_init = c->aex_init;
    out->aex_mce = c->aex_mce;
    out->deny_read = c->epcm_deny_read;
    out->deny_write = c->epcm_deny_write;
    out->deny_exec = c->epcm_deny_exec;
    out->tlb_fills = c->tlb_fills;
    out->aborts = c->aborts;
    out->injected = c->injected;
    return out;
}

void qmp_x_sgx2_clear_counters(Error **errp)
{
    sgx2_machine *m = sgx_machine_or_error(errp);

    if (m) {
        sgx2_machine_counters_clear(m);
    }
}

Sgx2EpcmEntryList *qmp_x_sgx2_dump_epcm(Error **errp)
{
    sgx2_machine *m = sgx_machine_or_error(errp);
    Sgx2EpcmEntryList *list = NULL, **tail = &list;
    struct sgx2_epcm_entry e;

    if (!m) {
        return NULL;
    }
    for (uint64_t i = 0; sgx2_epcm_get(m, i, &e); i++) {
        Sgx2EpcmEntry *out;

        if (!e.valid) {
            continue;
        }
        out = g_new0(Sgx2EpcmEntry, 1);
        out->physical = e.physical;
        out->type = e.type;
        out->enclave = e.enclave;
        out->linear = e.linear;
        out->r = e.r;
        out->w = e.w;
        out->x = e.x;
        out->blocked = e.blocked;
        out->pending = e.pending;
        out->modified = e.modified;
        out->pr = e.pr;
        out->stamp = e.stamp;
        QAPI_LIST_APPEND(tail, out);
    }
    return list;
}

Sgx2EpcmSummary *qmp_x_sgx2_epcm_valid(Error **errp)
{
    sgx2_machine *m = sgx_machine_or_error(errp);
    Sgx2EpcmSummary *out;

    if (!m) {
        return NULL;
    }
    out = g_new0(Sgx2EpcmSummary, 1);
    out->pages = sgx2_epcm_pages(m);
    out->valid = sgx2_epcm_valid(m);
    return out;
}

/* Set the rates of single leaves by name; all names are unique. */
static bool sgx_leaf_rates(struct sgx2_injection *inj,
                           const Sgx2LeafRateList *leaves, Error **errp)
{
    for (; leaves; leaves = leaves->next) {
        const Sgx2LeafRate *l = leaves->value;
        uint32_t *rate = NULL;

        for (int leaf = 0; leaf < SGX2_LEAVES && !rate; leaf++) {
            if (!g_strcmp0(l->name, sgx2_encls_name(leaf))) {
                rate = &inj->encls[leaf];
            } else if (!g_strcmp0(l->name, sgx2_enclu_name(leaf))) {
                rate = &inj->enclu[leaf];
            }
        }
        if (!rate) {
            error_setg(errp, "no leaf function is named '%s'", l->name);
            return false;
        }
        *rate = l->rate;
    }
    return true;
}

void qmp_x_sgx2_inject(bool has_seed, uint64_t seed,
                       bool has_eblock, uint32_t eblock,
                       bool has_emodpr, uint32_t emodpr,
                       bool has_emodt, uint32_t emodt,
                       bool has_gp, uint32_t gp,
                       bool has_einit, uint32_t einit,
                       bool has_entropy, uint32_t entropy,
                       bool has_leaves, Sgx2LeafRateList *leaves, Error **errp)
{
    sgx2_machine *m = sgx_machine_or_error(errp);
    struct sgx2_injection inj = {
        .seed = seed,
        .eblock_conflict = eblock,
        .emodpr_conflict = emodpr,
        .emodt_conflict = emodt,
        .gp_conflict = gp,
        .einit_event = einit,
        .entropy = entropy,
    };

    if (m && sgx_leaf_rates(&inj, leaves, errp)) {
        sgx2_machine_inject(m, &inj);
    }
}

void qmp_x_sgx2_lose_epc(Error **errp)
{
    if (sgx_machine_or_error(errp)) {
        sgx_lose_epc();
    }
}
