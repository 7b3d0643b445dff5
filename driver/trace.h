/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints, group sgx2. The field enclave is the first address of ELRANGE. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sgx2

#if !defined(SGX2_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SGX2_TRACE_H

#include <linux/mm.h>
#include <linux/tracepoint.h>
#include "enclave_types.h"
#include "encls.h"

/* A leaf returned a value other than 0. */
TRACE_EVENT(sgx2_encls,
	TP_PROTO(struct sgx2_enclave *enclave, enum sgx2_leaf leaf, unsigned long address,
		 int code),
	TP_ARGS(enclave, leaf, address, code),
	TP_STRUCT__entry(
		__field(unsigned long, base)
		__field(unsigned int, leaf)
		__field(unsigned long, address)
		__field(int, code)
	),
	TP_fast_assign(
		__entry->base = enclave->base;
		__entry->leaf = leaf;
		__entry->address = address;
		__entry->code = code;
	),
	TP_printk("enclave=0x%lx leaf=0x%x address=0x%lx code=0x%x", __entry->base,
		  __entry->leaf, __entry->address, __entry->code)
);

TRACE_EVENT(sgx2_fault,
	TP_PROTO(struct sgx2_enclave *enclave, unsigned long address, unsigned int result),
	TP_ARGS(enclave, address, result),
	TP_STRUCT__entry(
		__field(unsigned long, base)
		__field(unsigned long, address)
		__field(unsigned int, result)
	),
	TP_fast_assign(
		__entry->base = enclave->base;
		__entry->address = address;
		__entry->result = result;
	),
	TP_printk("enclave=0x%lx address=0x%lx result=0x%x", __entry->base, __entry->address,
		  __entry->result)
);

TRACE_EVENT(sgx2_evict,
	TP_PROTO(struct sgx2_chunk *chunk, unsigned int chosen, unsigned int done),
	TP_ARGS(chunk, chosen, done),
	TP_STRUCT__entry(
		__field(unsigned long, base)
		__field(unsigned long, address)
		__field(unsigned int, chosen)
		__field(unsigned int, done)
	),
	TP_fast_assign(
		__entry->base = chunk->enclave->base;
		__entry->address = sgx2_chunk_address(chunk, 0);
		__entry->chosen = chosen;
		__entry->done = done;
	),
	TP_printk("enclave=0x%lx chunk=0x%lx chosen=%u done=%u", __entry->base, __entry->address,
		  __entry->chosen, __entry->done)
);

/* With dynamic_code=0 a request or an access was refused; the address may be 0. */
TRACE_EVENT(sgx2_refused,
	TP_PROTO(struct sgx2_enclave *enclave, unsigned long address),
	TP_ARGS(enclave, address),
	TP_STRUCT__entry(
		__field(unsigned long, base)
		__field(unsigned long, address)
	),
	TP_fast_assign(
		__entry->base = enclave->base;
		__entry->address = address;
	),
	TP_printk("enclave=0x%lx address=0x%lx", __entry->base, __entry->address)
);

/* The enclave has died. */
TRACE_EVENT(sgx2_dead,
	TP_PROTO(struct sgx2_enclave *enclave),
	TP_ARGS(enclave),
	TP_STRUCT__entry(
		__field(unsigned long, base)
	),
	TP_fast_assign(
		__entry->base = enclave->base;
	),
	TP_printk("enclave=0x%lx", __entry->base)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
