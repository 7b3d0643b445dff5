# SPDX-License-Identifier: GPL-2.0
# What one types here; each target is a script that can be run by itself.

DRIVER ?= intree
KERNEL ?= lab
SMP ?= 1
RUNS ?= 1
SELFTESTS ?= 6.12

help:
	@echo 'make demo             boot the SGX2 machine, load sgx2, run an enclave that grows, changes and shrinks; KERNEL=lab|stock'
	@echo 'make check            set up all it needs, then run every check; CHECK="lint boot-lab" for some, see scripts/check --list'
	@echo 'make check-full       the same and more, for a night: debug kernel, coverage, mutations, long fuzzing, ten runs of each test of Linux'
	@echo 'make bench            sgx2 beside the in-tree driver: a table, charts, Documentation/performance.rst; up to half an hour'
	@echo 'make bench-short      the same with few sizes, and no document'
	@echo 'make selftest         the selftests on this machine'\''s own SGX2 and the driver that has it (as root)'
	@echo 'make selftest-package  FILE=x.tar.gz: the same as static programs, for a machine that cannot build them'
	@echo 'make machine          a shell in a guest that has SGX2; KERNEL=lab|stock, SMP=n'
	@echo 'make linux-selftests  the SGX selftests of Linux in a guest; DRIVER=intree|sgx2, KERNEL=lab|stock, SMP=n,'
	@echo '                      ICOUNT=1, RUNS=n, SELFTESTS=6.1|6.12'
	@echo 'make clean-room       make check from a fresh clone on a bare Debian 12, in a chroot (as root, long)'
	@echo 'make clean-cache      drop what was downloaded and built'

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

clean-room:
	@scripts/clean-room

clean-cache:
	@scripts/clean-cache

.PHONY: python help demo selftest selftest-package check check-full bench bench-short machine linux-selftests clean-room clean-cache
