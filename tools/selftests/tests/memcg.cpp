// SPDX-License-Identifier: GPL-2.0
// Charges for evicted pages, and the effect on other enclaves when the memory cgroup of the owner refuses the charge.

#include <algorithm>
#include <bit>
#include <csignal>
#include <ctime>
#include <fstream>
#include <memory>
#include <vector>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr long kib = 1024;

double now()
{
	timespec t = {};
	clock_gettime(CLOCK_MONOTONIC, &t);
	return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

u64 epc()
{
	return Processor::epc_bytes() / page;
}

/// Returns the free bytes of the EPC, as sgx2 reports them.
u64 epc_free(const Device &device)
{
	Query q = {};
	q.size = sizeof(q);
	must(device.call(ioc_query, &q), "QUERY");
	return q.epc_free / page;
}

/// An enclave without a thread, whose pages are added but not accessed.
class IdleEnclave {
public:
	explicit IdleEnclave(u64 pages, bool mapped = true)
		: range_(Mapping::reserve(std::max<u64>(std::bit_ceil(2 * pages * page), 1 << 21))), source_(page)
	{
		must(device.open(), "opening /dev/sgx_enclave");
		must(device.create(plain_secs(range_.address(), range_.length())), "CREATE");
		if (mapped)
			must(map_fixed(device.fd(), range_.address(), range_.length(), PROT_READ), "mmap");
		add(pages);
	}
	void add(u64 pages, bool patient = false)
	{
		SecInfo info = {};
		info.flags = REG | RW;
		for (; pages; pages--, next_ += page) {
			// The driver's thread makes room.
			while (patient && epc_free(device) < 40)
				usleep(200);
			sgx_enclave_add_pages p = {source_.address(), next_, page, reinterpret_cast<u64>(&info), 0, 0};
			must(device.add_pages(p), "ADD_PAGES");
		}
	}
	void unmap() const { must(sgx::unmap(range_.address(), range_.length()), "munmap"); }
	/// Reads a mapped page of each enclave, so that the enclave has been used.
	void use() const
	{
		for (u64 at = 0; at < next_; at += page)
			sgx::probe(range_.address() + at);
	}

	Device device;

private:
	Mapping range_, source_;
	u64 next_ = 0;
};

/// State that the processes share.
struct SharedState {
	std::atomic<bool> ready, go;
};

class Memcg : public testing::Test {
protected:
	void SetUp() override
	{
		ONLY_SGX2();
		if (epc() > 8192)
			GTEST_SKIP() << "needs an EPC of at most 32 MiB";
		if (!Cgroup::possible())
			GTEST_SKIP() << "needs memory cgroups (CONFIG_MEMCG, cgroup2)";
	}
	void await_ready(pid_t pid) const
	{
		while (!state.ready) {
			ASSERT_EQ(waitpid(pid, nullptr, WNOHANG), 0) << "the process ended too early";
			usleep(1000);
		}
	}
	/// Starts a process; an exception in it fails the process.
	static pid_t start(const std::function<void()> &body)
	{
		const pid_t pid = fork();
		if (pid)
			return pid;
		try {
			body();
			_exit(0);
		} catch (const Failed &f) {
			std::printf("# %s\n", f.what());
			std::fflush(stdout);
		}
		_exit(1);
	}
	/// Returns true if the process ends within so many seconds; otherwise kills it.
	static bool ends(pid_t pid, double seconds)
	{
		int status = 0;
		for (const double begin = now(); now() - begin < seconds; usleep(2000)) {
			if (waitpid(pid, &status, WNOHANG) == pid)
				return status == 0;
		}
		kill(pid, SIGKILL);
		return false;
	}
	static double patience() { return guest_time() ? 3 : 300; }
	static void spare_from_oom() { std::ofstream("/proc/self/oom_score_adj") << "-1000"; }

	/// Returns the time in which a program with much EPC runs beside many enclaves of a cgroup, whose limit refuses charges if @p starved;
	/// a negative number if the program does not end.
	double beside_many(bool starved)
	{
		const Cgroup group("many");
		state.ready = false;
		const pid_t many = group.start([&] {
			spare_from_oom();
			std::vector<std::unique_ptr<IdleEnclave>> all;
			for (unsigned i = 0; i < 30; i++)
				all.push_back(std::make_unique<IdleEnclave>(20));
			state.ready = true;
			for (;;)
				pause();
		});
		await_ready(many);
		if (starved)
			must(group.set("memory.max", std::to_string(group.get("memory.current"))), "memory.max");
		const double begin = now();
		pid_t honest = start([] {
			IdleEnclave idle(epc() * 7 / 8);
			idle.add(epc() / 4);
		});
		const bool ended = ends(honest, patience());
		const double took = now() - begin;
		group.end();
		if (!ended)
			waitpid(honest, nullptr, 0);
		return ended ? took : -1;
	}

	/// Evicts pages of an enclave that its owner does not map, and checks that only the cgroup of the owner is charged.
	void pays(const std::function<void()> &own);

private:
	Mapping memory_ = Mapping::adopt(mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), page);

protected:
	SharedState &state = *reinterpret_cast<SharedState *>(memory_.data());
};

TEST_F(Memcg, UnchargeableEnclavesDelayNoOther)
{
	const double without = beside_many(false), with = beside_many(true);
	std::printf("# %.3f s without the enclaves, %.3f s beside them\n", without, with);
	ASSERT_GT(without, 0);
	ASSERT_GT(with, 0) << "the program does not end";
	if (guest_time()) {
		EXPECT_LE(with, 2 * without);
	}
}

TEST_F(Memcg, EvictionInvokesNoOomKiller)
{
	const Cgroup group("full");
	state.ready = false;
	const pid_t owner = group.start([&] {
		spare_from_oom();
		const IdleEnclave idle(epc() / 2);
		state.ready = true;
		for (;;)
			pause();
	});
	await_ready(owner);
	ASSERT_EQ(group.set("memory.max", std::to_string(group.get("memory.current"))), 0);
	const long max = group.get("memory.events", "max");
	const pid_t neighbour = start([] {
		IdleEnclave idle(epc() * 5 / 8);
		idle.add(epc() / 4);
	});
	EXPECT_TRUE(ends(neighbour, patience())) << "the other process does not end";
	EXPECT_EQ(group.get("memory.events", "oom"), 0);
	EXPECT_EQ(group.get("memory.events", "oom_kill"), 0);
	// Two with a pause after each refusal, 96 without one.
	EXPECT_LE(group.get("memory.events", "max") - max, 20);
}

TEST_F(Memcg, EvictionIsNotThrottled)
{
	const Cgroup group("high");
	state.ready = false;
	const pid_t owner = group.start([&] {
		const IdleEnclave idle(epc() * 7 / 8);
		state.ready = true;
		for (;;)
			pause();
	});
	await_ready(owner);
	IdleEnclave idle(epc() / 8 + 64);
	const auto time = [&](u64 pages) {
		const double begin = now();
		idle.add(pages, true);
		return now() - begin;
	};
	const double before = time(epc() / 8);
	ASSERT_EQ(group.set("memory.high", std::to_string(1024 * kib)), 0);
	const double after = time(epc() / 8);
	std::printf("# %.3f s without a limit, %.3f s beyond memory.high\n", before, after);
	EXPECT_LE(after, guest_time() ? 5 * before + 0.1 : 10 * before + 5);
}

void Memcg::pays(const std::function<void()> &own)
{
	const Cgroup owners("owner"), others("other");
	state.ready = false;
	const pid_t owner = owners.start(own);
	await_ready(owner);
	const auto of_nobody = [&] {
		return Cgroup::root_stat("shmem") - owners.get("memory.stat", "shmem") - others.get("memory.stat", "shmem");
	};
	const long before = owners.get("memory.stat", "shmem"), nobody = of_nobody();
	const pid_t neighbour = others.start([] { const IdleEnclave idle(epc() * 3 / 4); });
	EXPECT_TRUE(ends(neighbour, patience())) << "the other process does not end";
	const auto charged = [&] {
		return others.get("memory.stat", "shmem");
	};
	// The process ends, and its charge is removed; the kernel may drop the file a little after the process has ended.
	for (const double until = now() + patience(); charged() > 256 * kib && now() < until;)
		usleep(10000);
	const long bytes = static_cast<long>(epc() * page), paid = owners.get("memory.stat", "shmem") - before, other = charged(),
		   rest = of_nobody() - nobody;
	std::printf("# of %ld KiB of EPC: %ld KiB charged to the owner, %ld KiB to the other process, %ld KiB to the root\n",
		    bytes / kib, paid / kib, other / kib, rest / kib);
	EXPECT_GE(paid, bytes / 5);
	EXPECT_LE(other, 256 * kib);
	EXPECT_LE(rest, 256 * kib);
	owners.end();
}

TEST_F(Memcg, UnmappedEnclaveIsChargedToOwner)
{
	pays([&] {
		const IdleEnclave idle(epc() * 3 / 4, false);
		state.ready = true;
		for (;;)
			pause();
	});
}

TEST_F(Memcg, EnclaveUnmappedAfterUseIsChargedToOwner)
{
	pays([&] {
		const IdleEnclave idle(epc() * 3 / 4);
		idle.use();
		idle.unmap();
		state.ready = true;
		for (;;)
			pause();
	});
}

TEST_F(Memcg, DescriptorInFlightIsChargedToOwner)
{
	int socket[2] = {};
	const Errno error = errno_of(socketpair(AF_UNIX, SOCK_STREAM, 0, socket));
	if (error == ENOSYS || error == EAFNOSUPPORT)
		GTEST_SKIP() << "needs CONFIG_UNIX";
	ASSERT_EQ(error, 0);
	pays([&] {
		IdleEnclave idle(epc() * 3 / 4);
		idle.unmap();
		char byte = 0;
		iovec data = {&byte, 1};
		alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
		msghdr message = {};
		message.msg_iov = &data;
		message.msg_iovlen = 1;
		message.msg_control = room;
		message.msg_controllen = sizeof(room);
		cmsghdr &head = *CMSG_FIRSTHDR(&message);
		head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		const int fd = idle.device.fd();
		std::copy_n(reinterpret_cast<const u8 *>(&fd), sizeof(fd), CMSG_DATA(&head));
		must(sendmsg(socket[0], &message, 0) == 1 ? 0 : EIO, "sendmsg");
		must(idle.device.close(), "close");
		state.ready = true;
		for (;;)
			pause();
	});
	close(socket[0]);
	close(socket[1]);
}

} // namespace
