// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts for a thread inside an enclave on another CPU, and user mode without interrupts: a
 * test of tracking has to know that a thread has not exited, and a timer interrupt would make it
 * exit.
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

/* CPUs with a pending NMI of this module, and those of them that will enable interrupts. */
static cpumask_t nmi_due, nmi_enables;

static int on_nmi(unsigned int cmd, struct pt_regs *regs)
{
	unsigned int cpu = smp_processor_id();

	if (!cpumask_test_cpu(cpu, &nmi_due))
		return NMI_DONE;
	if (cpumask_test_and_clear_cpu(cpu, &nmi_enables) && user_mode(regs))
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

/* Empty: receiving the IPI forces an AEX. */
static void ipi_handler(void *unused)
{
}

int sgx2_isa_ipi(u32 cpu)
{
	if (cpu >= nr_cpu_ids)
		return -EINVAL;
	return smp_call_function_single(cpu, ipi_handler, NULL, 1);
}

int sgx2_isa_nmi(u32 cpu, bool nmi_and_enable)
{
	unsigned long limit = jiffies + 10 * HZ;

	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	if (nmi_and_enable)
		cpumask_set_cpu(cpu, &nmi_enables);
	cpumask_set_cpu(cpu, &nmi_due);
	apic->send_IPI(cpu, NMI_VECTOR);
	while (cpumask_test_cpu(cpu, &nmi_due)) {
		if (time_after(jiffies, limit)) {
			cpumask_clear_cpu(cpu, &nmi_due);
			cpumask_clear_cpu(cpu, &nmi_enables);
			return -ETIMEDOUT;
		}
		usleep_range(20, 50);
	}
	return 0;
}

/*
 * Set or clear IF in the frame that this system call returns to. The kernel itself runs with IF
 * set, so only the program delays interrupts; POPF of the program cannot change IF, because IOPL is
 * 0.
 */
int sgx2_isa_disable_interrupts(bool on)
{
	struct pt_regs *regs = task_pt_regs(current);

	if (on)
		regs->flags &= ~X86_EFLAGS_IF;
	else
		regs->flags |= X86_EFLAGS_IF;
	return 0;
}
