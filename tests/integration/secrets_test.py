"""No private key in anything but keyd. The test's keyd has a published key, so that there is something to look for."""

import base64
import os
import socket
import ssl
import subprocess
import sys

import processes
from keyward import ROOT, SystemCase, is_root, users

# RFC 6979, A.2.5: the private key x and the public key's Ux, of P-256.
KEY = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
PUBLIC_X = bytes.fromhex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6")

FORMS = {
    "big-endian": KEY,  # DER, PKCS#8, raw
    "words": KEY[::-1],  # BoringSSL's scalars: 64-bit words, least significant first, on a little-endian machine
    "hexadecimal": KEY.hex().encode(),
    "HEXADECIMAL": KEY.hex().upper().encode(),
    "base64": base64.b64encode(KEY)[:40],
}

OURS = ("broker", "web", "browser-shim")

FETCHED = r"^web\[\d+\]: request .*path='/api/get' status=200 .*subject='[^']*CN=keyward-kiosk"
BROWSER_S = 30


class SecretsCase(SystemCase):
    replaced = {"keyd": "tests/keyd_known_key/keyd"}
    uid = None

    def setUp(self):
        """A whole system after some work: the browser has loaded its page, a command-line client has fetched one."""
        self.system = self.start("--listen", "127.0.0.1:0", "--browser", "chromium", "--headless", uid=self.uid)
        self.system.wait_line(FETCHED, BROWSER_S)
        self.system.run("browser-shim", "get", self.system.url + "/hello", "--runtime-dir", self.system.runtime)
        self.expect_known_key()

    def expect_known_key(self):
        """The system really runs on the key that is searched for: its server certificate says so."""
        context = ssl.create_default_context(cafile=self.system.ca_file())
        with socket.create_connection(("127.0.0.1", self.system.port), 10) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                self.assertIn(PUBLIC_X, connection.getpeercert(binary_form=True))

    def expect_clean(self, data, where):
        for form, needle in FORMS.items():
            self.assertNotIn(needle, data, f"the private key, {form}, is in {where}")

    def check_arguments_and_environments(self):
        for pid in self.system.pids():
            self.expect_clean(processes.read_bytes(pid, "cmdline"), f"the arguments of {processes.name(pid)}")
            if is_root():
                self.expect_clean(processes.read_bytes(pid, "environ"), f"the environment of {processes.name(pid)}")

    def check_files(self, *places):
        seen = 0
        for place in places:
            for directory, _, files in os.walk(place):
                for file in files:
                    path = os.path.join(directory, file)
                    if os.path.isfile(path) and not os.path.islink(path):
                        with open(path, "rb") as opened:
                            self.expect_clean(opened.read(), path)
                        seen += 1
        return seen

    def check_log(self):
        self.expect_clean(self.system.log().encode(), "the log")


def memory_tests(uid_of_system):
    class Memory(SecretsCase):
        """Root may read any process's memory, so root looks."""

        uid = uid_of_system

        def test_no_private_key_anywhere_but_in_keyd(self):
            looked_at = []
            for pid in self.system.pids():
                name = processes.name(pid)
                if name == "keyd":
                    continue
                try:
                    found, searched = processes.search_memory(pid, FORMS, published_in=("/usr/", "/lib/"))
                except (FileNotFoundError, ProcessLookupError):
                    self.assertFalse(name.startswith(OURS), f"{name} has ended")
                    continue  # browsers start and end helpers at any time
                self.assertEqual(found, {}, f"in {name}")
                self.assertGreater(searched, 100_000, f"{name}'s memory could not be read")
                looked_at.append(name)
            for name in (*OURS, "chromium"):
                self.assertTrue([seen for seen in looked_at if seen.startswith(name)], f"no {name} in {looked_at}")

            # The same search finds what web has to have: the public key.
            web = self.system.pid_of("web[0]")
            self.assertIn("public", processes.search_memory(web, {"public": PUBLIC_X})[0])

            self.check_arguments_and_environments()
            self.check_log()
            profile = f"/proc/{self.system.pid_of('browser')}/root/home"
            self.assertGreater(self.check_files(self.system.runtime, profile), 5)

        def test_keyds_secret_memory_is_closed_even_to_root(self):
            self.assertEqual(self.system.status()["secret_memory"], processes.kernel_has_secret_memory())
            if not processes.kernel_has_secret_memory():
                return  # then the keys are in locked memory, which root can read
            keyd = self.system.pid_of("keyd")
            with open(f"/proc/{keyd}/maps", encoding="ascii") as maps:
                self.assertIn("secretmem", maps.read())
            found, searched = processes.search_memory(keyd, FORMS)
            self.assertGreater(searched, 100_000)
            # The published key is a constant of the test's keyd: in its program file, and nowhere else.
            left = {form: [place for place in places if not place.endswith("/keyd")] for form, places in found.items()}
            self.assertEqual({form: places for form, places in left.items() if places}, {})

    Memory.__qualname__ = "Memory" + ("OfRootsSystem" if uid_of_system == ROOT else "OfAUsersSystem")
    return Memory


if is_root():
    MemoryOfRootsSystem = memory_tests(ROOT)
    MemoryOfAUsersSystem = memory_tests(users()[1])

    class Leaking(SystemCase):
        """The benchmark's web has the key inside it: the search must find it there."""

        replaced = {"keyd": "tests/keyd_known_key/keyd", "web": "tests/bench/web_in_process"}

        def test_a_web_with_the_key_in_it_is_found_out(self):
            system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--workers", "1")
            # Refused, since this web does not tell keyd of its handshakes; but not before it has signed.
            system.run("browser-shim", "get", system.url + "/hello", "--runtime-dir", system.runtime, check=False)
            found, _ = processes.search_memory(system.pid_of("web[0]"), FORMS)
            self.assertIn("words", found, "BoringSSL's own form of the key, in the heap")
            self.assertTrue([place for place in found["words"] if not place.endswith("/web")])

else:

    class MemoryAsSeenByTheSameUser(SecretsCase):
        """Whoever started the system cannot read its memory: every process is non-dumpable."""

        def test_memory_is_closed(self):
            for prefix in ("broker", "keyd", "web", "browser-shim"):
                for process in self.system.processes(prefix):
                    with self.subTest(process["name"]), self.assertRaises(PermissionError):
                        processes.search_memory(process["pid"], FORMS)
            self.check_arguments_and_environments()
            self.check_files(self.system.runtime)
            self.check_log()


class Searching(SystemCase):
    """The search itself: it finds each form of the key in a process that has it, wherever in its memory."""

    HOLDER = """
import sys
data = sys.stdin.buffer.read(int(sys.argv[1]))
held = bytearray(9 << 20)
held[-len(data) - 5:-5] = data
print("ready", flush=True)
sys.stdin.buffer.read()
"""

    def test_each_form_is_found(self):
        for form, needle in FORMS.items():
            with self.subTest(form):
                holder = subprocess.Popen([sys.executable, "-c", self.HOLDER, str(len(needle))], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE)
                try:
                    holder.stdin.write(needle)
                    holder.stdin.flush()
                    self.assertEqual(holder.stdout.readline(), b"ready\n")
                    self.assertEqual(list(processes.search_memory(holder.pid, {form: needle})[0]), [form])
                finally:
                    holder.stdin.close()
                    holder.stdout.close()
                    holder.wait()

    def test_across_the_border_of_two_pieces(self):
        with open(os.path.join(self.base, "memory"), "wb") as out:
            out.write(bytes((4 << 20) - 10) + KEY + bytes(1000))
        with open(os.path.join(self.base, "memory"), "rb", buffering=0) as memory:
            size = (4 << 20) + 1022
            pieces = list(processes.read_mapping(memory, 0, size, len(KEY) - 1))
        self.assertTrue(any(KEY in chunk for _, chunk in pieces))
