/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names of the newest kernel that older kernels lack; included before every file of the module.
 *
 * The driver is written against the newest kernel. Only this folder knows of others. It tests for a
 * name by #ifdef where that is possible, else for the version.
 */
#ifndef SGX2_COMPAT_H
#define SGX2_COMPAT_H

#include <linux/version.h>

#define SGX2_KERNEL_MIN	KERNEL_VERSION(6, 1, 0)
#define SGX2_KERNEL_END	KERNEL_VERSION(7, 4, 0)

#if LINUX_VERSION_CODE < SGX2_KERNEL_MIN
#error "sgx2 needs Linux 6.1 or newer"
#endif
#if LINUX_VERSION_CODE >= SGX2_KERNEL_END && !defined(SGX2_UNKNOWN_KERNEL)
#error "sgx2 is known to work up to Linux 7.3; to try a newer one, make SGX2_UNKNOWN_KERNEL=1"
#endif

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
/* Before 6.5 this may be compat/include/linux/cleanup.h, which needs the headers above. */
#include <linux/cleanup.h>

/* 6.3 made vm_flags const; Debian's 6.1 has neither the const nor the functions. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void sgx2_compat_vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

#define vm_flags_set sgx2_compat_vm_flags_set

static inline void sgx2_compat_vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}

#define vm_flags_clear sgx2_compat_vm_flags_clear
#endif

/* Before 6.4 a VMA has no lock of its own. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
static inline void vma_start_write(struct vm_area_struct *vma)
{
	mmap_assert_write_locked(vma->vm_mm);
}
#endif

/* Before 6.5 get_user_pages() had a parameter for the VMAs. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
static inline long sgx2_compat_get_user_pages(unsigned long start, unsigned long count,
					      unsigned int flags, struct page **pages)
{
	return get_user_pages(start, count, flags, pages, NULL);
}

#define get_user_pages sgx2_compat_get_user_pages
#endif

/* Since 6.6 a fault may come under the lock of the VMA alone. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
static inline void release_fault_lock(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline void release_fault_lock(struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_VMA_LOCK)
		vma_end_read(vmf->vma);
	else
		mmap_read_unlock(vmf->vma->vm_mm);
}
#endif

/* 6.10 replaced a pointer by a function, and 6.19 removed the function's first parameter. */
#include <linux/sched/mm.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define mm_get_unmapped_area(...) (current->mm->get_unmapped_area(__VA_ARGS__))
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define mm_get_unmapped_area(...) (mm_get_unmapped_area(current->mm, __VA_ARGS__))
#endif

/* Linux 7.0 has a type for the flags of a VMA; earlier ones use an unsigned long. */
#ifndef mk_vma_flags
#define VMA_NORESERVE_BIT	VM_NORESERVE
#define mk_vma_flags(flag)	(flag)
#endif

/* 6.12 has a name for the valid bits of a reported address; Debian's 6.1 has none. */
#include <asm/mce.h>
#ifndef MCI_ADDR_PHYSADDR
#define MCI_ADDR_PHYSADDR	GENMASK_ULL(boot_cpu_data.x86_phys_bits - 1, 0)
#endif

/* 6.16 renamed the accessors of MSRs. */
#include <asm/msr.h>
#ifndef rdmsrq_safe
#ifdef rdmsrl_safe
#define rdmsrq_safe	rdmsrl_safe
#define wrmsrq		wrmsrl
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define rdmsrq_safe	rdmsrl_safe
#define wrmsrq		wrmsrl
#endif
#endif

#endif
