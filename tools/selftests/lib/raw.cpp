// SPDX-License-Identifier: GPL-2.0
// Entry without the vDSO: a handler of signals leaves the enclave where the fault occurred.

#include "raw.h"

#include <csignal>
#include <ucontext.h>

extern "C" {
int sgx_enter_raw(void *request, unsigned leaf, void *tcs);
extern const char sgx_raw_enter[], sgx_raw_resume[], sgx_raw_left[];
}

namespace sgx {

namespace {

thread_local RawExit latest;

/// The stack of the handler. An AEX leaves with the stack of the entry, and the handler must not overwrite what is below it.
class Stack {
public:
	Stack()
	{
		const stack_t stack = {room_.data(), 0, room_.length()};
		sigaltstack(&stack, &before_);
	}
	~Stack() { sigaltstack(&before_, nullptr); }
	Stack(const Stack &) = delete;
	Stack &operator=(const Stack &) = delete;

private:
	Mapping room_{256 << 10};
	stack_t before_ = {};
};

void handle(int signal, siginfo_t *, void *context)
{
	auto &registers = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
	const u64 rip = static_cast<u64>(registers[REG_RIP]);
	if (rip != reinterpret_cast<u64>(sgx_raw_enter) && rip != reinterpret_cast<u64>(sgx_raw_resume)) {
		// Another instruction faulted: with the default action it faults again, and ends the program.
		std::signal(signal, SIG_DFL);
		return;
	}
	latest.signal = signal;
	latest.trap = static_cast<u64>(registers[REG_TRAPNO]);
	latest.error = static_cast<u64>(registers[REG_ERR]);
	latest.address = static_cast<u64>(registers[REG_CR2]);
	latest.leaf = static_cast<u64>(registers[REG_RAX]);
	registers[REG_RIP] = static_cast<greg_t>(reinterpret_cast<u64>(sgx_raw_left));
}

/// Handles a signal until the destructor runs.
class SignalHandler {
public:
	explicit SignalHandler(int signal) : signal_(signal)
	{
		struct sigaction action = {};
		action.sa_sigaction = handle;
		action.sa_flags = SA_SIGINFO | SA_ONSTACK;
		sigaction(signal, &action, &before_);
	}
	~SignalHandler() { sigaction(signal_, &before_, nullptr); }
	SignalHandler(const SignalHandler &) = delete;
	SignalHandler &operator=(const SignalHandler &) = delete;

private:
	int signal_;
	struct sigaction before_ = {};
};

} // namespace

RawExit enter_raw(const Enclave &enclave, Request &request, unsigned thread, u32 leaf)
{
	const Stack stack;
	const SignalHandler segv(SIGSEGV), bus(SIGBUS);
	latest = {};
	void *const tcs = reinterpret_cast<void *>(enclave.threads.at(thread));
	sgx_enter_raw(&request, leaf, tcs);
	return latest;
}

} // namespace sgx
