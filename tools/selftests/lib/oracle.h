// SPDX-License-Identifier: GPL-2.0
// Holds what the driver says of its enclaves against the machine's EPCM, page by page.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "../../../tests/isa/program/monitor.h"
#include "arch.h"

namespace sgx {

/// The driver's view, from fdinfo: the pages of an enclave that are in the EPC, by address, with the number of their type.
struct DriverView {
	std::map<u64, u64> pages;
	bool dead = false;
	/// fdinfo does not tell all of them.
	bool cut = false;

	/// Of an open file of this process; nothing if it is no enclave of sgx2 that was created.
	static std::optional<DriverView> of(int fd);
	/// Of all of them.
	static std::vector<DriverView> all();
};

/// What the machine knows: the same, by the enclave's number, and how many valid entries there are of any kind.
struct MachineView {
	std::map<u64, std::map<u64, u64>> enclaves;
	u64 valid = 0;
	u64 blocked = 0;

	static MachineView of(const isa::Monitor &machine);
};

/// Compares whenever a test lets go of an enclave, and, once it has none left, wants the EPC to be empty. Only where the machine
/// shows its EPCM, and for sgx2, which tells its own view.
class Oracle : public testing::EmptyTestEventListener {
public:
	Oracle();
	~Oracle() override;
	Oracle(const Oracle &) = delete;
	Oracle &operator=(const Oracle &) = delete;

	/// Why it finds nothing: there is no machine to ask, or no sgx2.
	const std::string &silent() const { return silent_; }
	/// What the views differ in; empty if in nothing.
	std::string compare() const;

private:
	void OnTestStart(const testing::TestInfo &) override;
	void OnTestEnd(const testing::TestInfo &) override;
	void OnTestIterationEnd(const testing::UnitTest &, int) override;
	void closing(int fd);
	std::string once() const;

	std::unique_ptr<isa::Monitor> machine_;
	std::string silent_;
	int process_;
	unsigned left_ = 0;
	unsigned losses_ = 0;
	unsigned long compared_ = 0;
};

} // namespace sgx
