"""/metrics and /healthz: who reaches them, what they say, and when they say that all is not well."""

import errno
import http.client
import os
import re
import signal
import socket
import ssl
import stat
import tempfile

import certificates
import processes
import wire
from keyward import SharedSystemCase, SystemCase, for_each_user

TYPE = re.compile(r"# TYPE (keyward_[a-z0-9_]+) (counter|gauge)")
HELP = re.compile(r"# HELP (keyward_[a-z0-9_]+) (\S.*)")
SAMPLE = re.compile(r'(keyward_[a-z0-9_]+)(?:\{([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"\})? ([0-9]+)')


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=wire.TIMEOUT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def listens(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) != errno.ECONNREFUSED


def ask(connection, path, method="GET"):
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response, body


def parse(text):
    """The samples by (name, label's value), and the types. Fails where Prometheus's format is not kept."""
    samples, types, helps = {}, {}, set()
    current = None
    if not text.endswith("\n"):
        raise AssertionError("the last line has no end")
    for line in text.splitlines():
        if match := HELP.fullmatch(line):
            if match[1] in helps:
                raise AssertionError(f"a second HELP: {line}")
            helps.add(match[1])
        elif match := TYPE.fullmatch(line):
            if match[1] not in helps or match[1] in types:
                raise AssertionError(f"TYPE without HELP, or a second one: {line}")
            current, types[match[1]] = match[1], match[2]
        elif match := SAMPLE.fullmatch(line):
            name, _, value, number = match.groups()
            if name != current or (name, value) in samples:
                raise AssertionError(f"a sample out of its family, or twice: {line}")
            if (types[name] == "counter") != name.endswith("_total"):
                raise AssertionError(f"counters, and they alone, end in _total: {line}")
            samples[name, value] = int(number)
        else:
            raise AssertionError(f"not in the format: {line!r}")
    return samples


@for_each_user
class Metrics(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "A CA")
        cls.client = cls.authority.leaf("client")
        cls.stranger = certificates.Authority(os.path.join(cls.base, "stranger"), "B CA").leaf("stranger")
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", cls.authority.certificate)

    def setUp(self):
        self.path = os.path.join(self.system.runtime, "metrics")

    def get(self, path, method="GET"):
        return ask(UnixConnection(self.path), path, method)

    def samples(self):
        response, text = self.get("/metrics")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return parse(text)

    def test_only_the_owner_reaches_the_socket(self):
        info = os.stat(self.path)
        self.assertTrue(stat.S_ISSOCK(info.st_mode))
        self.assertEqual(stat.S_IMODE(info.st_mode), 0o600)
        self.assertEqual(info.st_uid, os.stat(self.system.runtime).st_uid)

    def test_counts_handshakes_and_requests(self):
        before = self.samples()
        with wire.connect(self.system.port, self.system.ca_file(), self.client) as connection:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", connection.recv(1000))
            connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            wire.read_to_end(connection)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with wire.connect(self.system.port, self.system.ca_file(), self.stranger) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                connection.recv(1)
        bare = ssl.create_default_context(cafile=self.system.ca_file())
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with socket.create_connection(("127.0.0.1", self.system.port)) as plain:
                with bare.wrap_socket(plain, server_hostname="localhost") as connection:
                    connection.recv(1)
        rises = {
            ("keyward_tls_handshakes_total", None): 1,
            ("keyward_tls_handshake_failures_total", "certificate"): 1,
            ("keyward_tls_handshake_failures_total", "no_certificate"): 1,
            ("keyward_tls_handshake_failures_total", "protocol"): 0,
            ("keyward_http_requests_total", None): 2,
            ("keyward_http_responses_total", "2xx"): 1,
            ("keyward_http_responses_total", "4xx"): 1,
            ("keyward_http_responses_total", "5xx"): 0,
            ("keyward_signatures_total", None): 3,
        }
        processes.wait_until(lambda: self.samples()["keyward_connections", None] == 0, 10, lambda: "still connected")
        after = self.samples()
        self.assertEqual({key: after[key] - before[key] for key in rises}, rises)

    def test_says_what_status_says(self):
        samples, status = self.samples(), self.system.status()
        self.assertEqual(samples["keyward_build_info", "0.1.0"], 1)
        for process in status["processes"]:
            self.assertEqual(samples["keyward_process_up", process["name"]], 1)
            self.assertGreater(samples["keyward_process_resident_memory_bytes", process["name"]], 1 << 16)
        for certificate in status["certificates"]:
            self.assertEqual(samples["keyward_certificate_expiry_timestamp_seconds", certificate["role"]],
                             certificate["not_after"])
        self.assertGreater(samples["keyward_audit_records_total", None], 0)
        self.assertEqual(samples["keyward_audit_lost_records_total", None], 0)

    def test_is_well(self):
        response, text = self.get("/healthz")
        self.assertEqual((response.status, text), (200, "ok\n"))
        self.assertEqual(response.headers["Connection"], "close")
        response, text = self.get("/healthz", "HEAD")
        self.assertEqual((response.status, text), (200, ""))

    def test_shows_nothing_else(self):
        for path in ("/", "/hello", "/api/get", "/metrics/", "/index.html"):
            self.assertEqual(self.get(path)[0].status, 404, path)
        self.assertEqual(self.get("/metrics", "PUT")[0].status, 405)
        self.assertEqual(self.get("/metrics", "POST")[0].status, 405)

    def test_is_not_on_the_page_itself(self):
        with wire.connect(self.system.port, self.system.ca_file(), self.client) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            self.assertIn(b" 404 ", wire.read_to_end(connection).splitlines()[0])

    def test_those_who_say_nothing_do_not_keep_others_out(self):
        silent = [socket.socket(socket.AF_UNIX) for _ in range(100)]
        for one in silent:
            one.settimeout(wire.TIMEOUT_S)
            one.connect(self.path)
        self.assertEqual(self.get("/healthz")[0].status, 200)
        for one in silent:  # and are cut off in the end
            try:
                self.assertEqual(one.recv(1), b"")
            except ConnectionResetError:
                pass
            one.close()


@for_each_user
class Health(SystemCase):
    def health(self, system):
        response, text = ask(UnixConnection(os.path.join(system.runtime, "metrics")), "/healthz")
        return response.status, text

    def test_a_process_that_does_not_answer(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", uid=self.uid)
        pid = system.pid_of("keyd")
        os.kill(pid, signal.SIGSTOP)
        try:
            self.assertEqual(self.health(system), (503, "keyd does not answer\n"))
        finally:
            os.kill(pid, signal.SIGCONT)
        processes.wait_until(lambda: self.health(system) == (200, "ok\n"), 10, lambda: str(self.health(system)))

    def test_a_process_that_does_not_run(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "2", uid=self.uid)
        seen = set()
        for _ in range(3):  # the second and third time it is not started at once
            old = system.pid_of("web[1]")
            processes.kill(old)
            processes.wait_until(lambda old=old: seen.add(self.health(system)) or system.pid_of("web[1]") not in (0, old),
                                 10, lambda: str(seen))
        processes.wait_until(lambda: self.health(system) == (200, "ok\n"), 10, lambda: str(self.health(system)))
        self.assertIn((503, "web[1] is not running\n"), seen)
        _, text = ask(UnixConnection(os.path.join(system.runtime, "metrics")), "/metrics")
        self.assertEqual(parse(text)["keyward_process_restarts_total", "web[1]"], 3)


@for_each_user
class Where(SystemCase):
    def test_loopback(self):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--metrics", "127.0.0.1:0", uid=self.uid)
        port = int(system.wait_line(r"^broker: listening service='metrics' address='127\.0\.0\.1:(\d+)'")[1])
        response, text = ask(http.client.HTTPConnection("127.0.0.1", port, timeout=wire.TIMEOUT_S), "/metrics")
        self.assertEqual(response.status, 200)
        parse(text)
        self.assertFalse(os.path.exists(os.path.join(system.runtime, "metrics")))

    def own_directory(self):
        directory = tempfile.mkdtemp(prefix="metrics-", dir=self.base)
        os.chown(directory, self.uid, -1)
        return directory

    def test_a_path_of_ones_own_also_after_a_crash(self):
        path = os.path.join(self.own_directory(), "monitor")
        for _ in range(2):
            system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--metrics", "unix:" + path, uid=self.uid)
            self.assertEqual(ask(UnixConnection(path), "/healthz")[0].status, 200)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            system.kill_all()
            self.assertTrue(os.path.exists(path))
            processes.wait_until(lambda: not listens(path), 10, lambda: "a worker survives")

    def test_not_where_somebody_else_listens(self):
        path = os.path.join(self.own_directory(), "socket")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            os.chown(path, self.uid, -1)
            other.listen()
            system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--metrics", "none", uid=self.uid)
            self.assertFalse(os.path.exists(os.path.join(system.runtime, "metrics")))
            done = system.run("broker", "run", "--runtime-dir", system.runtime + "2", "--no-browser", "--listen",
                              "127.0.0.1:0", "--metrics", "unix:" + path, check=False)
        self.assertEqual(done.returncode, 100)
        self.assertIn("that is in use; give another path", done.stderr)

