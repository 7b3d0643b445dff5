// SPDX-License-Identifier: GPL-2.0
// Builds enclaves through the leaves, as a driver and a signer do, and compares results with the
// expected ones.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "crypto.h"
#include "machine.h"

namespace sgx {

/// The expected result of a call.
struct Expected {
	enum Kind { Done, Fault, Error, Info } kind = Done;
	u8 vector = 0;
	u32 error = 0, error_mask = ~u32{0};
	u64 cr2 = 0, code = 0, cr2_mask = ~u64{0};
};

Expected done(); ///< RAX=0 and ZF=CF=0 for a leaf that returns a code
Expected gp();
Expected ud();
Expected nm();
Expected pf(u64 address, u32 error); ///< an ordinary page fault
Expected epcm(u64 address);	     // #PF with the SGX bit, from ENCLS
Expected uepcm(u64 address);	     // #PF with the SGX bit, from ENCLU; W is not compared
Expected in_page(Expected a);	     // CR2 may be any address in the page
Expected code(u64 n);		     // ZF=1
Expected info(u64 n);		     // CF=1, ZF=0

testing::AssertionResult result_is(const Result &r, const Expected &a);
#define EXPECT_RESULT(call, expected) EXPECT_TRUE(::sgx::result_is((call), (expected)))
#define ASSERT_RESULT(call, expected) ASSERT_TRUE(::sgx::result_is((call), (expected)))

/// One check of a leaf. Each step makes one operand of a valid call invalid. walk_checks() runs
/// each step alone, and then together with all later steps, where its result must not change.
template <class F>
struct Step {
	const char *name;
	std::function<void(F &)> invalidate;
	std::function<Expected(F &)> expected;
};

template <class F>
void walk_checks(const std::function<std::unique_ptr<F>()> &make, const std::vector<Step<F>> &steps)
{
	{
		SCOPED_TRACE("valid call");
		auto f = make();
		EXPECT_RESULT(f->call(), done());
	}
	for (std::size_t i = 0; i < steps.size(); i++) {
		for (const bool rest : {false, true}) {
			SCOPED_TRACE(std::string(steps[i].name) + (rest ? " and all later steps" : ""));
			auto f = make();
			for (std::size_t k = rest ? steps.size() : i + 1; k-- > i;)
				steps[k].invalidate(*f);
			const Result r = f->call();
			EXPECT_RESULT(r, steps[i].expected(*f));
		}
	}
}

struct TcsSpec {
	u64 flags = 0, ossa = 0x1000, oentry = 0x4000, ofsbase = 0x5000, ogsbase = 0x6000;
	u32 cssa = 0, nssa = 2, fslimit = 0xfffff, gslimit = 0xeffff;
};

Page tcs_page(const TcsSpec &t = {});
Page pattern_page(u64 seed);

struct EnclaveSpec {
	u64 base = 0x700000000000, size = 0x100000;
	u64 attributes = A_DEBUG | A_MODE64, xfrm = X_X87_SSE;
	u32 miscselect = 0, ssaframesize = 1;
	std::array<u8, 64> configid{};
	u16 configsvn = 0;
};

class Enclave {
public:
	Enclave(Machine &m, const EnclaveSpec &s = {});

	/// Execute the leaf on CPU 0 for the page at an offset in the enclave. The leaf must
	/// succeed.
	void create();
	void add(u64 offset, u64 flags, const Page &content, bool measure = true);
	void add_tcs(u64 offset, const TcsSpec &t = {}) { add(offset, TCS, tcs_page(t)); }
	void init() { init(sigstruct()); }
	void init(const Sigstruct &s);
	void aug(u64 offset);
	/// Block the page with EBLOCK and ETRACK.
	void block(u64 offset);
	void remove(u64 offset);
	/// Return a SIGSTRUCT for the enclave as it has been built.
	Sigstruct sigstruct(Signer signer = Signer::One) const;
	/// Remove every page. This is a test failure if a thread is inside.
	void destroy();

	/// Calls that may fail.
	Result try_add(u64 offset, u64 flags, const Page &content);
	Result try_init(const Sigstruct &s, const Token &t = {});
	Result try_aug(u64 offset);
	Result emodpr(u64 offset, u64 rwx);
	Result emodt(u64 offset, PageType t);
	Result eblock(u64 offset) { return cpu().encls(EBLOCK, 0, epc(offset)); }
	Result etrack() { return cpu().encls(ETRACK, 0, secs); }
	Result eremove(u64 offset) { return cpu().encls(EREMOVE, 0, epc(offset)); }
	Result edbgrd(u64 offset) { return cpu().encls(EDBGRD, 0, epc(offset)); }
	Result edbgwr(u64 offset, u64 value) { return cpu().encls(EDBGWR, value, epc(offset)); }
	Result enter(std::size_t cpu_index, u64 tcs_offset = 0, u64 aep = 0x402000);
	Result resume(std::size_t cpu_index, u64 tcs_offset = 0, u64 aep = 0x402000);
	Result exit(std::size_t cpu_index, u64 where = 0x403000);
	/// Execute EACCEPT, EACCEPTCOPY or EMODPE by the thread inside on that CPU. SECINFO lies at
	/// kSecinfo in the enclave.
	Result eaccept(std::size_t cpu_index, u64 offset, u64 flags);
	Result eacceptcopy(std::size_t cpu_index, u64 to, u64 from, u64 flags);
	Result emodpe(std::size_t cpu_index, u64 offset, u64 flags);

	u64 lin(u64 offset) const { return spec.base + offset; }
	u64 epc(u64 offset) const { return pages.at(offset & ~(kPage - 1)) + (offset & (kPage - 1)); }
	u8 *mem(u64 offset) { return m.epc_host(epc(offset)); }
	template <class T>
	T peek(u64 offset)
	{
		T v;
		std::memcpy(&v, mem(offset), sizeof(v));
		return v;
	}
	/// Store to memory as the enclave's own code does.
	template <class T>
	void poke(u64 offset, T v)
	{
		std::memcpy(mem(offset), &v, sizeof(v));
	}
	sgx2_epcm_entry entry(u64 offset) const { return m.entry(epc(offset)); }
	u64 eid() const { return m.entry(secs).enclave; }
	u32 cssa(u64 tcs_offset = 0);
	/// Return the offset of GPRSGX in frame n of the thread whose OSSA is @ossa.
	u64 gpr(u32 frame, u64 ossa = 0x1000) const { return ossa + (u64{frame} + 1) * spec.ssaframesize * kPage - gpr::SIZE; }
	Cpu &cpu() { return m.cpu(0); }

	static constexpr u64 kSecinfo = 0x5000; ///< the data page's first bytes

	Machine &m;
	EnclaveSpec spec;
	u64 secs = 0;
	std::map<u64, u64> pages; ///< offset to the kernel's linear address of the EPC page
	Measurement measure;
	Buffer info, secinfo, source, sigbuf, tokbuf;
};

/// Offsets in the standard enclave: two threads, code, and data of each kind.
namespace at {
constexpr u64 Tcs = 0, Ssa = 0x1000, Code = 0x4000, Data = 0x5000, Data2 = 0x6000, RoData = 0x7000, Tcs2 = 0x8000, Ssa2 = 0x9000,
	      Free = 0x20000;
}

/// Make the standard enclave, initialized if @init. Thread 1 has SSA frames from 0x1000 (NSSA is 3
/// for frames of one page, or as many as fit), thread 2 from 0x9000 (NSSA 2). Addresses from
/// 0x20000 on are free.
std::unique_ptr<Enclave> standard(Machine &m, const EnclaveSpec &s = {}, bool init = true, const TcsSpec &t = {});

/// An evicted page, as the kernel stores it.
struct Evicted {
	Buffer info, content, pcmd;
	u64 slot = 0;
};

class Pager {
public:
	explicit Pager(Machine &machine);
	Result evict(u64 epc_page, Evicted &out, u64 slot);
	Result load(u32 leaf, u64 epc_page, const Evicted &e, u64 linear, u64 secs);
	u64 slot(unsigned n) const { return va + u64{n} * 8; }

	Machine &m;
	u64 va;
};
Evicted evicted_buffers(Machine &m);

} // namespace sgx
