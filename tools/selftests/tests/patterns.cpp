// SPDX-License-Identifier: GPL-2.0
// Three patterns by which a runtime provides mmap(), mprotect() and munmap() to an enclave. Documentation/edmm.rst explains this code.
//
// The host is the untrusted half outside of the enclave, which makes system calls. The shim is the half inside. The worker enclave
// executes the leaves of the shim on request, so that both halves are in one place.

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/sgx2.h>

#include "fixture.h"

using namespace sgx;

namespace {

// [host]
/// Lets mprotect() also reset the EPCM permissions of its range. A runtime calls this once.
int host_prepare(int fd)
{
	sgx_enclave_configure c = {};
	c.size = sizeof(c);
	c.set = SGX_CONFIGURE_MPROTECT;
	c.mprotect = SGX_MPROTECT_RESET;
	return ioctl(fd, SGX_IOC_ENCLAVE_CONFIGURE, &c);
}

/// Maps a range, and adds its pages before their first access.
int host_map(int fd, void *at, size_t length, int prot)
{
	if (mmap(at, length, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -1;
	return madvise(at, length, MADV_WILLNEED);
}

int host_protect(void *at, size_t length, int prot)
{
	return mprotect(at, length, prot);
}

/// Repeats a call on a range until all of it is done.
template <typename Range>
int host_range(int fd, unsigned long call, Range range)
{
	while (range.length != 0) {
		range.count = 0;
		const int ret = ioctl(fd, call, &range);
		range.offset += range.count;
		range.length -= range.count;
		if (ret != 0 && errno != EINTR && errno != EAGAIN)
			return -1;
	}
	return 0;
}

int host_trim(int fd, size_t offset, size_t length)
{
	sgx_enclave_modify_types range = {};
	range.offset = offset;
	range.length = length;
	range.page_type = type_trim;
	return host_range(fd, SGX_IOC_ENCLAVE_MODIFY_TYPES, range);
}

int host_remove(int fd, size_t offset, size_t length)
{
	sgx_enclave_remove_pages range = {};
	range.offset = offset;
	range.length = length;
	return host_range(fd, SGX_IOC_ENCLAVE_REMOVE_PAGES, range);
}
// [/host]

int prot_of(u64 permissions)
{
	return (permissions & R ? PROT_READ : 0) | (permissions & W ? PROT_WRITE : 0) | (permissions & X ? PROT_EXEC : 0);
}

class Shim {
public:
	explicit Shim(const Enclave &enclave) : enclave_(enclave), fd_(enclave.device().fd())
	{
		EXPECT_EQ(host_prepare(fd_), 0);
		// Map the source of EACCEPTCOPY now, so that its fault is not counted.
		enclave.ask(request(Op::read, enclave.at(enclave.image().heap)));
	}

	// [shim]
	/// Adds pages of zeroes, which have their final permissions from the start.
	void map(u64 offset, u64 length, u64 permissions)
	{
		EXPECT_EQ(host_map(fd_, pointer(offset), length, prot_of(permissions | RW)), 0);
		each_page(Op::accept_copy, offset, length, REG | permissions);
	}

	/// Changes the permissions of pages.
	void protect(u64 offset, u64 length, u64 permissions)
	{
		EXPECT_EQ(host_protect(pointer(offset), length, prot_of(permissions)), 0);
		each_page(Op::accept, offset, length, REG | PR);
		each_page(Op::extend, offset, length, REG | permissions);
	}

	/// Returns pages to the EPC.
	void unmap(u64 offset, u64 length)
	{
		EXPECT_EQ(host_trim(fd_, offset, length), 0);
		each_page(Op::accept, offset, length, TRIM | MODIFIED);
		EXPECT_EQ(host_remove(fd_, offset, length), 0);
	}
	// [/shim]

private:
	void *pointer(u64 offset) const { return reinterpret_cast<void *>(enclave_.at(offset)); }
	/// Executes a leaf in the enclave on each page of the range; each leaf must return 0.
	void each_page(Op op, u64 offset, u64 length, u64 secinfo) const
	{
		Request r = request(op, enclave_.at(offset), length, secinfo);
		// A page of the image that was not written has zeroes.
		r.source = enclave_.at(enclave_.image().heap);
		EXPECT_TRUE(whole(enclave_.ask(r)));
	}

	const Enclave &enclave_;
	int fd_;
};

class Patterns : public Dynamic {
protected:
	static constexpr u64 some = 512 * page_size;

	/// Returns the error code of an access, which is not resumed; 0 if it succeeds.
	u64 access(Op op, unsigned thread) const
	{
		Request r = request(op, at + 8);
		r.value = 1;
		const Exit exit = enclave.enter(r, thread);
		return exit.normal() ? 0 : exit.error;
	}
};

TEST_F(Patterns, MapProtectUnmap)
{
	ONLY_SGX2();
	Shim shim(enclave);
	Count count(enclave);
	shim.map(offset, some, RW);
	EXPECT_EQ(count.faults(), 0) << "pages are added before they are accepted";
	Request fill = request(Op::fill, at, some), check = request(Op::check, at, some);
	EXPECT_TRUE(whole(enclave.ask(fill)));

	count.reset();
	shim.protect(offset, some, R);
	EXPECT_EQ(count.emodprs(), 512);
	EXPECT_LE(count.etracks(), 3) << "one batch";
	EXPECT_EQ(count.broadcasts(), 0) << "no thread is inside";
	EXPECT_EQ(enclave.ask(check).result, 0U) << "the data is unchanged";
	EXPECT_EQ(access(Op::write, 2), static_cast<u64>(pf_present | pf_write | pf_user)) << "the mapping forbids the write";

	shim.protect(offset, some, RW);
	EXPECT_EQ(enclave.ask(check).result, 0U);
	EXPECT_EQ(access(Op::write, 1), 0U);

	shim.unmap(offset, some);
	// Map the range again with other permissions: its content is zero.
	shim.map(offset, page_size, R);
	EXPECT_EQ(enclave.ask(request(Op::read, at)).result, 0U);
	EXPECT_EQ(access(Op::write, 3), static_cast<u64>(pf_present | pf_write | pf_user | pf_sgx))
		<< "the EPCM forbids the write";
}

TEST_F(Patterns, WrittenCodeRuns)
{
	ONLY_SGX2();
	if (!Driver::allows_dynamic_code())
		GTEST_SKIP() << "needs dynamic_code=1";
	Shim shim(enclave);
	shim.map(offset, page_size, RW);
	Request write = request(Op::write, at);
	// lea 1(%rdi), %rax; ret
	write.value = 0xc301478d48;
	enclave.ask(write);
	shim.protect(offset, page_size, RX);
	Request run = request(Op::run, at);
	run.value = 41;
	EXPECT_EQ(enclave.ask(run).result, 42U);
	EXPECT_EQ(access(Op::write, 2), static_cast<u64>(pf_present | pf_write | pf_user));
}

// EACCEPT detects a host that did not change the EPCM.
TEST_F(Patterns, IdleHostIsDetected)
{
	ONLY_SGX2();
	grow(page_size, PROT_READ | PROT_WRITE);
	const Request r = accept(page_size, REG | PR);
	EXPECT_EQ(r.status, Status::refused);
	EXPECT_EQ(r.result, static_cast<u64>(PAGE_ATTRIBUTES_MISMATCH));
}

} // namespace
