// SPDX-License-Identifier: GPL-2.0
// A demonstration with explanations: an enclave is built, runs, is evicted and reloaded, grows, is reset and shrinks.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "driver.h"
#include "fixture.h"

using namespace sgx;

namespace {

bool all_good = true;
/// True if a table was printed last; an empty line follows the table.
bool after_table = false;

/// Prints a heading, and an explanation for a reader new to SGX.
void title(std::string_view text, std::string_view explained)
{
	fmt::print("\n{}\n  {}\n\n", text, explained);
	after_table = false;
}

void step(bool good, const std::string &text)
{
	all_good = all_good && good;
	if (after_table)
		fmt::print("\n");
	after_table = false;
	fmt::print("    {}  {}\n", good ? "ok  " : "FAIL", text);
	std::fflush(stdout);
}

/// Counts of sgx2 and the processor, beside those of a driver that makes each call page by page, as the kernel's own driver does.
struct Cost {
	const char *what;
	long ours, theirs;
};

void costs(const char *work, const std::vector<Cost> &rows)
{
	fmt::print("\n          {:<44}{:>8}{:>16}\n", work, "sgx2", "page by page");
	for (const Cost &row : rows)
		fmt::print("            {:<42}{:>8}{:>16}\n", row.what, row.ours, row.theirs);
	after_table = true;
}

constexpr u64 pages = 1024, length = pages * page_size, seed = 42;

/// Counts of the driver for one enclave, since the constructor.
class CountsSince {
public:
	explicit CountsSince(const Enclave &enclave) : enclave_(enclave) {}
	long operator()(const char *key) const
	{
		const long now = fdinfo(enclave_.device(), key);
		for (const auto &[name, value] : before_)
			if (name == key)
				return now - value;
		return now;
	}

private:
	static constexpr const char *keys[] = {"sgx2-faults", "sgx2-tracks",	"sgx2-ipi-broadcasts",
					       "sgx2-zaps",   "sgx2-evictions", "sgx2-loads"};
	std::vector<std::pair<std::string, long>> read() const
	{
		std::vector<std::pair<std::string, long>> all;
		for (const char *key : keys)
			all.emplace_back(key, fdinfo(enclave_.device(), key));
		return all;
	}

	const Enclave &enclave_;
	const std::vector<std::pair<std::string, long>> before_ = read();
};

Request range(const Enclave &enclave, Op op, u64 secinfo = 0)
{
	Request r = request(op, enclave.at(enclave.image().end), length, secinfo);
	r.value = seed;
	return r;
}

bool done(const Enclave &enclave, Op op, u64 secinfo = 0)
{
	return static_cast<bool>(whole(enclave.ask(range(enclave, op, secinfo))));
}

/// Returns the messages of the driver in the kernel's log.
std::vector<std::string> said()
{
	std::vector<std::string> lines;
	const int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[1024];
	for (ssize_t n; (n = read(fd, record, sizeof(record))) > 0;) {
		std::string_view text(record, static_cast<size_t>(n));
		text = text.substr(text.find(';') + 1);
		text = text.substr(0, text.find('\n'));
		if (text.starts_with("sgx2: ") && text.find("taint") == std::string_view::npos)
			lines.emplace_back(text);
	}
	close(fd);
	return lines;
}

void machine()
{
	title("The machine", "QEMU, extended by the instructions of SGX2, emulates a computer with SGX on one without.");
	double seconds = 0;
	std::ifstream("/proc/uptime") >> seconds;
	utsname name = {};
	uname(&name);
	step(true, fmt::format("Linux {} has booted, {:.1f} s ago", name.release, seconds));
	step(Driver::is_sgx2(), "the driver sgx2 is loaded; its messages are:");
	for (const std::string &line : said())
		fmt::print("            {}\n", line);
	step(Processor::epc_bytes() != 0,
	     fmt::format("the EPC, memory that only enclaves can read, has {} pages", Processor::epc_bytes() / page_size));
}

void build(const Enclave &enclave)
{
	title("Build", "An enclave is a part of a program that no other software can read, not even the kernel.");
	u64 added = 0;
	for (const Segment &segment : enclave.image().segments)
		added += segment.content.size() / page_size;
	step(true, fmt::format("{} pages of code, data and threads are added, at {:#x}", added, enclave.at(0)));
	Report report = {};
	enclave.ask(request(Op::report, reinterpret_cast<u64>(&report)));
	std::string digest;
	for (unsigned i = 0; i < 8; i++)
		digest += fmt::format("{:02x}", report.mrenclave[i]);
	step(true, fmt::format("the processor has measured the pages: MRENCLAVE {}...", digest));
	step(true, "the processor has verified a signature of the measurement, and initialized the enclave");
	Request r = request(Op::secret, 0);
	r.value = 0x5ec2e8;
	step(enclave.ask(r).result == 0x5ec2e7, "the enclave is entered, and reads a value from its measured data");
	const auto *outside = reinterpret_cast<const volatile u64 *>(enclave.at(enclave.image().heap));
	step(*outside == ~0ULL, fmt::format("a read of its memory from outside returns {:#x}", *outside));
}

void evict(const Enclave &enclave)
{
	title("Evict", "The EPC is small, and all enclaves share it.\n"
		       "  The processor encrypts pages that are not in use, and the kernel keeps them in ordinary memory.");
	Request data = request(Op::fill, enclave.at(enclave.image().heap), enclave.image().heap_length);
	data.value = seed;
	enclave.ask(data);
	const CountsSince since(enclave);
	const u64 wanted = Processor::epc_bytes() / page_size * 3 / 2 * page_size;
	{
		const Enclave other;
		other.map(other.image().end, wanted, PROT_READ | PROT_WRITE);
		Request r = request(Op::accept, other.at(other.image().end), wanted, REG | RW | PENDING);
		step(static_cast<bool>(whole(other.ask(r))),
		     fmt::format("another enclave adds {} pages, one and a half times the EPC", wanted / page_size));
		// The reclaimer may have spared pages that were accessed last. An idle enclave loses all of its pages in the end.
		r.op = Op::access;
		for (int pass = 0; pass < 32 && fdinfo(enclave.device(), "sgx2-resident") > 0; pass++)
			other.ask(r);
	}
	step(since("sgx2-evictions") > 0, fmt::format("{} pages of the first enclave were evicted", since("sgx2-evictions")));
	data.op = Op::check;
	step(enclave.ask(data).result == 0, "the first enclave is entered again, and each word of its data is correct");
	step(since("sgx2-loads") > 0, fmt::format("{} pages were reloaded for that", since("sgx2-loads")));
}

void grow(const Enclave &enclave)
{
	title("Grow", "SGX2 adds pages to a running enclave. The enclave can use a page after it has accepted the page.");
	enclave.map(enclave.image().end, length, PROT_READ | PROT_WRITE);
	const CountsSince since(enclave);
	const Progress p = enclave.device().augment_pages(enclave.image().end, length);
	step(!p.error && p.count == length, fmt::format("AUGMENT_PAGES adds {} pages in one call (EAUG)", pages));
	step(done(enclave, Op::accept, REG | RW | PENDING), "the enclave accepts each page (EACCEPT)");
	const long faults = since("sgx2-faults");
	step(done(enclave, Op::fill), "the enclave fills the pages with a pattern");
	costs("to grow by 1024 pages", {{"page faults", faults, pages}});
}

/// Runs this thread, and threads that it creates later, on one CPU, if the CPU exists.
void run_on(unsigned cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void change(const Enclave &enclave)
{
	title("Reset", "A reset of permissions is complete when no processor has the old ones in its TLB.\n"
		       "  The processor tracks that, and the kernel interrupts threads that are still inside.");
	{
		const CountsSince since(enclave);
		const Progress p = enclave.device().reset_permissions(enclave.image().end, length);
		step(!p.error && p.count == length, "RESET_PERMISSIONS removes all permissions in one call (EMODPR)");
		step(done(enclave, Op::accept, REG | PR), "the enclave accepts the change (EACCEPT)");
		costs("to reset 1024 pages, no thread inside",
		      {{"ETRACK", since("sgx2-tracks"), pages},
		       {"IPI broadcasts to threads inside", since("sgx2-ipi-broadcasts"), pages}});
	}
	Request touch = request(Op::write, enclave.at(enclave.image().end));
	const Exit exit = enclave.enter(touch, 1);
	step(exit.fault(pf_present | pf_write | pf_user | pf_sgx),
	     fmt::format("a write raises a page fault, whose error code has the SGX bit ({:#x})", exit.error));
	step(done(enclave, Op::extend, REG | RW), "the enclave extends its permissions to read and write (EMODPE)");
	Request retry = {};
	step(enclave.enter(retry, 1, ERESUME).normal(), "the interrupted write is resumed and completes");
	{
		// The thread must run on another CPU: a thread that does not run is not inside.
		run_on(1);
		const Inside inside(enclave, 2);
		run_on(0);
		const CountsSince since(enclave);
		for (const u64 turns = inside.turns(); inside.turns() == turns;)
			;
		const Progress p = enclave.device().reset_permissions(enclave.image().end, length);
		step(!p.error && p.count == length, "RESET_PERMISSIONS again, while another thread is inside");
		step(done(enclave, Op::accept, REG | PR), "the enclave accepts the change (EACCEPT)");
		costs("to reset 1024 pages, one thread inside",
		      {{"ETRACK", since("sgx2-tracks"), pages},
		       {"IPI broadcasts to threads inside", since("sgx2-ipi-broadcasts"), pages}});
	}
	step(done(enclave, Op::extend, REG | RW), "the enclave extends its permissions (EMODPE)");
	Request check = range(enclave, Op::check);
	check.address += page_size;
	check.length -= page_size;
	step(enclave.ask(check).result == 0, "the data is unchanged");
}

void shrink(const Enclave &enclave)
{
	title("Shrink", "To remove pages, the kernel trims them, the enclave accepts the trim, and the kernel frees them.");
	const CountsSince since(enclave);
	const Progress trim = enclave.device().modify_types(enclave.image().end, length, type_trim);
	step(!trim.error && trim.count == length, "MODIFY_TYPES trims the pages (EMODT)");
	const Progress early = enclave.device().remove_pages(enclave.image().end, length);
	step(early.error == EPERM && early.count == 0, "REMOVE_PAGES fails with EPERM before the enclave has accepted the trim");
	step(done(enclave, Op::accept, TRIM | MODIFIED), "the enclave accepts the trim (EACCEPT)");
	const Progress gone = enclave.device().remove_pages(enclave.image().end, length);
	step(!gone.error && gone.count == length, "REMOVE_PAGES returns the pages to the EPC (EREMOVE)");
	costs("to remove 1024 pages", {{"ETRACK", since("sgx2-tracks"), pages},
				       {"IPI broadcasts to threads inside", since("sgx2-ipi-broadcasts"), pages},
				       {"searches of page tables for PTEs", since("sgx2-zaps"), pages}});
}

} // namespace

int main()
try {
	try {
		machine();
		const Enclave enclave;
		build(enclave);
		evict(enclave);
		if (Processor::has_sgx2()) {
			grow(enclave);
			change(enclave);
			shrink(enclave);
			fmt::print("\nPage by page: the kernel's own driver (Linux 6.12) needs one of each for each page.\n"
				   "The counts of sgx2 are those of this run.\n");
		} else {
			fmt::print("\nThis processor has no SGX2, so the steps of SGX2 are skipped.\n");
		}
	} catch (const Failed &failed) {
		step(false, failed.what());
	}
	fmt::print("\n{}\n", all_good ? "All steps succeeded." : "A step failed.");
	return all_good ? 0 : 1;
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s\n", e.what());
	return 1;
}
