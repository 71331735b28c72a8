"""The access log in a file, which is rotated while requests come."""

import json
import os
import signal
import stat
import subprocess
import threading

import certificates
import processes
from keyward import COMMAND_S, System, SystemCase, for_each_user


class LogCase(SystemCase):
    def setUp(self):
        self.authority = certificates.Authority(os.path.join(self.base, self.id()), "Good CA")
        os.chmod(self.authority.directory, 0o755)
        self.client = self.authority.leaf("client")

    def open(self, uid, *flags):
        """Starts a system whose access log is in a directory that the broker's user may write."""
        self.directory = os.path.join(self.base, f"log-{uid}-{self.id()}")
        os.makedirs(self.directory)
        os.chmod(self.directory, 0o1777)
        self.file = os.path.join(self.directory, "access.log")
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", self.authority.certificate,
                            "--access-log", "json", "--access-file", self.file, *flags, uid=uid)
        self.ca = system.ca_file()
        return system

    def get(self, system, path, times=1):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), "--cacert", self.ca, "--cert", self.client[0],
             "--key", self.client[1], f"{system.url}{path}?[1-{times}]"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def records(self, path):
        with open(path, encoding="ascii") as file:
            text = file.read()
        self.assertTrue(text == "" or text.endswith("\n"))
        return [json.loads(line) for line in text.splitlines()]

    def wait_records(self, num, *paths):
        found = []

        def there():
            found[:] = [record for path in paths for record in self.records(path)]
            return len(found) >= num

        processes.wait_until(there, COMMAND_S, lambda: f"{len(found)} records of {num}")
        self.assertEqual(len(found), num)
        return found


@for_each_user
class File(LogCase):
    def test_each_request_is_a_line_of_it(self):
        system = self.open(self.uid)
        self.get(system, "/hello", times=3)
        for record in self.wait_records(3, self.file):
            self.assertEqual(record["status"], 200)
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o640)
        self.assertNotIn('"status":200', system.log())

    def test_no_line_is_lost_or_torn_in_rotation(self):
        system = self.open(self.uid, "--config", self.two_workers())
        threads = [threading.Thread(target=self.get, args=(system, "/hello", 300)) for _ in range(3)]
        for thread in threads:
            thread.start()
        rotated = []
        while any(thread.is_alive() for thread in threads):
            rotated.append(f"{self.file}.{len(rotated)}")
            os.rename(self.file, rotated[-1])
            system.broker("reopen")
            size = os.stat(rotated[-1]).st_size
            threads[0].join(0.05)
            self.assertEqual(os.stat(rotated[-1]).st_size, size, "nobody writes to it any more")
        for thread in threads:
            thread.join()
        ids = [record["id"] for record in self.wait_records(900, self.file, *rotated)]
        self.assertEqual(len(set(ids)), 900)

    def two_workers(self):
        path = os.path.join(self.base, "two.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[web]\nworkers = 2\n")
        return path

    def test_a_signal_does_it_too(self):
        system = self.open(self.uid)
        self.get(system, "/one")
        self.wait_records(1, self.file)
        os.rename(self.file, self.file + ".1")
        mark = system.mark()
        system.process.send_signal(signal.SIGUSR1)
        system.wait_line(r"^broker: access log reopened file='.*access\.log'$", since=mark)
        self.get(system, "/two")
        self.assertEqual(self.wait_records(1, self.file)[0]["path"], "/two")
        self.assertEqual(len(self.records(self.file + ".1")), 1)

    def test_a_worker_that_starts_later_has_it(self):
        system = self.open(self.uid)
        os.rename(self.file, self.file + ".1")
        system.broker("reopen")
        for name in [row["name"] for row in system.status()["processes"] if row["name"].startswith("web[")]:
            mark = system.mark()
            os.kill(system.pid_of(name), signal.SIGKILL)
            system.wait_line(rf"^broker: {name.replace('[', '.').replace(']', '.')} ready", since=mark)
        self.get(system, "/hello", times=4)
        self.wait_records(4, self.file)
        self.assertEqual(self.records(self.file + ".1"), [])

    def test_what_cannot_be_opened_leaves_the_old_one(self):
        system = self.open(self.uid)
        os.rename(self.file, self.file + ".1")
        os.symlink("elsewhere", self.file)
        done = system.broker("reopen", check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn("it is a link", done.stderr)
        self.get(system, "/hello")
        self.wait_records(1, self.file + ".1")
        os.unlink(self.file)
        mine = os.path.join(self.base, "mine")
        with open(mine, "w", encoding="ascii"):
            os.chmod(mine, 0o666)
            os.link(mine, self.file)
        done = system.broker("reopen", check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn("it has more than one name", done.stderr)
        os.unlink(self.file)
        system.broker("reopen")
        self.get(system, "/hello")
        self.wait_records(1, self.file)


# The schema of docs/LOGS.md.
KEYS = ["time", "level", "process", "pid", "event", "text", "fields"]


@for_each_user
class Structured(LogCase):
    def begin(self, *flags, wrapper=()):
        """Starts a system that does not say it is ready in the words that others wait for."""
        system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser", "--client-ca", self.authority.certificate, *flags,
                        uid=self.uid)
        system.wrapper = list(wrapper)
        system.spawn()
        self.addCleanup(self._finish, system)
        found = system.wait_line(r"ready url=https://localhost:(\d+)", COMMAND_S)
        system.port = int(found[1])
        return system

    def test_every_line_of_every_process_is_an_object(self):
        system = self.begin("--log-format", "json")
        subprocess.run(["curl", "--silent", "--insecure", f"https://localhost:{system.port}/"], timeout=COMMAND_S, check=False,
                       stdout=subprocess.DEVNULL)
        system.wait_line("handshake refused")
        name = next(row["name"] for row in system.status()["processes"] if row["name"].startswith("web["))
        pid = system.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        system.wait_line("ended pid=")
        events = [json.loads(line) for line in system.lines()]
        for event in events:
            self.assertEqual(list(event), KEYS)
            self.assertTrue(all(isinstance(value, str) for value in event["fields"].values()))
        refused = next(event for event in events if event["event"] == "handshake refused")
        self.assertRegex(refused["process"], r"^web\[\d+\]$")
        self.assertEqual(refused["fields"]["reason"], "client sent no certificate")
        self.assertEqual(refused["level"], "info")
        ended = next(event for event in events if event["event"] == "web ended")
        self.assertEqual(ended["level"], "error")
        self.assertEqual(ended["fields"]["pid"], str(pid))
        self.assertEqual(ended["pid"], system.process.pid)
        for event in events:
            self.assertRegex(event["process"], r"^(broker|keyd|web\[\d+\])$")

    def test_why_it_does_not_start(self):
        system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser", "--log-format", "json", "--client-ca", "/nowhere",
                        uid=self.uid)
        system.spawn()
        self.assertEqual(system.process.wait(COMMAND_S), 100)
        system.wait_line("/nowhere")
        self.assertEqual(json.loads(system.lines()[-1])["level"], "error")

    def test_journald_is_told_the_level(self):
        system = self.begin(wrapper=("sh", "-c", 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr) exec "$@"', "sh"))
        subprocess.run(["curl", "--silent", "--insecure", f"https://localhost:{system.port}/"], timeout=COMMAND_S, check=False,
                       stdout=subprocess.DEVNULL)
        system.wait_line(r"^<6>web\[\d+\]: handshake refused")
        system.wait_line(r"^<6>broker: ready")
        self.assertEqual([line for line in system.lines() if not line.startswith("<")], [])

    def test_nobody_else_is(self):
        system = self.begin(wrapper=("env", "JOURNAL_STREAM=1:2"))
        system.wait_line(r"^broker: ready")


@for_each_user
class Elsewhere(LogCase):
    def test_without_a_file_there_is_nothing_to_reopen(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", uid=self.uid)
        done = system.broker("reopen", check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn("[log] access_file", done.stderr)
        mark = system.mark()
        system.process.send_signal(signal.SIGUSR1)
        system.wait_line(r"access log not reopened", since=mark)
        self.assertEqual(system.broker("status").returncode, 0)

    def test_what_is_no_place_for_it(self):
        os.makedirs(os.path.join(self.base, "d"), exist_ok=True)
        os.mkfifo(os.path.join(self.base, f"pipe-{self.uid}"))
        for path, formats, wanted in (("/nowhere/access.log", "json", "its directory"),
                                      (os.path.join(self.base, "d"), "json", "access log"),
                                      (os.path.join(self.base, f"pipe-{self.uid}"), "json", "access log"),
                                      (os.path.join(self.base, "file"), "text", "add --access-log json or combined")):
            for command in ("check", "run"):
                with self.subTest(path=path, command=command):
                    system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser", "--access-log", formats,
                                    "--access-file", path, uid=self.uid, programs=self.programs, command=command)
                    system.spawn()
                    self.assertEqual(system.process.wait(COMMAND_S), 100)
                    system.wait_line(wanted)


if __name__ == "__main__":
    import runner

    runner.main()
