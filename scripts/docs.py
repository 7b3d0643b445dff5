#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks what Documentation/ says of the tree: excerpts are what the files have, and tests that are named exist.

An excerpt is a block of code after <!-- FILE NAME -->, and stands in FILE between // [NAME] and // [/NAME]. With --write it is
copied from there. A test is named as `Suite.Name`; in a table with a column "test" each row has to name one, or say "none: why".
"""
import os
import re
import sys
import textwrap

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCS = os.path.join(TOP, 'Documentation')
TESTS = os.path.join(TOP, 'tools/selftests/tests')
EXCERPT = re.compile(r'(<!-- (\S+) (\S+) -->\n```[a-z+]*\n)(.*?)(```\n)', re.S)
TEST = re.compile(r'`([A-Z]\w+\.[A-Z]\w+)`')


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def excerpt(name, mark):
    """What FILE has between the marks, without the indentation that all its lines share."""
    found = re.search(rf'^[\t ]*// \[{re.escape(mark)}\]\n(.*?)^[\t ]*// \[/{re.escape(mark)}\]\n', read(os.path.join(TOP, name)), re.S | re.M)
    return textwrap.dedent(found.group(1)) if found else None


def tests():
    """The tests of the tree, by suite and name."""
    names = set()
    for name in sorted(os.listdir(TESTS)):
        for found in re.finditer(r'^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\s*\)', read(os.path.join(TESTS, name)), re.M):
            names.add(f'{found.group(1)}.{found.group(2)}'.replace('DISABLED_', ''))
    return names


def rows_without_test(text):
    """Rows of tables whose head has a column "test", which name none."""
    column = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip('|').split('|')] if line.startswith('|') else []
        if not cells:
            column = None
        elif 'test' in cells:
            column = cells.index('test')
        elif column is not None and not set(cells[0]) <= set('-: '):
            if len(cells) <= column or not (TEST.search(cells[column]) or cells[column].startswith('none: ')):
                yield cells[0]


def main():
    write, bad, known, seen = sys.argv[1:] == ['--write'], 0, tests(), 0
    for name in sorted(os.listdir(DOCS)):
        path = os.path.join(DOCS, name)
        if not name.endswith('.md'):
            continue
        text = read(path)

        def current(found):
            nonlocal bad, seen
            seen += 1
            have = excerpt(found.group(2), found.group(3))
            if have is None:
                print(f'{name}: {found.group(2)} has no [{found.group(3)}]')
                bad += 1
                return found.group(0)
            if have != found.group(4) and not write:
                print(f'{name}: [{found.group(3)}] is not what {found.group(2)} has: scripts/docs.py --write')
                bad += 1
            return found.group(1) + have + found.group(5)

        new = EXCERPT.sub(current, text)
        if write and new != text:
            with open(path, 'w', encoding='utf-8') as f:
                f.write(new)
        for test in sorted(set(TEST.findall(text)) - known):
            print(f'{name}: there is no test {test}')
            bad += 1
        for row in rows_without_test(text):
            print(f'{name}: no test is named for "{row}"')
            bad += 1
    version = re.search(r'#define SGX2_VERSION "(.*)"', read(os.path.join(TOP, 'driver/version.h'))).group(1)
    if re.search(r'^## (\S+)', read(os.path.join(TOP, 'CHANGELOG.md')), re.M).group(1) != version:
        print(f'CHANGELOG.md: its first version is not {version}, that of driver/version.h')
        bad += 1
    print(f'{seen} excerpts, {len(known)} tests, {bad} wrong')
    return bad != 0


if __name__ == '__main__':
    sys.exit(main())
