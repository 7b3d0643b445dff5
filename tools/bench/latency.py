# SPDX-License-Identifier: GPL-2.0
"""The cost model: counts into cycles, by latencies from a file."""
import json


class Model:
    """Return the cycles: instructions * cycles per instruction + the sum of each count times its latency."""

    def __init__(self, path):
        with open(path, encoding='utf-8') as f:
            self.file = json.load(f)
        self.cost = {name: entry['cycles'] for name, entry in self.file['events'].items()}
        self.per_instruction = self.file['cycles_per_instruction']['cycles']

    def cycles(self, row):
        return row['instructions'] * self.per_instruction + sum(row.get(name, 0) * cost for name, cost in self.cost.items())

    def ratio(self, pair):
        own = self.cycles(pair.own)
        return self.cycles(pair.mainline) / own if own else 1.0
