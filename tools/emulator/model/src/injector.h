// SPDX-License-Identifier: GPL-2.0
// Injection of conflicts by a deterministic generator. Without injection no conflict occurs,
// because leaves wait for each other.
#pragma once

#include <cstdint>
#include <mutex>

#include "sgx2_model.h"

namespace sgx2 {

/// splitmix64 (Steele, Lea, Flood): a small generator that accepts every seed.
class Random {
public:
	explicit Random(uint64_t seed) : state_(seed) {}

	uint64_t next()
	{
		state_ += 0x9e3779b97f4a7c15;
		uint64_t z = state_;
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		return z ^ (z >> 31);
	}

private:
	uint64_t state_;
};

class Injector {
public:
	void arm(const sgx2_injection &rates)
	{
		rates_ = rates;
		random_ = Random(rates.seed);
	}

	/// The caller holds a lock of a CPU, which may differ between callers, so draws have a lock
	/// of their own. A rate of 0 makes no draw and leaves the sequence of draws unchanged.
	bool eblock_conflict() { return draw(rates_.eblock_conflict); }
	bool emodpr_conflict() { return draw(rates_.emodpr_conflict); }
	bool emodt_conflict() { return draw(rates_.emodt_conflict); }
	/// Draw a conflict for a leaf of ENCLU (@user) or ENCLS.
	bool conflict(bool user, uint32_t leaf)
	{
		const uint32_t own = (user ? rates_.enclu : rates_.encls)[leaf % SGX2_LEAVES];

		return draw(own != 0 ? own : rates_.gp_conflict);
	}
	bool einit_event() { return draw(rates_.einit_event); }
	bool entropy() { return draw(rates_.entropy); }

	uint64_t injected() const { return injected_; }
	void clear() { injected_ = 0; }

private:
	static constexpr uint64_t per_million = 1000000;

	bool draw(uint32_t rate)
	{
		if (rate == 0)
			return false;

		const std::lock_guard guard(mutex_);
		if (random_.next() % per_million >= rate)
			return false;
		injected_++;
		return true;
	}

	sgx2_injection rates_{};
	Random random_{0};
	uint64_t injected_ = 0;
	std::mutex mutex_;
};

} // namespace sgx2
