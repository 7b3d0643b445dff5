// SPDX-License-Identifier: GPL-2.0
// A second, simple implementation of the EPCM, with sets and lists instead of counters, which
// predicts the result of each leaf.
#pragma once

#include <list>
#include <map>
#include <set>
#include <vector>

#include "enclave.h"

namespace sgx {

class Oracle {
public:
	struct Tcs {
		u32 cssa = 0, nssa = 0;
		u64 ossa = 0;
		bool active = false;
	};
	struct Page {
		bool valid = false, blocked = false, pending = false, modified = false, pr = false;
		u8 type = 0;
		u64 rwx = 0, linear = 0, stamp = 0; ///< stamp: when its tracking began, 0: never
		int enclave = -1;
		Tcs tcs = {};
	};
	/// A call of ETRACK, and the CPUs that were inside at that time and have not left since.
	struct Cycle {
		u64 when;
		std::set<u64> remaining;
	};
	struct Owner {
		bool init = false, exists = false; ///< exists: in the EPC or in a blob
		int secs = -1;			   // page index; -1: evicted
		u64 base = 0, size = 0, eid = 0;
		std::set<u64> inside = {};
		std::list<Cycle> cycles = {};
	};
	struct Blob {
		Page page;
		u64 version = 0;
		std::map<unsigned, u64> slots = {}; ///< of a VA page
	};
	struct Thread {
		int enclave = -1;
		std::size_t tcs = 0;
		u64 entry = 0;
	};

	Oracle(Machine &machine, std::size_t cpus) : pages(machine.epc_pages()), threads(cpus), m_(machine) {}

	/// Predict a leaf of ENCLS. Pages are indices; a leaf that succeeds also changes the state.
	Expected ecreate(std::size_t p, int enclave, u64 base, u64 size);
	Expected eadd(std::size_t p, std::size_t secs, u64 linear, u64 flags, const Tcs &tcs);
	Expected einit(std::size_t secs);
	Expected eaug(std::size_t p, std::size_t secs, u64 linear);
	Expected epa(std::size_t p);
	Expected eremove(std::size_t p);
	Expected eblock(std::size_t p);
	Expected etrack(std::size_t p, bool any_page);
	Expected emodpr(std::size_t p, u64 rwx);
	Expected emodt(std::size_t p, u64 type);
	Expected ewb(std::size_t p, std::size_t va, unsigned slot, Blob &out);
	Expected eld(bool block, std::size_t p, std::size_t va, unsigned slot, const Blob &b, std::size_t secs, u64 linear,
		     bool intact);
	Expected edbgrd(std::size_t p, unsigned offset);

	/// Predict a leaf of ENCLU on a CPU. Addresses are linear; 0 means that no page is mapped.
	Expected eenter(std::size_t cpu, u64 linear);
	Expected eresume(std::size_t cpu, u64 linear);
	Expected eexit(std::size_t cpu);
	void aex(std::size_t cpu);
	Expected edeccssa(std::size_t cpu);
	Expected eaccept(std::size_t cpu, u64 secinfo, u64 flags, u64 linear);
	Expected eacceptcopy(std::size_t cpu, u64 secinfo, u64 flags, u64 linear, u64 source);
	Expected emodpe(std::size_t cpu, u64 secinfo, u64 flags, u64 linear);
	sgx2_tlb_verdict tlb(std::size_t cpu, u64 linear, std::size_t p, sgx2_access a, u32 &rights) const;

	/// Return whether the enclave of that CPU may access @linear, for a test that acts as its
	/// code.
	bool can_access(std::size_t cpu, u64 linear, u64 perm) const;
	std::size_t children(int enclave) const;
	/// Return the differences between the model's EPCM and the predicted one as text.
	std::string compare() const;

	std::vector<Page> pages;
	std::vector<Thread> threads;
	std::map<int, Owner> enclaves;
	std::map<std::pair<std::size_t, unsigned>, u64> slots; ///< versions

private:
	u64 kernel(std::size_t p) const { return m_.epc_linear(p); }
	/// Return the EPC page that a linear address leads to, or -1.
	int resolve(u64 linear) const;
	std::map<unsigned, u64> take_slots(std::size_t va);
	bool tracked(const Page &p) const;
	bool usable(const Page &p, int enclave, u64 linear) const;
	Expected frame(int enclave, const Tcs &t, u32 n) const;
	Expected entry_page(u64 linear, std::size_t &p) const;
	Expected operand(std::size_t cpu, u64 linear, u64 perm) const;
	void enter(std::size_t cpu, std::size_t p);
	void leave(std::size_t cpu);

	Machine &m_;
	u64 clock_ = 0, version_ = 0;
};

} // namespace sgx
