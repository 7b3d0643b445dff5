// SPDX-License-Identifier: GPL-2.0
// The locks of a machine: one for each CPU and one for each group of pages. A leaf that accesses
// one page takes the lock of its CPU and of the page, so late-locking leaves on different pages do
// not contend. A leaf that accesses more takes the locks of all CPUs.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>

#include <pthread.h>

namespace sgx2 {

/// The critical sections take less time than a sleep and a wakeup, so the mutex spins first.
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

/// Lock order: CPUs by number, then one page.
class Locks {
public:
	/// Take the locks of all CPUs, which cover the whole machine.
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
	/// With more than eight CPUs, several CPUs share a lock.
	static constexpr size_t slots = 8;
	static constexpr size_t slot(size_t cpu) { return cpu % slots; }
	Mutex &cpu(size_t number) { return cpus_[slot(number)]; }
	/// Adjacent pages share a lock, so a walk over pages finds the lock in its cache.
	Mutex &page(size_t number) { return pages_[number / pages_per_lock % pages_.size()]; }

private:
	static constexpr size_t pages_per_lock = 16;

	std::array<Mutex, slots> cpus_;
	std::array<Mutex, 256> pages_;
};

using Lock = std::lock_guard<Locks>;

} // namespace sgx2
