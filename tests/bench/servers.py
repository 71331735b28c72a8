"""The servers that are compared, who loads them, and what they cost."""

import os
import signal
import subprocess

import certificates
import keyward

LOAD = "tests/bench/load"
IN_PROCESS_WEB = "tests/bench/web_in_process"
KNOWN_KEYD = "tests/keyd_known_key/keyd"


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


def run_load(*command):
    """Runs a program that loads a server, away from the servers' core, and returns what it wrote."""
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, load_cpus())).stdout


class Client:
    """What every server is asked by: a certificate from a CA that all of them trust."""

    def __init__(self, base):
        self.authority = certificates.Authority(os.path.join(base, "ca"), "Benchmark CA")
        self.certificate, self.key = self.authority.leaf("client")
        self.server_certificate, self.server_key = self.authority.leaf("server", profile="server")

    def load(self, server, connections, parallel):
        """server.clients says who connects: "new", each time another client; the "same"; or the same "resumed"."""
        clients = os.path.join(self.authority.directory, "ca.key") if server.clients == "new" else server.clients
        run_load(keyward.runfile(LOAD), server.port, "/hello", server.ca, self.certificate, self.key, connections, parallel,
                 clients)


class Keyward:
    """The whole system with one worker. flags: for the broker, besides."""

    clients = "new"

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


class Bare:
    """A server of the TLS library alone, its key inside."""

    clients = "new"

    def __init__(self, name, client):
        self.name = name
        self.ca = client.authority.certificate
        self.process = subprocess.Popen(
            [keyward.runfile("tests/bench/bare_server"), client.server_certificate, client.server_key, self.ca],
            stdout=subprocess.PIPE, text=True)
        keyward.bystanders.add(self.process.pid)
        self.port = int(self.process.stdout.readline())
        self.pids = [self.process.pid]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()
