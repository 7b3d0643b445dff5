// SPDX-License-Identifier: GPL-2.0
// An enclave of this suite from its file to its threads.
#pragma once

#include <span>
#include <vector>

#include "device.h"
#include "mapping.h"
#include "request.h"
#include "sign.h"

namespace sgx {

/// How an entry ended.
struct Exit {
	/// EEXIT, or the leaf that an exception interrupted: EENTER if it never came in, ERESUME if it left by an AEX.
	u32 leaf = 0;
	u16 vector = 0;
	u16 error = 0;
	u64 address = 0;

	bool normal() const { return leaf == EEXIT; }
	bool fault(u16 code) const { return !normal() && vector == vector_pf && error == code; }
};

/// A run of pages with the same type and permissions.
struct Segment {
	u64 offset;
	/// SECINFO.FLAGS.
	u64 secinfo;
	std::vector<u8> content;
	/// By EEXTEND; if not, its content is not part of the enclave's identity.
	bool measured = true;
};

/// What an ELF file of enclaves/ says, laid out: segments, heap, and the pages of each thread.
struct Image {
	u64 size = 0;
	u64 heap = 0;
	u64 heap_length = 0;
	/// Offset of the first byte that nothing is placed at, rounded up to 2 MiB.
	u64 end = 0;
	std::vector<u64> tcs;
	std::vector<Segment> segments;

	/// With a heap of so many pages, which is not measured then, or the one that the file asks for.
	static Image load(std::span<const u8> elf, u64 heap_pages = 0);
	/// Everything lies further up by so much.
	void move(u64 by);
};

/// What may differ from the ordinary.
struct Options {
	u64 attributes = attr_mode64 | attr_debug;
	/// Pages of 2 MiB more of ELRANGE than the image asks for, as a power of two; 0 for none.
	u64 size = 0;
	/// Pages of heap instead of the image's; 0 for those.
	u64 heap_pages = 0;
	bool init = true;
	bool map = true;
	/// Map all of ELRANGE with these before CREATE, as Gramine does.
	int before = PROT_NONE;
	/// Offset at which the image begins.
	u64 place = 0;
	/// ELRANGE begins at address 0, and what lies below `place` is other people's.
	bool from_zero = false;
	/// Segments beyond those of the image.
	std::vector<Segment> more;
	/// Sixteen threads, and a smaller ELRANGE.
	bool crowd = false;
	/// One thread and the least code: an entry adds 1000 to the first word of the request.
	bool tiny = false;
};

/// A built enclave. What does not work throws Failed.
class Enclave {
public:
	explicit Enclave(const Options &options = {});

	/// One entry. The request lives in the caller's memory.
	Exit enter(Request &request, unsigned thread = 0, u32 leaf = EENTER) const;
	/// One entry that has to end by EEXIT.
	Request ask(Request request, unsigned thread = 0) const;

	/// Maps a range of offsets; what was there goes.
	void map(u64 offset, u64 length, int prot) const;
	u64 at(u64 offset) const { return base_ + offset; }

	const Device &device() const { return device_; }
	const Image &image() const { return image_; }
	/// TCSs by address; more can be added.
	std::vector<u64> threads;

private:
	void reserve(const Options &options);
	void add(const Segment &segment, Measurement &measurement) const;

	Device device_;
	Image image_;
	Mapping range_;
	u64 base_ = 0;
};

/// Says what the driver's fdinfo has under a key, or -1.
long fdinfo(const Device &device, const char *key);

} // namespace sgx
