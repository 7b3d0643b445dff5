# SPDX-License-Identifier: GPL-2.0
"""The initramfs of a guest: busybox, the init, the kernel's own modules, the added folders and the libraries that they want."""
import gzip
import lzma
import os
import re
import stat
import subprocess
from typing import BinaryIO, Iterable, Iterator


class Problem(Exception):
    """Something the user can mend, said in one line."""


class Initramfs:
    """A cpio archive (newc) in memory. A later entry replaces an earlier entry of its path; parent folders are added."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[int, bytes, tuple[int, int]]] = {}

    def _put(self, path: str, mode: int, data: bytes = b'', rdev: tuple[int, int] = (0, 0)) -> None:
        path = os.path.normpath('/' + path).lstrip('/')
        if not path:
            return
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self._put(parent, stat.S_IFDIR | 0o755)
        self.entries[path] = (mode, data, rdev)

    def folder(self, path: str, mode: int = 0o755) -> None:
        self._put(path, stat.S_IFDIR | mode)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self._put(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        self._put(path, stat.S_IFLNK | 0o777, os.fsencode(target))

    def node(self, path: str, major: int, minor: int) -> None:
        self._put(path, stat.S_IFCHR | 0o600, b'', (major, minor))

    def copy(self, source: str, target: str) -> None:
        """A file, a link, or a folder with all that is in it."""
        try:
            info = os.lstat(source)
            if stat.S_ISLNK(info.st_mode):
                self.link(target, os.readlink(source))
            elif stat.S_ISDIR(info.st_mode):
                self.folder(target, stat.S_IMODE(info.st_mode))
                for name in sorted(os.listdir(source)):
                    self.copy(os.path.join(source, name), os.path.join(target, name))
            elif stat.S_ISREG(info.st_mode):
                with open(source, 'rb') as f:
                    self.file(target, f.read(), stat.S_IMODE(info.st_mode))
        except OSError as e:
            raise Problem(f'cannot put {source} into the guest: {e.strerror}') from e

    def busybox(self, path: str) -> None:
        """Busybox under each of its names; a name that the guest has from elsewhere is left alone."""
        self.copy(path, '/bin/busybox')
        names = subprocess.run([path, '--list-full'], check=True, capture_output=True, text=True).stdout.split()
        for name in names:
            if name.lstrip('/') not in self.entries:
                self.link('/' + name, '/bin/busybox')

    def libraries(self, roots: Iterable[str]) -> None:
        """The shared libraries, at their paths on the host, of each dynamic executable in the folders and files given."""
        wanted: set[str] = set()
        for root in roots:
            for path in _files(root):
                if _is_dynamic(path):
                    wanted |= _ldd(path)
        for path in sorted(wanted):
            if path.lstrip('/') not in self.entries:
                with open(path, 'rb') as f:
                    self.file(path, f.read(), 0o755)

    def write(self, path: str) -> None:
        with open(path, 'wb') as out:
            for number, (name, (mode, data, rdev)) in enumerate(sorted(self.entries.items()), 1):
                _record(out, number, name, mode, data, rdev)
            _record(out, 0, 'TRAILER!!!', 0, b'', (0, 0))


def _record(out: BinaryIO, number: int, name: str, mode: int, data: bytes, rdev: tuple[int, int]) -> None:
    raw = os.fsencode(name) + b'\0'
    fields = (number, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(raw), 0)
    head = b'070701' + b''.join(b'%08X' % f for f in fields) + raw
    out.write(head + b'\0' * (-len(head) % 4) + data + b'\0' * (-len(data) % 4))


def _files(root: str) -> Iterator[str]:
    if os.path.isfile(root):
        yield root
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def _is_dynamic(path: str) -> bool:
    """An ELF program that names an interpreter; an enclave image and a kernel module name none."""
    with open(path, 'rb') as f:
        head = f.read(64)
        if len(head) < 64 or head[:5] != b'\x7fELF\x02':
            return False
        start, size, count = (int.from_bytes(head[a:b], 'little') for a, b in ((32, 40), (54, 56), (56, 58)))
        f.seek(start)
        table = f.read(size * count)
    return any(table[i * size:i * size + 4] == b'\x03\0\0\0' for i in range(count))


def _ldd(path: str) -> set[str]:
    done = subprocess.run(['ldd', path], capture_output=True, text=True, check=False)
    missing = re.findall(r'^\s*(\S+) => not found', done.stdout, re.M)
    if missing:
        raise Problem(f'{path} wants {missing[0]}, which this host does not have')
    return set(re.findall(r'(?:=> |^\s*)(/\S+) \(0x', done.stdout, re.M))


class Modules:
    """The modules of a packaged kernel, found by name; dependencies are read from the modules themselves, since a package
    that was only unpacked has no modules.dep."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.paths: dict[str, str] = {}
        for root, _, names in os.walk(folder):
            for name in names:
                if re.search(r'\.ko(\.xz|\.gz)?$', name):
                    self.paths[_module_name(name)] = os.path.join(root, name)
        self.builtin: set[str] = set()
        builtin = os.path.join(folder, 'modules.builtin')
        if os.path.exists(builtin):
            with open(builtin, encoding='utf-8') as f:
                self.builtin = {_module_name(line.strip()) for line in f}

    def closure(self, wanted: Iterable[str]) -> list[tuple[str, bytes]]:
        """(name, content) of each module, what it depends on first."""
        done: dict[str, bytes] = {}

        def visit(name: str) -> None:
            name = name.replace('-', '_')
            if name in done or name in self.builtin:
                return
            if name not in self.paths:
                raise Problem(f'the kernel has no module {name} ({self.folder})')
            data = _uncompressed(self.paths[name])
            found = re.search(rb'(?:^|\0)depends=([^\0]*)\0', data)
            for other in (found.group(1).decode().split(',') if found else ()):
                if other:
                    visit(other)
            done[name] = data

        for name in wanted:
            visit(name)
        return list(done.items())


def _module_name(path: str) -> str:
    return re.sub(r'\.ko(\.xz|\.gz)?$', '', os.path.basename(path)).replace('-', '_')


def _uncompressed(path: str) -> bytes:
    with open(path, 'rb') as f:
        data = f.read()
    suffix = os.path.splitext(path)[1]
    return lzma.decompress(data) if suffix == '.xz' else gzip.decompress(data) if suffix == '.gz' else data
