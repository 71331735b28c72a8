"""Applications that are elsewhere: who they have to be, what the client is to them, and what is said when it does not come to that."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time

import application
import certificates
from keyward import COMMAND_S, SharedSystemCase, SystemCase, for_each_user


class Wordy:
    """Takes connections and says the same to everybody; or nothing."""

    def __init__(self, words=b""):
        self.words = words
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                self.taken.append(self.listener.accept()[0])
                self.taken[-1].sendall(self.words)
            except OSError:
                return

    def stop(self):
        self.listener.close()


class UpstreamCase:
    """What a case needs besides its system."""

    def curl(self, path, *options):
        certificate, key = self.client
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), "--cacert", self.system.ca_file(), "--cert",
             certificate, "--key", key, *options, "--write-out", "%{stderr}%{http_code}",
             f"https://localhost:{self.system.port}{path}"],
            capture_output=True, timeout=2 * COMMAND_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(done.stderr), done.stdout

    def get(self, path, *options):
        return self.curl(path, *options)

    def expect_bad(self, path, says, status=502):
        """Refused with the request's name alone, and a log line that has it, says why and what to do. There are so many such lines
        a second, so it may take more than one request."""
        for _ in range(10):
            code, body = self.get(path)
            self.assertEqual(code, status, body)
            self.assertRegex(body.decode(), rf"^{status} [A-Za-z ]+\nRequest [0-9a-f]{{24}}\n$")
            request = body.split()[-1].decode()
            lines = [line for line in self.system.lines() if "TLS with the application" in line and request in line and
                     "refused" not in line.split("reason=")[0]]
            if lines:
                self.assertRegex(lines[0], rf"reason='.*{says}.* request={request} ")
                return
            time.sleep(0.5)
        self.fail(f"no line about {path}")


@for_each_user
class Verdicts(UpstreamCase, SharedSystemCase):
    @classmethod
    def prepare(cls):
        ours = certificates.Authority(os.path.join(cls.base, f"ours-{cls.uid}"), "Good CA")
        theirs = certificates.Authority(os.path.join(cls.base, f"theirs-{cls.uid}"), "CA of an application")
        other = certificates.Authority(os.path.join(cls.base, f"other-{cls.uid}"), "CA of an application")
        cls.client = ours.leaf("client")
        cls.other_client_ca = other.certificate
        cls.leaf = theirs.leaf("server", profile="server")
        made = {
            "good": cls.leaf,
            "byname": cls.leaf,
            "rsa": theirs.leaf("rsa", profile="server", rsa=2048),
            "stranger": other.leaf("server", profile="server"),
            "expired": theirs.leaf("expired", profile="server", end="20210101000000Z"),
            "client": theirs.leaf("client", profile="client"),
            "lax": cls.leaf,
            "strict": cls.leaf,
            "ragged": cls.leaf,
            "turning": cls.leaf,
        }
        cls.stranger = made["stranger"]
        cls.apps = {name: application.SecureApplication(pair) for name, pair in made.items()}
        cls.apps["lax"].asks = False
        cls.apps["ragged"].ragged = True
        plain = Wordy(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        silent = Wordy()
        for app in [*cls.apps.values(), plain, silent]:
            cls.addClassCleanup(app.stop)
        ports = {name: app.port for name, app in cls.apps.items()}
        ports.update(plain=plain.port, silent=silent.port)
        cls.flags = ["--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--client-ca", ours.certificate]
        for name, port in ports.items():
            host = "localhost" if name == "byname" else "127.0.0.1"
            cls.flags += ["--proxy", f"/{name}/=https://{host}:{port}", "--proxy-ca", f"/{name}/={theirs.certificate}"]
        # 127.0.0.2 is where it listens too, and no name that its certificate has.
        cls.named = application.SecureApplication(cls.leaf)
        cls.addClassCleanup(cls.named.stop)
        cls.named.listener.close()
        cls.named.listener = socket.create_server(("127.0.0.2", 0))
        threading.Thread(target=cls.named.run, args=(cls.named.listener,), daemon=True).start()
        cls.flags += ["--proxy", f"/named/=https://127.0.0.2:{cls.named.listener.getsockname()[1]}", "--proxy-ca",
                      f"/named/={theirs.certificate}"]

    def setUp(self):
        for app in [*self.apps.values(), self.named]:
            app.client_ca = self.system.ca_file()
        self.apps["strict"].client_ca = self.other_client_ca

    def test_the_application_knows_the_kiosk_and_hears_its_own_name(self):
        for name in ("good", "rsa", "byname"):
            app = self.apps[name]
            host = "localhost" if name == "byname" else "127.0.0.1"
            status, body = self.get(f"/{name}/echo")
            self.assertEqual(status, 200)
            fields = dict(json.loads(body)["fields"])
            self.assertEqual(fields["Host"], f"{host}:{app.port}")
            self.assertEqual(fields["X-Forwarded-Host"], f"localhost:{self.system.port}")
            subject, protocol, _ = app.clients[-1]
            self.assertIn("keyward-kiosk", str(subject["subject"]))
            self.assertEqual(protocol, "http/1.1")

    def test_one_signature_serves_many_requests(self):
        self.get("/good/echo")
        before = len(self.apps["good"].clients)
        for _ in range(10):
            self.assertEqual(self.get("/good/echo")[0], 200)
        self.assertEqual(len(self.apps["good"].clients), before)

    def test_each_failure_is_called_by_its_name(self):
        for name, says in (
                ("stranger", r"certificate verify failed: .*; \[proxy\] ca has to name the CA that signed"),
                ("named", "certificate is not for .*127.0.0.2.*; use a name that it has"),
                ("expired", "certificate has expired"),
                ("client", "certificate verify failed: unsupported certificate purpose"),
                ("plain", "does not speak TLS 1.3 there; check the port"),
        ):
            with self.subTest(name):
                self.expect_bad(f"/{name}/x", says)

    def test_one_that_asks_for_no_certificate_is_refused(self):
        self.expect_bad("/lax/x", "did not ask for a client certificate")

    def test_one_that_does_not_take_ours_is_heard(self):
        self.expect_bad("/strict/x", "refused the client certificate: alert .*unknown CA")

    def test_one_that_is_silent_is_not_waited_for(self):
        status, body = self.get("/silent/x")
        self.assertEqual(status, 504, body)
        self.system.wait_line("no TLS with the application .*the TLS handshake was not complete within 5000 ms")

    def test_an_end_that_is_not_announced_is_a_cut(self):
        self.assertEqual(self.get("/good/toend"), (200, application.BLOCK))
        mark = self.system.mark()
        certificate, key = self.client
        done = subprocess.run(["curl", "--silent", "--max-time", str(COMMAND_S), "--cacert", self.system.ca_file(), "--cert",
                               certificate, "--key", key, f"https://localhost:{self.system.port}/ragged/toend"],
                              capture_output=True, timeout=2 * COMMAND_S)
        self.assertNotEqual(done.returncode, 0)
        self.system.wait_line("TLS with the application failed .*before its answer was complete", since=mark)

    def test_a_certificate_that_is_exchanged_is_seen_at_the_next_connection(self):
        app = self.apps["turning"]
        self.assertEqual(self.get("/turning/fleeting"), (200, b"fleeting"))
        app.pair = self.stranger
        self.expect_bad("/turning/x", "certificate verify failed")
        app.pair = self.leaf
        self.assertEqual(self.get("/turning/fleeting"), (200, b"fleeting"))

    def test_nothing_is_signed_for_anyone_else(self):
        for name in ("stranger", "named", "expired", "client", "lax"):
            self.get(f"/{name}/x")
            [handle] = [handle for handle in self.system.status()["handles"] if handle["label"].endswith(f" /{name}/")]
            self.assertEqual((handle["signatures"], handle["refusals"]), (0, 0), name)


@for_each_user
class Handles(UpstreamCase, SystemCase):
    def begin(self, workers=1, ca=None):
        ours = certificates.Authority(os.path.join(self.base, f"{self.id()}-ours"), "Good CA")
        theirs = certificates.Authority(os.path.join(self.base, f"{self.id()}-theirs"), "CA of an application")
        self.client = ours.leaf("client")
        leaf = theirs.leaf("server", profile="server")
        self.app = application.SecureApplication(leaf)
        self.addCleanup(self.app.stop)
        self.system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", str(workers), "--client-ca",
                                 ours.certificate, "--proxy", f"/app/=https://127.0.0.1:{self.app.port}",
                                 "--proxy-ca", f"/app/={leaf[0] if ca == 'leaf' else theirs.certificate}", uid=self.uid)
        self.tell_of_kiosk()

    def tell_of_kiosk(self):
        """The application takes whom the running keyd vouches for: a copy, since the file itself is kept up to date."""
        self.app.client_ca = shutil.copy(self.system.ca_file(), os.path.join(self.base, f"{self.id()}-kiosk.pem"))

    def handles(self):
        return [handle for handle in self.system.status()["handles"] if handle["label"].endswith(" /app/")]

    def test_each_worker_has_one_for_that_application_alone(self):
        self.begin(workers=2)
        handles = self.handles()
        self.assertEqual([handle["label"] for handle in handles], ["web[0] /app/", "web[1] /app/"])
        for handle in handles:
            self.assertEqual((handle["purpose"], handle["server"]), ("tls-client", "127.0.0.1"))
            self.assertRegex(handle["ca"], "^[0-9a-f]{64}$")

    def test_revoking_one_cuts_the_application_off(self):
        self.begin(workers=2)
        self.assertEqual(self.get("/app/echo")[0], 200)
        self.system.broker("handle", "revoke", str(self.handles()[0]["handle"]))
        deadline = time.monotonic() + 10
        while self.handles() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(self.handles(), [])
        for _ in range(4):
            self.expect_bad("/app/echo", "revoked; restart the broker for a new one")
        self.assertEqual(self.get("/hello")[0], 200)
        # A worker that is replaced does not get round it.
        web = self.system.pid_of("web[0]")
        os.kill(web, 9)
        self.system.wait_line(r"web\[0\] ended")
        while self.system.processes("web[0]")[0]["pid"] in (0, web):
            time.sleep(0.02)
        for _ in range(4):
            self.assertEqual(self.get("/app/echo")[0], 502)

    def test_another_keyd_means_another_handle(self):
        self.begin()
        self.assertEqual(self.get("/app/echo")[0], 200)
        before = self.handles()[0]["handle"]
        os.kill(self.system.pid_of("keyd"), 9)
        self.system.wait_line("keyd ended")
        deadline = time.monotonic() + 10
        while [handle["handle"] for handle in self.handles()] in ([], [before]) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertNotIn(self.handles()[0]["handle"], (0, before))
        # The kiosk is somebody else now, whom the application does not know before it is told.
        self.expect_bad("/app/echo", "refused the client certificate")
        self.tell_of_kiosk()
        self.assertEqual(self.get("/app/echo")[0], 200)

    def test_another_worker_has_another_handle(self):
        self.begin()
        self.assertEqual(self.get("/app/echo")[0], 200)
        before = self.handles()[0]["handle"]
        os.kill(self.system.pid_of("web[0]"), 9)
        deadline = time.monotonic() + 10
        while [handle["handle"] for handle in self.handles()] in ([], [before]) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.assertEqual(len(self.handles()), 1)
        self.assertEqual(self.get("/app/echo")[0], 200)

    def test_a_ca_that_is_none_is_told(self):
        self.begin(ca="leaf")
        self.expect_bad("/app/echo", "ca is no CA.*s certificate")


class Names(UpstreamCase, SystemCase):
    def setUp(self):
        super().setUp()
        ours = certificates.Authority(os.path.join(self.base, f"ours-{self.id()}"), "Good CA")
        theirs = certificates.Authority(os.path.join(self.base, f"theirs-{self.id()}"), "CA of an application")
        self.client = ours.leaf("client")
        self.app = application.SecureApplication(theirs.leaf("server", profile="server"))
        self.addCleanup(self.app.stop)
        self.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", ours.certificate, "--proxy-ca",
                      f"/api/={theirs.certificate}")

    def test_a_name_that_leads_nowhere_ends_the_start(self):
        done = subprocess.run([os.path.join(self.programs, "broker"), "check", *self.flags, "--proxy",
                               "/api/=https://nobody.invalid:8443"], capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 100, done.stderr)
        self.assertRegex(done.stderr.decode(), r"upstream|proxy")
        self.assertIn(b"'nobody.invalid' cannot be looked up", done.stderr)

    def test_a_reload_keeps_its_addresses(self):
        self.system = self.start(*self.flags, "--proxy", f"/api/=https://localhost:{self.app.port}")
        self.app.client_ca = self.system.ca_file()
        for _ in range(2):
            status, body = self.get("/api/echo")
            self.assertEqual(status, 200, body)
            self.assertIn(["Host", f"localhost:{self.app.port}"], json.loads(body)["fields"])
            self.system.broker("reload")
