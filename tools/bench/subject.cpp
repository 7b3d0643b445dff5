// SPDX-License-Identifier: GPL-2.0
// The enclave under measurement, and its calls on all of its range.

#include "subject.h"

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
	// Asleep, so that the other CPU has the machine; what else it does is less than half a turn in each.
	const Subject subject(meter, 1);
	const Inside inside(*subject.enclave, 1);
	usleep(1000);
	const u64 turns = inside.turns(), start = Meter::stamp();
	usleep(2000);
	const u64 end = Meter::stamp(), now = inside.turns();
	cost = (end - start + (now - turns) / 2) / (now - turns);
	return cost;
}

Subject::Subject(const Meter &m, u64 pages, unsigned inside, bool idle)
	: meter(m), enclave(options_for(pages)), offset(enclave->image().end), length(pages * page_size), at(enclave->at(offset))
{
	if (inside)
		turn_cost(meter);
	enclave->map(offset, length, PROT_READ | PROT_WRITE);
	// The pages that an entry itself needs are mapped after one.
	for (unsigned thread = 0; thread < enclave->threads.size(); thread++)
		enclave->ask(request(Op::nothing, 0), thread);
	for (unsigned i = 0; i < inside; i++)
		inside_.push_back(std::make_unique<Inside>(*enclave, 1 + i));
	if (idle)
		add_idle();
}

Subject::~Subject()
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

void Subject::add_idle()
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
	// Until it sleeps.
	usleep(1000);
}

Sample Subject::measure(const std::function<void()> &work) const
{
	const auto turns = [&] {
		u64 sum = 0;
		for (const auto &i : inside_)
			sum += i->turns();
		return sum;
	};
	// Each of them has to be inside, and not at the tick of its CPU's timer: one CPU runs after the other, for as long as no timer is due. Twice,
	// since what a tick wakes on another CPU interrupts them once more.
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

void Subject::each(Op op, u64 secinfo, bool descending, unsigned thread) const
{
	Request r = request(op, at, length, secinfo);
	r.descending = descending;
	whole(*enclave, r, thread);
}

void Subject::touch(u64 value) const
{
	Request r = request(Op::touch, at, length);
	r.value = value;
	whole(*enclave, r);
}

void Subject::restrict_to(u64 permissions) const
{
	whole(patiently(offset, length, [&](u64 o, u64 l) { return enclave->device().restrict_permissions(o, l, permissions); }),
	      length, "RESTRICT_PERMISSIONS");
}

void Subject::reset() const
{
	whole(enclave->device().reset_permissions(offset, length), length, "RESET_PERMISSIONS");
}

void Subject::augment() const
{
	whole(enclave->device().augment_pages(offset, length), length, "AUGMENT_PAGES");
}

void Subject::trim() const
{
	whole(patiently(offset, length, [&](u64 o, u64 l) { return enclave->device().modify_types(o, l, type_trim); }), length,
	      "MODIFY_TYPES");
}

void Subject::remove() const
{
	whole(patiently(offset, length, [&](u64 o, u64 l) { return enclave->device().remove_pages(o, l); }), length,
	      "REMOVE_PAGES");
}

void Subject::protect(int prot) const
{
	must(sgx::protect(at, length, prot), "mprotect");
}

void Subject::configure(u32 mprotect) const
{
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_mprotect;
	c.mprotect = mprotect;
	must(enclave->device().call(ioc_configure, &c), "CONFIGURE");
}

void Subject::fault_around(u32 pages) const
{
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_fault_around;
	c.fault_around = pages;
	must(enclave->device().call(ioc_configure, &c), "CONFIGURE");
}

} // namespace sgx
