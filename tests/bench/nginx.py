"""nginx as it is compared: one worker, no log, its key inside, and the suite and group that Keyward agrees on."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import keyward
import processes

CONFIG = """
daemon off;
worker_processes 1;
error_log stderr error;
pid {directory}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 100000000;
    {http}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        ssl_ecdh_curve X25519;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client {verify};
        {server}
        location /hello {{ default_type text/plain; return 200 "Hello World"; }}
    }}
}}
"""


class Nginx:
    clients = "new"

    def __init__(self, name, base, client, http="", server="", verify="on"):
        """http, server: further directives for these blocks."""
        self.name = name
        directory = os.path.join(base, name.replace(" ", "-"))
        os.makedirs(directory)
        self.ca = client.authority.certificate
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = os.path.join(directory, "nginx.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(directory=directory, port=self.port, ca=self.ca, certificate=client.server_certificate,
                                    key=client.server_key, http=http, server=server, verify=verify))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin") or sys.exit(
            "bench: nginx is missing; run tools/bootstrap --all")
        self.process = subprocess.Popen([program, "-p", directory, "-c", config], stderr=subprocess.DEVNULL)
        keyward.bystanders.add(self.process.pid)
        processes.wait_until(self._answers, 10, "nginx does not listen")
        self.pids = processes.wait_until(lambda: processes.descendants(self.process.pid), 10, "nginx starts no worker")

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
