// SPDX-License-Identifier: GPL-2.0
// A mapping that widens while the pages under it change: what mprotect() asked of them still holds when it changes their PTEs.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "strain.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr int prot_rw = PROT_READ | PROT_WRITE, prot_rx = PROT_READ | PROT_EXEC;
using Clock = std::chrono::steady_clock;

/// mprotect() on a thread of its own, and this thread goes on somewhere in the middle of it.
class Widening {
public:
	Widening(u64 at, u64 length, int prot, Clock::duration after)
		: thread_([this, at, length, prot] {
			  begun_ = true;
			  error_ = protect(at, length, prot);
			  done_ = true;
		  })
	{
		while (!begun_)
			std::this_thread::yield();
		for (const auto end = Clock::now() + after; Clock::now() < end;) {
		}
	}
	~Widening() { end(); }
	Widening(const Widening &) = delete;
	Widening &operator=(const Widening &) = delete;

	bool under_way() const { return !done_; }
	Errno end()
	{
		if (thread_.joinable())
			thread_.join();
		return error_;
	}

private:
	std::atomic<bool> begun_ = false, done_ = false;
	Errno error_ = 0;
	std::thread thread_;
};

/// How long it takes while no other thread does anything, the least of several.
Clock::duration alone(u64 at, u64 length, int prot)
{
	Clock::duration least = std::chrono::hours(1);
	for (unsigned i = 0; i < 5; i++) {
		const auto start = Clock::now();
		must(protect(at, length, prot), "mprotect");
		least = std::min(least, Clock::now() - start);
		must(protect(at, length, PROT_READ), "mprotect");
	}
	return least;
}

/// Whether a write from outside finds a PTE that lets it pass, or a page that may have one.
bool writable(u64 at)
{
	int fd[2] = {};
	must(pipe(fd) ? errno : 0, "pipe");
	const u64 word = 0;
	bool yes = write(fd[1], &word, sizeof(word)) == sizeof(word);
	yes = yes && read(fd[0], reinterpret_cast<void *>(at), sizeof(word)) == sizeof(word);
	close(fd[0]);
	close(fd[1]);
	return yes;
}

// Code goes and data comes in its place, between the driver's consent to an executable mapping and the kernel's change of the PTEs.
TEST(PolicyRace, NoDataBecomesCode)
{
	ONLY_SGX2();
	if (Driver::allows_dynamic_code())
		GTEST_SKIP() << "any page may become code";
	constexpr u64 code_at = 32 << 20, pages = 4096;
	Options options;
	options.more = {{code_at, REG | RX, std::vector<u8>(pages * page), false}};
	const Enclave enclave(options);
	for (unsigned thread = 0; thread < 2; thread++)
		enclave.ask(request(Op::nothing, 0), thread);
	enclave.map(code_at, pages * page, PROT_READ);
	// Makes the time between the two longer.
	configure(enclave, configure_mprotect, mprotect_reset);
	const auto took = alone(enclave.at(code_at), pages * page, prot_rx);
	unsigned met = 0, won = 0;
	const unsigned count = std::min<unsigned>(rounds(60), pages / 2);
	for (unsigned round = 0; round < count; round++) {
		const u64 offset = code_at + round * page, at = enclave.at(offset), length = (pages - round) * page;
		// One mapping, whatever the round before has left.
		enclave.map(offset, length, PROT_READ);
		ASSERT_EQ(enclave.device().modify_types(offset, page, type_trim), (Progress{0, page, 0}));
		ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at, page, TRIM | MODIFIED))));
		Widening widening(at, length, prot_rx, took * (1 + round % 8) / 10);
		ASSERT_EQ(enclave.device().remove_pages(offset, page), (Progress{0, page, 0}));
		Request data = request(Op::accept, at, page, REG | RW | PENDING);
		const bool early = widening.under_way();
		const Touch grown = touch(enclave, data, 1);
		met += early;
		if (widening.end() || grown != Touch::done)
			continue;
		// Both succeeded: no PTE of the page may be in the mapping, which is executable now.
		Request look = request(Op::read, at);
		won += touch(enclave, look, 1) == Touch::done;
	}
	std::printf("# in %u of %u rounds the page went in time\n", met, count);
	EXPECT_EQ(won, 0U);
}

/// Does things in another process, in turn, when it is told to: there mmap_lock of this one stops nothing.
class Elsewhere {
public:
	template <typename Thing>
	explicit Elsewhere(Thing thing)
		: memory_(Mapping::adopt(mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), page)),
		  shared_(*new (memory_.data()) Shared{}), pid_(fork())
	{
		if (pid_)
			return;
		for (u64 turn = 0;; turn++) {
			while (shared_.told == turn)
				std::this_thread::yield();
			shared_.error = thing(turn);
			shared_.done = turn + 1;
		}
	}
	~Elsewhere()
	{
		kill(pid_, SIGKILL);
		waitpid(pid_, nullptr, 0);
	}
	Elsewhere(const Elsewhere &) = delete;
	Elsewhere &operator=(const Elsewhere &) = delete;

	Errno next()
	{
		const u64 turn = ++shared_.told;
		while (shared_.done != turn)
			std::this_thread::yield();
		return static_cast<int>(shared_.error);
	}

private:
	struct Shared {
		std::atomic<u64> told, done;
		std::atomic<int> error;
	};
	Mapping memory_;
	Shared &shared_;
	pid_t pid_;
};

// A page comes between the driver's consent and the kernel's change, and was not declared to be written.
TEST(PolicyRace, NoMappingIsWiderThanDeclared)
{
	ONLY_SGX2();
	constexpr u64 chunk = 512 * page, chunks = 4096, size = chunks * chunk;
	Device device;
	ASSERT_EQ(device.open(), 0);
	const Mapping range = Mapping::reserve(size), source(page);
	const Secs secs = plain_secs(range.address(), size);
	ASSERT_EQ(device.create(secs), 0);
	const auto add = [&](u64 offset, u64 permissions) {
		SecInfo info = {};
		info.flags = REG | permissions;
		sgx_enclave_add_pages one = {};
		one.src = source.address();
		one.offset = offset;
		one.length = page;
		one.secinfo = reinterpret_cast<u64>(&info);
		return device.add_pages(one);
	};
	// Each is looked at, after the first: that takes time.
	for (u64 i = 1; i < chunks; i++)
		ASSERT_EQ(add(i * chunk, RW), 0);
	ASSERT_EQ(map_fixed(device.fd(), range.address(), size, PROT_READ), 0);
	const auto took = alone(range.address(), size, prot_rw);
	Elsewhere adder([&](u64 turn) { return add(turn * page, R).value; });
	unsigned met = 0, won = 0;
	const unsigned count = std::min<unsigned>(rounds(100), 511);
	for (unsigned round = 0; round < count; round++) {
		const u64 offset = round * page, at = range.address() + offset;
		ASSERT_EQ(map_fixed(device.fd(), at, size - offset, PROT_READ), 0);
		Widening widening(at, size - offset, prot_rw, took * (round % 6) / 10);
		ASSERT_EQ(adder.next(), 0);
		met += widening.under_way();
		// A program's own touch is what comes under the lock of the VMA alone.
		touch(at);
		if (!widening.end())
			won += writable(at);
	}
	std::printf("# in %u of %u rounds the page came in time\n", met, count);
	EXPECT_EQ(won, 0U);
}

} // namespace
