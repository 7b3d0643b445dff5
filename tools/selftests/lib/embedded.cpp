// SPDX-License-Identifier: GPL-2.0
// Access to the files that embed.S includes.

#include "embedded.h"

extern "C" {
extern const sgx::u8 embedded_worker_begin[], embedded_worker_end[];
extern const sgx::u8 embedded_crowd_begin[], embedded_crowd_end[];
extern const sgx::u8 embedded_tiny_begin[], embedded_tiny_end[];
extern const sgx::u8 embedded_key_begin[], embedded_key_end[];
}

namespace sgx {

std::span<const u8> embedded_worker()
{
	return {embedded_worker_begin, embedded_worker_end};
}

std::span<const u8> embedded_crowd()
{
	return {embedded_crowd_begin, embedded_crowd_end};
}

std::span<const u8> embedded_tiny()
{
	return {embedded_tiny_begin, embedded_tiny_end};
}

std::span<const u8> embedded_key()
{
	return {embedded_key_begin, embedded_key_end};
}

} // namespace sgx
