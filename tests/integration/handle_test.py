"""Handles: asked for, derived, pinned, used, revoked and listed, on a running system."""

import json
import os

import processes
import wire
from keyward import SharedSystemCase, System, SystemCase, for_each_user

MANY = 300  # more than two pages of HANDLE_LIST
FEW_FILES = 200


@for_each_user
class Handles(SharedSystemCase):
    def setUp(self):
        self.control = wire.Control(self.system.runtime)
        self.addCleanup(self.control.close)

    def handle(self, number):
        """The row of a handle that the command line lists."""
        rows = json.loads(self.system.broker("handle", "list", "--json").stdout)
        found = [row for row in rows if row["handle"] == number]
        return found[0] if found else None

    def get(self, *flags, check=True):
        return self.system.run("browser-shim", "get", *flags, self.system.url + "/hello", "--runtime-dir",
                               self.system.runtime, check=check)

    def expect_uses(self, number, signatures):
        processes.wait_until(lambda: self.handle(number)["signatures"] == signatures, 10,
                             lambda: str(self.handle(number)))

    def test_shows_its_terms(self):
        whole = self.control.mint(max_signatures=9, rate=5, pinned=True)
        part = self.control.derive(whole.number, label="part", lifetime_s=60, max_signatures=3)
        row = self.handle(part.number)
        self.assertEqual(
            {key: row[key] for key in ("label", "parent", "max_signatures", "rate", "server", "pinned_pid")},
            {"label": "part", "parent": whole.number, "max_signatures": 3, "rate": 5, "server": "localhost",
             "pinned_pid": os.getpid()})
        self.assertLessEqual(row["expires_in_s"], 60)
        self.assertGreater(self.handle(whole.number)["expires_in_s"], 60)
        text = self.system.broker("handle", "list").stdout
        [line] = [line for line in text.splitlines() if " part " in line]
        for shown in (str(whole.number), "0/3", "5/s", str(os.getpid()), "localhost"):
            self.assertIn(shown, line.split())

    def test_is_never_stronger(self):
        whole = self.control.mint(max_signatures=9, rate=5, lifetime_s=60)
        for terms in ({"max_signatures": 10}, {"rate": 6}, {"lifetime_s": 61}, {"server": "example.com"}):
            with self.subTest(terms):
                self.assertIn("stronger", self.control.derive(whole.number, **terms))
        for terms in ({"max_signatures": 9}, {"rate": 5}, {"lifetime_s": 50}, {"server": "localhost"}):
            with self.subTest(terms):
                self.assertIsInstance(self.control.derive(whole.number, **terms), wire.Handle)
        self.assertIn("there is none", self.control.derive(1 << 40))

    def test_each_signature_counts_for_all_above(self):
        """The command-line client signs for real, with a part of a part of what this test holds."""
        whole = self.control.mint(max_signatures=3)
        part = self.control.derive(whole.number, max_signatures=2)
        for uses in (1, 2):
            self.assertEqual(self.get("--from", str(part.number)).stdout.strip(), "Hello World")
            self.expect_uses(whole.number, uses)
            self.expect_uses(part.number, uses)
        done = self.get("--from", str(part.number), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.get("--from", str(whole.number))
        self.assertNotEqual(self.get("--from", str(whole.number), check=False).returncode, 0)
        self.expect_uses(whole.number, 3)

    def test_nothing_comes_of_a_handle_that_is_gone(self):
        whole = self.control.mint()
        whole.close()
        processes.wait_until(lambda: self.handle(whole.number) is None, 10, lambda: "it is still there")
        done = self.get("--from", str(whole.number), check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn(f"handle {whole.number}: there is none", done.stderr)

    def test_a_pinned_handle_is_for_its_process(self):
        pinned, anyones = self.control.mint(pinned=True), self.control.mint()
        part = self.control.derive(pinned.number)
        self.assertEqual(pinned.refusal(), "transcript")
        self.assertEqual(part.refusal(), "transcript")
        self.assertEqual(self.in_child(pinned), "wrong process")
        self.assertEqual(self.in_child(part), "wrong process")
        self.assertEqual(self.in_child(anyones), "transcript")
        done = self.get("--from", str(pinned.number), check=False)  # pins its part to itself
        self.assertEqual(done.returncode, 100, done.stderr)
        self.assertIn("no other process", done.stderr)

    def in_child(self, handle):
        """What a child is told, which has every descriptor of this process."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, str(handle.refusal()).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            return said.read()

    def test_revoking_takes_the_parts_along(self):
        whole, other = self.control.mint(), self.control.mint()
        part = self.control.derive(whole.number)
        part_of_part = self.control.derive(part.number)
        self.system.broker("handle", "revoke", str(whole.number))
        for gone in (whole, part, part_of_part):
            self.assertTrue(gone.is_closed())
            self.assertIsNone(self.handle(gone.number))
        self.assertEqual(other.refusal(), "transcript")

    def test_closing_takes_the_parts_along(self):
        whole = self.control.mint()
        part = self.control.derive(whole.number)
        whole.close()
        self.assertTrue(part.is_closed())

    def test_expiring_takes_the_parts_along(self):
        whole = self.control.mint(lifetime_s=1)
        part = self.control.derive(whole.number)
        self.assertTrue(part.is_closed())
        self.assertTrue(whole.is_closed())

    def test_refusals_are_counted_however_many(self):
        """A flood of one and the same comes to the broker as few events."""
        handle = self.control.mint()
        for _ in range(500):
            handle.refusal()
        processes.wait_until(lambda: self.handle(handle.number)["refusals"] == 500, 10,
                             lambda: str(self.handle(handle.number)))

    def test_many_are_listed_in_pages(self):
        handles = [self.control.mint(label=f"many {i}") for i in range(MANY)]
        rows = json.loads(self.system.broker("handle", "list", "--json").stdout)
        labels = [row["label"] for row in rows if row["label"].startswith("many ")]
        self.assertEqual(labels, [f"many {i}" for i in range(MANY)])
        status = self.system.status()
        self.assertEqual(status["total_handles"], len(rows))
        self.assertEqual(len(status["handles"]), 48)
        self.assertIn(f"and {len(rows) - 48} more", self.system.broker("status").stdout)
        for handle in handles:
            handle.close()
        processes.wait_until(lambda: self.system.status()["total_handles"] < MANY, 10, lambda: "they are still there")


class SystemWithFewFiles(System):
    """Started where the hard limit of open files is low."""

    def as_user(self, arguments):
        return ["prlimit", f"--nofile={FEW_FILES}:{FEW_FILES}", *super().as_user(arguments)]


class FewFiles(SystemCase):
    def test_no_more_handles_than_keyd_has_descriptors_for(self):
        system = SystemWithFewFiles(self.base, "--listen", "127.0.0.1:0", "--no-browser")
        system.start()
        self.addCleanup(self._finish, system)
        most = int(system.wait_line(r"^broker: at most (\d+) handles: the hard limit of open files is low")[1])
        self.assertLess(most, FEW_FILES)
        control = wire.Control(system.runtime)
        self.addCleanup(control.close)
        handles = []
        while True:
            kind, fields, descriptors = control.ask("handle_mint", label="one of many", lifetime_s=60, server="localhost")
            if kind == "failed":
                break
            handles.append(wire.Handle(fields[1][0], descriptors[0]))
        self.assertIn("open (ulimit -Hn)", fields[1][0].decode())
        workers = len(system.processes("web"))
        self.assertEqual(len(handles), most - workers)
        self.assertEqual(handles[-1].refusal(), "transcript")
        self.assertEqual(system.run("browser-shim", "get", "--from", str(handles[0].number), system.url + "/hello",
                                    "--runtime-dir", system.runtime, check=False).returncode, 111)
        handles[0].close()
        processes.wait_until(lambda: system.status()["total_handles"] < len(handles), 10, lambda: "it is still there")
        done = system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime)
        self.assertEqual(done.stdout.strip(), "Hello World")
        self.assertEqual(handles[-1].refusal(), "transcript")
