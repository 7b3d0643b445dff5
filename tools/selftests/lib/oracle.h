// SPDX-License-Identifier: GPL-2.0
// Compares the driver's view of its enclaves with the machine's EPCM, page by page.
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

/// The driver's view of an enclave, from fdinfo: the resident pages, by address, with the number of their type.
struct DriverView {
	std::map<u64, u64> pages;
	bool dead = false;
	/// True if fdinfo was truncated.
	bool cut = false;

	/// Returns the view of an open file of this process, or nothing if it is not an enclave of sgx2.
	static std::optional<DriverView> of(int fd);
	/// Returns the views of all open enclaves.
	static std::vector<DriverView> all();
};

/// The machine's view: the pages of each enclave, by the number of the enclave, and how many entries of each kind are valid.
struct MachineView {
	std::map<u64, std::map<u64, u64>> enclaves;
	u64 valid = 0;
	u64 blocked = 0;

	static MachineView of(const isa::Monitor &machine);
};

/// Compares the views whenever a test closes an enclave, and requires an empty EPC when no enclave is left. It is active only on a
/// machine that shows its EPCM, with sgx2, which shows its own view.
class Oracle : public testing::EmptyTestEventListener {
public:
	Oracle();
	~Oracle() override;
	Oracle(const Oracle &) = delete;
	Oracle &operator=(const Oracle &) = delete;

	/// Returns the reason why nothing is compared, or an empty string.
	const std::string &silent() const { return silent_; }
	/// Returns the difference of the views, or an empty string.
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
