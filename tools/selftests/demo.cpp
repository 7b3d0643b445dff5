// SPDX-License-Identifier: GPL-2.0
// The main job, told to a person: an enclave that is built, grows, is reset, accepts, extends, trims and gives pages back.

#include <cstdio>

#include <fmt/color.h>
#include <fmt/format.h>

#include "driver.h"
#include "enclave.h"

using namespace sgx;

namespace {

bool all_good = true;

void title(const char *text)
{
	fmt::print("\n{}\n", text);
}

void step(bool good, const std::string &text)
{
	all_good = all_good && good;
	fmt::print("  {} {}\n", good ? "ok  " : "FAIL", text);
	std::fflush(stdout);
}

constexpr u64 pages = 1024, length = pages * page_size, seed = 42;

u64 dynamic(const Enclave &enclave)
{
	return enclave.image().end;
}

Request range(const Enclave &enclave, Op op, u64 secinfo = 0)
{
	Request r = {};
	r.op = op;
	r.address = enclave.at(dynamic(enclave));
	r.length = length;
	r.value = seed;
	r.secinfo = secinfo;
	return r;
}

bool whole(const Request &r)
{
	return r.status == Status::done && r.done == length;
}

void build(Enclave &enclave)
{
	title("Build");
	step(true, fmt::format("an enclave of {} MiB at {:#x}, measured, signed, initialized", enclave.image().size >> 20,
			       enclave.at(0)));
	Request r = {};
	r.op = Op::secret;
	r.value = 0x5ec2e8;
	step(enclave.ask(r).result == 0x5ec2e7, "it runs: inside it knows what was measured into it");
	const auto *outside =
		reinterpret_cast<const volatile u64 *>(enclave.at(enclave.image().heap)); // NOLINT(performance-no-int-to-ptr)
	step(*outside == ~0ULL, fmt::format("outside its memory reads as {:#x}", *outside));
}

void grow(Enclave &enclave, bool own)
{
	title("Grow");
	enclave.map(dynamic(enclave), length, PROT_READ | PROT_WRITE | PROT_EXEC);
	const long faults = fdinfo(enclave.device(), "sgx2-faults");
	if (own) {
		const Progress p = enclave.device().augment_pages(dynamic(enclave), length);
		step(!p.error && p.count == length, fmt::format("AUGMENT_PAGES adds {} pages in one call", pages));
	}
	step(whole(enclave.ask(range(enclave, Op::accept, REG | RW | PENDING))), "the enclave accepts each of them (EACCEPT)");
	if (own)
		step(fdinfo(enclave.device(), "sgx2-faults") == faults, "without a single fault");
	step(whole(enclave.ask(range(enclave, Op::fill))), "and fills them with a pattern");
}

void change(Enclave &enclave, bool own)
{
	title(own ? "Reset" : "Restrict");
	const long tracks = fdinfo(enclave.device(), "sgx2-tracks"), rounds = fdinfo(enclave.device(), "sgx2-interrupt-rounds");
	const Progress p = own ? enclave.device().reset_permissions(dynamic(enclave), length) :
				 enclave.device().restrict_permissions(dynamic(enclave), length, R);
	const u64 left = own ? 0 : R;
	step(!p.error && p.count == length,
	     own ? "RESET_PERMISSIONS takes all permissions away, in one call" : "RESTRICT_PERMISSIONS to reading");
	if (own)
		step(true, fmt::format("that took {} ETRACKs and {} rounds of interrupts for {} pages",
				       fdinfo(enclave.device(), "sgx2-tracks") - tracks,
				       fdinfo(enclave.device(), "sgx2-interrupt-rounds") - rounds, pages));
	step(whole(enclave.ask(range(enclave, Op::accept, REG | left | PR))), "the enclave accepts the change");
	Request touch = {};
	touch.op = Op::write;
	touch.address = enclave.at(dynamic(enclave));
	const Exit exit = enclave.enter(touch, 1);
	step(exit.fault(pf_present | pf_write | pf_user | pf_sgx),
	     fmt::format("a write now is a page fault with the SGX bit ({:#x})", exit.error));
	step(whole(enclave.ask(range(enclave, Op::extend, REG | RW))),
	     "the enclave gives itself reading and writing back (EMODPE)");
	Request retry = {};
	step(enclave.enter(retry, 1, ERESUME).normal(), "and the write goes on where it was");
}

void shrink(Enclave &enclave)
{
	title("Shrink");
	const Progress trim = enclave.device().modify_types(dynamic(enclave), length, type_trim);
	step(!trim.error && trim.count == length, "MODIFY_TYPES trims the pages");
	const Progress early = enclave.device().remove_pages(dynamic(enclave), length);
	step(early.error == EPERM && early.count == 0, "removing them now is refused: the enclave has not agreed");
	step(whole(enclave.ask(range(enclave, Op::accept, TRIM | MODIFIED))), "the enclave accepts");
	const Progress gone = enclave.device().remove_pages(dynamic(enclave), length);
	step(!gone.error && gone.count == length, "REMOVE_PAGES gives them back to the EPC");
}

} // namespace

int main()
{
	try {
		fmt::print("An enclave on the driver {}\n", Driver::name());
		Enclave enclave;
		build(enclave);
		if (!Processor::has_sgx2()) {
			fmt::print("\nThis processor has no SGX2, so that is all.\n");
		} else {
			grow(enclave, Driver::is_sgx2());
			change(enclave, Driver::is_sgx2());
			shrink(enclave);
		}
	} catch (const Failed &failed) {
		fmt::print("  FAIL {}\n", failed.what());
		return 1;
	}
	fmt::print("\n{}\n", all_good ? "All as it should be." : "Something is not as it should be.");
	return all_good ? 0 : 1;
}
