// SPDX-License-Identifier: GPL-2.0
// Each errno of open, mmap, mprotect, mremap, posix_fadvise and /proc/PID/mem on an enclave, and each signal that a touch may end with.

#include <csignal>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/personality.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// One word through /proc/self/mem.
Errno debug(u64 at, u64 &value, bool write)
{
	const int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	const ssize_t got = write ? pwrite(fd, &value, 8, static_cast<off_t>(at)) : pread(fd, &value, 8, static_cast<off_t>(at));
	const Errno e = errno_of(got);
	close(fd);
	return e;
}

/// An enclave of two pages, R at 0 and RX at the next, that was mapped without limits before it was created.
class ErrnosMap : public ByHand {
protected:
	void SetUp() override
	{
		ByHand::SetUp();
		measurement.create(1, size);
	}
	void add(u64 offset, u64 secinfo)
	{
		info.flags = secinfo;
		pages.offset = offset;
		ASSERT_EQ(device.add_pages(pages), 0);
		measurement.add(offset, secinfo);
	}
	void build()
	{
		ASSERT_EQ(device.create(secs), 0);
		add(0, REG | R);
		add(page, REG | RX);
	}
	void init()
	{
		Sigstruct s = sigstruct_for(secs, measurement.digest());
		sign(s);
		ASSERT_EQ(device.init(s), 0);
	}
	Errno map(u64 offset, u64 length, int prot) const
	{
		return map_fixed(device.fd(), range.address() + offset, length, prot);
	}

	Measurement measurement;
};

TEST_F(ErrnosMap, Private)
{
	for (const bool created : {false, true}) {
		if (created)
			build();
		EXPECT_EQ(mmap(nullptr, page, PROT_READ, MAP_PRIVATE, device.fd(), 0), MAP_FAILED);
		EXPECT_EQ(errno, EINVAL); // errno: mmap EINVAL private
	}
	EXPECT_EQ(map(0, page, PROT_READ), 0);
}

TEST_F(ErrnosMap, Declared)
{
	build();
	// errno: mmap EACCES declared
	EXPECT_EQ(map(0, page, PROT_READ | PROT_WRITE), EACCES);
	EXPECT_EQ(map(0, page, PROT_READ | PROT_EXEC), EACCES);
	EXPECT_EQ(map(page, page, PROT_READ | PROT_WRITE), EACCES);
	EXPECT_EQ(map(0, 2 * page, PROT_READ | PROT_EXEC), EACCES) << "the first of two";
	EXPECT_EQ(map(page, 2 * page, PROT_WRITE), EACCES);
	EXPECT_EQ(map(0, 2 * page, PROT_NONE), 0);
	EXPECT_EQ(map(0, 2 * page, PROT_READ), 0);
	EXPECT_EQ(protect(range.address() + page, page, PROT_READ | PROT_EXEC), 0);
	// errno: mprotect EACCES declared
	EXPECT_EQ(protect(range.address(), page, PROT_READ | PROT_WRITE), EACCES);
	EXPECT_EQ(protect(range.address(), 2 * page, PROT_READ | PROT_EXEC), EACCES);
	EXPECT_EQ(protect(range.address() + page, page, PROT_WRITE), EACCES);
	EXPECT_EQ(protect(range.address(), 2 * page, PROT_NONE), 0);
	EXPECT_EQ(map(2 * page, size - 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC), 0) << "nothing is there";
}

TEST_F(ErrnosMap, Outside)
{
	const Mapping more = Mapping::reserve(4 * size);
	const u64 base = more.address() + size, end = base + size;
	secs.base = base;
	build();
	EXPECT_EQ(map_fixed(device.fd(), end, page, PROT_READ), 0) << "before EINIT anywhere";
	init();
	EXPECT_EQ(map_fixed(device.fd(), end - page, page, PROT_READ), 0);
	// errno: mmap EACCES outside
	EXPECT_EQ(map_fixed(device.fd(), end, page, PROT_READ), EACCES);
	EXPECT_EQ(map_fixed(device.fd(), end - page, 2 * page, PROT_READ), EACCES);
	EXPECT_EQ(map_fixed(device.fd(), base, 2 * size, PROT_NONE), EACCES);
	EXPECT_EQ(map_fixed(device.fd(), base - page, page, PROT_READ), EACCES);
	EXPECT_EQ(map_fixed(device.fd(), base - page, 2 * page, PROT_READ), EACCES);
	EXPECT_EQ(mmap(nullptr, page, PROT_READ, MAP_SHARED, device.fd(), 0), MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
}

TEST_F(ErrnosMap, Implied)
{
	build();
	ASSERT_NE(personality(READ_IMPLIES_EXEC), -1);
	const Errno read = map(0, page, PROT_READ), none = map(4 * page, page, PROT_READ);
	personality(0);
	EXPECT_EQ(read, EACCES); // errno: mmap EACCES implied
	EXPECT_EQ(none, EACCES);
	EXPECT_EQ(map(0, page, PROT_READ), 0);
}

TEST_F(ErrnosMap, Moved)
{
	ONLY_SGX2();
	build();
	ASSERT_EQ(map(0, 2 * page, PROT_READ), 0);
	const Mapping elsewhere(2 * page);
	// errno: mremap EINVAL moved
	EXPECT_EQ(mremap(range.data(), 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere.data()), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(touch(range.address()), 0) << "it is where it was";
}

TEST_F(ErrnosMap, Advice)
{
	ONLY_SGX2();
	build();
	init();
	EXPECT_EQ(posix_fadvise(device.fd(), -1, 0, POSIX_FADV_WILLNEED), EINVAL); // errno: posix_fadvise EINVAL offset
	EXPECT_EQ(posix_fadvise(device.fd(), 0, -1, POSIX_FADV_WILLNEED), EINVAL);
	for (const int advice : {POSIX_FADV_NORMAL, POSIX_FADV_RANDOM, POSIX_FADV_DONTNEED})
		EXPECT_EQ(posix_fadvise(device.fd(), 0, 0, advice), 0);
	// With no mapping there is nothing to do; a length of 0 is all, and more than all is all.
	for (const off_t length : {0L, static_cast<off_t>(page), 1L << 62})
		EXPECT_EQ(posix_fadvise(device.fd(), static_cast<off_t>(secs.base), length, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(posix_fadvise(device.fd(), static_cast<off_t>(secs.base + size), page, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 2);
	ASSERT_EQ(map(8 * page, 4 * page, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(posix_fadvise(device.fd(), 0, 0, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 6) << "where it is mapped, and nowhere else";
	// A range that begins in one mapping and ends in the next.
	ASSERT_EQ(map(13 * page, 2 * page, PROT_READ | PROT_WRITE), 0);
	const auto from = static_cast<off_t>(secs.base + 10 * page);
	EXPECT_EQ(posix_fadvise(device.fd(), from, static_cast<off_t>(4 * page), POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 7);
	EXPECT_EQ(posix_fadvise(device.fd(), from, 1L << 62, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 8);
}

TEST_F(ErrnosMap, FaultAbsent)
{
	// Mapped before anything is there.
	const Mapping more = Mapping::reserve(2 * size);
	secs.base = more.address();
	ASSERT_EQ(map_fixed(device.fd(), more.address(), 2 * size, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_EQ(touch(more.address()), SIGBUS) << "not created";
	build();
	EXPECT_EQ(touch(more.address() + 4 * page), SIGBUS) << "not initialized"; // errno: fault SIGBUS absent
	init();
	EXPECT_EQ(touch(more.address() + size), SIGBUS) << "not in ELRANGE";
	if (!Driver::is_sgx2())
		return;
	EXPECT_EQ(touch(more.address() + 4 * page), 0) << "now a page is added";
	Configure c = {sizeof(c), configure_augment, 0, augment_never, 0, 0};
	ASSERT_EQ(device.call(ioc_configure, &c), 0);
	EXPECT_EQ(touch(more.address() + 8 * page), SIGBUS) << "it wants none";
}

TEST_F(ErrnosMap, FaultDeclared)
{
	ASSERT_EQ(map(0, size, PROT_READ | PROT_WRITE), 0);
	build();
	EXPECT_EQ(touch(range.address()), SIGBUS); // errno: fault SIGBUS declared
	EXPECT_EQ(protect(range.address(), page, PROT_READ), 0);
	EXPECT_EQ(touch(range.address()), 0);
	EXPECT_EQ(touch(range.address() + page), SIGBUS);
	ASSERT_EQ(protect(range.address() + page, page, PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(touch(range.address() + page), 0);
}

TEST_F(ErrnosMap, AccessAbsent)
{
	build();
	init();
	Configure c = {sizeof(c), configure_augment, 0, augment_never, 0, 0};
	if (Driver::is_sgx2()) {
		ASSERT_EQ(device.call(ioc_configure, &c), 0);
	}
	ASSERT_EQ(map(0, 2 * page, PROT_READ), 0);
	ASSERT_EQ(map(4 * page, page, PROT_READ), 0);
	u64 value = 0;
	EXPECT_EQ(debug(range.address(), value, false), 0);
	EXPECT_EQ(debug(range.address() + page - 4, value, false), 0) << "over two pages";
	if (Driver::is_sgx2()) {
		EXPECT_EQ(debug(range.address() + 4 * page, value, false), EIO); // errno: access EIO absent
	}
}

TEST(ErrnosAccess, Field)
{
	const Enclave enclave;
	u64 value = ~0UL;
	EXPECT_EQ(debug(enclave.threads[0], value, true), EIO); // errno: access EIO field
	EXPECT_EQ(debug(enclave.threads[0] + 16, value, true), EIO);
	EXPECT_EQ(debug(enclave.threads[0], value, false), 0);
}

TEST(ErrnosAccess, Waiting)
{
	ONLY_SGX2();
	const Enclave enclave;
	const u64 offset = enclave.image().end, at = enclave.at(offset);
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	ASSERT_EQ(enclave.device().augment_pages(offset, page), (Progress{0, page, 0}));
	u64 value = 0;
	EXPECT_EQ(debug(at, value, false), EIO); // errno: access EIO waiting
	EXPECT_EQ(debug(at, value, true), EIO);
	ASSERT_EQ(enclave.ask(request(Op::accept, at, page, REG | RW | PENDING)).result, 0U);
	value = 5;
	EXPECT_EQ(debug(at, value, true), 0);
}

TEST(ErrnosAccess, Production)
{
	Options options;
	options.attributes = attr_mode64;
	const Enclave enclave(options);
	u64 value = 0;
	// errno: access EIO production
	EXPECT_EQ(debug(enclave.at(0), value, false), EIO);
	EXPECT_EQ(debug(enclave.at(enclave.image().heap), value, true), EIO);
	EXPECT_EQ(debug(enclave.threads[0], value, false), EIO);
}

TEST(ErrnosAccess, Lost)
{
	ONLY_SGX2();
	const auto machine = isa::Monitor::find();
	if (!machine)
		GTEST_SKIP() << "silicon does not lose its EPC when it is told to";
	const Enclave enclave;
	machine->lose_epc();
	EXPECT_EQ(enclave.device().reset_permissions(0, page), (Progress{EIO, 0, 0}));
	u64 value = 0;
	EXPECT_EQ(debug(enclave.at(0), value, false), EIO); // errno: access EIO lost
	EXPECT_EQ(touch(enclave.at(0)), SIGBUS);	    // errno: fault SIGBUS lost
	EXPECT_EQ(touch(enclave.at(enclave.image().end - page)), SIGSEGV) << "not mapped at all";
}

TEST(ErrnosCreate, Entropy)
{
	ONLY_SGX2();
	const auto machine = isa::Monitor::find();
	if (!machine || !Processor::has_updatesvn())
		GTEST_SKIP() << "it wants EUPDATESVN, and a machine that withholds entropy";
	const Mapping range = Mapping::reserve(16 * page);
	const Secs secs = plain_secs(range.address(), 16 * page);
	Device device, second;
	machine->inject(SGX2_DEV_INJ_ENTROPY, 1000000);
	ASSERT_EQ(device.open(), 0);
	EXPECT_EQ(device.create(secs), EAGAIN); // errno: CREATE EAGAIN entropy
	machine->inject(SGX2_DEV_INJ_ENTROPY, 500000);
	EXPECT_EQ(device.create(secs), 0) << "some failures are no trouble";
	machine->inject(SGX2_DEV_INJ_ENTROPY, 1000000);
	ASSERT_EQ(second.open(), 0);
	EXPECT_EQ(second.create(secs), 0) << "only the first asks for it";
	machine->calm();
}

bool frozen()
{
	char word = 'Y';
	std::ifstream("/sys/module/sgx2/parameters/dynamic_code") >> word;
	return word == 'N';
}

TEST_F(ErrnosMap, Frozen)
{
	ONLY_SGX2();
	if (!frozen())
		GTEST_SKIP() << "dynamic_code is 1";
	ASSERT_EQ(map(0, size, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	build();
	info.flags = REG | RWX;
	pages = {source.address(), 2 * page, page, reinterpret_cast<u64>(&info), 0, 0};
	EXPECT_EQ(device.add_pages(pages), EACCES); // errno: ADD_PAGES EACCES frozen
	init();
	EXPECT_EQ(map(page, page, PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(map(4 * page, page, PROT_READ | PROT_EXEC), EACCES); // errno: mmap EACCES frozen
	ASSERT_EQ(map(5 * page, page, PROT_READ), 0);
	EXPECT_EQ(protect(range.address() + 5 * page, page, PROT_READ | PROT_EXEC), EACCES); // errno: mprotect EACCES frozen
	u64 value = 0;
	EXPECT_EQ(debug(range.address() + page, value, true), EIO); // errno: access EIO frozen
	EXPECT_EQ(debug(range.address() + page, value, false), 0);
}

TEST(ErrnosFrozen, Fetch)
{
	ONLY_SGX2();
	if (!frozen())
		GTEST_SKIP() << "dynamic_code is 1";
	Options options;
	options.before = PROT_READ | PROT_WRITE | PROT_EXEC;
	const Enclave enclave(options);
	const u64 at = enclave.at(enclave.image().end);
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at, page, REG | RW | PENDING))));
	ASSERT_TRUE(whole(enclave.ask(request(Op::extend, at, page, REG | RWX))));
	Request run = request(Op::run, at);
	const Exit exit = enclave.enter(run);
	EXPECT_FALSE(exit.normal()); // errno: fault SIGSEGV frozen
	EXPECT_EQ(exit.vector, vector_pf);
	EXPECT_EQ(exit.error & pf_fetch, pf_fetch);
	EXPECT_EQ(exit.error & pf_sgx, 0) << "it is the PTE that forbids";
}

} // namespace
