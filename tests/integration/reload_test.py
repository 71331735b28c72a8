"""SIGHUP and broker reload: other client CAs without a restart, all or nothing."""

import os
import signal
import ssl
import tempfile
import threading

import certificates
import processes
import wire
from keyward import SystemCase, for_each_user


@for_each_user
class Reload(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authorities = [certificates.Authority(os.path.join(cls.base, f"authority-{i}"), f"CA {i}") for i in range(2)]
        cls.clients = [authority.leaf("client") for authority in cls.authorities]

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="trust-", dir=self.base)
        os.chmod(self.directory, 0o755)
        self.bundle = os.path.join(self.directory, "bundle.pem")

    def trust(self, *numbers, junk=None):
        """Replaces the file as careful people do, by another one of the same name."""
        text = junk or ""
        for number in numbers:
            with open(self.authorities[number].certificate, encoding="ascii") as certificate:
                text += certificate.read()
        with open(self.bundle + ".new", "w", encoding="ascii") as out:
            out.write(text)
        os.chmod(self.bundle + ".new", 0o644)
        os.rename(self.bundle + ".new", self.bundle)

    def begin(self, *flags):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "2", "--client-ca", self.bundle, *flags,
                            uid=self.uid)
        self.ca = system.ca_file()
        return system

    def open(self, system, number):
        connection = wire.connect(system.port, self.ca, self.clients[number])
        self.ask(connection)
        return connection

    def ask(self, connection):
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = connection.recv(4096)
        while answer and b"Hello World" not in answer:
            more = connection.recv(4096)
            if not more:
                break
            answer += more
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"answered {answer!r}")

    def gets_in(self, system, number):
        try:
            self.open(system, number).close()
            return True
        except (ssl.SSLError, ConnectionError):
            return False

    def test_in_force_at_once_and_everywhere(self):
        self.trust(0)
        system = self.begin()
        self.assertEqual((self.gets_in(system, 0), self.gets_in(system, 1)), (True, False))
        stays, goes = [], []
        self.trust(0, 1)
        self.assertEqual(system.broker("reload").stdout, "reloaded; 0 connections closed\n")
        for _ in range(8):  # both workers
            stays.append(self.open(system, 0))
            goes.append(self.open(system, 1))
        self.trust(0)
        self.assertEqual(system.broker("reload").stdout, "reloaded; 8 connections closed\n")
        for connection in goes:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.ask(connection)
        for connection in stays:
            self.ask(connection)
        self.assertEqual([self.gets_in(system, 1) for _ in range(8)], [False] * 8)

    def test_sighup(self):
        self.trust(0)
        system = self.begin()
        self.trust(1)
        mark = system.mark()
        system.process.send_signal(signal.SIGHUP)
        system.wait_line(r"^broker: reloaded changes='what the files hold' connections_closed=0 took_ms=\d+$", since=mark)
        self.assertEqual((self.gets_in(system, 0), self.gets_in(system, 1)), (False, True))

    def test_a_broken_file_changes_nothing(self):
        self.trust(0)
        system = self.begin()
        connection = self.open(system, 0)
        broken = "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n"
        with open(self.clients[1][0], encoding="ascii") as leaf:
            no_ca = leaf.read()
        # The broker sees the first, a worker the others.
        for junk, why in (("nothing", "no certificate in it"), (broken, "certificate 1: does not parse"),
                          (no_ca, "is not a CA certificate; give the CA that signed it")):
            self.trust(junk=junk)
            done = system.broker("reload", check=False)
            self.assertEqual(done.returncode, 100)
            self.assertIn(f"--client-ca '{self.bundle}': ", done.stderr)
            self.assertIn(why, done.stderr)
            self.assertEqual((self.gets_in(system, 0), self.gets_in(system, 1)), (True, False))
        os.unlink(self.bundle)
        mark = system.mark()
        system.process.send_signal(signal.SIGHUP)
        system.wait_line(r"^broker: reload failed reason='--client-ca .*No such file.*' effect='all is as it was'$", since=mark)
        self.ask(connection)
        processes.kill(system.pid_of("web[0]"))  # and whoever starts now has the old one too
        processes.wait_until(lambda: all(p["pid"] for p in system.processes("web")), 10, lambda: "not restarted")
        self.assertTrue(all(self.gets_in(system, 0) for _ in range(8)))

    def test_holds_for_those_who_are_started_later(self):
        self.trust(0)
        system = self.begin()
        self.trust(1)
        system.broker("reload")
        for name in ("web[2]", "web[3]", "keyd"):
            before = system.pid_of(name)
            mark = system.mark()
            os.kill(before, signal.SIGKILL)
            system.wait_line(rf"^broker: {name.replace('[', '.').replace(']', '.')} ready pid=", since=mark)
        processes.wait_until(lambda: self.gets_in_anew(system, 1), 10, lambda: system.log())
        self.assertEqual([self.gets_in_anew(system, 0) for _ in range(8)], [False] * 8)

    def gets_in_anew(self, system, number):
        self.ca = system.ca_file()
        return self.gets_in(system, number)

    def test_nobody_is_refused_meanwhile(self):
        self.trust(0)
        system = self.begin()
        failed, over = [], threading.Event()

        def load():
            while not over.is_set():
                try:
                    self.open(system, 0).close()
                except OSError as error:
                    failed.append(error)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(20):
            self.trust(0, 1) if i % 2 else self.trust(0)
            system.broker("reload")
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_without_any_file(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", uid=self.uid)
        self.assertEqual(system.broker("reload").stdout, "reloaded; 0 connections closed\n")
        mark = system.mark()
        system.process.send_signal(signal.SIGHUP)
        system.wait_line(r"^broker: reloaded ", since=mark)
        self.assertIsNone(system.process.poll())
