# SPDX-License-Identifier: GPL-2.0
"""Tests of scripts/documented.py and scripts/run-docs: each interface without a description and each command that fails is reported."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / 'scripts'))
import documented  # noqa: E402


class Undocumented(unittest.TestCase):
    """A copy of the driver and of the documents, to which each test adds something, or from which it removes something."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.top = pathlib.Path(self.folder.name)
        for name in ('driver', 'include', 'Documentation'):
            shutil.copytree(TOP / name, self.top / name)
        shutil.copy(TOP / 'README.md', self.top)
        for name in documented.DEBIAN:
            (self.top / name).parent.mkdir(parents=True)
            shutil.copy(TOP / name, self.top / name)

    def change(self, name, old, new):
        path = self.top / name
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1))

    def append(self, name, text):
        with open(self.top / name, 'a', encoding='utf-8') as f:
            f.write(text)

    def reports(self, *words):
        """Require that there is exactly one fault, and that it names all of @words."""
        found = list(documented.faults(self.top))
        self.assertEqual(1, len(found), found)
        for word in words:
            self.assertIn(word, found[0])

    def test_tree_is_documented(self):
        self.assertEqual([], list(documented.faults(self.top)))

    def test_ioctl(self):
        self.change('include/uapi/linux/sgx2.h', '/* The version of', '#define SGX_IOC_ENCLAVE_MOVE _IO(SGX_MAGIC, 0x44)\n/* The version of')
        self.append('Documentation/guide/runtime-authors.rst', '\nSGX_IOC_ENCLAVE_MOVE\n')
        self.reports('SGX_IOC_ENCLAVE_MOVE', 'kernel-doc')

    def test_ioctl_without_guide(self):
        self.change('include/uapi/linux/sgx2.h', '/* The version of', '#define SGX_IOC_ENCLAVE_MOVE _IO(SGX_MAGIC, 0x44)\n/* The version of')
        self.append('include/uapi/linux/sgx2.h', '/**\n * struct sgx_enclave_move - move\n * @size: bytes\n */\nstruct sgx_enclave_move {\n\t__u32 size;\n};\n')
        self.reports('SGX_IOC_ENCLAVE_MOVE', 'guides')

    def test_member(self):
        self.change('include/uapi/linux/sgx2.h', '\t__u64 existing;', '\t__u64 existing;\n\t__u64 skipped;')
        self.reports('sgx_enclave_augment_pages', 'skipped')

    def test_sysfs_file(self):
        self.append('driver/main.c', 'static DEVICE_ATTR_RO(epc_busy_bytes);\n')
        self.reports('/sys/class/misc/sgx_enclave/epc_busy_bytes', 'main.c')

    def test_node_file(self):
        self.append('driver/node.c', 'static DEVICE_ATTR_RO(sgx_free_bytes);\n')
        self.reports('/sys/devices/system/node/nodeX/x86/sgx_free_bytes')

    def test_parameter(self):
        self.append('driver/policy.c', 'module_param(eager, bool, 0444);\n')
        self.reports('/sys/module/sgx2/parameters/eager')

    def test_tracepoint(self):
        self.append('driver/trace.h', 'TRACE_EVENT(sgx2_grow,\n\tTP_ARGS()\n);\n')
        self.reports('/sys/kernel/tracing/events/sgx2/sgx2_grow')

    def test_field_of_tracepoint(self):
        self.change('driver/trace.h', '__field(unsigned int, result)', '__field(unsigned int, result)\n\t\t__field(unsigned int, milliseconds)')
        self.reports('milliseconds', 'sgx2_fault')

    def test_key_of_fdinfo(self):
        self.append('driver/stats.c', 'void x(struct seq_file *m) { seq_printf(m, "sgx2-weight:\\t%d\\n", 1); }\n')
        self.reports('/proc/<pid>/fdinfo/<fd>: sgx2-weight')

    def test_counter_of_fdinfo(self):
        self.change('driver/stats.c', '= "faults",', '= "faults", [9] = "misses",')
        self.reports('sgx2-misses')

    def test_entry_of_something_that_is_gone(self):
        self.change('driver/main.c', 'DEVICE_ATTR_RO(epc_leaked_bytes)', 'NOTHING(epc_leaked_bytes)')
        self.reports('epc_leaked_bytes', 'remove the entry')

    def test_entry_without_contact(self):
        self.change('Documentation/ABI/testing/sysfs-module-sgx2', 'Contact:\tThe sgx2 developers (MAINTAINERS)\n', '')
        self.reports('dynamic_code', 'no Contact')

    def test_message(self):
        self.append('driver/epc.c', 'void y(void) { pr_err("the EPC is on fire: call for help\\n"); }\n')
        self.reports('administrators', 'the EPC is on fire')

    def test_message_of_another_file(self):
        self.append('driver/lru.c', 'void y(void) { pr_err("the list is too long: reset the machine\\n"); }\n')
        self.reports('driver/lru.c', 'in no table')

    def test_refusal_is_in_readme_too(self):
        self.change('README.md', '| there is no EPC | ', '| there is no cake | ')
        found = list(documented.faults(self.top))
        self.assertEqual(2, len(found), found)
        self.assertIn('there is no EPC', found[0])
        self.assertIn('there is no cake', found[1])

    def test_block_without_mark(self):
        self.append('Documentation/guide/developers.rst', '\n.. code-block:: sh\n\n    make sense\n')
        self.reports('developers.rst', 'no comment "run:"')

    def test_block_that_is_not_run_without_reason(self):
        self.append('README.md', '\n<!-- run: no -->\n```sh\nmake sense\n```\n')
        self.reports('README.md', 'a reason')

    def test_block_that_no_debian_runs(self):
        self.append('README.md', '\n<!-- run: debian -->\n```sh\nmake sense\n```\n')
        self.reports('README.md', 'make sense', 'tests/distro/guest')


class Runner(unittest.TestCase):
    """scripts/run-docs on documents whose blocks fail; no guest is started."""

    def results(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'x.rst')
            path.write_text(text)
            done = subprocess.run([TOP / 'scripts/run-docs', path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        return done.returncode, [line.split(' ', 3)[:2] for line in done.stdout.splitlines() if line.startswith(('ok', 'not'))]

    def test_commands(self):
        block = '.. run: host\n.. code-block:: sh\n\n    {}\n\n'
        self.assertEqual((0, [['ok', '1']]), self.results(block.format('true')))
        self.assertEqual((1, [['ok', '1'], ['not', 'ok']]), self.results(block.format('true') + block.format('false\n    true')))
        self.assertEqual((1, [['not', 'ok']]), self.results(block.format('false | true')))
        self.assertEqual((0, []), self.results(block.format('false').replace('host', 'no: it fails')))

    def test_code(self):
        block = '.. code-block:: c\n\n    {}\n'
        self.assertEqual((0, [['ok', '1'], ['ok', '2']]), self.results(block.format('int f(void);') + block.format('int g(void) { return f(); }').replace('int g', 'int g(void);\n    int g')))
        self.assertEqual((1, [['not', 'ok'], ['not', 'ok']]), self.results(block.format('int f(void) { return x; }')))
        self.assertEqual((1, [['ok', '1'], ['not', 'ok']]), self.results(block.format('char *f(void *x);\n    char *f(void *x) { return x; }')))


if __name__ == '__main__':
    unittest.main(verbosity=0)
