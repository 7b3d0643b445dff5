// SPDX-License-Identifier: GPL-2.0
// EPCM and counters as JSON.

#include "json.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "leaf.h"

namespace sgx2 {

namespace {

/// Format text in pieces of at most a line, without the heap.
class Writer {
public:
	Writer(Put put, void *opaque) : put_(put), opaque_(opaque) {}

	__attribute__((format(printf, 2, 3))) void print(const char *format, ...)
	{
		char line[320];
		va_list args;

		va_start(args, format);
		const int n = std::vsnprintf(line, sizeof(line), format, args);
		va_end(args);
		if (n > 0)
			put_(opaque_, line, std::min<size_t>(static_cast<size_t>(n), sizeof(line) - 1));
	}

	/// Write a separator before each element but the first.
	void separate(bool &first)
	{
		put_(opaque_, first ? "\n" : ",\n", first ? 1 : 2);
		first = false;
	}

private:
	Put put_;
	void *opaque_;
};

const char *text(bool b)
{
	return b ? "true" : "false";
}

const char *type_name(uint8_t type)
{
	constexpr const char *names[] = {"SECS", "TCS", "REG", "VA", "TRIM"};

	return type < std::size(names) ? names[type] : "?";
}

void leaf_table(Writer &w, const char *name, bool user, const uint64_t (&table)[SGX2_LEAVES][SGX2_RESULTS])
{
	bool first_leaf = true;

	w.print("  \"%s\": {", name);
	for (uint32_t leaf = 0; leaf < SGX2_LEAVES; leaf++) {
		const char *known = leaf_name(user, leaf);
		bool first = true;

		for (unsigned result = 0; result < SGX2_RESULTS; result++) {
			const uint64_t n = table[leaf][result];

			if (n == 0)
				continue;
			if (first) {
				w.separate(first_leaf);
				if (known != nullptr)
					w.print("    \"%s\": {", known);
				else
					w.print("    \"LEAF_%02X\": {", leaf);
			}
			w.print("%s\"", first ? "" : ", ");
			if (result == SGX2_RESULT_FAULT)
				w.print("fault");
			else if (result == SGX2_RESULT_OTHER)
				w.print("other");
			else
				w.print("%u", result);
			w.print("\": %" PRIu64, n);
			first = false;
		}
		if (!first)
			w.print("}");
	}
	w.print("%s},\n", first_leaf ? "" : "\n  ");
}

struct Named {
	const char *name;
	uint64_t value;
};

void named(Writer &w, std::span<const Named> values)
{
	for (const Named &v : values) {
		if (v.value != 0)
			w.print("  \"%s\": %" PRIu64 ",\n", v.name, v.value);
	}
}

} // namespace

bool epcm_entry(const Machine &m, uint64_t index, sgx2_epcm_entry &out)
{
	const Epc at = m.page(index);

	if (!at)
		return false;

	const Lock guard(m.lock);
	const Page &p = *at.page;
	out = {};
	out.physical = at.physical;
	out.linear = p.linear;
	out.enclave = p.eid;
	out.stamp = p.stamp;
	out.type = static_cast<uint8_t>(p.type);
	out.valid = p.valid;
	out.r = p.rights & SGX2_READ;
	out.w = p.rights & SGX2_WRITE;
	out.x = p.rights & SGX2_EXEC;
	out.blocked = p.blocked;
	out.pending = p.pending;
	out.modified = p.modified;
	out.pr = p.pr;
	return true;
}

void epcm_json(const Machine &m, Put put, void *opaque)
{
	Writer w(put, opaque);
	sgx2_epcm_entry e;
	uint64_t valid = 0;
	bool first = true;

	w.print("{\n  \"pages\": %" PRIu64 ",\n  \"entries\": [", m.page_count());
	for (uint64_t i = 0; epcm_entry(m, i, e); i++) {
		if (!e.valid)
			continue;
		valid++;
		w.separate(first);
		w.print("    {\"physical\": \"0x%" PRIx64 "\", \"type\": \"%s\", "
			"\"enclave\": %" PRIu64 ", \"linear\": \"0x%" PRIx64 "\", "
			"\"stamp\": %" PRIu64 ", \"rights\": \"%s%s%s\", ",
			e.physical, type_name(e.type), e.enclave, e.linear, e.stamp, e.r ? "r" : "", e.w ? "w" : "",
			e.x ? "x" : "");
		w.print("\"blocked\": %s, \"pending\": %s, \"modified\": %s, \"pr\": %s}", text(e.blocked), text(e.pending),
			text(e.modified), text(e.pr));
	}
	w.print("%s],\n  \"valid\": %" PRIu64 "\n}\n", first ? "" : "\n  ", valid);
}

void counters_json(const sgx2_counters &c, Put put, void *opaque)
{
	Writer w(put, opaque);
	bool first = true;

	w.print("{\n");
	leaf_table(w, "encls", false, c.encls);
	leaf_table(w, "enclu", true, c.enclu);

	w.print("  \"aex_exception\": {");
	for (unsigned v = 0; v < std::size(c.aex_exception); v++) {
		if (c.aex_exception[v] == 0)
			continue;
		w.print("%s\"%u\": %" PRIu64, first ? "" : ", ", v, c.aex_exception[v]);
		first = false;
	}
	w.print("},\n");

	const Named rest[] = {
		{"aex_interrupt", c.aex_interrupt},
		{"aex_nmi", c.aex_nmi},
		{"aex_smi", c.aex_smi},
		{"aex_init", c.aex_init},
		{"aex_mce", c.aex_mce},
		{"epcm_deny_read", c.epcm_deny_read},
		{"epcm_deny_write", c.epcm_deny_write},
		{"epcm_deny_exec", c.epcm_deny_exec},
		{"tlb_fills", c.tlb_fills},
		{"aborts", c.aborts},
	};
	named(w, rest);
	// This member is written even if it is 0, so that the list ends without a comma.
	w.print("  \"injected\": %" PRIu64 "\n}\n", c.injected);
}

} // namespace sgx2
