"""What browser-shim says when it does not work: one line, the cause and the remedy, and the exit code of the table in --help."""

import os
import socket
import threading

import certificates
from foreign_server import s_server
from keyward import SharedSystemCase, for_each_user

CHANGE_SOMETHING, FAILED = 100, 111


@for_each_user
class Errors(SharedSystemCase):
    @classmethod
    def prepare(cls):
        cls.authority = certificates.Authority(os.path.join(cls.base, f"authority-{cls.uid}"), "Somebody's CA")
        cls.stranger = certificates.Authority(os.path.join(cls.base, f"stranger-{cls.uid}"), "Stranger CA")
        cls.good = cls.authority.leaf("good", profile="server")

    def setUp(self):
        self.ca = self.system.ca_file()

    def expect(self, code, url, *says, words=("--cacert",), runtime=None):
        cacert = [self.authority.certificate] if words == ("--cacert",) else []
        done = self.system.run("browser-shim", "get", *words, *cacert, url, "--runtime-dir", runtime or self.system.runtime,
                               check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for text in says:
            self.assertIn(text, done.stderr)

    def test_another_name_or_address(self):
        with s_server(*self.authority.leaf("elsewhere", profile="elsewhere"), self.ca) as port:
            for host in ("localhost", "127.0.0.1"):
                self.expect(FAILED, f"https://{host}:{port}/", f"is not for '{host}' but for elsewhere.example, 192.0.2.1",
                            "use a name that it has")

    def test_expired(self):
        with s_server(*self.authority.leaf("old", profile="server", end="20210101000000Z"), self.ca) as port:
            self.expect(FAILED, f"https://localhost:{port}/", "has expired on Jan  1 00:00:00 2021 GMT",
                        "this machine's clock says", "have the certificate renewed")

    def test_not_yet_valid(self):
        with s_server(*self.authority.leaf("young", profile="server", start="20490101000000Z"), self.ca) as port:
            self.expect(FAILED, f"https://localhost:{port}/", "is not valid yet: it begins on Jan  1 00:00:00 2049 GMT",
                        "set the clock that is wrong")

    def test_the_wrong_ca(self):
        with s_server(*self.stranger.leaf("other", profile="server"), self.ca) as port:
            self.expect(FAILED, f"https://localhost:{port}/", "certificate verify failed", "by CN=Stranger CA",
                        "--cacert has to name the CA")

    def test_no_ca_named(self):
        with s_server(*self.good, self.ca) as port:
            self.expect(FAILED, f"https://localhost:{port}/", "certificate verify failed", "by CN=Somebody's CA",
                        "name its CA with --cacert", words=())

    def test_a_client_that_the_server_does_not_know(self):
        with s_server(*self.good, self.stranger.certificate) as port:
            self.expect(FAILED, f"https://localhost:{port}/", "refused the client certificate", "'broker ca' prints it")

    def test_a_client_without_a_certificate(self):
        """In TLS 1.2, where the handle signs nothing; get would not even speak it."""
        with s_server(*self.good, self.ca, version="tls1_2") as port:
            done = self.system.run("browser-shim", "trace", "--cacert", self.authority.certificate,
                                   f"https://localhost:{port}/", "--runtime-dir", self.system.runtime, check=False)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("refused a client without a certificate", done.stderr)
        self.assertIn("have the server speak TLS 1.3", done.stderr)

    def test_tls_that_is_too_old(self):
        with s_server(*self.good, self.ca, version="tls1_2") as port:
            self.expect(FAILED, f"https://localhost:{port}/", "does not speak TLS 1.3", "have the server's TLS updated")

    def test_plain_http(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                there, _ = listener.accept()
                with there:
                    there.recv(65536)
                    there.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                    there.shutdown(socket.SHUT_WR)
                    there.recv(65536)

            listener.settimeout(20)
            thread = threading.Thread(target=serve)
            thread.start()
            self.expect(FAILED, f"https://localhost:{listener.getsockname()[1]}/", "does not speak TLS 1.3 there",
                        "check the port: what answers may be plain HTTP")
            thread.join()

    def test_nobody_listens(self):
        with socket.socket() as unheard:  # its number is taken, and nobody listens on it
            unheard.bind(("127.0.0.1", 0))
            self.expect(FAILED, f"https://127.0.0.1:{unheard.getsockname()[1]}/", "connection refused", "is the broker running")

    def test_no_such_name(self):
        self.expect(CHANGE_SOMETHING, "https://no-such-host.invalid/", "host 'no-such-host.invalid'", "check the name")

    def test_no_broker(self):
        nowhere = os.path.join(self.system.directory, "nowhere")
        with s_server(*self.good, self.ca) as port:
            self.expect(CHANGE_SOMETHING, f"https://localhost:{port}/", f"no broker is running in '{nowhere}'", "start one",
                        runtime=nowhere)

    def test_a_file_that_is_not_there(self):
        self.expect(CHANGE_SOMETHING, "https://localhost:1/", "'/no/such/ca.pem'", words=("--cacert", "/no/such/ca.pem"))
