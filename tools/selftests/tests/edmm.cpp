// SPDX-License-Identifier: GPL-2.0
// Change of a running enclave: what each call does, how much it costs, and what it refuses.

#include <gtest/gtest.h>

#include "driver.h"
#include "enclave.h"

using namespace sgx;

TEST(Build, RunsAndKeepsItsSecret)
{
	const Enclave enclave;
	Request r = {};
	r.op = Op::secret;
	r.value = 7;
	EXPECT_EQ(enclave.ask(r).result, 0x5ec2e7U);
	EXPECT_EQ(enclave.ask(r).result, 7U);
}
