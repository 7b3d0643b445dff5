// SPDX-License-Identifier: GPL-2.0
// The main job, told to a person: an enclave is built, runs, is evicted and comes back, grows, is reset, accepts, extends, and gives pages back.

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
/// A table came last, so what comes next wants an empty line.
bool after_table = false;

/// A heading, and what a newcomer has to know to read on.
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

/// What sgx2 needed, as it and the processor count, beside what a driver needs that goes page by page, as the kernel's own does.
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

/// The counts of one enclave's driver, from one moment to the next.
class Since {
public:
	explicit Since(const Enclave &enclave) : enclave_(enclave) {}
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

/// What the driver said in the kernel's log.
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
	title("The machine", "A computer without SGX runs one that has it: QEMU, taught the instructions of SGX2.");
	double seconds = 0;
	std::ifstream("/proc/uptime") >> seconds;
	utsname name = {};
	uname(&name);
	step(true, fmt::format("Linux {} has booted, {:.1f} s ago", name.release, seconds));
	step(Driver::is_sgx2(), "the driver sgx2 is loaded, and says:");
	for (const std::string &line : said())
		fmt::print("            {}\n", line);
	step(Processor::epc_bytes() != 0,
	     fmt::format("so {} pages are memory that only enclaves can read: the EPC", Processor::epc_bytes() / page_size));
}

void build(const Enclave &enclave)
{
	title("Build", "An enclave is a part of a program that nobody else can look into, not even the kernel.");
	u64 added = 0;
	for (const Segment &segment : enclave.image().segments)
		added += segment.content.size() / page_size;
	step(true, fmt::format("{} pages of code, data and threads are added, at {:#x}", added, enclave.at(0)));
	Report report = {};
	enclave.ask(request(Op::report, reinterpret_cast<u64>(&report)));
	std::string digest;
	for (unsigned i = 0; i < 8; i++)
		digest += fmt::format("{:02x}", report.mrenclave[i]);
	step(true, fmt::format("the processor has measured them: MRENCLAVE {}...", digest));
	step(true, "it has checked a signature over that, and initialized the enclave");
	Request r = request(Op::secret, 0);
	r.value = 0x5ec2e8;
	step(enclave.ask(r).result == 0x5ec2e7, "the enclave is entered, and knows what was measured into it");
	const auto *outside = reinterpret_cast<const volatile u64 *>(enclave.at(enclave.image().heap));
	step(*outside == ~0ULL, fmt::format("who reads its memory from outside sees {:#x}", *outside));
}

void evict(const Enclave &enclave)
{
	title("Evict", "The EPC is small, and all enclaves share it.\n"
		       "  Pages that are not in use are encrypted by the processor and kept in ordinary memory.");
	Request data = request(Op::fill, enclave.at(enclave.image().heap), enclave.image().heap_length);
	data.value = seed;
	enclave.ask(data);
	const Since since(enclave);
	const u64 wanted = Processor::epc_bytes() / page_size * 3 / 2 * page_size;
	{
		const Enclave other;
		other.map(other.image().end, wanted, PROT_READ | PROT_WRITE);
		Request r = request(Op::accept, other.at(other.image().end), wanted, REG | RW | PENDING);
		step(static_cast<bool>(whole(other.ask(r))),
		     fmt::format("another enclave takes {} pages, half as many again as there are", wanted / page_size));
	}
	step(since("sgx2-evictions") > 0, fmt::format("{} pages of ours had to go", since("sgx2-evictions")));
	data.op = Op::check;
	step(enclave.ask(data).result == 0, "the enclave is entered again, and each word of its data is what it was");
	step(since("sgx2-loads") > 0, fmt::format("for which {} pages came back", since("sgx2-loads")));
}

void grow(const Enclave &enclave)
{
	title("Grow", "SGX2 adds pages to an enclave that runs. Each counts only once the enclave itself has accepted it.");
	enclave.map(enclave.image().end, length, PROT_READ | PROT_WRITE);
	const Since since(enclave);
	const Progress p = enclave.device().augment_pages(enclave.image().end, length);
	step(!p.error && p.count == length, fmt::format("AUGMENT_PAGES adds {} pages in one call (EAUG)", pages));
	step(done(enclave, Op::accept, REG | RW | PENDING), "the enclave accepts each (EACCEPT)");
	const long faults = since("sgx2-faults");
	step(done(enclave, Op::fill), "and fills them with a pattern");
	costs("to grow by 1024 pages", {{"page faults", faults, pages}});
}

/// This thread, and those that it makes from now on, run on that processor alone, if there is one.
void run_on(unsigned cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

void change(const Enclave &enclave)
{
	title("Reset", "Permissions are taken away for good once no thread can remember the old ones.\n"
		       "  The processor tracks that, and the kernel interrupts who is still inside.");
	{
		const Since since(enclave);
		const Progress p = enclave.device().reset_permissions(enclave.image().end, length);
		step(!p.error && p.count == length, "RESET_PERMISSIONS takes all of them, in one call (EMODPR)");
		step(done(enclave, Op::accept, REG | PR), "the enclave accepts (EACCEPT)");
		costs("to reset 1024 pages, nobody inside",
		      {{"ETRACK", since("sgx2-tracks"), pages},
		       {"rounds to turn out whoever may be inside", since("sgx2-ipi-broadcasts"), pages}});
	}
	Request touch = request(Op::write, enclave.at(enclave.image().end));
	const Exit exit = enclave.enter(touch, 1);
	step(exit.fault(pf_present | pf_write | pf_user | pf_sgx),
	     fmt::format("a write now is a page fault, with the bit that says SGX ({:#x})", exit.error));
	step(done(enclave, Op::extend, REG | RW), "the enclave gives itself reading and writing back (EMODPE)");
	Request retry = {};
	step(enclave.enter(retry, 1, ERESUME).normal(), "and the write goes on where it was");
	{
		// Side by side, and not in turns: a thread that does not run is not inside.
		run_on(1);
		const Inside inside(enclave, 2);
		run_on(0);
		const Since since(enclave);
		for (const u64 turns = inside.turns(); inside.turns() == turns;)
			;
		const Progress p = enclave.device().reset_permissions(enclave.image().end, length);
		step(!p.error && p.count == length, "once more, while another thread is inside");
		step(done(enclave, Op::accept, REG | PR), "accepted");
		costs("to reset 1024 pages beside a thread",
		      {{"ETRACK", since("sgx2-tracks"), pages},
		       {"rounds to turn out whoever may be inside", since("sgx2-ipi-broadcasts"), pages}});
	}
	step(done(enclave, Op::extend, REG | RW), "extended");
	Request check = range(enclave, Op::check);
	check.address += page_size;
	check.length -= page_size;
	step(enclave.ask(check).result == 0, "and the data has not been touched by any of this");
}

void shrink(const Enclave &enclave)
{
	title("Shrink", "Pages go the same way: the kernel asks, the enclave accepts, and only then are they free.");
	const Since since(enclave);
	const Progress trim = enclave.device().modify_types(enclave.image().end, length, type_trim);
	step(!trim.error && trim.count == length, "MODIFY_TYPES trims the pages (EMODT)");
	const Progress early = enclave.device().remove_pages(enclave.image().end, length);
	step(early.error == EPERM && early.count == 0, "to remove them now is refused: the enclave has not agreed");
	step(done(enclave, Op::accept, TRIM | MODIFIED), "the enclave accepts (EACCEPT)");
	const Progress gone = enclave.device().remove_pages(enclave.image().end, length);
	step(!gone.error && gone.count == length, "REMOVE_PAGES gives them back to the EPC (EREMOVE)");
	costs("to take 1024 pages away", {{"ETRACK", since("sgx2-tracks"), pages},
					  {"rounds to turn out whoever may be inside", since("sgx2-ipi-broadcasts"), pages},
					  {"searches of page tables for mappings", since("sgx2-zaps"), pages}});
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
			fmt::print(
				"\nPage by page is how the kernel's own driver works (Linux 6.12): one of each for each page.\n"
				"The numbers of sgx2 were counted just now, on this machine.\n");
		} else {
			fmt::print("\nThis processor has no SGX2, so that is all.\n");
		}
	} catch (const Failed &failed) {
		step(false, failed.what());
	}
	fmt::print("\n{}\n", all_good ? "All as it should be." : "Something is not as it should be.");
	return all_good ? 0 : 1;
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s\n", e.what());
	return 1;
}
