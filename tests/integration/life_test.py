"""Starting, stopping and healing of the whole system."""

import os
import shutil
import signal
import socket
import threading

import certificates
import processes
import wire
from keyward import SystemCase, for_each_user

FLAGS = ("--listen", "127.0.0.1:0", "--no-browser")


@for_each_user
class Stopping(SystemCase):
    uid = None

    def test_terminate(self):
        system = self.start(*FLAGS, uid=self.uid)
        self.assertGreater(len(system.pids()), 3)
        system.stop(signal.SIGTERM)

    def test_control_c(self):
        """The terminal sends SIGINT to the whole process group."""
        system = self.start(*FLAGS, uid=self.uid)
        system.stop(signal.SIGINT, group=True)

    def test_connections_do_not_hold_it_up(self):
        system = self.start(*FLAGS, uid=self.uid)
        with socket.create_connection(("127.0.0.1", system.port)):
            system.stop()

    def test_a_broker_that_is_killed_leaves_nothing(self):
        system = self.start(*FLAGS, uid=self.uid)
        system.process.kill()
        system.process.wait()
        system_gone = lambda: processes.reap() or not system.pids()
        processes.wait_until(system_gone, 5, lambda: f"still running: {system.describe_left()}")

    def test_it_starts_again_after_it_was_killed(self):
        system = self.start(*FLAGS, uid=self.uid)
        system.process.kill()
        system.process.wait()
        processes.wait_until(lambda: processes.reap() or not system.pids(), 5, "its processes do not end")
        again = type(system)(self.base, *FLAGS, uid=self.uid)
        again.runtime, again.flags = system.runtime, system.flags
        again.start()
        again.stop()


@for_each_user
class KeydDies(SystemCase):
    uid = None

    def test_new_keys_and_the_page_works_again(self):
        system = self.start(*FLAGS, uid=self.uid)
        url = system.url + "/hello"
        self.assertEqual(system.run("browser-shim", "get", url, "--runtime-dir", system.runtime).stdout.strip(),
                         "Hello World")
        old_ca = system.broker("ca").stdout
        [keyd] = system.processes("keyd")
        processes.kill(keyd["pid"])

        def new_ca():
            answer = system.broker("ca", check=False)
            return answer.returncode == 0 and answer.stdout not in ("", old_ca)

        processes.wait_until(new_ca, 10, "there is no new CA")
        answer = lambda: system.run("browser-shim", "get", url, "--runtime-dir", system.runtime, check=False)
        processes.wait_until(lambda: answer().stdout.strip() == "Hello World", 10, lambda: f"the page: {answer()}")
        [again] = system.processes("keyd")
        self.assertNotEqual(again["pid"], keyd["pid"])
        self.assertEqual(again["restarts"], 1)
        system.wait_line(r"^broker: keyd ended .*killed by signal 9")

    def test_it_may_die_more_than_once(self):
        system = self.start(*FLAGS, uid=self.uid)
        for count in (1, 2, 3):
            [keyd] = system.processes("keyd")
            processes.kill(keyd["pid"])
            restarted = lambda: [p for p in system.processes("keyd") if p["restarts"] == count and p["pid"]]
            processes.wait_until(restarted, 15, f"keyd was not started for the {count}. time")
        answer = lambda: system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime, check=False)
        processes.wait_until(lambda: answer().returncode == 0, 10, lambda: f"the page: {answer()}")


class Clients:
    """Makes one connection after another, from several threads, and counts what becomes of them."""

    THREADS = 3

    def __init__(self, port, ca, client):
        self.where = (port, ca, client)
        self.refused = self.good = self.broken = 0
        self.stopped = threading.Event()
        self.counting = threading.Lock()
        self.threads = [threading.Thread(target=self._run) for _ in range(self.THREADS)]

    def _run(self):
        while not self.stopped.is_set():
            outcome = self._one()
            with self.counting:
                setattr(self, outcome, getattr(self, outcome) + 1)

    def _one(self):
        try:
            answer = wire.exchange(*self.where, b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "broken"
        return "good" if b"Hello World" in answer else "broken"

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def wait_good(self, more):
        target = self.good + more
        processes.wait_until(lambda: self.good >= target, 30, lambda: f"good {self.good}, broken {self.broken}")


@for_each_user
class WorkerDies(SystemCase):
    uid = None
    KILLS = 4

    def test_nobody_is_refused(self):
        authority = certificates.Authority(os.path.join(self.base, "authority"), "A CA")
        self.addCleanup(shutil.rmtree, authority.directory)
        client = authority.leaf("client")
        system = self.start(*FLAGS, "--workers", "2", "--client-ca", authority.certificate, uid=self.uid)
        with Clients(system.port, system.ca_file(), client) as clients:
            clients.wait_good(20)
            for count in range(self.KILLS):
                victim = system.processes("web")[count % 2]
                processes.kill(victim["pid"])
                restarted = lambda: [p for p in system.processes(victim["name"])
                                     if p["pid"] not in (0, victim["pid"]) and p["restarts"] > victim["restarts"]]
                processes.wait_until(restarted, 15, f"{victim['name']} did not come back")
                clients.wait_good(20)
        self.assertEqual(clients.refused, 0)
        # Each kill may break what that worker had in its hands, and no more.
        self.assertLessEqual(clients.broken, self.KILLS * Clients.THREADS)

    def test_the_only_worker_dies(self):
        """Connections wait in the listener's queue until the new worker takes them."""
        system = self.start(*FLAGS, "--workers", "1", uid=self.uid)
        [victim] = system.processes("web")
        processes.kill(victim["pid"], signal.SIGKILL)
        with socket.create_connection(("127.0.0.1", system.port), 10):
            pass
        done = system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime)
        self.assertEqual(done.stdout.strip(), "Hello World")
