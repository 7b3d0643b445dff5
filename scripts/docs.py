# SPDX-License-Identifier: GPL-2.0
"""Read Documentation/ABI and kernel-doc, and render both as pages of the documentation site.

Used as a program by scripts/htmldocs: docs.py KERNEL_DOC FOLDER writes the pages uapi.rst, driver.rst and abi.rst."""
from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import rst

TOP = Path(__file__).resolve().parent.parent
ABI = TOP / 'Documentation/ABI/testing'
SPDX = '.. SPDX-License-Identifier: GPL-2.0\n'
# Files of Documentation/ABI/testing, as sections of the page.
SECTIONS = {
    'sysfs-class-misc-sgx_enclave': 'EPC in sysfs', 'sysfs-devices-node-sgx2': 'EPC of NUMA nodes', 'sysfs-module-sgx2': 'Parameters of the module',
    'procfs-fdinfo-sgx2': 'The state of an enclave in fdinfo', 'tracefs-sgx2': 'Tracepoints',
}
UAPI_INTRO = '''\
Programs include ``linux/sgx2.h`` for these calls, and ``asm/sgx.h`` for those that the kernel's own
driver has too. This page is made from the comments of ``include/uapi/linux/sgx2.h``.
:doc:`/guide/runtime-authors` has examples, :doc:`/errnos` each errno with its condition.
'''
DRIVER_INTRO = '''\
Functions and structures that more than one file of the driver uses, from their comments, in the
order of layers: a file calls only what is below it. :doc:`/design` states the reasons, and
:doc:`/locking` the rules for the locks that appear under *Context*.
'''
ABI_INTRO = '''\
Interfaces outside of the ioctls. This page is made from ``Documentation/ABI/testing``;
``scripts/check-docs`` fails if the driver has a file, a key, a parameter or a tracepoint that it
lacks.
'''


def entries(path: Path) -> Iterator[dict[str, str]]:
    """Yield the entries of a file in the format of the kernel's Documentation/ABI, each as a map from field to text."""
    for part in re.split(r'^(?=What:)', path.read_text(encoding='utf-8'), flags=re.M)[1:]:
        fields = re.split(r'^(\w+):[ \t]*', part, flags=re.M)[1:]
        yield {name: textwrap.dedent(text.expandtabs()).strip() for name, text in zip(fields[::2], fields[1::2])}


def interfaces() -> set[str]:
    """Return the names of all interfaces that Documentation/ABI describes."""
    return {entry['What'] for path in ABI.iterdir() for entry in entries(path)}


def abi() -> str:
    """Return the page of Documentation/ABI."""
    text = [SPDX, rst.heading('Files of sysfs, procfs and tracefs'), ABI_INTRO]
    for path in sorted(ABI.iterdir(), key=lambda p: list(SECTIONS).index(p.name)):
        text.append(rst.heading(SECTIONS[path.name], 1))
        for entry in entries(path):
            # An indented paragraph is an example.
            body = re.sub(r':\n\n(?=  )', '::\n\n', rst.escape(entry['Description']))
            text.append(f'``{entry["What"]}``\n\n{textwrap.indent(body, "    ")}\n')
            text.append(f'    *Since {entry["KernelVersion"]}.*\n')
    return '\n'.join(text)


def kernel_doc(program: str, path: Path) -> str:
    """Return what kernel-doc makes of the comments of a file, and fail if it has a warning."""
    version = subprocess.run([sys.executable, '-c', 'import sphinx; print(sphinx.__version__)'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    done = subprocess.run(['perl', program, '-rst', '-Wall', '-sphinx-version', version, str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    missing = re.compile(r'^.*: warning: no structured comments found$\n?', re.M)
    if left := missing.sub('', done.stderr).strip():
        sys.exit(left)
    return done.stdout


def uapi(program: str) -> str:
    """Return the page of the header for programs."""
    path = TOP / 'include/uapi/linux/sgx2.h'
    body = re.sub(r'^\.\. _.*:\n\n\*\*(.*)\*\*\n', lambda m: rst.heading(m[1], 1), kernel_doc(program, path), flags=re.M)
    head, first, rest = body.partition('.. c:struct::')
    numbers, rows = rst.heading('Numbers', 1), list[tuple[str, str, str]]()
    for line in [*path.read_text(encoding='utf-8').splitlines(), '/* */']:
        if found := re.match(r'#define (SGX\w+)\s+(.+?)\s*(?:/\*(.*)\*/)?$', line):
            rows.append((f'``{found[1]}``', f'``{found[2]}``', rst.escape((found[3] or '').strip())))
        elif comment := re.match(r'/\*(.*)\*/$', line):
            if rows:
                used = 3 if any(row[2] for row in rows) else 2
                numbers += '\n' + rst.table(('name', 'value', 'meaning')[:used], [row[:used] for row in rows])
            numbers += f'\n{rst.escape(comment[1].strip())}\n' if 'SPDX' not in line and 'The ioctls' not in line else '\nThe calls:\n' * ('The ioctls' in line)
            rows = []
    return '\n'.join([SPDX, rst.heading('The calls of sgx2'), UAPI_INTRO, head, rst.heading('Numbers', 1), numbers, rst.heading('Structures', 1), first + rest])


def driver(program: str) -> str:
    """Return the page of the driver, file by file in the order of scripts/layers."""
    text = [SPDX, rst.heading('Functions and structures of the driver'), DRIVER_INTRO]
    found = re.search(r"LAYERS = '''\n(.*?)'''", (TOP / 'scripts/layers').read_text(encoding='utf-8'), re.S)
    assert found
    for unit in found[1].split():
        parts = [kernel_doc(program, path) for suffix in ('.h', '.c') if (path := TOP / 'driver' / (unit + suffix)).exists()]
        if any(part.strip() for part in parts):
            header = TOP / f'driver/{unit}.h'
            summary = re.search(r'^/\*\s(.*?)\*/', header.read_text(encoding='utf-8').split('\n', 1)[1], re.S | re.M) if header.exists() else None
            text += [rst.heading(unit, 1), ' '.join(re.sub(r'^ \* ?', '', summary[1], flags=re.M).split()) + '\n' if summary else '', *parts]
    page = '\n'.join(text)
    # C has two name spaces, and Sphinx one.
    for name in re.findall(r'^\.\. c:struct:: (\w+)$', page, re.M):
        page = re.sub(rf'^\.\. c:function:: .*\b{name} \(.*\n(?:\n|   .*\n)*', lambda m: f'.. c:namespace-push:: f\n\n{m[0]}.. c:namespace-pop::\n\n', page, flags=re.M)
    return page


def main() -> None:
    program, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (('uapi', uapi(program)), ('driver', driver(program)), ('abi', abi())):
        (folder / f'{name}.rst').write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
