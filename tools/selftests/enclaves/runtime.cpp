// SPDX-License-Identifier: GPL-2.0
// The code of the suite's enclaves: each entry performs one operation, which a request in untrusted memory describes. Freestanding.

#include "../lib/request.h"

using namespace sgx;

// Symbols of the linker script and of entry.S.
extern "C" {
extern const u8 enclave_base[];
extern const u8 enclave_entry[];
extern const u8 enclave_abandoned[];
u64 enclave_registers(Beat *beat);
void enclave_serve(Request *request, u64 tcs, u32 cssa);
void *memcpy(void *to, const void *from, std::size_t size);
void *memset(void *to, int value, std::size_t size);
}

// The compiler may call these functions. Their speed does not matter, but for that of memset().
void *memcpy(void *to, const void *from, std::size_t size)
{
	void *at = to;
	asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
	return to;
}

void *memset(void *to, int value, std::size_t size)
{
	// By words, since a page is zeroed: the machine counts each step of a REP prefix as an instruction.
	void *at = to;
	std::size_t words = size / sizeof(u64), rest = size % sizeof(u64);
	const u64 word = static_cast<u8>(value) * 0x0101010101010101;
	asm volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(word) : "memory");
	asm volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(value) : "memory");
	return to;
}

namespace {

// A word of the data segment: its first value is measured, later values are secret.
u64 kept = 0x5ec2e7;

u64 enclu(u32 leaf, const void *rbx, u64 rcx, u64 rdx = 0)
{
	u64 rax = leaf;
	asm volatile("enclu" : "+a"(rax) : "b"(rbx), "c"(rcx), "d"(rdx) : "memory", "cc");
	return rax;
}

u64 &word(u64 address)
{
	return *reinterpret_cast<u64 *>(address);
}

u64 base()
{
	return reinterpret_cast<u64>(enclave_base);
}

const ThreadData &thread_data()
{
	// The TCS sets the base of GS, and RDGSBASE returns it: the page itself does not contain its address.
	const ThreadData *data;
	asm volatile("rdgsbase %0" : "=r"(data));
	return *data;
}

// Returns the registers in the SSA frame of the latest exception.
Gprs &interrupted(u64 tcs, u32 cssa)
{
	const ThreadData &data = thread_data();
	return *reinterpret_cast<Gprs *>(tcs + data.ssa + cssa * data.frame_size - sizeof(Gprs));
}

// Executes a leaf on each page of the range. Stops at the first code that is not 0, with the completed bytes in `done`.
void each_page(Request &r, u32 leaf)
{
	// The leaf requires a SECINFO inside the enclave, so this is a copy.
	SecInfo info = {};
	info.flags = r.secinfo;
	const u64 first = r.address, last = first + r.length, source = r.source;
	const bool down = r.descending != 0;

	for (u64 done = 0; first + done < last; done += page_size) {
		const u64 page = down ? last - page_size - done : first + done;
		// EMODPE does not change RAX.
		const u64 code = enclu(leaf, &info, page, leaf == EACCEPTCOPY ? source : 0);
		r.result = leaf == EMODPE ? 0 : code;
		if (r.result != 0) {
			r.status = Status::refused;
			return;
		}
		r.done = done + page_size;
	}
	r.status = Status::done;
}

void access_pages(Request &r)
{
	const u64 first = r.address, last = first + r.length, value = r.value;
	const bool down = r.descending != 0;
	u64 random = r.source;
	for (u64 done = 0; first + done < last; done += page_size) {
		u64 offset = down ? r.length - page_size - done : done;
		if (random) {
			// Knuth's MMIX generator; its upper half is the more random one.
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			offset = (random >> 33) % (r.length / page_size) * page_size;
		}
		volatile u64 &at = word(first + offset);
		if (value)
			at = value;
		else
			r.result = at;
	}
	r.done = last - first;
}

void fill(Request &r)
{
	const u64 first = r.address, last = first + r.length, seed = r.value;
	for (u64 at = first; at < last; at += sizeof(u64))
		word(at) = pattern(seed, at - base());
	r.done = last - first;
	r.status = Status::done;
}

void check(Request &r)
{
	const u64 first = r.address, last = first + r.length, seed = r.value;
	u64 bad = 0, where = 0;
	for (u64 at = last; at > first; at -= sizeof(u64)) {
		if (word(at - sizeof(u64)) != pattern(seed, at - sizeof(u64) - base())) {
			bad++;
			where = at - sizeof(u64);
		}
	}
	r.result = bad;
	r.extra = where;
	r.done = last - first;
	r.status = Status::done;
}

void report(Request &r)
{
	alignas(512) static u8 room[512];
	alignas(128) u8 data[64] = {};
	TargetInfo target = {};
	const u64 value = r.value;
	memcpy(data, &value, sizeof(value));
	asm volatile("enclu" : : "a"(EREPORT), "b"(&target), "c"(data), "d"(room) : "memory", "cc");
	memcpy(reinterpret_cast<void *>(r.address), room, sizeof(Report));
	r.status = Status::done;
}

// Writes a TCS. Its entry point is that of all threads, since a thread cannot read its own TCS.
void make_tcs(Request &r)
{
	Tcs &made = *reinterpret_cast<Tcs *>(r.address);
	memset(&made, 0, sizeof(made));
	made.ssa = r.source - base();
	made.nssa = static_cast<u32>(r.length);
	made.gs_base = r.value - base();
	made.fs_base = made.gs_base;
	made.fs_limit = made.gs_limit = ~0U;
	made.entry = reinterpret_cast<u64>(enclave_entry) - base();
	r.status = Status::done;
}

void make_thread(Request &r)
{
	const ThreadData &own = thread_data();
	ThreadData &made = *reinterpret_cast<ThreadData *>(r.address);
	made = {};
	made.stack = r.source;
	made.handler_stack = r.value;
	made.ssa = r.extra;
	made.frame_size = own.frame_size;
	r.status = Status::done;
}

void spin(Request &r, const volatile u64 *watched)
{
	Beat &beat = *reinterpret_cast<Beat *>(r.address);
	beat.inside = 1;
	while (beat.stop == 0) {
		beat.count = beat.count + 1;
		if (watched)
			r.result = *watched;
		asm volatile("pause");
	}
	beat.inside = 0;
	r.status = Status::done;
}

// Performs the operations that require an SSA frame in use.
bool serve_handler(Request &r, u64 tcs, u32 cssa)
{
	switch (r.op) {
	case Op::saved:
	case Op::skip:
	case Op::redirect:
	case Op::abandon:
		break;
	default:
		return false;
	}
	if (cssa == 0) {
		r.status = Status::misplaced;
		return true;
	}

	Gprs &frame = interrupted(tcs, cssa);
	switch (r.op) {
	case Op::saved:
		memcpy(reinterpret_cast<void *>(r.address), &frame, sizeof(frame));
		if (r.source)
			memcpy(reinterpret_cast<void *>(r.source), reinterpret_cast<ExInfo *>(&frame) - 1, sizeof(ExInfo));
		break;
	case Op::skip:
		frame.rip += r.value;
		break;
	case Op::redirect:
		frame.rip = r.value;
		break;
	default:
		reinterpret_cast<Request *>(thread_data().request)->status = Status::abandoned;
		frame.rip = reinterpret_cast<u64>(enclave_abandoned);
		break;
	}
	r.status = Status::done;
	return true;
}

bool serve_memory(Request &r)
{
	switch (r.op) {
	case Op::read:
		r.result = word(r.address);
		break;
	case Op::write:
		word(r.address) = r.value;
		break;
	case Op::copy:
		memcpy(reinterpret_cast<void *>(r.address), reinterpret_cast<const void *>(r.source), r.length);
		r.done = r.length;
		break;
	case Op::clear:
		memset(reinterpret_cast<void *>(r.address), 0, r.length);
		r.done = r.length;
		break;
	case Op::access:
		access_pages(r);
		break;
	case Op::fill:
		fill(r);
		break;
	case Op::check:
		check(r);
		break;
	case Op::secret: {
		const u64 before = kept;
		kept = r.value;
		r.result = before;
		break;
	}
	default:
		return false;
	}
	r.status = Status::done;
	return true;
}

bool serve_leaf(Request &r)
{
	switch (r.op) {
	case Op::leaf:
		r.result = enclu(static_cast<u32>(r.value), reinterpret_cast<const void *>(r.address), r.length, r.source);
		r.status = Status::done;
		break;
	case Op::accept:
		each_page(r, EACCEPT);
		break;
	case Op::accept_copy:
		each_page(r, EACCEPTCOPY);
		break;
	case Op::extend:
		each_page(r, EMODPE);
		break;
	case Op::report:
		report(r);
		break;
	default:
		return false;
	}
	return true;
}

} // namespace

void enclave_serve(Request *request, u64 tcs, u32 cssa)
{
	Request &r = *request;

	if (cssa > 1) {
		r.status = Status::too_deep;
		return;
	}
	if (serve_handler(r, tcs, cssa) || serve_memory(r) || serve_leaf(r))
		return;

	switch (r.op) {
	case Op::nothing:
		break;
	case Op::run:
		r.result = reinterpret_cast<u64 (*)(u64)>(r.address)(r.value);
		break;
	case Op::make_tcs:
		make_tcs(r);
		return;
	case Op::make_thread:
		make_thread(r);
		return;
	case Op::spin:
		spin(r, nullptr);
		return;
	case Op::watch:
		spin(r, reinterpret_cast<const volatile u64 *>(r.value));
		return;
	case Op::registers:
		r.result = enclave_registers(reinterpret_cast<Beat *>(r.address));
		break;
	case Op::depth:
		r.result = cssa;
		break;
	default:
		r.status = Status::unknown;
		return;
	}
	r.status = Status::done;
}
