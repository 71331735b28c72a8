"""The raw stream over mutual TLS: lines in, each back with the time and who sent it."""

import datetime
import os
import re
import ssl

import certificates
import wire
from keyward import SharedSystemCase, for_each_user

ANSWER = re.compile(rb"^(\S+) (127\.0\.0\.1:\d+) (.*)$")
LINE_CAP = 4096


@for_each_user
class Echo(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "A CA")
        cls.client = cls.authority.leaf("client")
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--echo", "127.0.0.1:0", "--client-ca",
                     cls.authority.certificate)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        found = cls.system.wait_line(r"^broker: listening service='echo' address='127\.0\.0\.1:(\d+)'")
        cls.port, cls.ca = int(found[1]), cls.system.ca_file()

    def connect(self, client=None):
        return wire.connect(self.port, self.ca, client or self.client, alpn=None)

    def check(self, answer, line, connection):
        when, who, what = ANSWER.match(answer).groups()
        sent = datetime.datetime.strptime(when.decode(), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - sent).total_seconds()), 60)
        self.assertEqual(who.decode(), "127.0.0.1:%d" % connection.getsockname()[1])
        self.assertEqual(what, line)

    def test_several_messages_on_a_connection(self):
        with self.connect() as connection, connection.makefile("rwb") as stream:
            for line in (b"hello", b"", b"with spaces and \xc3\xa4 bytes \x01\xff", b"a" * LINE_CAP):
                stream.write(line + b"\n")
                stream.flush()
                self.check(stream.readline().rstrip(b"\n"), line, connection)

    def test_lines_that_arrive_together_and_in_pieces(self):
        with self.connect() as connection, connection.makefile("rb") as stream:
            for piece in (b"one\ntwo\nth", b"r", b"ee\r\n"):
                connection.sendall(piece)
            for line in (b"one", b"two", b"three"):
                self.check(stream.readline().rstrip(b"\n"), line, connection)

    def test_the_client_may_close_its_half_and_still_read(self):
        with self.connect() as connection:
            connection.sendall(b"first\nlast without an end")
            wire.close_half(connection)
            first, last = wire.read_to_end(connection).splitlines()
            self.check(first, b"first", connection)
            self.check(last, b"last without an end", connection)

    def test_a_line_that_is_too_long_ends_the_connection(self):
        with self.connect() as connection:
            wire.send_all(connection, b"a" * (LINE_CAP + 1) + b"\n" + b"again\n")
            answer = wire.read_to_end(connection)
        self.assertIn(b"error", answer)
        self.assertNotIn(b"again", answer)

    def test_a_stranger_is_refused(self):
        foreign = certificates.Authority(os.path.join(self.base, "foreign"), "Foreign CA")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with self.connect(foreign.leaf("stranger")) as connection:
                connection.sendall(b"hello\n")
                if not connection.recv(1000):
                    raise ConnectionError("closed")
