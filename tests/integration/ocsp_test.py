"""OCSP responses, stapled to the server's certificates: keyd's own, and those of an operator's CA."""

import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time

import certificates
import wire
from keyward import COMMAND_S, System, SystemCase, for_each_user, is_root


class Asking:
    """Needs self.client, self.trusted and a system."""

    def command(self, *arguments, stdin=b""):
        done = subprocess.run(arguments, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_S, check=False)
        return done.stdout.decode("utf-8", "replace")

    def openssl(self, system, *arguments, name="localhost", asks=True):
        certificate, key = self.client
        return self.command("openssl", "s_client", "-connect", f"127.0.0.1:{system.port}", "-servername", name, "-CAfile",
                            self.trusted, "-cert", certificate, "-key", key, *(("-status",) if asks else ()), *arguments)

    def metric(self, system, name):
        """None: it is not there."""
        text = self.command("curl", "--silent", "--unix-socket", os.path.join(system.runtime, "metrics"), "http://localhost/metrics")
        found = re.search(rf"^keyward_{name} (\d+)$", text, re.MULTILINE)
        return found and int(found[1])

    def stapled(self, system, *arguments, name="localhost"):
        text = self.openssl(system, *arguments, name=name)
        if "OCSP Response Status: successful (0x0)" in text:
            self.assertIn("Cert Status: good", text)
            return True
        self.assertIn("OCSP response: no response sent", text)
        return False


@for_each_user
class Own(Asking, SystemCase):
    """What keyd says of the certificate that it has made."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "Client CA")
        cls.client = cls.authority.leaf("client")

    def begin(self, *flags):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--client-ca", self.authority.certificate,
                            *flags, uid=self.uid)
        self.trusted = system.ca_file()
        return system

    def test_openssl(self):
        system = self.begin()
        for version in ("-tls1_3", "-tls1_2"):
            text = self.openssl(system, version)
            self.assertIn("Cert Status: good", text)
            self.assertIn("Verify return code: 0 (ok)", text)
            serial = re.search(r"Serial Number: ([0-9A-F]+)", text)[1]
            until = re.search(r"Next Update: (.*)", text)[1]
            leaf = self.command("openssl", "x509", "-noout", "-serial", "-enddate", stdin=text.partition("Server certificate")[2].encode())
            self.assertEqual(leaf, f"serial={serial}\nnotAfter={until}\n")
            self.assertNotIn("OCSP Response Status", self.openssl(system, version, asks=False))
        self.assertNotIn("no OCSP response stapled", system.log())
        self.assertEqual(self.metric(system, "ocsp_next_update_timestamp_seconds"), int(ssl.cert_time_to_seconds(until)))
        self.assertIsNone(self.metric(system, "crl_next_update_timestamp_seconds"))

    def test_others_believe_it(self):
        """Not curl, which takes a response only if the CA is in the chain that comes with it; this one is the client's already."""
        system = self.begin()
        certificate, key = self.client
        response, chain = (os.path.join(self.base, f"{name}-{self.uid}") for name in ("response.der", "chain.pem"))
        text = self.command("gnutls-cli", "--x509cafile", self.trusted, "--x509certfile", certificate, "--x509keyfile", key,
                            "--verify-hostname", "localhost", "--save-ocsp", response, "--save-cert", chain, "-p", str(system.port),
                            "127.0.0.1")
        self.assertIn("- Status: The certificate is trusted.", text)
        self.assertIn("OCSP status request", text)
        text = self.command("openssl", "ocsp", "-respin", response, "-issuer", self.trusted, "-cert", chain, "-CAfile", self.trusted,
                            "-no_nonce")
        self.assertIn("Response verify OK", text)
        self.assertIn(": good", text)


@for_each_user
class Brought(Asking, SystemCase):
    """What an operator's CA says."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "Server CA")
        cls.client, cls.trusted = cls.authority.leaf("client"), cls.authority.certificate
        for name in ("good", "lost"):
            cls.authority.server(name, ["DNS:localhost", "IP:127.0.0.1"])
        cls.authority.server("shop", ["DNS:shop.example"])
        cls.authority.leaf("staple", profile="staple")
        cls.authority.leaf("responder", profile="responder")
        cls.authority.leaf("late-responder", profile="responder", end="20210101000000Z")
        cls.good = cls.authority.ocsp("good")
        cls.authority.revoke("lost")
        cls.stranger = certificates.Authority(os.path.join(cls.base, "stranger"), "Server CA")
        cls.stranger.server("good", ["DNS:localhost"])

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="ocsp-", dir=self.base)
        os.chmod(self.directory, 0o755)
        self.response = os.path.join(self.directory, "response.der")

    def publish(self, response, path=None):
        path = path or self.response
        with open(path + ".new", "wb") as out:
            out.write(response)
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)

    def pair(self, name):
        """The certificate with its CA, and the key, as files of the user that the broker runs as."""
        paths = []
        for suffix, mode in ((".pem", 0o644), (".key", 0o600)):
            path = os.path.join(self.directory, name + suffix)
            shutil.copy(os.path.join(self.authority.directory, name + suffix), path)
            if suffix == ".pem":
                with open(path, "a", encoding="ascii") as out, open(self.trusted, encoding="ascii") as issuer:
                    out.write(issuer.read())
            os.chmod(path, mode)
            if is_root():
                os.chown(path, self.uid, -1)
            paths.append(path)
        return paths

    def flags(self, name="good", ocsp=True):
        certificate, key = self.pair(name)
        return ("--listen", "127.0.0.1:0", "--no-browser", "--workers", "2", "--client-ca", self.trusted, "--server-certificate",
                certificate, "--server-key", key, *(("--server-ocsp", self.response) if ocsp else ()))

    def begin(self, response, *flags, **arguments):
        if response:
            self.publish(response)
        return self.start(*self.flags(ocsp=bool(response), **arguments), *flags, uid=self.uid)

    def test_it_is_stapled(self):
        for flags in (("-ndays", "1"), ("-ndays", "1", "-resp_key_id"), ("-ndays", "1", "-resp_no_certs")):
            system = self.begin(self.authority.ocsp("good", *flags))
            self.assertTrue(self.stapled(system))
            self.assertTrue(self.stapled(system, "-tls1_2"))
            certificate, key = self.client
            text = self.command("curl", "--silent", "--show-error", "--cert-status", "--cacert", self.trusted, "--cert", certificate,
                                "--key", key, f"https://localhost:{system.port}/hello")
            self.assertIn("Hello World", text)
            system.stop()

    def test_by_a_responder_of_the_ca(self):
        for flags in ((), ("-ndays", "1", "-resp_key_id")):
            system = self.begin(self.authority.ocsp("good", *flags, signer="responder"))
            self.assertTrue(self.stapled(system))
            system.stop()

    def test_out_of_date_it_is_taken_and_not_stapled(self):
        system = self.begin(self.authority.ocsp("good", signer="late-responder"))
        self.assertFalse(self.stapled(system))
        system.wait_line(r"no OCSP response stapled reason='the OCSP response of the default certificate is good from \S+ until "
                         r"2021-01-01T00:00:00\S*' remedy=")
        first = self.metric(system, "ocsp_next_update_timestamp_seconds")
        self.assertLess(first, time.time())
        self.publish(self.good)
        system.broker("reload")
        self.assertTrue(self.stapled(system))
        self.assertGreater(self.metric(system, "ocsp_next_update_timestamp_seconds"), time.time())

    def test_a_certificate_that_demands_one(self):
        system = self.begin(None, name="staple")
        self.assertFalse(self.stapled(system))
        system.wait_line(r"no OCSP response stapled reason='the default certificate demands that an OCSP response comes with it, and has none'")

    def test_a_bad_one_is_refused(self):
        """By a reload, which leaves all as it was, and at the start."""
        system = self.begin(self.good)
        lost, shop = self.authority.ocsp("lost"), self.authority.ocsp("shop")
        damaged = self.authority.ocsp("good", "-ndays", "1", "-resp_no_certs")
        damaged = damaged[:-1] + bytes([damaged[-1] ^ 1])
        for response, why in (
                (b"", "is empty"), (b"-----BEGIN", "is PEM"), (b"x" * 3073, "longer than 3072 bytes"), (b"nothing", "is no OCSP response in DER"),
                (bytes.fromhex("30030a0106"), "the responder had no answer (unauthorized)"),
                (self.good + b"\0", "is no OCSP response in DER"),
                (lost, "it is not about this certificate"), (shop, "it is not about this certificate"),
                (self.stranger.ocsp("good"), "it is not about this certificate"),
                (self.authority.ocsp("good", "-ndays", "1", signer="client"), "is not for this (id-kp-OCSPSigning)"),
                (damaged, "neither the CA that signed this certificate nor a responder")):
            self.publish(response)
            done = system.broker("reload", check=False)
            self.assertEqual(done.returncode, 100, (why, done.stdout, done.stderr))
            self.assertIn(f"--server-ocsp '{self.response}': ", done.stderr)
            self.assertIn(why, done.stderr)
            self.assertTrue(self.stapled(system))
        system.stop()
        self.publish(lost)
        other = System(self.base, *self.flags(name="lost"), uid=self.uid)
        self.addCleanup(other.kill_all)
        with self.assertRaises(AssertionError):
            other.start()
        self.assertIn(f"--server-ocsp '{self.response}': this certificate has been revoked; have a new one made", other.log())

    def test_of_a_certificate_that_is_chosen_by_name(self):
        certificate, key = self.pair("shop")
        shop = os.path.join(self.directory, "shop.der")
        config = os.path.join(self.directory, "keyward.ini")
        self.publish(self.authority.ocsp("shop"), shop)
        self.publish(f'[certificate "shop"]\ncertificate = {certificate}\nkey = {key}\nocsp = {shop}\n'.encode(), config)
        system = self.begin(None, "--config", config)
        self.assertTrue(self.stapled(system, name="shop.example"))
        self.assertFalse(self.stapled(system))
        self.publish(self.good, shop)
        done = system.broker("reload", check=False)
        self.assertIn(f"[certificate \"shop\"] ocsp '{shop}': it is not about this certificate", done.stderr)
        self.assertTrue(self.stapled(system, name="shop.example"))
        with wire.connect(system.port, self.trusted, self.client) as connection:
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b"200 OK", connection.recv(4096))
