// SPDX-License-Identifier: GPL-2.0
// An enclave of this suite: its image, its construction, its entries.
#pragma once

#include <span>
#include <vector>

#include "device.h"
#include "mapping.h"
#include "request.h"
#include "sign.h"

namespace sgx {

/// The end of an entry.
struct Exit {
	/// EEXIT, or the leaf that an exception interrupted: EENTER if the entry itself faulted, ERESUME if an AEX left the enclave.
	u32 leaf = 0;
	u16 vector = 0;
	u16 error = 0;
	u64 address = 0;

	bool normal() const { return leaf == EEXIT; }
	bool fault(u16 code) const { return !normal() && vector == vector_pf && error == code; }
};

/// Consecutive pages with one type and one set of permissions.
struct Segment {
	u64 offset;
	/// SECINFO.FLAGS.
	u64 secinfo;
	std::vector<u8> content;
	/// True if EEXTEND measures the content; otherwise the content is not part of the enclave's identity.
	bool measured = true;
};

/// The layout of an enclave, from its ELF file: segments, heap, and the pages of each thread.
struct Image {
	u64 size = 0;
	u64 heap = 0;
	u64 heap_length = 0;
	/// Offset of the end of all pages, rounded up to 2 MiB.
	u64 end = 0;
	std::vector<u64> tcs;
	std::vector<Segment> segments;

	/// Loads the file. If @p heap_pages is not 0, the heap has so many pages, which are not measured; otherwise the file has its size.
	static Image load(std::span<const u8> elf, u64 heap_pages = 0);
	/// Moves everything to higher offsets by a number of bytes.
	void move(u64 by);
};

/// Options of an enclave; the defaults are those of most tests.
struct Options {
	u64 attributes = attr_mode64 | attr_debug;
	/// Size of ELRANGE, a power of two; 0 for the size that the image needs.
	u64 size = 0;
	/// Number of heap pages; 0 for the number in the image.
	u64 heap_pages = 0;
	bool init = true;
	bool map = true;
	/// Maps all of ELRANGE with these permissions before CREATE, as Gramine does.
	int before = PROT_NONE;
	/// Offset of the image in ELRANGE.
	u64 place = 0;
	/// ELRANGE begins at address 0, and the addresses below `place` belong to the rest of the program.
	bool from_zero = false;
	/// Segments in addition to those of the image.
	std::vector<Segment> more;
	/// Use the enclave with sixteen threads and a smaller ELRANGE.
	bool crowd = false;
	/// Use the enclave with one thread and the least code: an entry adds 1000 to the first word of the request.
	bool tiny = false;
};

/// A built enclave. Its functions throw Failed if a step fails.
class Enclave {
public:
	explicit Enclave(const Options &options = {});

	/// Enters the enclave once. The request is in the caller's memory.
	Exit enter(Request &request, unsigned thread = 0, u32 leaf = EENTER) const;
	/// Enters the enclave once, and throws Failed unless the entry ends by EEXIT.
	Request ask(Request request, unsigned thread = 0) const;

	/// Maps a range of offsets over any older mapping.
	void map(u64 offset, u64 length, int prot) const;
	u64 at(u64 offset) const { return base_ + offset; }

	const Device &device() const { return device_; }
	const Image &image() const { return image_; }
	/// Addresses of the TCSs; a test may add more.
	std::vector<u64> threads;

private:
	void reserve(const Options &options);
	void add(const Segment &segment, Measurement &measurement) const;

	Device device_;
	Image image_;
	Mapping range_;
	u64 base_ = 0;
};

/// Returns the number after a key in the fdinfo of the file, or -1.
long fdinfo(const Device &device, const char *key);

} // namespace sgx
