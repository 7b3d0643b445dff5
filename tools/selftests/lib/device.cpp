// SPDX-License-Identifier: GPL-2.0
// The ioctls of the driver.

#include "device.h"

#include <utility>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace sgx {

std::function<void(int)> Device::closing;

Device::Device(Device &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Device &Device::operator=(Device &&other) noexcept
{
	std::swap(fd_, other.fd_);
	return *this;
}

Device::~Device()
{
	close();
}

Errno Device::open(const char *path, int flags)
{
	close();
	fd_ = ::open(path, flags | O_CLOEXEC, 0600);
	return errno_of(fd_);
}

Errno Device::close()
{
	if (fd_ < 0)
		return {};
	if (closing)
		closing(fd_);
	return errno_of(::close(std::exchange(fd_, -1)));
}

Errno Device::call(unsigned long number, const void *argument) const
{
	return errno_of(ioctl(fd_, number, argument));
}

Errno Device::call(unsigned long number, u64 argument) const
{
	return errno_of(ioctl(fd_, number, argument));
}

Errno Device::create(u64 src) const
{
	const sgx_enclave_create argument = {.src = src};
	return call(SGX_IOC_ENCLAVE_CREATE, &argument);
}

Errno Device::create(const Secs &secs) const
{
	return create(reinterpret_cast<u64>(&secs));
}

Errno Device::add_pages(sgx_enclave_add_pages &pages) const
{
	return call(SGX_IOC_ENCLAVE_ADD_PAGES, &pages);
}

Errno Device::init(u64 sigstruct) const
{
	const sgx_enclave_init argument = {.sigstruct = sigstruct};
	return call(SGX_IOC_ENCLAVE_INIT, &argument);
}

Errno Device::init(const Sigstruct &sigstruct) const
{
	return init(reinterpret_cast<u64>(&sigstruct));
}

Errno Device::provision(u64 fd) const
{
	const sgx_enclave_provision argument = {.fd = fd};
	return call(SGX_IOC_ENCLAVE_PROVISION, &argument);
}

Progress Device::restrict_permissions(u64 offset, u64 length, u64 permissions) const
{
	sgx_enclave_restrict_permissions a = {};
	a.offset = offset;
	a.length = length;
	a.permissions = permissions;
	const Errno error = call(SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, &a);
	return {error, a.count, a.result};
}

Progress Device::modify_types(u64 offset, u64 length, u64 type) const
{
	sgx_enclave_modify_types a = {};
	a.offset = offset;
	a.length = length;
	a.page_type = type;
	const Errno error = call(SGX_IOC_ENCLAVE_MODIFY_TYPES, &a);
	return {error, a.count, a.result};
}

Progress Device::remove_pages(u64 offset, u64 length) const
{
	sgx_enclave_remove_pages a = {};
	a.offset = offset;
	a.length = length;
	const Errno error = call(SGX_IOC_ENCLAVE_REMOVE_PAGES, &a);
	return {error, a.count, 0};
}

Progress Device::reset_permissions(u64 offset, u64 length, u32 flags) const
{
	Reset a = {.size = sizeof(a), .flags = flags, .offset = offset, .length = length, .result = 0, .count = 0};
	const Errno error = call(ioc_reset, &a);
	return {error, a.count, a.result};
}

Progress Device::augment_pages(u64 offset, u64 length) const
{
	Augment a = {.size = sizeof(a), .flags = 0, .offset = offset, .length = length, .count = 0, .existing = 0};
	const Errno error = call(ioc_augment, &a);
	return {error, a.count, 0};
}

} // namespace sgx
