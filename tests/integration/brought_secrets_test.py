"""A private key that an operator brings is in keyd's secret memory and in no other, for all that it went through others."""

import os
import re
import subprocess
import unittest

import brought
import processes

from keyward import ORDINARY, ROOT, is_root, runfile


def numbers_of(key):
    """The secret numbers of a key file: of RSA d, p, q and what is computed from them; of ECDSA the scalar."""
    text = subprocess.run(["openssl", "pkey", "-in", runfile(f"tests/keys/{key}.key"), "-noout", "-text"],
                          stdout=subprocess.PIPE, check=True, text=True).stdout
    fields = dict(re.findall(r"^(\w+):\n((?: +[0-9a-f:]+\n)+)", text, re.M))
    secret = ("privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient", "priv")
    numbers = {name: bytes.fromhex(re.sub(r"[\s:]", "", fields[name])).lstrip(b"\0") for name in secret if name in fields}
    public = bytes.fromhex(re.sub(r"[\s:]", "", fields.get("modulus") or fields["pub"])).lstrip(b"\0\4")
    return numbers, public


def forms_of(key):
    """Half of a number is enough to be a find: 16 bytes from either end, as they are and as 64-bit words, and the file."""
    forms = {}
    numbers, _ = numbers_of(key)
    for name, number in numbers.items():
        for order, value in (("big-endian", number), ("words", number[::-1])):
            forms[f"{key} {name}, {order}, first"] = value[:16]
            forms[f"{key} {name}, {order}, last"] = value[-16:]
    with open(runfile(f"tests/keys/{key}.key"), encoding="ascii") as file:
        lines = file.read().split("\n")
    forms[f"{key}'s file"] = lines[2].encode()  # the second line of base64: what comes before is the algorithm's
    return forms


class Memory(brought.BroughtCase):
    def setUp(self):
        self.assertTrue(is_root(), "needs root: reads every process's memory; run the tests as root")

    def start_and_use(self, server, client, *flags):
        system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", *self.server(server),
                            *self.client(client), *flags, uid=self.uid)
        for _ in range(3):
            system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime)
        return system

    def named(self, kind):
        """A server certificate beside the default one, and what openssl says of a connection under its name."""
        path = os.path.join(self.base, f"named-{self.uid}.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'[certificate "named"]\ncertificate = {self.bring("elsewhere.pem", 0o644)}\n'
                       f'key = {self.bring(kind + ".key", 0o600)}\n')
        return "--config", path

    def use_named(self, system):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{system.port}", "-servername", "kiosk.example",
                               "-sigalgs", "ECDSA+SHA256"],  # the default one, which is RSA's, has that name too
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertIn(b"subject=CN = elsewhere", done.stdout)

    def expect_only_in_keyd(self, server, client, named=None):
        system = self.start_and_use(server, client, *(self.named(named) if named else ()))
        forms = {**forms_of(server), **forms_of(client)}
        if named:
            self.use_named(system)
            forms.update(forms_of(named))
        self.assertGreaterEqual(len(forms), 10)
        seen = set()
        for pid in system.pids():
            name = processes.name(pid)
            found, searched = processes.search_memory(pid, forms)
            self.assertGreater(searched, 100_000, f"{name}'s memory could not be read")
            if name != "keyd" or processes.kernel_has_secret_memory():
                self.assertEqual(found, {}, f"in {name}")
            seen.add(name.split("[")[0])
        self.assertLessEqual({"broker", "keyd", "web"}, seen)
        _, public = numbers_of(server)
        found, _ = processes.search_memory(system.pid_of("web[0]"), {"public": public[:32]})
        self.assertIn("public", found, "the search finds nothing at all")
        for form, needle in forms.items():
            self.assertNotIn(needle, system.log().encode(), form)

    def test_of_a_users_system(self):
        self.uid = ORDINARY
        self.expect_only_in_keyd("rsa2048", "p384")

    def test_of_roots_system(self):
        self.uid = ROOT
        self.expect_only_in_keyd("p384", "rsa4096")

    def test_of_a_key_beside_the_default_one(self):
        self.uid = ORDINARY
        self.expect_only_in_keyd("rsa2048", "p384", named="p256")

    def test_the_key_file_is_closed_in_keyd(self):
        self.uid = ORDINARY
        system = self.start_and_use("p256", "p384")
        links = processes.descriptors(system.pid_of("keyd")).values()
        self.assertEqual([link for link in links if link.endswith(".key")], [])
        links = processes.descriptors(system.pid_of("broker")).values()
        self.assertEqual(len([link for link in links if link.endswith(".key")]), 2, "for the next keyd")


class Searching(unittest.TestCase):
    def test_the_numbers_are_the_keys(self):
        numbers, modulus = numbers_of("rsa2048")
        self.assertEqual(int.from_bytes(numbers["prime1"], "big") * int.from_bytes(numbers["prime2"], "big"),
                         int.from_bytes(modulus, "big"))
        self.assertEqual(len(forms_of("rsa2048")), 6 * 4 + 1)
        numbers, _ = numbers_of("p384")
        self.assertEqual(list(numbers), ["priv"])
