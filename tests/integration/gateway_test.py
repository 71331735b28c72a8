"""Browsers that cannot use a key in keyd, behind the gateway: cog, which is one, and this test, in its network namespace."""

import ctypes
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import tempfile
import threading
import time

import application
import processes
from keyward import SystemCase, for_each_user, is_root

FLAGS = ("--listen", "127.0.0.1:0", "--browser", "cog", "--headless")
FETCHED = r"^web\[\d+\]: request .*path='/api/get' status=200 .*subject='[^']*CN=keyward-kiosk"
BROWSER_S = 30
HANDLE_NAME = "gateway"

# In files of their own, as the server's Content-Security-Policy lets no script into a page.
PAGE = {
    "index.html": "<!doctype html><script src=page.js></script>",
    "page.js": """
        const report = (name, what) => fetch(`/report/${name}/${what}`);
        async function run() {
            await report("origin", encodeURIComponent(location.origin));
            await report("secure", window.isSecureContext);
            await report("get", (await fetch("/api/get")).status);
            const body = new Uint8Array(3 << 20).map((_, i) => i * 7 % 251);
            await report("put", (await fetch("/upload/page", {method: "PUT", body})).status);
            const echo = await (await fetch("/app/echo", {method: "POST", body})).json();
            const hash = await crypto.subtle.digest("SHA-256", body);
            const hex = [...new Uint8Array(hash)].map(byte => byte.toString(16).padStart(2, "0")).join("");
            await report("echo", hex === echo.sha256);
            await report("named", encodeURIComponent(echo.fields.filter(([name]) => name === "Host").join()));
            const big = await (await fetch("/app/big?64")).arrayBuffer();
            await report("big", big.byteLength);
            await fetch("/app/cookies");
            await report("cookies", encodeURIComponent(await (await fetch("/app/cookies")).text()));
            const socket = new WebSocket(location.origin.replace("http", "ws") + "/app/websocket");
            socket.onmessage = event => { report("socket", event.data); socket.close(); };
            socket.onopen = () => socket.send("marco");
            socket.onerror = () => report("socket", "error");
        }
        run().catch(error => report("error", encodeURIComponent(error)));
    """,
}


def sockets(pid):
    return {end for end in processes.descriptors(pid).values() if end.startswith("socket:")}


class GatewayCase(SystemCase):
    uid = None

    def root_with(self, files):
        root = tempfile.mkdtemp(dir=self.base)
        os.chmod(root, 0o755)
        for name, text in files.items():
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(text)
        return root

    def start_browser(self, *flags):
        return self.start(*FLAGS, *flags, uid=self.uid)

    def handles(self, system):
        return [handle for handle in system.status()["handles"] if handle["purpose"] == HANDLE_NAME]


@for_each_user
class Cog(GatewayCase):
    def test_it_loads_the_page_and_its_fetch_succeeds(self):
        system = self.start_browser()
        system.wait_line(FETCHED, BROWSER_S)
        [handle] = self.handles(system)
        self.assertGreaterEqual(handle["signatures"], 1)
        self.assertEqual(handle["pinned_pid"], system.pid_of("browser-gateway"))

    def test_the_page_fetches_uploads_and_speaks_through_a_websocket(self):
        app = application.Application()
        self.addCleanup(app.stop)
        uploads = os.path.join(self.base, "uploads")
        os.makedirs(uploads, exist_ok=True)
        os.chmod(uploads, 0o1777)
        system = self.start_browser("--root", self.root_with(PAGE), "--uploads", uploads,
                                    "--proxy", f"/app=http://127.0.0.1:{app.port}")
        system.wait_line(r"path='/report/(socket|error)/", BROWSER_S)
        said = dict(re.findall(r"path='/report/(\w+)/([^']*)'", system.log()))
        self.assertEqual(said, {"origin": "http:", "secure": "true", "get": "200", "put": "201", "echo": "true",
                                "named": f"Host,localhost:{system.port}", "big": str(64 * len(application.BLOCK)),
                                "cookies": "plain=1", "socket": "marco"})

    def test_only_the_gateway_has_the_handle(self):
        """And no browser's process has any socket of the gateway's."""
        self.assertTrue(is_root(), "needs root: looks at the processes' descriptors; run the tests as root")
        system = self.start_browser()
        system.wait_line(FETCHED, BROWSER_S)
        gateway = system.pid_of("browser-gateway")
        own = sockets(gateway)
        self.assertGreaterEqual(len(own), 3, "listener, handle, supply")
        browsers = [pid for pid in processes.descendants(system.pid_of("browser-launcher")) if pid != gateway]
        self.assertGreater(len(browsers), 1)
        for pid in browsers:
            self.assertEqual(sockets(pid) & own, set(), processes.name(pid))
        status = processes.status(gateway)
        self.assertNotIn("0", status["Uid"].split())
        self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"))
        self.assertEqual(os.readlink(f"/proc/{gateway}/ns/net"), os.readlink(f"/proc/{browsers[0]}/ns/net"))

    def test_the_browser_or_the_gateway_dies_and_both_come_back_with_another_handle(self):
        system = self.start_browser()
        for name in ("browser-gateway", "cog"):
            system.wait_line(FETCHED, BROWSER_S)
            [before] = self.handles(system)
            mark = system.mark()
            gateway = system.pid_of("browser-gateway")
            [cog] = [pid for pid in system.pids() if processes.name(pid) == "cog"]
            processes.kill(gateway if name == "browser-gateway" else cog)
            system.wait_line(FETCHED, BROWSER_S, since=mark)
            [after] = self.handles(system)
            self.assertNotEqual(before["handle"], after["handle"])
            self.assertNotEqual(gateway, system.pid_of("browser-gateway"))


CLONE_NEWNET = 0x40000000
REVOKED_S = 1.0
LIMIT_GATEWAY_CONNECTIONS = 256


def connect_inside(pid, port):
    """A connection to 127.0.0.1:port in the network namespace of another process."""
    made = []

    def run():  # a thread has a namespace of its own, and what it makes there stays there
        namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_connection(("127.0.0.1", port), timeout=BROWSER_S))
        except OSError as error:
            made.append(error)
        finally:
            os.close(namespace)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


class InsideCase(GatewayCase):
    """This test is the browser: bytes, and no opinion on them."""

    more = {}

    @classmethod
    def setUpClass(cls):
        if not is_root():
            raise AssertionError("needs root: enters the browser's network namespace")
        super().setUpClass()

    def begin(self, *flags):
        self.app = application.Application(**self.more)
        self.addCleanup(self.app.stop)
        self.addCleanup(self.app.released.set)
        self.system = self.start_browser("--proxy", f"/app=http://127.0.0.1:{self.app.port}", *flags)
        self.system.wait_line(FETCHED, BROWSER_S)
        self.gateway = self.system.pid_of("browser-gateway")

    def connect(self, port=None):
        connection = connect_inside(self.gateway, port or self.system.port)
        self.addCleanup(connection.close)
        return connection

    def ask(self, target, method="GET", fields="", connection=None):
        connection = connection or self.connect()
        connection.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost:{self.system.port}\r\n{fields}\r\n".encode())
        return connection

    def answer(self, connection):
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer

    def resident(self, pid):
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Bytes(InsideCase):
    def test_what_is_not_fetched_waits_and_nothing_is_lost(self):
        self.begin()
        blocks = 4096
        slow = self.ask(f"/app/big?{blocks}")
        slow.recv(1000, socket.MSG_PEEK)
        time.sleep(0.5)
        self.assertLess(self.resident(self.gateway), 40 << 20)
        digest, length = hashlib.sha256(), 0
        answer = self.answer(slow)
        while piece := answer.read(1 << 20):
            digest.update(piece)
            length += len(piece)
        self.assertEqual(length, blocks * len(application.BLOCK))
        whole = hashlib.sha256()
        for _ in range(blocks):
            whole.update(application.BLOCK)
        self.assertEqual(digest.digest(), whole.digest())

    def test_what_is_not_taken_waits_and_nothing_is_lost(self):
        self.begin()
        length = 100_000_000
        block = os.urandom(1_000_000)
        fast = self.ask("/app/slow", "POST", f"Content-Length: {length}\r\n")
        sent = 0
        fast.settimeout(1)
        try:
            while sent < length:
                sent += fast.send(block[sent % len(block):])
        except TimeoutError:
            pass
        self.assertLess(sent, 40 << 20)
        self.assertLess(self.resident(self.gateway), 40 << 20)
        self.app.released.set()
        fast.settimeout(BROWSER_S)
        while sent < length:
            sent += fast.send(block[sent % len(block):])
        echo = json.loads(self.answer(fast).read())
        self.assertEqual(echo["length"], length)
        self.assertEqual(echo["sha256"], hashlib.sha256(block * (length // len(block))).hexdigest())

    def test_a_websocket_and_the_end_of_its_halves(self):
        self.begin()
        tunnel = self.ask("/app/socket", fields="Connection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
        received = b""
        while not received.endswith(b"\r\n\r\nhello"):
            received += tunnel.recv(65536)
        sent = os.urandom(1 << 22)
        writer = threading.Thread(target=tunnel.sendall, args=(sent,))
        writer.start()
        echoed = b""
        while len(echoed) < len(sent):
            echoed += tunnel.recv(1 << 20)
        writer.join()
        self.assertEqual(hashlib.sha256(echoed).digest(), hashlib.sha256(sent).digest())
        tunnel.shutdown(socket.SHUT_WR)
        processes.wait_until(lambda: "the client has said all" in self.app.seen, BROWSER_S, "the end did not arrive")
        self.app.released.set()
        farewell = b""
        while piece := tunnel.recv(100):
            farewell += piece
        self.assertEqual(farewell, b"farewell")

    def test_a_cut_answer_is_seen_as_cut(self):
        self.begin()
        with self.assertRaises((ConnectionResetError, http.client.IncompleteRead)):
            self.answer(self.ask("/app/cut")).read()
        answer = self.ask("/app/big?4096")
        answer.recv(1000)
        for row in self.system.processes("web"):
            processes.kill(row["pid"])
        with self.assertRaises(ConnectionResetError):
            while answer.recv(1 << 20):
                pass

    def test_without_a_certificate_web_gives_nothing(self):
        """Its own listener can be reached from the browser."""
        self.begin()
        context = ssl.create_default_context(cafile=self.system.ca_file())
        with self.assertRaisesRegex(ssl.SSLError, "CERTIFICATE_REQUIRED|certificate required"):
            with context.wrap_socket(self.connect(self.system.port + 1), server_hostname="localhost") as plain:
                plain.sendall(b"GET /api/get HTTP/1.1\r\nHost: localhost\r\n\r\n")
                plain.recv(100)


class Limits(InsideCase):
    COGS = 8

    def test_one_connection_too_many_waits_for_another_to_end(self):
        """The browser has some of its own, at most COGS."""
        self.begin()
        many = [self.ask("/api/get") for _ in range(LIMIT_GATEWAY_CONNECTIONS + 1)]
        answered = [connection for connection in many if self.is_answered(connection, 2.0)]
        self.assertLessEqual(len(answered), LIMIT_GATEWAY_CONNECTIONS)
        self.assertGreaterEqual(len(answered), LIMIT_GATEWAY_CONNECTIONS - self.COGS)
        late = next(connection for connection in many if connection not in answered)
        for connection in answered:
            connection.close()
        self.assertTrue(self.is_answered(late, BROWSER_S))

    def is_answered(self, connection, timeout):
        connection.settimeout(timeout)
        try:
            return connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        except TimeoutError:
            return False


class Handle(InsideCase):
    def renew(self):
        self.assertEqual(self.system.broker("browser", "renew").stdout, "the browser has a new handle\n")

    def status_of(self, connection):
        return self.answer(connection).status

    def test_revoked_it_is_over_within_a_second_and_a_new_one_brings_it_back(self):
        self.begin()
        kept = self.connect()
        self.assertEqual(self.status_of(self.ask("/api/get", connection=kept)), 200)
        [handle] = self.handles(self.system)
        begun = time.monotonic()
        self.system.broker("handle", "revoke", str(handle["handle"]))
        kept.settimeout(REVOKED_S)
        try:
            self.assertEqual(kept.recv(1), b"", "the connection goes on")
        except ConnectionResetError:
            pass
        answer = self.answer(self.ask("/api/get"))
        self.assertEqual((answer.status, answer.headers["Refresh"]), (503, "1"))
        self.assertIn(b"comes back by itself", answer.read())
        self.assertLess(time.monotonic() - begun, REVOKED_S)
        self.assertEqual(self.handles(self.system), [])
        mark = self.system.mark()
        self.renew()
        self.assertEqual(self.status_of(self.ask("/api/get")), 200)
        self.system.wait_line(FETCHED, BROWSER_S, since=mark)  # cog has tried again
        self.assertEqual(self.system.pid_of("browser-gateway"), self.gateway)

    def test_renewed_it_goes_on_and_the_old_one_is_given_back(self):
        self.begin()
        kept = self.connect()
        self.assertEqual(self.status_of(self.ask("/api/get", connection=kept)), 200)
        [before] = self.handles(self.system)
        self.renew()
        processes.wait_until(lambda: [row["handle"] for row in self.handles(self.system)] not in
                             ([], [before["handle"]]) and len(self.handles(self.system)) == 1, BROWSER_S, "two handles")
        self.assertEqual(self.status_of(self.ask("/api/get", connection=kept)), 200)
        self.assertEqual(self.status_of(self.ask("/api/get")), 200)
        self.assertEqual(self.system.pid_of("browser-gateway"), self.gateway)

    def test_new_keys_of_a_new_keyd(self):
        self.begin()
        mark = self.system.mark()
        processes.kill(self.system.pid_of("keyd"))
        self.system.wait_line(r"^broker: browser has a new handle", BROWSER_S, since=mark)
        processes.wait_until(lambda: self.status_of(self.ask("/api/get")) == 200, BROWSER_S, "no way back")
        self.assertEqual(self.system.pid_of("browser-gateway"), self.gateway)
