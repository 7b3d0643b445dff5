// SPDX-License-Identifier: GPL-2.0
// The EPC is full and no page can be evicted. A task that waits for a page keeps waiting, and handles signals meanwhile.

#include <bit>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::string read_all(const std::string &path)
{
	std::ifstream file(path);
	return {std::istreambuf_iterator<char>(file), {}};
}

bool write_all(const std::string &path, const std::string &text)
{
	std::ofstream file(path);
	file << text << std::flush;
	return file.good();
}

/// Limits committed memory so that the backing files of enclaves cannot grow, until the destructor runs.
class Starvation {
public:
	Starvation()
	{
		for (const char *name : {"overcommit_memory", "overcommit_kbytes", "overcommit_ratio", "admin_reserve_kbytes",
					 "user_reserve_kbytes"})
			before_.emplace_back(name, read_all(vm + name));
		const std::string info = read_all("/proc/meminfo"), key = "Committed_AS:";
		const unsigned long committed = std::stoul(info.substr(info.find(key) + key.size()));
		good_ = write_all(vm + "admin_reserve_kbytes", "0") && write_all(vm + "user_reserve_kbytes", "0") &&
			write_all(vm + "overcommit_kbytes", std::to_string(committed + 1024)) &&
			write_all(vm + "overcommit_memory", "2");
	}
	~Starvation() { end(); }
	Starvation(const Starvation &) = delete;
	Starvation &operator=(const Starvation &) = delete;

	bool good() const { return good_; }
	void end()
	{
		// Writing either of the ratio and the number of kilobytes sets the other one to 0.
		for (const auto &[name, text] : before_)
			EXPECT_TRUE(write_all(vm + name, text)) << name;
		before_.clear();
	}

private:
	static inline const std::string vm = "/proc/sys/vm/";
	std::vector<std::pair<std::string, std::string>> before_;
	bool good_ = false;
};

/// State that the waiting program shares.
struct Shared {
	std::atomic<u64> ready, go, begun, handled, done, refused, hog_ready, hog_go, hog_has;
	std::atomic<int> wrong;
};
Shared *shared = nullptr;

void handler(int)
{
	shared->handled = shared->handled + 1;
}

/// Waits for an event that takes a moment, and returns false if it has not happened after minutes, on whatever host.
template <typename What>
bool soon(What what)
{
	for (const auto end = Clock::now() + 5min; Clock::now() < end; std::this_thread::sleep_for(2ms)) {
		if (what())
			return true;
	}
	return false;
}

u64 epc()
{
	return Processor::epc_bytes() & ~(page - 1);
}

/// Returns the state of a thread by one letter, as /proc has it; '?' if the thread has ended.
char state_of(pid_t thread)
{
	const std::string stat = read_all("/proc/" + std::to_string(thread) + "/stat");
	const std::size_t end = stat.rfind(')');
	return end == std::string::npos || end + 2 >= stat.size() ? '?' : stat[end + 2];
}

/// Waits until the counter is not 0, and then until the thread has slept for that long without a change of the counter. Returns false
/// if the thread ends.
bool sleeps(pid_t thread, const std::atomic<u64> &counter, Clock::duration quiet)
{
	u64 before = counter;
	for (auto since = Clock::now(); Clock::now() - since < quiet; std::this_thread::sleep_for(10ms)) {
		const char state = state_of(thread);
		if (state == 'Z' || state == '?')
			return false;
		if (state != 'S' || !counter || counter != before)
			since = Clock::now();
		before = counter;
	}
	return true;
}

Options large()
{
	Options o;
	o.size = std::max<u64>(1 << 27, std::bit_ceil(4 * epc()));
	return o;
}

/// An enclave with more pages than the EPC.
class FullEnclave {
public:
	FullEnclave()
	{
		enclave.map(offset, length, PROT_READ | PROT_WRITE);
		must(whole(enclave.ask(request(Op::accept, enclave.at(offset), length, REG | RW | PENDING))) ? 0 : EFAULT,
		     "to fill the EPC");
	}
	const u64 length = epc() * 9 / 8 & ~(page - 1);
	const Enclave enclave{large()};
	const u64 offset = enclave.image().end;
};

/// Repeats a call on a range until all of it is done. A signal may shorten the call; it returns no other error.
template <typename Call>
void to_the_end(u64 offset, u64 length, Call call)
{
	while (length) {
		const Progress p = call(offset, length);
		if (p.error || p.result)
			shared->wrong = p.error.value;
		offset += p.count;
		length -= p.count;
	}
}

/// An action that waits for the EPC: the part before the starvation, and the part that waits.
struct Waiter {
	const char *name;
	std::function<std::function<void()>()> prepare;
};

const Waiter waiters[] = {
	{"Fault",
	 [] {
		 const auto full = std::make_shared<FullEnclave>();
		 return [full] {
			 for (u64 at = 0; at < full->length; at += page)
				 full->enclave.ask(request(Op::access, full->enclave.at(full->offset) + at, page));
		 };
	 }},
	{"FirstTouch",
	 [] {
		 const auto enclave = std::make_shared<Enclave>(large());
		 enclave->map(enclave->image().end, 2 * epc(), PROT_READ | PROT_WRITE);
		 enclave->ask(request(Op::nothing, 0));
		 return [enclave] {
			 enclave->ask(request(Op::accept, enclave->at(enclave->image().end), 2 * epc(), REG | RW | PENDING));
		 };
	 }},
	{"AddPages",
	 [] {
		 const auto device = std::make_shared<Device>();
		 const u64 size = std::bit_ceil(2 * epc());
		 const auto range = std::make_shared<Mapping>(Mapping::reserve(size));
		 const auto source = std::make_shared<Mapping>(64 * page);
		 must(device->open(), "open");
		 must(device->create(plain_secs(range->address(), size)), "CREATE");
		 // This thread waits for the first one, and must be stoppable too.
		 const auto second = std::make_shared<std::thread>([device] {
			 while (!shared->done) {
				 if (shared->go && device->init(u64(0)) != EFAULT && !shared->done)
					 shared->wrong = 1;
				 usleep(1000);
			 }
		 });
		 return [device, size, range, source, second] {
			 SecInfo info = {};
			 info.flags = REG | RW;
			 for (u64 done = 0; done < size;) {
				 sgx_enclave_add_pages q = {};
				 q.src = source->address();
				 q.offset = done;
				 q.length = std::min<u64>(64 * page, size - done);
				 q.secinfo = reinterpret_cast<u64>(&info);
				 const Errno error = device->add_pages(q);
				 if (error)
					 shared->wrong = error.value;
				 done += q.count;
			 }
			 shared->done = 1;
			 second->join();
		 };
	 }},
	{"Augment",
	 [] {
		 const auto enclave = std::make_shared<Enclave>(large());
		 return [enclave] {
			 to_the_end(enclave->image().end, 2 * epc(),
				    [&](u64 o, u64 l) { return enclave->device().augment_pages(o, l); });
		 };
	 }},
	{"Restrict",
	 [] {
		 const auto full = std::make_shared<FullEnclave>();
		 return [full] {
			 to_the_end(full->offset, full->length,
				    [&](u64 o, u64 l) { return full->enclave.device().restrict_permissions(o, l, R); });
		 };
	 }},
};

class Starved : public testing::Test {
protected:
	void SetUp() override
	{
		ONLY_SGX2();
		shared = new (mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared{};
		hog_ = fork();
		if (hog_ == 0)
			child([] { hog(); });
		EXPECT_TRUE(soon([] { return shared->hog_ready != 0; }));
	}
	void TearDown() override
	{
		for (const pid_t child : {pid, hog_}) {
			if (child > 0) {
				kill(child, SIGKILL);
				waitpid(child, nullptr, 0);
			}
		}
		if (shared)
			munmap(shared, page);
		shared = nullptr;
	}
	/// Another program takes the rest of the EPC and of the memory, and then waits too. Returns false if that program ends.
	bool starve() const
	{
		shared->hog_go = 1;
		return sleeps(hog_, shared->hog_has, 1s);
	}
	/// Starts a child that prepares itself, and does the rest on request.
	void start(const std::function<std::function<void()>()> &prepare)
	{
		pid = fork();
		if (pid == 0) {
			child([&] {
				struct sigaction action = {};
				action.sa_handler = handler;
				action.sa_flags = SA_RESTART;
				sigaction(SIGUSR1, &action, nullptr);
				const auto rest = prepare();
				shared->ready = 1;
				while (!shared->go)
					usleep(1000);
				shared->begun = 1;
				rest();
				shared->done = 1;
			});
		}
		while (!shared->ready) {
			ASSERT_EQ(waitpid(pid, nullptr, WNOHANG), 0) << "the child ended too early";
			usleep(1000);
		}
	}
	bool stopped() const
	{
		int status = 0;
		return waitpid(pid, &status, WUNTRACED | WNOHANG | __WALL) == pid && WIFSTOPPED(status);
	}
	/// Ends the starvation. The child must continue, and succeed.
	void finish(Starvation &starvation)
	{
		EXPECT_FALSE(shared->done) << "the child did not wait";
		starvation.end();
		// A child that does not respond to a debugger would never end.
		if (HasFailure())
			return;
		int status = -1;
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		pid = -1;
		EXPECT_EQ(status, 0);
		EXPECT_EQ(shared->wrong, 0);
	}

	pid_t pid = -1;

private:
	static void hog()
	{
		const Enclave enclave(large());
		enclave.map(enclave.image().end, 2 * epc(), PROT_READ | PROT_WRITE);
		enclave.ask(request(Op::nothing, 0));
		shared->hog_ready = 1;
		while (!shared->hog_go)
			usleep(1000);
		for (u64 at = 0; at < 2 * epc(); at += page) {
			enclave.ask(request(Op::accept, enclave.at(enclave.image().end + at), page, REG | RW | PENDING));
			shared->hog_has = shared->hog_has + 1;
		}
		pause();
	}
	template <typename Body>
	[[noreturn]] static void child(Body body)
	{
		try {
			body();
			_exit(0);
		} catch (const std::exception &e) {
			std::fprintf(stderr, "# %s\n", e.what());
		}
		_exit(1);
	}

	pid_t hog_ = -1;
};

class StarvedWaiter : public Starved, public testing::WithParamInterface<Waiter> {};

TEST_P(StarvedWaiter, HandlesSignalsAndDebugger)
{
	ASSERT_NO_FATAL_FAILURE(start(GetParam().prepare));
	Starvation starvation;
	ASSERT_TRUE(starvation.good());
	ASSERT_TRUE(starve());
	shared->go = 1;
	ASSERT_TRUE(sleeps(pid, shared->begun, 200ms)) << "the child ended, and did not wait";
	EXPECT_EQ(kill(pid, SIGUSR1), 0);
	EXPECT_TRUE(soon([] { return shared->handled != 0; })) << "the handler of the signal did not run";
	EXPECT_EQ(kill(pid, SIGSTOP), 0);
	EXPECT_TRUE(soon([&] { return stopped(); })) << "SIGSTOP did not stop the child";
	kill(pid, SIGCONT);
	EXPECT_EQ(ptrace(PTRACE_SEIZE, pid, nullptr, nullptr), 0);
	EXPECT_EQ(ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr), 0);
	EXPECT_TRUE(soon([&] { return stopped(); })) << "the debugger did not stop the child";
	ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
	finish(starvation);
}

INSTANTIATE_TEST_SUITE_P(Waiters, StarvedWaiter, testing::ValuesIn(waiters),
			 [](const testing::TestParamInfo<Waiter> &test) { return test.param.name; });

/// Returns the offset of the first range of such pages in fdinfo; all ones if there is none.
u64 range_of(const Device &device, const std::string &what)
{
	std::ifstream info("/proc/self/fdinfo/" + std::to_string(device.fd()));
	for (std::string line; std::getline(info, line);) {
		if (line.starts_with("sgx2-range:") && line.find(what) != std::string::npos)
			return std::stoul(line.substr(line.find("0x")), nullptr, 16);
	}
	return ~0ULL;
}

/// Periodic signals, with a handler that does not restart calls.
class Alarms {
public:
	Alarms()
	{
		struct sigaction action = {};
		action.sa_handler = handler;
		sigaction(SIGALRM, &action, nullptr);
		const itimerval often = {{0, 100000}, {0, 100000}};
		setitimer(ITIMER_REAL, &often, nullptr);
	}
	~Alarms()
	{
		const itimerval never = {};
		setitimer(ITIMER_REAL, &never, nullptr);
		signal(SIGALRM, SIG_DFL);
	}
	Alarms(const Alarms &) = delete;
	Alarms &operator=(const Alarms &) = delete;
};

// A call that has done nothing returns EINTR to a program that wants it; any other call returns its count.
TEST_F(Starved, CallsReturnEintr)
{
	const Enclave enclave(large());
	const Device &d = enclave.device();
	const u64 offset = enclave.image().end, at = enclave.at(offset), few = 64 * page, most = epc() * 9 / 8 & ~(page - 1);
	enclave.map(offset, most, PROT_READ | PROT_WRITE);
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at, few, REG | RW | PENDING))));
	ASSERT_EQ(d.modify_types(offset, few, type_trim), (Progress{0, few, 0}));
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at, few, TRIM | MODIFIED))));
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at + few, most - few, REG | RW | PENDING))));
	const u64 trimmed = range_of(d, "trim evicted"), regular = range_of(d, "reg evicted");
	ASSERT_NE(trimmed, ~0ULL);
	ASSERT_NE(regular, ~0ULL);
	Device other, key;
	ASSERT_EQ(other.open(), 0);
	ASSERT_EQ(key.open("/dev/sgx_provision"), 0);
	const Mapping range = Mapping::reserve(16 * page);
	const Secs secs = plain_secs(range.address(), 16 * page);
	// This thread blocks the signals, waits for its page, and holds the enclave meanwhile.
	std::atomic<bool> go = false;
	std::atomic<pid_t> waiter = 0;
	std::atomic<u64> creates = 0;
	sigset_t set = {};
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, nullptr);
	std::thread thread([&] {
		while (!go)
			usleep(1000);
		waiter = gettid();
		creates = 1;
		EXPECT_EQ(other.create(secs), 0);
	});
	pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
	Starvation starvation;
	EXPECT_TRUE(starvation.good());
	EXPECT_TRUE(starve());
	const Progress nothing = {EINTR, 0, 0};
	{
		const Alarms alarms;
		Progress p;
		for (u64 from = offset + most; !p.error; from += p.count)
			p = d.augment_pages(from, 2 * epc());
		EXPECT_EQ(p, nothing);					      // errno: AUGMENT EINTR signal
		EXPECT_EQ(d.restrict_permissions(regular, page, R), nothing); // errno: RESTRICT EINTR signal
		EXPECT_EQ(d.reset_permissions(regular, page), nothing);	      // errno: RESET EINTR signal
		EXPECT_EQ(d.modify_types(regular, page, type_trim), nothing); // errno: MODIFY EINTR signal
		EXPECT_EQ(d.remove_pages(trimmed, page), nothing);	      // errno: REMOVE EINTR signal
		EXPECT_EQ(other.create(secs), EINTR);			      // errno: CREATE EINTR signal
	}
	go = true;
	while (!creates)
		usleep(1000);
	EXPECT_TRUE(sleeps(waiter, creates, 200ms)) << "CREATE did not wait";
	{
		const Alarms alarms;
		EXPECT_EQ(other.provision(static_cast<u64>(key.fd())), EINTR); // errno: PROVISION EINTR signal
	}
	starvation.end();
	thread.join();
}

// mprotect() holds mmap_lock, for which other tasks wait: it does not wait for EPC pages, and returns EAGAIN.
TEST_F(Starved, MprotectReturnsEagain)
{
	ASSERT_NO_FATAL_FAILURE(start([] {
		const auto full = std::make_shared<FullEnclave>();
		Configure c = {};
		c.size = sizeof(c);
		c.set = configure_mprotect;
		c.mprotect = mprotect_reset;
		must(full->enclave.device().call(ioc_configure, &c), "CONFIGURE");
		return [full] {
			// errno: mprotect EAGAIN epc
			for (Errno error = EAGAIN; error;) {
				error = protect(full->enclave.at(full->offset), full->length, PROT_READ);
				shared->refused = shared->refused + (error == EAGAIN);
				if (error && error != EAGAIN)
					shared->wrong = error.value;
			}
		};
	}));
	Starvation starvation;
	ASSERT_TRUE(starvation.good());
	ASSERT_TRUE(starve());
	shared->go = 1;
	const bool refused = soon([] { return shared->refused != 0; });
	EXPECT_TRUE(refused) << "mprotect() waits for a page";
	// A read of this file waits for the same lock.
	if (refused) {
		EXPECT_NE(read_all("/proc/" + std::to_string(pid) + "/maps"), "");
	}
	finish(starvation);
}

} // namespace
