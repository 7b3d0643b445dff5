# SPDX-License-Identifier: GPL-2.0
"""Runs the benchmark on both drivers, compares, holds the bounds, and writes Documentation/performance.rst."""
import argparse
import json
import os
import sys

import bounds
import guests
import latency
from table import Table

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(TOP, 'Documentation', 'performance')
LATENCIES = os.path.join(FOLDER, 'latencies.json')


def parse(argv):
    p = argparse.ArgumentParser(prog='scripts/bench', description=__doc__, allow_abbrev=False)
    p.add_argument('--short', action='store_true', help='few sizes, about a minute; the document stays as it is')
    p.add_argument('--twice', action='store_true', help='run twice, and fail unless all counts are equal')
    p.add_argument('--from', dest='sources', metavar='FILE', nargs='+', help='boot no guest: read results that --save wrote from these files')
    p.add_argument('--save', metavar='FILE', help='write the results to this file')
    p.add_argument('--latencies', metavar='FILE',
                   help='cycles of leaves and interrupts for the cost model, in place of the published ones of these events')
    p.add_argument('--only', metavar='REGEX', help='boot only guests with a matching name')
    p.add_argument('--kernel', default='lab', help='the guests\' kernel, as for tests/machine/run: lab (Linux 6.12) or next (7.3)')
    p.add_argument('-v', '--verbose', action='store_true', help='print each count')
    return p.parse_args(argv)


def measure(opt):
    if opt.sources:
        data = {}
        for path in opt.sources:
            with open(path, encoding='utf-8') as f:
                data |= json.load(f)
        return data
    plan = guests.SHORT if opt.short else guests.FULL
    data = guests.run(plan, opt.only, opt.kernel)
    if opt.twice:
        different = guests.twice(plan, data, opt.only, opt.kernel)
        for line in different:
            print(line)
        if different:
            sys.exit(f'scripts/bench: {len(different)} counts differ between two runs')
        print('all counts of the two runs are equal')
    return data


def main():
    opt = parse(sys.argv[1:])
    data = measure(opt)
    if opt.save:
        with open(opt.save, 'w', encoding='utf-8') as f:
            json.dump(data, f, sort_keys=True, separators=(',', ':'))
            f.write('\n')
    table = Table(data)
    model = latency.Model(LATENCIES, opt.latencies)
    table.show(model, opt.verbose)
    checks = bounds.check(table, None if opt.latencies else model)
    for check in checks:
        print(check)
    failed = sum(not check.holds for check in checks)
    print(f'{len(checks) - failed} of {len(checks)} bounds hold')
    # A report with latencies of the caller is not for the tree.
    whole = {g.name for g in guests.FULL} <= set(data)
    if whole and not opt.latencies and opt.kernel == 'lab':
        import document
        document.write(table, model, checks, FOLDER)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
