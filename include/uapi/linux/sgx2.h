/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* The ioctls of the sgx2 driver on /dev/sgx_enclave, in addition to those of <asm/sgx.h>. */
#ifndef _UAPI_LINUX_SGX2_H
#define _UAPI_LINUX_SGX2_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <asm/sgx.h>

/**
 * DOC: Form of the calls
 *
 * Each call takes one struct that begins with its size in bytes, as the program knows the struct. A
 * driver that knows a longer struct assumes zeros for the rest. A driver that knows a shorter
 * struct fails with E2BIG if the rest is not zero. So the numbers of the calls never change. A
 * program sets reserved members, and members that the call fills in, to zero.
 *
 * A call on a range takes @offset from the start of ELRANGE and @length, both in bytes and
 * multiples of 4096. It returns in @count the number of bytes from the start of the range that are
 * done, also if it fails. These bytes are complete, tracking included, and a program continues at
 * @offset + @count. Later pages are unchanged, but for the page at which the call failed, which the
 * CPU may have changed.
 *
 * Each errno has one meaning:
 *
 * ========= =====================================================================================
 * E2BIG     The struct is longer than the driver knows, and the rest is not zero.
 * EFAULT    The struct cannot be read or written; a page of the range is absent; or a leaf returned
 *           the code in @result.
 * EINTR     A signal was pending before the first page, and its handler has no SA_RESTART. After
 *           the first page the call returns 0 instead, with a @count that is less than @length.
 * EINVAL    The size is too small, a reserved member is not zero, a flag is not known, the range is
 *           not inside of ELRANGE, or the enclave is not initialized.
 * EIO       The EPC was lost, as by a suspend; the enclave is dead and has to be built again.
 * ENODEV    The CPU has no SGX2.
 * ENOMEM    The kernel has no memory, or no EPC page that could be evicted.
 * ENOTTY    The driver does not know the call: it is not sgx2, or an older version.
 * ========= =====================================================================================
 */

#define SGX_IOC_ENCLAVE_QUERY			_IO(SGX_MAGIC, 0x40)
#define SGX_IOC_ENCLAVE_CONFIGURE		_IO(SGX_MAGIC, 0x41)
#define SGX_IOC_ENCLAVE_RESET_PERMISSIONS	_IO(SGX_MAGIC, 0x42)
#define SGX_IOC_ENCLAVE_AUGMENT_PAGES		_IO(SGX_MAGIC, 0x43)

/* The version of this interface; each addition increments it. */
#define SGX2_ABI_VERSION	1

/* sgx_enclave_query.features */
#define SGX_QUERY_SGX2		(1ULL << 0)	/* the CPU has SGX2 */
#define SGX_QUERY_DYNAMIC_CODE	(1ULL << 1)	/* code may be added after EINIT */

/**
 * struct sgx_enclave_query - features of the driver and the CPU; works on every open file
 * @size:	size of the struct in bytes.
 * @abi:	SGX2_ABI_VERSION of the driver.
 * @features:	SGX_QUERY_* bits.
 * @errata:	a bit for each fault of older drivers with this @abi that this driver does not have;
 *		none is defined.
 * @epc_total:	EPC of the machine in bytes.
 * @epc_free:	free EPC in bytes.
 * @chunk_size:	unit of locking in bytes; a range that is aligned to it has the least overhead.
 * @reserved:	zero.
 *
 * Fails with E2BIG, EFAULT, EINVAL.
 */
struct sgx_enclave_query {
	__u32 size;
	__u32 abi;
	__u64 features;
	__u64 errata;
	__u64 epc_total;
	__u64 epc_free;
	__u32 chunk_size;
	__u32 reserved;
};

/* sgx_enclave_configure.set: the members that are set */
#define SGX_CONFIGURE_MPROTECT		(1U << 0)
#define SGX_CONFIGURE_AUGMENT		(1U << 1)
#define SGX_CONFIGURE_FAULT_AROUND	(1U << 2)

/* sgx_enclave_configure.mprotect: effect of mprotect() on the EPCM permissions of its range */
#define SGX_MPROTECT_NOTHING		0	/* none, as in mainline */
#define SGX_MPROTECT_RESET		1	/* all are cleared */
#define SGX_MPROTECT_RESET_KEEP_READ	2	/* all but R are cleared */
#define SGX_MPROTECT_RESTRICT		3	/* restricted to the new protection */

/* sgx_enclave_configure.augment: effect of an access to an absent page */
#define SGX_AUGMENT_ON_FAULT	0	/* the page is added, as in mainline */
#define SGX_AUGMENT_NEVER	1	/* SIGBUS */

/* sgx_enclave_configure.fault_around: number of pages that a fault makes accessible at most */
#define SGX_FAULT_AROUND_DEFAULT	64
#define SGX_FAULT_AROUND_MAX		512

/**
 * struct sgx_enclave_configure - configure the enclave of the file, also before CREATE
 * @size:		size of the struct in bytes.
 * @set:		SGX_CONFIGURE_* bits of the members that are set; the others keep their
 *			value.
 * @mprotect:		SGX_MPROTECT_*. mprotect() runs EMODPR on the regular pages of its range
 *			before the kernel changes the mapping. The enclave completes the change by
 *			EACCEPT with PR, and EMODPE, without a further call. PROT_NONE does not
 *			change EPCM permissions. Pages of other types, and pages that wait for
 *			EACCEPT, are skipped. An mprotect() that fails may have changed a part of
 *			its range, and can be repeated. It fails with EBUSY if a thread of the
 *			enclave keeps using a page, with EAGAIN if a page is evicted and no EPC
 *			page is free at the moment, with EIO if the EPC was lost, and with EINTR
 *			if a fatal signal is pending.
 * @augment:		SGX_AUGMENT_*.
 * @fault_around:	number of pages that a fault adds, reloads or maps at most; 0 to
 *			SGX_FAULT_AROUND_MAX. More than one page is added or reloaded only if the
 *			accesses look like a sequential walk. With 0 and 1 a fault makes one page
 *			accessible.
 * @reserved:		zero.
 *
 * Fails with E2BIG, EFAULT, EINVAL, EIO, ENODEV. A call that fails changes nothing.
 */
struct sgx_enclave_configure {
	__u32 size;
	__u32 set;
	__u32 mprotect;
	__u32 augment;
	__u32 fault_around;
	__u32 reserved;
};

/* sgx_enclave_reset_permissions.flags */
#define SGX_RESET_KEEP_READ	(1U << 0)	/* do not clear R */

/**
 * struct sgx_enclave_reset_permissions - clear the EPCM permissions of a range
 * @size:	size of the struct in bytes.
 * @flags:	SGX_RESET_*.
 * @offset:	offset of the range in ELRANGE, in bytes.
 * @length:	length of the range in bytes.
 * @result:	the code of EMODPR (SDM Vol. 3D) if it failed on a page, else 0.
 * @count:	number of bytes that are done.
 *
 * Mappings are not changed, since EACCEPT reads through them. The enclave accepts each page by
 * EACCEPT with PR, and can then extend its permissions by EMODPE. The pages have to be regular ones
 * that have been accepted: EINVAL for a TCS or a trimmed page, EFAULT with a @result of
 * SGX_PAGE_NOT_MODIFIABLE (20) for a page that waits for EACCEPT.
 *
 * Fails with E2BIG, EFAULT, EINTR, EINVAL, EIO, ENODEV, ENOMEM.
 */
struct sgx_enclave_reset_permissions {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u64 result;
	__u64 count;
};

/**
 * struct sgx_enclave_augment_pages - add pages to an initialized enclave
 * @size:	size of the struct in bytes.
 * @flags:	zero.
 * @offset:	offset of the range in ELRANGE, in bytes.
 * @length:	length of the range in bytes.
 * @count:	number of bytes that are done, which have pages now.
 * @existing:	number of bytes in @count that had pages before.
 *
 * The pages wait for EACCEPT or EACCEPTCOPY. They may be mapped with any permission, but with
 * dynamic_code=0 not as executable. If the caller has mapped the enclave, they can be accepted
 * without a fault. A page that the enclave never accepts does no harm, but uses an EPC page.
 *
 * Fails with E2BIG, EFAULT, EINTR, EINVAL, EIO, ENODEV, ENOMEM.
 */
struct sgx_enclave_augment_pages {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u64 count;
	__u64 existing;
};

#endif
