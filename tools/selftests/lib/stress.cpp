// SPDX-License-Identifier: GPL-2.0
// Iterations, accesses and pressure.

#include "stress.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

namespace sgx {

unsigned rounds(unsigned normal)
{
	const char *text = std::getenv("SGX2_ROUNDS");
	return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : normal;
}

bool guest_time()
{
	return std::getenv("SGX2_GUEST_TIME") != nullptr;
}

Access try_access(const Enclave &enclave, Request &request, unsigned thread)
{
	const Exit exit = enclave.enter(request, thread);
	if (exit.normal())
		return request.status == Status::done ? Access::done : Access::refused;
	Request leave = {};
	leave.op = Op::abandon;
	// An entry that faults itself leaves no SSA frame.
	if (exit.leaf == ERESUME)
		must(enclave.enter(leave, thread).normal() && leave.status == Status::done ? 0 : EFAULT,
		     "abandoning an operation");
	if (exit.leaf == ERESUME)
		must(enclave.enter(request, thread, ERESUME).normal() ? 0 : EFAULT, "abandoning an operation");
	return exit.vector == vector_pf && exit.error & pf_sgx ? Access::denied : Access::bus;
}

Errno peek(u64 at)
{
	int fd[2] = {};
	if (pipe(fd) != 0)
		return errno;
	const Errno error = errno_of(write(fd[1], reinterpret_cast<const void *>(at), 8));
	close(fd[0]);
	close(fd[1]);
	return error;
}

void configure(const Enclave &enclave, u32 set, u32 value)
{
	const Configure c = {
		.size = sizeof(c),
		.set = set,
		.mprotect = set == configure_mprotect ? value : 0,
		.augment = set == configure_augment ? value : 0,
		.fault_around = set == configure_fault_around ? value : 0,
		.reserved = 0,
	};
	must(enclave.device().call(ioc_configure, &c), "CONFIGURE");
}

RealTime::RealTime()
{
	const sched_param high = {.sched_priority = 10};
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &high);
}

RealTime::~RealTime()
{
	const sched_param none = {};
	sched_setscheduler(0, SCHED_OTHER, &none);
}

void evict(const Enclave &enclave, long most)
{
	const u64 epc = Processor::epc_bytes();
	Options options;
	options.size = std::max<u64>(std::bit_ceil(4 * epc), 128 << 20);
	unsigned times = 0;
	do {
		const Enclave other(options);
		must(other.device().augment_pages(other.image().end, 3 * epc).error, "AUGMENT");
	} while (++times < 32 && fdinfo(enclave.device(), "sgx2-resident") >= most);
}

Options EpcPressure::options()
{
	Options o;
	o.size = std::max<u64>(std::bit_ceil(2 * Processor::epc_bytes()), 16 << 20);
	return o;
}

EpcPressure::EpcPressure() : enclave_(options())
{
	enclave_.map(enclave_.image().end, page_up(Processor::epc_bytes()), PROT_READ | PROT_WRITE);
	thread_ = std::thread([this] { run(); });
}

EpcPressure::~EpcPressure()
{
	stop_ = true;
	thread_.join();
}

void EpcPressure::run()
{
	constexpr u64 piece = 64 * page_size;
	const u64 first = enclave_.at(enclave_.image().end), all = Processor::epc_bytes() / piece * piece;
	try {
		for (u64 at = 0; at < all && !stop_; at += piece)
			enclave_.ask(request(Op::accept, first + at, piece, REG | RW | PENDING));
		for (u64 at = 0; !stop_; at = at + piece < all ? at + piece : 0)
			enclave_.ask(request(Op::access, first + at, piece));
	} catch (const Failed &f) {
		ADD_FAILURE() << "the enclave that fills the EPC: " << f.what();
	}
}

} // namespace sgx
