"""Processes that are killed under load: what was promised is kept, what is cut is seen to be, and nothing is left of it."""

import contextlib
import random
import subprocess
import threading
import time

import processes
import wire
from crash import CrashCase
from keyward import bystanders, for_each_user, is_root
from load import Cut, Load, Reader

BACK_S = 10  # from a kill to the next good answers, on a loaded machine


@for_each_user
class UnderLoad(CrashCase):
    ROUNDS = 2

    def test_whoever_is_killed(self):
        system = self.begin()
        chance = random.Random(1)
        with Load(system, self.ca, self.client, self.uploads, self.downloads) as load:
            load.wait_good(3, BACK_S)
            for _ in range(self.ROUNDS):
                for name in ("web[0]", "web[1]", "keyd"):
                    time.sleep(chance.uniform(0, 0.05))
                    processes.kill(system.pid_of(name))
                    load.wait_good(3, BACK_S)
            for kill in (self.kill_spawner, self.kill_broker):
                kill(system)
                self.expect_gone(system)
                system = self.restart(system)
                load.wait_good(3, BACK_S)
        system.stop()
        self.assertGreater(load.check_files(), 10)
        self.assertEqual(load.wrong, [])
        self.assertGreater(load.cut, 0, "nobody was hit")
        self.expect_clean()

    def kill_spawner(self, system):
        [spawner] = [pid for pid in processes.descendants(system.process.pid) if processes.name(pid) == "spawner"]
        processes.kill(spawner)

    def kill_broker(self, system):
        system.process.kill()


class InsideAnUpload(CrashCase):
    """Before each of the system calls that an upload consists of, in the real worker; and at any time, the broker."""

    workers = 1
    OLD, NEW = b"old" * 50_000, b"new!" * 60_000
    CALLS = [("openat", 1), *(("write", at) for at in range(1, 17, 3)), ("fsync", 1), ("renameat,renameat2", 1), ("fsync", 2)]

    def put(self, system, body):
        """Returns the status, or None if there was no answer."""
        try:
            with wire.connect(system.port, self.ca, self.client, ragged=True) as connection:
                connection.sendall(f"PUT /upload/file HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
                                   .encode() + body)
                return Reader(connection).answer()[0]
        except (Cut, OSError):
            return None

    def put_until(self, system, body):
        """As soon as there is somebody to take it."""
        processes.wait_until(lambda: self.put(system, body) in (201, 204), BACK_S, "nobody takes it")
        self.expect_clean()

    def check(self, status, what):
        """Returns what is there, which is one or the other, and the other if the client was told so."""
        content = self.uploaded("file")
        self.assertIn(content, (self.OLD, self.NEW), f"{what}: {len(content)} bytes")
        if status is not None:
            self.assertEqual((status, content), (204, self.NEW), what)
        return content

    @contextlib.contextmanager
    def killer(self, pid, calls, at):
        """Kills the process as it enters one of these system calls for the at-th time."""
        tracer = subprocess.Popen(
            ["strace", "-f", "-p", str(pid), "-e", f"trace={calls}", "-e", f"inject={calls}:signal=SIGKILL:when={at}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        bystanders.add(tracer.pid)
        try:
            self.assertIn("attached", tracer.stderr.readline())
            yield
            tracer.communicate(timeout=BACK_S)  # it ends with the process
        finally:
            tracer.kill()
            tracer.wait()
            tracer.stderr.close()
            bystanders.discard(tracer.pid)

    def test_the_worker(self):
        self.assertTrue(is_root(), "needs root: stops a process at its system calls; run the tests as root")
        system = self.begin()
        seen = []
        for calls, at in self.CALLS:
            self.put_until(system, self.OLD)
            with self.killer(system.pid_of("web[0]"), calls, at):
                status = self.put(system, self.NEW)
            seen.append(self.check(status, f"{calls} {at}"))
        self.assertIn(self.OLD, seen)
        self.assertIn(self.NEW, seen)
        self.put_until(system, self.OLD)

    def test_the_broker(self):
        system = self.begin()
        for delay_ms in (0, 1, 2, 4, 8, 12):
            self.put_until(system, self.OLD)
            timer = threading.Timer(delay_ms / 1e3, system.process.kill)
            timer.start()
            status = self.put(system, self.NEW)
            timer.join()
            self.expect_gone(system)
            self.check(status, f"the broker after {delay_ms} ms")
            system = self.restart(system)
        self.put_until(system, self.NEW)
