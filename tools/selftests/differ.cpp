// SPDX-License-Identifier: GPL-2.0
// Makes random calls and enclave operations from a seed, and prints the outcome of each; scripts/differ compares two drivers.
//
// The calls depend only on the seed, never on an outcome. A line whose outcome may differ ends with the name of the row of
// Documentation/differences.rst that describes the difference, in brackets.

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "enclave.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// Splitmix64, which gives equal numbers on each computer.
class Random {
public:
	explicit Random(u64 seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
	u64 below(u64 limit)
	{
		u64 x = state_ += 0x9e3779b97f4a7c15ULL;
		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
		x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
		return (x ^ x >> 31) % limit;
	}
	bool one_in(u64 n) { return below(n) == 0; }
	template <typename T, size_t N>
	T of(const T (&list)[N])
	{
		return list[below(N)];
	}

private:
	u64 state_;
};

std::string text(const Progress &p)
{
	return fmt::format("{} count {:#x} result {}", p.error.name(), p.count, p.result);
}

std::string letters(int prot)
{
	return fmt::format("{}{}{}", prot & PROT_READ ? 'r' : '-', prot & PROT_WRITE ? 'w' : '-', prot & PROT_EXEC ? 'x' : '-');
}

/// A running enclave, with a window of pages on which each operation is allowed.
class Running {
public:
	Running(u64 seed, unsigned steps) : random_(seed), seed_(seed), steps_(steps)
	{
		// A fault adds one page, as on mainline, which does not know this call.
		Configure c = {sizeof(c), configure_fault_around, 0, 0, 0, 0};
		const Errno e = enclave_.device().call(ioc_configure, &c);
		if (e && e != ENOTTY)
			throw Failed("CONFIGURE", e);
	}

	void run()
	{
		for (unsigned step = 0; step < steps_; step++)
			fmt::print("{}.{} {}\n", seed_, step, act());
	}

private:
	static constexpr u64 pages = 12;

	struct Range {
		u64 first, count;
		std::string text() const { return fmt::format("{}+{}", first, count); }
	};

	u64 offset(u64 index) const { return enclave_.image().end + index * page; }
	u64 at(u64 index) const { return enclave_.at(offset(index)); }

	Range range()
	{
		const u64 first = random_.below(pages);
		return {first, random_.one_in(3) ? 1 : 1 + random_.below(pages - first)};
	}

	std::string act()
	{
		switch (random_.below(20)) {
		case 0:
			return map();
		case 1:
			return protect_some();
		case 2:
		case 3:
			return restrict_some();
		case 4:
		case 5:
			return modify();
		case 6:
		case 7:
			return remove();
		case 8:
		case 9:
		case 10:
			return inside(Op::accept);
		case 11:
			return inside(Op::extend);
		case 12:
			return inside(random_.one_in(2) ? Op::read : Op::write);
		case 13:
			return patch();
		case 14:
			return wrong();
		case 15:
			return random_.one_in(4) ? child() : inside(Op::accept_copy);
		default:
			return flow();
		}
	}

	std::string map()
	{
		const Range r = range();
		const bool gone = random_.one_in(5);
		const int prot = spared(r, prots());
		const Errno e = gone ? unmap(at(r.first), r.count * page) :
				       map_fixed(enclave_.device().fd(), at(r.first), r.count * page, prot);
		if (!e)
			note(r, gone ? 0 : prot);
		return fmt::format("{} {} {}: {}", gone ? "unmap" : "map", r.text(), letters(prot), e.name());
	}

	std::string protect_some()
	{
		const Range r = range();
		const int prot = spared(r, prots());
		const Errno e = protect(at(r.first), r.count * page, prot);
		// EAUG or EACCEPT may have changed pages up to the one that failed, and the drivers may differ in that page.
		if (!e)
			note(r, prot);
		return fmt::format("mprotect {} {}: {}", r.text(), letters(prot), e.name());
	}

	int prots()
	{
		static constexpr int list[] = {PROT_NONE,
					       PROT_READ,
					       PROT_READ | PROT_WRITE,
					       PROT_READ | PROT_WRITE,
					       PROT_READ | PROT_EXEC,
					       PROT_READ | PROT_WRITE | PROT_EXEC};
		return random_.of(list);
	}

	/// Removes PROT_EXEC over a TCS, where mainline refuses it: otherwise the mappings would differ for the rest of the sequence.
	int spared(const Range &r, int prot) const
	{
		for (u64 i = r.first; i < r.first + r.count; i++)
			prot &= thread_[i] ? ~PROT_EXEC : ~0;
		return prot;
	}

	void note(const Range &r, int prot)
	{
		for (u64 i = r.first; i < r.first + r.count; i++)
			exec_[i] = (prot & PROT_EXEC) != 0;
	}

	std::string restrict_some()
	{
		static constexpr u64 list[] = {0, R, R, RW, RX, RWX, X, W, W | X, 8, 1UL << 40};
		const Range r = range();
		const u64 permissions = random_.of(list);
		return fmt::format("restrict {} {:#x}: {}", r.text(), permissions,
				   text(enclave_.device().restrict_permissions(offset(r.first), r.count * page, permissions)));
	}

	std::string modify()
	{
		static constexpr u64 list[] = {type_trim, type_trim, type_trim, type_tcs, type_tcs, type_reg, type_secs, 0x104};
		const Range r = range();
		const u64 type = random_.of(list);
		const Progress p = enclave_.device().modify_types(offset(r.first), r.count * page, type);
		// The page at which the call stopped may have become one.
		for (u64 i = r.first; i <= r.first + p.count / page && i < r.first + r.count; i++)
			thread_[i] = thread_[i] || type == type_tcs;
		return fmt::format("modify {} {:#x}: {}", r.text(), type, text(p));
	}

	Progress gone(const Range &r)
	{
		const Progress p = enclave_.device().remove_pages(offset(r.first), r.count * page);
		for (u64 i = r.first; i < r.first + p.count / page; i++)
			thread_[i] = false;
		return p;
	}

	std::string remove()
	{
		const Range r = range();
		return fmt::format("remove {}: {}", r.text(), text(gone(r)));
	}

	/// Runs the calls of a runtime in their order, so that they succeed.
	std::string flow()
	{
		const Range r = range();
		const Device &d = enclave_.device();
		const u64 start = offset(r.first), length = r.count * page;
		std::string line = "flow " + r.text() + ":";
		const auto then = [&](const std::string &what) {
			line += " | " + what;
		};
		if (!map_fixed(d.fd(), at(r.first), length, PROT_READ | PROT_WRITE))
			note(r, PROT_READ | PROT_WRITE);
		then(inside(Op::accept, r, REG | RW | PENDING));
		switch (random_.below(4)) {
		case 0:
			then(text(d.restrict_permissions(start, length, R)));
			then(inside(Op::accept, r, REG | R | PR));
			then(inside(Op::write, r, 0));
			break;
		case 1:
			then(text(d.modify_types(start, length, type_trim)));
			then(inside(Op::accept, r, TRIM | MODIFIED));
			then(text(gone(r)));
			break;
		case 2: {
			const Range one = {r.first, 1};
			const Progress p = d.modify_types(start, page, type_tcs);
			thread_[r.first] = thread_[r.first] || !p.error;
			then(text(p));
			then(inside(Op::accept, one, TCS | MODIFIED));
			then(inside(Op::read, one, 0));
			break;
		}
		default:
			then(inside(Op::extend, r, REG | RWX));
			then(fmt::format("{}", protect(at(r.first), length, spared(r, PROT_READ | PROT_EXEC)).name()));
			note(r, spared(r, PROT_READ | PROT_EXEC));
			then(text(d.restrict_permissions(start, length, RX)));
			then(inside(Op::accept, r, REG | RX | PR));
			break;
		}
		return line + tag(r);
	}

	std::string inside(Op op)
	{
		static constexpr u64 list[] = {REG | RW | PENDING, REG | RW | PENDING, REG | RW | PENDING, TRIM | MODIFIED,
					       TRIM | MODIFIED,	   REG | R | PR,       REG | PR,	   REG | RW | PR,
					       TCS | MODIFIED,	   REG | RWX,	       REG | RX,	   REG | R};
		const Range r = range();
		return inside(op, r, random_.of(list));
	}

	std::string inside(Op op, const Range &r, u64 secinfo)
	{
		Request ask = {};
		ask.op = op;
		ask.address = at(r.first);
		ask.secinfo = secinfo;
		ask.descending = random_.below(2);
		ask.source = enclave_.at(enclave_.image().heap);
		ask.length = op == Op::read || op == Op::write ? 0 : r.count * page;
		std::string line = fmt::format("inside {} {} {:#x}{}: ", static_cast<u64>(op), r.text(), ask.secinfo,
					       ask.descending ? " down" : "");
		const Exit exit = enclave_.enter(ask);
		if (exit.normal())
			line += fmt::format("status {} result {} done {:#x}", static_cast<u64>(ask.status), ask.result, ask.done);
		else
			line += fmt::format(
				"leaf {} vector {} error {:#x} page {}", exit.leaf, exit.vector, exit.error,
				exit.vector == vector_pf ? static_cast<long>(exit.address - at(0)) / static_cast<long>(page) : 0);
		if (!exit.normal() && exit.leaf == ERESUME)
			abandon(ask);
		return line + tag(ask.length ? r : Range{r.first, 1});
	}

	/// Abandons the interrupted operation.
	void abandon(Request &interrupted)
	{
		Request leave = {};
		leave.op = Op::abandon;
		if (!enclave_.enter(leave).normal() || !enclave_.enter(interrupted, 0, ERESUME).normal())
			throw Failed("an operation was not abandoned");
	}

	/// Returns the tag of the difference in mappings of a TCS, which mainline does not allow to be executable.
	std::string tag(const Range &r) const
	{
		for (u64 i = r.first; i < r.first + r.count; i++) {
			if (thread_[i] && exec_[i])
				return " [tcs-rwx]";
		}
		return "";
	}

	/// Reads and writes as a debugger does: a page of the window, which may be pending, or an added page.
	std::string patch()
	{
		const Range r = range();
		const bool write = random_.one_in(2), window = random_.one_in(2);
		const u64 words[] = {enclave_.image().heap, enclave_.image().heap + page - 4, enclave_.image().tcs[2],
				     enclave_.image().tcs[2] + 8};
		const u64 offset = 8 * random_.below(512), other = random_.of(words);
		u64 value = 0;
		const Errno e = debug_word(window ? at(r.first) + offset : enclave_.at(other), value, write);
		return fmt::format("{} {}: {}{}", write ? "poke" : "peek", window ? r.first : other, e.name(),
				   window ? " [debug-waiting]" : "");
	}

	/// Makes a call with an invalid parameter.
	std::string wrong()
	{
		static constexpr u64 ranges[][2] = {
			{0, 0}, {0, 1}, {1, page}, {0, page + 1}, {~0UL - page + 1, page}, {~0UL - page + 1, 2 * page}};
		const Device &d = enclave_.device();
		const u64(&bad)[2] = ranges[random_.below(std::size(ranges))];
		switch (random_.below(7)) {
		case 0:
			return "wrong restrict: " + text(d.restrict_permissions(bad[0], bad[1], R));
		case 1:
			return "wrong modify: " + text(d.modify_types(bad[0], bad[1], type_trim));
		case 2:
			return "wrong remove: " + text(d.remove_pages(bad[0], bad[1]));
		case 3:
			return "wrong create: " + d.create(Secs{}).name();
		case 4: {
			sgx_enclave_add_pages add = {};
			return "wrong add: " + d.add_pages(add).name();
		}
		case 5:
			return "wrong init: " + d.init(Sigstruct{}).name();
		default:
			return fmt::format("wrong pointer: {}",
					   d.call(random_.one_in(2) ? SGX_IOC_ENCLAVE_MODIFY_TYPES : 0xA4FFUL, 8UL).name());
		}
	}

	/// Accesses the enclave from a child of fork().
	std::string child()
	{
		const Range r = range();
		Request read = {};
		read.op = Op::read;
		read.address = at(r.first);
		const pid_t pid = fork();
		if (pid == 0) {
			const Exit exit = enclave_.enter(read, 1);
			_exit(exit.normal() ? 100 : exit.vector + (exit.error & 0x8000 ? 32 : 0));
		}
		int status = 0;
		waitpid(pid, &status, 0);
		Request leave = {};
		leave.op = Op::abandon;
		if (WEXITSTATUS(status) != 100 && enclave_.enter(leave, 1).normal())
			enclave_.enter(read, 1, ERESUME);
		return fmt::format("child reads {}: {:#x}", r.first, status) + tag({r.first, 1});
	}

	Random random_;
	u64 seed_;
	unsigned steps_;
	const Enclave enclave_;
	std::array<bool, pages> exec_ = {}, thread_ = {};
};

/// Open files in each state, and the calls that change their state.
class Building {
public:
	Building(u64 seed, unsigned steps) : random_(seed ^ 0x5367), seed_(seed), steps_(steps) {}

	void run()
	{
		for (unsigned step = 0; step < steps_; step++) {
			if (step % 24 == 0)
				begin();
			fmt::print("{}.b{} {}\n", seed_, step, act());
		}
	}

private:
	static constexpr u64 size = 16 * page;

	void begin()
	{
		unmap(range_.address(), size);
		must(device_.open(), "opening /dev/sgx_enclave");
		secs_ = plain_secs(range_.address(), size);
		secs_.attributes |= random_.one_in(6) ? attr_provision : 0;
		created_ = false;
		fresh_ = !random_.one_in(4);
	}

	std::string act()
	{
		if (std::exchange(fresh_, false))
			return create();
		switch (random_.below(8)) {
		case 0:
			return create();
		case 1:
		case 2:
		case 3:
			return add();
		case 4:
			return init();
		case 5:
			return provision();
		default:
			return map();
		}
	}

	std::string create()
	{
		Secs secs = secs_;
		const u64 what = random_.below(10);
		if (what == 0)
			secs.size = random_.below(3) * page;
		if (what == 1)
			secs.base += page;
		if (what == 2)
			secs.attributes |= 1UL << random_.below(64);
		if (what == 3)
			secs.xfrm = random_.below(8);
		if (what == 4)
			secs.reserved4[random_.below(3834)] = 1;
		const Errno e = what == 5 ? device_.create(8UL) : device_.create(secs);
		if (!e && !created_) {
			created_ = true;
			secs_ = secs;
			measurement_.create(1, secs.size);
		}
		return fmt::format("create {}: {}", what, e.name());
	}

	std::string add()
	{
		static constexpr u64 infos[] = {REG | RW, REG | RW, REG | RX, REG | R,	 REG | RWX,
						TCS,	  TCS | R,  REG | W,  TRIM | RW, REG | RW | 1UL << 40};
		SecInfo info = {};
		info.flags = random_.of(infos);
		const u64 what = random_.below(16), index = random_.below(14), count = 1 + random_.below(2);
		sgx_enclave_add_pages pages = {
			source_.address(), index * page, count * page, reinterpret_cast<u64>(&info), random_.below(2), 0};
		if (what == 0)
			pages.src = 0x1000;
		if (what == 1)
			pages.offset += 1 + random_.below(4094);
		if (what == 2)
			pages.length = random_.below(2) * size * 2;
		if (what == 3)
			pages.secinfo = 8;
		if (what == 4)
			info.reserved[random_.below(56)] = 1;
		const Errno e = device_.add_pages(pages);
		for (u64 i = 0; created_ && i < pages.count / page; i++) {
			measurement_.add(pages.offset + i * page, info.flags);
			if (pages.flags & SGX_PAGE_MEASURE)
				measurement_.extend_page(pages.offset + i * page, source_.data());
		}
		return fmt::format("add {}+{} {:#x} {}: {} count {:#x}", index, count, info.flags, what, e.name(), pages.count);
	}

	std::string init()
	{
		const u64 what = random_.below(6);
		Sigstruct s = sigstruct_for(secs_, measurement_.digest());
		// A signature takes time to compute, so a SIGSTRUCT that INIT must refuse is not signed.
		if (what < 3)
			sign(s);
		if (what == 3)
			s.vendor = 7;
		if (what == 4)
			s.attributes = s.attributes_mask = ~0UL;
		const Errno e = what == 5 ? device_.init(8UL) : device_.init(s);
		return fmt::format("init {}: {}", what, e.name());
	}

	std::string provision()
	{
		Device key;
		// Before CREATE the drivers differ, and therefore all later results: EarlyProvision.HoldsAfterCreate.
		const bool right = random_.one_in(2) && created_;
		if (right)
			must(key.open("/dev/sgx_provision"), "opening /dev/sgx_provision");
		return fmt::format("provision {}: {}", right,
				   device_.provision(right ? static_cast<u64>(key.fd()) : ~0UL).name());
	}

	std::string map()
	{
		static constexpr int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC,
						PROT_READ | PROT_WRITE | PROT_EXEC};
		const u64 first = random_.below(16), count = 1 + random_.below(16 - first);
		const int prot = random_.of(prots);
		const u64 what = random_.below(4);
		Errno e;
		const char *name = "map";
		if (what == 0) {
			name = "mprotect";
			e = protect(range_.address() + first * page, count * page, prot);
		} else if (what == 1) {
			name = "map elsewhere";
			void *got =
				mmap(nullptr, count * page, prot, random_.one_in(2) ? MAP_SHARED : MAP_PRIVATE, device_.fd(), 0);
			e = got == MAP_FAILED ? Errno{errno} : Errno{};
			if (!e)
				munmap(got, count * page);
		} else {
			e = map_fixed(device_.fd(), range_.address() + first * page, count * page, prot);
		}
		return fmt::format("{} {}+{} {}: {}", name, first, count, letters(prot), e.name());
	}

	Random random_;
	u64 seed_;
	unsigned steps_;
	Device device_;
	Mapping range_ = Mapping::reserve(size);
	Mapping source_ = Mapping(2 * page);
	Secs secs_ = {};
	Measurement measurement_;
	bool created_ = false;
	/// Most files are created at once.
	bool fresh_ = false;
};

} // namespace

int main(int argc, char **argv)
try {
	u64 first = 1, count = 1;
	unsigned steps = 200;
	CLI::App app("Make random calls and enclave operations, and print the outcome of each.");
	app.add_option("--seed", first, "seed of the first sequence")->capture_default_str();
	app.add_option("--count", count, "number of sequences; each has the next seed")->capture_default_str();
	app.add_option("--steps", steps, "number of steps of a sequence")->capture_default_str();
	CLI11_PARSE(app, argc, argv);
	for (u64 seed = first; seed < first + count; seed++) {
		Running(seed, steps).run();
		Building(seed, steps).run();
	}
	fmt::print("done\n");
	return 0;
} catch (const std::exception &e) {
	std::printf("failed: %s\n", e.what());
	return 1;
}
