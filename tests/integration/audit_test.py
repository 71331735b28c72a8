"""The audit log of a running system: what is in it, who vouches for it, and what happens when it cannot be written."""

import json
import os
import re
import subprocess
import threading

import processes
import wire
from keyward import System, SystemCase, for_each_user, is_root

FLAGS = ("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--audit-interval", "1s")
HELD = "the audit log cannot be written, and nothing is signed without a record"


class AuditCase(SystemCase):
    uid = None

    def log_of(self, system):
        return os.path.join(system.runtime, "audit.jsonl")

    def records(self, path, what=None):
        with open(path, encoding="ascii") as lines:
            records = [json.loads(line) for line in lines]
        return [record for record in records if what is None or record["what"] == what]

    def get(self, system, check=True):
        """One request with a handle of its own: one client signature."""
        return system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime, check=check)

    def wait_records(self, path, what, number=1):
        processes.wait_until(lambda: len(self.records(path, what)) >= number, 10, lambda: f"no {number} {what} in {path}")

    def audit(self, system, *arguments, check=True):
        return system.run("broker", "audit", *arguments, check=check)


@for_each_user
class Log(AuditCase):
    def test_a_day_in_its_life(self):
        system = self.start(*FLAGS, uid=self.uid)
        path = self.log_of(system)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
        self.get(system)
        self.wait_records(path, "closed")
        system.broker("handle", "revoke", "12345", check=False)
        done = self.audit(system, "verify", path, "--runtime-dir", system.runtime)
        self.assertIn("confirmed by the running broker", done.stdout)
        system.stop()

        whats = [record["what"] for record in self.records(path)]
        for what in ("start", "key", "granted", "minted", "signed", "closed", "server-signatures", "stop"):
            self.assertIn(what, whats)
        self.assertEqual(whats[0], "start")
        self.assertEqual(whats[-1], "end")
        [signed] = self.records(path, "signed")
        [minted] = self.records(path, "minted")
        self.assertEqual((signed["handle"], signed["label"]), (minted["handle"], "browser-shim get"))
        self.assertIn(signed.get("uid"), (self.uid, None))  # if it is looked for in time; its pid is from the kernel
        self.assertGreater(signed["pid"], 1)
        self.assertEqual(minted["server"], "localhost")
        self.assertEqual(sum(record["count"] for record in self.records(path, "server-signatures")), 1)
        self.assertEqual({r["process"] for r in self.records(path, "started")}, {"keyd", "web[0]"})

        # What the journal has vouches for the file.
        [key] = re.findall(r"audit key=([0-9a-f]{64})", system.log())
        heads = re.findall(r"audit head=(\d+:[0-9a-f]{64})", system.log())
        done = self.audit(system, "verify", path, "--key", key, "--head", heads[-1])
        self.assertIn("each as it was written", done.stdout)
        shown = self.audit(system, "show", path).stdout
        self.assertEqual(len(shown.splitlines()), len(whats))
        self.assertRegex(shown, r"signed +handle \d+ 'browser-shim get'")
        self.assertNotIn("\033", shown)
        self.assertEqual([json.loads(line) for line in self.audit(system, "show", path, "--json").stdout.splitlines()],
                         self.records(path))

    def test_where_a_derived_handle_comes_from(self):
        system = self.start(*FLAGS, uid=self.uid)
        path = self.log_of(system)
        control = wire.Control(system.runtime)
        self.addCleanup(control.close)
        whole = control.mint(max_signatures=4)
        part = control.derive(whole.number, label="part", max_signatures=1, pinned=True)
        self.assertIn("stronger", control.derive(whole.number, label="too much", max_signatures=5))
        system.run("browser-shim", "get", "--from", str(whole.number), system.url + "/hello", "--runtime-dir",
                   system.runtime)
        self.wait_records(path, "signed")
        restricted = {record["label"]: record for record in self.records(path, "restricted")}
        self.assertEqual(restricted["part"]["handle"], part.number)
        self.assertEqual(restricted["part"]["pid"], os.getpid())
        self.assertEqual(restricted["part"]["text"], f"signatures 1, for process {os.getpid()}")
        self.assertEqual(restricted["part"]["parent"], whole.number)
        [signed] = self.records(path, "signed")
        self.assertEqual(signed["handle"], restricted["browser-shim get"]["handle"])
        refused = restricted["too much"]["handle"]
        self.assertIn("stronger", [r for r in self.records(path, "closed") if r["handle"] == refused][0]["reason"])

    def test_tampering_is_found(self):
        system = self.start(*FLAGS, uid=self.uid)
        self.get(system)
        system.stop()
        path = self.log_of(system)
        with open(path, encoding="ascii") as lines:
            text = lines.read()
        copy = os.path.join(self.base, "copy.jsonl")
        number = self.records(path, "signed")[0]["n"]
        lines = text.splitlines(keepends=True)
        for name, tampered, says in (
                ("edit", text.replace('"what":"signed"', '"what":"closed"', 1), f"record {number}: it was changed"),
                ("deletion", "".join(lines[:number - 1] + lines[number:]), f"record {number}: it is missing here"),
                ("truncation", "".join(lines[:number]), "not closed: "),
                ("a cut line", text[:-10], f"record {len(lines)}: the line is not finished"),
                ("nothing left", "", "record 1: it is missing")):
            with self.subTest(name):
                with open(copy, "w", encoding="ascii") as out:
                    out.write(tampered)
                done = self.audit(system, "verify", copy, check=False)
                self.assertEqual(done.returncode, 100, done.stdout)
                self.assertIn(says, done.stderr)

    def test_a_broker_that_was_killed_has_not_closed_it(self):
        system = self.start(*FLAGS, uid=self.uid)
        path = self.log_of(system)
        self.get(system)
        self.wait_records(path, "closed")
        system.process.kill()
        system.process.wait()
        processes.wait_until(lambda: processes.reap() or not system.pids(), 5, "its processes do not end")
        done = self.audit(system, "verify", path, check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn("not closed: ", done.stderr)

        # In the middle of a line, too; the next broker goes on, and says what it found.
        number = len(self.records(path))
        with open(path, "a", encoding="ascii") as out:
            out.write('{"n":')
        again = System(self.base, *FLAGS, uid=self.uid)
        again.runtime, again.flags = system.runtime, ["run", "--runtime-dir", system.runtime, *FLAGS]
        again.start()
        again.stop()
        records = self.records(path)
        self.assertEqual([record["n"] for record in records], list(range(1, len(records) + 1)))
        self.assertEqual([record["what"] for record in records[number:number + 2]], ["start", "torn"])
        self.assertEqual(records[number + 1]["count"], 5)
        done = self.audit(system, "verify", path, check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn(f"record {number + 1}: the broker before this start did not close the log", done.stderr)
        # Until somebody has looked into it; and only for this one.
        self.assertIn(f"say so with --crash {number + 1}", done.stderr)
        keys = [word for record in records if record["what"] == "key" for word in ("--key", record["fingerprint"])]
        for trust in ((), keys):
            done = self.audit(system, "verify", path, "--crash", str(number + 1), *trust)
            self.assertIn("brokers that were killed, as you say: 1;", done.stdout)
        for other in (1, number, number + 2):
            done = self.audit(system, "verify", path, "--crash", str(other), check=False)
            self.assertEqual(done.returncode, 100, other)
        done = self.audit(system, "verify", path, "--crash", "0", check=False)
        self.assertIn("'0' is no record", done.stderr)

    def test_the_next_broker_continues_the_chain(self):
        path = os.path.join(self.base, f"both-{self.uid}.jsonl")
        where = os.path.join(self.base, f"logs-{self.uid}")
        os.mkdir(where)
        os.chown(where, self.uid, -1)
        path = os.path.join(where, "audit.jsonl")
        for _ in range(2):
            system = self.start(*FLAGS, "--audit", path, uid=self.uid)
            self.get(system)
            system.stop()
        self.assertEqual(len(self.records(path, "start")), 2)
        done = self.audit(system, "verify", path)
        self.assertEqual(done.stdout.count("key "), 2, done.stdout)

    def test_a_damaged_log_is_not_continued(self):
        system = self.start(*FLAGS, uid=self.uid)
        system.stop()
        path = self.log_of(system)
        with open(path, encoding="ascii") as lines:
            text = lines.read()
        with open(path, "w", encoding="ascii") as out:
            out.write(text.replace('"process":"keyd"', '"process":"kexd"', 1))
        number = self.records(path, "started")[0]["n"]
        for command in ("run", "check"):
            done = system.run("broker", command, *FLAGS, "--runtime-dir", system.runtime, check=False)
            self.assertEqual(done.returncode, 100, done.stderr)
            self.assertIn(f"record {number + 1} does not follow", done.stderr)

    def test_a_status_that_makes_a_record_does_not_say_that_there_is_a_fault(self):
        system = self.start(*FLAGS, uid=self.uid)
        self.get(system)
        self.assertNotIn("CANNOT BE WRITTEN", system.broker("status").stdout)
        self.get(system)
        self.assertEqual(system.status()["audit_pending"], 0)

    def test_a_new_keyd_has_a_new_key(self):
        system = self.start(*FLAGS, uid=self.uid)
        path = self.log_of(system)
        processes.kill(system.pid_of("keyd"))
        self.wait_records(path, "key", 2)
        processes.wait_until(lambda: self.get(system, check=False).returncode == 0, 10, "the page does not come back")
        system.stop()
        keys = self.records(path, "key")
        self.assertNotEqual(keys[0]["fingerprint"], keys[1]["fingerprint"])
        [ended] = [record for record in self.records(path, "ended") if "signal 9" in record["text"]]
        self.assertEqual(ended["process"], "keyd")
        self.audit(system, "verify", path, "--key", keys[1]["fingerprint"])
        done = self.audit(system, "verify", path, "--key", keys[0]["fingerprint"], check=False)
        self.assertEqual(done.returncode, 100)


class Reader:
    """Reads a named pipe, or does not."""

    def __init__(self, path):
        self.file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.read = b""
        self.reads = threading.Event()
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ends.wait(0.02):
            if not self.reads.is_set():
                continue
            try:
                self.read += os.read(self.file, 65536)
            except BlockingIOError:
                pass

    def close(self):
        self.ends.set()
        self.thread.join()
        try:
            while piece := os.read(self.file, 65536):
                self.read += piece
        except BlockingIOError:
            pass
        os.close(self.file)


@for_each_user
class Unwritable(AuditCase):
    def limit(self, system, size):
        """How long the broker's files may get: the next byte is refused, as on a full disk. Only its own user may say."""
        with open(f"/proc/{system.process.pid}/status", encoding="ascii") as status:
            ids = re.search(r"Uid:\s+(\d+).*\nGid:\s+(\d+)", status.read())
        become = ["setpriv", "--reuid", ids[1], "--regid", ids[2], "--clear-groups"] if is_root() else []
        subprocess.run([*become, "prlimit", f"--pid={system.process.pid}", f"--fsize={size}:unlimited"], check=True)

    def start_full(self, *flags):
        """A system whose log has room for a part of a line."""
        system = self.start(*FLAGS, *flags, uid=self.uid)
        self.limit(system, os.path.getsize(self.log_of(system)) + 50)
        return system

    def fill(self, system):
        processes.wait_until(lambda: self.get(system, check=False) and "cannot be written" in system.log(), 30,
                             "the log does not fill up")

    def make_room(self, system):
        self.limit(system, "unlimited")

    def test_handles_are_refused_until_it_can_be_written(self):
        system = self.start_full()
        self.fill(system)
        system.wait_line(r"^broker: audit log cannot be written: File too large; handles are refused until it can")
        refused = self.get(system, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(HELD, refused.stderr)
        self.assertTrue(system.status()["audit_held"])
        self.assertIn("IT CANNOT BE WRITTEN", system.broker("status").stdout)

        self.make_room(system)
        system.wait_line(r"^broker: audit log is written again lost=0; handles are served")
        self.assertEqual(self.get(system).stdout.strip(), "Hello World")
        self.assertFalse(system.status()["audit_held"])
        system.stop()
        path = self.log_of(system)
        self.audit(system, "verify", path)
        self.assertEqual(self.records(path, "blocked")[0]["policy"], "refuse")
        self.assertEqual(len(self.records(path, "unblocked")), 1)
        self.assertIn(HELD, [record["reason"] for record in self.records(path, "refused")])

    def test_a_new_keyd_refuses_as_well(self):
        system = self.start_full()
        self.fill(system)
        mark = system.mark()
        processes.kill(system.pid_of("keyd"))
        system.wait_line(r"^broker: keyd ready", since=mark)
        processes.wait_until(lambda: HELD in self.get(system, check=False).stderr, 10, "it serves handles")
        self.make_room(system)
        processes.wait_until(lambda: self.get(system, check=False).returncode == 0, 10, "it does not serve handles")

    def test_handles_are_used_nevertheless_if_that_is_the_policy(self):
        system = self.start_full("--audit-policy", "continue")
        self.fill(system)
        system.wait_line(r"^broker: audit log cannot be written: File too large; handles are used nevertheless")
        self.assertEqual(self.get(system).stdout.strip(), "Hello World")
        self.assertFalse(system.status()["audit_held"])
        self.assertGreater(system.status()["audit_pending"], 0)
        self.make_room(system)
        system.wait_line(r"^broker: audit log is written again lost=0$")
        system.stop()
        path = self.log_of(system)
        self.audit(system, "verify", path)
        self.assertEqual(len(self.records(path, "signed")), len(self.records(path, "minted")))

    def test_a_broker_that_stops_while_it_cannot_write_says_so(self):
        system = self.start_full()
        self.fill(system)
        system.stop()
        system.wait_line(r"^broker: audit log: \d+ bytes could not be written")
        done = self.audit(system, "verify", self.log_of(system), check=False)
        self.assertEqual(done.returncode, 100)

    def test_a_slow_reader_of_a_pipe(self):
        where = os.path.join(self.base, f"pipe-{self.uid}")
        os.mkdir(where)
        path = os.path.join(where, "log")
        os.mkfifo(path, 0o600)
        for name in (where, path):
            os.chown(name, self.uid, -1)
        reader = Reader(path)
        system = self.start(*FLAGS, "--audit", path, uid=self.uid)
        self.assertEqual(self.get(system).stdout.strip(), "Hello World")
        processes.wait_until(lambda: HELD in self.get(system, check=False).stderr, 60, "the pipe does not fill up")
        system.wait_line(r"^broker: audit log cannot be written: its reader does not read")
        reader.reads.set()
        system.wait_line(r"^broker: audit log is written again lost=0")
        self.assertEqual(self.get(system).stdout.strip(), "Hello World")
        system.stop()
        reader.close()
        copy = os.path.join(self.base, "from-pipe.jsonl")
        with open(copy, "wb") as out:
            out.write(reader.read)
        self.audit(system, "verify", copy)


@for_each_user
class CommandLine(AuditCase):
    def test_what_is_wrong_is_said(self):
        system = System(self.base, uid=self.uid)
        for arguments, says in (
                ((), "broker audit verify FILE"),
                (("dance",), "broker audit verify FILE"),
                (("verify",), "which file?"),
                (("verify", "a", "b"), "unexpected 'b'"),
                (("verify", "/nowhere"), "No such file"),
                (("verify", "a", "--key", "12"), "--key: '12' is no fingerprint"),
                (("verify", "a", "--head", "12"), "--head: '12' is no head"),
                (("verify", "a", "--key"), "--key"),
                (("verify", "a", "--json"), "--json"),
                (("show", "a", "--key", "0" * 64), "unknown flag '--key'")):
            with self.subTest(arguments):
                done = self.audit(system, *arguments, check=False)
                self.assertEqual(done.returncode, 100, done.stderr)
                self.assertIn(says, done.stderr)

    def test_policies_and_intervals(self):
        system = System(self.base, uid=self.uid)
        for flags, says in ((("--audit-policy", "hope"), "want refuse"), (("--audit-interval", "0"), "--audit-interval"),
                            (("--audit-interval", "2d"), "--audit-interval"), (("--audit", "/nowhere/log"), None)):
            done = system.run("broker", "check", "--no-browser", "--listen", "127.0.0.1:0", *flags, check=False)
            self.assertEqual(done.returncode, 0 if says is None else 100, done.stderr)
            self.assertIn(says or "", done.stderr)
