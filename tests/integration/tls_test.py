"""Who gets in: foreign clients with good and bad certificates, protocol versions and cipher suites."""

import os
import subprocess

import certificates
from keyward import COMMAND_S, SharedSystemCase, for_each_user

GET_HELLO = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class TlsCase(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.good = certificates.Authority(os.path.join(cls.base, "good"), "Good CA")
        cls.foreign = certificates.Authority(os.path.join(cls.base, "foreign"), "Foreign CA")
        os.chmod(cls.good.directory, 0o755)
        cls.client = cls.good.leaf("client")
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", cls.good.certificate)

    def setUp(self):
        self.ca = self.system.ca_file()

    def curl(self, *arguments, client=None):
        identity = ["--cert", client[0], "--key", client[1]] if client else []
        return subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), "--cacert", self.ca, *identity,
             *arguments, self.system.url + "/hello"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def s_client(self, *arguments, client=None):
        """Connects with openssl, asks for /hello, and returns all that openssl printed."""
        identity = ["-cert", client[0], "-key", client[1]] if client else []
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.system.port}", "-servername", "localhost",
             "-CAfile", self.ca, "-verify_return_error", "-ign_eof", *identity, *arguments],
            input=GET_HELLO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_S, check=False)
        return done.stdout.decode("utf-8", "replace")

    def expect_refused(self, client):
        """Neither client gets the page, the server says why in its log, and it serves the next good client."""
        for attempt in (lambda: self.curl(client=client).stdout, lambda: self.s_client(client=client)):
            mark = self.system.mark()
            self.assertNotIn("Hello World", attempt())
            refusal = self.system.wait_line(r"^web\[\d+\]: handshake refused .*reason='([^']+)'", since=mark)
        self.assertEqual(self.curl(client=self.client).stdout.strip(), "Hello World")
        return refusal[1]


@for_each_user
class ClientCertificates(TlsCase):
    def test_a_good_certificate_opens_the_page(self):
        self.assertEqual(self.curl(client=self.client).stdout.strip(), "Hello World")
        answer = self.s_client(client=self.client)
        self.assertIn("Hello World", answer)
        self.assertIn("Verify return code: 0 (ok)", answer)

    def test_without_one(self):
        self.expect_refused(None)

    def test_from_another_authority(self):
        self.expect_refused(self.foreign.leaf("stranger"))

    def test_expired(self):
        self.expect_refused(self.good.leaf("expired", end="20210101000000Z"))

    def test_not_valid_yet(self):
        self.expect_refused(self.good.leaf("early", start="20480101000000Z"))

    def test_for_a_server(self):
        self.expect_refused(self.good.leaf("server", profile="server"))

    def test_somebody_elses_key(self):
        """The certificate alone is worth nothing: openssl signs with the key of another."""
        stolen = (self.client[0], self.good.leaf("thief")[1])
        self.assertNotIn("Hello World", self.curl(client=stolen).stdout)


class Protocol(TlsCase):
    def test_tls_1_3(self):
        self.assertIn("TLSv1.3", self.s_client("-tls1_3", client=self.client))

    def test_tls_1_2_with_ecdhe_and_aead(self):
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            with self.subTest(suite):
                answer = self.s_client("-tls1_2", "-cipher", suite, client=self.client)
                self.assertIn("Hello World", answer)
                self.assertIn(suite, answer)

    def test_tls_1_2_without_aead_is_refused(self):
        answer = self.s_client("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA", client=self.client)
        self.assertNotIn("Hello World", answer)
        self.assertIn("handshake failure", answer)

    def test_tls_1_1_is_refused_by_the_server(self):
        answer = self.s_client("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", client=self.client)
        self.assertNotIn("Hello World", answer)
        self.assertIn("alert protocol version", answer)

    def test_groups(self):
        for group in ("X25519", "P-256", "P-384"):
            with self.subTest(group):
                self.assertIn("Hello World", self.s_client("-groups", group, client=self.client))

    def test_keyd_understands_every_handshake(self):
        """Each suite, with and without a HelloRetryRequest: openssl first offers a share of P-521, which is not taken."""
        mark = self.system.mark()
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
            for groups in ("X25519", "P-521:X25519"):
                with self.subTest(suite=suite, groups=groups):
                    answer = self.s_client("-tls1_3", "-ciphersuites", suite, "-groups", groups, client=self.client)
                    self.assertIn("Hello World", answer)
                    self.assertIn(suite, answer)
        self.assertEqual(self.curl(client=self.client).stdout.strip(), "Hello World")
        self.assertNotIn("handshake not bound", "\n".join(self.system.lines(since=mark)))

    def test_a_client_with_a_p384_certificate(self):
        self.assertIn("Hello World", self.s_client(client=self.good.leaf("p384", curve="P-384")))

    def test_http_versions(self):
        for option, version in (("--http1.1", "1.1"), ("--http2", "2")):
            with self.subTest(version):
                done = self.curl(option, "--write-out", "|%{http_version}", client=self.client)
                self.assertEqual(done.stdout.split("|")[0].strip(), "Hello World", done.stderr)
                self.assertEqual(done.stdout.split("|")[1], version)

    def test_a_client_that_trusts_another_authority_does_not_talk_to_the_server(self):
        self.ca = self.foreign.certificate
        done = self.curl(client=self.client)
        self.assertEqual(done.returncode, 60, done.stderr)  # CURLE_PEER_FAILED_VERIFICATION

    def test_the_servers_certificate(self):
        chain = self.s_client("-showcerts", client=self.client)
        leaf = os.path.join(self.base, "served.pem")
        with open(leaf, "w", encoding="ascii") as out:
            begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
            out.write(begin + chain.split(begin, 1)[1].split(end, 1)[0] + end + "\n")
        words = certificates.openssl("x509", "-in", leaf, "-noout", "-text")
        for expected in ("DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1",
                         "TLS Web Server Authentication", "CA:FALSE", "NIST CURVE: P-256"):
            self.assertIn(expected, words)
        self.assertNotIn("TLS Web Client Authentication", words)
        certificates.openssl("verify", "-CAfile", self.ca, "-purpose", "sslserver", "-verify_hostname", "localhost", leaf)
