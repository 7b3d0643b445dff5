// SPDX-License-Identifier: GPL-2.0
// /dev/sgx_enclave: an open file and its ioctls. Each ioctl passes the struct as the caller has filled it.
#pragma once

#include <functional>

#include <fcntl.h>

#include "errors.h"
#include "uapi.h"

namespace sgx {

/// The outcome of a call on a range.
struct Progress {
	Errno error;
	u64 count = 0;
	u64 result = 0;

	friend bool operator==(const Progress &, const Progress &) = default;
	friend std::ostream &operator<<(std::ostream &out, const Progress &p)
	{
		return out << p.error << " count " << p.count << " result " << p.result;
	}
};

/// An open device node, /dev/sgx_enclave unless open() names another one. The destructor closes it.
class Device {
public:
	Device() = default;
	Device(Device &&other) noexcept;
	Device &operator=(Device &&other) noexcept;
	Device(const Device &) = delete;
	Device &operator=(const Device &) = delete;
	~Device();

	Errno open(const char *path = "/dev/sgx_enclave", int flags = O_RDWR);
	Errno close();
	int fd() const { return fd_; }

	/// Runs an ioctl with any number and argument.
	Errno call(unsigned long number, const void *argument) const;
	Errno call(unsigned long number, u64 argument) const;

	/// Runs CREATE with the SECS at an address, or with this SECS.
	Errno create(u64 src) const;
	Errno create(const Secs &secs) const;
	/// Runs ADD_PAGES; the driver writes its results to the struct.
	Errno add_pages(sgx_enclave_add_pages &pages) const;
	Errno init(u64 sigstruct) const;
	Errno init(const Sigstruct &sigstruct) const;
	/// Runs PROVISION with a file of /dev/sgx_provision.
	Errno provision(u64 fd) const;

	/// Runs a call of SGX2 once, without a retry.
	Progress restrict_permissions(u64 offset, u64 length, u64 permissions) const;
	Progress modify_types(u64 offset, u64 length, u64 type) const;
	Progress remove_pages(u64 offset, u64 length) const;
	/// Runs a call that only sgx2 has; other drivers return ENOTTY.
	Progress reset_permissions(u64 offset, u64 length, u32 flags = 0) const;
	Progress augment_pages(u64 offset, u64 length) const;

	/// A function that is called before each file is closed.
	static std::function<void(int fd)> closing;

private:
	int fd_ = -1;
};

/// Repeats a call on a range as runtimes do: after EAGAIN, EBUSY and EINTR it continues at the first page that is not done.
template <typename Call>
Progress retry_until_done(u64 offset, u64 length, Call call)
{
	Progress all;
	for (unsigned idle = 0; idle < 1000000;) {
		const Progress p = call(offset + all.count, length - all.count);
		all.count += p.count;
		all.result = p.result;
		all.error = p.error;
		idle = p.count ? 0 : idle + 1;
		if (p.error != EAGAIN && p.error != EBUSY && p.error != EINTR && (p.error || all.count >= length))
			break;
	}
	return all;
}

} // namespace sgx
