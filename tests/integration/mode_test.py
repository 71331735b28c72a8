"""What clients have to show, by mode: mutual, optional, server, off. And that all commands of the README's ladder work."""

import json
import os
import subprocess

import certificates
from keyward import COMMAND_S, SharedSystemCase, System, SystemCase, for_each_user


class ModeCase(SharedSystemCase):
    mode = None

    @classmethod
    def prepare(cls):
        cls.good = certificates.Authority(os.path.join(cls.base, "good"), "Good CA")
        cls.foreign = certificates.Authority(os.path.join(cls.base, "foreign"), "Foreign CA")
        os.chmod(cls.good.directory, 0o755)
        cls.client, cls.stranger = cls.good.leaf("client"), cls.foreign.leaf("stranger")
        cls.uploads = os.path.join(cls.base, "uploads")
        os.makedirs(cls.uploads)
        os.chmod(cls.uploads, 0o1777)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", cls.good.certificate, "--uploads",
                     cls.uploads, "--echo", "127.0.0.1:0", *(["--tls-mode", cls.mode] if cls.mode else []))

    def curl(self, path, *arguments, client=None):
        identity = ["--cert", client[0], "--key", client[1]] if client else []
        trust = ["--cacert", self.system.ca_file()] if self.system.url.startswith("https") else []
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), *trust, *identity, *arguments,
             self.system.url + path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def upload(self, name, client=None):
        """Returns the status with which the upload was answered, and whether the file is there.

        Over HTTP/1.1: Debian 12's curl forgets an answer that comes in HTTP/2 before the upload is through."""
        done = self.curl("/upload/" + name, "--http1.1", "-T", self.client[0], "-o", os.devnull, "-w", "%{http_code}", client=client)
        return done.stdout, os.path.exists(os.path.join(self.uploads, name))

    def who(self, client=None):
        return json.loads(self.curl("/api/get", client=client).stdout)

    def shim(self, path, **options):
        return self.system.run("browser-shim", "get", self.system.url + path, "--runtime-dir", self.system.runtime,
                               **options)

    def expect_echo_is_mutual(self):
        """Whatever the page's listener asks for, echo asks for a certificate."""
        port = self.system.wait_line(r"^broker: listening service='echo' address='127\.0\.0\.1:(\d+)'")[1]
        done = self.system.run("browser-shim", "echo", f"localhost:{port}", "hi", "--runtime-dir", self.system.runtime)
        self.assertTrue(done.stdout.rstrip().endswith(" hi"))
        mark = self.system.mark()
        subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof"], input=b"hi\n",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=COMMAND_S, check=False)
        self.system.wait_line(r"handshake refused .*'client sent no certificate'", since=mark)


@for_each_user
class Mutual(ModeCase):
    def test_everyone_shows_a_certificate(self):
        self.assertNotEqual(self.curl("/hello").returncode, 0)
        self.assertIn("client", self.who(self.client)["client"]["subject"])
        self.assertEqual(self.shim("/hello").stdout.strip(), "Hello World")
        self.assertEqual(self.system.status()["tls_mode"], "mutual")
        self.assertNotIn("WARNING: TLS", self.system.log())


@for_each_user
class Optional(ModeCase):
    mode = "optional"

    def test_with_and_without(self):
        self.assertIsNone(self.who()["client"])
        self.assertIn("client", self.who(self.client)["client"]["subject"])
        self.assertIn("keyward-kiosk", json.loads(self.shim("/api/get").stdout)["client"]["subject"])
        self.assertEqual(self.system.status()["tls_mode"], "optional")

    def test_a_bad_certificate_is_not_as_good_as_none(self):
        self.assertNotEqual(self.curl("/hello", client=self.stranger).returncode, 0)

    def test_uploads_need_one(self):
        self.assertEqual(self.upload("nobody"), ("403", False))
        self.assertEqual(self.upload("somebody", self.client), ("201", True))

    def test_echo(self):
        self.expect_echo_is_mutual()


@for_each_user
class Server(ModeCase):
    mode = "server"

    def test_nobody_is_asked(self):
        self.assertIsNone(self.who()["client"])
        self.assertIsNone(self.who(self.client)["client"])
        self.assertIsNone(self.who(self.stranger)["client"])
        self.assertEqual(self.system.status()["tls_mode"], "server")

    def test_a_client_with_a_handle_insists_on_being_asked(self):
        mark = self.system.mark()
        done = self.shim("/hello", check=False)
        self.assertIn("did not ask for a client certificate", done.stderr)
        self.assertNotIn("handshake not bound", "\n".join(self.system.lines(since=mark)))

    def test_uploads_are_refused(self):
        self.assertEqual(self.upload("nobody", self.client), ("403", False))

    def test_echo(self):
        self.expect_echo_is_mutual()


@for_each_user
class Off(ModeCase):
    mode = "off"

    def test_plain_http(self):
        self.assertTrue(self.system.url.startswith("http://"))
        answer = self.who()
        self.assertIsNone(answer["client"])
        self.assertIsNone(answer["tls"])
        self.assertEqual(self.curl("/hello", "--http2").stdout.strip(), "Hello World", "h2c is not taken up")
        self.assertEqual(self.upload("nobody"), ("403", False))

    def test_it_says_so_loudly(self):
        self.system.wait_line(r"^broker: WARNING: TLS IS OFF: ")
        self.assertIn("WARNING: TLS IS OFF", self.system.run("broker", "status", "--runtime-dir", self.system.runtime).stdout)

    def test_tls_is_not_understood(self):
        done = subprocess.run(["curl", "--silent", "--insecure", f"https://127.0.0.1:{self.system.port}/hello"],
                              stdout=subprocess.PIPE, timeout=COMMAND_S, check=False)
        self.assertEqual(done.stdout, b"")

    def test_echo(self):
        self.expect_echo_is_mutual()


class OffElsewhere(SystemCase):
    def test_is_refused_at_start(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            with self.subTest(address):
                system = System(self.base, "--listen", address, "--no-browser", "--tls-mode", "off")
                system.spawn()
                self.assertEqual(system.process.wait(COMMAND_S), 100)
                system.wait_line(r"only on loopback")


if __name__ == "__main__":
    import runner

    runner.main()
