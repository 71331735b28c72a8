"""Tools of other people against the server: clients, a load generator, a scanner, and three attacks by slowness."""

import asyncio
import json
import os
import re
import ssl
import subprocess
import threading
import xml.etree.ElementTree

import certificates
from keyward import COMMAND_S, SharedSystemCase, bystanders, for_each_user

LARGE = 16 << 20
ATTACKERS = 150
TESTSSL_S = 150  # it takes a third of that, on a machine that does nothing else
SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
          "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}
GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class ForeignCase(SharedSystemCase):
    more = ()

    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "Good CA")
        cls.client = cls.authority.leaf("client")
        cls.uploads = os.path.join(cls.base, "uploads")
        os.makedirs(cls.uploads)
        os.chmod(cls.uploads, 0o1777)
        os.chmod(cls.authority.directory, 0o755)
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", cls.authority.certificate, "--uploads",
                     cls.uploads, *cls.more)

    def setUp(self):
        self.ca = self.system.ca_file()

    def run_tool(self, *command, data=None, seconds=COMMAND_S):
        done = subprocess.run(command, input=data, stdin=None if data else subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def curl(self, *arguments):
        return self.run_tool("curl", "--silent", "--show-error", "--max-time", str(COMMAND_S), "--cacert", self.ca,
                             "--cert", self.client[0], "--key", self.client[1], *arguments, self.system.url + "/hello")


@for_each_user
class Clients(ForeignCase):
    def test_curl(self):
        for option, version in (("--http1.1", "1.1"), ("--http2", "2")):
            code, says = self.curl(option, "--write-out", "|%{http_version}")
            self.assertEqual((code, says), (0, f"Hello World\n|{version}"))

    def test_openssl(self):
        for version in ("-tls1_2", "-tls1_3"):
            _, says = self.run_tool(
                "openssl", "s_client", "-connect", f"127.0.0.1:{self.system.port}", "-servername", "localhost", "-CAfile",
                self.ca, "-verify_return_error", "-ign_eof", "-cert", self.client[0], "-key", self.client[1], version,
                data=GET)
            self.assertIn("Hello World", says)

    def test_gnutls(self):
        for versions in ("+VERS-TLS1.2", "+VERS-TLS1.3"):
            code, says = self.run_tool(
                "gnutls-cli", "--x509cafile", self.ca, "--x509certfile", self.client[0], "--x509keyfile", self.client[1],
                "--priority", "NORMAL:-VERS-ALL:" + versions, "--port", str(self.system.port), "localhost", data=GET)
            self.assertIn("Hello World", says)
            self.assertEqual(code, 0, says)
            self.assertIn(versions[6:9] + versions[9:], says)

    def test_gnutls_without_a_certificate(self):
        _, says = self.run_tool("gnutls-cli", "--x509cafile", self.ca, "--port", str(self.system.port), "localhost",
                                data=GET)
        self.assertNotIn("Hello World", says)
        self.assertIn("Certificate is required", says)


class Scanned(ForeignCase):
    def test_nothing_old_and_nothing_without_forward_secrecy(self):
        code, says = self.run_tool("sslscan", "--no-colour", f"--certs={self.client[0]}", f"--pk={self.client[1]}",
                                   "--xml=-", f"127.0.0.1:{self.system.port}")
        self.assertEqual(code, 0, says)
        test = xml.etree.ElementTree.fromstring(says).find("ssltest")
        spoken = {row.get("type") + row.get("version") for row in test.iter("protocol") if row.get("enabled") == "1"}
        self.assertEqual(spoken, {"tls1.2", "tls1.3"})
        suites = {(row.get("sslversion"), row.get("cipher")) for row in test.iter("cipher")}
        self.assertEqual(suites, {("TLSv1.3" if suite.startswith("TLS_") else "TLSv1.2", suite) for suite in SUITES})
        groups = {row.get("name").split(" ")[0] for row in test.iter("group")}
        self.assertEqual(groups, {"x25519", "secp256r1", "secp384r1"})
        self.assertNotIn("1", [row.get("vulnerable") for row in test.iter("heartbleed")])
        self.assertEqual(test.find("renegotiation").get("supported"), "0")
        self.assertEqual(test.find("certificates/certificate/signature-algorithm").text, "ecdsa-with-SHA256")


class Bridge:
    """Plain TCP in, mutual TLS out, for tools that have no client certificate. One thread."""

    def __init__(self, port, ca, client):
        self.context = ssl.create_default_context(cafile=ca)
        self.context.load_cert_chain(*client)
        self.target = port
        self.port = None
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        self._started.wait(COMMAND_S)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self):
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._end.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target, ssl=self.context, server_hostname="localhost",
                                                  limit=4096)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer), return_exceptions=True)

    async def _pass(self, reader, writer):
        try:
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


class AttackCase(ForeignCase):
    def attack(self, *arguments, url, seconds):
        """slowhttptest attacks, and a good client asks all the while. Returns what slowhttptest says."""
        process = subprocess.Popen(
            ["slowhttptest", *arguments, "-c", str(ATTACKERS), "-r", str(ATTACKERS), "-l", str(seconds), "-p", "5", "-v",
             "1", "-u", url], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        bystanders.add(process.pid)
        said = []
        reader = threading.Thread(target=lambda: said.append(process.stdout.read()))
        reader.start()
        served = 0
        try:
            while process.poll() is None:
                code, says = self.curl("--output", os.devnull, "--write-out", "%{http_code}")
                self.assertEqual((code, says), (0, "200"))
                served += 1
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()
            bystanders.discard(process.pid)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", said[0])
        self.assertGreater(served, 3, plain)
        connected = [int(number) for number in re.findall(r"connected: *(\d+)", plain)]
        self.assertGreaterEqual(max(connected, default=0), ATTACKERS - 1, plain)
        return plain


class WithoutCertificates(AttackCase):
    """The server asks for none, as the tools have none."""

    more = ("--tls-mode", "server")

    @classmethod
    def prepare(cls):
        super().prepare()
        root = os.path.join(cls.base, "root")
        os.makedirs(root)
        with open(os.path.join(root, "large.bin"), "wb") as out:
            out.truncate(LARGE)
        with open(os.path.join(root, "index.html"), "w", encoding="ascii") as out:
            out.write("<!doctype html><title>here</title>")
        for name in ("", "large.bin", "index.html"):
            os.chmod(os.path.join(root, name), 0o755)
        cls.flags += ("--root", root)

    def test_slow_headers(self):
        """Slowloris. Who takes longer than ten seconds for a request is cut off, however busy he looks."""
        says = self.attack("-H", "-i", "1", url=self.system.url + "/hello", seconds=COMMAND_S)
        self.assertIn("No open connections left", says)

    def test_nothing_that_testssl_knows(self):
        """Old versions, weak suites, and every vulnerability that has a name. It finds a protocol where it may ask for a page."""
        path = os.path.join(self.base, "testssl.json")
        _, says = self.run_tool("testssl", "--warnings", "batch", "--nodns", "none", "--color", "0", "--quiet", "--ip",
                                "127.0.0.1", "--add-ca", self.ca, "--jsonfile", path, "--protocols", "--std", "--pfs",
                                "--vulnerable", self.system.url + "/", seconds=TESTSSL_S)
        with open(path, encoding="utf-8") as file:
            found = {row["id"]: (row["severity"], row["finding"]) for row in json.load(file)}
        self.assertEqual({name: what for name, what in found.items() if what[0] not in ("OK", "INFO")}, {}, says)
        for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1"):
            self.assertEqual(found[old][1], "not offered", says)
        for weak in ("NULL", "aNULL", "EXPORT", "LOW", "3DES_IDEA", "AVERAGE"):
            self.assertEqual(found["cipherlist_" + weak][1], "not offered", says)
        self.assertEqual(set(found["PFS_ciphers"][1].split()), SUITES)
        self.assertLessEqual({"heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_client_renego", "CRIME_TLS", "BREACH",
                              "POODLE_SSL", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4"}, set(found))

    def test_slow_reading(self):
        self.attack("-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", url=self.system.url + "/large.bin", seconds=6)

    def test_h2load(self):
        for version in ("h2", "http/1.1"):
            code, says = self.run_tool("h2load", "--npn-list", version, "-n", "500", "-c", "20",
                                       f"https://localhost:{self.system.port}/hello")
            self.assertEqual(code, 0, says)
            self.assertIn("Application protocol: " + version, says)
            self.assertIn("500 succeeded, 0 failed, 0 errored, 0 timeout", says)


class SlowBodies(AttackCase):
    """Uploads, which want a certificate."""

    def test_slow_bodies(self):
        """R-U-Dead-Yet. What is not whole is not there."""
        with Bridge(self.system.port, self.ca, self.client) as bridge:
            self.attack("-B", "-i", "1", "-t", "PUT", "-s", "65536",
                        url=f"http://127.0.0.1:{bridge.port}/upload/slow.bin", seconds=6)
        self.assertEqual([name for name in os.listdir(self.uploads) if not name.startswith(".")], [])
