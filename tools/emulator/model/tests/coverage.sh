#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Builds the model with gcov, runs its tests, prints the lines of src/ that none of them reached, and fails below 95 %.
# coverage.sh MODEL-DIRECTORY BUILD-DIRECTORY
set -eu

model=$(cd "$1" && pwd)
build=$2
least=${SGX2_COVERAGE_LEAST:-95}

mkdir -p "$build"
cd "$build"
cmake -S "$model" -B . -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER=g++ -DSGX2_COVERAGE=ON -DSGX2_TESTS=ON > cmake.log || { cat cmake.log; exit 1; }
cmake --build . -j "${JOBS:-2}" > build.log 2>&1 || { tail -40 build.log; exit 1; }
find . -name '*.gcda' -delete
ctest --output-on-failure > ctest.log 2>&1 || { cat ctest.log; exit 1; }

# Only what lies in src/, each line once however many files include it.
find . -path '*sgx2model.dir*' -name '*.gcda' -exec gcov -t {} + 2> gcov.log | awk -v src="$model/src/" -v least="$least" '
	$1 == "-:" && $2 ~ /^0:Source:/ {
		file = $0
		sub(/.*0:Source:/, "", file)
		ours = index(file, src) == 1
		name = substr(file, length(src) + 1)
		next
	}
	!ours { next }
	{
		count = $1
		sub(/:$/, "", count)
		line = $0
		sub(/^[^:]*: */, "", line)
		number = line + 0
		if (count == "-" || number == 0)
			next
		key = name ":" sprintf("%05d", number)
		seen[key] = 1
		text[key] = line
		if (count !~ /^[#=]/)
			hit[key] = 1
	}
	END {
		for (key in seen) {
			all++
			if (key in hit)
				covered++
			else
				print name_of(key) ":" text[key] | "sort -t: -k1,1 -k2,2n"
		}
		close("sort -t: -k1,1 -k2,2n")
		if (all == 0) {
			print "no coverage data"
			exit 1
		}
		percent = 100 * covered / all
		printf "line coverage of model/src: %.1f %% (%d of %d)\n", percent, covered, all
		exit percent < least
	}
	function name_of(key) { sub(/:.*/, "", key); return key }
'
