"""The system as a whole: how fast it starts, what it takes while idle, how fast a handle is gone."""

import os
import signal
import statistics
import subprocess
import time

import keyward
import processes
import report
import servers
import signing

BROKER_WITHOUT_AUDIT = "tests/bench/broker_without_audit"


def start(base, programs, *flags):
    return keyward.System(base, "--listen", "127.0.0.1:0", "--no-browser", *flags, programs=programs).start()


def revocation(base, options):
    report.heading("Revoking a handle: from the request to the end of the connection that was opened with it")
    system = start(base, keyward.install(os.path.join(base, "bin-revocation")))
    try:
        found = signing.run_program("revocation", system.runtime, system.port, options.rounds * 10)
    finally:
        system.stop()
    signing.print_times(found)
    report.bar("p99 to the end of the connection", found["ended"][1] / 1000, 100, " ms")


def launch(base, options):
    """The broker's own ready_ms, and milliseconds from exec to the ready line as seen from outside."""
    programs = keyward.install(os.path.join(base, "bin-launch"))
    own, outside = [], []
    for _ in range(options.rounds * 2):
        begun = time.monotonic()
        system = start(base, programs)
        outside.append((time.monotonic() - begun) * 1000)
        own.append(system.ready_ms)
        system.stop()
    report.heading(f"Launch to ready, {len(own)} launches, {os.cpu_count()} workers, no browser, in ms")
    report.note(f"by the broker's clock  {report.spread(own)}")
    report.note(f"from exec to the line  {report.spread(outside)}")
    report.bar("from exec to the line", statistics.median(outside), 30, " ms")


def read_memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        fields = dict(line.split(":", 1) for line in lines if ":" in line and not line[0].isdigit())
    return [int(fields[field].split()[0]) for field in ("Pss", "Rss")]


def memory(base, _):
    system = start(base, keyward.install(os.path.join(base, "bin-memory")))
    rows = [(processes.name(pid), *read_memory(pid)) for pid in system.pids()]
    system.stop()
    report.heading(f"Memory with {os.cpu_count()} workers, no browser, idle, in KiB")
    total = ["all", *(sum(column) for column in list(zip(*rows))[1:])]
    report.table(["", "PSS", "RSS"], [[str(cell) for cell in row] for row in [*rows, total]])
    report.bar("all processes, PSS", total[1] / 1024, 25, " MB")


def audit(base, options):
    report.heading("The audit log: CPU of broker and keyd for a handle's whole life (minted, one handshake, closed)")
    times = 20 * options.rounds
    systems = {
        "with": start(base, keyward.install(os.path.join(base, "bin-with")), "--workers", "1"),
        "without": start(base, keyward.install(os.path.join(base, "bin-without"), broker=BROKER_WITHOUT_AUDIT),
                         "--workers", "1"),
    }
    found = {name: [] for name in systems}
    for _ in range(options.rounds):
        for name, system in systems.items():
            pids = [system.pid_of("broker"), system.pid_of("keyd")]
            before = servers.cpu_ns(pids)
            signing.run_program("handle_use", system.runtime, system.port, times)
            found[name].append((servers.cpu_ns(pids) - before) / 1000 / times)
    for system in systems.values():
        system.stop()
    report.table(["", "us a handle"], [[name, report.spread(rounds)] for name, rounds in found.items()])
    ratios = report.ratios(found["with"], found["without"])
    report.note(f"with to without: {report.spread(ratios, 2)}; a worker's signatures are only counted")


class Lent:
    """A handle of the running system that is out until the end of the with statement."""

    def __init__(self, system):
        self.system = system

    def __enter__(self):
        self.process = subprocess.Popen([keyward.runfile("tests/bench/lend"), self.system.runtime],
                                        stdout=subprocess.PIPE, text=True)
        keyward.bystanders.add(self.process.pid)
        if self.process.stdout.readline() != "lent\n":
            raise AssertionError("no handle was lent")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process.stdout.close()
