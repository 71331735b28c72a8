"""Requests that go to an application behind the server, with real ones at both ends."""

import base64
import hashlib
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import application
import certificates
import wire
from keyward import COMMAND_S, SharedSystemCase, for_each_user

BIG = 256  # blocks of 64 KB


class ProxyCase(SharedSystemCase):
    more = {}

    @classmethod
    def prepare(cls):
        authority = certificates.Authority(os.path.join(cls.base, "good"), "Good CA")
        cls.client = authority.leaf("client")
        path = os.path.join(cls.base, "app.sock")
        cls.unix = application.Application(path, **cls.more)
        cls.tcp = application.Application(**cls.more)
        elsewhere = certificates.Authority(os.path.join(cls.base, "elsewhere"), "CA of an application elsewhere")
        cls.tls = application.SecureApplication(elsewhere.leaf("server", profile="server"), **cls.more)
        cls.addClassCleanup(cls.unix.stop)
        cls.addClassCleanup(cls.tcp.stop)
        cls.addClassCleanup(cls.tls.stop)
        cls.addClassCleanup(cls.unix.released.set)
        cls.addClassCleanup(cls.tls.released.set)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", authority.certificate,
                     "--proxy", f"/app=unix:{path}", "--proxy", f"/app/tcp/=http://127.0.0.1:{cls.tcp.port}",
                     "--proxy", f"/app/tls/=https://127.0.0.1:{cls.tls.port}",
                     "--proxy-ca", f"/app/tls/={elsewhere.certificate}",
                     "--proxy", f"/none/=unix:{cls.base}/none.sock")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ca = cls.tls.client_ca = cls.system.ca_file()

    def curl(self, path, *options, version="--http2"):
        certificate, key = self.client
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), version, "--cacert", self.ca, "--cert",
             certificate, "--key", key, *options, f"https://localhost:{self.system.port}{path}"],
            capture_output=True, timeout=2 * COMMAND_S)

    def get(self, path, *options, version="--http2"):
        """Returns (status, body)."""
        done = self.curl(path, *options, "--write-out", "%{stderr}%{http_code} %{http_version}", version=version)
        self.assertEqual(done.returncode, 0, done.stderr)
        status, spoken = done.stderr.decode().split()
        self.assertEqual(spoken, "2" if version == "--http2" else "1.1")
        return int(status), done.stdout

    def echo(self, path="/app/echo", *options, version="--http2"):
        status, body = self.get(path, *options, version=version)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def raw(self, target, headers="", method="GET", body=b""):
        request = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n".encode("latin-1")
        return wire.exchange(self.system.port, self.ca, self.client, request + body)


VERSIONS = ("--http1.1", "--http2")


@for_each_user
class Pass(ProxyCase):
    def test_a_get_reaches_each_application_by_both_protocols(self):
        for version in VERSIONS:
            for path, app in (("/app/echo", self.unix), ("/app/tcp/echo", self.tcp), ("/app/tls/echo", self.tls)):
                seen = self.echo(path + "?a=%20b", version=version)
                self.assertEqual((seen["method"], seen["target"]), ("GET", path + "?a=%20b"))
                self.assertIn(("GET", path + "?a=%20b"), app.seen)

    def test_only_what_is_below_the_prefix(self):
        self.assertEqual(self.get("/application")[0], 404)
        self.assertEqual(self.get("/hello"), (200, b"Hello World\n"))
        self.assertEqual(self.get("/app"), (404, b"no such page"))

    def test_connections_are_kept(self):
        for path, app in (("/app/echo", self.unix), ("/app/tls/echo", self.tls)):
            before = app.connections
            for _ in range(20):
                self.echo(path, version="--http1.1")
            self.assertLessEqual(app.connections - before, int(os.cpu_count()))

    def test_bodies_arrive_whole(self):
        name = os.path.join(self.base, "body")
        with open(name, "wb") as file:
            file.write(application.BLOCK * BIG)
        digest = hashlib.sha256(application.BLOCK * BIG).hexdigest()
        for version in VERSIONS:
            for chunked in ((), ("--header", "Transfer-Encoding: chunked")) if version == "--http1.1" else ((),):
                for path in ("/app/echo", "/app/tcp/echo", "/app/tls/echo"):
                    seen = self.echo(path, "--data-binary", "@" + name, *chunked, version=version)
                    self.assertEqual((seen["method"], seen["length"], seen["sha256"]),
                                     ("POST", len(application.BLOCK) * BIG, digest))

    def test_empty_body_and_head(self):
        for version in VERSIONS:
            self.assertEqual(self.echo("/app/echo", "--data", "", version=version)["length"], 0)
            done = self.curl("/app/echo", "--head", version=version)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(b"content-length: ", done.stdout.lower())

    def test_answers_arrive_whole(self):
        for version in VERSIONS:
            for path in (f"/app/big?{BIG}", f"/app/chunked?{BIG}", f"/app/tcp/chunked?{BIG}", f"/app/tls/big?{BIG}",
                         f"/app/tls/chunked?{BIG}"):
                status, body = self.get(path, version=version)
                self.assertEqual((status, len(body)), (200, BIG * len(application.BLOCK)))
                self.assertEqual(body, application.BLOCK * BIG)
            for app in ("/app", "/app/tls"):
                self.assertEqual(self.get(app + "/toend", version=version), (200, application.BLOCK))
                self.assertEqual(self.get(app + "/interim", version=version), (200, b"after all"))

    def test_a_cut_answer_is_seen_as_cut(self):
        for version in VERSIONS:
            for path in ("/app/cut", "/app/cutchunk", "/app/tls/cut", "/app/tls/cutchunk"):
                done = self.curl(path, version=version)
                self.assertNotEqual(done.returncode, 0, f"{path} {version}")
                self.assertLessEqual(len(done.stdout), len(application.BLOCK))
        received = self.raw("/app/cutchunk")
        self.assertFalse(received.endswith(b"0\r\n\r\n"), received[-40:])

    def end_of(self, target):
        """How the server ends an answer whose end is the connection's: "end" or "cut"."""
        with wire.connect(self.system.port, self.ca, self.client, ragged=True) as connection:
            connection.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
                how = "end"
            except ssl.SSLError as error:
                self.assertEqual(error.reason, "UNEXPECTED_EOF_WHILE_READING")
                how = "cut"
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertNotIn(b"Content-Length", head)
        self.assertEqual(body, application.BLOCK)
        return how

    def test_to_http_1_0_a_cut_answer_is_a_cut_connection(self):
        self.assertEqual(self.end_of("/app/chunked?1"), "end")
        self.assertEqual(self.end_of("/app/toend"), "end")
        self.assertEqual(self.end_of("/app/cutchunk"), "cut")

    def test_an_answer_before_the_body_is_over(self):
        name = os.path.join(self.base, "large")
        with open(name, "wb") as file:
            file.write(application.BLOCK * BIG)
        # By HTTP/1.1: this curl takes HTTP/2's RST_STREAM with NO_ERROR (RFC 9113, 8.1) for a failure.
        done = self.curl("/app/early", "--header", "Expect:", "--data-binary", "@" + name, "--write-out", "%{http_code}",
                         version="--http1.1")
        self.assertIn(b"413", done.stdout, done.stderr)

    def test_server_sent_events_come_at_once(self):
        for version, app, name in [(version, app, name) for version in VERSIONS
                                   for app, name in ((self.unix, "/app"), (self.tls, "/app/tls"))]:
            app.released.clear()
            certificate, key = self.client
            with subprocess.Popen(["curl", "--silent", "--no-buffer", version, "--cacert", self.ca, "--cert", certificate,
                                   "--key", key, f"https://localhost:{self.system.port}{name}/event"],
                                  stdout=subprocess.PIPE) as curl:
                self.assertEqual(curl.stdout.readline(), b"data: first\n")
                app.released.set()
                self.assertEqual(curl.stdout.read(), b"\ndata: second\n\n")
                self.assertEqual(curl.wait(), 0)

    UPGRADE = (b"GET /app/socket HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

    def test_a_websocket_passes_both_ways(self):
        for app, name in ((self.unix, b"/app/"), (self.tls, b"/app/tls/")):
            self.pass_through_websocket(app, self.UPGRADE.replace(b"/app/", name))

    def pass_through_websocket(self, app, upgrade):
        with wire.connect(self.system.port, self.ca, self.client) as tunnel:
            tunnel.sendall(upgrade + b"early")
            received = b""
            while not received.endswith(b"helloearly"):
                received += tunnel.recv(65536)
            head = received.partition(b"\r\n\r\n")[0].lower()
            for line in (b"http/1.1 101 ", b"connection: upgrade", b"upgrade: websocket",
                         b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="):
                self.assertIn(line, head)
            self.assertNotIn(b"content-length", head)
            self.assertNotIn(b"transfer-encoding", head)
            sent = application.BLOCK * 64
            writer = threading.Thread(target=tunnel.sendall, args=(sent,))
            echoed = b""
            writer.start()
            while len(echoed) < len(sent):
                echoed += tunnel.recv(65536)
            writer.join()
            self.assertEqual(hashlib.sha256(echoed).digest(), hashlib.sha256(sent).digest())
            app.released.clear()
            wire.close_half(tunnel)
            while "the client has said all" not in app.seen:
                time.sleep(0.01)
            app.released.set()
            self.assertEqual(wire.read_to_end(tunnel), b"farewell")

    def test_no_other_upgrade_passes(self):
        for other in (b"h2c", b"websocket, h2c", b"TLS/1.0"):
            received = wire.exchange(self.system.port, self.ca, self.client,
                                     self.UPGRADE.replace(b"Upgrade: websocket", b"Upgrade: " + other).replace(
                                         b"keep-alive", b"close"))
            self.assertEqual(wire.split(received)[0], 426, other)

    def test_hop_by_hop_fields_and_our_own(self):
        headers = self.curl("/app/hops", "--dump-header", "-", "--output", "/dev/null").stdout.decode().lower()
        for there in ("x-public: 1", "set-cookie: a=1", "set-cookie: b=2", "content-security-policy: default-src *",
                      "x-content-type-options: nosniff"):
            self.assertIn(there, headers)
        for gone in ("x-private", "keep-alive", "x-request-id: mine", "default-src 'self'"):
            self.assertNotIn(gone, headers)
        self.assertEqual(headers.count("date:"), 1)

    def test_a_slow_client_holds_the_application_up(self):
        """What the client does not fetch is not fetched from the application: memory is bounded."""
        with wire.connect(self.system.port, self.ca, self.client) as slow, \
                wire.connect(self.system.port, self.ca, self.client) as secure:
            slow.sendall(b"GET /app/big?4096 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            secure.sendall(b"GET /app/tls/big?4096 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            slow.recv(1000)
            secure.recv(1000)
            time.sleep(0.5)
            resident = sum(self.resident(pid) for pid in self.workers())
            self.assertLess(resident, 150 << 20)

    def test_a_slow_application_holds_the_client_up(self):
        for app, name in ((self.unix, b"/app/slow"), (self.tls, b"/app/tls/slow")):
            app.released.clear()
            with wire.connect(self.system.port, self.ca, self.client) as fast:
                fast.sendall(b"POST " + name + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
                fast.settimeout(1)
                sent = 0
                try:
                    while sent < 100000000:
                        sent += fast.send(bytes(65536))
                except TimeoutError:
                    pass
                self.assertLess(sent, 40 << 20)
            app.released.set()

    def workers(self):
        return [process["pid"] for process in self.system.status()["processes"] if process["name"].startswith("web")]

    def resident(self, pid):
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class WithoutTls(ProxyCase):
    @classmethod
    def prepare(cls):
        super().prepare()
        flags = cls.flags
        at = flags.index("--client-ca")
        cls.flags = (*flags[:at], *flags[at + 2:], "--tls-mode", "off")

    def body_of(self, target):
        with socket.create_connection(("127.0.0.1", self.system.port), wire.TIMEOUT_S) as plain:
            plain.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            return b"".join(iter(lambda: plain.recv(65536), b"")).partition(b"\r\n\r\n")[2]

    def test_to_http_1_0_a_cut_answer_is_a_reset(self):
        self.assertEqual(self.body_of("/app/chunked?1"), application.BLOCK)
        with self.assertRaises(ConnectionResetError):
            self.body_of("/app/cutchunk")


@for_each_user
class Identity(ProxyCase):
    def test_who_the_client_is(self):
        for version in VERSIONS:
            seen = dict(self.echo(version=version)["fields"])
            self.assertEqual(seen["Host"], f"localhost:{self.system.port}")
            self.assertEqual(seen["X-Client-Cert-Verified"], "SUCCESS")
            self.assertIn("client", seen["X-Client-Cert-Subject"])
            der = subprocess.run(["openssl", "x509", "-in", self.client[0], "-outform", "DER"], capture_output=True,
                                 check=True).stdout
            self.assertEqual(seen["X-Client-Cert-Fingerprint"], hashlib.sha256(der).hexdigest())
            self.assertEqual(seen["Client-Cert"], ":" + base64.b64encode(der).decode() + ":")
            self.assertEqual(seen["X-Forwarded-For"], "127.0.0.1")
            self.assertEqual(seen["X-Forwarded-Proto"], "https")
            self.assertEqual(seen["X-Forwarded-Host"], f"localhost:{self.system.port}")
            self.assertIn('for="127.0.0.1"', seen["Forwarded"])
            self.assertRegex(seen["X-Request-Id"], "^[0-9a-f]{24}$")
            self.assertIn("keyward", seen["Via"])

    def test_a_client_cannot_say_who_it_is(self):
        forged = ["X-Client-Cert-Subject: CN=root", "x-client-CERT-verified: SUCCESS", "X_Client_Cert_Subject: CN=root",
                  "Client-Cert: :AAAA:", "Client_Cert: :AAAA:", "CLIENT-CERT-CHAIN: :AAAA:", "X-Client-Cert: x",
                  "X-Forwarded-For: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6",
                  "X.Client.Cert.Subject: CN=root", "Proxy: http://6.6.6.6", "X-Request-Id: forged",
                  "Connection: X-Client-Cert-Subject, Client-Cert, X-Nominated", "X-Nominated: 1", "X-Kept: 1",
                  "Transfer_Encoding: chunked", "Content_Length: 5"]
        for version in VERSIONS:
            lines = [line for line in forged if version == "--http1.1" or not line.startswith("Connection")]
            options = [part for line in lines for part in ("--header", line)]
            fields = self.echo("/app/echo", *options, version=version)["fields"]
            names = [re.sub("[^a-z0-9]", "-", name.lower()) for name, _ in fields]
            for ours in ("x-client-cert-subject", "x-client-cert-verified", "client-cert", "x-forwarded-for", "forwarded",
                         "x-request-id"):
                self.assertEqual(names.count(ours), 1, f"{ours} {version} {fields}")
            for gone in ("client-cert-chain", "x-client-cert", "x-real-ip", "proxy", "transfer-encoding", "content-length",
                         "connection", *(("x-nominated",) if version == "--http1.1" else ())):
                self.assertNotIn(gone, names)
            self.assertIn("x-kept", names)
            values = " ".join(value for _, value in fields)
            for lie in ("6.6.6.6", "CN=root", "AAAA:", "forged"):
                self.assertNotIn(lie, values)


MALFORMED = {
    "bare": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "fold": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok",
    "twolengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "both": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "blank": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "status": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "interims": b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "silent": b"",
    "half": b"HTTP/1.1 200 OK\r\nContent-",
    "many": b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 101 + b"Content-Length: 2\r\n\r\nok",
}


@for_each_user
class Trouble(ProxyCase):
    more = MALFORMED

    def test_an_answer_that_is_none_is_502(self):
        for name in MALFORMED:
            for version in VERSIONS:
                for app in ("/app/", "/app/tls/"):
                    status, body = self.get(app + name, version=version)
                    self.assertEqual(status, 502, f"{name} {version} {body}")
                    self.assertRegex(body.decode(), r"^502 Bad Gateway\nRequest [0-9a-f]{24}\n$")

    def test_nobody_there_is_502(self):
        for version in VERSIONS:
            status, body = self.get("/none/x", version=version)
            self.assertEqual(status, 502)
            self.assertIn(b"Request ", body)
        self.system.wait_line("no connection to the application .*No such file", 5)

    def test_a_kept_connection_that_has_ended_costs_nothing(self):
        for version in VERSIONS:
            for _ in range(10):
                self.assertEqual(self.get("/app/fleeting", version=version), (200, b"fleeting"))
                self.assertEqual(self.get("/app/tls/fleeting", version=version), (200, b"fleeting"))

    def test_the_application_comes_back(self):
        self.echo()
        self.tcp.stop()
        self.unix.stop()
        self.assertEqual(self.get("/app/echo")[0], 502)
        self.unix.start()
        self.echo()

    def test_an_application_that_dies_in_a_request(self):
        self.unix.released.clear()
        result = []
        thread = threading.Thread(target=lambda: result.append(self.get("/app/hang")[0]))
        thread.start()
        while ("GET", "/app/hang") not in self.unix.seen:
            time.sleep(0.01)
        self.unix.released.set()
        thread.join()
        self.assertEqual(result, [502])

    def test_clients_that_leave_leave_nothing(self):
        self.unix.released.clear()
        for _ in range(20):
            with wire.connect(self.system.port, self.ca, self.client) as leaving:
                leaving.sendall(b"GET /app/hang HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline = time.monotonic() + 10
        self.unix.released.set()
        while self.unix.open and time.monotonic() < deadline:
            time.sleep(0.05)
        self.echo()
