"""Starts the real system for a test, watches it, stops it, and sees that nothing is left of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import processes

ROOT, ORDINARY = 0, 61200  # an ordinary user's id needs no entry in /etc/passwd

# How long things may take at most on a loaded machine. Only a failing test waits for them.
START_S = 30
STOP_S = 2.0  # what the command line promises
COMMAND_S = 30

PROGRAMS = {
    "broker": "broker/broker",
    "keyd": "keyd/keyd",
    "web": "web/web",
    "browser-shim": "browser-shim/browser-shim",
    "module.so": "browser-shim/module.so",
}

processes.become_subreaper()

# Children of the test whose families do not belong to the system that is looked at: brokers, and what a test says.
bystanders = set()

# Every directory that temporary_directory() has made.
directories = []


def runfile(path):
    return os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"], path)


def is_root():
    return os.geteuid() == 0


def users():
    """Whom the system can be started as here: root and an ordinary user for root, oneself for everyone else."""
    return (ROOT, ORDINARY) if is_root() else (os.geteuid(),)


def user_name(uid):
    return "root" if uid == ROOT else "ordinary user"


def temporary_directory():
    """A directory that every user can reach: Bazel's own lie below a home directory."""
    path = tempfile.mkdtemp(prefix="keyward-test-", dir="/tmp")
    os.chmod(path, 0o755)
    directories.append(path)
    return path


def end_all(*_):
    """Ends this process at once, and what it has started before it. A signal handler."""
    for pid in processes.descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
    os._exit(1)


def install(directory, **replaced):
    """Copies the programs into one directory, as they are when installed. replaced: PROGRAM=path below the runfiles."""
    os.makedirs(directory)
    for program, built in PROGRAMS.items():
        path = os.path.join(directory, program)
        shutil.copy(runfile(replaced.get(program.replace(".", "_"), built)), path)
        os.chmod(path, 0o755)
    os.chmod(directory, 0o755)
    return directory


class System:
    """One running broker and all that it started."""

    def __init__(self, base, *flags, uid=None, programs=None, command="run"):
        """base: a directory of the test's own. programs: where install() put them."""
        self.uid = os.geteuid() if uid is None else uid
        self.programs = programs or os.path.join(base, "bin")
        self.directory = tempfile.mkdtemp(prefix="run-", dir=base)
        self.runtime = os.path.join(self.directory, "runtime")
        os.chown(self.directory, self.uid, -1)
        os.chmod(self.directory, 0o700)
        self.flags = [command, "--runtime-dir", self.runtime, *flags]
        self.wrapper = []  # what the broker is started through
        self.process = None
        self.url = self.port = self.ready_ms = None
        self._lines = []
        self._changed = threading.Condition()

    # ---- Starting and stopping ----

    def as_user(self, arguments):
        """The command that runs arguments as the system's user."""
        if self.uid == os.geteuid():
            return arguments
        ids = ["--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups"]
        return ["setpriv", *ids, "--inh-caps=-all", "--bounding-set=-all", *arguments]

    def environment(self):
        """No display, so that nothing opens on the screen of whoever runs the tests."""
        return {"PATH": os.environ["PATH"], "HOME": self.directory}

    def program(self, name):
        return os.path.join(self.programs, name)

    def start(self):
        self.spawn()
        try:
            ready = self.wait_line(r"^broker: ready url=(https?://\S+:(\d+)) ready_ms=(\d+)$", START_S)
        except BaseException:
            self.kill_all()
            raise
        self.url, self.port, self.ready_ms = ready[1], int(ready[2]), int(ready[3])
        return self

    def spawn(self):
        """Starts the broker in a session of its own, as a terminal would, and returns at once."""
        self.process = subprocess.Popen(
            self.as_user([*self.wrapper, self.program("broker"), *self.flags]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, env=self.environment(), start_new_session=True, cwd="/")
        bystanders.add(self.process.pid)
        threading.Thread(target=self._collect, args=(self.process.stderr,), daemon=True).start()

    def _collect(self, stream):
        for line in stream:
            with self._changed:
                self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        stream.close()
        with self._changed:
            self._lines.append(None)
            self._changed.notify_all()

    def stop(self, number=signal.SIGTERM, group=False):
        """Stops the system as promised and fails if it takes longer, exits otherwise or leaves something behind."""
        begun = time.monotonic()
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            left = self.describe_left()
            self.kill_all()
            raise AssertionError(f"the broker did not stop within {STOP_S} s; running: {left}") from None
        self.expect_nothing_left(begun + STOP_S - time.monotonic())
        self.expect_no_report()
        if code != 0:
            raise AssertionError(f"the broker exited with {code}\n{self.log()}")

    def expect_no_report(self):
        """A sanitizer's report fails the test, even if the process was replaced and nobody missed it (--config=asan)."""
        if re.search(r"ERROR: \w+Sanitizer|runtime error: ", self.log()):
            raise AssertionError(f"a sanitizer reports:\n{self.log()}")

    def expect_nothing_left(self, timeout):
        def gone():
            processes.reap()
            return not self.pids()

        try:
            processes.wait_until(gone, max(timeout, 0), lambda: f"still running: {self.describe_left()}")
        except AssertionError:
            self.kill_all()
            raise
        left = os.listdir(self.runtime) if os.path.isdir(self.runtime) else []
        left = [name for name in left if name != "audit.jsonl"]  # which is there to stay
        if left:
            raise AssertionError(f"left in the runtime directory: {left}")

    def kill_all(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process is not None:
            self.process.wait()
        processes.reap()

    def pids(self):
        """All living processes of the system: every descendant of the test that is nobody else's, orphans included."""
        own = {self.process.pid} if self.process else set()
        return processes.descendants(os.getpid(), without=bystanders - own)

    def describe_left(self):
        return [f"{pid} {processes.name(pid)}" for pid in self.pids()]

    # ---- What it says ----

    def mark(self):
        """A place in the log to search from."""
        with self._changed:
            return len(self._lines)

    def lines(self, since=0):
        with self._changed:
            return [line for line in self._lines[since:] if line is not None]

    def log(self):
        return "\n".join(self.lines())

    def wait_line(self, pattern, timeout=10, since=0):
        """Waits for a line in the log, which may be there already, and returns its match."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout
        place = since
        with self._changed:
            while True:
                while place < len(self._lines):
                    line = self._lines[place]
                    if line is None:
                        raise AssertionError(f"the system ended without a line like {pattern!r}:\n{self.log()}")
                    found = expression.search(line)
                    if found:
                        return found
                    place += 1
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() > deadline:
                    raise AssertionError(f"no line like {pattern!r} in {timeout} s:\n{self.log()}")

    # ---- Asking it ----

    def run(self, program, *arguments, check=True, text=True, **options):
        """Runs one of our programs beside the running system, as its user."""
        done = subprocess.run(
            self.as_user([self.program(program), *arguments]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=text, env=self.environment(), timeout=COMMAND_S, check=False, cwd="/",
            **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{program} {arguments} exited with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def broker(self, *arguments, **options):
        return self.run("broker", *arguments, "--runtime-dir", self.runtime, **options)

    def status(self):
        return json.loads(self.broker("status", "--json").stdout)

    def ca_file(self):
        """The CA certificate in PEM, in a file."""
        path = os.path.join(os.path.dirname(self.directory), f"ca-{self.port}.pem")
        with open(path, "w", encoding="ascii") as out:
            out.write(self.broker("ca").stdout)
        return path

    def processes(self, prefix):
        """The status of those processes whose name starts with prefix."""
        return [process for process in self.status()["processes"] if process["name"].startswith(prefix)]

    def pid_of(self, name):
        """The pid of the one process that status calls so: "keyd", "web[0]", "browser"."""
        [process] = [process for process in self.status()["processes"] if process["name"] == name]
        return process["pid"]


class SystemCase(unittest.TestCase):
    """A test case with a temporary directory and the programs in it. Systems started by start() are stopped after it."""

    replaced = {}

    @classmethod
    def setUpClass(cls):
        cls.base = temporary_directory()
        cls.addClassCleanup(shutil.rmtree, cls.base)
        cls.programs = install(os.path.join(cls.base, "bin"), **cls.replaced)

    def start(self, *flags, uid=None):
        system = System(self.base, *flags, uid=uid)
        system.start()
        self.addCleanup(self._finish, system)
        return system

    def _finish(self, system):
        if system.process.poll() is None:
            system.stop()


class SharedSystemCase(SystemCase):
    """Tests that share one running system. flags: what the broker is started with besides."""

    flags = ("--listen", "127.0.0.1:0", "--no-browser")
    uid = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prepare()
        cls.system = System(cls.base, *cls.flags, uid=cls.uid)
        cls.system.start()
        cls.addClassCleanup(cls.finish)

    @classmethod
    def prepare(cls):
        """Makes what the system needs before it starts; may set cls.flags."""

    @classmethod
    def finish(cls):
        if cls.system.process.poll() is None:
            cls.system.stop()


def for_each_user(case):
    """Class decorator: runs the tests of case once for each user that the system can be started as here."""
    module = __import__(case.__module__)
    for uid in users():
        suffix = "AsRoot" if uid == ROOT else "AsOrdinaryUser"
        variant = type(case.__name__ + suffix, (case,), {"uid": uid, "__module__": case.__module__})
        setattr(module, variant.__name__, variant)
    return None
