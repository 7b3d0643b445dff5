# SPDX-License-Identifier: GPL-2.0
"""The counts of both drivers, side by side."""

# The names of the work, in the order of the table.
TITLES = {
    'build': 'build: CREATE, ADD_PAGES',
    'build-measured': 'build, each page measured',
    'first-touch': 'first access to added pages',
    'first-touch-down': 'first access, descending',
    'first-touch-random': 'first access at random',
    'teardown-built': 'close() after it was built',
    'grow-up': 'grow, EACCEPT first, ascending',
    'grow-down': 'grow, EACCEPT first, descending',
    'grow-single': 'grow, no fault-around',
    'augment': 'grow by AUGMENT_PAGES, then EACCEPT',
    'willneed': 'grow by MADV_WILLNEED, then EACCEPT',
    'teardown-grown': 'close() after it grew',
    'restrict': 'RESTRICT_PERMISSIONS',
    'accept-restricted': 'EACCEPT of the restriction',
    'mprotect-restrict': 'restrict inside mprotect()',
    'reset': 'RESET_PERMISSIONS',
    'accept-reset': 'EACCEPT of the reset',
    'mprotect-reset': 'reset inside mprotect()',
    'extend': 'EMODPE alone',
    'relax': 'relax: mprotect() and EMODPE',
    'trim': 'MODIFY_TYPES to TRIM',
    'accept-trimmed': 'EACCEPT of the trim',
    'remove': 'REMOVE_PAGES',
    'trim-accept-remove': 'trim, accept, remove together',
    'one-restrict': 'RESTRICT_PERMISSIONS of one page',
    'one-reset': 'RESET_PERMISSIONS of one page',
    'one-type': 'MODIFY_TYPES of one page',
    'thread': 'a new thread: 4 pages, one a TCS',
    'trace-gramine': "Gramine's calls",
    'trace-intel': "calls of Intel's allocator",
    'trace-enarx': "Enarx's calls",
    'evict-2x': 'grow to 2 times the EPC',
    'reload-2x': 'read all of it, 2 times the EPC',
    'reload-written-2x': 'write all of it, 2 times the EPC',
    'reload-down-2x': 'read all of it, descending, 2 times the EPC',
    'reload-random-2x': 'read at random, 2 times the EPC',
    'evict-10x': 'grow to 10 times the EPC',
    'reload-10x': 'read all of it, 10 times the EPC',
    'reload-written-10x': 'write all of it, 10 times the EPC',
    'reload-down-10x': 'read all of it, descending, 10 times the EPC',
    'reload-random-10x': 'read at random, 10 times the EPC',
    'memory-backing-2x': 'backing file, 2 times the EPC',
    'memory-backing-10x': 'backing file, 10 times the EPC',
}


class Pair:
    """A row: equal work on both drivers."""

    def __init__(self, guest, work, pages, inside, mainline, own):
        self.guest, self.work, self.pages, self.inside = guest, work, pages, inside
        self.mainline, self.own = mainline, own

    def per_page(self, name='instructions'):
        return self.mainline.get(name, 0) / self.pages, self.own.get(name, 0) / self.pages

    def ratio(self, name='instructions'):
        a, b = self.per_page(name)
        return a / b if b else float('inf') if a else 1.0

    def base(self):
        return self.work.removesuffix('-idle')

    def title(self):
        title = TITLES.get(self.base(), self.base())
        if self.base() != self.work:
            title += ', another thread idle'
        if self.guest == 'rdinfo':
            title += ', ERDINFO'
        return title


class Table:
    def __init__(self, data):
        self.data = data
        self.pairs = []
        for guest, of in data.items():
            other = {(r['work'], r['pages'], r['inside']): r for r in of.get('intree', [])}
            for row in of.get('sgx2', []):
                k = row['work'], row['pages'], row['inside']
                if k in other:
                    self.pairs.append(Pair(guest, *k, other[k], row))

    def find(self, work, pages=None, inside=0, guest=None):
        """Return the pair of that work with the most pages up to `pages`."""
        found = [p for p in self.pairs if p.work == work and p.inside == inside and (guest is None or p.guest == guest)
                 and (pages is None or p.pages == pages)]
        return found[0] if found else None

    def series(self, work, inside=0):
        """Return the pairs of all sizes of a work, ascending, each once."""
        by_size = {}
        for p in self.pairs:
            if p.work == work and p.inside == inside and p.guest in ('alone', 'inside', 'large', 'paging', 'paging-large'):
                by_size.setdefault(p.pages, p)
        return [by_size[n] for n in sorted(by_size)]

    def scaling(self, work):
        """Return the throughput of two threads, one thread = 1, on both drivers."""
        one, two = self.find(f'parallel-{work}-1'), self.find(f'parallel-{work}-2')
        if not one or not two:
            return 0, 0
        return tuple(2 * a / b for a, b in zip(one.per_page('nanoseconds'), two.per_page('nanoseconds')))

    def host_scaling(self):
        """Return the throughput of two threads that use no driver, in the guest whose figures are bounded."""
        return self.scaling('fill')[1]

    def counted(self):
        return [p for p in self.pairs if 'instructions' in p.own ]

    def show(self, model, verbose):
        print(f'{"work":40} {"pages":>8} in {"instructions a page":>22} {"ratio":>7} {"ETRACK":>15} {"interrupts":>13} {"faults":>13}'
              f' {"cycles (model)":>15}')
        for p in self.counted():
            a, b = p.per_page()
            print(f'{p.title():40} {p.pages:8} {p.inside:2} {a:12.1f} {b:9.1f} {p.ratio():7.2f}'
                  + ''.join(f' {p.mainline.get(n, 0):>{w}}/{p.own.get(n, 0):<6}' for n, w in
                            (('ETRACK', 8), ('interrupts', 6), ('faults', 6)))
                  + f' {model.text(p):>14}')
            if verbose:
                for n in sorted(set(p.mainline) | set(p.own)):
                    print(f'    {n}: {p.mainline.get(n, 0)} {p.own.get(n, 0)}')
