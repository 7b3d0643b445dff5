#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs every check of the project, or those named, one line each, and ends with "N passed, N failed, N skipped".
. "$(dirname "$0")/lib.sh"

run=$SGX2_TOP/tests/machine/run

# name | what | needs this path in the tree | function and its arguments. A step fails if its function does, and is skipped with
# status 77; a function that runs many tests says how many with tally.
table='
setup       | packages, sources, firmware                          | -                                   | step_setup
lint        | scripts, headers of files, their length, originality | -                                   | step_lint
format      | C++ as .clang-format has it                          | -                                   | step_format
tidy        | clang-tidy on all C++, with the analyzer on the model | -                                  | step_tidy
model       | the processor model: unit and property tests         | tools/emulator/model/tests          | step_model
sanitize    | under clang, ASan and UBSan; threads under TSan      | tools/emulator/model/tests          | step_sanitize
coverage    | they reach 95 % of its lines                         | tools/emulator/model/tests          | step_coverage
fuzz        | its C interface under libFuzzer                      | tools/emulator/model/tests          | step_fuzz
machine     | QEMU with the model in it                            | -                                   | step_machine
kernel      | the lab kernel builds with all that it should have   | -                                   | step_kernel
boot-lab    | the lab kernel reaches init in 500 million instructions | -                                | step_boot lab 500
boot-stock  | the stock kernel does so in 2500 million             | -                                   | step_boot stock 2500
status      | the runner: the status of the command is its own     | -                                   | step_status
add         | the runner: folders go in, with their libraries      | -                                   | step_add
usage       | the runner: wrong options                            | -                                   | step_usage
truncated   | the runner: a truncated kernel                       | -                                   | step_truncated
hang        | the runner: a guest that hangs                       | -                                   | step_hang
panic       | the runner: a guest that panics, or complains        | -                                   | step_panic
no-epc      | the runner: a machine without EPC                    | -                                   | step_no_epc
refuse      | the machine: what SGX excludes                       | -                                   | step_refuse
terminal    | make machine: a shell on a terminal                  | -                                   | step_terminal
modules     | guest modules: checkpatch --strict, sparse, W=1      | tests/isa/module                    | step_modules
isa-lab     | each leaf with right and wrong operands, lab kernel  | tests/isa/run                       | step_isa lab
isa-stock   | on the stock kernel, optional leaves, a strict TCS   | tests/isa/run                       | step_isa stock --cpu ,+sgx-encls-c,+sgx-eupdatesvn --qemu-arg=-global --qemu-arg=sgx-epc.strict-tcs=on -- --strict-tcs
qmp         | counters, EPCM, injection, loss of EPC over QMP      | tests/machine/qmp-check.py          | step_qmp
driver      | sgx2.ko, W=1: 6.1 with and without cleanup.h, 6.12, the newest | driver/main.c                       | step_driver
gates       | checkpatch --strict, sparse, kernel-doc on it        | driver/main.c                       | step_gates
cocci       | coccinelle: patches of the kernel and ours            | tests/cocci                         | step_cocci
kunit       | pure KUnit suites, on a machine without SGX          | tests/kunit/Kbuild                  | step_kunit
refusals    | what sgx2 tells an administrator, and is told        | driver/main.c                       | step_refusals
demo        | make demo on both kernels                            | tools/selftests/demo.cpp            | step_demo
suite       | our selftests: both drivers, both kernels            | tools/selftests/CMakeLists.txt      | step_suite
races       | races, kills, conflicts, loss of the EPC              | tools/selftests/tests/race.cpp      | step_races
memcg       | who pays for eviction, and refusals of the owner | tools/selftests/tests/memcg.cpp     | step_memcg
forks       | fork() that fails beside the reclaimer               | tools/selftests/tests/fork.cpp      | step_forks
epc-end     | more enclaves than EPC pages; page tables            | tools/selftests/tests/crowd.cpp     | step_epc_end
hotset      | whom EPC is taken from, beside the in-tree driver    | scripts/hotset                      | step_hotset
latency     | calls let go of the processor, and end when killed    | tools/selftests/tests/latency.cpp   | step_latency
stress      | enclaves of several EPCs together, killed at random   | tools/selftests/stress.cpp          | step_stress
reload      | the module is used, unloaded and loaded, many times   | tools/selftests/reload.cpp          | step_reload
policy      | dynamic_code=0 and 1: code that comes after EINIT     | tools/selftests/tests/policy.cpp    | step_policy
numa        | EPC of the node that asks; a node without EPC        | tools/selftests/tests/numa.cpp      | step_numa
processors  | other machines: SGX1, EUPDATESVN, dynamic_code=0       | tools/selftests/tests/lifecycle.cpp | step_processors
bench       | figures beside the in-tree driver: counts, ratios     | tools/bench/main.cpp                | step_bench
silicon     | make selftest refuses; the suite without a monitor   | tools/selftests/CMakeLists.txt      | step_silicon
closing     | failing, hanging, panicking, skipping tests show     | -                                   | step_closing
differ      | the same random calls on both drivers                | tools/selftests/differ.cpp          | step_differ
sgx2-lab    | SGX selftests of Linux on sgx2, lab kernel           | driver/main.c                       | step_linux sgx2 lab
sgx2-stock  | the same on the stock kernel                         | driver/main.c                       | step_linux sgx2 stock
linux-lab   | SGX selftests of Linux 6.1 and 6.12, lab kernel      | tools/emulator/qemu/patches/*.patch | step_linux intree lab
linux-stock | the same on the stock kernel                         | tools/emulator/qemu/patches/*.patch | step_linux intree stock
suite-debug | our selftests under KASAN and lockdep, fail-nth      | tools/selftests/CMakeLists.txt      | full step_suite_debug
driver-cov  | gcov: lines and branches of the driver               | tests/coverage/reasons.txt          | full step_driver_coverage
mutation    | a broken driver does not pass                        | tests/mutation/mutants.txt          | full step_mutation
'
# What step_closing looks at: steps that end in each way that there is.
closing='
passes      | a step that passes                                   | -                                   | true
fails       | a step that fails                                    | -                                   | fail on-purpose
skips       | a step that is skipped                               | -                                   | exit 77
tests       | a test that passes, one that fails, one is skipped   | -                                   | deliberate *Deliberate.Passes:*Deliberate.Fails:*Deliberate.Skips
hangs       | a test that hangs                                    | -                                   | deliberate *Deliberate.Hangs
panics      | a test that panics                                   | -                                   | deliberate *Deliberate.Panics
'
[ -z "${SGX2_CLOSING:-}" ] || table=$closing

# full FUNCTION...: a step of make check-full, or of who asks for it by name.
full() { "$@"; }

# tally PASSED FAILED SKIPPED: the counts of this step, in place of one.
tally() { printf '%s %s %s\n' "$1" "$2" "$3" > "$SGX2_TALLY"; }

fail() { echo "$*" >&2; return 1; }

# expect STATUS REGEX ARG...: the runner ends with STATUS and, if REGEX is not empty, with one line on stderr that matches it;
# and nothing that it started is left.
expect() {
	local status=$1 regex=$2 got=0 mark=$$-$RANDOM err
	shift 2
	err=$(SGX2_MARK=$mark "$run" "$@" 2>&1 > /dev/null) || got=$?
	# Progress of what had to be built first is not the runner's line.
	err=$(grep -v '^  ' <<< "$err" || true)
	echo "status $got: $err"
	[ "$got" = "$status" ] || fail "status $got instead of $status: tests/machine/run $*"
	if [ -n "$regex" ]; then
		[ "$(wc -l <<< "$err")" = 1 ] || fail 'more than one line on stderr'
		[[ $err =~ $regex ]] || fail "the line does not match: $regex"
	fi
	if grep -lsza "^SGX2_MARK=$mark\$" /proc/[0-9]*/environ | grep -v "^/proc/$$/"; then
		fail 'these processes were left running'
	fi
}

step_setup() {
	local what
	for what in qemu meson firmware 'linux-sgx 6.12' 'linux-sgx 6.1' stock busybox; do
		# shellcheck disable=SC2086 # a word and its argument
		"$SGX2_TOP/scripts/fetch" $what
	done
	need shellcheck pyflakes3
	"$SGX2_TOP/scripts/build-guest"
}

# The tree's files, in a clone and in an unpacked archive.
files() {
	cd "$SGX2_TOP"
	if [ -e .git ] && command -v git > /dev/null; then
		git -c safe.directory='*' ls-files -co --exclude-standard | while read -r f; do [ ! -f "$f" ] || echo "$f"; done
	else
		find . -name .git -prune -o -type f -printf '%P\n'
	fi
}

step_lint() {
	local f bad=0 shell=() python=() n
	cd "$SGX2_TOP"
	while read -r f; do
		case $f in
		*.md|*.json|*.patch|*.svg|*.png|LICENSE|.*|*/.*) ;;
		*) head -n 3 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0' || { echo "$f: no SPDX line in its first three"; bad=1; } ;;
		esac
		n=$(wc -l < "$f")
		case $f in LICENSE|*.svg|*.png) ;; *) [ "$n" -le 900 ] || { echo "$f: $n lines, more than 900"; bad=1; } ;; esac
		# Brackets keep these from finding themselves.
		if grep -nEH '(deb|security|snapshot)[.]debian[.]org|registry[.]npm|pypi[.]org|[c]rates[.]io|proxy[.]golang|/[w]ork/|/[r]oot/|/[h]ome/[a-z]' "$f"; then
			echo "$f: names a package registry or a path of one machine"
			bad=1
		fi
		case $f in *.py) python+=("$f") ;; esac
		if head -c 64 "$f" | head -n 1 | grep -qa '^#!.*python3$' && [[ $f != *.py ]]; then python+=("$f"); fi
		if [[ $f == *.sh ]] || head -c 64 "$f" | head -n 1 | grep -qa '^#!.*sh$'; then shell+=("$f"); fi
		if head -c 2 "$f" | grep -qa '^#!' && [ ! -x "$f" ]; then echo "$f: begins with #! and is not executable"; bad=1; fi
	done < <(files)
	shellcheck -x -P SCRIPTDIR "${shell[@]}" || bad=1
	scripts/errnos --check || bad=1
	pyflakes3 "${python[@]}" || bad=1
	scripts/docs.py || bad=1
	scripts/layers || bad=1
	# A tool of the place where CI runs; elsewhere it is not there.
	if [ -x ../shared/tools/originality ]; then
		python3 ../shared/tools/originality --ref "$("$SGX2_TOP/scripts/fetch" linux-sgx 6.12)" || bad=1
	fi
	return $bad
}

step_format() {
	local file=()
	need clang-format
	# Releases differ in what they think of the same style; the tree follows Debian 12's.
	if ! clang-format --version | grep -q 'version 14\.'; then
		say "skipped: $(clang-format --version | head -n 1), and the tree is held to version 14"
		return 77
	fi
	mapfile -t file < <(files | grep -E '\.(cc|cpp)$|^tools/selftests/lib/.*\.h$|^tools/emulator/model/(src|tests)/.*\.h$|^tests/isa/program/.*\.h$|^(driver|tests/kunit)/[^/]*\.[ch]$' | grep -vx driver/trace.h)
	cd "$SGX2_TOP"
	clang-format --dry-run -Werror "${file[@]}"
}

# The analyzer on more than the model is for the full check.
step_tidy() {
	# shellcheck disable=SC2086 # a word or none
	"$SGX2_TOP/scripts/tidy" ${SGX2_FULL:+--analyze}
}

# refused REGEX WORD...: QEMU with these words does not start, and says why in one line.
refused() {
	local regex=$1 err rc=0 folder
	shift
	folder=$("$SGX2_TOP/scripts/build-qemu")
	err=$(timeout 200 "$folder/qemu-system-x86_64" -L "$folder" -accel tcg -display none -nodefaults -S "$@" 2>&1 < /dev/null) || rc=$?
	echo "status $rc: $err"
	if [ "$rc" != 1 ] || ! [[ $err =~ $regex ]] || [ "$(wc -l <<< "$err")" != 1 ]; then fail "not refused as it should be: $*"; fi
}

step_refuse() {
	local epc=(-M 'q35,sgx-epc.0.memdev=e,sgx-epc.0.node=0' -object 'memory-backend-epc,id=e,size=4M')
	refused 'nested virtualization \(vmx\)' "${epc[@]}" -cpu sgx2,+vmx
	refused 'nested virtualization \(svm\)' "${epc[@]}" -cpu sgx2,+svm
	refused 'shstk' "${epc[@]}" -cpu sgx2,+shstk
	refused 'EPC and the CPU no SGX: use -cpu sgx2' "${epc[@]}" -cpu qemu64
	refused 'cannot be migrated or saved' "${epc[@]}" -cpu sgx2 -only-migratable
	refused 'pages of 4096 bytes' -M "${epc[1]}" -object memory-backend-epc,id=e,size=4097 -cpu sgx2
}

# Somebody at a terminal who types what it says, each line when the shell asks for one.
step_terminal() {
	need expect
	command expect -f - "$SGX2_TOP/scripts/machine" <<-'EOF'
		set timeout 900
		proc want {what} { expect $what {} timeout { puts "never seen: $what"; exit 1 } eof { puts "ended before: $what"; exit 1 } }
		spawn [lindex $argv 0] --kernel lab --driver intree
		want "A guest with SGX2, on this terminal"
		want "/ # "
		send {echo $((6 * 7))-$(ls /dev/sgx_enclave)}
		send "\r"
		want "42-/dev/sgx_enclave"
		want "/ # "
		send "poweroff -f\r"
		expect eof {} timeout { puts "it does not end"; exit 1 }
		exit [lindex [wait] 3]
	EOF
}

step_qmp() {
	local folder
	folder=$("$SGX2_TOP/scripts/build-selftests" 6.12)
	# shellcheck disable=SC2016 # the guest's shell is to expand it
	# With EINIT made to fail, and the EPC lost, these tests fail; what they show otherwise is for sgx2-lab. The EPC is lost at any moment,
	# and in some of these the in-tree driver warns, which is a panic here.
	"$run" --driver sgx2 --smp 2 --qmp-script "$SGX2_TOP/tests/machine/qmp-check.py" --add "$folder:/add/selftests" \
		--cwd /add/selftests -- sh -c './test_sgx; ./test_sgx; ./test_sgx; for i in $(seq 60); do ./test_sgx -t clobbered_vdso; done; true'
}

# Kernel code: our guest modules, by the kernel's own tools.
step_modules() {
	local tree kernel dir
	need sparse perl gcc make libelf-dev
	kernel=$("$SGX2_TOP/scripts/build-kernel" lab)
	tree=$(readlink -f "$kernel/build/source")
	cd "$SGX2_TOP"
	perl "$tree/scripts/checkpatch.pl" --no-tree --strict --terse --no-summary --show-types \
		--ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON \
		-f tests/isa/module/*.[chS]
	dir=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$dir'" EXIT
	cp tests/isa/module/* "$dir/"
	make -C "$kernel/build" M="$dir" W=1 C=2 CF=-Wsparse-error KCFLAGS=-Werror modules
}

# gtests FOLDER...: runs every *_test there and tallies the tests in them.
gtests() {
	local program programs=() passed=0 failed=0 skipped=0 n fixed=(setarch -R)
	# clang 14's sanitizers want their shadow where kernels with much randomness put a program.
	"${fixed[@]}" true 2> /dev/null || fixed=()
	for program in "$@"; do programs+=("$program"/*_test); done
	for program in "${programs[@]}"; do
		echo "== ${program##*/}"
		timeout 3000 "${fixed[@]}" "$program" --gtest_brief=1 > "$SGX2_TALLY.out" 2>&1 || failed=$((failed + 1))
		cat "$SGX2_TALLY.out"
		n=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests*\.$/\1/p' "$SGX2_TALLY.out")
		passed=$((passed + ${n:-0}))
		n=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) tests*.*/\1/p' "$SGX2_TALLY.out")
		skipped=$((skipped + ${n:-0}))
	done
	rm -f "$SGX2_TALLY.out"
	tally "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

step_model() { gtests "$("$SGX2_TOP/scripts/build-model-tests" plain)"; }
step_sanitize() {
	local memory threads
	memory=$("$SGX2_TOP/scripts/build-model-tests" sanitize)
	threads=$("$SGX2_TOP/scripts/build-model-tests" tsan)
	gtests "$memory" "$threads"
}

step_coverage() { cat "$("$SGX2_TOP/scripts/build-model-tests" coverage)/report"; }

# What it finds is kept in the log folder, since the next run may not find it again.
step_fuzz() {
	local dir folder
	folder=$("$SGX2_TOP/scripts/build-model-tests" sanitize)
	dir=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$dir'" EXIT
	mkdir "$dir/corpus" "$dir/seeds"
	"$folder/fuzz_seeds" "$dir/seeds"
	"$folder/fuzz_model" -max_total_time="${SGX2_FUZZ_SECONDS:-20}" -max_len=1024 -timeout=10 -print_final_stats=1 \
		-artifact_prefix="$SGX2_CACHE/log/fuzz-" "$dir/corpus" "$dir/seeds"
}

step_machine() { "$SGX2_TOP/scripts/build-qemu"; }
step_kernel() { "$SGX2_TOP/scripts/build-kernel" lab; }

# step_boot KERNEL MILLIONS: in instructions, of which a busy host takes no more than an idle one.
step_boot() {
	local kernel=$1 limit=$2 out millions
	out=$("$run" --kernel "$kernel" --driver none --icount -v -- /bin/uname -r 2>&1) || { echo "$out"; fail 'it did not boot'; }
	millions=$(sed -n 's/^run: init after .* s, \([0-9]*\) million cycles of the TSC$/\1/p' <<< "$out")
	echo "init after $millions million instructions"
	if [ -z "$millions" ] || [ "$millions" = 0 ] || [ "$millions" -ge "$limit" ]; then fail "the limit is $limit million"; fi
}

step_status() {
	local out
	expect 3 '' --driver none -- sh -c 'exit 3'
	expect 0 '' --driver none -- true
	expect 127 '' --driver none -- no-such-command
	expect 137 'signal 9' --driver none --smp 4 --numa 2 -- sh -c 'kill -9 $$'
	# shellcheck disable=SC2016 # the guest's shell is to expand it
	out=$("$run" --driver none --icount --env A=b -- sh -c 'echo $A; echo e >&2; seq 1 20000 | md5sum')
	[ "$out" = "$(printf 'b\ne\n'; seq 1 20000 | md5sum)" ] || fail "not what was printed: $out"
}

step_add() {
	local dir
	dir=$(mktemp -d)
	# shellcheck disable=SC2064 # this folder, not a later one
	trap "rm -rf '$dir'" EXIT
	mkdir "$dir/stuff"
	echo data > "$dir/stuff/file"
	ln -s file "$dir/stuff/link"
	cp /usr/bin/sha256sum "$dir/stuff/"
	expect 0 '' --driver none --add "$dir/stuff" --add "$dir/stuff:/opt/x" --cwd /add/stuff -- \
		sh -c './sha256sum link && cmp file /opt/x/link && grep -q data file'
}

step_usage() {
	expect 120 'command comes after --' --driver none true
	expect 120 'no command' --driver none
	expect 120 'unrecognized arguments: --no-such' --no-such -- true
	expect 120 '--smp 0' --smp 0 -- true
	expect 120 '--epc 7: a size in whole pages' --epc 7 -- true
	expect 120 'no node 1' --epc 32M@1 -- true
	expect 120 'no such file' --add /no/such/folder -- true
	expect 120 'No such file' --driver none --kernel /no/such/kernel -- true
}

step_truncated() {
	local dir image
	dir=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$dir'" EXIT
	image=$("$SGX2_TOP/scripts/build-kernel" lab)/bzImage
	head -c 1000000 "$image" > "$dir/short"
	expect 122 'is truncated: 1000000 of at least' --driver none --kernel "$dir/short" -- true
	head -c 5000 /dev/zero > "$dir/zero"
	expect 122 'is not a bootable Linux kernel' --driver none --kernel "$dir/zero" -- true
	# Whole by its length, and damaged inside: only the boot shows it.
	cp "$image" "$dir/damaged"
	dd if=/dev/zero of="$dir/damaged" bs=1000 seek=1000 count=200 conv=notrunc status=none
	expect 122 '' --driver none --boot-timeout 100 --kernel "$dir/damaged" -- true
}

step_hang() {
	expect 124 'did not end within 5 seconds: sleep 1000' --driver none --timeout 5 -- sleep 1000
	expect 122 'did not reach init within 0.2 seconds' --driver none --boot-timeout 0.2 -- true
}

step_panic() {
	expect 126 'the guest panicked: .*sysrq' --driver none -- sh -c 'echo c > /proc/sysrq-trigger'
	expect 126 "the guest's kernel complained: WARNING: possible circular" --driver none -- \
		sh -c 'echo "WARNING: possible circular locking dependency detected" > /dev/kmsg'
}

step_no_epc() {
	expect 125 'machine has no EPC: ' --driver intree --epc 0 -- true
}

step_driver() {
	"$SGX2_TOP/scripts/build-driver" lab
	"$SGX2_TOP/scripts/build-driver" stock
	"$SGX2_TOP/scripts/build-driver" bare
	"$SGX2_TOP/scripts/build-driver" clang
	"$SGX2_TOP/scripts/build-driver" newest
}

# The kernel's own tools on the driver. sparse does not follow locks through cleanup.h's guards, so its account of them is off;
# lockdep's is what counts. TRACE_EVENT has a layout of its own, and compat/ is there to know kernel versions.
# The newest kernel wants a sparse that Debian 12 does not have.
step_gates() {
	local kernel tree stock
	need sparse perl gcc gcc-12 make libelf-dev
	kernel=$("$SGX2_TOP/scripts/build-kernel" lab)
	tree=$(readlink -f "$kernel/build/source")
	stock=$("$SGX2_TOP/scripts/fetch" stock-headers)
	item "gates-$(hash_of "$(hash_files "$SGX2_TOP/driver" "$SGX2_TOP/include" "$SGX2_TOP/tests/kunit")" "$kernel" "$stock" "$(declare -f gates)")" \
		gates "$kernel/build" "$tree" "$stock"
}
gates() {
	local out=$1 build=$2 tree=$3 stock=$4 check=(perl "$3/scripts/checkpatch.pl" --no-tree --strict --terse --no-summary --show-types)
	local trace=() rest=() f
	cp -r "$SGX2_TOP/driver" "$SGX2_TOP/include" "$out/"
	cd "$out"
	for f in driver/*.[ch]; do case $f in driver/trace.h) trace+=("$f") ;; *) rest+=("$f") ;; esac; done
	cp -r "$SGX2_TOP/tests/kunit" "$out/"
	"${check[@]}" -f "${rest[@]}" kunit/*.[ch]
	"${check[@]}" --ignore OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT -f "${trace[@]}"
	"${check[@]}" --ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON,SUSPECT_CODE_INDENT -f driver/compat/*.h
	# BIT() is not for programs.
	"${check[@]}" --ignore BIT_MACRO -f include/uapi/linux/*.h
	perl "$tree/scripts/kernel-doc" -none -Wall -Werror driver/*.[ch] include/uapi/linux/*.h
	make -C "$build" M="$out/driver" W=1 C=2 CF='-Wsparse-error -Wno-context' KCFLAGS=-Werror modules
	make -C "$build" M="$out/driver" clean
	make -C "$stock" M="$out/driver" W=1 C=2 CF='-Wsparse-error -Wno-context' KCFLAGS=-Werror modules
	printf '#include <linux/sgx2.h>\nstruct sgx_enclave_query q;\n' > use.c
	gcc -std=c90 -pedantic-errors -Wall -Wextra -Werror -Wno-long-long -Iinclude/uapi -c -o /dev/null use.c
	g++ -std=c++98 -pedantic-errors -Wall -Wextra -Werror -Wno-long-long -Iinclude/uapi -x c++ -c -o /dev/null use.c
	rm -rf driver include kunit use.c
}

# Each patch of ours finds what is in bad.c for it, and nothing else, and nothing in the driver; the kernel's find nothing at all. Two
# of those want an OCaml compiler, and are about other drivers.
step_cocci() {
	local kernel
	need coccinelle
	kernel=$("$SGX2_TOP/scripts/build-kernel" lab)
	item "cocci-$(hash_of "$(hash_files "$SGX2_TOP/driver" "$SGX2_TOP/tests/cocci")" "$kernel" "$(declare -f cocci)")" \
		cocci "$(readlink -f "$kernel/build/source")/scripts/coccinelle"
}
cocci() {
	local out=$1 theirs=$2 ours=$SGX2_TOP/tests/cocci patch name found
	for patch in "$ours"/*.cocci; do
		name=$(basename "$patch" .cocci)
		found=$(spatch --very-quiet --cocci-file "$patch" "$ours/bad.c" | grep '^-[^-]' | sed 's/^-//' || true)
		if [ -z "$found" ] || [ "$found" != "$(grep -F "/* $name */" "$ours/bad.c")" ]; then
			printf '%s finds this in bad.c:\n%s\n' "$patch" "$found"
			return 1
		fi
		spatch --very-quiet --cocci-file "$patch" --dir "$SGX2_TOP/driver" | tee "$out/report"
		[ ! -s "$out/report" ] || return 1
	done
	say 'the patches of the kernel on the driver'
	find "$theirs" -name '*.cocci' -exec grep -l 'virtual report' {} + | sort > "$out/list"
	while read -r patch; do
		timeout 100 spatch -D report --no-show-diff --very-quiet --cocci-file "$patch" --dir "$SGX2_TOP/driver" || true
	done < "$out/list" > "$out/report" 2>&1
	cat "$out/report"
	! grep -F "$SGX2_TOP/driver" "$out/report"
}

# kunit KERNEL SUITES: the pure suites in a guest without SGX, whose allocations may fail where the kernel can make them. Rows of a KTAP
# stream that stand innermost, one blank deep or more, count.
kunit() {
	local kernel=$1 out rc=0 pass fail skip passed=0 failed=0 skipped=0
	# shellcheck disable=SC2016 # the guest's shell is to expand it
	out=$("$run" --kernel "$kernel" --driver none --cpu max --epc 0 --smp 2 --append kunit.enable=1 --add "$("$SGX2_TOP/scripts/build-driver" "$2"):/sgx2_kunit.ko" -- \
		sh -c 'cd /sys/kernel/debug
			for i in fail*/ignore-gfp-*; do [ ! -e $i ] || echo N > $i; done
			[ ! -e fail_page_alloc ] || echo 0 > fail_page_alloc/min-order
			insmod /sgx2_kunit.ko && cat /sys/kernel/debug/kunit/*/results && rmmod sgx2_kunit') || rc=$?
	echo "$out"
	skip=$(grep -cE '^ +ok .*# SKIP' <<< "$out" || true)
	pass=$(($(grep -cE '^ +ok ' <<< "$out" || true) - skip))
	fail=$(grep -cE '^ +not ok ' <<< "$out" || true)
	read -r passed failed skipped < "$SGX2_TALLY" || true
	tally $((${passed:-0} + pass)) $((${failed:-0} + fail)) $((${skipped:-0} + skip))
	if [ $rc != 0 ] || [ "$fail" != 0 ] || [ "$pass" = 0 ]; then fail 'the KUnit suites'; fi
}

step_kunit() { kunit lab kunit; }

step_demo() {
	local kernel out
	for kernel in lab stock; do
		out=$("$SGX2_TOP/scripts/demo" --kernel "$kernel") || { echo "$out"; fail "the demo on $kernel"; }
		echo "$out"
		grep -qx 'All as it should be.' <<< "$out" || fail "the demo on $kernel does not end as it should"
	done
}

# Tests that want a machine of their own, and have a step that gives it.
STRAIN='Race*:*Starved*:KillLong.*:*/KillInTheMiddle.*:Inject.*:*/Loss.*:LossOf.*'
ROOM='Memcg.*:ForkFails.*:EndOfTheEpc.*:Sparse.*'
ELSEWHERE="PolicyRace.*:$ROOM:Numa.*:Sgx1.*:UpdateSvn.*:Latency.*:$STRAIN"

# selftests FILTER OPTION...: ours that match, disabled ones too, in such a guest, from the folder $package if there is one; the step's
# tally grows by what they come to.
selftests() {
	local filter=$1 folder out rc=0 p=0 f=0 s=0 passed=0 failed=0 skipped=0
	shift
	folder=$("$SGX2_TOP/scripts/build-suite")
	out=$("$run" "$@" --add "${package:-$folder/sgx2-selftest}:/suite" -- "/suite${package:+/run}" --gtest_also_run_disabled_tests --gtest_filter="$filter") || rc=$?
	echo "== $*"
	echo "$out"
	read -r passed failed skipped < "$SGX2_TALLY" || true
	read -r p f s < <(sed -n 's/^# Totals: pass:\([0-9]*\) fail:\([0-9]*\) skip:\([0-9]*\)$/\1 \2 \3/p' <<< "$out") || true
	tally $((${passed:-0} + ${p:-0})) $((${failed:-0} + ${f:-0})) $((${skipped:-0} + ${s:-0}))
	if [ $rc != 0 ] || [ "${f:-1}" != 0 ] || [ "${p:-0}" = 0 ]; then fail "the selftests in this guest: $*"; fi
}

# By a parameter and by the kernel's command line. The last test of the second guest takes the right away for good. The races want one
# CPU for each of two threads, and one more.
step_policy() {
	local kernel
	for kernel in lab stock; do
		if [ $kernel = lab ]; then
			selftests 'Policy.*:-*DISABLED*' --driver sgx2 --kernel $kernel --smp 2 --param dynamic_code=0
		else
			selftests 'Policy.*:-*DISABLED*' --driver sgx2 --kernel $kernel --smp 2 --append sgx2.dynamic_code=0
		fi
		selftests 'Policy.*' --driver sgx2 --kernel $kernel --smp 2
		selftests 'PolicyRace.*' --driver sgx2 --kernel $kernel --smp 3 --param dynamic_code=0
	done
	selftests 'Policy.*:-*DISABLED*' --driver intree --smp 2
}

step_numa() {
	local kernel
	selftests 'Node.*' --driver intree --smp 2 --numa 2 --epc 16M@0 --epc 16M@1
	selftests 'Node.*' --driver intree --smp 2 --numa 2 --epc 32M@0
	for kernel in lab stock; do
		selftests 'Node.*:Numa.*:-Numa.ANodeWithoutEpc*' --driver sgx2 --kernel $kernel --smp 2 --numa 2 --epc 16M@0 --epc 16M@1
		selftests 'Node.*:Numa.ANodeWithoutEpc*' --driver sgx2 --kernel $kernel --smp 2 --numa 2 --epc 32M@0
	done
}

# What the machine of the suite cannot show: no test here may be skipped.
step_processors() {
	local skipped
	selftests 'Sgx1.*' --driver sgx2 --cpu ,-sgx2
	selftests 'Sgx1.EveryCallOfSgx2SaysSo' --driver intree --cpu ,-sgx2
	selftests 'UpdateSvn.*:ErrnosCreate.*' --driver sgx2 --cpu ,+sgx-eupdatesvn
	selftests '*Frozen*:Traces.*' --driver sgx2 --param dynamic_code=0
	read -r _ _ skipped < "$SGX2_TALLY"
	[ "$skipped" = 0 ] || fail "$skipped of these tests were skipped"
}

# In a small EPC, so that there is pressure. SGX2_FULL: as often as the races were found with, and on a kernel that looks for bugs.
step_races() {
	local how
	for how in '--kernel lab --smp 4' '--kernel lab --smp 1' '--kernel stock --smp 4'; do
		# shellcheck disable=SC2086 # words
		selftests "$STRAIN" --driver sgx2 --epc 8M $how
	done
	# The tests that kill are not for the in-tree driver: in three of thirty runs it kept an enclave whose process was gone.
	selftests 'Inject.AlwaysBusy*' --driver intree --epc 8M --smp 4
	[ -n "${SGX2_FULL:-}" ] || return 0
	selftests 'Race.SixteenThreadsOnTenPages' --driver sgx2 --epc 8M --smp 4 --timeout 3000 --env SGX2_ROUNDS=5000
	selftests "$STRAIN:-Race.SixteenThreadsOnTenPages" --driver sgx2 --epc 8M --smp 4 --timeout 3000 --env SGX2_ROUNDS=200
	selftests "$STRAIN" --driver sgx2 --kernel debug --epc 8M --mem 1G --smp 4 --timeout 3000
}

# With instructions counted, since they compare times.
step_memcg() {
	selftests 'Memcg.*' --driver sgx2 --icount --epc 8M --timeout 600 --env SGX2_GUEST_TIME=1
	# The lab kernel has no sockets.
	selftests 'Memcg.OwnerPaysForWhatIsInFlight' --driver sgx2 --kernel stock --smp 2 --epc 8M --timeout 600
}

# SGX2_FULL: for a minute and more, also on a kernel that looks for bugs and on the newest.
step_forks() {
	selftests 'ForkFails.*' --driver sgx2 --smp 3 --epc 16M --timeout 600
	[ -n "${SGX2_FULL:-}" ] || return 0
	selftests 'ForkFails.*' --driver sgx2 --smp 3 --epc 16M --timeout 3000 --env SGX2_ROUNDS=20000
	selftests 'ForkFails.*' --driver sgx2 --kernel debug --mem 1G --smp 3 --epc 16M --timeout 3000 --env SGX2_ROUNDS=5000
	selftests 'ForkFails.*' --driver sgx2 --kernel next --smp 3 --epc 16M --timeout 3000 --env SGX2_ROUNDS=20000
}

# 750 enclaves in 512 pages. SGX2_FULL: 3,000 in 2,048.
step_epc_end() {
	local room=2M
	[ -z "${SGX2_FULL:-}" ] || room=8M
	selftests 'EndOfTheEpc.*:Sparse.*' --driver sgx2 --smp 2 --epc $room --mem 2G --timeout 900
}

step_hotset() {
	local rounds=10
	[ -z "${SGX2_FULL:-}" ] || rounds=410
	"$SGX2_TOP/scripts/hotset" --rounds $rounds
}

# A millisecond is a million instructions here. 2^20 pages want 4 GiB of EPC, and as much memory of the host.
step_latency() {
	local room=64M
	[ -z "${SGX2_FULL:-}" ] || room=5632M
	selftests 'KillLong.*:Latency.*' --driver sgx2 --icount --epc $room --mem 4G --timeout 1000 --env SGX2_GUEST_TIME=1
	# Where a lock that might sleep is no occasion to let go of the processor.
	selftests 'Latency.*' --driver sgx2 --kernel stock --append preempt=none --icount --epc 64M --env SGX2_GUEST_TIME=1
}

# strain PROGRAM... -- OPTION...: one of our programs in such a guest
strain() {
	local command=() folder
	while [ "$1" != -- ]; do command+=("$1"); shift; done
	shift
	folder=$("$SGX2_TOP/scripts/build-suite")
	"$run" --driver sgx2 "$@" --add "$folder/${command[0]}:/${command[0]}" -- "/${command[0]}" "${command[@]:1}"
}

step_stress() {
	strain sgx2-stress --kill --seconds 8 -- --smp 4 --epc 8M
	[ -n "${SGX2_FULL:-}" ] || return 0
	strain sgx2-stress --kill --seconds 60 --enclaves 200 --times 10 -- --smp 4 --epc 16M --mem 2G --timeout 1000
	strain sgx2-stress --kill --seconds 60 --enclaves 200 --times 10 --leaks -- --kernel debug --smp 4 --epc 16M --mem 3G --timeout 3000
}

step_reload() {
	if [ -z "${SGX2_FULL:-}" ]; then
		strain sgx2-reload --times 10 -- --smp 2
		return
	fi
	strain sgx2-reload --times 100 -- --smp 2 --timeout 1000
	strain sgx2-reload --times 100 -- --kernel stock --smp 2 --timeout 1000
	strain sgx2-reload --times 100 --leaks -- --kernel debug --smp 4 --mem 1G --timeout 3000
}

step_suite() {
	# With instructions counted there is one CPU as well.
	suite_on "--gtest_filter=-$ELSEWHERE" '--driver intree --kernel lab --smp 2' ${SGX2_FULL:+'--driver sgx2 --kernel lab --smp 1'} \
		'--driver sgx2 --kernel lab --smp 4' '--driver sgx2 --kernel stock --smp 4 --cpu ,+sgx-encls-c' '--driver sgx2 --kernel lab --icount'
}

# suite_on ARGUMENTS HOW...: the selftests, with these arguments, in a guest for each set of the runner's options.
suite_on() {
	local folder out rc=0 how pass=0 fail=0 skip=0 arguments=$1
	shift
	folder=$("$SGX2_TOP/scripts/build-suite")
	for how; do
		# shellcheck disable=SC2086 # words
		out=$("$run" $how --epc 64M --add "$folder/sgx2-selftest:/sgx2-selftest" -- /sgx2-selftest $arguments) || rc=$?
		echo "== $how"
		echo "$out"
		grep -q '^# Totals:' <<< "$out" || rc=1
		pass=$((pass + $(grep '^ok ' <<< "$out" | grep -vc '# SKIP' || true)))
		fail=$((fail + $(grep -c '^not ok ' <<< "$out" || true)))
		skip=$((skip + $(grep -c '^ok .*# SKIP' <<< "$out" || true)))
	done
	tally "$pass" "$fail" "$skip"
	[ $rc = 0 ] && [ "$fail" = 0 ] && [ "$pass" -gt 0 ]
}

# Each bound is a test. The full check runs it twice: the counts have to be the same.
step_bench() {
	local out rc=0
	out=$("$SGX2_TOP/scripts/bench" --short ${SGX2_FULL:+--twice}) || rc=$?
	echo "$out"
	tally "$(grep -c '^ok ' <<< "$out" || true)" "$(grep -c '^FAIL ' <<< "$out" || true)" 0
	[ $rc = 0 ] && grep -q '^ok ' <<< "$out"
}

deliberate() {
	suite_on "--gtest_also_run_disabled_tests --gtest_filter=$1" '--driver sgx2 --kernel lab --timeout 20'
}

# Runs this script on a table of its own.
step_closing() {
	local out rc=0 want
	out=$(SGX2_CLOSING=1 "$0") || rc=$?
	echo "$out"
	[ $rc = 1 ] || fail "it ended with status $rc"
	for want in 'passes: ok' 'fails: FAILED' 'skips: skipped' 'tests: FAILED' 'hangs: FAILED, hung' 'panics: FAILED, the guest panicked'; do
		grep -q "^\[[0-9]/6\] $want, [0-9]* s\$" <<< "$out" || fail "it does not say: $want"
	done
	[ "$(tail -n 2 <<< "$out")" = 'failed: fails tests hangs (hung) panics (the guest panicked)
2 passed, 4 failed, 2 skipped' ] || fail 'not the closing lines'
}

# The package, as on a host with SGX2, where nobody shows counters or the EPCM and no library is ours; and on a host without.
step_silicon() {
	local dir package out rc=0 program
	if [ ! -e /dev/sgx_enclave ]; then
		out=$("$SGX2_TOP/scripts/selftest" 2>&1) || rc=$?
		echo "$out"
		if [ $rc != 1 ] || [[ $out != 'selftest: there is no /dev/sgx_enclave: '* ]] || [ "$(wc -l <<< "$out")" != 1 ]; then
			fail "status $rc, and not that line"
		fi
	fi
	dir=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$dir'" EXIT
	"$SGX2_TOP/scripts/selftest" --package "$dir/package.tar.gz"
	tar -C "$dir" -xzf "$dir/package.tar.gz"
	package=$dir/sgx2-selftests
	for program in "$package"/sgx2-*; do
		! readelf -l "$program" | grep -q INTERP || fail "${program##*/} is not static"
	done
	selftests "-$ELSEWHERE:*DISABLED*" --driver sgx2 --kernel lab --smp 2 --epc 64M --no-monitor
}

step_differ() {
	if [ -n "${SGX2_FULL:-}" ]; then
		"$SGX2_TOP/scripts/differ" --seed "$(date +%j)000" --count 60 --steps 400
	else
		"$SGX2_TOP/scripts/differ" --count 8
	fi
}

step_suite_debug() {
	kunit debug kunit-debug
	selftests "-$ELSEWHERE:*DISABLED*" --driver sgx2 --kernel debug --smp 4 --epc 64M --mem 2G --timeout 1500
}

step_driver_coverage() { "$SGX2_TOP/scripts/driver-coverage"; }

step_mutation() { "$SGX2_TOP/scripts/mutate"; }

# says REGEX OPTION... [-- COMMAND]: loaded by hand in such a guest, by insmod or this command, the module is refused, or not, and what
# it and the kernel say matches.
says() {
	local regex=$1 out ko kernel=lab options=() load='insmod /sgx2.ko'
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--) load=$2; shift 2; continue ;;
		--kernel) kernel=$2 ;;
		esac
		options+=("$1")
		shift
	done
	ko=$("$SGX2_TOP/scripts/build-driver" "$kernel")
	# shellcheck disable=SC2016 # the guest's shell is to expand it
	out=$("$run" --add "$ko:/sgx2.ko" "${options[@]}" --env LOAD="$load" -- sh -c 'mkdir -p /lib/modules/$(uname -r) &&
		cp /sgx2.ko /lib/modules/$(uname -r)/ && echo sgx2.ko: > /lib/modules/$(uname -r)/modules.dep
		eval "$LOAD" 2>&1; echo "status $?"; dmesg | grep "sgx2: " | grep -v out-of-tree
		cat /sys/module/sgx2/parameters/dynamic_code 2> /dev/null || echo "not loaded"')
	echo "$out"
	[[ $out =~ $regex ]] || fail "it does not say: $regex"
}

# The owner's word on the command line holds, whatever loads the module.
step_refusals() {
	local no='dynamic_code=0, by the kernel command line: code that is added after EINIT is forbidden.*
N$' kernel
	says 'status 16.*boot with nosgx' --driver intree
	says 'status 19.*no SGX, or the firmware hides it' --driver none --cpu max --epc 0
	says 'status 19.*launch control' --driver none --cpu ,-sgxlc
	says 'status 0.*SGX1 alone' --driver none --cpu ,-sgx2
	says 'status 0.*dynamic_code=1: code that is added after EINIT is allowed.*
Y$' --driver none
	says 'status 0.*dynamic_code=0: code that is added after EINIT is forbidden.*
N$' --driver none -- 'insmod /sgx2.ko dynamic_code=0'
	for kernel in lab stock; do
		says "status 0.*$no" --kernel $kernel --driver none --append sgx2.dynamic_code=0
		says "status 0.*$no" --kernel $kernel --driver none --append sgx2.dynamic_code=0 -- 'modprobe sgx2'
		says 'dynamic_code=1 is requested, and the kernel command line has dynamic_code=0.*not loaded$' --kernel $kernel --driver none \
			--append sgx2.dynamic_code=0 -- 'insmod /sgx2.ko dynamic_code=1'
	done
	# A second load is one, too; and the file that the caller sees at /proc/cmdline is not asked.
	says "status 0.*$no" --driver none --append sgx2.dynamic-code=n -- 'insmod /sgx2.ko && rmmod sgx2 && insmod /sgx2.ko'
	says "status 0.*$no" --driver none --append sgx2.dynamic_code=0 -- 'echo quiet > /lie; mount -o bind /lie /proc/cmdline; insmod /sgx2.ko'
	says "status 0.*$no" --driver none --append sgx2.dynamic_code=0 -- 'umount -l /proc; insmod /sgx2.ko'
	says 'dynamic_code=1 is requested, and the kernel command line has dynamic_code=0.*not loaded$' --driver none \
		--append sgx2.dynamic_code=0 -- 'modprobe sgx2 dynamic_code=1'
	says 'dynamic_code=1 is requested, and another parameter has dynamic_code=0.*not loaded$' --driver none -- \
		'insmod /sgx2.ko dynamic_code=1 dynamic_code=0'
	says "status 0.*$no" --driver none --append 'sgx2.dynamic_code=0 sgx2.dynamic_code=1'
	says "status 0.*$no" --driver none --append 'sgx2.dynamic_code=0 sgx2.dynamic_code=1' -- 'modprobe sgx2'
	says 'neither 0 nor 1.*not loaded$' --driver none --append sgx2.dynamic_code=maybe
	says 'neither 0 nor 1.*not loaded$' --driver none --append sgx2.dynamic_code
}

# The results of a KTAP stream, the innermost ones only where it nests.
step_isa() {
	local out rc=0 pass fail skip
	out=$("$SGX2_TOP/tests/isa/run" --kernel "$@") || rc=$?
	echo "$out"
	read -r pass fail skip < <(awk '{ sub(/^[ \t]+/, "") } /^ok .*# *SKIP/ { s++; next } /^ok / { p++ } /^not ok / { f++ }
		END { print p + 0, f + 0, s + 0 }' <<< "$out")
	[ $((pass + fail)) -gt 0 ] || fail 'it ran no test'
	tally "$pass" "$fail" "$skip"
	return $rc
}

step_linux() {
	local driver=$1 kernel=$2 runs=${SGX2_RUNS:-1} version how passed=0
	for version in 6.1 6.12; do
		for how in '--smp 1' '--smp 4' '--smp 1 --icount'; do
			# shellcheck disable=SC2086 # words
			"$SGX2_TOP/scripts/linux-selftests" --driver "$driver" --kernel "$kernel" --selftests "$version" --runs "$runs" $how
			passed=$((passed + 16 * runs))
			tally "$passed" 0 0
		done
	done
}

# -- The rest runs the table.

rows() { sed -e '/^$/d' -e 's/ *| */|/g' <<< "$table"; }

usage() {
	cat <<-'EOF'
		usage: scripts/check.sh [--list] [STEP...]
		Without STEP all are run, in order. What a step printed is kept in the cache and shown when it fails.
		SGX2_FUZZ_SECONDS and SGX2_RUNS say how long the fuzzer and how often Linux's selftests run (20, 1).
	EOF
}

# A step runs in a bash of its own, where set -e holds.
if [ "${1:-}" = --step ]; then
	shift
	"$@"
	exit 0
fi

case ${1:-} in
-h|--help) usage; exit 0 ;;
--list) rows | while IFS='|' read -r name what _; do printf '%-12s %s\n' "$name" "$what"; done; exit 0 ;;
-*) usage >&2; exit 2 ;;
esac
for name; do
	rows | cut -d'|' -f1 | grep -qxF -- "$name" || die "no step $name: see scripts/check.sh --list"
done

plan=()
while IFS='|' read -r name what path function; do
	if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
	if [[ $function == full\ * ]] && [ $# = 0 ] && [ -z "${SGX2_FULL:-}" ]; then continue; fi
	if [ "$path" != - ] && ! compgen -G "$SGX2_TOP/$path" > /dev/null; then continue; fi
	plan+=("$name|$what|$function")
done < <(rows)

# Steps that want the computer for themselves, since others need what they make. Of the rest, as many run at once as there are lanes.
alone=' setup machine kernel '
lanes=${SGX2_LANES:-$SGX2_JOBS}

logs=$SGX2_CACHE/log/check${SGX2_CLOSING:+-closing}
mkdir -p "$logs" "$SGX2_CACHE/check"
work=$(mktemp -d)
started=$SECONDS passed=0 failed=0 skipped=0
# By number: the process of a step that runs, and what is wrong with one that has failed.
declare -A running=() bad=()

# What is left when we are stopped goes too: each step has a process group of its own.
finish() {
	local pid
	for pid in "${running[@]}"; do kill -- "-$pid" 2> /dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# run_step NUMBER NAME FUNCTION: lines of progress begin with two blanks; the rest is for the log.
run_step() {
	local number=$1 name=$2 function=$3 begin=$SECONDS rc
	: > "$work/$number.tally"
	set +e
	# shellcheck disable=SC2086 # the function and its arguments
	SGX2_TALLY=$work/$number.tally "$0" --step $function < /dev/null 2>&1 | tee "$logs/$name" | sed -un "s/^  \([a-z]\)/  $name: \1/p"
	rc=${PIPESTATUS[0]}
	set -e
	echo "$rc $((SECONDS - begin))" > "$work/$number.end"
}

# report NUMBER: the line of a step that has ended.
report() {
	local number=$1 name what rc took p='' f='' s='' word
	IFS='|' read -r name what _ <<< "${plan[$((number - 1))]}"
	read -r rc took < "$work/$number.end" || { rc=1 took=0; echo 'it was ended' >> "$logs/$name"; }
	read -r p f s 2> /dev/null < "$work/$number.tally" || true
	case $rc in
	0) p=${p:-1} f=${f:-0} s=${s:-0} word=ok ;;
	77) p=0 f=0 s=1 word=skipped ;;
	*)
		p=${p:-0} s=${s:-0} word=FAILED
		[ "${f:-0}" -gt 0 ] || f=1
		tail -n 30 "$logs/$name"
		;;
	esac
	[ "$f" = 0 ] || word=FAILED
	if [ "$word" = FAILED ]; then
		bad[$number]=" $name"
		if grep -q '^tests/machine/run: the guest panicked' "$logs/$name"; then
			word='FAILED, the guest panicked'
		elif grep -q '^tests/machine/run: the command did not end within' "$logs/$name"; then
			word='FAILED, hung'
		fi
		[ "$word" = FAILED ] || bad[$number]+=" (${word#FAILED, })"
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '[%d/%d] %s: %s, %d s\n' "$number" "${#plan[@]}" "$name" "$word" "$took"
}

# room LIMIT: waits until fewer than so many steps run.
room() {
	local limit=$1 number
	while [ ${#running[@]} -ge "$limit" ]; do
		wait -n || true
		for number in "${!running[@]}"; do
			if kill -0 "${running[$number]}" 2> /dev/null; then continue; fi
			unset "running[$number]"
			report "$number"
		done
	done
}

for ((i = 1; i <= ${#plan[@]}; i++)); do
	IFS='|' read -r name what function <<< "${plan[$((i - 1))]}"
	if [[ $alone == *" $name "* ]]; then room 1; else room "$lanes"; fi
	printf '[%d/%d] %s: %s\n' "$i" "${#plan[@]}" "$name" "$what"
	set -m
	run_step "$i" "$name" "$function" &
	set +m
	running[$i]=$!
	[[ $alone != *" $name "* ]] || room 1
done
room 1
[ $((passed + failed + skipped)) -gt 0 ] || die "no test was run"
printf 'after %d s (what the steps printed: %s)\n' $((SECONDS - started)) "$logs"
[ ${#bad[@]} = 0 ] || printf 'failed:%s\n' "$(for ((i = 1; i <= ${#plan[@]}; i++)); do printf '%s' "${bad[$i]:-}"; done)"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
