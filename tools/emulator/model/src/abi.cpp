// SPDX-License-Identifier: GPL-2.0
// The C interface of the model. A function here takes the locks itself or calls one that does.

#include <new>

#include "aex.h"
#include "json.h"
#include "leaf.h"
#include "sgx2_model.h"
#include "tlb.h"

#define SGX2_EXPORT extern "C" __attribute__((visibility("default")))

using sgx2::Lock;

SGX2_EXPORT sgx2_machine *sgx2_machine_create(const sgx2_config *config)
{
	if (config == nullptr || config->abi != SGX2_MODEL_ABI)
		return nullptr;
	return new (std::nothrow) sgx2_machine(*config);
}

SGX2_EXPORT void sgx2_machine_destroy(sgx2_machine *m)
{
	delete m;
}

SGX2_EXPORT int sgx2_machine_add_section(sgx2_machine *m, uint64_t physical, uint64_t size, void *host)
{
	const Lock guard(m->lock);

	return m->add_section(physical, size, host);
}

SGX2_EXPORT void sgx2_machine_configure(sgx2_machine *m, const sgx2_config *config)
{
	const Lock guard(m->lock);

	m->configure(*config);
}

SGX2_EXPORT bool sgx2_is_epc(const sgx2_machine *m, uint64_t physical)
{
	return m->is_epc(physical);
}

SGX2_EXPORT void sgx2_machine_reset(sgx2_machine *m)
{
	const Lock guard(m->lock);

	m->reset();
}

SGX2_EXPORT void sgx2_machine_lose_epc(sgx2_machine *m)
{
	const Lock guard(m->lock);

	m->lose_epc();
}

SGX2_EXPORT uint32_t sgx2_xsave_size(const sgx2_machine *m, uint64_t xfrm)
{
	return m->xsave_size(xfrm);
}

SGX2_EXPORT sgx2_cpu *sgx2_cpu_create(sgx2_machine *m, const sgx2_host_ops *ops, void *ctx)
{
	return new (std::nothrow) sgx2_cpu(*m, *ops, ctx);
}

SGX2_EXPORT void sgx2_cpu_reset(sgx2_cpu *cpu)
{
	const Lock guard(cpu->machine.lock);

	if (cpu->inside)
		cpu->leave_enclave_mode();
}

SGX2_EXPORT void sgx2_cpu_destroy(sgx2_cpu *cpu)
{
	if (cpu != nullptr)
		sgx2_cpu_reset(cpu);
	delete cpu;
}

SGX2_EXPORT bool sgx2_in_enclave(const sgx2_cpu *cpu)
{
	return cpu->inside;
}

SGX2_EXPORT bool sgx2_debug_optin(const sgx2_cpu *cpu)
{
	return cpu->inside && cpu->mode.optin;
}

SGX2_EXPORT bool sgx2_elrange(const sgx2_cpu *cpu, uint64_t *base, uint64_t *size)
{
	if (!cpu->inside)
		return false;
	*base = cpu->mode.base;
	*size = cpu->mode.size;
	return true;
}

SGX2_EXPORT sgx2_outcome sgx2_encls(sgx2_cpu *cpu, sgx2_regs *regs, uint32_t *effects, sgx2_fault *fault)
{
	return sgx2::execute(*cpu, false, *regs, *effects, *fault);
}

SGX2_EXPORT sgx2_outcome sgx2_enclu(sgx2_cpu *cpu, sgx2_regs *regs, uint32_t *effects, sgx2_fault *fault)
{
	return sgx2::execute(*cpu, true, *regs, *effects, *fault);
}

SGX2_EXPORT uint32_t sgx2_aex(sgx2_cpu *cpu, sgx2_regs *regs, const sgx2_event *ev)
{
	return sgx2::asynchronous_exit(*cpu, *regs, *ev);
}

SGX2_EXPORT sgx2_tlb_verdict sgx2_tlb_check(sgx2_cpu *cpu, uint64_t linear, uint64_t physical, sgx2_access access, bool count,
					    uint32_t *rights, sgx2_fault *fault)
{
	return sgx2::tlb_check(*cpu, {linear, physical, access, count}, *rights, *fault);
}

SGX2_EXPORT void sgx2_machine_inject(sgx2_machine *m, const sgx2_injection *inj)
{
	const Lock guard(m->lock);

	m->inject.arm(*inj);
}

SGX2_EXPORT void sgx2_machine_counters(const sgx2_machine *m, sgx2_counters *out)
{
	const Lock guard(m->lock);

	m->snapshot(*out);
}

SGX2_EXPORT void sgx2_machine_counters_clear(sgx2_machine *m)
{
	const Lock guard(m->lock);

	m->clear_counters();
}

SGX2_EXPORT uint64_t sgx2_epcm_pages(const sgx2_machine *m)
{
	return m->page_count();
}

SGX2_EXPORT bool sgx2_epcm_get(const sgx2_machine *m, uint64_t index, sgx2_epcm_entry *out)
{
	return sgx2::epcm_entry(*m, index, *out);
}

SGX2_EXPORT uint64_t sgx2_epcm_valid(const sgx2_machine *m)
{
	const Lock guard(m->lock);

	return m->valid_pages();
}

SGX2_EXPORT void sgx2_epcm_json(const sgx2_machine *m, void (*put)(void *opaque, const char *s, size_t n), void *opaque)
{
	sgx2::epcm_json(*m, put, opaque);
}

SGX2_EXPORT void sgx2_counters_json(const sgx2_machine *m, void (*put)(void *opaque, const char *s, size_t n), void *opaque)
{
	sgx2_counters c;

	sgx2_machine_counters(m, &c);
	sgx2::counters_json(c, put, opaque);
}

SGX2_EXPORT bool sgx2_encls_locks_late(uint32_t leaf)
{
	return sgx2::locks_late(false, leaf);
}

SGX2_EXPORT bool sgx2_enclu_locks_late(uint32_t leaf)
{
	return sgx2::locks_late(true, leaf);
}

SGX2_EXPORT const char *sgx2_encls_name(uint32_t leaf)
{
	return sgx2::leaf_name(false, leaf);
}

SGX2_EXPORT const char *sgx2_enclu_name(uint32_t leaf)
{
	return sgx2::leaf_name(true, leaf);
}
