# SPDX-License-Identifier: GPL-2.0
"""Boots a guest of the SGX2 machine, runs one command there, streams what it prints and ends with its exit status."""
import argparse
import ctypes
import fcntl
import json
import os
import re
import secrets
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from types import FrameType
from typing import Any, BinaryIO, NoReturn, Optional

from initramfs import Initramfs, Modules, Problem

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

USAGE, SETUP, NO_BOOT, NO_VERDICT, TIMEOUT, NO_EPC, PANIC = 120, 121, 122, 123, 124, 125, 126

CODES = """\
exit status:
  the command's own (128 + N if signal N ended it, 127 if there is no such command), or
  120  wrong options
  121  setup failed: something could not be built, fetched or started, or the driver is not there
  122  the kernel did not boot: not a kernel, truncated, or no init in time
  123  the guest ended without a verdict, or the --qmp-script failed
  124  the command did not end in time
  125  the machine has no EPC
  126  the guest's kernel panicked; a warning counts (panic_on_warn), and what lockdep and other watchers print
"""

# Kernels that scripts/build-kernel makes.
BUILT = ('lab', 'debug', 'kcsan', 'gcov', 'next')

# Files of --secure-boot.
SIGNED = ('code.fd', 'vars.fd', 'shimx64.efi', 'grubx64.efi')

# Lines that a kernel prints when it fails, the most specific first.
TROUBLE = re.compile(r'BUG: |WARNING: |Oops|general protection fault|Kernel panic|UBSAN: |KASAN: |unable to handle|RIP: 0010')

# Reports without a panic, in spite of panic_on_warn: lockdep, sleeping while atomic, stalls, hung tasks.
COMPLAINT = re.compile(r'^(WARNING: (?!CPU: )|BUG: |INFO: (possible|task |rcu)|rcu: INFO: )', re.IGNORECASE)


class Ended(Exception):
    """The run is over and this is its exit status; a text is the one line to say."""

    def __init__(self, status: int, text: str = '') -> None:
        super().__init__(text)
        self.status = status


class Options(argparse.Namespace):
    """The options of one run."""
    kernel: str
    modules: Optional[str]
    root: Optional[str]
    secure_boot: Optional[str]
    driver: str
    ko: Optional[str]
    param: list[str]
    smp: int
    mem: str
    numa: int
    epc: Optional[list[str]]
    no_monitor: bool
    icount: bool
    add: list[str]
    cwd: str
    env: list[str]
    append: list[str]
    cpu: Optional[str]
    qemu: Optional[str]
    qemu_arg: list[str]
    timeout: float
    boot_timeout: float
    qmp: Optional[str]
    qmp_script: Optional[str]
    console: Optional[str]
    interactive: bool
    keep: bool
    verbose: bool
    command: list[str]
    sections: list[tuple[int, int]]  # bytes and node of each EPC section, from --epc


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Ended(USAGE, f'{message} (see --help)')


def parse(argv: list[str]) -> Options:
    p = Parser(prog='tests/machine/run', usage='tests/machine/run [option...] -- COMMAND...', epilog=CODES,
               formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__, allow_abbrev=False)
    p.add_argument('--kernel', default='lab', metavar='stock|lab|debug|kcsan|gcov|next|FILE',
                   help="Debian 12's image, ours, ours with KASAN and lockdep, with KCSAN, with coverage, the newest Linux, or a bzImage (lab)")
    p.add_argument('--modules', metavar='DIR', help='lib/modules/VERSION of a --kernel FILE whose virtio is modular')
    p.add_argument('--root', metavar='FILE', help="an ext4 image of a distribution: its systemd starts, and runs the command as a service; "
                   'what the guest writes is discarded. --driver none then boots with nosgx and loads nothing')
    p.add_argument('--secure-boot', metavar='DIR', help='let the firmware of this folder start a signed --kernel FILE: it has code.fd and vars.fd of OVMF, '
                   'shimx64.efi and grubx64.efi')
    p.add_argument('--driver', default='intree', choices=('intree', 'sgx2', 'none'),
                   help="the driver that owns the EPC: the kernel's, sgx2, or none; the last two boot with nosgx (intree)")
    p.add_argument('--ko', metavar='FILE', help='this sgx2.ko instead of one built from the tree; a --kernel FILE wants it')
    p.add_argument('--param', action='append', default=[], metavar='NAME=VALUE', help='parameter of the module, repeatable')
    p.add_argument('--smp', type=int, default=1, metavar='N', help='vCPUs (1)')
    p.add_argument('--mem', default='1G', metavar='SIZE', help='memory beside the EPC (1G)')
    p.add_argument('--numa', type=int, default=1, metavar='N', help='NUMA nodes, memory and vCPUs divided evenly (1)')
    p.add_argument('--epc', action='append', metavar='SIZE[@NODE]', help='an EPC section, repeatable; 0 for none (32M)')
    p.add_argument('--no-monitor', action='store_true', help='without the device that shows counters and the EPCM, as silicon is')
    p.add_argument('--icount', action='store_true', help='count instructions: deterministic time, single-threaded TCG')
    p.add_argument('--add', action='append', default=[], metavar='PATH[:TARGET]',
                   help='put a folder or file into the guest, at /add/NAME or TARGET, with the libraries its programs want')
    p.add_argument('--cwd', default='/', metavar='DIR', help='folder of the guest in which the command starts (/)')
    p.add_argument('--env', action='append', default=[], metavar='NAME=VALUE', help='for the command, repeatable')
    p.add_argument('--append', action='append', default=[], metavar='WORDS', help='more for the kernel command line')
    p.add_argument('--cpu', metavar='MODEL', help="instead of the sgx2 CPU model; ',+x,-y' alone adds to it")
    p.add_argument('--qemu', metavar='DIR', default=os.environ.get('SGX2_QEMU'), help='a folder with qemu-system-x86_64 and firmware instead of the cached build, as is $SGX2_QEMU')
    p.add_argument('--qemu-arg', action='append', default=[], metavar='WORD', help='one more word for QEMU, repeatable')
    p.add_argument('--timeout', type=float, default=900, metavar='SECONDS', help='for the command, from init on (900)')
    p.add_argument('--boot-timeout', type=float, default=300, metavar='SECONDS', help='for the kernel to reach init (300)')
    p.add_argument('--qmp', metavar='PATH', help='serve QMP on this socket')
    p.add_argument('--qmp-script', metavar='FILE',
                   help='start this program at init with the QMP socket as its argument; QEMU stays until it ends')
    p.add_argument('--console', metavar='FILE', help="keep the guest's console there")
    p.add_argument('--interactive', action='store_true', help='a shell, or the command, on this terminal; no time limit')
    p.add_argument('--keep', action='store_true', help='keep the initramfs and the console, and say where')
    p.add_argument('-v', '--verbose', action='store_true', help="say what is done and show the guest's console")
    p.add_argument('command', nargs='*', metavar='COMMAND')
    args, rest = argv, list[str]()
    if '--' in argv:
        at = argv.index('--')
        args, rest = argv[:at], argv[at + 1:]
    opt = p.parse_args(args, namespace=Options())
    if opt.command:
        raise Ended(USAGE, f'"{opt.command[0]}": the command comes after -- (see --help)')
    opt.command = rest or (['/bin/sh', '-l'] if opt.interactive else [])
    check(opt)
    return opt


def size(text: str) -> Optional[int]:
    """Bytes of 32M and the like, or None."""
    m = re.fullmatch(r'(\d+)([KMG]?)', text, re.I)
    return int(m.group(1)) << {'': 0, 'K': 10, 'M': 20, 'G': 30}[m.group(2).upper()] if m else None


def check(opt: Options) -> None:
    """Options that argparse lets pass and the machine would not."""
    def bad(text: str) -> NoReturn:
        raise Ended(USAGE, text)

    if not opt.command:
        bad('no command: put it after --')
    if not 1 <= opt.smp <= 64:
        bad(f'--smp {opt.smp}: 1 to 64')
    if not 1 <= opt.numa <= 8 or opt.smp < opt.numa:
        bad(f'--numa {opt.numa}: 1 to 8, and a vCPU for each node')
    if (size(opt.mem) or 0) < 64 << 20:
        bad(f'--mem {opt.mem}: a size of 64M or more')
    if opt.timeout <= 0 or opt.boot_timeout <= 0:
        bad('a time limit must be more than 0 seconds')
    opt.sections = []
    for text in opt.epc or (['32M'] if opt.epc is None else []):
        length, _, number = text.partition('@')
        amount, node = size(length), int(number) if number.isdigit() else None if number else 0
        if amount is None or node is None or amount % 4096:
            bad(f'--epc {text}: a size in whole pages, and @ with the number of a node if wanted')
        if node >= opt.numa:
            bad(f'--epc {text}: there is no node {node} without --numa {node + 1}')
        if amount:
            opt.sections.append((amount, node))
    for text in opt.add:
        if not os.path.lexists(text.partition(':')[0]):
            bad(f'--add {text}: no such file or folder')
    for text in opt.env:
        if '=' not in text:
            bad(f'--env {text}: NAME=VALUE')
    for text in opt.param:
        if '=' not in text:
            bad(f'--param {text}: NAME=VALUE')
    if opt.driver == 'sgx2' and opt.kernel not in (*BUILT, 'stock') and not opt.ko:
        bad('--driver sgx2 with a kernel of yours wants --ko')
    if opt.ko and not os.path.isfile(opt.ko):
        bad(f'--ko {opt.ko}: no such file')
    if opt.root and not os.path.isfile(opt.root):
        bad(f'--root {opt.root}: no such file')
    for name in SIGNED if opt.secure_boot else ():
        if not os.path.isfile(os.path.join(opt.secure_boot or '', name)):
            bad(f'--secure-boot {opt.secure_boot}: no file {name}')
    if opt.root and (opt.driver == 'sgx2' or opt.add):
        bad('--root with --driver sgx2 or --add: the module and all files must be in the image')
    if opt.qmp_script and not os.access(opt.qmp_script, os.X_OK):
        bad(f'--qmp-script {opt.qmp_script}: no such program')
    if opt.interactive and not sys.stdin.isatty():
        bad('--interactive wants a terminal on standard input')


def script(*words: str) -> str:
    """The path that one of our build scripts prints; it shows its own progress."""
    done = subprocess.run([os.path.join(TOP, 'scripts', words[0]), *words[1:]], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise Ended(SETUP, f'{" ".join(words)} failed')
    return done.stdout.strip().splitlines()[-1]


class Kernel:
    """A kernel image, and the modules without which it has no virtio port."""

    def __init__(self, opt: Options) -> None:
        self.modules: Optional[Modules] = None
        if opt.kernel in BUILT:
            self.image = os.path.join(script('build-kernel', opt.kernel), 'bzImage')
        elif opt.kernel == 'stock':
            folder = script('fetch', 'stock')
            self.image = os.path.join(folder, 'vmlinux')
            self.modules = Modules(glob_one(os.path.join(folder, 'lib/modules'), ''))
        else:
            self.image = opt.kernel
            if opt.modules:
                self.modules = Modules(opt.modules)
        self.check()

    def check(self) -> None:
        """Both formats say how long they are: an ELF file ends in its section table, for bzImage see "syssize" in Linux's
        Documentation/arch/x86/boot.rst."""
        try:
            with open(self.image, 'rb') as f:
                head = f.read(0x260)
                length = os.fstat(f.fileno()).st_size
        except OSError as e:
            raise Ended(USAGE, f'--kernel {self.image}: {e.strerror}') from e
        if head[:6] == b'\x7fELF\x02\x01':
            wanted = int.from_bytes(head[40:48], 'little') + int.from_bytes(head[58:60], 'little') * int.from_bytes(head[60:62], 'little')
        elif head[0x202:0x206] == b'HdrS':
            wanted = ((head[0x1f1] or 4) + 1) * 512 + int.from_bytes(head[0x1f4:0x1f8], 'little') * 16
        else:
            raise Ended(NO_BOOT, f'{self.image} is not a bootable Linux kernel (bzImage, or vmlinux with PVH)')
        if length < wanted:
            raise Ended(NO_BOOT, f'{self.image} is truncated: {length} of at least {wanted} bytes')


def glob_one(folder: str, prefix: str) -> str:
    names = [n for n in os.listdir(folder) if n.startswith(prefix)]
    if len(names) != 1:
        raise Ended(SETUP, f'{folder} should hold one {prefix}* and holds {len(names)}')
    return os.path.join(folder, names[0])


def build_initramfs(opt: Options, kernel: Kernel, token: str, path: str) -> None:
    fs = Initramfs()
    for name in ('dev', 'proc', 'sys', 'tmp', 'run', 'root', 'job', 'add', 'etc'):
        fs.folder(name)
    fs.node('dev/console', 5, 1)
    fs.node('dev/null', 1, 3)
    fs.copy(os.path.join(script('build-guest'), 'init'), 'init')
    fs.file('etc/passwd', b'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n')
    fs.file('etc/group', b'root:x:0:\nnogroup:x:65534:\n')
    added = []
    for text in opt.add:
        source, _, target = text.partition(':')
        source = os.path.realpath(source)
        fs.copy(source, target or '/add/' + os.path.basename(source))
        added.append(source)
    fs.libraries(added)
    if not opt.root:
        fs.busybox(script('fetch', 'busybox'))

    modules = []
    if kernel.modules:
        wanted = ['virtio_pci', 'virtio_console']
        if opt.root:
            # ext4 asks for crc32c by a name that no dependency states.
            wanted += ['virtio_blk', 'ext4'] + [name for name in ('crc32c_generic',) if name in kernel.modules.paths]
        for name, data in kernel.modules.closure(wanted):
            fs.file(f'lib/modules/{name}.ko', data)
            modules.append(f'/lib/modules/{name}.ko')
        # Init does not load this one: a test that makes up machine checks does.
        if 'mce_inject' in kernel.modules.paths:
            fs.file('lib/modules/mce_inject.ko', dict(kernel.modules.closure(['mce_inject']))['mce_inject'])
    drivers = []
    if opt.driver == 'sgx2':
        ko = opt.ko or script('build-driver', opt.kernel)
        fs.copy(ko, 'lib/modules/sgx2.ko')
        drivers.append('/lib/modules/sgx2.ko')
    env = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root', 'TERM': os.environ.get('TERM', 'dumb')}
    env.update((name, value) for name, _, value in (text.partition('=') for text in opt.env))
    job: dict[str, str | list[str]] = {
        'param': ' '.join(opt.param), 'argv': opt.command, 'env': [f'{k}={v}' for k, v in env.items()], 'modules': modules, 'drivers': drivers,
        'token': token, 'cwd': opt.cwd, 'root': '/dev/vda' if opt.root else '', 'want': '' if opt.driver == 'none' else 'epc',
        'mode': 'console' if opt.interactive else 'port',
    }
    for name, value in job.items():
        content = value if isinstance(value, str) else ''.join(v + '\0' for v in value)
        fs.file('job/' + name, os.fsencode(content), 0o600)
    fs.write(path)


def build_boot_disk(opt: Options, kernel: Kernel, initrd: str, path: str) -> None:
    """Make a FAT file system from which firmware starts shim, shim GRUB, and GRUB the kernel."""
    folder = opt.secure_boot or ''
    config = f'linux /vmlinuz {Machine.cmdline(opt)}\ninitrd /initrd\nboot\n'
    with open(path + '.cfg', 'w', encoding='ascii') as f:
        f.write(config)
    files = {'EFI/BOOT/BOOTX64.EFI': os.path.join(folder, 'shimx64.efi'), 'EFI/BOOT/grubx64.efi': os.path.join(folder, 'grubx64.efi'),
             'EFI/debian/grub.cfg': path + '.cfg', 'vmlinuz': kernel.image, 'initrd': initrd}
    sectors = sum(os.path.getsize(name) for name in files.values()) // 512 + 16384
    with open(path, 'wb') as f:
        f.truncate(sectors * 512)
    try:
        subprocess.run(['mformat', '-i', path, '-h', '16', '-s', '63', '-T', str(sectors), '::'], check=True)
        subprocess.run(['mmd', '-i', path, '::/EFI', '::/EFI/BOOT', '::/EFI/debian'], check=True)
        for name, source in files.items():
            subprocess.run(['mcopy', '-i', path, source, f'::/{name}'], check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise Ended(SETUP, f'--secure-boot: mtools: {e}') from e


class Machine:
    """QEMU's folder, and what this QEMU can do."""

    def __init__(self, opt: Options) -> None:
        self.folder = opt.qemu or script('build-qemu')
        self.program = os.path.join(self.folder, 'qemu-system-x86_64')
        try:
            models = subprocess.run([self.program, '-cpu', 'help'], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError) as e:
            raise Ended(SETUP, f'{self.program} does not run: {e}') from e
        self.sgx2 = bool(re.search(r'^\s*(?:x86 )?sgx2\b', models, re.M))
        if not self.sgx2:
            if opt.driver != 'none' or opt.epc:
                raise Ended(NO_EPC, 'machine has no EPC: this QEMU has no CPU model named sgx2')
            opt.sections = []
        if opt.driver != 'none' and not opt.sections:
            raise Ended(NO_EPC, f'machine has no EPC: --driver {opt.driver} wants a section, and --epc says none')

    def words(self, opt: Options, kernel: Kernel, initrd: str, ports: dict[str, int]) -> list[str]:
        """QEMU's command line; ports are the file descriptors of its ends of our pipes, by name."""
        model = 'sgx2' if self.sgx2 else 'max'
        if opt.cpu:
            model = model + opt.cpu if opt.cpu.startswith(',') else opt.cpu
        machine, megabytes = 'q35', (size(opt.mem) or 0) >> 20
        # The kernel warns, and so panics, about cores of one socket on different nodes.
        smp = f'{opt.smp}' if opt.numa == 1 else f'{opt.smp},sockets={opt.numa if opt.smp % opt.numa == 0 else opt.smp}'
        words = [self.program, '-L', self.folder, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
                 '-cpu', model, '-smp', smp, '-m', f'{megabytes}M']
        if opt.secure_boot:
            machine += ',smm=on'
            words += ['-global', 'driver=cfi.pflash01,property=secure,value=on']
            for unit, name, more in ((0, 'code.fd', 'readonly=on'), (1, 'vars.fd', 'snapshot=on')):
                words += ['-drive', f'if=pflash,unit={unit},format=raw,{more},file={os.path.join(opt.secure_boot, name)}']
        else:
            words += ['-kernel', kernel.image, '-initrd', initrd, '-append', self.cmdline(opt)]
        if opt.icount:
            # Nor may the host's clock or randomness show through: the same run every time.
            words += ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-seed', '1',
                      '-rtc', 'base=2026-01-01T00:00:00,clock=vm']
        else:
            words += ['-accel', 'tcg,thread=multi']
        if opt.numa > 1:
            share = megabytes // opt.numa
            for node in range(opt.numa):
                amount = megabytes - share * (opt.numa - 1) if node == 0 else share
                first, last = opt.smp * node // opt.numa, opt.smp * (node + 1) // opt.numa - 1
                words += ['-object', f'memory-backend-ram,id=ram{node},size={amount}M',
                          '-numa', f'node,nodeid={node},memdev=ram{node},cpus={first}-{last}']
        for number, (amount, node) in enumerate(opt.sections):
            words += ['-object', f'memory-backend-epc,id=epc{number},size={amount}']
            machine += f',sgx-epc.{number}.memdev=epc{number},sgx-epc.{number}.node={node}'
        if opt.sections and not opt.no_monitor:
            words += ['-device', 'sgx2-monitor']
        words += ['-M', machine, '-device', 'virtio-serial-pci']
        for name in ('verdict', 'output'):
            words += ['-chardev', f'file,id={name},path=/dev/fd/{ports[name]}', '-device', f'virtserialport,chardev={name},name=sgx2.{name}']
        if opt.interactive:
            words += ['-chardev', 'stdio,id=console,signal=off,mux=on', '-mon', 'chardev=console,mode=readline']
        else:
            words += ['-chardev', f'file,id=console,path=/dev/fd/{ports["console"]}']
        if opt.root:
            words += ['-drive', f'file={opt.root},format=raw,if=none,id=root,snapshot=on', '-device', 'virtio-blk-pci,drive=root']
        if opt.secure_boot:
            words += ['-drive', f'file={initrd}.disk,format=raw,if=none,id=boot', '-device', 'virtio-blk-pci,drive=boot,bootindex=0']
        words += ['-serial', 'chardev:console']
        if opt.qmp:
            words += ['-qmp', f'unix:{opt.qmp},server=on,wait=off']
        if opt.qmp_script:
            words += ['-qmp', f'unix:{initrd}.qmp,server=on,wait=off', '-no-shutdown']
        return words + opt.qemu_arg

    @staticmethod
    def cmdline(opt: Options) -> str:
        # The early console is for what goes wrong while the kernel unpacks itself.
        words = ['console=ttyS0', 'earlyprintk=ttyS0,115200', 'panic=-1', 'oops=panic', 'panic_on_warn=1', 'nokaslr', 'random.trust_cpu=on']
        if opt.driver != 'intree':
            words.append('nosgx')
        if opt.icount:
            # The kernel's calibration of this timer reads the TSC in a loop for half a minute of host time, and fails.
            words.append('nolapic_timer')
        if opt.interactive:
            words.append('loglevel=4')
        return ' '.join(words + opt.append)


class Run:
    """One guest, from start to verdict."""

    def __init__(self, opt: Options, folder: str, token: str) -> None:
        self.opt, self.folder, self.token = opt, folder, token
        self.qemu: Optional[subprocess.Popen[bytes]] = None
        self.helper: Optional[subprocess.Popen[bytes]] = None
        self.selector = selectors.DefaultSelector()
        self.open: set[str] = set()
        self.verdict: Optional[dict[str, Any]] = None
        self.begin = 0.0
        self.booted: Optional[float] = None
        self.console = b''
        self.console_file: Optional[BinaryIO] = None
        self.trouble_at: Optional[float] = None
        self.pending = b''

    def start(self, machine: Machine, kernel: Kernel, initrd: str) -> None:
        names = ['verdict', 'output'] + ([] if self.opt.interactive else ['console'])
        pairs = {name: os.pipe() for name in names}
        for _, theirs in pairs.values():
            # Room for bursts of output: if QEMU had to wait for the runner, it would interrupt the guest.
            fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 1 << 20)
        fds = {name: theirs for name, (_, theirs) in pairs.items()}
        words = machine.words(self.opt, kernel, initrd, fds)
        if self.opt.verbose:
            note(' '.join(shlex.quote(w) for w in words))
        with open(os.path.join(self.folder, 'qemu.err'), 'wb') as err:
            self.begin = time.monotonic()
            self.qemu = subprocess.Popen(words, stdin=None if self.opt.interactive else subprocess.DEVNULL,
                                         stdout=None if self.opt.interactive else subprocess.DEVNULL, stderr=err,
                                         pass_fds=tuple(fds.values()), preexec_fn=die_with_parent)
        for name, (ours, theirs) in pairs.items():
            os.close(theirs)
            os.set_blocking(ours, False)
            self.selector.register(ours, selectors.EVENT_READ, name)
            self.open.add(name)
        self.console_file = open(self.opt.console or os.path.join(self.folder, 'console'), 'wb')

    def loop(self) -> None:
        while self.open:
            for key, _ in self.selector.select(self.wait_time()):
                try:
                    data = os.read(key.fd, 65536)
                except BlockingIOError:
                    continue
                if data:
                    getattr(self, 'got_' + key.data)(data)
                else:
                    self.selector.unregister(key.fileobj)
                    os.close(key.fd)
                    self.open.discard(key.data)
            if self.done():
                break
        self.finish()

    def deadline(self) -> Optional[float]:
        if self.opt.interactive:
            return None
        return self.booted + self.opt.timeout if self.booted else self.begin + self.opt.boot_timeout

    def wait_time(self) -> Optional[float]:
        limits = [t for t in (self.deadline(), self.trouble_at and self.trouble_at + 2) if t]
        wait = max(0, min(limits) - time.monotonic()) if limits else None
        return 0.2 if self.helper else wait

    def done(self) -> bool:
        """Ends the loop, or the run, when no more output is expected."""
        now = time.monotonic()
        if self.trouble_at and now >= self.trouble_at + 2:
            return True
        if self.helper and self.helper.poll() is not None and self.verdict:
            return True
        limit = self.deadline()
        if limit and now >= limit and not (self.verdict and not self.helper):
            if not self.booted:
                raise Ended(NO_BOOT, f'the kernel did not reach init within {self.opt.boot_timeout:g} seconds; '
                            f'its last words: {self.last_words()}')
            raise Ended(TIMEOUT, f'the command did not end within {self.opt.timeout:g} seconds: {shlex.join(self.opt.command)}')
        return False

    def got_output(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def got_console(self, data: bytes) -> None:
        assert self.console_file
        self.console_file.write(data)
        self.console_file.flush()
        self.console += data
        if self.opt.verbose:
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()
        tail = self.console[-len(data) - 64:]
        # The decompressor halts the CPU, and a panic may not reach the reset.
        if not self.trouble_at and (b'-- System halted' in tail or b'Kernel panic' in tail or b'end Kernel panic' in tail):
            self.trouble_at = time.monotonic()

    def got_verdict(self, data: bytes) -> None:
        self.pending += data
        *lines, self.pending = self.pending.split(b'\n')
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if not isinstance(message, dict) or message.get('token') != self.token:
                continue
            if message.get('at') == 'init' and not self.booted:
                self.booted = time.monotonic()
                if self.opt.verbose:
                    # With --icount a cycle of the TSC is an instruction.
                    note(f'init after {self.booted - self.begin:.1f} s, {message.get("tsc", 0) // 1000000} million cycles of the TSC')
                if self.opt.qmp_script:
                    self.helper = subprocess.Popen([self.opt.qmp_script, os.path.join(self.folder, 'initrd.qmp')],
                                                   stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
            elif message.get('at') == 'end' and not self.verdict:
                self.verdict = message

    def finish(self) -> NoReturn:
        """Turns what was seen into the end of the run."""
        text = self.console.decode('utf-8', 'replace')
        if 'Kernel panic' in text:
            seen = [clean(line) for line in text.splitlines() if TROUBLE.search(line)]
            raise Ended(PANIC, 'the guest panicked: ' + ' | '.join(dict.fromkeys(seen[:3])))
        if '-- System halted' in text and not self.booted:
            raise Ended(NO_BOOT, f'the kernel does not unpack itself: {self.last_words("System halted")}')
        if not self.verdict:
            with open(os.path.join(self.folder, 'qemu.err'), encoding='utf-8', errors='replace') as f:
                said = f.read().strip().splitlines()
            if not self.console and not self.booted and said:
                status = NO_BOOT if 'kernel' in said[-1] else SETUP
                raise Ended(status, f'QEMU would not start: {said[-1]}')
            if self.opt.interactive and self.booted and self.qemu and self.qemu.wait(timeout=10) == 0:
                # The user has shut down the guest, and has seen its output.
                raise Ended(0)
            where = 'before it reached init' if not self.booted else 'without a verdict'
            raise Ended(NO_VERDICT if self.booted else NO_BOOT, f'the guest ended {where}; its last words: {self.last_words()}')
        if self.helper and self.helper.wait(timeout=self.opt.timeout) != 0:
            raise Ended(NO_VERDICT, f'{self.opt.qmp_script} failed with status {self.helper.returncode}')
        error = self.verdict.get('error')
        if error == 'no-epc':
            said = [clean(line) for line in text.splitlines() if 'sgx' in line and 'Command line' not in line and 'command line' not in line]
            raise Ended(NO_EPC, 'machine has no EPC: /dev/sgx_enclave did not appear'
                        + (f'; the kernel says: {said[-1]}' if said else ' and the kernel says nothing of SGX'))
        if error:
            said = [clean(line) for line in text.splitlines() if 'sgx2: ' in line and 'out-of-tree' not in line]
            raise Ended(SETUP, f'the driver did not load; the kernel says: {said[-1] if said else self.last_words()}')
        said = [line for line in map(clean, text.splitlines()) if COMPLAINT.match(line)]
        if said:
            raise Ended(PANIC, "the guest's kernel complained: " + ' | '.join(dict.fromkeys(said[:3])))
        if 'signal' in self.verdict:
            number = self.verdict['signal']
            raise Ended(128 + number, f'the command was ended by signal {number}')
        raise Ended(self.verdict['status'])

    def last_words(self, part: str = '') -> str:
        lines = [clean(line) for line in self.console.decode('utf-8', 'replace').splitlines()]
        lines = [line for line in lines if line and part in line]
        return lines[-1] if lines else 'none'

    def stop(self) -> None:
        """Leaves nothing behind: only what this run started, by its process."""
        for process in (self.helper, self.qemu):
            if process and process.poll() is None:
                process.kill()
            if process:
                process.wait()
        for key in list(self.selector.get_map().values()):
            os.close(key.fd)
        if self.console_file:
            self.console_file.close()
        if self.qemu and self.opt.qmp and os.path.exists(self.opt.qmp):
            os.unlink(self.opt.qmp)


def clean(line: str) -> str:
    """A console line without its time stamp and control characters."""
    line = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]|\x1bc|[\x00-\x08\x0b-\x1f]', '', line)
    return re.sub(r'^\s*\[\s*\d+\.\d+\](\[[^]]*\])?\s*', '', line).strip()


def note(text: str) -> None:
    print(f'run: {text}', file=sys.stderr, flush=True)


def die_with_parent() -> None:
    """Even a runner that is killed outright leaves no QEMU behind: PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def guest(opt: Options) -> None:
    machine = Machine(opt)
    kernel = Kernel(opt)
    folder = tempfile.mkdtemp(prefix='sgx2-run-')
    saved = termios.tcgetattr(sys.stdin) if opt.interactive else None
    token = secrets.token_hex(16)
    run = Run(opt, folder, token)
    try:
        initrd = os.path.join(folder, 'initrd')
        build_initramfs(opt, kernel, token, initrd)
        if opt.secure_boot:
            build_boot_disk(opt, kernel, initrd, initrd + '.disk')
        run.start(machine, kernel, initrd)
        run.loop()
    finally:
        run.stop()
        if saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
        if opt.keep:
            note(f'kept in {folder}')
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    def stop(number: int, _: Optional[FrameType]) -> NoReturn:
        raise Ended(128 + number, f'stopped by {signal.Signals(number).name}')

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        guest(parse(sys.argv[1:]))
    except Ended as end:
        if str(end):
            print(f'tests/machine/run: {end}', file=sys.stderr)
        return end.status
    except Problem as e:
        print(f'tests/machine/run: {e}', file=sys.stderr)
        return SETUP
    return SETUP


if __name__ == '__main__':
    sys.exit(main())
