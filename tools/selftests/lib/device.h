// SPDX-License-Identifier: GPL-2.0
// /dev/sgx_enclave: one open file, and each of its calls with the struct as the caller has filled it.
#pragma once

#include <functional>

#include <fcntl.h>

#include "errors.h"
#include "uapi.h"

namespace sgx {

/// How far a call on a range came.
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

/// An open device node; with /dev/sgx_enclave an enclave to be. Closed at the end.
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

	/// The ioctl, with whatever the caller says.
	Errno call(unsigned long number, const void *argument) const;
	Errno call(unsigned long number, u64 argument) const;

	/// CREATE with the SECS at an address, or with this SECS.
	Errno create(u64 src) const;
	Errno create(const Secs &secs) const;
	/// ADD_PAGES; the struct comes back as the driver leaves it.
	Errno add_pages(sgx_enclave_add_pages &pages) const;
	Errno init(u64 sigstruct) const;
	Errno init(const Sigstruct &sigstruct) const;
	/// PROVISION with a file of /dev/sgx_provision.
	Errno provision(u64 fd) const;

	/// The calls of SGX2, once, without another try.
	Progress restrict_permissions(u64 offset, u64 length, u64 permissions) const;
	Progress modify_types(u64 offset, u64 length, u64 type) const;
	Progress remove_pages(u64 offset, u64 length) const;
	/// Those that sgx2 alone has; ENOTTY elsewhere.
	Progress reset_permissions(u64 offset, u64 length, u32 flags = 0) const;
	Progress augment_pages(u64 offset, u64 length) const;

	/// Called before each is closed.
	static std::function<void(int fd)> closing;

private:
	int fd_ = -1;
};

/// Goes on with a call on a range as runtimes do: EAGAIN and EBUSY mean later, and `count` is where to go on.
template <typename Call>
Progress patiently(u64 offset, u64 length, Call call)
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
