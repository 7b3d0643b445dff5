# SPDX-License-Identifier: GPL-2.0
"""Boots the guests and reads their results."""
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIVERS = ('intree', 'sgx2')
# ERDINFO returns the state of a page without a fault. The Ice Lake servers on record do not have it; the machine has it on request.
RDINFO = ('--cpu', ',+sgx-encls-c')


@dataclass
class Guest:
    """A guest that is booted once for each driver."""
    name: str
    machine: tuple
    words: tuple
    # If true, one run with -icount counts instructions; otherwise several runs measure times.
    counted: bool = True
    times: int = 1
    drivers: tuple = field(default=DRIVERS)


def guest(name, smp, epc, *words, mem='1G', cpu=(), **more):
    return Guest(name, ('--smp', str(smp), '--epc', epc, '--mem', mem, *cpu), words, **more)


IDLE = guest('idle', 2, '64M', 'life', '--pages', '4096', '--idle')
SHORT = [
    guest('alone', 1, '64M', 'life', 'growth', 'build', 'threads', 'traces', '--pages', '256,4096'),
    guest('inside', 2, '64M', 'life', 'threads', 'traces', '--pages', '256,4096', '--inside', '1'),
    IDLE,
    guest('rdinfo', 2, '64M', 'life', '--pages', '4096', '--inside', '0,1', cpu=RDINFO),
    guest('paging', 1, '4M', 'paging', '--times', '2,10'),
]
FULL = [
    guest('alone', 1, '256M', 'life', 'growth', 'build', 'threads', 'traces', '--pages', '256,1024,4096,16384'),
    guest('inside', 2, '256M', 'life', 'threads', 'traces', '--pages', '256,1024,4096,16384', '--inside', '1'),
    IDLE,
    guest('rdinfo', 2, '64M', 'life', '--pages', '4096', '--inside', '0,1', cpu=RDINFO),
    guest('many', 4, '64M', 'life', 'threads', 'traces', '--pages', '4096', '--inside', '3'),
    guest('paging', 1, '32M', 'paging', '--times', '2,10'),
    guest('paging-large', 1, '128M', 'paging', '--times', '2'),
    guest('large', 1, '8G', 'large', '--pages', '65536,262144,1048576', mem='2G'),
    guest('yield', 1, '512M', 'yield', '--pages', '65536'),
    guest('wall', 2, '256M', 'parallel', '--pages', '16384', counted=False, times=3),
]


def say(text):
    print(f'  {text}', file=sys.stderr, flush=True)


def script(*words):
    done = subprocess.run([os.path.join(TOP, 'scripts', words[0]), *words[1:]], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True, check=False)
    if done.returncode:
        sys.exit(f'scripts/bench: {" ".join(words)} failed')
    return done.stdout.strip().splitlines()[-1]


def boot(program, driver, g, kernel):
    words = [os.path.join(TOP, 'tests/machine/run'), '--driver', driver, '--kernel', kernel, '--timeout', '1500', *g.machine]
    if g.counted:
        # With -icount, work of the host's own threads and a console that waits for its reader must not change the counts.
        words += ['--icount', '--append', 'loglevel=1', '--qemu-arg=-global', '--qemu-arg=virtio-serial-pci.ioeventfd=off']
    words += ['--add', f'{program}:/sgx2-bench', '--', '/sgx2-bench', *g.words]
    start = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        print(*(line for line in done.stdout.splitlines() if not line.startswith('{')), sep='\n', file=sys.stderr)
        sys.exit(f'scripts/bench: guest {g.name} with {driver} ends with status {done.returncode}')
    say(f'{g.name}, {driver}: {time.monotonic() - start:.0f} s')
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]


def key(row):
    return row['work'], row['pages'], row['inside']


def median(runs):
    """Return the median of each row, over runs of the same guest."""
    rows = []
    for same in zip(*runs):
        names = set().union(*same)
        row = {n: same[0][n] for n in ('work', 'pages', 'inside')}
        for n in names - set(row):
            row[n] = statistics.median(r.get(n, 0) for r in same)
        rows.append(row)
    return rows


def run(plan, only=None, kernel='lab'):
    """{guest: {driver: [row...]}}"""
    program = script('build-bench')
    data = {}
    for g in plan:
        if only and not re.search(only, g.name):
            continue
        runs = {driver: [] for driver in g.drivers}
        # The runs alternate, so that other load of the host affects both drivers.
        for _ in range(g.times):
            for driver in g.drivers:
                runs[driver].append(boot(program, driver, g, kernel))
        data[g.name] = {driver: median(of) if g.times > 1 else of[0] for driver, of in runs.items()}
    return data


def compare(name, driver, a, b):
    """Return the counts that differ between two boots of a guest, as lines."""
    lines = []
    for x, y in zip(a, b, strict=True):
        for count in sorted(set(x) | set(y)):
            if x.get(count, 0) != y.get(count, 0):
                lines.append(f'{name}, {driver}, {"/".join(map(str, key(x)))}: {count} {x.get(count, 0)}, then {y.get(count, 0)}')
    return lines


def twice(plan, data, only=None, kernel='lab'):
    """Boot each guest once more, and return the counts that differ from data, as lines."""
    program = script('build-bench')
    bad = []
    for g in plan:
        if not g.counted or only and not re.search(only, g.name):
            continue
        for driver in g.drivers:
            bad += compare(g.name, driver, data[g.name][driver], boot(program, driver, g, kernel))
    return bad
