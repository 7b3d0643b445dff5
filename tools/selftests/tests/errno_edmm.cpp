// SPDX-License-Identifier: GPL-2.0
// Each errno of the calls on a running enclave, and of QUERY and CONFIGURE, returned by a call with exactly one fault.

#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;
constexpr u64 always = 1000000;
/// An address where nothing is mapped.
constexpr u64 nowhere = 0x1000;

class ErrnosEdmm : public Dynamic {};

/// A call on a range with valid arguments otherwise; calls that only sgx2 has are at the end.
struct RangeCall {
	const char *name;
	unsigned long number;
	Progress (*run)(const Device &, u64 offset, u64 length);
};

const RangeCall range_calls[] = {
	{"RESTRICT", SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS,
	 [](const Device &d, u64 o, u64 l) {
		 return d.restrict_permissions(o, l, R);
	 }},
	{"MODIFY", SGX_IOC_ENCLAVE_MODIFY_TYPES,
	 [](const Device &d, u64 o, u64 l) {
		 return d.modify_types(o, l, type_trim);
	 }},
	{"REMOVE", SGX_IOC_ENCLAVE_REMOVE_PAGES,
	 [](const Device &d, u64 o, u64 l) {
		 return d.remove_pages(o, l);
	 }},
	{"RESET", ioc_reset,
	 [](const Device &d, u64 o, u64 l) {
		 return d.reset_permissions(o, l);
	 }},
	{"AUGMENT", ioc_augment,
	 [](const Device &d, u64 o, u64 l) {
		 return d.augment_pages(o, l);
	 }},
};

std::span<const RangeCall> calls()
{
	return Driver::is_sgx2() ? std::span(range_calls) : std::span(range_calls).first(3);
}

TEST_F(ErrnosEdmm, Range)
{
	const u64 size = enclave.image().size;
	grow(page);
	for (const RangeCall &call : calls()) {
		for (const auto &[o, l] : std::initializer_list<std::pair<u64, u64>>{{offset, 0},
										     {offset, 1},
										     {offset, page - 1},
										     {offset, page + 1},
										     {offset + 1, page},
										     {offset + page - 1, page},
										     {offset + 1, page - 1},
										     {0, size + page},
										     {size, page},
										     {size - page, 2 * page},
										     {~0UL - page + 1, page},
										     {~0UL - page + 1, 2 * page},
										     {page, ~0UL - page + 1},
										     {1UL << 63, 1UL << 63}}) {
			// errno: EDMM EINVAL range
			EXPECT_EQ(call.run(enclave.device(), o, l), (Progress{EINVAL, 0, 0}))
				<< call.name << " " << o << " " << l;
		}
	}
}

TEST_F(ErrnosEdmm, State)
{
	Options options;
	options.init = options.map = false;
	const Enclave created(options);
	Device fresh;
	ASSERT_EQ(fresh.open(), 0);
	for (const RangeCall &call : calls()) {
		// errno: EDMM EINVAL state
		EXPECT_EQ(call.run(created.device(), 0, page), (Progress{EINVAL, 0, 0})) << call.name;
		EXPECT_EQ(call.run(fresh, 0, page), (Progress{EINVAL, 0, 0})) << call.name;
		EXPECT_EQ(fresh.call(call.number, nowhere), EINVAL) << call.name;
		// errno: EDMM EFAULT argument
		EXPECT_EQ(enclave.device().call(call.number, nowhere), EFAULT) << call.name;
	}
	EXPECT_EQ(fresh.call(0xA47F, nowhere), ENOTTY); // errno: ioctl ENOTTY number
	EXPECT_EQ(fresh.call(0xA404, nowhere), ENOTTY);
	EXPECT_EQ(fresh.call(0, nowhere), ENOTTY);
}

/// Sets one u64 of a struct at a time, beginning with the first; each of them must be zero on input.
template <typename Argument>
void reserved(const Device &device, unsigned long number, const Argument &good, std::initializer_list<size_t> offsets)
{
	for (const size_t at : offsets) {
		for (const unsigned bit : {0U, 63U}) {
			Argument a = good;
			reinterpret_cast<u64 *>(&a)[at / 8] |= 1UL << bit;
			EXPECT_EQ(device.call(number, &a), EINVAL) << number << " offset " << at << " bit " << bit;
		}
	}
}

TEST_F(ErrnosEdmm, Reserved)
{
	grow(page);
	const Device &d = enclave.device();
	// errno: EDMM EINVAL reserved
	reserved(d, SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, sgx_enclave_restrict_permissions{offset, page, R, 0, 0}, {24, 32});
	reserved(d, SGX_IOC_ENCLAVE_MODIFY_TYPES, sgx_enclave_modify_types{offset, page, type_trim, 0, 0}, {24, 32});
	reserved(d, SGX_IOC_ENCLAVE_REMOVE_PAGES, sgx_enclave_remove_pages{offset, page, 0}, {16});
	if (!Driver::is_sgx2())
		return;
	reserved(d, ioc_reset, Reset{sizeof(Reset), 0, offset, page, 0, 0}, {24, 32});
	reserved(d, ioc_augment, Augment{sizeof(Augment), 0, offset, page, 0, 0}, {24, 32});
	for (const u32 flags : {2U, 4U, 1U << 31}) {
		Reset r = {sizeof(r), flags, offset, page, 0, 0};
		EXPECT_EQ(d.call(ioc_reset, &r), EINVAL) << flags;
		Augment a = {sizeof(a), flags, offset, page, 0, 0};
		EXPECT_EQ(d.call(ioc_augment, &a), EINVAL) << flags;
	}
}

TEST_F(ErrnosEdmm, Restrict)
{
	const Device &d = enclave.device();
	for (const u64 permissions : {8UL, R | 8UL, 1UL << 8, 1UL << 63, W, W | X})
		// errno: RESTRICT EINVAL permissions
		EXPECT_EQ(d.restrict_permissions(0, page, permissions), (Progress{EINVAL, 0, 0})) << permissions;
	const u64 tcs = enclave.image().tcs[0];
	EXPECT_EQ(d.restrict_permissions(tcs, page, R), (Progress{EINVAL, 0, 0}));    // errno: RESTRICT EINVAL type
	EXPECT_EQ(d.restrict_permissions(offset, page, R), (Progress{EFAULT, 0, 0})); // errno: RESTRICT EFAULT absent
	grow(2 * page);
	ASSERT_EQ(d.modify_types(offset, page, type_trim), (Progress{0, page, 0}));
	EXPECT_EQ(d.restrict_permissions(offset, page, R), (Progress{EINVAL, 0, 0}));
	for (const u64 permissions : {RWX, RW, RX, X, R, 0UL})
		EXPECT_EQ(d.restrict_permissions(offset + page, page, permissions), (Progress{0, page, 0})) << permissions;
}

TEST_F(ErrnosEdmm, Modify)
{
	const Device &d = enclave.device();
	const u64 tcs = enclave.image().tcs[3];
	grow(page);
	for (const u64 type : {type_secs, type_reg, type_va, 5UL, 0x101UL, 0x104UL, 1UL << 32 | type_trim, ~0UL})
		EXPECT_EQ(d.modify_types(offset, page, type), (Progress{EINVAL, 0, 0})) << type; // errno: MODIFY EINVAL type
	EXPECT_EQ(d.modify_types(tcs, page, type_tcs), (Progress{EINVAL, 0, 0}));
	// errno: MODIFY EFAULT absent
	EXPECT_EQ(d.modify_types(offset + page, page, type_trim), (Progress{EFAULT, 0, 0}));
	EXPECT_EQ(d.modify_types(0, page, type_tcs), (Progress{EPERM, 0, 0})); // errno: MODIFY EPERM thread
	EXPECT_EQ(d.modify_types(tcs, page, type_trim), (Progress{0, page, 0}));
	EXPECT_EQ(d.modify_types(tcs, page, type_trim), (Progress{EINVAL, 0, 0}));
	EXPECT_EQ(d.modify_types(tcs, page, type_tcs), (Progress{EINVAL, 0, 0}));
}

TEST_F(ErrnosEdmm, Remove)
{
	const Device &d = enclave.device();
	grow(page);
	EXPECT_EQ(d.remove_pages(offset + page, page), (Progress{EFAULT, 0, 0})); // errno: REMOVE EFAULT absent
	EXPECT_EQ(d.remove_pages(offset, page), (Progress{EPERM, 0, 0}));	  // errno: REMOVE EPERM type
	EXPECT_EQ(d.remove_pages(enclave.image().tcs[3], page), (Progress{EPERM, 0, 0}));
	ASSERT_EQ(d.modify_types(offset, page, type_trim), (Progress{0, page, 0}));
	EXPECT_EQ(d.remove_pages(offset, page), (Progress{EPERM, 0, 0})); // errno: REMOVE EPERM unaccepted
	EXPECT_TRUE(whole(accept(page, TRIM | MODIFIED)));
	EXPECT_EQ(d.remove_pages(offset, page), (Progress{0, page, 0}));
	EXPECT_EQ(d.remove_pages(offset, page), (Progress{EFAULT, 0, 0}));
}

TEST_F(ErrnosEdmm, Reset)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	EXPECT_EQ(d.reset_permissions(enclave.image().tcs[0], page), (Progress{EINVAL, 0, 0})); // errno: RESET EINVAL type
	EXPECT_EQ(d.reset_permissions(offset, page), (Progress{EFAULT, 0, 0}));			// errno: RESET EFAULT absent
	grow(page);
	ASSERT_EQ(d.modify_types(offset, page, type_trim), (Progress{0, page, 0}));
	EXPECT_EQ(d.reset_permissions(offset, page), (Progress{EINVAL, 0, 0}));
}

TEST_F(ErrnosEdmm, Pending)
{
	const Device &d = enclave.device();
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	Request touch = request(Op::write, at);
	ASSERT_FALSE(enclave.enter(touch, 1).normal());
	const Progress waits = {EFAULT, 0, PAGE_NOT_MODIFIABLE};
	EXPECT_EQ(d.restrict_permissions(offset, page, R), waits); // errno: RESTRICT EFAULT pending
	EXPECT_EQ(d.modify_types(offset, page, type_trim), waits); // errno: MODIFY EFAULT pending
	EXPECT_EQ(d.remove_pages(offset, page), (Progress{EPERM, 0, 0}));
	if (Driver::is_sgx2()) {
		EXPECT_EQ(d.reset_permissions(offset, page), waits); // errno: RESET EFAULT pending
	}
}

TEST_F(ErrnosEdmm, Conflict)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	const Device &d = enclave.device();
	grow(4 * page);
	const Progress busy = {EFAULT, 0, EPC_PAGE_CONFLICT};
	Configure c = {sizeof(c), configure_mprotect, mprotect_reset, 0, 0, 0};
	ASSERT_EQ(d.call(ioc_configure, &c), 0);
	machine->inject(SGX2_DEV_INJ_EMODPR, always);
	machine->inject(SGX2_DEV_INJ_EMODT, always);
	EXPECT_EQ(d.restrict_permissions(offset, page, R), busy); // errno: RESTRICT EFAULT conflict
	EXPECT_EQ(d.modify_types(offset, page, type_trim), busy); // errno: MODIFY EFAULT conflict
	EXPECT_EQ(d.reset_permissions(offset, page), busy);	  // errno: RESET EFAULT conflict
	EXPECT_EQ(protect(at, page, PROT_READ), EBUSY);		  // errno: mprotect EBUSY conflict
	machine->clear_injection();
	machine->inject(SGX2_DEV_INJ_GP, always);
	EXPECT_EQ(d.restrict_permissions(offset, page, R), (Progress{EFAULT, 0, 0}));
	EXPECT_EQ(protect(at, page, PROT_READ), EBUSY);
	machine->clear_injection();
	EXPECT_EQ(d.augment_pages(offset + 4 * page, page), (Progress{0, page, 0}));
	EXPECT_EQ(d.reset_permissions(offset, 4 * page), (Progress{0, 4 * page, 0}));
	EXPECT_TRUE(whole(accept(4 * page, REG | PR)));
}

TEST_F(ErrnosEdmm, Lost)
{
	ONLY_SGX2();
	const auto machine = machine_or_skip();
	Configure c = {sizeof(c), configure_mprotect, mprotect_reset, 0, 0, 0};
	// Each enclave discovers the loss in its first call; all later calls know it.
	for (const RangeCall &call : calls()) {
		const Enclave other;
		const u64 end = other.image().end;
		other.map(end, page, PROT_READ | PROT_WRITE | PROT_EXEC);
		if (call.number != ioc_augment) {
			ASSERT_EQ(other.device().augment_pages(end, page), (Progress{0, page, 0}));
			ASSERT_TRUE(whole(other.ask(request(Op::accept, other.at(end), page, REG | RW | PENDING))));
		}
		if (call.number == SGX_IOC_ENCLAVE_REMOVE_PAGES) {
			ASSERT_EQ(other.device().modify_types(end, page, type_trim), (Progress{0, page, 0}));
		}
		ASSERT_EQ(other.device().call(ioc_configure, &c), 0);
		machine->lose_epc();
		const Progress first = call.run(other.device(), end, page);
		// EREMOVE and EMODPR cannot distinguish a lost page from an accepted one, so REMOVE does not discover the loss.
		if (call.number != SGX_IOC_ENCLAVE_REMOVE_PAGES) {
			EXPECT_EQ(first, (Progress{EIO, 0, 0})) << call.name; // errno: EDMM EIO lost
		} else {
			EXPECT_EQ(other.device().reset_permissions(0, page), (Progress{EIO, 0, 0}));
		}
		for (const RangeCall &any : calls())
			EXPECT_EQ(any.run(other.device(), end, page), (Progress{EIO, 0, 0}))
				<< any.name << " after " << call.name;
		Query q = {};
		q.size = sizeof(q);
		EXPECT_EQ(other.device().call(ioc_query, &q), 0) << "QUERY needs no EPC";
		EXPECT_EQ(other.device().call(ioc_configure, &c), EIO); // errno: CONFIGURE EIO lost
		EXPECT_EQ(other.device().create(Secs{}), EIO);		// errno: CREATE EIO lost
		EXPECT_EQ(other.device().provision(0), EIO);		// errno: PROVISION EIO lost
		EXPECT_EQ(other.device().call(0xA47F, nowhere), ENOTTY);
		EXPECT_EQ(protect(other.at(end), page, PROT_READ), EIO); // errno: mprotect EIO lost
	}
}

// The struct can be read, but not written: the work is done, but the call cannot return the count.
TEST_F(ErrnosEdmm, ResultOfMainlineCalls)
{
	grow(page);
	const Mapping memory(page);
	const auto call = [&](unsigned long number, auto argument) {
		EXPECT_EQ(protect(memory.address(), page, PROT_READ | PROT_WRITE), 0);
		std::memcpy(memory.data(), &argument, sizeof(argument));
		EXPECT_EQ(protect(memory.address(), page, PROT_READ), 0);
		return enclave.device().call(number, memory.address());
	};
	// errno: RESTRICT EFAULT result
	EXPECT_EQ(call(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, sgx_enclave_restrict_permissions{offset, page, R, 0, 0}), EFAULT);
	EXPECT_TRUE(whole(accept(page, REG | R | PR)));
	// errno: MODIFY EFAULT result
	EXPECT_EQ(call(SGX_IOC_ENCLAVE_MODIFY_TYPES, sgx_enclave_modify_types{offset, page, type_trim, 0, 0}), EFAULT);
	EXPECT_TRUE(whole(accept(page, TRIM | MODIFIED)));
	// errno: REMOVE EFAULT result
	EXPECT_EQ(call(SGX_IOC_ENCLAVE_REMOVE_PAGES, sgx_enclave_remove_pages{offset, page, 0}), EFAULT);
	EXPECT_TRUE(whole(accept(page, REG | RW | PENDING))) << "the page was removed, and is added again";
}

/// Calls with each size of a struct: too short, exact, longer with zeroes, longer without, longer than a page.
template <typename Argument>
void sizes(const Device &device, unsigned long number, Argument good)
{
	struct {
		Argument argument;
		u8 tail[2 * page_size];
	} longer = {};
	const auto with = [&](u32 size, u32 tail_at = 0, u8 value = 0) {
		longer.argument = good;
		longer.argument.size = size;
		std::fill(std::begin(longer.tail), std::end(longer.tail), 0);
		longer.tail[tail_at] = value;
		return device.call(number, &longer);
	};
	const u32 right = sizeof(Argument);
	for (const u32 size : {0U, 1U, 4U, right - 8, right - 1})
		EXPECT_EQ(with(size), EINVAL) << number << " size " << size;
	for (const u32 size : {right + 1, right + 8, static_cast<u32>(page_size)}) {
		EXPECT_EQ(with(size, 0, 1), E2BIG) << number << " size " << size;
		EXPECT_EQ(with(size, size - right - 1, 1), E2BIG) << number << " size " << size;
		EXPECT_EQ(with(size, size - right, 1), 0) << number << " size " << size << ": bytes behind the size are not read";
	}
	for (const u32 size : {static_cast<u32>(page_size) + 1, ~0U})
		EXPECT_EQ(with(size), E2BIG) << number << " size " << size;
	EXPECT_EQ(with(right), 0) << number;
	// The struct ends at the end of a page without a page behind it; after that it is read-only.
	const Mapping two(2 * page_size);
	ASSERT_EQ(protect(two.address() + page_size, page_size, PROT_NONE), 0);
	const u64 last = two.address() + page_size - right;
	auto *at = reinterpret_cast<Argument *>(two.data() + page_size - right);
	*at = good;
	EXPECT_EQ(device.call(number, last), 0) << number;
	*at = good;
	at->size++;
	EXPECT_EQ(device.call(number, last), EFAULT) << number;
	*at = good;
	ASSERT_EQ(protect(two.address(), page_size, PROT_READ), 0);
	EXPECT_EQ(device.call(number, last), number == ioc_configure ? 0 : EFAULT) << number;
}

TEST_F(ErrnosEdmm, StructSize)
{
	ONLY_SGX2();
	grow(page);
	const Device &d = enclave.device();
	// errno: NEW EINVAL size
	// errno: NEW E2BIG tail
	// errno: NEW EFAULT result
	sizes(d, ioc_query, Query{sizeof(Query), 0, 0, 0, 0, 0, 0, 0});
	sizes(d, ioc_configure, Configure{sizeof(Configure), 0, 0, 0, 0, 0});
	sizes(d, ioc_reset, Reset{sizeof(Reset), 0, offset, page, 0, 0});
	sizes(d, ioc_augment, Augment{sizeof(Augment), 0, offset, page, 0, 0});
}

TEST_F(ErrnosEdmm, Query)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	EXPECT_EQ(d.call(ioc_query, nowhere), EFAULT); // errno: QUERY EFAULT argument
	// errno: QUERY EINVAL reserved
	reserved(d, ioc_query, Query{sizeof(Query), 0, 0, 0, 0, 0, 0, 0}, {8, 16, 24, 32, 40});
	Query q = {sizeof(q), 1, 0, 0, 0, 0, 0, 0};
	EXPECT_EQ(d.call(ioc_query, &q), EINVAL);
	Device fresh;
	ASSERT_EQ(fresh.open(), 0);
	q.abi = 0;
	EXPECT_EQ(fresh.call(ioc_query, &q), 0);
	EXPECT_EQ(q.abi, 1U);
}

TEST_F(ErrnosEdmm, Configure)
{
	ONLY_SGX2();
	const Device &d = enclave.device();
	EXPECT_EQ(d.call(ioc_configure, nowhere), EFAULT); // errno: CONFIGURE EFAULT argument
	// errno: CONFIGURE EINVAL reserved
	for (const auto &[set, mprotect, augment, around, reserved_word] :
	     std::initializer_list<std::array<u32, 5>>{{8, 0, 0, 0, 0},
						       {1U << 31, 0, 0, 0, 0},
						       {1, 4, 0, 0, 0},
						       {2, 0, 2, 0, 0},
						       {4, 0, 0, 513, 0},
						       {4, 0, 0, ~0U, 0},
						       {6, 1, 0, 0, 0},
						       {5, 0, 1, 0, 0},
						       {3, 0, 0, 1, 0},
						       {7, 0, 0, 0, 1},
						       {0, 0, 0, 0, 1U << 31}}) {
		Configure c = {sizeof(c), set, mprotect, augment, around, reserved_word};
		EXPECT_EQ(d.call(ioc_configure, &c), EINVAL) << set << " " << mprotect << " " << augment << " " << around;
	}
	// The refused call changed nothing: an access still adds a page.
	enclave.map(offset, page, PROT_READ | PROT_WRITE);
	EXPECT_TRUE(whole(accept(page, REG | RW | PENDING)));
	Configure c = {sizeof(c), 7, 3, 1, 512, 0};
	EXPECT_EQ(d.call(ioc_configure, &c), 0);
}

TEST(Sgx1, EdmmCallsReturnEnodev)
{
	ONLY_SGX2();
	if (Processor::has_sgx2())
		GTEST_SKIP() << "needs a processor without SGX2";
	const Enclave enclave;
	EXPECT_EQ(enclave.ask(request(Op::nothing, 0)).status, Status::done);
	for (const RangeCall &call : range_calls) {
		// errno: EDMM ENODEV sgx1
		EXPECT_EQ(call.run(enclave.device(), enclave.image().end, page), (Progress{ENODEV, 0, 0})) << call.name;
		EXPECT_EQ(enclave.device().call(call.number, nowhere), ENODEV) << call.name;
	}
	Configure c = {sizeof(c), 0, 0, 0, 0, 0};
	EXPECT_EQ(enclave.device().call(ioc_configure, &c), ENODEV); // errno: CONFIGURE ENODEV sgx1
	Query q = {};
	q.size = sizeof(q);
	EXPECT_EQ(enclave.device().call(ioc_query, &q), 0);
	EXPECT_EQ(q.features & 1, 0U);
	enclave.map(enclave.image().end, page, PROT_READ | PROT_WRITE);
	Request touch = request(Op::write, enclave.at(enclave.image().end));
	EXPECT_TRUE(enclave.enter(touch).fault(pf_user | pf_write)) << "a fault adds no page";
}

} // namespace
