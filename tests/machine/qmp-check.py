#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""For --qmp-script while Linux's selftests run in the guest: what the machine tells over QMP is there and agrees with itself."""
import json
import socket
import sys
import time

LIMIT = 600


class Qmp:
    def __init__(self, path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT)
        s.connect(path)
        self.file = s.makefile('rw')
        self.file.readline()
        self.call('qmp_capabilities')

    def call(self, name, **arguments):
        """What the command returns, or its error as text."""
        self.file.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if 'return' in answer:
                return answer['return']
            if 'error' in answer:
                return answer['error']['desc']


def wait_for(what, test):
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        got = test()
        if got:
            return got
        time.sleep(0.01)
    sys.exit(f'in {LIMIT} seconds never seen: {what}')


def leaf(q, name):
    return sum(n['count'] for n in q.call('x-sgx2-query-counters')['leaves'] if n.get('name') == name and n['result'] == 0)


def lose(q):
    """While there is an enclave; the driver finds out, and the EPC serves the next."""
    wait_for('an enclave', lambda: leaf(q, 'EINIT'))
    def lost():
        q.call('stop')
        before = q.call('x-sgx2-epcm-valid')['valid']
        if before:
            q.call('x-sgx2-lose-epc')
            if q.call('x-sgx2-epcm-valid')['valid'] or q.call('x-sgx2-dump-epcm'):
                sys.exit('the EPC is lost and the EPCM has valid entries')
        q.call('cont')
        return before
    wait_for('an enclave to lose', lost)
    q.call('x-sgx2-clear-counters')
    wait_for('an enclave after the loss', lambda: leaf(q, 'EENTER'))


def faults(q, name):
    return sum(n['count'] for n in q.call('x-sgx2-query-counters')['leaves'] if n.get('name') == name and n['result'] == 33)


def one_leaf(q):
    """A rate of one leaf's own: it faults, and those beside it do not."""
    refused = q.call('x-sgx2-inject', leaves=[{'name': 'ENOSUCH', 'rate': 1}])
    if 'no leaf function is named' not in refused:
        sys.exit(f'a leaf that there is not was not refused: {refused}')
    q.call('stop')
    q.call('x-sgx2-inject', seed=1, leaves=[{'name': 'EENTER', 'rate': 1000000}])
    q.call('x-sgx2-clear-counters')
    q.call('cont')
    wait_for('EENTER that faults', lambda: faults(q, 'EENTER'))
    if leaf(q, 'EENTER'):
        sys.exit('EENTER went in that was to fault each time')
    for name in ('ECREATE', 'EADD', 'EINIT'):
        wait_for(name + ' that succeeds all the same', lambda: leaf(q, name))
    q.call('x-sgx2-inject')
    wait_for('EENTER that works again', lambda: leaf(q, 'EENTER'))


def main():
    q = Qmp(sys.argv[1])
    for name in ('ECREATE', 'EADD', 'EINIT', 'EENTER', 'EAUG', 'EACCEPT', 'EWB', 'ELDU'):
        wait_for(name + ' that succeeds', lambda: leaf(q, name))
    wait_for('an AEX', lambda: q.call('x-sgx2-query-counters')['aex-exceptions'])
    wait_for('a TLB fill', lambda: q.call('x-sgx2-query-counters')['tlb-fills'])
    q.call('stop')
    valid = q.call('x-sgx2-epcm-valid')
    entries = q.call('x-sgx2-dump-epcm')
    if valid != {'pages': 8192, 'valid': len(entries)} or len({e['physical'] for e in entries}) != len(entries):
        sys.exit(f'{valid} and a dump of {len(entries)} entries do not agree')
    refused = q.call('migrate', uri='exec:cat')
    if 'cannot be migrated or saved' not in refused:
        sys.exit(f'migration was not refused: {refused}')
    q.call('cont')
    # Each EINIT is to answer 128 now; a driver tries again, so only the counter shows it.
    q.call('x-sgx2-inject', seed=1, einit=1000000)
    wait_for('an injected EINIT', lambda: q.call('x-sgx2-query-counters')['injected'])
    q.call('x-sgx2-inject', seed=1, einit=0)
    one_leaf(q)
    q.call('x-sgx2-clear-counters')
    wait_for('counters that begin anew', lambda: q.call('x-sgx2-query-counters')['injected'] == 0)
    lose(q)
    print(f'{len(entries)} valid entries were dumped')


if __name__ == '__main__':
    main()
