"""Several server certificates: which client gets which, and what stays bound to it."""

import json
import os
import re
import signal
import subprocess

import certificates
import processes
from keyward import COMMAND_S, SharedSystemCase, SystemCase

GET = "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


def section(name, pair):
    return f'[certificate "{name}"]\ncertificate = {pair[0]}\nkey = {pair[1]}\n'


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Asking:
    """Needs self.system, self.client and self.base."""

    def ask(self, name, *arguments, host="localhost", path="/api/get"):
        """Connects with openssl under that server name, none if it is None. Returns (whose certificate came, page, all)."""
        named = ["-servername", name] if name else ["-noservername"]
        certificate, key = self.client
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.system.port}", *named, "-ign_eof", "-cert", certificate,
             "-key", key, *arguments],
            input=GET.format(path=path, host=host).encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=COMMAND_S, check=False)
        text = done.stdout.decode("utf-8", "replace")
        subject = re.search(r"^subject=CN = (.*)$", text, re.MULTILINE)
        return subject and subject[1], text.partition("\r\n\r\n")[2], text

    def expect(self, name, subject, *arguments, host=None):
        shown, page, text = self.ask(name, *arguments, host=host or name or "localhost")
        self.assertEqual(shown, subject, text)
        self.assertIn("test client", page, text)

    def fetch(self, *arguments):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), "--cacert", self.trusted, "--cert",
             self.client[0], "--key", self.client[1], *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout


class Names(Asking, SharedSystemCase):
    """The default certificate is keyd's own."""

    @classmethod
    def prepare(cls):
        clients = certificates.Authority(os.path.join(cls.base, "clients"), "Client CA")
        servers = certificates.Authority(os.path.join(cls.base, "servers"), "Server CA")
        cls.client, cls.trusted = clients.leaf("client"), servers.certificate
        pairs = {
            "shop": servers.server("shop", ["DNS:shop.example", "DNS:Market.Example"]),
            "shop-rsa": servers.server("shop-rsa", ["DNS:shop.example"], rsa=2048),
            "wild": servers.server("wild", ["DNS:*.shop.example", "DNS:both.example"], curve="P-384"),
            "a": servers.server("a", ["DNS:a.shop.example", "DNS:both.example"]),
        }
        config = write(os.path.join(cls.base, "names.ini"), "".join(section(*item) for item in pairs.items()))
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--workers", "2", "--client-ca", clients.certificate,
                     "--config", config)

    def test_a_name_chooses(self):
        for name, subject in (
                ("shop.example", "server shop"), ("SHOP.Example", "server shop"), ("market.example", "server shop"),
                ("b.shop.example", "server wild"), ("a.shop.example", "server a"), ("both.example", "server wild"),
                ("localhost", "localhost")):
            for version in ("-tls1_3", "-tls1_2"):
                with self.subTest(name=name, version=version):
                    self.expect(name, subject, version)

    def test_other_names_and_none_get_the_default(self):
        for name in (None, "elsewhere.example", "a.b.shop.example", "shop.example.org", "example"):
            for version in ("-tls1_3", "-tls1_2"):
                with self.subTest(name=name, version=version):
                    self.expect(name, "localhost", version)

    def test_the_key_is_one_that_the_client_can_verify(self):
        """Of two certificates with the same name. Some of these clients cannot sign with their own key then."""
        for name, subject, *arguments in (
                ("shop.example", "server shop-rsa", "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"),
                ("shop.example", "server shop", "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256:ECDSA+SHA256"),
                ("shop.example", "server shop-rsa", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"),
                ("shop.example", "server shop", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
                ("both.example", "server a", "-tls1_3", "-sigalgs", "ECDSA+SHA256"),
                ("both.example", "server wild", "-tls1_3", "-sigalgs", "ECDSA+SHA384"),
                ("a.shop.example", "server wild", "-tls1_3", "-sigalgs", "ECDSA+SHA384")):
            with self.subTest(name=name, arguments=arguments):
                shown, _, text = self.ask(name, *arguments)
                self.assertEqual(shown, subject, text)

    def test_a_handshake_fails_rather_than_show_another_name(self):
        shown, page, text = self.ask("market.example", "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256")
        self.assertNotEqual(shown, "localhost", text)
        self.assertEqual(page, "", text)
        self.system.wait_line(r"reason='client takes no signature scheme that the server signs under'")

    def test_clients_that_verify(self):
        for version in ("--http1.1", "--http2"):
            for name in ("shop.example", "x.shop.example", "both.example"):
                with self.subTest(name=name, version=version):
                    page = self.fetch(version, "--resolve", f"{name}:{self.system.port}:127.0.0.1",
                                      f"https://{name}:{self.system.port}/api/get")
                    self.assertIn("test client", page)
        page = self.fetch("--resolve", f"y.example:{self.system.port}:127.0.0.1", f"https://y.example:{self.system.port}/")
        self.assertIn("SSL certificate problem", page)

    def test_requests_for_another_certificates_host(self):
        """RFC 9110, 15.5.20."""
        def status(name, host, version):
            return self.fetch(version, "--resolve", f"{name}:{self.system.port}:127.0.0.1", "--output", os.devnull, "--write-out",
                              "%{http_code}", "--header", "Host: " + host, f"https://{name}:{self.system.port}/hello")

        for version in ("--http1.1", "--http2"):
            for name, host, code in (
                    ("shop.example", "shop.example", "200"), ("shop.example", "market.example:443", "200"),
                    ("shop.example", "MARKET.EXAMPLE", "200"), ("shop.example", "a.shop.example", "421"),
                    ("shop.example", "b.shop.example", "421"), ("shop.example", "localhost", "421"),
                    ("shop.example", "nobody.example", "421"), ("shop.example", "127.0.0.1", "421"),
                    ("b.shop.example", "c.shop.example", "200"), ("both.example", "b.shop.example", "200")):
                with self.subTest(name=name, host=host, version=version):
                    self.assertEqual(status(name, host, version), code)
        for host, answer in (("shop.example", "421"), ("localhost", "200"), ("127.0.0.1:9000", "200"), ("[::1]", "200"),
                             ("nobody.example", "200")):
            with self.subTest(host=host):
                _, _, text = self.ask("localhost", host=host, path="/hello")
                self.assertIn("HTTP/1.1 " + answer, text)
        self.system.wait_line(r"status=421 reason='the host is another certificate")

    def test_a_session_is_one_certificates(self):
        session = os.path.join(self.base, "session")
        self.expect("shop.example", "server shop", "-tls1_3", "-sess_out", session)
        for name, resumed in (("market.example", True), ("a.shop.example", False), ("b.shop.example", False),
                              ("localhost", False), (None, False), ("shop.example", True)):
            with self.subTest(name=name):
                _, page, text = self.ask(name, "-tls1_3", "-sess_in", session, host=name or "localhost")
                self.assertEqual(json.JSONDecoder().raw_decode(page)[0]["tls"]["resumed"], resumed, text)
        shown, _, text = self.ask("shop.example", "-tls1_3", "-sess_in", session, "-sigalgs", "rsa_pss_rsae_sha256",
                                  host="shop.example")
        self.assertEqual(shown, "server shop-rsa", text)

    def test_the_status_has_them(self):
        found = {c["role"]: c for c in self.system.status()["certificates"]}
        self.assertEqual(set(found), {"ca", "server", "client", "server/shop", "server/shop-rsa", "server/wild", "server/a"})
        self.assertEqual(found["server/wild"]["names"], ["*.shop.example", "both.example"])


class Replaced(Asking, SystemCase):
    def test_a_new_keyd_gets_them_again(self):
        clients = certificates.Authority(os.path.join(self.base, "clients"), "Client CA")
        servers = certificates.Authority(os.path.join(self.base, "servers"), "Server CA")
        self.client = clients.leaf("client")
        pair = servers.server("shop", ["DNS:shop.example"])
        config = write(os.path.join(self.base, "one.ini"), section("shop", pair))
        self.system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--client-ca",
                                 clients.certificate, "--config", config)
        self.expect("shop.example", "server shop")
        os.unlink(pair[1])  # the broker has kept it open
        old = self.system.pid_of("keyd")
        os.kill(old, signal.SIGKILL)
        self.system.wait_line(r"^broker: keyd ended")
        processes.wait_until(lambda: "test client" in self.ask("shop.example", host="shop.example")[1], COMMAND_S,
                             "the page of the new keyd")
        self.assertNotEqual(self.system.pid_of("keyd"), old)
        self.expect("localhost", "localhost")


class Refused(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = certificates.Authority(os.path.join(cls.base, "servers"), "Server CA")
        cls.shop = cls.servers.server("shop", ["DNS:shop.example"])
        cls.other = cls.servers.server("other", ["DNS:other.example"])

    def expect_refused(self, text, says):
        path = write(os.path.join(self.base, "refused.ini"), text)
        system_flags = ("--listen", "127.0.0.1:0", "--no-browser", "--config", path)
        done = subprocess.run([os.path.join(self.programs, "broker"), "run", "--runtime-dir", os.path.join(self.base, "none"),
                               *system_flags], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, timeout=COMMAND_S, check=False)
        self.assertEqual(done.returncode, 100, done.stderr)
        self.assertIn(says, done.stderr)

    def test_with_words_that_reach_the_user(self):
        many = "".join(section(f"s{number}", self.shop) for number in range(9))
        old = self.servers.server("old", ["DNS:old.example"], end="20210101000000Z")
        for text, says in (
                (section("shop", (self.shop[0], self.other[1])), '[certificate "shop"] key: is not the key of the first'),
                (section("old", old), '[certificate "old"] certificate: the leaf has expired'),
                (section("shop", self.shop) + section("s", (self.servers.certificate, self.shop[1])),
                 '[certificate "s"] certificate: '),
                (f'[certificate "shop"]\nkey = {self.shop[1]}\n', '[certificate "shop"] has a key and no certificate'),
                (f'[certificate "shop"]\ncertificate = {self.shop[0]}\n', '[certificate "shop"] has a certificate and no key'),
                (section("shop", self.shop) + f"key = {self.shop[1]}\n", '[certificate "shop"] key is set twice'),
                (section("a shop", self.shop), "'a shop' is no name for a certificate"),
                (many, "more than 8 certificates")):
            with self.subTest(says):
                self.expect_refused(text, says)

    def test_a_key_that_others_may_read(self):
        os.chmod(self.other[1], 0o640)
        self.addCleanup(os.chmod, self.other[1], 0o600)
        self.expect_refused(section("other", self.other), f"[certificate \"other\"] key '{self.other[1]}': mode 0640 lets others")

    def test_suites_that_leave_one_none(self):
        text = "[tls]\nsuites = ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES128-GCM-SHA256\n" + section("shop", self.shop)
        rsa = self.servers.server("rsa", ["DNS:rsa.example"], rsa=2048)
        only = "[tls]\nsuites = ECDHE-ECDSA-AES128-GCM-SHA256\n" + section("rsa", rsa)
        self.expect_refused(only, "[tls] suites: none fits the certificate \"rsa\"'s key, which is RSA")
        path = write(os.path.join(self.base, "both.ini"), text)
        self.start("--listen", "127.0.0.1:0", "--no-browser", "--config", path)


class Limit(Asking, SystemCase):
    def test_as_many_as_there_may_be(self):
        clients = certificates.Authority(os.path.join(self.base, "clients"), "Client CA")
        servers = certificates.Authority(os.path.join(self.base, "servers"), "Server CA")
        self.client = clients.leaf("client")
        text = "".join(section(f"s{n}", servers.server(f"s{n}", [f"DNS:s{n}.example", *(f"DNS:{m}.s{n}.example" for m in
                                                                                          range(20))])) for n in range(8))
        self.system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", clients.certificate, "--config",
                                 write(os.path.join(self.base, "all.ini"), text))
        for number in range(8):
            self.expect(f"19.s{number}.example", f"server s{number}")
        self.assertEqual(len(self.system.status()["certificates"]), 11)
