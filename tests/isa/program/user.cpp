// SPDX-License-Identifier: GPL-2.0
// Handles the signals of faults on ENCLU and in enclave code, and records the fault as the kernel
// reports it.

#include "user.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <ucontext.h>
#include <unistd.h>

extern "C" void isa_enclu(isa::Frame *frame);
extern "C" void isa_other(isa::Frame *frame);

namespace isa {

namespace {

constexpr int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGALRM};

/// Set while the thread is in isa_enclu() or isa_other(), where a fault belongs to the row.
thread_local Exit *current_exit;
thread_local Frame *current_frame;
/// The number of alarms that interrupted the thread during an entry or an exit.
thread_local unsigned retries;
/// The stack that enclave code uses.
thread_local u8 *enclave_stack;

Exit::Where where(u64 rip)
{
	if (rip == address_of(isa_enclu_at))
		return Exit::at_enclu;
	if (rip == address_of(isa_aep))
		return Exit::at_aep;
	if (rip == address_of(isa_aep_at))
		return Exit::at_resume;
	return Exit::elsewhere;
}

void on_signal(int signal, siginfo_t *, void *context)
{
	auto *uc = static_cast<ucontext_t *>(context);
	auto &g = uc->uc_mcontext.gregs;
	const auto reg = [&g](int n) {
		return static_cast<u64>(g[n]);
	};

	if (signal == SIGALRM && current_exit && where(reg(REG_RIP)) != Exit::at_aep && retries++ < 100) {
		// The thread is entering or exiting: retry.
		ualarm(10000, 0);
		return;
	}
	if (!current_exit) {
		char text[120];
		const int n = std::snprintf(text, sizeof(text), "Bail out! signal %d in the test itself at RIP %#lx, CR2 %#lx\n",
					    signal, reg(REG_RIP), reg(REG_CR2));
		if (write(STDOUT_FILENO, text, static_cast<size_t>(n)) < 0)
			_exit(2);
		_exit(1);
	}

	Exit &e = *current_exit;
	e.signal = signal;
	e.rip = reg(REG_RIP);
	e.rsp = reg(REG_RSP);
	e.where = signal == SIGALRM ? Exit::timed_out : where(e.rip);
	e.vector = reg(REG_TRAPNO);
	e.error = reg(REG_ERR);
	e.cr2 = reg(REG_CR2);
	e.regs = {
		reg(REG_RAX), reg(REG_RBX), reg(REG_RCX), reg(REG_RDX), reg(REG_RSI), reg(REG_RDI), reg(REG_RBP), reg(REG_R8),
		reg(REG_R9),  reg(REG_R10), reg(REG_R11), reg(REG_R12), reg(REG_R13), reg(REG_R14), reg(REG_R15), reg(REG_EFL),
	};
	if (const auto *fp = uc->uc_mcontext.fpregs) {
		e.fcw = fp->cwd;
		e.fsw = fp->swd;
		e.mxcsr = fp->mxcsr;
		std::memcpy(e.xmm7, &fp->_xmm[7], sizeof(e.xmm7));
	}
	g[REG_RIP] = static_cast<greg_t>(address_of(isa_landing));
	g[REG_RSP] = static_cast<greg_t>(current_frame->rsp);
	// Clear TF and DF, which must not be set in the test's own code.
	g[REG_EFL] &= ~static_cast<greg_t>(0x40500);
}

Exit run(void (*function)(Frame *), Frame &frame)
{
	Exit e;
	frame.stack = reinterpret_cast<u64>(enclave_stack);
	retries = 0;
	current_frame = &frame;
	current_exit = &e;
	function(&frame);
	current_exit = nullptr;
	return e;
}

} // namespace

void install_fault_handlers()
{
	constexpr std::size_t size = 64 * 1024, stack_size = 16 * 1024;
	stack_t stack{};
	stack.ss_sp = std::malloc(size);
	stack.ss_size = size;
	enclave_stack = static_cast<u8 *>(std::aligned_alloc(page_size, stack_size));
	if (!stack.ss_sp || !enclave_stack || sigaltstack(&stack, nullptr) != 0)
		std::abort();
	enclave_stack += stack_size - 64;
	struct sigaction action {};
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	for (const int s : caught)
		sigaction(s, &action, nullptr);
}

Exit enclu(Frame &frame)
{
	return run(isa_enclu, frame);
}

Exit call(u64 function, Frame &frame)
{
	frame.rbx = function;
	return run(isa_other, frame);
}

} // namespace isa
