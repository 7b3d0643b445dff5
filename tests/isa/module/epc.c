// SPDX-License-Identifier: GPL-2.0
/*
 * The EPC sections, which this module reads from CPUID because `nosgx` hides them from the kernel,
 * and the EPC pages in the user program's address space.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <asm/processor.h>

#include "internal.h"

#define CPUID_SGX		0x12
#define CPUID_SECTIONS		2	/* first subleaf that describes a section */
#define CPUID_SECTION_TYPE	0xf
#define CPUID_SECTION_EPC	1

static struct {
	u64 phys;
	u64 size;
	void *linear;
} section[SGX2_ISA_SECTIONS];
static unsigned int sections;

int sgx2_isa_epc_init(void)
{
	u32 eax, ebx, ecx, edx, i;

	if (cpuid_eax(0) < CPUID_SGX)
		return -ENODEV;
	for (i = 0; i < SGX2_ISA_SECTIONS; i++) {
		cpuid_count(CPUID_SGX, CPUID_SECTIONS + i, &eax, &ebx, &ecx, &edx);
		if ((eax & CPUID_SECTION_TYPE) != CPUID_SECTION_EPC)
			break;
		section[i].phys = (u64)(ebx & 0xfffff) << 32 | (eax & 0xfffff000);
		section[i].size = (u64)(edx & 0xfffff) << 32 | (ecx & 0xfffff000);
		section[i].linear = memremap(section[i].phys, section[i].size,
					     MEMREMAP_WB);
		if (!section[i].linear) {
			sgx2_isa_epc_exit();
			return -ENOMEM;
		}
		sections = i + 1;
	}
	return sections ? 0 : -ENODEV;
}

void sgx2_isa_epc_exit(void)
{
	while (sections)
		memunmap(section[--sections].linear);
}

void sgx2_isa_epc_info(struct sgx2_isa_info *info)
{
	unsigned int i;

	info->sections = sections;
	for (i = 0; i < sections; i++) {
		info->section[i].phys = section[i].phys;
		info->section[i].size = section[i].size;
		info->section[i].linear = (unsigned long)section[i].linear;
	}
}

bool sgx2_isa_epc_has(u64 phys)
{
	unsigned int i;

	if (!PAGE_ALIGNED(phys))
		return false;
	for (i = 0; i < sections; i++)
		if (phys - section[i].phys < section[i].size)
			return true;
	return false;
}

/*
 * A page that the program has not mapped stays absent: the fault is a SIGBUS with the error code of
 * the #PF.
 */
static vm_fault_t epc_fault(struct vm_fault *vmf)
{
	struct xarray *map = vmf->vma->vm_private_data;
	void *entry = xa_load(map, vmf->pgoff);

	if (!entry)
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(vmf->vma, vmf->address, xa_to_value(entry));
}

static const struct vm_operations_struct epc_vm_ops = {
	.fault = epc_fault,
};

/*
 * The offset must be the address: it selects the pages, and SGX2_ISA_MAP finds the mapping by it.
 */
int sgx2_isa_epc_mmap(struct vm_area_struct *vma)
{
	if (vma->vm_pgoff != vma->vm_start >> PAGE_SHIFT ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	vma->vm_private_data = vma->vm_file->private_data;
	vma->vm_ops = &epc_vm_ops;
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}
