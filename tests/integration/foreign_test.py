"""browser-shim --cacert: the client key with servers that are not this system's own, whose CA the operator names."""

import hashlib
import json
import os
import ssl

import certificates
from foreign_server import s_server
from keyward import SharedSystemCase, SystemCase, for_each_user


def fingerprint(path):
    with open(path, encoding="ascii") as pem:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.read())).hexdigest()


@for_each_user
class Foreign(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, f"authority-{cls.uid}"), "Somebody's CA")
        cls.stranger = certificates.Authority(os.path.join(cls.base, f"stranger-{cls.uid}"), "Somebody's CA")
        cls.good = cls.authority.leaf("good", profile="server")

    def setUp(self):
        self.ca = self.system.ca_file()
        self.mark = self.system.mark()

    def shim(self, *arguments, **options):
        return self.system.run("browser-shim", *arguments, "--runtime-dir", self.system.runtime, **options)

    def get(self, port, *arguments, cacert=None, host="localhost", **options):
        return self.shim("get", f"https://{host}:{port}/", "--cacert", cacert or self.authority.certificate,
                         *arguments, **options)

    def expect_refused(self, port, says, **options):
        """Refused with one line that says why, and nothing signed."""
        before = self.system.status()["signatures"]
        done = self.get(port, check=False, **options)
        self.assertEqual(done.returncode, 111, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertEqual(self.system.status()["signatures"], before)

    def test_servers_of_each_kind(self):
        for name, options in (("ec", {}), ("p384", {"curve": "P-384"}), ("rsa", {"rsa": 2048}), ("rsa4", {"rsa": 4096})):
            with self.subTest(name), s_server(*self.authority.leaf(name, profile="server", **options), self.ca) as port:
                self.assertIn("keyward-kiosk", self.get(port).stdout)
                self.assertIn("keyward-kiosk", self.get(port, host="127.0.0.1").stdout)

    def test_it_is_loud(self):
        with s_server(*self.good, self.ca) as port:
            verbose = self.get(port, "-v").stderr
        self.assertIn(f"signed by the CA in {self.authority.certificate}", verbose)
        minted = self.system.wait_line(r"^broker: handle minted FOR A FOREIGN SERVER id=(\d+) label='browser-shim get' "
                                       r"server='localhost' .* ca_pinned=([0-9a-f]{64})$", since=self.mark)
        self.assertEqual(minted[2], fingerprint(self.authority.certificate))
        self.system.wait_line(rf"^broker: handle signed id={minted[1]} ", since=self.mark)

    def test_our_own_server_is_not_called_foreign(self):
        self.shim("get", self.system.url + "/hello")
        self.assertNotIn("FOREIGN", "\n".join(self.system.lines(self.mark)))

    def test_a_server_of_the_broker_can_be_named_too(self):
        self.assertEqual(self.shim("get", self.system.url + "/hello", "--cacert", self.ca).stdout.strip(), "Hello World")

    def test_without_the_ca_it_is_refused(self):
        with s_server(*self.good, self.ca) as port:
            done = self.shim("get", f"https://localhost:{port}/", check=False)
        self.assertEqual(done.returncode, 111, done.stderr)
        self.assertIn("is not the one that the running broker started", done.stderr)

    def test_impostors(self):
        with s_server(*self.stranger.leaf("impostor", profile="server"), self.ca) as port:
            self.expect_refused(port, "--cacert has to name the CA that signed the server's certificate")
        with s_server(*self.good, self.ca) as port:
            self.expect_refused(port, "--cacert has to name", cacert=self.stranger.certificate)
            self.expect_refused(port, "--cacert has to name", cacert=self.ca)
        with s_server(*self.authority.leaf("client", profile="client"), self.ca) as port:
            self.expect_refused(port, "certificate verify failed")

    def test_out_of_its_time(self):
        with s_server(*self.authority.leaf("old", profile="server", end="20210101000000Z"), self.ca) as port:
            self.expect_refused(port, "has expired on Jan  1 00:00:00 2021 GMT; this machine's clock says")
        with s_server(*self.authority.leaf("new", profile="server", start="20480101000000Z"), self.ca) as port:
            self.expect_refused(port, "is not valid yet: it begins on ")

    def test_keyd_judges_for_itself(self):
        """The client's library takes such keys; keyd does not, and says so to the broker."""
        weak = self.authority.leaf("weak", profile="server", rsa=1024)
        with s_server(*weak, self.ca, "-cipher", "DEFAULT@SECLEVEL=0") as port:
            self.expect_refused(port, "keyd did not sign")
        self.system.wait_line(r"^broker: handle refused id=\d+ .*reason='the handshake\\x27s server is not the one",
                              since=self.mark)

    def test_files_that_are_no_ca(self):
        def write(name, content):
            path = os.path.join(self.system.directory, name)
            with open(path, "wb") as out:
                out.write(content)
            os.chmod(path, 0o644)
            return path

        with open(self.authority.certificate, "rb") as file:
            pem = file.read()
        der = ssl.PEM_cert_to_DER_cert(pem.decode())
        for path, says in (("/no/such/file", "cannot read it: No such file"),
                           ("/", "is not a regular file"),
                           (write("empty", b""), "has no certificate in PEM"),
                           (write("der", der), "convert it with openssl x509"),
                           (write("two", pem + pem), "more than one certificate"),
                           (write("large", b"#" * 100_000), "larger than one certificate"),
                           (self.good[0], "not that of a CA")):
            with self.subTest(says):
                done = self.get(1, cacert=path, check=False)
                self.assertEqual(done.returncode, 100, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(says, done.stderr)
                self.assertIn(path, done.stderr)


class AnotherKeyward(SystemCase):
    """Two systems, of which the second lets the first one's client in."""

    def test_one_systems_client_with_the_others_server(self):
        uploads = os.path.join(self.base, "uploads")
        os.makedirs(uploads)
        os.chmod(uploads, 0o1777)
        ours = self.start("--listen", "127.0.0.1:0", "--no-browser")
        theirs = self.start("--listen", "127.0.0.1:0", "--no-browser", "--echo", "127.0.0.1:0", "--uploads", uploads,
                            "--client-ca", ours.ca_file())
        cacert = ["--cacert", theirs.ca_file(), "--runtime-dir", ours.runtime]
        shim = lambda *words, **options: ours.run("browser-shim", *words, *cacert, **options)
        [client] = [c for c in ours.status()["certificates"] if c["role"] == "client"]
        answer = json.loads(shim("get", theirs.url + "/api/get").stdout)
        self.assertEqual(answer["client"]["fingerprint"], client["fingerprint"])

        shim("put", ours.ca_file(), theirs.url + "/upload/ca.pem")
        self.assertEqual(os.listdir(uploads), ["ca.pem"])
        port = theirs.wait_line(r"^broker: listening service='echo' address='127\.0\.0\.1:(\d+)'")[1]
        self.assertTrue(shim("echo", f"localhost:{port}", "hello").stdout.endswith(" hello\n"))

        done = shim("get", ours.url + "/hello", check=False)
        self.assertEqual(done.returncode, 111, "their CA does not vouch for our server")
