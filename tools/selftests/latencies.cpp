// SPDX-License-Identifier: GPL-2.0
// Measures leaves, exits and interrupts on this machine with driver sgx2, and writes them as latencies for the cost model of scripts/bench.
//
// Only the kernel executes ENCLS. So a leaf is measured by a call on many pages, divided by their number: the driver adds some 30
// instructions a page, and more where the source of an entry names it. The unit is a tick of the TSC.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inside.h"

using namespace sgx;

namespace {

constexpr u64 pages = 512, length = pages * page_size;
constexpr unsigned times = 9;

struct Entry {
	double cycles;
	const char *source;
};

u64 stamp()
{
	u32 low = 0, high = 0;
	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return static_cast<u64>(high) << 32 | low;
}

double ticks(const std::function<void()> &work)
{
	const u64 start = stamp();
	work();
	return static_cast<double>(stamp() - start);
}

/// The measurements of several rounds, by name; the median of each is used.
class Rounds {
public:
	void add(const char *name, double value) { all_[name].push_back(value); }
	double operator[](const char *name) const
	{
		std::vector<double> sorted = all_.at(name);
		std::sort(sorted.begin(), sorted.end());
		return sorted[sorted.size() / 2];
	}
	bool has(const char *name) const { return all_.contains(name); }

private:
	std::map<std::string, std::vector<double>> all_;
};

void whole(const Enclave &enclave, const Request &r)
{
	const Request done = enclave.ask(r);
	if (done.status != Status::done || done.done != r.length)
		throw Failed(fmt::format("operation {}: result {}", static_cast<u64>(r.op), done.result));
}

void whole(const Progress &progress, const char *what)
{
	if (progress.error || progress.count % page_size || !progress.count)
		throw Failed(what, progress.error);
}

void turn_fault_around_off(const Enclave &enclave)
{
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_fault_around;
	must(enclave.device().call(ioc_configure, &c), "CONFIGURE");
}

/// Builds enclaves with and without pages that are added, measured or not.
void build(Rounds &rounds)
{
	constexpr u64 size = 2 * length;
	const Mapping source(length);
	for (const bool measured : {false, true}) {
		Device device;
		must(device.open(), "opening /dev/sgx_enclave: is the driver sgx2?");
		const Mapping range = Mapping::reserve(size);
		const Secs secs = plain_secs(range.address(), size);
		rounds.add("create", ticks([&] { must(device.create(secs), "CREATE"); }));
		SecInfo info = {};
		info.flags = REG | RW;
		sgx_enclave_add_pages add = {};
		add.src = source.address();
		add.length = length;
		add.secinfo = reinterpret_cast<u64>(&info);
		add.flags = measured ? SGX_PAGE_MEASURE : 0;
		rounds.add(measured ? "add measured" : "add", ticks([&] { must(device.add_pages(add), "ADD_PAGES"); }) / pages);
		rounds.add("close", ticks([&] { must(device.close(), "close"); }) / pages);
	}
}

void change(Rounds &rounds)
{
	Options options;
	options.size = 128 << 20;
	const Enclave enclave(options);
	const Device &d = enclave.device();
	const u64 offset = enclave.image().end, at = enclave.at(offset);
	const auto each = [&](const char *name, Op op, u64 secinfo) {
		rounds.add(name, ticks([&] { whole(enclave, request(op, at, length, secinfo)); }) / pages);
	};
	const auto call = [&](const char *name, const std::function<Progress()> &run) {
		rounds.add(name, ticks([&] { whole(run(), name); }) / pages);
	};
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	enclave.ask(request(Op::nothing, 0));
	turn_fault_around_off(enclave);
	rounds.add("entry", ticks([&] { enclave.ask(request(Op::nothing, 0)); }));

	call("augment", [&] { return d.augment_pages(offset, length); });
	each("accept", Op::accept, REG | RW | PENDING);
	call("restrict", [&] { return d.restrict_permissions(offset, length, R); });
	each("accept", Op::accept, REG | R | PR);
	each("extend", Op::extend, RW);
	// Accesses from inside and from outside fault in the same way, but for the exit and the resumption.
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	rounds.add("fault inside", ticks([&] { whole(enclave, request(Op::access, at, length)); }) / pages);
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	rounds.add("fault outside", ticks([&] {
					    for (u64 where = at; where < at + length; where += page_size)
						    static_cast<void>(*reinterpret_cast<volatile const u8 *>(where));
				    }) / pages);
	rounds.add("one page", ticks([&] { whole(d.reset_permissions(offset, page_size), "RESET"); }));
	rounds.add("no page", ticks([&] { static_cast<void>(d.reset_permissions(offset, 0)); }));
	whole(enclave, request(Op::accept, at, page_size, REG | PR));
	call("type", [&] { return d.modify_types(offset, length, type_trim); });
	each("accept", Op::accept, TRIM | MODIFIED);
	call("remove", [&] { return d.remove_pages(offset, length); });
}

/// Interrupts another CPU, on which a thread of this program spins.
void interrupt(Rounds &rounds)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		return;
	std::atomic<bool> begun = false, stop = false;
	std::thread other([&] {
		begun = true;
		while (!stop) {
		}
	});
	while (!begun)
		std::this_thread::yield();
	rounds.add("interrupt", ticks([] { syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0); }));
	stop = true;
	other.join();
}

std::map<std::string, Entry> evaluate(const Rounds &r)
{
	const double exit = std::max(r["fault inside"] - r["fault outside"], 0.0) / 2;
	std::map<std::string, Entry> entries = {
		{"EENTER", {r["entry"] / 2, "measured: half of an entry that does nothing"}},
		{"EEXIT", {r["entry"] / 2, "measured: half of an entry that does nothing"}},
		{"exits by fault", {exit, "measured: half of what a fault takes longer inside than outside"}},
		{"exits by interrupt", {exit, "as the exit by a fault"}},
		{"ERESUME", {exit, "measured: half of what a fault takes longer inside than outside"}},
		{"ECREATE", {r["create"], "measured: CREATE, with the open file that it makes"}},
		{"EADD", {r["add"], "measured: ADD_PAGES, a page; with 350 instructions"}},
		{"EEXTEND",
		 {(r["add measured"] - r["add"]) / 16, "measured: a sixteenth of what ADD_PAGES takes longer with measurement"}},
		{"EREMOVE", {r["close"], "measured: close(), a page"}},
		{"EAUG", {r["augment"], "measured: AUGMENT_PAGES, a page; with 240 instructions"}},
		{"EACCEPT", {r["accept"], "measured: EACCEPT of a page, the median of three kinds"}},
		{"EMODPR", {r["restrict"], "measured: RESTRICT_PERMISSIONS, a page"}},
		{"EMODPE", {r["extend"], "measured: EMODPE of a page"}},
		{"EMODT", {r["type"], "measured: MODIFY_TYPES, a page"}},
		{"ETRACK",
		 {std::max(r["one page"] - r["no page"] - r["restrict"], 0.0),
		  "measured: RESET of one page, less that of none and EMODPR"}},
	};
	if (r.has("interrupt"))
		entries["interrupts"] = {r["interrupt"], "measured: membarrier() with a thread on another CPU"};
	return entries;
}

} // namespace

int main()
{
	try {
		Rounds rounds;
		for (unsigned i = 0; i < times; i++) {
			build(rounds);
			change(rounds);
			interrupt(rounds);
		}
		const char *separator = "";
		fmt::print(
			"{{\n  \"about\": \"Measured by sgx2-latencies, in ticks of the TSC, medians of {}.\",\n  \"events\": {{\n",
			times);
		for (const auto &[name, entry] : evaluate(rounds)) {
			fmt::print("{}    \"{}\": {{\"cycles\": {:.0f}, \"source\": \"{}\"}}", separator, name, entry.cycles,
				   entry.source);
			separator = ",\n";
		}
		fmt::print("\n  }}\n}}\n");
	} catch (const std::exception &error) {
		fmt::print(stderr, "sgx2-latencies: {}\n", error.what());
		return 1;
	}
	return 0;
}
