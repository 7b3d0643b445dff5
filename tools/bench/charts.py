# SPDX-License-Identifier: GPL-2.0
"""Charts of the table, as SVG and PNG."""
import os
import re

import matplotlib

matplotlib.use('Agg')
matplotlib.rcParams.update({
    'svg.fonttype': 'none', 'svg.hashsalt': 'sgx2', 'font.size': 11, 'axes.grid': True, 'grid.alpha': 0.3,
    'axes.spines.top': False, 'axes.spines.right': False, 'figure.dpi': 110, 'savefig.bbox': 'tight',
})
from matplotlib import pyplot as plt  # noqa: E402  (after the choice of the backend)
from matplotlib.ticker import FuncFormatter  # noqa: E402

MAINLINE, OWN = '#b04a3a', '#2a6f97'
MARKS = (('o', '-'), ('s', '--'))


def save(figure, folder, name):
    path = os.path.join(folder, name)
    figure.savefig(path + '.png', metadata={'Software': None})
    figure.savefig(path + '.svg', metadata={'Date': None, 'Creator': None})
    plt.close(figure)
    with open(path + '.svg', encoding='utf-8') as f:
        text = f.read()
    # Write one line for a path, not one for each point.
    text = re.sub(r' d="([^"]*)"', lambda m: ' d="' + ' '.join(m.group(1).split()) + '"', text)
    with open(path + '.svg', 'w', encoding='utf-8') as f:
        f.write(text)


def pages(axis):
    axis.set_xscale('log', base=2)
    axis.set_xlabel('pages in the range')
    axis.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f'2$^{{{int(n).bit_length() - 1}}}$'))


def cost(table, folder):
    """Draw the instructions for a page against the number of pages."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), sharey=True)
    panels = (('Growth', (('grow-up', 'fault by fault', True), ('augment', 'AUGMENT_PAGES', False))),
              ('Permissions', (('reset', 'reset (mainline: RESTRICT)', True), ('mprotect-reset', 'that and mprotect()', True))),
              ('End', (('trim-accept-remove', 'trim, accept, remove', True), ('teardown-grown', 'close()', True))))
    for axis, (title, works) in zip(axes, panels):
        for (mark, line), (work, label, both) in zip(MARKS, works):
            series = table.series(work)
            x = [p.pages for p in series]
            if both:
                axis.plot(x, [p.per_page()[0] for p in series], color=MAINLINE, marker=mark, linestyle=line, label=f'mainline: {label}')
            axis.plot(x, [p.per_page()[1] for p in series], color=OWN, marker=mark, linestyle=line, label=f'sgx2: {label}')
        axis.set_yscale('log')
        # The lowest line is that of 29 instructions a page.
        axis.set_ylim(10, 60000)
        axis.set_xlim(2 ** 7.5, 2 ** 20.5)
        found = [p.ratio() for p in (table.find(work, 4096) for work, *_ in works) if p]
        axis.set_title(f'{title}: {min(found):.0f} to {max(found):.0f} times fewer')
        axis.legend(fontsize=9, loc='upper left')
        pages(axis)
    axes[0].set_ylabel('guest instructions a page')
    figure.suptitle('A page costs sgx2 less than mainline, and as much in a large range as in a small one', y=1.02)
    save(figure, folder, 'cost')


def interrupts(table, folder):
    figure, axis = plt.subplots(figsize=(7, 4.2))
    for (mark, line), (work, label) in zip(MARKS, (('restrict', 'RESTRICT'), ('trim-accept-remove', 'trim, accept, remove'))):
        series = table.series(work, inside=1)
        x = [p.pages for p in series]
        axis.plot(x, [p.mainline.get('interrupts', 0) for p in series], color=MAINLINE, marker=mark, linestyle=line, label=f'mainline: {label}')
        axis.plot(x, [max(p.own.get('interrupts', 0), 0.5) for p in series], color=OWN, marker=mark, linestyle=line, label=f'sgx2: {label}')
    axis.set_yscale('log', base=2)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f'{n:g}'))
    pages(axis)
    axis.set_ylabel('interprocessor interrupts')
    axis.set_title('Mainline interrupts a thread inside for each page, sgx2 for each 512')
    axis.legend(fontsize=9)
    save(figure, folder, 'interrupts')


def scaling(table, folder):
    """Draw the throughput of two threads, in units of that of one."""
    works = [('fill', 'fill pages,\nno driver in it'), ('grow', 'grow,\nEACCEPT first'), ('augment', 'grow ahead'),
             ('change', 'restrict, accept,\nextend'), ('shrink', 'trim, accept,\nremove')]
    bars = [(label, *table.scaling(work)) for work, label in works if table.scaling(work) != (0, 0)]
    if not bars:
        return
    figure, axis = plt.subplots(figsize=(9.5, 4.2))
    x = range(len(bars))
    axis.bar([i - 0.2 for i in x], [b[1] for b in bars], 0.38, color=MAINLINE, label='mainline')
    axis.bar([i + 0.2 for i in x], [b[2] for b in bars], 0.38, color=OWN, label='sgx2')
    for i, b in enumerate(bars):
        axis.text(i - 0.2, b[1] + 0.03, f'{b[1]:.2f}', ha='center', fontsize=9)
        axis.text(i + 0.2, b[2] + 0.03, f'{b[2]:.2f}', ha='center', fontsize=9)
    axis.axhline(1, color='black', linewidth=0.8)
    axis.set_xticks(list(x), [b[0] for b in bars])
    axis.set_ylabel('throughput of two threads, one thread = 1')
    axis.set_title('Two threads on ranges of their own: twice the work of one is best')
    axis.set_ylim(0, max(2.5, *(max(b[1:]) + 0.5 for b in bars)))
    axis.legend(loc='upper right', ncols=2)
    axis.grid(axis='x')
    save(figure, folder, 'scaling')


def summary(table, folder):
    """Draw the chart of the README: the ratios of instructions, for 4096 pages."""
    works = [('build', 0), ('first-touch', 0), ('grow-up', 0), ('augment', 0), ('restrict', 0), ('restrict', 1), ('mprotect-reset', 1),
             ('trim-accept-remove', 0), ('trim-accept-remove', 1), ('thread', 0), ('reload-2x', 0)]
    bars = []
    for work, inside in works:
        p = table.find(work, None if work.startswith(('reload', 'thread')) else 4096, inside)
        if p:
            bars.append((p.title() + (', a thread inside' if inside else ''), p.ratio()))
    figure, axis = plt.subplots(figsize=(8, 4.2))
    y = range(len(bars))
    axis.barh(list(y), [b[1] for b in bars], color=OWN)
    for i, b in enumerate(bars):
        axis.text(b[1] + 0.15, i, f'{b[1]:.1f}', va='center', fontsize=9)
    axis.set_yticks(list(y), [b[0] for b in bars])
    axis.invert_yaxis()
    axis.axvline(1, color=MAINLINE)
    axis.text(1.05, -0.75, 'mainline = 1', color=MAINLINE, fontsize=9)
    axis.grid(axis='y')
    axis.set_xlabel('times fewer guest instructions than the in-tree driver, 4096 pages')
    axis.set_title(f'sgx2 takes {min(b[1] for b in bars):.0f} to {max(b[1] for b in bars):.0f} times fewer instructions')
    save(figure, folder, 'summary')


def draw(table, folder):
    cost(table, folder)
    interrupts(table, folder)
    scaling(table, folder)
    summary(table, folder)
