"""Sessions that foreign clients resume, and what ends them."""

import json
import os
import subprocess

import certificates
from keyward import COMMAND_S, SharedSystemCase, SystemCase, for_each_user

GET = b"GET /api/get HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Resuming:
    """Needs self.system, self.client and self.base."""

    def ask(self, *arguments, client=None):
        """Connects with openssl and returns what /api/get answered, or None if there was no page."""
        certificate, key = client or self.client
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.system.port}", "-servername", "localhost", "-CAfile",
             self.system.ca_file(), "-verify_return_error", "-ign_eof", "-cert", certificate, "-key", key, *arguments],
            input=GET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_S, check=False)
        body = done.stdout.decode("utf-8", "replace").partition("\r\n\r\n")[2]
        return json.JSONDecoder().raw_decode(body)[0] if body else None

    def earn(self, client=None):
        """Makes a full handshake and returns the file with the session that came of it."""
        path = os.path.join(self.base, "session")
        if os.path.exists(path):
            os.unlink(path)
        answer = self.ask("-sess_out", path, client=client)
        self.assertFalse(answer["tls"]["resumed"])
        self.assertTrue(os.path.exists(path), "no ticket")
        return path

    def resumes(self, session, client=None):
        """The client is served either way; says whether by resumption."""
        answer = self.ask("-sess_in", session, client=client)
        self.assertIn("test client", answer["client"]["subject"])
        return answer["tls"]["resumed"]


@for_each_user
class Resumption(Resuming, SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.good = certificates.Authority(os.path.join(cls.base, "good"), "Good CA")
        os.chmod(cls.good.directory, 0o755)
        cls.client = cls.good.leaf("client")
        cls.flags = ("--listen", "127.0.0.1:0", "--no-browser", "--workers", "2", "--client-ca", cls.good.certificate)

    def test_at_any_worker(self):
        session = self.earn()
        before = self.system.status()["signatures"]
        for _ in range(12):
            self.assertTrue(self.resumes(session))
        self.assertEqual(self.system.status()["signatures"], before, "keyd was not asked")

    def test_not_in_tls_1_2(self):
        path = os.path.join(self.base, "old")
        self.assertFalse(self.ask("-tls1_2", "-sess_out", path)["tls"]["resumed"])
        if os.path.exists(path):  # openssl keeps what cannot be resumed
            self.assertFalse(self.ask("-tls1_2", "-sess_in", path)["tls"]["resumed"])

    def test_a_restarted_worker_knows_the_keys(self):
        session = self.earn()
        mark = self.system.mark()
        for worker in self.system.processes("web"):
            os.kill(worker["pid"], 9)
        for number in range(2):
            self.system.wait_line(rf"web\[{number}\] ready", since=mark)
        self.assertTrue(self.resumes(session))

    def test_not_after_a_revocation_of_anything(self):
        session = self.earn()
        self.assertTrue(self.resumes(session))
        self.system.broker("certificate", "revoke", "0a:0b:0c")
        for _ in range(6):
            self.assertFalse(self.resumes(session))
        self.assertTrue(self.resumes(self.earn()), "with the keys that came after it")

    def test_a_revoked_client_is_out(self):
        lost = self.good.leaf(f"lost-{self.uid}")
        session = self.earn(client=lost)
        serial = certificates.openssl("x509", "-in", lost[0], "-noout", "-serial").strip().partition("=")[2]
        self.system.broker("certificate", "revoke", serial)
        self.assertIsNone(self.ask("-sess_in", session, client=lost))

    def test_not_with_new_server_keys(self):
        """keyd's end is a new PKI: another server certificate, other CAs."""
        session = self.earn()
        mark = self.system.mark()
        [keyd] = self.system.processes("keyd")
        os.kill(keyd["pid"], 9)
        self.system.wait_line(r"keyd ready", since=mark)
        self.assertFalse(self.resumes(session))


class NoResumption(Resuming, SystemCase):
    def test_where_it_is_off(self):
        good = certificates.Authority(os.path.join(self.base, "good"), "Good CA")
        self.client = good.leaf("client")
        config = os.path.join(self.base, "config.ini")
        with open(config, "w", encoding="utf-8") as out:
            out.write("[tls]\nresumption = no\n")
        self.system = self.start("--listen", "127.0.0.1:0", "--no-browser", "--client-ca", good.certificate, "--config",
                                 config)
        path = os.path.join(self.base, "session")
        self.ask("-sess_out", path)
        self.assertFalse(os.path.exists(path) and self.resumes(path))
