"""TLS servers that are not ours: OpenSSL's own, and Python's."""

import contextlib
import http.server
import json
import re
import ssl
import subprocess
import threading
import time

from keyward import bystanders


@contextlib.contextmanager
def s_server(certificate, key, client_ca, *flags, version="tls1_3"):
    """OpenSSL's test server, which wants a client certificate by client_ca and shows it on its page. client_ca: None if it
    wants none. Yields its port."""
    asking = ["-CAfile", client_ca, "-Verify", "2", "-verify_return_error"] if client_ca else []
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, *asking, "-www",
         "-" + version, *flags],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    bystanders.add(server.pid)
    try:
        for line in server.stdout:
            accept = re.search(r"^ACCEPT 127\.0\.0\.1:(\d+)", line)
            if accept:
                yield int(accept[1])
                return
        raise AssertionError("openssl s_server did not start")
    finally:
        server.kill()
        server.communicate()
        bystanders.discard(server.pid)


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers what it was asked, as JSON. /slow goes on until slow_is_over; the Date is that of the server's clock."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while True:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + self.server.ahead_s)

    def answer(self):
        body = self.body()
        told = json.dumps({"method": self.command, "path": self.path, "headers": self.headers.items(),
                           "body": body.decode("latin-1")}).encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def slow(self):
        size = 1 << 20
        self.send_response(200)
        self.send_header("Content-Length", str(2 * size))
        self.end_headers()
        left = 2 * size
        while left > size and not self.server.slow_is_over.wait(0.05):
            self.wfile.write(bytes(1024))
            left -= 1024
        self.wfile.write(bytes(left))

    def do_GET(self):
        if self.path == "/slow":
            self.slow()
        else:
            self.answer()

    def do_POST(self):
        self.answer()

    def do_PUT(self):
        self.answer()


@contextlib.contextmanager
def https_server(certificate, key, client_ca, ahead_s=0):
    """A server that wants a client certificate by client_ca, and answers (Answers above). Yields it: server_port, slow_is_over."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.ahead_s = ahead_s
    server.slow_is_over = threading.Event()
    server.handle_error = lambda *_: None  # a client that leaves
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.slow_is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()
