// SPDX-License-Identifier: GPL-2.0
// fork() that fails in the middle, which leaves a tree of VMAs half copied, while the reclaimer looks at who uses what.

#include <csignal>
#include <fstream>
#include <sstream>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "strain.h"

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

/// While this lives the kernel promises no more memory than it has promised by now, and a little.
class Miser {
public:
	explicit Miser(long kilobytes)
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
	~Miser()
	{
		put(folder + "overcommit_memory", mode_);
		put(folder + "overcommit_ratio", ratio_);
	}
	Miser(const Miser &) = delete;
	Miser &operator=(const Miser &) = delete;

private:
	const std::string folder = "/proc/sys/vm/";
	const std::string mode_ = get(folder + "overcommit_memory"), ratio_ = get(folder + "overcommit_ratio");
};

// What a kernel finds wrong it says on its console, where the runner looks: page tables that are not freed, or a use after free.
TEST(ForkFails, InTheMiddleWhilePagesAge)
{
	ONLY_SGX2();
	if (access("/proc/sys/vm/overcommit_kbytes", W_OK) != 0)
		GTEST_SKIP() << "the limit of memory that is promised cannot be set";
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
			enclave.ask(request(Op::touch, enclave.at(i % 2 ? low : high), each), 1);
	}
	// Between the two lies memory that cannot be promised twice.
	ASSERT_EQ(errno_of(mmap(reinterpret_cast<void *>(enclave.at(32 << 20)), 64 << 20, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ?
				   -1 :
				   0),
		  0);
	const long evictions = fdinfo(enclave.device(), "sgx2-evictions");
	const unsigned wanted = rounds(300);
	unsigned failed = 0, tries = 0;
	{
		const Miser miser(20000);
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
	// The address space of this process goes as well as ever.
	enclave.map(high, each, PROT_READ | PROT_WRITE);
}

} // namespace
