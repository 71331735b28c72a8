"""What root gets of keyd's keys from a core dump or by reading its memory: nothing. The test's keyd has a published key."""

import ctypes
import os
import re
import struct
import subprocess
import unittest

import processes
from keyward import System, SystemCase, is_root, runfile

# RFC 6979, A.2.5: the private key x of P-256, as BoringSSL keeps it (64-bit words, the least significant first) and as a
# file would have it.
KEY = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
FORMS = {"big-endian": KEY, "words": KEY[::-1]}

DUMP_S = 60


class DumpCase(SystemCase):
    """A system with the published key in keyd, and in a benchmark's web, where each way of looking has to find it."""

    replaced = {"keyd": "tests/keyd_known_key/keyd", "web": "tests/bench/web_in_process"}

    def setUp(self):
        self.assertTrue(is_root(), "needs root: to read another process's memory")
        self.system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1")
        self.work()
        self.keyd = self.system.pid_of("keyd")

    def work(self):
        """keyd has signed before it is looked at, and does after it: for a client, whom this web refuses only then."""
        before = self.system.status()["signatures"]
        self.system.run("browser-shim", "get", self.system.url + "/hello", "--runtime-dir", self.system.runtime, check=False)
        self.assertGreater(self.system.status()["signatures"], before)

    def outside_its_program(self, found):
        """The published key is a constant of the test's programs: in their files, and nowhere else."""
        return [(form, label) for form, label in found if not label.endswith(("/keyd", "/web"))]


def mappings(pid):
    """(start, end, rights, label) of each mapping."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        rows = [processes.MAPPING.match(line).groups() for line in maps]
    return [(int(start, 16), int(end, 16), rights, label) for start, end, rights, label in rows]


def find(data, label):
    return [(form, label) for form, needle in FORMS.items() if needle in data]


def segments(core):
    """(address, bytes) of each part of an ELF core file: the memory, and as address None the notes with the registers."""
    offset, = struct.unpack_from("<Q", core, 32)
    size, count = struct.unpack_from("<HH", core, 54)
    for number in range(count):
        kind, _, begin, address, _, length = struct.unpack_from("<IIQQQQ", core, offset + number * size)
        yield (address if kind == 1 else None), core[begin:begin + length]


class Dump(DumpCase):
    def core_of(self, pid):
        """gdb's core of a running process, with all that the kernel would leave out; and what it finds there."""
        path = os.path.join(self.base, f"core.{pid}")
        labels = mappings(pid)
        done = subprocess.run(
            ["gdb", "--batch", "--nx", "-p", str(pid), "-ex", "set use-coredump-filter off",
             "-ex", "set dump-excluded-mappings on", "-ex", f"generate-core-file {path}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DUMP_S, check=False)
        self.assertTrue(os.path.exists(path), done.stdout)
        with open(path, "rb") as file:
            core = file.read()
        os.unlink(path)
        self.assertEqual(core[:4], b"\x7fELF")
        found, size = [], 0
        for address, data in segments(core):
            label = next((row[3] for row in labels if address is not None and row[0] <= address < row[1]), "")
            found += find(data, label)
            size += len(data)
        return self.outside_its_program(found), size

    def test_a_core_forced_from_keyd_has_no_key(self):
        found, size = self.core_of(self.system.pid_of("web[0]"))
        self.assertIn("words", [form for form, _ in found], "the dump of a process with the key does not show it")
        found, size = self.core_of(self.keyd)
        self.assertGreater(size, 100_000)
        if processes.kernel_has_secret_memory():
            self.assertEqual(found, [])
        self.work()
        self.assertEqual(self.system.pid_of("keyd"), self.keyd, "keyd did not survive its dump")


class IoVector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def read_process(pid, address, length):
    """process_vm_readv(2): as many bytes as there are."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(length)
    local, remote = IoVector(ctypes.addressof(buffer), length), IoVector(address, length)
    got = libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    return buffer.raw[:got] if got > 0 else b""


class Read(DumpCase):
    def read_all(self, pid):
        """What process_vm_readv finds in all that /proc/PID/maps says is readable."""
        found, size = [], 0
        for start, end, rights, label in mappings(pid):
            if "r" not in rights:
                continue
            for address in range(start, end, 1 << 20):  # a mapping has no key across a border of 1 MiB
                data = read_process(pid, address, min(end - address, (1 << 20) + len(KEY)))
                found += find(data, label)
                size += len(data)
        return self.outside_its_program(found), size

    def test_process_vm_readv_finds_no_key_in_keyd(self):
        found, _ = self.read_all(self.system.pid_of("web[0]"))
        self.assertIn("words", [form for form, _ in found], "a process with the key does not show it")
        found, size = self.read_all(self.keyd)
        self.assertGreater(size, 100_000)
        if processes.kernel_has_secret_memory():
            self.assertEqual(found, [])
            secret = [row for row in mappings(self.keyd) if "secretmem" in row[3]]
            self.assertEqual(len(secret), 3, "two heaps and the stack")
            for start, _, _, _ in secret:
                self.assertEqual(read_process(self.keyd, start, 4096), b"")


class WithoutSecretMemory(SystemCase):
    """On a kernel without memfd_secret: the keys are in locked memory, and whoever looks is told."""

    def setUp(self):
        self.assertTrue(is_root(), "needs root: to read keyd's list of mappings")
        self.system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser")
        self.system.wrapper = [runfile("tests/integration/without_secret_memory")]
        self.system.start()
        self.addCleanup(self._finish, self.system)

    def test_it_is_said_at_the_start_and_in_the_status(self):
        self.system.wait_line(r"^broker: WARNING: the keys are in locked memory", 1)
        self.assertRegex(self.system.broker("status").stdout, r"(?m)^WARNING: keys are in locked memory")
        self.assertFalse(self.system.status()["secret_memory"])

    def test_the_memory_is_locked_and_left_out_of_dumps_and_children(self):
        pid = self.system.pid_of("keyd")
        with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps:
            flags = re.findall(r"^VmFlags: (.*)$", smaps.read(), re.MULTILINE)
        kept = [row for row in flags if {"lo", "dd", "dc"} <= set(row.split())]
        self.assertEqual(len(kept), 3, f"two heaps and the stack, locked (lo), not dumped (dd), not in children (dc): {flags}")
        self.assertEqual([row for row in mappings(pid) if "secretmem" in row[3]], [])

    def test_it_serves_all_the_same(self):
        self.system.run("browser-shim", "get", self.system.url + "/hello", "--runtime-dir", self.system.runtime)


class Segments(unittest.TestCase):
    def test_reads_a_core_file(self):
        header = b"\x7fELF".ljust(32, b"\0") + struct.pack("<QQIHHHHHH", 64, 0, 0, 64, 56, 2, 0, 0, 0)
        notes = struct.pack("<IIQQQQQQ", 4, 0, 176, 0, 0, 3, 0, 0)
        memory = struct.pack("<IIQQQQQQ", 1, 0, 179, 0x1000, 0, 4, 4, 0)
        self.assertEqual(list(segments(header + notes + memory + b"abcdefg")), [(None, b"abc"), (0x1000, b"defg")])
