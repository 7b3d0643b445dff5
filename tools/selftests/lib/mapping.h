// SPDX-License-Identifier: GPL-2.0
// Owners of mappings, and mmap() and its like with an errno as their result.
#pragma once

#include <cstddef>
#include <span>

#include <sys/mman.h>

#include "arch.h"
#include "errors.h"

namespace sgx {

/// A mapping; the destructor unmaps it.
class Mapping {
public:
	Mapping() = default;
	/// Maps anonymous memory of zeroes, or throws Failed.
	explicit Mapping(u64 length, int prot = PROT_READ | PROT_WRITE);
	Mapping(Mapping &&other) noexcept;
	Mapping &operator=(Mapping &&other) noexcept;
	Mapping(const Mapping &) = delete;
	Mapping &operator=(const Mapping &) = delete;
	~Mapping();

	/// Reserves address space without access, aligned to its length, which is a power of two; or throws Failed.
	static Mapping reserve(u64 length);
	/// Takes over a range that other code has mapped.
	static Mapping adopt(void *at, u64 length);

	u64 address() const { return reinterpret_cast<u64>(data_); }
	u8 *data() const { return data_; }
	u64 length() const { return length_; }
	std::span<u8> bytes() const { return {data_, length_}; }
	/// Unmaps the range.
	void reset();
	/// Gives up the range without unmapping it.
	void release();

private:
	u8 *data_ = nullptr;
	u64 length_ = 0;
};

/// Maps a file at `at`.
Errno map_fixed(int fd, u64 at, u64 length, int prot, int flags = MAP_SHARED, u64 offset = 0);
/// mprotect() by errno.
Errno protect(u64 at, u64 length, int prot);
/// Unmaps a range; its address space stays reserved.
Errno unmap(u64 at, u64 length);
/// Reads from outside, and returns the signal that the read raises, or 0. A read of an enclave page returns all ones, and maps the page.
int probe(u64 at);
/// Reads or writes a word of a debug enclave through /proc/self/mem, as a debugger does.
Errno debug_word(u64 at, u64 &value, bool write);

} // namespace sgx
