// SPDX-License-Identifier: GPL-2.0
// Tracking without a question: a call whose task is alone on the CPUs of the enclave runs one ETRACK, and a call that only seems to be
// alone still waits for each thread that is inside.

#include <algorithm>
#include <array>
#include <filesystem>
#include <thread>

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "inside.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr unsigned rounds = 200;

/// Keeps the calling thread, or the one with this number, on one CPU.
void pin(unsigned cpu, pid_t thread = 0)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	must(errno_of(sched_setaffinity(thread, sizeof(one), &one)), "sched_setaffinity");
}

/// Keeps this thread on CPU 0, and lets it run anywhere afterwards.
class OnCpu0 {
public:
	OnCpu0()
	{
		sched_getaffinity(0, sizeof(before_), &before_);
		pin(0);
	}
	~OnCpu0() { sched_setaffinity(0, sizeof(before_), &before_); }
	OnCpu0(const OnCpu0 &) = delete;
	OnCpu0 &operator=(const OnCpu0 &) = delete;

private:
	cpu_set_t before_ = {};
};

/// Runs a function in a child that shares this program's memory only by copy; returns the status of its end.
template <typename Function>
int in_child(Function function)
{
	const pid_t pid = fork();
	if (pid == 0) {
		int status = 99;
		try {
			status = function();
		} catch (const std::exception &e) {
			std::fprintf(stderr, "# %s\n", e.what());
		}
		_exit(status);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	return status;
}

class Alone : public Dynamic {
protected:
	void SetUp() override
	{
		ONLY_SGX2();
		if (std::thread::hardware_concurrency() < 2)
			GTEST_SKIP() << "needs two CPUs";
		Dynamic::SetUp();
		grow(page);
	}
	/// Resets the page and accepts that, which fails unless the tracking is complete.
	bool reset_and_accept() const
	{
		return enclave.device().reset_permissions(offset, page) == (Progress{0, page, 0}) &&
		       whole(accept(page, REG | PR));
	}
};

// The child has memory of its own from the start, and has never run on another CPU.
TEST_F(Alone, ACallNeedsOneEtrack)
{
	const OnCpu0 here;
	const int status = in_child([&] {
		const Enclave own;
		const Device &d = own.device();
		const u64 from = own.image().end, where = own.at(from);
		own.map(from, page, PROT_READ | PROT_WRITE);
		const auto done = [&](u64 secinfo) {
			return whole(own.ask(request(Op::accept, where, page, secinfo)));
		};
		const auto tracks = [&](auto call) {
			const long before = fdinfo(d, "sgx2-tracks"), broadcasts = fdinfo(d, "sgx2-ipi-broadcasts");
			if (call() != Progress{0, page, 0})
				return -1L;
			return fdinfo(d, "sgx2-tracks") - before + 100 * (fdinfo(d, "sgx2-ipi-broadcasts") - broadcasts);
		};
		if (!done(REG | RW | PENDING))
			return 1;
		if (tracks([&] { return d.restrict_permissions(from, page, R); }) != 1 || !done(REG | R | PR))
			return 2;
		if (tracks([&] { return d.reset_permissions(from, page); }) != 1 || !done(REG | PR))
			return 3;
		if (tracks([&] { return d.modify_types(from, page, type_trim); }) != 1 || !done(TRIM | MODIFIED))
			return 4;
		return 0;
	});
	EXPECT_EQ(status, 0);
}

// The caller is the only task of its address space, and the thread inside belongs to another one that maps the enclave.
TEST_F(Alone, AnotherProcessIsInside)
{
	const OnCpu0 here;
	std::array<int, 2> pipe_ends = {};
	ASSERT_EQ(pipe(pipe_ends.data()), 0);
	const pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(1);
		const Inside inside(enclave, 1);
		if (write(pipe_ends[1], "i", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	char byte = 0;
	EXPECT_EQ(read(pipe_ends[0], &byte, 1), 1);
	for (unsigned round = 0; round < rounds && !HasFailure(); round++)
		EXPECT_TRUE(reset_and_accept()) << round;
	kill(child, SIGKILL);
	waitpid(child, nullptr, 0);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

// The thread inside moves between the CPUs of its address space, also to the CPU of the caller, while calls are in progress.
TEST_F(Alone, ThreadInsideMigrates)
{
	const unsigned cpus = std::min(4U, std::thread::hardware_concurrency());
	const OnCpu0 here;
	const Inside inside(enclave, 1);
	pid_t thread = 0;
	for (const auto &entry : std::filesystem::directory_iterator("/proc/self/task")) {
		const pid_t id = std::stoi(entry.path().filename());
		thread = id == getpid() ? thread : id;
	}
	ASSERT_NE(thread, 0);
	for (unsigned round = 0; round < rounds && !HasFailure(); round++) {
		pin(round % cpus, thread);
		EXPECT_TRUE(reset_and_accept()) << round;
		EXPECT_TRUE(reset_and_accept()) << round;
	}
}

} // namespace
