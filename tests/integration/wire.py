"""A TLS client that says exactly what a test tells it to, byte by byte, and one of the broker's control socket."""

import array
import contextlib
import os
import select
import socket
import ssl
import threading

TIMEOUT_S = 20


def connect(port, ca, client, alpn="http/1.1", version=None, ragged=False, name="localhost"):
    """Returns an open TLS connection to 127.0.0.1:port as client, a pair of files (certificate, key), or None, that wants the
    server of that name.

    ragged: an end without close_notify is an ssl.SSLError when it is read.
    """
    context = ssl.create_default_context(cafile=ca)
    if client:
        context.load_cert_chain(*client)
    if alpn:
        context.set_alpn_protocols([alpn])
    if version:
        context.minimum_version = context.maximum_version = version
    if ragged:
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    plain.settimeout(TIMEOUT_S)
    return context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=not ragged)


def read_to_end(connection):
    """Returns all that comes until the server closes, in whatever way it does."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except (ssl.SSLError, ConnectionError):
            return received
        if not piece:
            return received
        received += piece


def send_all(connection, data):
    """Sends as much as the server takes: it may close before the end of what it does not want."""
    try:
        connection.sendall(data)
    except (ssl.SSLError, ConnectionError):
        pass


def close_half(connection):
    """Sends close_notify (RFC 8446, 6.1) and leaves the other direction open."""
    connection.setblocking(False)
    try:
        connection.unwrap()
    except ssl.SSLWantReadError:
        pass  # the peer's close_notify is not there yet
    finally:
        connection.settimeout(TIMEOUT_S)


def exchange(port, ca, client, data):
    """Sends data and returns all that the server answers until it closes the connection."""
    with connect(port, ca, client) as connection:
        send_all(connection, data)
        return read_to_end(connection)


def responses(received):
    """Returns the status codes of the HTTP/1.1 responses in received, by their status lines."""
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


def split(received):
    """Returns (status, {header: value}, body) of a single response."""
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(lines[0].split(" ")[1]), headers, body


@contextlib.contextmanager
def impostor(certificate, key):
    """A TLS server that is not ours, for one connection on a port of its own. Asks for a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)

        def serve():
            try:
                plain, _ = listener.accept()
                plain.settimeout(TIMEOUT_S)
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                pass  # the client has seen through it

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


# ---- The control socket, and handles: the messages of proto/keyward.proto -------------------------------------------

KINDS = {"sign_tls13_client": 12, "signature": 16, "refusal": 17, "failed": 61, "handle_revoke": 74, "handle_mint": 75,
         "handle_minted": 76, "done": 77, "handle_restrict": 78, "handle_list_query": 79, "handle_list": 84}
NAMES = {number: name for name, number in KINDS.items()}

# The fields of what is sent, by number.
FIELDS = {
    "handle_mint": {"label": 1, "lifetime_s": 2, "max_signatures": 3, "server": 4, "rate": 5, "pinned": 6},
    "handle_restrict": {"parent": 1, "label": 2, "lifetime_s": 3, "max_signatures": 4, "rate": 5, "server": 6,
                        "pinned": 7},
    "handle_revoke": {"handle": 1},
    "handle_list_query": {"after": 1},
    "sign_tls13_client": {"signature_scheme": 1, "messages": 2},
}

REFUSED = {6: "not pinned", 5: "exhausted", 7: "wrong process", 12: "transcript", 14: "rate"}


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def pack_field(number, value):
    """One field of a protocol buffer; a default is left out."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value if value else b""
    return varint(number << 3) + varint(int(value)) if value else b""


def take_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def unpack(data):
    """Returns {field: [number or bytes]}."""
    fields, at = {}, 0
    while at < len(data):
        tag, at = take_varint(data, at)
        value, at = take_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        fields.setdefault(tag >> 3, []).append(value)
    return fields


class Closed(Exception):
    """The other end is gone."""


class Channel:
    """One end of a channel of Keyward's: a message a packet."""

    def __init__(self, end):
        self.end = end

    def close(self):
        self.end.close()

    def ask(self, kind, **fields):
        """Sends a message. Returns (kind, {field: [value]}, descriptors) of what comes back."""
        numbers = FIELDS[kind]
        body = b"".join(pack_field(numbers[name], fields[name]) for name in sorted(fields, key=numbers.get))
        packet = pack_field(1, 77) + varint(KINDS[kind] << 3 | 2) + varint(len(body)) + body
        try:
            self.end.send(packet)
        except BrokenPipeError:
            raise Closed from None
        return self.hear()

    def hear(self):
        self.end.settimeout(TIMEOUT_S)
        data, ancillary, _, _ = self.end.recvmsg(1 << 16, socket.CMSG_SPACE(4 * 4))
        if not data:
            raise Closed
        descriptors = array.array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content)
        fields = unpack(data)
        [number] = [number for number in fields if number != 1]
        return NAMES[number], unpack(fields[number][0]), list(descriptors)

    def is_closed(self):
        """Whether the other end goes away within a few seconds, whatever its last words are."""
        try:
            while select.select([self.end], [], [], TIMEOUT_S)[0]:
                if not self.end.recv(1 << 16):
                    return True
            return False
        except ConnectionResetError:
            return True


class Handle(Channel):
    """A handle that this process holds."""

    def __init__(self, number, descriptor):
        super().__init__(socket.socket(fileno=descriptor))
        self.number = number

    def refusal(self):
        """Asks for a signature of what is no handshake. Returns why there is none: "transcript" if nothing else is."""
        kind, fields, _ = self.ask("sign_tls13_client", signature_scheme=0x0403, messages=b"nonsense")
        assert kind == "refusal", kind
        return REFUSED.get(fields[1][0], fields[1][0])


class Control(Channel):
    """A client of the broker's control socket."""

    def __init__(self, runtime):
        end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.connect(os.path.join(runtime, "control"))
        super().__init__(end)

    def mint(self, **terms):
        terms = {"label": "whole", "lifetime_s": 600, "server": "localhost", **terms}
        kind, fields, descriptors = self.ask("handle_mint", **terms)
        assert kind == "handle_minted", (kind, fields)
        return Handle(fields[1][0], descriptors[0])

    def derive(self, parent, **terms):
        """Returns a handle derived from the parent, or the text that says why not."""
        kind, fields, descriptors = self.ask("handle_restrict", parent=parent, **terms)
        if kind == "failed":
            assert not descriptors
            return fields[1][0].decode()
        assert kind == "handle_minted", kind
        return Handle(fields[1][0], descriptors[0])
