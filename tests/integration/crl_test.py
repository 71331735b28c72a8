"""Revocation lists of an operator's CAs: whom they name is not let in, and is sent away by a reload."""

import os
import shutil
import ssl
import subprocess
import tempfile

import certificates
import processes
import wire
from keyward import System, SystemCase, for_each_user


@for_each_user
class Lists(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "Partner CA")
        cls.clients = {name: cls.authority.leaf(name) for name in ("good", "bad", "lost")}
        cls.before = cls.authority.crl()
        cls.authority.revoke("bad")
        cls.with_bad = cls.authority.crl()
        cls.with_bad_der = cls.authority.crl(der=True)
        cls.old = cls.authority.crl(end="20200201000000Z")
        cls.authority.revoke("lost", "superseded")
        cls.with_both = cls.authority.crl()
        stranger = certificates.Authority(os.path.join(cls.base, "stranger"), "Stranger")
        cls.of_stranger = stranger.crl()
        with open(stranger.certificate, encoding="ascii") as file:
            cls.stranger = file.read()
        namesake = certificates.Authority(os.path.join(cls.base, "namesake"), "Partner CA")
        cls.of_namesake = namesake.crl()

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="lists-", dir=self.base)
        os.chmod(self.directory, 0o755)
        self.bundle = os.path.join(self.directory, "bundle.pem")
        self.list = os.path.join(self.directory, "list.crl")
        shutil.copy(self.authority.certificate, self.bundle)
        os.chmod(self.bundle, 0o644)

    def publish(self, text):
        """Replaces the file of lists as careful people do."""
        with open(self.list + ".new", "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.list + ".new", 0o644)
        os.rename(self.list + ".new", self.list)

    def begin(self, text, *flags):
        self.publish(text)
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "2", "--client-ca", self.bundle, "--crl",
                            self.list, *flags, uid=self.uid)
        self.ca = system.ca_file()
        return system

    def open(self, system, name):
        connection = wire.connect(system.port, self.ca, self.clients[name])
        self.ask(connection)
        return connection

    def ask(self, connection):
        connection.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"Hello World" not in answer:
            more = connection.recv(4096)
            if not more:
                raise ConnectionError(f"answered {answer!r}")
            answer += more

    def gets_in(self, system, name):
        try:
            self.open(system, name).close()
            return True
        except (ssl.SSLError, ConnectionError):
            return False

    def who(self, system):
        """Who gets in, at whichever worker."""
        return {name for name in self.clients if [self.gets_in(system, name) for _ in range(4)] == [True] * 4}

    def test_who_is_named_is_refused_and_told_why(self):
        for form in (self.with_bad, self.with_bad_der):
            system = self.begin(form)
            self.assertEqual(self.who(system), {"good", "lost"})
            mark = system.mark()
            with self.assertRaisesRegex(ssl.SSLError, "revoked"):
                self.open(system, "bad")
            system.wait_line(r"handshake refused .*certificate revoked on \S+ by the CRL of CN=Partner CA \(keyCompromise; subject "
                             r"CN=test bad, serial .*remedy='if its owner is to be let in, give him a new certificate'", since=mark)
            system.stop()

    def test_a_reload_sends_the_revoked_away(self):
        system = self.begin(self.before)
        self.assertEqual(self.who(system), set(self.clients))
        stays = [self.open(system, "good") for _ in range(8)]  # both workers
        goes = [self.open(system, name) for name in ("bad", "lost") for _ in range(8)]
        self.publish(self.with_both)
        self.assertEqual(system.broker("reload").stdout, "reloaded; 16 connections closed\n")
        for connection in goes:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.ask(connection)
        for connection in stays:
            self.ask(connection)
        self.assertEqual(self.who(system), {"good"})
        system.wait_line(r"^broker: reloaded changes='what the files hold' connections_closed=16 took_ms=\d+$")

    def test_sessions_do_not_outlive_it(self):
        system = self.begin(self.before)
        certificate, key = self.clients["bad"]
        session = os.path.join(self.directory, "session")
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{system.port}", "-servername", "localhost", "-CAfile", self.ca,
                   "-cert", certificate, "-key", key, "-alpn", "http/1.1", "-ign_eof", "-verify_return_error"]
        get = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

        def come(*flags):
            done = subprocess.run([*command, *flags], input=get, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20,
                                  check=False)
            return b"Hello World" in done.stdout, b"Reused, TLSv1.3" in done.stdout

        self.assertEqual(come("-sess_out", session), (True, False))
        self.assertEqual(come("-sess_in", session), (True, True))
        self.publish(self.with_bad)
        system.broker("reload")
        self.assertEqual(come("-sess_in", session), (False, False))

    def test_a_broken_file_changes_nothing(self):
        system = self.begin(self.with_bad)
        connection = self.open(system, "good")
        damaged = self.before.replace("\n", "\nAAAA", 2)
        for text, why in (("", "it is empty"), ("nothing", "neither PEM nor DER"), (damaged, "list 1: does not parse"),
                          (self.of_stranger, "by 'CN=Stranger', which is none of the client CAs"),
                          (self.of_namesake, "of 'CN=Partner CA': the client CA of that name has not signed it"),
                          (self.stranger, "holds a CERTIFICATE; want '-----BEGIN X509 CRL-----'"),
                          (self.before + self.of_stranger, "list 2: by 'CN=Stranger'")):
            self.publish(text)
            done = system.broker("reload", check=False)
            self.assertEqual(done.returncode, 100, done.stderr)
            self.assertIn(f"--crl '{self.list}': ", done.stderr)
            self.assertIn(why, done.stderr)
            self.assertEqual(self.who(system), {"good", "lost"})
        self.publish(b"\0" * (4 * 1024 * 1024 + 1))
        self.assertIn("longer than 4194304 bytes", system.broker("reload", check=False).stderr)
        os.unlink(self.list)
        self.assertIn("No such file", system.broker("reload", check=False).stderr)
        self.ask(connection)
        processes.kill(system.pid_of("web[0]"))  # and whoever starts now has the old one too
        processes.wait_until(lambda: all(p["pid"] for p in system.processes("web")), 10, lambda: "not restarted")
        self.assertEqual(self.who(system), {"good", "lost"})

    def test_cas_and_lists_are_replaced_together(self):
        system = self.begin(self.with_bad)
        with open(self.bundle, "a", encoding="ascii") as file:
            file.write(self.stranger)
        self.assertIn("it has no list of the client CA 'CN=Stranger'", system.broker("reload", check=False).stderr)
        self.publish(self.with_both + self.of_stranger)
        self.assertEqual(system.broker("reload").stdout, "reloaded; 0 connections closed\n")
        self.assertEqual(self.who(system), {"good"})

    def test_a_list_out_of_date_keeps_its_clients_out(self):
        system = self.begin(self.old)
        system.wait_line(r"^web.0.: CRL out of date reason='the CRL of CN=Partner CA is good from 2020\S+ until 2020-02-01\S+' effect=")
        self.assertEqual(self.who(system), set())
        system.wait_line(r"handshake refused .*the CRL of CN=Partner CA was good until 2020-02-01T00:00:00.000Z; .*remedy='put the CA.*"
                         r"present list into the file of --crl and say broker reload")
        # keyd's own client needs no list.
        done = system.run("browser-shim", "get", "--runtime-dir", system.runtime, f"https://localhost:{system.port}/hello")
        self.assertIn("Hello World", done.stdout)
        self.publish(self.with_bad)
        system.broker("reload")
        self.assertEqual(self.who(system), {"good", "lost"})

    def test_the_start_says_what_is_wrong(self):
        self.publish(self.of_stranger)
        refused = self.run_broken("--client-ca", self.bundle, "--crl", self.list)
        self.assertIn("by 'CN=Stranger', which is none of the client CAs", refused)
        self.assertIn("--crl is about clients of your own CAs; add --client-ca", self.run_broken("--crl", self.list))
        os.unlink(self.list)
        os.mkfifo(self.list)
        self.assertIn("is not a regular file", self.run_broken("--client-ca", self.bundle, "--crl", self.list))

    def run_broken(self, *flags):
        system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser", *flags, uid=self.uid)
        done = system.run("broker", *system.flags, check=False)
        self.assertEqual(done.returncode, 100, done.stderr)
        return done.stderr
