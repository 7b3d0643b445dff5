# SPDX-License-Identifier: GPL-2.0
# Functions for all scripts: messages, the cache, its locks, and the private apt of scripts/apt.sh.
# shellcheck shell=bash
#
# The cache contains items. An item is a file or folder whose name ends in a hash of all its inputs. It is made under a temporary
# name and renamed when complete, so an item with its final name is complete, and an interrupted run continues at the first missing
# item. A long build can continue where it stopped, too: see stage.

set -euo pipefail
export LC_ALL=C.UTF-8
# Makefiles that the scripts run must not take themselves for the child of another make.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
umask 022

SGX2_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SGX2_SELF=${0##*/}
: "${SGX2_JOBS:=2}"

say() { printf '  %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$SGX2_SELF" "$*" >&2; exit 1; }

# HOME is unset or points nowhere in some CI systems and cron jobs.
sgx2_cache_root() {
	local base=${XDG_CACHE_HOME:-}
	[ -n "$base" ] || { [ -n "${HOME:-}" ] && base=$HOME/.cache; } || base=
	if [ -z "$base" ]; then
		base=$(getent passwd "$(id -u)" | cut -d: -f6)
		base=${base:+$base/.cache}
	fi
	if [ -z "$base" ] || ! mkdir -p "$base/sgx2" 2>/dev/null || [ ! -w "$base/sgx2" ]; then
		base=${TMPDIR:-/tmp}/sgx2-cache-$(id -u)
		mkdir -p "$base/sgx2" || die "no writable place for the cache: set XDG_CACHE_HOME"
	fi
	(cd "$base/sgx2" && pwd)
}

# The stubs export it, so that one run has one cache whatever a step does to its environment.
SGX2_CACHE=${SGX2_CACHE:-$(sgx2_cache_root)}
export SGX2_CACHE
mkdir -p "$SGX2_CACHE/lock" "$SGX2_CACHE/log"

# hash_of ARG...: twelve hex digits that stand for the arguments. hash_files PATH...: the same for the content of files and
# folders; a path that does not exist counts as its name. Files that make builds beside the sources do not count.
hash_of() { printf '%s\0' "$@" | sha256sum | cut -c1-12; }
SGX2_PRODUCTS=(-name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' -o -name '*.a' -o -name '.*.cmd' -o -name '.*.d'
	-o -name Module.symvers -o -name modules.order)
hash_files() {
	local p
	for p; do
		if [ -d "$p" ]; then
			(cd "$p" && find . -type f -not -name '*.pyc' -not \( "${SGX2_PRODUCTS[@]}" \) -print0 | sort -z | xargs -0r sha256sum)
		elif [ -f "$p" ]; then
			sha256sum < "$p"
		else
			echo "none $p"
		fi
	done | sha256sum | cut -c1-12
}

# copy_sources PATH... FOLDER: copies files and folders, without what make built in them.
copy_sources() {
	cp -r "$@"
	find "${@: -1}" -type f \( "${SGX2_PRODUCTS[@]}" \) -delete
}

# with_lock NAME COMMAND...: two runs at once make each item once. The lock is closed before children that could outlive us.
with_lock() {
	local name=$1 fd rc=0
	shift
	exec {fd}> "$SGX2_CACHE/lock/$name"
	if ! flock -n "$fd"; then
		say "waiting for another run that is making $name"
		flock "$fd"
	fi
	"$@" {fd}>&- || rc=$?
	exec {fd}>&-
	return $rc
}

# item NAME BUILDER ARG...: prints the path of cache item NAME, having BUILDER make it in "$1" first if it is missing. The
# stdout of BUILDER is written to a log, which is shown in part when BUILDER fails.
item() {
	local name=$1
	local path=$SGX2_CACHE/$name
	shift
	[ -e "$path" ] || with_lock "${name//\//_}" item_make "$name" "$@" >&2
	echo "$path"
}

item_make() {
	local name=$1 builder=$2 rc=0
	local path=$SGX2_CACHE/$name tmp log=$SGX2_CACHE/log/${1//\//_}
	shift 2
	[ ! -e "$path" ] || return 0
	tmp=$path.partial
	# The same name means the same input, so finished stages of an interrupted build are good.
	[ -d "$tmp/.stages" ] || rm -rf "$tmp"
	mkdir -p "$tmp"
	# A bash of its own: set -e does not act in a function, or subshell, whose result is tested.
	bash -euo pipefail -c 'eval "$1"; shift; "$@"' "$SGX2_SELF" "$(declare -f; declare -p SGX2_TOP SGX2_SELF SGX2_JOBS SGX2_APT SGX2_DAY SGX2_PRODUCTS)" \
		"$builder" "$tmp" "$@" > "$log" < /dev/null || rc=$?
	if [ $rc -ne 0 ]; then
		tail -n 25 "$log" >&2
		die "making $name failed (all of its output: $log)"
	fi
	rm -rf "$log" "$tmp/.stages"
	mv "$tmp" "$path"
}

# stage FOLDER COMMAND...: for builders, runs a command of theirs unless an interrupted build of the same item has finished it.
stage() {
	local out=$1
	shift
	[ ! -e "$out/.stages/$1" ] || return 0
	"$@"
	mkdir -p "$out/.stages"
	: > "$out/.stages/$1"
}

# progress LABEL: passes a build's output on to the log and shows one line a tenth of ninja's [n/m].
progress() {
	awk -v label="$1" '{ print; fflush() }
		match($0, /^\[[0-9]+\/[0-9]+\]/) {
			split(substr($0, 2, RLENGTH - 2), f, "/"); p = int(10 * f[1] / f[2])
			if (p > last) { last = p; printf "  %s: %d %%\n", label, 10 * p > "/dev/stderr"; fflush("/dev/stderr") }
		}'
}

# ticker LABEL STEP: the same for make, which does not know the end: one line each STEP lines of output.
ticker() {
	awk -v label="$1" -v step="$2" '{ print; fflush() }
		NR % step == 0 { printf "  %s: %d files\n", label, NR > "/dev/stderr"; fflush("/dev/stderr") }'
}

# shellcheck source=scripts/apt.sh
. "$SGX2_TOP/scripts/apt.sh"
