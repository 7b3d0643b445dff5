// SPDX-License-Identifier: GPL-2.0
// Loads, builds, maps and enters an enclave.

#include "enclave.h"

#include <cstdio>
#include <cstring>
#include <fstream>

#include <elf.h>
#include <sys/auxv.h>

#include "embedded.h"

extern "C" int sgx_enter(void *function, void *request, unsigned leaf, void *run);

namespace sgx {

namespace {

constexpr u64 big_page = 2 << 20;

u64 round_up(u64 value, u64 to)
{
	return (value + to - 1) / to * to;
}

template <typename T>
const T &at_offset(std::span<const u8> elf, u64 offset)
{
	if (offset + sizeof(T) > elf.size())
		throw Failed("the ELF file of the enclave is truncated");
	return *reinterpret_cast<const T *>(elf.data() + offset);
}

Layout layout_of(std::span<const u8> elf)
{
	const auto &header = at_offset<Elf64_Ehdr>(elf, 0);
	const auto &names = at_offset<Elf64_Shdr>(elf, header.e_shoff + header.e_shstrndx * sizeof(Elf64_Shdr));
	for (unsigned i = 0; i < header.e_shnum; i++) {
		const auto &section = at_offset<Elf64_Shdr>(elf, header.e_shoff + i * sizeof(Elf64_Shdr));
		const char *name = reinterpret_cast<const char *>(elf.data() + names.sh_offset + section.sh_name);
		if (std::strcmp(name, ".sgx2.layout") == 0) {
			const auto &layout = at_offset<Layout>(elf, section.sh_offset);
			if (layout.magic == layout_magic)
				return layout;
		}
	}
	throw Failed("the ELF file of the enclave has no layout section");
}

/// Adds the pages of a thread in this order: stacks, SSA frames, the page at GS, the TCS. The TCS refers to the others.
void add_thread(Image &image, const Layout &layout, u64 entry, u64 &next)
{
	const u64 stack = next + layout.stack_pages * page_size;
	const u64 handler = stack + layout.handler_stack_pages * page_size;
	const u64 frames = handler + layout.frames * page_size;
	const u64 tcs_at = frames + page_size;

	image.segments.push_back({next, REG | RW, std::vector<u8>(frames - next)});
	ThreadData data = {};
	data.stack = stack - tcs_at;
	data.handler_stack = handler - tcs_at;
	data.ssa = handler - tcs_at;
	data.frame_size = page_size;
	std::vector<u8> page(page_size);
	std::memcpy(page.data(), &data, sizeof(data));
	image.segments.push_back({frames, REG | RW, page});
	Tcs tcs = {};
	tcs.ssa = handler;
	tcs.nssa = layout.frames;
	tcs.entry = entry;
	tcs.fs_base = tcs.gs_base = frames;
	tcs.fs_limit = tcs.gs_limit = ~0U;
	std::memcpy(page.data(), &tcs, sizeof(tcs));
	image.segments.push_back({tcs_at, TCS, page});
	image.tcs.push_back(tcs_at);
	next = tcs_at + page_size;
}

/// Returns a function of the vDSO, an ELF file in memory whose dynamic section has its symbols.
void *vdso_function(const char *wanted)
{
	const u64 base = getauxval(AT_SYSINFO_EHDR);
	if (!base)
		return nullptr;
	const auto *header = reinterpret_cast<const Elf64_Ehdr *>(base);
	const auto *program = reinterpret_cast<const Elf64_Phdr *>(base + header->e_phoff);
	const Elf64_Sym *symbols = nullptr;
	const char *names = nullptr;
	const u32 *hash = nullptr;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (program[i].p_type != PT_DYNAMIC)
			continue;
		const auto *entry = reinterpret_cast<const Elf64_Dyn *>(base + program[i].p_offset);
		for (; entry->d_tag != DT_NULL; entry++) {
			const u64 value = base + entry->d_un.d_ptr;
			if (entry->d_tag == DT_SYMTAB)
				symbols = reinterpret_cast<const Elf64_Sym *>(value);
			else if (entry->d_tag == DT_STRTAB)
				names = reinterpret_cast<const char *>(value);
			else if (entry->d_tag == DT_HASH)
				hash = reinterpret_cast<const u32 *>(value);
		}
	}
	for (u32 i = 0; symbols && names && hash && i < hash[1]; i++) {
		if (std::strcmp(names + symbols[i].st_name, wanted) == 0)
			return reinterpret_cast<void *>(base + symbols[i].st_value);
	}
	return nullptr;
}

} // namespace

Image Image::load(std::span<const u8> elf, u64 heap_pages)
{
	const auto &header = at_offset<Elf64_Ehdr>(elf, 0);
	const Layout layout = layout_of(elf);
	Image image;
	u64 next = 0;
	for (unsigned i = 0; i < header.e_phnum; i++) {
		const auto &program = at_offset<Elf64_Phdr>(elf, header.e_phoff + i * sizeof(Elf64_Phdr));
		if (program.p_type != PT_LOAD || !program.p_memsz)
			continue;
		Segment segment = {program.p_vaddr, REG | R, std::vector<u8>(page_up(program.p_memsz))};
		segment.secinfo |= (program.p_flags & PF_W ? W : 0) | (program.p_flags & PF_X ? X : 0);
		std::memcpy(segment.content.data(), elf.data() + program.p_offset, program.p_filesz);
		next = segment.offset + segment.content.size();
		image.segments.push_back(std::move(segment));
	}
	image.heap = next;
	image.heap_length = (heap_pages ? heap_pages : layout.heap_pages) * page_size;
	image.segments.push_back({next, REG | RW, std::vector<u8>(image.heap_length), heap_pages == 0});
	next += image.heap_length;
	for (u32 i = 0; i < layout.threads; i++)
		add_thread(image, layout, header.e_entry, next);
	image.end = round_up(next, big_page);
	image.size = 1ULL << layout.size_log2;
	return image;
}

void Image::move(u64 by)
{
	heap += by;
	end += by;
	for (u64 &offset : tcs)
		offset += by;
	for (Segment &segment : segments) {
		segment.offset += by;
		if (segment.secinfo != TCS)
			continue;
		auto &thread = *reinterpret_cast<Tcs *>(segment.content.data());
		for (u64 *offset : {&thread.ssa, &thread.entry, &thread.fs_base, &thread.gs_base})
			*offset += by;
	}
}

/// Reserves the addresses, and maps those that the options map before CREATE.
void Enclave::reserve(const Options &options)
{
	if (options.from_zero) {
		const u64 length = image_.size - options.place;
		must(map_fixed(device_.fd(), options.place, length, options.before, MAP_SHARED | MAP_FIXED_NOREPLACE),
		     "mmap at a low address");
		range_ = Mapping::adopt(reinterpret_cast<void *>(options.place), length);
		return;
	}
	range_ = Mapping::reserve(image_.size);
	base_ = range_.address();
	if (options.before != PROT_NONE)
		map(0, image_.size, options.before);
}

Enclave::Enclave(const Options &options)
	: image_(Image::load(options.tiny  ? embedded_tiny() :
			     options.crowd ? embedded_crowd() :
					     embedded_worker(),
			     options.heap_pages))
{
	if (options.size)
		image_.size = options.size;
	image_.move(options.place);
	image_.segments.insert(image_.segments.end(), options.more.begin(), options.more.end());
	for (Segment &segment : image_.segments) {
		// EENTER requires the flag in both places or in neither.
		if (segment.secinfo == TCS && options.attributes & attr_aexnotify)
			segment.content[offsetof(Tcs, flags)] |= tcs_aexnotify;
	}
	must(device_.open(), "opening /dev/sgx_enclave");
	reserve(options);
	Secs secs = plain_secs(base_, image_.size);
	secs.miscselect = misc_exinfo;
	secs.attributes = options.attributes;
	must(device_.create(secs), "CREATE");
	Measurement measurement;
	measurement.create(1, image_.size);
	for (const Segment &segment : image_.segments)
		add(segment, measurement);
	for (const u64 tcs : image_.tcs)
		threads.push_back(at(tcs));
	if (options.init) {
		Sigstruct sigstruct = sigstruct_for(secs, measurement.digest());
		sign(sigstruct);
		must(device_.init(sigstruct), "INIT");
	}
	if (!options.map)
		return;
	for (const Segment &segment : image_.segments) {
		const bool tcs = segment.secinfo == TCS;
		const int prot = tcs ? PROT_READ | PROT_WRITE :
				       (segment.secinfo & R ? PROT_READ : 0) | (segment.secinfo & W ? PROT_WRITE : 0) |
						 (segment.secinfo & X ? PROT_EXEC : 0);
		map(segment.offset, segment.content.size(), prot);
	}
}

void Enclave::add(const Segment &segment, Measurement &measurement) const
{
	// ADD_PAGES requires an aligned source that the program may execute.
	const Mapping source(segment.content.size());
	std::memcpy(source.data(), segment.content.data(), segment.content.size());
	SecInfo info = {};
	info.flags = segment.secinfo;
	sgx_enclave_add_pages pages = {};
	pages.src = source.address();
	pages.offset = segment.offset;
	pages.length = segment.content.size();
	pages.secinfo = reinterpret_cast<u64>(&info);
	pages.flags = segment.measured ? SGX_PAGE_MEASURE : 0;
	must(device_.add_pages(pages), "ADD_PAGES");
	for (u64 done = 0; done < segment.content.size(); done += page_size) {
		measurement.add(segment.offset + done, segment.secinfo);
		if (segment.measured)
			measurement.extend_page(segment.offset + done, segment.content.data() + done);
	}
}

Exit Enclave::enter(Request &request, unsigned thread, u32 leaf) const
{
	static void *const function = vdso_function("__vdso_sgx_enter_enclave");
	if (!function)
		throw Failed("the vDSO of this kernel cannot enter enclaves: it needs CONFIG_X86_SGX");
	sgx_enclave_run run = {};
	run.tcs = threads.at(thread);
	if (const int ret = sgx_enter(function, &request, leaf, &run))
		throw Failed("the vDSO does not enter", -ret);
	return {run.function, run.exception_vector, run.exception_error_code, run.exception_addr};
}

Request Enclave::ask(Request request, unsigned thread) const
{
	const Exit exit = enter(request, thread);
	if (!exit.normal()) {
		char text[120];
		std::snprintf(text, sizeof(text), "operation %u ended by vector %u, error 0x%x, address 0x%lx",
			      static_cast<unsigned>(request.op), exit.vector, exit.error,
			      static_cast<unsigned long>(exit.address));
		throw Failed(text);
	}
	return request;
}

void Enclave::map(u64 offset, u64 length, int prot) const
{
	must(map_fixed(device_.fd(), at(offset), length, prot), "mmap of the enclave");
}

long fdinfo(const Device &device, const char *key)
{
	std::ifstream file("/proc/self/fdinfo/" + std::to_string(device.fd()));
	std::string name;
	for (std::string line; std::getline(file, line);) {
		if (line.starts_with(std::string(key) + ":"))
			return std::stol(line.substr(line.find(':') + 1));
	}
	return -1;
}

} // namespace sgx
