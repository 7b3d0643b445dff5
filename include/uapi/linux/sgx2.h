/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What the sgx2 driver offers on /dev/sgx_enclave beyond the calls of <asm/sgx.h>. */
#ifndef _UAPI_LINUX_SGX2_H
#define _UAPI_LINUX_SGX2_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <asm/sgx.h>

/**
 * DOC: Form of these calls
 *
 * Each takes one struct that begins with its size in bytes, as the program knows it. A kernel that
 * knows a longer struct takes the rest as zero; one that knows a shorter struct refuses a rest that
 * is not zero with E2BIG. So the numbers of the calls never change. Members that are reserved, and
 * those that the call fills in, have to be zero when it is made.
 *
 * Calls that work on a range take @offset from the start of ELRANGE and @length, both in bytes and
 * multiples of 4096. They say in @count how many bytes from the start of the range are done, also
 * when they fail: what is counted is complete, tracking included, and a program that wants to go on
 * does so at @offset + @count. What comes after is as it was, except that the page at which the
 * call failed may have been changed by the processor.
 *
 * An errno means the same for each of them:
 *
 * ========= =====================================================================================
 * E2BIG     The struct is longer than what this kernel knows, and the rest is not zero.
 * EFAULT    The struct cannot be read or written; there is no such page in the range; or the
 *           processor refused it, and @result says why.
 * EINTR     A signal came before the first page, and its handler lets no call go on. After the
 *           first page the call answers 0, and @count is short of @length.
 * EINVAL    The size is too small, something reserved is not zero, a flag is not known, the range
 *           is not a range inside of ELRANGE, or the enclave is not initialized.
 * EIO       The enclave has lost its EPC pages, as after a suspend, and has to be built again.
 * ENODEV    The processor has no SGX2.
 * ENOMEM    The kernel has no memory, or no EPC page that could be made free.
 * ENOTTY    The driver does not know the call: it is not sgx2, or older.
 * ========= =====================================================================================
 */

#define SGX_IOC_ENCLAVE_QUERY			_IO(SGX_MAGIC, 0x40)
#define SGX_IOC_ENCLAVE_CONFIGURE		_IO(SGX_MAGIC, 0x41)
#define SGX_IOC_ENCLAVE_RESET_PERMISSIONS	_IO(SGX_MAGIC, 0x42)
#define SGX_IOC_ENCLAVE_AUGMENT_PAGES		_IO(SGX_MAGIC, 0x43)

/* The version of this interface: it grows by one with each addition. */
#define SGX2_ABI_VERSION	1

/* sgx_enclave_query.features */
#define SGX_QUERY_SGX2		(1ULL << 0)	/* the processor has SGX2 */
#define SGX_QUERY_DYNAMIC_CODE	(1ULL << 1)	/* code may come after EINIT */

/**
 * struct sgx_enclave_query - what there is; works on every open file, at any time
 * @size:	of this struct.
 * @abi:	SGX2_ABI_VERSION of the driver.
 * @features:	SGX_QUERY_* bits.
 * @errata:	a bit for each thing that an older driver of the same @abi does wrong and this one
 *		does right; none so far.
 * @epc_total:	bytes of EPC in the machine.
 * @epc_free:	bytes of EPC that are free at the moment.
 * @chunk_size:	ranges are worked on in aligned pieces of so many bytes; a range that is aligned to
 *		them is done with the least overhead.
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

/* sgx_enclave_configure.set: which members to take */
#define SGX_CONFIGURE_MPROTECT		(1U << 0)
#define SGX_CONFIGURE_AUGMENT		(1U << 1)
#define SGX_CONFIGURE_FAULT_AROUND	(1U << 2)

/* sgx_enclave_configure.mprotect: what mprotect() does to the EPCM permissions of its range */
#define SGX_MPROTECT_NOTHING		0	/* nothing, as mainline */
#define SGX_MPROTECT_RESET		1	/* none is left */
#define SGX_MPROTECT_RESET_KEEP_READ	2	/* reading is left */
#define SGX_MPROTECT_RESTRICT		3	/* those of the new protection are left */

/* sgx_enclave_configure.augment: what a touch of a page that is not there does */
#define SGX_AUGMENT_ON_FAULT	0	/* a page is added, as in mainline */
#define SGX_AUGMENT_NEVER	1	/* SIGBUS, each time */

/* sgx_enclave_configure.fault_around: the most pages that one fault adds */
#define SGX_FAULT_AROUND_DEFAULT	64
#define SGX_FAULT_AROUND_MAX		512

/**
 * struct sgx_enclave_configure - how the enclave of this file behaves; also before CREATE
 * @size:		of this struct.
 * @set:		SGX_CONFIGURE_* bits of the members that count; the others keep their value.
 * @mprotect:		SGX_MPROTECT_*. Then mprotect() runs EMODPR on the regular pages of its
 *			range before the kernel changes the mapping, so that the enclave's EACCEPT
 *			with PR, and EMODPE, complete a change of permissions with no further call.
 *			PROT_NONE leaves EPCM permissions alone, and pages that wait for EACCEPT,
 *			and those of other types, are passed over. An mprotect() that fails may
 *			have reset a part of its range; it can be repeated. It fails with EBUSY if
 *			a page stays busy, with EAGAIN if a page is not in the EPC and there is no
 *			room for it at the moment, with EIO if the EPC was lost, and with EINTR if
 *			the task is killed.
 * @augment:		SGX_AUGMENT_*.
 * @fault_around:	0, or as many pages as a fault may add when it looks as if the program
 *			walked through them; SGX_FAULT_AROUND_MAX at most.
 * @reserved:		zero.
 *
 * Fails with E2BIG, EFAULT, EINVAL, EIO, ENODEV, and then changes nothing.
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
#define SGX_RESET_KEEP_READ	(1U << 0)	/* leave reading */

/**
 * struct sgx_enclave_reset_permissions - take the EPCM permissions of a range away
 * @size:	of this struct.
 * @flags:	SGX_RESET_*.
 * @offset:	of the range in ELRANGE, in bytes.
 * @length:	of the range in bytes.
 * @result:	the processor's code (SDM Vol. 3D) if it refused a page, else 0.
 * @count:	bytes that are done.
 *
 * Mappings stay as they are, since EACCEPT reads through them. The enclave has to EACCEPT each page
 * with PR, and can then EMODPE what it wants. Pages must be regular ones that were accepted:
 * EINVAL for a TCS or a trimmed page, EFAULT with @result 20 for one that waits for EACCEPT.
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
 * @size:	of this struct.
 * @flags:	zero.
 * @offset:	of the range in ELRANGE, in bytes.
 * @length:	of the range in bytes.
 * @count:	bytes that are done: that have a page now.
 * @existing:	bytes of @count that had one before.
 *
 * The pages wait for EACCEPT or EACCEPTCOPY, and may be mapped with any permission, unless the
 * platform's owner forbids code. Where the caller has mapped the enclave they can be accepted
 * without a fault. Pages that the enclave never accepts do no harm.
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
