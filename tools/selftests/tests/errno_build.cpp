// SPDX-License-Identifier: GPL-2.0
// Each errno of CREATE, ADD_PAGES, INIT and PROVISION, returned by a call with exactly one fault.

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size, size = 16 * page;
/// A rate of injection: each time.
constexpr u64 always = 1000000;

class Errnos : public ByHand {
protected:
	Errno add() { return device.add_pages(pages); }
	/// Runs ADD_PAGES with valid arguments, except for one member.
	template <typename Member>
	Errno add_with(Member sgx_enclave_add_pages::*member, u64 value) const
	{
		sgx_enclave_add_pages other = pages;
		other.*member = value;
		return device.add_pages(other);
	}

	/// An address where nothing is mapped.
	const u64 nowhere = 0x1000;
};

TEST_F(Errnos, CreateCannotRead)
{
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_CREATE, nowhere), EFAULT); // errno: CREATE EFAULT argument
	EXPECT_EQ(device.create(nowhere), EFAULT);			 // errno: CREATE EFAULT source
	// Only the last byte is not readable.
	const Mapping two(2 * page);
	ASSERT_EQ(protect(two.address() + page, page, PROT_NONE), 0);
	EXPECT_EQ(device.create(two.address() + 8), EFAULT);
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_CREATE, two.address() + page - 4), EFAULT);
	create();
}

TEST_F(Errnos, CreateSize)
{
	for (const u64 bad : {0UL, 1UL + page, 3 * page, size - 1, size + 1, ~0UL}) {
		Secs other = secs;
		other.size = bad;
		EXPECT_EQ(device.create(other), EINVAL) << bad; // errno: CREATE EINVAL size
	}
	create();
	EXPECT_EQ(device.create(secs), EINVAL); // errno: CREATE EINVAL again
}

TEST_F(Errnos, CreateRefused)
{
	const auto refused = [&](auto change) {
		Secs other = secs;
		change(other);
		return device.create(other);
	};
	EXPECT_EQ(refused([](Secs &s) { s.size = 1; }), EIO); // errno: CREATE EIO refused
	EXPECT_EQ(refused([](Secs &s) { s.size = page; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.base += page; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.frame_pages = 0; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.attributes |= attr_init; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.attributes |= 1UL << 63; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.miscselect = 1U << 31; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.xfrm = 1; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.reserved1[0] = 1; }), EIO);
	EXPECT_EQ(refused([](Secs &s) { s.reserved4[3833] = 1; }), EIO);
	create();
}

TEST_F(Errnos, AddState)
{
	EXPECT_EQ(add(), EINVAL); // errno: ADD_PAGES EINVAL state
	// The state is checked first.
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_ADD_PAGES, nowhere), EINVAL);
	create();
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_ADD_PAGES, nowhere), EFAULT); // errno: ADD_PAGES EFAULT argument
	ASSERT_EQ(device.init(signature()), 0);
	EXPECT_EQ(add(), EINVAL);
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_ADD_PAGES, nowhere), EINVAL);
}

TEST_F(Errnos, AddRange)
{
	create();
	for (const u64 bad : {1UL, page - 1, page + 1, size, size + page, ~0UL - page + 1})
		EXPECT_EQ(add_with(&sgx_enclave_add_pages::offset, bad), EINVAL) << bad; // errno: ADD_PAGES EINVAL range
	for (const u64 bad : {0UL, 1UL, page - 1, page + 1, size + page, ~0UL - page + 1, 1UL << 63})
		EXPECT_EQ(add_with(&sgx_enclave_add_pages::length, bad), EINVAL) << bad;
	for (const u64 bad : {1UL, 8UL, page - 1})
		EXPECT_EQ(add_with(&sgx_enclave_add_pages::src, source.address() + bad),
			  EINVAL); // errno: ADD_PAGES EINVAL source
	EXPECT_EQ(add_with(&sgx_enclave_add_pages::offset, size - page), 0);
	EXPECT_EQ(add(), 0);
	EXPECT_EQ(pages.count, page);
	EXPECT_EQ(add(), EBUSY); // errno: ADD_PAGES EBUSY there
	// The struct can be read, but not written: the page is added, but the call cannot return the count.
	const Mapping memory(page);
	pages.offset = 4 * page;
	std::memcpy(memory.data(), &pages, sizeof(pages));
	ASSERT_EQ(protect(memory.address(), page, PROT_READ), 0);
	// errno: ADD_PAGES EFAULT result
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_ADD_PAGES, memory.address()), EFAULT);
	EXPECT_EQ(add(), EBUSY);
	EXPECT_EQ(pages.count, 0U);
}

TEST_F(Errnos, AddSecInfo)
{
	create();
	EXPECT_EQ(add_with(&sgx_enclave_add_pages::secinfo, nowhere), EFAULT); // errno: ADD_PAGES EFAULT secinfo
	for (const u64 flags :
	     {type_bits(type_secs), type_bits(type_va), TRIM | RW, REG | W, REG | W | X, TCS | R, TCS | X, REG | RW | PENDING,
	      REG | RW | MODIFIED, REG | RW | PR, REG | RW | 64, REG | RW | 1UL << 16, REG | RW | 1UL << 63}) {
		info.flags = flags;
		EXPECT_EQ(add(), EINVAL) << flags; // errno: ADD_PAGES EINVAL secinfo
	}
	info.flags = REG | RW;
	for (const unsigned byte : {0U, 55U}) {
		info.reserved[byte] = 1;
		EXPECT_EQ(add(), EINVAL) << byte;
		info.reserved[byte] = 0;
	}
	EXPECT_EQ(add(), 0);
}

TEST_F(Errnos, AddSource)
{
	create();
	pages.length = 4 * page;
	EXPECT_EQ(add_with(&sgx_enclave_add_pages::src, nowhere), EFAULT);
	ASSERT_EQ(protect(source.address() + 2 * page, page, PROT_NONE), 0);
	EXPECT_EQ(add(), EFAULT); // errno: ADD_PAGES EFAULT source
	EXPECT_EQ(pages.count, 2 * page);
	pages.offset = 8 * page;
	pages.length = page;
	std::memset(source.data(), 0xff, page);
	info.flags = TCS;
	EXPECT_EQ(add(), EIO); // errno: ADD_PAGES EIO refused
	EXPECT_EQ(pages.count, 0U);
	info.flags = REG | R;
	EXPECT_EQ(add(), 0) << "the failed call left nothing behind";
}

TEST_F(Errnos, AddFromNoexecMount)
{
	create();
	char folder[] = "/tmp/errnos-XXXXXX";
	ASSERT_NE(mkdtemp(folder), nullptr);
	if (mount("none", folder, "tmpfs", MS_NOEXEC, nullptr) != 0) {
		rmdir(folder);
		GTEST_SKIP() << "needs root to mount a filesystem with noexec";
	}
	const std::string name = std::string(folder) + "/page";
	const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(ftruncate(fd, static_cast<off_t>(page)), 0);
	{
		const Mapping file = Mapping::adopt(mmap(nullptr, page, PROT_READ, MAP_SHARED, fd, 0), page);
		EXPECT_EQ(add_with(&sgx_enclave_add_pages::src, file.address()), EACCES); // errno: ADD_PAGES EACCES source
	}
	{
		// Behind a page that may be executed. Both pages are present.
		const Mapping two(2 * page);
		two.data()[0] = 0;
		ASSERT_NE(mmap(two.data() + page, page, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0), MAP_FAILED);
		ASSERT_EQ(static_cast<volatile u8 *>(two.data())[page], 0);
		pages.src = two.address();
		pages.offset = 8 * page;
		pages.length = 2 * page;
		EXPECT_EQ(add(), EACCES);
		EXPECT_EQ(pages.count, page);
		pages.src = source.address();
		pages.offset = 0;
		pages.length = page;
	}
	close(fd);
	EXPECT_EQ(umount(folder), 0);
	rmdir(folder);
	EXPECT_EQ(add(), 0);
}

TEST_F(Errnos, InitState)
{
	EXPECT_EQ(device.init(signature()), EINVAL); // errno: INIT EINVAL state
	create();
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_INIT, nowhere), EFAULT); // errno: INIT EFAULT argument
	EXPECT_EQ(device.init(nowhere), EFAULT);		       // errno: INIT EFAULT source
	EXPECT_EQ(device.init(signature()), 0);
	EXPECT_EQ(device.init(signature()), EINVAL);
	EXPECT_EQ(device.create(secs), EINVAL);
}

TEST_F(Errnos, InitSignature)
{
	create();
	const auto with = [&](auto change, bool again) {
		Sigstruct s = signature();
		change(s);
		if (again)
			sign(s);
		return device.init(s);
	};
	for (const u32 vendor : {1U, 0x8087U, 0x80000000U})
		EXPECT_EQ(with([&](Sigstruct &s) { s.vendor = vendor; }, true), EINVAL); // errno: INIT EINVAL vendor
	// errno: INIT EINVAL demands
	EXPECT_EQ(with([](Sigstruct &s) { s.attributes = s.attributes_mask = 1 << 3; }, true), EINVAL);
	EXPECT_EQ(with([](Sigstruct &s) { s.attributes = s.attributes_mask = 1UL << 63; }, true), EINVAL);
	EXPECT_EQ(with([](Sigstruct &s) { s.miscselect = s.misc_mask = 1U << 31; }, true), EINVAL);
	EXPECT_EQ(with([](Sigstruct &s) { s.xfrm = s.xfrm_mask = 1UL << 62; }, true), EINVAL);
	// errno: INIT EPERM signature
	EXPECT_EQ(with([](Sigstruct &s) { s.signature[7] ^= 1; }, false), EPERM);
	EXPECT_EQ(with([](Sigstruct &s) { s.modulus[383] ^= 1; }, false), EPERM);
	EXPECT_EQ(with([](Sigstruct &s) { s.mrenclave[0] ^= 1; }, true), EPERM);
	EXPECT_EQ(with([](Sigstruct &s) { s.attributes ^= attr_debug; }, true), EPERM);
	// A value that the SIGSTRUCT allows, but does not require, has no effect.
	EXPECT_EQ(with([](Sigstruct &s) { s.misc_mask &= ~(1U << 31), s.miscselect |= 1U << 31; }, true), 0);
}

TEST_F(Errnos, InitAttributes)
{
	secs.attributes |= attr_provision;
	create();
	EXPECT_EQ(device.init(signature()), EACCES);			    // errno: INIT EACCES attributes
	EXPECT_EQ(device.call(SGX_IOC_ENCLAVE_PROVISION, nowhere), EFAULT); // errno: PROVISION EFAULT argument
	// errno: PROVISION EINVAL descriptor
	for (const u64 fd : {~0UL, 1UL << 20, static_cast<u64>(device.fd()), 0UL})
		EXPECT_EQ(device.provision(fd), EINVAL) << fd;
	EXPECT_EQ(device.init(signature()), EACCES);
	Device key;
	ASSERT_EQ(key.open("/dev/sgx_provision"), 0);
	EXPECT_EQ(device.provision(static_cast<u64>(key.fd())), 0);
	EXPECT_EQ(device.init(signature()), 0);
}

/// Injects an outcome into each leaf of a kind, until the destructor runs.
class Injected {
public:
	Injected(const isa::Monitor &machine, unsigned reg, u64 rate = always) : machine_(machine) { machine_.inject(reg, rate); }
	~Injected() { machine_.clear_injection(); }
	Injected(const Injected &) = delete;
	Injected &operator=(const Injected &) = delete;

private:
	const isa::Monitor &machine_;
};

void nothing(int) {}

/// Sends signals that interrupt sleeps of this thread, until the destructor runs.
class Alarms {
public:
	Alarms()
	{
		struct sigaction action = {};
		action.sa_handler = nothing;
		sigaction(SIGUSR1, &action, nullptr);
		thread_ = std::thread([this, to = pthread_self()] {
			while (!stop_) {
				pthread_kill(to, SIGUSR1);
				usleep(2000);
			}
		});
	}
	~Alarms()
	{
		stop_ = true;
		thread_.join();
	}
	Alarms(const Alarms &) = delete;
	Alarms &operator=(const Alarms &) = delete;

private:
	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

TEST_F(Errnos, InitWithPendingEvents)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	create();
	{
		const Injected events(*machine, SGX2_DEV_INJ_EINIT);
		EXPECT_EQ(device.init(signature()), EPERM); // errno: INIT EPERM events
		// INIT retries for a second, in which the thread must have received a signal.
		const Alarms alarms;
		Errno error = EPERM;
		for (unsigned tries = 0; error == EPERM && tries < 100; tries++)
			error = device.init(signature());
		EXPECT_EQ(error, EINTR); // errno: INIT EINTR signal
	}
	{
		const Injected conflict(*machine, SGX2_DEV_INJ_GP);
		EXPECT_EQ(device.init(signature()), EIO); // errno: INIT EIO refused
	}
	const Injected events(*machine, SGX2_DEV_INJ_EINIT, always / 2);
	EXPECT_EQ(device.init(signature()), 0) << "INIT retries after a few events";
}

/// An enclave in construction, and a source of so many pages, which are measured.
struct LongBuild {
	static constexpr u64 many = 4096 * page;

	LongBuild()
	{
		must(device.open(), "opening the device");
		Secs secs = plain_secs(range.address(), 2 * many);
		must(device.create(secs), "CREATE");
	}
	sgx_enclave_add_pages pages(const SecInfo &info, u64 offset, u64 length) const
	{
		sgx_enclave_add_pages p = {};
		p.src = source.address();
		p.offset = offset;
		p.length = length;
		p.secinfo = reinterpret_cast<u64>(&info);
		p.flags = SGX_PAGE_MEASURE;
		return p;
	}

	Device device;
	const Mapping range = Mapping::reserve(2 * many), source = Mapping(many);
};

// The time of a signal varies, so each call is repeated until a signal arrives during it.
TEST_F(Errnos, AddInterrupted)
{
	ONLY_SGX2();
	bool waited = false, stopped = false;
	for (unsigned tries = 0; !(waited && stopped) && tries < 100 && !HasFailure(); tries++) {
		const LongBuild enclave;
		// The second call waits for the first, and receives its signal while it waits.
		std::thread first([&] {
			sgx_enclave_add_pages all = enclave.pages(info, 0, LongBuild::many);
			EXPECT_EQ(enclave.device.add_pages(all), 0);
		});
		while (fdinfo(enclave.device, "sgx2-pages") < 1)
			std::this_thread::yield();
		const Alarms alarms;
		sgx_enclave_add_pages second = enclave.pages(info, LongBuild::many, page);
		const Errno error = enclave.device.add_pages(second);
		EXPECT_TRUE(!error || error == EINTR) << error; // errno: ADD_PAGES EINTR signal
		EXPECT_EQ(second.count, error ? 0 : page);
		waited |= error == EINTR;
		first.join();
		// Pages that were added do not affect the next call, which continues behind them.
		sgx_enclave_add_pages rest = enclave.pages(info, LongBuild::many + second.count, LongBuild::many - page);
		const Errno ended = enclave.device.add_pages(rest);
		EXPECT_TRUE(!ended || (ended == EINTR && !rest.count)) << ended << " after " << rest.count;
		stopped |= rest.count && rest.count < LongBuild::many - page;
	}
	EXPECT_TRUE(waited) << "no signal came while the call waited";
	EXPECT_TRUE(stopped) << "no call ended with a short count, and no error";
}

// The driver adds pages in batches. A page that fails ends the call at its place, wherever that is in a batch: the pages before it exist,
// and neither it nor a later one does.
TEST_F(Errnos, AddStopsAtThePageThatFails)
{
	info.flags = TCS;
	constexpr u64 length = 600 * page;
	for (const u64 place : {0UL, 1UL, 31UL, 32UL, 33UL, 99UL, 504UL, 505UL, 506UL, 599UL}) {
		SCOPED_TRACE(place);
		const LongBuild enclave;
		const auto add_at = [&](u64 offset, u64 bytes) {
			sgx_enclave_add_pages p = enclave.pages(info, offset, bytes);
			p.flags = 0;
			// A page on its own has a source of its own.
			p.src += bytes == page ? length : 0;
			const Errno error = enclave.device.add_pages(p);
			return Progress{error, p.count, 0};
		};
		const u64 stop = place * page;
		u8 *const bad = enclave.source.data() + stop;
		// Each range begins behind the first page of a chunk, and ends in the next chunk.
		u64 offset = 7 * page;
		const auto stops = [&](Errno error) {
			EXPECT_EQ(add_at(offset, length), (Progress{error, stop, 0}));
			if (stop) {
				EXPECT_EQ(add_at(offset + stop - page, page), (Progress{EBUSY, 0, 0}))
					<< "an earlier page exists";
			}
			EXPECT_EQ(add_at(offset + stop + page, page), (Progress{0, page, 0})) << "a later page did not exist";
			offset += 2 * 512 * page;
		};
		ASSERT_EQ(add_at(offset + stop, page), (Progress{0, page, 0}));
		stops(EBUSY);
		ASSERT_EQ(protect(enclave.source.address() + stop, page, PROT_NONE), 0);
		stops(EFAULT);
		ASSERT_EQ(protect(enclave.source.address() + stop, page, PROT_READ | PROT_WRITE), 0);
		std::memset(bad, 0xff, page);
		stops(EIO);
	}
}

TEST_F(Errnos, BuildAfterEpcLoss)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	create();
	machine->lose_epc();
	EXPECT_EQ(add(), EIO);			  // errno: ADD_PAGES EIO lost
	EXPECT_EQ(device.init(signature()), EIO); // errno: INIT EIO lost
	Device other;
	ASSERT_EQ(other.open(), 0);
	secs.base = range.address();
	EXPECT_EQ(other.create(secs), 0) << "a new enclave can be created";
}

/// Allows this process as many open files as possible.
void many_files(rlim_t count)
{
	rlimit limit = {};
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = std::max(limit.rlim_cur, count);
	limit.rlim_max = std::max(limit.rlim_max, count);
	must(errno_of(setrlimit(RLIMIT_NOFILE, &limit)), "more open files");
}

/// Fills the EPC with pages that cannot be evicted: the SECS of an enclave in construction is not evicted.
std::vector<Device> fill_epc(const Secs &secs)
{
	std::vector<Device> fill;
	many_files(Processor::epc_bytes() / page + 100);
	for (;;) {
		Device one;
		must(one.open(), "opening one more enclave");
		const Errno e = one.create(secs);
		if (e == ENOMEM)
			return fill;
		must(e, "CREATE");
		fill.push_back(std::move(one));
	}
}

TEST(EpcShortage, CallsReturnEnomem)
{
	ONLY_SGX2();
	if (Processor::epc_bytes() > 256UL << 20)
		GTEST_SKIP() << "needs an EPC of at most 256 MiB";
	const Enclave enclave;
	const u64 offset = enclave.image().end, at = enclave.at(offset);
	enclave.map(offset, 8 * page, PROT_READ | PROT_WRITE);
	ASSERT_EQ(enclave.device().augment_pages(offset, 8 * page), (Progress{0, 8 * page, 0}));
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at, 8 * page, REG | RW | PENDING))));
	ASSERT_EQ(enclave.device().modify_types(offset + 4 * page, page, type_trim), (Progress{0, page, 0}));
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at + 4 * page, page, TRIM | MODIFIED))));
	const Mapping range = Mapping::reserve(size), source(page);
	Secs secs = plain_secs(range.address(), size);
	std::vector<Device> fill = fill_epc(secs); // errno: CREATE ENOMEM epc
	EXPECT_GT(fill.size(), 100U);
	SecInfo info = {};
	info.flags = REG | RW;
	sgx_enclave_add_pages pages = {source.address(), 0, page, reinterpret_cast<u64>(&info), 0, 0};
	// Each call waits for a second before it fails, so they run at the same time.
	const Device &d = enclave.device();
	Progress restricted, reset, modified, removed, augmented;
	Errno added, debugged;
	u64 word = 0;
	std::array threads = {
		std::thread([&] { restricted = d.restrict_permissions(offset, page, R); }),
		std::thread([&] { reset = d.reset_permissions(offset + page, page); }),
		std::thread([&] { modified = d.modify_types(offset + 2 * page, page, type_trim); }),
		std::thread([&] { removed = d.remove_pages(offset + 4 * page, page); }),
		std::thread([&] { augmented = d.augment_pages(offset + 16 * page, page); }),
		std::thread([&] { added = fill[0].add_pages(pages); }),
		std::thread([&] { debugged = debug_word(at + 6 * page, word, false); }),
	};
	for (auto &thread : threads)
		thread.join();
	// errno: EDMM ENOMEM epc
	EXPECT_EQ(restricted, (Progress{ENOMEM, 0, 0}));
	EXPECT_EQ(reset, (Progress{ENOMEM, 0, 0}));
	EXPECT_EQ(modified, (Progress{ENOMEM, 0, 0}));
	EXPECT_EQ(removed, (Progress{ENOMEM, 0, 0}));
	EXPECT_EQ(augmented, (Progress{ENOMEM, 0, 0}));
	EXPECT_EQ(added, ENOMEM); // errno: ADD_PAGES ENOMEM epc
	EXPECT_EQ(debugged, EIO); // errno: access EIO epc
	fill.clear();
	// With free pages all calls continue.
	EXPECT_EQ(d.restrict_permissions(offset, page, R), (Progress{0, page, 0}));
	EXPECT_EQ(d.remove_pages(offset + 4 * page, page), (Progress{0, page, 0}));
	EXPECT_EQ(debug_word(at + 6 * page, word, false), 0);
	EXPECT_EQ(enclave.ask(request(Op::read, at + 7 * page)).status, Status::done);
}

} // namespace
