# SPDX-License-Identifier: GPL-2.0
# The module for one kernel, and the tree's other commands: each of those is a script that can be run by itself.

# The kernel is the one that runs, or KERNELRELEASE=..., or the one that was built in KDIR=...
ifeq ($(KDIR),)
KDIR := /lib/modules/$(or $(KERNELRELEASE),$(shell uname -r))/build
endif
# The release is what the headers state; without headers, the name of the folder.
release = $(or $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"$$/\1/p' '$(KDIR)/include/generated/utsrelease.h' \
	2>/dev/null),$(KERNELRELEASE),$(shell uname -r))
prefix ?= /usr/local
INSTALL_MOD_DIR ?= updates
root = $(abspath $(DESTDIR)$(INSTALL_MOD_PATH))
folder = $(root)/lib/modules/$(release)/$(INSTALL_MOD_DIR)
files = $(abspath $(DESTDIR)$(prefix))
kbuild = $(MAKE) -C '$(KDIR)' M='$(CURDIR)/driver'
# A staged tree gets no index of modules, and no group of this machine.
depmod = $(if $(DESTDIR),true,PATH="$$PATH:/usr/sbin:/sbin" depmod -a $(INSTALL_MOD_PATH:%=-b '%') '$(release)')
installed = $(foreach suffix,ko ko.gz ko.xz ko.zst,'$(folder)/sgx2.$(suffix)')
other = include/linux/sgx2.h share/pkgconfig/sgx2.pc lib/udev/rules.d/60-sgx2.rules lib/sysusers.d/sgx2.conf
products = *.o *.ko *.mod *.mod.c .*.cmd *.a .*.d Module.symvers modules.order .module-common.o

DRIVER ?= intree
KERNEL ?= lab
SMP ?= 1
RUNS ?= 1
SELFTESTS ?= 6.12

modules: headers
	+@$(kbuild) modules

headers:
	@SGX2_UNKNOWN_KERNEL='$(SGX2_UNKNOWN_KERNEL)' scripts/kernel-headers '$(KDIR)'

# kbuild signs with the key of the kernel's own build, if it is there; Debian's headers do not have it. kbuild would run depmod only
# beside a System.map. A module that is signed here is not compressed, since the signature covers the file as the kernel reads it.
modules_install: headers
	@test -e driver/sgx2.ko || { echo 'sgx2: driver/sgx2.ko: not built: run make first' >&2; exit 1; }
	@test -z '$(SIGN_KEY)$(SIGN_CERT)' || { test -r '$(SIGN_KEY)' && test -r '$(SIGN_CERT)'; } || \
		{ echo 'sgx2: SIGN_KEY=$(SIGN_KEY) SIGN_CERT=$(SIGN_CERT): cannot be read: set both to files' >&2; exit 1; }
	@rm -f $(installed)
	+@$(kbuild) INSTALL_MOD_PATH='$(root)' INSTALL_MOD_DIR='$(INSTALL_MOD_DIR)' cmd_depmod=: \
		$(if $(SIGN_KEY),$(patsubst %,CONFIG_MODULE_COMPRESS_%=,ALL GZIP XZ ZSTD)) \
		$(if $(SIGN_KEY),CONFIG_MODULE_SIG_ALL=,$(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=)) modules_install
	@$(if $(SIGN_KEY),'$(KDIR)/scripts/sign-file' "$$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\(.*\)"$$/\1/p' '$(KDIR)/.config')" \
		'$(SIGN_KEY)' '$(SIGN_CERT)' '$(folder)/sgx2.ko')
	@$(depmod)

install: modules_install
	@install -D -m 644 include/uapi/linux/sgx2.h '$(files)/include/linux/sgx2.h'
	@install -d '$(files)/share/pkgconfig'
	@sed 's,@prefix@,$(prefix),; s,@version@,$(shell scripts/version),' system/sgx2.pc.in > '$(files)/share/pkgconfig/sgx2.pc'
	@install -D -m 644 system/60-sgx2.rules '$(files)/lib/udev/rules.d/60-sgx2.rules'
	@install -D -m 644 system/sysusers.conf '$(files)/lib/sysusers.d/sgx2.conf'
	@$(if $(root),true,! command -v systemd-sysusers > /dev/null || systemd-sysusers '$(prefix)/lib/sysusers.d/sgx2.conf')
	@$(if $(root),true,! command -v udevadm > /dev/null || udevadm control --reload 2> /dev/null || true)
	@echo 'sgx2: installed: boot with nosgx, then run: modprobe sgx2'

uninstall:
	@rm -f $(installed) $(foreach file,$(other),'$(files)/$(file)')
	@for dir in '$(folder)' $(foreach dir,$(sort $(dir $(other))) lib/udev,'$(files)/$(dir)'); do \
		test ! -d "$$dir" || rmdir --ignore-fail-on-non-empty "$$dir"; done
	@test ! -d '$(root)/lib/modules/$(release)' || $(depmod)

clean:
	@find driver \( $(foreach name,$(products),-name '$(name)' -o) -false \) -delete
	@rm -f $(products)

help:
	@echo 'The module, for the running kernel or KERNELRELEASE=... or KDIR=(its build folder):'
	@echo '  make                  build driver/sgx2.ko; the same as make modules'
	@echo '  make modules_install  install the module as kbuild does; INSTALL_MOD_PATH, INSTALL_MOD_DIR, DESTDIR,'
	@echo '                        SIGN_KEY=x.key SIGN_CERT=x.der for Secure Boot'
	@echo '  make install          the module, <linux/sgx2.h>, sgx2.pc, the udev rule and the groups; in addition prefix=/usr/local'
	@echo '  make uninstall        remove what make install installed, with the same parameters'
	@echo '  make clean            remove what make built in this folder'
	@echo '  make deb              Debian packages, in DIR=build/deb'
	@echo 'The tree, on any x86-64 computer with Debian 12:'
	@echo '  make demo             boot the SGX2 machine, load sgx2, run an enclave that grows, changes and shrinks; KERNEL=lab|stock'
	@echo '  make check            set up all it needs, then run every check; CHECK="lint boot-lab" for some, see scripts/check --list'
	@echo '  make check-full       the same and more, for a night: debug kernel, coverage, mutations, long fuzzing, ten runs of each test of Linux'
	@echo '  make bench            sgx2 beside the in-tree driver: a table, charts, Documentation/performance.rst; up to half an hour'
	@echo '  make bench-short      the same with few sizes, and no document'
	@echo '  make selftest         the selftests on this machine'\''s own SGX2 and the driver that has it (as root)'
	@echo '  make selftest-package FILE=x.tar.gz: the same as static programs, for a machine that cannot build them'
	@echo '  make machine          a shell in a guest that has SGX2; KERNEL=lab|stock, SMP=n'
	@echo '  make linux-selftests  the SGX selftests of Linux in a guest; DRIVER=intree|sgx2, KERNEL=lab|stock, SMP=n,'
	@echo '                        ICOUNT=1, RUNS=n, SELFTESTS=6.1|6.12'
	@echo '  make htmldocs         build the documentation as a site, and print its first page'
	@echo '  make clean-room       make demo and make check from a fresh clone on a bare Debian, in a chroot (as root, long); RELEASE=bookworm|trixie'
	@echo '  make clean-cache      remove all downloads and builds in the cache'

# A bare Debian has no python3.
python:
	@bash -c '. scripts/lib.sh; need python3'

check: python
	@scripts/check $(CHECK)

check-full: python
	@SGX2_FULL=1 SGX2_FUZZ_SECONDS=300 SGX2_RUNS=10 scripts/check

demo:
	@scripts/demo --kernel '$(KERNEL)'

bench:
	@scripts/bench

bench-short:
	@scripts/bench --short

selftest:
	@scripts/selftest

FILE ?= sgx2-selftests.tar.gz
selftest-package:
	@scripts/selftest --package '$(FILE)'

machine:
	@scripts/machine --kernel '$(KERNEL)' --driver '$(DRIVER)' --smp '$(SMP)'

linux-selftests:
	@scripts/linux-selftests --driver '$(DRIVER)' --kernel '$(KERNEL)' --smp '$(SMP)' --runs '$(RUNS)' \
		--selftests '$(SELFTESTS)' $(if $(filter-out 0,$(ICOUNT)),--icount)

htmldocs:
	@scripts/htmldocs

RELEASE ?= bookworm
clean-room:
	@scripts/clean-room --release '$(RELEASE)'

clean-cache:
	@scripts/clean-cache

DIR ?= build/deb
deb:
	@scripts/build-deb '$(DIR)'

.PHONY: modules headers modules_install install uninstall clean deb python help demo selftest selftest-package check check-full bench bench-short \
	machine linux-selftests htmldocs clean-room clean-cache
