// SPDX-License-Identifier: GPL-2.0
// Building an enclave: each error of CREATE, ADD_PAGES, INIT and PROVISION by itself, and the permissions of mappings.

#include <cstring>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

class Build : public ByHand {
protected:
	Errno add(u64 offset, u64 length = page)
	{
		pages.offset = offset;
		pages.length = length;
		pages.count = 0;
		return device.add_pages(pages);
	}
};

// A page that cannot be added uses no memory of the driver, whatever its offset is.
TEST_F(Build, RefusedPagesUseNoMemory)
{
	ONLY_SGX2();
	constexpr u64 large = 1ULL << 36, chunk = 512 * page;
	// CREATE does not require a mapping.
	secs = plain_secs(large, large);
	create();
	const u64 good = pages.src;
	pages.src = 0x7000000000;
	for (u64 i = 0; i < 1000; i++) {
		pages.offset = i * chunk;
		ASSERT_EQ(device.add_pages(pages), EFAULT);
	}
	// Add a TCS that EADD refuses.
	pages.src = good;
	std::memset(source.data(), 0xff, page);
	info.flags = TCS;
	ASSERT_EQ(device.add_pages(pages), EIO);
	EXPECT_EQ(fdinfo(device, "sgx2-chunks"), 0);
	info.flags = REG | RW;
	ASSERT_EQ(device.add_pages(pages), 0);
	EXPECT_EQ(fdinfo(device, "sgx2-chunks"), 1);
}

TEST_F(Build, Create)
{
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_CREATE, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(device.create(static_cast<u64>(0)), EFAULT);
	for (const u64 bad : {0UL, 3 * page, size + 1}) {
		Secs other = secs;
		other.size = bad;
		EXPECT_EQ(device.create(other), EINVAL) << bad;
	}
	Secs other = secs;
	other.size = page;
	EXPECT_EQ(device.create(other), EIO) << "ECREATE requires at least two pages";
	other = secs;
	other.base += page;
	EXPECT_EQ(device.create(other), EIO) << "ECREATE requires a base that is aligned to the size";
	other = secs;
	other.attributes |= attr_init;
	EXPECT_EQ(device.create(other), EIO);
	other = secs;
	other.xfrm = 1;
	EXPECT_EQ(device.create(other), EIO);
	create();
	EXPECT_EQ(device.create(secs), EINVAL) << "CREATE succeeds only once";
}

TEST_F(Build, AddPagesArgument)
{
	EXPECT_EQ(add(0), EINVAL) << "the enclave is not created";
	create();
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_ADD_PAGES, static_cast<u64>(0)), EFAULT);
	const sgx_enclave_add_pages good = pages;
	for (const auto &[offset, length] : {std::pair<u64, u64>{1, page},
					     {0, 0},
					     {0, 1},
					     {0, page + 1},
					     {size, page},
					     {0, size + page},
					     {~0ULL - page + 1, page},
					     {~0ULL - page + 1, 2 * page}})
		EXPECT_EQ(add(offset, length), EINVAL) << offset << " " << length;
	pages = good;
	pages.src += 8;
	EXPECT_EQ(add(0), EINVAL);
	pages = good;
	pages.secinfo = 0;
	EXPECT_EQ(add(0), EFAULT);
	pages = good;
	for (const u64 flags : {type_bits(type_secs), type_bits(type_va), TRIM | RW, REG | W, REG | W | X, TCS | R,
				REG | RW | PENDING, REG | RW | 64, REG | RW | 1UL << 16, REG | RW | 1UL << 63}) {
		info.flags = flags;
		EXPECT_EQ(add(0), EINVAL) << flags;
	}
	info.flags = REG | RW;
	info.reserved[55] = 1;
	EXPECT_EQ(add(0), EINVAL);
	info.reserved[55] = 0;
	EXPECT_EQ(add(0), 0);
	EXPECT_EQ(pages.count, page);
}

TEST_F(Build, AddPagesSource)
{
	create();
	pages.src = range.address();
	EXPECT_EQ(add(0), EFAULT) << "the source is not readable";
	EXPECT_EQ(pages.count, 0U);
	ASSERT_EQ(protect(source.address() + 2 * page, page, PROT_NONE), 0);
	pages.src = source.address();
	EXPECT_EQ(add(0, 4 * page), EFAULT);
	EXPECT_EQ(pages.count, 2 * page) << "the count has the added pages";
	EXPECT_EQ(add(0), EBUSY) << "the page exists";
	ASSERT_EQ(protect(source.address(), page, PROT_READ), 0);
	EXPECT_EQ(add(8 * page), 0) << "a readable source is enough";
	std::memset(source.data() + page, 0xff, page);
	info.flags = TCS;
	pages.src = source.address() + page;
	EXPECT_EQ(add(9 * page), EIO) << "EADD refuses a TCS with reserved fields set";
	info.flags = REG | RW;
	EXPECT_EQ(add(9 * page), 0) << "the failure does not use up the page";
}

/// A filesystem that is mounted with noexec.
class NoExec {
public:
	NoExec() : good_(mkdir(path, 0700) == 0 && mount("tmpfs", path, "tmpfs", MS_NOEXEC, nullptr) == 0) {}
	~NoExec()
	{
		if (good_)
			umount2(path, MNT_DETACH);
		rmdir(path);
	}
	NoExec(const NoExec &) = delete;
	NoExec &operator=(const NoExec &) = delete;
	bool good() const { return good_; }

	static constexpr const char *path = "/tmp/sgx2-noexec", *file = "/tmp/sgx2-noexec/page";

private:
	bool good_;
};

// ADD_PAGES refuses a source that the program must not execute, for all permissions in SECINFO.
TEST_F(Build, AddPagesFromNoexecMount)
{
	const NoExec folder;
	if (!folder.good())
		GTEST_SKIP() << "cannot mount a filesystem with noexec here";
	create();
	Device file;
	ASSERT_EQ(file.open(NoExec::file, O_RDWR | O_CREAT), 0);
	ASSERT_EQ(ftruncate(file.fd(), page), 0);
	ASSERT_EQ(map_fixed(file.fd(), source.address() + page, page, PROT_READ), 0);
	pages.src = source.address() + page;
	EXPECT_EQ(add(0), EACCES);
	EXPECT_EQ(pages.count, 0U);
	pages.src = source.address();
	EXPECT_EQ(add(0, 2 * page), EACCES);
	EXPECT_EQ(pages.count, page);
}

TEST_F(Build, InitArgument)
{
	Sigstruct s = signature();
	EXPECT_EQ(device.init(s), EINVAL) << "the enclave is not created";
	create();
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_INIT, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(device.init(static_cast<u64>(0)), EFAULT);
	s.vendor = 1;
	EXPECT_EQ(device.init(s), EINVAL);
	s = signature();
	s.attributes = s.attributes_mask = 1 << 3;
	EXPECT_EQ(device.init(s), EINVAL);
	s = signature();
	s.miscselect = s.misc_mask = 1U << 31;
	EXPECT_EQ(device.init(s), EINVAL);
	s = signature();
	s.xfrm = s.xfrm_mask = 1ULL << 62;
	EXPECT_EQ(device.init(s), EINVAL);
	s = signature();
	s.signature[7] ^= 1;
	EXPECT_EQ(device.init(s), EPERM);
	s = signature();
	s.mrenclave[0] ^= 1;
	sign(s);
	EXPECT_EQ(device.init(s), EPERM) << "the signature is for another enclave";
	EXPECT_EQ(device.init(signature()), 0);
	EXPECT_EQ(device.init(signature()), EINVAL) << "INIT succeeds only once";
	EXPECT_EQ(add(0), EINVAL) << "ADD_PAGES fails after INIT";
}

TEST_F(Build, AcceptsIntelVendor)
{
	create();
	Sigstruct s = signature();
	s.vendor = 0x8086;
	sign(s);
	EXPECT_EQ(device.init(s), 0);
}

TEST_F(Build, Provision)
{
	secs.attributes |= attr_provision;
	create();
	EXPECT_EQ(device.init(signature()), EACCES);
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_PROVISION, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(device.provision(~0ULL), EINVAL);
	EXPECT_EQ(device.provision(static_cast<u64>(device.fd())), EINVAL);
	Device key;
	ASSERT_EQ(key.open("/dev/sgx_provision"), 0);
	EXPECT_EQ(device.provision(static_cast<u64>(key.fd())), 0);
	EXPECT_EQ(device.init(signature()), 0);
}

TEST_F(Build, TokenKeyIsNeverAllowed)
{
	secs.attributes |= attr_token;
	create();
	EXPECT_EQ(device.init(signature()), EACCES);
}

TEST_F(Build, MapBeforeCreate)
{
	EXPECT_EQ(map_fixed(device.fd(), range.address(), size, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_EQ(mmap(nullptr, page, PROT_READ, MAP_PRIVATE, device.fd(), 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	// Map as Gramine does: nearly all of a terabyte from address 0.
	void *at = mmap(reinterpret_cast<void *>(0x10000), (1UL << 40) - 0x10000, PROT_READ | PROT_WRITE | PROT_EXEC,
			MAP_SHARED | MAP_FIXED_NOREPLACE, device.fd(), 0);
	if (at != MAP_FAILED)
		EXPECT_EQ(munmap(at, (1UL << 40) - 0x10000), 0);
	else
		EXPECT_EQ(errno, EEXIST);
	create();
	info.flags = REG | R;
	EXPECT_EQ(add(0), 0);
	// A page that is mapped with too many permissions is refused at the fault; the page itself is read-only.
	EXPECT_EQ(protect(range.address(), page, PROT_READ | PROT_WRITE), EACCES);
	EXPECT_EQ(protect(range.address(), page, PROT_READ), 0);
	EXPECT_EQ(protect(range.address() + page, page, PROT_READ | PROT_EXEC), 0) << "no page is there";
}

TEST_F(Build, MapAfterInit)
{
	create();
	ASSERT_EQ(device.init(signature()), 0);
	EXPECT_EQ(map_fixed(device.fd(), range.address(), size, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(mmap(nullptr, page, PROT_READ, MAP_SHARED, device.fd(), 0), MAP_FAILED) << "the address is outside of ELRANGE";
	EXPECT_EQ(errno, EACCES);
	ASSERT_NE(personality(READ_IMPLIES_EXEC), -1);
	EXPECT_EQ(map_fixed(device.fd(), range.address(), page, PROT_READ), EACCES);
	personality(0);
}

TEST_F(Build, MapOfAReadOnlyFile)
{
	Device reader;
	ASSERT_EQ(reader.open("/dev/sgx_enclave", O_RDONLY), 0);
	EXPECT_EQ(reader.create(secs), 0);
	EXPECT_EQ(map_fixed(reader.fd(), range.address(), page, PROT_READ), 0);
	EXPECT_EQ(map_fixed(reader.fd(), range.address(), page, PROT_READ | PROT_WRITE), EACCES);
	EXPECT_EQ(protect(range.address(), page, PROT_READ | PROT_WRITE), EACCES);
}

TEST_F(Build, Mremap)
{
	ONLY_SGX2();
	create();
	ASSERT_EQ(map_fixed(device.fd(), range.address(), 2 * page, PROT_READ), 0);
	const Mapping elsewhere(2 * page);
	EXPECT_EQ(mremap(range.data(), 2 * page, 2 * page, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere.data()), MAP_FAILED);
}

TEST_F(Build, RefusedPrivateMmapKeepsMapping)
{
	ASSERT_EQ(map_fixed(device.fd(), range.address(), page, PROT_READ), 0);
	EXPECT_EQ(map_fixed(device.fd(), range.address(), page, PROT_READ, MAP_PRIVATE), EINVAL);
	// msync() returns an error where nothing is mapped.
	EXPECT_EQ(msync(range.data(), page, MS_ASYNC), 0);
}

TEST(Fork, ChildAndParentShareEnclave)
{
	const Enclave enclave;
	Request r = request(Op::secret, 0);
	r.value = 1234;
	enclave.ask(r);
	const pid_t child = fork();
	if (child == 0) {
		bool good = false;
		try {
			r.value = 5678;
			good = enclave.ask(r).result == 1234;
		} catch (const Failed &) {
		}
		_exit(good ? 0 : 1);
	}
	int status = 0;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(enclave.ask(r).result, 5678U);
}

TEST(Debug, DebugEnclaveIsAccessible)
{
	const Enclave enclave;
	const u64 where = enclave.at(enclave.image().heap) + 12;
	u64 value = 0x1122334455667788;
	EXPECT_EQ(debug_word(where, value, true), 0);
	EXPECT_EQ(enclave.ask(request(Op::read, where)).result, 0x1122334455667788U);
	value = 0;
	EXPECT_EQ(debug_word(where, value, false), 0);
	EXPECT_EQ(value, 0x1122334455667788U);
	// Write to a TCS as gdb does, to allow breakpoints.
	value = tcs_dbgoptin;
	EXPECT_EQ(debug_word(enclave.threads[0] + 8, value, true), 0);
	EXPECT_EQ(debug_word(enclave.threads[0], value, true), EIO);
	enclave.map(enclave.image().end, page, PROT_READ | PROT_WRITE);
	EXPECT_EQ(debug_word(enclave.at(enclave.image().end), value, false), EIO) << "no page is there";
}

TEST(Debug, ProductionEnclaveIsNotAccessible)
{
	Options options;
	options.attributes = attr_mode64;
	const Enclave enclave(options);
	enclave.ask(request(Op::nothing, 0));
	u64 value = 0;
	EXPECT_EQ(debug_word(enclave.at(enclave.image().heap), value, false), EIO);
	EXPECT_EQ(debug_word(enclave.at(enclave.image().heap), value, true), EIO);
}

TEST(Entry, RegistersSurviveExits)
{
	const Enclave enclave;
	Beat beat = {};
	Request r = request(Op::registers, reinterpret_cast<u64>(&beat));
	std::thread clock([&] {
		while (!beat.inside)
			std::this_thread::yield();
		usleep(200000);
		// The speed of the thread does not matter.
		while (static_cast<volatile Beat &>(beat).count <= 100)
			usleep(1000);
		beat.stop = 1;
	});
	u32 leaf = EENTER;
	while (!enclave.enter(r, 0, leaf).normal())
		leaf = ERESUME;
	clock.join();
	EXPECT_EQ(r.result, 0U);
	EXPECT_GT(beat.count, 100U);
}

TEST(Entry, ThreadsInParallel)
{
	const Enclave enclave;
	std::vector<std::thread> threads;
	std::atomic<unsigned> good = 0;
	for (unsigned i = 0; i < 4; i++) {
		threads.emplace_back([&, i] {
			const u64 at = enclave.at(enclave.image().heap) + i * 4 * page;
			for (unsigned round = 0; round < 50; round++) {
				Request fill = request(Op::fill, at, 4 * page), check = request(Op::check, at, 4 * page);
				fill.value = check.value = i * 100 + round;
				enclave.ask(fill, i);
				good += enclave.ask(check, i).result == 0;
			}
		});
	}
	for (auto &thread : threads)
		thread.join();
	EXPECT_EQ(good, 200U);
}

} // namespace
