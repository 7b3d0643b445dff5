// SPDX-License-Identifier: GPL-2.0
// mprotect() extends a mapping while the pages under it change: its check of the pages must still hold when it changes their PTEs.

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
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr int prot_rw = PROT_READ | PROT_WRITE, prot_rx = PROT_READ | PROT_EXEC;
using Clock = std::chrono::steady_clock;

/// Runs mprotect() in a thread, and returns to the caller after a delay, in the middle of the call.
class MprotectThread {
public:
	MprotectThread(u64 at, u64 length, int prot, Clock::duration after)
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
	~MprotectThread() { end(); }
	MprotectThread(const MprotectThread &) = delete;
	MprotectThread &operator=(const MprotectThread &) = delete;

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

/// Returns the duration of mprotect() while no other thread works, the least of several.
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

/// Returns true if a write from outside finds a writable PTE, or a page that may have one.
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

// Code is replaced by data between the driver's check for an executable mapping and the kernel's change of the PTEs.
TEST(PolicyRace, DataStaysNonExecutable)
{
	ONLY_SGX2();
	if (Driver::allows_dynamic_code())
		GTEST_SKIP() << "needs dynamic_code=0";
	constexpr u64 code_at = 32 << 20, pages = 4096;
	Options options;
	options.more = {{code_at, REG | RX, std::vector<u8>(pages * page), false}};
	const Enclave enclave(options);
	for (unsigned thread = 0; thread < 2; thread++)
		enclave.ask(request(Op::nothing, 0), thread);
	enclave.map(code_at, pages * page, PROT_READ);
	// Extends the time between the check and the change.
	configure(enclave, configure_mprotect, mprotect_reset);
	const auto took = alone(enclave.at(code_at), pages * page, prot_rx);
	unsigned met = 0, won = 0;
	const unsigned count = std::min<unsigned>(rounds(60), pages / 2);
	for (unsigned round = 0; round < count; round++) {
		const u64 offset = code_at + round * page, at = enclave.at(offset), length = (pages - round) * page;
		// Make one mapping again, whatever the previous iteration has left.
		enclave.map(offset, length, PROT_READ);
		ASSERT_EQ(enclave.device().modify_types(offset, page, type_trim), (Progress{0, page, 0}));
		ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at, page, TRIM | MODIFIED))));
		MprotectThread changer(at, length, prot_rx, took * (1 + round % 8) / 10);
		ASSERT_EQ(enclave.device().remove_pages(offset, page), (Progress{0, page, 0}));
		Request data = request(Op::accept, at, page, REG | RW | PENDING);
		const bool early = changer.under_way();
		const Access grown = try_access(enclave, data, 1);
		met += early;
		if (changer.end() || grown != Access::done)
			continue;
		// Both calls succeeded: the page must not have a PTE in the mapping, which is executable now.
		Request look = request(Op::read, at);
		won += try_access(enclave, look, 1) == Access::done;
	}
	std::printf("# in %u of %u iterations the page was replaced during mprotect()\n", met, count);
	EXPECT_EQ(won, 0U);
}

/// Runs a function in another process on request: mmap_lock of this process does not delay it there.
class OtherProcess {
public:
	template <typename Thing>
	explicit OtherProcess(Thing thing)
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
	~OtherProcess()
	{
		kill(pid_, SIGKILL);
		waitpid(pid_, nullptr, 0);
	}
	OtherProcess(const OtherProcess &) = delete;
	OtherProcess &operator=(const OtherProcess &) = delete;

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

// A page that was not declared writable is added between the driver's check and the kernel's change.
TEST(PolicyRace, MappingsStayWithinDeclared)
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
	// The check visits each of these chunks after the first, which takes time.
	for (u64 i = 1; i < chunks; i++)
		ASSERT_EQ(add(i * chunk, RW), 0);
	ASSERT_EQ(map_fixed(device.fd(), range.address(), size, PROT_READ), 0);
	const auto took = alone(range.address(), size, prot_rw);
	OtherProcess adder([&](u64 turn) { return add(turn * page, R).value; });
	unsigned met = 0, won = 0;
	const unsigned count = std::min<unsigned>(rounds(100), 511);
	for (unsigned round = 0; round < count; round++) {
		const u64 offset = round * page, at = range.address() + offset;
		ASSERT_EQ(map_fixed(device.fd(), at, size - offset, PROT_READ), 0);
		MprotectThread changer(at, size - offset, prot_rw, took * (round % 6) / 10);
		ASSERT_EQ(adder.next(), 0);
		met += changer.under_way();
		// A fault of this program runs under the lock of the VMA alone.
		probe(at);
		if (!changer.end())
			won += writable(at);
	}
	std::printf("# in %u of %u iterations the page was added during mprotect()\n", met, count);
	EXPECT_EQ(won, 0U);
}

} // namespace
