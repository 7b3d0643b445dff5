# SPDX-License-Identifier: GPL-2.0
"""Reads KTAP (dev-tools/ktap in Linux's documentation), nested or not, line by line, and counts the results.

Only the innermost results count: a result line that follows the results of its subtest is their sum. Lines before the first version
line, and all lines that KTAP does not define, are ignored. As a program: prints what FILE passes, fails and skips."""
from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterable

VERSION = re.compile(r'K?TAP version \d+$')
SUBTEST = re.compile(r'# Subtest: ')
PLAN = re.compile(r'1\.\.(\d+)\s*(# *SKIP\b.*)?$', re.IGNORECASE)
RESULT = re.compile(r'(not )?ok (\d+)(?=\s|$)(.*)$')
DIRECTIVE = re.compile(r'\s# *(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b', re.IGNORECASE)


@dataclasses.dataclass
class Totals:
    """The sums; each problem, such as a plan that is not fulfilled, is one of the failures."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: Totals) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


@dataclasses.dataclass
class Level:
    """A list of results with one indentation; subtest is the closed list whose sum the next result is."""
    indent: int
    planned: int | None = None
    last: int = 0
    failed: bool = False
    subtest: Level | None = None


class Parser:
    """Feed it each line; the totals are final after end()."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.levels: list[Level] = []
        self.found = False

    def problem(self, level: Level, text: str) -> None:
        level.failed = True
        self.totals.failed += 1
        self.totals.problems.append(text)

    def close(self) -> None:
        """Close the innermost level."""
        level = self.levels.pop()
        if level.planned is not None and level.last != level.planned:
            self.problem(level, f'{level.last} of {level.planned} planned results are there')
        elif level.planned is None and not self.levels:
            self.problem(level, 'there is no plan')
        if self.levels:
            self.levels[-1].failed |= level.failed
            self.levels[-1].subtest = level

    def level(self, indent: int, fresh: bool = False) -> Level:
        """Return the level of this indentation, after closing deeper ones; it is a new one if there is none, or if it is to be fresh."""
        while self.levels and (self.levels[-1].indent > indent or fresh and self.levels[-1].indent == indent):
            self.close()
        if not self.levels or self.levels[-1].indent < indent:
            self.levels.append(Level(indent))
        return self.levels[-1]

    def feed(self, line: str) -> None:
        line = line.rstrip().expandtabs(4)
        text = line.lstrip(' ')
        indent = len(line) - len(text)
        if VERSION.match(text):
            self.found = True
            self.level(indent, fresh=True)
        elif not self.levels:
            return
        elif SUBTEST.match(text):
            self.level(indent)
        elif plan := PLAN.match(text):
            self.plan(self.level(indent), int(plan[1]), bool(plan[2]))
        elif result := RESULT.match(text):
            directive = DIRECTIVE.search(result[3])
            self.result(self.level(indent), not result[1], int(result[2]), directive[1].upper() if directive else '')

    def plan(self, level: Level, planned: int, skip: bool) -> None:
        if level.planned is not None:
            self.problem(level, f'a second plan, 1..{planned}')
        elif skip:
            self.totals.skipped += 1
        elif planned == 0 and len(self.levels) == 1:
            self.problem(level, 'the plan has no test')
        level.planned = planned

    def result(self, level: Level, good: bool, number: int, directive: str) -> None:
        if number != level.last + 1:
            self.problem(level, f'result {number} is where {level.last + 1} should be')
        level.last = number
        subtest, level.subtest = level.subtest, None
        failed = directive in ('TIMEOUT', 'ERROR') or not good and directive not in ('TODO', 'XFAIL')
        # A subtest whose failure is counted, or whose results are, is not counted again.
        if subtest and subtest.last and (subtest.failed or not failed):
            return
        level.failed |= failed
        if failed:
            self.totals.failed += 1
        elif not good or directive in ('SKIP', 'XFAIL'):
            self.totals.skipped += 1
        else:
            self.totals.passed += 1

    def end(self) -> Totals:
        while self.levels:
            self.close()
        return self.totals


def parse(lines: Iterable[str]) -> Totals:
    parser = Parser()
    for line in lines:
        parser.feed(line)
    return parser.end()


if __name__ == '__main__':
    with open(sys.argv[1], encoding='utf-8', errors='replace') as stream:
        counts = parse(stream)
    print(counts.passed, counts.failed, counts.skipped)
