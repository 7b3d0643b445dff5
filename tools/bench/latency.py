# SPDX-License-Identifier: GPL-2.0
"""The cost model: counts into cycles, by latencies from a file, each of which is a range."""
import itertools
import json


def span(entry):
    """Return the ends of a latency: two for an uncertain one, equal ones for one that was measured."""
    return (entry['cycles'],) * 2 if 'cycles' in entry else (entry['low'], entry['high'])


class Model:
    """Return the cycles: instructions * cycles per instruction + the sum of each count times its latency.

    There are four corners: an instruction costs little or much, and all events cost little or much."""

    def __init__(self, path, more=None):
        """Read the latencies of a file, and then those of another one, which may have only some."""
        with open(path, encoding='utf-8') as f:
            self.file = json.load(f)
        if more:
            with open(more, encoding='utf-8') as f:
                measured = json.load(f)
            self.file['events'] |= measured['events']
            self.file['cycles_per_instruction'] = measured.get('cycles_per_instruction', self.file['cycles_per_instruction'])
        self.per_instruction = span(self.file['cycles_per_instruction'])
        self.cost = {name: span(entry) for name, entry in self.file['events'].items()}

    def cycles(self, row, instruction, event):
        """Return the cycles in one corner: each end is 0 or 1."""
        return row['instructions'] * self.per_instruction[instruction] + sum(row.get(name, 0) * cost[event] for name, cost in self.cost.items())

    def ratios(self, pair):
        """Return the least and the largest of the ratios in the corners."""
        corners = list(itertools.product((0, 1), repeat=2))
        ratios = [self.cycles(pair.mainline, *corner) / self.cycles(pair.own, *corner) if self.cycles(pair.own, *corner) else 1.0 for corner in corners]
        return min(ratios), max(ratios)

    def text(self, pair):
        least, most = (f'{r:.2f}' for r in self.ratios(pair))
        return least if least == most else f'{least} to {most}'
