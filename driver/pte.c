// SPDX-License-Identifier: GPL-2.0
/* Walks over page-table entries that exist. */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include "pte.h"

/*
 * Returns whether a page table covers the address. apply_to_existing_page_range() would do, but it
 * is not for modules since Linux 7.3.
 */
static bool sgx2_pte_table_exists(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return false;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return false;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud) || pud_bad(*pud))
		return false;
	pmd = pmd_offset(pud, address);
	return !pmd_none(*pmd) && !pmd_bad(*pmd);
}

int sgx2_pte_walk(struct mm_struct *mm, unsigned long start, unsigned long end, pte_fn_t function,
		  void *data)
{
	if (WARN_ON_ONCE(start >> PMD_SHIFT != (end - 1) >> PMD_SHIFT))
		return -EINVAL;
	if (!sgx2_pte_table_exists(mm, start))
		return 0;
	return apply_to_page_range(mm, start, end - start, function, data);
}
