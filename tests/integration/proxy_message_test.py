"""What comes before and behind a message that is passed on: answers 1xx, expectations, trailers."""

import json
import subprocess
import time

import proxy_test
import wire
from keyward import COMMAND_S, for_each_user


class MessageCase(proxy_test.ProxyCase):
    def nghttp(self, path, *options, body=None):
        """The frames that nghttp shows."""
        certificate, key = self.client
        data = ("--data", body) if body else ()
        done = subprocess.run(["nghttp", "--verbose", "--no-dep", "--cert", certificate, "--key", key, *data, *options,
                               f"https://localhost:{self.system.port}{path}"], capture_output=True, timeout=COMMAND_S,
                              check=True)
        return done.stdout.decode("latin-1")

    def wait_seen(self, what):
        deadline = time.monotonic() + COMMAND_S
        while what not in self.unix.seen and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertIn(what, self.unix.seen)


@for_each_user
class Interim(MessageCase):
    def setUp(self):
        self.unix.released.clear()
        self.addCleanup(self.unix.released.set)

    def test_early_hints_come_early(self):
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
        with wire.connect(self.system.port, self.ca, self.client) as connection:
            connection.sendall(b"GET /app/hints HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            early = b""
            while len(early) < len(hints):
                early += connection.recv(65536)
            self.assertEqual(early, hints, "and nothing that was not asked for")
            self.unix.released.set()
            status, _, body = wire.split(wire.read_to_end(connection))
        self.assertEqual((status, body), (200, b"after all"))

    def test_early_hints_over_http_2(self):
        self.unix.released.set()
        frames = self.nghttp("/app/hints").lower()
        self.assertLess(frames.index(":status: 103"), frames.index("link: </style.css>"))
        self.assertLess(frames.index("link: </style.css>"), frames.index(":status: 200"))
        for gone in (":status: 100", ":status: 102", "x-unasked", "x-private"):
            self.assertNotIn(gone, frames)

    def test_http_1_0_gets_none(self):
        self.unix.released.set()
        received = wire.exchange(self.system.port, self.ca, self.client,
                                 b"GET /app/hints HTTP/1.0\r\nHost: localhost\r\n\r\n")
        self.assertEqual(wire.responses(received), [200])

    HEAD = b"POST /app/ask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"

    def test_the_application_says_whether_the_body_is_wanted(self):
        with wire.connect(self.system.port, self.ca, self.client) as connection:
            connection.sendall(self.HEAD)
            self.wait_seen("100-continue")
            connection.settimeout(0.3)
            with self.assertRaises(TimeoutError, msg="the body is asked for before the application has said so"):
                connection.recv(1)
            connection.settimeout(wire.TIMEOUT_S)
            self.unix.released.set()
            asked = connection.recv(65536)
            self.assertEqual(asked, b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b"body")
            status, _, body = wire.split(wire.read_to_end(connection))
        self.assertEqual((status, json.loads(body)["length"]), (200, 4))

    def test_a_body_that_is_not_waited_with_is_taken(self):
        with wire.connect(self.system.port, self.ca, self.client) as connection:
            connection.sendall(self.HEAD + b"body")
            self.wait_seen(("POST", "/app/ask"))
            self.unix.released.set()
            received = wire.read_to_end(connection)
        self.assertEqual(wire.responses(received), [200], "it has the body, so it asks for none")
        self.assertIn(b'"length": 4', received)

    def test_an_application_that_refuses_gets_no_body(self):
        self.unix.released.set()
        with wire.connect(self.system.port, self.ca, self.client) as connection:
            connection.sendall(self.HEAD.replace(b"/ask", b"/early"))
            received = wire.read_to_end(connection)
        self.assertEqual(wire.responses(received), [413])

    def test_over_http_2(self):
        self.unix.released.set()
        frames = self.nghttp("/app/ask", "--expect-continue", body=__file__)
        self.assertLess(frames.index(":status: 100"), frames.index("send DATA frame"))
        self.assertIn(":status: 200", frames)


REQUEST = (b"POST /app/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close, X-Nominated\r\nTransfer-Encoding: chunked\r\n"
           b"Trailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\n")
FORBIDDEN = ("X-Client-Cert-Subject: CN=root", "x_client_cert_verified: SUCCESS", "X-Forwarded-For: 6.6.6.6", "Host: evil",
             "Content-Length: 5", "Transfer-Encoding: chunked", "Authorization: Basic eDp5", "Cookie: a=1", "If-Match: x",
             "Content-Type: text/html", "Connection: close", "TE: trailers", "Trailer: x", "Cache-Control: no-store",
             "Expect: 100-continue", "Range: bytes=0-1", "Sec-Fetch-Site: same-origin")


@for_each_user
class Trailers(MessageCase):
    def test_of_a_request(self):
        lines = "".join(line + "\r\n" for line in (*FORBIDDEN, "X-Nominated: 1")).encode()
        received = wire.exchange(self.system.port, self.ca, self.client,
                                 REQUEST + b"X-Sum: \t42 \t\r\n" + lines + b"X-Last:1\r\n\r\n")
        status, _, body = wire.split(received)
        seen = json.loads(body)
        self.assertEqual((status, seen["length"], seen["trailers"]), (200, 2, ["X-Sum: 42", "X-Last: 1"]))
        self.assertIn(["Trailer", "X-Sum"], seen["fields"])

    def test_of_a_request_that_come_byte_by_byte(self):
        with wire.connect(self.system.port, self.ca, self.client) as connection:
            connection.sendall(REQUEST)
            for byte in b"X-Sum: 42\r\nX-Last: 1\r\n\r\n":
                connection.sendall(bytes([byte]))
            _, _, body = wire.split(wire.read_to_end(connection))
        self.assertEqual(json.loads(body)["trailers"], ["X-Sum: 42", "X-Last: 1"])

    def test_of_a_request_over_http_2(self):
        frames = self.nghttp("/app/echo", "--no-content-length", "--trailer", "x-sum: 42", "--trailer", "x-client-cert: x",
                             "--trailer", "cookie: a=1", body=__file__)
        self.assertIn('"trailers": ["x-sum: 42"]', frames)

    def test_of_a_request_have_a_limit(self):
        for count, expected in ((32, 200), (33, 431)):
            received = wire.exchange(self.system.port, self.ca, self.client, REQUEST + b"X-A: 1\r\n" * count + b"\r\n")
            self.assertEqual(wire.responses(received), [expected], count)

    def test_of_an_answer_to_who_wants_them(self):
        for fields, wanted in ((b"TE: trailers\r\nConnection: TE, close\r\n", True),
                               (b"TE: gzip;q=0.5 , Trailers\r\nConnection: TE\r\nConnection: close\r\n", True),
                               (b"Connection: close\r\n", False), (b"TE: trailersx\r\nConnection: close\r\n", False)):
            received = wire.exchange(self.system.port, self.ca, self.client,
                                     b"GET /app/behind HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n")
            head, _, body = received.partition(b"\r\n\r\n")
            self.assertEqual(b"Trailer: X-Sum" in head, wanted, head)
            self.assertTrue(body.startswith(b"2\r\nok\r\n0\r\n"), body)
            self.assertEqual(body.partition(b"0\r\n")[2], b"X-Sum: 42\r\nX-Empty: \r\n\r\n" if wanted else b"\r\n")

    def test_of_an_answer_over_http_2(self):
        for fields, wanted in (("te: trailers", True), ("x-a: 1", False)):
            frames = self.nghttp("/app/behind", "--header", fields)
            self.assertEqual("x-sum: 42" in frames, wanted, frames)
            for gone in ("set-cookie", "x-private", "if-match"):
                self.assertNotIn(gone, frames)
            self.assertIn("ok", frames)

    def test_the_application_is_told_who_wants_them(self):
        for version in proxy_test.VERSIONS:
            names = [name for name, _ in self.echo(version=version)["fields"]]
            self.assertNotIn("TE", names)
            seen = self.echo("/app/echo", "--header", "TE: trailers", version=version)["fields"]
            self.assertIn(["TE", "trailers"], seen)
            self.assertIn(["Connection", "TE"], seen)
