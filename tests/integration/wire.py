"""A TLS client that says exactly what a test tells it to, byte by byte."""

import contextlib
import socket
import ssl
import threading

TIMEOUT_S = 20


def connect(port, ca, client, alpn="http/1.1", version=None):
    """Returns an open TLS connection to 127.0.0.1:port as client, a pair of files (certificate, key)."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(*client)
    if alpn:
        context.set_alpn_protocols([alpn])
    if version:
        context.minimum_version = context.maximum_version = version
    plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    plain.settimeout(TIMEOUT_S)
    return context.wrap_socket(plain, server_hostname="localhost")


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
