/* SPDX-License-Identifier: GPL-2.0 */
/* Where CPUID was before 6.16; on the include path only of a kernel that lacks this header. */
#include <asm/cpuid.h>
#include <asm/processor.h>
