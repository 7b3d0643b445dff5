# SPDX-License-Identifier: GPL-2.0
"""The bounds that sgx2 has to meet, in counts and ratios, not in times."""
from dataclasses import dataclass

CHUNK = 512
# The end of the text of each such bound.
BEHIND = 'mainline against sgx2, instructions'


@dataclass
class Check:
    text: str
    value: float
    limit: float
    at_least: bool

    @property
    def holds(self):
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def spare(self):
        """Return the distance from the limit, relative to the limit; 1 for a limit of 0 that holds."""
        if not self.limit:
            return 1.0 if self.holds else 0.0
        return (self.value / self.limit if self.at_least else self.limit / self.value if self.value else 2.0) - 1

    def __str__(self):
        return f'{"ok  " if self.holds else "FAIL"} {self.text}: {self.value:.4g}, {"at least" if self.at_least else "at most"} {self.limit:g}'


class Checks(list):
    def least(self, text, value, limit):
        self.append(Check(text, value, limit, True))

    def most(self, text, value, limit):
        self.append(Check(text, value, limit, False))


def chunks(pages):
    return -(-pages // CHUNK)


def where(p):
    inside = f', {p.inside} inside' if p.inside else ''
    return f'{p.title()}, {p.pages} pages{inside}'


def tracking(checks, p):
    """Bound the cost of a call on a range beyond the cost of its pages."""
    # The range of the benchmark begins at the start of a chunk.
    checks.most(f'{where(p)}: ETRACK', p.own.get('ETRACK', 0), 3 * chunks(p.pages))
    if p.inside:
        checks.most(f'{where(p)}: IPI broadcasts', p.own.get('rounds', 0), chunks(p.pages) + 1)
    else:
        checks.most(f'{where(p)}: IPI broadcasts', p.own.get('rounds', 0), 0)


def change(table, checks):
    for p in table.counted():
        if p.base() in ('restrict', 'reset', 'mprotect-restrict', 'mprotect-reset', 'trim'):
            tracking(checks, p)
        if p.work in ('restrict', 'reset') and p.pages == 4096:
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 10 if p.inside else 5)
        if p.work == 'trim-accept-remove' and p.pages == 4096:
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 5 if p.inside else 2.5)


def growth(table, checks):
    for p in table.counted():
        if p.pages < 4096 or p.inside:
            continue
        if p.work in ('grow-up', 'grow-down'):
            checks.most(f'{where(p)}: faults', p.own.get('faults', 0), p.pages / 16)
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 5)
        if p.work in ('augment', 'willneed'):
            checks.most(f'{where(p)}: exits by a fault', p.own.get('exits by fault', 0), 0)
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 8)


def building(table, checks):
    """Bound what ADD_PAGES takes around its leaves: those of a measured page and their loop are as many on both drivers."""
    plain = {p.pages: p for p in table.counted() if p.work == 'build'}
    for p in table.counted():
        if p.pages < 4096 or p.work not in ('build', 'build-measured'):
            continue
        mainline, own = p.per_page()
        leaves = mainline - plain[p.pages].per_page()[0] if p.work == 'build-measured' else 0
        checks.most(f'{where(p)}: instructions a page around the leaves', own - leaves, 500)


def first_access(table, checks):
    for p in table.counted():
        if p.pages < 4096:
            continue
        if p.work in ('first-touch', 'first-touch-down'):
            checks.most(f'{where(p)}: faults', p.own.get('faults', 0), p.pages / 16)
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 12)
        if p.work == 'first-touch-random':
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 4)


def paging(table, checks):
    for p in table.counted():
        if p.work.startswith('reload-random'):
            checks.most(f'{where(p)}: ELDU against that of mainline', p.own['ELDU'] / p.mainline['ELDU'], 1.05)
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 1.25)
        elif p.work.startswith(('evict', 'reload')):
            least = 1.4 if p.work.startswith('evict') else 3.5 if p.work.startswith('reload-written') else 4
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), least)
        if p.work.startswith('reload') and not p.work.startswith('reload-random'):
            checks.most(f'{where(p)}: faults', p.own.get('faults', 0), p.pages / 8)


def thread(table, checks):
    for p in table.counted():
        if p.work == 'thread' and not p.inside:
            checks.least(f'{where(p)}: times fewer instructions', p.ratio(), 4)


def one_page(table, checks):
    """Bound a call on one page, of a task that is alone: one ETRACK, no interrupt, and no count above that of mainline."""
    for p in table.counted():
        if not p.work.startswith('one-') or p.inside:
            continue
        checks.most(f'{where(p)}: ETRACK', p.own.get('ETRACK', 0), p.pages)
        checks.most(f'{where(p)}: interrupts', p.own.get('interrupts', 0), 0)
        for name in sorted(set(p.own) - {'work', 'pages', 'inside', 'instructions', 'ETRACK', 'interrupts', 'rounds'}):
            checks.most(f'{where(p)}: {name}', p.own[name], p.mainline.get(name, 0))


def backing(table, checks):
    """Bound the memory of the backing file: that of the evicted pages, their metadata, and what is kept for 64 places."""
    for p in table.pairs:
        if p.work.startswith('memory-backing'):
            epc = p.pages / int(p.work.removeprefix('memory-backing-').removesuffix('x'))
            checks.most(f'{p.title()}, {p.pages} pages: pages of memory', p.own['bytes'] / 4096, (p.pages - epc) * 17 / 16 + 2 * 64 + 128)


def memory(table, checks):
    enclave = [p for p in table.pairs if p.work == 'memory-enclave']
    epc = [p for p in table.pairs if p.work == 'memory-epc']
    if enclave and epc:
        # The margin is for other allocations of the kernel during the measurement.
        mainline = sum(p.mainline['bytes'] / p.pages for p in (enclave[-1], epc[-1]))
        own = sum(p.own['bytes'] / p.pages for p in (enclave[-1], epc[-1]))
        checks.least('kernel memory for a page and its EPC page: times less', mainline / own, 3)
        checks.most('kernel memory for a page and its EPC page: bytes', own, 16)


def straight(table, checks):
    """Bound the cost of a page at the largest size, relative to 4096 pages."""
    for work in ('grow-up', 'restrict', 'reset', 'trim', 'remove', 'augment', 'teardown-grown', 'evict-2x', 'reload-2x'):
        series = [p for p in table.series(work) if p.pages >= 4096]
        if len(series) > 1:
            own = [p.per_page()[1] for p in series]
            checks.most(f'{work}: cost a page, largest against smallest, {series[0].pages} to {series[-1].pages} pages',
                        max(own) / min(own), 1.3)


def nowhere_behind(table, checks):
    for p in table.counted():
        # Work of the enclave itself costs the same on both drivers, except for one iteration of the thread that spins.
        itself = p.base().startswith('accept-') or p.base() == 'extend'
        # A call on one page asks whether the thread is inside, by a second ETRACK.
        asks = p.work.startswith('one-') and p.inside
        checks.least(f'{where(p)}: {BEHIND}', p.ratio(), 0.97 if itself else 0.95 if asks else 1)


def longest(table, checks):
    for p in table.pairs:
        if 'longest' in p.own:
            checks.most(f'{where(p)}: instructions without yielding', p.own['longest'], 10_000_000)


def scaling(table, checks):
    """Bound times by the clock, only in the long form, and only if two threads without a driver run side by side."""
    if table.host_scaling() < 1.7:
        return
    for work in ('grow', 'augment', 'change', 'shrink'):
        mainline, own = table.scaling(work)
        checks.least(f'{work}, two threads on ranges of their own: throughput, one thread = 1', own, 1.5)
        # The clock of a shared host is exact to a tenth. On mainline, augment is growth by faults, which is other work.
        if work != 'augment':
            checks.least(f'{work}, two threads: throughput against that of mainline', own / mainline, 0.9)


def cycles(table, model, checks):
    """Bound cycles by the model, in each corner of its ranges."""
    for p in table.counted():
        if p.pages >= 4096 and p.work in ('first-touch', 'first-touch-down'):
            checks.least(f'{where(p)}: times fewer cycles, in each corner of the model', model.ratios(p)[0], 8)


def check(table, model=None):
    checks = Checks()
    if model:
        cycles(table, model, checks)
    for part in (change, growth, building, first_access, thread, one_page, paging, backing, memory, straight, longest, scaling, nowhere_behind):
        part(table, checks)
    return checks
