"""What becomes of a browser that crashes or hangs, as a whole or in the process that has its page; and which of its processes
ever hold what is the browser's alone."""

import os
import re
import signal
import threading
import time

import processes
from keyward import ORDINARY, System, SystemCase, for_each_user, is_root

FLAGS = ("--listen", "none", "--browser", "chromium", "--headless", "--workers", "1")
FETCHED = r"^web\[\d+\]: request .*path='/api/get' status=200 .*subject='[^']*CN=keyward-kiosk"
BROWSER_S = 30

# base/limits.h: WATCHDOG_INTERVAL_MS and DEADLINE_PONG_MS, and what a loaded machine takes besides.
WATCHDOG_S = 10 + 5 + 10


def renderers(system):
    """The processes that have pages."""
    found = []
    for pid in system.pids():
        try:
            if b"--type=renderer" in processes.read_bytes(pid, "cmdline"):
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert found
    return found


@for_each_user
class Hangs(SystemCase):
    uid = None

    def start_fetched(self, *flags):
        system = self.start(*FLAGS, *flags, uid=self.uid)
        system.wait_line(FETCHED, BROWSER_S)
        return system

    def expect_back(self, system, mark, before, pattern, seconds):
        place = system.mark()
        system.wait_line(pattern, seconds, since=mark)
        system.wait_line(r"^broker: browser started", BROWSER_S, since=place)
        system.wait_line(FETCHED, BROWSER_S, since=system.mark())
        self.assertNotEqual(system.pid_of("browser"), before)

    def test_a_stopped_browser_is_replaced(self):
        system = self.start_fetched()
        before, mark = system.pid_of("browser"), system.mark()
        processes.kill(before, signal.SIGSTOP)
        self.expect_back(system, mark, before, r"^broker: browser was stopped and is killed signal=19 ", 5)

    def test_a_page_whose_process_crashed_comes_back(self):
        """Chromium then shows a page of its own, and waits for somebody. (SIGSEGV would say it better, but what is sent, and
        is no fault, V8's handler ignores.)"""
        system = self.start_fetched("--heartbeat", "5s")
        before, mark = system.pid_of("browser"), system.mark()
        for pid in renderers(system):
            processes.kill(pid)
        self.expect_back(system, mark, before, r"^broker: browser given up reason='its page has missed its heartbeat'", 25)

    def test_a_page_that_hangs_comes_back(self):
        system = self.start_fetched("--heartbeat", "5s")
        before, mark = system.pid_of("browser"), system.mark()
        for pid in renderers(system):
            processes.kill(pid, signal.SIGSTOP)
        self.expect_back(system, mark, before, r"^broker: browser given up reason='its page has missed its heartbeat'", 25)

    def test_a_page_that_asks_is_left_alone(self):
        system = self.start_fetched("--heartbeat", "5s")
        before, mark = system.pid_of("browser"), system.mark()
        time.sleep(13)
        self.assertNotRegex("\n".join(system.lines(since=mark)), "given up|browser ended")
        self.assertEqual(system.pid_of("browser"), before)

    def check_keeper(self, which):
        system = self.start_fetched()
        mark = system.mark()
        processes.kill(system.pid_of(which), signal.SIGSTOP)
        system.wait_line(r"^broker: browser-shim given up .*reason='it does not answer'", WATCHDOG_S, since=mark)
        mark = system.mark()
        system.wait_line(FETCHED, BROWSER_S, since=mark)

    def test_a_stopped_shim_is_replaced(self):
        self.check_keeper("browser-shim")

    def test_a_stopped_launcher_is_replaced(self):
        self.check_keeper("browser-launcher")


class Scan:
    """Looks at all processes of a system again and again, and keeps which sockets each has been seen with."""

    def __init__(self, system):
        self.system = system
        self.seen = {}  # (pid, its arguments): sockets
        self.rounds = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.is_set():
            self.rounds += 1
            for pid in self.system.pids():
                try:
                    arguments = processes.read_bytes(pid, "cmdline")
                    held = {name for name in processes.descriptors(pid).values() if name.startswith("socket:")}
                    if arguments != processes.read_bytes(pid, "cmdline"):
                        continue  # it has become another program in between
                except (FileNotFoundError, ProcessLookupError):
                    continue
                self.seen.setdefault((pid, arguments), set()).update(held)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Descriptors(SystemCase):
    """strace holds every process for a moment when it has become another program, so that the scan meets each."""

    EXECUTED = re.compile(r"^(\d+) +execve(?:at)?\(.*\) = 0")

    def scan(self, browser):
        self.assertTrue(is_root(), "needs root: looks into other users' processes; run the tests as root")
        system = System(self.base, "--listen", "none", "--browser", browser, "--headless", "--workers", "1", uid=ORDINARY)
        trace = os.path.join(self.base, f"trace-{browser}")
        system.wrapper = []
        system.as_user_without = system.as_user
        strace = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=execve,execveat",
                  "-e", "inject=execve,execveat:delay_exit=200000"]
        system.as_user = lambda arguments: [*strace, *system.as_user_without(arguments)]
        system.spawn()
        system.as_user = system.as_user_without
        self.addCleanup(system.kill_all)
        with Scan(system) as scan:
            system.wait_line(FETCHED, 2 * BROWSER_S)
            pid = system.pid_of("browser")
            own = {processes.descriptors(pid)[number] for number in (3, 4)}
            mine = processes.read_bytes(pid, "cmdline")
            time.sleep(3)
        self.assertEqual(len(own), 2)
        with open(trace, encoding="utf-8", errors="replace") as lines:
            executed = {int(found[1]) for found in map(self.EXECUTED.match, lines) if found}
        return scan, pid, own, mine, executed

    def check(self, browser):
        scan, pid, own, mine, executed = self.scan(browser)
        launcher = processes.parents()[pid][0]
        family = set(processes.descendants(launcher)) - {pid}
        seen = {one for one, _ in scan.seen}
        print(f"{browser}: {len(scan.seen)} programs in {scan.rounds} rounds, {len(executed)} executions")
        self.assertIn(pid, executed)
        self.assertEqual({one for one in executed & family if one not in seen}, set(), "the scan has missed somebody")
        self.assertGreater(len(family), 2)
        held = {(one, arguments[:80]) for (one, arguments), sockets in scan.seen.items()
                if sockets & own and one != pid and arguments != mine and b"browser-shim" not in arguments}
        self.assertEqual(held, set(), "somebody besides the browser has had its handle or its supply")
        left = {one for one in family if processes.name(one) and own & set(processes.descriptors(one).values())}
        self.assertEqual(left, set())

    def test_chromium(self):
        self.check("chromium")

    def test_firefox(self):
        self.check("firefox")
