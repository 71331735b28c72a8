"""The servers that are compared, who loads them, and what they cost."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import certificates
import keyward
import processes

LOAD = "tests/bench/load"
IN_PROCESS_WEB = "tests/bench/web_in_process"
KNOWN_KEYD = "tests/keyd_known_key/keyd"

NGINX = """
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
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.3;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client on;
        location /hello {{ default_type text/plain; return 200 "Hello World"; }}
    }}
}}
"""


def server_cpu():
    return min(os.sched_getaffinity(0))


def load_cpus():
    return os.sched_getaffinity(0) - {server_cpu()} or {server_cpu()}


def pin(pids):
    """All threads of a server onto one core: what one core can serve is the question."""
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {server_cpu()})


def cpu_ns(pids):
    """The time that all threads of the processes have spent on a CPU, in nanoseconds."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
    return total


class Client:
    """What every server is asked by: a certificate from a CA that all of them trust."""

    def __init__(self, base):
        self.authority = certificates.Authority(os.path.join(base, "ca"), "Benchmark CA")
        self.certificate, self.key = self.authority.leaf("client")

    def load(self, server, connections, parallel):
        """Every connection by another client, unless the server is there to be asked by a returning one."""
        others = [] if server.returning else [os.path.join(self.authority.directory, "ca.key")]
        subprocess.run([keyward.runfile(LOAD), str(server.port), "/hello", server.ca, self.certificate, self.key,
                        str(connections), str(parallel), *others], check=True,
                       preexec_fn=lambda: os.sched_setaffinity(0, load_cpus()))


class Keyward:
    """The whole system with one worker. flags: for the broker, besides."""

    returning = False

    def __init__(self, name, base, client, *flags, measured=("web", "keyd"), **replaced):
        self.name = name
        programs = keyward.install(os.path.join(base, f"bin-{name.replace(' ', '-')}"), **replaced)
        self.system = keyward.System(base, "--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--client-ca",
                                     client.authority.certificate, *flags, programs=programs).start()
        self.port = self.system.port
        self.ca = self.system.ca_file()
        self.pids = [p["pid"] for prefix in measured for p in self.system.processes(prefix)]

    def stop(self):
        self.system.stop()


class Nginx:
    returning = False

    def __init__(self, base, client):
        self.name = "nginx"
        directory = os.path.join(base, "nginx")
        os.makedirs(directory)
        certificate, key = client.authority.leaf("server", profile="server")
        self.ca = client.authority.certificate
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = os.path.join(directory, "nginx.conf")
        with open(config, "w", encoding="utf-8") as out:
            out.write(NGINX.format(directory=directory, port=self.port, certificate=certificate, key=key, ca=self.ca))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin") or sys.exit(
            "bench: nginx is missing; run tools/bootstrap --all")
        self.process = subprocess.Popen([program, "-p", directory, "-c", config], stderr=subprocess.DEVNULL)
        keyward.bystanders.add(self.process.pid)
        processes.wait_until(self._answers, 10, "nginx does not listen")
        self.pids = processes.descendants(self.process.pid)

    def _answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
