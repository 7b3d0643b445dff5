// SPDX-License-Identifier: GPL-2.0
// A thread that stays inside an enclave, and short forms of requests.
#pragma once

#include <thread>

#include "enclave.h"

namespace sgx {

inline Request request(Op op, u64 address, u64 length = 0, u64 secinfo = 0)
{
	Request r = {};
	r.op = op;
	r.address = address;
	r.length = length;
	r.secinfo = secinfo;
	return r;
}

/// A thread that stays inside the enclave until the destructor runs.
class Inside {
public:
	Inside(const Enclave &enclave, unsigned thread) : thread_([this, &enclave, thread] { run(enclave, thread); })
	{
		while (!beat_.inside)
			std::this_thread::yield();
	}
	~Inside()
	{
		beat_.stop = 1;
		thread_.join();
	}
	Inside(const Inside &) = delete;
	Inside &operator=(const Inside &) = delete;

	/// Returns how often the thread has gone through its loop.
	u64 turns() const { return beat_.count; }

private:
	static constexpr unsigned too_many = 1000;

	void run(const Enclave &enclave, unsigned thread)
	{
		Request r = request(Op::spin, reinterpret_cast<u64>(&beat_));
		u32 leaf = EENTER;
		// A thread of a dead enclave cannot leave by request, and must not make the destructor wait.
		for (unsigned tries = 0; tries < too_many && !enclave.enter(r, thread, leaf).normal(); leaf = ERESUME)
			tries += beat_.stop ? 1 : 0;
	}

	Beat beat_ = {};
	std::thread thread_;
};

} // namespace sgx
