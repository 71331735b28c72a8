"""Measures Keyward beside its peers, in one run: only ratios from one run count.

Server CPU for a full TLS 1.3 handshake with a client certificate and one GET, of
  keyward     web and keyd together, as they ship
  in-process  the same web with the key inside it (a benchmark build; nothing ships it)
  nginx       Debian's, mutual TLS, P-256, one worker
in rounds that take turns, each server on one core and the load on the others; then how long a launch takes and how much memory all processes have.
"""

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

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


class Client:
    """What every server is asked by: a certificate from a CA that all of them trust."""

    def __init__(self, base):
        self.authority = certificates.Authority(os.path.join(base, "ca"), "Benchmark CA")
        self.certificate, self.key = self.authority.leaf("client")

    def load(self, port, server_ca, connections, parallel):
        subprocess.run([keyward.runfile(LOAD), str(port), "/hello", server_ca, self.certificate, self.key,
                        str(connections), str(parallel)], check=True,
                       preexec_fn=lambda: os.sched_setaffinity(0, load_cpus()))


class Keyward:
    def __init__(self, name, base, client, **replaced):
        self.name = name
        programs = keyward.install(os.path.join(base, f"bin-{name}"), **replaced)
        self.system = keyward.System(base, "--listen", "127.0.0.1:0", "--no-browser", "--workers", "1", "--client-ca",
                                     client.authority.certificate, programs=programs).start()
        self.port = self.system.port
        self.ca = self.system.ca_file()
        self.pids = [p["pid"] for prefix in ("web", "keyd") for p in self.system.processes(prefix)]

    def stop(self):
        self.system.stop()


class Nginx:
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


def cpu_ns(pids):
    """The time that all threads of the processes have spent on a CPU, in nanoseconds."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
    return total


def measure_cpu(servers, client, options):
    """Returns {name: [microseconds a handshake, one for each round]}."""
    found = {server.name: [] for server in servers}
    for server in servers:
        pin(server.pids)
        client.load(server.port, server.ca, 200, options.parallel)  # warm
    for number in range(options.rounds):
        # Each round begins with another server, so that none always follows the same neighbour.
        for server in servers[number % len(servers):] + servers[:number % len(servers)]:
            before = cpu_ns(server.pids)
            client.load(server.port, server.ca, options.connections, options.parallel)
            found[server.name].append((cpu_ns(server.pids) - before) / 1000 / options.connections)
    return found


def print_cpu(found, options):
    print(f"\nServer CPU for a full TLS 1.3 mutual handshake and one GET, {options.rounds} rounds of "
          f"{options.connections} connections, {options.parallel} at a time, the server on one core\n")
    print(f"{'':12} {'median us':>10} {'min':>8} {'max':>8} {'to in-process':>28} {'to nginx':>28}")
    for name, rounds in found.items():
        ratios = [describe_ratios(rounds, found.get(other)) for other in ("in-process", "nginx")]
        print(f"{name:12} {statistics.median(rounds):10.1f} {min(rounds):8.1f} {max(rounds):8.1f} "
              f"{ratios[0]:>28} {ratios[1]:>28}")


def describe_ratios(rounds, others):
    if others is None or others is rounds:
        return "-"
    ratios = [mine / theirs for mine, theirs in zip(rounds, others)]
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def measure_launches(base, programs, launches):
    """Returns the broker's own ready_ms, and milliseconds from exec to the ready line as seen from outside."""
    own, outside = [], []
    for _ in range(launches):
        system = keyward.System(base, "--listen", "127.0.0.1:0", "--no-browser", programs=programs)
        begun = time.monotonic()
        system.start()
        outside.append((time.monotonic() - begun) * 1000)
        own.append(system.ready_ms)
        system.stop()
    return own, outside


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        fields = dict(line.split(":", 1) for line in lines if ":" in line and not line[0].isdigit())
    return [int(fields[field].split()[0]) for field in ("Pss", "Rss")]


def print_memory(system):
    rows = [(processes.name(pid), pid, *memory(pid)) for pid in system.pids()]
    print(f"\nMemory with {os.cpu_count()} workers, no browser, idle, in KiB\n")
    print(f"{'':20} {'PSS':>8} {'RSS':>8}")
    for name, _, pss, rss in rows:
        print(f"{name:20} {pss:8} {rss:8}")
    print(f"{'all':20} {sum(row[2] for row in rows):8} {sum(row[3] for row in rows):8}")


def describe(values):
    return f"median {statistics.median(values):.0f} (min {min(values):.0f}, max {max(values):.0f})"


def run(base, options):
    client = Client(base)
    servers = []
    try:
        servers.append(Keyward("keyward", base, client, keyd=KNOWN_KEYD))
        servers.append(Keyward("in-process", base, client, keyd=KNOWN_KEYD, web=IN_PROCESS_WEB))
        servers.append(Nginx(base, client))
        print_cpu(measure_cpu(servers, client, options), options)
    finally:
        for server in servers:
            server.stop()

    programs = keyward.install(os.path.join(base, "bin"))
    own, outside = measure_launches(base, programs, options.launches)
    print(f"\nLaunch to ready, {options.launches} launches, {os.cpu_count()} workers, no browser, in ms")
    print(f"  by the broker's clock   {describe(own)}")
    print(f"  from exec to the line   {describe(outside)}")

    system = keyward.System(base, "--listen", "127.0.0.1:0", "--no-browser", programs=programs).start()
    print_memory(system)
    system.stop()


def main():
    parser = argparse.ArgumentParser(description="Measures Keyward beside its peers.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=2000, help="in a round, for each server")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--launches", type=int, default=20)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, keyward.end_all)
    base = keyward.temporary_directory()
    try:
        run(base, options)
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
