"""A TLS server that is not ours: OpenSSL's."""

import contextlib
import re
import subprocess

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
