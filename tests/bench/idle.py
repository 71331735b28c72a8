"""What connections that wait cost: memory, and time of those that are made meanwhile."""

import os
import subprocess

import keyward
import life
import report
import servers
import signing


def pss(system):
    """KiB of all processes. What the kernel has for a connection is not in it."""
    return sum(life.read_memory(pid)[0] for pid in system.pids())


def run(base, options):
    report.heading(f"{options.idle} connections that wait, each with a client certificate and one GET behind it")
    client = servers.Client(base)
    full, empty = servers.Keyward("full", base, client), servers.Keyward("empty", base, client)
    trusted = os.path.join(base, "both.pem")
    with open(trusted, "wb") as out:
        for ca in (full.ca, empty.ca):
            with open(ca, "rb") as pem:
                out.write(pem.read())
    before = pss(full.system)
    process = subprocess.Popen(
        [keyward.runfile("tests/bench/idle"), str(full.port), str(empty.port), "/hello", trusted, client.certificate,
         client.key, str(options.idle), str(options.rounds * 100)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    keyward.bystanders.add(process.pid)
    process.stdout.readline()
    after = pss(full.system)
    said, _ = process.communicate("go on\n")
    full.stop()
    empty.stop()
    found = signing.read_times(said)
    signing.print_times(found)
    report.bar("memory of web, keyd and broker for each", (after - before) / options.idle, 12, " KiB")
    report.bar("p99 of a new connection, to that without them", found["with"][1] / found["without"][1], 2.0)
