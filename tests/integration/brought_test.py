"""The whole system on keys that an operator brings: every kind, against curl, openssl and the command-line client."""

import json
import os
import subprocess

import brought
import processes
from keyward import COMMAND_S, System, for_each_user, runfile, users

KINDS = ("p256", "p384", "rsa2048", "rsa3072", "rsa4096")
HELLO = "Hello World"


class Case(brought.BroughtCase):
    def start_with(self, *flags):
        return self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", *flags, uid=self.uid)

    def shim(self, system, *arguments):
        return system.run("browser-shim", *arguments, "--runtime-dir", system.runtime).stdout

    VISITOR = ("visitor.pem", "other_p256.key")  # under the client's CA, and none of this system's

    def fetch(self, system, *arguments, client=VISITOR):
        certificate, key = (runfile("tests/keys/" + file) for file in client)
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), "--cacert", system.ca_file(),
             "--cert", certificate, "--key", key, *arguments, system.url + "/hello"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout

    def handshake(self, system, *arguments):
        certificate, key = (runfile("tests/keys/" + file) for file in self.VISITOR)
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{system.port}", "-servername", "localhost", "-CAfile",
             system.ca_file(), "-verify_return_error", "-ign_eof", "-cert", certificate, "-key", key,
             *arguments],
            input=b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=COMMAND_S, check=False)
        return done.stdout.decode("utf-8", "replace")


@for_each_user
class EachKind(Case):
    def test_both_are_brought(self):
        for kind in KINDS:
            with self.subTest(kind):
                system = self.start_with(*self.server(kind), *self.client(kind))
                self.assertEqual(self.shim(system, "get", system.url + "/hello").strip(), HELLO)
                who = json.loads(self.shim(system, "get", system.url + "/api/get"))["client"]
                self.assertIn(f"client {kind}", who["subject"])
                self.assertEqual(self.fetch(system, "--tlsv1.3").strip(), HELLO)
                self.assertEqual(self.fetch(system, "--tls-max", "1.2").strip(), HELLO)
                copied = (f"{kind}.client.pem", f"{kind}.key")
                self.assertNotIn(HELLO, self.fetch(system, client=copied), "the key is good in keyd alone")
                roles = [c["role"] for c in system.status()["certificates"]]
                self.assertEqual(sorted(roles), ["client", "server"], "there is no CA of keyd's in it")
                self.assertNotIn("handshake not bound", system.log())
                system.stop()

    def test_the_ca_is_what_the_chain_ends_in(self):
        system = self.start_with(*self.server("p384"))
        with open(runfile("tests/keys/ca.crt"), encoding="ascii") as file:
            self.assertEqual(system.broker("ca").stdout.split(), file.read().split())


class Mixed(Case):
    uid = users()[-1]

    def test_a_server_alone(self):
        """The client stays keyd's, and with it the CA whose clients are let in."""
        system = self.start_with(*self.server("rsa2048"))
        who = json.loads(self.shim(system, "get", system.url + "/api/get"))["client"]
        self.assertIn("keyward-kiosk", who["subject"])
        self.assertNotIn(HELLO, self.fetch(system), "that CA is nobody's here")
        self.assertEqual(sorted(c["role"] for c in system.status()["certificates"]), ["ca", "client", "server"])

    def test_a_client_alone(self):
        system = self.start_with(*self.client("p384"))
        who = json.loads(self.shim(system, "get", system.url + "/api/get"))["client"]
        self.assertIn("client p384", who["subject"])

    def test_a_name_of_the_leaf_is_a_name_of_the_server(self):
        """And one that is in the configuration alone is none: the leaf has only what it has."""
        system = self.start_with(*self.server("p256"))
        self.assertEqual(self.shim(system, "get", f"https://127.0.0.1:{system.port}/hello").strip(), HELLO)

    def test_each_suite_and_scheme(self):
        system = self.start_with(*self.server("rsa3072"), *self.client("p384"))
        for scheme in ("rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"):
            for version in ("-tls1_3", "-tls1_2"):
                with self.subTest(scheme=scheme, version=version):
                    answer = self.handshake(system, version, "-sigalgs", scheme + ":ECDSA+SHA384:ECDSA+SHA256")
                    self.assertIn(HELLO, answer)
                    self.assertIn("RSA-PSS", answer)
                    self.assertIn("digest: " + scheme[-6:].upper(), answer)
        answer = self.handshake(system, "-tls1_2", "-sigalgs", "RSA+SHA256:ECDSA+SHA384:ECDSA+SHA256")
        self.assertNotIn(HELLO, answer, "PKCS#1 is for certificates, not for keyd")
        system.wait_line(r"reason='client takes no signature scheme that the server signs under'")

    def test_a_new_keyd_reads_the_key_again(self):
        """The broker has kept the file open, and its rights are those that it had at the start."""
        server = self.server("rsa2048")
        system = self.start_with(*server, *self.client("p256"))
        os.unlink(server[3])
        old = system.pid_of("keyd")
        os.kill(old, 9)
        system.wait_line(r"^broker: keyd ended")

        def served():
            done = system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime, check=False)
            return done.stdout.strip() == HELLO

        processes.wait_until(served, COMMAND_S, "the page of the new keyd")
        self.assertNotEqual(system.pid_of("keyd"), old)


class Refused(Case):
    uid = users()[-1]

    def expect_refused(self, flags, why):
        system = System(self.base, uid=self.uid)
        done = system.run("broker", "run", "--runtime-dir", system.runtime, "--listen", "127.0.0.1:0", *flags,
                          check=False)
        self.assertEqual(done.returncode, 100, done.stderr)
        self.assertIn(why, done.stderr)

    def test_with_words_that_reach_the_user(self):
        cases = (
            (self.server("p256", key="encrypted.key"), "keyd: --server-key: the private key is encrypted"),
            (self.server("p256", key="rsa1024.key"), "keyd: --server-key: an RSA key of 1024 bits; want ECDSA"),
            (self.server("p256", key="other_p256.key"), "keyd: --server-key: is not the key of the first certificate"),
            (self.server("leaf_alone.pem", key="p256.key"), "keyd: --server-certificate: holds the leaf alone"),
            (self.server("p256")[:2], "broker: --server-certificate goes with --server-key"),
        )
        for flags, why in cases:
            with self.subTest(why):
                self.expect_refused(("--no-browser", *flags), why)

    def test_a_key_that_others_may_read(self):
        flags = self.server("p256")
        os.chmod(flags[3], 0o640)
        self.expect_refused(("--no-browser", *flags), f"--server-key '{flags[3]}': mode 0640 lets others than its owner at it")

    def test_a_name_that_the_browser_cannot_reach(self):
        flags = ("--browser", "chromium", "--headless", *self.server("elsewhere.pem", key="p256.key"))
        self.expect_refused(flags, "--server-certificate: the leaf is not for 'localhost'")
