// SPDX-License-Identifier: GPL-2.0
// The locks of a machine. One CPU alone, or each CPU for itself and then page by
// page: a CPU's own lock is nobody else's business until somebody wants all of
// them, so brief leaves on pages of their own don't meet.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>

#include <pthread.h>

namespace sgx2 {

/// What it covers takes less time than to fall asleep and be woken, so it is waited for by spinning first.
class alignas(64) Mutex {
public:
	Mutex()
	{
		pthread_mutexattr_t kind;

		pthread_mutexattr_init(&kind);
		pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP);
		pthread_mutex_init(&mutex_, &kind);
		pthread_mutexattr_destroy(&kind);
	}
	~Mutex() { pthread_mutex_destroy(&mutex_); }
	Mutex(const Mutex &) = delete;
	Mutex &operator=(const Mutex &) = delete;

	void lock() { pthread_mutex_lock(&mutex_); }
	void unlock() { pthread_mutex_unlock(&mutex_); }

private:
	pthread_mutex_t mutex_;
};

/// Order: CPUs by their numbers, then one page.
class Locks {
public:
	/// Of all CPUs, and so of everything.
	void lock()
	{
		for (Mutex &cpu : cpus_)
			cpu.lock();
	}
	void unlock()
	{
		for (Mutex &cpu : cpus_)
			cpu.unlock();
	}
	/// CPUs and pages share them where they are more.
	static constexpr size_t slots = 8;
	static constexpr size_t slot(size_t cpu) { return cpu % slots; }
	Mutex &cpu(size_t number) { return cpus_[slot(number)]; }
	/// Neighbours have one lock: who walks over pages finds it in his cache.
	Mutex &page(size_t number) { return pages_[number / neighbours % pages_.size()]; }

private:
	static constexpr size_t neighbours = 16;

	std::array<Mutex, slots> cpus_;
	std::array<Mutex, 256> pages_;
};

using Lock = std::lock_guard<Locks>;

} // namespace sgx2
