# SPDX-License-Identifier: GPL-2.0
"""Writes Documentation/performance.md: the text here, the numbers from the table."""
import json
import os

import bounds
from table import TITLES, Table

INTRO = '''\
# Performance: sgx2 beside the kernel's own driver

This page is written by `make bench`, numbers and charts; the text is in tools/bench/document.py. All of it was counted on the SGX2
machine of this tree. None of it was measured on silicon: see [the cost model](#cycles) for what the counts could mean there.

![How many times fewer instructions, for 4096 pages](performance/summary.svg)

## Method

One guest kernel image, Linux 6.12, is booted once with its own driver and once with `nosgx` and sgx2. The same static program, with the
same enclave, does the same work on both. QEMU runs with `-icount shift=0`, so that the guest's clock advances one nanosecond an
instruction and every run gives the same counts, to the last instruction, with several CPUs too; `scripts/bench --twice` compares two. The processor's TSC is
that clock: the difference over a piece of work is the number of guest instructions of *all* CPUs, the interrupted ones included. A thread that
is inside meanwhile spins; its turns are counted, and what they took is subtracted. An instruction is an instruction: a leaf counts as one, as does each step
of a REP prefix, so leaves are counted apart, by the machine.

Each piece of work begins right after a tick of the timer, which costs as much as a hundred pages. Interrupts are function-call interrupts of
/proc/interrupts, rounds are what sgx2's fdinfo says (mainline does not tell; it makes a round an ETRACK), faults are those of getrusage(), the rest are counters
of the machine. Where mainline lacks a call, it does what comes to the same: RESTRICT to nothing for RESET, RESTRICT and then mprotect()
for a reset or restriction inside mprotect(), growth by faults for growth ahead of them.

The processor has no ERDINFO (CPUID.12H.0:EAX bit 6), as the Ice Lake servers on record have none. sgx2 uses that leaf where there is one, and mainline
does not; rows with "ERDINFO" in their name are of such a processor.

'''

ANSWERS = '''\
## What the rows answer

**What does ETRACK cost when permissions are only relaxed?** Runtime authors asked in 2022. The row *relax* is the answer: EMODPE
and mprotect() need no ETRACK, no interrupt and no call of the driver at all, {relax:.0f} instructions a page, most of which are the kernel's
own walk over the PTEs. Going through RESTRICT as Gramine does for every change costs mainline {restrict_mainline:.0f} instructions a page more with nobody else inside, and
{restrict_inside:.0f} with one thread inside; sgx2 {restrict_own:.0f} in both cases.

**What does a thread inside cost?** On mainline an interrupt, and with it an exit and a resumption, for each page: the interrupts in the table are as many as the
pages. It does not know whether the thread is inside, so one that sleeps outside, but ran on another CPU last, costs the same interrupts (*another thread
idle*). sgx2 asks the processor with a second ETRACK whether anybody is left, and interrupts once a chunk of 512 pages, if at all.

**Why is removal not cheaper still?** A removal has to know that the enclave has accepted the trim, and EREMOVE does not say. Both drivers issue EMODPR,
which faults on an accepted page and answers 20 on another. That fault is a sound answer, and takes some {probe:.0f} instructions, by which the rows
with and without ERDINFO differ; the kernel searches its own exception table and then the module's, and sgx2 keeps the instruction in the middle of that, where a
search by halves begins. With ERDINFO, which reads the
state of the page and does not fault, the whole row is {rdinfo_alone:.1f} times cheaper than mainline's alone and {rdinfo_inside:.1f} times with a thread inside. The processors of
which we have seen CPUID: Xeon Gold 5315Y and two more Ice Lake servers say 403H in EAX, which is without it; an i7-1065G7, an Ice Lake client, says 63H, which
is with it (github.com/ayeks/SGX-hardware, 75, 87, 99 and 115).

**What does growth by faults cost?** A fault, an exit and a resumption a page, on mainline. Fault-around makes it one for 64 pages once a walk is
recognized, in either direction, without a change to the runtime. AUGMENT_PAGES and MADV_WILLNEED make it none.

**What does paging cost?** The two drivers evict in batches of 16. sgx2 zaps once for each run of pages and looks for a victim among chunks, not through a
list of pages. Mainline's faults find no free page while its thread evicts, and are taken again and again: these are the faults in its column. With a
second CPU they are a hundred times as many, for as long as the thread takes, so the rows are with one.

'''

BEHIND = '''\
## Where sgx2 is not ahead

* **A call on a single page takes two ETRACKs** where mainline takes one: the second one asks whether an interrupt is needed. The row *a new thread* shows
  it. The instructions, and the interrupts that are saved, are worth more than that in every row, but on a processor whose ETRACK were slow and whose interrupts were
  quick it would not be so: put both into the cost model.
* **What enclaves do by themselves** (EACCEPT, EMODPE) costs the same.
* **Two threads that grow by faults** gain about as much on mainline as they do here, {grow_mainline:.2f} and {grow_own:.2f} of one in this run; which is ahead changes from run to
  run. Each page takes {grow_slower:.0f} times as long there, and its one mutex is held for little of that.
* **A fault that adds one page** (*grow, no fault-around*) is only {single:.2f} times cheaper: it is the exit, the fault and the resumption that cost.
{threads}* Instructions are not cycles. The cost model's last column is nearer to 1 than that of the instructions for all work in which the leaves themselves take most of the time, and
  no driver can make those fewer.

'''

NOT_MEASURED = '''\
* **Two threads at once** are not shown to gain anything: the host that wrote this page had no two CPUs to give.
'''


def number(x):
    return f'{x:,.0f}' if x >= 100 else f'{x:.1f}'


def row_table(table, model, pairs):
    lines = ['| work | pages | inside | instructions a page | ratio | ETRACK | interrupts | faults | exits | ratio of cycles, by the model |',
             '|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|']
    for p in pairs:
        a, b = p.per_page()
        exits = [r.get('exits by fault', 0) + r.get('exits by interrupt', 0) for r in (p.mainline, p.own)]
        counts = ' | '.join(f'{p.mainline.get(n, 0):,} / {p.own.get(n, 0):,}' for n in ('ETRACK', 'interrupts', 'faults'))
        lines.append(f'| {p.title()} | {p.pages:,} | {p.inside} | {number(a)} / {number(b)} | **{p.ratio():.2f}** | {counts} | '
                     f'{exits[0]:,} / {exits[1]:,} | {model.ratio(p):.2f} |')
    return '\n'.join(lines) + '\n\n'


def pick(table, pages):
    order = list(TITLES)
    rows = [p for p in table.counted() if p.guest in ('alone', 'inside', 'idle', 'rdinfo', 'many') and (p.pages == pages or p.work.startswith(('trace', 'thread')))
            and (p.guest not in ('rdinfo', 'idle') or p.base() in ('restrict', 'remove', 'trim-accept-remove'))]
    return sorted(rows, key=lambda p: (order.index(p.base()), p.guest == 'rdinfo', p.guest == 'idle', p.inside))


def sizes(table):
    works = ('grow-up', 'grow-down', 'augment', 'willneed', 'restrict', 'reset', 'mprotect-reset', 'trim', 'remove', 'trim-accept-remove', 'teardown-grown')
    all_sizes = sorted({p.pages for w in works for p in table.series(w)})
    lines = ['| work | ' + ' | '.join(f'{n:,}' for n in all_sizes) + ' |', '|---|' + '--:|' * len(all_sizes)]
    for work in works:
        by = {p.pages: p for p in table.series(work)}
        cells = [f'{number(by[n].per_page()[0])} / {number(by[n].per_page()[1])}' if n in by else '' for n in all_sizes]
        lines.append(f'| {TITLES[work]} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n\n'


def leaves(table, pages):
    names = ('EAUG', 'EADD', 'EMODPR', 'EMODT', 'EREMOVE', 'ERDINFO', 'EBLOCK', 'ETRACK', 'EWB', 'ELDU', 'EPA', 'EACCEPT', 'EMODPE', 'TLB fills')
    rows = [p for p in table.counted() if (p.guest == 'alone' and p.pages == pages and p.inside == 0) or p.guest == 'paging']
    lines = ['| work | ' + ' | '.join(names) + ' |', '|---|' + '--:|' * len(names)]
    for p in sorted(rows, key=lambda p: list(TITLES).index(p.work)):
        cells = []
        for n in names:
            a, b = p.per_page(n)
            cells.append(f'{a:.2f} / {b:.2f}' if a or b else '')
        lines.append(f'| {p.title()} | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n\n'


def memory(table):
    enclave = [p for p in table.pairs if p.work == 'memory-enclave'][-1]
    epc = [p for p in table.pairs if p.work == 'memory-epc'][-1]
    a, b = enclave.per_page('bytes')
    c, d = epc.per_page('bytes')
    return f'''\
## Kernel memory

| bytes for | mainline | sgx2 |
|---|--:|--:|
| a page of a dense enclave ({enclave.pages:,} pages) | {a:.1f} | {b:.1f} |
| a page of the EPC, used or not | {c:.1f} | {d:.1f} |
| together | {a + c:.1f} | {b + d:.1f} |

The first is what memory became less while the enclave grew, page tables left out, and what the kernel itself took meanwhile left in; the second is what the driver holds in
/proc/vmallocinfo. A chunk of a single page costs sgx2 a page of descriptors, 4 KiB.

'''


def scaling(table):
    lines = ['## Two threads at once', '',
             '![Throughput of two threads](performance/scaling.svg)', '',
             'This is by the clock: multi-threaded TCG on two host CPUs, medians over three boots of medians of 15 interleaved runs. A ratio of 2 would be perfect; the machine\'s own model of the',
             'EPCM has locks, so what is lost is not the drivers\' alone. An interrupt waits until the host runs the other CPU, which on a busy host',
             'is milliseconds. Mainline\'s growth by faults does well here, since most of a fault\'s time is spent outside of its one mutex; calls on ranges,',
             'which it makes under that mutex, do not. Mainline answers EBUSY to the second of two calls, which is then made again until it works.', '',
             '| work, on 16384 pages a thread | one thread, ms | two threads, ms | throughput of two, one = 1 |', '|---|--:|--:|--:|']
    for work, title in (('fill', 'fill the pages, no driver in it'), ('grow', 'grow, EACCEPT first'), ('augment', 'grow ahead (mainline: by faults)'),
                        ('change', 'restrict, accept, extend'), ('shrink', 'trim, accept, remove')):
        one, two = table.find(f'parallel-{work}-1'), table.find(f'parallel-{work}-2')
        if not one or not two:
            continue
        m = [r['nanoseconds'] / 1e6 for r in (one.mainline, one.own, two.mainline, two.own)]
        s = table.scaling(work)
        lines.append(f'| {title} | {m[0]:.1f} / {m[1]:.1f} | {m[2]:.1f} / {m[3]:.1f} | {s[0]:.2f} / {s[1]:.2f} |')
    if table.host_scaling() < 1.7:
        lines += ['', 'When this was written the host had other work to do, as the first row tells: two threads that ask nothing of a driver got no further than',
                  'that, so these ratios say nothing of the drivers, and are not held as bounds. Where that row reaches 1.7 `make bench` asks for 1.5, and for nine',
                  'tenths of what mainline gains.']
    return '\n'.join(lines) + '\n\n'


def yielding(table):
    rows = [p for p in table.pairs if 'longest' in p.own]
    if not rows:
        return ''
    lines = ['## How long a call holds its CPU', '',
             'A thread of higher priority on the same CPU wants to run each millisecond. The longest that it had to wait, in thousands of instructions, while a call worked',
             'on so many pages; a tick of the timer, 4,000, may be part of it:', '', '| call | pages | mainline | sgx2 |', '|---|--:|--:|--:|']
    for p in rows:
        lines.append(f'| {p.work.removeprefix("yield-")} | {p.pages:,} | {p.mainline["longest"] / 1000:,.0f} | {p.own["longest"] / 1000:,.0f} |')
    return '\n'.join(lines) + '\n\n'


def cycles(model):
    lines = ['<a name="cycles"></a>', '## The cost model', '',
             'Instructions say what the driver and the kernel do; they do not say what a leaf, an exit or an interrupt costs on silicon. The model adds that: ',
             '', '    cycles = instructions x cycles per instruction + the sum over all events of their number x their latency', '',
             'with the latencies of [performance/latencies.json](performance/latencies.json). **Put in those of your silicon** and run', '',
             '    scripts/bench --from Documentation/performance/results.json --latencies mine.json', '',
             'which prints the table with your numbers in its last column; no guest is needed for that. Where these come from:', '',
             '| event | cycles | source |', '|---|--:|---|',
             f'| an instruction | {model.per_instruction:g} | {model.file["cycles_per_instruction"]["source"]} |']
    for name, entry in model.file['events'].items():
        seen = '' if entry.get('seen', True) else ' (quoted from memory of the paper, which was not at hand)'
        lines.append(f'| {name} | {entry["cycles"]:,} | {entry["source"]}{seen} |')
    return '\n'.join(lines) + '\n\n'


def held(checks):
    lines = ['## Bounds', '', 'What `make bench` and, for the sizes of its short form, `make check` hold.', '', '| what | value | limit | |', '|---|--:|--:|---|']
    behind = [c for c in checks if c.text.endswith(bounds.BEHIND)]
    lines.append(f'| on no row is sgx2 behind mainline: instructions, the least ratio of {len(behind)} | {min(c.value for c in behind):.4g} | ≥ 1, ≥ 0.97 for what '
                 f'enclaves do by themselves | {"holds" if all(c.holds for c in behind) else "**does not hold**"} |')
    for c in checks:
        if c in behind:
            continue
        lines.append(f'| {c.text} | {c.value:.4g} | {"≥" if c.at_least else "≤"} {c.limit:g} | {"holds" if c.holds else "**does not hold**"} |')
    return '\n'.join(lines) + '\n'


def record(folder):
    """Another kernel's figures, as --save left them there."""
    with open(os.path.join(folder, 'linux-7.3.json'), encoding='utf-8') as f:
        table = Table(json.load(f))
    checks = bounds.check(table)
    rows = [p for p in table.counted() if p.pages == 4096 and (p.guest != 'rdinfo' or p.base() == 'trim-accept-remove')
            and p.guest in ('alone', 'inside', 'rdinfo') and p.base() in ('build', 'grow-up', 'augment', 'restrict', 'reset', 'mprotect-reset', 'trim-accept-remove', 'teardown-grown')]
    order = list(TITLES)
    lines = ['## Linux 7.3, for the record', '', 'The same on the kernel that trixie-backports has, its own driver against sgx2 (`scripts/bench --short --kernel next`).',
             f'Of the bounds below {sum(c.holds for c in checks)} of {len(checks)} hold' + ''.join(f'; {c.text}: {c.value:.4g}, not {c.limit:g}' for c in checks if not c.holds) + '.', '',
             '| work, 4096 pages | inside | instructions a page | ratio | ETRACK | interrupts |', '|---|--:|--:|--:|--:|--:|']
    for p in sorted(rows, key=lambda p: (order.index(p.base()), p.guest == 'rdinfo', p.inside)):
        a, b = p.per_page()
        lines.append(f'| {p.title()} | {p.inside} | {number(a)} / {number(b)} | **{p.ratio():.2f}** | ' + ' | '.join(
            f'{p.mainline.get(n, 0):,} / {p.own.get(n, 0):,}' for n in ('ETRACK', 'interrupts')) + ' |')
    return '\n'.join(lines) + '\n\n'


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
    text += '## The table\n\nMainline / sgx2 in each cell; the ratio says how many times fewer instructions sgx2 takes.\n\n'
    text += row_table(table, model, pick(table, 4096))
    text += '### Paging, one CPU\n\n' + row_table(table, model, [p for p in table.counted() if p.guest.startswith('paging')])
    text += ('## Against the size\n\nInstructions a page, mainline / sgx2.\n\n![Instructions a page against pages](performance/cost.svg)\n\n'
             + sizes(table) + '![Interrupts against pages](performance/interrupts.svg)\n\n')
    text += '### Leaves, and fills of the TLB, a page\n\n' + leaves(table, 4096)
    values['grow_mainline'], values['grow_own'] = table.scaling('grow')
    values['grow_slower'] = table.find('parallel-grow-1').ratio('nanoseconds')
    values['threads'] = NOT_MEASURED if table.host_scaling() < 1.7 else ''
    text += scaling(table) + memory(table) + yielding(table) + record(folder) + ANSWERS.format(**values) + BEHIND.format(**values) + cycles(model) + held(checks)
    with open(os.path.join(os.path.dirname(folder), 'performance.md'), 'w', encoding='utf-8') as f:
        f.write(text)
    with open(os.path.join(folder, 'results.json'), 'w', encoding='utf-8') as f:
        json.dump(table.data, f, sort_keys=True, separators=(',', ':'))
        f.write('\n')
