// SPDX-License-Identifier: GPL-2.0
// Tracking epochs: the CPUs inside of an enclave affect EWB, EACCEPT and ETRACK.

#include <gtest/gtest.h>

#include "enclave.h"

using namespace sgx;

namespace {

struct Epoch {
	Machine m;
	std::unique_ptr<Enclave> e = standard(m);
	Pager pager{m};
	Evicted out = evicted_buffers(m);

	Result ewb(u64 off = at::Data) { return pager.evict(e->epc(off), out, pager.slot(0)); }
	void enter(std::size_t cpu, u64 tcs = at::Tcs) { ASSERT_RESULT(e->enter(cpu, tcs), done()); }
	void exit(std::size_t cpu) { ASSERT_RESULT(e->exit(cpu), done()); }
	void block(u64 off = at::Data) { ASSERT_RESULT(e->eblock(off), done()); }
	void track() { ASSERT_RESULT(e->etrack(), done()); }
};

TEST(Epoch, BlockedPageNeedsEtrack)
{
	Epoch f;
	f.block();
	EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
	f.track();
	EXPECT_RESULT(f.ewb(), done());
}

TEST(Epoch, EtrackBeforeEblockDoesNotCount)
{
	Epoch f;
	f.track();
	f.block();
	EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
}

TEST(Epoch, ThreadInsideDelaysTracking)
{
	Epoch f;
	f.enter(1);
	f.block();
	f.track();
	EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
	EXPECT_RESULT(f.e->etrack(), code(PREV_TRK_INCMPL));
	f.m.cpu(1).aex_interrupt();
	EXPECT_RESULT(f.ewb(), done());
	EXPECT_RESULT(f.e->etrack(), done());
}

TEST(Epoch, ThreadEnteredBeforeEtrackDelaysTracking)
{
	Epoch f;
	f.block();
	f.enter(1);
	f.track();
	EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
	f.exit(1);
	EXPECT_RESULT(f.ewb(), done());
}

TEST(Epoch, ThreadEnteredAfterEtrackDoesNotDelay)
{
	Epoch f;
	f.block();
	f.track();
	f.enter(1);
	EXPECT_RESULT(f.ewb(), done());
}

TEST(Epoch, ExitAndReentryIsEnough)
{
	Epoch f;
	f.enter(1);
	f.block();
	f.track();
	f.m.cpu(1).aex_interrupt();
	ASSERT_RESULT(f.e->resume(1), done()); // into the new epoch
	EXPECT_RESULT(f.ewb(), done());
	EXPECT_RESULT(f.e->etrack(), done()) << "no CPU of the first epoch is inside";
	EXPECT_RESULT(f.e->etrack(), code(PREV_TRK_INCMPL)) << "a CPU of the second epoch is inside";
}

TEST(Epoch, ThirdEpochWaitsForFirst)
{
	Epoch f;
	f.enter(1, at::Tcs);
	f.track(); // epoch 1: CPU 1
	f.enter(2, at::Tcs2);
	f.block();
	EXPECT_RESULT(f.e->etrack(), code(PREV_TRK_INCMPL));
	f.exit(1);
	f.track(); // epoch 2: CPU 2
	EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
	f.enter(1, at::Tcs);
	EXPECT_RESULT(f.e->etrack(), code(PREV_TRK_INCMPL));
	f.exit(2);
	EXPECT_RESULT(f.ewb(), done()) << "CPU 1 entered later";
}

TEST(Epoch, LaterEpochCompletesEarlierOne)
{
	Epoch f;
	f.enter(1, at::Tcs);
	f.block();
	f.track();
	f.exit(1);
	f.enter(2, at::Tcs2);
	f.track(); // succeeds, so the first epoch is complete
	EXPECT_RESULT(f.ewb(), done()) << "CPU 2, which entered before this ETRACK, does not delay the page";
}

TEST(Epoch, EtrackCoversAllPagesBlockedBefore)
{
	Epoch f;
	f.block(at::Data);
	f.block(at::Data2);
	f.track();
	f.block(at::RoData);
	EXPECT_RESULT(f.ewb(at::Data), done());
	EXPECT_RESULT(f.pager.evict(f.e->epc(at::Data2), f.out, f.pager.slot(1)), done());
	EXPECT_RESULT(f.pager.evict(f.e->epc(at::RoData), f.out, f.pager.slot(2)), code(NOT_TRACKED));
}

TEST(Epoch, SecondEblockKeepsEpoch)
{
	Epoch f;
	f.block();
	f.track();
	EXPECT_RESULT(f.e->eblock(at::Data), info(BLKSTATE));
	EXPECT_RESULT(f.ewb(), done());
}

TEST(Epoch, SecondEmodprRenewsEpoch)
{
	Epoch f;
	EXPECT_RESULT(f.e->emodpr(at::Data2, R), done());
	f.track();
	EXPECT_RESULT(f.e->emodpr(at::Data2, R), done());
	f.enter(1);
	EXPECT_RESULT(f.e->eaccept(1, at::Data2, REG | R | PR), code(NOT_TRACKED));
	f.exit(1);
	f.track();
	f.enter(1);
	EXPECT_RESULT(f.e->eaccept(1, at::Data2, REG | R | PR), done());
}

TEST(Epoch, EacceptNeedsTracking)
{
	for (const bool trim : {false, true}) {
		Epoch f;
		const u64 flags = trim ? TRIM | MODIFIED : REG | R | PR;
		EXPECT_RESULT(trim ? f.e->emodt(at::Data2, PT_TRIM) : f.e->emodpr(at::Data2, R), done());
		f.enter(1, at::Tcs);
		EXPECT_RESULT(f.e->eaccept(1, at::Data2, flags), code(NOT_TRACKED));
		f.track();
		EXPECT_RESULT(f.e->eaccept(1, at::Data2, flags), code(NOT_TRACKED));
		f.enter(2, at::Tcs2);
		EXPECT_RESULT(f.e->eaccept(2, at::Data2, flags), code(NOT_TRACKED));
		f.m.cpu(1).aex_interrupt();
		EXPECT_RESULT(f.e->eaccept(2, at::Data2, flags), done());
	}
}

TEST(Epoch, NewPagesAreTracked)
{
	Epoch f;
	f.enter(1);
	f.e->aug(at::Free);
	EXPECT_RESULT(f.e->eaccept(1, at::Free, REG | R | W | PENDING), done());
}

TEST(Epoch, PageOfEldbIsTracked)
{
	Epoch f;
	f.block();
	f.track();
	ASSERT_RESULT(f.ewb(), done());
	f.enter(1);
	const u64 page = f.e->epc(at::Data);
	ASSERT_RESULT(f.pager.load(ELDB, page, f.out, f.e->lin(at::Data), f.e->secs), done());
	EXPECT_RESULT(f.ewb(), done());
	ASSERT_RESULT(f.pager.load(ELDU, page, f.out, f.e->lin(at::Data), f.e->secs), done());
	EXPECT_RESULT(f.ewb(), code(PAGE_NOT_BLOCKED));
}

TEST(Epoch, EnclavesHaveSeparateEpochs)
{
	Epoch f;
	auto other = standard(f.m, {.base = 0x710000000000});
	ASSERT_RESULT(other->enter(1), done());
	f.block();
	f.track();
	EXPECT_RESULT(f.ewb(), done());
	EXPECT_RESULT(f.e->etrack(), done());
	EXPECT_RESULT(other->etrack(), done());
	EXPECT_RESULT(other->etrack(), code(PREV_TRK_INCMPL));
}

TEST(Epoch, FailedEntryDoesNotDelay)
{
	Epoch f;
	for (int i = 0; i < 3; i++)
		EXPECT_RESULT(f.e->enter(1, at::Tcs, kNonCanonical), gp());
	f.m.unmap(f.e->lin(at::Ssa));
	EXPECT_EQ(f.e->enter(1).outcome, SGX2_FAULT);
	f.track();
	EXPECT_RESULT(f.e->etrack(), done());
	EXPECT_RESULT(f.e->eremove(at::Data), done());
}

TEST(Epoch, EachExitEndsDelay)
{
	const std::vector<std::function<void(Epoch &)>> ways = {
		[](Epoch &f) { f.exit(1); },
		[](Epoch &f) { f.m.cpu(1).aex_interrupt(); },
		[](Epoch &f) { f.m.cpu(1).aex_exception(PF, 0x8007, 0x700000005000); },
		[](Epoch &f) {
			f.m.cpu(1).aex({SGX2_EV_NMI, 2, 0, false, false, false});
		},
		[](Epoch &f) {
			f.m.cpu(1).aex({SGX2_EV_INIT, 0, 0, false, false, false});
		},
		[](Epoch &f) { sgx2_cpu_reset(f.m.cpu(1).get()); },
	};
	for (const auto &out : ways) {
		Epoch f;
		f.enter(1);
		f.block();
		f.track();
		EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
		out(f);
		EXPECT_RESULT(f.ewb(), done());
	}
}

TEST(Epoch, DriverEvictsWithEtrackAndIpi)
{
	// As the driver evicts: EWB; on NOT_TRACKED (11), ETRACK and EWB; on NOT_TRACKED again, an
	// IPI and EWB, which must succeed.
	Epoch f;
	f.enter(1);
	f.block();
	EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
	f.track();
	EXPECT_RESULT(f.ewb(), code(NOT_TRACKED));
	f.m.cpu(1).aex_interrupt();
	ASSERT_RESULT(f.e->resume(1), done());
	EXPECT_RESULT(f.ewb(), done());
}

TEST(Epoch, EntryShowsEpoch)
{
	Epoch f;
	f.block(at::Data);
	f.track();
	f.block(at::Data2);
	EXPECT_RESULT(f.e->emodpr(at::Code, R), done());
	const u64 first = f.e->entry(at::Data).stamp, second = f.e->entry(at::Data2).stamp;
	EXPECT_NE(first, 0U);
	EXPECT_EQ(second, first + 1);
	EXPECT_EQ(f.e->entry(at::Code).stamp, second);
	EXPECT_EQ(f.e->entry(at::RoData).stamp, 0U);
}

} // namespace
