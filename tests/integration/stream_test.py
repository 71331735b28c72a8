"""Streams: mutual TLS in front, plain bytes behind, real peers at both ends."""

import hashlib
import json
import os
import re
import socket
import ssl
import struct
import threading

import certificates
import wire
from keyward import SharedSystemCase, SystemCase, for_each_user

BLOCK = bytes(range(256)) * 256  # 64 KB
BIG = 64                         # blocks
FULL_S = 0.5                     # without a byte taken: then nothing more is
UNBOUNDED = 64 << 20             # what no chain of bounded buffers holds
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class Upstream:
    """Listens where a stream leads, and hands out what comes."""

    def __init__(self, path=None):
        self.path = path
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            os.chmod(path, 0o777)
        else:
            self.listener = socket.socket()
            self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.listener.settimeout(wire.TIMEOUT_S)

    def text(self):
        return f"unix:{self.path}" if self.path else "127.0.0.1:%d" % self.listener.getsockname()[1]

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(wire.TIMEOUT_S)
        return connection

    def is_left_alone(self):
        self.listener.settimeout(0)
        try:
            self.listener.accept()[0].close()
            return False
        except BlockingIOError:
            return True
        finally:
            self.listener.settimeout(wire.TIMEOUT_S)

    def close(self):
        self.listener.close()


def read_all(connection):
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ssl.SSLZeroReturnError:  # close_notify, when our own is out
            return received
        if not piece:
            return received
        received += piece


def fill(connection):
    """Sends until nothing more is taken for some time. Returns how much was."""
    connection.settimeout(FULL_S)
    sent = 0
    try:
        while sent < UNBOUNDED:
            sent += connection.send(BLOCK)
    except (TimeoutError, ssl.SSLWantWriteError):
        pass
    finally:
        connection.settimeout(wire.TIMEOUT_S)
    return sent


def take(connection, count):
    received = b""
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise AssertionError(f"it ended after {len(received)} of {count} bytes")
        received += piece
    return received


def streams(*upstreams):
    """The flags for streams to these, each on an address of its own."""
    return [word for i, where in enumerate(upstreams, 1) for word in ("--stream", f"127.0.0.{i}:0={where}")]


class StreamCase(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "A CA")
        cls.client = cls.authority.leaf("client")
        cls.unix = Upstream(os.path.join(cls.base, "upstream.sock"))
        cls.tcp = Upstream()
        cls.addClassCleanup(cls.unix.close)
        cls.addClassCleanup(cls.tcp.close)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", cls.authority.certificate, *cls.more())

    @classmethod
    def more(cls):
        return streams(cls.unix.text(), cls.tcp.text(), f"unix:{cls.base}/none.sock")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = cls.system.ca_file()

    def address_to(self, where, system=None):
        line = rf"^broker: listening service='stream' address='([\d.]+):(\d+)' upstream='{re.escape(where)}'$"
        found = (system or self.system).wait_line(line)
        return found[1], int(found[2])

    def connect(self, where, client=None, version=None):
        """A connection that tells an end (close_notify: b"") from a cut (ssl.SSLError)."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(*(client or self.client))
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        if version:
            context.minimum_version = context.maximum_version = version
        plain = socket.create_connection(self.address_to(where), wire.TIMEOUT_S)
        plain.settimeout(wire.TIMEOUT_S)
        connection = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
        self.addCleanup(connection.close)
        return connection

    def pair(self, upstream, **options):
        """Both ends of a new stream."""
        client = self.connect(upstream.text(), **options)
        end = upstream.accept()
        self.addCleanup(end.close)
        return client, end

    def assert_cut(self, client):
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            read_all(client)


BOTH = ("unix", "tcp")


def for_both(test):
    """Runs the test with each of the two upstreams."""

    def run(self):
        for name in BOTH:
            with self.subTest(name):
                test(self, getattr(self, name))

    run.__name__ = test.__name__
    return run


@for_each_user
class Bytes(StreamCase):
    @for_both
    def test_both_ways_at_once(self, upstream):
        client, end = self.pair(upstream)
        heard = {}

        def speak(connection, finish):
            for _ in range(BIG):
                connection.sendall(BLOCK)
            finish()

        def listen(name, connection):
            heard[name] = hashlib.sha256(take(connection, BIG * len(BLOCK))).digest()

        # An SSL object of Python's is for one thread: this one.
        threads = [threading.Thread(target=speak, args=(end, lambda: None))]
        threads.append(threading.Thread(target=listen, args=("upstream", end)))
        for thread in threads:
            thread.start()
        for _ in range(BIG):
            client.sendall(BLOCK)
        listen("client", client)
        for thread in threads:
            thread.join()
        self.assertEqual(heard["client"], hashlib.sha256(BLOCK * BIG).digest())
        self.assertEqual(heard["upstream"], heard["client"])

    @for_both
    def test_the_upstream_may_speak_first(self, upstream):
        client, end = self.pair(upstream)
        end.sendall(b"220 hello\r\n")
        self.assertEqual(take(client, 11), b"220 hello\r\n")

    @for_both
    def test_the_client_ends_and_is_answered(self, upstream):
        client, end = self.pair(upstream)
        client.sendall(b"the whole question")
        wire.close_half(client)
        self.assertEqual(read_all(end), b"the whole question")
        answering = threading.Thread(target=lambda: (end.sendall(BLOCK * BIG), end.close()))
        answering.start()
        self.assertEqual(read_all(client), BLOCK * BIG)
        answering.join()

    @for_both
    def test_the_upstream_ends_and_is_told_more(self, upstream):
        client, end = self.pair(upstream)
        end.sendall(b"all I have to say")
        end.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(client), b"all I have to say")
        client.sendall(BLOCK)
        self.assertEqual(take(end, len(BLOCK)), BLOCK)
        wire.close_half(client)
        self.assertEqual(end.recv(1), b"")

    @for_both
    def test_tls_1_2(self, upstream):
        client, end = self.pair(upstream, version=ssl.TLSVersion.TLSv1_2)
        client.sendall(b"question")
        self.assertEqual(take(end, 8), b"question")
        end.sendall(b"answer")
        end.close()
        self.assertEqual(read_all(client), b"answer")

    @for_both
    def test_an_end_of_both_ends_the_connection(self, upstream):
        client, end = self.pair(upstream)
        wire.close_half(client)
        self.assertEqual(end.recv(1), b"")
        end.close()
        self.assertEqual(read_all(client), b"")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(socket.socket.recv(client, 1), b"", "the socket is closed, too")

    def test_an_upstream_that_has_gone_altogether_needs_no_more(self):
        client, end = self.pair(self.unix)
        end.sendall(b"bye")
        end.close()
        self.assertEqual(read_all(client), b"bye")
        self.system.wait_line(r"^web\[\d+\]: stream .* out=3 .* end='complete' ")


@for_each_user
class Breaks(StreamCase):
    def test_an_upstream_that_breaks_off_is_not_an_end(self):
        client, end = self.pair(self.tcp)
        end.sendall(b"half of wha")
        self.assertEqual(take(client, 11), b"half of wha")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()
        self.assert_cut(client)
        self.system.wait_line(r"^web\[\d+\]: stream .* out=11 .* end='the upstream broke the connection' ")

    def test_a_client_that_breaks_off_is_not_an_end(self):
        client, end = self.pair(self.tcp)
        client.sendall(b"half of wha")
        self.assertEqual(take(end, 11), b"half of wha")
        socket.socket.close(client)  # without close_notify
        with self.assertRaises(ConnectionResetError):
            end.recv(1)
        self.system.wait_line(r"^web\[\d+\]: stream .* in=11 .* end='the client\\x27s connection was cut' ")

    def test_nobody_there(self):
        self.assert_cut(self.connect(f"unix:{self.base}/none.sock"))
        self.system.wait_line(r"^web\[\d+\]: no connection to the upstream .*reason='No such file or directory'")
        self.system.wait_line(r"^web\[\d+\]: stream .* end='the upstream cannot be reached' ")

    def test_a_stranger_reaches_nothing(self):
        foreign = certificates.Authority(os.path.join(self.base, "foreign"), "Foreign CA")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(self.tcp.text(), foreign.leaf("stranger")).recv(1)
        self.assertTrue(self.tcp.is_left_alone())

    def test_revocation_cuts(self):
        name = self.authority.leaf("revoked")
        client, end = self.pair(self.tcp, client=name)
        other, other_end = self.pair(self.tcp)
        serial = certificates.openssl("x509", "-in", name[0], "-noout", "-serial").strip().split("=")[1]
        self.system.broker("certificate", "revoke", serial)
        self.assert_cut(client)
        with self.assertRaises(ConnectionResetError):
            end.recv(1)
        other.sendall(b"still here")
        self.assertEqual(take(other_end, 10), b"still here")

    def test_a_worker_that_dies_takes_its_streams_and_no_others_come_to_harm(self):
        client, end = self.pair(self.unix)
        for process in self.system.processes("web["):
            os.kill(process["pid"], 9)
        self.assert_cut(client)
        self.assertEqual(end.recv(1), b"")
        client, end = self.pair(self.unix)
        client.sendall(b"again")
        self.assertEqual(take(end, 5), b"again")


@for_each_user
class Slow(StreamCase):
    @for_both
    def test_an_upstream_that_takes_nothing_holds_the_client_up(self, upstream):
        client, end = self.pair(upstream)
        sent = fill(client)
        self.assertLess(sent, UNBOUNDED)
        self.assertEqual(len(take(end, sent - len(BLOCK))), sent - len(BLOCK))

    @for_both
    def test_a_client_that_takes_nothing_holds_the_upstream_up(self, upstream):
        client, end = self.pair(upstream)
        sent = fill(end)
        self.assertLess(sent, UNBOUNDED)
        end.shutdown(socket.SHUT_WR)
        self.assertEqual(len(read_all(client)), sent)

    @for_both
    def test_the_other_direction_goes_on(self, upstream):
        client, end = self.pair(upstream)
        fill(end)
        for _ in range(BIG):
            client.sendall(BLOCK)  # nobody reads what the upstream says
            take(end, len(BLOCK))


class Configured(StreamCase):
    """What only the file can say, and JSON."""

    @classmethod
    def more(cls):
        path = os.path.join(cls.base, "keyward.conf")
        with open(path, "w", encoding="ascii") as out:
            out.write(f'[log]\naccess = json\n[stream "127.0.0.1:0"]\nupstream = {cls.tcp.text()}\nidle_timeout = 1s\n'
                      "proxy_protocol = yes\n")
        return ("--config", path)

    def take_header(self, end):
        """Returns (source, destination, {TLV}) of a PROXY protocol header, version 2."""
        head = take(end, 16)
        self.assertEqual(head[:12], SIGNATURE)
        self.assertEqual(head[12:14], b"\x21\x11")
        rest = take(end, struct.unpack(">H", head[14:])[0])
        source, destination, source_port, destination_port = struct.unpack(">4s4sHH", rest[:12])
        values = self.values(rest[12:])
        return (socket.inet_ntoa(source), source_port), (socket.inet_ntoa(destination), destination_port), values

    def values(self, rest):
        values = {}
        while rest:
            kind, length = struct.unpack(">BH", rest[:3])
            values[kind], rest = rest[3:3 + length], rest[3 + length:]
        return values

    def test_who_the_client_is_and_what_is_left_of_it(self):
        client, end = self.pair(self.tcp)
        client.sendall(b"hello")
        source, destination, values = self.take_header(end)
        self.assertEqual(source, client.getsockname())
        self.assertEqual(destination, client.getpeername())
        flags, verified = struct.unpack(">BI", values[0x20][:5])
        self.assertEqual((flags, verified), (7, 0))
        tls = self.values(values[0x20][5:])
        self.assertEqual(tls[0x21], b"TLSv1.3")
        self.assertEqual(tls[0x22], b"test client")
        self.assertEqual(tls[0x23].decode(), client.cipher()[0])
        with open(self.client[0], encoding="ascii") as file:
            self.assertEqual(tls[0x28], ssl.PEM_cert_to_DER_cert(file.read()))
        self.assertEqual(take(end, 5), b"hello")
        wire.close_half(client)
        self.assertEqual(end.recv(1), b"")
        end.sendall(b"bye")
        end.close()
        self.assertEqual(read_all(client), b"bye")
        line = self.system.wait_line(r'^(\{.*"id":"%s".*\})$' % values[0x05].decode())[1]
        said = json.loads(line)
        self.assertEqual((said["peer"], said["listener"]), ("%s:%d" % source, "%s:%d" % destination))
        self.assertEqual((said["in"], said["out"], said["end"]), (5, 3, "complete"))
        self.assertEqual((said["subject"], said["upstream"]), ("CN=test client", self.tcp.text()))

    def test_silence_ends_it(self):
        client, end = self.pair(self.tcp)
        self.take_header(end)
        self.assert_cut(client)
        with self.assertRaises(ConnectionResetError):
            end.recv(1)
        self.system.wait_line(r'"end":"idle for too long"')


class Distrusted(StreamCase):
    """A client CA that is taken away."""

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.second = certificates.Authority(os.path.join(cls.base, "second"), "Another CA")
        cls.bundle = os.path.join(cls.base, "clients.pem")
        cls.trust(cls.authority, cls.second)
        at = cls.flags.index("--client-ca")
        cls.flags = (*cls.flags[:at + 1], cls.bundle, *cls.flags[at + 2:])

    @classmethod
    def trust(cls, *authorities):
        text = ""
        for authority in authorities:
            with open(authority.certificate, encoding="ascii") as file:
                text += file.read()
        with open(cls.bundle + ".new", "w", encoding="ascii") as out:
            out.write(text)
        os.chmod(cls.bundle + ".new", 0o644)
        os.rename(cls.bundle + ".new", cls.bundle)

    def test_its_clients_streams_are_cut_and_no_others(self):
        client, end = self.pair(self.tcp, client=self.second.leaf("second"))
        other, other_end = self.pair(self.tcp)
        self.trust(self.authority)
        self.system.broker("reload")
        self.assert_cut(client)
        with self.assertRaises(ConnectionResetError):
            end.recv(1)
        other.sendall(b"still here")
        self.assertEqual(take(other_end, 10), b"still here")


class Limited(StreamCase):
    """Limits hold for streams as they do for HTTP, and so does the time to connect."""

    @classmethod
    def more(cls):
        cls.full = Upstream(os.path.join(cls.base, "full.sock"))
        cls.addClassCleanup(cls.full.close)
        path = os.path.join(cls.base, "limits.conf")
        with open(path, "w", encoding="ascii") as out:
            out.write("[limits]\naddress_connections = 2\n")
        os.chmod(path, 0o644)
        return ("--workers", "1", "--config", path, *streams(cls.tcp.text(), cls.full.text()))

    def test_connections_of_an_address(self):
        first, first_end = self.pair(self.tcp)
        second, _ = self.pair(self.tcp)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(self.tcp.text()).recv(1)
        self.assertTrue(self.tcp.is_left_alone())
        self.system.wait_line(r"^web\[0\]: connection refused listener='127\.0\.0\.1:\d+' peer='127\.0\.0\.1:\d+' reason=")
        second.sendall(b"still here")
        for connection in (first, first_end, second):
            connection.close()

    def test_an_upstream_that_takes_no_connection(self):
        self.full.listener.listen(0)
        with socket.socket(socket.AF_UNIX) as before:
            before.connect(self.full.path)  # and its backlog is full
            client = self.connect(self.full.text())
            self.assert_cut(client)
        self.system.wait_line(r"^web\[0\]: stream .* end='the upstream cannot be reached' |^web\[0\]: stream .* end='[^']*time")
        client.close()


class Many(SystemCase):
    STREAMS = 8  # LIMIT_STREAMS

    def begin(self, count):
        self.upstreams = [Upstream(os.path.join(self.base, f"{self.id()}{i}")) for i in range(count)]
        for upstream in self.upstreams:
            self.addCleanup(upstream.close)
        authority = certificates.Authority(os.path.join(self.base, self.id()), "A CA")
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", authority.certificate,
                            *streams(*(upstream.text() for upstream in self.upstreams)))
        self.client = authority.leaf("client")
        return system

    def connect(self, system, upstream):
        found = system.wait_line(rf"service='stream' address='([\d.]+):(\d+)' upstream='{re.escape(upstream.text())}'")
        self.address = found[1], int(found[2])
        context = ssl.create_default_context(cafile=system.ca_file())
        context.load_cert_chain(*self.client)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        plain = socket.create_connection(self.address, wire.TIMEOUT_S)
        plain.settimeout(wire.TIMEOUT_S)
        connection = context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
        self.addCleanup(connection.close)
        return connection

    def test_as_many_as_there_may_be(self):
        system = self.begin(self.STREAMS)
        for upstream in self.upstreams:
            connection = self.connect(system, upstream)
            with upstream.accept() as end:
                end.sendall(upstream.path.encode())
            self.assertEqual(read_all(connection), upstream.path.encode())

    def test_stopping_gives_streams_the_time_there_is_and_cuts_them(self):
        system = self.begin(1)
        connection = self.connect(system, self.upstreams[0])
        end = self.upstreams[0].accept()
        self.addCleanup(end.close)
        system.process.terminate()
        system.wait_line(r"^broker: stopping ")
        connection.sendall(b"the last words")
        self.assertEqual(take(end, 14), b"the last words")
        self.assertEqual(end.recv(1), b"")
        with self.assertRaises((ssl.SSLError, ConnectionResetError), msg="it is not as if the upstream had said all"):
            read_all(connection)
        self.assertEqual(system.process.wait(wire.TIMEOUT_S), 0)
        self.assertRegex(system.log(), r"web\[\d+\]: stream .* in=14 ")
