"""Revocation in one step: signing stops, connections end, new ones are refused, and nobody else notices."""

import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import time

import certificates
import processes
import wire
from keyward import COMMAND_S, SharedSystemCase, SystemCase, for_each_user, runfile

REVOKE_S = 2.0  # DEADLINE_REVOKE_MS
GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
GOAWAY = 7


class Held:
    """A connection with a handle of its own."""

    def __init__(self, case, system, port, service, keeps="keep", parent=None):
        command = [case.held, system.runtime, f"localhost:{port}", service, keeps]
        if parent is not None:
            command.append(str(parent))
        self.process = subprocess.Popen(
            system.as_user(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=system.environment(), cwd="/")
        case.addCleanup(self.close)
        line = self.process.stderr.readline().decode()
        found = re.match(r"handle (\d+)$", line)
        if not found:
            raise AssertionError(line + self.process.stderr.read().decode())
        self.handle = found[1]

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def hear(self, count):
        return os.read(self.process.stdout.fileno(), count)

    def exchange_echo(self, text):
        self.say(text + b"\n")
        return self.process.stdout.readline()

    def exchange_http(self):
        self.say(GET)
        got = b""
        while not got.endswith(b"Hello World\n"):
            piece = self.hear(65536)
            if not piece:
                raise AssertionError(f"it ended after {got!r} {self.process.stderr.read()!r}")
            got += piece
        return got

    def wait_end(self):
        """Waits for the server's end of the connection and returns what still came."""
        rest, says = self.process.communicate(timeout=COMMAND_S)
        if says or self.process.returncode != 0:
            raise AssertionError(f"held exited with {self.process.returncode}: {says.decode()}")
        return rest

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


def time_revocation(system, held):
    """Revokes the handle of a connection; the seconds from the request to the connection's end, and what was printed."""
    begun = time.monotonic()
    done = system.broker("handle", "revoke", held.handle)
    held.wait_end()
    return time.monotonic() - begun, done.stdout


class RevokeCase(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.held = os.path.join(cls.base, "held")
        with open(runfile("tests/integration/held"), "rb") as built, open(cls.held, "wb") as copy:
            copy.write(built.read())
        os.chmod(cls.held, 0o755)


class SharedRevokeCase(SharedSystemCase, RevokeCase):
    uploads = None

    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "A CA")
        cls.foreign = cls.authority.leaf("foreign")
        cls.uploads = os.path.join(cls.base, "uploads")
        os.mkdir(cls.uploads)
        os.chmod(cls.uploads, 0o777)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--workers", "2", "--echo", "127.0.0.1:0",
                     "--client-ca", cls.authority.certificate, "--uploads", cls.uploads)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        found = cls.system.wait_line(r"^broker: listening service='echo' address='127\.0\.0\.1:(\d+)'")
        cls.echo_port, cls.ca = int(found[1]), cls.system.ca_file()


@for_each_user
class Handles(SharedRevokeCase):
    def held_echo(self, keeps="keep", parent=None):
        held = Held(self, self.system, self.echo_port, "lines", keeps, parent)
        self.assertIn(b"hello", held.exchange_echo(b"hello"))
        return held

    def held_http(self):
        held = Held(self, self.system, self.system.port, "http")
        held.exchange_http()
        return held

    def revoke(self, handle, connections):
        done = self.system.broker("handle", "revoke", handle)
        plural = "" if connections == 1 else "s"
        self.assertEqual(done.stdout, f"handle {handle} revoked; {connections} connection{plural} closed\n")

    def test_its_connection_ends_and_no_other(self):
        for open_one in (self.held_echo, self.held_http):
            with self.subTest(open_one.__name__):
                mine, other, http = open_one(), self.held_echo(), self.held_http()
                with wire.connect(self.echo_port, self.ca, self.foreign, alpn=None) as foreign:
                    self.revoke(mine.handle, 1)
                    self.assertEqual(mine.wait_end(), b"")
                    self.assertIn(b"still", other.exchange_echo(b"still"))
                    http.exchange_http()
                    foreign.sendall(b"still\n")
                    self.assertIn(b"still", foreign.recv(1000))

    def test_a_handle_that_has_ended_still_has_its_connection(self):
        held = self.held_echo("drop")
        processes.wait_until(
            lambda: not [h for h in self.system.status()["handles"] if h["handle"] == int(held.handle)], 10,
            lambda: "the handle does not end")
        self.assertIn(b"still", held.exchange_echo(b"still"))
        self.revoke(held.handle, 1)
        self.assertEqual(held.wait_end(), b"")

    def is_listed(self, handle):
        return int(handle) in [listed["handle"] for listed in self.system.status()["handles"]]

    def test_a_part_that_has_ended_goes_with_the_whole(self):
        for whole_has_ended in (False, True):
            with self.subTest(whole_has_ended=whole_has_ended):
                other, http = self.held_echo(), self.held_http()
                parent = wire.Control(self.system.runtime).mint(label="parent")
                self.addCleanup(parent.close)
                part = self.held_echo("drop", parent.number)
                if whole_has_ended:
                    parent.close()
                for handle in [part.handle] + [parent.number] * whole_has_ended:
                    processes.wait_until(lambda h=handle: not self.is_listed(h), 10, lambda: "the handle does not end")
                self.assertIn(b"still", part.exchange_echo(b"still"))
                self.revoke(str(parent.number), 1)
                self.assertEqual(part.wait_end(), b"")
                self.assertIn(b"still", other.exchange_echo(b"still"))
                http.exchange_http()

    def test_an_upload_leaves_nothing(self):
        held = self.held_http()
        held.say(b"PUT /upload/partial HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500000)
        # The worker is somewhere in the middle of it: the file has a name that is not yet its own.
        processes.wait_until(lambda: os.listdir(self.uploads), 10, lambda: "no upload began")
        self.revoke(held.handle, 1)
        held.wait_end()
        processes.wait_until(lambda: not os.listdir(self.uploads), 10, lambda: "a part of the upload is left")

    def test_the_list_forgets_it(self):
        held = self.held_echo()
        self.assertIn(int(held.handle), [handle["handle"] for handle in self.system.status()["handles"]])
        self.revoke(held.handle, 1)
        self.assertNotIn(int(held.handle), [handle["handle"] for handle in self.system.status()["handles"]])
        done = self.system.broker("handle", "revoke", held.handle, check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn(f"handle {held.handle}: there is none; broker handle list shows them", done.stderr)

    def test_who_is_not_there_cannot_be_revoked(self):
        for words, text in ((("99999999",), "handle 99999999: there is none"), (("0",), "not a number"),
                            (("x",), "not a number"), ((), "needs a number"), (("1", "2"), "unexpected")):
            with self.subTest(words):
                done = self.system.broker("handle", "revoke", *words, check=False)
                self.assertEqual(done.returncode, 100, done.stderr)
                self.assertIn(text, done.stderr)
                self.assertEqual(done.stdout, "")


@for_each_user
class Certificates(SharedRevokeCase):
    """Each test with a certificate of its own: what is revoked stays so."""

    def leaf(self, name):
        files = self.authority.leaf(name)
        serial = certificates.openssl("x509", "-in", files[0], "-noout", "-serial").strip().split("=")[1]
        return files, serial

    def revoke(self, serial, connections, spelled=None):
        done = self.system.broker("certificate", "revoke", spelled or serial)
        plural = "" if connections == 1 else "s"
        self.assertEqual(done.stdout,
                         f"certificate {serial.lower()} revoked; {connections} connection{plural} closed\n")

    def expect_refused(self, files):
        mark = self.system.mark()
        with self.assertRaises((ssl.SSLError, ConnectionError)) as caught:
            with wire.connect(self.echo_port, self.ca, files, alpn=None) as connection:
                connection.sendall(b"hello\n")
                if not connection.recv(1000):
                    raise ConnectionError("closed")
        return caught.exception, mark

    def test_its_connections_end_whatever_they_speak(self):
        files, serial = self.leaf("many")
        other, _ = self.leaf("other")
        echo = wire.connect(self.echo_port, self.ca, files, alpn=None)
        http1 = wire.connect(self.system.port, self.ca, files)
        http2 = wire.connect(self.system.port, self.ca, files, alpn="h2")
        stays = wire.connect(self.echo_port, self.ca, other, alpn=None)
        with echo, http1, http2, stays:
            echo.sendall(b"hello\n")
            self.assertIn(b"hello", echo.recv(1000))
            http1.sendall(GET)
            self.assertIn(b"200 OK", http1.recv(1000))
            http2.sendall(H2_PREFACE)
            first = http2.recv(65536)  # the server's SETTINGS
            stays.sendall(b"hello\n")
            self.assertIn(b"hello", stays.recv(1000))
            self.revoke(serial, 3)
            self.assertEqual(wire.read_to_end(echo), b"")
            self.assertEqual(wire.read_to_end(http1), b"")
            self.assertIn(GOAWAY, frame_types(first + wire.read_to_end(http2)))
            stays.sendall(b"still\n")
            self.assertIn(b"still", stays.recv(1000))

    def test_no_new_connection_is_made_with_it(self):
        files, serial = self.leaf("later")
        self.revoke(serial, 0, spelled=":".join(serial[i:i + 2] for i in range(0, len(serial), 2)).lower())
        error, mark = self.expect_refused(files)
        self.assertIn("alert certificate revoked", str(error).lower().replace("_", " "))
        self.system.wait_line(f"reason='client certificate revoked serial={serial.lower()}'", since=mark)

    def test_a_session_from_before_is_worth_nothing(self):
        """Until then it needs no proof of the key (ADR 20)."""
        files, serial = self.leaf("resumed")
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(*files)

        def come(session):
            plain = socket.create_connection(("127.0.0.1", self.echo_port), wire.TIMEOUT_S)
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
                connection.sendall(b"hello\n")
                self.assertIn(b"hello", connection.recv(1000))
                return connection.session_reused, connection.session

        resumed, session = come(None)
        self.assertFalse(resumed)
        self.assertTrue(come(session)[0])
        self.system.broker("certificate", "revoke", serial)  # the server may not have seen the end of the last one yet
        with self.assertRaisesRegex(ssl.SSLError, "(?i)certificate.revoked"):
            come(session)

    def test_a_new_worker_knows_it(self):
        files, serial = self.leaf("remembered")
        self.revoke(serial, 0)
        for worker in self.system.processes("web"):
            mark = self.system.mark()
            processes.kill(worker["pid"])
            self.system.wait_line(r"web\[\d\] ready", since=mark)
        for _ in range(6):  # each of the two workers, most likely
            self.expect_refused(files)

    def test_a_half_made_handshake_is_ended(self):
        """It stays without a certificate: nothing is known of it, so nothing is done to it."""
        _, serial = self.leaf("silent")
        with socket.create_connection(("127.0.0.1", self.echo_port), 10) as silent:
            self.revoke(serial, 0)
            silent.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                silent.recv(1)

    def test_what_is_no_serial_number(self):
        for words, text in ((("xyz",), "'xyz' is not a serial number"), ((":01",), "not a serial number"),
                            (("01::02",), "not a serial number"), (("01:",), "not a serial number"), (("1:2",), "not a serial number"),
                            (("012:34",), "not a serial number"),
                            (("1" * 41,), "not a serial number"), (("",), "not a serial number"),
                            ((), "needs a number; openssl x509"), (("1", "2"), "unexpected '2'")):
            with self.subTest(words):
                done = self.system.broker("certificate", "revoke", *words, check=False)
                self.assertEqual(done.returncode, 100, done.stderr)
                self.assertIn(text, done.stderr)

    def test_an_unknown_one_is_revoked_all_the_same(self):
        self.revoke("0123456789abcdef0123456789abcdef01234567"[1:] + "0", 0)

    def test_keyds_own_server_certificate_is_not_for_this(self):
        for role in ("server", "ca"):
            [serial] = [c["serial"] for c in self.system.status()["certificates"] if c["role"] == role]
            done = self.system.broker("certificate", "revoke", serial, check=False)
            self.assertEqual(done.returncode, 100)
            self.assertIn(f"this system's own {role} certificate", done.stderr)


def frame_types(data):
    """The types of the HTTP/2 frames in data (RFC 9113, 4.1)."""
    types = []
    while len(data) >= 9:
        length = struct.unpack(">I", b"\0" + data[:3])[0]
        types.append(data[3])
        data = data[9 + length:]
    return types


class OwnCertificate(RevokeCase):
    def test_keyd_is_renewed_and_every_handle_ends(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--echo", "127.0.0.1:0")
        port = int(system.wait_line(r"listening service='echo' address='127\.0\.0\.1:(\d+)'")[1])
        held = [Held(self, system, port, "lines") for _ in range(3)]
        for each in held:
            each.exchange_echo(b"hello")
        [serial] = [c["serial"] for c in system.status()["certificates"] if c["role"] == "client"]
        mark = system.mark()
        done = system.broker("certificate", "revoke", serial)
        self.assertEqual(done.stdout, f"certificate {serial} revoked; 3 connections closed\n")
        for each in held:
            self.assertEqual(each.wait_end(), b"")
        system.wait_line("keyd's own client certificate is revoked: every handle is, and keyd is renewed handles=3")
        system.wait_line(r"keyd is renewed: its client certificate was revoked")
        system.wait_line(r"keyd ready pid=", since=mark)
        self.assertNotIn(serial, [c["serial"] for c in system.status()["certificates"]])
        again = Held(self, system, port, "lines")
        self.assertIn(b"again", again.exchange_echo(b"again"))


class Stuck(RevokeCase):
    """A process that hangs does not keep a revocation from taking effect."""

    def start_held(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--echo", "127.0.0.1:0")
        port = int(system.wait_line(r"listening service='echo' address='127\.0\.0\.1:(\d+)'")[1])
        held = Held(self, system, port, "lines")
        held.exchange_echo(b"hello")
        return system, held

    def expect_replaced(self, system, held, name):
        pid = system.pid_of(name)
        os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        done = system.broker("handle", "revoke", held.handle, check=False)
        self.assertLess(time.monotonic() - begun, REVOKE_S + 5)
        self.assertEqual(done.returncode, 111, done.stderr)
        self.assertIn(f"handle {held.handle} is revoked, but {name} did not confirm it within 2000 ms", done.stderr)
        processes.wait_until(lambda: system.pid_of(name) not in (0, pid), 20, lambda: f"{name} is not replaced")
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_a_worker_is_replaced_and_its_connections_end(self):
        system, held = self.start_held()
        self.expect_replaced(system, held, "web[0]")
        self.assertEqual(held.wait_end(), b"")

    def test_keyd_is_replaced_and_the_connection_has_ended_before(self):
        system, held = self.start_held()
        self.expect_replaced(system, held, "keyd")
        self.assertEqual(held.wait_end(), b"")


class Speed(RevokeCase):
    def test_from_the_request_to_the_end_of_the_connection(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--echo", "127.0.0.1:0")
        port = int(system.wait_line(r"listening service='echo' address='127\.0\.0\.1:(\d+)'")[1])
        times = []
        for _ in range(5):
            held = Held(self, system, port, "lines")
            held.exchange_echo(b"hello")
            seconds, said = time_revocation(system, held)
            times.append(seconds)
            self.assertIn("1 connection closed", said)
        print("revoked and ended after", ", ".join(f"{seconds * 1000:.1f}" for seconds in times), "ms")
        self.assertLess(min(times), 0.1, times)
