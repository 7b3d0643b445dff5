// SPDX-License-Identifier: GPL-2.0
// Allocations that fail, one at a time, by /proc/PID/fail-nth of a kernel with CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC.
#pragma once

#include <fstream>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "errors.h"

namespace sgx {

/// Makes the n-th allocation of this thread fail, counted from the constructor.
class FailNth {
public:
	FailNth() : fd_(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC))
	{
		// All kinds of allocation fail, and the console gets no stack traces.
		for (const std::string kind : {"failslab", "fail_page_alloc"}) {
			const std::string folder = "/sys/kernel/debug/" + kind + "/";
			std::ofstream(folder + "ignore-gfp-wait") << "N";
			std::ofstream(folder + "ignore-gfp-highmem") << "N";
			std::ofstream(folder + "cache-filter") << "N";
			std::ofstream(folder + "min-order") << "0";
			std::ofstream(folder + "verbose") << "0";
		}
	}
	~FailNth() { close(fd_); }
	FailNth(const FailNth &) = delete;
	FailNth &operator=(const FailNth &) = delete;

	bool there() const { return fd_ >= 0; }
	void arm(unsigned n) const { put(std::to_string(n)); }
	/// Disarms the fault. Returns true if the thread made so many allocations.
	bool fired() const
	{
		char text[20] = {};
		const bool done = pread(fd_, text, sizeof(text) - 1, 0) > 0 && text[0] == '0';
		put("0");
		return done;
	}

private:
	void put(const std::string &text) const { must(errno_of(pwrite(fd_, text.data(), text.size(), 0)), "writing fail-nth"); }

	int fd_;
};

} // namespace sgx
