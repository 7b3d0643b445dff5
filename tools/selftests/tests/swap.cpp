// SPDX-License-Identifier: GPL-2.0
// Backing files that are swapped out: evicted pages are loaded from swap. If swap cannot be read, the call fails, without other harm.
//
// The tests need swap and a RAM disk, as in tests/machine/kernel/gcov.config and debug.config; the former also lets single requests to
// the disk fail.

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "fail.h"
#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

Errno put(const std::string &file, const std::string &text)
{
	const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno_of(fd);
	const Errno e = errno_of(write(fd, text.data(), text.size()));
	close(fd);
	return e;
}

/// Swap on RAM disks, and a memory cgroup for this process, until the destructor runs.
class SwapSpace {
public:
	static bool possible() { return access("/proc/swaps", F_OK) == 0 && access("/dev/ram0", F_OK) == 0; }

	SwapSpace()
	{
		for (unsigned i = 0; i < disks; i++)
			add("/dev/ram" + std::to_string(i));
		// Read a single page at a time from swap.
		must(put("/proc/sys/vm/page-cluster", "0"), "page-cluster");
		mkdir(root.c_str(), 0700);
		must(errno_of(mount("none", root.c_str(), "cgroup2", 0, nullptr)), "mounting cgroup2");
		must(put(root + "/cgroup.subtree_control", "+memory"), "the memory controller");
		must(errno_of(mkdir(group.c_str(), 0700)), "making a cgroup");
		must(put(group + "/cgroup.procs", "0"), "entering a cgroup");
		// The program itself must not be swapped out.
		must(errno_of(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)), "mlockall");
	}
	~SwapSpace()
	{
		unreadable(false);
		munlockall();
		put(root + "/cgroup.procs", "0");
		for (unsigned i = 0; i < disks; i++)
			swapoff(("/dev/ram" + std::to_string(i)).c_str());
		rmdir(group.c_str());
		umount(root.c_str());
	}
	SwapSpace(const SwapSpace &) = delete;
	SwapSpace &operator=(const SwapSpace &) = delete;

	/// Returns the number of bytes in swap.
	u64 used() const
	{
		u64 bytes = 0;
		std::ifstream(group + "/memory.swap.current") >> bytes;
		return bytes;
	}
	/// Swaps out all memory that can be swapped out.
	void push() const
	{
		// EAGAIN: the kernel has reclaimed less than that.
		for (unsigned i = 0; i < 10; i++)
			put(group + "/memory.reclaim", "16M");
	}
	/// Returns true if FailNth also counts requests to the disk.
	static bool may_fail() { return access("/sys/block/ram0/make-it-fail", F_OK) == 0; }
	void count_requests() const
	{
		for (unsigned i = 0; i < disks; i++)
			put("/sys/block/ram" + std::to_string(i) + "/make-it-fail", "1");
	}
	/// Makes all requests fail, or none.
	void unreadable(bool on) const
	{
		const std::string folder = "/sys/kernel/debug/fail_make_request/";
		put(folder + "verbose", "0");
		put(folder + "times", "-1");
		put(folder + "probability", on ? "100" : "0");
	}

private:
	static void add(const std::string &disk)
	{
		const int fd = open(disk.c_str(), O_RDWR | O_CLOEXEC);
		must(errno_of(fd), disk);
		const off_t bytes = lseek(fd, 0, SEEK_END);
		// As mkswap(8) does: version, last page, no bad pages, and a signature at the end of the page.
		u8 head[page] = {};
		const u32 info[] = {1, static_cast<u32>(bytes / static_cast<off_t>(page) - 1), 0};
		std::copy_n(reinterpret_cast<const u8 *>(info), sizeof(info), head + 1024);
		std::copy_n("SWAPSPACE2", 10, head + page - 10);
		const ssize_t written = pwrite(fd, head, page, 0);
		close(fd);
		must(written == static_cast<ssize_t>(page) ? 0 : EIO, "writing to " + disk);
		must(errno_of(swapon(disk.c_str(), 0)), "swapon " + disk);
	}

	/// The size of a disk is 4 MiB.
	static constexpr unsigned disks = 12;
	const std::string root = "/tmp/cgroup", group = root + "/sgx2";
};

/// A base before the fixture: an enclave is charged to the cgroup in which its process is at CREATE.
struct WithSwap {
	std::unique_ptr<SwapSpace> swap = SwapSpace::possible() ? std::make_unique<SwapSpace>() : nullptr;
};

/// All pages of an enclave are in its backing file, which is swapped out. One page in sixteen is trimmed.
class Swap : protected WithSwap, public Dynamic {
protected:
	/// The number of pages whose metadata share a page of the backing file.
	static constexpr u64 share = 32;

	void SetUp() override
	{
		ONLY_SGX2();
		if (!swap)
			GTEST_SKIP() << "needs CONFIG_SWAP and CONFIG_BLK_DEV_RAM";
		Dynamic::SetUp();
		grow(length, PROT_READ | PROT_WRITE);
		Request fill = request(Op::fill, at, length);
		fill.value = 3;
		ASSERT_TRUE(whole(enclave.ask(fill)));
	}
	void out() const
	{
		evict(enclave, 100);
		ASSERT_LT(fdinfo(enclave.device(), "sgx2-resident"), 100);
		swap->push();
		ASSERT_GT(swap->used(), length * 3 / 4);
	}
	/// Calls for a page of each group of `share` until nothing is left to fail. The call returns 0, ENOMEM, or EIO, which is permanent.
	template <typename Call>
	void sweep(const char *what, u64 &next, Call call, bool tells = true)
	{
		unsigned memory = 0, disk = 0;
		for (unsigned n = 1; next < pages; n++, next += share) {
			nth.arm(n);
			const Progress p = call(next * page);
			const bool fired = nth.fired();
			EXPECT_TRUE(!p.error || p.error == ENOMEM || p.error == EIO) << what << " " << n << ": " << p.error;
			EXPECT_EQ(p.count, p.error ? 0 : page) << what << " " << n;
			memory += p.error == ENOMEM;
			disk += p.error == EIO;
			if (p.error) {
				EXPECT_EQ(call(next * page).error, p.error == EIO ? EIO : 0) << what << " " << n << " again";
			}
			if (fired)
				continue;
			EXPECT_EQ(p.error, 0);
			EXPECT_EQ(memory > 0, tells) << what;
			EXPECT_EQ(disk > 0, SwapSpace::may_fail()) << what;
			next += share;
			return;
		}
		ADD_FAILURE() << what << ": the limit of failures is too small";
	}

	FailNth nth;
};

TEST_F(Swap, EvictedPagesSurviveSwap)
{
	out();
	Request check = request(Op::check, at, length);
	check.value = 3;
	EXPECT_EQ(enclave.ask(check).result, 0U);
	EXPECT_GE(fdinfo(enclave.device(), "sgx2-loads"), static_cast<long>(pages));
}

TEST_F(Swap, EachAllocationAndRequestFails)
{
	if (!nth.there())
		GTEST_SKIP() << "needs CONFIG_FAULT_INJECTION";
	const Device &d = enclave.device();
	// The last eighth of the pages is for REMOVE.
	const u64 trimmed = pages * 7 / 8;
	ASSERT_EQ(d.modify_types(offset + trimmed * page, length - trimmed * page, type_trim).error, 0);
	ASSERT_TRUE(whole(enclave.ask(request(Op::accept, at + trimmed * page, length - trimmed * page, TRIM | MODIFIED))));
	out();
	// Load the SECS, which all other loads need.
	enclave.ask(request(Op::nothing, 0));
	swap->count_requests();
	u64 next = 0;
	// errno: RESTRICT ENOMEM memory
	// errno: RESTRICT EIO unreadable
	sweep("RESTRICT", next, [&](u64 where) { return d.restrict_permissions(offset + where, page, RW); });
	// errno: RESET ENOMEM memory
	// errno: RESET EIO unreadable
	sweep("RESET", next, [&](u64 where) { return d.reset_permissions(offset + where, page, reset_keep_read); });
	// errno: MODIFY ENOMEM memory
	// errno: MODIFY EIO unreadable
	sweep("MODIFY", next, [&](u64 where) {
		const Progress p = d.modify_types(offset + where, page, type_trim);
		// A page that became a TCS cannot become one again.
		return p.error == EINVAL ? Progress{0, page, 0} : p;
	});
	// The kernel repeats the fault if memory was short.
	// errno: fault SIGBUS unreadable
	sweep(
		"fault", next,
		[&](u64 where) {
			return probe(at + where) ? Progress{EIO, 0, 0} : Progress{0, page, 0};
		},
		false);
	next = std::max(next, trimmed);
	// errno: REMOVE ENOMEM memory
	// errno: REMOVE EIO unreadable
	sweep("REMOVE", next, [&](u64 where) { return d.remove_pages(offset + where, page); });
	// The other pages are unchanged.
	Request last = request(Op::check, at + (trimmed - 1) * page, page);
	last.value = 3;
	EXPECT_EQ(enclave.ask(last, 0).result, 0U);
}

TEST_F(Swap, UnreadableSecsReturnsEio)
{
	if (!SwapSpace::may_fail())
		GTEST_SKIP() << "needs CONFIG_FAIL_MAKE_REQUEST";
	// The reclaimer evicts the SECS once no page is resident.
	evict(enclave, 1);
	out();
	swap->count_requests();
	swap->unreadable(true);
	EXPECT_EQ(enclave.device().restrict_permissions(offset, page, RW), (Progress{EIO, 0, 0}));
	swap->unreadable(false);
	// The unreadable copy was the only one.
	EXPECT_EQ(enclave.device().augment_pages(offset, page).error, EIO);
	Request r = request(Op::nothing, 0);
	EXPECT_FALSE(enclave.enter(r).normal());
}

} // namespace
