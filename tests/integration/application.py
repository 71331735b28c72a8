"""An application behind the server, that behaves as a test tells it to: by the path of each request."""

import base64
import hashlib
import json
import os
import socket
import ssl
import threading
import time

BLOCK = bytes(range(256)) * 256


class Gone(Exception):
    pass


class Connection:
    """One connection from the server, read by hand, so that nothing is prettier than it was on the wire."""

    def __init__(self, plain):
        self.plain = plain
        self.buffer = b""
        self.trailers = []  # of the last chunked request

    def fill(self):
        piece = self.plain.recv(65536)
        if not piece:
            raise Gone
        self.buffer += piece

    def take(self, length):
        while len(self.buffer) < length:
            self.fill()
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def head(self):
        """Returns (method, target, [(name, value)])."""
        method, target, version = self.line().decode("latin-1").split(" ")
        assert version == "HTTP/1.1", version
        fields = []
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            fields.append((name, value.strip()))
        return method, target, fields

    def body(self, fields):
        """Yields the pieces of the request's body."""
        named = {name.lower(): value for name, value in fields}
        if named.get("transfer-encoding") == "chunked":
            while size := int(self.line(), 16):
                yield self.take(size)
                assert self.take(2) == b"\r\n"
            self.trailers = []
            while line := self.line():
                self.trailers.append(line.decode("latin-1"))
            return
        left = int(named.get("content-length", "0"))
        while left:
            if not self.buffer:
                self.fill()
            piece = self.take(min(left, len(self.buffer)))
            left -= len(piece)
            yield piece

    def send(self, *parts):
        self.plain.sendall(b"".join(part if isinstance(part, bytes) else part.encode("latin-1") for part in parts))

    def answer(self, body, status="200 OK", fields=""):
        self.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n", body)


class Application:
    """Listens at a Unix socket (path) or on a port of 127.0.0.1 (path None)."""

    def __init__(self, path=None, **more):
        self.more = more  # further paths: what is to be said on a connection, then it is closed
        self.path = path
        self.connections = 0
        self.open = set()
        self.seen = []
        self.released = threading.Event()
        self.start()

    def start(self):
        if self.path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            os.chmod(self.path, 0o777)
            self.listener.listen(64)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, args=(self.listener,), daemon=True).start()

    def run(self, listener):
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(plain,), daemon=True).start()

    def stop(self):
        """As if the application had been killed: nothing listens, and every connection ends."""
        if self.listener.fileno() < 0:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.path:
            os.unlink(self.path)
        for plain in list(self.open):
            try:
                plain.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def secure(self, plain):
        """What is spoken to instead of the plain connection."""
        return plain

    def serve(self, plain):
        self.open.add(plain)
        try:
            self.serve_all(plain)
        finally:
            self.open.discard(plain)

    def serve_all(self, plain):
        try:
            plain = self.secure(plain)
        except OSError as error:
            self.seen.append(repr(error))
            plain.close()
            return
        connection = Connection(plain)
        try:
            while self.serve_one(connection):
                pass
        except (Gone, ConnectionError, AssertionError, ssl.SSLError) as error:
            self.seen.append(repr(error))
        finally:
            self.part(plain)

    def part(self, plain):
        plain.close()

    def serve_one(self, connection):
        """Answers one request; whether the connection goes on."""
        method, target, fields = connection.head()
        self.seen.append((method, target))
        name = target.partition("?")[0].rpartition("/")[2]
        handler = getattr(self, "do_" + name, None)
        if name in self.more:
            connection.send(self.more[name])
            return False
        if handler is None:
            connection.answer(b"no such page", "404 Not Found")
            return True
        return handler(connection, method, target, fields) is not False

    # ---- What it does ----

    def do_echo(self, connection, method, target, fields):
        digest, length = hashlib.sha256(), 0
        for piece in connection.body(fields):
            digest.update(piece)
            length += len(piece)
        body = json.dumps({"method": method, "target": target, "fields": fields, "length": length,
                           "trailers": connection.trailers, "sha256": digest.hexdigest()}).encode()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n",
                        b"" if method == "HEAD" else body)

    def do_big(self, connection, method, target, fields):
        count = int(target.partition("?")[2])
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {count * len(BLOCK)}\r\n\r\n")
        for _ in range(count):
            connection.send(BLOCK)

    def do_chunked(self, connection, method, target, fields):
        count = int(target.partition("?")[2])
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(count):
            connection.send(f"{len(BLOCK):x};name=value\r\n", BLOCK, "\r\n")
        connection.send("0\r\nX-Trailer: nobody wants it\r\n\r\n")

    def do_toend(self, connection, method, target, fields):
        connection.send("HTTP/1.1 200 OK\r\n\r\n", BLOCK)
        return False

    def do_cut(self, connection, method, target, fields):
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {2 * len(BLOCK)}\r\n\r\n", BLOCK)
        return False

    def do_cutchunk(self, connection, method, target, fields):
        connection.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{len(BLOCK):x}\r\n", BLOCK, "\r\n")
        return False

    def do_early(self, connection, method, target, fields):
        connection.answer(b"too much", "413 Payload Too Large", "Connection: close\r\n")
        time.sleep(0.2)
        return False

    def do_hang(self, connection, method, target, fields):
        self.released.wait(60)
        return False

    def do_interim(self, connection, method, target, fields):
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        connection.answer(b"after all")

    def do_hints(self, connection, method, target, fields):
        """Says early what the page needs, then what nobody has asked for, and the answer when it is released."""
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nConnection: X-Private\r\nX-Private: 1\r\n\r\n"
                        "HTTP/1.1 102 Processing\r\nX-Unasked: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        self.released.wait(60)
        connection.answer(b"after all")

    def do_ask(self, connection, method, target, fields):
        """Looks at the head, and asks for the body when it is released."""
        self.seen.append(dict((name.lower(), value) for name, value in fields).get("expect"))
        self.released.wait(60)
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        self.do_echo(connection, method, target, fields)

    def do_behind(self, connection, method, target, fields):
        """Says something behind its body, some of which has no place there."""
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: X-Private\r\n\r\n"
                        "2\r\nok\r\n0\r\nX-Sum: \t42 \t\r\nSet-Cookie: a=1\r\nContent-Length: 7\r\nX-Private: 1\r\n"
                        "If-Match: x\r\nX-Empty:\r\n\r\n")

    def do_hops(self, connection, method, target, fields):
        connection.answer(b"hops", fields="Connection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"
                          "X-Public: 1\r\nX-Request-Id: mine\r\nContent-Security-Policy: default-src *\r\n"
                          "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n")

    def do_event(self, connection, method, target, fields):
        """Server-sent events: one now, the next when it is released."""
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send("d\r\ndata: first\n\n\r\n")
        self.released.wait(60)
        connection.send("e\r\ndata: second\n\n\r\n0\r\n\r\n")

    def do_socket(self, connection, method, target, fields):
        """A WebSocket, as far as the server can tell: what is behind the answer is echoed, and a farewell follows the end."""
        named = {name.lower(): value for name, value in fields}
        if (named.get("upgrade"), named.get("connection")) != ("websocket", "upgrade"):
            connection.answer(b"no upgrade", "426 Upgrade Required")
            return True
        accept = base64.b64encode(hashlib.sha1(
            (named["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        f"Sec-WebSocket-Accept: {accept}\r\n\r\nhello")
        try:
            while True:
                if not connection.buffer:
                    connection.fill()
                connection.send(connection.take(len(connection.buffer)))
        except Gone:
            self.seen.append("the client has said all")
            self.released.wait(60)
            connection.send("farewell")
        return False

    def do_websocket(self, connection, method, target, fields):
        """A WebSocket that answers one short text with the same text."""
        named = {name.lower(): value for name, value in fields}
        accept = base64.b64encode(hashlib.sha1(
            (named["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        f"Sec-WebSocket-Accept: {accept}\r\n\r\n")
        head = connection.take(2)
        length = head[1] & 0x7F  # a browser's frame is masked (RFC 6455, 5.2), and a short one has no other length
        mask, data = connection.take(4), connection.take(length)
        text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        connection.send(bytes([0x81, length]) + text)
        connection.take(1)  # the browser says its farewell, or just goes
        return False

    def do_cookies(self, connection, method, target, fields):
        body = "; ".join(value for name, value in fields if name.lower() == "cookie").encode()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nSet-Cookie: plain=1; HttpOnly\r\n"
                        "Set-Cookie: secure=1; Secure; HttpOnly\r\n\r\n", body)

    def do_fleeting(self, connection, method, target, fields):
        """Promises to keep the connection and closes it."""
        connection.answer(b"fleeting")
        return False

    def do_slow(self, connection, method, target, fields):
        """Takes the body only when it is released."""
        self.released.wait(60)
        self.do_echo(connection, method, target, fields)


class SecureApplication(Application):
    """The same over mutual TLS 1.3, with the certificate and key in a pair of files."""

    def __init__(self, pair, **more):
        self.pair = pair
        self.client_ca = None
        self.asks = True
        self.ragged = False  # it ends connections without saying so
        self.clients = []
        super().__init__(**more)

    def secure(self, plain):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(*self.pair)
        if self.asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.client_ca)
        plain.settimeout(60)
        secure = context.wrap_socket(plain, server_side=True)
        self.clients.append((secure.getpeercert(), secure.selected_alpn_protocol(), secure.session_reused))
        return secure

    def part(self, plain):
        try:
            if not self.ragged:
                plain.settimeout(2)
                plain.unwrap()
        except OSError:
            pass
        plain.close()
