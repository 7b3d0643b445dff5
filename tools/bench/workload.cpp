// SPDX-License-Identifier: GPL-2.0
// The enclave that is measured, and calls on all of its range.

#include "workload.h"

#include <bit>

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

namespace sgx {

namespace {

constexpr u64 least = 128 << 20;

Options options_for(u64 pages)
{
	Options o;
	o.size = std::max(least, std::bit_ceil((pages + 4096) * page_size));
	return o;
}

} // namespace

void whole(const Enclave &enclave, Request request, unsigned thread)
{
	const Request r = enclave.ask(request, thread);
	if (r.status != Status::done || r.done != r.length)
		throw Failed(fmt::format("operation {}: status {}, result {}, after {} of {} bytes", static_cast<u64>(r.op),
					 static_cast<u64>(r.status), r.result, r.done, r.length));
}

void whole(const Progress &progress, u64 length, const char *what)
{
	if (progress.error || progress.count != length)
		throw Failed(fmt::format("{}: {} of {} bytes, result {}", what, progress.count, length, progress.result),
			     progress.error);
}

u64 turn_cost(const Meter &meter)
{
	static u64 cost = 0;
	if (cost)
		return cost;
	// Sleep, so that the other CPU can run; the rest of its work is less than half an iteration of the spinning thread.
	const Workload workload(meter, 1);
	const Inside inside(*workload.enclave, 1);
	usleep(1000);
	const u64 turns = inside.turns(), start = Meter::stamp();
	usleep(2000);
	const u64 end = Meter::stamp(), now = inside.turns();
	cost = (end - start + (now - turns) / 2) / (now - turns);
	return cost;
}

Workload::Workload(const Meter &m, u64 pages, unsigned inside, bool idle)
	: meter(m), enclave(options_for(pages)), offset(enclave->image().end), length(pages * page_size), at(enclave->at(offset))
{
	if (inside)
		turn_cost(meter);
	enclave->map(offset, length, PROT_READ | PROT_WRITE);
	// The first entry faults on the pages that each entry accesses; do it before the measurement.
	for (unsigned thread = 0; thread < enclave->threads.size(); thread++)
		enclave->ask(request(Op::nothing, 0), thread);
	for (unsigned i = 0; i < inside; i++)
		inside_.push_back(std::make_unique<Inside>(*enclave, 1 + i));
	if (idle)
		add_idle();
}

Workload::~Workload()
{
	if (!sleeper_.joinable())
		return;
	idle_ = 2;
	idle_.notify_all();
	sleeper_.join();
}

void pin(unsigned cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	must(errno_of(sched_setaffinity(0, sizeof(cpus), &cpus)), "sched_setaffinity");
}

void Workload::add_idle()
{
	pin(0);
	sleeper_ = std::thread([this] {
		pin(1);
		enclave->ask(request(Op::nothing, 0), 1);
		idle_ = 1;
		idle_.wait(1);
	});
	while (idle_ != 1)
		std::this_thread::yield();
	// Wait until the thread sleeps.
	usleep(1000);
}

Sample Workload::measure(const std::function<void()> &work) const
{
	const auto turns = [&] {
		u64 sum = 0;
		for (const auto &i : inside_)
			sum += i->turns();
		return sum;
	};
	// Each thread has to be inside, and not in the timer tick of its CPU: one CPU runs after the other until a timer expires. Do it twice,
	// since a task that a tick wakes on another CPU interrupts the threads again.
	const auto settle = [&] {
		for (unsigned times = 0; times < 2; times++) {
			for (const auto &i : inside_) {
				for (const u64 seen = i->turns(); i->turns() == seen;)
					asm volatile("pause");
			}
		}
	};
	u64 before = 0, after = 0;
	Sample s = meter.measure(enclave ? &enclave->device() : nullptr, settle, [&] {
		before = turns();
		work();
		after = turns();
	});
	if (!inside_.empty())
		s["instructions"] -= static_cast<long>((after - before) * turn_cost(meter));
	return s;
}

void Workload::each(Op op, u64 secinfo, bool descending, unsigned thread) const
{
	Request r = request(op, at, length, secinfo);
	r.descending = descending;
	whole(*enclave, r, thread);
}

void Workload::access(u64 value, bool descending) const
{
	Request r = request(Op::access, at, length);
	r.value = value;
	r.descending = descending;
	whole(*enclave, r);
}

void Workload::access_random() const
{
	Request r = request(Op::access, at, length);
	r.source = seed;
	whole(*enclave, r);
}

void Workload::restrict_to(u64 permissions) const
{
	whole(retry_until_done(offset, length,
			       [&](u64 o, u64 l) { return enclave->device().restrict_permissions(o, l, permissions); }),
	      length, "RESTRICT_PERMISSIONS");
}

void Workload::reset() const
{
	whole(enclave->device().reset_permissions(offset, length), length, "RESET_PERMISSIONS");
}

void Workload::augment() const
{
	whole(enclave->device().augment_pages(offset, length), length, "AUGMENT_PAGES");
}

void Workload::trim() const
{
	whole(retry_until_done(offset, length, [&](u64 o, u64 l) { return enclave->device().modify_types(o, l, type_trim); }),
	      length, "MODIFY_TYPES");
}

void Workload::remove() const
{
	whole(retry_until_done(offset, length, [&](u64 o, u64 l) { return enclave->device().remove_pages(o, l); }), length,
	      "REMOVE_PAGES");
}

void Workload::protect(int prot) const
{
	must(sgx::protect(at, length, prot), "mprotect");
}

void Workload::configure(u32 mprotect) const
{
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_mprotect;
	c.mprotect = mprotect;
	must(enclave->device().call(ioc_configure, &c), "CONFIGURE");
}

void Workload::fault_around(u32 pages) const
{
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_fault_around;
	c.fault_around = pages;
	must(enclave->device().call(ioc_configure, &c), "CONFIGURE");
}

} // namespace sgx
