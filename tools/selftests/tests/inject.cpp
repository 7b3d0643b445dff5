// SPDX-License-Identifier: GPL-2.0
// Rare events of the processor: conflicts, once or persistently, events during EINIT, loss of the EPC during
// each call. The result is the documented one, the count is exact, and no page is leaked.

#include <atomic>
#include <bit>
#include <csignal>
#include <functional>
#include <random>

#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "fixture.h"
#include "leak_check.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size, some = 512 * page;
/// Rates per million. With `mostly`, 256 tries in a row fail about once in a hundred pages.
constexpr u64 always = 1000000, mostly = 982000, half = 500000;

/// Injects an outcome into leaves at this rate, until the destructor runs.
class Injected {
public:
	Injected(const isa::Monitor &machine, std::initializer_list<unsigned> what, u64 rate) : machine_(machine)
	{
		for (const unsigned reg : what)
			machine_.inject(reg, rate);
	}
	~Injected() { machine_.clear_injection(); }
	Injected(const Injected &) = delete;
	Injected &operator=(const Injected &) = delete;

private:
	const isa::Monitor &machine_;
};

/// Enters the enclave and repeats, although EENTER or ERESUME may find pages of the enclave in use.
Request enter_until_done(const Enclave &enclave, Request r, unsigned thread = 0)
{
	u32 leaf = EENTER;
	for (unsigned tries = 0; tries < 10000; tries++) {
		const Exit exit = enclave.enter(r, thread, leaf);
		if (exit.normal())
			return r;
		if (exit.vector != vector_gp)
			break;
		leaf = exit.leaf;
	}
	throw Failed("an operation did not end");
}

class Inject : public Dynamic {
protected:
	Inject() : machine(isa::Monitor::find()) {}
	void SetUp() override
	{
		if (!machine)
			GTEST_SKIP() << "needs a machine that can inject failures";
		Dynamic::SetUp();
	}
	void restore() const { EXPECT_TRUE(whole(extend(some, REG | RW))); }
	long pages_now() const { return fdinfo(enclave.device(), "sgx2-pages"); }

	std::unique_ptr<isa::Monitor> machine;
};

// As mainline, the call returns EFAULT with the code of the leaf. mprotect() has no result field, so it returns EBUSY.
TEST_F(Inject, EmodprConflictFails)
{
	grow(some);
	{
		const Injected busy(*machine, {SGX2_DEV_INJ_EMODPR}, always);
		EXPECT_EQ(enclave.device().restrict_permissions(offset, some, R), (Progress{EFAULT, 0, EPC_PAGE_CONFLICT}));
		if (Driver::is_sgx2()) {
			EXPECT_EQ(enclave.device().reset_permissions(offset, some), (Progress{EFAULT, 0, EPC_PAGE_CONFLICT}));
			configure(enclave, configure_mprotect, mprotect_reset);
			EXPECT_EQ(protect(at, some, PROT_READ), EBUSY);
			configure(enclave, configure_mprotect, mprotect_nothing);
		}
	}
	EXPECT_TRUE(whole(enclave.ask(request(Op::fill, at, some)))) << "the pages are unchanged";
	EXPECT_EQ(enclave.device().modify_types(offset, some, type_trim), (Progress{0, some, 0}));
	EXPECT_TRUE(whole(accept(some, TRIM | MODIFIED)));
	{
		const Injected busy(*machine, {SGX2_DEV_INJ_EMODPR}, always);
		// Without ERDINFO, EMODPR shows whether the pages were accepted.
		const bool told = Driver::is_sgx2() && Processor::has_rdinfo();
		EXPECT_EQ(enclave.device().remove_pages(offset, some), (told ? Progress{0, some, 0} : Progress{EPERM, 0, 0}));
		if (told)
			return;
	}
	EXPECT_EQ(enclave.device().remove_pages(offset, some), (Progress{0, some, 0}));
}

TEST_F(Inject, EmodtConflictFails)
{
	grow(some);
	{
		const Injected busy(*machine, {SGX2_DEV_INJ_EMODT}, always);
		EXPECT_EQ(enclave.device().modify_types(offset, some, type_trim), (Progress{EFAULT, 0, EPC_PAGE_CONFLICT}));
		EXPECT_EQ(enclave.device().modify_types(offset, page, type_tcs), (Progress{EFAULT, 0, EPC_PAGE_CONFLICT}));
	}
	EXPECT_TRUE(whole(enclave.ask(request(Op::fill, at, some)))) << "the pages are unchanged";
	remove(some);
}

// A call stops at a page whose conflict persists. The pages that it counts are done, and the next call can continue there.
TEST_F(Inject, ConflictStopsCallAtItsPage)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	unsigned stops = 0;
	// `done` accepts what the call has done, up to its count and no further.
	const auto in_pieces = [&](auto call, Errno expected, u64 code, auto done) {
		for (u64 from = 0; from < some && !HasFailure();) {
			Progress p;
			{
				const Injected busy(*machine, {SGX2_DEV_INJ_EMODPR, SGX2_DEV_INJ_EMODT}, mostly);
				p = call(offset + from, some - from);
			}
			const bool all = p.count == some - from;
			EXPECT_EQ(p, all ? (Progress{0, p.count, 0}) : (Progress{expected, p.count, code}));
			stops += !all;
			EXPECT_EQ(done(from), p.count);
			from += p.count;
		}
	};
	const auto accepted = [&](u64 secinfo) {
		return [&, secinfo](u64 from) {
			return enclave.ask(request(Op::accept, at + from, some - from, secinfo)).done;
		};
	};
	grow(some);
	in_pieces([&](u64 o, u64 l) { return d.restrict_permissions(o, l, R); }, EFAULT, EPC_PAGE_CONFLICT,
		  accepted(REG | R | PR));
	restore();
	in_pieces([&](u64 o, u64 l) { return d.reset_permissions(o, l); }, EFAULT, EPC_PAGE_CONFLICT, accepted(REG | PR));
	restore();
	in_pieces([&](u64 o, u64 l) { return d.modify_types(o, l, type_trim); }, EFAULT, EPC_PAGE_CONFLICT,
		  accepted(TRIM | MODIFIED));
	long before = pages_now();
	in_pieces([&](u64 o, u64 l) { return d.remove_pages(o, l); }, EPERM, 0,
		  [&](u64) {
			  const long gone = before - pages_now();
			  before -= gone;
			  return static_cast<u64>(gone) * page;
		  });
	EXPECT_GT(stops, 3U);
}

// mprotect() may have reset a part of the range when it fails, and can be repeated.
TEST_F(Inject, MprotectCanBeRepeatedAfterConflict)
{
	ONLY_SGX2();
	constexpr u64 few = 128 * page;
	grow(few);
	configure(enclave, configure_mprotect, mprotect_reset);
	unsigned stops = 0;
	{
		const Injected busy(*machine, {SGX2_DEV_INJ_EMODPR}, mostly);
		for (Errno error = EBUSY; error && stops < 1000; stops++) {
			error = protect(at, few, PROT_READ);
			EXPECT_TRUE(!error || error == EBUSY) << error;
		}
	}
	EXPECT_LT(stops, 1000U);
	EXPECT_TRUE(whole(accept(few, REG | PR)));
}

// Leaves that fault because another leaf accesses the page are retried: no caller notices the fault.
TEST_F(Inject, FaultingLeavesAreRetried)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	const auto disturbed = [&](auto call) {
		const Injected gp(*machine, {SGX2_DEV_INJ_GP, SGX2_DEV_INJ_EMODPR, SGX2_DEV_INJ_EMODT, SGX2_DEV_INJ_EBLOCK},
				  half);
		call();
	};
	disturbed([&] {
		const Enclave other;
		enter_until_done(other, request(Op::nothing, 0));
		u64 value = 0;
		const u64 where = other.at(other.image().heap);
		EXPECT_EQ(debug_word(where, value, true), 0);
		EXPECT_EQ(debug_word(where, value, false), 0);
	});
	disturbed([&] { EXPECT_EQ(d.augment_pages(offset, some), (Progress{0, some, 0})); });
	enclave.map(offset, 2 * some, PROT_READ | PROT_WRITE);
	disturbed([&] {
		for (u64 i = 0; i < 64; i++)
			EXPECT_EQ(peek(at + some + i * page), 0);
	});
	EXPECT_TRUE(whole(accept(some + 64 * page, REG | RW | PENDING)));
	disturbed([&] { EXPECT_EQ(d.restrict_permissions(offset, some, RW), (Progress{0, some, 0})); });
	disturbed([&] { EXPECT_EQ(d.reset_permissions(offset, some), (Progress{0, some, 0})); });
	EXPECT_TRUE(whole(accept(some, REG | PR)));
	disturbed([&] { EXPECT_EQ(d.modify_types(offset, some, type_trim), (Progress{0, some, 0})); });
	EXPECT_TRUE(whole(accept(some, TRIM | MODIFIED)));
	disturbed([&] { EXPECT_EQ(d.remove_pages(offset, some), (Progress{0, some, 0})); });
}

// The faults also occur while pages are evicted and loaded.
TEST_F(Inject, PagingUnderConflicts)
{
	ONLY_SGX2();
	grow(some);
	Request fill = request(Op::fill, at, some), check = request(Op::check, at, some);
	fill.value = check.value = 77;
	enclave.ask(fill);
	// The range is larger than the EPC, so that all of it is evicted. The accesses are from outside, since EENTER may fault.
	Options large;
	large.size = std::max<u64>(1 << 27, std::bit_ceil(2 * Processor::epc_bytes()));
	const Enclave other(large);
	const u64 first = other.image().end, all = Processor::epc_bytes();
	other.map(first, all, PROT_READ | PROT_WRITE);
	{
		const Injected gp(*machine, {SGX2_DEV_INJ_GP, SGX2_DEV_INJ_EBLOCK}, half);
		EXPECT_EQ(other.device().augment_pages(first, all), (Progress{0, all, 0}));
		for (u64 i = 0; i < some; i += page)
			EXPECT_EQ(peek(at + i), 0);
		for (u64 i = 0; i < all; i += page)
			EXPECT_EQ(peek(other.at(first) + i), 0);
		EXPECT_EQ(enter_until_done(enclave, check).result, 0U);
	}
	EXPECT_GT(fdinfo(enclave.device(), "sgx2-evictions"), 0);
	EXPECT_EQ(enclave.ask(check).result, 0U);
}

// Each leaf faults each time, as on no real processor: the calls fail, but neither a page nor the enclave is lost.
TEST_F(Inject, LastingFaultsLeakNothing)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	const auto disturbed = [&](auto call) {
		const Injected gp(*machine, {SGX2_DEV_INJ_GP}, always);
		call();
	};
	grow(some);
	enclave.map(offset + some, some, PROT_READ | PROT_WRITE);
	// A call takes EPC pages for all that is absent in a chunk, but one page for the first of a chunk.
	EXPECT_EQ(d.augment_pages(offset + some, page), (Progress{0, page, 0}));
	disturbed([&] {
		EXPECT_EQ(d.augment_pages(offset, 2 * some), (Progress{EIO, some + page, 0}));
		EXPECT_EQ(d.augment_pages(offset + 2 * some, some), (Progress{EIO, 0, 0}));
		EXPECT_EQ(peek(at + some + page), EFAULT);
		EXPECT_EQ(madvise(reinterpret_cast<void *>(at + some), some, MADV_WILLNEED), 0);
		EXPECT_EQ(d.restrict_permissions(offset, some, R), (Progress{EFAULT, 0, 0}));
		EXPECT_EQ(d.reset_permissions(offset, some), (Progress{EFAULT, 0, 0}));
		configure(enclave, configure_mprotect, mprotect_reset);
		EXPECT_EQ(protect(at, some, PROT_READ), EBUSY);
		configure(enclave, configure_mprotect, mprotect_nothing);
		Device other;
		ASSERT_EQ(other.open(), 0);
		const Mapping range = Mapping::reserve(16 * page);
		Secs secs = plain_secs(range.address(), 16 * page);
		EXPECT_EQ(other.create(secs), EIO);
	});
	Options unfinished;
	unfinished.init = false;
	const Enclave half_built(unfinished);
	const Mapping source(page);
	SecInfo info = {};
	info.flags = REG | RW;
	sgx_enclave_add_pages add = {};
	add.src = source.address();
	add.offset = half_built.image().end;
	add.length = page;
	add.secinfo = reinterpret_cast<u64>(&info);
	disturbed([&] { EXPECT_EQ(half_built.device().add_pages(add), EIO); });
	EXPECT_EQ(half_built.device().add_pages(add), 0) << "the enclave in construction works";
	EXPECT_TRUE(whole(enclave.ask(request(Op::fill, at, some)))) << "the running enclave works";
	remove(some);
	EXPECT_EQ(LeakCheck::now().leaked.value_or(0), 0U);
}

/// An enclave in construction, with pages that are measured.
class InjectBuild : public ByHand {
protected:
	InjectBuild() : machine(isa::Monitor::find()) {}
	void SetUp() override
	{
		ONLY_SGX2();
		if (!machine)
			GTEST_SKIP() << "needs a machine that can inject failures";
		ByHand::SetUp();
		create();
		signer.create(1, size);
	}
	Progress add(u64 offset, u64 length, bool measured = true)
	{
		pages.offset = offset;
		pages.length = length;
		pages.flags = measured ? SGX_PAGE_MEASURE : 0;
		pages.count = ~0UL;
		const Errno error = device.add_pages(pages);
		return {error, pages.count, 0};
	}
	/// Records a page for the signature: it was added, and measured once.
	void expect_measured(u64 offset, bool measured = true)
	{
		signer.add(offset, REG | RW);
		if (measured)
			signer.extend_page(offset, static_cast<const u8 *>(source.data()));
	}
	Errno init()
	{
		Sigstruct s = sigstruct_for(secs, signer.digest());
		sign(s);
		return device.init(s);
	}
	long there() const { return fdinfo(device, "sgx2-pages"); }
	/// Closes the file, and checks that no resource is in use.
	void expect_nothing_used()
	{
		EXPECT_EQ(device.close(), 0);
		const LeakCheck leaks = LeakCheck::settled();
		EXPECT_TRUE(leaks.clean()) << leaks.text();
	}

	std::unique_ptr<isa::Monitor> machine;
	Measurement signer;
};

// EEXTEND fails persistently after an EADD that succeeds. The page is removed, but is part of the measurement: EINIT refuses the signature.
TEST_F(InjectBuild, LastingEextendConflictFails)
{
	EXPECT_EQ(add(0, 2 * page), (Progress{0, 2 * page, 0}));
	const long before = there();
	{
		const Injected busy(*machine, {SGX2_DEV_INJ_ENCLS(isa::EEXTEND)}, always);
		EXPECT_EQ(add(2 * page, 2 * page), (Progress{EIO, 0, 0}));
		EXPECT_EQ(there(), before);
		EXPECT_EQ(add(2 * page, page), (Progress{EIO, 0, 0})) << "the page fails again";
		EXPECT_EQ(there(), before);
		EXPECT_EQ(add(8 * page, page, false), (Progress{0, page, 0})) << "EADD works";
	}
	EXPECT_EQ(add(2 * page, 2 * page), (Progress{0, 2 * page, 0})) << "the pages did not exist";
	EXPECT_EQ(add(3 * page, page), (Progress{EBUSY, 0, 0})) << "the pages exist now";
	EXPECT_EQ(there(), before + 3);
	for (const u64 offset : {0UL, page})
		expect_measured(offset);
	expect_measured(8 * page, false);
	for (const u64 offset : {2 * page, 3 * page})
		expect_measured(offset);
	EXPECT_EQ(init(), EPERM);
	expect_nothing_used();
}

// A sequence without a persistent failure, which shows that the signature is otherwise correct.
TEST_F(InjectBuild, PassingEextendConflictIsRetried)
{
	{
		const Injected busy(*machine, {SGX2_DEV_INJ_ENCLS(isa::EEXTEND)}, half);
		EXPECT_EQ(add(0, 4 * page), (Progress{0, 4 * page, 0}));
	}
	EXPECT_EQ(add(8 * page, page, false), (Progress{0, page, 0}));
	for (u64 offset = 0; offset < 4 * page; offset += page)
		expect_measured(offset);
	expect_measured(8 * page, false);
	EXPECT_EQ(init(), 0);
	expect_nothing_used();
}

// The call stops at the page with the persistent conflict. The pages that it counts exist, and no others.
TEST_F(InjectBuild, EextendConflictStopsCall)
{
	unsigned stops = 0;
	{
		const Injected busy(*machine, {SGX2_DEV_INJ_ENCLS(isa::EEXTEND)}, mostly);
		for (u64 from = 0; from < size && !HasFailure() && stops < 1000;) {
			const u64 length = std::min<u64>(4 * page, size - from);
			const long before = there();
			const Progress p = add(from, length);
			const bool all = p.count == length;
			EXPECT_EQ(p, all ? (Progress{0, length, 0}) : (Progress{EIO, p.count, 0}));
			EXPECT_EQ(there() - before, static_cast<long>(p.count / page));
			stops += !all;
			from += p.count;
		}
	}
	EXPECT_GT(stops, 0U);
	EXPECT_LT(stops, 1000U);
	for (u64 offset = 0; offset < size; offset += page) {
		EXPECT_EQ(add(offset, page), (Progress{EBUSY, 0, 0})) << offset;
		expect_measured(offset);
	}
	EXPECT_EQ(init(), EPERM);
	expect_nothing_used();
}

// A speculatively added page that fails is left to a later fault, and the pages that were taken for the following ones are freed.
TEST_F(Inject, SpeculativePagesFaultLater)
{
	ONLY_SGX2();
	enclave.map(offset, some, PROT_READ | PROT_WRITE);
	{
		const Injected gp(*machine, {SGX2_DEV_INJ_GP}, mostly);
		for (u64 i = 0; i < some; i += page) {
			// The page that is accessed may also fail.
			while (peek(at + i))
				;
		}
	}
	EXPECT_TRUE(whole(accept(some, REG | RW | PENDING)));
	EXPECT_EQ(LeakCheck::now().leaked.value_or(0), 0U);
}

void on_alarm(int) {}

// EINIT fails while events are pending. INIT retries for a second, unless a signal arrives.
TEST_F(Inject, EventsDuringEinit)
{
	struct sigaction action = {};
	action.sa_handler = on_alarm;
	sigaction(SIGALRM, &action, nullptr);
	Device device;
	ASSERT_EQ(device.open(), 0);
	const Mapping range = Mapping::reserve(16 * page);
	Secs secs = plain_secs(range.address(), 16 * page);
	ASSERT_EQ(device.create(secs), 0);
	Measurement m;
	m.create(1, secs.size);
	Sigstruct s = sigstruct_for(secs, m.digest());
	sign(s);
	{
		const Injected events(*machine, {SGX2_DEV_INJ_EINIT}, always);
		EXPECT_EQ(device.init(s), EPERM);
		// The signals repeat, since the first may arrive before the call.
		const timeval often = {.tv_sec = 0, .tv_usec = 50000};
		const itimerval on = {.it_interval = often, .it_value = often}, off = {};
		setitimer(ITIMER_REAL, &on, nullptr);
		Errno error = EPERM;
		for (unsigned tries = 0; error == EPERM && tries < 100; tries++)
			error = device.init(s);
		setitimer(ITIMER_REAL, &off, nullptr);
		EXPECT_EQ(error, EINTR);
	}
	const Injected events(*machine, {SGX2_DEV_INJ_EINIT}, 900000);
	EXPECT_EQ(device.init(s), 0);
}

/// Work during which the EPC is lost. It may succeed or return EIO.
struct Work {
	const char *name;
	/// True if the work can be repeated on one enclave.
	bool again;
	/// Runs the work, and returns its last errno, or 0.
	Errno (*run)(const Enclave &);
	friend std::ostream &operator<<(std::ostream &out, const Work &work) { return out << work.name; }
};

u64 end_of(const Enclave &e)
{
	return e.image().end;
}

const Work works[] = {
	{"Build", true,
	 [](const Enclave &) -> Errno {
		 try {
			 const Enclave other;
			 return 0;
		 } catch (const Failed &f) {
			 return f.error;
		 }
	 }},
	{"Augment", false,
	 [](const Enclave &e) {
		 return e.device().augment_pages(end_of(e), e.image().size - end_of(e)).error;
	 }},
	{"Restrict", true,
	 [](const Enclave &e) {
		 return e.device().restrict_permissions(end_of(e), some, R).error;
	 }},
	{"Reset", true,
	 [](const Enclave &e) {
		 return e.device().reset_permissions(end_of(e), some).error;
	 }},
	{"Mprotect", true,
	 [](const Enclave &e) {
		 configure(e, configure_mprotect, mprotect_reset);
		 return protect(e.at(end_of(e)), some, PROT_READ);
	 }},
	{"ModifyAndRemove", false,
	 [](const Enclave &e) {
		 const Progress p = e.device().modify_types(end_of(e), some, type_trim);
		 if (p.error)
			 return p.error;
		 Request r = request(Op::accept, e.at(end_of(e)), some, TRIM | MODIFIED);
		 if (!e.enter(r).normal())
			 return Errno{EIO};
		 return e.device().remove_pages(end_of(e), some).error;
	 }},
	{"Touch", true,
	 [](const Enclave &e) {
		 for (u64 i = 0; i < 4 * some; i += page) {
			 if (const Errno error = peek(e.at(end_of(e)) + some + i))
				 return error == EFAULT ? Errno{EIO} : error;
		 }
		 return Errno{};
	 }},
	{"WillNeed", true,
	 [](const Enclave &e) {
		 return errno_of(madvise(reinterpret_cast<void *>(e.at(end_of(e))), 8 * some, MADV_WILLNEED));
	 }},
	{"Debug", true,
	 [](const Enclave &e) {
		 std::vector<u8> data(some);
		 const int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		 const ssize_t got = pread(fd, data.data(), some, static_cast<off_t>(e.at(end_of(e))));
		 close(fd);
		 return got == static_cast<ssize_t>(some) ? Errno{} : Errno{EIO};
	 }},
};

class LossDuringWork : public testing::TestWithParam<Work> {};

TEST_P(LossDuringWork, ReturnsEioOrEnds)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	std::minstd_rand random(std::random_device{}());
	for (unsigned round = 0; round < rounds(3); round++) {
		auto enclave = std::make_unique<Enclave>();
		const u64 offset = end_of(*enclave), at = enclave->at(offset);
		enclave->map(offset, 16 * some, PROT_READ | PROT_WRITE);
		ASSERT_EQ(enclave->device().augment_pages(offset, some), (Progress{0, some, 0}));
		ASSERT_TRUE(whole(enclave->ask(request(Op::accept, at, some, REG | RW | PENDING))));
		const unsigned after = random() % 5000;
		std::atomic<bool> gone = false;
		std::thread thief([&machine, &gone, after] {
			usleep(after);
			machine->lose_epc();
			gone = true;
		});
		Errno error;
		do {
			error = GetParam().run(*enclave);
			EXPECT_TRUE(!error || error == EIO) << error;
		} while (!error && !gone && GetParam().again);
		thief.join();
		// From here on the enclave must be known to be dead.
		EXPECT_EQ(enclave->device().augment_pages(offset + 20 * some, page), (Progress{EIO, 0, 0}));
		EXPECT_EQ(enclave->device().restrict_permissions(offset, page, R).error, EIO);
		EXPECT_EQ(enclave->device().remove_pages(offset, page).error, EIO);
		// The reclaimer may have discovered the loss first, and may not have removed all mappings yet.
		for (unsigned tries = 0; tries < 60000 && peek(at) != EFAULT; tries++)
			usleep(1000);
		EXPECT_EQ(peek(at), EFAULT);
		Request r = request(Op::read, at);
		EXPECT_FALSE(enclave->enter(r).normal());
		const Enclave fresh;
		EXPECT_EQ(fresh.ask(request(Op::nothing, 0)).status, Status::done);
	}
	const LeakCheck leaks = LeakCheck::settled();
	EXPECT_TRUE(leaks.clean()) << leaks.text();
}

INSTANTIATE_TEST_SUITE_P(Works, LossDuringWork, testing::ValuesIn(works),
			 [](const testing::TestParamInfo<Work> &test) { return test.param.name; });

// Evicted pages and an evicted SECS cannot be loaded after the loss either; each enclave discovers the loss by itself.
TEST(EpcLoss, EvictedEnclavesAreDead)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	{
		const Enclave away, busy;
		away.ask(request(Op::nothing, 0));
		{
			const EpcPressure pressure;
			while (fdinfo(away.device(), "sgx2-resident") > 0)
				usleep(10000);
		}
		machine->lose_epc();
		Request r = request(Op::nothing, 0);
		EXPECT_FALSE(away.enter(r).normal());
		EXPECT_EQ(away.device().reset_permissions(0, page).error, EIO);
		EXPECT_EQ(busy.device().reset_permissions(0, page).error, EIO);
	}
	const LeakCheck leaks = LeakCheck::settled();
	EXPECT_TRUE(leaks.clean()) << leaks.text();
}

// The enclaves of the driver share Version Array pages. Those that a dead enclave still has slots in were lost, too.
TEST(EpcLoss, EnclavesBuiltLaterAreEvicted)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	{
		const Enclave dead;
		evict(dead, 1);
		machine->lose_epc();
		const Enclave fresh;
		evict(fresh, 1);
		EXPECT_GT(fdinfo(fresh.device(), "sgx2-evictions"), 0);
		EXPECT_EQ(fresh.ask(request(Op::nothing, 0)).status, Status::done);
		EXPECT_EQ(dead.device().reset_permissions(0, page).error, EIO);
	}
	const LeakCheck leaks = LeakCheck::settled();
	EXPECT_TRUE(leaks.clean()) << leaks.text();
}

// Programs that have not noticed the loss, and keep dead enclaves open, do not keep the pages of these enclaves.
TEST(EpcLoss, DeadEnclavesYieldPages)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	Options large;
	large.size = std::max<u64>(1 << 27, std::bit_ceil(4 * Processor::epc_bytes()));
	{
		const Enclave idle(large);
		const u64 all = Processor::epc_bytes();
		ASSERT_EQ(idle.device().augment_pages(end_of(idle), all), (Progress{0, all, 0}));
		machine->lose_epc();
		const Enclave fresh(large);
		EXPECT_EQ(fresh.ask(request(Op::nothing, 0)).status, Status::done);
		const u64 most = all * 3 / 4 / page * page;
		EXPECT_EQ(fresh.device().augment_pages(end_of(fresh), most), (Progress{0, most, 0}));
		// Without that, it would have to evict nearly all of its own pages. The number of pages of living enclaves that the clock evicts before
		// it reaches the dead ones is not specified.
		EXPECT_LE(fdinfo(fresh.device(), "sgx2-evictions"), static_cast<long>(most / page / 2));
		EXPECT_EQ(idle.device().augment_pages(end_of(idle), all).error, EIO);
	}
	const LeakCheck leaks = LeakCheck::settled();
	EXPECT_TRUE(leaks.clean()) << leaks.text();
}

} // namespace
