// SPDX-License-Identifier: GPL-2.0
// A fake computer around the model: memory, page tables, CPUs, and checks that run after every
// call.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "isa.h"
#include "sgx2_model.h"

namespace sgx {

constexpr u64 kEpcPhysical = 0x40000000, kRamPhysical = 0x100000;
constexpr u64 kRamLinear = 0xffff888000000000, kEpcLinear = 0xffffa00000000000;
constexpr u64 kUnmapped = 0xffff8f0000000000, kUserUnmapped = 0x600000000000, kUserRam = 0x400000;
constexpr u64 kNonCanonical = 0x0000800000000000;

sgx2_config default_config();

struct Pte {
	u64 physical = 0;
	bool w = true, x = true, user = true;
};

struct MachineOptions {
	sgx2_config config = default_config();
	std::size_t epc_pages = 64, ram_pages = 40;
	std::vector<std::size_t> sections = {}; ///< instead of epc_pages, when not empty
};

class Cpu;

/// The memory at one linear address; ordinary RAM has a host pointer.
struct Buffer {
	u64 linear = 0;
	u8 *host = nullptr;

	template <std::size_t N>
	Buffer &operator=(const Blob<N> &v)
	{
		std::memcpy(host, v.b.data(), N);
		return *this;
	}
	template <std::size_t N>
	void load(Blob<N> &v) const
	{
		std::memcpy(v.b.data(), host, N);
	}
	template <class T>
	void set(std::size_t off, T v) const
	{
		std::memcpy(host + off, &v, sizeof(v));
	}
	template <class T>
	T get(std::size_t off) const
	{
		T v;
		std::memcpy(&v, host + off, sizeof(v));
		return v;
	}
};

class Machine {
public:
	explicit Machine(const MachineOptions &o = {});
	~Machine();
	Machine(const Machine &) = delete;
	Machine &operator=(const Machine &) = delete;

	sgx2_machine *get() const { return m_; }
	Cpu &cpu(std::size_t i); ///< made at first use; 0 is the kernel's

	/// Allocate a page of ordinary memory, mapped for the kernel only.
	Buffer ram();
	/// Return the kernel's linear address of an EPC page that is invalid and was not returned
	/// before.
	u64 epc();
	void epc_free(u64 linear) { free_.push_back(linear); }
	u64 epc_linear(std::size_t index) const { return kEpcLinear + index * kPage; }
	std::size_t epc_index(u64 linear) const { return (linear - kEpcLinear) / kPage; }
	u64 epc_physical(u64 linear) const;
	u8 *epc_host(u64 linear) { return epc_mem_[0] + (linear - kEpcLinear); }
	std::size_t epc_pages() const { return epc_pages_; }
	sgx2_epcm_entry entry(u64 epc_linear) const;
	std::vector<sgx2_epcm_entry> epcm() const;

	void map(u64 linear, const Pte &pte) { map_[linear & ~(kPage - 1)] = pte; }
	void unmap(u64 linear) { map_.erase(linear & ~(kPage - 1)); }
	Pte *pte(u64 linear);
	bool is_epc(u64 physical) const;
	u8 *ram_host(u64 physical);
	/// Copy bytes to RAM through the kernel's mapping of @linear.
	void place(u64 linear, const void *data, std::size_t n);
	template <std::size_t N>
	void place(u64 linear, const Blob<N> &v)
	{
		place(linear, v.b.data(), N);
	}
	const std::vector<u8> &ram_bytes() const { return ram_; }
	std::vector<u8> epc_bytes() const;
	const sgx2_config &config() const { return config_; }
	sgx2_counters counters() const;

private:
	friend class Cpu;
	sgx2_config config_;
	sgx2_machine *m_ = nullptr;
	std::vector<u8> ram_, epc_store_;
	std::vector<u8 *> epc_mem_;
	std::vector<std::size_t> section_pages_;
	std::size_t epc_pages_ = 0, ram_next_ = 0;
	std::vector<u64> free_;
	std::map<u64, Pte> map_;
	std::vector<std::unique_ptr<Cpu>> cpus_;
};

struct Written {
	u64 physical;
	std::size_t len;
};

struct Xinit {
	u64 xfrm;
	u16 fcw, fsw;
	u32 mxcsr;
	bool operator==(const Xinit &) const = default;
};

/// The result of one leaf.
struct Result {
	bool user = false;
	u32 leaf = 0;
	sgx2_outcome outcome = SGX2_DONE;
	sgx2_fault fault{};
	u32 effects = 0;
	sgx2_regs before{}, after{};

	u64 rax() const { return after.gpr[SGX2_RAX]; }
	bool flag(u64 f) const { return (after.rflags & f) != 0; }
};

class Cpu {
public:
	explicit Cpu(Machine &m);
	~Cpu();
	Cpu(const Cpu &) = delete;
	Cpu &operator=(const Cpu &) = delete;

	sgx2_cpu *get() const { return cpu_; }
	bool inside() const { return sgx2_in_enclave(cpu_); }

	/// Execute a leaf. Registers that are no operand hold random values; after a fault, regs is
	/// unchanged.
	Result encls(u32 leaf, u64 rbx = 0, u64 rcx = 0, u64 rdx = 0);
	Result enclu(u32 leaf, u64 rbx = 0, u64 rcx = 0, u64 rdx = 0);
	/// Execute ENCLU (@user) or ENCLS with regs as they are.
	Result run(bool user);
	u32 aex(const sgx2_event &ev);
	u32 aex_interrupt(u8 vector = 0x20) { return aex({SGX2_EV_INTERRUPT, vector, 0, false, false, false}); }
	u32 aex_exception(u8 vector, u32 error = 0, u64 cr2 = 0);

	sgx2_regs regs{};
	bool check_invariants = true; // check the invariants after each call
	bool compare_memory = true;   ///< compare all memory, too, which is slow

	/// The extended state that this CPU's XSAVE saves, and the calls that the model made.
	u8 xtag = 0x5a;
	u64 xsave_bv = ~u64{0};
	std::vector<u64> xsaves;
	std::vector<Xinit> xinits;
	std::vector<std::vector<u8>> xrstors;
	unsigned xrstor_dry = 0;
	bool xrstor_fails = false;
	/// Make the nth read or write of ordinary memory fault, as if the page tables had just
	/// changed; 0: no fault.
	unsigned failing_read = 0, failing_write = 0;
	std::vector<Written> epc_written;
	std::vector<sgx2_trace> traces;

	static void xsave_image(u8 *area, std::size_t size, u8 tag);

private:
	static const sgx2_host_ops ops_;
	static bool translate(void *ctx, u64 linear, sgx2_access access, u64 *physical, sgx2_fault *fault);
	static bool read(void *ctx, u64 linear, void *buf, size_t len, sgx2_fault *fault);
	static bool write(void *ctx, u64 linear, const void *buf, size_t len, sgx2_fault *fault);
	static void xsave(void *ctx, u8 *area, u64 xfrm);
	static bool xrstor(void *ctx, const u8 *area, u64 xfrm, bool dry);
	static void xinit(void *ctx, u64 xfrm, u16 fcw, u16 fsw, u32 mxcsr);
	static void on_epc_written(void *ctx, u64 physical, size_t len);
	static void on_trace(void *ctx, const sgx2_trace *t);

	void randomize_registers(bool user);
	void check_rules(const Result &r);
	void check_written(const std::vector<u8> &before);

	Machine &m_;
	sgx2_cpu *cpu_;
	u64 random_ = 0x9e3779b97f4a7c15;
	u32 serial_ = 0;
};

/// All state that a call can change.
struct Snapshot {
	std::vector<u8> ram, epc;
	std::vector<sgx2_epcm_entry> epcm;

	static Snapshot of(const Machine &m, bool memory = true);
	/// Return the differences from another snapshot as text, empty if there are none.
	std::string diff(const Snapshot &o, bool with_ram = true) const;
};

std::string describe(const sgx2_epcm_entry &e);
bool same(const sgx2_epcm_entry &a, const sgx2_epcm_entry &b);

} // namespace sgx
