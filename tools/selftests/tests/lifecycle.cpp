// SPDX-License-Identifier: GPL-2.0
// Conditions around an enclave: processors with fewer or more features, the device file, charges, and faults as signals.

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "raw.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

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

/// A processor with EUPDATESVN, and the number of its executions.
class UpdateSvn : public testing::Test {
protected:
	static constexpr unsigned leaf = 0x18, no_update = 31, entropy = 29;

	void SetUp() override
	{
		ONLY_SGX2();
		machine = isa::Monitor::find();
		if (!Processor::has_updatesvn() || !machine)
			GTEST_SKIP() << "needs a processor with EUPDATESVN";
	}
	u64 count() const
	{
		u64 sum = 0;
		for (unsigned result = 0; result < 34; result++)
			sum += machine->counter(SGX2_DEV_CTR_ENCLS(leaf, result));
		return sum;
	}
	/// Creates an enclave.
	Errno create(Device &device) const
	{
		const Errno error = device.open();
		return error ? error : device.create(plain_secs(range.address(), range.length()));
	}

	std::unique_ptr<isa::Monitor> machine;
	const Mapping range = Mapping::reserve(16 * page);
};

// EUPDATESVN runs before the first of several enclaves is created. It requires an EPC without a page.
TEST_F(UpdateSvn, RunsForFirstEnclaveOnly)
{
	const u64 before = count();
	Device first, second, idle;
	ASSERT_EQ(idle.open(), 0);
	EXPECT_EQ(count(), before) << "open() does not run EUPDATESVN";
	ASSERT_EQ(create(first), 0);
	EXPECT_EQ(count(), before + 1);
	ASSERT_EQ(create(second), 0);
	EXPECT_EQ(count(), before + 1);
	first.close();
	ASSERT_EQ(create(first), 0);
	EXPECT_EQ(count(), before + 1) << "the second enclave still existed";
	first.close();
	second.close();
	ASSERT_EQ(create(first), 0);
	EXPECT_EQ(count(), before + 2) << "a file without an enclave does not count";
	EXPECT_GT(machine->counter(SGX2_DEV_CTR_ENCLS(leaf, no_update)), 0U) << "no new SVN is no failure";
	first.close();
	// Without entropy the driver retries a few times; then the program must retry.
	machine->inject(SGX2_DEV_INJ_ENTROPY, 1000000);
	const u64 short_of = machine->counter(SGX2_DEV_CTR_ENCLS(leaf, entropy));
	EXPECT_EQ(create(first), EAGAIN);
	EXPECT_GT(machine->counter(SGX2_DEV_CTR_ENCLS(leaf, entropy)), short_of + 1);
	machine->clear_injection();
	EXPECT_EQ(first.create(plain_secs(range.address(), range.length())), 0) << "a CREATE that failed does not count";
}

TEST_F(UpdateSvn, FailedCreateIsNotCounted)
{
	Device device;
	ASSERT_EQ(device.open(), 0);
	const u64 before = count();
	Secs bad = plain_secs(range.address(), range.length());
	bad.attributes |= attr_init;
	EXPECT_EQ(device.create(bad), EIO);
	EXPECT_EQ(device.create(bad), EIO);
	EXPECT_EQ(count(), before + 2);
}

// The runner makes this guest with -sgx2.
TEST(Sgx1, EnodevPrecedesArguments)
{
	if (Processor::has_sgx2())
		GTEST_SKIP() << "needs a processor without SGX2";
	const Enclave enclave;
	EXPECT_EQ(enclave.ask(request(Op::nothing, 0)).status, Status::done);
	Device fresh;
	ASSERT_EQ(fresh.open(), 0);
	for (const Device *d : {&enclave.device(), static_cast<const Device *>(&fresh)}) {
		EXPECT_EQ(d->restrict_permissions(0, page, R), (Progress{ENODEV, 0, 0}));
		EXPECT_EQ(d->modify_types(0, page, type_trim), (Progress{ENODEV, 0, 0}));
		EXPECT_EQ(d->remove_pages(0, 0), (Progress{ENODEV, 0, 0}));
		// The call does not read its argument.
		EXPECT_EQ(d->call(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, static_cast<u64>(0)), ENODEV);
		if (!Driver::is_sgx2())
			continue;
		EXPECT_EQ(d->reset_permissions(0, page), (Progress{ENODEV, 0, 0}));
		EXPECT_EQ(d->augment_pages(0, page), (Progress{ENODEV, 0, 0}));
		EXPECT_EQ(d->call(ioc_configure, static_cast<u64>(0)), ENODEV);
		Query query = {};
		query.size = sizeof(query);
		EXPECT_EQ(d->call(ioc_query, &query), 0);
		EXPECT_EQ(query.features & query_sgx2, 0U);
	}
	// A fault adds no page.
	const u64 at = enclave.at(enclave.image().end);
	enclave.map(enclave.image().end, page, PROT_READ | PROT_WRITE);
	EXPECT_EQ(madvise(reinterpret_cast<void *>(at), page, MADV_WILLNEED), 0) << "a hint always succeeds";
	Request touch = request(Op::write, at);
	EXPECT_EQ(enter_raw(enclave, touch, 1).signal, SIGBUS);
}

TEST(Attributes, AexNotify)
{
	Options options;
	options.attributes |= attr_aexnotify;
	if (!(Processor::attributes_allowed() & attr_aexnotify)) {
		try {
			const Enclave enclave(options);
			FAIL() << "CREATE accepted an attribute that the processor does not have";
		} catch (const Failed &failed) {
			EXPECT_EQ(failed.error, EIO);
		}
		return;
	}
	const Enclave enclave(options);
	EXPECT_EQ(enclave.ask(request(Op::nothing, 0)).status, Status::done);
}

// The file of an enclave has no position.
TEST(DeviceFile, SeekFails)
{
	Device device;
	ASSERT_EQ(device.open(), 0);
	for (const int whence : {SEEK_SET, SEEK_CUR, SEEK_END}) {
		EXPECT_EQ(lseek(device.fd(), 0, whence), -1);
		EXPECT_EQ(errno, ESPIPE); // errno: lseek ESPIPE file
	}
}

// The hint applies to the address space of the thread that gives it.
TEST(DeviceFile, AdviceIsForTheCallersMemory)
{
	ONLY_SGX2();
	const Enclave enclave;
	const u64 at = enclave.at(enclave.image().end);
	enclave.map(enclave.image().end, 8 * page, PROT_READ | PROT_WRITE);
	const pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	unmap(at, 8 * page);
	const long before = fdinfo(enclave.device(), "sgx2-pages");
	const int fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
	const iovec range = {reinterpret_cast<void *>(at), 8 * page};
	EXPECT_EQ(syscall(SYS_process_madvise, fd, &range, 1, MADV_WILLNEED, 0), static_cast<long>(8 * page));
	EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before);
	close(fd);
	kill(child, SIGKILL);
	waitpid(child, nullptr, 0);
}

// sgx-step finds enclaves by this name.
TEST(DeviceFile, MapsHasItsName)
{
	const Enclave enclave;
	char range[40];
	std::snprintf(range, sizeof(range), "%lx-", static_cast<unsigned long>(enclave.at(0)));
	const std::string maps = read_all("/proc/self/maps");
	const size_t line = maps.find(range);
	ASSERT_NE(line, std::string::npos) << maps;
	EXPECT_NE(maps.substr(line, maps.find('\n', line) - line).find("/dev/sgx_enclave"), std::string::npos);
}

class Signals : public Dynamic {
protected:
	void leave(Request &r)
	{
		Request abandon = request(Op::abandon, 0);
		EXPECT_TRUE(enclave.enter(abandon).normal());
		EXPECT_TRUE(enter_raw(enclave, r, 0, ERESUME).normal());
	}
};

// Runtimes without the vDSO read these values: SIGSEGV at the AEP with ERESUME in RAX, and the error code with the SGX bit.
TEST_F(Signals, PendingPageRaisesSigsegv)
{
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	Request r = request(Op::write, at + 24);
	const RawExit exit = enter_raw(enclave, r);
	EXPECT_EQ(exit.signal, SIGSEGV);
	EXPECT_EQ(exit.trap, vector_pf);
	EXPECT_EQ(exit.error, pf_present | pf_write | pf_user | pf_sgx);
	EXPECT_EQ(exit.address, at) << "the processor reports the page, not the offset in it";
	EXPECT_EQ(exit.leaf, ERESUME);
	// Accept in the handler inside, and resume, as a runtime would.
	Request accept = request(Op::accept, at, page, REG | RW | PENDING);
	EXPECT_TRUE(enclave.enter(accept).normal());
	EXPECT_TRUE(enter_raw(enclave, r, 0, ERESUME).normal());
	EXPECT_EQ(r.status, Status::done);
}

TEST_F(Signals, ReadOnlyMappingRaisesSigsegv)
{
	grow(page, PROT_READ | PROT_WRITE);
	ASSERT_EQ(protect(at, page, PROT_READ), 0);
	Request r = request(Op::write, at);
	const RawExit exit = enter_raw(enclave, r);
	EXPECT_EQ(exit.signal, SIGSEGV);
	EXPECT_EQ(exit.trap, vector_pf);
	EXPECT_EQ(exit.error & ~static_cast<u64>(pf_present), pf_write | pf_user) << "no SGX bit: the mapping forbids the access";
	leave(r);
}

TEST_F(Signals, AbsentPageRaisesSigbus)
{
	ONLY_SGX2();
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_augment;
	c.augment = augment_never;
	ASSERT_EQ(enclave.device().call(ioc_configure, &c), 0);
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	Request r = request(Op::write, at);
	const RawExit exit = enter_raw(enclave, r);
	EXPECT_EQ(exit.signal, SIGBUS);
	EXPECT_EQ(exit.error, pf_write | pf_user);
	leave(r);
}

// The TCS is not mapped, so the entry itself faults.
TEST_F(Signals, UnmappedTcsFailsEentry)
{
	ASSERT_EQ(unmap(enclave.threads[3], page), 0);
	Request r = request(Op::nothing, 0);
	const RawExit exit = enter_raw(enclave, r, 3);
	EXPECT_EQ(exit.signal, SIGSEGV);
	EXPECT_EQ(exit.leaf, EENTER);
}

/// A memory cgroup of version 2 in the root.
class CgroupDirectory {
public:
	CgroupDirectory()
	{
		write_all(root + "cgroup.subtree_control", "+memory");
		mkdir(path.c_str(), 0755);
	}
	~CgroupDirectory() { rmdir(path.c_str()); }
	CgroupDirectory(const CgroupDirectory &) = delete;
	CgroupDirectory &operator=(const CgroupDirectory &) = delete;

	bool works() const { return access((path + "memory.current").c_str(), R_OK) == 0; }
	bool enter() const { return write_all(path + "cgroup.procs", std::to_string(getpid())); }
	u64 current() const { return std::strtoull(read_all(path + "memory.current").c_str(), nullptr, 10); }

private:
	const std::string root = "/sys/fs/cgroup/", path = root + "sgx2-selftest/";
};

// The memory of an evicted page is charged to the cgroup of the enclave, not to the cgroup of the task that needs the room.
TEST(Cgroup, EvictedPagesAreChargedToOwner)
{
	ONLY_SGX2();
	const CgroupDirectory group;
	if (!group.works())
		GTEST_SKIP() << "needs the memory controller in /sys/fs/cgroup";
	const u64 epc = Processor::epc_bytes(), half = epc / 2 / page * page;
	int ready[2], end[2];
	ASSERT_EQ(pipe(ready), 0);
	ASSERT_EQ(pipe(end), 0);
	const auto fill = [](const Enclave &e, u64 length) {
		e.map(e.image().end, length, PROT_READ | PROT_WRITE);
		e.ask(request(Op::accept, e.at(e.image().end), length, REG | RW | PENDING));
		e.ask(request(Op::fill, e.at(e.image().end), length));
	};
	Options large;
	large.size = 1 << 28;
	while (large.size < 2 * epc)
		large.size *= 2;
	const pid_t child = fork();
	if (child == 0) {
		char byte = 0;
		try {
			if (!group.enter())
				_exit(1);
			const Enclave enclave(large);
			fill(enclave, half);
			(void)!write(ready[1], "r", 1);
			close(end[1]);
			(void)!read(end[0], &byte, 1);
			Request check = request(Op::check, enclave.at(enclave.image().end), half);
			_exit(enclave.ask(check).result == 0 ? 0 : 2);
		} catch (const Failed &) {
			_exit(3);
		}
	}
	char byte = 0;
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &byte, 1), 1) << "the child ended too early";
	const u64 before = group.current();
	{
		const Enclave enclave(large);
		fill(enclave, epc);
	}
	const u64 after = group.current();
	// At least half of its pages must have been evicted, since no task uses them.
	EXPECT_GT(after, before + half / 2) << before;
	EXPECT_LT(after, before + 2 * half) << before;
	EXPECT_EQ(write(end[1], "e", 1), 1);
	int status = 0;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	for (const int fd : {ready[0], end[0], end[1]})
		close(fd);
}

} // namespace
