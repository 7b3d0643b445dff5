# SPDX-License-Identifier: GPL-2.0
# The objects of the driver, from top to bottom, for the module and for the KUnit suites; scripts/layers holds the order.
sgx2-objects := main.o file.o mapping.o fault.o debug.o build.o augment.o edmm.o reclaim.o paging.o track.o secs.o enclave.o \
	chunk.o pte.o backing.o configure.o stats.o policy.o mm_list.o lru.o trace.o svn.o va.o place.o fault_around.o node.o \
	cmdline.o epc.o hw.o encls.o
sgx2-objects-$(CONFIG_X86_MCE) += poison.o
sgx2-objects += $(sgx2-objects-y)
