// SPDX-License-Identifier: GPL-2.0
// fork() that fails halfway leaves a partial copy of the tree of VMAs, while the reclaimer walks the address spaces.

#include <csignal>
#include <fstream>
#include <sstream>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size, chunk = 512 * page;

std::string get(const std::string &file)
{
	std::string text;
	std::getline(std::ifstream(file), text);
	return text;
}

void put(const std::string &file, const std::string &text)
{
	std::ofstream(file) << text;
}

/// Limits the memory that the kernel commits to the current amount and a few kilobytes, until the destructor runs.
class CommitLimit {
public:
	explicit CommitLimit(long kilobytes)
	{
		long committed = 0;
		std::ifstream info("/proc/meminfo");
		for (std::string key; info >> key;) {
			if (key == "Committed_AS:")
				info >> committed;
		}
		put(folder + "overcommit_kbytes", std::to_string(committed + kilobytes));
		put(folder + "overcommit_memory", "2");
	}
	~CommitLimit()
	{
		put(folder + "overcommit_memory", mode_);
		put(folder + "overcommit_ratio", ratio_);
	}
	CommitLimit(const CommitLimit &) = delete;
	CommitLimit &operator=(const CommitLimit &) = delete;

private:
	const std::string folder = "/proc/sys/vm/";
	const std::string mode_ = get(folder + "overcommit_memory"), ratio_ = get(folder + "overcommit_ratio");
};

// The kernel reports page tables that are not freed, and a use after free, on its console, which the runner reads.
TEST(FailedFork, AgingSkipsPartialTree)
{
	ONLY_SGX2();
	if (access("/proc/sys/vm/overcommit_kbytes", W_OK) != 0)
		GTEST_SKIP() << "cannot set the limit of committed memory";
	constexpr u64 pieces = 6, high = 100 << 20;
	const Enclave enclave;
	for (unsigned thread = 0; thread < 2; thread++)
		enclave.ask(request(Op::nothing, 0), thread);
	const u64 low = enclave.image().end, each = pieces * chunk;
	for (u64 i = 0; i < pieces; i++) {
		enclave.map(low + i * chunk, chunk, PROT_READ | PROT_WRITE);
		enclave.map(high + i * chunk, chunk, PROT_READ | PROT_WRITE);
	}
	for (const u64 offset : {low, high})
		ASSERT_TRUE(whole(enclave.ask(request(Op::accept, enclave.at(offset), each, REG | RW | PENDING))));
	const pid_t toucher = fork();
	if (toucher == 0) {
		for (u64 i = 0;; i++)
			enclave.ask(request(Op::access, enclave.at(i % 2 ? low : high), each), 1);
	}
	// The memory between the two mappings cannot be committed twice.
	ASSERT_EQ(errno_of(mmap(reinterpret_cast<void *>(enclave.at(32 << 20)), 64 << 20, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ?
				   -1 :
				   0),
		  0);
	const long evictions = fdinfo(enclave.device(), "sgx2-evictions");
	const unsigned wanted = rounds(300);
	unsigned failed = 0, tries = 0;
	{
		const CommitLimit limit(20000);
		for (; failed < wanted && tries < 4 * wanted; tries++) {
			const pid_t pid = fork();
			if (pid == 0)
				_exit(0);
			failed += pid < 0;
			if (pid > 0)
				waitpid(pid, nullptr, 0);
		}
	}
	kill(toucher, SIGKILL);
	waitpid(toucher, nullptr, 0);
	std::printf("# %u forks failed of %u, %ld pages evicted\n", failed, tries,
		    fdinfo(enclave.device(), "sgx2-evictions") - evictions);
	EXPECT_EQ(failed, wanted);
	// The address space of this process still works.
	enclave.map(high, each, PROT_READ | PROT_WRITE);
}

} // namespace
