"""Processes that hang without dying: stopped by a signal, which is the purest way to hang."""

import os
import signal
import time

import processes
from keyward import SystemCase, for_each_user

FLAGS = ("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1")

# base/limits.h: WATCHDOG_INTERVAL_MS and DEADLINE_PONG_MS, and what a loaded machine takes besides.
BOUND_S = 10 + 5 + 5


def stop(pid):
    processes.kill(pid, signal.SIGSTOP)


class WatchdogCase(SystemCase):
    uid = None

    def spawner_of(self, system):
        [pid] = [pid for pid in system.pids() if processes.name(pid) == "spawner"]
        return pid


@for_each_user
class Hangs(WatchdogCase):
    def test_keyd_and_a_worker_are_replaced(self):
        system = self.start(*FLAGS, uid=self.uid)
        old = {name: system.pid_of(name) for name in ("keyd", "web[0]")}
        mark, begun = system.mark(), time.monotonic()
        for pid in old.values():
            stop(pid)
        for name in old:
            pattern = rf"^broker: {name} given up .*reason='it does not answer'".replace("[", r"\[").replace("]", r"\]")
            system.wait_line(pattern, BOUND_S, since=mark)
        self.assertLess(time.monotonic() - begun, BOUND_S)
        answer = lambda: system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime, check=False)
        processes.wait_until(lambda: answer().stdout.strip() == "Hello World", 10, lambda: f"the page: {answer()}")
        for name, pid in old.items():
            self.assertNotEqual(system.pid_of(name), pid)

    def test_without_its_spawner_all_ends(self):
        """Nobody else could start anything again; who has started the broker does that."""
        system = self.start(*FLAGS, uid=self.uid)
        stop(self.spawner_of(system))
        system.wait_line(r"^broker: spawner does not answer", BOUND_S)
        self.assertEqual(system.process.wait(5), 111)
        system.expect_nothing_left(2)

    def test_nobody_is_blamed_when_all_were_halted(self):
        """As by a machine that is suspended: when it goes on, their time is up, and they have not had it."""
        system = self.start(*FLAGS, uid=self.uid)
        everybody, mark = system.pids(), system.mark()
        others = [pid for pid in everybody if pid != system.process.pid]
        time.sleep(9.5)
        for pid in others:
            stop(pid)
        time.sleep(1.5)  # now they have been asked
        stop(system.process.pid)
        time.sleep(6.5)
        processes.kill(system.process.pid, signal.SIGCONT)
        time.sleep(1)
        for pid in others:
            processes.kill(pid, signal.SIGCONT)
        system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime)
        self.assertNotRegex("\n".join(system.lines(since=mark)), "given up|does not answer")
        self.assertEqual(sorted(everybody), sorted(system.pids()))

    def test_it_seldom_wakes_anybody(self):
        system = self.start(*FLAGS, uid=self.uid)
        switches = lambda: {pid: int(processes.status(pid)["voluntary_ctxt_switches"]) for pid in system.pids()}
        time.sleep(2)
        before = switches()
        time.sleep(11)
        woken = {processes.name(pid): after - before[pid] for pid, after in switches().items()}
        print(f"woken in 11 s: {woken}")
        self.assertLess(max(woken.values()), 25)


@for_each_user
class HangsAtTheEnd(WatchdogCase):
    """Whoever hangs, the promise of the command line holds."""

    def check(self, *names):
        system = self.start(*FLAGS, uid=self.uid)
        pids = [self.spawner_of(system) if name == "spawner" else system.pid_of(name) for name in names]
        for pid in pids:
            stop(pid)
        system.stop()
        self.assertEqual([pid for pid in pids if os.path.exists(f"/proc/{pid}")], [])

    def test_keyd(self):
        self.check("keyd")

    def test_a_worker(self):
        self.check("web[0]")

    def test_the_spawner(self):
        self.check("spawner")

    def test_all_of_them(self):
        self.check("spawner", "keyd", "web[0]")

    def test_a_broker_that_is_killed_leaves_no_stopped_process(self):
        system = self.start(*FLAGS, uid=self.uid)
        for pid in [self.spawner_of(system), system.pid_of("keyd")]:
            stop(pid)
        system.process.kill()
        system.process.wait()
        processes.wait_until(lambda: processes.reap() or not system.pids(), 5, lambda: f"still running: {system.describe_left()}")
