// SPDX-License-Identifier: GPL-2.0
// Each errno of open, mmap, mprotect, mremap, posix_fadvise and /proc/PID/mem on an enclave, and each signal of an access.

#include <csignal>
#include <cstring>
#include <fstream>

#include <sys/personality.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// An enclave of two pages, R at 0 and RX at 4096, whose range was mapped with all permissions before CREATE.
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
	EXPECT_EQ(map(0, 2 * page, PROT_READ | PROT_EXEC), EACCES) << "the first of the two pages is not executable";
	EXPECT_EQ(map(page, 2 * page, PROT_WRITE), EACCES);
	EXPECT_EQ(map(0, 2 * page, PROT_NONE), 0);
	EXPECT_EQ(map(0, 2 * page, PROT_READ), 0);
	EXPECT_EQ(protect(range.address() + page, page, PROT_READ | PROT_EXEC), 0);
	// errno: mprotect EACCES declared
	EXPECT_EQ(protect(range.address(), page, PROT_READ | PROT_WRITE), EACCES);
	EXPECT_EQ(protect(range.address(), 2 * page, PROT_READ | PROT_EXEC), EACCES);
	EXPECT_EQ(protect(range.address() + page, page, PROT_WRITE), EACCES);
	EXPECT_EQ(protect(range.address(), 2 * page, PROT_NONE), 0);
	EXPECT_EQ(map(2 * page, size - 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC), 0) << "no page is there";
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

TEST_F(ErrnosMap, Mremap)
{
	ONLY_SGX2();
	build();
	ASSERT_EQ(map(0, 2 * page, PROT_READ), 0);
	const Mapping elsewhere(2 * page);
	// errno: mremap EINVAL moved
	EXPECT_EQ(mremap(range.data(), 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere.data()), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(probe(range.address()), 0) << "the mapping has not moved";
}

TEST_F(ErrnosMap, Fadvise)
{
	ONLY_SGX2();
	build();
	init();
	EXPECT_EQ(posix_fadvise(device.fd(), -1, 0, POSIX_FADV_WILLNEED), EINVAL); // errno: posix_fadvise EINVAL offset
	EXPECT_EQ(posix_fadvise(device.fd(), 0, -1, POSIX_FADV_WILLNEED), EINVAL);
	for (const int advice : {POSIX_FADV_NORMAL, POSIX_FADV_RANDOM, POSIX_FADV_DONTNEED})
		EXPECT_EQ(posix_fadvise(device.fd(), 0, 0, advice), 0);
	// Without a mapping nothing is added. A length of 0, or beyond the end, means up to the end.
	for (const off_t length : {0L, static_cast<off_t>(page), 1L << 62})
		EXPECT_EQ(posix_fadvise(device.fd(), static_cast<off_t>(secs.base), length, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(posix_fadvise(device.fd(), static_cast<off_t>(secs.base + size), page, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 2);
	ASSERT_EQ(map(8 * page, 4 * page, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(posix_fadvise(device.fd(), 0, 0, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 6) << "pages are added only where the file is mapped";
	// The range begins in one mapping and ends in the next.
	ASSERT_EQ(map(13 * page, 2 * page, PROT_READ | PROT_WRITE), 0);
	const auto from = static_cast<off_t>(secs.base + 10 * page);
	EXPECT_EQ(posix_fadvise(device.fd(), from, static_cast<off_t>(4 * page), POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 7);
	EXPECT_EQ(posix_fadvise(device.fd(), from, 1L << 62, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-pages"), 8);
}

TEST_F(ErrnosMap, FaultAbsent)
{
	// The range is mapped before a page exists.
	const Mapping more = Mapping::reserve(2 * size);
	secs.base = more.address();
	ASSERT_EQ(map_fixed(device.fd(), more.address(), 2 * size, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_EQ(probe(more.address()), SIGBUS) << "the enclave is not created";
	build();
	EXPECT_EQ(probe(more.address() + 4 * page), SIGBUS) << "the enclave is not initialized"; // errno: fault SIGBUS absent
	init();
	EXPECT_EQ(probe(more.address() + size), SIGBUS) << "the address is outside of ELRANGE";
	if (!Driver::is_sgx2())
		return;
	EXPECT_EQ(probe(more.address() + 4 * page), 0) << "the fault adds a page";
	Configure c = {sizeof(c), configure_augment, 0, augment_never, 0, 0};
	ASSERT_EQ(device.call(ioc_configure, &c), 0);
	EXPECT_EQ(probe(more.address() + 8 * page), SIGBUS) << "faults add no page";
}

TEST_F(ErrnosMap, FaultDeclared)
{
	ASSERT_EQ(map(0, size, PROT_READ | PROT_WRITE), 0);
	build();
	EXPECT_EQ(probe(range.address()), SIGBUS); // errno: fault SIGBUS declared
	EXPECT_EQ(protect(range.address(), page, PROT_READ), 0);
	EXPECT_EQ(probe(range.address()), 0);
	EXPECT_EQ(probe(range.address() + page), SIGBUS);
	ASSERT_EQ(protect(range.address() + page, page, PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(probe(range.address() + page), 0);
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
	EXPECT_EQ(debug_word(range.address(), value, false), 0);
	EXPECT_EQ(debug_word(range.address() + page - 4, value, false), 0) << "the word is in two pages";
	if (Driver::is_sgx2()) {
		EXPECT_EQ(debug_word(range.address() + 4 * page, value, false), EIO); // errno: access EIO absent
	}
}

TEST(ErrnosAccess, Field)
{
	const Enclave enclave;
	u64 value = ~0UL;
	EXPECT_EQ(debug_word(enclave.threads[0], value, true), EIO); // errno: access EIO field
	EXPECT_EQ(debug_word(enclave.threads[0] + 16, value, true), EIO);
	EXPECT_EQ(debug_word(enclave.threads[0], value, false), 0);
}

TEST(ErrnosAccess, Pending)
{
	ONLY_SGX2();
	const Enclave enclave;
	const u64 offset = enclave.image().end, at = enclave.at(offset);
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	ASSERT_EQ(enclave.device().augment_pages(offset, page), (Progress{0, page, 0}));
	u64 value = 0;
	EXPECT_EQ(debug_word(at, value, false), EIO); // errno: access EIO waiting
	EXPECT_EQ(debug_word(at, value, true), EIO);
	ASSERT_EQ(enclave.ask(request(Op::accept, at, page, REG | RW | PENDING)).result, 0U);
	value = 5;
	EXPECT_EQ(debug_word(at, value, true), 0);
}

TEST(ErrnosAccess, Production)
{
	Options options;
	options.attributes = attr_mode64;
	const Enclave enclave(options);
	u64 value = 0;
	// errno: access EIO production
	EXPECT_EQ(debug_word(enclave.at(0), value, false), EIO);
	EXPECT_EQ(debug_word(enclave.at(enclave.image().heap), value, true), EIO);
	EXPECT_EQ(debug_word(enclave.threads[0], value, false), EIO);
}

TEST(ErrnosAccess, Lost)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	const Enclave enclave;
	machine->lose_epc();
	EXPECT_EQ(enclave.device().reset_permissions(0, page), (Progress{EIO, 0, 0}));
	u64 value = 0;
	EXPECT_EQ(debug_word(enclave.at(0), value, false), EIO); // errno: access EIO lost
	EXPECT_EQ(probe(enclave.at(0)), SIGBUS);		 // errno: fault SIGBUS lost
	EXPECT_EQ(probe(enclave.at(enclave.image().end - page)), SIGSEGV) << "the address is not mapped";
}

TEST(ErrnosCreate, Entropy)
{
	ONLY_SGX2();
	const auto machine = isa::Monitor::find();
	if (!machine || !Processor::has_updatesvn())
		GTEST_SKIP() << "needs EUPDATESVN, and a machine that can withhold entropy";
	const Mapping range = Mapping::reserve(16 * page);
	const Secs secs = plain_secs(range.address(), 16 * page);
	Device device, second;
	machine->inject(SGX2_DEV_INJ_ENTROPY, 1000000);
	ASSERT_EQ(device.open(), 0);
	EXPECT_EQ(device.create(secs), EAGAIN); // errno: CREATE EAGAIN entropy
	machine->inject(SGX2_DEV_INJ_ENTROPY, 500000);
	EXPECT_EQ(device.create(secs), 0) << "CREATE retries after a few failures";
	machine->inject(SGX2_DEV_INJ_ENTROPY, 1000000);
	ASSERT_EQ(second.open(), 0);
	EXPECT_EQ(second.create(secs), 0) << "only the first enclave runs EUPDATESVN";
	machine->clear_injection();
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
		GTEST_SKIP() << "needs dynamic_code=0";
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
	EXPECT_EQ(debug_word(range.address() + page, value, true), EIO); // errno: access EIO frozen
	EXPECT_EQ(debug_word(range.address() + page, value, false), 0);
}

TEST(ErrnosFrozen, Fetch)
{
	ONLY_SGX2();
	if (!frozen())
		GTEST_SKIP() << "needs dynamic_code=0";
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
	EXPECT_EQ(exit.error & pf_sgx, 0) << "the PTE forbids the access";
}

} // namespace
