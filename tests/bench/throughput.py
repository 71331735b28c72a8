"""Server CPU for a request on a connection that is kept: files, and an application's answers. No client certificates here,
which the load generators cannot show and which cost a kept connection nothing."""

import os
import re
import shutil
import statistics
import subprocess
import sys

import keyward
import nginx
import report
import servers

SIZES = {"1 KB": ("small.bin", 1024), "100 KB": ("large.bin", 100 * 1024)}
# For h2load, whose own way to stop after a time may never do so: about what a server answers in a second.
REQUESTS = {"small.bin": 10000, "large.bin": 2000, "app/": 5000}
FILE_CACHE = "open_file_cache max=1000; open_file_cache_valid 60s; open_file_cache_min_uses 1;"
CONNECTIONS = 32


def tool(name):
    return shutil.which(name) or sys.exit(f"bench: {name} is missing; run tools/bootstrap --all")


def wrk(url, seconds, _):
    said = servers.run_load(tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", url)
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"bench: wrk {url}:\n{said}")
    return int(re.search(r"(\d+) requests in", said)[1])


def h2load(url, seconds, requests):
    said = servers.run_load(tool("h2load"), "-t1", f"-c{CONNECTIONS}", "-m8", f"-n{seconds * requests}", url)
    counts = {name: int(number) for number, name in re.findall(r"(\d+) (done|succeeded|failed)\b", said)}
    if counts["failed"] > 0 or counts["succeeded"] != counts["done"]:
        sys.exit(f"bench: h2load {url}:\n{said}")
    return counts["succeeded"]


PROTOCOLS = {"HTTP/1.1": wrk, "HTTP/2": h2load}


def measure(subjects, load, path, options):
    """Returns {name: [microseconds a request, one for each round]}."""
    found = {subject.name: [] for subject in subjects}
    for number in range(options.rounds):
        first = number % len(subjects)
        for subject in subjects[first:] + subjects[:first]:
            before = servers.cpu_ns(subject.pids)
            requests = load(f"https://localhost:{subject.port}/{path}", options.seconds, REQUESTS[path])
            found[subject.name].append((servers.cpu_ns(subject.pids) - before) / 1000 / requests)
    return found


def show(what, found, limit):
    """A table of one measurement, and a bar for each server that the first is held against."""
    (name, mine), *others = found.items()
    rows = [[name, report.spread(mine), "-"]]
    rows += [[other, report.spread(rounds), report.spread(report.ratios(rounds, mine), 2)] for other, rounds in others]
    report.table([what, "us a request", f"{name}'s rate to it"], rows)
    for other, rounds in others:
        rate = statistics.median(report.ratios(rounds, mine))
        report.bar(f"requests in a CPU second: {what}, to {other}", rate, limit, least=True)


def compare(subjects, targets, options, limit):
    """Measures all subjects for each target and protocol, the first against the others."""
    try:
        for subject in subjects:
            servers.pin(subject.pids)
        for what, path in targets.items():
            for protocol, load in PROTOCOLS.items():
                show(f"{what}, {protocol}", measure(subjects, load, path, options), limit)
    finally:
        for subject in subjects:
            subject.stop()


def heading(what, options):
    report.heading(f"{what}: server CPU on kept connections, {options.rounds} rounds of about {options.seconds} s, "
                   f"{CONNECTIONS} connections, over HTTP/2 with 8 requests at a time on each")


def files(base, options):
    heading("Files", options)
    report.note("TLS_AES_128_GCM_SHA256, no access log; cached: nginx keeps files open and looks at them again after 60 s")
    client = servers.Client(base)
    root = os.path.join(base, "root")
    os.mkdir(root)
    for name, size in SIZES.values():
        with open(os.path.join(root, name), "wb") as out:
            out.write(os.urandom(size))
    subjects = [
        servers.Keyward("keyward", base, client, "--root", root, "--tls-mode", "server", "--access-log", "none"),
        nginx.Nginx("nginx", base, client, server=f"root {root};", verify="off"),
        nginx.Nginx("nginx, cached", base, client, http=FILE_CACHE, server=f"root {root};", verify="off"),
    ]
    compare(subjects, {what: name for what, (name, _) in SIZES.items()}, options, 1.0)


class Application:
    """Answers everything on a Unix socket with 1 KB, on the cores of the load. Not measured."""

    def __init__(self, base):
        self.path = os.path.join(base, "application")
        self.process = subprocess.Popen([keyward.runfile("tests/bench/upstream"), self.path], stdout=subprocess.PIPE,
                                        preexec_fn=lambda: os.sched_setaffinity(0, servers.load_cpus()))
        keyward.bystanders.add(self.process.pid)
        self.process.stdout.readline()
        os.chmod(self.path, 0o777)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def proxy(base, options):
    heading("An application's answer of 1 KB from a Unix socket", options)
    client = servers.Client(base)
    application = Application(base)
    upstream = f"upstream application {{ server unix:{application.path}; keepalive 32; }}"
    location = 'location /app/ { proxy_pass http://application; proxy_http_version 1.1; proxy_set_header Connection ""; }'
    subjects = [
        servers.Keyward("keyward", base, client, "--proxy", f"/app/=unix:{application.path}", "--tls-mode", "server",
                        "--access-log", "none"),
        nginx.Nginx("nginx", base, client, http=upstream, server=location, verify="off"),
    ]
    try:
        compare(subjects, {"1 KB": "app/"}, options, 0.9)
    finally:
        application.stop()
