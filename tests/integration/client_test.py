"""browser-shim as a command-line client: a short-lived handle from the running broker, the key in keyd."""

import json
import os

import certificates
import processes
import wire
from keyward import ORDINARY, SharedSystemCase, System, for_each_user, is_root


@for_each_user
class Client(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.uploads = os.path.join(cls.base, "uploads")
        os.makedirs(cls.uploads)
        os.chmod(cls.uploads, 0o1777)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--echo", "127.0.0.1:0", "--uploads", cls.uploads)

    def shim(self, *arguments, **options):
        return self.system.run("browser-shim", *arguments, "--runtime-dir", self.system.runtime, **options)

    def test_get(self):
        self.assertEqual(self.shim("get", self.system.url + "/hello").stdout.strip(), "Hello World")

    def test_the_server_knows_the_client(self):
        answer = json.loads(self.shim("get", self.system.url + "/api/get").stdout)
        self.assertIn("keyward-kiosk", answer["client"]["subject"])
        [client] = [c for c in self.system.status()["certificates"] if c["role"] == "client"]
        self.assertEqual(answer["client"]["fingerprint"], client["fingerprint"])
        self.assertGreater(answer["client"]["handle"], 0)
        [server] = [c for c in self.system.status()["certificates"] if c["role"] == "server"]
        self.assertEqual(answer["server"]["fingerprint"], server["fingerprint"])
        self.assertGreaterEqual(answer["worker"]["handshakes"], 1)
        self.assertGreaterEqual(answer["worker"]["connections"], 1)
        self.assertGreater(answer["uploads"]["max_bytes"], 0)

    def test_put(self):
        path = os.path.join(self.system.directory, "picture.bin")
        content = os.urandom(200_000)
        with open(path, "wb") as out:
            out.write(content)
        os.chmod(path, 0o644)
        self.shim("put", path, self.system.url + "/upload/picture.bin")
        with open(os.path.join(self.uploads, "picture.bin"), "rb") as file:
            self.assertEqual(file.read(), content)

    def test_echo(self):
        port = self.system.wait_line(r"^broker: listening service='echo' address='127\.0\.0\.1:(\d+)'")[1]
        lines = self.shim("echo", f"localhost:{port}", "first", "second message").stdout.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].endswith(" first") and lines[1].endswith(" second message"), lines)

    def test_a_status_that_is_an_error_is_one_for_the_caller(self):
        done = self.shim("get", self.system.url + "/no/such/thing", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("404", done.stderr)

    def test_a_server_with_another_authority_is_refused(self):
        """The client trusts the running system's CA alone, so a stranger on that address gets nothing signed."""
        authority = certificates.Authority(os.path.join(self.base, f"stranger-{self.uid}"), "Stranger CA")
        certificate, key = authority.leaf("impostor", profile="server")
        before = self.system.status()["signatures"]
        with wire.impostor(certificate, key) as port:
            done = self.shim("get", f"https://localhost:{port}/hello", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(self.system.status()["signatures"], before)

    def test_wrong_usage(self):
        for words in (("get",), ("get", "http://localhost:1/"), ("get", "nonsense"), ("put", "/no/file", self.system.url),
                      ("dance",), ("echo", "localhost:1"), ("get", self.system.url, "--frobnicate")):
            with self.subTest(words):
                done = self.shim(*words, check=False)
                self.assertEqual(done.returncode, 100, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_no_handle_stays_behind(self):
        self.shim("get", self.system.url + "/hello")
        left = lambda: [handle for handle in self.system.status()["handles"] if handle["purpose"] == "tls-client"]
        processes.wait_until(lambda: left() == [], 10, lambda: f"still there: {left()}")


if is_root():

    class OtherPeople(SharedSystemCase):
        """The control socket is for who started the broker, and for root. Only root can ask as somebody else."""

        def test_others_are_not_answered(self):
            done = System(self.base, uid=ORDINARY).run(
                "broker", "status", "--runtime-dir", self.system.runtime, check=False)
            self.assertEqual(done.returncode, 100, done.stderr)

        def test_a_directory_that_lets_others_in_is_refused(self):
            system = System(self.base, "--listen", "127.0.0.1:0", "--no-browser", uid=ORDINARY)
            os.makedirs(system.runtime)
            os.chown(system.runtime, ORDINARY, -1)
            os.chmod(system.runtime, 0o777)
            done = system.run("broker", *system.flags, check=False)
            self.assertEqual(done.returncode, 100, done.stderr)
            self.assertIn(system.runtime, done.stderr)
