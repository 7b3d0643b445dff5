// SPDX-License-Identifier: GPL-2.0
// Rows on memory accesses: the EPCM check at a TLB fill (Documentation/isa.rst 9), and the abort
// page outside of the enclave.

#include <cstring>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edu.h"
#include "states.h"
#include "tables.h"

namespace isa {

namespace {

using namespace expect;

constexpr u64 ones = ~0ULL, pattern = 0x6969696969696969;
constexpr u64 sgx_r = PFEC_SGX | PFEC_U | PFEC_P, sgx_w = sgx_r | PFEC_W, sgx_x = sgx_r | PFEC_I;

// ----------------------------------------------------- inside an enclave

void prepare_access(TestBench &r)
{
	r.e.build();
	r.e.poke(DATA, pattern);
	r.rcx = r.e.at(DATA);
	r.rdx = 0x7777;
}

void reads(TestBench &r, u64 address)
{
	r.function = inside_read;
	r.stop = inside_read_at;
	r.rcx = address;
}

void writes(TestBench &r, u64 address)
{
	r.function = inside_write;
	r.stop = inside_write_at;
	r.rcx = address;
}

/// A fetch faults with RIP at the target of the jump.
void fetches(TestBench &r, u64 address)
{
	r.function = inside_jump;
	r.stop = nullptr;
	r.rcx = address;
}

void check_value(TestBench &r, u64 value)
{
	r.check(r.frame.r8 == value, "read another value");
}

u64 last_page(TestBench &r)
{
	return r.e.size - page_size;
}

/// Add a last page of ELRANGE with code that crosses its end, and map an ordinary page behind it.
void code_across_end(TestBench &r)
{
	static u8 code[page_size];
	std::memset(code, 0x90, sizeof(code));
	code[page_size - 1] = 0x48; // REX.W: the instruction continues outside of ELRANGE
	r.e.remove_all();
	r.e.create();
	r.e.add_pages();
	r.e.add(last_page(r), PT_REG | R | X, code);
	r.e.init();
	map_ordinary(r, r.e.size);
}

void data_across_end(TestBench &r)
{
	r.e.aug(last_page(r));
	r.e.must_accept(last_page(r), PT_REG | R | W | PENDING);
	r.e.poke(last_page(r) + page_size - 8, 0x1111111122222222);
	map_ordinary(r, r.e.size);
	std::memset(reinterpret_cast<void *>(r.e.at(r.e.size)), 0x33, 8);
}

/// Map a page of the enclave at an address outside of ELRANGE.
u64 map_outside_elrange(TestBench &r, u64 page)
{
	const u64 address = r.other.base;
	r.k.reserve(address, page_size, PROT_READ | PROT_WRITE | PROT_EXEC);
	r.k.map(address, page);
	return address;
}

// clang-format off
const Row inside_rows[] = {
	{"read rw-", OK, ROW(reads(r, r.e.at(DATA))), nullptr, ROW(check_value(r, pattern))},
	{"write rw-", OK, ROW(writes(r, r.e.at(DATA))), nullptr, ROW(r.check(r.e.peek(DATA) == 0x7777, "not written"))},
	{"read r-x", OK, ROW(reads(r, r.e.at(CODE))), nullptr, ROW(check_value(r, *reinterpret_cast<const u64 *>(enclave_code)))},
	{"fetch r-x", OK, ROW(fetches(r, r.e.at(inside(inside_out))))},
	{"write r-x", PFEC(sgx_w), ROW(writes(r, r.e.at(CODE)))},
	{"fetch rw-", PFEC(sgx_x), ROW(fetches(r, r.e.at(DATA)))},
	{"write a page that EMODPR made r--", PFEC(sgx_w), ROW(restricted(r, DATA, R); writes(r, r.e.at(DATA)))},
	{"read a page that EMODPR made r--", OK, ROW(restricted(r, DATA, R); reads(r, r.e.at(DATA))), nullptr,
	 ROW(check_value(r, pattern))},
	{"write a page that EMODPE made rw- again", OK, ROW(restricted(r, DATA, R); r.e.must_extend(DATA, PT_REG | R | W);
						     writes(r, r.e.at(DATA)))},
	{"read ---", PFEC(sgx_r), ROW(restricted(r, DATA, 0); reads(r, r.e.at(DATA)))},
	{"read with PR", OK, ROW(r.e.restrict(DATA, R); reads(r, r.e.at(DATA))), nullptr, ROW(check_value(r, pattern))},
	{"read PENDING", PFEC(sgx_r), ROW(r.e.aug(FREE); reads(r, r.e.at(FREE)))},
	{"write PENDING", PFEC(sgx_w), ROW(r.e.aug(FREE); writes(r, r.e.at(FREE)))},
	{"write an accepted page", OK,
	 ROW(r.e.aug(FREE); r.e.must_accept(FREE, PT_REG | R | W | PENDING); writes(r, r.e.at(FREE)))},
	{"read TRIM, not accepted", PFEC(sgx_r), ROW(r.e.retype(DATA, PT_TRIM); reads(r, r.e.at(DATA)))},
	{"read TRIM, accepted", PFEC(sgx_r), ROW(trimmed(r, DATA); reads(r, r.e.at(DATA)))},
	{"read TCS", PFEC(sgx_r), ROW(reads(r, r.e.at(TCS_A)))},
	{"write TCS", PFEC(sgx_w), ROW(writes(r, r.e.at(TCS_B)))},
	{"read BLOCKED", PFEC(sgx_r), ROW(r.e.block(DATA); reads(r, r.e.at(DATA)))},
	{"read an invalid page", PFEC(sgx_r), ROW(removed(r, DATA); reads(r, r.e.at(DATA)))},
	{"read the SECS", PFEC(sgx_r), ROW(r.e.map_page(FREE, r.e.secs()); reads(r, r.e.at(FREE)))},
	{"read a VA", PFEC(sgx_r), ROW(r.e.map_page(FREE, r.va()); reads(r, r.e.at(FREE)))},
	{"read a page of another enclave", PFEC(sgx_r),
	 ROW(r.other.build(); r.e.map_page(DATA, r.other.page(DATA)); reads(r, r.e.at(DATA)))},
	{"read a page mapped at another address", PFEC(sgx_r),
	 ROW(r.e.map_page(FREE, r.e.page(DATA)); reads(r, r.e.at(FREE)))},
	{"read ordinary memory in ELRANGE", PFEC(sgx_r), ROW(map_ordinary(r, FREE); reads(r, r.e.at(FREE)))},
	{"fetch ordinary memory in ELRANGE", PFEC(sgx_x), ROW(map_ordinary(r, FREE); fetches(r, r.e.at(FREE)))},
	{"read, not mapped", PFEC(PFEC_U), ROW(reads(r, r.e.at(FREE)))},
	{"write, not mapped", PFEC(PFEC_U | PFEC_W), ROW(writes(r, r.e.at(FREE)))},
	{"write rw-, page tables say read-only", PFEC(PFEC_U | PFEC_W | PFEC_P),
	 ROW(read_only(r, DATA); writes(r, r.e.at(DATA)))},
	{"fetch r-x, page tables say no-execute", PFEC(PFEC_U | PFEC_P | PFEC_I),
	 ROW(r.e.remove_all(); r.e.create(); r.e.add_pages(); r.e.add(FREE, PT_REG | R | X, enclave_code); r.e.init();
	     mprotect(reinterpret_cast<void *>(r.e.at(FREE)), page_size, PROT_READ | PROT_WRITE);
	     fetches(r, r.e.at(FREE + inside(inside_out))))},
	{"paging before the EPCM: PENDING and read-only", PFEC(PFEC_U | PFEC_W | PFEC_P),
	 ROW(r.e.aug(FREE); read_only(r, FREE); writes(r, r.e.at(FREE)))},
	{"read outside ELRANGE", OK, ROW(reads(r, ordinary_user())), nullptr, ROW(check_value(r, 0))},
	{"write outside ELRANGE", OK, ROW(writes(r, ordinary_user())), nullptr,
	 ROW(auto *p = reinterpret_cast<volatile u64 *>(r.rcx); r.check(*p == 0x7777, "not written"); *p = 0)},
	{"read EPC outside ELRANGE: abort page", OK, ROW(reads(r, map_outside_elrange(r, r.e.page(DATA)))), nullptr,
	 ROW(check_value(r, ones); r.k.release(r.rcx, page_size))},
	{"write EPC outside ELRANGE: dropped", OK, ROW(writes(r, map_outside_elrange(r, r.e.page(DATA)))), nullptr,
	 ROW(r.check(r.e.peek(DATA) == pattern, "the page changed"); r.k.release(r.rcx, page_size))},
	{"fetch outside ELRANGE", GP, ROW(fetches(r, address_of(isa_load)))},
	{"fetch across the end of ELRANGE", GP, ROW(code_across_end(r); fetches(r, r.e.base + r.e.size - 1))},
	{"read across the end of ELRANGE", OK, ROW(data_across_end(r); reads(r, r.e.base + r.e.size - 4)), nullptr,
	 ROW(check_value(r, 0x3333333311111111))},
	{"read across the end of ELRANGE, not mapped behind it", PFEC(PFEC_U, At::mark),
	 ROW(data_across_end(r); munmap(reinterpret_cast<void *>(r.e.at(r.e.size)), page_size);
	     reads(r, r.e.base + r.e.size - 4); r.mark = r.e.base + r.e.size)},
	{"read from one page into the next, which is PENDING", PFEC(sgx_r, At::mark),
	 ROW(r.e.aug(FREE); r.e.must_accept(FREE, PT_REG | R | W | PENDING); r.e.aug(FREE + page_size);
	     reads(r, r.e.at(FREE + page_size) - 4); r.mark = r.e.at(FREE + page_size))},
};
// clang-format on

// ---------------------------------------------------- outside of enclaves

void built(TestBench &r)
{
	r.e.build();
	r.e.poke(DATA, pattern);
}

u64 kernel_load(TestBench &r, u64 linear)
{
	const Result g = r.k.run(SGX2_ISA_LOAD, {0, 0, linear, 0, 0});
	r.check(!g.faulted(), g.text());
	return g.regs.rax;
}

void kernel_store(TestBench &r, u64 linear)
{
	const Result g = r.k.run(SGX2_ISA_STORE, {0, 0, linear, 0, 0});
	r.check(!g.faulted(), g.text());
}

u64 user_load(TestBench &r, u64 address)
{
	Frame f;
	f.rcx = address;
	const Exit x = call(address_of(isa_load), f);
	r.check(x.where == Exit::returned, "a load from EPC faulted");
	return f.rax;
}

void check_all_ones(TestBench &r, u64 page)
{
	for (u64 at = 0; at < page_size; at += 256)
		r.check(kernel_load(r, r.k.linear(page) + at) == ones, "not all ones at " + std::to_string(at));
}

void check_unchanged(TestBench &r)
{
	r.check(r.e.peek(DATA) == pattern, "the page changed");
}

/// Return whether a child process reads all ones at address.
bool child_reads_ones(u64 address)
{
	const pid_t child = fork();
	if (child == 0) {
		const auto *p = reinterpret_cast<const volatile u64 *>(address);
		_exit(p[0] == ones && p[511] == ones ? 0 : 1);
	}
	int status = -1;
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void check_page_walk(TestBench &r, u64 page)
{
	const u64 address = 0x200000000000;
	const Result g = r.k.run(SGX2_ISA_LOAD, {0, 0, address, 0, 0}, SGX2_ISA_WALK, r.k.phys(page));
	// In the SDM, RSVD is set together with P. QEMU's paging leaves P clear, which this row
	// does not test.
	r.check(g.vector == VEC_PF && (g.error | PFEC_P) == (PFEC_P | PFEC_RSVD) && g.cr2 == address, g.text());
}

/// Copy through the device's buffer to shared memory and return the value.
u64 dma_load(TestBench &r, u64 phys)
{
	Edu edu;
	edu.load(phys);
	edu.store(r.k.phys_of(r.s.spare));
	return *reinterpret_cast<volatile u64 *>(r.s.spare);
}

constexpr u64 dma_value = 0x1234567812345678;

void dma_store(TestBench &r, u64 phys)
{
	Edu edu;
	*reinterpret_cast<volatile u64 *>(r.s.source) = dma_value;
	edu.load(r.k.phys_of(r.s.source));
	edu.store(phys);
}

// clang-format off
const Row outside_rows[] = {
	{"kernel reads REG", OK, ROW(check_all_ones(r, r.e.page(DATA)))},
	{"kernel reads code", OK, ROW(check_all_ones(r, r.e.page(CODE)))},
	{"kernel reads TCS", OK, ROW(check_all_ones(r, r.e.page(TCS_A)))},
	{"kernel reads SECS", OK, ROW(check_all_ones(r, r.e.secs()))},
	{"kernel reads VA", OK, ROW(check_all_ones(r, r.va()))},
	{"kernel reads an invalid page", OK, ROW(const u64 p = r.e.page(DATA); r.e.remove(DATA); check_all_ones(r, p))},
	{"kernel reads the last page of the EPC", OK, ROW(check_all_ones(r, r.k.pages() - 1))},
	{"kernel writes: dropped", OK, ROW(kernel_store(r, r.e.linear(DATA)); check_unchanged(r))},
	{"the owner reads from outside", OK, ROW(r.check(user_load(r, r.e.at(DATA)) == ones, "contents show"))},
	{"the owner writes from outside: dropped", OK,
	 ROW(Frame f; f.rcx = r.e.at(DATA); f.rax = 1; r.check(call(address_of(isa_store), f).where == Exit::returned, "faulted");
	     check_unchanged(r))},
	{"another process reads", OK, ROW(r.check(child_reads_ones(r.e.at(DATA)), "contents show"))},
	{"another mapping reads", OK, ROW(const u64 a = map_outside_elrange(r, r.e.page(DATA));
					  r.check(user_load(r, a) == ones, "contents show"); r.k.release(a, page_size))},
	{"fetch from outside: FF FF is #UD", OK,
	 ROW(Frame f; const Exit x = call(r.e.at(CODE), f);
	     r.check(x.vector == VEC_UD && x.rip == r.e.at(CODE), "vector " + std::to_string(x.vector)))},
	{"the kernel's page walk: reserved bits", OK, ROW(check_page_walk(r, r.e.page(DATA)))},
	{"a page walk through a page of zeros", OK, ROW(check_page_walk(r, r.e.page(PARAM)))},
	{"a page walk sets no Accessed bit", OK, ROW(check_page_walk(r, r.e.page(DATA)); check_unchanged(r))},
	{"DMA reads ones", OK, ROW(r.check(dma_load(r, r.k.phys(r.e.page(DATA))) == ones, "contents show"))},
	{"DMA writes: dropped", OK, ROW(dma_store(r, r.k.phys(r.e.page(DATA))); check_unchanged(r))},
	{"DMA to memory that is not EPC works", OK, ROW(dma_store(r, r.k.phys_of(r.s.spare));
						       r.check(*reinterpret_cast<u64 *>(r.s.spare) == dma_value, "not written"))},
};
// clang-format on

const Group groups[] = {
	{"inside", 0, Place::access, prepare_access, inside_rows, false},
	{"outside", 0, Place::none, built, outside_rows, false},
};

} // namespace

std::span<const Group> access_groups()
{
	return groups;
}

} // namespace isa
