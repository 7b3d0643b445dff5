// SPDX-License-Identifier: GPL-2.0
// The bench on which one row runs: enclaves, EPC pages, operands in shared memory, and the leaf about to be executed.
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "enclave.h"
#include "monitor.h"

namespace isa {

/// Thrown where the hardware lacks what a row is about.
struct Skip {
	std::string why;
};

enum class Place {
	nowhere, ///< the row does everything itself and checks as it goes
	kernel,	 // ENCLS, or what Rig::insn says, in ring 0
	outside, ///< ENCLU, not in an enclave
	within,	 // ENCLU, in enclave `e`
	touch,	 // a load, a store, a jump or any instruction that Rig::function has, in enclave `e`
};

class Rig {
public:
	Rig(const Kernel &kernel, const Monitor *monitor);
	~Rig();
	Rig(const Rig &) = delete;
	Rig &operator=(const Rig &) = delete;

	const Kernel &k;
	const Monitor *const monitor;
	Shared &s;

	/// Neither is built until a row or its preparation says so.
	Enclave e, other;

	/// What is about to be executed.
	Place place = Place::nowhere;
	u32 leaf = 0;
	u32 insn = SGX2_ISA_ENCLS, how = 0;
	u64 high = 0; ///< upper half of RAX
	u64 rbx = 0, rcx = 0, rdx = 0;
	u64 tcs = TCS_A;		   // for Place::within and Place::touch
	const u8 *function = inside_state; ///< where EENTER leads
	const u8 *stop = nullptr;	   // for Place::touch: the instruction that is to fault
	u64 mark = 0;			   // what At::mark stands for
	std::optional<u64> target;	   // EPC page whose EPCM entry the row tells

	/// What came of it.
	Got got;
	Frame frame;
	Exit exit;

	/// A free EPC page; an EPC page that is a Version Array.
	u64 page();
	u64 va();
	/// Linear addresses for the kernel: of a free EPC page, and of memory that is no EPC.
	u64 fresh() { return k.linear(page()); }
	u64 ordinary() const { return k.at(s.spare); }
	/// All of shared memory to zero.
	void wipe();
	/// Blocks, tracks and writes the page at offset of e out to s.evicted, s.pcmd, slot of va_page.
	void evict(u64 offset, u64 va_page, unsigned slot = 0);
	/// Operands for PAGEINFO in shared memory.
	void pageinfo(u64 linaddr, u64 srcpge, u64 secinfo, u64 secs);
	/// Operands at EPC page number page of enclave-owned or free EPC.
	void on(u64 epc_page);

	void inject(unsigned reg) const;
	/// The launch key hash of this CPU, until the row is over.
	void keyhash(const Digest &digest);
	void fire();
	u64 address(At at) const;
	bool silent() const;
	Regs input() const;

	void check(bool ok, const std::string &what);
	/// The EPCM entry of a page as text; rows without a monitor do not get this far.
	std::string entry(u64 page) const;
	std::vector<EpcmEntry> epcm() const;
	const std::string &problems() const { return problems_; }
	/// EREMOVEs all that was taken; false if a page stays.
	bool clear();

private:
	void touch(const Regs &in);

	u64 taken_ = 0;
	bool foreign_keyhash_ = false;
	std::string problems_;
};

void write_keyhash(const Kernel &kernel, const Digest &digest);

[[noreturn]] void give_up(const std::string &what, const Got &got);
void must(const char *what, const Got &got);

struct Row {
	const char *what;
	Expect expect;
	void (*spoil)(Rig &);
	const char *after = nullptr;   ///< EPCM entry of the target afterwards
	void (*then)(Rig &) = nullptr; ///< further checks
};

struct Group {
	const char *leaf;
	u32 number;
	Place place;
	void (*prepare)(Rig &);
	std::span<const Row> rows;
	bool counted = true; ///< the leaf's counter must advance by one
};

/// Operands of the leaf as it is about to be executed, by the names that Documentation/isa.md gives them.
#define ROW(...)             \
	[](Rig &r) {         \
		(void)r;     \
		__VA_ARGS__; \
	}

} // namespace isa
