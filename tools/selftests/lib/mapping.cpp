// SPDX-License-Identifier: GPL-2.0
// mmap(), mprotect() and munmap() with an errno as their result, and the owner of a range.

#include "mapping.h"

#include <csetjmp>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace sgx {

Mapping::Mapping(u64 length, int prot)
{
	void *at = mmap(nullptr, length, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		throw Failed("mmap of " + std::to_string(length) + " bytes", errno);
	data_ = static_cast<u8 *>(at);
	length_ = length;
}

Mapping::Mapping(Mapping &&other) noexcept : data_(std::exchange(other.data_, nullptr)), length_(std::exchange(other.length_, 0))
{
}

Mapping &Mapping::operator=(Mapping &&other) noexcept
{
	std::swap(data_, other.data_);
	std::swap(length_, other.length_);
	return *this;
}

Mapping::~Mapping()
{
	reset();
}

Mapping Mapping::reserve(u64 length)
{
	// A range of twice the length contains an aligned one; the rest is unmapped at once.
	Mapping whole(2 * length, PROT_NONE);
	const u64 first = (whole.address() + length - 1) & ~(length - 1);
	const u64 before = first - whole.address(), after = length - before;

	if (before)
		munmap(whole.data(), before);
	if (after)
		munmap(whole.data() + before + length, after);
	Mapping piece = adopt(whole.data() + before, length);
	whole.release();
	return piece;
}

Mapping Mapping::adopt(void *at, u64 length)
{
	Mapping m;
	m.data_ = static_cast<u8 *>(at);
	m.length_ = length;
	return m;
}

void Mapping::reset()
{
	if (data_)
		munmap(data_, length_);
	release();
}

void Mapping::release()
{
	data_ = nullptr;
	length_ = 0;
}

namespace {

// Addresses of enclaves are numbers: they are computed, and most of them refer to no object.
void *pointer(u64 at)
{
	return reinterpret_cast<void *>(at);
}

sigjmp_buf touched;

void back(int number)
{
	siglongjmp(touched, number);
}

} // namespace

Errno map_fixed(int fd, u64 at, u64 length, int prot, int flags, u64 offset)
{
	void *got = mmap(pointer(at), length, prot, flags | MAP_FIXED, fd, static_cast<off_t>(offset));
	return got == MAP_FAILED ? Errno{errno} : Errno{};
}

Errno protect(u64 at, u64 length, int prot)
{
	return errno_of(mprotect(pointer(at), length, prot));
}

Errno unmap(u64 at, u64 length)
{
	return map_fixed(-1, at, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

int probe(u64 at)
{
	struct sigaction action = {}, bus, segv;
	action.sa_handler = back;
	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGSEGV, &action, &segv);
	const int number = sigsetjmp(touched, 1);
	if (!number) {
		[[maybe_unused]] const u8 byte = *reinterpret_cast<volatile const u8 *>(at);
	}
	sigaction(SIGBUS, &bus, nullptr);
	sigaction(SIGSEGV, &segv, nullptr);
	return number;
}

Errno debug_word(u64 at, u64 &value, bool write)
{
	const int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	const auto where = static_cast<off_t>(at);
	const Errno error = errno_of(write ? pwrite(fd, &value, sizeof(value), where) : pread(fd, &value, sizeof(value), where));
	close(fd);
	return error;
}

} // namespace sgx
