"""broker explain: of each handshake that failed, who it was, with which certificate, why, and what to do."""

import json
import os
import socket
import subprocess

import certificates
import processes
from keyward import COMMAND_S, SharedSystemCase, for_each_user

OLD = ("-cipher", "DEFAULT@SECLEVEL=0")


class ExplainCase(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.good = certificates.Authority(os.path.join(cls.base, "good"), "Good CA")
        cls.foreign = certificates.Authority(os.path.join(cls.base, "foreign"), "Foreign CA")
        os.chmod(cls.good.directory, 0o755)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", cls.good.certificate)

    def explain(self, *arguments):
        return self.system.broker("explain", *arguments).stdout

    def last(self, *arguments):
        """The verdict on what has just failed. The client may know of its failure before the worker has written it down."""
        found = []

        def there():
            found[:] = json.loads(self.explain("last", "--json"))
            return found and found[0]["last"] > self.before

        processes.wait_until(there, COMMAND_S, lambda: f"no new verdict: {found}\n{self.system.log()}")
        return found[0]

    def setUp(self):
        rows = json.loads(self.explain("last", "--json"))
        self.before = rows[0]["last"] if rows else 0

    def s_client(self, *arguments, client=None):
        identity = ["-cert", client[0], "-key", client[1]] if client else []
        subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.system.port}", "-servername", "localhost",
                        "-ign_eof", *identity, *arguments], input=b"GET / HTTP/1.0\r\n\r\n", stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=COMMAND_S, check=False)

    def send(self, data):
        with socket.create_connection(("127.0.0.1", self.system.port), timeout=COMMAND_S) as peer:
            peer.sendall(data)
            try:
                while peer.recv(4096):
                    pass
            except ConnectionResetError:
                pass
            return peer.getsockname()[1]

    def expect(self, kind, reason, remedy, certificate=None):
        verdict = self.last()
        self.assertEqual(verdict["kind"], kind, verdict)
        self.assertIn(reason, verdict["reason"])
        self.assertIn(remedy, verdict["remedy"])
        self.assertTrue(verdict["address"].startswith("127.0.0.1:"), verdict["address"])
        if certificate is None:
            self.assertIsNone(verdict["certificate"])
            return verdict
        self.assertEqual(verdict["certificate"]["subject"], "CN=" + certificate[0])
        self.assertEqual(verdict["certificate"]["issuer"], "CN=" + certificate[1])
        file = certificate[2]
        serial = certificates.openssl("x509", "-in", file, "-noout", "-serial").split("=")[1].strip()
        digest = certificates.openssl("x509", "-in", file, "-noout", "-fingerprint", "-sha256").split("=")[1].strip()
        self.assertEqual(verdict["certificate"]["serial"], serial.lower())
        self.assertEqual(verdict["certificate"]["fingerprint"], digest.replace(":", "").lower())
        return verdict


@for_each_user
class Verdicts(ExplainCase):
    def test_no_certificate(self):
        self.s_client()
        self.expect("no-certificate", "client sent no certificate", "--cert and --key")

    def test_an_unknown_ca(self):
        leaf = self.foreign.leaf("stranger")
        self.s_client(client=leaf)
        self.expect("certificate", "signed by an unknown CA (issuer CN=Foreign CA", "--client-ca",
                    ("test stranger", "Foreign CA", leaf[0]))

    def test_expired(self):
        leaf = self.good.leaf("expired", end="20210101000000Z")
        self.s_client(client=leaf)
        verdict = self.expect("certificate", "certificate expired on 2021-01-01", "new certificate",
                              ("test expired", "Good CA", leaf[0]))
        self.assertEqual(verdict["certificate"]["not_after"], 1609459200)

    def test_not_yet_valid(self):
        leaf = self.good.leaf("early", start="20480101000000Z")
        self.s_client(client=leaf)
        self.expect("certificate", "not valid before 2048-01-01", "set the clock", ("test early", "Good CA", leaf[0]))

    def test_for_a_server(self):
        leaf = self.good.leaf("server", profile="server")
        self.s_client(client=leaf)
        self.expect("certificate", "not for client authentication", "clientAuth", ("test server", "Good CA", leaf[0]))

    def test_revoked(self):
        leaf = self.good.leaf("revoked")
        serial = certificates.openssl("x509", "-in", leaf[0], "-noout", "-serial").split("=")[1].strip()
        self.system.broker("certificate", "revoke", serial)
        self.s_client(client=leaf)
        self.expect("certificate", "client certificate revoked", "give him a new certificate",
                    ("test revoked", "Good CA", leaf[0]))

    def test_tls_1_1(self):
        self.s_client("-tls1_1", *OLD)
        self.expect("protocol", "TLS 1.1 or older", "min_version")

    def test_no_common_suite(self):
        self.s_client("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA")
        self.expect("protocol", "no cipher suite", "[tls] suites")

    def test_plain_http(self):
        port = self.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        verdict = self.expect("protocol", "plain HTTP on the TLS port", "https://")
        self.assertEqual(verdict["address"], f"127.0.0.1:{port}")

    def test_garbage(self):
        self.send(b"\x00\xff\x80garbage that is no TLS at all\n" * 8)
        self.expect("protocol", "is not TLS", "see what connects")

    def test_a_client_that_does_not_trust_the_server(self):
        subprocess.run(["curl", "--silent", "--cacert", self.foreign.certificate, self.system.url], stdout=subprocess.DEVNULL,
                       timeout=COMMAND_S, check=False)
        self.expect("alert", "not trust the server certificate", "broker ca")

    def test_names_that_would_steer_a_terminal(self):
        """Whoever may have a certificate made by some CA chooses its name."""
        self.foreign._request("evil", "a\x1b]0;owned\x07\u202eb", certificates.EC)
        self.foreign._sign("evil", "client", "20200101000000Z", "20491231235959Z")
        self.s_client(client=(self.foreign._path("evil.pem"), self.foreign._path("evil.key")))
        self.last()
        for text in (self.explain("last"), self.explain("last", "--json")):
            self.assertIn("owned", text)
            self.assertRegex(text, r"\A[\n -~]*\Z")


@for_each_user
class Asking(ExplainCase):
    def test_people_read_it(self):
        self.s_client()
        self.last()
        text = self.explain("last")
        self.assertRegex(text, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  127\.0\.0\.1:\d+")
        self.assertIn("client sent no certificate", text)
        self.assertIn("what to do     have the client send a certificate", text)

    def test_repeats_are_one_row_and_the_status_counts_it(self):
        for _ in range(5):
            self.send(b"GET /repeated HTTP/1.1\r\n\r\n")
        mine = []

        def counted():
            mine[:] = [row for row in json.loads(self.explain("127.0.0.1", "--json")) if "plain HTTP" in row["reason"]]
            return mine and mine[0]["count"] >= 5

        processes.wait_until(counted, COMMAND_S, lambda: f"{mine}")
        self.assertEqual(len(mine), 1)
        self.assertGreaterEqual(self.system.status()["verdicts"], 1)
        self.assertRegex(self.system.broker("status").stdout, r"\d+ verdicts? on failed handshakes; broker explain")

    def test_by_address(self):
        self.s_client()
        self.last()
        for address in ("127.0.0.1", "127.0.0.1:4711"):
            self.assertIn("client sent no certificate", self.explain(address))
        for address in ("127.0.0.2", "::1", "[::1]"):
            self.assertIn("is known to have failed", self.explain(address))
        self.assertEqual(json.loads(self.explain("192.0.2.1", "--json")), [])

    def test_what_is_no_question(self):
        for operand in ("first", "0", "33", "1.2.3", "-1"):
            with self.subTest(operand):
                done = self.system.broker("explain", operand, check=False)
                self.assertEqual(done.returncode, 100)
                self.assertTrue(done.stderr.startswith("broker: "), done.stderr)

    def test_a_flood_from_one_address_leaves_the_other_clients_verdict(self):
        with socket.socket() as other:
            other.bind(("127.0.0.9", 0))
            other.settimeout(COMMAND_S)
            other.connect(("127.0.0.1", self.system.port))
            other.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while other.recv(4096):
                pass
        for number in range(12):
            leaf = certificates.Authority(os.path.join(self.system.directory, f"ca{number}"), f"CA {number}").leaf("x")
            self.s_client(client=leaf)
        rows = []

        def told():
            rows[:] = json.loads(self.explain("127.0.0.1", "--json"))
            return any("CA 11" in row["reason"] for row in rows)

        processes.wait_until(told, COMMAND_S, lambda: f"{rows}")
        self.assertIn("plain HTTP", self.explain("127.0.0.9"))


@for_each_user
class Limits(ExplainCase):
    @classmethod
    def prepare(cls):
        super().prepare()
        config = os.path.join(cls.base, "limits.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[limits]\naddress_handshakes = 1\n")
        os.chmod(config, 0o644)
        cls.flags = (*cls.flags, "--config", config)

    def test_who_is_turned_away_by_a_limit(self):
        for _ in range(12):
            self.send(b"GET / HTTP/1.1\r\n\r\n")
        found = []

        def there():
            found[:] = [row for row in json.loads(self.explain("--json")) if row["kind"] == "limit"]
            return bool(found)

        processes.wait_until(there, COMMAND_S, lambda: f"{found}")
        self.assertIn("faster than it may", found[0]["reason"])
        self.assertIn("[limits]", found[0]["remedy"])


if __name__ == "__main__":
    import runner

    runner.main()
