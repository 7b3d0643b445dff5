# SPDX-License-Identifier: GPL-2.0
"""Tests of scripts/check with tables of their own; no guest is started."""
import contextlib
import io
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import load

check = load.runner()
HERE = pathlib.Path(__file__).resolve()
# The table of the process that is interrupted, see below.
WAITS = (check.Step('first', 'a step that waits', '/bin/sh -c "echo \\"  first runs\\"; sleep 100000 & timeout 90000 sleep 100000"'),
         check.Step('second', 'another', '/bin/sh -c "trap \'\' TERM; echo \\"  second runs\\"; sleep 100000; sleep 100000"'))


def shell(text: str) -> str:
    return '/bin/sh -c ' + shlex.quote(text)


def marked(mark: str) -> list[str]:
    """Return the processes that have this mark in their environment, and are not zombies."""
    found = []
    for path in pathlib.Path('/proc').glob('[0-9]*/environ'):
        with contextlib.suppress(OSError):
            if f'SGX2_MARK={mark}\0'.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


class Runner(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = folder.name
        self.mark = f'{os.getpid()}-{time.monotonic_ns()}'
        for name in ('SGX2_FULL', 'SGX2_LANES', 'SGX2_JOBS'):
            os.environ.pop(name, None)
        os.environ.update(SGX2_CACHE=self.cache, SGX2_MARK=self.mark)
        self.addCleanup(os.environ.pop, 'SGX2_MARK')
        for number in check.INTERRUPTS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def run_table(self, *steps: object, names: tuple[str, ...] = ()) -> tuple[int, str]:
        """Return the exit status of the runner and what it prints, with each duration as T."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = check.main(list(names), steps, 'check-test')
        return status, re.sub(r'\b\d+ s\b', 'T', out.getvalue())

    def one(self, text: str, **more: object) -> tuple[int, str]:
        return self.run_table(check.Step('one', 'a step', shell(text), **more))

    def ends(self, text: str, status: int, word: str, closing: str, **more: object) -> str:
        got, out = self.one(text, **more)
        self.assertEqual(got, status, out)
        self.assertIn(f'[1/1] one: {word}, T\n', out)
        self.assertEqual(out.splitlines()[-1], closing)
        return out

    def test_a_step_that_passes(self) -> None:
        out = self.ends('echo all is well', 0, 'ok', '1 passed, 0 failed, 0 skipped')
        self.assertTrue(out.startswith('[1/1] one: a step\n'))
        self.assertNotIn('well', out)
        self.assertNotIn('failed:', out)
        self.assertEqual(pathlib.Path(self.cache, 'log/check-test/one').read_text(), 'all is well\n')

    def test_a_step_that_fails_shows_the_end_of_its_log(self) -> None:
        out = self.ends('seq 40; exit 3', 1, 'FAILED', '0 passed, 1 failed, 0 skipped')
        self.assertIn('\n11\n', out)
        self.assertNotIn('\n10\n', out)
        self.assertIn('\nfailed: one\n', out)

    def test_a_step_that_is_skipped(self) -> None:
        self.ends('exit 77', 0, 'skipped', '0 passed, 0 failed, 1 skipped')

    def test_a_step_that_hangs(self) -> None:
        out = self.ends('sleep 100000 & timeout 90000 sleep 100000', 1, 'FAILED, hung', '0 passed, 1 failed, 0 skipped', timeout=0.5)
        self.assertIn('did not end within 0.5 seconds', out)
        self.assertIn('\nfailed: one (hung)\n', out)

    def test_a_step_that_leaves_a_process_behind(self) -> None:
        self.ends('sleep 100000 & echo done', 0, 'ok', '1 passed, 0 failed, 0 skipped')

    def test_nothing_is_left_running(self) -> None:
        os.environ['SGX2_MARK'] = mark = self.mark + '-left'
        self.one('sleep 100000 & timeout 90000 sleep 100000', timeout=0.5)
        self.one('sleep 100000 & echo done')
        self.assertEqual(marked(mark), [])

    def test_a_command_that_times_out(self) -> None:
        self.ends('exit 124', 1, 'FAILED, hung', '0 passed, 1 failed, 0 skipped')

    def test_a_command_that_cannot_be_run(self) -> None:
        self.ends('exec /dev/null', 1, 'FAILED, cannot be run', '0 passed, 1 failed, 0 skipped')

    def test_a_guest_that_panics(self) -> None:
        text = 'echo KTAP version 1; echo 1..3; echo ok 1 a; printf "ok 2"; echo tests/machine/run: the guest panicked: sysrq; exit 126'
        out = self.ends(text, 1, 'FAILED, the guest panicked', '1 passed, 1 failed, 0 skipped')
        self.assertIn('scripts/check: KTAP: 1 of 3 planned results are there\n', out)
        self.assertIn('\nfailed: one (the guest panicked)\n', out)

    def test_a_guest_that_hangs(self) -> None:
        self.ends('echo tests/machine/run: the command did not end within 5 seconds; exit 1', 1, 'FAILED, hung', '0 passed, 1 failed, 0 skipped')

    def test_ktap_that_is_cut_off_fails_though_the_status_is_0(self) -> None:
        self.ends('echo KTAP version 1; echo 1..2; echo ok 1 a', 1, 'FAILED', '1 passed, 1 failed, 0 skipped')

    def test_ktap_is_counted(self) -> None:
        self.ends('printf "KTAP version 1\\n1..3\\nok 1 a\\nok 2 b # SKIP\\nok 3 c\\n"', 0, 'ok', '2 passed, 0 failed, 1 skipped')

    def test_the_last_line_needs_no_newline(self) -> None:
        self.ends('printf "KTAP version 1\\n1..1\\nok 1 a"', 0, 'ok', '1 passed, 0 failed, 0 skipped')

    def test_ktap_that_fails_is_a_failure_whatever_the_status(self) -> None:
        self.ends('printf "KTAP version 1\\n1..2\\nok 1 a\\nnot ok 2 b\\n"', 1, 'FAILED', '1 passed, 1 failed, 0 skipped')

    def test_a_status_that_fails_is_a_failure_whatever_ktap_says(self) -> None:
        self.ends('printf "KTAP version 1\\n1..1\\nok 1 a\\n"; exit 1', 1, 'FAILED', '1 passed, 1 failed, 0 skipped')

    def test_progress_is_shown(self) -> None:
        out = self.ends('echo "  building it"; echo "   more"; echo "  10 %"', 0, 'ok', '1 passed, 0 failed, 0 skipped')
        self.assertEqual([line for line in out.splitlines() if line.startswith('  ')], ['  one: building it'])

    def test_steps_by_name_and_steps_of_the_full_check(self) -> None:
        steps = (check.Step('a', 'one', '/bin/true'), check.Step('b', 'another', '/bin/true', full=True),
                 check.Step('c', 'no such step', '/bin/false', needs='no/such/file'))
        self.assertIn('[1/1] a: ok', self.run_table(*steps)[1])
        self.assertIn('[1/1] b: ok', self.run_table(*steps, names=('b',))[1])
        os.environ['SGX2_FULL'] = '1'
        self.assertIn('[2/2] b: ok', self.run_table(*steps)[1])
        with self.assertRaisesRegex(SystemExit, 'no step d: see scripts/check --list'):
            self.run_table(*steps, names=('d',))
        with self.assertRaisesRegex(SystemExit, 'no test was run'):
            self.run_table(*steps, names=('c',))

    def test_two_steps_at_once_and_serial_steps_alone(self) -> None:
        # Each step of the pair waits for the other.
        both = 'touch {1}; while [ ! -e {2} ]; do sleep 0.05; done'
        here, there = f'{self.cache}/here', f'{self.cache}/there'
        alone = 'set -- $(ls ' + self.cache + '/busy* 2> /dev/null); [ $# = 0 ]'
        status, out = self.run_table(
            check.Step('a', 'one of a pair', shell(both.replace('{1}', here).replace('{2}', there)), timeout=600),
            check.Step('b', 'the other', shell(both.replace('{1}', there).replace('{2}', here)), timeout=600),
            check.Step('c', 'before', shell(f'touch {self.cache}/busy1; sleep 0.5; rm {self.cache}/busy1')),
            check.Step('d', 'alone', shell(f'{alone} && touch {self.cache}/busy2 && sleep 0.5 && rm {self.cache}/busy2'), serial=True),
            check.Step('e', 'after', shell(alone)))
        self.assertEqual(status, 0, out)
        self.assertEqual(out.splitlines()[-1], '5 passed, 0 failed, 0 skipped')

    def test_each_interrupt_ends_all_that_was_started(self) -> None:
        for number in check.INTERRUPTS:
            environment = {**os.environ, 'SGX2_MARK': f'{self.mark}-{number}'}
            process = subprocess.Popen([sys.executable, '-B', HERE, '--wait'], env=environment, stdout=subprocess.PIPE, text=True)
            assert process.stdout
            with process.stdout as out:
                # Until both steps run.
                seen = ''
                while 'first: first runs' not in seen or 'second: second runs' not in seen:
                    seen += out.readline()
                process.send_signal(number)
                self.assertEqual(process.wait(), 128 + number)
            self.assertEqual(marked(environment['SGX2_MARK']), [])

    def test_the_list_names_each_step_once(self) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(check.main(['--list']), 0)
        self.assertEqual([line.split()[0] for line in out.getvalue().splitlines()], [step.name for step in check.STEPS])
        self.assertEqual(len({step.name for step in check.STEPS}), len(check.STEPS))

    def test_each_step_has_a_body(self) -> None:
        for step in check.STEPS:
            name, body, *_ = shlex.split(step.command)
            self.assertIn(f'\nstep_{body.replace("-", "_")}()', (load.SCRIPTS / 'checks' / name).read_text(), step.name)


if __name__ == '__main__':
    if sys.argv[1:] == ['--wait']:
        # Short, since the second step ignores SIGTERM.
        check.GRACE = 1
        sys.exit(check.main([], WAITS, 'check-test'))
    unittest.main()
