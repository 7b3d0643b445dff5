# SPDX-License-Identifier: GPL-2.0
"""Compare what the driver offers with what the documents describe, and read the blocks of commands and code of documents.

Each function that checks takes the top of a tree and yields one line for each fault; scripts/check-docs calls all of them."""
from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import docs

UAPI = 'include/uapi/linux/sgx2.h'
SYSFS, PARAMETERS, EVENTS = '/sys/class/misc/sgx_enclave/', '/sys/module/sgx2/parameters/', '/sys/kernel/tracing/events/sgx2/'
FDINFO = '/proc/<pid>/fdinfo/<fd>: '
NODE = '/sys/devices/system/node/nodeX/x86/'
KINDS = ('host', 'stage', 'guest', 'full', 'debian', 'no')
# Files that run the blocks for debian.
DEBIAN = ('scripts/distro', 'tests/distro/guest')


def sources(top: Path) -> dict[str, str]:
    """Return the text of the driver's files by name."""
    return {path.name: path.read_text(encoding='utf-8') for path in sorted((top / 'driver').rglob('*.[ch]'))}


def offered(top: Path) -> dict[str, str]:
    """Return what the driver offers outside of its ioctls, by its name in Documentation/ABI, with the file that has it."""
    found = {}
    for file, text in sources(top).items():
        for name in re.findall(r'\bDEVICE_ATTR(?:_R[OW]|_WO|_ADMIN_R[OW])?\((\w+)', text):
            found[(NODE if file == 'node.c' else SYSFS) + name] = file
        for name in re.findall(r'\bmodule_param(?:_cb|_named|_call|_unsafe)?\(\s*(\w+)', text):
            found[PARAMETERS + name] = file
        for name in re.findall(r'\b(?:TRACE_EVENT\(|DEFINE_EVENT\(\s*\w+,)\s*(\w+)', text):
            found[EVENTS + name] = file
        for name in re.findall(r'"(sgx2-[a-z-]+):\\t', text):
            found[FDINFO + name] = file
        if table := re.search(r'sgx2_count_names\[\w*\] = \{(.*?)\};', text, re.S):
            for name in re.findall(r'= "([a-z-]+)"', table[1]):
                found[f'{FDINFO}sgx2-{name}'] = file
    return found


def abi(top: Path) -> Iterator[str]:
    """Report files, parameters, tracepoints and keys that Documentation/ABI lacks, or has and should not have."""
    entries = {entry['What']: entry for path in sorted((top / 'Documentation/ABI/testing').iterdir()) for entry in docs.entries(path)}
    here = offered(top)
    for name, file in here.items():
        if name not in entries:
            yield f'{file}: {name}: not documented: describe it in Documentation/ABI/testing'
    for name, entry in entries.items():
        if name not in here:
            yield f'Documentation/ABI/testing: {name}: the driver does not have it: remove the entry'
        for field in ('Date', 'KernelVersion', 'Contact', 'Description'):
            if not entry.get(field):
                yield f'Documentation/ABI/testing: {name}: no {field}'
    # Each field of a tracepoint is a word of its description.
    for event, body in re.findall(r'\bTRACE_EVENT\(\s*(\w+),(.*?)\n\);', sources(top).get('trace.h', ''), re.S):
        for field in re.findall(r'__field\([\w ]+, (\w+)\)', body):
            if not re.search(rf'\b{field}\b', entries.get(EVENTS + event, {}).get('Description', field)):
                yield f'trace.h: field {field} of {event}: not described in Documentation/ABI/testing'


def uapi(top: Path) -> Iterator[str]:
    """Report calls without a struct in kernel-doc or without a place in a guide, and members without a description."""
    text = (top / UAPI).read_text(encoding='utf-8')
    guides = ''.join((top / 'Documentation' / name).read_text(encoding='utf-8') for name in ('guide/runtime-authors.rst', 'edmm.rst'))
    comments = dict(re.findall(r'/\*\*\s*\* struct (\w+) - (.*?)\*/', text, re.S))
    for call in re.findall(r'^#define SGX_IOC_ENCLAVE_(\w+)', text, re.M):
        if f'sgx_enclave_{call.lower()}' not in comments:
            yield f'{UAPI}: SGX_IOC_ENCLAVE_{call}: no struct sgx_enclave_{call.lower()} has a kernel-doc comment'
        if f'SGX_IOC_ENCLAVE_{call}' not in guides:
            yield f'{UAPI}: SGX_IOC_ENCLAVE_{call}: not in the guides: add it to Documentation/guide/runtime-authors.rst'
    for struct, body in re.findall(r'^struct (\w+) \{(.*?)^\};', text, re.S | re.M):
        for member in re.findall(r'(\w+)(?:\[\w+\])?;', body):
            if not re.search(rf'^ \* @{member}:', comments.get(struct, ''), re.M):
                yield f'{UAPI}: struct {struct}: member {member} has no description'


def messages(top: Path, files: list[str]) -> dict[str, re.Pattern[str]]:
    """Return the messages that these files write to the log, with patterns for the words by which documents name them."""
    found = {}
    for name in files:
        text = (top / name).read_text(encoding='utf-8')
        strings = re.findall(r'\bpr_(?:emerg|alert|crit|err|warn|notice|info)(?:_once|_ratelimited)?\(\s*((?:"(?:\\.|[^"\\])*"\s*)+)', text)
        strings += re.findall(r'\[SGX2_\w+\] =\s*((?:"(?:\\.|[^"\\])*"\s*)+)', text)
        for string in strings:
            message = ''.join(re.findall(r'"((?:\\.|[^"\\])*)"', string)).replace('\\n', '')
            if re.search('[a-z] [a-z]', message):
                # The first parts of "object: problem: remedy" are enough.
                parts = [re.sub(r'^\\?\.\*\\? ', '', re.sub(r'(?:\\ \\\()?%(?:\\#|[-0-9.])*[a-z]+\)?|\\ \\\(error\\ .*?\\\)', '.*', re.escape(part))) for part in message.split(': ')]
                found[message] = re.compile(parts[0] + ''.join(f'(?:: {part}' for part in parts[1:]) + ')?' * len(parts[1:]))
    return found


def troubleshooting(top: Path, document: str) -> Iterator[str]:
    """Report messages of the driver that the marked tables of a document lack, and rows that no message matches."""
    text = (top / document).read_text(encoding='utf-8')
    end = r'\n\n' if document.endswith('.md') else r'\n\n\S'
    for mark in re.finditer(rf'^(?:<!-- |\.\. )messages: ([\w/. ]+?)(?: -->)?\n(.*?)(?={end}|\Z)', text, re.S | re.M):
        if mark[2].startswith('|'):
            rows = [line.split('|')[1].strip().replace('`', '') for line in mark[2].splitlines()[2:]]
        else:
            rows = [' '.join(row.split('\n      - ')[0].split()) for row in re.split(r'^    \* - ', mark[2], flags=re.M)[2:]]
        known = messages(top, mark[1].split())
        for message, pattern in known.items():
            if not any(pattern.fullmatch(row) for row in rows):
                yield f'{document}: no row for the message "{message}"'
        for row in rows:
            if not any(pattern.fullmatch(row) for pattern in known.values()):
                yield f'{document}: no message of {mark[1]} matches "{row}"'


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of commands or code in a document. The kind is one of KINDS, or empty if the document does not say."""
    document: str
    line: int
    language: str
    kind: str
    reason: str
    text: str


def blocks(top: Path, document: str) -> Iterator[Block]:
    """Yield the blocks of a document in Markdown or reStructuredText that have a language."""
    text = (top / document).read_text(encoding='utf-8')
    if document.endswith('.md'):
        pattern = r'(?:<!-- run: (?P<kind>\w+)(?:: (?P<why>[^\n]*?))? -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```\n'
    else:
        pattern = r'(?:^\.\. run: (?P<kind>\w+)(?:: (?P<why>[^\n]*))?\n)?^\.\. code-block:: (?P<language>\w+)\n\n(?P<text>(?:    [^\n]*\n|\n)+)'
    for found in re.finditer(pattern, text, re.S | re.M):
        line = text.count('\n', 0, found.start('text')) + 1
        yield Block(document, line, found['language'], found['kind'] or '', found['why'] or '', textwrap.dedent(found['text']).strip('\n') + '\n')


def guides(top: Path) -> list[str]:
    """Return the documents whose blocks are run: README.md and the guides."""
    return ['README.md', *sorted(str(path.relative_to(top)) for path in (top / 'Documentation/guide').glob('*.rst'))]


def marks(top: Path) -> Iterator[str]:
    """Report blocks of commands that do not say where they are run, or why not."""
    for document in guides(top):
        for block in blocks(top, document):
            where = f'{document}:{block.line}'
            if block.language not in ('sh', 'c', 'cpp'):
                yield f'{where}: language {block.language}: use sh, c, or a block without a language'
            elif block.language == 'sh' and block.kind not in KINDS:
                yield f'{where}: no comment "run:" with one of {", ".join(KINDS)}'
            elif (block.kind == 'no') != bool(block.reason):
                yield f'{where}: a reason is for "no" only, and needed there'
            elif block.kind == 'debian':
                for line in block.text.splitlines():
                    if not any(line in (top / name).read_text(encoding='utf-8') for name in DEBIAN):
                        yield f'{where}: neither {" nor ".join(DEBIAN)} runs "{line}"'
        text = (top / document).read_text(encoding='utf-8')
        if document.endswith('.md') and re.search(r'(?m)^(?: {4}|\t)\S', text):
            yield f'{document}: an indented block of code: use a fence with a language'


def faults(top: Path) -> Iterator[str]:
    """Yield all faults."""
    yield from abi(top)
    yield from uapi(top)
    yield from marks(top)
    for document in guides(top):
        yield from troubleshooting(top, document)
    # Each file with messages is in a table of the guide for administrators.
    listed = set(re.findall(r'driver/\w+\.c', ' '.join(re.findall(r'^\.\. messages: (.*)$', (top / 'Documentation/guide/administrators.rst').read_text(encoding='utf-8'), re.M))))
    for name in sources(top):
        if name.endswith('.c') and f'driver/{name}' not in listed and messages(top, [f'driver/{name}']):
            yield f'driver/{name}: its messages are in no table of Documentation/guide/administrators.rst'
