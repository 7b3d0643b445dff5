/* SPDX-License-Identifier: GPL-2.0 */
/* asm/cpuid.h declares CPUID before 6.16. Only a kernel without this header has it on its include path. */
#include <asm/cpuid.h>
#include <asm/processor.h>
