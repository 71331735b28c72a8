"""Clients that upload and download all the while, and judge by the protocol's own means what was kept and what was whole."""

import hashlib
import os
import random
import ssl
import subprocess
import threading
import time

import wire

PIECE = 65536
CURL_NO_CONNECTION, CURL_NO_TLS = 7, 35


class Cut(Exception):
    """The answer broke off, and the client can tell."""


class Refused(Exception):
    """There was no connection."""


class Reader:
    """Reads answers of HTTP/1 as a careful client does. Raises Cut for one that is not whole."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""
        self.closes = False  # the last answer said so

    def fill(self):
        """False at an end that TLS vouches for (RFC 8446, 6.1)."""
        try:
            piece = self.connection.recv(PIECE)
        except OSError as error:
            raise Cut(str(error)) from None
        self.buffer += piece
        return bool(piece)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                raise Cut(f"no {mark!r}")
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def take(self, length):
        while len(self.buffer) < length:
            if not self.fill():
                raise Cut(f"{len(self.buffer)} bytes of {length}")
        found, self.buffer = self.buffer[:length], self.buffer[length:]
        return found

    def chunks(self):
        while size := int(self.until(b"\r\n"), 16):
            yield self.take(size)
            self.take(2)
        self.take(2)

    def answer(self):
        """Returns (status, body)."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").lower().split("\r\n")
        status = int(lines[0].split(" ")[1])
        fields = dict(line.split(": ", 1) for line in lines[1:])
        self.closes = fields.get("connection") == "close"
        if status == 204:
            body = b""
        elif "content-length" in fields:
            body = self.take(int(fields["content-length"]))
        elif fields.get("transfer-encoding") == "chunked":
            body = b"".join(self.chunks())
        else:
            while self.fill():
                pass
            body = self.buffer
        return status, body


class Load:
    """Uploads to directory and downloads until it is stopped.

    downloads: {target: body}. Each is asked for by HTTP/1.1, 1.0 and 2. What the client was told is whole and is not, or is
    missing, is in wrong.
    """

    UPLOADERS = 2
    LONGEST = 300_000

    def __init__(self, system, ca, client, directory, downloads):
        self.system, self.ca, self.client, self.directory, self.downloads = system, ca, client, directory, downloads
        self.wrong = []
        self.kept = {}  # name: [the digests of all that was sent under it], of which the last was confirmed
        self.begun = {}  # name: the digest of what was sent and not confirmed
        self.good = {"upload": 0, "download": 0}
        self.cut = self.refused = 0
        self.last_cut = ""
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.upload, args=(number,)) for number in range(self.UPLOADERS)]
        self.threads += [threading.Thread(target=self.download, args=(by,)) for by in ("1.1", "1.0", "2")]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def connect(self):
        try:
            return wire.connect(self.system.port, self.ca, self.client, ragged=True)
        except OSError as error:
            raise Refused(str(error)) from None

    def count(self, what):
        with self.lock:
            self.good[what] += 1

    def fail(self, error):
        """Not being let in is one thing, being cut off with a request that was sent another."""
        with self.lock:
            if isinstance(error, Refused):
                self.refused += 1
            else:
                self.cut += 1
                self.last_cut = repr(error)
        self.stopped.wait(0.02)  # there may be nobody at the moment

    # ---- Uploads ----

    def upload(self, number):
        """Each name is one thread's, and is left alone once something happened to it: its file may come yet."""
        chance = random.Random(number)
        generation = 0
        while not self.stopped.is_set():
            name = f"file-{number}-{generation}"
            try:
                with self.connect() as connection:
                    self.upload_on(connection, name, chance)
            except (Cut, Refused, OSError) as error:
                self.fail(error)
            generation += 1

    def upload_on(self, connection, name, chance):
        reader = Reader(connection)
        for _ in range(chance.randint(1, 10)):
            body = chance.randbytes(chance.randint(1, self.LONGEST))
            digest = hashlib.sha256(body).hexdigest()
            self.begun[name] = digest
            connection.sendall(f"PUT /upload/{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
                               .encode() + body)
            status, _ = reader.answer()
            if status not in (200, 201, 204):
                self.wrong.append(f"upload {name}: {status}")
            self.kept[name] = self.begun.pop(name)
            self.count("upload")
            if self.stopped.is_set() or reader.closes:
                return

    def check_files(self):
        """Returns how many confirmed uploads there are, each of them with its content or that of the next one."""
        for name in sorted({*self.kept, *self.begun}):
            path = os.path.join(self.directory, name)
            wanted = [digests[name] for digests in (self.kept, self.begun) if name in digests]
            if not os.path.exists(path):
                if name in self.kept:
                    self.wrong.append(f"{name} was confirmed and is not there")
                continue
            with open(path, "rb") as file:
                if hashlib.sha256(file.read()).hexdigest() not in wanted:
                    self.wrong.append(f"{name} is neither the old file nor the new one")
        return len(self.kept)

    # ---- Downloads ----

    def download(self, version):
        while not self.stopped.is_set():
            for target, expected in self.downloads.items():
                try:
                    status, body = self.get_by_curl(target) if version == "2" else self.get(target, version)
                except (Cut, Refused, OSError) as error:
                    self.fail(error)
                    continue
                # An application's answer that could not be had is an answer of the server's own.
                if status == 200 and body != expected:
                    self.wrong.append(f"HTTP/{version} {target}: {len(body)} bytes of {len(expected)} taken for whole")
                if status == 200:
                    self.count("download")

    def get(self, target, version="1.1"):
        with self.connect() as connection:
            connection.sendall(f"GET {target} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return Reader(connection).answer()

    def get_by_curl(self, target):
        certificate, key = self.client
        done = subprocess.run(
            ["curl", "--silent", "--http2", "--max-time", str(wire.TIMEOUT_S), "--cacert", self.ca, "--cert", certificate,
             "--key", key, "--write-out", "%{stderr}%{http_code}", f"https://localhost:{self.system.port}{target}"],
            stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode in (CURL_NO_CONNECTION, CURL_NO_TLS):
            raise Refused(f"curl {done.returncode}")
        if done.returncode != 0:
            raise Cut(f"curl {done.returncode}: {done.stderr}")
        return int(done.stderr), done.stdout

    def wait_good(self, more, within):
        """Waits for so many more uploads and downloads. Returns the seconds."""
        begun = time.monotonic()
        with self.lock:
            wanted = {what: number + more for what, number in self.good.items()}
        while any(self.good[what] < number for what, number in wanted.items()):
            if time.monotonic() - begun > within:
                raise AssertionError(f"not served within {within} s: {self.good}, want {wanted}; {self.cut} were cut, "
                                     f"{self.refused} refused")
            time.sleep(0.005)
        return time.monotonic() - begun
