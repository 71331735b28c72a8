"""OpenSC's pkcs11-tool lists and uses each kind of key that the module shows. keyd is faked, openssl signs and verifies."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import fakes
from keyward import runfile

MODULE = "browser-shim/module.so"
HASHES = {0x0403: "sha256", 0x0503: "sha384", 0x0804: "sha256", 0x0805: "sha384", 0x0806: "sha512"}
PSS = ("-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")


def key_file(name):
    return runfile("tests/keys/" + name)


def options_of(scheme):
    return ("-pkeyopt", "digest:" + HASHES[scheme], *(PSS if scheme >> 8 == 8 else ()))


class Keyd(fakes.Keyd):
    def __init__(self, kind):
        self.kind = kind
        super().__init__(None, self.answer_any)

    def der(self, name):
        return subprocess.run(["openssl", "x509", "-in", key_file(name), "-outform", "DER"], check=True,
                              stdout=subprocess.PIPE).stdout

    def answer_any(self, kind, fields, _):
        if kind == fakes.DESCRIBE_HANDLE:
            return fakes.HANDLE_DESCRIPTION, {1: "kiosk", 2: self.der(self.kind + ".client.pem"),
                                              3: self.der("client_ca.crt"), 4: self.der("ca.crt")}
        signed = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", key_file(self.kind + ".key"),
                                 *options_of(fields[2])], input=fields[1], check=True, stdout=subprocess.PIPE)
        return fakes.SIGNATURE, {1: signed.stdout}


class Tool(unittest.TestCase):
    def tool(self, keyd, *arguments):
        handle = keyd.handle.fileno()
        done = subprocess.run(["pkcs11-tool", "--module", os.path.abspath(MODULE), *arguments], check=False,
                              preexec_fn=lambda: os.dup2(handle, 3), close_fds=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def expect_signature(self, kind, scheme, *mechanism):
        keyd = Keyd(kind)
        with tempfile.TemporaryDirectory() as directory:
            content, digest, signature = (os.path.join(directory, name) for name in ("content", "digest", "signature"))
            with open(content, "wb") as out:
                out.write(b"something that a browser would sign")
            subprocess.run(["openssl", "dgst", "-" + HASHES[scheme], "-binary", "-out", digest, content], check=True)
            self.tool(keyd, "--sign", "--input-file", digest, "--output-file", signature, "--signature-format", "openssl",
                      "--mechanism", *mechanism)
            with open(digest, "rb") as file:
                subprocess.run(["openssl", "pkeyutl", "-verify", "-certin", "-inkey", key_file(kind + ".client.pem"),
                                "-sigfile", signature, *options_of(scheme)], input=file.read(), check=True,
                               stdout=subprocess.DEVNULL)

    def test_each_kind_is_listed(self):
        for kind, mechanism, key in (("p256", "ECDSA, keySize={256,256}", "EC"), ("p384", "ECDSA, keySize={384,384}", "EC"),
                                     ("rsa2048", "RSA-PKCS-PSS, keySize={2048,2048}", "RSA"),
                                     ("rsa4096", "RSA-PKCS-PSS, keySize={4096,4096}", "RSA")):
            with self.subTest(kind):
                self.assertIn(mechanism, self.tool(Keyd(kind), "--list-mechanisms"))
                objects = self.tool(Keyd(kind), "--list-objects")
                self.assertIn(f"Private Key Object; {key}", objects)
                self.assertEqual(objects.count("Certificate Object"), 3)

    def test_ecdsa_signs(self):
        self.expect_signature("p256", 0x0403, "ECDSA")
        self.expect_signature("p384", 0x0503, "ECDSA")

    def test_rsa_pss_signs(self):
        for kind in ("rsa2048", "rsa3072", "rsa4096"):
            for scheme, size in ((0x0804, "256"), (0x0805, "384"), (0x0806, "512")):
                with self.subTest(kind=kind, size=size):
                    self.expect_signature(kind, scheme, "RSA-PKCS-PSS", "--hash-algorithm", "SHA" + size, "--mgf",
                                          "MGF1-SHA" + size, "--salt-len", str(int(size) // 8))


if __name__ == "__main__":
    unittest.main()
