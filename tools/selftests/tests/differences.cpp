// SPDX-License-Identifier: GPL-2.0
// Intended differences from the kernel's own driver: Documentation/differences.rst lists them.

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "leak_check.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

class Differences : public Dynamic {
protected:
	void SetUp() override
	{
		ONLY_SGX2();
		Dynamic::SetUp();
	}
};

TEST_F(Differences, CallsWaitForEachOther)
{
	constexpr u64 part = 64 * page;
	grow(4 * part);
	std::vector<std::thread> threads;
	std::atomic<unsigned> good = 0;
	for (unsigned i = 0; i < 4; i++) {
		threads.emplace_back([&, i] {
			for (unsigned round = 0; round < 100; round++)
				good += enclave.device().restrict_permissions(offset + i * part, part, R) == Progress{0, part, 0};
		});
	}
	for (auto &thread : threads)
		thread.join();
	EXPECT_EQ(good, 400U);
}

// A page needs a slot of a Version Array only when it is evicted, so growing and trimming must not use EPC permanently.
TEST_F(Differences, GrowAndTrimKeepNoEpc)
{
	constexpr u64 some = 1024 * page;
	const auto cycle = [&] {
		grow(some);
		remove(some);
	};
	cycle();
	const auto used = LeakCheck::now().used;
	ASSERT_TRUE(used);
	for (unsigned round = 0; round < 8; round++)
		cycle();
	EXPECT_EQ(LeakCheck::now().used, used);
}

/// An enclave with more pages than the EPC, so that a call on all pages has to wait for free pages.
class OversizedEnclave : public testing::Test {
protected:
	void SetUp() override
	{
		ONLY_SGX2();
		enclave.map(from, length, PROT_READ | PROT_WRITE);
		ASSERT_TRUE(whole(all(Op::accept, REG | RW | PENDING))) << "faults add more pages than the EPC has";
	}
	static Options large()
	{
		Options options;
		options.size = 1 << 28;
		while (options.size < 2 * Processor::epc_bytes())
			options.size *= 2;
		return options;
	}
	Request all(Op op, u64 secinfo) const { return enclave.ask(request(op, enclave.at(from), length, secinfo)); }

	const u64 length = page * (Processor::epc_bytes() / page * 9 / 8);
	const Enclave enclave{large()};
	const u64 from = enclave.image().end;
};

TEST_F(OversizedEnclave, CallsAndFaultsWaitForPages)
{
	const Device &d = enclave.device();
	EXPECT_EQ(d.restrict_permissions(from, length, R), (Progress{0, length, 0}));
	EXPECT_TRUE(whole(all(Op::accept, REG | R | PR)));
	EXPECT_EQ(d.modify_types(from, length, type_trim), (Progress{0, length, 0}));
	EXPECT_TRUE(whole(all(Op::accept, TRIM | MODIFIED)));
	EXPECT_EQ(d.remove_pages(from, length), (Progress{0, length, 0}));
	EXPECT_GT(fdinfo(d, "sgx2-evictions"), 0);
}

// A killed call stops between two pages, and the pages before are complete. The test tries several delays until one meets the call.
TEST_F(OversizedEnclave, KilledCallStopsBetweenPages)
{
	bool stopped = false;
	for (unsigned wait = 1000; wait < 60000000 && !stopped; wait += wait / 2) {
		const pid_t child = fork();
		if (child == 0) {
			enclave.device().restrict_permissions(from, length, R);
			_exit(0);
		}
		usleep(wait);
		kill(child, SIGKILL);
		int status = 0;
		ASSERT_EQ(waitpid(child, &status, 0), child);
		const Request r = all(Op::accept, REG | R | PR);
		// Each page before the count can be accepted, and the next page is unchanged.
		stopped = r.done && r.done < length;
		if (stopped) {
			EXPECT_EQ(r.result, static_cast<u64>(PAGE_ATTRIBUTES_MISMATCH));
		}
	}
	EXPECT_TRUE(stopped) << "no kill arrived during a call";
}

// An access to a page that is being removed reaches the new page that a fault adds afterwards, never the old content.
TEST_F(Differences, AccessWaitsForRemoval)
{
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	for (unsigned round = 0; round < 200; round++) {
		ASSERT_TRUE(whole(accept(page, REG | RW | PENDING))) << round;
		ASSERT_EQ(enclave.device().modify_types(offset, page, type_trim), (Progress{0, page, 0}));
		ASSERT_TRUE(whole(accept(page, TRIM | MODIFIED)));
		std::atomic<bool> go = false;
		Request touch = request(Op::accept, at, page, REG | RW | PENDING);
		std::thread other([&] {
			while (!go)
				;
			if (enclave.enter(touch, 1).normal())
				return;
			// The access met the trimmed page, which raises a fault: abandon it, as a runtime would.
			Request leave = request(Op::abandon, 0);
			enclave.enter(leave, 1);
			enclave.enter(touch, 1, ERESUME);
		});
		go = true;
		const Progress p = enclave.device().remove_pages(offset, page);
		other.join();
		ASSERT_EQ(p, (Progress{0, page, 0})) << round;
		if (touch.status != Status::done) {
			ASSERT_TRUE(whole(accept(page, REG | RW | PENDING))) << round;
		}
		Request fill = request(Op::fill, at, page);
		ASSERT_TRUE(whole(enclave.ask(fill))) << round;
		remove(page);
	}
}

/// A provision right that is given before CREATE holds after CREATE, and INIT returns what it returns for a later PROVISION.
class EarlyProvision : public ByHand {};

TEST_F(EarlyProvision, HoldsAfterCreate)
{
	Device key;
	ASSERT_EQ(key.open("/dev/sgx_provision"), 0);
	EXPECT_EQ(device.provision(static_cast<u64>(key.fd())), 0);
	secs.attributes |= attr_provision;
	create();
	EXPECT_EQ(device.init(signature()), Driver::is_sgx2() ? 0 : EACCES);
}

} // namespace
