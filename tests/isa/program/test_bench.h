// SPDX-License-Identifier: GPL-2.0
// The test bench of one row: enclaves, EPC pages, operands in shared memory, and the leaf under
// test.
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "enclave.h"
#include "monitor.h"

namespace isa {

/// Thrown if the hardware lacks what a row needs.
struct Skip {
	std::string why;
};

enum class Place {
	none,	 ///< the row executes and checks everything itself
	kernel,	 // ENCLS, or TestBench::insn, at CPL 0
	outside, ///< ENCLU, not in an enclave
	inside,	 // ENCLU, in enclave `e`
	access,	 // a load, a store, a jump or any instruction of TestBench::function, in enclave `e`
};

class TestBench {
public:
	TestBench(const Kernel &kernel, const Monitor *monitor);
	~TestBench();
	TestBench(const TestBench &) = delete;
	TestBench &operator=(const TestBench &) = delete;

	const Kernel &k;
	const Monitor *const monitor;
	Shared &s;

	/// Built only if a row or the preparation of its group does so.
	Enclave e, other;

	/// The leaf or instruction under test.
	Place place = Place::none;
	u32 leaf = 0;
	u32 insn = SGX2_ISA_ENCLS, how = 0;
	u64 high = 0; ///< upper half of RAX
	u64 rbx = 0, rcx = 0, rdx = 0;
	u64 tcs = TCS_A;		   // for Place::inside and Place::access
	const u8 *function = inside_state; ///< function that EENTER calls
	const u8 *stop = nullptr;	   // for Place::access: the instruction that is expected to fault
	u64 mark = 0;			   // the address of At::mark
	std::optional<u64> target;	   // EPC page whose EPCM entry the row checks

	/// The result of the leaf.
	Result result;
	Frame frame;
	Exit exit;

	/// Take an EPC page, invalid (page) or a Version Array (va).
	u64 page();
	u64 va();
	/// Return a linear address of the kernel: of a free EPC page (fresh), of memory that is not
	/// EPC (ordinary).
	u64 fresh() { return k.linear(page()); }
	u64 ordinary() const { return k.at(s.spare); }
	/// Set all of shared memory to zero.
	void clear_shared();
	/// Evict the page at offset of e to s.evicted and s.pcmd, with a slot of va_page.
	void evict(u64 offset, u64 va_page, unsigned slot = 0);
	/// Fill in PAGEINFO in shared memory and point RBX to it.
	void pageinfo(u64 linaddr, u64 srcpge, u64 secinfo, u64 secs);
	/// Make this EPC page the operand in RCX and the target.
	void set_page(u64 epc_page);

	void inject(unsigned reg) const;
	/// Set the launch key hash of this CPU until the end of the row.
	void keyhash(const Digest &digest);
	void execute();
	u64 address(At at) const;
	bool no_code() const;
	Regs input() const;

	void check(bool ok, const std::string &what);
	/// Return the EPCM entry of a page as text. Throws Skip without a monitor.
	std::string entry(u64 page) const;
	std::vector<EpcmEntry> epcm() const;
	const std::string &problems() const { return problems_; }
	/// Remove all pages that were taken. Return false if a page cannot be removed.
	bool clear();

private:
	void access(const Regs &in);

	u64 taken_ = 0;
	bool keyhash_changed_ = false;
	std::string problems_;
};

void write_keyhash(const Kernel &kernel, const Digest &digest);

[[noreturn]] void fail(const std::string &what, const Result &result);
void require(const char *what, const Result &result);

struct Row {
	const char *what;
	Expect expect;
	void (*change)(TestBench &);
	const char *after = nullptr;	     ///< EPCM entry of the target after the leaf
	void (*then)(TestBench &) = nullptr; ///< further checks
};

struct Group {
	const char *leaf;
	u32 number;
	Place place;
	void (*prepare)(TestBench &);
	std::span<const Row> rows;
	bool counted = true; ///< the counter of the leaf must increase by one
};

/// Define a function that changes the operands of the leaf under test; `r` is the test bench.
/// Operands have their names of Documentation/isa.rst.
#define ROW(...)             \
	[](TestBench &r) {   \
		(void)r;     \
		__VA_ARGS__; \
	}

} // namespace isa
