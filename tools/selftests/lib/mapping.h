// SPDX-License-Identifier: GPL-2.0
// Memory of the program that gives itself back: mmap() with an owner.
#pragma once

#include <cstddef>
#include <span>

#include <sys/mman.h>

#include "arch.h"
#include "errors.h"

namespace sgx {

/// A range that was mapped, and is unmapped at the end.
class Mapping {
public:
	Mapping() = default;
	/// Anonymous, zeroes. Throws Failed.
	explicit Mapping(u64 length, int prot = PROT_READ | PROT_WRITE);
	Mapping(Mapping &&other) noexcept;
	Mapping &operator=(Mapping &&other) noexcept;
	Mapping(const Mapping &) = delete;
	Mapping &operator=(const Mapping &) = delete;
	~Mapping();

	/// Address space without access, aligned to its length, which is a power of two. Throws Failed.
	static Mapping reserve(u64 length);
	/// Takes over a range that somebody else mapped.
	static Mapping adopt(void *at, u64 length);

	u64 address() const { return reinterpret_cast<u64>(data_); }
	u8 *data() const { return data_; }
	u64 length() const { return length_; }
	std::span<u8> bytes() const { return {data_, length_}; }
	/// Unmaps now.
	void reset();
	/// Forgets the range without unmapping it.
	void release();

private:
	u8 *data_ = nullptr;
	u64 length_ = 0;
};

/// mmap() of a file, by errno; `at` is where it has to be.
Errno map_fixed(int fd, u64 at, u64 length, int prot, int flags = MAP_SHARED, u64 offset = 0);
/// mprotect() by errno.
Errno protect(u64 at, u64 length, int prot);
/// munmap(), and the address space stays reserved.
Errno unmap(u64 at, u64 length);
/// The signal that a read from outside ends with, or 0: of an enclave it then reads all ones, but the page has been mapped.
int touch(u64 at);

} // namespace sgx
