# SPDX-License-Identifier: GPL-2.0
"""Tests of scripts/ktap.py."""
import importlib
import pathlib
import sys
import textwrap
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / 'scripts'))
ktap = importlib.import_module('ktap')


class Ktap(unittest.TestCase):
    def counts(self, text: str, passed: int, failed: int, skipped: int, *problems: str) -> None:
        totals = ktap.parse(textwrap.dedent(text).splitlines())
        self.assertEqual((totals.passed, totals.failed, totals.skipped, totals.problems), (passed, failed, skipped, list(problems)))

    def test_results_are_counted(self) -> None:
        self.counts('''\
            == --driver sgx2
            KTAP version 1
            1..4
            ok 1 a
            # about b
            not ok 2 b
            ok 3 c # SKIP no swap
            ok 4
            # Totals: pass:2 fail:1 skip:1
            ''', 2, 1, 1)

    def test_text_without_a_version_line_is_no_ktap(self) -> None:
        self.counts('1..2\nok 1 a\nnot ok 2 b\n', 0, 0, 0)

    def test_lines_that_only_resemble_results_are_ignored(self) -> None:
        self.counts('TAP version 13\n1..1\nok 1/8 in 40 ms\nokay 1\nnot okay\nok one\nok 1 a\n', 1, 0, 0)

    def test_carriage_returns_of_a_console_are_ignored(self) -> None:
        self.counts('KTAP version 1\r\n1..1\r\nok 1 a # SKIP why\r\n', 0, 0, 1)

    def test_directives(self) -> None:
        self.counts('''\
            KTAP version 1
            1..7
            not ok 1 a # TODO later
            ok 2 b # TODO works already
            not ok 3 c # XFAIL known
            ok 4 d # skip in small letters
            not ok 5 e # TIMEOUT
            not ok 6 f # SKIP and yet failed
            ok 7 g: # is not a directive, nor is SKIP
            ''', 2, 2, 3)

    def test_a_stream_that_is_cut_off_has_missing_results(self) -> None:
        self.counts('KTAP version 1\n1..167\nok 1 a\nok 2 b\nok 3', 3, 1, 0, '3 of 167 planned results are there')

    def test_a_guest_that_ends_before_its_plan(self) -> None:
        self.counts('KTAP version 1\n', 0, 1, 0, 'there is no plan')

    def test_a_panic_in_the_middle_and_the_next_guest(self) -> None:
        self.counts('''\
            KTAP version 1
            1..2
            ok 1 a
            tests/machine/run: the guest panicked: sysrq
            KTAP version 1
            1..1
            ok 1 a
            ''', 2, 1, 0, '1 of 2 planned results are there')

    def test_a_plan_may_come_last(self) -> None:
        self.counts('KTAP version 1\nok 1 a\nok 2 b\n1..2\n', 2, 0, 0)

    def test_a_plan_of_no_test_is_a_failure_unless_it_is_skipped(self) -> None:
        self.counts('KTAP version 1\n1..0\n', 0, 1, 0, 'the plan has no test')
        self.counts('KTAP version 1\n1..0 # SKIP no device\n', 0, 0, 1)

    def test_a_second_plan_is_a_failure(self) -> None:
        self.counts('KTAP version 1\n1..1\nok 1 a\n1..1\n', 1, 1, 0, 'a second plan, 1..1')

    def test_results_out_of_order_are_a_failure(self) -> None:
        self.counts('KTAP version 1\n1..3\nok 1 a\nok 3 c\n', 2, 1, 0, 'result 3 is where 2 should be')
        self.counts('KTAP version 1\n1..1\nok 1 a\nok 2 b\n', 2, 1, 0, '2 of 1 planned results are there')

    def test_only_innermost_results_count(self) -> None:
        self.counts('''\
            KTAP version 1
            1..2
                KTAP version 1
                # Subtest: suite
                1..2
                    KTAP version 1
                    # Subtest: with parameters, and without a plan
                    ok 1 x
                    not ok 2 y
                not ok 1 p
                ok 2 q # SKIP why
            not ok 1 suite
            ok 2 alone
            ''', 2, 1, 1)

    def test_a_suite_that_fails_with_tests_that_pass_is_a_failure(self) -> None:
        self.counts('''\
            KTAP version 1
            1..1
                # Subtest: suite
                1..1
                ok 1 p
            not ok 1 suite
            ''', 1, 1, 0)

    def test_a_subtest_that_is_cut_off_fails_once(self) -> None:
        self.counts('''\
            KTAP version 1
            1..2
                KTAP version 1
                1..3
                ok 1 p
            not ok 1 program
                KTAP version 1
                1..1
                ok 1 p
            ok 2 program
            ''', 2, 1, 0, '1 of 3 planned results are there')

    def test_the_end_in_a_subtest_leaves_both_plans_open(self) -> None:
        self.counts('KTAP version 1\n1..2\n    KTAP version 1\n    1..2\n    ok 1 p\n', 1, 2, 0,
                    '1 of 2 planned results are there', '0 of 2 planned results are there')

    def test_a_subtest_without_tests_counts_by_its_own_line(self) -> None:
        self.counts('KTAP version 1\n1..1\n    KTAP version 1\n    1..0\nok 1 suite # SKIP no test\n', 0, 0, 1)


if __name__ == '__main__':
    unittest.main()
