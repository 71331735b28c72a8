"""An operator's limits: connections in all and of one client address, handshakes a second."""

import contextlib
import http.client
import os
import re
import socket
import ssl

import certificates
import processes
import wire
from keyward import SystemCase


class Limits(SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = certificates.Authority(os.path.join(cls.base, "authority"), "A CA")
        cls.client = cls.authority.leaf("client")

    def begin(self, limits):
        path = os.path.join(self.base, "config.ini")
        with open(path, "w", encoding="ascii") as out:
            out.write("[limits]\n" + limits)
        os.chmod(path, 0o644)
        system = self.start("--config", path, "--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--client-ca",
                            self.authority.certificate, "--metrics", "127.0.0.1:0")
        self.metrics = int(system.wait_line(r"service='metrics' address='127\.0\.0\.1:(\d+)'")[1])
        self.ca = system.ca_file()
        return system

    def open(self, system, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(*self.client)
        plain = socket.create_connection(("127.0.0.1", system.port), wire.TIMEOUT_S, source_address=(source, 0))
        try:
            connection = context.wrap_socket(plain, server_hostname="localhost")
            connection.sendall(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if not connection.recv(100).startswith(b"HTTP/1.1 200 "):
                raise ConnectionError("no answer")
            return connection
        except OSError:
            plain.close()
            raise

    def refused(self, limit):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=wire.TIMEOUT_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return int(re.search(rf'^keyward_connections_refused_total{{limit="{limit}"}} (\d+)$', text, re.M)[1])

    def check_connections(self, system, limit, others):
        with contextlib.ExitStack() as stack:
            first = [stack.enter_context(self.open(system)) for _ in range(3)]
            with self.assertRaises(OSError):
                self.open(system)
            self.assertEqual(self.refused(limit), 1)
            if others:
                stack.enter_context(self.open(system, "127.0.0.2"))
            else:
                with self.assertRaises(OSError):
                    self.open(system, "127.0.0.2")
            before = self.refused(limit)
            first[0].close()  # and its place is free again

            def reopen():
                try:
                    stack.enter_context(self.open(system))
                    return True
                except OSError:
                    return False

            processes.wait_until(reopen, 10, lambda: "no place")
            self.assertGreaterEqual(self.refused(limit), before)
        system.wait_line(r"^web\[0\]: connection refused listener='127\.0\.0\.1:\d+' peer='127\.0\.0\.1:\d+' reason=")

    def test_connections_in_all(self):
        self.check_connections(self.begin("connections = 3\n"), "connections", others=False)

    def test_connections_of_an_address(self):
        self.check_connections(self.begin("address_connections = 3\n"), "address_connections", others=True)

    def test_handshakes_of_an_address(self):
        system = self.begin("address_handshakes = 2\n")
        answers = []
        for _ in range(40):
            try:
                self.open(system).close()
                answers.append(True)
            except OSError:
                answers.append(False)
        self.assertEqual(answers[:2], [True, True])
        self.assertIn(False, answers)
        self.assertEqual(self.refused("address_handshakes"), answers.count(False))
        self.open(system, "127.0.0.2").close()
