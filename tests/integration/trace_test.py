"""browser-shim trace: each message of a handshake, with this system's server and with OpenSSL's."""

import json
import os

import certificates
import wire
from foreign_server import s_server
from keyward import SharedSystemCase, for_each_user

TLS13 = ["ClientHello", "ServerHello", "EncryptedExtensions", "CertificateRequest", "Certificate", "CertificateVerify",
         "Finished", "Certificate", "CertificateVerify", "Finished"]


class TraceCase(SharedSystemCase):
    def trace(self, url, *arguments, **options):
        return self.system.run("browser-shim", "trace", url, *arguments, "--runtime-dir", self.system.runtime, **options)

    def messages(self, url, *arguments, **options):
        """Returns (the messages, the outcome, standard error) of a trace in JSON."""
        done = self.trace(url, "--json", *arguments, **options)
        *messages, outcome = map(json.loads, done.stdout.splitlines())
        self.assertEqual({message["event"] for message in messages}, {"message"})
        self.assertEqual(outcome["event"], "outcome")
        self.assertEqual(outcome["ok"], done.returncode == 0)
        times = [message["ms"] for message in messages] + [outcome["ms"]]
        self.assertEqual(times, sorted(times))
        return messages, outcome, done.stderr

    def handshake(self, messages):
        return [message["type"] for message in messages if message["content"] == "handshake"]

    def signed(self, messages):
        return [(message["from"], message["type"]) for message in messages if message["signed_by_keyd"]]


@for_each_user
class OwnServer(TraceCase):
    def test_tls_1_3(self):
        messages, outcome, _ = self.messages(self.system.url + "/hello")
        self.assertEqual(self.handshake(messages), TLS13)
        self.assertEqual(self.signed(messages), [("server", "CertificateVerify"), ("client", "CertificateVerify")])
        self.assertEqual(outcome["version"], "TLSv1.3")
        self.assertEqual(outcome["alpn"], "h2")
        self.assertTrue(outcome["server_own"] and outcome["client_asked"])
        certificates_now = {row["role"]: row["fingerprint"] for row in self.system.status()["certificates"]}
        self.assertEqual(outcome["server"]["fingerprint"], certificates_now["server"])
        self.assertEqual(outcome["client"]["fingerprint"], certificates_now["client"])
        [handle] = [message["handle"] for message in messages if message["handle"]]
        self.system.wait_line(rf"^broker: handle signed id={handle} label='browser-shim trace'")

    def test_for_people(self):
        done = self.trace(self.system.url)
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        self.assertIn("ClientHello", lines[2])
        self.assertRegex(done.stdout, r"CertificateVerify +signed by keyd, with handle \d+\n")
        self.assertRegex(done.stdout, r"CertificateVerify +signed by keyd, for this system's server\n")
        self.assertRegex(done.stdout, r"agreed +TLSv1\.3, TLS_\w+, group \w+, ALPN h2\n")
        self.assertEqual(lines[-1], "outcome  complete")

    def test_into_a_file(self):
        path = os.path.join(self.system.directory, "trace.json")
        self.trace(self.system.url, "--json", "-o", path)
        with open(path, encoding="ascii") as file:
            self.assertTrue(json.loads(file.readlines()[-1])["ok"])

    def test_from_a_handle_of_ones_own(self):
        control = wire.Control(self.system.runtime)
        handle = control.mint(label="parent")
        messages, _, _ = self.messages(self.system.url, "--from", str(handle.number))
        self.assertEqual(self.signed(messages)[-1], ("client", "CertificateVerify"))
        control.close()

    def test_tls_1_2_is_not_signed(self):
        messages, outcome, says = self.messages(self.system.url, "--tls12", check=False)
        self.assertEqual(self.signed(messages), [("server", "ServerKeyExchange")])
        self.assertEqual(messages[-1]["content"], "alert")
        self.assertEqual((outcome["version"], outcome["client_asked"], outcome["client"]), ("TLSv1.2", True, None))
        self.assertIn("the handle signs TLS 1.3 alone", says)
        self.assertEqual(len(says.splitlines()), 1)

    def test_wrong_usage(self):
        for words in ((), (self.system.url, self.system.url), ("http://localhost/",), (self.system.url, "--frobnicate")):
            done = self.system.run("browser-shim", "trace", *words, check=False)
            self.assertEqual(done.returncode, 100, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


@for_each_user
class ForeignServer(TraceCase):
    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, f"authority-{cls.uid}"), "Somebody's CA")
        cls.good = cls.authority.leaf("good", profile="server")

    def setUp(self):
        self.ca = self.system.ca_file()

    def look(self, port, *arguments, **options):
        return self.messages(f"https://localhost:{port}/", "--cacert", self.authority.certificate, *arguments, **options)

    def test_tls_1_3(self):
        with s_server(*self.good, self.ca, "-num_tickets", "1") as port:
            messages, outcome, _ = self.look(port)
        self.assertEqual(self.handshake(messages)[:len(TLS13)], TLS13)
        self.assertEqual(self.handshake(messages)[len(TLS13):], ["NewSessionTicket"])
        self.assertEqual(self.signed(messages), [("client", "CertificateVerify")])
        self.assertFalse(outcome["server_own"])
        self.assertEqual(outcome["server"]["subject"], "CN=test good")

    def test_hello_retry_request(self):
        with s_server(*self.good, self.ca, "-groups", "P-384", "-num_tickets", "0") as port:
            messages, outcome, _ = self.look(port)
        self.assertEqual(self.handshake(messages), ["ClientHello", "HelloRetryRequest", *TLS13])
        self.assertEqual(self.signed(messages), [("client", "CertificateVerify")])
        self.assertEqual(outcome["group"], "P-384")

    def test_tls_1_2_of_a_server_that_wants_nobodys_certificate(self):
        for name, options in (("ec", {}), ("rsa", {"rsa": 2048})):
            pair = self.authority.leaf(name, profile="server", **options)
            with self.subTest(name), s_server(*pair, None, "-no_ticket", version="tls1_2") as port:
                messages, outcome, says = self.look(port)
                self.assertEqual(says, "")
                self.assertEqual(self.handshake(messages)[:4],
                                 ["ClientHello", "ServerHello", "Certificate", "ServerKeyExchange"])
                self.assertEqual(self.signed(messages), [])
                self.assertEqual(outcome["version"], "TLSv1.2")
                self.assertIn("ECDHE", outcome["suite"])

    def test_tls_1_2_of_a_server_that_wants_a_certificate(self):
        with s_server(*self.good, self.ca, version="tls1_2") as port:
            messages, outcome, says = self.look(port, check=False)
        self.assertEqual(self.signed(messages), [])
        self.assertIn("speaks TLS 1.2 and refused a client without a certificate; the handle signs TLS 1.3 alone", says)
        self.assertEqual(outcome["error"] + "\n", says.removeprefix("browser-shim: "))

    def test_a_server_that_refuses_the_client(self):
        with s_server(*self.good, self.authority.certificate) as port:
            messages, outcome, says = self.look(port, check=False)
        self.assertEqual(self.handshake(messages), TLS13)
        self.assertEqual((messages[-1]["from"], messages[-1]["content"]), ("server", "alert"))
        self.assertIn("refused the client certificate", says)
        self.assertIn("refused the client certificate", outcome["error"])

    def test_a_server_that_is_not_trusted(self):
        before = self.system.status()["signatures"]
        with s_server(*self.good, self.ca) as port:
            messages, outcome, says = self.messages(f"https://localhost:{port}/", check=False)
        self.assertEqual(self.signed(messages), [], "not even the server's, which claims to be ours")
        self.assertEqual(messages[-1], {**messages[-1], "from": "client", "content": "alert", "type": "unknown_ca"})
        self.assertIn("is not the one that the running broker started", says)
        self.assertEqual(outcome["server"]["subject"], "CN=test good")
        self.assertFalse(outcome["server_own"])
        self.assertEqual(self.system.status()["signatures"], before)

    def test_a_server_of_the_past(self):
        with s_server(*self.good, self.ca, "-cipher", "DEFAULT@SECLEVEL=0", version="tls1_1") as port:
            messages, outcome, says = self.look(port, check=False)
        self.assertEqual(self.handshake(messages), ["ClientHello"])
        self.assertIsNone(outcome["version"])
        self.assertIn("does not speak TLS 1.2 or 1.3", says)

