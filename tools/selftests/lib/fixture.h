// SPDX-License-Identifier: GPL-2.0
// Parts that tests share: fixtures, threads that stay inside, and counts of the machine's events.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "../../../tests/isa/program/monitor.h"
#include "driver.h"
#include "enclave.h"
#include "inside.h"

namespace sgx {

/// Skips a test that needs sgx2, and prints the reason.
#define ONLY_SGX2()             \
	if (!Driver::is_sgx2()) \
	GTEST_SKIP() << "only sgx2 does this"

/// Skips the test from a constructor or a helper, where GTEST_SKIP() does not work.
[[noreturn]] inline void skip(const char *why)
{
	testing::internal::AssertHelper(testing::TestPartResult::kSkip, __FILE__, __LINE__, why) = testing::Message();
	// This is the only exception that GoogleTest does not count as a failure.
	throw testing::AssertionException(testing::TestPartResult(testing::TestPartResult::kSkip, __FILE__, __LINE__, why));
}

/// Returns the monitor of the SGX2 machine, or skips the test where there is none, as on silicon.
inline std::unique_ptr<isa::Monitor> machine_or_skip()
{
	auto machine = isa::Monitor::find();
	if (!machine)
		skip("needs the SGX2 machine, which can inject failures and lose its EPC");
	return machine;
}

/// Succeeds if the operation completed for all of its range.
inline testing::AssertionResult whole(const Request &r)
{
	if (r.status == Status::done && r.done == r.length)
		return testing::AssertionSuccess();
	return testing::AssertionFailure() << "status " << static_cast<u64>(r.status) << ", result " << r.result << " after "
					   << r.done << " of " << r.length << " bytes";
}

/// Counts of the machine and of the driver since the constructor or the last reset().
class Count {
public:
	explicit Count(const Enclave &enclave) : enclave_(enclave), monitor_(isa::Monitor::find())
	{
		if (!monitor_)
			skip("silicon has no counters of leaves");
		reset();
	}
	void reset()
	{
		etracks_ = leaf(0xc);
		emodprs_ = leaf(0xe);
		faults_ = fdinfo(enclave_.device(), "sgx2-faults");
		broadcasts_ = fdinfo(enclave_.device(), "sgx2-ipi-broadcasts");
	}
	long etracks() const { return leaf(0xc) - etracks_; }
	long emodprs() const { return leaf(0xe) - emodprs_; }
	long faults() const { return fdinfo(enclave_.device(), "sgx2-faults") - faults_; }
	long broadcasts() const { return fdinfo(enclave_.device(), "sgx2-ipi-broadcasts") - broadcasts_; }
	const isa::Monitor &machine() const { return *monitor_; }

private:
	/// Returns how often a leaf ran, with any result.
	long leaf(unsigned number) const
	{
		long sum = 0;
		for (unsigned result = 0; result < 34; result++)
			sum += static_cast<long>(monitor_->counter(SGX2_DEV_CTR_ENCLS(number, result)));
		return sum;
	}

	const Enclave &enclave_;
	std::unique_ptr<isa::Monitor> monitor_;
	long etracks_ = 0, emodprs_ = 0, faults_ = 0, broadcasts_ = 0;
};

/// An enclave with a range in which no page is added yet.
class Dynamic : public testing::Test {
protected:
	static constexpr u64 pages = 4096, length = pages * page_size;

	/// The first entry faults on the pages that each entry accesses; do it before a test counts faults.
	void SetUp() override
	{
		for (unsigned thread = 0; thread < 2; thread++)
			enclave.ask(request(Op::nothing, 0), thread);
	}

	void grow(u64 bytes = length, int prot = PROT_READ | PROT_WRITE | PROT_EXEC)
	{
		enclave.map(offset, bytes, prot);
		if (Driver::is_sgx2()) {
			const Progress p = enclave.device().augment_pages(offset, bytes);
			ASSERT_EQ(p, (Progress{0, bytes, 0}));
		}
		ASSERT_TRUE(whole(accept(bytes, REG | RW | PENDING)));
	}
	Request accept(u64 bytes, u64 secinfo, unsigned thread = 0) const
	{
		return enclave.ask(request(Op::accept, at, bytes, secinfo), thread);
	}
	Request extend(u64 bytes, u64 secinfo) const { return enclave.ask(request(Op::extend, at, bytes, secinfo)); }
	void remove(u64 bytes) const
	{
		EXPECT_EQ(enclave.device().modify_types(offset, bytes, type_trim), (Progress{0, bytes, 0}));
		EXPECT_TRUE(whole(accept(bytes, TRIM | MODIFIED)));
		EXPECT_EQ(enclave.device().remove_pages(offset, bytes), (Progress{0, bytes, 0}));
	}

	Enclave enclave;
	const u64 offset = enclave.image().end;
	const u64 at = enclave.at(offset);
};

/// An open file without an enclave, and valid arguments for each call that builds one.
class ByHand : public testing::Test {
protected:
	static constexpr u64 size = 16 * page_size;

	void SetUp() override
	{
		ASSERT_EQ(device.open(), 0);
		info.flags = REG | RW;
		pages.src = source.address();
		pages.length = page_size;
		pages.secinfo = reinterpret_cast<u64>(&info);
	}
	void create() { ASSERT_EQ(device.create(secs), 0); }
	/// Returns a signature for an enclave without a page.
	Sigstruct signature() const
	{
		Measurement m;
		m.create(1, size);
		Sigstruct s = sigstruct_for(secs, m.digest());
		sign(s);
		return s;
	}

	Device device;
	Mapping range = Mapping::reserve(size);
	Mapping source = Mapping(4 * page_size);
	Secs secs = plain_secs(range.address(), size);
	SecInfo info = {};
	sgx_enclave_add_pages pages = {};
};

} // namespace sgx
