# SPDX-License-Identifier: GPL-2.0
# The files of steps share this library. A caller runs each file with the name of one of its steps and the step's arguments; function
# step_a_b runs step a-b. A step fails if one of its commands fails, or if its KTAP reports a failure; status 77 means a skip.
# shellcheck shell=bash

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# shellcheck disable=SC2034 # used by files that source this one
run=$SGX2_TOP/tests/machine/run

# step NAME ARG...: run a step of the file that calls this, with its arguments.
step() {
	local name=step_${1//-/_}
	declare -F "$name" > /dev/null || die "there is no step ${1:-without a name} here: see scripts/check --list"
	shift
	"$name" "$@"
}

fail() { echo "$*" >&2; return 1; }

# quoted: pass text on as KTAP diagnostics, so that results in it are not counted.
quoted() { sed -u 's/^/# /'; }

# results FILE: print how many tests of this KTAP passed, failed and were skipped.
results() { /usr/bin/python3 -B "$SGX2_TOP/scripts/ktap.py" "$1"; }
