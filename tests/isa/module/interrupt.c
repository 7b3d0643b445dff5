// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts for the thread that is inside an enclave on another CPU, and the
 * absence of interrupts: a test of tracking has to know that a thread has not
 * left, and a timer that brings it out in between would make it guess.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <asm/apic.h>
#include <asm/nmi.h>
#include <asm/processor.h>
#include <asm/ptrace.h>

#include "internal.h"

/* CPUs that have an NMI of ours to come; of these, those that get interrupts back. */
static cpumask_t nmi_due, nmi_wakes;

static int on_nmi(unsigned int cmd, struct pt_regs *regs)
{
	unsigned int cpu = smp_processor_id();

	if (!cpumask_test_cpu(cpu, &nmi_due))
		return NMI_DONE;
	if (cpumask_test_and_clear_cpu(cpu, &nmi_wakes) && user_mode(regs))
		regs->flags |= X86_EFLAGS_IF;
	cpumask_clear_cpu(cpu, &nmi_due);
	return NMI_HANDLED;
}

int sgx2_isa_interrupt_init(void)
{
	return register_nmi_handler(NMI_LOCAL, on_nmi, 0, "sgx2_isa");
}

void sgx2_isa_interrupt_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, "sgx2_isa");
}

/* That it has come is all that counts: an interrupt is what makes a CPU leave its enclave. */
static void kicked(void *unused)
{
}

int sgx2_isa_kick(u32 cpu)
{
	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	return smp_call_function_single(cpu, kicked, NULL, 1);
}

int sgx2_isa_nmi(u32 cpu, bool wake)
{
	unsigned long limit = jiffies + 10 * HZ;

	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	if (wake)
		cpumask_set_cpu(cpu, &nmi_wakes);
	cpumask_set_cpu(cpu, &nmi_due);
	apic->send_IPI(cpu, NMI_VECTOR);
	while (cpumask_test_cpu(cpu, &nmi_due)) {
		if (time_after(jiffies, limit)) {
			cpumask_clear_cpu(cpu, &nmi_due);
			cpumask_clear_cpu(cpu, &nmi_wakes);
			return -ETIMEDOUT;
		}
		usleep_range(20, 50);
	}
	return 0;
}

/*
 * IF of the frame that this system call returns to. The kernel works with it
 * set meanwhile, so nothing but the program can be held up; and POPF of the
 * program cannot change it, as IOPL is 0.
 */
int sgx2_isa_quiet(bool on)
{
	struct pt_regs *regs = task_pt_regs(current);

	if (on)
		regs->flags &= ~X86_EFLAGS_IF;
	else
		regs->flags |= X86_EFLAGS_IF;
	return 0;
}
