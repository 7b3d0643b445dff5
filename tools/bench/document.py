# SPDX-License-Identifier: GPL-2.0
"""Writes Documentation/performance.rst from the text here and the numbers of the table."""
import json
import os
import re
import sys

import bounds
import latency
from table import TITLES, Table

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../scripts'))
import rst  # noqa: E402  # pylint: disable=wrong-import-position

INTRO = '''\
.. SPDX-License-Identifier: GPL-2.0

Performance: sgx2 beside the kernel's own driver
================================================

``make bench`` writes this page, numbers and charts; its text is in tools/bench/document.py. All counts are from the SGX2 machine of this tree.
Nothing was measured on silicon: :ref:`the cost model <cycles>` estimates what the counts could mean there. Abbreviations are in the :doc:`glossary`.

.. image:: performance/summary.svg
    :alt: How many times fewer instructions, for 4096 pages

Method
------

One guest kernel image, Linux 6.12, boots once with its own driver, called mainline below, and once with ``nosgx`` and sgx2. One static program
with one enclave does equal work on both. QEMU runs with ``-icount shift=0``: the guest's clock advances one nanosecond for each instruction, and
each run gives equal counts, to the last instruction, with several CPUs too; ``scripts/bench --twice`` compares two runs. The time stamp
counter is that clock: its difference over a piece of work is the number of guest instructions of *all* CPUs, interrupted ones included. A
thread that stays inside meanwhile spins; its iterations are counted and their instructions subtracted. A leaf counts as one instruction, as does each step of a REP
prefix; the machine counts leaves separately.

Each piece of work begins right after a tick of the timer, since a tick costs as much as a hundred pages. Interrupts are function-call
interrupts of /proc/interrupts. IPI broadcasts are those in the fdinfo of sgx2; mainline has no such count, and sends one for each ETRACK. Faults
are those of getrusage(). The other counts are the machine's. Where mainline lacks a call, it does equivalent work: RESTRICT to nothing for
RESET, RESTRICT and then mprotect() for a reset or restriction inside mprotect(), growth by faults for growth ahead of faults.

The processor has no ERDINFO (CPUID.12H.0:EAX bit 6), as the Ice Lake servers on record have none. sgx2 uses ERDINFO where it exists, mainline
does not; rows with "ERDINFO" in their name are of a processor that has it.

'''

ANSWERS = '''\
Questions
---------

**What does ETRACK cost when permissions are only relaxed?** Runtime authors asked this in 2022. The row *relax* shows it: EMODPE and mprotect()
need no ETRACK, no interrupt and no call of the driver. They take {relax:.0f} instructions a page, most of them in the kernel's walk of the page tables.
RESTRICT before each change, as Gramine does it, costs mainline {restrict_mainline:.0f} instructions a page more while no other thread is inside, and
{restrict_inside:.0f} with one thread inside; it costs sgx2 {restrict_own:.0f} in both cases.

**What does a thread inside cost?** On mainline it costs an interrupt, and with it an exit and a resumption, for each page: the table has as many
interrupts as pages. Mainline cannot see whether the thread is inside, so a thread that sleeps outside, but last ran on another CPU, costs as many
interrupts (*another thread idle*). sgx2 executes a second ETRACK, whose code shows whether a thread of the earlier epoch is inside, and sends one IPI
broadcast for each chunk of 512 pages, or none.

**Why is removal not cheaper?** A removal must find out whether the enclave has accepted the trim, and EREMOVE does not show it. Both drivers
execute EMODPR, which faults on an accepted page and returns SGX_PAGE_NOT_MODIFIABLE (20) for other pages. The fault takes some {probe:.0f} instructions, by
which the rows with and without ERDINFO differ. The kernel searches its own exception table and then that of the module; sgx2 places the instruction
in the middle of its table, where a binary search begins. ERDINFO reads the state of the page without a fault: with it, the whole row is
{rdinfo_alone:.1f} times cheaper than on mainline, and {rdinfo_inside:.1f} times with a thread inside. Public records of CPUID show 403H in EAX, without ERDINFO, for a Xeon Gold
5315Y and two more Ice Lake servers, and 63H, with ERDINFO, for an i7-1065G7, an Ice Lake client (github.com/ayeks/SGX-hardware, issues 75, 87, 99
and 115).

**What does growth by faults cost?** On mainline each page costs a fault, an exit and a resumption. Fault-around reduces them to one for 64 pages
after it has recognized a sequential walk, in either direction, without a change to the runtime. AUGMENT_PAGES and MADV_WILLNEED need none.

**What does paging cost?** Both drivers evict in batches of 16. sgx2 removes the PTEs of a run of pages at once, and looks for victims in chunks instead of a
list of pages. While mainline's thread evicts, faults find no free page and repeat: the faults in its column. With a second CPU there
are a hundred times as many for as long as the thread evicts, so these rows are with one CPU. The place of a reloaded page in the backing file is kept for
the page that is evicted next, so a trip in steady state allocates, zeroes and frees no memory. A fault of a walk reloads a window of pages, up or
down; a fault elsewhere reloads one.

**What does the first access cost?** A fault maps the aligned block of 16 resident pages around the page that is accessed, in any order of accesses, and
a walk gets windows that double.

'''

BEHIND = '''\
Where sgx2 is not ahead
-----------------------

* **A call on a single page, while a thread may run on another CPU, executes two ETRACKs** where mainline executes one: the second shows whether an
  interrupt is needed. On a processor with a slow ETRACK and fast interrupts it would not pay off: enter the latencies of both into the cost model.
* **What enclaves do by themselves** (EACCEPT, EMODPE) costs as much as on mainline.
* **Two threads that grow by faults** scale about as well on mainline as on sgx2: {grow_mainline:.2f} and {grow_own:.2f} of one thread in this run. Which driver is ahead
  differs from run to run. Each page takes mainline {grow_slower:.0f} times as long, and its one mutex is held for a small part of that.
* **A fault that adds one page** (*grow, no fault-around*) is only {single:.2f} times cheaper: exit, fault and resumption dominate.
{threads}* Instructions are not cycles. In the cost model the ratio of work that is dominated by leaves is nearer to 1 than its ratio of instructions,
  and no driver can make leaves faster.

'''

NOT_MEASURED = '''\
* **Two threads at once** show no gain, since the host that wrote this page had no two free CPUs.
'''


def fill(text):
    """Return @text with its paragraphs and list items in lines of at most WIDTH columns; tables, headings and the like stay."""
    def wrap(block):
        lines = block.split('\n')
        if not block or block[0] in '=. ' and not block.startswith('...') or len(lines) > 1 and not set(lines[1]) - set('=-~'):
            return block
        return '\n'.join(rst.paragraph(item) for item in re.split(r'\n(?=\* )', block))

    return '\n\n'.join(wrap(block.strip('\n')) for block in text.split('\n\n')) + '\n'


def number(x):
    return f'{x:,.0f}' if x >= 100 else f'{x:.1f}'


def row_table(table, model, pairs):
    head = ('work', 'pages', 'inside', 'instructions a page', 'ratio', 'ETRACK', 'interrupts', 'faults', 'exits', 'ratio of cycles, by the model')
    rows = []
    for p in pairs:
        a, b = p.per_page()
        exits = [r.get('exits by fault', 0) + r.get('exits by interrupt', 0) for r in (p.mainline, p.own)]
        rows.append((p.title(), f'{p.pages:,}', f'{p.inside}', f'{number(a)} / {number(b)}', f'**{p.ratio():.2f}**',
                     *(f'{p.mainline.get(n, 0):,} / {p.own.get(n, 0):,}' for n in ('ETRACK', 'interrupts', 'faults')),
                     f'{exits[0]:,} / {exits[1]:,}', model.text(p)))
    return rst.wide_table(head, rows) + '\n'


def pick(table, pages):
    order = list(TITLES)
    rows = [p for p in table.counted() if p.guest in ('alone', 'inside', 'idle', 'rdinfo', 'many') and (p.pages == pages or p.work.startswith(('trace', 'thread', 'one-')))
            and (p.guest not in ('rdinfo', 'idle') or p.base() in ('restrict', 'remove', 'trim-accept-remove'))]
    return sorted(rows, key=lambda p: (order.index(p.base()), p.guest == 'rdinfo', p.guest == 'idle', p.inside))


def sizes(table):
    works = ('grow-up', 'grow-down', 'augment', 'willneed', 'restrict', 'reset', 'mprotect-reset', 'trim', 'remove', 'trim-accept-remove', 'teardown-grown')
    all_sizes = sorted({p.pages for w in works for p in table.series(w)})
    rows = []
    for work in works:
        by = {p.pages: p for p in table.series(work)}
        cells = [f'{number(by[n].per_page()[0])} / {number(by[n].per_page()[1])}' if n in by else '' for n in all_sizes]
        rows.append((TITLES[work], *cells))
    return rst.wide_table(('work', *(f'{n:,}' for n in all_sizes)), rows) + '\n'


def leaves(table, pages):
    names = ('EAUG', 'EADD', 'EMODPR', 'EMODT', 'EREMOVE', 'ERDINFO', 'EBLOCK', 'ETRACK', 'EWB', 'ELDU', 'EPA', 'EACCEPT', 'EMODPE', 'TLB fills')
    pairs = [p for p in table.counted() if (p.guest == 'alone' and p.pages == pages and p.inside == 0) or p.guest == 'paging']
    rows = []
    for p in sorted(pairs, key=lambda p: list(TITLES).index(p.work)):
        cells = []
        for n in names:
            a, b = p.per_page(n)
            cells.append(f'{a:.2f} / {b:.2f}' if a or b else '')
        rows.append((p.title(), *cells))
    return rst.wide_table(('work', *names), rows) + '\n'


def backing(table):
    """Return rows of the memory of the backing file for each page that is evicted."""
    rows = []
    for p in table.pairs:
        if p.work.startswith('memory-backing'):
            factor = int(p.work.removeprefix('memory-backing-').removesuffix('x'))
            evicted = p.pages - p.pages / factor
            rows.append((f'an evicted page, {factor} times the EPC ({p.pages:,} pages)', *(f'{row["bytes"] / evicted:,.0f}' for row in (p.mainline, p.own))))
    return rows


def memory(table):
    enclave = [p for p in table.pairs if p.work == 'memory-enclave'][-1]
    epc = [p for p in table.pairs if p.work == 'memory-epc'][-1]
    a, b = enclave.per_page('bytes')
    c, d = epc.per_page('bytes')
    return rst.heading('Kernel memory', 1) + '\n' + rst.table(('bytes for', 'mainline', 'sgx2'), [
        (f'a page of a dense enclave ({enclave.pages:,} pages)', f'{a:.1f}', f'{b:.1f}'), ('a page of the EPC, used or not', f'{c:.1f}', f'{d:.1f}'),
        ('together', f'{a + c:.1f}', f'{b + d:.1f}'), *backing(table)]) + '''
The first row is the loss of free memory while the enclave grew, without page tables, but with what the kernel allocated for itself meanwhile. The second
is the driver's part of /proc/vmallocinfo. A chunk of a single page costs sgx2 a page of descriptors, 4 KiB. The rows of evicted pages are shmem,
charged to the owner: 4096 bytes of ciphertext and 128 of metadata, and on sgx2 what is kept of up to 64 places of reloaded pages.

'''


SCALING = '''\
Two threads at once
-------------------

.. image:: performance/scaling.svg
    :alt: Throughput of two threads

These times are by the clock: multi-threaded TCG on two host CPUs, medians over three boots of medians of 15 interleaved runs. A ratio of 2 would be
perfect. The machine's own model of the EPCM has locks, so the drivers do not cause all of the loss. An interrupt waits until the host runs the other CPU,
for milliseconds if the host is busy. Growth by faults scales well on mainline, since most of the time of a fault is spent outside of its one mutex; calls
on ranges do not, since mainline holds the mutex for the whole call. Mainline returns EBUSY to the second of two concurrent calls; the program then repeats
the call until it succeeds.

'''

BUSY = '''
When this was written the host had other work, as the first row shows: two threads that use no driver reached no more than that, so these ratios say
nothing about the drivers, and are not held as bounds. Where the first row reaches 1.7, ``make bench`` requires 1.5, and nine tenths of what mainline gains.
'''


def scaling(table):
    rows = []
    for work, title in (('fill', 'fill the pages, no driver in it'), ('grow', 'grow, EACCEPT first'), ('augment', 'grow ahead (mainline: by faults)'),
                        ('change', 'restrict, accept, extend'), ('shrink', 'trim, accept, remove')):
        one, two = table.find(f'parallel-{work}-1'), table.find(f'parallel-{work}-2')
        if not one or not two:
            continue
        m = [r['nanoseconds'] / 1e6 for r in (one.mainline, one.own, two.mainline, two.own)]
        s = table.scaling(work)
        rows.append((title, f'{m[0]:.1f} / {m[1]:.1f}', f'{m[2]:.1f} / {m[3]:.1f}', f'{s[0]:.2f} / {s[1]:.2f}'))
    head = ('work, on 16384 pages a thread', 'one thread, ms', 'two threads, ms', 'throughput of two, one = 1')
    return SCALING + rst.table(head, rows) + (BUSY if table.host_scaling() < 1.7 else '') + '\n'


YIELDING = '''\
How long a call holds its CPU
-----------------------------

A thread of higher priority on the same CPU becomes runnable each millisecond. The table has its longest wait, in thousands of instructions, while a call
works on that many pages; a tick of the timer, 4,000 instructions, may be part of it:

'''


def yielding(table):
    rows = [(p.work.removeprefix('yield-'), f'{p.pages:,}', f'{p.mainline["longest"] / 1000:,.0f}', f'{p.own["longest"] / 1000:,.0f}')
            for p in table.pairs if 'longest' in p.own]
    return YIELDING + rst.table(('call', 'pages', 'mainline', 'sgx2'), rows) + '\n' if rows else ''


CYCLES = '''\
.. _cycles:

The cost model
--------------

Instructions show what the driver and the kernel do; they do not show what a leaf, an exit or an interrupt costs on silicon. The model adds that::

    cycles = instructions x cycles per instruction + sum over events of (number x latency)

with the latencies of ``Documentation/performance/latencies.json``. Each is a range, and most are estimates, since few were published. The column of the
table has the least and the largest ratio of four corners: an instruction costs little or much, and all events cost little or much. What the corners agree on does not depend on the
estimates. **Measure the latencies of your silicon**: ``sgx2-latencies`` of the package that ``make selftest-package`` makes writes most of them. Then run::

    scripts/bench --from Documentation/performance/results.json --latencies mine.json

which prints the table with your numbers in its last column, without a guest. The sources of these latencies:

'''


def cycles(model):
    entries = [('an instruction', model.file['cycles_per_instruction']), *model.file['events'].items()]
    rows = [(name, *(f'{end:,g}' for end in latency.span(entry)), entry['source']) for name, entry in entries]
    return CYCLES + rst.table(('event', 'low', 'high', 'source'), rows) + '\n'


def held(checks):
    """Return the number of bounds that hold, and a table of those that do not, or that have less than a tenth to spare."""
    behind = [c for c in checks if c.text.endswith(bounds.BEHIND)]
    tight = sorted((c for c in checks if not c.holds or (c not in behind and c.spare() < 0.1)), key=lambda c: (c.holds, c.spare()))
    text = (rst.heading('Bounds', 1) + '\n' +
            f'``make bench`` checks {len(checks)} bounds, ``make check`` those for the sizes of its short form; tools/bench/bounds.py states them. '
             f'{"All" if all(c.holds for c in checks) else sum(c.holds for c in checks)} hold. {len(behind)} of them require that sgx2 takes no more instructions than mainline, or at most 3 % more for what enclaves do by '
             f'themselves, and 5 % for a call on one page while a thread is inside; the least of these ratios is {min(c.value for c in behind):.4g}. {sum(not c.limit for c in checks)} require a count of 0. The others hold with at least a tenth to '
            'spare, except these:\n\n')
    return text + rst.table(('bound', 'value', 'limit', ''), [
        (c.text, f'{c.value:.4g}', f'{"≥" if c.at_least else "≤"} {c.limit:g}', 'holds' if c.holds else '**does not hold**') for c in tight])


def record(folder):
    """Return the results of another kernel, as --save wrote them."""
    with open(os.path.join(folder, 'linux-7.3.json'), encoding='utf-8') as f:
        table = Table(json.load(f))
    checks = bounds.check(table)
    rows = [p for p in table.counted() if p.pages == 4096 and (p.guest != 'rdinfo' or p.base() == 'trim-accept-remove')
            and p.guest in ('alone', 'inside', 'rdinfo') and p.base() in ('build', 'grow-up', 'augment', 'restrict', 'reset', 'mprotect-reset', 'trim-accept-remove', 'teardown-grown')]
    order = list(TITLES)
    text = (rst.heading('Linux 7.3', 1) + '\nThe work of above on the kernel of trixie-backports, with its own driver and with sgx2 '
            f'(``scripts/bench --short --kernel next``). {sum(c.holds for c in checks)} of {len(checks)} bounds hold'
            + ''.join(f'; {c.text}: {c.value:.4g}, not {c.limit:g}' for c in checks if not c.holds) + '.\n\n')
    cells = []
    for p in sorted(rows, key=lambda p: (order.index(p.base()), p.guest == 'rdinfo', p.inside)):
        a, b = p.per_page()
        cells.append((p.title(), str(p.inside), f'{number(a)} / {number(b)}', f'**{p.ratio():.2f}**',
                      *(f'{p.mainline.get(n, 0):,} / {p.own.get(n, 0):,}' for n in ('ETRACK', 'interrupts'))))
    return text + rst.wide_table(('work, 4096 pages', 'inside', 'instructions a page', 'ratio', 'ETRACK', 'interrupts'), cells) + '\n'


def image(name, title):
    return f'.. image:: performance/{name}.svg\n    :alt: {title}\n\n'


def write(table, model, checks, folder):
    import charts
    charts.draw(table, folder)
    restrict, inside = table.find('restrict', 4096, guest='alone'), table.find('restrict', 4096, 1, guest='inside')
    values = {
        'relax': table.find('relax', 4096, guest='alone').per_page()[1], 'restrict_mainline': restrict.per_page()[0],
        'restrict_inside': inside.per_page()[0], 'restrict_own': restrict.per_page()[1],
        'rdinfo_inside': table.find('trim-accept-remove', 4096, 1, guest='rdinfo').ratio(),
        'probe': table.find('trim-accept-remove', 4096, guest='alone').per_page()[1] - table.find('trim-accept-remove', 4096, guest='rdinfo').per_page()[1],
        'rdinfo_alone': table.find('trim-accept-remove', 4096, guest='rdinfo').ratio(), 'single': table.find('grow-single', 4096).ratio(),
    }
    text = INTRO
    text += rst.heading('The table', 1) + '\nEach cell has mainline / sgx2; the ratio is that of the instructions.\n\n'
    text += row_table(table, model, pick(table, 4096))
    text += rst.heading('Paging, one CPU', 2) + '\n' + row_table(table, model, [p for p in table.counted() if p.guest.startswith('paging')])
    text += rst.heading('Sizes', 1) + '\nInstructions for each page, mainline / sgx2.\n\n' + image('cost', 'Instructions a page against pages') + sizes(table)
    text += image('interrupts', 'Interrupts against pages') + rst.heading('Leaves and TLB fills for each page', 2) + '\n' + leaves(table, 4096)
    values['grow_mainline'], values['grow_own'] = table.scaling('grow')
    values['grow_slower'] = table.find('parallel-grow-1').ratio('nanoseconds')
    values['threads'] = NOT_MEASURED if table.host_scaling() < 1.7 else ''
    text += scaling(table) + memory(table) + yielding(table) + record(folder) + ANSWERS.format(**values) + BEHIND.format(**values) + cycles(model) + held(checks)
    with open(os.path.join(os.path.dirname(folder), 'performance.rst'), 'w', encoding='utf-8') as f:
        f.write(fill(text))
    with open(os.path.join(folder, 'results.json'), 'w', encoding='utf-8') as f:
        json.dump(table.data, f, sort_keys=True, separators=(',', ':'))
        f.write('\n')
