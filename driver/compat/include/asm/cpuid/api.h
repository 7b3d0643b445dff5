/* SPDX-License-Identifier: GPL-2.0 */
/* Includes the headers of CPUID before 6.16; used only if the kernel lacks this header. */
#include <asm/cpuid.h>
#include <asm/processor.h>
