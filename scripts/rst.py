# SPDX-License-Identifier: GPL-2.0
"""Write tables and headings in reStructuredText, for scripts that generate documents."""
from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

WIDTH = 100
LEVELS = '=-~'
LEAST = 22  # columns of a column whose cells are wrapped
TALL = 6  # lines of a row; with more the table becomes a list


def heading(text: str, level: int = 0) -> str:
    """Return a heading; the title of a document has level 0."""
    return f'{text}\n{LEVELS[level] * len(text)}\n'


def escape(text: str) -> str:
    """Return @text so that no character of it is markup."""
    return re.sub(r'([\\*`|]|_(?!\w))', r'\\\1', text)


def wrap(text: str, width: int = WIDTH, indent: str = '') -> list[str]:
    """Return @text in lines, with no line end between a pair of grave accents; @indent begins each line but the first."""
    text = re.sub(r'``.+?``|`[^`]+`', lambda m: m.group().replace(' ', '\0'), ' '.join(text.split()))
    lines = textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [line.replace('\0', ' ') for line in lines] or ['']


def paragraph(text: str) -> str:
    """Return one paragraph or list item in lines of at most WIDTH columns."""
    return '\n'.join(wrap(text, indent='  ' if text.startswith('* ') else ''))


def widths(rows: Sequence[Sequence[str]]) -> list[int] | None:
    """Return the widths of the columns of a simple table, or nothing if no such table fits. Its first column cannot be wrapped."""
    natural = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    least = [max(len(line) for row in rows for line in wrap(row[i], 1)) for i in range(len(natural))]
    room = WIDTH - 2 * (len(natural) - 1)
    if sum(natural) <= room:
        return natural
    # The widest columns share what the others leave.
    order = sorted(range(1, len(natural)), key=lambda i: natural[i])
    left, result = room - natural[0], list(natural)
    for position, i in enumerate(order):
        result[i] = min(natural[i], left // (len(order) - position))
        left -= result[i]
    if any(result[i] < max(least[i], min(natural[i], LEAST)) for i in order):
        return None
    return None if any(len(wrap(row[i], result[i])) > TALL for row in rows for i in order) else result


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a simple table of at most WIDTH columns, or a list-table if the text of its cells is too long for it."""
    rows = [[' '.join(cell.split()) for cell in row] for row in [head, *rows]]
    columns = widths(rows)
    if columns is None:
        return list_table(rows)
    rule = '  '.join('=' * max(width, 2) for width in columns)
    lines = [rule]
    for number, row in enumerate(rows):
        cells = [wrap(cell or ('..' if not i else ''), columns[i]) for i, cell in enumerate(row)]
        for line in range(max(map(len, cells))):
            parts = [(cell[line] if line < len(cell) else '').ljust(max(columns[i], 2)) for i, cell in enumerate(cells)]
            lines.append('  '.join(parts).rstrip())
        if not number:
            lines.append(rule)
    return '\n'.join([*lines, rule]) + '\n'


def list_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a list-table; its first row is the head."""
    lines = ['.. list-table::', '    :header-rows: 1', '']
    for row in rows:
        for number, cell in enumerate(row):
            text = wrap(cell, WIDTH - 8)
            lines.append(f'    {"  " if number else "* "}- {text[0]}'.rstrip())
            lines += [f'        {line}' for line in text[1:]]
    return '\n'.join(lines) + '\n'


def wide_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a line for each row, however long: one of many numbers."""
    rows = [head, *rows]
    columns = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ['.. csv-table::', '    :header-rows: 1', '    :delim: |', '']
    for row in rows:
        cells = [cell.ljust(columns[i]) if not i else cell.rjust(columns[i]) for i, cell in enumerate(row)]
        lines.append('    ' + ' | '.join(cells).rstrip())
    return '\n'.join(lines) + '\n'
