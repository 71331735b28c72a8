"""The shim's neighbours, faked: a broker, a keyd with one key, and the page's server."""

import array
import http.server
import os
import socket
import ssl
import subprocess
import threading

SHIM_SETUP, SHIM_LISTENER, SHIM_LAUNCH, SHIM_BROWSER = 50, 51, 52, 53
SHIM_RENEW = 110
READY, FAILED, STOP = 60, 61, 63
SIGN_BROWSER_DIGEST, PIN_HANDLE, DESCRIBE_HANDLE = 13, 14, 15
SIGNATURE, REFUSAL, HANDLE_PINNED, HANDLE_DESCRIPTION = 16, 17, 18, 19
STARTED, ENDED, SCREENSHOT, SUPPLIED = 1, 2, 3, 4

SHIM_UID = 61103  # whom the broker takes where there is no user keyward-shim


# ---- Messages (proto/keyward.proto) ----


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(fields):
    """Encodes {number: int, str or bytes}, in the order of the numbers, without what is zero or empty."""
    out = b""
    for number, value in sorted(fields.items()):
        if isinstance(value, int):
            out += varint(number << 3) + varint(value) if value else b""
            continue
        value = value.encode() if isinstance(value, str) else value
        out += varint(number << 3 | 2) + varint(len(value)) + value if value else b""
    return out


def envelope(kind, fields={}, id=0):
    body = message(fields)
    return message({1: id}) + varint(kind << 3 | 2) + varint(len(body)) + body


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields_of(data):
    out, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        out[key >> 3] = value
    return out


def read_envelope(data):
    """Returns (kind, fields, id)."""
    fields = fields_of(data)
    id = fields.pop(1, 0)
    kind, body = fields.popitem()
    return kind, fields_of(body), id


def seqpacket_pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


# ---- Certificates, by openssl ----


class Pki:
    """A CA, a server's and a client's key and certificate in dir, P-256."""

    def __init__(self, dir):
        self.dir = dir
        self.make("ca", "/CN=Fake CA", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"])
        self.make("server", "/CN=localhost", ["subjectAltName=DNS:localhost", "extendedKeyUsage=serverAuth"], "ca")
        self.make("client", "/CN=kiosk", ["extendedKeyUsage=clientAuth"], "ca")

    def path(self, name):
        return os.path.join(self.dir, name)

    def openssl(self, *arguments, input=None):
        return subprocess.run(["openssl", *arguments], input=input, check=True, capture_output=True).stdout

    def make(self, name, subject, extensions, issuer=None):
        command = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        command += ["-subj", subject, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem")]
        command += [word for extension in extensions for word in ("-addext", extension)]
        if issuer:
            command += ["-CA", self.path(issuer + ".pem"), "-CAkey", self.path(issuer + ".key")]
            command += ["-addext", "basicConstraints=critical,CA:FALSE"]
        self.openssl(*command)

    def der(self, name):
        return self.openssl("x509", "-in", self.path(name + ".pem"), "-outform", "DER")

    def sign(self, name, digest):
        """An Ecdsa-Sig-Value over a digest."""
        return self.openssl("pkeyutl", "-sign", "-inkey", self.path(name + ".key"), input=digest)


# ---- Processes ----


class Keyd(threading.Thread):
    """Answers on one handle. what holds the kinds that came, in order; pinned the pid that pinned it."""

    def __init__(self, pki, answer=None):
        super().__init__(daemon=True)
        self.pki, self.kinds, self.pinned = pki, [], None
        self.answer = answer or self.answer_well
        self.socket, self.handle = seqpacket_pair()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.start()

    def answer_well(self, kind, fields, sender):
        if kind == PIN_HANDLE:
            self.pinned = sender
            return HANDLE_PINNED, {}
        if kind == DESCRIBE_HANDLE:
            return HANDLE_DESCRIPTION, {1: "kiosk", 2: self.pki.der("client"), 3: self.pki.der("ca"),
                                        4: self.pki.der("ca")}
        if sender != self.pinned:
            return REFUSAL, {1: 7}
        return SIGNATURE, {1: self.pki.sign("client", fields[1])}

    def run(self):
        while True:
            data, control, _, _ = self.socket.recvmsg(4096, 64)
            if not data:
                return
            kind, fields, id = read_envelope(data)
            sender = int.from_bytes(control[0][2][:4], "little")
            self.kinds.append(kind)
            try:
                self.socket.send(envelope(*self.answer(kind, fields, sender), id=id))
            except BrokenPipeError:
                return  # an answer has ended the handle


class Page(threading.Thread):
    """Serves a page over mutual TLS on the listener that the shim made. requests: (path, client's common name). Without
    tickets each connection, and so each request, needs a signature of its own."""

    def __init__(self, pki, listener_fd, html, tickets=True):
        super().__init__(daemon=True)
        self.requests = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.path("server.pem"), pki.path("server.key"))
        context.load_verify_locations(pki.path("ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        if not tickets:
            context.num_tickets = 0
        requests = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                self.request.settimeout(20)
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self):
                subject = dict(entry[0] for entry in self.request.getpeercert()["subject"])
                requests.append((self.path, subject["commonName"]))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(html.encode())

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a browser leaves handshakes unfinished when it has seen that it needs a certificate

        self.server = Server(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = socket.socket(fileno=listener_fd)
        self.server.socket.setblocking(True)
        self.start()

    def run(self):
        self.server.serve_forever(poll_interval=0.05)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Shim:
    """The real browser-shim, with this process as its broker."""

    def __init__(self, program, uid=None, stderr=None, stray=None):
        """stray: a descriptor that the shim inherits by mistake."""
        self.channel, child = seqpacket_pair()
        self.channel.settimeout(20)
        program_fd = os.open(program, os.O_PATH)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.become(program_fd, child.fileno(), uid, stderr, stray)
            finally:
                os._exit(127)
        child.close()
        os.close(program_fd)

    def become(self, program_fd, channel_fd, uid, stderr, stray):
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        if stderr is not None:
            os.dup2(stderr, 2)
        program_fd = os.dup2(program_fd, 100, inheritable=False)
        if stray is not None:
            stray = os.dup2(stray, 200, inheritable=False)
        os.dup2(channel_fd, 3)
        os.closerange(4, 100)
        os.closerange(101, 200)
        os.closerange(201, 1024)
        if stray is not None:
            os.dup2(stray, 9)
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        os.execve(program_fd, ["browser-shim"], {})

    def send(self, kind, fields={}, fds=()):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.channel.sendmsg([envelope(kind, fields)], control)

    def receive(self):
        """Returns (kind, fields, descriptors); kind is None at the end of the channel."""
        data, fds, _, _ = socket.recv_fds(self.channel, 65536, 4)
        if not data:
            return None, {}, fds
        kind, fields, _ = read_envelope(data)
        return kind, fields, fds

    def wait(self):
        """Returns the exit code, or minus the signal."""
        if self.pid is None:
            return None
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def close(self):
        self.channel.close()
        return self.wait()
