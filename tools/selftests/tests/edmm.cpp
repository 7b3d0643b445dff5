// SPDX-License-Identifier: GPL-2.0
// Changes of a running enclave: effects and costs of the calls, and the sequences in which runtimes make them.

#include "fixture.h"
#include "stress.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

class Edmm : public Dynamic {};

TEST_F(Edmm, ResetWithoutThreadsSendsNoIpi)
{
	ONLY_SGX2();
	grow();
	const Count count(enclave);
	EXPECT_EQ(enclave.device().reset_permissions(offset, length), (Progress{0, length, 0}));
	EXPECT_EQ(count.emodprs(), 4096);
	EXPECT_LE(count.etracks(), 24);
	EXPECT_EQ(count.broadcasts(), 0);
	EXPECT_TRUE(whole(accept(length, REG | PR)));
	EXPECT_TRUE(whole(extend(length, REG | RW)));
	EXPECT_TRUE(whole(enclave.ask(request(Op::fill, at, length))));
}

TEST_F(Edmm, ResetSendsOneBroadcastPerChunk)
{
	ONLY_SGX2();
	grow();
	const Inside inside(enclave, 1);
	const Count count(enclave);
	EXPECT_EQ(enclave.device().reset_permissions(offset, length), (Progress{0, length, 0}));
	EXPECT_EQ(count.emodprs(), 4096);
	EXPECT_LE(count.etracks(), 24);
	EXPECT_LE(count.broadcasts(), 9);
	EXPECT_TRUE(whole(accept(length, REG | PR)));
}

TEST_F(Edmm, RestrictCostsAsMuchAsReset)
{
	ONLY_SGX2();
	grow();
	Count count(enclave);
	EXPECT_EQ(enclave.device().restrict_permissions(offset, length, R), (Progress{0, length, 0}));
	EXPECT_EQ(count.emodprs(), 4096);
	EXPECT_LE(count.etracks(), 24);
	EXPECT_EQ(count.broadcasts(), 0);
	EXPECT_TRUE(whole(accept(length, REG | R | PR)));
	const Inside inside(enclave, 1);
	count.reset();
	EXPECT_EQ(enclave.device().restrict_permissions(offset, length, R), (Progress{0, length, 0}));
	EXPECT_LE(count.broadcasts(), 9);
	EXPECT_TRUE(whole(accept(length, REG | R | PR)));
}

TEST_F(Edmm, MprotectResetsPermissions)
{
	ONLY_SGX2();
	grow();
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_mprotect;
	c.mprotect = mprotect_reset;
	ASSERT_EQ(enclave.device().call(ioc_configure, &c), 0);
	Count count(enclave);
	ASSERT_EQ(protect(at, length, PROT_READ), 0);
	EXPECT_EQ(count.emodprs(), 4096);
	EXPECT_LE(count.etracks(), 24);
	EXPECT_EQ(count.broadcasts(), 0);
	EXPECT_TRUE(whole(accept(length, REG | PR)));
	EXPECT_TRUE(whole(extend(length, REG | R)));
	EXPECT_EQ(enclave.ask(request(Op::read, at + 5 * page)).status, Status::done);
	// PROT_NONE changes no permission: the enclave could not accept the change.
	count.reset();
	ASSERT_EQ(protect(at, length, PROT_NONE), 0);
	EXPECT_EQ(count.emodprs(), 0);
	const Inside inside(enclave, 1);
	count.reset();
	ASSERT_EQ(protect(at, length, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(count.emodprs(), 4096);
	EXPECT_LE(count.broadcasts(), 9);
	EXPECT_TRUE(whole(accept(length, REG | PR)));
}

// The range has a readable mapping, a file without an enclave, and reserved memory. All pages are added; only the first has a PTE.
TEST_F(Edmm, AugmentFollowsMappings)
{
	ONLY_SGX2();
	Device other;
	ASSERT_EQ(other.open(), 0);
	const auto prepare = [&](u64 from) {
		enclave.map(from, page, PROT_READ | PROT_WRITE);
		ASSERT_EQ(map_fixed(other.fd(), enclave.at(from) + page, page, PROT_READ), 0);
		enclave.map(from + 2 * page, page, PROT_NONE);
	};
	prepare(offset);
	EXPECT_EQ(enclave.device().augment_pages(offset, 3 * page), (Progress{0, 3 * page, 0}));
	const Count count(enclave);
	EXPECT_TRUE(whole(accept(page, REG | RW | PENDING)));
	EXPECT_EQ(count.faults(), 0);
	EXPECT_EQ(probe(at + page), SIGBUS) << "the mapping is of another file";
	EXPECT_EQ(probe(at + 2 * page), SIGSEGV);
	ASSERT_EQ(protect(at + 2 * page, page, PROT_READ | PROT_WRITE), 0);
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, at + 2 * page, page, REG | RW | PENDING))));
	EXPECT_EQ(count.faults(), 1);
	// A range that begins outside of a mapping of the enclave is still augmented in the mapping behind it.
	prepare(offset + 16 * page);
	enclave.map(offset + 18 * page, page, PROT_READ | PROT_WRITE);
	const long before = fdinfo(enclave.device(), "sgx2-pages");
	EXPECT_EQ(posix_fadvise(enclave.device().fd(), static_cast<off_t>(at + 17 * page), 2 * page, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(fdinfo(enclave.device(), "sgx2-pages"), before + 1);
}

TEST_F(Edmm, MprotectRestrictsPermissions)
{
	ONLY_SGX2();
	grow(16 * page);
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_mprotect;
	c.mprotect = mprotect_restrict;
	ASSERT_EQ(enclave.device().call(ioc_configure, &c), 0);
	ASSERT_EQ(protect(at, 16 * page, PROT_READ), 0);
	EXPECT_TRUE(whole(accept(16 * page, REG | R | PR)));
	EXPECT_EQ(enclave.ask(request(Op::read, at)).status, Status::done);
	Request write = request(Op::write, at);
	EXPECT_TRUE(enclave.enter(write, 1).fault(pf_present | pf_write | pf_user));
	// Execute only.
	ASSERT_EQ(protect(at + 8 * page, page, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, at + 8 * page, page, REG | R | PR))));
	EXPECT_TRUE(whole(enclave.ask(request(Op::extend, at + 8 * page, page, REG | RWX))));
	ASSERT_EQ(protect(at + 8 * page, page, PROT_EXEC), 0);
	// Otherwise the protection key for execute-only memory prevents the read, where the processor has such keys.
	ASSERT_EQ(protect(at + 8 * page, page, PROT_READ | PROT_EXEC), 0);
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, at + 8 * page, page, REG | X | PR))));
}

TEST_F(Edmm, AcceptAfterAugmentTakesNoFault)
{
	ONLY_SGX2();
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	const Count count(enclave);
	EXPECT_EQ(enclave.device().augment_pages(offset, length), (Progress{0, length, 0}));
	EXPECT_TRUE(whole(accept(length, REG | RW | PENDING)));
	EXPECT_EQ(count.faults(), 0);
	Augment again = {};
	again.size = sizeof(again);
	again.offset = offset;
	again.length = length + 4 * page;
	EXPECT_EQ(enclave.device().call(ioc_augment, &again), 0);
	EXPECT_EQ(again.count, length + 4 * page);
	EXPECT_EQ(again.existing, length);
}

TEST_F(Edmm, WillNeedAugments)
{
	ONLY_SGX2();
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	const Count count(enclave);
	EXPECT_EQ(madvise(reinterpret_cast<void *>(at), 512 * page, MADV_WILLNEED), 0);
	EXPECT_TRUE(whole(accept(512 * page, REG | RW | PENDING)));
	EXPECT_EQ(count.faults(), 0);
}

TEST_F(Edmm, SequentialAccessTakesFewFaults)
{
	ONLY_SGX2();
	enclave.map(offset, 2 * length, PROT_READ | PROT_WRITE);
	Count count(enclave);
	EXPECT_TRUE(whole(accept(length, REG | RW | PENDING)));
	EXPECT_LE(count.faults(), 256);
	EXPECT_GT(count.faults(), 0);
	count.reset();
	Request down = request(Op::accept, at + length, 2048 * page, REG | RW | PENDING);
	down.descending = 1;
	EXPECT_TRUE(whole(enclave.ask(down)));
	EXPECT_LE(count.faults(), 128);
}

// An access pattern that skips added pages gets fewer of them: at most as many again as it accesses.
TEST_F(Edmm, StridedAccessStaysSmall)
{
	ONLY_SGX2();
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	const long before = fdinfo(enclave.device(), "sgx2-pages");
	long touched = 0;
	for (u64 where = at; where < at + 512 * page; touched++) {
		const long had = fdinfo(enclave.device(), "sgx2-pages");
		EXPECT_TRUE(whole(enclave.ask(request(Op::accept, where, page, REG | RW | PENDING))));
		const long added = fdinfo(enclave.device(), "sgx2-pages") - had;
		ASSERT_GT(added, 0);
		where += static_cast<u64>(added) * page;
	}
	EXPECT_LE(fdinfo(enclave.device(), "sgx2-pages") - before, 2 * touched);
}

TEST_F(Edmm, AbsentPageFaultsWithAugmentOff)
{
	ONLY_SGX2();
	Configure c = {};
	c.size = sizeof(c);
	c.set = configure_augment;
	c.augment = augment_never;
	ASSERT_EQ(enclave.device().call(ioc_configure, &c), 0);
	enclave.map(offset, length, PROT_READ | PROT_WRITE);
	Request touch = request(Op::write, at);
	for (unsigned thread = 0; thread < 3; thread++)
		EXPECT_TRUE(enclave.enter(touch, thread).fault(pf_user | pf_write));
}

TEST_F(Edmm, AccessBeforeAccept)
{
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	Request touch = request(Op::write, at);
	touch.value = 77;
	EXPECT_TRUE(enclave.enter(touch).fault(pf_present | pf_user | pf_write | pf_sgx));
	// Accept on the same thread, on its stack for exceptions.
	Request accept = request(Op::accept, at, page, REG | RW | PENDING);
	EXPECT_TRUE(enclave.enter(accept).normal());
	EXPECT_TRUE(whole(accept));
	EXPECT_TRUE(enclave.enter(touch, 0, ERESUME).normal());
	EXPECT_EQ(enclave.ask(request(Op::read, at)).result, 77U);
	remove(page);
}

// Intel: from high to low addresses; RESTRICT, mprotect, EACCEPT.
TEST_F(Edmm, IntelSequence)
{
	enclave.map(offset, 32 * page, PROT_READ | PROT_WRITE);
	Request down = request(Op::accept, at, 32 * page, REG | RW | PENDING);
	down.descending = 1;
	EXPECT_TRUE(whole(enclave.ask(down)));
	EXPECT_EQ(enclave.device().restrict_permissions(offset, 32 * page, R), (Progress{0, 32 * page, 0}));
	ASSERT_EQ(protect(at, 32 * page, PROT_READ), 0);
	EXPECT_TRUE(whole(accept(32 * page, REG | R | PR)));
	// To execute permission: EMODPE with PR set in SECINFO, without EACCEPT.
	ASSERT_EQ(protect(at, 32 * page, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	EXPECT_EQ(enclave.device().restrict_permissions(offset, 32 * page, R), (Progress{0, 32 * page, 0}));
	EXPECT_TRUE(whole(extend(32 * page, REG | RWX | PR)));
	remove(32 * page);
	ASSERT_EQ(protect(at, 32 * page, PROT_NONE), 0);
}

// Gramine: all of it is mapped RWX before the enclave exists, at any base; EMODPE before RESTRICT, also to no permission.
TEST_F(Edmm, GramineSequence)
{
	enclave.map(offset, 32 * page, PROT_READ | PROT_WRITE | PROT_EXEC);
	EXPECT_TRUE(whole(accept(32 * page, REG | RW | PENDING)));
	EXPECT_TRUE(whole(extend(32 * page, REG | RX)));
	EXPECT_EQ(enclave.device().restrict_permissions(offset, 32 * page, RX), (Progress{0, 32 * page, 0}));
	EXPECT_TRUE(whole(accept(32 * page, REG | RX | PR)));
	EXPECT_EQ(enclave.device().restrict_permissions(offset, 32 * page, 0), (Progress{0, 32 * page, 0}));
	EXPECT_TRUE(whole(accept(32 * page, REG | PR)));
	EXPECT_TRUE(whole(extend(32 * page, REG | RW)));
	remove(32 * page);
	// Grow again at the same place.
	EXPECT_TRUE(whole(accept(32 * page, REG | RW | PENDING)));
}

// Enarx: EACCEPTCOPY with the final permissions; mprotect before RESTRICT to R, always; munmap before REMOVE.
TEST_F(Edmm, EnarxSequence)
{
	enclave.map(offset, 32 * page, PROT_READ | PROT_WRITE);
	Request copy = request(Op::accept_copy, at, 32 * page, REG | R);
	copy.source = enclave.at(enclave.image().heap);
	EXPECT_TRUE(whole(enclave.ask(copy)));
	ASSERT_EQ(protect(at, 32 * page, PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(enclave.device().restrict_permissions(offset, 32 * page, R), (Progress{0, 32 * page, 0}));
	EXPECT_TRUE(whole(accept(32 * page, REG | R | PR)));
	EXPECT_TRUE(whole(extend(32 * page, REG | RX)));
	EXPECT_EQ(enclave.device().modify_types(offset, 32 * page, type_trim), (Progress{0, 32 * page, 0}));
	EXPECT_TRUE(whole(accept(32 * page, TRIM | MODIFIED)));
	ASSERT_EQ(unmap(at, 32 * page), 0);
	EXPECT_EQ(enclave.device().remove_pages(offset, 32 * page), (Progress{0, 32 * page, 0}));
	// Outside of a mapping an access raises an ordinary fault: page not present, no SGX bit.
	Request touch = request(Op::write, at);
	EXPECT_TRUE(enclave.enter(touch).fault(pf_user | pf_write));
}

// A thread is added at run time, in an executable mapping, and is removed.
TEST_F(Edmm, DynamicThread)
{
	ONLY_SGX2();
	grow(16 * page);
	Request thread = request(Op::make_thread, at + 10 * page);
	thread.source = static_cast<u64>(-7 * static_cast<long>(page));
	thread.value = static_cast<u64>(-5 * static_cast<long>(page));
	thread.extra = static_cast<u64>(-4 * static_cast<long>(page));
	EXPECT_EQ(enclave.ask(thread).status, Status::done);
	Request tcs = request(Op::make_tcs, at + 11 * page, 3);
	tcs.source = at + 7 * page;
	tcs.value = at + 10 * page;
	EXPECT_EQ(enclave.ask(tcs).status, Status::done);
	EXPECT_EQ(enclave.device().modify_types(offset + 11 * page, page, type_tcs), (Progress{0, page, 0}));
	EXPECT_TRUE(whole(enclave.ask(request(Op::accept, at + 11 * page, page, TCS | MODIFIED))));
	enclave.threads.push_back(at + 11 * page);
	EXPECT_EQ(enclave.ask(request(Op::read, at), 4).status, Status::done);
	remove(16 * page);
}

TEST_F(Edmm, RefusesInvalidChanges)
{
	const Device &d = enclave.device();
	const u64 tcs = enclave.image().tcs[0];

	for (const auto &[o, l] : {std::pair<u64, u64>{0, 0},
				   {0, 1},
				   {1, page},
				   {0, page + 1},
				   {0, enclave.image().size + page},
				   {enclave.image().size, page},
				   {~0ULL - page + 1, page},
				   {~0ULL - page + 1, 2 * page}}) {
		EXPECT_EQ(d.restrict_permissions(o, l, R), (Progress{EINVAL, 0, 0})) << o << " " << l;
		EXPECT_EQ(d.modify_types(o, l, type_trim), (Progress{EINVAL, 0, 0})) << o << " " << l;
		EXPECT_EQ(d.remove_pages(o, l), (Progress{EINVAL, 0, 0})) << o << " " << l;
	}
	EXPECT_EQ(d.restrict_permissions(0, page, 8), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.restrict_permissions(0, page, W), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.restrict_permissions(tcs, page, R), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.restrict_permissions(offset, page, R), (Progress{EFAULT, 0, 0}));
	for (const u64 type : {0UL, 2UL, 3UL, 5UL, 0x101UL})
		EXPECT_EQ(d.modify_types(0, page, type), (Progress{EINVAL, 0, 0})) << type;
	EXPECT_EQ(d.modify_types(tcs, page, type_tcs), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.modify_types(offset, page, type_trim), (Progress{EFAULT, 0, 0}));
	// Code is not writable, so it cannot become a TCS.
	EXPECT_EQ(d.modify_types(0, page, type_tcs), (Progress{EPERM, 0, 0}));
	EXPECT_EQ(d.remove_pages(0, page), (Progress{EPERM, 0, 0}));
	EXPECT_EQ(d.remove_pages(offset, page), (Progress{EFAULT, 0, 0}));

	sgx_enclave_restrict_permissions a = {};
	a.length = page;
	a.permissions = R;
	a.count = 1;
	EXPECT_EQ(d.call(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, &a), EINVAL);
	a.count = 0;
	a.result = 1;
	EXPECT_EQ(d.call(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, &a), EINVAL);
	EXPECT_EQ(d.call(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(d.call(SGX_IOC_ENCLAVE_MODIFY_TYPES, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(d.call(SGX_IOC_ENCLAVE_REMOVE_PAGES, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(d.call(0xA47F, static_cast<u64>(0)), ENOTTY);
}

// The call stops at the page that cannot be changed, and the pages before it are complete.
TEST_F(Edmm, CountsCompletedPages)
{
	grow(8 * page);
	EXPECT_EQ(enclave.device().restrict_permissions(offset, 9 * page, R), (Progress{EFAULT, 8 * page, 0}));
	EXPECT_TRUE(whole(accept(8 * page, REG | R | PR)));
	EXPECT_EQ(enclave.device().modify_types(offset, 4 * page, type_trim), (Progress{0, 4 * page, 0}));
	EXPECT_EQ(enclave.device().restrict_permissions(offset + 3 * page, page, R).error, EINVAL);
	EXPECT_EQ(enclave.device().remove_pages(offset, 4 * page), (Progress{EPERM, 0, 0}));
	EXPECT_TRUE(whole(accept(2 * page, TRIM | MODIFIED)));
	EXPECT_EQ(enclave.device().remove_pages(offset, 4 * page), (Progress{EPERM, 2 * page, 0}));
	EXPECT_EQ(enclave.device().modify_types(offset + 2 * page, page, type_trim), (Progress{EINVAL, 0, 0}));
	// For a pending page the call returns the code of the leaf.
	enclave.map(offset + 16 * page, page, PROT_READ | PROT_WRITE);
	Request touch = request(Op::write, at + 16 * page);
	EXPECT_FALSE(enclave.enter(touch, 1).normal());
	EXPECT_EQ(enclave.device().restrict_permissions(offset + 16 * page, page, R), (Progress{EFAULT, 0, PAGE_NOT_MODIFIABLE}));
	EXPECT_EQ(enclave.device().modify_types(offset + 16 * page, page, type_trim), (Progress{EFAULT, 0, PAGE_NOT_MODIFIABLE}));
}

TEST(EdmmBeforeInit, CallsFail)
{
	Options options;
	options.init = options.map = false;
	const Enclave enclave(options);
	EXPECT_EQ(enclave.device().restrict_permissions(0, page, R), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(enclave.device().modify_types(0, page, type_trim), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(enclave.device().remove_pages(0, page), (Progress{EINVAL, 0, 0}));
	Device fresh;
	ASSERT_EQ(fresh.open(), 0);
	EXPECT_EQ(fresh.restrict_permissions(0, 0, 0), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(fresh.remove_pages(0, 0), (Progress{EINVAL, 0, 0}));
	if (Driver::is_sgx2()) {
		EXPECT_EQ(fresh.reset_permissions(0, page), (Progress{EINVAL, 0, 0}));
		EXPECT_EQ(fresh.augment_pages(0, page), (Progress{EINVAL, 0, 0}));
	}
}

TEST_F(Edmm, NewCallsAreExtensible)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	struct {
		Query q;
		u64 tail;
	} query = {};
	for (const u32 size : {0U, 1U, 4U, static_cast<u32>(sizeof(Query) - 1)}) {
		query.q.size = size;
		EXPECT_EQ(d.call(ioc_query, &query), EINVAL) << size;
	}
	query.q.size = sizeof(Query);
	EXPECT_EQ(d.call(ioc_query, &query), 0);
	EXPECT_EQ(query.q.abi, 1U);
	EXPECT_EQ(query.q.features & 1, 1U);
	EXPECT_EQ(query.q.chunk_size, 2U << 20);
	EXPECT_EQ(query.q.epc_total, Processor::epc_bytes());
	EXPECT_EQ(d.call(ioc_query, &query), EINVAL);
	query = {};
	query.q.size = sizeof(query);
	EXPECT_EQ(d.call(ioc_query, &query), 0);
	query = {};
	query.q.size = sizeof(query);
	query.tail = 1;
	EXPECT_EQ(d.call(ioc_query, &query), E2BIG);
	query.q.size = 4097;
	EXPECT_EQ(d.call(ioc_query, &query), E2BIG);
	EXPECT_EQ(d.call(ioc_query, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(d.call(ioc_configure, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(d.call(ioc_reset, static_cast<u64>(0)), EFAULT);
	EXPECT_EQ(d.call(ioc_augment, static_cast<u64>(0)), EFAULT);

	const Configure good = {sizeof(Configure), 7, mprotect_reset, augment_never, 512, 0};
	Configure c = good;
	EXPECT_EQ(d.call(ioc_configure, &c), 0);
	for (u32 Configure::*member : {&Configure::set, &Configure::mprotect, &Configure::augment, &Configure::reserved}) {
		c = good;
		c.*member = 8;
		EXPECT_EQ(d.call(ioc_configure, &c), EINVAL);
	}
	c = good;
	c.fault_around = 513;
	EXPECT_EQ(d.call(ioc_configure, &c), EINVAL);
	c = good;
	c.set = configure_fault_around;
	EXPECT_EQ(d.call(ioc_configure, &c), EINVAL);

	EXPECT_EQ(d.reset_permissions(0, page, 2), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.reset_permissions(1, page), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.reset_permissions(offset, page), (Progress{EFAULT, 0, 0}));
	EXPECT_EQ(d.reset_permissions(enclave.image().tcs[0], page), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.augment_pages(0, 0), (Progress{EINVAL, 0, 0}));
	Augment a = {sizeof(a), 1, 0, page, 0, 0};
	EXPECT_EQ(d.call(ioc_augment, &a), EINVAL);
}

TEST_F(Edmm, ResetKeepsReadIfAsked)
{
	ONLY_SGX2();
	grow(4 * page);
	EXPECT_EQ(enclave.device().reset_permissions(offset, 4 * page, reset_keep_read), (Progress{0, 4 * page, 0}));
	EXPECT_TRUE(whole(accept(4 * page, REG | R | PR)));
	EXPECT_EQ(enclave.ask(request(Op::read, at)).status, Status::done);
}

// Two threads access a new page at the same time: neither receives a signal.
TEST_F(Edmm, TwoThreadsAccessOneNewPage)
{
	ONLY_SGX2();
	for (unsigned round = 0; round < 200; round++) {
		const u64 where = at + round * page;
		enclave.map(offset + round * page, page, PROT_READ | PROT_WRITE);
		std::atomic<bool> go = false;
		auto first_access = [&](unsigned thread) {
			while (!go)
				;
			Request r = request(Op::accept, where, page, REG | RW | PENDING);
			return std::pair(enclave.enter(r, thread), r);
		};
		std::pair<Exit, Request> other;
		std::thread second([&] { other = first_access(1); });
		go = true;
		const auto mine = first_access(0);
		second.join();
		// One thread accepts the page; the other finds it accepted.
		ASSERT_TRUE(mine.first.normal() && other.first.normal()) << round;
		ASSERT_EQ((mine.second.result == 0) + (other.second.result == 0), 1) << round;
	}
}

/// Makes one leaf in five fail with a conflict, until the destructor runs.
class Conflicts {
public:
	explicit Conflicts(const isa::Monitor &machine) : machine_(machine)
	{
		for (const unsigned reg : {SGX2_DEV_INJ_EMODPR, SGX2_DEV_INJ_EMODT, SGX2_DEV_INJ_GP, SGX2_DEV_INJ_EBLOCK})
			machine_.inject(reg, 200000);
	}
	~Conflicts() { machine_.clear_injection(); }
	Conflicts(const Conflicts &) = delete;
	Conflicts &operator=(const Conflicts &) = delete;

private:
	const isa::Monitor &machine_;
};

TEST_F(Edmm, ConflictsAreRetried)
{
	ONLY_SGX2();
	constexpr u64 some = 512 * page;
	const Count count(enclave);
	const auto disturbed = [&](auto call) {
		const Conflicts conflicts(count.machine());
		EXPECT_EQ(call(), (Progress{0, some, 0}));
	};
	enclave.map(offset, some, PROT_READ | PROT_WRITE);
	disturbed([&] { return enclave.device().augment_pages(offset, some); });
	EXPECT_TRUE(whole(accept(some, REG | RW | PENDING)));
	disturbed([&] { return enclave.device().reset_permissions(offset, some); });
	EXPECT_TRUE(whole(accept(some, REG | PR)));
	disturbed([&] { return enclave.device().modify_types(offset, some, type_trim); });
	EXPECT_TRUE(whole(accept(some, TRIM | MODIFIED)));
	disturbed([&] { return enclave.device().remove_pages(offset, some); });
}

// The call that discovers the loss has mapped older pages, or is about to map them.
TEST_F(Edmm, EpcLossDuringGrowth)
{
	ONLY_SGX2();
	grow(8 * page);
	const Count count(enclave);
	EXPECT_EQ(peek(at), 0);
	count.machine().lose_epc();
	EXPECT_EQ(enclave.device().augment_pages(offset, 16 * page), (Progress{EIO, 8 * page, 0}));
	EXPECT_EQ(peek(at), EFAULT);
}

// ERDINFO shows that pages are lost. EMODPR returns the code of pages that cannot be changed, as for pages whose trim was accepted.
TEST_F(Edmm, EpcLossBeforeRemoval)
{
	ONLY_SGX2();
	grow(8 * page);
	EXPECT_EQ(enclave.device().modify_types(offset, 8 * page, type_trim), (Progress{0, 8 * page, 0}));
	EXPECT_TRUE(whole(accept(8 * page, TRIM | MODIFIED)));
	const Count count(enclave);
	count.machine().lose_epc();
	const Progress told{EIO, 0, 0}, gone{0, 8 * page, 0};
	EXPECT_EQ(enclave.device().remove_pages(offset, 8 * page), Processor::has_rdinfo() ? told : gone);
	EXPECT_EQ(enclave.device().augment_pages(offset, page), (Progress{EIO, 0, 0}));
}

TEST_F(Edmm, EpcLoss)
{
	ONLY_SGX2();
	grow(512 * page);
	const Count count(enclave);
	count.machine().lose_epc();
	const Progress p = enclave.device().reset_permissions(offset, 512 * page);
	EXPECT_EQ(p, (Progress{EIO, 0, 0}));
	EXPECT_EQ(enclave.device().augment_pages(offset, 512 * page), (Progress{EIO, 0, 0}));
	EXPECT_EQ(enclave.device().remove_pages(offset, page), (Progress{EIO, 0, 0}));
	Request r = request(Op::read, at);
	EXPECT_FALSE(enclave.enter(r).normal());
	Query query = {};
	query.size = sizeof(query);
	EXPECT_EQ(enclave.device().call(ioc_query, &query), 0) << "QUERY needs no EPC";
	const Enclave other;
	EXPECT_EQ(other.ask(request(Op::nothing, 0)).status, Status::done);
}

} // namespace
